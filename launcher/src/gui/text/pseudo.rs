//! The pseudo-locale: English made to look foreign, and a third longer, as German is.

use std::borrow::Cow;

/// Letters with accents, each still readable.
pub(crate) fn accented(text: &str) -> Cow<'_, str> {
    let accent = |letter| match letter {
        'a' => 'á',
        'c' => 'ç',
        'e' => 'é',
        'i' => 'í',
        'n' => 'ñ',
        'o' => 'ó',
        'u' => 'ú',
        'y' => 'ý',
        'A' => 'Á',
        'C' => 'Ç',
        'E' => 'É',
        'I' => 'Í',
        'N' => 'Ñ',
        'O' => 'Ó',
        'U' => 'Ú',
        'Y' => 'Ý',
        other => other,
    };
    Cow::Owned(text.chars().map(accent).collect())
}

/// The whole text in brackets, with the length that other languages need.
pub(crate) fn bracketed(text: &str) -> String {
    let more = text.chars().count() / 3;
    format!("[{text}{}]", "~".repeat(more))
}
