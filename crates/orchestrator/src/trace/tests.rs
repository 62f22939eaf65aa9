//! One link is tampered with at a time, in a copy of a sound chain: just that link must fail. Keys and signatures are real.
#![allow(clippy::unwrap_used)]

use super::{
    evidence::{Evidence, Journal, Merge, Published, Spec},
    judge,
};
use crate::{fixtures, rights::Rights};
use domain::{
    Did, Oid, Timestamp,
    manifest::{Manifest, PAYLOAD_TYPE},
    org::Revocation,
    patch::{Judged, Patch, Trace},
    run::CheckResult,
    trace::{How, Link, Step, Verdict},
};
use forge::{CommitProof, CommitSignature, OrgState, PatchEntry, Voucher};
use identity::{
    Checked, Delegation, Envelope, Key, checked,
    delegation::{Purpose, Scope},
    envelope,
};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DEVICE: u8 = 1;
const MEMBER: u8 = 2;
const RUN: u8 = 3;
const CI: u8 = 4;
const STRANGER: u8 = 9;

fn key(n: u8) -> Key {
    Key::from_seed(&[n; 32])
}

fn did(n: u8) -> Did {
    key(n).did()
}

fn oid(n: u8) -> Oid {
    format!("{n:02x}").repeat(20).parse().unwrap()
}

fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The statements of a sound chain, before they are signed.
struct Sound {
    manifest: Manifest,
    delegation: Delegation,
    ci: Delegation,
    checked: Checked,
}

fn sound() -> Sound {
    let manifest: Manifest = of(json!({
        "version": 1, "org": "acme", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "requester": did(DEVICE), "member": did(MEMBER),
        "at": 10_000, "expires": 20_000, "class": "agent", "limits": {}, "resources": {"cpu_milli": 1, "memory_bytes": 1, "disk_bytes": 1, "gpus": 0},
        "work": {
            "kind": "task", "repository": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "task": {"project": "demo", "feature": "001-x", "task": "T001"},
            "spec_hash": envelope::hash_bytes(b"spec"), "definitions": oid(1), "agent": "coder", "base": oid(1),
        },
    }));
    let delegation = Delegation::of(&manifest, hash(&manifest), did(RUN), Timestamp(10_500), Timestamp(90_000));
    let purpose = Purpose::Checks { project: "demo".parse().unwrap(), commit: oid(2) };
    let run: domain::RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap();
    let ci = Delegation { key: did(CI), run: run.clone(), scopes: vec![Scope::Attest], purpose, ..delegation.clone() };
    let results = vec![CheckResult { name: "test".into(), passed: true, exit_code: Some(0), duration_ms: 7, tail: String::new() }];
    let checked = Checked {
        version: checked::VERSION,
        org: "acme".parse().unwrap(),
        run,
        project: "demo".parse().unwrap(),
        commit: oid(2),
        definitions: oid(1),
        at: Timestamp(30_000),
        results,
    };
    Sound { manifest, delegation, ci, checked }
}

fn seal(manifest: &Manifest) -> Envelope {
    envelope::seal(manifest, PAYLOAD_TYPE, &did(DEVICE), |m| Ok(key(DEVICE).sign(m))).unwrap()
}

fn hash(manifest: &Manifest) -> domain::Hash {
    envelope::hash(&seal(manifest))
}

fn delegate(delegation: &Delegation) -> Value {
    serde_json::to_value(delegation.seal(|m| Ok(key(DEVICE).sign(m))).unwrap()).unwrap()
}

fn judged(sound: &Sound) -> Judged {
    Judged { delegation: delegate(&sound.ci), results: serde_json::to_value(sound.checked.seal(&key(CI)).unwrap()).unwrap() }
}

fn entry(id: u8, by: u8, action: Value) -> PatchEntry {
    PatchEntry { id: oid(id), by: did(by), fits: true, at: Timestamp(40_000), actions: vec![action] }
}

