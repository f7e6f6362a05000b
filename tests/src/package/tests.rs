use std::process::Command;

use super::*;

/// What the tests take for a launcher.
const PROGRAM: &[u8] = b"\x7fELF GLIBC_2.9\0GLIBC_2.35\0GLIBC_2.4\0";

fn parts(name: &str) -> Parts {
    let (mut brand, mut licences) = (Tree::default(), Tree::default());
    brand.add(BRAND_FILE, "name = \"Maple Games\"\n");
    brand.add("pictures/icon.png", "png");
    for file in ["COPYRIGHT", "LICENSE-Inter", "THIRD-PARTY"] {
        licences.add(file, file);
    }
    Parts {
        slug: Brand { name: name.to_owned(), ..Brand::default() }.slug(),
        name: name.to_owned(),
        contact: "help@maple.example".to_owned(),
        version: "1.2.3".to_owned(),
        time: 1_700_000_001,
        program: PROGRAM.to_vec(),
        brand,
        icon: None,
        licences,
    }
}

#[test]
fn the_newest_c_library_counts() {
    assert_eq!(program::libc_version(PROGRAM).as_deref(), Some("2.35"));
    assert_eq!(program::libc_version(b"static"), None);
}

#[test]
fn a_launcher_of_the_tests_is_not_given_away() {
    assert!(program::may_be_given_away(&[PROGRAM, b"EGUI_INSPECTION"].concat()).is_ok());
    assert!(program::may_be_given_away(b"x/egui_inspection-1/y").is_err());
}

#[test]
fn the_same_parts_make_the_same_packages() {
    let (once, again) =
        (linux::packages(&parts("Samara")).unwrap(), linux::packages(&parts("Samara")).unwrap());
    assert_eq!(once, again);
    let names: Vec<&str> = once.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["samara_1.2.3_amd64.deb", "samara-1.2.3-linux-x86_64.tar.gz"]);
}

/// What a program of the system says of a file; none, with a word about it, where there is no such program.
fn told(program: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let Ok(done) = Command::new(program).args(arguments).arg(file).output() else {
        eprintln!("left out: there is no {program} here");
        return None;
    };
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    Some(String::from_utf8(done.stdout).unwrap())
}

#[test]
fn other_programs_read_what_was_packed() {
    let temp = tempfile::tempdir().unwrap();
    for (name, bytes) in linux::packages(&parts("Maple Games")).unwrap() {
        fs::write(temp.path().join(name), bytes).unwrap();
    }
    let deb = temp.path().join("maple-games_1.2.3_amd64.deb");
    if let Some(control) = told("dpkg-deb", &["--field"], &deb) {
        assert!(control.contains("Package: maple-games\nVersion: 1.2.3\n"), "{control}");
        assert!(control.contains("\nMaintainer: Maple Games <help@maple.example>\n"), "{control}");
        assert!(control.contains("libc6 (>= 2.35), libgcc-s1, ") && control.contains("libxkbcommon-x11-0"));
    }
    if let Some(listed) = told("dpkg-deb", &["--contents"], &deb) {
        for line in [
            "drwxr-xr-x root/root         0 2023-11-14 22:13 usr/lib/maple-games/\n",
            " usr/bin/maple-games -> ../lib/maple-games/samara\n",
            "-rwxr-xr-x root/root        36 2023-11-14 22:13 usr/lib/maple-games/samara\n",
            " usr/lib/maple-games/brand.toml\n",
            " usr/lib/maple-games/pictures/icon.png\n",
            " usr/share/applications/maple-games.desktop\n",
            " usr/share/mime/packages/maple-games.xml\n",
            " usr/share/icons/hicolor/48x48/apps/maple-games.png\n",
            " usr/share/doc/maple-games/copyright\n",
        ] {
            assert!(listed.contains(line), "{line}not in:\n{listed}");
        }
    }
    let archive = temp.path().join("maple-games-1.2.3-linux-x86_64.tar.gz");
    if let Some(listed) = told("tar", &["--list", "--file"], &archive) {
        for line in ["samara", "register", "brand.toml", "pictures/icon.png", "licences/LICENSE-Inter"] {
            assert!(listed.contains(&format!("maple-games-1.2.3/{line}\n")), "{line} is not in:\n{listed}");
        }
    }
}

