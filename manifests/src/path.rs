//! `SafePath`: the only way a name from outside becomes a path.
//!
//! A name is rejected, never repaired: what is accepted here can be created, with exactly this spelling, on every
//! platform a launcher runs on, and cannot lead out of the folder it is joined to. The checks are the same on all
//! platforms, so a build that Windows could not hold is refused when it is published.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use unicode_normalization::UnicodeNormalization;

/// Longest accepted path, in UTF-8 bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// Longest accepted component, in UTF-8 bytes (the limit of ext4, NTFS counts more generously).
pub const MAX_NAME_BYTES: usize = 255;
/// Most components in a path.
pub const MAX_DEPTH: usize = 64;
/// The launcher's own folder below an install; no release may write there.
pub const PRIVATE_DIR: &str = ".samara";

/// Why a name was refused. The offending path is carried in a printable form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name {path:?} cannot be used: {reason}")]
pub struct PathError {
    /// The refused path, escaped by `Debug` when shown.
    pub path: String,
    /// What is wrong with it.
    pub reason: PathFault,
}

impl PathError {
    /// Stable code for logs, `--json` output and the help pages.
    pub fn code(&self) -> &'static str {
        match self.reason {
            PathFault::Collision { .. } | PathFault::FileAndFolder { .. } => "E-PATH-COLLISION",
            PathFault::LinkLeadsOut => "E-PATH-LINK",
            _ => "E-PATH-NAME",
        }
    }
}

/// The rule a name broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// No name at all, or two slashes in a row, or a slash at either end (an absolute path among them).
    #[error("it has an empty part (a slash at an end, or two in a row)")]
    EmptyPart,
    /// `.` or `..`.
    #[error("`.` and `..` are not allowed")]
    Dots,
    /// Longer than [`MAX_PATH_BYTES`], [`MAX_NAME_BYTES`] or [`MAX_DEPTH`].
    #[error(
        "it is too long (at most {MAX_PATH_BYTES} bytes, {MAX_NAME_BYTES} bytes a part, {MAX_DEPTH} parts)"
    )]
    TooLong,
    /// A character Windows gives a meaning of its own: `\ : < > " | ? *`.
    #[error("the character {0:?} has a special meaning on Windows")]
    Reserved(char),
    /// NUL, other control characters, line separators, non-characters.
    #[error("it contains a control character (U+{:04X})", u32::from(*.0))]
    Control(char),
    /// A character that changes the direction of text, and so hides what the name says.
    #[error("it contains a text direction control (U+{:04X})", u32::from(*.0))]
    Bidi(char),
    /// `CON`, `NUL`, `COM1`, … with any extension.
    #[error("`{0}` names a device on Windows")]
    Device(String),
    /// Windows drops a dot or a space at the end of a name.
    #[error("a part ends with a dot or a space, which Windows drops")]
    TrailingDotOrSpace,
    /// [`PRIVATE_DIR`] or a name some file system takes for it.
    #[error("`{PRIVATE_DIR}` is kept for the launcher")]
    Private,
    /// Two names that some file system cannot tell apart.
    #[error("it is the same name as {other:?} where upper and lower case are not told apart")]
    Collision {
        /// The earlier name.
        other: String,
    },
    /// One path is a file, another needs it to be a folder.
    #[error("{other:?} cannot be both a file and a folder")]
    FileAndFolder {
        /// The path in both uses.
        other: String,
    },
    /// A symbolic link whose target is absolute, outside the tree, or the tree itself.
    #[error("the link leads out of the build")]
    LinkLeadsOut,
    /// Not UTF-8 (seen when a build folder is read).
    #[error("it is not valid Unicode")]
    NotUnicode,
}

/// A relative path with `/` between its parts, safe to create below any folder on any platform.
///
/// Ordered as BEP 52 orders a file tree: part by part, by bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SafePath(String);

