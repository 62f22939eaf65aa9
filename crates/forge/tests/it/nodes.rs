//! Two nodes in this process: cloning, patches and reviews over the wire, restarts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::patch::{PatchState, Verdict};
use domain::{Kind, PatchId};
use forge::*;
use std::net::TcpListener;

#[test]
fn the_whole_flow_between_two_devices() {
    let (ada, bob) = (Device::new("ada"), Device::new("bob"));
    let rid = ada.project("demo", &[("a.txt", "one\n")], &[bob.forge.device()]);
    let head = ada.forge.head(&rid).unwrap();
    let (at_ada, at_bob) = (ada.node(), bob.node());
    let address = at_ada.listen_address().unwrap();
    let cloned = bob.forge.clone_project(&rid, &ada.forge.device(), Some(address), &at_bob).unwrap();
    assert_eq!(cloned, head);

    // A run at Ada's: Bob's node is told which patch changed, and has it.
    let news = at_bob.events();
    let safe = at_ada.events();
    let key = RunKey::new();
    let work = ada.run(&rid, &key, "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let Published { patch, revision, signed_refs } = work.published.clone();
    let mut told = false;
    let deadline = std::time::Instant::now() + PATIENCE;
    while !told {
        assert!(std::time::Instant::now() < deadline, "no event named the patch");
        if let Received::Event(NodeEvent::Fetched { rid: of, patches, .. }) = news.next(std::time::Duration::from_secs(1)) {
            told |= of == rid && patches.contains(&patch);
        }
    }
    let at_bobs = bob.forge.patch(&rid, &name("demo"), &patch).unwrap();
    assert_eq!((at_bobs.head, at_bobs.author), (work.commit.clone(), key.did()));
    let mut synced = false;
    while !synced {
        assert!(std::time::Instant::now() < deadline, "Ada never learnt that the work is safe at Bob's");
        synced = match safe.next(std::time::Duration::from_millis(500)) {
            Received::Event(NodeEvent::Synced { by, at, .. }) => by == bob.forge.device() && at == signed_refs,
            _ => bob.forge.signed_refs(&rid, &key.did()).unwrap() == Some(signed_refs.clone()),
        };
    }

    // Bob reviews with his member's key, Ada sees it and merges, Bob sees the merge.
    let at_adas = at_ada.events();
    bob.forge.review(&rid, &patch, &revision, Verdict::Accept, "Good.", &[]).unwrap();
    until(&at_adas, "Bob's review at Ada's", || {
        let seen = ada.forge.patch(&rid, &name("demo"), &patch).unwrap();
        seen.revisions[0].reviews.iter().any(|r| r.by == bob.forge.member() && r.verdict == Some(Verdict::Accept))
    });
    let MergeResult::Ready { commit, .. } = ada.forge.merge_result(&rid, &patch, None, &|_, _, _, _| None).unwrap() else { panic!() };
    ada.forge.merge(&rid, &patch, &revision, &commit).unwrap();
    until(&news, "the merge at Bob's", || {
        bob.forge.patch(&rid, &name("demo"), &patch).unwrap().state == PatchState::Merged && bob.forge.head(&rid).unwrap() == commit
    });
    let foreign = bob.forge.commit_files(&rid, "x\n", &[("x".into(), Some(vec![]))], None).unwrap_err();
    assert_eq!(foreign.kind, Kind::Forbidden, "Bob is no delegate");
    at_ada.stop().unwrap();
    at_bob.stop().unwrap();
}

#[test]
fn what_several_runs_wrote_while_nobody_was_connected_arrives_later() {
    let (ada, bob) = (Device::new("ada"), Device::new("bob"));
    let rid = ada.project("demo", &[("a.txt", "one\n")], &[bob.forge.device()]);
    let head = ada.forge.head(&rid).unwrap();
    let (at_ada, at_bob) = (ada.node(), bob.node());
    let address = at_ada.listen_address().unwrap();
    bob.forge.clone_project(&rid, &ada.forge.device(), Some(address), &at_bob).unwrap();
    at_bob.stop().unwrap();
    // Three keys write one after the other; only the last announcement is kept for those who were away.
    let runs: Vec<_> =
        (0..3).map(|n| ada.run(&rid, &RunKey::new(), &format!("r{n}"), &head, None, |d| put(d, &format!("{n}"), "x"))).collect();
    let at_bob = bob.node();
    let news = at_bob.events();
    at_ada.disconnect(&bob.forge.device()).unwrap();
    at_bob.connect(&ada.forge.device(), address).unwrap();
    until(&news, "all three patches at Bob's", || bob.forge.patches(&rid, &name("demo")).unwrap().len() == 3);
    let ids: Vec<_> = bob.forge.patches(&rid, &name("demo")).unwrap().into_iter().map(|p| p.id).collect();
    assert!(runs.iter().all(|run| ids.contains(&run.published.patch)));

    // And what was written while no node ran at all.
    at_ada.stop().unwrap();
    ada.run(&rid, &RunKey::new(), "offline", &head, None, |d| put(d, "offline", "x"));
    let at_ada = ada.node();
    at_bob.reconnect(&ada.forge.device(), at_ada.listen_address().unwrap()).unwrap();
    until(&news, "the fourth patch at Bob's", || bob.forge.patches(&rid, &name("demo")).unwrap().len() == 4);
}

#[test]
fn a_private_project_reaches_only_those_who_are_allowed() {
    let (ada, bob) = (Device::new("ada"), Device::new("bob"));
    let rid = ada.project("demo", &[("a.txt", "one\n")], &[]);
    let (at_ada, at_bob) = (ada.node(), bob.node());
    let (from, address) = (ada.forge.device(), at_ada.listen_address());
    let problem = bob.forge.clone_project(&rid, &from, address, &at_bob).unwrap_err();
    assert_eq!(problem.kind, Kind::Unavailable);
    ada.forge.allow(&rid, &[bob.forge.device()]).unwrap();
    ada.forge.allow(&rid, &[bob.forge.device()]).unwrap();
    assert_eq!(bob.forge.clone_project(&rid, &from, address, &at_bob).unwrap(), ada.forge.head(&rid).unwrap());
}

#[test]
fn a_public_project_is_had_by_whoever_asks_for_it() {
    let (ada, eve) = (Device::new("ada"), Device::new("eve"));
    let work = ada.path("copy-open");
    working_copy(&work, &[("a.txt", "one\n")]);
    let rid = ada.forge.init_project(&work, &name("open"), None, &Visibility::Public).unwrap().rid;
    let (at_ada, at_eve) = (ada.node(), eve.node());
    let cloned = eve.forge.clone_project(&rid, &ada.forge.device(), at_ada.listen_address(), &at_eve).unwrap();
    assert_eq!(cloned, ada.forge.head(&rid).unwrap());
}

#[test]
fn of_a_blocked_key_nothing_is_taken_and_what_an_ended_key_made_is_still_had_by_who_comes_late() {
    let (ada, bob) = (Device::new("ada"), Device::new("bob"));
    let rid = ada.project("demo", &[("a.txt", "one\n")], &[bob.forge.device()]);
    let head = ada.forge.head(&rid).unwrap();
    let (at_ada, at_bob) = (ada.node(), bob.node());
    let (revoked, ended, going) = (RunKey::new(), RunKey::new(), RunKey::new());
    at_bob.block(&revoked.did()).unwrap();
    let makes = |key: &RunKey, file: &str| ada.run(&rid, key, file, &head, None, |dir| put(dir, file, "x\n")).published.patch;
    let (refused, kept) = (makes(&revoked, "refused"), makes(&ended, "kept"));
    // Its run is over, and nobody has the key any more.
    drop(ended);
    bob.forge.clone_project(&rid, &ada.forge.device(), at_ada.listen_address(), &at_bob).unwrap();
    let has = |patch: &PatchId| bob.forge.patches(&rid, &name("demo")).unwrap().iter().any(|there| there.id == *patch);
    assert!(has(&kept) && !has(&refused));

    let news = at_bob.events();
    let taken = makes(&going, "taken");
    until(&news, "the patch of a key that counts at Bob's", || has(&taken));
    assert!(!has(&refused));
    assert!(ada.forge.patches(&rid, &name("demo")).unwrap().len() == 3, "all of them are at Ada's");

    // What is not blocked stays so.
    for key in [&revoked, &going] {
        at_bob.unblock(&key.did()).unwrap();
    }
    let fetched = || at_bob.fetch(&rid, &ada.forge.device()).is_ok();
    until(&news, "the patch of a key that counts again at Bob's", || fetched() && has(&refused));
    at_ada.stop().unwrap();
    at_bob.stop().unwrap();
}

#[test]
fn a_node_stops_starts_again_and_says_what_is_in_its_way() {
    let device = Device::new("laptop");
    // An address of its own, so that no other test takes the port meanwhile.
    let alone = Some("127.0.0.77:0".parse().unwrap());
    let node = device.forge.start_node(alone, &device.path("control.sock")).unwrap();
    let address = node.listen_address().unwrap();
    assert!(node.health().running && device.path("control.sock").exists());
    let twice = device.forge.start_node(None, &device.path("second.sock")).err().unwrap();
    assert_eq!(twice.kind, Kind::Conflict);
    node.stop().unwrap();
    node.stop().unwrap();
    assert!(!node.health().running && !device.path("control.sock").exists());

    let taken = TcpListener::bind(address).unwrap();
    let problem = device.forge.start_node(Some(address), &device.path("control.sock")).err().unwrap();
    assert!(problem.kind == Kind::Conflict && problem.what.contains(&address.port().to_string()), "{problem}");
    drop(taken);
    // A killed process leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(device.path("control.sock")).unwrap());
    // A child that another test is just starting may hold it open until it runs its own program.
    while std::os::unix::net::UnixStream::connect(device.path("control.sock")).is_ok() {
        std::thread::yield_now();
    }
    let node = device.forge.start_node(Some(address), &device.path("control.sock")).unwrap();
    assert_eq!(node.listen_address(), Some(address));
    drop(node);

    let listening = std::os::unix::net::UnixListener::bind(device.path("other.sock")).unwrap();
    let problem = device.forge.start_node(None, &device.path("other.sock")).err().unwrap();
    assert_eq!(problem.kind, Kind::Conflict, "{problem}");
    drop(listening);
    let long = device.path(&"x".repeat(120));
    assert_eq!(device.forge.start_node(None, &long).err().unwrap().kind, Kind::Invalid);
    let node = device.forge.start_node(None, &device.path("control.sock")).unwrap();
    assert_eq!(node.listen_address(), None);
    assert!(node.connect(&identity::Key::from_seed(&[3; 32]).did(), "127.0.0.1:1".parse().unwrap()).is_err());
    node.stop().unwrap();
}
