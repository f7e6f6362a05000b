//! The last lines of the log, for who asks for help: bounded, and without what names people, their machines and folders.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};

/// Lines that are kept.
const LINES: usize = 200;
/// Characters of a line that are kept.
const LINE_CHARS: usize = 400;
/// Whose lines are kept however harmless; of others, warnings and errors.
const OURS: [&str; 3] = ["launcher", "manifests", "protocol"];

/// The last lines of the log; clones share them.
#[derive(Debug, Clone)]
pub struct Recent {
    lines: Arc<Mutex<VecDeque<String>>>,
    began: Instant,
    /// The player's own folder, as it is not to be told.
    home: Option<Arc<str>>,
}

impl Recent {
    /// Nothing yet. `home` is the player's own folder, whose name is often his.
    #[must_use]
    pub fn new(home: Option<&Path>) -> Self {
        let home = home.and_then(Path::to_str).filter(|home| home.len() > 1).map(Arc::from);
        Self { lines: Arc::default(), began: Instant::now(), home }
    }

    /// What is kept, a line each, the oldest first.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn note(&self, line: &str) {
        let line: String = scrub(line, self.home.as_deref()).chars().take(LINE_CHARS).collect();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let seconds = self.began.elapsed().as_secs_f32();
        let mut told = Told(format!("{seconds:.1} s {} {}:", metadata.level(), metadata.target()));
        event.record(&mut told);
        self.note(&told.0);
    }
}

/// Which lines [`Recent`] keeps.
#[derive(Debug)]
pub struct Kept;

fn is_kept(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    let most = if OURS.contains(&root) { LevelFilter::INFO } else { LevelFilter::WARN };
    *metadata.level() <= most
}

impl<S> Filter<S> for Kept {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        is_kept(metadata)
    }

    // Told once for each place that logs, so that what is not kept costs nothing.
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_kept(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

/// An event as one line.
struct Told(String);

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing into a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }
}

/// The line without the player's own folder, other folders, names and addresses of machines.
fn scrub(line: &str, home: Option<&str>) -> String {
    let line = line.replace(['\n', '\r'], " ");
    let line = home.map_or_else(|| line.clone(), |home| line.replace(home, "~"));
    let mut told = String::with_capacity(line.len());
    let ends = |c: char| c.is_whitespace() || "\"'()<>".contains(c);
    for part in line.split_inclusive(ends) {
        let word = part.trim_end_matches(ends);
        let (word, rest) = part.split_at(word.len());
        let bare = word.trim_end_matches(['.', ':', ',', ';']);
        told.push_str(&plain(bare));
        told.push_str(&word[bare.len()..]);
        told.push_str(rest);
    }
    told
}

/// A word that may be told.
fn plain(word: &str) -> String {
    const ADDRESS: &str = "[address]";
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok();
    // In lists.
    let inner = word.trim_matches(['[', ']']);
    if let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.contains("://")) {
        return format!("{name}={}", plain(value));
    }
    if let Some((_, rest)) = word.split_once("://") {
        // What is asked for stays; who is asked, with which password or token, does not.
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        return format!("{ADDRESS}{path}");
    }
    if is_address(word) || is_address(inner) {
        return ADDRESS.to_owned();
    }
    let is_path =
        word.starts_with('/') || word.starts_with("~/") || word.contains(":\\") || word.starts_with("\\\\");
    match word.rsplit_once(['/', '\\']) {
        Some((folder, name)) if is_path && !folder.is_empty() => format!("…/{name}"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn what_names_somebody_is_left_out() {
        for (line, expected) in [
            ("peer 192.168.7.9:6881 left", "peer [address] left"),
            ("peer=[2001:db8::7]:6881: gone", "peer=[address]: gone"),
            ("found [10.0.0.1:80, 10.0.0.2:80]", "found [address], [address]"),
            ("from=http://cdn.example/x?a=1,token=y now", "from=[address]/x now"),
            ("at 10.0.0.1.", "at [address]."),
            (
                "error for url (https://ann:secret@cdn.example:8443/metadata/1.root.json?token=x)",
                "error for url ([address]/metadata/1.root.json)",
            ),
            ("udp://tracker.example:80", "[address]"),
            ("reading /home/ann/games/freeciv/data.pak: denied", "reading …/data.pak: denied"),
            ("reading /mnt/big disk/x", "reading …/big disk/x"),
            (r"reading C:\Users\Ann\x.pak", "reading …/x.pak"),
            ("launcher::engine version 3.1.4, 100 % of 1/2", "launcher::engine version 3.1.4, 100 % of 1/2"),
            ("kept as levels/one.dat", "kept as levels/one.dat"),
            ("two\nlines", "two lines"),
        ] {
            assert_eq!(scrub(line, Some("/home/ann")), expected);
        }
        assert_eq!(scrub("in /home/ann", Some("/home/ann")), "in ~");
    }

    #[test]
    fn the_last_lines_are_kept_of_what_matters() {
        let recent = Recent::new(None);
        let subscriber = tracing_subscriber::registry().with(recent.clone().with_filter(Kept));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("too old");
            for number in 0..LINES - 2 {
                tracing::info!(number, "ours");
            }
            tracing::debug!("too much");
            tracing::info!(target: "hyper", "another's");
            tracing::warn!(target: "hyper", peer = "10.1.2.3:80", "another's warning");
            tracing::error!("{}", "x".repeat(10 * LINE_CHARS));
        });
        let text = recent.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), LINES);
        assert!(lines[0].ends_with("INFO launcher::recent::tests: ours number=0"), "{}", lines[0]);
        let warning = lines[LINES - 2];
        assert!(warning.ends_with("WARN hyper: another's warning peer=[address]"), "{warning}");
        assert_eq!(lines[LINES - 1].chars().count(), LINE_CHARS);
    }
}
