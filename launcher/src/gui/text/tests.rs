use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fluent_bundle::FluentResource;

use super::cards::{Act, CARDS, card};
use super::*;

const LANGUAGES: [Language; 3] = [Language::English, Language::German, Language::Pseudo];

/// Every message of a language, with its attributes as `key.attribute` and the values it takes.
fn entries(language: Language) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in language.sources() {
        FluentResource::try_new(source.to_owned()).unwrap_or_else(|(_, errors)| panic!("{errors:?}"));
        let mut key = String::new();
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with(' ')) {
                key = name.to_owned();
                assert!(found.insert(key.clone()), "{key} is there twice");
            } else if let Some((part, _)) =
                line.trim_start().strip_prefix('.').and_then(|rest| rest.split_once(" = "))
            {
                assert!(found.insert(format!("{key}.{part}")), "{key}.{part} is there twice");
            }
            for value in line.split("{ $").skip(1) {
                let name = value.split([' ', '}']).next().unwrap();
                found.insert(format!("{key} takes {name}"));
            }
        }
    }
    found
}

#[test]
fn every_text_is_there_in_every_language() {
    let (english, german) = (entries(Language::English), entries(Language::German));
    let only: Vec<_> = english.symmetric_difference(&german).collect();
    assert!(only.is_empty(), "in one language only: {only:?}");
    assert!(english.len() > 200);
}

/// All `.rs` files below a folder of this repository.
#[cfg(not(windows))]
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|is| is == "rs") {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found
}

/// What stands between quotes after each `before` in a text.
#[cfg(not(windows))]
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// A studio's errors, and those of packs, which stop nothing: their files are fetched as they are.
#[cfg(not(windows))]
const NOT_A_PLAYERS: [&str; 3] = ["/trust/publisher/", "/trust/keys.rs", "/src/pack/"];

#[cfg(not(windows))]
#[test]
fn every_code_has_a_card_and_every_card_a_code() {
    let mut codes = BTreeSet::new();
    for folder in ["src", "../manifests/src", "../protocol/src"] {
        for (path, text) in sources(folder) {
            if path.contains("/src/gui/") || NOT_A_PLAYERS.iter().any(|not| path.contains(not)) {
                continue;
            }
            let made = quoted(&text, "\"E-").into_iter().map(|rest| format!("E-{rest}"));
            codes.extend(made.filter(|code| code.chars().all(|c| c.is_ascii_uppercase() || c == '-')));
        }
    }
    assert!(codes.contains("E-DISK-FULL") && codes.contains("E-TRUST-TAMPERED") && codes.len() > 50);
    let cards: BTreeSet<String> = CARDS.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert_eq!(cards.len(), CARDS.len(), "a card is there twice");
    let only: Vec<_> = codes.symmetric_difference(&cards).collect();
    assert!(only.is_empty(), "a code without a card, or a card without a code: {only:?}");
}

#[test]
fn every_card_is_whole_in_every_language() {
    for language in LANGUAGES {
        let texts = Texts::new(language);
        let mut titles = BTreeSet::new();
        for (code, act) in CARDS {
            let card = card(&texts, code);
            assert_eq!(card.act, *act);
            for text in [&card.title, &card.cause, &card.advice, &card.label] {
                assert!(text.len() > 3 && text != code && text != act.key(), "{language:?} {code}: {text:?}");
            }
            assert!(card.title.chars().count() <= 80, "{language:?} {code}: {}", card.title);
            assert!(
                card.cause.ends_with(['.', ']']) && card.advice.ends_with(['.', ']']),
                "{language:?} {code}"
            );
            titles.insert(card.title);
        }
        assert!(titles.len() > CARDS.len() - 5, "too many cards look alike");
        assert_eq!(card(&texts, "E-FROM-THE-FUTURE").act, Act::Report);
    }
}

#[test]
fn every_act_is_on_a_card() {
    for act in Act::ALL {
        assert!(CARDS.iter().any(|(_, has)| *has == act), "{act:?}");
    }
}

