//! The canonical JSON that TUF signatures cover: keys sorted, only `\` and `"` escaped, integers only, no spaces.
//!
//! Not RFC 8785, and nothing is normalised: normalising Unicode would sign other bytes than those read.

use serde::Serialize;
use serde_json::Value;

/// A value that canonical JSON cannot hold.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// A fraction, or an integer beyond 64 bits.
    #[error("a number is not an integer")]
    NotAnInteger,
    /// The value could not be represented at all.
    #[error("not representable as JSON: {0}")]
    Unrepresentable(#[from] serde_json::Error),
}

/// The canonical bytes of `value`.
///
/// # Errors
/// [`JsonError`].
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::new();
    write(&serde_json::to_value(value)?, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), JsonError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Number(_) => return Err(JsonError::NotAnInteger),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            // By bytes of UTF-8, which is the order of code points; the map's own order is not relied on.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push(b'{');
            for (at, (key, item)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'\\' || byte == b'"' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_in_a_table() {
        for (value, text) in [
            (json!({"b": 1, "a": [true, false, null]}), r#"{"a":[true,false,null],"b":1}"#),
            (json!({"é": -1, "z": u64::MAX}), "{\"z\":18446744073709551615,\"é\":-1}"),
            (json!("a\\\"\n\té"), "\"a\\\\\\\"\n\té\""),
            (json!("e\u{301}"), "\"e\u{301}\""),
            (json!({}), "{}"),
        ] {
            assert_eq!(canonical(&value).unwrap(), text.as_bytes());
        }
        assert!(matches!(canonical(&json!(1.5)), Err(JsonError::NotAnInteger)));
        assert!(matches!(canonical(&json!([1e3])), Err(JsonError::NotAnInteger)));
    }

    proptest! {
        #[test]
        fn agrees_with_the_verifying_side(text: String, key: String, number: i64) {
            let value = json!({ key: [text, number], "z": {"y": 0, "x": 1} });
            let theirs = sigstore_tuf::canonical_json::to_canonical_bytes(&value).unwrap();
            prop_assert_eq!(canonical(&value).unwrap(), theirs);
        }
    }
}
