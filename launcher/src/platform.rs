//! What differs between platforms: which programs use a folder, and when one of them ends.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that uses a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// Its process.
    pub pid: u32,
    /// What it is called.
    pub program: String,
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

/// The programs that run from a file below `folder` or have one open or mapped, this process and the launcher's own
/// records apart. One that merely stands in the folder (a shell) does not count. What the system does not let this user
/// see is not found.
pub(crate) fn users(folder: &Path) -> Vec<User> {
    // A folder that cannot be resolved is not there, or is refused by whoever opens it.
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let own = std::process::id();
    let mut found = imp::users(&folder, &folder.join(manifests::folder::PRIVATE));
    found.retain(|user| user.pid != own);
    found.sort();
    found.dedup();
    found
}

/// Which programs run from these folders, or have a file below open: one each. As [`users`], in one look at all of them,
/// less thorough (a file that is only mapped is not found), and without other launchers.
pub(crate) fn running(folders: &[PathBuf]) -> Vec<(PathBuf, User)> {
    let known: Vec<(PathBuf, &PathBuf)> =
        folders.iter().filter_map(|folder| Some((folder.canonicalize().ok()?, folder))).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let of = |path: &Path| {
        let is_in = |(real, _): &&(PathBuf, &PathBuf)| {
            path.starts_with(real) && !path.starts_with(real.join(manifests::folder::PRIVATE))
        };
        known.iter().find(is_in).map(|(_, folder)| (*folder).clone())
    };
    let mut found = imp::running(&of);
    found.retain(|(_, user)| user.pid != std::process::id());
    found.sort();
    found.dedup_by(|one, other| one.0 == other.0);
    found
}

/// What a launcher tells a newer version of itself that it starts: the packaged program,
pub(crate) const PACKAGED: &str = "SAMARA_PACKAGED";
/// the version of that,
pub(crate) const PACKAGED_VERSION: &str = "SAMARA_PACKAGED_VERSION";
/// the version that is started,
pub(crate) const RELEASE: &str = "SAMARA_RELEASE";
/// and that somebody waits for it to come up.
pub(crate) const WATCHED: &str = "SAMARA_WATCHED";

/// Makes a program that is to be started one of its own, which neither Ctrl-C in our terminal nor our end reaches.
pub(crate) fn set_apart(command: &mut Command) {
    imp::set_apart(command);
    not_of_ours(command);
}

/// Has a program open no console: what is packed for the command line is no window's business.
pub(crate) fn without_console(command: &mut Command) -> &mut Command {
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(command, imp::CREATE_NO_WINDOW);
    command
}

/// What we were told by who started us is nothing to a program that we start.
pub(crate) fn not_of_ours(command: &mut Command) {
    for name in [PACKAGED, PACKAGED_VERSION, RELEASE, WATCHED] {
        command.env_remove(name);
    }
}

pub(crate) use imp::ended;

#[cfg(target_os = "linux")]
mod imp {
    use std::fs::{self, File};
    use std::io::{ErrorKind, Read as _};
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::User;

    /// What the kernel adds to the path of a file that was removed or replaced.
    const DELETED: &str = " (deleted)";

