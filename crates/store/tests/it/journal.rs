use crate::support::*;
use domain::{
    Kind, Problem, Timestamp,
    event::{Body, kind},
    role::Role,
    run::{Run, RunState},
    task::Claim,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use store::{Order, Ready, Seq, Signer, Store, limits};

#[test]
fn what_was_appended_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.head().unwrap().seq, Seq(0));
    assert_eq!(store.append_blocking(vec![queued(1, &task(1)), stopped(1, "a")]).unwrap(), Seq(2));
    assert_eq!(store.append_blocking(vec![queued(2, &task(1))]).unwrap(), Seq(3));
    assert_eq!(store.append_blocking(vec![]).unwrap(), Seq(3));
    let head = store.head().unwrap();
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.head().unwrap(), head);
    let run: Run = store.get(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    assert_eq!(run.violations, ["a"]);
    let claim: Claim = store.get(kind::CLAIM, &task(1).to_string()).unwrap().unwrap();
    assert_eq!(claim.runs, [run_id(1), run_id(2)]);
    let ids = |order, limit| store.list::<Run>(kind::RUN, order, limit).unwrap().into_iter().map(|r| r.id).collect::<Vec<_>>();
    assert_eq!(ids(Order::Newest, 9), [run_id(2), run_id(1)]);
    assert_eq!(ids(Order::Oldest, 1), [run_id(1)]);
    assert!(store.get::<Run>(kind::RUN, "unknown").unwrap().is_none());

    let events = store.events(Seq(1), 10).unwrap();
    assert_eq!(events.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(*events[0].event, stopped(1, "a"));
    assert_eq!(store.append_blocking(vec![stopped(2, "b")]).unwrap(), Seq(4));
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.events, report.signatures, report.incarnations), (4, 3, 1));
}

#[test]
fn an_older_journal_lists_which_orders_count_and_which_runs_go_on_once_it_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let lists = |store: &Store| [kind::ACTIVE, kind::HALT].map(|kind| store.list::<Value>(kind, Order::Oldest, 9).unwrap());
    let store = open(dir.path());
    store.append_blocking(vec![queued(1, &task(1)), halted()]).unwrap();
    let before = lists(&store);
    assert_eq!(before.each_ref().map(Vec::len), [1, 1]);
    drop(store);

    let copy = dir.path().join("before.db");
    testkit::age_journal(&dir.path().join("journal.db"));
    assert!(store::bring_up_to_date(dir.path(), &copy).unwrap());
    assert_eq!(lists(&open(dir.path())), before);

    // As it comes about where nobody calls for it: when it is opened.
    testkit::age_journal(&dir.path().join("journal.db"));
    assert_eq!(lists(&open(dir.path())), before);
}

#[test]
fn no_field_of_a_body_hides_one_of_the_event() {
    // Both are written into one JSON object; of two fields with one name, one would be lost.
    let schema = schemars::schema_for!(domain::event::Body).to_value();
    let variants = schema["oneOf"].as_array().unwrap();
    assert!(variants.len() > 20);
    for variant in variants {
        let fields = variant["properties"].as_object().unwrap();
        assert!(["version", "at", "actor"].iter().all(|name| !fields.contains_key(*name)), "{}", variant["properties"]["type"]);
    }
}

#[test]
fn a_second_user_of_the_folder_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let other = store.clone();
    let problem = Store::open(dir.path(), signer(1)).unwrap_err();
    assert_eq!(problem.kind, Kind::Conflict);
    assert!(problem.next.is_some());
    drop(store);
    assert!(Store::open(dir.path(), signer(1)).is_err());
    drop(other);
    open(dir.path());
}

#[test]
fn another_device_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path());
    let problem = Store::open(dir.path(), signer(2)).unwrap_err();
    assert!(problem.what.contains("another device"), "{problem}");
}