fn evidence(sound: &Sound) -> Evidence {
    let claims: Trace = of(json!({
        "version": 1, "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "agent": "coder", "engine": "codex", "member": did(MEMBER),
        "task": {"project": "demo", "feature": "001-x", "task": "T001"}, "spec_hash": envelope::hash_bytes(b"spec"), "definitions": oid(1),
        "manifest": sound.delegation.manifest, "asked": seal(&sound.manifest), "delegation": delegate(&sound.delegation),
        "judged": judged(sound), "checks": [{"name": "test", "passed": true, "exit_code": 0, "duration_ms": 7, "tail": "ok\n"}],
    }));
    let revision = json!({"id": oid(16), "author": did(RUN), "head": oid(2), "base": oid(1), "at": 40_000, "description": "", "reviews": [], "comments": []});
    let patch: Patch = of(json!({
        "id": oid(16), "project": "demo", "title": "T001: One", "description": "", "state": "merged", "author": did(RUN), "head": oid(2),
        "base": oid(1), "merged_as": oid(3), "revisions": [revision],
    }));
    let merge = entry(18, MEMBER, json!({"type": "merge", "revision": oid(16), "commit": oid(3)}));
    let entries = vec![
        entry(16, RUN, json!({"type": "revision", "oid": oid(2), "base": oid(1)})),
        entry(17, MEMBER, json!({"type": "review", "revision": oid(16), "verdict": "accept"})),
        merge.clone(),
    ];
    let proof = |id: u8, parents: Vec<Oid>, signature| CommitProof {
        id: oid(id),
        parents,
        author: "coder <run@meshwork.invalid>".into(),
        title: "T001: One".into(),
        at: Timestamp(40_000),
        signature,
    };
    let on_the_merge = Sound {
        ci: Delegation { purpose: Purpose::Checks { project: "demo".parse().unwrap(), commit: oid(3) }, ..sound.ci.clone() },
        checked: Checked { commit: oid(3), ..sound.checked.clone() },
        ..self::sound()
    };
    Evidence {
        org: "acme".parse().unwrap(),
        now: rights(),
        then: None,
        project: of(json!({"name": "demo", "rid": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "branch": "main"})),
        claims: Some(claims),
        published: Some(Published {
            revision: patch.revisions[0].clone(),
            patch,
            commit: proof(2, vec![oid(1)], CommitSignature::By(did(RUN))),
            entries,
        }),
        spec: Some(Spec {
            hash: envelope::hash_bytes(b"spec"),
            in_branch: true,
            task: true,
            later: Some((oid(5), envelope::hash_bytes(b"spec"))),
        }),
        merge: Some(Merge {
            commit: proof(3, vec![oid(5), oid(2)], CommitSignature::Missing),
            entry: merge,
            in_branch: true,
            brings: true,
            same_tree: Some(true),
            vouchers: vec![Voucher { by: did(MEMBER), head: oid(3) }],
            threshold: 1,
            approvals: 1,
            judged: vec![judged(&on_the_merge)],
            gate: None,
        }),
        journal: Journal::default(),
        told: false,
    }
}

/// With the policy that an org begins with.
fn rights() -> Rights {
    fixtures::rights(state())
}

fn state() -> OrgState {
    OrgState {
        org: of(json!({"version": 1, "name": "acme", "threshold": 1})),
        members: of(json!({"ada": {"name": "ada", "roles": ["owner"], "keys": [{"did": did(MEMBER), "device": did(DEVICE)}]}})),
        devices: of(json!({"laptop": {"name": "laptop", "did": did(DEVICE), "owner": "ada"}})),
        agents: of(json!({"coder": {"name": "coder", "engine": {"kind": "replay", "recording": "x"}, "answers": did(MEMBER)}})),
        commit: oid(7),
        ..fixtures::state()
    }
}

/// The steps that are not verified, with why.
fn broken(links: &[Link]) -> Vec<(Step, String)> {
    links.iter().filter(|l| l.verdict != Verdict::Verified).map(|l| (l.step, l.verdict.text())).collect()
}

