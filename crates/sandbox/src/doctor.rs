//! What is missing on this machine for sandboxes, and how to mend it.

use crate::{bubblewrap, disk, enforce::Enforcement, enforce::enforcement, limits, mounts, stage::HARDENING};
use domain::Problem;
use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Stdio},
};

/// What is looked at of the limits of runs.
const LIMITS: &str = "limits";

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do, where something is not as it should be.
    pub next: Option<String>,
}

impl Finding {
    fn good(what: &str, detail: impl Into<String>) -> Self {
        Self { what: what.into(), ok: true, detail: detail.into(), next: None }
    }

    fn bad(what: &str, problem: &Problem) -> Self {
        let detail = [Some(&problem.what), problem.why.as_ref()].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        Self { what: what.into(), ok: false, detail, next: problem.next.clone() }
    }
}

/// Looks at everything that a sandbox needs. `folder` is where runs would lie (the data folder, or its nearest parent).
/// Blocks for some milliseconds: it starts bubblewrap for real.
pub fn doctor(folder: &Path) -> Vec<Finding> {
    let program = bubblewrap::look();
    let mut findings = vec![match &program {
        Ok((path, version)) => Finding::good("bubblewrap", format!("{version} ({})", path.display())),
        Err(problem) => Finding::bad("bubblewrap", problem),
    }];
    if let Ok((path, _)) = &program {
        findings.push(match trial(path) {
            Ok(()) => Finding::good("sandbox", "a trial sandbox works"),
            Err(problem) => Finding::bad("sandbox", &problem),
        });
    }
    findings.push(limits_finding());
    findings.push(disk_finding(folder));
    findings
}

/// Whether runs can be sandboxed here, by what was found. Neither little disk nor limits that merely bind less keep them from that.
pub fn works(found: &[Finding]) -> bool {
    works_with(found, enforcement().is_ok())
}

fn works_with(found: &[Finding], limited: bool) -> bool {
    found.iter().all(|finding| finding.ok || finding.what == "disk" || (limited && finding.what == LIMITS))
}

fn limits_finding() -> Finding {
    match enforcement() {
        Ok(how @ Enforcement::Cgroup(_)) => Finding::good(LIMITS, how.words()),
        Ok(ref how @ Enforcement::Watched { ref why }) => Finding {
            what: LIMITS.into(),
            ok: false,
            detail: format!("{}. {why}", how.words()),
            next: Some(
                "It works, but limits bind less. Start it as `systemd-run --user --scope -p Delegate=yes meshwork up` for control groups."
                    .into(),
            ),
        },
        Err(problem) => Finding::bad(LIMITS, &problem),
    }
}

fn disk_finding(folder: &Path) -> Finding {
    let there = folder.ancestors().find(|f| f.exists()).unwrap_or(Path::new("/"));
    disk_with(there, disk::free_bytes(there))
}

fn disk_with(there: &Path, free: Option<u64>) -> Finding {
    match free {
        Some(free) if free >= limits::DISK_WARNED_BYTES => {
            Finding::good("disk", format!("{} free at {}", disk::shown(free), there.display()))
        }
        free => Finding {
            what: "disk".into(),
            ok: false,
            detail: format!("{} free at {}", free.map_or("an unknown amount".into(), disk::shown), there.display()),
            next: Some(format!("Free some space: below {} runs that still write are ended.", disk::shown(limits::DISK_RESERVE_BYTES))),
        },
    }
}

/// Runs `true` in a sandbox with the same walls as a real one.
fn trial(program: &Path) -> Result<(), Problem> {
    let shown = mounts::host().split(|b| *b == 0).filter(|arg| !arg.is_empty()).map(OsStr::from_bytes);
    let mut command = Command::new(program);
    command.args(HARDENING).args(shown).args(["--remount-ro", "/", "--", "/usr/bin/true"]);
    let output = command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(|why| unable(&why.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(unable(String::from_utf8_lossy(&output.stderr).trim())) }
}

/// The problem behind bubblewrap's own words, with the way to mend it on this machine.
pub(crate) fn unable(words: &str) -> Problem {
    let setting = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let next = advice(
        words,
        &setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        &setting("/proc/sys/kernel/unprivileged_userns_clone"),
        &setting("/proc/sys/user/max_user_namespaces"),
    );
    let words = if words.is_empty() { "It gave no reason." } else { words };
    Problem::unavailable("Bubblewrap cannot make a sandbox on this machine.").because(words).next(next)
}

fn advice(words: &str, apparmor: &str, clone: &str, namespaces: &str) -> &'static str {
    let root = rustix::process::geteuid().is_root();
    if !root && apparmor == "1" {
        return "AppArmor forbids user namespaces here (Ubuntu 23.10 and newer). Allow them to bubblewrap alone: write to \
                /etc/apparmor.d/bwrap the lines `abi <abi/4.0>,`, `include <tunables/global>`, `profile bwrap /usr/bin/bwrap \
                flags=(unconfined) { userns, }`, then run `sudo systemctl reload apparmor`.";
    }
    if !root && clone == "0" {
        return "User namespaces are switched off for ordinary users. Run `sudo sysctl -w kernel.unprivileged_userns_clone=1`, and write that \
                line to a file in /etc/sysctl.d to keep it.";
    }
    if namespaces == "0" {
        return "User namespaces are switched off. Run `sudo sysctl -w user.max_user_namespaces=10000`, and write that line to a file in \
                /etc/sysctl.d to keep it.";
    }
    if words.contains("proc") {
        return "In a container a new /proc is forbidden while parts of the container's own are covered. Start the container with \
                `--security-opt systempaths=unconfined --security-opt seccomp=unconfined`, or run on the host.";
    }
    if words.contains("namespace") || words.contains("uid map") || words.contains("not permitted") {
        return "In a container, start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`; on a host, allow user \
                namespaces. `meshwork doctor` tries again.";
    }
    "See `meshwork doctor`."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_disk_is_told_below_the_warned_amount() {
        let look = |free| disk_with(Path::new("/data"), free);
        assert!(look(Some(limits::DISK_WARNED_BYTES)).ok);
        let little = look(Some(limits::DISK_WARNED_BYTES - 1));
        assert!(!little.ok && little.next.is_some_and(|next| next.contains("below 256 MiB")));
        assert!(!look(None).ok);
    }

    #[test]
    fn a_machine_whose_limits_bind_less_works_and_one_without_limits_or_sandboxes_does_not() {
        let problem = || Problem::unavailable("It does not work.");
        let found = |amiss: &str| {
            ["bubblewrap", "sandbox", LIMITS, "disk"]
                .map(|what| if what == amiss { Finding::bad(what, &problem()) } else { Finding::good(what, "") })
        };
        let works = |amiss: &str, limited| works_with(&found(amiss), limited);
        assert!(works("", true) && works("disk", true) && works(LIMITS, true));
        assert!(!works(LIMITS, false) && !works("sandbox", true) && !works("bubblewrap", true));
    }

    #[test]
    fn advice_fits_the_cause() {
        assert!(advice("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "", "", "100").contains("/proc"));
        assert!(advice("bwrap: No permissions to create new namespace", "", "", "100").contains("seccomp"));
        assert!(advice("whatever", "", "", "0").contains("max_user_namespaces"));
        if !rustix::process::geteuid().is_root() {
            assert!(advice("setting up uid map: Permission denied", "1", "", "100").contains("AppArmor"));
            assert!(advice("x", "", "0", "100").contains("unprivileged_userns_clone"));
        }
    }
}