#[test]
fn one_bad_append_harms_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let large = marked(&"x".repeat(limits::EVENT_BYTES_MAX));
    assert_eq!(store.append_blocking(vec![marked("a"), large]).unwrap_err().kind, Kind::Limit);
    let mut inexact = queued(1, &task(1));
    inexact.at = Timestamp(i64::MAX);
    assert_eq!(store.append_blocking(vec![inexact]).unwrap_err().kind, Kind::Invalid);
    assert_eq!(store.append_blocking(vec![marked("x"); limits::APPEND_EVENTS_MAX + 1]).unwrap_err().kind, Kind::Limit);
    let newer = domain::event::Event { version: 99, ..marked("a") };
    assert!(store.append_blocking(vec![newer]).is_err());
    let refused = store.append_if_blocking(|_| Err(Problem::conflict("no")));
    assert_eq!(refused.unwrap_err().what, "no");
    let panicked = store.append_if_blocking(|_| panic!("on purpose"));
    assert_eq!(panicked.unwrap_err().kind, Kind::Internal);
    assert_eq!(store.append_blocking(vec![marked("b")]).unwrap(), Seq(1));
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_claim_one_task_exactly_one_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..20u64 {
        let claims = (0..32u64).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .append_if(move |view| match view.get::<Claim>(kind::CLAIM, &task(round).to_string())? {
                        Some(_) => Err(Problem::conflict("taken")),
                        None => Ok(vec![queued(round * 100 + n, &task(round))]),
                    })
                    .await
            })
        });
        let mut won = 0;
        for claim in claims.collect::<Vec<_>>() {
            won += u32::from(claim.await.unwrap().is_ok());
        }
        assert_eq!(won, 1);
        let claim: Claim = store.get(kind::CLAIM, &task(round).to_string()).unwrap().unwrap();
        assert_eq!(claim.runs.len(), 1);
    }
    assert_eq!(store.list::<Run>(kind::RUN, Order::Newest, 100).unwrap().len(), 20);
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn what_was_made_ready_before_is_written_as_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ready = Ready::new(vec![queued(1, &task(1)), stopped(1, "a")]).unwrap();
    let written = store.append_ready_if(move |view| {
        assert!(view.get::<Run>(kind::RUN, run_id(1).as_str())?.is_none());
        Ok(ready)
    });
    assert_eq!(written.await.unwrap(), Seq(2));
    let run: Run = store.get(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    assert_eq!(run.violations, ["a"]);
    assert_eq!(store.append_ready_if(|_| Ok(Ready::default())).await.unwrap(), Seq(2), "nothing is written");
    let refused = store.append_ready_if(|_| Err(Problem::conflict("no"))).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(Ready::new(vec![marked(&"x".repeat(limits::EVENT_BYTES_MAX))]).is_err(), "what is too large is not made ready");
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn a_blob_that_comes_with_events_is_there_with_them_and_a_file_later() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let blob = |text: &str| store.blobs().to_park(text.as_bytes().to_vec()).unwrap();
    let hash = |text: &str| identity::envelope::hash_bytes(text.as_bytes());
    let with = |text: &str, event| Ready::new(vec![event]).unwrap().with_blobs([blob(text)]);
    let file = |text: &str| dir.path().join("blobs").join(&hash(text).as_str()[..2]).join(hash(text).as_str());
    let there = |store: &Store, text: &str| store.blobs().get(&hash(text)).unwrap().as_deref() == Some(text.as_bytes());
    let (kept, erased, refused) = (with("kept", marked("a")), with("erased", marked("b")), with("refused", queued(1, &task(1))));
    store.append_ready_if(|_| Ok(kept)).await.unwrap();
    store.append_ready_if(|_| Ok(erased)).await.unwrap();
    let again = with("kept", marked("b"));
    store.append_ready_if(|_| Ok(again)).await.unwrap();
    store.append_ready_if(|_| refused_with(refused)).await.unwrap_err();
    assert!(there(&store, "kept") && store.blobs().exists(&hash("kept")) && !file("kept").exists(), "it costs no file yet");
    assert!(!store.blobs().exists(&hash("refused")));
    store.blobs().erase(&hash("erased")).unwrap();
    // As a process that dies now.
    let copy = tempfile::tempdir().unwrap();
    let snapshot = copy.path().join("journal.db");
    store.snapshot(&snapshot).unwrap();
    std::fs::create_dir_all(copy.path().join("blobs").join(&hash("erased").as_str()[..2])).unwrap();
    let mark = file("erased").with_extension("erased");
    std::fs::copy(&mark, copy.path().join(mark.strip_prefix(dir.path()).unwrap())).unwrap();
    for (store, folder) in [(store, dir.path()), (open(copy.path()), copy.path())] {
        drop(store);
        let store = open(folder);
        assert!(there(&store, "kept") && !there(&store, "erased") && !store.blobs().exists(&hash("refused")));
        store.append(vec![marked("c")]).await.unwrap();
        drop(store);
        assert!(folder.join(file("kept").strip_prefix(dir.path()).unwrap()).is_file());
        let mut rows = sqlite::open(folder.join("journal.db")).unwrap();
        assert_eq!(count_parked(&mut rows), 0);
    }
}

