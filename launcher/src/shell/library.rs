//! The games a player knows: installed, wanted, or only seen.

use std::cmp::Reverse;
use std::path::PathBuf;

use manifests::trust::Signers;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::engine::DEFAULT_CHANNEL;
use crate::shell::preview::{Checked, Receipt};
use crate::shell::record::{self, RecordError};

/// The record's version.
pub const VERSION: u32 = 1;
/// More games than this are not taken into a library.
pub const MAX_GAMES: usize = 5000;

/// Names one game of this library, for as long as the library lives: the same game may be here twice, from two
/// repositories or in two folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GameKey(pub u64);

/// One game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    /// Its name in this library.
    pub key: GameKey,
    /// What the repository calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The repository's address.
    pub repo: String,
    /// Whose signatures are believed.
    pub root: PinnedRoot,
    /// Which channel updates follow.
    pub channel: String,
    /// Stay on this release whatever the channel says.
    #[serde(default)]
    pub pin: Option<String>,
    /// Where it is or will be installed.
    #[serde(default)]
    pub dir: Option<PathBuf>,
    /// What is in the folder already is checked and used, when it is installed there.
    #[serde(default)]
    pub adopt: bool,
    /// The release in the folder, as far as was seen last.
    #[serde(default)]
    pub installed: Option<String>,
    /// Its place among the game's releases, where that is known: the newer, the higher.
    #[serde(default)]
    pub sequence: Option<u64>,
    /// The release that the channel offered when it was asked last.
    #[serde(default)]
    pub offered: Option<String>,
    /// When it came into the library, in seconds since 1970.
    #[serde(default)]
    pub added_at: u64,
    /// When it was played last, in seconds since 1970.
    #[serde(default)]
    pub played_at: Option<u64>,
    /// What the last install or update did cost.
    #[serde(default)]
    pub receipt: Option<Receipt>,
    /// What the last check of every file found.
    #[serde(default)]
    pub checked: Option<Checked>,
    /// Who signs its releases, as its repository proved last.
    #[serde(default)]
    pub signed: Option<Signed>,
    /// Pictures kept beside the library.
    #[serde(default)]
    pub art: Art,
}

impl Game {
    /// A game that nothing is known of but where it comes from.
    #[must_use]
    pub fn new(repo: &str, id: &str, root: PinnedRoot) -> Self {
        Self {
            key: GameKey(0),
            id: id.to_owned(),
            name: id.to_owned(),
            repo: repo.to_owned(),
            root,
            channel: DEFAULT_CHANNEL.to_owned(),
            pin: None,
            dir: None,
            adopt: false,
            installed: None,
            sequence: None,
            offered: None,
            added_at: 0,
            played_at: None,
            receipt: None,
            checked: None,
            signed: None,
            art: Art::default(),
        }
    }
}

/// The trust root a game was added with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedRoot {
    /// The launcher's own copy of root.json.
    pub file: PathBuf,
    /// SHA-256 of it, in hex: what the player compares.
    pub sha256: String,
}

impl PinnedRoot {
    /// The fingerprint in groups of four, as people read it to each other.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        in_fours(&self.sha256)
    }
}

/// Who signs a game's releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Ids of the keys that may.
    pub keys: Vec<String>,
    /// How many of them must.
    pub needed: usize,
    /// The version of the root that names them.
    pub root: u64,
}

impl Signed {
    /// As a repository proved it; none where it told of no key.
    #[must_use]
    pub fn of(signers: &Signers) -> Option<Self> {
        let (needed, root) = (signers.threshold, signers.root_version);
        (!signers.keys.is_empty()).then(|| Self { keys: signers.keys.clone(), needed, root })
    }

    /// The beginnings of the keys' ids, in groups of four.
    #[must_use]
    pub fn short(&self) -> String {
        let keys = self.keys.iter().map(|key| in_fours(key.get(..16).unwrap_or(key)));
        keys.collect::<Vec<_>>().join(", ")
    }
}

