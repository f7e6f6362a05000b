//! Every bound on what a repository may send, in one place.

/// Byte and count bounds. A transport is told the one that applies and must stop there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One `root` file, in bytes.
    pub root_bytes: u64,
    /// `timestamp.json`, in bytes.
    pub timestamp_bytes: u64,
    /// A `snapshot` file, in bytes.
    pub snapshot_bytes: u64,
    /// A `targets` file, top-level or delegated, in bytes.
    pub targets_bytes: u64,
    /// A channel document or statement, in bytes.
    pub doc_bytes: u64,
    /// A release manifest, in bytes.
    pub manifest_bytes: u64,
    /// A release's pack list, in bytes.
    pub packs_bytes: u64,
    /// Roots followed in one refresh.
    pub root_rotations: u32,
    /// Roles visited while one target is looked up.
    pub delegations: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            root_bytes: 512 << 10,
            timestamp_bytes: 16 << 10,
            snapshot_bytes: 2 << 20,
            targets_bytes: 5 << 20,
            doc_bytes: crate::release::MAX_DOC_BYTES,
            manifest_bytes: crate::release::MAX_FRAME_BYTES as u64,
            packs_bytes: crate::release::MAX_PACK_LIST_BYTES,
            root_rotations: 256,
            delegations: 32,
        }
    }
}
