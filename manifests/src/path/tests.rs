use proptest::prelude::*;

use super::*;

#[test]
fn names_in_a_table() {
    let long_name = "n".repeat(MAX_NAME_BYTES);
    let long_path = vec!["abcdefghijklmno"; 64].join("/");
    let accepted = [
        "a",
        "data/maps/one.map",
        "Größe/ñandú/日本語.txt",
        ".hidden",
        "a b",
        " leading space",
        "com",
        "com10",
        "console.txt",
        "auxiliary.tar",
        "con-1",
        "nu",
        "nullable",
        "data/.samara",
        "samara",
        "samara~x",
        "emoji-👩\u{200D}🚀",
        &long_name,
        &long_path,
    ];
    for name in accepted {
        assert!(SafePath::parse(name).is_ok(), "{name:?} should be accepted");
    }
    let refused: &[(&str, PathFault)] = &[
        ("", PathFault::EmptyPart),
        ("/etc/passwd", PathFault::EmptyPart),
        ("a//b", PathFault::EmptyPart),
        ("a/", PathFault::EmptyPart),
        (".", PathFault::Dots),
        ("..", PathFault::Dots),
        ("a/../b", PathFault::Dots),
        ("./a", PathFault::Dots),
        ("a\\b", PathFault::Reserved('\\')),
        ("..\\b", PathFault::Reserved('\\')),
        ("\\\\server\\share", PathFault::Reserved('\\')),
        ("C:/x", PathFault::Reserved(':')),
        ("C:x", PathFault::Reserved(':')),
        ("a:stream", PathFault::Reserved(':')),
        ("what?", PathFault::Reserved('?')),
        ("a*", PathFault::Reserved('*')),
        ("a|b", PathFault::Reserved('|')),
        ("a\"b", PathFault::Reserved('"')),
        ("<a>", PathFault::Reserved('<')),
        ("a\0b", PathFault::Control('\0')),
        ("a\nb", PathFault::Control('\n')),
        ("a\u{7F}", PathFault::Control('\u{7F}')),
        ("a\u{85}", PathFault::Control('\u{85}')),
        ("a\u{2028}b", PathFault::Control('\u{2028}')),
        ("a\u{FFFF}", PathFault::Control('\u{FFFF}')),
        ("a\u{1FFFE}", PathFault::Control('\u{1FFFE}')),
        ("exe.\u{202E}gpj", PathFault::Bidi('\u{202E}')),
        ("a\u{2066}", PathFault::Bidi('\u{2066}')),
        ("a\u{200F}", PathFault::Bidi('\u{200F}')),
        ("CON", PathFault::Device("CON".into())),
        ("nul", PathFault::Device("NUL".into())),
        ("dir/Aux.txt", PathFault::Device("AUX".into())),
        ("com1.tar.gz", PathFault::Device("COM1".into())),
        ("com1 .txt", PathFault::Device("COM1".into())),
        ("LPT²", PathFault::Device("LPT²".into())),
        ("conin$", PathFault::Device("CONIN$".into())),
        ("prn/x", PathFault::Device("PRN".into())),
        ("a.", PathFault::TrailingDotOrSpace),
        ("a ", PathFault::TrailingDotOrSpace),
        ("dir /a", PathFault::TrailingDotOrSpace),
        ("...", PathFault::TrailingDotOrSpace),
        (".samara", PathFault::Private),
        (".SAMARA/state", PathFault::Private),
        (".sa\u{200C}mara", PathFault::Private),
        ("SAMARA~1/state", PathFault::Private),
    ];
    for (name, fault) in refused {
        let error = SafePath::parse(name).unwrap_err();
        assert_eq!(&error.reason, fault, "{name:?}");
        assert_eq!(error.code(), "E-PATH-NAME");
    }
    for long in [format!("{long_name}n"), format!("{long_path}/a"), "é".repeat(128), "a/".repeat(600)] {
        assert_eq!(SafePath::parse(&long).unwrap_err().reason, PathFault::TooLong);
    }
}

