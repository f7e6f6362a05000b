//! States drawn as strings, a piece a word, a block a letter: `.` wanted, `x` there, `-` not wanted; after picking the
//! number of requests.

use super::*;
use crate::metainfo::{FileEntry, Layout, Torrent};
use bytes::Bytes;
use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng as _;

const A: SourceId = SourceId(1);
const B: SourceId = SourceId(2);
const C: SourceId = SourceId(3);

fn torrent(pieces: u32, blocks: u32) -> Arc<Torrent> {
    let len = u64::from(pieces) * u64::from(blocks) * u64::from(BLOCK_LEN);
    let layout = Layout::aligned(blocks * BLOCK_LEN, vec![FileEntry::new(&["f"], len)]).unwrap();
    Arc::new(Torrent {
        name: "t".to_owned(),
        info_hash_v1: None,
        info_hash_v2: None,
        layout,
        pieces_v1: Vec::new(),
        piece_layers: BTreeMap::new(),
        info_bytes: Bytes::new(),
        announce: Vec::new(),
        url_list: Vec::new(),
        private: false,
        single_file: true,
    })
}

/// `avail` has a digit a piece.
fn setup(state: &str, avail: &str) -> Picker {
    let words: Vec<&str> = state.split(' ').collect();
    let blocks = words[0].len() as u32;
    let torrent = torrent(words.len() as u32, blocks);
    let (mut have, mut wanted) = (BlockSet::new(words.len() as u32 * blocks), BlockSet::default());
    wanted.clone_from(&have);
    for (n, letter) in state.replace(' ', "").chars().enumerate() {
        match letter {
            'x' => have.set(n as u32),
            '.' => wanted.set(n as u32),
            _ => false,
        };
    }
    let mut picker = Picker::new(torrent, have, wanted);
    for (piece, digit) in avail.chars().enumerate() {
        for _ in 0..digit.to_digit(10).unwrap() {
            picker.add_availability(piece as u32);
        }
    }
    picker
}

fn draw(picker: &Picker) -> String {
    let layout = &picker.torrent.layout;
    let word = |piece: u32| -> String {
        let letter = |(i, number): (usize, u32)| {
            let state = picker.partial(piece).map(|p| p.blocks()[i]);
            match state.map(|b| (b.state, b.requests)) {
                Some((BlockState::Requested, n)) => char::from_digit(u32::from(n), 10).unwrap(),
                Some((BlockState::Writing, _)) => 'w',
                Some((BlockState::Written, _)) => 'W',
                _ if picker.have().get(number) => 'x',
                _ if picker.wanted().get(number) => '.',
                _ => '-',
            }
        };
        layout.piece_blocks(PieceIndex(piece)).enumerate().map(letter).collect()
    };
    (0..layout.piece_count()).map(word).collect::<Vec<_>>().join(" ")
}

/// Picks from a source that has the pieces marked `+`.
fn pick(picker: &mut Picker, source: SourceId, has: &str, max: usize) -> Vec<BlockRef> {
    let (mut rng, mut out) = (ChaCha8Rng::seed_from_u64(1), Vec::new());
    let has = |piece: u32| has.as_bytes().get(piece as usize) == Some(&b'+');
    let endgame = Some(Endgame { late: &|_| Some(Time(11)), bytes: u64::MAX });
    let ask = Ask { source, has: &has, mode: Mode::Any, endgame, now: Time(10) };
    picker.pick(&ask, max, &mut rng, &mut out);
    out
}

#[test]
fn what_is_picked() {
    for (state, avail, has, max, after) in [
        ("...", "1", "+", 2, "11."),
        ("... ...", "11", "-+", 2, "... 11."),
        // Only what is wanted and not there.
        ("x.- .-x", "11", "++", 9, "x1- 1-x"),
        ("xxx ---", "11", "++", 9, "xxx ---"),
        // The rarest first.
        (".. .. ..", "312", "+++", 3, ".. 11 1."),
        (".. .. ..", "312", "+-+", 3, "1. .. 11"),
        ("..", "0", "-", 3, ".."),
    ] {
        let mut picker = setup(state, avail);
        pick(&mut picker, A, has, max);
        assert_eq!(draw(&picker), after, "{state} {avail} {has} {max}");
    }
}