fn count_parked(database: &mut sqlite::Connection) -> i64 {
    let mut rows = database.prepare("SELECT count(*) FROM parked").unwrap();
    rows.next().unwrap();
    rows.read(0).unwrap()
}

fn refused_with(_: Ready) -> Result<Ready, Problem> {
    Err(Problem::conflict("no"))
}

#[test]
fn a_condition_sees_what_the_same_group_wrote_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(vec![queued(1, &task(1))]).unwrap();
    std::thread::scope(|scope| {
        for n in 0..40u64 {
            let store = &store;
            scope.spawn(move || {
                store.append_if_blocking(move |view| {
                    let mine: Run = view.get(kind::RUN, run_id(1).as_str())?.unwrap();
                    let all: Vec<Run> = view.list(kind::RUN, Order::Oldest, 10)?;
                    assert_eq!(all, std::slice::from_ref(&mine));
                    assert_eq!(view.get::<Run>(kind::RUN, "unknown")?, None);
                    Ok(vec![stopped(1, &format!("{n}:{}", mine.violations.len()))])
                })
            });
        }
    });
    let run: Run = store.get(kind::RUN, run_id(1).as_str()).unwrap().unwrap();
    let counted: Vec<String> = run.violations.iter().map(|v| v.split(':').nth(1).unwrap().to_owned()).collect();
    assert_eq!(counted, (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_follower_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append(vec![marked("0"), marked("1")]).await.unwrap();
    let mut follower = store.follow(Seq(1));
    let mut live = store.subscribe();
    let total = limits::SUBSCRIBER_LAG_MAX + 100;
    assert_eq!(mark(&follower.next().await.unwrap().event), Some("1"));
    for first in (2..total).step_by(500) {
        let events = (first..(first + 500).min(total)).map(|n| marked(&n.to_string())).collect();
        store.append(events).await.unwrap();
    }
    for n in 2..total {
        let recorded = follower.next().await.unwrap();
        assert_eq!((recorded.seq.0, mark(&recorded.event)), (n as u64 + 1, Some(&*n.to_string())));
    }
    assert!(live.recv().await.is_err(), "a plain subscriber is told that it lags");
    let waiting = tokio::spawn(async move { follower.next().await });
    store.append(vec![marked("last")]).await.unwrap();
    let last = waiting.await.unwrap().unwrap();
    assert_eq!(mark(&last.event), Some("last"));
    assert_eq!(last.hash, store.head().unwrap().hash);
}

#[tokio::test]
async fn subscribers_hear_only_of_what_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut live = store.subscribe();
    let append = tokio::spawn({
        let store = store.clone();
        async move { store.append(vec![queued(1, &task(1))]).await }
    });
    let recorded = live.recv().await.unwrap();
    assert!(store.get::<Run>(kind::RUN, run_id(1).as_str()).unwrap().is_some());
    assert_eq!(append.await.unwrap().unwrap(), recorded.seq);
}

#[tokio::test]
async fn blocking_appends_work_within_a_runtime_too() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path()).append_blocking(vec![marked("a")]).unwrap(), Seq(1));
}

#[test]
fn a_rebuild_says_what_was_different_and_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..30 {
        store.append_blocking(vec![queued(n, &task(n % 3)), stopped(n, "x")]).unwrap();
    }
    let sound = store.rebuild_blocking().unwrap();
    assert_eq!((sound.events, sound.things, sound.differences), (58, 61, 0), "{sound:?}");
    let runs = |store: &Store| store.list::<Run>(kind::RUN, Order::Newest, 100).unwrap();
    let before = runs(&store);
    drop(store);

    let database = sqlite::open(dir.path().join("journal.db")).unwrap();
    database
        .execute(format!(
            "DELETE FROM projected WHERE kind='run' AND id='{}'; UPDATE projected SET value='{{}}' WHERE kind='run' AND id='{}';
             INSERT INTO projected VALUES('run', 'ghost', '{{}}', 1, 1); UPDATE projected SET first_seq=0 WHERE kind='run' AND id='{}';",
            run_id(3),
            run_id(4),
            run_id(5)
        ))
        .unwrap();
    drop(database);

    let store = open(dir.path());
    let report = store.rebuild_blocking().unwrap();
    assert_eq!((report.differences, report.first.len()), (4, 3), "{report:?}");
    let kinds: BTreeSet<_> = report.first.iter().map(|d| (d.was.is_some(), d.is.is_some())).collect();
    assert_eq!(kinds, BTreeSet::from([(false, true), (true, true), (true, false)]));
    assert_eq!(runs(&store), before);
    assert_eq!(store.rebuild_blocking().unwrap().differences, 0);
    store.append_blocking(vec![stopped(4, "y")]).unwrap();
    assert_eq!(store.get::<Run>(kind::RUN, run_id(4).as_str()).unwrap().unwrap().violations, ["x", "y"]);
}