/// Hex digits as people read them to each other.
fn in_fours(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let groups: Vec<String> = digits.chunks(4).map(|four| four.iter().collect()).collect();
    groups.join(" ").to_lowercase()
}

/// Pictures of a game: PNG files that are those the studio signed. Nobody has looked yet whether they can be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Art {
    /// Square.
    pub icon: Option<PathBuf>,
    /// Wide.
    pub hero: Option<PathBuf>,
}

/// How games are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Played last first, then added last.
    Recent,
    /// By name.
    Name,
    /// Installed ones first, then by name.
    Installed,
}

/// Why a game is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The same game of the same repository is here.
    #[error("the game is in the library already")]
    Known(GameKey),
    /// [`MAX_GAMES`].
    #[error("the library is full")]
    Full,
    /// The same repository is known here with another root: a link must not change whom a player trusts.
    #[error("the repository is known here with another trust root")]
    OtherRoot(GameKey),
}

/// The games a player knows, in the order in which they came. Keys are unique and never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    version: u32,
    next: u64,
    games: Vec<Game>,
}

impl Default for Library {
    fn default() -> Self {
        Self { version: VERSION, next: 1, games: Vec::new() }
    }
}

impl Library {
    /// Reads the record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut library: Self = record::decode(bytes, VERSION)?;
        let mut keys: Vec<GameKey> = library.games.iter().map(|game| game.key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|two| two.first() == two.last()) || library.games.len() > MAX_GAMES {
            return Err(RecordError::Damaged("games are listed twice".to_owned()));
        }
        let beyond = keys.last().map_or(1, |key| key.0.saturating_add(1));
        library.next = library.next.max(beyond);
        library.version = VERSION;
        Ok(library)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        record::encode(self)
    }

    /// All games, in the order in which they came.
    #[must_use]
    pub fn games(&self) -> &[Game] {
        &self.games
    }

    /// One game.
    #[must_use]
    pub fn get(&self, key: GameKey) -> Option<&Game> {
        self.games.iter().find(|game| game.key == key)
    }

    /// One game, to change what is known of it.
    pub fn get_mut(&mut self, key: GameKey) -> Option<&mut Game> {
        self.games.iter_mut().find(|game| game.key == key)
    }

    /// Takes a game; its key is chosen here.
    ///
    /// # Errors
    /// [`AddError`].
    pub fn add(&mut self, mut game: Game) -> Result<GameKey, AddError> {
        let same_repo = self.games.iter().filter(|known| known.repo == game.repo);
        for known in same_repo {
            if known.root.sha256 != game.root.sha256 {
                return Err(AddError::OtherRoot(known.key));
            }
            if known.id == game.id && (known.dir == game.dir || known.dir.is_none() || game.dir.is_none()) {
                return Err(AddError::Known(known.key));
            }
        }
        if self.games.len() >= MAX_GAMES {
            return Err(AddError::Full);
        }
        let key = GameKey(self.next);
        self.next = self.next.saturating_add(1);
        game.key = key;
        self.games.push(game);
        Ok(key)
    }

    /// Forgets a game; nothing on the disk changes.
    pub fn remove(&mut self, key: GameKey) -> Option<Game> {
        let at = self.games.iter().position(|game| game.key == key)?;
        Some(self.games.remove(at))
    }

    /// The games that fit what was typed, in that order: each word of `query` is in the name or the id. Case and accents do
    /// not count.
    #[must_use]
    pub fn find(&self, query: &str, order: Order) -> Vec<&Game> {
        let query = plain(query);
        let words: Vec<&str> = query.split_whitespace().collect();
        let fits = |game: &&Game| {
            words.is_empty() || {
                let text = format!("{} {}", plain(&game.name), plain(&game.id));
                words.iter().all(|word| text.contains(word))
            }
        };
        let mut found: Vec<&Game> = self.games.iter().filter(fits).collect();
        match order {
            Order::Recent => found.sort_by_key(|game| Reverse((game.played_at, game.added_at, game.key))),
            Order::Name => found.sort_by_cached_key(|game| (plain(&game.name), game.key)),
            Order::Installed => {
                found.sort_by_cached_key(|game| (game.installed.is_none(), plain(&game.name), game.key));
            }
        }
        found
    }
}