#[test]
fn a_started_piece_is_finished_before_another_is_begun() {
    let mut picker = setup(".... .... ....", "222");
    pick(&mut picker, A, "+++", 1);
    let before = draw(&picker);
    assert_eq!(before.matches('1').count(), 1);
    pick(&mut picker, B, "+++", 3);
    assert!(draw(&picker).contains("1111"), "{}", draw(&picker));
}

#[test]
fn the_endgame_asks_others_but_not_the_same_again_and_not_too_much_or_too_soon() {
    let mut picker = setup("..", "3");
    pick(&mut picker, A, "+", 2);
    assert!(pick(&mut picker, A, "+", 2).is_empty());
    assert_eq!(pick(&mut picker, B, "+", 2).len(), 2);
    assert_eq!(draw(&picker), "22");
    assert_eq!(pick(&mut picker, C, "+", 1).len(), 1);
    assert_eq!(draw(&picker), "32");

    let late = |before| move |holder| (holder == A).then_some(before);
    let block = u64::from(BLOCK_LEN);
    for (before, bytes, after) in [
        (Time(10), u64::MAX, "1111"),
        (Time(11), u64::MAX, "2222"),
        (Time(11), 0, "1111"),
        (Time(11), 3 * block, "2221"),
    ] {
        let mut picker = setup("....", "3");
        pick(&mut picker, A, "+", 4);
        let (mut rng, mut out) = (ChaCha8Rng::seed_from_u64(1), Vec::new());
        let late = late(before);
        let endgame = Some(Endgame { late: &late, bytes });
        let ask = Ask { source: B, has: &|_| true, mode: Mode::Any, endgame, now: Time(11) };
        picker.pick(&ask, 9, &mut rng, &mut out);
        assert_eq!(draw(&picker), after, "{before:?} {bytes}");
        assert_eq!(picker.repeated_bytes(), out.len() as u64 * block);
        // B is not late.
        let ask = Ask { source: C, ..ask };
        picker.pick(&ask, 9, &mut rng, &mut out);
        assert!(!draw(&picker).contains('3'));
    }
}

/// A block that was given up and comes all the same ends nobody else's request.
#[test]
fn who_else_was_asked_for_a_late_block_is_known() {
    let mut picker = setup(".", "2");
    let block = pick(&mut picker, A, "+", 1)[0];
    picker.release(block);
    pick(&mut picker, B, "+", 1);
    assert_eq!(picker.received(block, A, false), Received::Needed { others: 1 });
    picker.written(block, None);
    picker.verified(block);
    assert_eq!(picker.received(block, B, true), Received::Unneeded);
    assert!(picker.partials().next().is_none());
}

#[test]
fn a_block_goes_its_way() {
    let mut picker = setup("..", "1");
    let blocks = pick(&mut picker, A, "+", 2);
    assert_eq!(picker.received(blocks[0], A, true), Received::Needed { others: 0 });
    assert_eq!(picker.received(blocks[0], B, false), Received::Unneeded);
    assert!(!picker.written(blocks[0], None));
    assert_eq!(draw(&picker), "W1");
    picker.release(blocks[1]);
    assert_eq!((draw(&picker).as_str(), picker.free()), ("W.", 1));
    // A block that had been given up comes all the same.
    assert_eq!(picker.received(blocks[1], A, false), Received::Needed { others: 0 });
    assert!(picker.written(blocks[1], None));
    picker.failed(blocks[1]);
    assert_eq!((draw(&picker).as_str(), picker.free()), ("W.", 1));
    pick(&mut picker, B, "+", 1);
    picker.received(blocks[1], B, true);
    picker.written(blocks[1], None);
    assert!(!picker.verified(blocks[0]));
    assert!(picker.verified(blocks[1]));
    assert!(picker.is_complete() && picker.partials().next().is_none());
}

#[test]
fn scarce_means_that_no_player_has_it_and_rank_decides() {
    let mut picker = setup(".. .. .. ..", "0100");
    let (mut rng, mut out) = (ChaCha8Rng::seed_from_u64(1), Vec::new());
    let rank = |piece: u32| 3 - piece as usize;
    let ask = Ask { source: A, has: &|_| true, mode: Mode::Scarce(&rank), endgame: None, now: Time(0) };
    picker.pick(&ask, 4, &mut rng, &mut out);
    assert_eq!(draw(&picker), ".. .. 11 11");
    picker.pick(&ask, 9, &mut rng, &mut out);
    assert_eq!(draw(&picker), "11 .. 11 11");
}

