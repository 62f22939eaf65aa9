//! Gated projects: only the gate's key moves the default branch, whatever its former delegates do by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::org::{Device as OrgDevice, Member, MemberKey, Org};
use domain::patch::PatchState;
use domain::project::Project;
use domain::{Did, Kind, Oid, Rid, role::Role};
use forge::*;
use std::collections::BTreeSet;
use testkit::Stock;

/// An org of this device alone, and what it says.
fn founded(device: &Device) -> (Rid, OrgState) {
    let keys = vec![MemberKey { did: device.forge.member(), device: device.forge.device() }];
    let founder = Member { name: "ada".into(), roles: vec![Role::Owner], keys, standby: None };
    let at = OrgDevice::new("laptop", device.forge.device(), "ada");
    let org = Org { version: 1, name: "acme".parse().unwrap(), threshold: 1 };
    let rid = device.forge.create_org(&org, &founder, &at).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    (rid, state)
}

fn listed(rid: &Rid, gates: &[Did]) -> Project {
    Project { name: name("demo"), rid: rid.clone(), branch: "main".into(), mirror: None, gates: gates.to_vec() }
}

/// Merges the latest revision of a patch, as the forge of this device does.
fn merge(device: &Device, rid: &Rid, work: &Work) -> Oid {
    let patch = &work.published.patch;
    let MergeResult::Ready { commit, revision, .. } = device.forge.merge_result(rid, patch, None, &|_, _, _, _| None).unwrap() else {
        panic!("it cannot be merged")
    };
    device.forge.merge(rid, patch, &revision, &commit).unwrap().commit
}

/// Moves the member's own branch past the forge, and has it signed, as the stock `rad` does that holds the member's key.
fn by_hand(device: &Device, rid: &Rid, work: &Work) {
    let storage = device.path("rad").join("storage").join(rid.as_str().trim_start_matches("rad:"));
    let member = device.forge.member();
    let branch = format!("refs/namespaces/{}/refs/heads/main", member.as_str().trim_start_matches("did:key:"));
    git(&storage, &["update-ref", &branch, work.commit.as_str()]);
    device.forge.comment(rid, &work.published.patch, &work.published.revision, "Merged by hand.", None).unwrap();
}

#[test]
fn only_the_gate_moves_the_branch_until_the_project_is_opened_again() {
    let (ada, bob) = (Device::new("ada"), Device::new("bob"));
    let (_, state) = founded(&ada);
    let rid = ada.project("demo", &[("a.txt", "one\n")], &[bob.forge.device()]);
    let head = ada.forge.head(&rid).unwrap();
    let (at_ada, at_bob) = (ada.node(), bob.node());
    bob.forge.clone_project(&rid, &ada.forge.device(), at_ada.listen_address(), &at_bob).unwrap();
    let news = at_bob.events();

    let gated = listed(&rid, &[ada.forge.device()]);
    assert_eq!(ada.forge.keep_project_charter(&gated, &state).unwrap(), Charter::Changed);
    assert_eq!(ada.forge.keep_project_charter(&gated, &state).unwrap(), Charter::InStep);
    assert_eq!((ada.forge.delegates(&rid).unwrap(), ada.forge.head(&rid).unwrap()), (vec![ada.forge.device()], head.clone()));
    until(&news, "the gate at Bob's", || bob.forge.delegates(&rid).unwrap() == [ada.forge.device()]);
    assert_eq!(bob.forge.head(&rid).unwrap(), head, "the branch is not frozen");

    // Whoever held the pen before moves nothing by hand.
    let one = ada.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "b.txt", "b\n"));
    let two = ada.run(&rid, &RunKey::new(), "two", &head, None, |dir| put(dir, "c.txt", "c\n"));
    by_hand(&ada, &rid, &two);
    let signed = ada.forge.signed_refs(&rid, &ada.forge.member()).unwrap();
    until(&news, "what was done by hand at Bob's", || bob.forge.signed_refs(&rid, &ada.forge.member()).unwrap() == signed);
    assert_eq!([ada.forge.head(&rid).unwrap(), bob.forge.head(&rid).unwrap()], [head.clone(), head.clone()]);
    let foreign = bob.forge.commit_files(&rid, "x\n", &[("x".into(), Some(vec![]))], None).unwrap_err();
    assert_eq!(foreign.kind, Kind::Forbidden);

    // The gate does.
    let merged = merge(&ada, &rid, &one);
    until(&news, "the merge at Bob's", || {
        let seen = bob.forge.patch(&rid, &name("demo"), &one.published.patch).unwrap();
        seen.state == PatchState::Merged && seen.merged_by == Some(ada.forge.device()) && bob.forge.head(&rid).unwrap() == merged
    });
    let other = ada.forge.patch(&rid, &name("demo"), &two.published.patch).unwrap();
    assert_eq!(other.state, PatchState::Open);

    // Opened again, its people move it as before, from where it is.
    let open = listed(&rid, &[]);
    assert_eq!(ada.forge.keep_project_charter(&open, &state).unwrap(), Charter::Changed);
    assert_eq!(ada.forge.keep_project_charter(&open, &state).unwrap(), Charter::InStep);
    assert_eq!((ada.forge.delegates(&rid).unwrap(), ada.forge.head(&rid).unwrap()), (vec![ada.forge.member()], merged));
    let next = merge(&ada, &rid, &two);
    until(&news, "the member's merge at Bob's", || bob.forge.head(&rid).unwrap() == next);
}

