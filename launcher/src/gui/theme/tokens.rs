//! Colours and sizes by what they are for.

use eframe::egui::Color32;

/// The grid that everything stands on, in points.
pub const SPACE: f32 = 8.0;
/// Between the edge of the window and what is in it.
pub const EDGE: i8 = 24;
/// Corners of buttons and fields, in points.
pub const RADIUS: u8 = 4;
/// Corners of cards and windows, in points.
pub const RADIUS_LARGE: u8 = 6;

/// Colours by what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Light text on dark ground.
    pub is_dark: bool,
    /// Behind everything.
    pub ground: Color32,
    /// Parts of the window that lie on the ground.
    pub panel: Color32,
    /// Cards and buttons.
    pub raised: Color32,
    /// The same under the pointer.
    pub hover: Color32,
    /// Where one types, and what a bar fills.
    pub well: Color32,
    /// Lines between parts.
    pub line: Color32,
    /// Around what has the keyboard.
    pub focus: Color32,
    /// Text.
    pub text: Color32,
    /// Text that comes second.
    pub weak: Color32,
    /// Text that leads somewhere.
    pub link: Color32,
    /// Text that tells of something good.
    pub good: Color32,
    /// Text that tells of something to look at.
    pub warn: Color32,
    /// Text that tells of something wrong.
    pub bad: Color32,
    /// The primary button.
    pub accent: Color32,
    /// The primary button under the pointer.
    pub accent_hover: Color32,
    /// Text on the primary button.
    pub on_accent: Color32,
    /// The network, in pictures of numbers.
    pub network: Color32,
    /// The disk and the own network, in pictures of numbers.
    pub disk: Color32,
    /// Below what floats.
    pub shadow: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

impl Tokens {
    /// Dark.
    pub const DARK: Self = Self {
        is_dark: true,
        ground: rgb(0x0014_161a),
        panel: rgb(0x001b_1e24),
        raised: rgb(0x0024_2830),
        hover: rgb(0x002d_323c),
        well: rgb(0x000e_1013),
        line: rgb(0x003a_404c),
        focus: rgb(0x006f_d3a1),
        text: rgb(0x00ec_eef2),
        weak: rgb(0x00a3_abb8),
        link: rgb(0x007f_cfae),
        good: rgb(0x006f_d3a1),
        warn: rgb(0x00f0_b860),
        bad: rgb(0x00ff_8f87),
        accent: rgb(0x002a_7f5f),
        accent_hover: rgb(0x0024_7254),
        on_accent: rgb(0x00ff_ffff),
        network: rgb(0x004f_c892),
        disk: rgb(0x006a_a8ff),
        shadow: Color32::from_black_alpha(120),
    };

    /// Light.
    pub const LIGHT: Self = Self {
        is_dark: false,
        ground: rgb(0x00f4_f5f7),
        panel: rgb(0x00ff_ffff),
        raised: rgb(0x00ea_edf1),
        hover: rgb(0x00e0_e4ea),
        well: rgb(0x00e4_e7ec),
        line: rgb(0x00cd_d3db),
        focus: rgb(0x001f_7554),
        text: rgb(0x001a_1d23),
        weak: rgb(0x0056_6070),
        link: rgb(0x0017_694a),
        good: rgb(0x0017_6b47),
        warn: rgb(0x0084_540a),
        bad: rgb(0x00b3_261e),
        accent: rgb(0x001f_7554),
        accent_hover: rgb(0x001a_6648),
        on_accent: rgb(0x00ff_ffff),
        network: rgb(0x001f_7554),
        disk: rgb(0x001d_5fbf),
        shadow: Color32::from_black_alpha(40),
    };
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The ratio that WCAG 2.2 has between two colours, from 1 to 21.
    pub(crate) fn contrast(one: Color32, other: Color32) -> f64 {
        let luminance = |color: Color32| {
            let linear = |part: u8| match f64::from(part) / 255.0 {
                part if part <= 0.04045 => part / 12.92,
                part => ((part + 0.055) / 1.055).powf(2.4),
            };
            0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn the_ratio_is_the_standards() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 1e-9);
        // The grey that is known for just reaching it on white.
        assert!((contrast(rgb(0x0076_7676), Color32::WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_text_can_be_read_on_everything_it_stands_on() {
        for (name, tokens) in [("dark", Tokens::DARK), ("light", Tokens::LIGHT)] {
            let texts = [
                ("text", tokens.text),
                ("weak", tokens.weak),
                ("link", tokens.link),
                ("good", tokens.good),
                ("warn", tokens.warn),
                ("bad", tokens.bad),
            ];
            let grounds = [
                ("ground", tokens.ground),
                ("panel", tokens.panel),
                ("raised", tokens.raised),
                ("hover", tokens.hover),
                ("well", tokens.well),
            ];
            for (text, color) in texts {
                for (ground, behind) in grounds {
                    let ratio = contrast(color, behind);
                    assert!(ratio >= 4.5, "{name}: {text} on {ground}: {ratio:.2}");
                }
            }
            for (ground, behind) in [("accent", tokens.accent), ("accent_hover", tokens.accent_hover)] {
                let ratio = contrast(tokens.on_accent, behind);
                assert!(ratio >= 4.5, "{name}: on_accent on {ground}: {ratio:.2}");
            }
            let marks = [("keyboard", tokens.focus), ("network", tokens.network), ("disk", tokens.disk)];
            for ((ground, behind), (mark, color)) in
                grounds.into_iter().flat_map(|on| marks.map(|mark| (on, mark)))
            {
                let ratio = contrast(color, behind);
                assert!(ratio >= 3.0, "{name}: the mark of {mark} on {ground}: {ratio:.2}");
            }
        }
    }
}
