//! What Windows does for the window: notifications, and whether the line costs money.
//!
//! What is asked of the system lies in [`system`]; the rest is tried everywhere.

#[cfg(windows)]
pub(super) use system::{notify, watch_line};

/// The words of Windows for a line that costs: there is so much for the money, or it is paid by what is used.
const METERED: [i32; 2] = [2, 3];

/// Whether a line costs money, by what it is to Windows and whether it is a foreign network's.
fn costs(kind: i32, is_roaming: bool) -> bool {
    is_roaming || METERED.contains(&kind)
}

/// A notification of a title and a text, as Windows reads it.
fn toast(title: &str, text: &str) -> String {
    let (title, text) = (escaped(title), escaped(text));
    format!(
        "<toast><visual><binding template=\"ToastGeneric\"><text>{title}</text><text>{text}</text></binding></visual></toast>"
    )
}

/// Without the letters that no XML may have: one of them, and there is no notification.
fn escaped(text: &str) -> String {
    let text =
        text.replace(|letter: char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}'), " ");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(windows)]
mod system {
    use std::sync::mpsc;

    use ::windows::Data::Xml::Dom::XmlDocument;
    use ::windows::Networking::Connectivity::{NetworkInformation, NetworkStatusChangedEventHandler};
    use ::windows::UI::Notifications::{ToastNotification, ToastNotificationManager};
    use ::windows::core::{HSTRING, Result};

    use crate::setup::package;

    /// Tells whether the line costs money, now and whenever that may have changed; returns when nobody tells.
    pub(in crate::gui::desktop) fn watch_line(tell: &dyn Fn(bool)) -> Result<()> {
        let (to, changes) = mpsc::channel();
        // Before the question, so that no change is missed.
        let _watched =
            NetworkInformation::NetworkStatusChanged(&NetworkStatusChangedEventHandler::new(move |_| {
                let _ = to.send(());
                Ok(())
            }))?;
        loop {
            tell(line_costs().unwrap_or_else(|error| {
                tracing::info!(%error, "the line does not tell whether it costs money");
                false
            }));
            if changes.recv().is_err() {
                return Ok(());
            }
        }
    }

    fn line_costs() -> Result<bool> {
        let cost = NetworkInformation::GetInternetConnectionProfile()?.GetConnectionCost()?;
        Ok(super::costs(cost.NetworkCostType()?.0, cost.Roaming()?))
    }

    /// Shows a notification of a launcher that was set up: Windows knows no other by name.
    pub(in crate::gui::desktop) fn notify(slug: &str, title: &str, text: &str) -> Result<()> {
        let content = XmlDocument::new()?;
        content.LoadXml(&HSTRING::from(super::toast(title, text)))?;
        let shower =
            ToastNotificationManager::CreateToastNotifierWithId(&HSTRING::from(package::app_id(slug)))?;
        shower.Show(&ToastNotification::CreateToastNotification(&content)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_a_table() {
        for (kind, is_roaming, expected) in [
            // Not known, unrestricted, fixed, variable.
            (0, false, false),
            (1, false, false),
            (2, false, true),
            (3, false, true),
            (1, true, true),
            // One of a later Windows.
            (4, false, false),
        ] {
            assert_eq!(costs(kind, is_roaming), expected, "{kind} {is_roaming}");
        }
    }

    #[test]
    fn a_notification_says_what_it_is_told() {
        for (title, text, expected) in [
            ("Freeciv", "3.1 is ready", "<text>Freeciv</text><text>3.1 is ready</text>"),
            ("<b>", "3 & 4\u{1}\n", "<text>&lt;b&gt;</text><text>3 &amp; 4  </text>"),
        ] {
            assert!(toast(title, text).contains(expected), "{}", toast(title, text));
        }
    }
}
