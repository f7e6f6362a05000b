//! The launcher's real window on a virtual display, driven by what a screen reader is told of it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use egui::accesskit::{Action, ActionRequest, Node, NodeId, Role, TreeId, TreeUpdate};
use egui::{Event, Key, Modifiers};
use egui_inspection::protocol::read_handshake;
use egui_inspection::{Request, Response, read_message, write_message};
use tempfile::TempDir;

use super::{binary, free_address};

/// Unless SAMARA_PATIENCE says how many seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// The window is asked this often what it shows: each time it draws a frame for it.
const ASK_EVERY: Duration = Duration::from_millis(40);

/// Where a window's output is kept, below the player's home.
const TOLD: &str = "window.out";

/// A display that nobody sees; ended with its owner.
#[derive(Debug)]
pub struct Display {
    server: Child,
    name: String,
    /// Where the server keeps its picture.
    frame: TempDir,
}

impl Display {
    /// A display of its own. None, with a word about it, where there is no Xvfb: `tests/run window` installs it, and sets
    /// `SAMARA_WINDOW`.
    ///
    /// # Panics
    /// When `tests/run` says that it is there and it does not start.
    #[must_use]
    pub fn start() -> Option<Display> {
        let frame = tempfile::tempdir().expect("a folder for the display");
        let mut command = Command::new("Xvfb");
        command.arg("-fbdir").arg(frame.path());
        // It would begin anew when its last window closes, and refuse who comes meanwhile.
        command.args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"]);
        let server = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut server) = server else {
            assert!(env::var_os("SAMARA_WINDOW").is_none(), "Xvfb cannot be started");
            eprintln!("left out: no Xvfb here; tests/run window installs it");
            return None;
        };
        // It tells its number when it is ready.
        let mut number = String::new();
        let told = BufReader::new(server.stdout.take().expect("piped")).read_line(&mut number);
        assert!(told.is_ok_and(|len| len > 0), "Xvfb tells no display");
        Some(Display { server, name: format!(":{}", number.trim()), frame })
    }

    /// Its name, for `DISPLAY`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What can be seen on it now.
    ///
    /// # Panics
    /// When the server does not keep its picture as it says.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let dump = fs::read(self.frame.path().join("Xvfb_screen0")).expect("the server keeps its picture");
        Picture::of_dump(&dump).expect("a picture of 32 bits a pixel")
    }
}