/// Changes what was signed, or what was gathered.
fn only(step: Step, words: &str, change: impl FnOnce(&mut Sound), tamper: impl FnOnce(&mut Evidence)) {
    let mut statements = sound();
    change(&mut statements);
    let mut evidence = evidence(&statements);
    tamper(&mut evidence);
    let found = broken(&judge::links(&evidence));
    assert!(matches!(found.as_slice(), [(at, why)] if *at == step && why.contains(words)), "{step:?}, “{words}”: {found:#?}");
}

fn untouched<T>(_: &mut T) {}

#[test]
fn a_sound_chain_is_verified_from_the_patch_to_the_merge() {
    let links = judge::links(&evidence(&sound()));
    assert_eq!(broken(&links), []);
    use Step as S;
    let steps: Vec<Step> = links.iter().map(|l| l.step).collect();
    let whole = [
        S::Patch,
        S::Revision,
        S::Run,
        S::Key,
        S::Delegation,
        S::Agent,
        S::Member,
        S::Device,
        S::Task,
        S::Spec,
        S::Checks,
        S::Review,
        S::Merge,
        S::MergeChecks,
    ];
    assert_eq!(steps, whole);
    assert!(links.iter().all(|link| !link.how.is_empty()), "each link says how it was checked");
}

#[test]
fn a_review_that_was_changed_is_told_as_it_is_now() {
    for form in ["review.edit", "review.edit.v2"] {
        let mut e = evidence(&sound());
        let edit = json!({"type": form, "review": oid(17), "verdict": "reject", "summary": "No."});
        published(&mut e).entries.push(entry(19, MEMBER, edit));
        let links = judge::links(&e);
        let review = links.iter().find(|link| link.step == Step::Review).unwrap();
        assert!(review.what.starts_with("changes requested by"), "{form}: {}", review.what);
    }
}

#[test]
fn the_events_of_the_journal_show_more_and_decide_nothing() {
    let known = ["run_placed", "run_delegated", "checks_ended", "patch_published", "patch_reviewed"];
    let verdicts = |e: &Evidence| judge::links(e).into_iter().map(|link| (link.step, link.verdict)).collect::<Vec<_>>();
    let mut foreign = evidence(&sound());
    published(&mut foreign).commit.signature = CommitSignature::Missing;
    for without in [evidence(&sound()), foreign] {
        let mut with = without.clone();
        with.journal.events = (1..).zip(known).collect();
        assert_eq!(verdicts(&with), verdicts(&without));
        let told = judge::links(&with).iter().flat_map(|link| &link.how).filter(|how| matches!(how, How::Journal { .. })).count();
        assert!(told > 0, "what the journal tells is shown");
    }
}

#[test]
fn a_delegation_that_is_not_the_runs_fails_alone() {
    only(Step::Delegation, "another run", |s| s.delegation.run = "01ARZ3NDEKTSV4RRFFQ69G5FAX".parse().unwrap(), untouched);
    only(Step::Delegation, "did not hold", |s| s.delegation.until = Timestamp(39_000), untouched);
    only(Step::Delegation, "not let the key publish", |s| s.delegation.scopes = vec![Scope::Model], untouched);
    only(Step::Key, "another key", |s| s.delegation.key = did(STRANGER), untouched);
    let by_another = |e: &mut Evidence| published(e).commit.signature = CommitSignature::By(did(STRANGER));
    only(Step::Key, "signed by another key", untouched, by_another);
    only(Step::Key, "not signed", untouched, |e| published(e).commit.signature = CommitSignature::Missing);
    only(Step::Key, "does not fit", untouched, |e| published(e).commit.signature = CommitSignature::Broken);
}

#[test]
fn a_run_of_another_org_or_with_another_manifest_fails_alone() {
    only(Step::Run, "a run of the org other", untouched, |e| {
        let manifest = Manifest { org: "other".parse().unwrap(), ..sound().manifest };
        *e = evidence(&Sound { delegation: Delegation { manifest: hash(&manifest), ..sound().delegation }, manifest, ..sound() });
    });
    only(Step::Run, "hashes to", untouched, |e| {
        let other = Manifest { priority: domain::manifest::Priority::High, ..sound().manifest };
        e.claims.as_mut().unwrap().asked = serde_json::to_value(seal(&other)).unwrap();
    });
    only(Step::Run, "another manifest", untouched, |e| {
        let m = sound().manifest;
        let mut run = crate::admission::new_run(m.run, m.class, "demo".parse().unwrap(), m.member, m.requester, m.at);
        run.manifest = Some(envelope::hash_bytes(b"other"));
        e.journal.run = Some(run);
    });
}

