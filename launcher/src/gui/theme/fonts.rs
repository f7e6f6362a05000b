//! The typeface: Inter in three real weights. What it lacks comes from egui's own fonts and, in a real window, from the
//! system's.

use std::sync::Arc;

use eframe::egui::{FontData, FontDefinitions, FontFamily};

const WEIGHTS: [(&str, &[u8]); 3] = [
    ("Inter", include_bytes!("../../../assets/fonts/Inter-Regular.otf")),
    ("Inter Medium", include_bytes!("../../../assets/fonts/Inter-Medium.otf")),
    ("Inter SemiBold", include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")),
];

/// The licence that the font files come with; it is shown beside ours.
pub const LICENCE: &str = include_str!("../../../assets/fonts/Inter-LICENSE.txt");

/// For text.
#[must_use]
pub fn regular() -> FontFamily {
    FontFamily::Proportional
}

/// For buttons and names.
#[must_use]
pub fn medium() -> FontFamily {
    FontFamily::Name("Inter Medium".into())
}

/// For titles.
#[must_use]
pub fn semibold() -> FontFamily {
    FontFamily::Name("Inter SemiBold".into())
}

pub(crate) fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let others = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    for (name, bytes) in WEIGHTS {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        let family = if name == "Inter" { FontFamily::Proportional } else { FontFamily::Name(name.into()) };
        fonts
            .families
            .insert(family, std::iter::once(name.to_owned()).chain(others.iter().cloned()).collect());
    }
    fonts
}
