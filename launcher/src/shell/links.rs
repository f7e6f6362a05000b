//! What a player is given to add a game by a click: a `samara://` link, or a `.samara` file that brings its trust root.

use serde::Deserialize;
use url::Url;

use crate::shell::deeds::NewGame;

/// Longer links are none of ours, in bytes.
pub const LINK_BYTES_MAX: usize = 4000;
/// Longer files are none of ours, in bytes: a trust root is the most of one.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// What such a file is called at its end.
pub const FILE_ENDING: &str = ".samara";
/// The scheme of links.
pub const SCHEME: &str = "samara";

/// What a link says: `samara://add?repo=ADDRESS&game=ID&root=SHA256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Which game, without its trust root.
    pub new: NewGame,
    /// The SHA-256 of the root, in hex, when the link says it.
    pub sha256: Option<String>,
}

/// Reads a link; an error says what is wrong with it.
///
/// # Errors
/// Another scheme or verb, something missing, said twice, or too long.
pub fn link(text: &str) -> Result<Link, String> {
    if text.len() > LINK_BYTES_MAX {
        return Err("the link is too long".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("it is no link: {error}"))?;
    if url.scheme() != SCHEME || url.host_str() != Some("add") || !matches!(url.path(), "" | "/") {
        return Err("it is not a link of the form samara://add?repo=…&game=…".to_owned());
    }
    let (mut repo, mut game, mut root) = (None, None, None);
    for (key, value) in url.query_pairs() {
        let known = match key.as_ref() {
            "repo" => &mut repo,
            "game" => &mut game,
            "root" => &mut root,
            // Of a later launcher, and not needed by this one.
            _ => continue,
        };
        if known.replace(value.into_owned()).is_some() {
            return Err(format!("the link says its {key} twice"));
        }
    }
    let new = NewGame {
        repo: address(repo.ok_or("the link names no repository")?)?,
        game: repo_game(game.ok_or("the link names no game")?)?,
        root_file: String::new(),
    };
    let sha256 = root.map(|root| root.to_lowercase());
    if sha256.as_ref().is_some_and(|root| root.len() != 64 || !root.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err("the link's root is no SHA-256".to_owned());
    }
    Ok(Link { new, sha256 })
}

/// A `.samara` file: `{"repo": ADDRESS, "game": ID, "root": "…"}`, in `root` the text of root.json: its bytes are what is
/// signed and what the fingerprint is of.
#[derive(Deserialize)]
struct File {
    repo: String,
    game: String,
    root: String,
}

/// Reads the content of a `.samara` file: the game, and the bytes of its root.
///
/// # Errors
/// It is no such file.
pub fn file(bytes: &[u8]) -> Result<(NewGame, Vec<u8>), String> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let new = NewGame { repo: address(file.repo)?, game: repo_game(file.game)?, root_file: String::new() };
    Ok((new, file.root.into_bytes()))
}

fn address(repo: String) -> Result<String, String> {
    match Url::parse(&repo) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(repo),
        _ => Err("the repository's address must begin with https:// or http://".to_owned()),
    }
}

fn repo_game(game: String) -> Result<String, String> {
    let is_id = manifests::release::GameId::parse(&game).is_ok();
    if is_id { Ok(game) } else { Err("its game is no id of a game".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_a_table() {
        let root = "ab".repeat(32);
        for (text, expected) in [
            ("samara://add?repo=https%3A%2F%2Fh%2Fa%2F&game=maple", Ok(("https://h/a/", "maple", None))),
            (
                &*format!("samara://add/?game=maple&repo=http://h&root={}&x=1", root.to_uppercase()),
                Ok(("http://h", "maple", Some(&*root))),
            ),
            ("samara://add?repo=https://h/", Err("no game")),
            ("samara://add?game=maple", Err("no repository")),
            ("samara://add?repo=https://h/&repo=https://g/&game=maple", Err("twice")),
            ("samara://add?repo=file:///etc&game=maple", Err("https://")),
            ("samara://add?repo=https://h/&game=../maple", Err("no id")),
            ("samara://add?repo=https://h/&game=maple&root=abcd", Err("SHA-256")),
            ("samara://remove?repo=https://h/&game=maple", Err("of the form")),
            ("samara://add/x?repo=https://h/&game=maple", Err("of the form")),
            ("https://add?repo=https://h/&game=maple", Err("of the form")),
            ("", Err("no link")),
            (&*format!("samara://add?repo=https://h/&game={}", "a".repeat(5000)), Err("too long")),
        ] {
            match (link(text), expected) {
                (Ok(link), Ok((repo, game, sha256))) => {
                    assert_eq!((&*link.new.repo, &*link.new.game), (repo, game), "{text}");
                    assert_eq!(link.sha256.as_deref(), sha256, "{text}");
                }
                (Err(said), Err(part)) => assert!(said.contains(part), "{text}: {said}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_files_root_is_taken_byte_by_byte() {
        let text =
            br#"{ "repo": "https://h/", "game": "maple", "root": "{ \"signed\": 1.50 }\n", "name":"x"}"#;
        let (new, root) = file(text).unwrap();
        assert_eq!((&*new.repo, &*new.game), ("https://h/", "maple"));
        assert_eq!(root, b"{ \"signed\": 1.50 }\n");
        for wrong in
            ["", "[]", r#"{"repo":"https://h/","game":"maple"}"#, r#"{"repo":"x","game":"m","root":""}"#]
        {
            assert!(file(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
