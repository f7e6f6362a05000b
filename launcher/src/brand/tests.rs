use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const ROOT: &[u8] = br#"{"signed":{}}"#;
const WHOLE: &str = r#"
name = " Maple Games "
contact = "help@maple.example"
icon = "pictures/icon.png"
art = "art.png"

[repository]
url = "https://games.example/a"
root = "root.json"
games = ["maple", "birch"]

[update]
url = "https://launcher.example/"
root = "root.json"
"#;

fn png(width: u32, height: u32, color: png::ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    let len = width as usize * height as usize * color.samples();
    encoder.write_header().unwrap().write_image_data(&vec![7; len]).unwrap();
    bytes
}

fn parse(text: &str) -> Result<Brand, BrandError> {
    let files: BTreeMap<PathBuf, Vec<u8>> = [
        ("/b/root.json", ROOT.to_vec()),
        ("/b/art.png", png(16, 9, png::ColorType::Rgb)),
        ("/b/pictures/icon.png", png(4, 4, png::ColorType::Grayscale)),
        ("/b/large.png", png(513, 1, png::ColorType::Grayscale)),
    ]
    .map(|(name, bytes)| (name.into(), bytes))
    .into();
    Brand::parse(Path::new("/b/brand.toml"), text.as_bytes(), |file, _| {
        let missing = || BrandError::Read { file: file.to_owned(), cause: io::ErrorKind::NotFound.into() };
        files.get(file).cloned().ok_or_else(missing)
    })
}

#[test]
fn a_whole_file_is_taken_whole() {
    let brand = parse(WHOLE).unwrap();
    assert_eq!((&*brand.name, brand.contact.as_deref()), ("Maple Games", Some("help@maple.example")));
    assert_eq!(brand.files, ["pictures/icon.png", "art.png", "root.json", "root.json"]);
    let icon = brand.icon.unwrap();
    assert_eq!((icon.width, icon.height, &icon.rgba[..4]), (4, 4, &[7, 7, 7, 255][..]));
    assert_eq!(brand.art.unwrap().rgba.len(), 16 * 9 * 4);
    let repository = brand.repository.unwrap();
    assert_eq!((repository.url.as_str(), repository.games.len()), ("https://games.example/a/", 2));
    let update = brand.update.unwrap();
    assert_eq!((update.url.as_str(), &*update.game), ("https://launcher.example/", UPDATE_GAME));
    assert_eq!((&*update.root.bytes, &*update.root.file), (ROOT, Path::new("/b/root.json")));
    assert_eq!(update.root.sha256, hex::encode(Sha256::digest(ROOT)));
}

#[test]
fn names_become_names_of_packages() {
    for (name, expected) in [
        ("Samara", "samara"),
        ("Maple Games", "maple-games"),
        ("  Ünder — 2!", "nder-2"),
        ("秋", "samara"),
        ("A", "samara-a"),
    ] {
        assert_eq!(Brand { name: name.to_owned(), ..Brand::default() }.slug(), expected, "{name}");
    }
}

#[test]
fn what_is_not_said_is_as_without_a_file() {
    assert_eq!(parse("").unwrap(), Brand::default());
    assert_eq!(parse("name = \"Samara\"").unwrap(), Brand::default());
}

