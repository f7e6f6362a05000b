//! Deflate streams opened: their plain text is compressed instead of them, and closed again bit for bit.

use super::CodecError;

/// The inflated text of the deflate streams in `raw` (a PNG, a gzip file, entries of a zip), laid end to end: what an
/// opened segment refers to. Inflating is all it takes; nothing is put back together from it.
///
/// # Errors
/// [`CodecError`] where there is none, or more than `limit` bytes of it.
pub fn reference(_raw: &[u8], _limit: usize) -> Result<Vec<u8>, CodecError> {
    Err(CodecError("opened streams are not known here".to_owned()))
}

/// The parts of a segment opened, and what it takes to close them: as one plain text of at most `limit` bytes. A part
/// that does not open goes in as it is; none when no part opens.
pub fn open(_parts: &[&[u8]], _limit: usize) -> Option<Vec<u8>> {
    None
}

/// The parts that [`open`] was given, laid end to end: exactly `output_len` bytes.
///
/// # Errors
/// [`CodecError`] for anything `open` does not write.
pub fn close(_plain: &[u8], _output_len: usize) -> Result<Vec<u8>, CodecError> {
    Err(CodecError("opened streams are not known here".to_owned()))
}