#[test]
fn what_the_org_does_not_list_fails_alone() {
    only(Step::Agent, "does not list the agent coder", untouched, |e| e.now.state.agents.clear());
    only(Step::Task, "task that was asked", untouched, |e| {
        let claims = e.claims.as_mut().unwrap();
        claims.task.task = "T002".parse().unwrap();
    });
    only(Step::Task, "it is not in specs/001-x/tasks.md", untouched, |e| e.spec.as_mut().unwrap().task = false);
    only(Step::Member, "member that was asked", untouched, |e| {
        e.now
            .state
            .members
            .insert("bob".into(), of(json!({"name": "bob", "roles": ["owner"], "keys": [{"did": did(8), "device": did(DEVICE)}]})));
        e.claims.as_mut().unwrap().member = did(8);
    });
}

#[test]
fn what_the_policy_does_not_let_them_do_fails_alone() {
    let but_owners = "forbid (principal, action, resource) unless { principal in Role::\"owner\" };";
    let forbidding = |rule: &str| {
        let all = "permit (principal, action, resource);\n";
        let files = BTreeMap::from([("policy/team.cedar".to_owned(), format!("{all}{rule}").into_bytes())]);
        Rights { rules: policy::Rules::new(crate::rights::scheme().unwrap(), &files).unwrap().into(), ..rights() }
    };
    let mut e = evidence(&sound());
    e.now = forbidding(but_owners);
    assert_eq!(broken(&judge::links(&e)), []);
    only(Step::Merge, "patch.merge", untouched, |e| {
        e.now = forbidding("forbid (principal, action == Action::\"patch.merge\", resource in Project::\"demo\");");
    });
    only(Step::Member, "task.run", untouched, |e| {
        e.now = forbidding("forbid (principal, action == Action::\"task.run\", resource in Project::\"demo\");");
    });
}

#[test]
fn one_who_left_still_counts_for_what_was_merged_and_for_nothing_else() {
    let mut left = evidence(&sound());
    (left.then, left.now.state.agents) = (Some(rights()), Default::default());
    assert_eq!(broken(&judge::links(&left)), []);
    let steps = |e: &Evidence| broken(&judge::links(e)).into_iter().map(|(step, _)| step).collect::<Vec<_>>();
    // A merge entry of which the default branch knows nothing, or that nobody signed, is none.
    let mut said = left.clone();
    said.merge.as_mut().unwrap().in_branch = false;
    assert_eq!(steps(&said), [Step::Agent, Step::Merge]);
    let mut unsigned = left.clone();
    unsigned.merge.as_mut().unwrap().entry.fits = false;
    assert_eq!(steps(&unsigned), [Step::Agent, Step::Merge]);
    left.merge = None;
    assert_eq!(steps(&left), [Step::Agent]);
}

/// The same patch, not merged, after its device was removed from the org.
fn removed(lost: bool, at: i64) -> Evidence {
    let mut e = evidence(&sound());
    (e.then, e.merge, e.told) = (Some(rights()), None, true);
    let gone = |n, kind: &str| json!({"did": did(n), "kind": kind, "at": at, "why": "gone"});
    let gone: Vec<Revocation> = of(json!([gone(DEVICE, "device"), gone(MEMBER, "member")]));
    e.now.state.devices.clear();
    e.now.state.members.get_mut("ada").unwrap().keys.clear();
    if lost {
        e.now.state.revoked = gone
    } else {
        e.now.state.ended = gone
    }
    e
}