#[test]
fn what_cannot_be_used_is_told_in_a_table() {
    let repository = |url: &str, root: &str, games: &str| {
        format!("[repository]\nurl = {url:?}\nroot = {root:?}\ngames = {games}\n")
    };
    let of = |url: &str| repository(url, "root.json", r#"["maple"]"#);
    for (text, part) in [
        ("name = ", "cannot be used"),
        ("name = 1", "cannot be used"),
        ("nam = \"x\"", "unknown field"),
        ("name = \" \"", "1 to 40"),
        ("name = \"a\\nb\"", "1 to 40"),
        (&*format!("name = {:?}", "x".repeat(41)), "1 to 40"),
        ("contact = \"help\"", "no e-mail address"),
        ("contact = \"a@b\\nDepends: x\"", "no e-mail address"),
        ("contact = \"a@b>\"", "no e-mail address"),
        ("contact = \"@b\"", "no e-mail address"),
        ("icon = \"none.png\"", "cannot be read"),
        ("icon = \"root.json\"", "the picture"),
        ("icon = \"large.png\"", "513 × 1"),
        ("icon = \"../b/art.png\"", "../b/art.png"),
        ("icon = \"/b/art.png\"", "/b/art.png"),
        ("[repository]\nurl = \"https://h/\"", "missing field"),
        (&*of("ftp://h/"), "no folder's address"),
        (&*of("https://h/?x"), "no folder's address"),
        (&*of("https://h/#x"), "no folder's address"),
        (&*of("h"), "no folder's address"),
        (&*repository("https://h/", "art.png", r#"["maple"]"#), "no root.json"),
        (&*repository("https://h/", "root.json", "[]"), "1 to 64"),
        (&*repository("https://h/", "root.json", r#"["../maple"]"#), "no id"),
        (&*repository("https://h/", "root.json", &format!("{:?}", vec!["m"; 65])), "1 to 64"),
        ("[update]\nurl = \"https://h/\"\nroot = \"r.json\"", "cannot be read"),
        ("[update]\nurl = \"https://h/\"\nroot = \"root.json\"\ngame = \"A B\"", "no id"),
        ("[update]\nurl = \"https://h/\"\nroot = \"root.json\"\nkeys = 1", "unknown field"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_eq!(error.code(), "E-BRAND");
    }
}

#[test]
fn it_is_looked_for_beside_the_program_and_where_packages_have_it() {
    let temp = tempfile::tempdir().unwrap();
    let (bin, share) = (temp.path().join("bin"), temp.path().join("share/samara"));
    for folder in [&bin, &share] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let name = || Brand::load(&bin.join("samara")).map(|brand| brand.name);
    assert_eq!(name().unwrap(), "Samara");
    std::fs::write(share.join(BRAND_FILE), "name = \"Shared\"").unwrap();
    assert_eq!(name().unwrap(), "Shared");
    std::fs::write(bin.join(BRAND_FILE), "name = \"Beside\"").unwrap();
    assert_eq!(name().unwrap(), "Beside");
    // One that is there and wrong is not passed over: its trust root would be too.
    std::fs::write(bin.join(BRAND_FILE), "name").unwrap();
    assert!(matches!(name(), Err(BrandError::Wrong { .. })));
    std::fs::write(bin.join(BRAND_FILE), vec![b' '; usize::try_from(BRAND_BYTES_MAX).unwrap() + 1]).unwrap();
    assert!(matches!(name(), Err(BrandError::TooLong { .. })));
}

#[test]
fn a_picture_is_made_smaller_by_the_middle_of_what_is_seen() {
    let rgba = [[200, 0, 0, 255], [0, 100, 0, 255], [9, 9, 9, 0], [9, 9, 9, 0], [1, 1, 1, 255]].concat();
    let picture = Picture { width: 5, height: 1, rgba: rgba.clone() };
    assert_eq!(picture.within(5), picture);
    let tall = Picture { width: 2, height: 2, rgba: rgba[..16].to_vec() };
    assert_eq!(tall.within(1), Picture { width: 1, height: 1, rgba: vec![100, 50, 0, 127] });
    let own = Picture::own().unwrap().within(32);
    assert_eq!((own.width, own.height, own.rgba.len()), (32, 32, 32 * 32 * 4));
}

proptest! {
    #[test]
    fn no_file_is_too_strange(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_change_of_a_whole_one_is_too_strange(
        at in 0..WHOLE.len(), len in 0usize..20, with in "[\\[\\]=\"'\\\\.{}\n a-z0-9]{0,8}",
    ) {
        let mut text = WHOLE.to_owned();
        text.replace_range(at..(at + len).min(WHOLE.len()), &with);
        let _ = parse(&text);
    }

    #[test]
    fn no_picture_is_too_strange(at in 0usize..400, with in any::<u8>(), to in 0usize..400) {
        let mut bytes = png(9, 9, png::ColorType::Rgba);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(to.max(8));
        if let Ok(picture) = Picture::decode(&bytes, ICON) {
            assert_eq!(picture.rgba.len(), picture.width as usize * picture.height as usize * 4);
        }
    }
}
