//! What the player has decided. Everything has a default that costs him nothing he did not agree to.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::shell::library::Order;
use crate::shell::record::{self, RecordError};

/// The record's version.
pub const VERSION: u32 = 1;
/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;
/// The smallest and largest zoom, in per cent.
pub const ZOOM_PERCENT: std::ops::RangeInclusive<u16> = 75..=250;
/// No limit is set below this, in bytes a second: with less an update never ends.
pub const LEAST_LIMIT: u64 = 10_000;

/// What the player has decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The record's version.
    pub version: u32,
    /// Whether he lets other players have parts of his games from here.
    pub sharing: Consent,
    /// How fast.
    pub limits: Limits,
    /// When downloads may run; none for always.
    pub schedule: Option<Window>,
    /// What downloads do on a connection that costs by the byte.
    pub on_metered: Rule,
    /// What downloads do without mains power.
    pub on_battery: Rule,
    /// What downloads do while a game runs; uploads stop in any case.
    pub while_playing: Rule,
    /// Updates are fetched by themselves.
    pub auto_update: bool,
    /// A language tag; none for the system's.
    pub language: Option<String>,
    /// Dark or light.
    pub theme: Look,
    /// Size of everything, in per cent.
    pub zoom_percent: u16,
    /// Whether anything moves.
    pub animations: bool,
    /// Start without a window, in the tray.
    pub start_minimised: bool,
    /// Closing the window leaves it running in the tray.
    pub close_to_tray: bool,
    /// Where new games go.
    pub games_folder: Option<PathBuf>,
    /// How the library is drawn.
    pub layout: Layout,
    /// How the library is sorted.
    pub order: Order,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: VERSION,
            sharing: Consent::NotAsked,
            limits: Limits::default(),
            schedule: None,
            on_metered: Rule::Pause,
            on_battery: Rule::GoOn,
            while_playing: Rule::Pause,
            auto_update: false,
            language: None,
            theme: Look::System,
            zoom_percent: 100,
            animations: true,
            start_minimised: false,
            close_to_tray: true,
            games_folder: None,
            layout: Layout::Grid,
            order: Order::Recent,
        }
    }
}

impl Settings {
    /// Reads the record; what is out of its range is brought into it.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        record::decode::<Self>(bytes, VERSION).map(Self::bounded)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        record::encode(self)
    }

    /// The same with every value in its range.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.version = VERSION;
        self.zoom_percent = self.zoom_percent.clamp(*ZOOM_PERCENT.start(), *ZOOM_PERCENT.end());
        let limits = &mut self.limits;
        for limit in [
            &mut limits.download,
            &mut limits.upload,
            &mut limits.background_download,
            &mut limits.background_upload,
            &mut limits.playing_download,
        ] {
            *limit = limit.map(|rate| rate.max(LEAST_LIMIT));
        }
        self.schedule = self.schedule.filter(|window| window.is_sound());
        self
    }

    /// Whether the question has to be asked before anything else.
    #[must_use]
    pub fn is_first_run(&self) -> bool {
        self.sharing == Consent::NotAsked
    }
}

/// The answer to whether this computer may send parts of its games to other players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// He was not asked yet: nothing is sent.
    NotAsked,
    /// Yes.
    Yes,
    /// No: nothing is sent.
    No,
}

/// Bytes per second; none for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Received while the window is in front.
    pub download: Option<u64>,
    /// Sent while the window is in front.
    pub upload: Option<u64>,
    /// Received while it is not; none for the same as in front.
    pub background_download: Option<u64>,
    /// Sent while it is not; none for the same as in front.
    pub background_upload: Option<u64>,
    /// Received while a game runs, where downloads go on at all.
    pub playing_download: Option<u64>,
}

/// What to do in a condition that the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Wait until it is over.
    Pause,
    /// Take no notice.
    GoOn,
}

/// Dark or light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// As the system has it.
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// How the library is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Cards with art.
    Grid,
    /// One line a game.
    List,
}

/// A part of each day, in minutes of local time since midnight. It may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First minute.
    pub from: u16,
    /// First minute that is no longer in it.
    pub to: u16,
}

impl Window {
    /// Whether it is a window: an empty one would stop everything for ever.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.from < DAY_MINUTES && self.to < DAY_MINUTES && self.from != self.to
    }

    /// Whether a minute of the day lies in it.
    #[must_use]
    pub fn is_open(&self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// Minutes until it opens or closes next, 1 or more.
    #[must_use]
    pub fn changes_in(&self, minute: u16) -> u16 {
        let until = |at: u16| match (at + DAY_MINUTES - minute % DAY_MINUTES) % DAY_MINUTES {
            0 => DAY_MINUTES,
            left => left,
        };
        until(self.from).min(until(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shared_before_the_player_said_so() {
        let settings = Settings::default();
        assert!(settings.is_first_run());
        assert_eq!(settings.sharing, Consent::NotAsked);
        assert!(!settings.auto_update);
    }

    #[test]
    fn an_empty_or_older_record_has_the_defaults() {
        assert_eq!(Settings::decode(br#"{"version":1}"#).unwrap(), Settings::default());
        let some = Settings { sharing: Consent::No, zoom_percent: 150, ..Settings::default() };
        assert_eq!(Settings::decode(&some.encode().unwrap()).unwrap(), some);
    }

    #[test]
    fn nonsense_is_brought_into_range() {
        let read = |text: &str| Settings::decode(text.as_bytes()).unwrap();
        assert_eq!(read(r#"{"version":1,"zoom_percent":1}"#).zoom_percent, 75);
        assert_eq!(read(r#"{"version":1,"zoom_percent":9999}"#).zoom_percent, 250);
        assert_eq!(read(r#"{"version":1,"schedule":{"from":60,"to":60}}"#).schedule, None);
        assert_eq!(read(r#"{"version":1,"schedule":{"from":60,"to":1440}}"#).schedule, None);
        assert_eq!(read(r#"{"version":1,"limits":{"download":0}}"#).limits.download, Some(LEAST_LIMIT));
    }

    #[test]
    fn windows_go_over_midnight() {
        let at = |hour: u16, minute: u16| hour * 60 + minute;
        let night = Window { from: at(22, 0), to: at(6, 30) };
        let noon = Window { from: at(12, 0), to: at(13, 0) };
        for (window, minute, open, left) in [
            (night, at(22, 0), true, at(8, 30)),
            (night, at(0, 0), true, at(6, 30)),
            (night, at(6, 29), true, 1),
            (night, at(6, 30), false, at(15, 30)),
            (night, at(21, 59), false, 1),
            (noon, at(11, 59), false, 1),
            (noon, at(12, 0), true, 60),
            (noon, at(13, 0), false, at(23, 0)),
        ] {
            assert_eq!(window.is_open(minute), open, "{window:?} at {minute}");
            assert_eq!(window.changes_in(minute), left, "{window:?} at {minute}");
        }
    }
}
