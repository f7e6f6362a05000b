//! A hash over everything that happens, in order: two runs are the same if theirs are.

use sha2::{Digest as _, Sha256};

/// See the module's header.
#[derive(Default)]
pub(super) struct Trace {
    hasher: Sha256,
    pub events: u64,
}

impl Trace {
    /// Something of a kind happened to a node.
    pub(super) fn note(&mut self, at: u64, node: usize, kind: u8, what: [u64; 3]) {
        self.events += 1;
        let mut record = [0u8; 41];
        record[..8].copy_from_slice(&at.to_le_bytes());
        record[8..16].copy_from_slice(&(node as u64).to_le_bytes());
        record[16] = kind;
        for (slot, number) in record[17..].chunks_exact_mut(8).zip(what) {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        self.hasher.update(record);
    }

    pub(super) fn finish(self) -> String {
        hex::encode(&self.hasher.finalize()[..16])
    }
}
