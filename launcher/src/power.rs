//! Whether this machine runs on its battery.

/// What the system tells of one source of power.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Supply {
    /// `Mains`, `USB`, `Battery`, …
    kind: String,
    /// `1` while it gives power; for mains and the like.
    online: String,
    /// `Discharging`, `Charging`, …; for batteries.
    status: String,
    /// `Device` for that of a mouse or a headset.
    scope: String,
}

/// On battery is who draws on one and has nothing else; false where the system does not tell.
fn is_on_battery(supplies: &[Supply]) -> bool {
    let of_machine = || supplies.iter().filter(|supply| supply.scope != "Device");
    let is_fed = of_machine().any(|supply| supply.kind != "Battery" && supply.online == "1");
    let drains = of_machine().any(|supply| supply.kind == "Battery" && supply.status == "Discharging");
    drains && !is_fed
}

/// Asks the system. May take a moment: not for the window's own thread.
#[cfg(target_os = "linux")]
pub(crate) fn on_battery() -> bool {
    let Ok(supplies) = std::fs::read_dir("/sys/class/power_supply") else { return false };
    let read = |folder: &std::path::Path, name: &str| {
        std::fs::read_to_string(folder.join(name)).map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let supplies = supplies.flatten().map(|entry| entry.path()).map(|at| Supply {
        kind: read(&at, "type"),
        online: read(&at, "online"),
        status: read(&at, "status"),
        scope: read(&at, "scope"),
    });
    is_on_battery(&supplies.collect::<Vec<_>>())
}

/// Asks the system. May take a moment: not for the window's own thread. One that does not tell runs on mains.
#[cfg(windows)]
pub(crate) fn on_battery() -> bool {
    use windows::System::Power::PowerManager;
    static SILENT: std::sync::Once = std::sync::Once::new();
    let told =
        PowerManager::PowerSupplyStatus().and_then(|mains| Ok((mains.0, PowerManager::BatteryStatus()?.0)));
    let told = told.inspect_err(|error| {
        // It is asked again and again.
        SILENT.call_once(|| tracing::info!(%error, "nobody tells whether this machine runs on its battery"));
    });
    told.is_ok_and(|(mains, battery)| is_on_battery(&of_windows(mains, battery)))
}

/// What Windows says in numbers: of what comes from outside 0 is nothing, of the batteries 1 is that they are drawn on.
#[cfg(any(windows, test))]
fn of_windows(mains: i32, battery: i32) -> [Supply; 2] {
    let supply = |kind: &str, online: &str, status: &str| Supply {
        kind: kind.to_owned(),
        online: online.to_owned(),
        status: status.to_owned(),
        scope: String::new(),
    };
    [
        supply("Mains", if mains == 0 { "0" } else { "1" }, ""),
        supply("Battery", "", if battery == 1 { "Discharging" } else { "" }),
    ]
}

#[cfg(not(any(target_os = "linux", windows)))]
pub(crate) fn on_battery() -> bool {
    is_on_battery(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kind online status scope`, `-` for what is not told.
    fn supply(text: &str) -> Supply {
        let mut words = text.split(' ').map(|word| word.trim_matches('-').to_owned());
        let mut next = || words.next().unwrap_or_default();
        Supply { kind: next(), online: next(), status: next(), scope: next() }
    }

    #[test]
    fn machines_with_windows_in_a_table() {
        for (mains, battery, expected) in [
            // No battery.
            (2, 0, false),
            (0, 0, false),
            (0, 1, true),
            // A charger that is too weak still is one.
            (1, 1, false),
            (2, 1, false),
            (2, 2, false),
            (2, 3, false),
            (0, 2, false),
        ] {
            assert_eq!(is_on_battery(&of_windows(mains, battery)), expected, "{mains} {battery}");
        }
    }

    #[test]
    fn machines_in_a_table() {
        for (supplies, expected) in [
            (&[][..], false),
            (&["Mains 1"], false),
            (&["Mains 0", "Battery - Discharging"], true),
            (&["Mains 1", "Battery - Charging"], false),
            // A charger that is too weak still is one.
            (&["USB 1", "Battery - Discharging"], false),
            (&["Battery - Discharging"], true),
            (&["Battery - Full"], false),
            (&["Battery - Discharging Device"], false),
            (&["Mains 0", "Battery - Full", "Battery - Discharging System"], true),
        ] {
            let told: Vec<Supply> = supplies.iter().map(|text| supply(text)).collect();
            assert_eq!(is_on_battery(&told), expected, "{supplies:?}");
        }
    }
}
