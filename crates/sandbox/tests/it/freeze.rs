//! Freezing, thawing, ending.

use crate::{Place, escape::groups_of, here, processes_with, run, until};
use domain::Kind;
use sandbox::Sandbox;
use std::time::{Duration, Instant};

/// Processor ticks that all processes with this mark have used.
fn ticks(mark: &str) -> u64 {
    let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let used = |stat: String| {
        let fields: Vec<u64> = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|n| n.parse().unwrap()).collect();
        fields.iter().sum::<u64>()
    };
    processes_with(mark).into_iter().map(|pid| used(stat(pid))).sum()
}

fn mark(number: u32) -> String {
    format!("mark-{}-{number}", std::process::id())
}

#[tokio::test]
async fn burners_stop_within_a_second_and_go_on() {
    if !here() {
        return;
    }
    let (place, mark) = (Place::new(), mark(1));
    let sandbox =
        Sandbox::spawn(place.shell(&format!("for i in 1 2 3; do (while :; do :; done; echo {mark}) & done; wait"))).await.unwrap();
    until("burning", || ticks(&mark) > 5).await;
    let begun = Instant::now();
    sandbox.freeze().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let at = ticks(&mark);
    // Time passes for somebody else: a process of our own burns meanwhile.
    let end = Instant::now() + Duration::from_millis(300);
    tokio::task::spawn_blocking(move || while Instant::now() < end {}).await.unwrap();
    assert_eq!(ticks(&mark), at, "something went on while frozen");
    sandbox.thaw().await.unwrap();
    until("burning again", || ticks(&mark) > at + 5).await;
    assert_eq!(sandbox.kill().await.signal, Some(9));
    assert_eq!(processes_with(&mark), Vec::<u32>::new());
}

#[tokio::test]
async fn one_that_forks_without_end_is_frozen_too() {
    if !here() {
        return;
    }
    let (place, mark) = (Place::new(), mark(2));
    // Children end, so that there is always room for the next ones.
    let script =
        format!("import os # {mark}\nwhile True:\n try:\n  if os.fork()==0: os.fork(); os._exit(0)\n except OSError:\n  os.wait()");
    let sandbox = Sandbox::spawn(place.python(&script)).await.unwrap();
    until("forking", || !processes_with(&mark).is_empty()).await;
    for _ in 0..5 {
        let begun = Instant::now();
        sandbox.freeze().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let before = processes_with(&mark);
        let end = Instant::now() + Duration::from_millis(50);
        tokio::task::spawn_blocking(move || while Instant::now() < end {}).await.unwrap();
        assert_eq!(processes_with(&mark), before);
        sandbox.thaw().await.unwrap();
    }
    sandbox.freeze().await.unwrap();
    let begun = Instant::now();
    sandbox.kill().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(processes_with(&mark), Vec::<u32>::new());
}

#[tokio::test]
async fn a_frozen_one_dies_when_killed_or_dropped_and_leaves_no_group() {
    if !here() {
        return;
    }
    let (place, mark) = (Place::new(), mark(3));
    for kill in [true, false] {
        let sandbox = Sandbox::spawn(place.shell(&format!("trap '' TERM INT; : {mark}; sleep 1000"))).await.unwrap();
        until("its start", || !processes_with(&mark).is_empty()).await;
        sandbox.freeze().await.unwrap();
        if kill {
            sandbox.kill().await;
            assert_eq!(processes_with(&mark), Vec::<u32>::new(), "gone when kill returns");
            assert_eq!(sandbox.freeze().await.map_err(|p| p.kind), Err(Kind::Conflict));
        } else {
            drop(sandbox);
            until("the end of the dropped one", || processes_with(&mark).is_empty()).await;
        }
    }
    // Other tests of this program may have sandboxes of their own at this moment; ours are the ones without a process.
    until("its groups to go", || {
        groups_of(std::process::id())
            .iter()
            .all(|g| std::fs::read_to_string(format!("{g}/cgroup.procs")).is_ok_and(|p| !p.is_empty()) || !std::path::Path::new(g).exists())
    })
    .await;
}

#[tokio::test]
async fn terminate_asks_and_exit_codes_come_through() {
    if !here() {
        return;
    }
    let (place, mark) = (Place::new(), mark(4));
    let sandbox =
        Sandbox::spawn(place.shell(&format!("trap 'echo bye; exit 7' TERM; : {mark}; echo up > up; while :; do sleep 0.01; done")))
            .await
            .unwrap();
    until("the trap", || place.path("work/up").exists()).await;
    sandbox.terminate();
    let ended = sandbox.wait().await;
    assert_eq!((ended.code, ended.signal), (Some(7), None));

    let died = run(place.shell("kill -SEGV $$")).await.ended;
    assert_eq!((died.code, died.signal), (None, Some(11)));
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    if !here() {
        return;
    }
    let place = Place::new();
    let missing = Sandbox::spawn(place.spec(&["no-such-engine", "--acp"])).await.unwrap_err();
    assert_eq!(missing.kind, Kind::NotFound, "the sandbox itself works");
    assert_eq!(missing.what, "“no-such-engine” cannot be started in the sandbox.");
    assert!(missing.next.is_some());

    let mut spec = place.shell("true");
    spec.bridge = "/usr/bin/true".into();
    let broken = Sandbox::spawn(spec).await.unwrap_err();
    assert_eq!(broken.kind, Kind::Unavailable, "{broken}");
}
