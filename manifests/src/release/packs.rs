//! The pack list: which packs turn earlier builds into a release, and where they are.
//!
//! A target of its own beside the manifest, signed by the same offline role. The manifest never changes; this list is
//! replaced by a later revision when better packs follow. Nothing but this list says which bytes a pack has, so a
//! launcher that reached it from its pinned root believes no server about a pack.
//!
//! Encoded as the manifest is: `[schema, {field: value}]` in deterministic CBOR inside one zstd frame.

use super::cbor::{CborError, Reader, Writer};
use super::frame::{self, FrameError};
use super::identity::{FileIdentity, IdentityError, MAX_FILE_BYTES};
use super::ids::{GameId, IdError, MAX_ID_BYTES, Version};

/// The pack list schema this code writes and reads.
pub const PACKS_SCHEMA: u64 = 1;
/// Longest pack list read, in bytes as published.
pub const MAX_PACK_LIST_BYTES: u64 = 256 << 10;
/// Most packs one release has.
pub const MAX_PACKS: usize = 256;
/// Longest index of a pack accepted, in bytes as published.
pub const MAX_PACK_INDEX_BYTES: u64 = 64 << 20;
/// Most memory one frame of a pack may ask of a player, in bytes.
pub const MAX_PACK_MEMORY_BYTES: u64 = 64 << 20;

/// A thousand bytes an entry would be much: five hashes, a version, numbers.
const MAX_PLAIN_BYTES: usize = 1 << 20;
const MAX_LEVEL_BYTES: u64 = 16;
const MIN_PIECE_LEN: u32 = 16 << 10;
const MAX_PIECE_LEN: u32 = 64 << 20;

/// Why a pack list was refused, on writing or reading.
#[derive(Debug, thiserror::Error)]
pub enum PackListError {
    /// The frame around it.
    #[error("the pack list could not be opened: {0}")]
    Frame(#[from] FrameError),
    /// Its encoding.
    #[error("the pack list is malformed: {0}")]
    Cbor(#[from] CborError),
    /// More bytes than [`MAX_PACK_LIST_BYTES`].
    #[error("the pack list is larger than {MAX_PACK_LIST_BYTES} bytes")]
    TooLarge,
    /// Written by a later Samara.
    #[error("the pack list has schema {0}, this program reads {PACKS_SCHEMA}; update the launcher")]
    NewerSchema(u64),
    /// A game or version in it.
    #[error("the pack list is refused: {0}")]
    Id(#[from] IdError),
    /// A pack's identity.
    #[error("the pack list is refused: {0}")]
    Identity(#[from] IdentityError),
    /// Any other rule.
    #[error("the pack list is refused: {0}")]
    Rule(&'static str),
}

impl PackListError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        if matches!(self, Self::NewerSchema(_)) { "E-PACKS-NEWER" } else { "E-PACKS-BAD" }
    }
}

/// The build a pack starts from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackBase {
    /// The release that build was published as.
    pub version: Version,
    /// Its sequence.
    pub sequence: u64,
    /// Its tree id: the base can be recognised without its manifest.
    pub tree: [u8; 32],
}

/// One pack of a release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackEntry {
    /// What it starts from; `None` for the full pack, which needs nothing.
    pub base: Option<PackBase>,
    /// Length and pieces root of the pack file: its name in `packs/`.
    pub identity: FileIdentity,
    /// Length in bytes of the index, as published beside the pack.
    pub index_len: u64,
    /// SHA-256 of the index, as published beside the pack.
    pub index_sha256: [u8; 32],
    /// Piece length of its torrent, in bytes.
    pub piece_len: u32,
    /// v1 info-hash of its torrent.
    pub info_hash_v1: [u8; 20],
    /// v2 info-hash of its torrent.
    pub info_hash_v2: [u8; 32],
    /// Version of the encoder that made it.
    pub encoder: u32,
    /// The level it was made at, as the studio named it: for people and for `optimize`.
    pub level: String,
    /// The most memory one of its frames needs, in bytes.
    pub memory: u64,
}

impl PackEntry {
    /// `<root>-<len>.pack`, its name below `packs/`.
    pub fn file_name(&self) -> String {
        format!("{}.pack", self.identity)
    }

    /// `<root>-<len>.index`, the name of its index below `packs/`.
    pub fn index_name(&self) -> String {
        format!("{}.index", self.identity)
    }

    /// `<root>-<len>.leaves`, the name of its block hashes below `packs/`: there when it is larger than one piece.
    pub fn leaves_name(&self) -> String {
        format!("{}.leaves", self.identity)
    }