/// A fetch that began before a change of the identity sets it back, and what is in force with it; the signature stays.
#[test]
fn a_gate_that_a_fetch_put_out_of_force_is_in_force_again() {
    let ada = Device::new("ada");
    let (_, state) = founded(&ada);
    let rid = ada.project("demo", &[("a.txt", "one\n")], &[]);
    let storage = ada.path("rad").join("storage").join(rid.as_str().trim_start_matches("rad:"));
    let in_force = "refs/rad/id";
    let before = git(&storage, &["rev-parse", in_force]);
    let member = ada.forge.member();
    let own = format!("refs/namespaces/{}/refs/cobs/xyz.radicle.id/{before}", member.as_str().trim_start_matches("did:key:"));
    let set_back = |names: &[&str]| {
        names.iter().for_each(|name| drop(git(&storage, &["update-ref", name, &before])));
        assert_eq!(ada.forge.delegates(&rid).unwrap(), std::slice::from_ref(&member));
    };

    let gated = listed(&rid, &[ada.forge.device()]);
    let keep = || ada.forge.keep_project_charter(&gated, &state).unwrap();
    assert_eq!(keep(), Charter::Changed);
    let signed = git(&storage, &["rev-parse", in_force]);
    let again = || (git(&storage, &["rev-parse", in_force]), git(&storage, &["rev-parse", &own])) == (signed.clone(), signed.clone());
    assert!(again() && !ada.forge.bring_forward(&rid).unwrap(), "all is where it was signed");

    // After the fetch all is looked at, or only what was signed had been set forward before.
    set_back(&[&own, in_force]);
    assert!(ada.forge.bring_forward(&rid).unwrap() && again());
    set_back(&[in_force]);
    assert!(ada.forge.bring_forward(&rid).unwrap() && again());

    // And so it is where that was missed.
    set_back(&[in_force]);
    keep();
    assert!(again(), "what is in force follows what was signed");
    set_back(&[&own, in_force]);
    keep();
    assert!(again(), "what was signed is in force, and nothing else was made");
    assert_eq!((keep(), ada.forge.delegates(&rid).unwrap()), (Charter::InStep, vec![ada.forge.device()]));

    // Where only its own ref was set back, nothing goes back with it.
    git(&storage, &["update-ref", &own, &before]);
    assert_eq!((keep(), ada.forge.delegates(&rid).unwrap()), (Charter::InStep, vec![ada.forge.device()]));
    assert!(ada.forge.bring_forward(&rid).unwrap() && again());
}

