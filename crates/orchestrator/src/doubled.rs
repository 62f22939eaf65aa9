//! Devices that run on two machines at once, with one key: a data folder was copied, or a backup was put back, and the first machine goes
//! on. Each of the two keeps undoing what the other does.

use crate::{org::Org, remote};
use domain::{Did, Timestamp, org::Device};
use sandbox::Finding;
use std::time::Instant;

/// Whether this device seems to be one of them: then it says nothing of where it is, which could lead everybody to the wrong machine.
pub(crate) fn here(org: &Org) -> bool {
    remote::doubles(org).contains_key(&org.device) || org.remote.lines.joined_too_often(Instant::now())
}

/// A finding for each that is known.
pub(crate) fn findings(org: &Org) -> Vec<Finding> {
    let state = org.remote.org();
    let finding = |(did, at): (Did, Timestamp)| {
        let device = state.device_of(&did)?;
        Some(if did == org.device { this_one(device, at) } else { another(device, at) })
    };
    remote::doubles(org).into_iter().filter_map(finding).collect()
}

fn this_one(device: &Device, at: Timestamp) -> Finding {
    let name = domain::shown(&device.name);
    let detail = format!(
        "A copy of this device, with the same key, was seen on another machine, last at {}. While both run each undoes what the other \
         does: stop one of the two; where the other was stolen, have it removed on another device: meshwork org remove {name} --device \
         --lost.",
        at.minute()
    );
    let next = "Look where a copy of this device's data folder, or its backup, was started. Where the device is removed, this machine is \
                removed with it, and joins anew.";
    Finding { what: "key".into(), ok: false, detail, next: Some(next.into()) }
}

fn another(device: &Device, at: Timestamp) -> Finding {
    let (name, owner) = (domain::shown(&device.name), domain::shown(&device.owner));
    let detail = format!(
        "{name} was seen on two machines at once, with one key, last at {}. Ask {owner} to stop one of the two, unless that is done; where \
         one was stolen: meshwork org remove {name} --device --lost.",
        at.minute()
    );
    let next = "While both run do not take what comes of that device for its owner's. Where it is removed, both machines are, and the \
                owner's joins anew.";
    Finding { what: format!("key of {name}"), ok: false, detail, next: Some(next.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_on_two_machines_is_told_there_and_elsewhere_with_what_to_do() {
        let device = Device::new("cbox", identity::Key::from_seed(&[1; 32]).did(), "cara");
        let (here, there) = (this_one(&device, Timestamp(0)), another(&device, Timestamp(0)));
        for finding in [&here, &there] {
            // The pages and `/health` show this sentence alone.
            assert!(!finding.ok && finding.detail.contains("meshwork org remove cbox --device --lost"), "{finding:?}");
            assert!(
                finding.detail.contains("last at 1970-01-01 00:00") && finding.detail.to_lowercase().contains("stop one"),
                "{finding:?}"
            );
        }
        assert!(there.detail.starts_with("cbox was seen on two machines") && there.detail.contains("Ask cara"), "{there:?}");
    }
}
