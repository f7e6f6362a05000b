//! The release manifest: every file of a release by path and identity, and the torrents that carry them.
//!
//! Encoded as `[schema, {field: value}]` in deterministic CBOR inside one zstd frame. The schema stands first, so that
//! a reader meeting a newer one can say so instead of calling the data damaged.

use std::collections::{BTreeMap, BTreeSet};

use super::art::Art;
use super::cbor::{CborError, Reader, Writer};
use super::frame::{self, FrameError};
use super::identity::{FileIdentity, IdentityError, MAX_FILE_BYTES};
use super::ids::{ChannelName, GameId, IdError, Version};
use crate::path::{LinkTarget, PathError, SafePath, SafePathSet};

/// The schema of documents, and of a manifest without pictures.
pub const SCHEMA: u64 = 1;

/// The schema of a manifest with pictures: the newest that is read.
const SCHEMA_ART: u64 = 2;

/// Bounds on a manifest, each named once.
const MAX_PLAIN_BYTES: usize = 128 << 20;
const MAX_FILES: u64 = 500_000;
const MAX_TAGS: u64 = 16;
const MAX_TAG_BYTES: u64 = 64;
const MAX_CHANNELS: u64 = 64;
const MAX_LAUNCH: u64 = 16;
const MAX_PLATFORM_BYTES: u64 = 32;
const MAX_COMMAND_BYTES: u64 = 2048;
const MAX_NOTES_BYTES: u64 = 256 << 10;
const MAX_TOTAL_BYTES: u64 = 1 << 50;
const MIN_PIECE_LEN: u32 = 16 << 10;
const MAX_PIECE_LEN: u32 = 64 << 20;

