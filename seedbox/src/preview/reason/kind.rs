//! What sort of file it is, by its first bytes.

use super::read::Reading;

/// Bytes that are looked at to tell text.
const TEXT_SAMPLE: usize = 8192;

/// Sorts of files for which there is something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// zip, jar, pk3, wz, …
    Zip,
    Png,
    Gzip,
    /// Compressed as one stream that is not looked into: xz, 7z, zstd, bzip2.
    Solid,
    /// A program or library.
    Program,
    Text,
    Other,
}

impl Kind {
    pub(super) fn of(file: &Reading<'_>) -> Kind {
        Kind::by_head(&file.some(0, TEXT_SAMPLE))
    }

    fn by_head(head: &[u8]) -> Kind {
        let magics: [(&[u8], Kind); 11] = [
            (b"PK\x03\x04", Kind::Zip),
            (b"PK\x05\x06", Kind::Zip),
            (b"\x89PNG\r\n\x1a\n", Kind::Png),
            (b"\x1f\x8b\x08", Kind::Gzip),
            (b"\xfd7zXZ\0", Kind::Solid),
            (b"7z\xbc\xaf\x27\x1c", Kind::Solid),
            (b"\x28\xb5\x2f\xfd", Kind::Solid),
            (b"BZh", Kind::Solid),
            (b"\x7fELF", Kind::Program),
            (b"MZ", Kind::Program),
            (b"\xcf\xfa\xed\xfe", Kind::Program),
        ];
        match magics.iter().find(|(magic, _)| head.starts_with(magic)) {
            Some((_, kind)) => *kind,
            None if !head.is_empty() && !head.contains(&0) && is_text(head) => Kind::Text,
            None => Kind::Other,
        }
    }
}

/// UTF-8, but for a character that the sample may cut.
fn is_text(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_in_a_table() {
        let table: [(&[u8], Kind); 7] = [
            (b"PK\x03\x04rest", Kind::Zip),
            (b"\x89PNG\r\n\x1a\n....", Kind::Png),
            (b"\x7fELF\x02", Kind::Program),
            (b"wind = 3\n", Kind::Text),
            ("\u{e4}ndern \u{e4}".as_bytes().split_last().unwrap().1, Kind::Text),
            (b"wind\0", Kind::Other),
            (b"", Kind::Other),
        ];
        for (head, kind) in table {
            assert_eq!(Kind::by_head(head), kind, "{head:?}");
        }
    }
}