#[test]
fn a_run_has_no_gaps_and_stops_where_it_is_told() {
    for (state, max_blocks, joins, after) in [
        (".. .. ..", 3, true, "11 1. .."),
        (".. .. ..", 9, false, "11 .. .."),
        (".x .. ..", 9, true, "1x .. .."),
        ("-. .x ..", 9, true, "-1 1x .."),
        // A piece that begins with what is there already is not leapt over.
        (".. x. ..", 9, true, "11 x. .."),
    ] {
        let mut picker = setup(state, "011");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let ask = Ask { source: A, has: &|_| true, mode: Mode::Any, endgame: None, now: Time(0) };
        picker.pick_run(&ask, max_blocks * u64::from(BLOCK_LEN), &|_, _| joins, &mut rng);
        assert_eq!(draw(&picker), after, "{state}");
    }
}

#[test]
fn deadlines_come_first_and_suspects_are_fetched_from_one() {
    let mut picker = setup(".. .. ..", "123");
    picker.set_deadline(2..3, Time(5));
    pick(&mut picker, A, "+++", 1);
    assert_eq!(draw(&picker), ".. .. 1.");

    let mut picker = setup("....", "2");
    let first = pick(&mut picker, A, "+", 1)[0];
    picker.suspect(0, vec![(0, A, None)]);
    picker.release(first);
    assert_eq!(pick(&mut picker, B, "+", 2).len(), 2);
    assert!(pick(&mut picker, C, "+", 2).is_empty());
    picker.forget_source(B);
    assert_eq!(pick(&mut picker, C, "+", 2).len(), 2);
}

proptest! {
    /// Whatever happens, the books agree with a count of the blocks, and in the end all is there.
    #[test]
    fn the_books_are_right(ops in prop::collection::vec((0u8..7, 0u64..3, 0usize..40), 0..200), seed: u64) {
        let mut picker = setup(".... ..x. .... .--. ....", "10203");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut asked: Vec<(SourceId, BlockRef)> = Vec::new();
        let mut drain = false;
        let mut steps = ops.into_iter().chain((0..400).map(|i| (u8::from(i % 2 == 0) * 6, 0, 0)));
        while let Some((op, source, n)) = steps.next() {
            drain |= steps.size_hint().0 < 400;
            let source = SourceId(if drain { 0 } else { source });
            match op {
                0 => {
                    let endgame = Some(Endgame { late: &|_| Some(Time(10)), bytes: u64::MAX });
                    let ask = Ask { source, has: &|_| true, mode: Mode::Any, endgame, now: Time(9) };
                    let mut out = Vec::new();
                    picker.pick(&ask, n % 5 + 1, &mut rng, &mut out);
                    asked.extend(out.into_iter().map(|block| (source, block)));
                }
                1 if !asked.is_empty() && !drain => picker.release(asked.swap_remove(n % asked.len()).1),
                2 => {
                    picker.add_availability(n as u32 % 5);
                }
                3 => picker.remove_availability(n as u32 % 5),
                4 | 5 if !asked.is_empty() && !drain => {
                    let (source, block) = asked.swap_remove(n % asked.len());
                    picker.received(block, source, true);
                    if op == 4 { picker.failed(block) } else { picker.written(block, None); }
                    if op == 5 { picker.verified(block); }
                }
                6 => for (source, block) in asked.drain(..) {
                    if let Received::Needed { .. } = picker.received(block, source, true) {
                        picker.written(block, None);
                        picker.verified(block);
                    }
                },
                _ => {}
            }
            let drawn = draw(&picker);
            prop_assert_eq!(picker.free() as usize, drawn.matches('.').count(), "{}", drawn);
            let requests: usize = drawn.chars().filter_map(|c| c.to_digit(10)).map(|n| n as usize).sum();
            prop_assert!(requests <= asked.len(), "{} {:?}", drawn, asked);
            prop_assert_eq!(picker.missing() == 0, picker.is_complete());
        }
        prop_assert!(picker.is_complete(), "{}", draw(&picker));
    }
}