/// Why a manifest was refused, on writing or reading.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The frame around it.
    #[error("the release manifest could not be opened: {0}")]
    Frame(#[from] FrameError),
    /// Its encoding.
    #[error("the release manifest is malformed: {0}")]
    Cbor(#[from] CborError),
    /// Written by a later Samara.
    #[error("the release manifest has schema {0}, this program reads {SCHEMA_ART}; update the launcher")]
    NewerSchema(u64),
    /// A path in it.
    #[error("the release manifest is refused: {0}")]
    Path(#[from] PathError),
    /// A game, version or channel in it.
    #[error("the release manifest is refused: {0}")]
    Id(#[from] IdError),
    /// An identity in it.
    #[error("the release manifest is refused: {path}: {source}")]
    Identity {
        /// The file.
        path: SafePath,
        /// What is wrong.
        source: IdentityError,
    },
    /// Files not in torrent order, or listed twice.
    #[error("the release manifest lists {0} out of order or twice")]
    Order(SafePath),
    /// Any other rule.
    #[error("the release manifest is refused: {0}")]
    Rule(&'static str),
}

impl ManifestError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Path(error) => error.code(),
            Self::NewerSchema(_) => "E-MANIFEST-NEWER",
            _ => "E-MANIFEST-BAD",
        }
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A symbolic link that stays inside the tree.
    Symlink {
        /// Where it points.
        target: LinkTarget,
    },
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ManifestFile {
    /// Where it goes, below the install folder.
    pub path: SafePath,
    /// Its content; [`FileIdentity::EMPTY`] for a link.
    pub identity: FileIdentity,
    /// Whether its executable bit is set; never for a link.
    pub executable: bool,
    /// File or link.
    pub kind: FileKind,
    /// The studio's labels (a language, a platform), ascending.
    pub tags: Vec<String>,
}

impl ManifestFile {
    /// A regular file without tags.
    pub fn file(path: SafePath, identity: FileIdentity, executable: bool) -> Self {
        Self { path, identity, executable, kind: FileKind::File, tags: Vec::new() }
    }

    /// A symbolic link without tags.
    pub fn symlink(path: SafePath, target: LinkTarget) -> Self {
        let kind = FileKind::Symlink { target };
        Self { path, identity: FileIdentity::EMPTY, executable: false, kind, tags: Vec::new() }
    }

    /// Whether this is a link.
    pub fn is_symlink(&self) -> bool {
        matches!(self.kind, FileKind::Symlink { .. })
    }
}

/// A release: immutable once signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseManifest {
    /// The game.
    pub game: GameId,
    /// The version it is published under.
    pub version: Version,
    /// Grows with every release of the game; what "newer" means. At least 1.
    pub sequence: u64,
    /// The channels that may point at it.
    pub allowed_channels: BTreeSet<ChannelName>,
    /// Every file, in torrent order ([`SafePath`]'s order).
    pub files: Vec<ManifestFile>,
    /// Piece length of its torrents, in bytes.
    pub piece_len: u32,
    /// v1 info-hash of the hybrid content torrent.
    pub info_hash_v1: [u8; 20],
    /// v2 info-hash of the hybrid content torrent.
    pub info_hash_v2: [u8; 32],
    /// Info-hash of the v1-only twin, when one is published.
    pub info_hash_v1_only: Option<[u8; 20]>,
    /// Platform (`linux`, `windows`, `any`) to command line, relative to the install folder.
    pub launch: BTreeMap<String, String>,
    /// Patch notes, plain text or Markdown.
    pub notes: String,
    /// Pictures for launchers.
    pub art: Art,
}

impl ReleaseManifest {
    /// Sum of all file lengths, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.identity.len))
    }

    /// Whether `channel` may point at this release.
    pub fn allows(&self, channel: &ChannelName) -> bool {
        self.allowed_channels.contains(channel)
    }

    /// The bytes to sign and publish. Equal manifests give equal bytes for one version of the zstd library.
    ///
    /// # Errors
    /// [`ManifestError`] when the manifest breaks a rule it would be refused for on reading.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        Ok(frame::pack(&self.to_cbor()?)?)
    }

    /// Reads and checks what [`ReleaseManifest::encode`] wrote.
    ///
    /// # Errors
    /// [`ManifestError`]; no more memory is used than a few times the bytes that are really there.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        Self::from_cbor(&frame::unpack(bytes, MAX_PLAIN_BYTES)?)
    }

    fn to_cbor(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let mut w = Writer::default();
        // Keys in RFC 8949 §4.2.1 order: by length, then by bytes.
        let has_art = !self.art.is_empty();
        let fields = 11 + usize::from(has_art) + usize::from(self.info_hash_v1_only.is_some());
        w.array(2).uint(if has_art { SCHEMA_ART } else { SCHEMA }).map(fields);
        if has_art {
            self.art.write(w.text("art"));
        }
        w.text("game").text(self.game.as_str());
        w.text("files").array(self.files.len());
        for file in &self.files {
            write_file(&mut w, file);
        }
        w.text("notes").text(&self.notes);
        w.text("launch").map(self.launch.len());
        let mut launch: Vec<_> = self.launch.iter().collect();
        launch.sort_by_key(|(platform, _)| (platform.len(), platform.as_bytes()));
        for (platform, command) in launch {
            w.text(platform).text(command);
        }
        w.text("version").text(self.version.as_str());
        w.text("sequence").uint(self.sequence);
        w.text("piece_len").uint(u64::from(self.piece_len));
        w.text("total_len").uint(self.total_bytes());
        w.text("info_hash_v1").bytes(&self.info_hash_v1);
        w.text("info_hash_v2").bytes(&self.info_hash_v2);
        w.text("allowed_channels").array(self.allowed_channels.len());
        for channel in &self.allowed_channels {
            w.text(channel.as_str());
        }
        if let Some(hash) = &self.info_hash_v1_only {
            w.text("info_hash_v1_only").bytes(hash);
        }
        Ok(w.finish())
    }

    fn from_cbor(plain: &[u8]) -> Result<Self, ManifestError> {
        let mut r = Reader::new(plain);
        if r.array("the manifest", 2)? != 2 {
            return Err(ManifestError::Rule("it is not a pair of schema and fields"));
        }
        let least = match r.uint("schema", u64::MAX)? {
            SCHEMA => 11,
            SCHEMA_ART => 12,
            0 => return Err(ManifestError::Rule("schema 0 does not exist")),
            newer => return Err(ManifestError::NewerSchema(newer)),
        };
        let fields = r.map("the fields", least + 1)? as u64;
        if fields < least {
            return Err(ManifestError::Rule("a field is missing"));
        }
        let mut art = Art::default();
        if least == 12 {
            r.key("art")?;
            art = Art::read(&mut r)?;
        }
        r.key("game")?;
        let game = GameId::parse(r.text("game", 64)?)?;
        r.key("files")?;
        let files = read_files(&mut r)?;
        r.key("notes")?;
        let notes = r.text("notes", MAX_NOTES_BYTES)?.to_owned();
        r.key("launch")?;
        let launch = read_launch(&mut r)?;
        r.key("version")?;
        let version = Version::parse(r.text("version", 64)?)?;
        r.key("sequence")?;
        let sequence = r.uint("sequence", i64::MAX as u64)?;
        r.key("piece_len")?;
        let piece_len = r.uint("piece_len", u64::from(MAX_PIECE_LEN))?;
        r.key("total_len")?;
        let total_len = r.uint("total_len", MAX_TOTAL_BYTES)?;
        r.key("info_hash_v1")?;
        let info_hash_v1 = r.fixed("a 20-byte hash")?;
        r.key("info_hash_v2")?;
        let info_hash_v2 = r.fixed("a 32-byte hash")?;
        r.key("allowed_channels")?;
        let allowed_channels = read_channels(&mut r)?;
        let mut info_hash_v1_only = None;
        if fields > least {
            r.key("info_hash_v1_only")?;
            info_hash_v1_only = Some(r.fixed("a 20-byte hash")?);
        }
        r.finish()?;
        let piece_len = u32::try_from(piece_len).map_err(|_| ManifestError::Rule("piece length"))?;
        let manifest = Self {
            game,
            version,
            sequence,
            allowed_channels,
            files,
            piece_len,
            info_hash_v1,
            info_hash_v2,
            info_hash_v1_only,
            launch,
            notes,
            art,
        };
        manifest.check()?;
        if manifest.total_bytes() != total_len {
            return Err(ManifestError::Rule("the total length does not match the files"));
        }
        Ok(manifest)
    }

    /// The rules that hold on both sides of the wire.
    fn check(&self) -> Result<(), ManifestError> {
        let rule = |ok: bool, text| if ok { Ok(()) } else { Err(ManifestError::Rule(text)) };
        rule(self.sequence >= 1 && i64::try_from(self.sequence).is_ok(), "the sequence must be 1 to 2^63-1")?;
        rule(!self.files.is_empty(), "it has no files")?;
        rule(self.files.len() as u64 <= MAX_FILES, "it has more than 500000 files")?;
        rule(
            self.piece_len.is_power_of_two() && (MIN_PIECE_LEN..=MAX_PIECE_LEN).contains(&self.piece_len),
            "the piece length must be a power of two from 16 KiB to 64 MiB",
        )?;
        rule(self.allowed_channels.len() as u64 <= MAX_CHANNELS, "it allows more than 64 channels")?;
        rule(self.notes.len() as u64 <= MAX_NOTES_BYTES, "the notes are longer than 256 KiB")?;
        rule(self.launch.len() as u64 <= MAX_LAUNCH, "it has launch commands for more than 16 platforms")?;
        for (platform, command) in &self.launch {
            let plain = !platform.is_empty()
                && platform.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            rule(plain && platform.len() as u64 <= MAX_PLATFORM_BYTES, "a platform name is not plain ASCII")?;
            rule(
                !command.is_empty()
                    && command.len() as u64 <= MAX_COMMAND_BYTES
                    && !command.contains(char::is_control),
                "a launch command is empty, too long or has control characters",
            )?;
        }
        self.art.check()?;
        let mut total = 0u64;
        let mut names = SafePathSet::new();
        let mut previous: Option<&SafePath> = None;
        for file in &self.files {
            if previous.is_some_and(|before| *before >= file.path) {
                return Err(ManifestError::Order(file.path.clone()));
            }
            previous = Some(&file.path);
            names.insert(&file.path)?;
            check_file(file)?;
            total = total.saturating_add(file.identity.len);
        }
        rule(total <= MAX_TOTAL_BYTES, "its files are longer than any release accepted")
    }
}

