//! How a game is started: its release's command line, read without a shell.

use std::collections::BTreeMap;

use manifests::path::SafePath;
use manifests::release::ReleaseManifest;

/// A program of the game and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    /// A file of the release.
    pub(crate) program: SafePath,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
}

/// How the release is started on `platform` (`linux`, `windows`, `macos`), or why it cannot be.
pub(crate) fn launch(manifest: &ReleaseManifest, platform: &str) -> Result<Launch, String> {
    let line = command(&manifest.launch, platform).ok_or_else(|| {
        format!("release {} does not say how it is started on {platform}", manifest.version)
    })?;
    let mut words =
        words(line).ok_or_else(|| format!("in its command {line:?} a quotation mark is missing"))?;
    if words.is_empty() {
        return Err("its command is empty".to_owned());
    }
    let name = words.remove(0);
    // Studios write what they would type.
    let plain = name.strip_prefix("./").unwrap_or(&name).replace('\\', "/");
    let program = SafePath::parse(&plain).map_err(|error| format!("its program {name:?}: {error}"))?;
    // What is not the release's was vouched for by nobody.
    if !manifest.files.iter().any(|file| file.path == program) {
        return Err(format!("its program {name:?} is no file of release {}", manifest.version));
    }
    Ok(Launch { program, arguments: words })
}

fn command<'a>(launch: &'a BTreeMap<String, String>, platform: &str) -> Option<&'a str> {
    launch.get(platform).or_else(|| launch.get("any")).map(String::as_str)
}

/// Words apart by spaces; double quotes keep spaces in a word. None when one is left open.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for char in line.chars() {
        match char {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    (!quoted).then_some(words)
}

#[cfg(test)]
mod tests {
    use manifests::release::{Art, FileIdentity, GameId, ManifestFile, Version};

    use super::*;

    fn manifest(launch: &[(&str, &str)]) -> ReleaseManifest {
        let file = |path: &str| ManifestFile::file(SafePath::parse(path).unwrap(), FileIdentity::EMPTY, true);
        ReleaseManifest {
            game: GameId::parse("maple").unwrap(),
            version: Version::parse("1.0").unwrap(),
            sequence: 1,
            allowed_channels: Default::default(),
            files: ["bin/my game", "game.exe", "run"].map(file).into(),
            piece_len: 1 << 16,
            info_hash_v1: [0; 20],
            info_hash_v2: [0; 32],
            info_hash_v1_only: None,
            launch: launch.iter().map(|(on, line)| ((*on).to_owned(), (*line).to_owned())).collect(),
            notes: String::new(),
            art: Art::default(),
        }
    }

    #[test]
    fn commands_in_a_table() {
        for (line, expected) in [
            ("run", Some("run")),
            ("./run  -w 1", Some("run|-w|1")),
            ("run \"a b\" \"\" c\"d e\"", Some("run|a b||cd e")),
            ("\"bin/my game\" --full", Some("bin/my game|--full")),
            ("bin\\my", None),
            ("run $HOME; rm", Some("run|$HOME;|rm")),
            ("run \"a", None),
            ("", None),
            ("   ", None),
            ("/bin/sh run", None),
            ("../run", None),
            ("./../run", None),
            ("sh run", None),
        ] {
            let told = launch(&manifest(&[("any", line)]), "linux").ok().map(|launch| {
                let program = launch.program.as_str().to_owned();
                [vec![program], launch.arguments].concat().join("|")
            });
            assert_eq!(told.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn the_platforms_own_command_comes_first() {
        let both = manifest(&[("any", "run"), ("windows", "game.exe")]);
        assert_eq!(launch(&both, "windows").unwrap().program.as_str(), "game.exe");
        assert_eq!(launch(&both, "linux").unwrap().program.as_str(), "run");
        let other = launch(&manifest(&[("windows", "game.exe")]), "linux").unwrap_err();
        assert!(other.contains("1.0") && other.contains("linux"), "{other}");
    }
}