impl SafePath {
    /// Checks `text` against every rule of this module.
    ///
    /// # Errors
    /// [`PathError`] names the first rule broken.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match check(text) {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(reason) => Err(PathError { path: printable(text), reason }),
        }
    }

    /// The launcher's own place for undo data, which no release can name.
    pub(crate) fn undo(record: u32, slot: u32) -> Self {
        Self(format!("{PRIVATE_DIR}/undo/{record}/{slot}"))
    }

    /// Joins and checks parts, as metainfo files list them. A part with a slash in it is refused.
    ///
    /// # Errors
    /// As [`SafePath::parse`].
    pub fn from_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        let mut text = String::new();
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                text.push('/');
            }
            text.push_str(part);
            if part.contains('/') {
                return Err(PathError { path: printable(&text), reason: PathFault::Reserved('/') });
            }
            if text.len() > MAX_PATH_BYTES {
                return Err(PathError { path: printable(&text), reason: PathFault::TooLong });
            }
        }
        Self::parse(&text)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts, outermost first; never empty.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder it lies in, or `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(dir, _)| Self(dir.to_owned()))
    }

    /// As a path of this platform, still relative.
    pub fn to_native(&self) -> PathBuf {
        self.parts().collect()
    }

    /// The form under which names are compared where case and composition do not count
    /// (Unicode D145: NFD, fold, then composed again).
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl Ord for SafePath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // By parts: a folder's files lie together, so `/` comes before every other byte. In one pass, for maps of a
        // hundred thousand paths are searched by it.
        let (one, two) = (self.0.as_bytes(), other.0.as_bytes());
        // Neighbours share most of their folders: what is the same is passed over by the word.
        let words = one.as_chunks::<16>().0.iter().zip(two.as_chunks::<16>().0);
        let same = words.take_while(|(one, two)| one == two).count() * 16;
        let differ = one.iter().zip(two).skip(same).find(|(one, two)| one != two);
        match differ {
            None => one.len().cmp(&two.len()),
            Some((b'/', _)) => std::cmp::Ordering::Less,
            Some((_, b'/')) => std::cmp::Ordering::Greater,
            Some((one, two)) => one.cmp(two),
        }
    }
}

impl PartialOrd for SafePath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for SafePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for SafePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for SafePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        check(&text).map_err(|reason| PathError { path: printable(&text), reason })?;
        Ok(Self(text))
    }
}

impl From<SafePath> for String {
    fn from(path: SafePath) -> Self {
        path.0
    }
}

impl serde::Serialize for SafePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for SafePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::try_from(text).map_err(serde::de::Error::custom)
    }
}

/// The text of a symbolic link, known to stay inside the tree it belongs to.
///
/// Only leading `..` are accepted. The folders above a link are real folders (nothing in a release lies below a link),
/// so these can be counted without asking a file system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkTarget {
    text: String,
    resolved: SafePath,
}

impl LinkTarget {
    /// Checks the text of the link found at `link`.
    ///
    /// # Errors
    /// [`PathFault::LinkLeadsOut`], or the rule that the part below the `..` broke.
    pub fn parse(link: &SafePath, text: &str) -> Result<Self, PathError> {
        let leads_out = || PathError { path: printable(text), reason: PathFault::LinkLeadsOut };
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError { path: printable(text), reason: PathFault::TooLong });
        }
        let mut folder: Vec<&str> = link.parts().collect();
        folder.pop();
        let mut rest = text;
        while let Some(below) = rest.strip_prefix("../") {
            folder.pop().ok_or_else(leads_out)?;
            rest = below;
        }
        if rest.is_empty()
            || rest.starts_with('/')
            || rest == ".."
            || rest.split('/').any(|part| part == "..")
        {
            return Err(leads_out());
        }
        let resolved = SafePath::from_parts(folder.into_iter().chain(rest.split('/')))?;
        Ok(Self { text: text.to_owned(), resolved })
    }

    /// The text as the studio wrote it: relative to the link's own folder.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it points, from the top of the tree.
    pub fn resolved(&self) -> &SafePath {
        &self.resolved
    }
}

/// The names of one tree, told apart on every platform.
///
/// Folders count too: `Data/a` with `data/b` is one folder on Windows and two on Linux, so it is refused.
#[derive(Debug, Default)]
pub struct SafePathSet {
    /// Folded path to its one spelling, and whether it is a folder.
    names: HashMap<String, (String, bool)>,
    files: usize,
}

impl SafePathSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file (or link), and the folders above it.
    ///
    /// # Errors
    /// [`PathFault::Collision`] or [`PathFault::FileAndFolder`]; folders added on the way stay in the set.
    pub fn insert(&mut self, path: &SafePath) -> Result<(), PathError> {
        let refuse = |reason| Err(PathError { path: path.0.clone(), reason });
        let ends = path.0.match_indices('/').map(|(at, _)| (at, true)).chain([(path.0.len(), false)]);
        let mut folded = String::new();
        let mut start = 0;
        for (end, is_folder) in ends {
            if start > 0 {
                folded.push('/');
            }
            folded.push_str(&fold(path.0.get(start..end).unwrap_or_default()));
            start = end + 1;
            let spelling = path.0.get(..end).unwrap_or_default();
            match self.names.get(&folded) {
                None => drop(self.names.insert(folded.clone(), (spelling.to_owned(), is_folder))),
                Some((other, _)) if other != spelling => {
                    return refuse(PathFault::Collision { other: other.clone() });
                }
                Some((other, true)) if is_folder => debug_assert_eq!(other, spelling),
                Some((other, false)) if !is_folder => {
                    return refuse(PathFault::Collision { other: other.clone() });
                }
                Some((other, _)) => return refuse(PathFault::FileAndFolder { other: other.clone() }),
            }
        }
        self.files += 1;
        Ok(())
    }

    /// Files added so far.
    pub fn len(&self) -> usize {
        self.files
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.files == 0
    }
}

fn check(text: &str) -> Result<(), PathFault> {
    if text.len() > MAX_PATH_BYTES {
        return Err(PathFault::TooLong);
    }
    let mut depth = 0;
    for part in text.split('/') {
        check_part(part)?;
        depth += 1;
        if depth > MAX_DEPTH {
            return Err(PathFault::TooLong);
        }
    }
    if is_private(text.split('/').next().unwrap_or_default()) {
        return Err(PathFault::Private);
    }
    Ok(())
}

fn check_part(part: &str) -> Result<(), PathFault> {
    if part.is_empty() {
        return Err(PathFault::EmptyPart);
    }
    if part == "." || part == ".." {
        return Err(PathFault::Dots);
    }
    if part.len() > MAX_NAME_BYTES {
        return Err(PathFault::TooLong);
    }
    // As nearly all names are: nothing that the table of characters would refuse.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    if !part.bytes().all(plain) {
        check_characters(part)?;
    }
    if part.ends_with(['.', ' ']) {
        return Err(PathFault::TrailingDotOrSpace);
    }
    match device_name(part) {
        Some(device) => Err(PathFault::Device(device)),
        None => Ok(()),
    }
}

fn check_characters(part: &str) -> Result<(), PathFault> {
    for c in part.chars() {
        match c {
            '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*' => return Err(PathFault::Reserved(c)),
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                return Err(PathFault::Bidi(c));
            }
            '\u{2028}' | '\u{2029}' | '\u{FDD0}'..='\u{FDEF}' => return Err(PathFault::Control(c)),
            _ if c.is_control() || u32::from(c) & 0xFFFE == 0xFFFE => return Err(PathFault::Control(c)),
            _ => {}
        }
    }
    Ok(())
}

/// The Windows device a name stands for: the part before the first dot, without trailing spaces, any case.
/// Windows also takes the superscript digits for `COM1` to `COM3`.
pub(crate) fn device_name(part: &str) -> Option<String> {
    // Most names are others, and every name of a release is asked for.
    if part.is_ascii() && !begins_like_device(part) {
        return None;
    }
    let stem = part.split('.').next().unwrap_or_default().trim_end_matches(' ').to_uppercase();
    let numbered = |port: &str| {
        stem.strip_prefix(port).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        })
    };
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$")
        || numbered("COM")
        || numbered("LPT");
    device.then_some(stem)
}

fn begins_like_device(name: &str) -> bool {
    let first = name.get(..3).unwrap_or_default();
    let devices = ["con", "prn", "aux", "nul", "clo", "com", "lpt"];
    devices.iter().any(|device| device.eq_ignore_ascii_case(first))
}

/// [`PRIVATE_DIR`], or a name that NTFS (short names) or HFS+ (ignored code points) takes for it.
fn is_private(part: &str) -> bool {
    // Every path of a release comes by: most need no copy of their first part.
    if part.is_ascii() && !part.starts_with(['.', 's', 'S']) {
        return false;
    }
    let plain: String = part
        .chars()
        .filter(|c| {
            !matches!(c, '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{206A}'..='\u{206F}' | '\u{FEFF}')
        })
        .collect();
    let folded = fold(&plain);
    if folded == PRIVATE_DIR {
        return true;
    }
    folded
        .strip_prefix("samara~")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed: String = text.nfd().collect();
    caseless::default_case_fold_str(&decomposed).nfc().collect()
}

/// Bounded copy for messages; `Debug` escapes it when shown.
fn printable(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
