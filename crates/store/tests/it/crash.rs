//! Killed at any moment: every answer that got out is kept.
//!
//! SIGKILL takes the process, not the machine: what was handed to the system survives it, synced or not. So these tests
//! cannot see a missing sync (`synced` does); they see answers before the commit, torn files, and broken chains. That they
//! would see an early answer is shown by putting that fault in.

use crate::support::*;
use domain::{Hash, Timestamp, run::RunnerEvent};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
};
use store::{LogEntry, Ready, Seq, Store, fault::Fault, limits};
use testkit::Random;

/// How many writers the child has.
const WRITERS: u64 = 16;

/// What the child said before it was killed.
#[derive(Default)]
struct Heard {
    events: Vec<(Seq, String)>,
    log: u64,
    blobs: Vec<Hash>,
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let mut random = Random::seeded("STORE_SEED");
    let rounds = told("STORE_KILLS").and_then(|n| n.parse().ok()).unwrap_or(40);
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..rounds {
        let heard = run_and_kill(dir.path(), &format!("{round}"), Fault::None, 1 + random.below(400));
        let store = open(dir.path());
        let report = store.verify().unwrap();
        assert!(report.is_sound(), "round {round}: {report:?}");
        assert_eq!(missing(&store, &heard), Vec::<String>::new(), "round {round}");
        assert_eq!(store.rebuild_blocking().unwrap().differences, 0, "round {round}");
        acknowledged += heard.events.len();
    }
    println!("{rounds} kills, {acknowledged} acknowledged events, none lost");
}

#[test]
fn the_test_above_notices_answers_before_the_commit() {
    let mut random = Random::seeded("STORE_SEED");
    let dir = tempfile::tempdir().unwrap();
    for round in 0..200 {
        let heard = run_and_kill(dir.path(), &format!("{round}"), Fault::AnswerBeforeCommit, 1 + random.below(100));
        let store = open(dir.path());
        assert!(store.verify().unwrap().is_sound());
        let missing = missing(&store, &heard);
        if !missing.is_empty() {
            println!("noticed in round {round}: {} lost", missing.len());
            return;
        }
    }
    panic!("200 kills, and no early answer was noticed");
}

/// What was acknowledged and is not there.
fn missing(store: &Store, heard: &Heard) -> Vec<String> {
    let first = heard.events.iter().map(|(seq, _)| seq.0 - 1).min().unwrap_or(0);
    let found = store.events(Seq(first), limits::READ_MAX).unwrap();
    let is_there = |seq: Seq, text: &str| found.get((seq.0 - first - 1) as usize).and_then(|r| mark(&r.event)) == Some(text);
    let lost = heard.events.iter().filter(|(seq, text)| !is_there(*seq, text));
    let mut missing: Vec<String> = lost.map(|(seq, _)| format!("event {seq}")).collect();
    if store.run_log(&run_id(1)).unwrap().last_seq() < heard.log {
        missing.push(format!("log entry {}", heard.log));
    }
    let blobs = heard.blobs.iter().filter(|hash| store.blobs().get(hash).unwrap().is_none());
    missing.extend(blobs.map(|hash| format!("blob {hash}")));
    missing
}

/// Starts a child that writes, hears `lines` of its answers, kills it, and hears the rest.
fn run_and_kill(dir: &Path, round: &str, fault: Fault, lines: u64) -> Heard {
    let mut command = child(&[], "crash::writing_child");
    command.env("STORE_DIR", dir).env("STORE_ROUND", round).env("STORE_FAULT", format!("{fault:?}"));
    let mut child = Guarded(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut heard = Heard::default();
    let mut count = 0;
    let mut reader = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    loop {
        line.clear();
        // A line without its end was being written when the child died.
        if reader.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["EVENT", seq, text] => heard.events.push((Seq(seq.parse().unwrap()), text.to_owned())),
            ["LOG", seq] => heard.log = seq.parse().unwrap(),
            ["BLOB", hash] => heard.blobs.push(hash.parse().unwrap()),
            _ => continue,
        }
        count += 1;
        if count == lines {
            child.0.kill().unwrap();
        }
    }
    assert!(count >= lines, "the child ended by itself after {count} answers");
    heard
}

#[test]
#[ignore = "the child of the tests above"]
fn writing_child() {
    let (Some(dir), Some(round), Some(fault)) = (told("STORE_DIR"), told("STORE_ROUND"), told("STORE_FAULT")) else { return };
    let fault = if fault == "AnswerBeforeCommit" { Fault::AnswerBeforeCommit } else { Fault::None };
    let store = open_with(Path::new(&dir), fault);
    // After the harness's own words, which lack a line end.
    say("");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let log = store.run_log(&run_id(1)).unwrap();
    let blobs = store.blobs().clone();
    let beside = round.clone();
    runtime.spawn_blocking(move || {
        loop {
            let seq = log.last_seq() + 1;
            let entry = LogEntry::new(seq, Timestamp(1), &RunnerEvent::Message { text: beside.repeat(50) }).unwrap();
            say(&format!("LOG {}", log.append(&[entry]).unwrap()));
            say(&format!("BLOB {}", blobs.put(format!("{beside} {seq}").as_bytes()).unwrap()));
        }
    });
    runtime.block_on(async {
        let writers = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), format!("{round}-{writer}"))));
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

/// Writes for ever: events with a projection before and after the marked one that is told.
async fn write(store: Store, name: String) {
    for n in 0u64.. {
        let text = format!("{name}-{n}");
        let blob = store.blobs().to_park(text.clone().into_bytes()).unwrap();
        let ready = Ready::new(vec![queued(n % 50, &task(n % 5)), marked(&text)]).unwrap().with_blobs([blob.clone()]);
        let seq = store.append_ready_if(|_| Ok(ready)).await.unwrap();
        say(&format!("EVENT {seq} {text}"));
        say(&format!("BLOB {}", blob.hash()));
    }
}

/// One line in one write, so that a killed child leaves whole lines but for the last.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}