#[test]
fn what_a_removed_device_made_before_stays_where_a_journal_tells_of_it_and_its_key_was_not_lost() {
    // Who reviewed it with a key of that device is not a member any more.
    let by_run =
        |e: &Evidence| broken(&judge::links(e)).into_iter().map(|(step, _)| step).filter(|step| *step != Step::Checks).collect::<Vec<_>>();
    let none: [Step; 0] = [];
    assert_eq!(by_run(&removed(false, 50_000)), none);
    let both = [Step::Member, Step::Device];
    assert_eq!(by_run(&removed(true, 50_000)), both, "its keys were lost");
    assert_eq!(by_run(&removed(false, 39_000)), both, "it was made after its device was removed");
    assert_eq!(by_run(&Evidence { told: false, ..removed(false, 50_000) }), both, "it may be dated back");
    let made = removed(false, 0).published.unwrap().revision.at;
    let merged = Evidence { merge: evidence(&sound()).merge, ..removed(false, 50_000) };
    let asks = [removed(false, 50_000), removed(false, 39_000), removed(true, 50_000), merged].map(|e| e.asks_journals(made));
    assert_eq!(asks, [true, false, false, false], "journals are read only where it matters what they tell");
    let mut stranger = removed(false, 50_000);
    stranger.then.as_mut().unwrap().state.devices.clear();
    assert_eq!(by_run(&stranger), [Step::Device], "it was not listed then either");
}

#[test]
fn who_delegated_a_key_is_told_by_what_they_signed() {
    let claims = evidence(&sound()).claims.unwrap();
    assert_eq!(judge::delegating(&claims, &did(RUN)), Some(did(DEVICE)));
    assert_eq!(judge::delegating(&claims, &did(STRANGER)), None, "the delegation of another key");
}

#[test]
fn a_spec_that_is_another_or_changed_after_the_run_fails_alone() {
    let spec = |e: &mut Evidence, change: fn(&mut Spec)| change(e.spec.as_mut().unwrap());
    only(Step::Spec, "changed after the run", untouched, |e| spec(e, |s| s.later = Some((oid(5), envelope::hash_bytes(b"new")))));
    only(Step::Spec, "hashes to", untouched, |e| spec(e, |s| s.hash = envelope::hash_bytes(b"new")));
    only(Step::Spec, "never on the default branch", untouched, |e| spec(e, |s| s.in_branch = false));
    only(Step::Spec, "names another spec", untouched, |e| {
        e.claims.as_mut().unwrap().spec_hash = envelope::hash_bytes(b"new");
        let spec = e.spec.as_mut().unwrap();
        (spec.hash, spec.later) = (envelope::hash_bytes(b"new"), None);
    });
    only(Step::Spec, "unknown here", untouched, |e| e.spec = None);
}

#[test]
fn results_that_were_not_signed_so_fail_alone() {
    only(Step::Checks, "other results", untouched, |e| e.claims.as_mut().unwrap().checks[0].passed = false);
    only(Step::Checks, "no results", untouched, |e| e.claims.as_mut().unwrap().judged = None);
    let of_others = |s: &mut Sound| {
        s.checked.commit = oid(6);
        s.ci.purpose = Purpose::Checks { project: "demo".parse().unwrap(), commit: oid(6) };
    };
    only(Step::Checks, "another commit", of_others, untouched);
    only(Step::Checks, "do not verify", untouched, |e| {
        let results = sound().checked.seal(&key(STRANGER)).unwrap();
        e.claims.as_mut().unwrap().judged.as_mut().unwrap().results = serde_json::to_value(results).unwrap();
    });
    only(Step::MergeChecks, "unknown here", untouched, |e| e.merge.as_mut().unwrap().judged.clear());
}

/// What a device signed that checked the merge too, and found a check red.
fn red_on_the_merge() -> Judged {
    let sound = sound();
    let results = sound.checked.results.iter().map(|one| CheckResult { passed: false, exit_code: Some(1), ..one.clone() }).collect();
    judged(&Sound {
        ci: Delegation { purpose: Purpose::Checks { project: "demo".parse().unwrap(), commit: oid(3) }, ..sound.ci.clone() },
        checked: Checked { commit: oid(3), results, ..sound.checked.clone() },
        ..sound
    })
}