/// As names are compared: without accents, in lower case.
fn plain(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A game for tests.
    pub(crate) fn game(id: &str, name: &str) -> Game {
        Game {
            key: GameKey(0),
            id: id.to_owned(),
            name: name.to_owned(),
            repo: format!("https://{id}.example/"),
            root: PinnedRoot { file: "root.json".into(), sha256: "ab".repeat(32) },
            channel: "stable".to_owned(),
            pin: None,
            dir: None,
            adopt: false,
            installed: None,
            sequence: None,
            offered: None,
            added_at: 0,
            played_at: None,
            receipt: None,
            checked: None,
            signed: None,
            art: Art::default(),
        }
    }

    fn library() -> Library {
        let mut library = Library::default();
        for (id, name, installed, played) in [
            ("freeciv", "Freeciv", Some("3.0.6"), None),
            ("etoile", "Étoile Filante", None, Some(50)),
            ("abyss", "Große Tiefe", Some("1"), Some(90)),
            ("zeta", "arcade zone", None, None),
        ] {
            let mut game = game(id, name);
            game.installed = installed.map(str::to_owned);
            game.played_at = played;
            library.add(game).unwrap();
        }
        library
    }

    fn ids(found: &[&Game]) -> String {
        found.iter().map(|game| game.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sorted_and_searched() {
        let library = library();
        for (query, order, expected) in [
            ("", Order::Recent, "abyss etoile zeta freeciv"),
            ("", Order::Name, "zeta etoile freeciv abyss"),
            ("  ", Order::Installed, "freeciv abyss zeta etoile"),
            ("ETOI", Order::Name, "etoile"),
            ("étoile fil", Order::Name, "etoile"),
            ("e", Order::Name, "zeta etoile freeciv abyss"),
            ("tiefe abyss", Order::Name, "abyss"),
            ("tiefe freeciv", Order::Name, ""),
        ] {
            assert_eq!(ids(&library.find(query, order)), expected, "{query:?} {order:?}");
        }
    }

    #[test]
    fn keys_are_never_used_again() {
        let mut library = library();
        let removed = library.remove(GameKey(4)).unwrap();
        assert_eq!(library.add(removed).unwrap(), GameKey(5));
        let read = Library::decode(&library.encode().unwrap()).unwrap();
        assert_eq!(read, library);
    }

    #[test]
    fn a_link_does_not_change_whom_a_player_trusts() {
        let mut library = library();
        let mut other = game("freeciv", "Freeciv");
        assert_eq!(library.add(other.clone()), Err(AddError::Known(GameKey(1))));
        other.id = "second".to_owned();
        other.root.sha256 = "cd".repeat(32);
        assert_eq!(library.add(other), Err(AddError::OtherRoot(GameKey(1))));
    }

    #[test]
    fn two_games_of_one_key_are_no_library() {
        let text = String::from_utf8(library().encode().unwrap()).unwrap();
        let twice = text.replace(r#""key": 2"#, r#""key": 1"#);
        assert_ne!(text, twice);
        assert!(matches!(Library::decode(twice.as_bytes()), Err(RecordError::Damaged(_))));
        let last = text.replace(r#""key": 4"#, &format!(r#""key": {}"#, u64::MAX));
        assert!(Library::decode(last.as_bytes()).is_ok());
    }

    #[test]
    fn fingerprints_are_read_in_groups() {
        let root = PinnedRoot { file: "x".into(), sha256: "ABCDEF0123".into() };
        assert_eq!(root.fingerprint(), "abcd ef01 23");
        let keys = ["AB".repeat(32), "cd".repeat(32)].to_vec();
        let signed = Signed::of(&Signers { keys, threshold: 1, root_version: 2 }).unwrap();
        assert_eq!(signed.short(), "abab abab abab abab, cdcd cdcd cdcd cdcd");
        assert_eq!(Signed::of(&Signers::default()), None);
    }
}
