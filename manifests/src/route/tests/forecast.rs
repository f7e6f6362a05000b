//! A forecast is what a real install is told.

use super::world::*;
use crate::apply::tests::world::{Tree, blocks, file, installed, options, tree};
use crate::hash::BLOCK_LEN;
use crate::plan::plan;
use crate::reuse::find;
use crate::route::{Costs, Environment, Forecast, Input, Weights, forecast, route, worth_asking};
use crate::verify::{Depth, survey};

/// What the release before the last one pays; all of them are held against real installs.
fn between(trees: &[Tree], packs: &[(Option<usize>, usize)]) -> Costs {
    let mut game = Game::new(trees, 0);
    for (base, target) in packs {
        game.pack(*base, *target, Shape { segment: 40 << 10, per_mille: 300, extra: 1 });
    }
    let mut last = Costs::default();
    let (environment, weights) = (Environment::default(), Weights::default());
    for at in 0..trees.len() - 1 {
        let (_temp, dir) = installed(&game.releases[at]);
        let published = game.releases.last().unwrap();
        let forecasted = forecast(&Forecast {
            installed: Some(at),
            target: game.target(),
            releases: &game.known,
            packs: &game.offers,
            leaves: &game,
            moved: Some((&*dir, published)),
            environment: &environment,
            weights: &weights,
        });
        let mut local = survey(&dir, game.target(), Depth::Quick, 1, &()).unwrap();
        // What is published: leaves of files of more than a piece.
        let real = plan(&local, game.target(), published, options());
        local.pieces = find(&*dir, &local, game.target(), &real, published, published, &()).unwrap();
        let real = plan(&local, game.target(), published, options());
        let input = game.input();
        let input = Input {
            local: &local,
            plan: &real,
            environment: &environment,
            weights: &weights,
            leaves: published,
            ..input
        };
        // Indexes that nobody asks for are not fetched.
        let (asked, mut packs) = (worth_asking(&input), game.offers.clone());
        packs
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| !asked.contains(at))
            .for_each(|(_, one)| one.index = None);
        let real_route = route(&Input { packs: &packs, ..input });
        assert_eq!(forecasted.plan.ops, real.ops);
        assert_eq!(forecasted.plan.costs, real.costs);
        assert_eq!(forecasted.route, real_route);
        last = forecasted.costs();
        assert_eq!(last, forecasted.chosen().unwrap().costs);
    }
    last
}

#[test]
fn cohorts_are_told_what_launchers_find() {
    let one = tree(&[
        ("bin/game", file(noise(1, 100_000))),
        ("data/a", blocks("abcdef")),
        ("data/middle", file(noise(5, 20_000))),
        ("readme", file("one")),
    ]);
    let two = tree(&[
        ("bin/game", file(noise(1, 100_000))),
        ("data/a", blocks("abXdef")),
        ("data/middle", file(noise(6, 20_000))),
        ("readme", file("two")),
    ]);
    let three = tree(&[
        ("bin/game", file(noise(2, 110_000))),
        ("data/b", blocks("abXdeY")),
        ("data/middle", file(noise(7, 20_000))),
        ("readme", file("three")),
    ]);
    let _ = between(&[one.clone(), two.clone(), three.clone()], &[(Some(0), 1), (Some(1), 2), (None, 2)]);
    let _ = between(&[one.clone(), two, three.clone()], &[]);
    let _ = between(&[one, three], &[(Some(0), 1)]);
}

#[test]
fn data_that_moved_is_not_fetched() {
    let old: Vec<u8> = noise(3, 400_000);
    let mut new = old.clone();
    let _ = new.splice(1_000..1_000, noise(4, 77));
    let trees = [tree(&[("world", file(old))]), tree(&[("world", file(new))])];
    let costs = between(&trees, &[]);
    assert!(costs.network.payload() <= 2 * BLOCK_LEN, "{costs:?}");
}

#[test]
fn time_depends_on_where() {
    let game = Game::new(&[tree(&[("a", file("x"))]), tree(&[("a", file(noise(1, 1_000_000)))])], 0);
    let costs = game.route().chosen().unwrap().costs;
    assert_eq!((costs.files_written, costs.disk_written), (1, 1_000_000));
    let at = |source_rate, disk| costs.time_in(&Environment { source_rate, disk, cores: 1 });
    // A megabyte at a megabyte a second, written at 800 or 120 MB/s, and what a file costs.
    assert_eq!(at(1_000_000, crate::route::Disk::Ssd), 1_000_000 + 1_250 + 500);
    assert_eq!(at(1_000_000, crate::route::Disk::Hdd), 1_000_000 + 8_333 + 8_000);
    assert!(at(0, crate::route::Disk::Ssd) > 1_000_000_000, "no source at all does not divide by zero");
}
