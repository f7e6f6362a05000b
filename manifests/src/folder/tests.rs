use super::*;

fn code(result: Result<InstallDir, FolderError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

#[test]
fn folders_in_a_table() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    assert_eq!(code(InstallDir::open(&at("none"))), "E-FOLDER-MISSING");
    assert!(!at("none").exists());
    std::fs::create_dir(at("empty")).unwrap();
    assert_eq!(code(InstallDir::open(&at("empty"))), "E-FOLDER-NOT-INSTALLED");
    assert_eq!(code(InstallDir::create(&at("empty"), "g", false)), "ok");
    assert_eq!(code(InstallDir::create(&at("new/deep"), "g", false)), "ok");
    std::fs::create_dir(at("full")).unwrap();
    std::fs::write(at("full/mine.txt"), "mine").unwrap();
    assert_eq!(code(InstallDir::create(&at("full"), "g", false)), "E-FOLDER-NOT-EMPTY");
    assert!(!at("full/.samara").exists(), "nothing written before the checks");
    assert_eq!(code(InstallDir::create(&at("full"), "g", true)), "ok");
    assert_eq!(code(InstallDir::create(&at("full"), "other", true)), "E-FOLDER-OTHER-GAME");
    assert_eq!(code(InstallDir::create(&at("full"), "g", false)), "ok", "begun before, goes on");
    assert_eq!(code(InstallDir::create(&at("full/mine.txt"), "g", false)), "E-FOLDER-NOT-A-FOLDER");

    let held = InstallDir::open(&at("full")).unwrap();
    assert_eq!(code(InstallDir::open(&at("full"))), "E-FOLDER-BUSY");
    assert_eq!(code(InstallDir::create(&at("full"), "g", true)), "E-FOLDER-BUSY");
    drop(held);
    assert_eq!(code(InstallDir::open(&at("full"))), "ok");

    std::fs::write(at("full/.samara/state.json"), "{").unwrap();
    assert_eq!(code(InstallDir::open(&at("full"))), "E-FOLDER-DAMAGED");
    assert_eq!(code(InstallDir::create(&at("full"), "g", false)), "E-FOLDER-DAMAGED");
    assert_eq!(code(InstallDir::create(&at("full"), "g", true)), "ok");
    std::fs::write(at("full/.samara/state.json"), r#"{"schema":99}"#).unwrap();
    assert_eq!(code(InstallDir::create(&at("full"), "g", true)), "E-FOLDER-NEWER");
}

#[test]
fn leaves_are_believed_only_up_to_the_root() {
    let temp = tempfile::tempdir().unwrap();
    let dir = InstallDir::create(temp.path(), "g", false).unwrap();
    let mut hasher = hash::TreeHasher::default();
    hasher.update(&[7; 100_000]);
    let hashed = hasher.finish();
    let bytes = hashed.leaves.concat();
    let mut wrong = bytes.clone();
    wrong[40] ^= 1;
    for bad in [&wrong[..], &bytes[..bytes.len() - 1], &bytes[..bytes.len() - 32], &[]] {
        assert!(!dir.put_leaves(&hashed.identity, bad, None).unwrap());
        assert!(dir.leaves(&hashed.identity).is_none());
    }
    assert!(dir.put_leaves(&hashed.identity, &bytes, None).unwrap());
    assert_eq!(*dir.leaves(&hashed.identity).unwrap(), hashed.leaves[..]);
    std::fs::write(temp.path().join(format!(".samara/leaves/{}", hashed.identity)), wrong).unwrap();
    drop(dir);
    let dir = InstallDir::open(temp.path()).unwrap();
    assert!(dir.leaves(&hashed.identity).is_none());
}

#[cfg(unix)]
#[test]
fn a_planted_link_leads_nowhere() {
    let temp = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let dir = InstallDir::create(temp.path(), "g", false).unwrap();
    std::fs::create_dir(temp.path().join("real")).unwrap();
    std::os::unix::fs::symlink(outside.path(), temp.path().join("out")).unwrap();
    std::os::unix::fs::symlink("real", temp.path().join("in")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), temp.path().join("real/s")).unwrap();
    let fs = dir.fs();
    for folder in ["out", "in"] {
        let path = format!("{folder}/new");
        assert!(fs.open(&path, Access::Create).is_err(), "{path}");
        assert!(fs.create_dir(&path).is_err(), "{path}");
        assert!(fs.rename("real", &path).is_err(), "{path}");
        assert!(fs.list(folder).is_err());
        assert_eq!(fs.stat(&path).unwrap(), None);
    }
    assert_eq!(fs.stat("out").unwrap(), Some(Meta::Link));
    assert!(fs.open("real/s", Access::Write).is_err());
    assert!(fs.reflink("real/s", "copy").is_err());
    std::fs::write(temp.path().join("plain"), "plain").unwrap();
    assert!(fs.reflink("plain", "out/copy").is_err());
    assert!(!matches!(fs.reflink("plain", "real/s"), Ok(true)));
    assert!(fs.open("real/../../x", Access::Create).is_err());
    assert!(fs.stat("../x").is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"secret");
}

