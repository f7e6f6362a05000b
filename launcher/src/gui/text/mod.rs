//! What the window says: every text by its key, in the player's language.

pub mod cards;
mod pseudo;

use std::time::Duration;

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language that the window speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// English with accents and brackets around: what has none was never given to a translator, and what is cut off is
    /// too tight for longer languages.
    Pseudo,
}

impl Language {
    /// The language for a tag such as `de-AT`; English for those that are not there.
    #[must_use]
    pub fn of(tag: &str) -> Self {
        // POSIX writes de_AT.UTF-8.
        let tag = tag.split(['.', '@']).next().unwrap_or_default();
        let known: Option<LanguageIdentifier> = tag.parse().ok();
        match known.as_ref().map(|known| known.language.as_str()) {
            Some("de") => Self::German,
            Some("qps") => Self::Pseudo,
            _ => Self::English,
        }
    }

    /// Rules for plurals go by it.
    fn id(self) -> LanguageIdentifier {
        let tag = match self {
            Self::English | Self::Pseudo => "en",
            Self::German => "de",
        };
        tag.parse().unwrap_or_default()
    }

    fn sources(self) -> [&'static str; 2] {
        match self {
            Self::English | Self::Pseudo => [include_str!("en.ftl"), include_str!("errors.en.ftl")],
            Self::German => [include_str!("de.ftl"), include_str!("errors.de.ftl")],
        }
    }
}

/// A value inside a text.
pub type Value<'a> = FluentValue<'a>;

/// All texts of one language.
pub struct Texts {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts").field("language", &self.language).finish_non_exhaustive()
    }
}

impl Texts {
    /// The texts of a language.
    #[must_use]
    pub fn new(language: Language) -> Self {
        let mut bundle = FluentBundle::new(vec![language.id()]);
        // The marks around values that keep two directions of writing apart; neither language needs them, and fonts show
        // them as boxes.
        bundle.set_use_isolating(false);
        if language == Language::Pseudo {
            bundle.set_transform(Some(pseudo::accented));
        }
        for source in language.sources() {
            // What is wrong in a source is left out of the resource; a test says so.
            let (Ok(resource) | Err((resource, _))) = FluentResource::try_new(source.to_owned());
            bundle.add_resource_overriding(resource);
        }
        Self { language, bundle }
    }

    /// The language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// A text.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        self.tell(key, &[])
    }

    /// A text with values in it.
    #[must_use]
    pub fn tell(&self, key: &str, values: &[(&str, Value<'_>)]) -> String {
        self.find(key, None, values).unwrap_or_else(|| key.to_owned())
    }

    /// A part of a text, as a card's advice.
    #[must_use]
    pub fn part(&self, key: &str, part: &str) -> Option<String> {
        self.find(key, Some(part), &[])
    }

    fn find(&self, key: &str, part: Option<&str>, values: &[(&str, Value<'_>)]) -> Option<String> {
        let message = self.bundle.get_message(key)?;
        let pattern = match part {
            Some(part) => message.get_attribute(part)?.value(),
            None => message.value()?,
        };
        let args: FluentArgs<'_> = values.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&args), &mut errors);
        Some(match self.language {
            Language::Pseudo => pseudo::bracketed(&text),
            _ => text.into_owned(),
        })
    }

    /// Bytes for people, in powers of ten as disks are sold: `1.2 GB`, `1,2 GB`.
    #[must_use]
    pub fn bytes(&self, bytes: u64) -> String {
        let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
        // No break between number and unit.
        let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
            return format!("{bytes}\u{a0}B");
        };
        let tenths = bytes / (unit / 10);
        match tenths {
            0..1000 => format!("{}{}{}\u{a0}{name}", tenths / 10, self.point(), tenths % 10),
            _ => format!("{}\u{a0}{name}", tenths / 10),
        }
    }

    /// A time, in its largest unit: nobody knows the rest of an estimate.
    #[must_use]
    pub fn duration(&self, time: Duration) -> String {
        let seconds = time.as_secs();
        let (key, count) = match seconds {
            0..90 => ("unit-seconds", seconds.max(1)),
            90..5400 => ("unit-minutes", seconds.div_ceil(60)),
            _ => ("unit-hours", seconds.div_ceil(3600)),
        };
        self.tell(key, &[("count", count.into())])
    }

    /// The same as a value of another text: without marks of its own.
    #[must_use]
    pub fn bare_duration(&self, time: Duration) -> String {
        let told = self.duration(time);
        bare(&told).to_owned()
    }

    fn point(&self) -> char {
        match self.language {
            Language::German => ',',
            Language::English | Language::Pseudo => '.',
        }
    }
}

/// A text as a value of another: the pseudo-locale's brackets stand around the whole.
#[must_use]
pub fn bare(text: &str) -> &str {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.map_or(text, |inner| inner.trim_end_matches('~'))
}

#[cfg(test)]
mod tests;