impl Display {
    /// The launcher as this player would start it, from where `program` lies.
    #[must_use]
    pub fn player(&self, home: &Path, program: &Path) -> Command {
        launcher(self, home, program)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A picture of a display.
#[derive(Debug)]
pub struct Picture {
    width: u32,
    height: u32,
    /// Red, green and blue of each pixel, row by row.
    rgb: Vec<u8>,
}

impl Picture {
    /// Reads a dump as `xwd` makes it: numbers of four bytes, the first the length of the header; then colours of twelve
    /// bytes, then the rows.
    fn of_dump(dump: &[u8]) -> Option<Picture> {
        let number = |index: usize| {
            let bytes = dump.get(index * 4..index * 4 + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        let (width, height, bits, row_bytes) = (number(4)?, number(5)?, number(11)?, number(12)? as usize);
        let pixels = dump.get(number(0)? as usize + 12 * number(19)? as usize..)?;
        let row = |y: usize| pixels.get(y * row_bytes..y * row_bytes + width as usize * 4);
        let rows: Vec<&[u8]> = (0..height as usize).map(row).collect::<Option<_>>()?;
        let rgb = rows.into_iter().flat_map(|row| row.chunks(4)).flat_map(|pixel| match pixel {
            [blue, green, red, _] => [*red, *green, *blue],
            _ => [0; 3],
        });
        (bits == 32).then(|| Picture { width, height, rgb: rgb.collect() })
    }

    /// How many different colours are in it.
    #[must_use]
    pub fn colors(&self) -> usize {
        self.rgb.chunks(3).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// Writes it as a PNG.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn keep(&self, path: &Path) {
        let file = fs::File::create(path).expect("a picture can be kept");
        let mut encoder = png::Encoder::new(file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        let kept = encoder.write_header().and_then(|mut png| png.write_image_data(&self.rgb));
        kept.expect("a picture can be kept");
    }
}

/// What a screen reader is told of the window at one moment.
#[derive(Debug)]
pub struct Tree(Vec<(NodeId, Node)>);

impl Tree {
    fn node(&self, id: NodeId) -> Option<&Node> {
        self.0.iter().find(|(found, _)| *found == id).map(|(_, node)| node)
    }

    /// What a screen reader calls it.
    fn name(&self, node: &Node) -> String {
        if let Some(label) = node.label() {
            return label.to_owned();
        }
        let of = |id: &NodeId| self.node(*id).and_then(|node| node.label().or(node.value()));
        let labels: Vec<&str> = node.labelled_by().iter().filter_map(of).collect();
        if labels.is_empty() && node.role() == Role::Label {
            return node.value().unwrap_or_default().to_owned();
        }
        labels.join(" ")
    }

    /// The first control whose name begins like this and that can be used.
    fn control(&self, name: &str) -> Option<&(NodeId, Node)> {
        let usable = |node: &Node| !node.is_disabled() && node.role() != Role::Label;
        let usable = || self.0.iter().filter(|(_, node)| usable(node));
        let named = |(_, node): &&(NodeId, Node)| self.name(node) == name;
        let begins = |(_, node): &&(NodeId, Node)| self.name(node).starts_with(name);
        usable().find(named).or_else(|| usable().find(begins))
    }

    /// Whether there is a control of this name that can be used.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.control(name).is_some()
    }

    /// Whether some text or name contains this.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        let told =
            |node: &Node| self.name(node).contains(text) || node.value().is_some_and(|v| v.contains(text));
        self.0.iter().any(|(_, node)| told(node))
    }

    /// Whether some text or name is this, and nothing more.
    #[must_use]
    pub fn reads(&self, text: &str) -> bool {
        self.0.iter().any(|(_, node)| self.name(node) == text || node.value() == Some(text))
    }

    /// How far it says it is.
    #[must_use]
    pub fn progress(&self) -> Option<String> {
        let bar = self.0.iter().find(|(_, node)| node.role() == Role::ProgressIndicator);
        bar.map(|(_, node)| self.name(node))
    }

    /// All of it, a line for each name.
    #[must_use]
    pub fn all(&self) -> String {
        let mut all = String::new();
        for (_, node) in &self.0 {
            let name = self.name(node);
            if !name.is_empty() {
                let state = if node.is_disabled() { " (cannot be used)" } else { "" };
                let _ = writeln!(all, "  {:?}: {name}{state}", node.role());
            }
        }
        all
    }
}

/// The launcher's window at work; ended with SIGKILL when dropped.
#[derive(Debug)]
pub struct Window {
    child: Child,
    socket: TcpStream,
    told: PathBuf,
    log: PathBuf,
    address: SocketAddr,
}

impl Window {
    /// Opens the window of a player whose files are below `home`, as a click on the program would.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn open(display: &Display, home: &Path) -> Window {
        Window::open_with(home, player(display, home))
    }

    /// The same of this launcher, which [`Display::player`] has made.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn open_with(home: &Path, mut command: Command) -> Window {
        let address = free_address();
        let log = home.join("window.log");
        let errors = fs::File::options().create(true).append(true).open(&log).expect("a log can be made");
        let told = fs::File::create(home.join(TOLD)).expect("a file can be made");
        command.env("EGUI_INSPECTION", address.to_string()).env("RUST_LOG", "launcher=info,warn");
        command.stdin(Stdio::null()).stdout(told).stderr(errors);
        let mut child = command.spawn().expect("the launcher can be started");
        let socket = connect(address, Some(&mut child), &log);
        Window { child, socket, told: home.join(TOLD), log, address }
    }

    /// Waits for the window that this one has started in its place.
    ///
    /// # Panics
    /// When none comes up.
    pub fn wait_for_next(&mut self) {
        // The old one is gone when it answers no more.
        let end = Instant::now() + patience();
        while self.try_ask(&Request::GetTree).is_ok() {
            assert!(Instant::now() < end, "the window does not end: {}", self.errors());
            thread::sleep(ASK_EVERY);
        }
        self.meet_next();
    }

    /// The same where the old one is known to be gone.
    ///
    /// # Panics
    /// When none comes up.
    pub fn meet_next(&mut self) {
        self.socket = connect(self.address, None, &self.log);
    }

    /// Starts it on a session's bus, for whoever reads it there; it tells and is told nothing here.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn on_bus(display: &Display, home: &Path, bus: &str) -> Child {
        let mut command = player(display, home);
        command.env("DBUS_SESSION_BUS_ADDRESS", bus).stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().expect("the launcher can be started")
    }

