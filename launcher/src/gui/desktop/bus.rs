//! The buses of Linux desktops: the portal's folder chooser, notifications, and whether the line costs money.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";

/// As NetworkManager calls itself, its interface and, with slashes, its object.
const NETWORK: &str = "org.freedesktop.NetworkManager";
/// Its words for a line that costs: the player or the line said so, or it looks like a phone's.
const METERED: [u32; 2] = [1, 3];

/// Tells whether the line costs money, now and whenever that changes; returns when nobody tells.
pub(super) fn watch_line(tell: &dyn Fn(bool)) -> zbus::Result<()> {
    watch_line_on(&Connection::system()?, tell)
}

fn watch_line_on(bus: &Connection, tell: &dyn Fn(bool)) -> zbus::Result<()> {
    let network = Proxy::new(bus, NETWORK, "/org/freedesktop/NetworkManager", NETWORK)?;
    // Before the question, so that no change is missed.
    let changes = network.receive_property_changed::<u32>("Metered");
    tell(METERED.contains(&network.get_property("Metered")?));
    for change in changes {
        tell(METERED.contains(&change.get()?));
    }
    Ok(())
}

/// Asks the portal; none when the player chose none.
pub(super) fn choose_folder(title: &str, start: &Path) -> zbus::Result<Option<PathBuf>> {
    choose_on(&Connection::session()?, title, start)
}

/// Shows a notification, for as long as the desktop shows them.
pub(super) fn notify(title: &str, text: &str) -> zbus::Result<()> {
    notify_on(&Connection::session()?, title, text)
}

