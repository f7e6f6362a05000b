//! What is shown for an error: title, cause, advice, and a button that does something about it.

use crate::gui::text::Texts;

/// What the button of a card does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// The same operation again.
    Retry,
    /// Let it go on.
    Resume,
    /// Open the folder chooser.
    ChooseFolder,
    /// Show what takes the space, and the folder chooser.
    FreeSpace,
    /// Go on by itself when the game has ended.
    Wait,
    /// Check and mend.
    Repair,
    /// Install over the files that are there.
    Adopt,
    /// Update this launcher.
    UpdateLauncher,
    /// Open the settings.
    Settings,
    /// Open the list of versions.
    Versions,
    /// Add the game anew, by link or file.
    AddAgain,
    /// Copy what the studio or we need to know.
    Report,
    /// Nothing can or must be done: the card goes.
    Understood,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Retry,
        Self::Resume,
        Self::ChooseFolder,
        Self::FreeSpace,
        Self::Wait,
        Self::Repair,
        Self::Adopt,
        Self::UpdateLauncher,
        Self::Settings,
        Self::Versions,
        Self::AddAgain,
        Self::Report,
        Self::Understood,
    ];

    /// The key of the button's label.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Retry => "act-retry",
            Self::Resume => "act-resume",
            Self::ChooseFolder => "act-choose-folder",
            Self::FreeSpace => "act-free-space",
            Self::Wait => "act-wait",
            Self::Repair => "act-repair",
            Self::Adopt => "act-adopt",
            Self::UpdateLauncher => "act-update-launcher",
            Self::Settings => "act-settings",
            Self::Versions => "act-versions",
            Self::AddAgain => "act-add-again",
            Self::Report => "act-report",
            Self::Understood => "act-understood",
        }
    }
}

/// What is shown for an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What happened, in a few words.
    pub title: String,
    /// Why, and what it means for the game.
    pub cause: String,
    /// What one can do.
    pub advice: String,
    /// The button's label.
    pub label: String,
    /// What the button does.
    pub act: Act,
    /// A second thing that can be done, and its label.
    pub also: Option<(Act, String)>,
}

/// What else can be done about an error.
fn also(code: &str) -> Option<Act> {
    match code {
        "E-FOLDER-NOT-EMPTY" => Some(Act::Adopt),
        "E-FOLDER-MISSING" => Some(Act::Retry),
        "E-FOLDER-NOT-INSTALLED" | "E-FOLDER-DAMAGED" => Some(Act::ChooseFolder),
        _ => None,
    }
}

/// The code that stands for those that have no card: a code from a later engine. A test finds every one of ours.
const OTHER: &str = "E-INTERNAL";

/// The card of an error's code.
#[must_use]
pub fn card(texts: &Texts, code: &str) -> Card {
    let known = CARDS.iter().find(|(known, _)| *known == code);
    let (code, act) = known.copied().unwrap_or((OTHER, Act::Report));
    Card {
        title: texts.say(code),
        cause: texts.part(code, "cause").unwrap_or_default(),
        advice: texts.part(code, "advice").unwrap_or_default(),
        label: texts.say(act.key()),
        act,
        also: also(code).map(|act| (act, texts.say(act.key()))),
    }
}