#[test]
fn two_names_one_file() {
    let clashes: &[(&str, &str)] = &[
        ("a", "a"),
        ("A", "a"),
        ("Data/x", "data/y"),
        ("caf\u{E9}", "cafe\u{301}"),
        ("CAFÉ", "cafe\u{301}"),
        ("stra\u{DF}e", "STRASSE"),
        ("\u{212A}elvin", "kelvin"),
        ("ΣΑΣ", "σας"),
        ("a", "a/b"),
        ("a/b", "a"),
    ];
    for (first, second) in clashes {
        let mut set = SafePathSet::new();
        set.insert(&SafePath::parse(first).unwrap()).unwrap();
        let error = set.insert(&SafePath::parse(second).unwrap()).unwrap_err();
        assert_eq!(error.code(), "E-PATH-COLLISION", "{first} {second}");
    }
    let mut set = SafePathSet::new();
    for name in ["a/b", "a/c", "ab", "b/a", "B2"] {
        set.insert(&SafePath::parse(name).unwrap()).unwrap();
    }
    assert_eq!(set.len(), 5);
}

#[test]
fn links_stay_inside() {
    let link = SafePath::parse("lib/x/libfoo.so").unwrap();
    for (text, resolved) in [
        ("libfoo.so.1", "lib/x/libfoo.so.1"),
        ("../y/z", "lib/y/z"),
        ("../../bin/run", "bin/run"),
        ("deeper/libfoo", "lib/x/deeper/libfoo"),
    ] {
        let target = LinkTarget::parse(&link, text).unwrap();
        assert_eq!(target.resolved().as_str(), resolved);
        assert_eq!(target.as_str(), text);
    }
    for text in ["/etc/passwd", "../../../x", "../..", "..", "", "a/../../b", "../../", "a/..", "../a/../b"] {
        assert_eq!(LinkTarget::parse(&link, text).unwrap_err().code(), "E-PATH-LINK", "{text:?}");
    }
    for text in ["C:\\windows", "../../.samara/state", "a\0", ".", "a//b", "//host/share"] {
        assert!(LinkTarget::parse(&link, text).is_err(), "{text:?}");
    }
}

#[test]
fn order_is_part_by_part() {
    let mut paths: Vec<SafePath> =
        ["a-b", "a/z", "a", "a.txt", "B"].iter().map(|p| SafePath::parse(p).unwrap()).collect();
    paths.sort();
    let texts: Vec<&str> = paths.iter().map(SafePath::as_str).collect();
    assert_eq!(texts, ["B", "a", "a/z", "a-b", "a.txt"]);
}

proptest! {
    #[test]
    fn paths_are_in_order_of_their_parts(one in "[a!-]{1,2}(/[a!-]{1,2}){0,2}", two in "[a!-]{1,2}(/[a!-]{1,2}){0,2}") {
        let (one, two) = (SafePath::parse(&one).unwrap(), SafePath::parse(&two).unwrap());
        prop_assert_eq!(one.cmp(&two), one.parts().cmp(two.parts()));
    }

    #[test]
    fn accepted_names_round_trip(text in "\\PC{0,40}") {
        if let Ok(path) = SafePath::parse(&text) {
            prop_assert_eq!(path.as_str(), &text);
            prop_assert_eq!(&SafePath::from_parts(path.parts()).unwrap(), &path);
            let native = path.to_native();
            let is_plain = native.components().all(|c| matches!(c, std::path::Component::Normal(_)));
            prop_assert!(native.is_relative() && is_plain);
            prop_assert_eq!(native.components().count(), path.parts().count());
        }
    }

    #[test]
    fn any_text_is_judged_without_panic(text in any::<String>(), link in any::<String>()) {
        let _ = SafePath::parse(&text);
        let _ = LinkTarget::parse(&SafePath::parse("a/b/c").unwrap(), &link);
    }

    #[test]
    fn a_link_never_resolves_outside(text in "[a-c./]{0,12}") {
        if let Ok(target) = LinkTarget::parse(&SafePath::parse("a/b/c").unwrap(), &text) {
            prop_assert!(SafePath::parse(target.resolved().as_str()).is_ok());
        }
    }
}
