use eframe::egui::vec2;

use super::*;
use crate::shell::library::tests::game;

/// A picture takes this, whatever it shows.
const BYTES: usize = 100;

fn wanted(key: u64, file: &str, side: u32) -> Wanted {
    let (game, spot, kind) = (GameKey(key), Spot::Card, Kind::Hero);
    Wanted { game, spot, kind, file: file.into(), size: [side; 2] }
}

/// A frame that wants these; which files are asked for.
fn see(gallery: &mut Gallery<u64>, wanted: &[Wanted]) -> Vec<Wanted> {
    gallery.see(wanted.iter().cloned().collect()).0
}

/// Whether a frame that wants this asks for it.
fn asks(gallery: &mut Gallery<u64>, wanted: &Wanted) -> bool {
    see(gallery, std::slice::from_ref(wanted)) == std::slice::from_ref(wanted)
}

/// A frame that wants these, and all that it asks for is there afterwards.
fn hang(gallery: &mut Gallery<u64>, wanted: &[Wanted]) {
    loop {
        let asked = see(gallery, wanted);
        if asked.is_empty() {
            return;
        }
        asked.into_iter().for_each(|one| gallery.hang(one.clone(), one.game.0, BYTES));
    }
}

/// The picture that is drawn, by its number.
fn drawn(gallery: &Gallery<u64>, wanted: &Wanted) -> Result<u64, Look> {
    let shown =
        |picture: &u64| Shown { texture: TextureId::User(*picture), size: Vec2::splat(1.0), is_opaque: true };
    match gallery.shelf(shown).look(wanted) {
        Look::Here(Shown { texture: TextureId::User(picture), .. }) => Ok(picture),
        other => Err(other),
    }
}

#[test]
fn it_is_asked_for_once_and_then_there() {
    let mut gallery = Gallery::new(usize::MAX);
    let one = wanted(1, "one", 64);
    assert_eq!(drawn(&gallery, &one), Err(Look::Coming));
    assert!(asks(&mut gallery, &one));
    assert!(!asks(&mut gallery, &one));
    gallery.hang(one.clone(), 7, BYTES);
    assert_eq!(drawn(&gallery, &one), Ok(7));
    assert!(see(&mut gallery, &[one]).is_empty());
}

#[test]
fn what_is_seen_now_is_asked_for_and_not_what_was_passed_by() {
    let mut gallery = Gallery::new(usize::MAX);
    let page =
        |from: u64| (from..from + 20).map(|key| wanted(key, &format!("{key}"), 64)).collect::<Vec<_>>();
    let first = see(&mut gallery, &page(0));
    assert_eq!(first.len(), AT_ONCE);
    // Scrolled on while these are made.
    assert!(see(&mut gallery, &page(1000)).is_empty());
    first.into_iter().for_each(|one| gallery.hang(one.clone(), one.game.0, BYTES));
    assert_eq!(see(&mut gallery, &page(2000)), page(2000)[..AT_ONCE]);
}

#[test]
fn a_new_release_or_another_size_replaces_it_when_it_is_made() {
    let mut gallery = Gallery::new(usize::MAX);
    hang(&mut gallery, &[wanted(1, "old", 64)]);
    for next in [wanted(1, "new", 64), wanted(1, "new", 96), wanted(1, "new", 64)] {
        assert!(asks(&mut gallery, &next));
        assert_eq!(drawn(&gallery, &next), Ok(1));
        // One that changes again in the meantime waits for it.
        assert!(see(&mut gallery, &[wanted(1, "newer", 64)]).is_empty());
        gallery.hang(next.clone(), 1, BYTES);
        assert!(see(&mut gallery, &[next]).is_empty());
    }
}

#[test]
fn one_that_cannot_be_used_is_told_once_and_as_if_there_were_none() {
    let mut gallery = Gallery::new(usize::MAX);
    hang(&mut gallery, &[wanted(1, "good", 64)]);
    let bad = wanted(1, "bad", 64);
    assert!(asks(&mut gallery, &bad));
    assert!(gallery.fail(bad.clone()));
    assert_eq!(drawn(&gallery, &bad), Err(Look::Failed));
    assert!(see(&mut gallery, &[bad.clone(), wanted(2, "bad", 96)]).is_empty());
    assert!(!gallery.fail(bad));
    // Fetched once more it is another try, and told of no more.
    assert!(gallery.fetched("bad".as_ref()) && !gallery.fetched("good".as_ref()));
    let bad = wanted(1, "bad", 64);
    assert!(asks(&mut gallery, &bad));
    assert!(!gallery.fail(bad));
    // Another file is another try.
    assert_eq!(see(&mut gallery, &[wanted(1, "next", 64)]).len(), 1);
}

#[test]
fn the_longest_unseen_go_first_and_never_what_is_on_the_screen() {
    let mut gallery = Gallery::new(4 * BYTES);
    let all: Vec<_> = (0..6).map(|key| wanted(key, &format!("{key}"), 64)).collect();
    hang(&mut gallery, &all[..4]);
    see(&mut gallery, &all[..1]);
    hang(&mut gallery, &all[4..5]);
    let here = |gallery: &Gallery<u64>| {
        all.iter().filter(|one| drawn(gallery, one).is_ok()).map(|one| one.game.0).collect::<Vec<_>>()
    };
    assert_eq!(here(&gallery), [0, 2, 3, 4]);
    // More than there is room for is on the screen.
    hang(&mut gallery, &all);
    assert_eq!(here(&gallery), [0, 1, 2, 3, 4, 5]);
    let (_, put_away) = gallery.see(all[5..].iter().cloned().collect());
    assert!(put_away);
    assert_eq!(here(&gallery), [2, 3, 4, 5]);
    assert_eq!(gallery.see(BTreeSet::new()), (Vec::new(), false));
}

#[test]
fn what_is_wanted_has_a_size_that_seldom_changes() {
    let mut game = game("maple", "Maple");
    let of = |game: &Game, spot, points, scale| Wanted::of(game, Kind::Hero, spot, points, scale);
    assert_eq!(of(&game, Spot::Card, vec2(200.0, 100.0), 1.0), None);
    game.art.hero = Some("/art/hero.png".into());
    for (spot, points, scale, size) in [
        (Spot::Card, vec2(200.0, 100.0), 1.0, [224, 128]),
        (Spot::Card, vec2(220.5, 97.0), 1.0, [224, 128]),
        (Spot::Card, vec2(200.0, 100.0), 2.0, [416, 224]),
        (Spot::Banner, vec2(752.0, 160.0), 1.0, [768, 256]),
        (Spot::Banner, vec2(9e9, -1.0), 3.0, [2048, 128]),
    ] {
        assert_eq!(of(&game, spot, points, scale).unwrap().size, size, "{spot:?} {points:?} {scale}");
    }
}
