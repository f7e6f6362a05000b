//! Against what zlib itself makes of the same bytes.

use proptest::prelude::*;

use super::*;

fn noise(seed: u64, len: usize, symbols: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 40) % symbols) & 255) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn input(name: &str) -> Vec<u8> {
    match name {
        "text" => (0..6000u32).flat_map(|n| format!("line {} of {n}\n", n * 37 % 977).into_bytes()).collect(),
        "noise" => noise(1, 40_000, 256),
        "few" => noise(2, 12_000, 5),
        "short" => b"abcabcabcabd".to_vec(),
        "one" => b"x".to_vec(),
        _ => (0..120u64)
            .flat_map(|n| [noise(n, 300, 4), vec![0; n as usize % 700], noise(n % 17, 400, 256)].concat())
            .collect(),
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Input, memory level, filtered; length and CRC-32 of the raw stream for each level, from 1 or, filtered, from 4 on.
/// Made by zlib 1.2.13.
type Row = (&'static str, u8, bool, &'static [(usize, u32)]);
#[rustfmt::skip]
const MADE_BY_ZLIB: &[Row] = &[
    ("text", 8, false, &[(28814, 0xAA6133D7), (29855, 0x2244AB6A), (27387, 0x2C914B44), (25131, 0x34CE9E9F), (24383, 0x34C4A3DF), (24324, 0x7685F0AB), (24332, 0x2D5DB46E), (24855, 0xDFA1414C), (24854, 0x9FCF691E)]),
    ("text", 8, true, &[(25188, 0xD1E44DD9), (24485, 0xCDFA36D1), (24464, 0x98179C34), (24472, 0x311E9436), (24880, 0xB9ABF856), (24879, 0xF8C1973C)]),
    ("text", 9, false, &[(28825, 0x17EE5B22), (29855, 0x2244AB6A), (27387, 0x2C914B44), (25136, 0x4891A326), (24380, 0x505B9745), (24324, 0x7685F0AB), (24332, 0x2D5DB46E), (24855, 0xDFA1414C), (24854, 0x9FCF691E)]),
    ("text", 9, true, &[(25181, 0xF0619DD1), (24481, 0x471ABEE1), (24464, 0x98179C34), (24472, 0x311E9436), (24880, 0xB9ABF856), (24879, 0xF8C1973C)]),
    ("noise", 8, false, &[(40015, 0xC08EADCC), (40015, 0xC08EADCC), (40015, 0xC08EADCC), (40015, 0xDAF26338), (40015, 0xDAF26338), (40015, 0xDAF26338), (40015, 0xDAF26338), (40015, 0xDAF26338), (40015, 0xDAF26338)]),
    ("noise", 8, true, &[(40015, 0xDF689577), (40015, 0xDF689577), (40015, 0xDF689577), (40015, 0xDF689577), (40015, 0xDF689577), (40015, 0xDF689577)]),
    ("noise", 9, false, &[(40010, 0x8F6DAAAE), (40010, 0x8F6DAAAE), (40010, 0x8F6DAAAE), (40010, 0x8B8718EB), (40010, 0x8B8718EB), (40010, 0x8B8718EB), (40010, 0x8B8718EB), (40010, 0x8B8718EB), (40010, 0x8B8718EB)]),
    ("noise", 9, true, &[(40010, 0xFE7C2192), (40010, 0xFE7C2192), (40010, 0xFE7C2192), (40010, 0xFE7C2192), (40010, 0xFE7C2192), (40010, 0xFE7C2192)]),
    ("few", 8, false, &[(4547, 0x71FAB221), (4411, 0x2B263C50), (4391, 0x94AFC1E7), (4280, 0xD417B501), (4320, 0x0172C2EA), (4379, 0xC214446E), (4379, 0xC214446E), (4380, 0xDF4C9092), (4380, 0xDF4C9092)]),
    ("few", 8, true, &[(3862, 0x6F13D8EA), (3931, 0xF8DE4D5C), (4028, 0xC7E85DB3), (4028, 0xC7E85DB3), (4028, 0xC7E85DB3), (4028, 0xC7E85DB3)]),
    ("few", 9, false, &[(4547, 0x71FAB221), (4411, 0x2B263C50), (4391, 0x94AFC1E7), (4280, 0xD417B501), (4320, 0x0172C2EA), (4379, 0xC214446E), (4379, 0xC214446E), (4380, 0xDF4C9092), (4380, 0xDF4C9092)]),
    ("few", 9, true, &[(3862, 0x6F13D8EA), (3931, 0xF8DE4D5C), (4028, 0xC7E85DB3), (4028, 0xC7E85DB3), (4028, 0xC7E85DB3), (4028, 0xC7E85DB3)]),
    ("mixed", 8, false, &[(23445, 0x9E7760D9), (22894, 0x0B961C44), (23054, 0xFAEA7B5D), (21897, 0x4DC64036), (21612, 0x00FE3A35), (21297, 0xC353B701), (21244, 0x236DCD31), (21203, 0xB4DB9078), (21188, 0x1B950B8D)]),
    ("mixed", 8, true, &[(20697, 0xB5EABF05), (21028, 0xCFC50CB9), (21167, 0xF2C8757E), (21150, 0x68D46925), (21113, 0xD7FFBD10), (21099, 0x73FEE2F4)]),
    ("mixed", 9, false, &[(22996, 0x357AFD73), (22895, 0x59D00FAB), (23051, 0x18478ABB), (21904, 0x7C5B7D9A), (21609, 0x823EED49), (21296, 0xE3BA983F), (21244, 0x236DCD31), (21203, 0xB4DB9078), (21188, 0x1B950B8D)]),
    ("mixed", 9, true, &[(21299, 0xEF65884D), (21270, 0x4EF4F7DC), (21167, 0x785E91FA), (21150, 0x68D46925), (21113, 0xD7FFBD10), (21099, 0x73FEE2F4)]),
    ("short", 8, false, &[(8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA)]),
    ("short", 8, true, &[(8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA)]),
    ("short", 9, false, &[(8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA)]),
    ("short", 9, true, &[(8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA), (8, 0x4D17AECA)]),
    ("one", 8, false, &[(3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93)]),
    ("one", 8, true, &[(3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93)]),
    ("one", 9, false, &[(3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93)]),
    ("one", 9, true, &[(3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93), (3, 0x2A6C6B93)]),
];

#[test]
fn every_setting_gives_what_zlib_gives() {
    for (name, memory, filtered, made) in MADE_BY_ZLIB {
        let plain = input(name);
        let first = if *filtered { 4 } else { 1 };
        for (level, (len, sum)) in (first..).zip(*made) {
            let settings = Settings { level, memory: *memory, filtered: *filtered };
            let stream = deflate(&plain, settings, None).unwrap();
            assert_eq!((stream.len(), crc(&stream)), (*len, *sum), "{name} {settings:?}");
            if *memory == 9 || *filtered {
                continue;
            }
            let found = recognise(&plain, &stream).unwrap();
            assert_eq!(deflate(&plain, found, None).unwrap(), stream, "{name} {settings:?} {found:?}");
        }
    }
}

#[test]
fn another_stream_is_not_taken_for_zlibs() {
    let plain = input("text");
    let mut stream = deflate(&plain, Settings { level: 6, memory: 8, filtered: false }, None).unwrap();
    assert!(recognise(&plain, &stream[..stream.len() - 1]).is_none());
    stream.push(0);
    assert!(recognise(&plain, &stream).is_none());
    stream.pop();
    stream[1000] ^= 1;
    assert!(recognise(&plain, &stream).is_none());
}

#[test]
fn settings_survive_their_byte() {
    for byte in 0..=255 {
        if let Some(settings) = Settings::parse(byte) {
            assert_eq!(settings.byte(), byte);
        }
    }
    assert!(Settings::all().all(|settings| Settings::parse(settings.byte()) == Some(settings)));
}

proptest! {
    #[test]
    fn any_plain_text_inflates_again(seed: u64, len in 0usize..5000, symbols in 1u64..257, level in 1u8..10, which in 0u8..4) {
        let plain = noise(seed, len, symbols);
        let settings = Settings { level, memory: 8 + which % 2, filtered: which > 1 };
        let stream = deflate(&plain, settings, None).unwrap();
        let mut back = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::DeflateDecoder::new(&stream[..]), &mut back).unwrap();
        prop_assert_eq!(back, plain);
    }
}
