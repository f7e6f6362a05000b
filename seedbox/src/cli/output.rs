//! What is printed: results on standard output, progress and errors on standard error; with `--json` one object a line.

use crate::error::Error;
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
    text += &pack_table(&done.packs, done.bytes);
    if done.empty_folders > 0 {
        text += &format!(
            "\nNote: {} empty folders are not part of the release; put a file in them if the game needs them.",
            done.empty_folders
        );
    }
    text
}

/// What each pack costs the players it is for.
pub(crate) fn pack_table(packs: &[PackMade], release_bytes: u64) -> String {
    if packs.is_empty() {
        return String::new();
    }
    let mut text =
        format!("\n{:24} {:>12} {:>12} {:>7}   made in", "Players who have", "download", "without", "of it");
    for pack in packs.iter().rev() {
        let from = pack.base.as_deref().unwrap_or("nothing");
        text += &format!(
            "\n  {from:22} {:>12} {:>12} {:>5.1} %   {:.1} s ({:.1} CPU), proven in {:.1} s",
            HumanBytes(pack.bytes).to_string(),
            HumanBytes(pack.plain_bytes).to_string(),
            pack.ratio * 100.0,
            pack.create_s,
            pack.match_cpu_s + pack.compress_cpu_s,
            pack.proof_s,
        );
        if !pack.listed {
            text += " (not listed)";
        }
    }
    let largest = packs.iter().map(|pack| pack.memory_bytes).max().unwrap_or(0);
    text + &format!(
        "\n  (of {} in all; a player's launcher needs up to {} of memory a thread)",
        HumanBytes(release_bytes),
        HumanBytes(largest)
    )
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