#[test]
fn holes_take_no_space_and_clones_share_it() {
    let temp = tempfile::tempdir().unwrap();
    let dir = InstallDir::create(temp.path(), "g", false).unwrap();
    let fs = dir.fs();
    let file = fs.open("a", Access::Create).unwrap();
    file.set_sparse().unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_at(32 << 20, &[7; 100_000]).unwrap();
    file.sync().unwrap();
    if let Some(taken) = file.allocated().unwrap() {
        assert!((100_000..1 << 20).contains(&taken), "{taken} bytes for 100,000");
    }
    let cloned = fs.reflink("a", "b").unwrap();
    eprintln!("this file system clones: {cloned}");
    assert_eq!(temp.path().join("b").exists(), cloned, "nothing stays of a clone that cannot be");
    if cloned {
        assert_eq!(
            std::fs::read(temp.path().join("a")).unwrap(),
            std::fs::read(temp.path().join("b")).unwrap()
        );
    }
    std::fs::write(temp.path().join("c"), "mine").unwrap();
    assert!(!cloned || fs.reflink("a", "c").is_err(), "what is there is not replaced");
    assert_eq!(std::fs::read(temp.path().join("c")).unwrap(), b"mine");
    assert!(is_absent(&fs.reflink("none", "d").unwrap_err()));
    assert!(!temp.path().join("d").exists());
}

#[cfg(unix)]
#[test]
fn executable_bits_that_a_file_system_makes_up_are_not_believed() {
    use std::os::unix::fs::PermissionsExt as _;
    for made_up in [false, true] {
        let temp = tempfile::tempdir().unwrap();
        drop(InstallDir::create(temp.path(), "game", false).unwrap());
        std::fs::write(temp.path().join("a"), "x").unwrap();
        if made_up {
            // As FAT shows all files, the lock among them.
            for name in ["a", ".samara/lock"] {
                let mode = std::fs::Permissions::from_mode(0o777);
                std::fs::set_permissions(temp.path().join(name), mode).unwrap();
            }
        }
        let fs = CapFs::open(temp.path()).unwrap();
        let seen = |meta| match meta {
            Some(Meta::File { executable, .. }) => executable,
            other => panic!("{other:?}"),
        };
        let want = (!made_up).then_some(false);
        assert_eq!(seen(fs.stat("a").unwrap()), want);
        assert_eq!(seen(fs.stat_in("", &["a"]).unwrap()[0]), want);
        fs.set_executable("a", !made_up).unwrap();
        let mode = std::fs::metadata(temp.path().join("a")).unwrap().permissions().mode();
        assert!(mode & 0o111 != 0, "set where there is such a bit, left alone where there is none");
    }
}
