//! What this machine can tell of itself: battery, lid, who is at it, GPUs, memory. Read from the files of the kernel and of logind, and by NVIDIA's
//! library, below a folder that tests can name (`MESHWORK_SENSORS_ROOT`; `/` otherwise). What nothing here can tell is none, never a guess.
//!
//! It knows neither the lend policy's rules nor runs.

mod gpu;
mod lid;
mod memory;
mod nvml;
mod power;
mod presence;

use crate::limits;
use domain::{
    capacity::Gpu,
    lend::{Condition, LendPolicy},
};
pub(crate) use memory::Memory;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The variable that names another root than `/`.
const ROOT: &str = "MESHWORK_SENSORS_ROOT";

/// The sensors of a machine.
#[derive(Debug)]
pub(crate) struct Sensors {
    root: PathBuf,
    hints: presence::Hints,
    gpus: gpu::Gpus,
}

impl Sensors {
    /// Those of this machine, or of the folder that a test names.
    pub(crate) fn of_this_machine() -> Self {
        let named = std::env::var_os(ROOT).filter(|root| !root.is_empty());
        Self::below(&named.map_or_else(|| PathBuf::from("/"), PathBuf::from))
    }

    /// Those below a folder.
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), hints: presence::Hints::default(), gpus: gpu::Gpus::default() }
    }

    /// What they see now. Desktop sessions are only asked for how long they are idle where the policy wants to know.
    pub(crate) fn condition(&self, policy: &LendPolicy) -> Condition {
        let hints = (!policy.while_present).then_some(&self.hints);
        // First, for desktops may take their time: what files tell is as fresh as can be then.
        let idle_s = presence::idle_s(&self.root, hints, policy.away_after_s);
        let power = power::read(&self.root);
        Condition { idle_s, on_battery: power.on_battery, battery_percent: power.percent, lid_closed: lid::closed(&self.root) }
    }

    /// The GPUs that there are, as far as that is known by now.
    pub(crate) fn gpus(&self) -> Vec<Gpu> {
        self.gpus.now(&self.root)
    }

    /// How much memory there is for runs.
    pub(crate) fn memory(&self) -> Memory {
        Memory { held_bytes: sandbox::memory_held(), ..memory::read(&self.root) }
    }
}

/// The text of a small file, without white space around it.
fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(limits::SENSOR_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

/// The folders and files below a folder, in an order that stays.
fn entries(folder: &Path) -> Option<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    found.sort();
    Some(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A root with these files.
    pub(super) fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_machine_that_tells_nothing_is_unknown_and_not_fine() {
        let root = root(&[]);
        let sensors = Sensors::below(root.path());
        assert_eq!(sensors.condition(&LendPolicy::default()), Condition::default());
        assert!(sensors.gpus().is_empty());
    }

    #[test]
    fn a_laptop_on_battery_with_its_lid_closed_and_nobody_logged_in_says_all_of_it() {
        let root = root(&[
            ("sys/class/power_supply/BAT0/type", "Battery\n"),
            ("sys/class/power_supply/BAT0/status", "Discharging\n"),
            ("sys/class/power_supply/BAT0/capacity", "41\n"),
            ("proc/acpi/button/lid/LID0/state", "state:      closed\n"),
            ("run/systemd/sessions/c1", "CLASS=greeter\nACTIVE=1\nSEAT=seat0\n"),
            ("proc/uptime", "5000.17 9000.00\n"),
        ]);
        let seen = Sensors::below(root.path()).condition(&LendPolicy::default());
        let expected = Condition { idle_s: Some(5_000), on_battery: Some(true), battery_percent: Some(41), lid_closed: Some(true) };
        assert_eq!(seen, expected);
    }
}