/// The script in the portable archive, run for a user whose home is empty.
#[cfg(unix)]
#[test]
fn a_portable_launcher_is_told_to_the_desktop_and_taken_back() {
    let temp = tempfile::tempdir().unwrap();
    let packages = linux::packages(&parts("Maple Games")).unwrap();
    let (name, bytes) = packages.last().unwrap();
    fs::write(temp.path().join(name), bytes).unwrap();
    let unpack = Command::new("tar").arg("-xf").arg(name).current_dir(&temp).status().unwrap();
    assert!(unpack.success());
    let folder = temp.path().join("my games");
    fs::rename(temp.path().join("maple-games-1.2.3"), &folder).unwrap();
    let data = temp.path().join("data");
    let register = |arguments: &[&str]| {
        let mut command = Command::new(folder.join("register"));
        // No program of the real desktop is told.
        command
            .args(arguments)
            .env("XDG_DATA_HOME", &data)
            .env("HOME", temp.path())
            .env("PATH", "/usr/bin:/bin");
        command.env("XDG_CONFIG_HOME", temp.path().join("config"));
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    register(&[]);
    let desktop = fs::read_to_string(data.join("applications/maple-games.desktop")).unwrap();
    let line = format!("Exec=\"{}/samara\" %u\n", folder.display());
    assert!(desktop.contains(&line) && desktop.matches("Exec=").count() == 1, "{desktop}");
    assert!(desktop.contains("Name=Maple Games\n") && desktop.contains("x-scheme-handler/samara;"));
    let icon = data.join("icons/hicolor/48x48/apps/maple-games.png");
    assert!(icon.is_file() && data.join("mime/packages/maple-games.xml").is_file());
    register(&["--remove"]);
    assert!(!icon.exists() && !data.join("applications/maple-games.desktop").exists());
}

/// As much of a program for Windows as is looked at.
fn pe() -> Vec<u8> {
    let mut pe = vec![0; 0x200];
    pe[0x3c] = 0x80;
    pe[0x80..0x84].copy_from_slice(b"PE\0\0");
    pe[0x80 + 92] = 3;
    pe
}

#[test]
fn a_zip_for_windows_is_read_by_others() {
    let parts = Parts { program: pe(), ..parts("Maple Games") };
    let made = windows::packages(&parts).unwrap();
    assert_eq!(made, windows::packages(&parts).unwrap());
    let (name, bytes) = &made[0];
    assert_eq!(name, "maple-games-1.2.3-windows-x86_64.zip");
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join(name), bytes).unwrap();
    let line = "import sys,zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall('.'); \
                print(z.infolist()[0].date_time)";
    let python = Command::new("python3").args(["-c", line, name]).current_dir(&temp).output();
    let Ok(told) = python else {
        eprintln!("left out: there is no python3 here");
        return;
    };
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(told.stdout, b"(2023, 11, 14, 22, 13, 20)\n");
    let folder = temp.path().join("maple-games-1.2.3");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let mut window = pe();
    window[0x80 + 92] = 2;
    assert!(read("launcher.exe") == pe() && read("samara.exe") == window);
    assert_eq!(read("samara.ico")[..6], [0, 0, 1, 0, 4, 0]);
    assert!(
        String::from_utf8(read("setup.cmd")).unwrap().contains("Programs\\maple-games\\samara.exe\")\r\n")
    );
    // What setting up copies is all there is.
    let package = launcher::setup::package::Package::of(&folder.join("samara.exe"));
    let mut listed: Vec<_> =
        package.unwrap().files.into_iter().map(|file| folder.join(file.to_native())).collect();
    let files = walkdir::WalkDir::new(&folder).into_iter().map(|entry| entry.unwrap());
    let mut found: Vec<_> =
        files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect();
    listed.sort();
    found.sort();
    assert_eq!(listed, found);
    assert!(windows::packages(&Parts { program: PROGRAM.to_vec(), ..parts }).is_err());
}
