//! Random games, packs and damage.

use proptest::prelude::*;

use super::run::run;
use super::world::*;
use crate::apply::tests::world::{Tree, file};
use crate::route::Weights;

/// A file's blocks by letter, and a tail.
fn content(letters: &[u8], tail: usize) -> Vec<u8> {
    let mut data: Vec<u8> =
        letters.iter().flat_map(|letter| noise(u64::from(*letter) + 100, 16_384)).collect();
    data.extend(noise(7, tail));
    data
}

fn a_tree() -> impl Strategy<Value = Tree> {
    let a_file = (prop::collection::vec(0u8..5, 0..5), prop::sample::select(vec![0usize, 1, 500, 16_383]));
    prop::collection::btree_map("[a-f]", a_file, 1..6).prop_map(|files| {
        let file =
            |(path, (letters, tail)): (String, (Vec<u8>, usize))| (path, file(content(&letters, tail)));
        files.into_iter().map(file).collect()
    })
}

fn a_shape() -> impl Strategy<Value = Shape> {
    (prop::sample::select(vec![20u32 << 10, 64 << 10, 200 << 10]), 20u64..=1000, 0usize..3)
        .prop_map(|(segment, per_mille, extra)| Shape { segment, per_mille, extra })
}

prop_compose! {
    fn a_game()(
        trees in prop::collection::vec(a_tree(), 2..4),
        listed in 0usize..2,
        packs in prop::collection::vec((0usize..4, 0usize..4, a_shape()), 0..5),
        damage in prop::collection::vec((0usize..6, 0usize..80_000, any::<bool>()), 0..4),
        heals in prop::collection::vec(any::<bool>(), 3),
        network_only in any::<bool>(),
    ) -> Game {
        let mut game = Game::new(&trees, listed);
        for (known, heal) in game.known.iter_mut().zip(heals) {
            known.can_heal = heal;
        }
        for (base, target, shape) in packs {
            let (base, target) = (base.checked_sub(1), target % trees.len());
            if base.is_none_or(|base| base < target) {
                game.pack(base, target, shape);
            }
        }
        let paths: Vec<String> = game.disk.keys().cloned().collect();
        for (which, at, gone) in damage {
            let path = &paths[which % paths.len()];
            if gone {
                game.disk.remove(path);
            } else if let Some(data) = game.disk.get_mut(path).filter(|data| !data.is_empty()) {
                let at = at % data.len();
                data[at] ^= 1;
            }
        }
        game.look();
        if !network_only {
            game.weights = Weights::default();
        }
        game
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 150 } else { 2000 }))]

    #[test]
    fn every_candidate_keeps_its_promise(game in a_game()) {
        let route = game.route();
        let chosen = route.chosen().unwrap();
        for candidate in &route.candidates {
            run(&game, candidate);
            prop_assert!(chosen.cost <= candidate.cost);
            if game.weights == Weights::NETWORK_ONLY {
                prop_assert!(chosen.costs.network.payload() <= candidate.costs.network.payload());
            }
            prop_assert_eq!(game.weights.weigh(&candidate.costs), candidate.cost);
        }
        let mut names: Vec<_> = route.candidates.iter().map(|one| &one.name).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), route.candidates.len());
        prop_assert_eq!(game.route(), route, "the same question, the same answer");
    }
}
