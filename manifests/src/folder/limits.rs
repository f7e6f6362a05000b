//! What a file system cannot hold: it is asked before anything is written.

/// What a file system cannot hold, as far as it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest file, in bytes.
    pub file_len_max: Option<u64>,
    /// Whether there are symbolic links.
    pub links: bool,
    /// Longest part of a path, in bytes.
    pub name_bytes_max: Option<u64>,
    /// Longest path below this folder that the system and the game can use, in its units.
    pub path_units_left: Option<u64>,
    /// Whether the units of paths are UTF-16's; bytes otherwise.
    pub utf16: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_len_max: None, links: true, name_bytes_max: None, path_units_left: None, utf16: false }
    }
}

impl Limits {
    /// Units of a path.
    pub fn units(&self, path: &str) -> u64 {
        if self.utf16 { path.encode_utf16().count() as u64 } else { path.len() as u64 }
    }
}
