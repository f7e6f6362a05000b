//! What a preview says, and that it touches nothing.

use super::*;
use crate::publish::tests::{World, noise, text};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn options(world: &World, version: &str) -> PreviewOptions {
    let publish = PublishOptions { keys: PathBuf::from("nowhere"), ..world.options(version) };
    PreviewOptions { publish, limits: Limits::default() }
}

/// Every file of the data folder, what is private too, with its bytes and its time.
fn all(world: &World) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let files = walkdir::WalkDir::new(world.at("data", "")).into_iter().map(|entry| entry.unwrap());
    files
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let changed = entry.metadata().unwrap().modified().unwrap();
            (entry.path().to_owned(), (fs::read(entry.path()).unwrap(), changed))
        })
        .collect()
}

fn cohort<'a>(preview: &'a Preview, name: &str) -> &'a Cohort {
    preview.cohorts.iter().find(|cohort| cohort.cohort == name).unwrap()
}

#[test]
fn the_first_release_has_only_fresh_players() {
    let world = World::new();
    let before = all(&world);
    let preview = preview(&options(&world, "1"), &()).unwrap();
    assert_eq!(all(&world), before, "nothing is written");
    let names: Vec<&str> = preview.cohorts.iter().map(|cohort| cohort.cohort.as_str()).collect();
    assert_eq!(names, ["fresh"]);
    let fresh = cohort(&preview, "fresh");
    assert_eq!(fresh.release, None);
    assert!(fresh.files.iter().all(|file| file.reason == Reason::New));
    // One of the two copies is fetched.
    assert!(fresh.network_bytes < 101_000 && fresh.bytes_written > 200_000, "{fresh:?}");
    assert!(preview.check().is_ok() && preview.earlier.is_empty());
    let published = world.publish("1").unwrap();
    assert_eq!(preview.files, published.files);
}

#[test]
fn it_says_what_a_publish_then_makes() {
    let world = World::new();
    for version in 1..=6u32 {
        world.file("data/texts.txt", &text(version, 3000));
        world.file("data/large.bin", &noise(100_000 + version as usize));
        let _ = world.publish(&version.to_string()).unwrap();
    }
    world.file("data/texts.txt", &text(7, 3000));
    world.file("data/it's & new.txt", &text(99, 500));
    let before = all(&world);
    let mut options = options(&world, "7");
    options.limits = Limits { max_patch_bytes: Some(10), max_temp_bytes: Some(1 << 40) };
    let preview = preview(&options, &()).unwrap();
    assert_eq!(all(&world), before, "nothing is written");

    let releases: Vec<_> = preview.cohorts.iter().map(|one| (&*one.cohort, one.release.as_deref())).collect();
    assert_eq!(releases, [("N-1", Some("6")), ("N-5", Some("2")), ("fresh", None)]);
    assert_eq!(preview.earlier.len(), 5);
    let update = cohort(&preview, "N-1");
    assert_eq!(update.changed_files, 2, "{update:?}");
    assert_eq!(update.reasons.iter().map(|total| total.files).sum::<u64>(), 2);
    assert!(update.network_bytes <= update.plain_bytes && update.seconds_hdd > update.seconds_ssd);
    assert!(cohort(&preview, "N-5").network_bytes >= update.network_bytes);

    let refused = preview.check().unwrap_err();
    assert_eq!((refused.code(), refused.exit_status()), ("E-LIMIT", 3));
    let excess = update.network_bytes - 10;
    let said = refused.to_string();
    assert!(said.contains("--max-patch-bytes 10") && said.contains(&format!("{excess} more")), "{said}");
    assert!(!said.contains("--max-temp-bytes"), "{said}");

    let page = html::page(&preview);
    assert!(page.contains("data/it&#39;s &amp; new.txt"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http://"), "{page}");
    assert!(preview.to_text().contains("N-5 (2)"), "{}", preview.to_text());

    let published = world.publish("7").unwrap();
    let made: Vec<_> =
        published.packs.iter().map(|pack| (&pack.base, pack.bytes, pack.index_bytes)).collect();
    let said: Vec<_> = preview.packs.iter().map(|pack| (&pack.base, pack.bytes, pack.index_bytes)).collect();
    assert_eq!(said, made);
    assert!(!made.is_empty());
}

#[test]
fn what_could_not_be_published_cannot_be_previewed() {
    let world = World::new();
    let _ = world.publish("1").unwrap();
    let code = |options: &PreviewOptions| preview(options, &()).unwrap_err().code();
    assert_eq!(code(&options(&world, "1")), "E-RELEASE-EXISTS");
    let mut nowhere = options(&world, "2");
    nowhere.publish.build = world.at("none", "");
    assert_eq!(code(&nowhere), "E-BUILD-MISSING");
    nowhere.publish.data = world.at("none", "");
    assert_eq!(code(&nowhere), "E-REPO-MISSING");
}

#[test]
fn markup_in_names_stays_text() {
    assert_eq!(html::escaped("a<b> & \"c\" 'd'\n"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;\u{fffd}");
}