/// An org of three members with a device each, as all of them see it.
fn three(devices: [&Device; 3]) -> OrgState {
    let (_, mut state) = founded(devices[0]);
    for (name, device) in ["bob", "cy"].into_iter().zip(&devices[1..]) {
        let keys = vec![MemberKey { did: device.forge.member(), device: device.forge.device() }];
        state.members.insert(name.into(), Member { name: name.into(), roles: vec![Role::Developer], keys, standby: None });
        state.devices.insert(format!("{name}-box"), OrgDevice::new(format!("{name}-box"), device.forge.device(), name));
    }
    state
}

/// What the merge of a patch would be on a device.
fn result(device: &Device, rid: &Rid, work: &Work) -> Oid {
    match device.forge.merge_result(rid, &work.published.patch, None, &|_, _, _, _| None).unwrap() {
        MergeResult::Ready { commit, .. } => commit,
        other => panic!("it cannot be merged: {other:?}"),
    }
}

#[test]
fn of_three_gates_two_move_the_branch_by_signing_the_same_commit_and_one_alone_moves_nothing() {
    let all = ["ada", "bob", "cy"].map(Device::new);
    let [ada, bob, cy] = &all;
    let state = three([ada, bob, cy]);
    let dids = all.each_ref().map(|device| device.forge.device());
    let rid = ada.project("demo", &[("a.txt", "one\n")], &dids[1..]);
    let head = ada.forge.head(&rid).unwrap();
    let nodes = all.each_ref().map(Device::node);
    let news = nodes[0].events();
    for at in [1, 2] {
        all[at].forge.clone_project(&rid, &dids[0], nodes[0].listen_address(), &nodes[at]).unwrap();
    }
    nodes[2].connect(&dids[1], nodes[1].listen_address().unwrap()).unwrap();
    // As devices do now and then: an announcement may be lost.
    let exchange = || {
        for (at, node) in nodes.iter().enumerate() {
            for from in dids.iter().enumerate().filter(|(of, _)| *of != at).map(|(_, did)| did) {
                let _ = node.fetch(&rid, from);
            }
        }
    };
    let keep = |gates: &[Did]| {
        let project = listed(&rid, gates);
        all.iter().for_each(|device| drop(device.forge.keep_project_charter(&project, &state)));
        exchange();
    };
    let heads = || all.each_ref().map(|device| device.forge.head(&rid).unwrap());

    let gates: BTreeSet<Did> = dids.iter().cloned().collect();
    let in_force = |device: &Device| device.forge.delegates(&rid).unwrap().into_iter().collect::<BTreeSet<_>>() == gates;
    until(&news, "three gates everywhere", || {
        keep(&dids);
        all.iter().all(in_force)
    });
    assert_eq!(heads(), [&head, &head, &head].map(Clone::clone), "the branch is not frozen");

    // Whatever one of them signs alone moves nothing; the merge is the same for each of them.
    let one = ada.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "b.txt", "b\n"));
    let two = ada.run(&rid, &RunKey::new(), "two", &head, None, |dir| put(dir, "c.txt", "c\n"));
    let seen = |device: &Device, work: &Work| device.forge.patch(&rid, &name("demo"), &work.published.patch).is_ok();
    until(&news, "both patches everywhere", || {
        exchange();
        all.iter().all(|device| seen(device, &one) && seen(device, &two))
    });
    let first = result(ada, &rid, &one);
    let (patch, revision) = (&one.published.patch, &one.published.revision);
    bob.forge.propose_merge(&rid, patch, revision, &first).unwrap();
    let vouch =
        |device: &Device, commit: &Oid| device.forge.vouchers(&rid, commit).unwrap().0.into_iter().map(|v| v.by).collect::<Vec<_>>();
    until(&news, "Bob's signature at the others", || {
        exchange();
        [ada, cy].iter().all(|device| vouch(device, &first) == [dids[1].clone()])
    });
    assert_eq!(heads(), [&head, &head, &head].map(Clone::clone), "one signature moves nothing");
    assert_eq!(bob.forge.merge(&rid, patch, revision, &first).unwrap_err().kind, Kind::Conflict);
    assert_eq!(bob.forge.head(&rid).unwrap(), head);

    // The second signature moves it everywhere, and each of the two marks the patch.
    ada.forge.merge(&rid, patch, revision, &first).unwrap();
    let signed = ada.forge.signed_refs(&rid, &dids[0]).unwrap();
    ada.forge.mark_merged(&rid, patch).unwrap();
    assert_eq!(ada.forge.signed_refs(&rid, &dids[0]).unwrap(), signed, "a mark is made once, however long the others' are missing");
    until(&news, "the merge everywhere", || {
        exchange();
        bob.forge.mark_merged(&rid, patch).unwrap();
        let merged = |device: &Device| device.forge.patch(&rid, &name("demo"), patch).unwrap().state == PatchState::Merged;
        heads().iter().all(|at| *at == first) && all.iter().all(merged)
    });
    // Who missed it follows, so that no single gate can go back behind it.
    until(&news, "three signatures", || {
        keep(&dids);
        all.iter().all(|device| vouch(device, &first).len() == 3)
    });

    // A real merge is one commit, whoever makes it; what is taken back counts no more.
    let commits = all.each_ref().map(|device| result(device, &rid, &two));
    assert!(commits[0] != two.commit && commits.iter().all(|commit| *commit == commits[0]), "{commits:?}");
    let (patch, revision) = (&two.published.patch, &two.published.revision);
    cy.forge.propose_merge(&rid, patch, revision, &commits[0]).unwrap();
    cy.forge.withdraw_merge(&rid).unwrap();
    until(&news, "that Cy took it back, at Ada's", || {
        exchange();
        let cys = ada.forge.signed_refs(&rid, &dids[2]).unwrap();
        cys == cy.forge.signed_refs(&rid, &dids[2]).unwrap() && vouch(ada, &commits[0]).is_empty()
    });
    assert!(ada.forge.merge(&rid, patch, revision, &commits[0]).is_err());
    assert_eq!(heads(), [&first, &first, &first].map(Clone::clone));
    until(&news, "Ada's signature at Bob's", || {
        exchange();
        vouch(bob, &commits[0]) == [dids[0].clone()]
    });
    bob.forge.merge(&rid, patch, revision, &commits[0]).unwrap();
    until(&news, "the second merge everywhere", || {
        exchange();
        heads().iter().all(|at| *at == commits[0])
    });

    // Cy has not signed that merge. Two that propose at once let the branch seem to go back to where Cy is: it comes back, whether they
    // take back what they proposed or leave it.
    let three = ada.run(&rid, &RunKey::new(), "three", &commits[0], None, |dir| put(dir, "d.txt", "d\n"));
    let four = ada.run(&rid, &RunKey::new(), "four", &commits[0], None, |dir| put(dir, "e.txt", "e\n"));
    until(&news, "two more patches at Bob's", || {
        exchange();
        seen(bob, &three) && seen(bob, &four)
    });
    let proposals = [(ada, &three, 0), (bob, &four, 1)].map(|(device, work, at)| {
        let commit = result(device, &rid, work);
        device.forge.propose_merge(&rid, &work.published.patch, &work.published.revision, &commit).unwrap();
        (commit, vec![dids[at].clone()])
    });
    until(&news, "each other's proposals", || {
        exchange();
        all.iter().all(|device| proposals.iter().all(|(commit, by)| vouch(device, commit) == *by))
    });
    ada.forge.withdraw_merge(&rid).unwrap();
    until(&news, "the second merge is there still", || {
        keep(&dids);
        heads().iter().all(|at| *at == commits[0]) && all.iter().all(|device| vouch(device, &commits[0]).len() == 3)
    });

    // Opened again, whoever had the branch before has it, from where it is.
    until(&news, "the project is open", || {
        keep(&[]);
        all.iter().all(|device| device.forge.delegates(&rid).unwrap() == [ada.forge.member()])
    });
    assert_eq!(heads(), [&commits[0], &commits[0], &commits[0]].map(Clone::clone));
}

