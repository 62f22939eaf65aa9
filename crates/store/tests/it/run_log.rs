use crate::support::*;
use domain::{
    Kind, Timestamp,
    run::{Question, Reason, RunnerEvent},
};
use std::{fs, io::Write};
use store::{LogEntry, RunLog, Store, limits};
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (dir, store)
}

fn said(seq: u64, text: &str) -> LogEntry {
    LogEntry::new(seq, Timestamp(seq as i64), &RunnerEvent::Message { text: text.to_owned() }).unwrap()
}

/// Fills a new log with a text after the other, until one more is the last that fits; says how many it took.
fn fill(log: &RunLog, text: &str) -> u64 {
    let mut seq = 0;
    while fs::metadata(log.path()).unwrap().len() < limits::LOG_BYTES_MAX - limits::LOG_ENTRY_BYTES_MAX as u64 {
        seq += 1;
        log.append(&[said(seq, text)]).unwrap();
    }
    seq
}

fn seqs(entries: &[LogEntry]) -> Vec<u64> {
    entries.iter().map(|e| e.seq).collect()
}

#[test]
fn entries_sent_again_are_skipped_and_gaps_refused() {
    let (_dir, store) = store();
    let log = store.run_log(&run_id(1)).unwrap();
    assert_eq!(log.append(&[said(1, "a"), said(2, "b")]).unwrap(), 2);
    assert_eq!(log.append(&[said(1, "again"), said(2, "again"), said(3, "c")]).unwrap(), 3);
    assert_eq!(log.append(&[]).unwrap(), 3);
    assert_eq!(log.append(&[said(4, "d"), said(6, "f")]).unwrap_err().kind, Kind::Invalid);
    assert_eq!(log.append(&[said(4, "d"), said(4, "d")]).unwrap_err().kind, Kind::Invalid);
    let entries = log.read(0, 100).unwrap();
    assert_eq!(entries, [said(1, "a"), said(2, "b"), said(3, "c")]);
    assert_eq!(entries[0].parsed(), Some(RunnerEvent::Message { text: "a".into() }));
    assert_eq!(store.run_log(&run_id(1)).unwrap().last_seq(), 3);
    assert_eq!(store.run_log(&run_id(2)).unwrap().last_seq(), 0);
}

#[test]
fn what_a_crash_tore_is_cut_off_and_can_be_sent_again() {
    let whole = |seq| serde_json::to_string(&said(seq, "x")).unwrap();
    for tail in ["{", "{\"seq\":3,\"at\":3,\"ev", &whole(3), "\0\0\0\0", "\0\0\n\0\0\n", "not json\n"] {
        let (dir, store) = store();
        let path = {
            let log = store.run_log(&run_id(1)).unwrap();
            log.append(&[said(1, "a"), said(2, "b")]).unwrap();
            log.path().to_owned()
        };
        drop(store);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(tail.as_bytes()).unwrap();
        let log = open(dir.path()).run_log(&run_id(1)).unwrap();
        assert_eq!(log.last_seq(), 2, "{tail:?}");
        assert_eq!(log.append(&[said(2, "b"), said(3, "c")]).unwrap(), 3);
        assert_eq!(seqs(&log.read(0, 10).unwrap()), [1, 2, 3], "{tail:?}");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}

#[test]
fn a_damaged_line_costs_only_itself() {
    let (dir, store) = store();
    let log = store.run_log(&run_id(1)).unwrap();
    log.append(&[said(1, "a"), said(2, "bbbb"), said(3, "c")]).unwrap();
    let path = log.path().to_owned();
    drop((log, store));
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("\"bbbb\"", "bbbb\"\"")).unwrap();
    let log = open(dir.path()).run_log(&run_id(1)).unwrap();
    assert_eq!((log.last_seq(), seqs(&log.read(0, 10).unwrap())), (3, vec![1, 3]));
}

#[test]
fn reading_begins_anywhere() {
    let (dir, store) = store();
    let text = "y".repeat(1000);
    let total = 3 * limits::LOG_INDEX_BYTES / 1000;
    let log = store.run_log(&run_id(1)).unwrap();
    for first in (1..=total).step_by(7) {
        log.append(&(first..(first + 7).min(total + 1)).map(|n| said(n, &text)).collect::<Vec<_>>()).unwrap();
    }
    let check = |log: &store::RunLog| {
        for after in 0..=total {
            let expected: Vec<u64> = (after + 1..=total).take(3).collect();
            assert_eq!(seqs(&log.read(after, 3).unwrap()), expected);
        }
    };
    check(&log);
    drop((log, store));
    check(&open(dir.path()).run_log(&run_id(1)).unwrap());
}

