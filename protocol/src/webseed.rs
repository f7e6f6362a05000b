//! Web seeds (BEP 19), purely: which URL, which ranges, whether an answer is what was asked, and when to try again.

use crate::blockset::BlockSet;
use crate::metainfo::{Layout, Torrent};
use crate::units::{FileIndex, Root, Time};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::ops::Range;
use std::time::Duration;
use url::Url;

/// Everything but RFC 3986's unreserved characters is encoded, in each path component by itself.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The most bytes that are thrown away to reach a range when a server answers with the whole file.
pub const MAX_SKIP: u64 = 8 * 1024 * 1024;

/// The URL of a file below a BEP 19 base. The base of a folder has the torrent's name appended, and the file's path;
/// the base of a single-file torrent is the file itself unless it ends with a slash. `None` if there is no such file,
/// or the base cannot have a path.
#[must_use]
pub fn url_by_path(base: &Url, torrent: &Torrent, file: FileIndex) -> Option<Url> {
    let entry = torrent.layout.files.get(file.idx())?;
    if torrent.single_file {
        return if base.path().ends_with('/') { append(base, &[&torrent.name]) } else { Some(base.clone()) };
    }
    let below: Vec<&str> = std::iter::once(&torrent.name).chain(&entry.path).map(String::as_str).collect();
    append(base, &below)
}

/// The URL of a file's content: `<root hex>-<length>` below the base. `None` if the file has no root.
#[must_use]
pub fn url_by_content(base: &Url, torrent: &Torrent, file: FileIndex) -> Option<Url> {
    let entry = torrent.layout.files.get(file.idx())?;
    append(base, &[&blob_name(entry.root?, entry.len)])
}

/// The name of a file's content wherever it is stored by content.
#[must_use]
pub fn blob_name(root: Root, len: u64) -> String {
    format!("{root}-{len}")
}

fn append(base: &Url, components: &[&str]) -> Option<Url> {
    if base.cannot_be_a_base() {
        return None;
    }
    let mut path = base.path().trim_end_matches('/').to_owned();
    for component in components {
        path.push('/');
        path.extend(utf8_percent_encode(component, COMPONENT));
    }
    let mut url = base.clone();
    url.set_path(&path);
    Some(url)
}

/// A range to ask of a web seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRange {
    /// Of which file.
    pub file: FileIndex,
    /// Which bytes of the file; never empty.
    pub bytes: Range<u64>,
}

/// Ranges that bring these blocks, in ascending order: each within one file, over as many pieces as follow each
/// other, and of about `max_len` bytes at most (a block is not split but where a file ends within it, as in v1
/// torrents).
pub fn ranges<'a>(
    layout: &'a Layout,
    blocks: &'a BlockSet,
    max_len: u64,
) -> impl Iterator<Item = WebRange> + 'a {
    let blocks = blocks.iter().filter_map(|block| layout.block_ref(block));
    let mut spans = blocks.flat_map(|block| layout.spans(block)).filter_map(|span| {
        let end = span.file_offset + u64::from(span.len);
        Some(WebRange { file: span.file?, bytes: span.file_offset..end })
    });
    let mut begun: Option<WebRange> = None;
    std::iter::from_fn(move || {
        for next in spans.by_ref() {
            let Some(range) = &mut begun else {
                begun = Some(next);
                continue;
            };
            let follows = range.file == next.file && range.bytes.end == next.bytes.start;
            if !follows || next.bytes.end - range.bytes.start > max_len {
                return begun.replace(next);
            }
            range.bytes.end = next.bytes.end;
        }
        begun.take()
    })
}

/// The value of a `Range` header.
#[must_use]
pub fn range_header(bytes: &Range<u64>) -> String {
    format!("bytes={}-{}", bytes.start, bytes.end.saturating_sub(1))
}

/// The parts of an HTTP answer's head that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// `Content-Range`.
    pub content_range: Option<&'a str>,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
}

/// Which bytes of an answer's body are the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// To be thrown away first: not zero when the server answered with the whole file.
    pub skip: u64,
    /// The range's bytes; whatever follows them is not read.
    pub take: u64,
}

