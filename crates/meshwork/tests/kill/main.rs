//! Killed with SIGKILL at any moment, `up` and runners: nothing that was answered is lost, nothing is done twice, nothing is
//! left behind. `KILL_ROUNDS` says how many kills, `KILL_SEED` which ones; the seed is printed.
//!
//! SIGKILL takes the process and not the machine, so a missing sync cannot be seen here: the tests of `store` see it. What
//! is seen are answers before the commit, and runs that nobody looks after; that both would be seen is shown with these
//! faults put in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chaos;
mod host;
mod invariants;
mod people;

use chaos::Chaos;
use host::Host;
use people::People;
use std::time::Duration;
use testkit::{Random, fails_at_the_end};

/// How many kills where nothing is said.
const ROUNDS: usize = 200;
/// The states in which a kill must have met a run.
const STATES: [&str; 7] = ["queued", "placing", "starting", "preparing", "working", "verifying", "publishing"];
/// How long after the last kill nothing may come to an end, while not everything is at rest.
const STILL: Duration = Duration::from_secs(120);
/// How long everything may take to come to rest.
const REST: Duration = Duration::from_secs(900);
/// How long it is waited for rest where a fault keeps it from coming.
const NO_REST: Duration = Duration::from_secs(12);

/// One at a time: each looks at what is left on the machine.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn rounds() -> usize {
    std::env::var("KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_left_behind_by_kill_9() {
    let _alone = ALONE.lock().await;
    let random = Random::seeded("KILL_SEED");
    let seed = format!("{} KILL_ROUNDS={}", random.seed(), rounds());
    fails_at_the_end(&seed, nothing_is_lost(random)).await;
}

async fn nothing_is_lost(mut random: Random) {
    let mut host = Host::founded(&[]).await;
    let people = People::begin(host.door());
    let mut chaos = Chaos::new(&mut host, &people, &mut random);
    chaos.kill(rounds()).await;
    if rounds() >= ROUNDS {
        chaos.meet(&STATES).await;
    }
    let tally = chaos.end();
    people.start_no_more();
    let rested = people.until_rest(STILL, REST).await;
    let acknowledged = people.end().await;
    let met = invariants::met(&host).await;
    println!("{tally}\nruns that the ends of `up` met: {met:?}\n{acknowledged}");
    assert!(rested, "not everything came to rest: {:#}", host.open_runs().await);
    let broken = invariants::broken(&host, &acknowledged).await;
    assert_eq!(broken, Vec::<String>::new());
    host.end().await;
    assert_eq!(invariants::left_behind(&host), Vec::<String>::new());
    assert!(tally.kills >= rounds());
    for state in STATES {
        assert!(rounds() < ROUNDS || met.contains_key(state), "no kill met a run that was {state}: {met:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_noticed_when_nobody_looks_after_runs() {
    let _alone = ALONE.lock().await;
    let random = Random::seeded("KILL_SEED");
    let seed = random.seed();
    fails_at_the_end(&seed, nobody_looks_after_runs(random)).await;
}

async fn nobody_looks_after_runs(mut random: Random) {
    let mut host = Host::founded(&[("MESHWORK_TEST_FAULT", "no-recovery")]).await;
    let people = People::begin(host.door());
    Chaos::new(&mut host, &people, &mut random).kill(12).await;
    people.start_no_more();
    let rested = people.until_rest(NO_REST, NO_REST).await;
    let acknowledged = people.end().await;
    let broken = invariants::broken(&host, &acknowledged).await;
    println!("noticed: rested {rested}, {broken:#?}");
    assert!(!rested && broken.iter().any(|b| b.contains("slots")), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_noticed_when_answers_come_before_the_commit() {
    let _alone = ALONE.lock().await;
    fails_at_the_end("Without a seed", answers_come_before_the_commit()).await;
}

async fn answers_come_before_the_commit() {
    let mut host = Host::founded(&[("MESHWORK_TEST_FAULT", "answer-before-commit")]).await;
    let people = People::begin(host.door());
    let mut broken = Vec::new();
    for round in 0..60 {
        people.after_an_answer().await;
        host.kill_up().await;
        host.begin().await;
        broken = invariants::lost_answers(&host, &people.acknowledged()).await;
        if !broken.is_empty() {
            println!("noticed in round {round}: {broken:?}");
            break;
        }
    }
    people.end().await;
    assert!(!broken.is_empty(), "60 kills, and no early answer was noticed");
}
