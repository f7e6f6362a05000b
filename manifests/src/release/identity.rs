//! What a file's content is called everywhere: its length and its BEP 52 pieces root.

use std::fmt;

/// Longest file accepted, in bytes (16 TiB).
pub const MAX_FILE_BYTES: u64 = 1 << 44;

/// A file identity that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Longer than [`MAX_FILE_BYTES`].
    #[error("a file of {0} bytes is longer than any accepted")]
    TooLong(u64),
    /// The empty file has no tree: its root is all zero, and no other file's is.
    #[error("an empty file has no pieces root, every other file has one")]
    EmptyRoot,
    /// Text that is not `<64 lower-case hex digits>-<decimal length>`.
    #[error("not of the form <root>-<length>")]
    Malformed,
}

/// (length, pieces root). Never the root alone: BEP 52 does not tell leaves from nodes, so a 64-byte file made of two
/// leaf hashes has the root of the two-block file those leaves belong to.
///
/// Shown as `<root hex>-<len>`, which is also a blob's file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIdentity {
    /// Length in bytes.
    pub len: u64,
    /// Root of the SHA-256 tree over 16 KiB blocks; all zero for the empty file.
    pub root: [u8; 32],
}

impl FileIdentity {
    /// The empty file (and a symbolic link's).
    pub const EMPTY: Self = Self { len: 0, root: [0; 32] };

    /// Checks that length and root fit together.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn new(len: u64, root: [u8; 32]) -> Result<Self, IdentityError> {
        if len > MAX_FILE_BYTES {
            return Err(IdentityError::TooLong(len));
        }
        if (len == 0) != (root == [0; 32]) {
            return Err(IdentityError::EmptyRoot);
        }
        Ok(Self { len, root })
    }

    /// Whether this is the empty file.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Display for FileIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.root, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)?;
        write!(f, "-{}", self.len)
    }
}

impl fmt::Debug for FileIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileIdentity({self})")
    }
}

impl std::str::FromStr for FileIdentity {
    type Err = IdentityError;

    /// Accepts exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (root, len) = text.split_once('-').ok_or(IdentityError::Malformed)?;
        let root = from_lower_hex(root).ok_or(IdentityError::Malformed)?;
        let only_digits = len.bytes().all(|byte| byte.is_ascii_digit());
        if !only_digits || (len.len() > 1 && len.starts_with('0')) {
            return Err(IdentityError::Malformed);
        }
        Self::new(len.parse().map_err(|_| IdentityError::Malformed)?, root)
    }
}

/// Without a branch a digit: the record of an install has tens of thousands of them, read at every start.
fn from_lower_hex(text: &str) -> Option<[u8; 32]> {
    const NONE: u8 = 0xFF;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => NONE,
    };
    let pairs: &[[u8; 2]; 32] = text.as_bytes().as_chunks().0.try_into().ok().filter(|_| text.len() == 64)?;
    let (mut bytes, mut seen) = ([0; 32], 0);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (digit(*high), digit(*low));
        seen |= high | low;
        *byte = high << 4 | low & 0xF;
    }
    (seen <= 0xF).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const BLOCK: usize = 16 * 1024;

    fn sha(data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }

    /// BEP 52 pieces root, written out for the two sizes the collision needs.
    fn root_of(data: &[u8]) -> [u8; 32] {
        match data.len().div_ceil(BLOCK) {
            1 => sha(data),
            2 => sha(&[sha(&data[..BLOCK]), sha(&data[BLOCK..])].concat()),
            _ => unreachable!(),
        }
    }

    #[test]
    fn equal_roots_do_not_make_equal_files() {
        let two_blocks = vec![7u8; 2 * BLOCK];
        let leaves = [sha(&two_blocks[..BLOCK]), sha(&two_blocks[BLOCK..])].concat();
        assert_eq!(leaves.len(), 64);
        assert_eq!(root_of(&leaves), root_of(&two_blocks), "the collision BEP 52 allows");

        let large = FileIdentity::new(two_blocks.len() as u64, root_of(&two_blocks)).unwrap();
        let small = FileIdentity::new(64, root_of(&leaves)).unwrap();
        assert_ne!(large, small);
        assert_ne!(large.to_string(), small.to_string());
        let names: std::collections::HashSet<FileIdentity> = [large, small].into();
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn text_form_in_a_table() {
        let id = FileIdentity::new(5, [0xAB; 32]).unwrap();
        let text = id.to_string();
        assert_eq!(text, format!("{}-5", "ab".repeat(32)));
        assert_eq!(text.parse(), Ok(id));
        let root = "ab".repeat(32);
        for bad in [
            String::new(),
            root.clone(),
            format!("{root}-05"),
            format!("{root}-+5"),
            format!("{root}-"),
            format!("{root}--5"),
            format!("{root}-0"),
            format!("{}-5", "AB".repeat(32)),
            format!("{}-5", "ag".repeat(32)),
            format!("{}:-5", "ab".repeat(31)),
            format!("{}-5", "ab".repeat(31)),
            format!("{root}a-5"),
            format!("{root}ab-5"),
            format!("{}é-5", "ab".repeat(31)),
            format!("{root}-00"),
            format!("{root}- 5"),
            format!("{}-00", "00".repeat(32)),
            format!("{}-5", "00".repeat(32)),
            format!("{root}-99999999999999999"),
            format!("{root}-99999999999999999999999999"),
        ] {
            assert!(bad.parse::<FileIdentity>().is_err(), "{bad}");
        }
        assert_eq!(FileIdentity::EMPTY.to_string().parse(), Ok(FileIdentity::EMPTY));
    }
}