    pub(super) fn users(folder: &Path, but: &Path) -> Vec<User> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let is_below = |path: &Path| path.starts_with(folder) && !path.starts_with(but);
        let numbered = processes.flatten().filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, entry.path()))
        });
        let mut maps = Vec::new();
        let users = numbered.filter_map(|(pid, process)| {
            // Of the kernel's own threads, and of what belongs to others, nothing more can be seen either.
            let exe = fs::read_link(process.join("exe")).ok()?;
            let runs = is_below(&exe);
            if !runs && !has_open(&process, &is_below) && !has_mapped(&process, folder, &is_below, &mut maps)
            {
                return None;
            }
            let program = Some(&exe).filter(|_| runs).and_then(|exe| file_name(exe));
            let program = program.or_else(|| comm(&process))?;
            Some(User { pid, program })
        });
        users.collect()
    }

    pub(super) fn running(of: &dyn Fn(&Path) -> Option<PathBuf>) -> Vec<(PathBuf, User)> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let ours = fs::read_link("/proc/self/exe").ok();
        let numbered = processes.flatten().filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, entry.path()))
        });
        let found = numbered.filter_map(|(pid, process)| {
            let exe = fs::read_link(process.join("exe")).ok().filter(|exe| Some(exe) != ours.as_ref())?;
            if let Some(folder) = of(&exe) {
                return Some((folder, User { pid, program: file_name(&exe)? }));
            }
            let open = fs::read_dir(process.join("fd")).ok()?;
            let files = open.flatten().filter_map(|fd| {
                let folder = of(&fs::read_link(fd.path()).ok()?)?;
                fs::metadata(fd.path()).is_ok_and(|about| about.is_file()).then_some(folder)
            });
            let folder = files.into_iter().next()?;
            Some((folder, User { pid, program: comm(&process)? }))
        });
        found.collect()
    }

    pub(super) fn set_apart(command: &mut Command) {
        command.process_group(0);
    }

    /// Folders do not count: a shell, or a file manager that watches one, is in nobody's way.
    fn has_open(process: &Path, is_below: &dyn Fn(&Path) -> bool) -> bool {
        let Ok(open) = fs::read_dir(process.join("fd")) else { return false };
        for fd in open.flatten() {
            let fd = fd.path();
            match fs::read_link(&fd) {
                Ok(path) if is_below(&path) && fs::metadata(&fd).is_ok_and(|about| about.is_file()) => {
                    return true;
                }
                // The rest is none of our business either.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => return false,
                _ => {}
            }
        }
        false
    }

    /// A line is `range mode offset device inode path`. `maps` is what is read into: of all processes it is much.
    fn has_mapped(
        process: &Path,
        folder: &Path,
        is_below: &dyn Fn(&Path) -> bool,
        maps: &mut Vec<u8>,
    ) -> bool {
        maps.clear();
        let read = File::open(process.join("maps")).and_then(|mut file| file.read_to_end(maps));
        let folder = folder.as_os_str().as_bytes();
        read.is_ok()
            && maps.split(|byte| *byte == b'\n').any(|line| {
                let path = line.iter().position(|byte| *byte == b'/').and_then(|at| line.get(at..));
                let path = path.filter(|path| path.starts_with(folder));
                path.is_some_and(|path| is_below(Path::new(std::ffi::OsStr::from_bytes(path))))
            })
    }

    fn file_name(path: &Path) -> Option<String> {
        let name = path.file_name()?.to_string_lossy();
        Some(name.strip_suffix(DELETED).unwrap_or(&name).to_owned())
    }

    /// The name a program gives itself; of one run by an interpreter it tells more than the interpreter's path.
    fn comm(process: &Path) -> Option<String> {
        let name = fs::read(process.join("comm")).ok()?;
        Some(String::from_utf8_lossy(&name).trim_end().to_owned())
    }

    /// Returns when the process has ended; never where the kernel cannot tell.
    #[allow(
        deprecated,
        reason = "the call that replaces it is unsafe; a descriptor that owns itself is sound with this one"
    )]
    pub(crate) async fn ended(pid: u32) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let watched = match pid.map(|pid| pidfd_open(pid, PidfdFlags::NONBLOCK)) {
            Some(Err(rustix::io::Errno::SRCH)) => return,
            Some(Ok(fd)) => AsyncFd::with_interest(fd, Interest::READABLE).ok(),
            _ => None,
        };
        match watched {
            Some(watched) if watched.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }
}

#[cfg(windows)]
mod imp {
    use std::os::windows::process::CommandExt as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

    use super::User;

