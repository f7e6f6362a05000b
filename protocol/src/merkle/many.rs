//! Leaves of many blocks at once.

use super::leaf;
#[cfg(target_arch = "x86_64")]
use super::wide;
use crate::units::{BLOCK_LEN, Root};

const BLOCK: usize = BLOCK_LEN as usize;

/// The hash of each block, as [`leaf`] has it; faster than one by one where the processor allows (AVX-512) and there
/// are sixteen whole blocks or more.
#[must_use]
pub fn leaves(blocks: &[&[u8]]) -> Vec<Root> {
    let mut out = Vec::with_capacity(blocks.len());
    let mut rest = blocks;
    while !rest.is_empty() {
        let (group, after) = rest.split_at(rest.len().min(GROUP));
        if let Some(roots) = together(group) {
            out.extend_from_slice(&roots[..group.len()]);
        } else {
            out.extend(group.iter().map(|block| leaf(block)));
        }
        rest = after;
    }
    out
}

/// Stands in for a block where a group is not full.
#[cfg(target_arch = "x86_64")]
static NOTHING: [u8; BLOCK] = [0; BLOCK];

#[cfg(target_arch = "x86_64")]
const GROUP: usize = wide::LANES;
/// Fewer than these are hashed faster one by one.
#[cfg(target_arch = "x86_64")]
const WORTH_IT: usize = 10;

/// Up to a group of whole blocks side by side; `None` if they cannot or should not be.
#[cfg(target_arch = "x86_64")]
fn together(group: &[&[u8]]) -> Option<[Root; GROUP]> {
    // Without optimisation every instruction is a call: many times slower than the hasher, which is always optimised.
    if group.len() < WORTH_IT || cfg!(debug_assertions) { None } else { side_by_side(group) }
}

#[cfg(target_arch = "x86_64")]
fn side_by_side(group: &[&[u8]]) -> Option<[Root; GROUP]> {
    let mut blocks = [&NOTHING; GROUP];
    for (slot, block) in blocks.iter_mut().zip(group) {
        *slot = (*block).try_into().ok()?;
    }
    wide::hash(blocks)
}

#[cfg(not(target_arch = "x86_64"))]
const GROUP: usize = 16;

#[cfg(not(target_arch = "x86_64"))]
fn together(_: &[&[u8]]) -> Option<[Root; GROUP]> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hash_as_one_does() {
        let data: Vec<u8> = (0..40 * BLOCK).map(|at| (at / 3 + at / BLOCK * 7) as u8).collect();
        let whole: Vec<&[u8]> = data.chunks(BLOCK).collect();
        for n in [0, 1, 9, 10, 15, 16, 17, 26, 32, 40] {
            let expected: Vec<Root> = whole[..n].iter().map(|block| leaf(block)).collect();
            assert_eq!(leaves(&whole[..n]), expected, "{n}");
        }
        #[cfg(target_arch = "x86_64")]
        for n in [1, 15, 16] {
            if let Some(roots) = side_by_side(&whole[20..20 + n]) {
                let expected: Vec<Root> = whole[20..20 + n].iter().map(|block| leaf(block)).collect();
                assert_eq!(roots[..n], expected, "{n} side by side");
            }
        }
        // Shorter ones may stand anywhere: they are simply not hashed side by side.
        let mut mixed = whole.clone();
        mixed[3] = &data[..100];
        mixed[39] = b"";
        let expected: Vec<Root> = mixed.iter().map(|block| leaf(block)).collect();
        assert_eq!(leaves(&mixed), expected);
    }
}