/// Every code that reaches a player, and what its button does. The texts are named by the codes.
pub(crate) const CARDS: &[(&str, Act)] = &[
    ("E-APPLY-CHANGED", Act::Retry),
    ("E-APPLY-DAMAGED", Act::Retry),
    ("E-APPLY-INCOMPLETE", Act::Resume),
    ("E-APPLY-JOURNAL", Act::Adopt),
    ("E-APPLY-LINKS", Act::Retry),
    ("E-APPLY-UNFINISHED", Act::Retry),
    ("E-BRAND", Act::Report),
    ("E-CANCELLED", Act::Resume),
    ("E-CONTENT-REFUSED", Act::Retry),
    ("E-DAMAGED", Act::Repair),
    ("E-DISK-FULL", Act::FreeSpace),
    ("E-DISK-IO", Act::Retry),
    ("E-DISK-LOCKED", Act::Retry),
    ("E-DISK-PERMISSION", Act::ChooseFolder),
    ("E-DISK-READ-ONLY", Act::ChooseFolder),
    ("E-DOC-BAD", Act::Report),
    ("E-DOC-NEWER", Act::UpdateLauncher),
    ("E-FOLDER-BUSY", Act::Retry),
    ("E-FOLDER-DAMAGED", Act::Adopt),
    ("E-FOLDER-MISSING", Act::ChooseFolder),
    ("E-FOLDER-NEWER", Act::UpdateLauncher),
    ("E-FOLDER-NOT-A-FOLDER", Act::ChooseFolder),
    ("E-FOLDER-NOT-EMPTY", Act::ChooseFolder),
    ("E-FOLDER-NOT-INSTALLED", Act::Adopt),
    ("E-FOLDER-OTHER-GAME", Act::ChooseFolder),
    ("E-FS-CASE", Act::ChooseFolder),
    ("E-FS-LIMIT", Act::ChooseFolder),
    ("E-FS-PATH-TOO-LONG", Act::ChooseFolder),
    ("E-GAME-RUNNING", Act::Wait),
    ("E-INTERNAL", Act::Report),
    ("E-LAUNCH", Act::Repair),
    ("E-LIBRARY-DAMAGED", Act::Understood),
    ("E-LIBRARY-NEWER", Act::UpdateLauncher),
    ("E-LISTEN", Act::Settings),
    ("E-MANIFEST-BAD", Act::Report),
    ("E-MANIFEST-NEWER", Act::UpdateLauncher),
    ("E-NAME", Act::Report),
    ("E-NO-SOURCES", Act::Retry),
    ("E-NOT-FINISHED", Act::Resume),
    ("E-OFFLINE", Act::Retry),
    ("E-PACKS-BAD", Act::Report),
    ("E-PACKS-NEWER", Act::UpdateLauncher),
    ("E-PATH-COLLISION", Act::Report),
    ("E-PATH-LINK", Act::Report),
    ("E-PATH-NAME", Act::Report),
    ("E-PAUSED", Act::Resume),
    ("E-RECORD-DAMAGED", Act::Adopt),
    ("E-ROLLBACK-INCOMPLETE", Act::Versions),
    ("E-ROLLBACK-NOTHING", Act::Versions),
    ("E-ROUTE-UNKNOWN", Act::Retry),
    ("E-SELF-FAILED", Act::Understood),
    ("E-SELF-NO-GAME", Act::Understood),
    ("E-SELF-NO-SOURCE", Act::Understood),
    ("E-SELF-NOTHING", Act::Understood),
    ("E-SELF-TAKEN-BACK", Act::Understood),
    ("E-SERVER-MISBEHAVES", Act::Retry),
    ("E-SERVER-REFUSED", Act::Retry),
    ("E-TRUST-CHANNEL", Act::Understood),
    ("E-TRUST-DOWNGRADE", Act::Understood),
    ("E-TRUST-EXPIRED", Act::Retry),
    ("E-TRUST-FAST-FORWARD", Act::Retry),
    ("E-TRUST-FLOOR", Act::Understood),
    ("E-TRUST-MALFORMED", Act::Retry),
    ("E-TRUST-MISSING", Act::Retry),
    ("E-TRUST-NOT-FOUND", Act::AddAgain),
    ("E-TRUST-NOT-REFRESHED", Act::Retry),
    ("E-TRUST-ROLLBACK", Act::Understood),
    ("E-TRUST-ROOT", Act::AddAgain),
    ("E-TRUST-STATE", Act::Retry),
    ("E-TRUST-TAMPERED", Act::Understood),
    ("E-TRUST-TOO-LARGE", Act::Retry),
    ("E-TRUST-TRANSPORT", Act::Retry),
    ("E-TRUST-TRUNCATED", Act::Retry),
    ("E-USAGE", Act::Report),
];