    /// Programs that run from the folder. A file that another program merely has open is found before the commit, by
    /// trying.
    pub(super) fn users(folder: &Path, but: &Path) -> Vec<User> {
        let mut system = System::new();
        let exe = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always);
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, exe);
        let (folder, but) = (plain(folder), plain(but));
        let users = system.processes().iter().filter_map(|(pid, process)| {
            let path = plain(process.exe()?);
            let is_below =
                |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('\\'));
            let program = process.name().to_string_lossy().into_owned();
            (is_below(&folder) && !is_below(&but)).then_some(User { pid: pid.as_u32(), program })
        });
        users.collect()
    }

    pub(super) fn running(of: &dyn Fn(&Path) -> Option<PathBuf>) -> Vec<(PathBuf, User)> {
        let mut system = System::new();
        let exe = ProcessRefreshKind::nothing().with_exe(UpdateKind::OnlyIfNotSet);
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, exe);
        let ours = std::env::current_exe().ok();
        let found = system.processes().iter().filter_map(|(pid, process)| {
            let exe = process.exe().filter(|exe| Some(*exe) != ours.as_deref())?;
            let program = process.name().to_string_lossy().into_owned();
            // Ours are told as the system resolves them, the programs as they were started.
            let folder = of(exe).or_else(|| of(&exe.canonicalize().ok()?))?;
            Some((folder, User { pid: pid.as_u32(), program }))
        });
        found.collect()
    }

    pub(super) const CREATE_NO_WINDOW: u32 = 0x800_0000;

    /// No console of ours, and a group of its own.
    pub(super) fn set_apart(command: &mut Command) {
        const DETACHED_PROCESS: u32 = 0x8;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
    }

    /// As names are compared here.
    fn plain(path: &Path) -> String {
        let text = path.to_string_lossy();
        text.strip_prefix(r"\\?\").unwrap_or(&text).to_lowercase()
    }

    /// Nobody tells; whoever waits looks again.
    pub(crate) async fn ended(_pid: u32) {
        std::future::pending().await
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod imp {
    use std::path::{Path, PathBuf};

    pub(super) fn users(_folder: &Path, _but: &Path) -> Vec<super::User> {
        Vec::new()
    }

    pub(super) fn running(_of: &dyn Fn(&Path) -> Option<PathBuf>) -> Vec<(PathBuf, super::User)> {
        Vec::new()
    }

    pub(super) fn set_apart(_command: &mut std::process::Command) {}

    pub(crate) async fn ended(_pid: u32) {
        std::future::pending().await
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "tests may fail; helpers among them are not seen as such")]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn run(command: &mut Command) -> Running {
        Running(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn program(at: &Path) -> std::path::PathBuf {
        let program = at.join("freeciv-gtk");
        std::fs::copy("/bin/cat", &program).unwrap();
        program
    }

    #[test]
    fn who_counts_in_a_table() {
        let temp = tempfile::tempdir().unwrap();
        let (game, elsewhere) = (temp.path().join("game"), temp.path().join("game-2"));
        for folder in [&game, &elsewhere, &game.join(".samara")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let data = game.join("data.pak");
        std::fs::write(&data, "x").unwrap();
        std::fs::write(game.join(".samara/log"), "x").unwrap();
        let open = |path: &Path| std::fs::File::open(path).unwrap();
        let cat = || Command::new("/bin/cat");
        let runs = run(&mut Command::new(program(&game)));
        let holds = run(cat().stderr(open(&data)));
        let stands = run(cat().current_dir(&game));
        let nearby = run(&mut Command::new(program(&elsewhere)));
        let ours = run(cat().stderr(open(&game.join(".samara/log"))));
        let lists = run(cat().stderr(open(&game)));
        let found = users(&game);
        let found_of = |running: &Running| found.iter().find(|user| user.pid == running.0.id());
        assert_eq!(found_of(&runs).unwrap().program, "freeciv-gtk");
        assert_eq!(found_of(&holds).unwrap().program, "cat");
        for other in [&stands, &nearby, &ours, &lists] {
            assert_eq!(found_of(other), None);
        }
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(users(&temp.path().join("nowhere")), []);
    }

    #[tokio::test]
    async fn an_end_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let mut game = run(&mut Command::new(program(temp.path())));
        let pid = game.0.id();
        let waiting = tokio::spawn(ended(pid));
        assert_eq!(users(temp.path()).len(), 1);
        drop(game.0.stdin.take());
        waiting.await.unwrap();
        let _ = game.0.wait();
        assert_eq!(users(temp.path()), []);
        ended(pid).await;
    }
}
