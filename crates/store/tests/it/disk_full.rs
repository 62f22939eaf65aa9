//! A full disk, and one that became read-only: a small file system of a child's own, which vanishes with it.

use crate::support::*;
use domain::{Kind, Timestamp, event::kind, run::Run, run::RunnerEvent};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use store::{LogEntry, Seq, Store};

/// Mounts a small file system at $0, then becomes the program that follows.
const SCRIPT: &str = r#"mount -t tmpfs -o size=4m,mode=700 none "$0" && exec "$@""#;

#[test]
fn a_full_disk_loses_nothing_and_writing_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let ways: [&[&str]; 2] =
        [&["unshare", "--mount", "sh", "-c", SCRIPT, folder], &["unshare", "--map-root-user", "--mount", "sh", "-c", SCRIPT, folder]];
    let works = |way: &&&[&str]| {
        let tried = Command::new(way[0]).args(&way[1..]).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let Some(way) = ways.iter().find(works) else {
        println!("skipped: no mount namespace can be made here");
        return;
    };
    let output = child(way, "disk_full::child_on_a_small_disk").env("STORE_DIR", folder).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

fn said(seq: u64, text: &str) -> LogEntry {
    LogEntry::new(seq, Timestamp(1), &RunnerEvent::Message { text: text.to_owned() }).unwrap()
}

#[test]
#[ignore = "the child of the test above"]
fn child_on_a_small_disk() {
    let Some(root) = told("STORE_DIR") else { return };
    let (root, dir) = (Path::new(&root), Path::new(&root).join("store"));
    let ballast = root.join("ballast");
    fs::write(&ballast, vec![0u8; 2 << 20]).unwrap();
    let store = open(&dir);
    store.append_blocking(vec![queued(1, &task(1))]).unwrap();
    let log = store.run_log(&run_id(1)).unwrap();
    log.append(&[said(1, "kept")]).unwrap();
    let kept = store.blobs().put(b"kept").unwrap();

    let last = fill(&store);
    let full = || store.append_blocking(vec![stopped(1, &"lost".repeat(1000))]).unwrap_err();
    for problem in
        [full(), full(), log.append(&[said(2, &"x".repeat(900_000))]).unwrap_err(), store.blobs().put(&[1; 1 << 20]).unwrap_err()]
    {
        assert_eq!(problem.kind, Kind::Unavailable, "{problem}");
        assert!(problem.next.as_ref().is_some_and(|next| next.contains("room")), "{problem}");
    }
    // Reading goes on.
    assert_eq!(store.head().unwrap().seq, last);
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.blobs().get(&kept).unwrap().as_deref(), Some(&b"kept"[..]));
    assert_eq!(log.read(0, 9).unwrap(), [said(1, "kept")]);

    fs::remove_file(&ballast).unwrap();
    assert_eq!(store.append_blocking(vec![stopped(1, "again")]).unwrap(), Seq(last.0 + 1));
    assert_eq!(log.append(&[said(2, "again")]).unwrap(), 2);
    store.blobs().put(b"again").unwrap();
    check(&store, last);
    drop((log, store));

    let store = open(&dir);
    check(&store, last);
    assert_eq!(store.run_log(&run_id(1)).unwrap().read(0, 9).unwrap(), [said(1, "kept"), said(2, "again")]);
    drop(store);

    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(root).status().unwrap().success());
    let problem = Store::open(&dir, signer(1)).unwrap_err();
    assert_eq!(problem.kind, Kind::Unavailable);
    assert!(problem.next.as_ref().is_some_and(|next| next.contains("writable")), "{problem}");
}

/// Writes until the disk is full; returns the last number that was acknowledged.
fn fill(store: &Store) -> Seq {
    let text = "x".repeat(4000);
    let mut last = Seq(1);
    loop {
        match store.append_blocking(vec![marked(&format!("{}{text}", last.0))]) {
            Ok(seq) => last = seq,
            Err(problem) => {
                assert_eq!(problem.kind, Kind::Unavailable, "{problem}");
                assert!(problem.what.contains("disk is full"), "{problem}");
                return last;
            }
        }
        assert!(last.0 < 10_000, "the disk never became full");
    }
}

/// Everything acknowledged is there, nothing refused is, and the chain is sound.
fn check(store: &Store, last: Seq) {
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.head().unwrap().seq.0, last.0 + 1);
    let events = store.events(Seq(0), 10_000).unwrap();
    assert!(
        events
            .iter()
            .skip(1)
            .take(last.0 as usize - 1)
            .all(|r| mark(&r.event).is_some_and(|text| text.starts_with(&(r.seq.0 - 1).to_string())))
    );
    let run: Run = store.get(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    assert_eq!(run.violations, ["again"]);
    assert_eq!(store.rebuild_blocking().unwrap().differences, 0);
}