fn notify_on(bus: &Connection, title: &str, text: &str) -> zbus::Result<()> {
    let name = "org.freedesktop.Notifications";
    let shower = Proxy::new(bus, name, "/org/freedesktop/Notifications", name)?;
    let (none, hints): (Vec<&str>, HashMap<&str, Value<'_>>) =
        (Vec::new(), HashMap::from([("desktop-entry", Value::from("samara"))]));
    let _id: u32 =
        shower.call("Notify", &("Samara", 0u32, "samara", title, escaped(text), none, hints, -1i32))?;
    Ok(())
}

/// The text may be read as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn choose_on(bus: &Connection, title: &str, start: &Path) -> zbus::Result<Option<PathBuf>> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let token = format!("samara{}", LAST.fetch_add(1, Ordering::Relaxed));
    let me = bus.unique_name().map(|name| name.trim_start_matches(':').replace('.', "_")).unwrap_or_default();
    let request = Proxy::new(
        bus,
        PORTAL,
        format!("{PORTAL_PATH}/request/{me}/{token}"),
        "org.freedesktop.portal.Request",
    )?;
    // Before the question, so that no answer is missed.
    let mut answers = request.receive_signal("Response")?;
    let chooser = Proxy::new(bus, PORTAL, PORTAL_PATH, "org.freedesktop.portal.FileChooser")?;
    // The portal wants a path that ends with a zero.
    let folder: Vec<u8> = start.as_os_str().as_bytes().iter().copied().chain([0]).collect();
    let options = HashMap::from([
        ("handle_token", Value::from(token)),
        ("directory", Value::from(true)),
        ("modal", Value::from(true)),
        ("current_folder", Value::from(folder)),
    ]);
    let _request: OwnedObjectPath = chooser.call("OpenFile", &("", title, options))?;
    let Some(answer) = answers.next() else { return Ok(None) };
    let (code, mut values): (u32, HashMap<String, OwnedValue>) = answer.body().deserialize()?;
    let uris = values.remove("uris").and_then(|uris| Vec::<String>::try_from(uris).ok());
    let first = uris.into_iter().flatten().next().filter(|_| code == 0);
    Ok(first.and_then(|uri| url::Url::parse(&uri).ok()?.to_file_path().ok()))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

    use zbus::blocking::connection::Builder;
    use zbus::object_server::SignalEmitter;

    use super::*;

    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

    /// A bus of its own, that ends with the test.
    struct Bus {
        child: Child,
        address: String,
    }

    impl Bus {
        /// None where there is no `dbus-daemon`.
        fn start() -> Option<Self> {
            let mut child = Command::new("dbus-daemon")
                .args(["--session", "--nofork", "--print-address"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut address = String::new();
            BufReader::new(child.stdout.take()?).read_line(&mut address).ok()?;
            Some(Self { child, address: address.trim().to_owned() })
        }

        fn join(&self) -> Connection {
            Builder::address(&*self.address).unwrap().build().unwrap()
        }
    }

    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Answers every question with this.
    struct Portal(u32, &'static str);

    #[zbus::interface(name = "org.freedesktop.portal.FileChooser")]
    impl Portal {
        async fn open_file(
            &self,
            _parent: &str,
            title: &str,
            options: HashMap<String, OwnedValue>,
            #[zbus(connection)] bus: &zbus::Connection,
            #[zbus(header)] header: zbus::message::Header<'_>,
        ) -> OwnedObjectPath {
            assert_eq!(title, "Where to?");
            assert!(bool::try_from(&options["directory"]).unwrap());
            let folder: Vec<u8> = options["current_folder"].clone().try_into().unwrap();
            assert_eq!(folder, b"/games\0");
            let token: String = options["handle_token"].clone().try_into().unwrap();
            let me = header.sender().unwrap().trim_start_matches(':').replace('.', "_");
            let path: OwnedObjectPath = format!("{PORTAL_PATH}/request/{me}/{token}").try_into().unwrap();
            let values = HashMap::from([("uris", Value::from(vec![self.1]))]);
            let emitter = SignalEmitter::new(bus, path.clone()).unwrap();
            let to = emitter.set_destination(header.sender().unwrap().to_owned().into());
            to.emit("org.freedesktop.portal.Request", "Response", &(self.0, values)).await.unwrap();
            path
        }
    }

    /// Keeps what it was told.
    struct Shower(std::sync::mpsc::Sender<(String, String)>);

    #[zbus::interface(name = "org.freedesktop.Notifications")]
    impl Shower {
        #[allow(clippy::too_many_arguments, reason = "as the desktops have it")]
        fn notify(
            &self,
            _app: &str,
            _replaces: u32,
            _icon: &str,
            title: String,
            text: String,
            _actions: Vec<String>,
            _hints: HashMap<String, OwnedValue>,
            _timeout: i32,
        ) -> u32 {
            self.0.send((title, text)).unwrap();
            1
        }
    }

    /// A network that costs what it was told.
    struct Line(u32);

    #[zbus::interface(name = "org.freedesktop.NetworkManager")]
    impl Line {
        #[zbus(property)]
        fn metered(&self) -> u32 {
            self.0
        }

        #[zbus(property)]
        fn set_metered(&mut self, metered: u32) {
            self.0 = metered;
        }
    }

    #[test]
    fn a_line_that_begins_or_ends_to_cost_is_told_of() {
        let Some(bus) = Bus::start() else { return };
        assert!(watch_line_on(&bus.join(), &|_| {}).is_err(), "nobody knows");
        let server = bus.join();
        server.object_server().at("/org/freedesktop/NetworkManager", Line(4)).unwrap();
        server.request_name(NETWORK).unwrap();
        let (to, told) = std::sync::mpsc::channel();
        let watcher = bus.join();
        // It ends with its bus.
        std::thread::spawn(move || watch_line_on(&watcher, &|costs| to.send(costs).unwrap()));
        let wait_for = |costs: bool| while told.recv_timeout(PATIENCE).unwrap() != costs {};
        wait_for(false);
        let player = bus.join();
        let network = Proxy::new(&player, NETWORK, "/org/freedesktop/NetworkManager", NETWORK).unwrap();
        for (said, costs) in [(1u32, true), (2, false), (3, true), (0, false)] {
            network.set_property("Metered", said).unwrap();
            wait_for(costs);
        }
    }

    #[test]
    fn a_notification_is_shown_where_somebody_shows_them() {
        let Some(bus) = Bus::start() else { return };
        assert!(notify_on(&bus.join(), "a", "b").is_err());
        let (to, shown) = std::sync::mpsc::channel();
        let server = bus.join();
        server.object_server().at("/org/freedesktop/Notifications", Shower(to)).unwrap();
        server.request_name("org.freedesktop.Notifications").unwrap();
        notify_on(&bus.join(), "Freeciv", "<b>3 & 4</b>").unwrap();
        assert_eq!(shown.recv().unwrap(), ("Freeciv".to_owned(), "&lt;b&gt;3 &amp; 4&lt;/b&gt;".to_owned()));
    }

    #[test]
    fn the_portal_is_asked_for_a_folder() {
        let Some(bus) = Bus::start() else { return };
        assert!(choose_on(&bus.join(), "Where to?", Path::new("/games")).is_err(), "nobody answers");
        for (portal, expected) in [
            (Portal(0, "file:///mnt/My%20Games"), Some("/mnt/My Games")),
            (Portal(1, "file:///mnt"), None),
            (Portal(0, "https://elsewhere.example/"), None),
        ] {
            let server = bus.join();
            server.object_server().at(PORTAL_PATH, portal).unwrap();
            server.request_name(PORTAL).unwrap();
            let chosen = choose_on(&bus.join(), "Where to?", Path::new("/games")).unwrap();
            assert_eq!(chosen, expected.map(PathBuf::from));
        }
    }
}
