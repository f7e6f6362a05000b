//! Releases and channels are chosen, and going back is told before it is done.

use super::repo::noise;
use super::*;
use crate::engine::{ChannelView, Look, Plan, PlanReport, Releases};

fn list(player: &mut Player, repo: &Repo, memory: &Path) -> Result<Outcome, String> {
    let (trust_root, game, memory) = (repo.root(), "maple".to_owned(), memory.to_owned());
    player.run(Operation::Releases(Releases { repo: repo.url(), trust_root, game, memory }))
}

fn change(player: &mut Player, dir: &Path, select: Select) -> Result<Summary, String> {
    let update = Update {
        dir: dir.to_owned(),
        select: Some(select),
        sources: Sources { peers: false, web: true },
        accept_expired: false,
        way: Preference::default(),
        linger: Linger::No,
    };
    match player.run(Operation::Update(update))? {
        Outcome::Installed(summary) => Ok(summary),
        other => panic!("{other:?}"),
    }
}

fn way_back(player: &mut Player, dir: &Path) -> Result<PlanReport, String> {
    match player.run(Operation::Plan(Plan::Rollback { dir: dir.to_owned() }))? {
        Outcome::Planned(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

/// Releases 1, 2 and 3 of a small game; `stable` points at the last.
fn three() -> Repo {
    let mut repo = Repo::new();
    for (seed, version) in [(1, "1"), (2, "2"), (3, "3")] {
        repo.publish(version, &[("data", noise(seed, 90_000)), ("same", noise(9, 50_000))]);
    }
    repo
}

#[test]
fn what_can_be_chosen_is_told_newest_first() {
    let (mut repo, mut player, temp) = (three(), Player::new(), tempfile::tempdir().unwrap());
    repo.offer_as_beta("2", 2);
    let Outcome::Listed(list) = list(&mut player, &repo, temp.path()).unwrap() else { panic!() };
    let releases: Vec<_> =
        list.releases.iter().map(|one| (one.release.as_str(), one.bytes, one.notes.as_str())).collect();
    assert_eq!(
        releases,
        [("3", Some(140_000), "# 3"), ("2", Some(140_000), "# 2"), ("1", Some(140_000), "# 1")]
    );
    let points =
        |name: &str, release: &str| ChannelView { name: name.into(), release: release.into(), halted: false };
    assert_eq!(list.channels, [points("beta", "2"), points("stable", "3")]);
    let other = Repo::new();
    let (trust_root, game, memory) = (other.root(), "maple".to_owned(), temp.path().to_owned());
    let wrong = Releases { repo: repo.url(), trust_root, game, memory };
    assert!(player.run(Operation::Releases(wrong)).unwrap_err().contains("-TRUST-"));
}

#[test]
fn a_release_and_a_channel_are_taken_and_followed() {
    let (mut repo, mut player, temp) = (three(), Player::new(), tempfile::tempdir().unwrap());
    let dir = temp.path().join("game");
    assert_eq!(player.install(&repo, &dir).unwrap().sequence, 3);
    // An older one, because the player says so; its channel stays, and leads on.
    assert_eq!(change(&mut player, &dir, Select::Release("1".into())).unwrap().release, "1");
    assert_eq!(player.update(&dir).unwrap().release, "3");
    assert_eq!(change(&mut player, &dir, Select::Release("1".into())).unwrap().release, "1");
    repo.offer_as_beta("2", 2);
    assert_eq!(change(&mut player, &dir, Select::Channel("beta".into())).unwrap().release, "2");
    assert_eq!(player.update(&dir).unwrap().release, "2", "beta is followed from then on");
    // A channel takes nobody back unless the studio signs that.
    assert_eq!(change(&mut player, &dir, Select::Channel("stable".into())).unwrap().release, "3");
    assert_eq!(change(&mut player, &dir, Select::Channel("beta".into())).unwrap_err(), "E-TRUST-DOWNGRADE");
    let look = |installed| Look {
        repo: repo.url(),
        trust_root: repo.root(),
        game: "maple".to_owned(),
        select: Select::Channel("beta".into()),
        installed,
        memory: temp.path().join("memory"),
    };
    for (installed, older) in [(None, false), (Some(1), false), (Some(2), false), (Some(3), true)] {
        let Outcome::Looked(offer) = player.run(Operation::Look(look(installed))).unwrap() else { panic!() };
        assert_eq!((offer.release.as_str(), offer.older), ("2", older), "{installed:?}");
    }
}

#[test]
fn going_back_is_told_before_it_is_done_and_asks_nobody() {
    let (mut repo, mut player, temp) = (Repo::new(), Player::new(), tempfile::tempdir().unwrap());
    let dir = temp.path().join("game");
    repo.publish("1", &[("data", noise(1, 90_000)), ("same", noise(9, 50_000))]);
    player.install(&repo, &dir).unwrap();
    assert_eq!(way_back(&mut player, &dir).unwrap_err(), "E-ROLLBACK-NOTHING");
    repo.publish("2", &[("data", noise(2, 90_000)), ("same", noise(9, 50_000))]);
    player.update(&dir).unwrap();
    repo.served();
    let report = way_back(&mut player, &dir).unwrap();
    assert_eq!((report.from.as_deref(), report.release.as_str()), (Some("2"), "1"));
    let [kept] = &report.candidates[..] else { panic!("{report:?}") };
    assert!(kept.chosen && kept.network_bytes == 0);
    assert_eq!((kept.written_files, repo.served()), (1, 0));
    let Outcome::Installed(summary) = player.run(Operation::Rollback { dir }).unwrap() else { panic!() };
    assert_eq!((summary.release.as_str(), summary.sequence), ("1", 1));
    assert_eq!((kept.written_bytes, kept.temp_bytes), (summary.written_bytes, summary.temp_peak_bytes));
}