    /// The version it starts from; `None` for the full pack.
    pub fn base_version(&self) -> Option<&Version> {
        self.base.as_ref().map(|base| &base.version)
    }
}

/// What a pack's torrent is called, and so its one file: `<game>-<base or "full">-<version>.pack`.
pub fn pack_torrent_name(game: &GameId, base: Option<&Version>, version: &Version) -> String {
    format!("{game}-{}-{version}.pack", base.map_or("full", Version::as_str))
}

/// The packs of a release, as of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackList {
    /// The game.
    pub game: GameId,
    /// The release they lead to.
    pub version: Version,
    /// Grows with every signed change of the list. At least 1.
    pub revision: u64,
    /// Tree id of the release they lead to.
    pub target: [u8; 32],
    /// The packs: the full one first, then by the sequence of the base; one per base.
    pub packs: Vec<PackEntry>,
}

impl PackList {
    /// The pack that starts from `base`, or the full pack for `None`.
    pub fn from_base(&self, base: Option<&Version>) -> Option<&PackEntry> {
        self.packs.iter().find(|pack| pack.base_version() == base)
    }

    /// Puts a pack in its place, instead of the one from the same base.
    pub fn insert(&mut self, pack: PackEntry) {
        self.packs.retain(|there| there.base_version() != pack.base_version());
        let at = self.packs.partition_point(|there| order(there) < order(&pack));
        self.packs.insert(at, pack);
    }

    /// The bytes to sign and publish. Equal lists give equal bytes for one version of the zstd library.
    ///
    /// # Errors
    /// [`PackListError`] when the list breaks a rule it would be refused for on reading.
    pub fn encode(&self) -> Result<Vec<u8>, PackListError> {
        let bytes = frame::pack(&self.to_cbor()?)?;
        if bytes.len() as u64 > MAX_PACK_LIST_BYTES { Err(PackListError::TooLarge) } else { Ok(bytes) }
    }

    /// Reads and checks what [`PackList::encode`] wrote.
    ///
    /// # Errors
    /// [`PackListError`]; no more than 1 MiB is unpacked, whatever the bytes say.
    pub fn decode(bytes: &[u8]) -> Result<Self, PackListError> {
        if bytes.len() as u64 > MAX_PACK_LIST_BYTES {
            return Err(PackListError::TooLarge);
        }
        Self::from_cbor(&frame::unpack(bytes, MAX_PLAIN_BYTES)?)
    }

    fn to_cbor(&self) -> Result<Vec<u8>, PackListError> {
        self.check()?;
        let mut w = Writer::default();
        // Keys in RFC 8949 §4.2.1 order: by length, then by bytes.
        w.array(2).uint(PACKS_SCHEMA).map(5);
        w.text("game").text(self.game.as_str());
        w.text("packs").array(self.packs.len());
        for pack in &self.packs {
            write_pack(&mut w, pack);
        }
        w.text("target").bytes(&self.target);
        w.text("version").text(self.version.as_str());
        w.text("revision").uint(self.revision);
        Ok(w.finish())
    }

    fn from_cbor(plain: &[u8]) -> Result<Self, PackListError> {
        let mut r = Reader::new(plain);
        if r.array("the pack list", 2)? != 2 {
            return Err(PackListError::Rule("it is not a pair of schema and fields"));
        }
        match r.uint("schema", u64::MAX)? {
            PACKS_SCHEMA => {}
            0 => return Err(PackListError::Rule("schema 0 does not exist")),
            newer => return Err(PackListError::NewerSchema(newer)),
        }
        if r.map("the fields", 5)? != 5 {
            return Err(PackListError::Rule("a field is missing"));
        }
        r.key("game")?;
        let game = GameId::parse(r.text("game", MAX_ID_BYTES as u64)?)?;
        r.key("packs")?;
        let count = r.array("packs", MAX_PACKS as u64)?;
        // A pack takes some 200 bytes of input: the count cannot outgrow what is there by much.
        let packs = (0..count).map(|_| read_pack(&mut r)).collect::<Result<_, _>>()?;
        r.key("target")?;
        let target = r.fixed("a 32-byte tree id")?;
        r.key("version")?;
        let version = Version::parse(r.text("version", MAX_ID_BYTES as u64)?)?;
        r.key("revision")?;
        let revision = r.uint("revision", i64::MAX as u64)?;
        r.finish()?;
        let list = Self { game, version, revision, target, packs };
        list.check()?;
        Ok(list)
    }

