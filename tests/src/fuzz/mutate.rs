//! Mutations: the same for the same seed, on every machine.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Most mutations of one input.
const MOST: u32 = 6;
/// Longest input made, in bytes.
const LONGEST: usize = 1 << 20;
/// Numbers that lengths and counts go wrong with.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7F,
    0xFFFF,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    0x1_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    0xFFFF_FFFF_FFFF_FFF0,
    u64::MAX,
];

/// Makes inputs out of seeds.
#[derive(Debug)]
pub struct Mutator {
    rng: ChaCha8Rng,
}

impl Mutator {
    /// Mutations that `seed` alone decides.
    #[must_use]
    pub fn new(seed: u64) -> Mutator {
        Mutator { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.rng.random_range(0..end) }
    }

    /// One of `seeds`, changed in a few places.
    pub fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let at = self.below(seeds.len());
        let mut bytes = seeds.get(at).cloned().unwrap_or_default();
        // Few changes reach deep, so they are the rule.
        let most = self.rng.random_range(1..=MOST);
        for _ in 0..self.rng.random_range(1..=most) {
            self.change(&mut bytes, seeds);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        match self.rng.random_range(0..10) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (self.rng.next_u32() % 8);
                }
            }
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = self.rng.next_u32() as u8;
                }
            }
            3 => bytes.truncate(at),
            4 => self.put_number(bytes, at),
            5 => self.put_digits(bytes, at),
            6 => {
                let end = bytes.len().min(at + 1 + self.below(40));
                let _ = bytes.drain(at..end);
            }
            7 => {
                let end = bytes.len().min(at + 1 + self.below(200));
                let again = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                let _ = bytes.splice(to..to, again);
            }
            8 => {
                let other = self.below(seeds.len());
                let Some(other) = seeds.get(other) else { return };
                let from = self.below(other.len());
                let end = other.len().min(from + 1 + self.below(other.len()));
                let to = bytes.len().min(at + self.below(20));
                let _ = bytes.splice(at..to, other[from..end].iter().copied());
            }
            _ => {
                let mut noise = vec![0; 1 + self.below(16)];
                self.rng.fill_bytes(&mut noise);
                let _ = bytes.splice(at..at, noise);
            }
        }
    }

    /// A length or count that cannot be meant, as binary formats write it.
    fn put_number(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let edge = EDGES[self.below(EDGES.len())];
        let mut number = match self.rng.random_range(0..6) {
            0 => (edge as u32).to_be_bytes().to_vec(),
            1 => (edge as u32).to_le_bytes().to_vec(),
            2 => edge.to_be_bytes().to_vec(),
            3 => edge.to_le_bytes().to_vec(),
            // CBOR: a head with eight bytes of length.
            4 => [&[[0x1B, 0x5B, 0x7B, 0x9B, 0xBB][self.below(5)]][..], &edge.to_be_bytes()].concat(),
            _ => varint(edge),
        };
        // In place of what stands there, or before it.
        let end = if self.rng.next_u32().is_multiple_of(4) { at } else { bytes.len().min(at + number.len()) };
        let _ = bytes.splice(at..end, number.drain(..));
    }

    /// The same for formats in digits.
    fn put_digits(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|more| at + more) else {
            return;
        };
        let len = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let edge = EDGES[self.below(EDGES.len())];
        let minus = if self.rng.next_u32().is_multiple_of(8) { "-" } else { "" };
        let _ = bytes.splice(start..start + len, format!("{minus}{edge}").into_bytes());
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