#[test]
fn an_older_journal_gets_what_is_projected_now_when_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append_blocking(vec![queued(1, &task(1))]).unwrap();
    let database = sqlite::open(dir.path().join("journal.db")).unwrap();
    let older = "DELETE FROM projected WHERE kind='active'; DROP TABLE parked; DROP TABLE projected_by; PRAGMA user_version=2;";
    database.execute(older).unwrap();
    drop(database);
    let store = open(dir.path());
    assert_eq!(store.list::<domain::RunId>(kind::ACTIVE, Order::Oldest, 10).unwrap(), [run_id(1)]);
    assert_eq!(store.rebuild_blocking().unwrap().differences, 0);
    assert!(dir.path().join("journal.version-2.db").exists(), "as it was lies beside it");
}

#[test]
fn an_event_of_a_newer_version_is_kept_counted_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let json =
        serde_json::json!({"version": 2, "at": 7, "actor": me(), "type": "of_tomorrow", "run": run_id(1), "deep": {"b": [1], "a": "x"}});
    let tomorrow = domain::event::Event::read(json.to_string().as_bytes()).unwrap();
    store.append_blocking(vec![queued(1, &task(1)), tomorrow.clone(), stopped(1, "a")]).unwrap();
    let head = store.head().unwrap();
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.head().unwrap(), head);
    let read = store.events(Seq(1), 1).unwrap();
    assert_eq!(*read[0].event, tomorrow);
    assert_eq!(serde_json::to_value(&*read[0].event).unwrap(), json, "every field is there");
    let verified = store.verify().unwrap();
    assert!(verified.is_sound(), "{verified:?}");
    let rebuilt = store.rebuild_blocking().unwrap();
    assert_eq!((verified.events, verified.unknown, rebuilt.events, rebuilt.unknown, rebuilt.differences), (3, 1, 3, 1, 0));
    assert_eq!(store.get::<Run>(kind::RUN, run_id(1).as_str()).unwrap().unwrap().violations, ["a"], "what came after it counts");
}

#[test]
fn a_journal_that_another_version_projected_opens_though_an_event_of_it_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append_blocking(vec![queued(1, &task(1)), stopped(1, "a"), stopped(1, "b")]).unwrap();
    let database = sqlite::open(dir.path().join("journal.db")).unwrap();
    let newer = "UPDATE event SET payload=json_set(payload, '$.version', 99, '$.actor', 'of tomorrow') WHERE seq=2;
        UPDATE projected_by SET version=99;";
    database.execute(newer).unwrap();
    drop(database);
    let store = open(dir.path());
    assert_eq!(store.get::<Run>(kind::RUN, run_id(1).as_str()).unwrap().unwrap().violations, ["b"], "what can be read counts");
    // Who asks whether all is in order is told.
    let refused = store.rebuild_blocking().unwrap_err();
    assert!(refused.what.contains("Event 2") && refused.next.is_some(), "{refused}");
    assert_eq!(store.append_blocking(vec![stopped(1, "c")]).unwrap(), Seq(4));
}

#[test]
fn a_thing_that_is_no_more_is_gone_at_once_and_after_a_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let active = |store: &Store| store.list::<domain::RunId>(kind::ACTIVE, Order::Oldest, 10).unwrap();
    store.append_blocking(vec![queued(1, &task(1)), queued(2, &task(2))]).unwrap();
    assert_eq!(active(&store), [run_id(1), run_id(2)]);
    let ended = Body::RunMoved { run: run_id(1), to: RunState::Cancelled, reason: None };
    store
        .append_if_blocking(move |view| {
            assert_eq!(view.list::<domain::RunId>(kind::ACTIVE, Order::Oldest, 10)?.len(), 2);
            Ok(vec![event(ended)])
        })
        .unwrap();
    assert_eq!(active(&store), [run_id(2)]);
    let seen = store.append_if_blocking(|view| {
        assert_eq!(view.get::<domain::RunId>(kind::ACTIVE, run_id(1).as_str())?, None);
        assert_eq!(view.list::<domain::RunId>(kind::ACTIVE, Order::Oldest, 10)?, [run_id(2)]);
        Ok(vec![])
    });
    seen.unwrap();
    assert_eq!(store.rebuild_blocking().unwrap().differences, 0);
    assert_eq!(active(&store), [run_id(2)]);
}

