//! Whether the machine runs on battery, and how full that is: `/sys/class/power_supply`, as the kernel documents it in
//! `Documentation/ABI/testing/sysfs-class-power`. The same order of questions as systemd's `on_ac_power`.

use super::{entries, text};
use std::path::Path;

/// What supplies the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Power {
    /// Whether it runs on battery.
    pub(super) on_battery: Option<bool>,
    /// How full its batteries are together, in percent.
    pub(super) percent: Option<u8>,
}

/// Reads it. A machine whose kernel lists no battery is not on one; one that lists nothing at all is unknown.
pub(super) fn read(root: &Path) -> Power {
    let Some(supplies) = entries(&root.join("sys/class/power_supply")) else { return Power::default() };
    let (mut online, mut offline, mut batteries) = (false, false, Vec::new());
    for supply in supplies {
        let word = |name: &str| text(&supply.join(name));
        // The battery of a mouse, a headset or a pen is not the machine's.
        if word("scope").as_deref() == Some("Device") {
            continue;
        }
        match word("type").as_deref() {
            Some("Battery" | "UPS") => batteries.push((word("status"), word("capacity").and_then(|percent| percent.parse::<u8>().ok()))),
            Some(_) => match word("online").as_deref() {
                Some("0") => offline = true,
                // 2: online, and another voltage can be asked for.
                Some("1" | "2") => online = true,
                _ => {}
            },
            None => {}
        }
    }
    let is = |wanted: &[&str]| batteries.iter().any(|(status, _)| status.as_deref().is_some_and(|status| wanted.contains(&status)));
    let on_battery = match (online, batteries.is_empty()) {
        (true, _) | (false, true) => Some(false),
        _ if is(&["Discharging"]) => Some(true),
        _ if offline => Some(true),
        _ if is(&["Charging", "Full", "Not charging"]) => Some(false),
        _ => None,
    };
    Power { on_battery, percent: mean(batteries.iter().filter_map(|(_, percent)| *percent)) }
}

fn mean(each: impl Iterator<Item = u8>) -> Option<u8> {
    let (sum, many) = each.fold((0_u32, 0_u32), |(sum, many), percent| (sum + u32::from(percent.min(100)), many + 1));
    u8::try_from(sum.checked_div(many)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::root, *};

    fn seen(files: &[(&str, &str)]) -> Power {
        let files: Vec<(String, &str)> = files.iter().map(|(path, text)| (format!("sys/class/power_supply/{path}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        read(root(&files).path())
    }

    #[test]
    fn mains_and_batteries_are_told_apart() {
        let power = |on_battery, percent| Power { on_battery, percent };
        let battery = |status| [("BAT0/type", "Battery\n"), ("BAT0/status", status), ("BAT0/capacity", "80\n")];
        let with = |more: &[(&'static str, &'static str)], status| seen(&[&battery(status)[..], more].concat());
        let mains = [("AC/type", "Mains\n"), ("AC/online", "1\n")];
        let unplugged = [("AC/type", "Mains\n"), ("AC/online", "0\n")];
        assert_eq!(with(&mains, "Charging\n"), power(Some(false), Some(80)));
        assert_eq!(with(&mains, "Discharging\n"), power(Some(false), Some(80)), "a weak charger is one");
        assert_eq!(with(&unplugged, "Discharging\n"), power(Some(true), Some(80)));
        assert_eq!(with(&unplugged, "Unknown\n"), power(Some(true), Some(80)));
        assert_eq!(with(&[], "Discharging\n"), power(Some(true), Some(80)));
        assert_eq!(with(&[], "Full\n"), power(Some(false), Some(80)));
        assert_eq!(with(&[], "Unknown\n"), power(None, Some(80)));
        let usb = [("ucsi/type", "USB\n"), ("ucsi/online", "1\n")];
        assert_eq!(with(&usb, "Charging\n"), power(Some(false), Some(80)));
        let second = [("BAT1/type", "Battery\n"), ("BAT1/status", "Discharging\n"), ("BAT1/capacity", "20\n")];
        assert_eq!(with(&second, "Full\n"), power(Some(true), Some(50)));
    }

    #[test]
    fn a_desktop_is_not_on_battery_and_neither_is_its_mouse() {
        let mouse = [("hid/type", "Battery\n"), ("hid/scope", "Device\n"), ("hid/status", "Discharging\n"), ("hid/capacity", "5\n")];
        assert_eq!(seen(&mouse), Power { on_battery: Some(false), percent: None });
        assert_eq!(seen(&[("AC/type", "Mains\n"), ("AC/online", "1\n")]), Power { on_battery: Some(false), percent: None });
        assert_eq!(read(root(&[]).path()), Power::default());
    }
}