/// A key that is asked for and not there would be shown as it is.
#[cfg(not(windows))]
#[test]
fn every_key_that_is_asked_for_is_there() {
    let known = entries(Language::English);
    let mut asked = BTreeSet::new();
    for (path, text) in sources("src/gui").into_iter().filter(|(path, _)| !path.ends_with("tests.rs")) {
        for before in ["say(\"", "tell(\"", "key(\"", "=> \"act-", "=> \"wait-", "=> \"phase-", "=> \"does-"]
        {
            let start = before.split_once('"').map_or("", |(_, start)| start);
            for rest in quoted(&text, before) {
                let key = format!("{start}{rest}");
                assert!(known.contains(&key), "{path} asks for {key:?}");
                asked.insert(key);
            }
        }
    }
    assert!(asked.len() > 10);
}

#[test]
fn the_pseudo_locale_leaves_no_text_as_it_was() {
    let (english, pseudo) = (Texts::new(Language::English), Texts::new(Language::Pseudo));
    for entry in entries(Language::English).iter().filter(|entry| !entry.contains(" takes ")) {
        let (key, part) =
            entry.split_once('.').map_or((entry.as_str(), None), |(key, part)| (key, Some(part)));
        let say =
            |texts: &Texts| part.map_or_else(|| Some(texts.say(key)), |part| texts.part(key, part)).unwrap();
        let (plain, odd) = (say(&english), say(&pseudo));
        assert!(odd.starts_with('[') && odd.ends_with(']'), "{entry}: {odd}");
        // Of a text that only joins values there is nothing to translate.
        if plain
            .split('{')
            .all(|piece| !piece.rsplit('}').next().unwrap().contains(['a', 'e', 'i', 'o', 'u']))
        {
            continue;
        }
        assert!(!odd.contains(plain.as_str()) || plain.len() < 12, "{entry}: {odd}");
    }
    assert_eq!(pseudo.tell("state-installed", &[("release", "3.0.6".into())]), "[Vérsíóñ 3.0.6~~~~]");
}

#[test]
fn numbers_are_told_as_people_do() {
    let (english, german) = (Texts::new(Language::English), Texts::new(Language::German));
    for (bytes, en, de) in [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (1_000, "1.0 kB", "1,0 kB"),
        (12_345_678, "12.3 MB", "12,3 MB"),
        (123_456_789, "123 MB", "123 MB"),
        (1_999_999_999, "1.9 GB", "1,9 GB"),
        (u64::MAX, "18446744 TB", "18446744 TB"),
    ] {
        assert_eq!(english.bytes(bytes).replace('\u{a0}', " "), en);
        assert_eq!(german.bytes(bytes).replace('\u{a0}', " "), de);
    }
    for (seconds, en, de) in [
        (0, "1 second", "1 Sekunde"),
        (89, "89 seconds", "89 Sekunden"),
        (90, "2 minutes", "2 Minuten"),
        (3600, "60 minutes", "60 Minuten"),
        (5400, "2 hours", "2 Stunden"),
    ] {
        assert_eq!(english.duration(Duration::from_secs(seconds)), en);
        assert_eq!(german.duration(Duration::from_secs(seconds)), de);
    }
    assert_eq!(german.tell("library-count", &[("count", 1.into())]), "1 Spiel");
    assert_eq!(german.tell("library-count", &[("count", 0.into())]), "0 Spiele");
}

#[test]
fn languages_are_found_by_their_tags() {
    for (tag, language) in [
        ("de", Language::German),
        ("de-AT", Language::German),
        ("de_DE.UTF-8", Language::German),
        ("de_DE@euro", Language::German),
        ("en-GB", Language::English),
        ("C", Language::English),
        ("", Language::English),
        ("ja-JP", Language::English),
        ("qps-ploc", Language::Pseudo),
    ] {
        assert_eq!(Language::of(tag), language, "{tag}");
    }
}