fn check_file(file: &ManifestFile) -> Result<(), ManifestError> {
    let FileIdentity { len, root } = file.identity;
    FileIdentity::new(len, root)
        .map_err(|source| ManifestError::Identity { path: file.path.clone(), source })?;
    if let FileKind::Symlink { target } = &file.kind {
        // A target is parsed against the link's own path: one moved to another file could lead out.
        if LinkTarget::parse(&file.path, target.as_str())? != *target {
            return Err(ManifestError::Rule("a link's target belongs to another path"));
        }
        if file.executable || !file.identity.is_empty() {
            return Err(ManifestError::Rule("a link has content or an executable bit"));
        }
    }
    let tag_ok = |tag: &String| {
        !tag.is_empty() && tag.len() as u64 <= MAX_TAG_BYTES && !tag.contains(char::is_control)
    };
    if file.tags.len() as u64 > MAX_TAGS
        || !file.tags.iter().all(tag_ok)
        || !file.tags.windows(2).all(|pair| pair.first() < pair.last())
    {
        return Err(ManifestError::Rule("a file's tags are too many, malformed or not ascending"));
    }
    Ok(())
}

const KIND_FILE: u64 = 0;
const KIND_EXECUTABLE: u64 = 1;
const KIND_SYMLINK: u64 = 2;

