//! The same walls for an ordinary user without control groups; and root without them, who is refused.

use crate::{Place, example, here};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::fs::{PermissionsExt, chown},
    process::{Command, Output, Stdio},
};

const NOBODY: u32 = 61_234;

/// A place that an ordinary user can use, with the programs in it.
fn place_of_nobody() -> Place {
    let place = Place::new();
    for name in ["bridge", "probe"] {
        // By another process: while a file is open for writing here, any fork of another test keeps it from being executed.
        assert!(Command::new("cp").args([example(name), place.path(name)]).status().unwrap().success());
    }
    for path in [place.dir.path().to_owned(), place.path("work"), place.path("home")] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    place
}

fn as_nobody(place: &Place, how: &str, script: &str) -> Command {
    let id = NOBODY.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    command.arg(place.path("probe")).arg(place.path("bridge")).arg(place.dir.path()).args([how, "sh", "-c", script]);
    command
}

/// These begin as root; an ordinary user's own tests are all the others.
fn can_change_user() -> bool {
    let root = rustix_is_root();
    if !root {
        testkit::skip("sandbox: other users", "only root can become another user; the other tests run as an ordinary user here");
    }
    root && here()
}

fn rustix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_ordinary_user_without_groups_is_bounded_by_rlimits_and_a_watchdog() {
    if !can_change_user() {
        return;
    }
    let run = |script: &str| out(&as_nobody(&place_of_nobody(), "run", script).output().unwrap());
    let honest = run("id -u; echo x > f && cat f; cat /etc/shadow 2>/dev/null; unshare -r id 2>/dev/null; echo end");
    if honest.contains("cgroup v") {
        return testkit::skip("sandbox: an ordinary user without groups", "ordinary users have control groups here");
    }
    assert!(honest.starts_with("limits rlimits and a watchdog"), "{honest}");
    assert!(honest.contains("out 1000\nout x\nout end\n") && honest.contains("tried to make or enter a namespace"), "{honest}");

    let forks = run("n=0; while [ $n -lt 100 ]; do sleep 1000 & n=$((n+1)); done; wait");
    assert!(forks.contains("violation Processes: the limit of 64") || forks.contains("ended code=Some(2)"), "{forks}");

    let disk = run("i=0; while :; do head -c 8M /dev/zero > f$i || sleep 0.1; i=$((i+1)); done");
    assert!(disk.contains("limit=Some(\"Disk: the limit of 64 MiB"), "{disk}");

    // Each process stays below its own bound; together they do not.
    let memory = run("for i in 1 2 3 4; do python3 -c 'import time; x=b\"x\"*(120<<20); time.sleep(1000)' & done; wait");
    assert!(memory.contains("limit=Some(\"Memory: the limit of 256 MiB was reached; it was ended.\")"), "{memory}");
}

#[test]
fn an_ordinary_user_without_groups_freezes_and_thaws() {
    if !can_change_user() {
        return;
    }
    let place = place_of_nobody();
    let script = "(while :; do (:) & done) 2>/dev/null & i=0; while [ $i -lt 100000000 ]; do i=$((i+1)); echo $i > n; done";
    let mut probe = as_nobody(&place, "freeze", script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut lines) = (probe.stdin.take().unwrap(), BufReader::new(probe.stdout.take().unwrap()).lines());
    let mut wait = |line: &str| assert!(lines.any(|l| l.unwrap() == line), "{line} did not come");
    let count = || std::fs::read_to_string(place.path("work/n")).unwrap_or_default();
    let changes = |begun: &str| {
        (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            let now = count();
            !now.is_empty() && now != begun
        })
    };
    wait("ready");
    assert!(changes(""));
    input.write_all(b"\n").unwrap();
    wait("frozen");
    let at = count();
    assert!(
        (0..20).all(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            count() == at
        }),
        "it went on while frozen"
    );
    input.write_all(b"\n").unwrap();
    wait("thawed");
    assert!(changes(&at), "it did not go on");
    probe.kill().unwrap();
    probe.wait().unwrap();
}

#[test]
fn root_without_groups_is_refused() {
    if !can_change_user() {
        return;
    }
    let place = Place::new();
    let script = "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([example("probe"), example("bridge"), place.dir.path().to_owned()])
        .args(["run", "touch", "ran"])
        .output()
        .unwrap();
    let text = out(&output);
    assert!(text.contains("problem Unavailable As root the sandbox needs control groups"), "{text}");
    assert!(text.contains("limits none: the sandbox refuses to work"), "{text}");
    assert!(!place.path("work/ran").exists());
    assert_eq!(output.status.code(), Some(7));
}
