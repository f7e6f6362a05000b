//! What lies in an install folder: another program, or a dying disk, may have written it.

use std::fs;

use manifests::apply;
use manifests::folder::{InstallDir, Ledger, State};
use sha2::{Digest as _, Sha256};

/// `state.json` and the ledger: what is read is written again, and reads the same.
pub fn state(data: &[u8]) -> bool {
    let state = State::parse(data);
    if let Ok(state) = &state {
        let again = state.encode().unwrap_or_else(|error| panic!("{error}, though it was read"));
        assert_eq!(State::parse(&again).ok().as_ref(), Some(state));
    }
    let ledger = serde_json::from_slice::<Ledger>(data);
    state.is_ok() || ledger.is_ok_and(|ledger| !ledger.releases.is_empty())
}

/// See [`state`].
pub fn state_seeds() -> Vec<Vec<u8>> {
    let root = "ab".repeat(32);
    let state = format!(
        r#"{{"schema":1,"game":"freeciv","adopted":true,"release":{{"version":"1","sequence":1,"channel":"stable","manifest":"{root}"}},"files":{{"a/b":{{"file":{{"id":"{root}-9","x":true,"guard":{{"len":9,"mtime":5,"ino":6}}}}}},"link":{{"link":{{"target":"a/b"}}}}}}}}"#
    );
    let ledger = r#"{"releases":{"1":{"bytes_local":1,"bytes_lan":2,"bytes_peers":3,"bytes_web":4,"bytes_origin":5,"bytes_sent":6}}}"#;
    vec![state.into_bytes(), ledger.as_bytes().to_vec()]
}

/// A journal that lies in an install when it is opened: the first byte says whether its first line is to be made for what
/// follows. Nothing outside the install is touched, whatever it says.
pub fn journal(data: &[u8]) -> bool {
    let Some((kind, body)) = data.split_first() else { return false };
    let temp = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let (outside, install) = (temp.path().join("outside"), temp.path().join("install"));
    let laid = fs::write(&outside, "mine").and_then(|()| fs::create_dir(&install));
    laid.unwrap_or_else(|error| panic!("{error}"));
    drop(InstallDir::create(&install, "freeciv", false).unwrap_or_else(|error| panic!("{error}")));
    let bytes = if kind % 2 == 0 {
        body.to_vec()
    } else {
        [format!("samara-journal 1 {}\n", hex::encode(Sha256::digest(body))).as_bytes(), body].concat()
    };
    let name = if kind & 2 == 0 { "journal.clear" } else { "journal.place" };
    let private = install.join(".samara");
    let laid = fs::create_dir_all(private.join("staging"))
        .and_then(|()| fs::write(private.join("staging/s0"), "new"))
        .and_then(|()| fs::write(install.join("old.bin"), "old"))
        .and_then(|()| fs::copy(private.join("state.json"), private.join("state.next")).map(drop))
        .and_then(|()| fs::write(private.join(name), bytes));
    laid.unwrap_or_else(|error| panic!("{error}"));
    let opened = apply::open(&install).is_ok();
    assert_eq!(fs::read(&outside).ok().as_deref(), Some(&b"mine"[..]));
    let beside = fs::read_dir(temp.path()).into_iter().flatten().count();
    assert_eq!(beside, 2, "something came to lie beside the install");
    opened
}

/// See [`journal`].
pub fn journal_seeds() -> Vec<Vec<u8>> {
    let body = r#"{"version":"2","mark":"mine-2026-11-22","moves":[{"from":"old.bin","slot":"s1"}],"keep_aside":[{"path":"mod.txt","to":"mod.txt.mine-2026-11-22"}],"remove":[{"path":"old.bin","guard":null}],"remove_folders":["a/b"],"clear_folders":["c"],"create_folders":["d"],"place":[{"slot":"s0","path":"d/new.bin","guard":{"len":3,"mtime":1,"ino":2}}],"set_executable":[["d/new.bin",true]]}"#;
    [0, 1, 3].map(|kind: u8| [&[kind], body.as_bytes()].concat()).into()
}