#[test]
fn of_several_results_on_one_merge_one_counts_whichever_device_told_first() {
    let (red, green) = (red_on_the_merge(), evidence(&sound()).merge.unwrap().judged[0].clone());
    for told in [vec![red.clone(), green.clone()], vec![green.clone(), red.clone()], vec![green.clone(), green]] {
        let mut e = evidence(&sound());
        e.merge.as_mut().unwrap().judged = told;
        let links = judge::links(&e);
        assert!(broken(&links).is_empty(), "{links:#?}");
        assert_eq!(links.iter().filter(|link| link.step == Step::MergeChecks).count(), 1, "{links:#?}");
    }
    only(Step::MergeChecks, "although a check failed", untouched, |e| e.merge.as_mut().unwrap().judged = vec![red_on_the_merge()]);
}

#[test]
fn a_signature_in_the_patch_that_does_not_fit_fails_alone() {
    only(Step::Review, "the review", untouched, |e| published(e).entries[1].fits = false);
    only(Step::Merge, "the merge", untouched, |e| e.merge.as_mut().unwrap().entry.fits = false);
    only(Step::Merge, "other files", untouched, |e| e.merge.as_mut().unwrap().same_tree = Some(false));
    only(Step::Merge, "does not have it", untouched, |e| e.merge.as_mut().unwrap().in_branch = false);
    only(Step::Merge, "0 of 1", untouched, |e| e.merge.as_mut().unwrap().vouchers.clear());
    only(Step::Review, "asked for 1 approval, and 0 were", untouched, |e| drop(published(e).entries.remove(1)));
    only(Step::Revision, "another commit", untouched, |e| published(e).entries[0].actions[0]["oid"] = json!(oid(9)));
    // A first revision is the patch's first entry too, so a further one is looked at.
    only(Step::Revision, "does not fit", untouched, |e| {
        let further = PatchEntry { id: oid(20), fits: false, ..published(e).entries[0].clone() };
        published(e).entries.push(further);
        published(e).revision.id = oid(20).as_str().parse().unwrap();
        published(e).entries[1].actions[0]["revision"] = json!(oid(20));
    });
}

#[test]
fn a_patch_of_a_person_or_an_unknown_key_says_so() {
    for (by, words) in [(MEMBER, "by a person, the member ada"), (STRANGER, "by the unknown key did:key:")] {
        let mut e = evidence(&sound());
        e.claims = None;
        let p = published(&mut e);
        (p.revision.author, p.patch.author, p.entries[0].by) = (did(by), did(by), did(by));
        let found = broken(&judge::links(&e));
        assert!(matches!(found.as_slice(), [(Step::Run, why)] if why.contains(words)), "{found:#?}");
    }
}

fn published(e: &mut Evidence) -> &mut Published {
    e.published.as_mut().unwrap()
}

proptest! {
    /// A byte of an envelope's statement or signature, as it lies in the patch.
    #[test]
    fn one_changed_byte_of_an_envelope_fails_its_link_and_no_other(which in 0..4usize, signature: bool, at: prop::sample::Index, flip in 1u8..=255) {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut e = evidence(&sound());
        let claims = e.claims.as_mut().unwrap();
        let judged = claims.judged.as_mut().unwrap();
        let (sealed, step) = match which {
            0 => (&mut claims.asked, Step::Run),
            1 => (&mut claims.delegation, Step::Delegation),
            2 => (&mut judged.delegation, Step::Checks),
            _ => (&mut judged.results, Step::Checks),
        };
        let place = if signature { &mut sealed["signatures"][0]["sig"] } else { &mut sealed["payload"] };
        let mut bytes = STANDARD.decode(place.as_str().unwrap()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        *place = Value::String(STANDARD.encode(bytes));
        let mut found: Vec<Step> = broken(&judge::links(&e)).into_iter().map(|(step, _)| step).collect();
        // The key that a changed delegation names is another key, too.
        found.retain(|found| !(which == 1 && !signature && *found == Step::Key));
        prop_assert_eq!(found, vec![step]);
    }
}
