//! Situations one by one.

use super::run::run;
use super::world::*;
use crate::apply::tests::world::{Tree, blocks, file, tree};
use crate::route::{Candidate, Kind, Network, worth_asking};

const SHAPE: Shape = Shape { segment: 48 << 10, per_mille: 100, extra: 1 };

fn names(game: &Game) -> Vec<String> {
    game.route().candidates.iter().map(|one| one.name.clone()).collect()
}

fn run_all(game: &Game) {
    let route = game.route();
    for candidate in &route.candidates {
        let fetched = run(game, candidate);
        assert!(route.chosen().unwrap().costs.network.payload() <= fetched.payload());
    }
}

fn old() -> Tree {
    tree(&[
        ("big", blocks("abcdefgh")),
        ("gone", file(noise(1, 30_000))),
        ("same", file(noise(2, 50_000))),
        ("small", file("one")),
    ])
}

fn new() -> Tree {
    tree(&[
        ("big", blocks("abXdeYgh")),
        ("new", file(noise(3, 90_000))),
        ("same", file(noise(2, 50_000))),
        ("small", file("two")),
    ])
}

fn of<'r>(route: &'r crate::route::Route, name: &str) -> &'r Candidate {
    route.named(name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn a_direct_pack_is_the_cheapest_when_all_is_well() {
    let mut game = Game::new(&[old(), new()], 0);
    game.pack(Some(0), 1, SHAPE);
    game.pack(None, 1, Shape { per_mille: 600, ..SHAPE });
    run_all(&game);
    let route = game.route();
    let chosen = route.chosen().unwrap();
    assert_eq!((chosen.kind, chosen.mixed), (Kind::Direct, false));
    assert!(chosen.content.is_empty() && chosen.heals.is_empty());
    let changed = 2 * 16_384 + 90_000 + 3;
    let reuse = Network { content: changed, index: 200, ..Network::default() };
    assert_eq!(of(&route, "reuse").costs.network, reuse);
    let plain = Network { content: 8 * 16_384 + 90_000 + 3, index: 200, ..Network::default() };
    assert_eq!(of(&route, "plain").costs.network, plain);
}

#[test]
fn a_chain_rebuilds_only_what_the_next_step_reads() {
    let mut middle = old();
    middle.insert("big".into(), blocks("abXdefgh"));
    middle.insert("only-between".into(), file(noise(9, 200_000)));
    let mut game = Game::new(&[old(), middle, new()], 0);
    game.pack(Some(0), 1, Shape { extra: 0, ..SHAPE });
    game.pack(Some(1), 2, Shape { extra: 0, ..SHAPE });
    run_all(&game);
    let route = game.route();
    let chain = of(&route, "chain-2.0");
    assert_eq!(chain.steps.len(), 2);
    let built: Vec<u32> = chain.steps[0].builds.iter().map(|build| build.file).collect();
    assert_eq!(built, [0], "big, and not what only the middle has");
}

#[test]
fn a_damaged_base_is_healed_or_done_without() {
    let mut game = Game::new(&[old(), new()], 0);
    game.pack(Some(0), 1, SHAPE);
    // A block that the changed blocks refer to, one that is only copied, and a file that is in both releases.
    game.disk.get_mut("big").unwrap()[2 * 16_384 + 9] ^= 1;
    game.disk.get_mut("big").unwrap()[6 * 16_384 + 9] ^= 1;
    game.disk.get_mut("same").unwrap()[20_000] ^= 1;
    game.look();
    run_all(&game);
    let route = game.route();
    let direct = of(&route, "direct");
    assert_eq!(direct.heals.len(), 1, "big; what is the target's too comes from its torrent");
    assert_eq!(direct.heals[0].fetch, [2 * 16_384..3 * 16_384]);
    assert_eq!(direct.costs.network.content, 2 * 16_384, "the damaged blocks that do not change");
    // Nothing can be healed: who needs it comes as content.
    game.known[0].can_heal = false;
    run_all(&game);
    let route = game.route();
    assert!(of(&route, "direct").heals.is_empty());
}

#[test]
fn frames_that_cost_more_than_their_files_are_left_out() {
    let old = tree(&[("a-gone", file(noise(4, 40_000))), ("big", blocks("abcdefgh"))]);
    let new = tree(&[("b-tiny", file("ten bytes!")), ("big", blocks("abXdefgh"))]);
    let mut game = Game::new(&[old, new], 0);
    // The frame of the tiny file refers to a file that is damaged: a block to heal for ten bytes.
    game.pack(Some(0), 1, Shape { segment: 16 << 10, ..SHAPE });
    game.disk.get_mut("a-gone").unwrap()[5] ^= 1;
    game.look();
    run_all(&game);
    let route = game.route();
    let (pure, mixed) = (of(&route, "direct"), of(&route, "direct-mixed"));
    assert_eq!((pure.costs.network.heal, mixed.costs.network.heal), (16_384, 0));
    assert_eq!((pure.costs.network.content, mixed.costs.network.content), (0, 10));
    assert_eq!(route.chosen().unwrap().name, "direct-mixed");
}

#[test]
fn what_is_in_the_cache_is_not_fetched_again() {
    let mut game = Game::new(&[old(), new()], 0);
    game.pack(Some(0), 1, SHAPE);
    let id = game.offers[0].info.id;
    game.held.insert(id, crate::hash::BlockMap::all(id.len));
    run_all(&game);
    let route = game.route();
    assert_eq!(route.chosen().unwrap().costs.network, Network { index: 100, ..Network::default() });
}

#[test]
fn an_empty_folder_has_the_full_pack_and_the_plain_tree() {
    let mut game = Game::new(&[old(), new()], 0);
    game.pack(Some(0), 1, SHAPE);
    game.pack(None, 1, Shape { per_mille: 700, ..SHAPE });
    game.disk.clear();
    game.local.listed.clear();
    game.look();
    run_all(&game);
    assert_eq!(game.route().chosen().unwrap().kind, Kind::Full);
    assert!(!names(&game).contains(&"direct".to_owned()), "nothing of its base is here");
}

#[test]
fn indexes_are_asked_for_where_their_packs_may_be_of_use() {
    let far = tree(&[("elsewhere", file(noise(20, 400_000)))]);
    let mut game = Game::new(&[old(), far, new()], 0);
    game.pack(Some(0), 2, SHAPE);
    game.pack(Some(1), 2, SHAPE);
    game.pack(None, 2, Shape { per_mille: 600, ..SHAPE });
    let open = |game: &Game| worth_asking(&game.input()).into_iter().collect::<Vec<_>>();
    // Whether they are known or not: it is asked before.
    game.offers.iter_mut().for_each(|offer| offer.index = None);
    assert_eq!(open(&game), [0, 2], "nobody here has what the second one starts from");
    game.offers[0].info.index_len = 500_000;
    assert_eq!(open(&game), [2], "more than all that is missing");
    let mut game = Game::new(&[old(), new()], 1);
    game.pack(Some(0), 1, SHAPE);
    assert_eq!(open(&game), [0; 0], "nothing is missing");
}

#[test]
fn nothing_to_do_needs_no_pack() {
    let mut game = Game::new(&[old(), new()], 1);
    game.pack(Some(0), 1, SHAPE);
    let route = game.route();
    assert!(route.candidates.iter().all(|one| one.steps.is_empty() && one.content.is_empty()));
    assert_eq!(route.chosen().unwrap().costs.network.payload(), 0);
}