#[tokio::test]
async fn tokens_are_kept_by_hash_and_revoked_with_their_event() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (token, record) = identity::token::create(Role::Viewer, "ci", Timestamp(1), None).unwrap();
    let made = || event(domain::event::Body::TokenCreated { id: record.id.clone(), role: record.role });
    let revoked = || event(domain::event::Body::TokenRevoked { id: record.id.clone() });
    store.insert_token(record.clone(), made()).await.unwrap();
    assert_eq!(store.insert_token(record.clone(), made()).await.unwrap_err().kind, Kind::Conflict);
    let found = store.token(identity::token::id(token.expose()).unwrap()).unwrap().unwrap();
    assert!(found.check(token.expose(), Timestamp(2)).is_ok());
    assert_eq!(store.tokens().unwrap(), std::slice::from_ref(&record));
    assert_eq!(store.revoke_token(&record.id, revoked()).await.unwrap(), Seq(2));
    assert_eq!(store.revoke_token(&record.id, revoked()).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!((store.tokens().unwrap(), store.token(&record.id).unwrap()), (vec![], None));
    assert_eq!(store.head().unwrap().seq, Seq(2));
}

#[tokio::test]
async fn browsers_stay_signed_in_over_a_restart_until_they_are_signed_out_or_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let signed = |at: i64, until: i64| identity::token::create(Role::Owner, "Firefox", Timestamp(at), Some(Timestamp(until))).unwrap();
    let ((short, brief), (_, long), (_, late)) = (signed(1, 5), signed(2, 100), signed(5, 100));
    let came = |record: &identity::token::Record| event(domain::event::Body::BrowserSignedIn { id: record.id.clone() });
    let went = |record: &identity::token::Record| event(domain::event::Body::BrowserSignedOut { id: record.id.clone() });
    let store = open(dir.path());
    store.insert_browser(brief.clone(), came(&brief)).await.unwrap();
    store.insert_browser(long.clone(), came(&long)).await.unwrap();
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.browsers().unwrap(), [brief.clone(), long.clone()]);
    assert_eq!((store.token(&long.id).unwrap(), store.tokens().unwrap()), (None, vec![]), "a browser is no script");
    assert!(store.browser(&brief.id).unwrap().unwrap().check(short.expose(), Timestamp(4)).is_ok());
    store.insert_browser(late.clone(), came(&late)).await.unwrap();
    assert_eq!(store.browsers().unwrap(), [long.clone(), late.clone()], "what is over is forgotten");
    let both = vec![long.id.clone(), brief.id.clone()];
    assert_eq!(store.remove_browsers(both, vec![went(&long), went(&brief)]).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(store.browsers().unwrap().len(), 2, "all or none");
    store.remove_browsers(vec![long.id.clone(), late.id.clone()], vec![went(&long), went(&late)]).await.unwrap();
    assert_eq!(store.browsers().unwrap(), []);
}

#[test]
fn a_key_that_does_not_answer_stops_writes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let works = Arc::new(AtomicBool::new(true));
    let (real, asked) = (signer(1), works.clone());
    let sign = move |bytes: &[u8]| if asked.load(Ordering::SeqCst) { (real.sign)(bytes) } else { Err(Problem::unavailable("locked")) };
    let store = Store::open(dir.path(), Signer { device: me(), sign: Arc::new(sign) }).unwrap();
    store.append_blocking(vec![queued(1, &task(1))]).unwrap();
    works.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(store.append_blocking(vec![stopped(1, "lost")]).unwrap_err().what, "locked");
    }
    assert!(store.get::<Run>(kind::RUN, run_id(1).as_str()).unwrap().unwrap().violations.is_empty());
    works.store(true, Ordering::SeqCst);
    assert_eq!(store.append_blocking(vec![stopped(1, "kept")]).unwrap(), Seq(2));
    assert_eq!(store.get::<Run>(kind::RUN, run_id(1).as_str()).unwrap().unwrap().violations, ["kept"]);
    assert!(store.verify().unwrap().is_sound());
}