/// `[path, kind, len, root or link text, [tags]]`.
fn write_file(w: &mut Writer, file: &ManifestFile) {
    w.array(5).text(file.path.as_str());
    match &file.kind {
        FileKind::Symlink { target } => w.uint(KIND_SYMLINK).uint(0).text(target.as_str()),
        FileKind::File => {
            let root: &[u8] = if file.identity.is_empty() { &[] } else { &file.identity.root };
            let kind = if file.executable { KIND_EXECUTABLE } else { KIND_FILE };
            w.uint(kind).uint(file.identity.len).bytes(root)
        }
    };
    w.array(file.tags.len());
    for tag in &file.tags {
        w.text(tag);
    }
}

fn read_files(r: &mut Reader<'_>) -> Result<Vec<ManifestFile>, ManifestError> {
    let count = r.array("files", MAX_FILES)?;
    // A file takes at least 8 bytes of input but more memory here: grow as files really arrive.
    let mut files = Vec::with_capacity(count.min(4096));
    for _ in 0..count {
        files.push(read_file(r)?);
    }
    Ok(files)
}

fn read_file(r: &mut Reader<'_>) -> Result<ManifestFile, ManifestError> {
    if r.array("a file", 5)? != 5 {
        return Err(ManifestError::Rule("a file entry has a missing part"));
    }
    let path = SafePath::parse(r.text("path", crate::path::MAX_PATH_BYTES as u64)?)?;
    let kind = r.uint("kind", KIND_SYMLINK)?;
    let len = r.uint("length", MAX_FILE_BYTES)?;
    let mut file = if kind == KIND_SYMLINK {
        if len != 0 {
            return Err(ManifestError::Rule("a link has content or an executable bit"));
        }
        let target = LinkTarget::parse(&path, r.text("link", crate::path::MAX_PATH_BYTES as u64)?)?;
        ManifestFile::symlink(path, target)
    } else {
        let root: [u8; 32] = if len == 0 {
            let [] = r.fixed("no root for an empty file")?;
            [0; 32]
        } else {
            r.fixed("a 32-byte root")?
        };
        ManifestFile::file(path, FileIdentity { len, root }, kind == KIND_EXECUTABLE)
    };
    for _ in 0..r.array("tags", MAX_TAGS)? {
        file.tags.push(r.text("tag", MAX_TAG_BYTES)?.to_owned());
    }
    Ok(file)
}

fn read_launch(r: &mut Reader<'_>) -> Result<BTreeMap<String, String>, ManifestError> {
    let mut launch = BTreeMap::new();
    let mut previous: Option<(usize, &str)> = None;
    for _ in 0..r.map("launch", MAX_LAUNCH)? {
        let at = r.at();
        let platform = r.text("platform", MAX_PLATFORM_BYTES)?;
        let key = (platform.len(), platform);
        if previous.is_some_and(|before| before >= key) {
            return Err(CborError::NotDeterministic { at }.into());
        }
        previous = Some(key);
        launch.insert(platform.to_owned(), r.text("command", MAX_COMMAND_BYTES)?.to_owned());
    }
    Ok(launch)
}

fn read_channels(r: &mut Reader<'_>) -> Result<BTreeSet<ChannelName>, ManifestError> {
    let mut channels = BTreeSet::new();
    for _ in 0..r.array("allowed_channels", MAX_CHANNELS)? {
        let at = r.at();
        let channel = ChannelName::parse(r.text("channel", 64)?)?;
        if channels.last().is_some_and(|before| *before >= channel) {
            return Err(CborError::NotDeterministic { at }.into());
        }
        channels.insert(channel);
    }
    Ok(channels)
}

#[cfg(test)]
pub(super) mod tests;
