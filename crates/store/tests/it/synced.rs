//! Answers come after the sync: seen from outside, by the system calls of a child under strace.

use crate::support::*;
use domain::{Timestamp, run::RunnerEvent};
use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Command, Stdio},
};
use store::{LogEntry, fault::Fault};

/// How often the child writes each sort of thing.
const WRITES: usize = 5;
/// What the child says once something is written.
const ANSWERS: [&str; 4] = ["EVENT", "LOG", "BLOB", "SEVERAL"];

#[test]
fn every_answer_follows_a_sync_of_its_file() {
    let Some(trace) = traced(Fault::None) else { return };
    for (answer, file) in [("EVENT", "journal.db-wal"), ("LOG", ".jsonl"), ("BLOB", "/blobs/tmp/")] {
        assert_eq!(answers_after_sync(&trace, answer, file), WRITES, "{answer}");
    }
}

#[test]
fn several_events_wait_for_the_disk_once_and_a_blob_for_itself_and_its_folder() {
    let Some(trace) = traced(Fault::None) else { return };
    for answer in ["EVENT", "SEVERAL"] {
        let found = syncs(&trace, answer, "journal.db-wal");
        // Between them the log may be taken over into the database, which syncs it once more.
        assert_eq!((found.len(), found.iter().min()), (WRITES, Some(&1)), "{answer}: {found:?}");
    }
    assert_eq!(syncs(&trace, "BLOB", "/blobs/"), [2; WRITES]);
}

#[test]
fn the_tests_above_notice_a_missing_sync() {
    let Some(trace) = traced(Fault::NoSync) else { return };
    assert_eq!(answers_after_sync(&trace, "EVENT", "journal.db-wal"), 0);
}

/// The child's system calls; nothing where they cannot be watched.
fn traced(fault: Fault) -> Option<String> {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: strace is not installed, or may not trace here");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("trace");
    let wrapper = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", out.to_str().unwrap()];
    let status = child(&wrapper, "synced::writing_child")
        .env("STORE_DIR", dir.path().join("store"))
        .env("STORE_FAULT", format!("{fault:?}"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    Some(fs::read_to_string(out).unwrap())
}

/// How many answers were said after at least one finished sync of that file since the answer before.
fn answers_after_sync(trace: &str, answer: &str, file: &str) -> usize {
    syncs(trace, answer, file).into_iter().filter(|count| *count > 0).count()
}

/// How many syncs of that file were finished before each of these answers, since whatever was answered before it.
fn syncs(trace: &str, answer: &str, file: &str) -> Vec<usize> {
    let (mut count, mut counts) = (0, vec![]);
    let mut under_way = HashSet::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let is_sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        let said = |name: &&&str| call.starts_with("write(") && call.contains(&format!("\"{name} "));
        if is_sync && call.contains(file) {
            if call.contains("unfinished") {
                under_way.insert(thread.to_owned());
            } else {
                count += usize::from(call.ends_with("= 0"));
            }
        } else if call.contains("sync resumed") && under_way.remove(thread) {
            count += usize::from(call.ends_with("= 0"));
        } else if let Some(name) = ANSWERS.iter().find(said) {
            counts.extend((*name == answer).then_some(count));
            count = 0;
        }
    }
    counts
}

#[test]
#[ignore = "the child of the tests above"]
fn writing_child() {
    let (Some(dir), Some(fault)) = (told("STORE_DIR"), told("STORE_FAULT")) else { return };
    let store = open_with(Path::new(&dir), if fault == "NoSync" { Fault::NoSync } else { Fault::None });
    let log = store.run_log(&run_id(1)).unwrap();
    println!();
    for n in 1..=WRITES as u64 {
        println!("EVENT {}", store.append_blocking(vec![marked("x")]).unwrap());
        let entry = LogEntry::new(n, Timestamp(1), &RunnerEvent::Message { text: "x".into() }).unwrap();
        println!("LOG {}", log.append(&[entry]).unwrap());
        println!("BLOB {}", store.blobs().put(&n.to_be_bytes()).unwrap());
        println!("SEVERAL {}", store.append_blocking(vec![marked("a"), marked("b"), marked("c"), marked("d")]).unwrap());
    }
}