#[test]
fn a_gate_is_one_device_of_the_org() {
    let ada = Device::new("ada");
    let (org, _) = founded(&ada);
    let rid = ada.project("demo", &[("a.txt", "one\n")], &[]);
    let stranger = identity::Key::from_seed(&[9; 32]).did();
    let change = |gates: &[Did]| {
        let text = toml::to_string_pretty(&listed(&rid, gates)).unwrap();
        ada.forge.change_org(&org, "Gate", &[("projects/demo.toml".to_owned(), Some(text.into_bytes()))])
    };
    for (gates, words) in [(vec![stranger.clone()], "is not a device of the org"), (vec![ada.forge.device(), stranger], "it has 2 gates")] {
        let problem = change(&gates).unwrap_err().to_string();
        assert!(problem.contains("projects/demo.toml, line 4: ") && problem.contains(words), "{problem}");
    }
    change(&[ada.forge.device()]).unwrap();
    let gone = ada.forge.change_org(&org, "Gone", &[("devices/laptop.toml".to_owned(), None)]).unwrap_err().to_string();
    assert!(gone.contains("is not a device of the org"), "{gone}");
    change(&[]).unwrap();
}

#[test]
fn a_merge_by_hand_with_the_stock_rad_moves_nothing_in_a_gated_project() {
    let Some(mut stock) = Stock::new("a merge by hand with the stock rad in a gated project") else { return };
    let by: Did = stock.did().parse().unwrap();
    let work = stock.folder().join("theirs");
    working_copy(&work, &[("a.txt", "one\n")]);
    let rid: Rid = stock.init(&work, "theirs").parse().unwrap();
    let address = stock.start(None);
    let device = Device::new("gate");
    let (_, state) = founded(&device);
    let node = device.node();
    let events = node.events();
    let head = device.forge.clone_project(&rid, &by, Some(address), &node).unwrap();

    // The gate signs the branch as it is; then its people hand the branch over.
    let gated = listed(&rid, &[device.forge.device()]);
    assert_eq!(device.forge.keep_project_charter(&gated, &state).unwrap(), Charter::NotOurs);
    let gate = device.forge.device();
    let hand_over = ["id", "update", "--title", "Gate", "--description", "", "--delegate", gate.as_str(), "--rescind", by.as_str()];
    stock.until("the stock rad hands the branch over", |stock| {
        let done = stock.command(&work, "rad").args(hand_over).args(["--threshold", "1", "--no-confirm"]).output().unwrap();
        done.status.success()
    });
    until(&events, "the gate is in force", || {
        // As devices do now and then: an announcement may be lost.
        let _ = node.fetch(&rid, &by);
        device.forge.delegates(&rid).unwrap() == [device.forge.device()]
    });
    assert_eq!(device.forge.head(&rid).unwrap(), head);

    let made = device.run(&rid, &RunKey::new(), "Say two", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let patch = made.published.patch.as_str();
    let seen = |stock: &Stock| stock.command(&work, "rad").args(["patch", "show", patch]).output().unwrap().status.success();
    stock.until("the patch is at the stock node", seen);
    let before = device.forge.signed_refs(&rid, &by).unwrap();
    stock.merge(&work, patch);
    until(&events, "what was merged by hand comes", || {
        let _ = node.fetch(&rid, &by);
        device.forge.signed_refs(&rid, &by).unwrap() != before
    });
    let canonical = |stock: &Stock| stock.git(&work, &["ls-remote", "rad", "refs/heads/main"]).split('\t').next().map(str::to_owned);
    assert_eq!((device.forge.head(&rid).unwrap(), canonical(&stock)), (head.clone(), Some(head.to_string())), "it moved nothing");
    let open = device.forge.patch(&rid, &name("theirs"), &made.published.patch).unwrap();
    assert_eq!((open.state, open.merged_by), (PatchState::Open, None));

    let merged = merge(&device, &rid, &made);
    assert_eq!(device.forge.head(&rid).unwrap(), merged);
    stock.until("the gate's merge is at the stock node", |stock| canonical(stock) == Some(merged.to_string()));
}