/// Why an answer is not what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseFault {
    /// 404, 410, 403, 401: this file is not to be had here.
    #[error("the web seed does not have the file (HTTP {0})")]
    Missing(u16),
    /// 429 or 5xx: later, perhaps.
    #[error("the web seed is not able to answer now (HTTP {0})")]
    Busy(u16),
    /// Any other status.
    #[error("the web seed answers with HTTP {0}")]
    Status(u16),
    /// 206 with no `Content-Range`, or one that is not the range asked for, or of a file of another length.
    #[error("the web seed answers with another range")]
    WrongRange,
    /// The file there, or the body, has another length.
    #[error("the web seed's file has another length")]
    WrongLength,
    /// A `Content-Encoding`: offsets would be meaningless.
    #[error("the web seed encodes the content")]
    Encoded,
    /// It ignores ranges, and the range is too far into the file.
    #[error("the web seed does not know ranges")]
    NoRanges,
}

impl ResponseFault {
    /// Whether the server may well do better later; otherwise it is not to be asked for this file again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, ResponseFault::Busy(_))
    }
}

/// Holds an answer's head against the request, for a file of a known length.
///
/// # Errors
/// [`ResponseFault`]
pub fn check_response(
    asked: &Range<u64>,
    file_len: u64,
    head: &ResponseHead<'_>,
) -> Result<Body, ResponseFault> {
    let take = asked.end.saturating_sub(asked.start);
    match head.status {
        200 | 206 => {}
        401 | 403 | 404 | 410 => return Err(ResponseFault::Missing(head.status)),
        408 | 425 | 429 | 500..=599 => return Err(ResponseFault::Busy(head.status)),
        416 => return Err(ResponseFault::WrongLength),
        status => return Err(ResponseFault::Status(status)),
    }
    if head.content_encoding.is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        return Err(ResponseFault::Encoded);
    }
    if head.status == 200 {
        if head.content_length.is_some_and(|len| len != file_len) {
            return Err(ResponseFault::WrongLength);
        }
        return if asked.start <= MAX_SKIP {
            Ok(Body { skip: asked.start, take })
        } else {
            Err(ResponseFault::NoRanges)
        };
    }
    let (bytes, total) = head.content_range.and_then(content_range).ok_or(ResponseFault::WrongRange)?;
    if bytes != *asked {
        return Err(ResponseFault::WrongRange);
    }
    if total.is_some_and(|total| total != file_len) || head.content_length.is_some_and(|len| len != take) {
        return Err(ResponseFault::WrongLength);
    }
    Ok(Body { skip: 0, take })
}

/// `bytes 0-9/100` or `bytes 0-9/*` (RFC 9110 §14.4).
fn content_range(header: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (unit, rest) = header.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let number = |digits: &str| {
        let sound = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let bytes = number(first)?..number(last)?.checked_add(1)?;
    let total = if total == "*" { None } else { Some(number(total)?) };
    unit.eq_ignore_ascii_case("bytes").then_some((bytes, total))
}

/// When a source that failed may be asked again: after 1, 2, 4, … seconds up to five minutes, each lengthened by up to
/// half so that clients do not come back all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackOff {
    failures: u32,
    until: Time,
    given_up: bool,
}

impl BackOff {
    const LONGEST: Duration = Duration::from_secs(300);

    /// Whether it may be asked.
    #[must_use]
    pub fn is_ready(&self, now: Time) -> bool {
        !self.given_up && now >= self.until
    }

    /// When it may be asked; `None` if never again.
    #[must_use]
    pub fn ready_at(&self) -> Option<Time> {
        (!self.given_up).then_some(self.until)
    }

    /// How often it has failed since it last succeeded.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It failed. `random` is any number; it decides the jitter. What fails while it is being left alone was begun
    /// before: requests that were under way side by side have failed once.
    pub fn failed(&mut self, now: Time, random: u64) {
        if now < self.until {
            return;
        }
        let wait = Duration::from_secs(1 << self.failures.min(9)).min(BackOff::LONGEST);
        self.failures = self.failures.saturating_add(1);
        let jitter = wait.mul_f64((random % 1024) as f64 / 2048.0);
        self.until = self.until.max(now + wait + jitter);
    }

    /// It asked to be left alone for so long (`Retry-After`); no more than a day is believed.
    pub fn wait(&mut self, now: Time, wait: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.until = self.until.max(now + wait.min(Duration::from_secs(86_400)));
    }

    /// It kept its word. What it was promised before, to be left alone until then, it still is.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Whether it is never asked again.
    #[must_use]
    pub fn given_up(&self) -> bool {
        self.given_up
    }

    /// It lied: never again.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }
}

#[cfg(test)]
#[path = "webseed_tests.rs"]
mod tests;
