//! Which bytes of a representation a request asks for (RFC 9110 §13 and §14): pure.

use axum::http::{HeaderMap, header};
use std::ops::Range;

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// 200: everything. Also for a Range we do not understand, or of several parts: a server may ignore those.
    Whole,
    /// 206: these bytes, never empty.
    Part(Range<u64>),
    /// 304: the client has it.
    NotModified,
    /// 416: the range begins beyond the end.
    Unsatisfiable,
}

/// Judges the headers of a GET for something of `len` bytes whose strong entity tag is `etag`, quotes included.
pub(crate) fn wanted(headers: &HeaderMap, etag: &str, len: u64) -> Wanted {
    if headers.get_all(header::IF_NONE_MATCH).iter().any(|value| names_tag(value.as_bytes(), etag)) {
        return Wanted::NotModified;
    }
    // If-Range: a strong comparison with one tag; a date never matches, for we send no Last-Modified.
    if headers.get(header::IF_RANGE).is_some_and(|value| value.as_bytes() != etag.as_bytes()) {
        return Wanted::Whole;
    }
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (ranges.next(), ranges.next()) else { return Wanted::Whole };
    value.to_str().ok().map_or(Wanted::Whole, |value| one_range(value, len))
}

/// `If-None-Match` compares weakly (RFC 9110 §13.1.2).
fn names_tag(value: &[u8], etag: &str) -> bool {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii).any(|tag| {
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        tag == b"*" || tag == etag.as_bytes()
    })
}

fn one_range(value: &str, len: u64) -> Wanted {
    let Some((unit, spec)) = value.split_once('=') else { return Wanted::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Wanted::Whole, // not a valid range: ignored
        (Some(first), Some(last)) if first < len => Wanted::Part(first..last.saturating_add(1).min(len)),
        (Some(_), Some(_)) => Wanted::Unsatisfiable,
        (Some(first), None) if last.is_empty() && first < len => Wanted::Part(first..len),
        (Some(_), None) if last.is_empty() => Wanted::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() && suffix > 0 && len > 0 => {
            Wanted::Part(len.saturating_sub(suffix)..len)
        }
        (None, Some(_)) if first.is_empty() => Wanted::Unsatisfiable,
        _ => Wanted::Whole,
    }
}

/// Digits only: no sign, no spaces. More than a `u64` holds is as good as its largest.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc-10\"";

    fn ask(lines: &[(&str, &str)], len: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        wanted(&headers, TAG, len)
    }

    #[test]
    fn ranges_in_a_table() {
        let part = Wanted::Part;
        let cases: &[(&str, u64, Wanted)] = &[
            ("bytes=0-0", 10, part(0..1)),
            ("bytes=0-9", 10, part(0..10)),
            ("bytes=3-", 10, part(3..10)),
            ("bytes=3-99", 10, part(3..10)),
            ("bytes=-4", 10, part(6..10)),
            ("bytes=-40", 10, part(0..10)),
            ("Bytes=2-3", 10, part(2..4)),
            ("bytes=9-9", 10, part(9..10)),
            ("bytes=0-99999999999999999999999", 10, part(0..10)),
            ("bytes=10-", 10, Wanted::Unsatisfiable),
            ("bytes=10-12", 10, Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999-", 10, Wanted::Unsatisfiable),
            ("bytes=-0", 10, Wanted::Unsatisfiable),
            ("bytes=0-", 0, Wanted::Unsatisfiable),
            ("bytes=-5", 0, Wanted::Unsatisfiable),
            ("bytes=5-3", 10, Wanted::Whole),
            ("bytes=0-1,4-5", 10, Wanted::Whole),
            ("bytes=99-,0-1", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes", 10, Wanted::Whole),
            ("items=0-1", 10, Wanted::Whole),
        ];
        for (value, len, expected) in cases {
            assert_eq!(ask(&[("range", value)], *len), *expected, "{value} of {len}");
        }
        assert_eq!(ask(&[], 10), Wanted::Whole);
        assert_eq!(ask(&[("range", "bytes=0-1"), ("range", "bytes=2-3")], 10), Wanted::Whole);
    }

    #[test]
    fn conditions_in_a_table() {
        let cases: &[(&[(&str, &str)], Wanted)] = &[
            (&[("if-range", TAG), ("range", "bytes=1-2")], Wanted::Part(1..3)),
            (&[("if-range", "\"other\""), ("range", "bytes=1-2")], Wanted::Whole),
            (&[("if-range", "W/\"abc-10\""), ("range", "bytes=1-2")], Wanted::Whole),
            (&[("if-range", "Sun, 22 Nov 2026 00:00:00 GMT"), ("range", "bytes=1-2")], Wanted::Whole),
            (&[("if-none-match", TAG)], Wanted::NotModified),
            (&[("if-none-match", "\"x\", W/\"abc-10\"")], Wanted::NotModified),
            (&[("if-none-match", "*"), ("range", "bytes=1-2")], Wanted::NotModified),
            (&[("if-none-match", "\"x\""), ("range", "bytes=1-2")], Wanted::Part(1..3)),
        ];
        for (lines, expected) in cases {
            assert_eq!(ask(lines, 10), *expected, "{lines:?}");
        }
    }
}