    /// Opens a link or a file as the player's desktop would, and waits until that start has ended: the window that is
    /// there takes it.
    ///
    /// # Panics
    /// When it does not.
    pub fn hand(display: &Display, home: &Path, open: &str) {
        let done = player(display, home).arg(open).output().expect("the launcher can be started");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn ask(&mut self, request: &Request) -> Response {
        let answer = self.try_ask(request);
        answer.unwrap_or_else(|error| {
            panic!("the window does not answer {request:?}: {error}\n{}", self.errors())
        })
    }

    fn try_ask(&mut self, request: &Request) -> std::io::Result<Response> {
        write_message(&self.socket, request)?;
        read_message(&self.socket)
    }

    fn errors(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(30).collect();
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// What it shows now.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn tree(&mut self) -> Tree {
        match self.ask(&Request::GetTree) {
            Response::Tree { accesskit: Some(TreeUpdate { nodes, .. }), .. } => Tree(nodes),
            other => panic!("no tree: {other:?}"),
        }
    }

    /// Frames drawn since it was opened, the one for this question among them.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn frames(&mut self) -> u64 {
        match self.ask(&Request::GetTree) {
            Response::Tree { step, .. } => step,
            other => panic!("no tree: {other:?}"),
        }
    }

    /// Waits until it shows what is wanted.
    ///
    /// # Panics
    /// When it does not for too long; a screenshot is kept.
    #[track_caller]
    pub fn wait_for<T>(&mut self, what: &str, wanted: impl Fn(&Tree) -> Option<T>) -> T {
        let end = Instant::now() + patience();
        loop {
            let tree = self.tree();
            if let Some(found) = wanted(&tree) {
                return found;
            }
            if Instant::now() > end {
                let shot = self.keep_screenshot("failed");
                panic!(
                    "never seen: {what}. It shows:\n{}\nsee {}\n{}",
                    tree.all(),
                    shot.display(),
                    self.errors()
                );
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// Waits until some text or name contains this.
    #[track_caller]
    pub fn wait_to_say(&mut self, text: &str) {
        self.wait_for(text, |tree| tree.says(text).then_some(()));
    }

    /// Waits for a control of this name that can be used; it may be pressed by its beginning.
    #[track_caller]
    pub fn wait_to_have(&mut self, name: &str) {
        self.wait_for(name, |tree| tree.has(name).then_some(()));
    }

    /// Waits for a control that can be used, and presses it as a screen reader does: nothing depends on where the pointer is.
    #[track_caller]
    pub fn press(&mut self, name: &str) {
        self.request(name, Action::Click);
    }

    /// Types into the field of this name.
    #[track_caller]
    pub fn type_into(&mut self, name: &str, text: &str) {
        self.request(name, Action::Focus);
        self.apply(Event::Text(text.to_owned()));
    }

    #[track_caller]
    fn request(&mut self, name: &str, action: Action) {
        let target_node = self.wait_for(name, |tree| tree.control(name).map(|(id, _)| *id));
        self.act(action, target_node);
    }

    fn act(&mut self, action: Action, target_node: NodeId) {
        let request = ActionRequest { action, target_tree: TreeId::ROOT, target_node, data: None };
        self.apply(Event::AccessKitActionRequest(request));
    }

    /// Presses and releases a key.
    pub fn key(&mut self, key: Key, modifiers: Modifiers) {
        for pressed in [true, false] {
            let event = Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
            // The last one may end the program.
            let _ = self.try_ask(&Request::ApplyEvents { events: vec![event] });
        }
    }

    fn apply(&mut self, event: Event) {
        self.ask(&Request::ApplyEvents { events: vec![event] });
    }

    /// Keeps what it looks like in `target/window`, and says where.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn keep_screenshot(&mut self, name: &str) -> PathBuf {
        let folder = binary("launcher").with_file_name("").join("../window");
        fs::create_dir_all(&folder).expect("a folder in target");
        let path = folder.join(format!("{name}-{}.png", std::process::id()));
        if let Response::Screenshot(png) = self.ask(&Request::GetScreenshot { pixels_per_point: None }) {
            fs::write(&path, png.bytes).expect("a screenshot can be kept");
        }
        path
    }

    /// Presses whichever of these is there until it shows, or has done, what is wanted.
    ///
    /// # Panics
    /// When it does not for too long.
    #[track_caller]
    pub fn press_until(&mut self, names: &[&str], wanted: impl Fn(&Tree) -> bool) {
        let end = Instant::now() + patience();
        loop {
            let tree = self.tree();
            if wanted(&tree) {
                return;
            }
            assert!(Instant::now() < end, "never seen after {names:?}. It shows:\n{}", tree.all());
            if let Some((id, _)) = names.iter().find_map(|name| tree.control(name)) {
                self.act(Action::Click, *id);
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// Whether it stands still at the step that `SAMARA_STOP_AT` named.
    pub fn stopped(&self) -> impl Fn() -> bool + use<> {
        let told = self.told.clone();
        move || fs::read_to_string(&told).is_ok_and(|told| told.contains(r#""event":"stopped""#))
    }

    /// Lets it work until a moment that the test has drawn, and does not look.
    pub fn leave_until(&self, end: Instant) {
        thread::sleep(end.saturating_duration_since(Instant::now()));
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Quits it as a player does, and waits for its end.
    ///
    /// # Panics
    /// When it does not end well.
    pub fn quit(mut self) {
        self.key(Key::Q, Modifiers::COMMAND);
        self.wait_for_end();
    }

    /// Waits for the end of it, which was asked for elsewhere.
    ///
    /// # Panics
    /// When it does not end well.
    pub fn wait_for_end(mut self) {
        let end = Instant::now() + patience();
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                assert!(status.success(), "{status}: {}", self.errors());
                return;
            }
            thread::sleep(ASK_EVERY);
        }
        panic!("the window does not end: {}", self.errors());
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The launcher as this player starts it.
fn player(display: &Display, home: &Path) -> Command {
    launcher(display, home, &binary("launcher"))
}

fn launcher(display: &Display, home: &Path, program: &Path) -> Command {
    fs::create_dir_all(home).expect("a home can be made");
    let mut command = Command::new(program);
    command.env("HOME", home).env("XDG_DATA_HOME", home.join("data")).env("LANG", "C.UTF-8");
    command.env("XDG_RUNTIME_DIR", home).env("XDG_CONFIG_HOME", home.join("config"));
    command.env("DISPLAY", &display.name).env("LIBGL_ALWAYS_SOFTWARE", "1");
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    for other in ["WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "LC_ALL", "LC_MESSAGES", "EGUI_INSPECTION"] {
        command.env_remove(other);
    }
    command
}

/// What any single wait for a window may last: SAMARA_PATIENCE says how many seconds.
#[must_use]
pub fn patience() -> Duration {
    let told = env::var("SAMARA_PATIENCE").ok().and_then(|told| told.parse().ok());
    told.map_or(PATIENCE, Duration::from_secs)
}

/// Of a window that another program starts there is no child to look after.
fn connect(address: SocketAddr, mut child: Option<&mut Child>, log: &Path) -> TcpStream {
    let end = Instant::now() + patience();
    loop {
        if let Ok(socket) = TcpStream::connect(address) {
            let patience = socket.set_read_timeout(Some(patience()));
            if patience.is_ok() && read_handshake(&socket).is_ok() {
                return socket;
            }
            // The one that is to make room may have taken the call.
            assert!(child.is_none(), "somebody else listens there");
        }
        let ended = child.as_mut().and_then(|child| child.try_wait().expect("it is our child"));
        // One that hands its work to a newer version and leaves it alone has ended well.
        let ended = ended.filter(|status| !status.success());
        let late = Instant::now() > end;
        if late || ended.is_some() {
            panic!("no window ({ended:?}): {}", fs::read_to_string(log).unwrap_or_default());
        }
        thread::sleep(ASK_EVERY);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