#[test]
fn a_full_log_drops_output_says_so_and_keeps_how_the_run_went() {
    let (dir, store) = store();
    let log = store.run_log(&run_id(1)).unwrap();
    let text = "z".repeat(limits::LOG_ENTRY_BYTES_MAX - 200);
    let mut seq = fill(&log, &text);
    let kept = seq;
    // The first dropped entry is said at once, the other two before the next one that is kept.
    for _ in 0..4 {
        seq += 1;
        assert_eq!(log.append(&[said(seq, &text)]).unwrap(), seq);
    }
    seq += 1;
    let ended = LogEntry::new(seq, Timestamp(9), &RunnerEvent::Paused).unwrap();
    assert_eq!(log.append(std::slice::from_ref(&ended)).unwrap(), seq);

    let check = |log: &RunLog| {
        let last = log.read(kept, 100).unwrap();
        let dropped: Vec<u64> = last
            .iter()
            .filter_map(|e| if let Some(RunnerEvent::Truncated { dropped_bytes }) = e.parsed() { Some(dropped_bytes) } else { None })
            .collect();
        let line = serde_json::to_vec(&said(kept, &text)).unwrap().len() as u64 + 1;
        assert!(dropped.iter().sum::<u64>() >= 3 * line, "{dropped:?}");
        assert_eq!(last.last(), Some(&ended));
        assert!(fs::metadata(log.path()).unwrap().len() <= limits::LOG_BYTES_MAX + limits::LOG_RESERVE_BYTES);
        seqs(&last)
    };
    let numbers = check(&log);
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    drop((log, store));
    let log = open(dir.path()).run_log(&run_id(1)).unwrap();
    check(&log);
    // After a restart the runner may go on after dropped entries that the file does not show.
    assert_eq!(log.append(&[said(seq + 5, "later")]).unwrap(), seq + 5);
}

#[test]
fn neither_prompts_nor_what_happens_meanwhile_take_the_place_of_how_a_run_ended() {
    let (_dir, store) = store();
    let log = store.run_log(&run_id(1)).unwrap();
    let mut seq = fill(&log, &"z".repeat(limits::LOG_ENTRY_BYTES_MAX - 200));
    let kept = seq;
    let long = "p".repeat(limits::LOG_ENTRY_BYTES_MAX / 2);
    let mut add = |event: RunnerEvent| {
        seq += 1;
        let entry = LogEntry::new(seq, Timestamp(9), &event).unwrap();
        assert_eq!(log.append(std::slice::from_ref(&entry)).unwrap(), seq);
        entry
    };
    // 8 MiB of each: more than the whole reserve.
    for turn in 1..=16 {
        add(RunnerEvent::TurnStarted { turn, prompt: long.clone() });
    }
    let paused = add(RunnerEvent::Paused);
    for n in 1..=16 {
        add(RunnerEvent::Asked { question: Question { id: n.to_string(), title: long.clone(), options: vec![] } });
    }
    let large = "e".repeat(limits::LOG_ENTRY_BYTES_MAX - 200);
    let ended = add(RunnerEvent::WorkEnded { reason: Reason::Internal { message: large.clone() }, checks: vec![] });
    let signed = add(RunnerEvent::ChecksSigned { envelope: large.into() });

    let last = log.read(kept, 1_000).unwrap();
    let prompts = last.iter().filter(|e| matches!(e.parsed(), Some(RunnerEvent::TurnStarted { .. }))).count();
    assert!(prompts <= 2, "{prompts} prompts took of the reserve");
    assert!(last.contains(&paused), "what happens meanwhile still has a place");
    assert_eq!(&last[last.len() - 2..], &[ended, signed]);
    assert!(fs::metadata(log.path()).unwrap().len() <= limits::LOG_BYTES_MAX + limits::LOG_RESERVE_BYTES);
}

#[test]
fn entries_that_do_not_fit_are_refused() {
    let (_dir, store) = store();
    let log = store.run_log(&run_id(1)).unwrap();
    assert_eq!(log.append(&[said(1, &"x".repeat(limits::LOG_ENTRY_BYTES_MAX))]).unwrap_err().kind, Kind::Limit);
    let text = LogEntry { seq: 1, at: Timestamp(1), event: "text".into() };
    assert_eq!(log.append(&[text]).unwrap_err().kind, Kind::Invalid);
    assert_eq!(log.append(&[said(1, "fits")]).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_see_everything_once_and_end_with_the_log() {
    let (_dir, store) = store();
    let log = store.run_log(&run_id(1)).unwrap();
    log.append(&[said(1, "before"), said(2, "before")]).unwrap();
    let followers: Vec<_> = (0..3u64)
        .map(|after| {
            let mut follower = log.follow(after);
            tokio::spawn(async move {
                let mut seen = vec![];
                while let Some(entry) = follower.next().await.unwrap() {
                    seen.push(entry.seq);
                }
                seen
            })
        })
        .collect();
    let writer = store.run_log(&run_id(1)).unwrap();
    tokio::task::spawn_blocking(move || {
        for seq in 3..=700 {
            writer.append(&[said(seq, "live")]).unwrap();
        }
        writer.finish();
    })
    .await
    .unwrap();
    for (after, follower) in followers.into_iter().enumerate() {
        assert_eq!(follower.await.unwrap(), (after as u64 + 1..=700).collect::<Vec<_>>());
    }
    assert_eq!(log.follow(700).next().await.unwrap(), None);
}
