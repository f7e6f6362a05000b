//! What is printed: results on standard output, progress and errors on standard error; with `--json` one object a line.

use crate::error::Error;
use crate::optimize::Optimized;
use crate::packs::PackMade;
use crate::progress::Progress;
use crate::publish::Published;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write as _;

/// How to talk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// `{"event":…, …fields}`, or the text.
    pub(crate) fn say(&self, event: &str, fields: &impl Serialize, text: &str) {
        let line = if self.json { event_line(event, fields) } else { text.to_owned() };
        let mut out = std::io::stdout().lock();
        // A reader that went away is no reason to fail what was done.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// The error, with its code and what to do.
    pub(crate) fn error(&self, error: &Error) {
        #[derive(Serialize)]
        struct Fields<'a> {
            code: &'a str,
            message: String,
            advice: &'a str,
        }
        let fields = Fields { code: error.code(), message: error.to_string(), advice: error.advice() };
        if self.json {
            self.say("error", &fields, "");
        }
        let _ = writeln!(std::io::stderr(), "{}: {}\n{}", fields.code, fields.message, fields.advice);
    }
}

fn event_line(event: &str, fields: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Line<'a, T> {
        event: &'a str,
        #[serde(flatten)]
        fields: &'a T,
    }
    serde_json::to_string(&Line { event, fields }).unwrap_or_default()
}

/// What a publish did, for a person.
pub(crate) fn published(done: &Published) -> String {
    let mut text = format!(
        "{} {} is published on channel {} (sequence {}).\n\
         {} files, {} executable, {}; {} new blobs, {}; {:.1} s.\n\
         Hybrid torrent, pieces of {}: {}\n  v1 {}\n  v2 {}\nFor v1-only clients: {}\n  v1 {}",
        done.game,
        done.release,
        done.channel,
        done.sequence,
        HumanCount(done.files),
        HumanCount(done.executables),
        HumanBytes(done.bytes),
        HumanCount(done.new_blobs),
        HumanBytes(done.new_bytes),
        done.seconds,
        HumanBytes(u64::from(done.piece_len)),
        done.torrent.display(),
        done.info_hash_v1,
        done.info_hash_v2,
        done.torrent_v1_only.display(),
        done.info_hash_v1_only,
    );
    text += &pack_table(&done.packs);
    if done.empty_folders > 0 {
        text += &format!(
            "\nNote: {} empty folders are not part of the release; put a file in them if the game needs them.",
            done.empty_folders
        );
    }
    text
}

/// What was made and listed, for a person.
pub(crate) fn optimized(done: &Optimized) -> String {
    let listed = done.packs.iter().filter(|pack| pack.listed).count();
    let mut text = match (listed, done.packs.len()) {
        (0, 0) => format!("There is no smaller or further pack for {} {}.", done.game, done.release),
        (0, made) => format!("{made} packs for {} {} wait for --sign.", done.game, done.release),
        _ => format!(
            "{} {}: {listed} new packs in revision {} of its list; {:.1} s.",
            done.game, done.release, done.revision, done.seconds
        ),
    };
    text += &pack_table(&done.packs);
    if !done.unchanged.is_empty() {
        text +=
            &format!("\nAs small as this level makes them: the packs from {}.", done.unchanged.join(", "));
    }
    text
}

/// What each pack costs the players it is for.
fn pack_table(packs: &[PackMade]) -> String {
    if packs.is_empty() {
        return String::new();
    }
    let head = ["Players who have", "fetch", "without it", "", "made in"];
    let mut rows = vec![head.map(str::to_owned)];
    for pack in packs.iter().rev() {
        let cpu = pack.match_cpu_s + pack.compress_cpu_s;
        rows.push([
            pack.base.clone().unwrap_or_else(|| "nothing".to_owned()),
            HumanBytes(pack.bytes).to_string(),
            HumanBytes(pack.plain_bytes).to_string(),
            format!("{:.1} %", pack.ratio * 100.0),
            format!("{:.1} s ({cpu:.1} CPU), proof {:.1} s", pack.create_s, pack.proof_s),
        ]);
    }
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let [first, second, third, fourth] = widths;
    let mut text = String::new();
    for [from, fetch, without, ratio, made] in &rows {
        text += &format!("\n{from:first$}  {fetch:>second$}  {without:>third$}  {ratio:>fourth$}  {made}");
    }
    let memory = packs.iter().map(|pack| pack.memory_bytes).max().unwrap_or(0);
    text + &format!("\nApplying takes up to {} of memory a thread.", HumanBytes(memory))
}

/// A bar on standard error; nothing where that is no terminal.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Bar {
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template(
            "{msg:9} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
        );
        Bar(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }
}

impl Progress for Bar {
    fn begins(&self, _: u64, bytes: u64) {
        self.0.set_length(bytes);
        self.0.set_message("hashing");
    }
    fn read(&self, bytes: u64) {
        self.0.inc(bytes);
    }
    fn step(&self, text: &'static str) {
        self.0.set_message(text);
    }
    fn stage(&self, text: &'static str, bytes: u64) {
        self.0.reset();
        self.0.set_length(bytes);
        self.0.set_message(text);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_one_line() {
        #[derive(Serialize)]
        struct Fields {
            text: &'static str,
        }
        let line = event_line("listening", &Fields { text: "a\nb" });
        assert_eq!(line, r#"{"event":"listening","text":"a\nb"}"#);
    }
}
