//! The launcher's own records: JSON with a version, bounded on reading.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record larger than this is none of ours: 200 games take 100 kB.
pub const MAX_BYTES: usize = 16 << 20;

/// Why a record was not read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Cut, garbled, or too long.
    #[error("the launcher's record cannot be read: {0}")]
    Damaged(String),
    /// Written by a later launcher: it is left as it is.
    #[error("the launcher's record was written by a newer launcher (version {0})")]
    Newer(u32),
}

impl RecordError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "E-LIBRARY-DAMAGED",
            Self::Newer(_) => "E-LIBRARY-NEWER",
        }
    }
}

/// What stands at the head of every record, whatever follows.
#[derive(serde::Deserialize)]
struct Head {
    version: u32,
}

/// Reads a record whose newest known version is `version`.
///
/// # Errors
/// [`RecordError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], version: u32) -> Result<T, RecordError> {
    if bytes.len() > MAX_BYTES {
        return Err(RecordError::Damaged(format!("it has {} bytes", bytes.len())));
    }
    let damaged = |error: serde_json::Error| RecordError::Damaged(error.to_string());
    let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
    if head.version > version {
        return Err(RecordError::Newer(head.version));
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// Writes a record.
///
/// # Errors
/// [`RecordError::Damaged`] when it cannot be told in JSON, such as a path that is not Unicode.
pub fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, RecordError> {
    serde_json::to_vec_pretty(record).map_err(|error| RecordError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Thing {
        version: u32,
        name: String,
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let read = |text: &str| decode::<Thing>(text.as_bytes(), 2).map_err(|error| error.code());
        assert_eq!(
            read(r#"{"version":2,"name":"x","later":[1]}"#),
            Ok(Thing { version: 2, name: "x".into() })
        );
        for (text, code) in [
            ("", "E-LIBRARY-DAMAGED"),
            ("[]", "E-LIBRARY-DAMAGED"),
            (r#"{"version":-1}"#, "E-LIBRARY-DAMAGED"),
            (r#"{"version":1}"#, "E-LIBRARY-DAMAGED"),
            (r#"{"version":1,"name":"x"}tail"#, "E-LIBRARY-DAMAGED"),
            (r#"{"version":3}"#, "E-LIBRARY-NEWER"),
        ] {
            assert_eq!(read(text), Err(code), "{text}");
        }
        let deep = format!("{}{}", r#"{"version":1,"name":"#, "[".repeat(100_000));
        assert_eq!(read(&deep), Err("E-LIBRARY-DAMAGED"));
        assert_eq!(read(&" ".repeat(MAX_BYTES + 1)), Err("E-LIBRARY-DAMAGED"));
    }

    #[test]
    fn what_was_written_is_read() {
        let thing = Thing { version: 1, name: "Größe \u{202e}".into() };
        assert_eq!(decode::<Thing>(&encode(&thing).unwrap(), 1).unwrap(), thing);
    }
}
