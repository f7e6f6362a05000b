//! Names a studio gives: games, versions, channels. They become parts of target paths and of file names, so they are
//! short, ASCII, and safe on every platform.

use std::fmt;

use crate::path::device_name;

/// A game, version or channel name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot be a {what}: use 1 to {MAX_ID_BYTES} of {allowed}, beginning with a letter or digit"
)]
pub struct IdError {
    /// What it was to name.
    pub what: &'static str,
    /// The refused text, cut to a printable length.
    pub text: String,
    /// The characters that may be used.
    pub allowed: &'static str,
}

impl IdError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "E-NAME"
    }
}

/// Longest game, version or channel name, in bytes.
pub const MAX_ID_BYTES: usize = 64;

fn check(
    text: &str,
    what: &'static str,
    allowed: &'static str,
    extra: fn(u8) -> bool,
) -> Result<(), IdError> {
    let first = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric() && (extra(b'A') || !b.is_ascii_uppercase()));
    let rest =
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b) || extra(b));
    if first && rest && text.len() <= MAX_ID_BYTES && !text.ends_with('.') && device_name(text).is_none() {
        return Ok(());
    }
    Err(IdError { what, text: text.chars().take(100).collect(), allowed })
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $allowed:literal, $extra:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// [`IdError`] says which characters may be used.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text, $what, $allowed, $extra)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                check(&text, $what, $allowed, $extra)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id_type!(
    /// A game, as in `games/<id>/…`.
    GameId, "game id", "a-z 0-9 . _ -", |_| false
);
id_type!(
    /// The version a release is published under. Order comes from the release's `sequence`, never from this text.
    Version, "version", "A-Z a-z 0-9 . _ - +", |b| b.is_ascii_uppercase() || b == b'+'
);
id_type!(
    /// A channel: stable, beta, ….
    ChannelName, "channel name", "a-z 0-9 . _ -", |_| false
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_table() {
        for good in ["a", "freeciv", "super-tux_kart.2", "0ad", &"x".repeat(64)] {
            assert!(GameId::parse(good).is_ok(), "{good}");
            assert!(ChannelName::parse(good).is_ok(), "{good}");
        }
        for good in ["3.0.6", "1.0.0-rc1+build.5", "R2D2"] {
            assert!(Version::parse(good).is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in [
            "", ".", "..", "a/b", "-a", "_a", "a.", "con", "nul.x", "é", "a b", "a*", "a?", "[a]", "a\\b",
            &long,
        ] {
            assert!(GameId::parse(bad).is_err(), "{bad:?}");
            assert!(Version::parse(bad).is_err(), "{bad:?}");
            assert!(ChannelName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(GameId::parse("Freeciv").is_err());
        assert_eq!(Version::parse("a b").unwrap_err().code(), "E-NAME");
    }
}
