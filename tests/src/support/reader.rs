//! A screen reader of our own: what AT-SPI tells of the launcher's window, over a message bus that only the test knows.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{Pid, Signal, kill_process_group};
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::OwnedObjectPath;

/// What any single wait may last.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the tree is read again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A tree that is deeper is none.
const DEPTH_MAX: usize = 40;
/// `ATSPI_STATE_ENABLED` and `ATSPI_STATE_SENSITIVE`.
const ENABLED: u32 = 1 << 8 | 1 << 24;

/// A session's message bus with accessibility turned on; ended with its owner.
#[derive(Debug)]
pub struct Bus {
    daemon: Child,
    launcher: Option<Child>,
    address: String,
}

impl Bus {
    /// A bus of its own, whose sockets are below `home`. None, with a word about it, where there are no such programs:
    /// `tests/run window` installs them, and sets `SAMARA_WINDOW`.
    ///
    /// # Panics
    /// When `tests/run` says that they are there and they do not start.
    #[must_use]
    pub fn start(home: &Path) -> Option<Bus> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        command.env("XDG_RUNTIME_DIR", home).env("HOME", home);
        let daemon = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let at_spi = ["/usr/libexec/at-spi-bus-launcher", "/usr/lib/at-spi2-core/at-spi-bus-launcher"];
        let at_spi = at_spi.into_iter().find(|program| Path::new(program).exists());
        let (Ok(mut daemon), Some(at_spi)) = (daemon, at_spi) else {
            assert!(
                env::var_os("SAMARA_WINDOW").is_none(),
                "dbus-daemon or at-spi-bus-launcher is not there"
            );
            eprintln!("left out: no dbus-daemon and AT-SPI here; tests/run window installs them");
            return None;
        };
        let mut address = String::new();
        let told = BufReader::new(daemon.stdout.take().expect("piped")).read_line(&mut address);
        assert!(told.is_ok_and(|len| len > 0), "the bus tells no address");
        let mut bus = Bus { daemon, launcher: None, address: address.trim().to_owned() };
        let mut command = Command::new(at_spi);
        command.arg("--launch-immediately");
        command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address).env("XDG_RUNTIME_DIR", home).env("HOME", home);
        command.env_remove("DISPLAY").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0);
        bus.launcher = Some(command.spawn().expect("AT-SPI can be started"));
        Some(bus)
    }

    /// Where programs find it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Reads what programs on this bus show, and has them told so, as a screen reader does when it starts: those that
    /// are there already, and those to come.
    ///
    /// # Panics
    /// When AT-SPI does not answer.
    #[must_use]
    pub fn reader(&self) -> Reader {
        let connect = |address: &str| Builder::address(address).and_then(Builder::build);
        let session = connect(&self.address).expect("the bus takes connections");
        let end = Instant::now() + PATIENCE;
        let at_spi = |interface| Proxy::new(&session, "org.a11y.Bus", "/org/a11y/bus", interface);
        let start = || {
            let status = at_spi("org.a11y.Status")?;
            status.set_property("IsEnabled", true)?;
            status.set_property("ScreenReaderEnabled", true)?;
            connect(&at_spi("org.a11y.Bus")?.call::<_, _, String>("GetAddress", &())?)
        };
        loop {
            match start() {
                Ok(connection) => return Reader { connection },
                Err(error) => assert!(Instant::now() < end, "AT-SPI does not answer: {error}"),
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // It has started a bus of its own.
        let group = self.launcher.as_ref().and_then(|child| Pid::from_raw(child.id().cast_signed()));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        for child in self.launcher.iter_mut().chain([&mut self.daemon]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A screen reader.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

/// A control or text as the window shows it to a screen reader.
#[derive(Debug, Clone)]
struct Seen {
    bus: String,
    path: OwnedObjectPath,
    name: String,
    /// It can be acted on now.
    usable: bool,
}

impl Reader {
    fn proxy<'a>(&self, bus: &'a str, path: &'a str, interface: &'static str) -> zbus::Result<Proxy<'a>> {
        Proxy::new(&self.connection, bus, path, interface)
    }

    /// Everything that is shown now, by depth first. What goes away while it is read is left out.
    fn look(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        let root = ("org.a11y.atspi.Registry".to_owned(), "/org/a11y/atspi/accessible/root".to_owned());
        self.look_below(&root.0, &root.1, 0, &mut seen);
        seen
    }

    fn look_below(&self, bus: &str, path: &str, depth: usize, seen: &mut Vec<Seen>) {
        let Ok(node) = self.proxy(bus, path, "org.a11y.atspi.Accessible") else { return };
        let children: Vec<(String, OwnedObjectPath)> = node.call("GetChildren", &()).unwrap_or_default();
        for (bus, path) in children {
            let Ok(child) = self.proxy(&bus, path.as_str(), "org.a11y.atspi.Accessible") else { continue };
            let states: Vec<u32> = child.call("GetState", &()).unwrap_or_default();
            let action = self.proxy(&bus, path.as_str(), "org.a11y.atspi.Action");
            let actions: i32 = action.and_then(|action| action.get_property("NActions")).unwrap_or_default();
            let enabled = states.first().is_some_and(|states| states & ENABLED == ENABLED);
            seen.push(Seen {
                name: child.get_property("Name").unwrap_or_default(),
                usable: enabled && actions > 0,
                bus: bus.clone(),
                path: path.clone(),
            });
            if depth < DEPTH_MAX {
                self.look_below(&bus, path.as_str(), depth + 1, seen);
            }
        }
    }

    /// Waits for a control whose name begins like this.
    #[track_caller]
    fn wait_for(&self, name: &str) -> Seen {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = self.look();
            let usable = || seen.iter().filter(|one| one.usable);
            let begins = |one: &&Seen| one.name.starts_with(name);
            if let Some(found) = usable().find(|one| one.name == name).or_else(|| usable().find(begins)) {
                return found.clone();
            }
            if Instant::now() > end {
                let all: Vec<String> =
                    seen.iter().map(|one| format!("{} (usable: {})", one.name, one.usable)).collect();
                panic!("never heard of: {name}. There is:\n{}", all.join("\n"));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for a control whose name begins like this and that can be used.
    ///
    /// # Panics
    /// When there is none for too long.
    #[track_caller]
    pub fn wait_to_have(&self, name: &str) {
        let _ = self.wait_for(name);
    }

    /// Presses a control, by its name.
    ///
    /// # Panics
    /// When there is none for too long, or it cannot be pressed.
    #[track_caller]
    pub fn press(&self, name: &str) {
        let found = self.wait_for(name);
        let pressed = self
            .proxy(&found.bus, found.path.as_str(), "org.a11y.atspi.Action")
            .and_then(|action| action.call::<_, _, bool>("DoAction", &(0_i32,)));
        assert!(pressed.as_ref().is_ok_and(|yes| *yes), "{name} cannot be pressed: {pressed:?}");
    }
}
