//! A forecast is what a real install is told.

use std::collections::BTreeMap;

use super::world::*;
use crate::apply::tests::world::{Tree, blocks, file, installed, options, tree};
use crate::plan::plan;
use crate::route::{Environment, Forecast, Input, Weights, forecast, route};
use crate::verify::{Depth, survey};

fn between(trees: &[Tree], packs: &[(Option<usize>, usize)]) {
    let mut game = Game::new(trees, 0);
    for (base, target) in packs {
        game.pack(*base, *target, Shape { segment: 40 << 10, per_mille: 300, extra: 1 });
    }
    let (environment, weights) = (Environment::default(), Weights::default());
    for at in 0..trees.len() - 1 {
        let forecasted = forecast(&Forecast {
            installed: Some(at),
            target: game.target(),
            releases: &game.known,
            packs: &game.offers,
            leaves: &game,
            pieces: &BTreeMap::new(),
            environment: &environment,
            weights: &weights,
        });
        let (_temp, dir) = installed(&game.releases[at]);
        let local = survey(&dir, game.target(), Depth::Quick, 1, &()).unwrap();
        // What is published: leaves of files of more than a piece.
        let real = plan(&local, game.target(), game.releases.last().unwrap(), options());
        let input = game.input();
        let real_route = route(&Input {
            local: &local,
            plan: &real,
            environment: &environment,
            weights: &weights,
            leaves: game.releases.last().unwrap(),
            ..input
        });
        assert_eq!(forecasted.plan.ops, real.ops);
        assert_eq!(forecasted.plan.costs, real.costs);
        assert_eq!(forecasted.route, real_route);
        assert_eq!(forecasted.costs().disk_written, forecasted.chosen().unwrap().costs.disk_written);
    }
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
    between(&[one.clone(), two.clone(), three.clone()], &[(Some(0), 1), (Some(1), 2), (None, 2)]);
    between(&[one.clone(), two, three.clone()], &[]);
    between(&[one, three], &[(Some(0), 1)]);
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
