//! What a studio can do about what a file costs.

use super::Reason;
use super::kind::Kind;

pub(super) const NEW: &str = "Players do not have it yet: nothing to save but the file itself.";
pub(super) const OTHER: &str =
    "If only parts of it change, keep those together, or move them into a file of their own.";

/// In plain words.
pub(super) fn on(reason: Reason, kind: Kind) -> &'static str {
    match (reason, kind) {
        (Reason::New, _) => NEW,
        (Reason::Recompressed, Kind::Zip) => {
            "Store instead of deflate in this archive (zip -0): packs compress better, and see what did not change. Or \
             make it with the same tool, version and level every time."
        }
        (Reason::Recompressed, Kind::Png) => {
            "Keep the old picture where its source did not change, or use one encoder, version and level for all builds."
        }
        (Reason::Recompressed, _) => {
            "Ship it uncompressed: packs compress it better. Or compress with the same tool, version and level every time."
        }
        (Reason::Shifted, Kind::Zip) => "Keep entry order, and put new entries at the end.",
        (Reason::Shifted, _) => {
            "Keep the order of what is put together here, and put new data at the end; align large parts to 16 KiB."
        }
        (Reason::Timestamps, Kind::Png) => {
            "Set SOURCE_DATE_EPOCH, or leave dates out of pictures (the chunks tIME and tEXt)."
        }
        (Reason::Timestamps, Kind::Zip | Kind::Gzip) => {
            "Set SOURCE_DATE_EPOCH, or give all entries one date before they are packed (zip -X, gzip -n)."
        }
        (Reason::Timestamps, Kind::Program) => {
            "Set SOURCE_DATE_EPOCH and link reproducibly (/Brepro with MSVC; a fixed --build-id elsewhere)."
        }
        (Reason::Timestamps, _) => {
            "Set SOURCE_DATE_EPOCH, or keep dates and build numbers in one small file of their own."
        }
        (Reason::Changed, Kind::Zip) => {
            "Store instead of deflate the entries that change often: a small change then stays small."
        }
        (Reason::Changed, Kind::Gzip | Kind::Solid) => {
            "It is compressed as one piece, so a small change rewrites what follows: ship it uncompressed, packs compress it."
        }
        (Reason::Changed, Kind::Program) => {
            "Programs change all over. What changes seldom can move into a library of its own."
        }
        (Reason::Changed, _) => OTHER,
    }
}