    /// The rules that hold on both sides of the wire.
    fn check(&self) -> Result<(), PackListError> {
        let rule = |ok: bool, text| if ok { Ok(()) } else { Err(PackListError::Rule(text)) };
        rule(self.revision >= 1 && i64::try_from(self.revision).is_ok(), "the revision must be 1 to 2^63-1")?;
        rule(self.packs.len() <= MAX_PACKS, "it has more than 256 packs")?;
        for pack in &self.packs {
            check_pack(pack)?;
            rule(pack.base_version() != Some(&self.version), "a pack starts from the release it leads to")?;
        }
        let ascending = self.packs.windows(2).all(|pair| pair.first().map(order) < pair.last().map(order));
        rule(ascending, "its packs are out of order, or two start from one base")?;
        let mut versions: Vec<_> = self.packs.iter().map(PackEntry::base_version).collect();
        versions.sort_unstable();
        versions.dedup();
        rule(versions.len() == self.packs.len(), "two packs start from one base")
    }
}

/// The full pack, then by the base's sequence.
fn order(pack: &PackEntry) -> Option<u64> {
    pack.base.as_ref().map(|base| base.sequence)
}

fn check_pack(pack: &PackEntry) -> Result<(), PackListError> {
    let rule = |ok: bool, text| if ok { Ok(()) } else { Err(PackListError::Rule(text)) };
    FileIdentity::new(pack.identity.len, pack.identity.root)?;
    rule(!pack.identity.is_empty(), "a pack is empty")?;
    rule(
        pack.base.as_ref().is_none_or(|base| base.sequence >= 1 && i64::try_from(base.sequence).is_ok()),
        "a base's sequence must be 1 to 2^63-1",
    )?;
    rule(
        (1..=MAX_PACK_INDEX_BYTES).contains(&pack.index_len) && pack.index_len < pack.identity.len,
        "an index is empty, longer than accepted, or longer than its pack",
    )?;
    rule(
        pack.piece_len.is_power_of_two() && (MIN_PIECE_LEN..=MAX_PIECE_LEN).contains(&pack.piece_len),
        "the piece length must be a power of two from 16 KiB to 64 MiB",
    )?;
    rule(pack.memory <= MAX_PACK_MEMORY_BYTES, "a pack asks for more than 64 MiB of memory")?;
    let plain = pack.level.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    rule(
        plain && !pack.level.is_empty() && pack.level.len() as u64 <= MAX_LEVEL_BYTES,
        "a level's name is not 1 to 16 of a-z 0-9",
    )
}

/// `[[version, sequence, tree] or [], len, root, index len, index hash, piece len, v1, v2, encoder, level, memory]`.
fn write_pack(w: &mut Writer, pack: &PackEntry) {
    w.array(11);
    match &pack.base {
        None => w.array(0),
        Some(base) => w.array(3).text(base.version.as_str()).uint(base.sequence).bytes(&base.tree),
    };
    w.uint(pack.identity.len).bytes(&pack.identity.root);
    w.uint(pack.index_len).bytes(&pack.index_sha256);
    w.uint(u64::from(pack.piece_len)).bytes(&pack.info_hash_v1).bytes(&pack.info_hash_v2);
    w.uint(u64::from(pack.encoder)).text(&pack.level).uint(pack.memory);
}

fn read_pack(r: &mut Reader<'_>) -> Result<PackEntry, PackListError> {
    if r.array("a pack", 11)? != 11 {
        return Err(PackListError::Rule("a pack's entry has a missing part"));
    }
    let base = match r.array("a base", 3)? {
        0 => None,
        3 => Some(PackBase {
            version: Version::parse(r.text("version", MAX_ID_BYTES as u64)?)?,
            sequence: r.uint("sequence", i64::MAX as u64)?,
            tree: r.fixed("a 32-byte tree id")?,
        }),
        _ => return Err(PackListError::Rule("a base has a missing part")),
    };
    let len = r.uint("length", MAX_FILE_BYTES)?;
    let root = r.fixed("a 32-byte root")?;
    Ok(PackEntry {
        base,
        identity: FileIdentity { len, root },
        index_len: r.uint("index length", MAX_PACK_INDEX_BYTES)?,
        index_sha256: r.fixed("a 32-byte hash")?,
        piece_len: u32_of(r, "piece length")?,
        info_hash_v1: r.fixed("a 20-byte hash")?,
        info_hash_v2: r.fixed("a 32-byte hash")?,
        encoder: u32_of(r, "encoder version")?,
        level: r.text("level", MAX_LEVEL_BYTES)?.to_owned(),
        memory: r.uint("memory", MAX_PACK_MEMORY_BYTES)?,
    })
}

fn u32_of(r: &mut Reader<'_>, what: &'static str) -> Result<u32, PackListError> {
    let value = r.uint(what, u64::from(u32::MAX))?;
    u32::try_from(value).map_err(|_| PackListError::Rule("a number has more than 32 bits"))
}

#[cfg(test)]
pub(crate) mod tests;
