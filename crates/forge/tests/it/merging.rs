//! Merging: ticks beside each other, conflicts, fast-forwards, and calls that come too late or twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::patch::PatchState;
use domain::{Kind, Oid, Rid};
use forge::*;

const TASKS: &str = "specs/001-x/tasks.md";

fn leave_to_git(_: &str, _: Option<&[u8]>, _: Option<&[u8]>, _: Option<&[u8]>) -> Option<Vec<u8>> {
    None
}

/// Ticks what either side ticked.
fn both_ticks(_: &str, _: Option<&[u8]>, ours: Option<&[u8]>, theirs: Option<&[u8]>) -> Option<Vec<u8>> {
    let (ours, theirs) = (std::str::from_utf8(ours?).ok()?, std::str::from_utf8(theirs?).ok()?);
    let lines = ours.lines().zip(theirs.lines()).map(|(a, b)| if b.contains("[x]") { b } else { a });
    Some(lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes())
}

fn ready(result: MergeResult) -> (Oid, domain::RevisionId) {
    match result {
        MergeResult::Ready { commit, revision, .. } => (commit, revision),
        other => panic!("{other:?}"),
    }
}

fn merge(device: &Device, rid: &Rid, work: &Work, resolve: &Resolve<'_>) -> Oid {
    let (commit, revision) = ready(device.forge.merge_result(rid, &work.published.patch, None, resolve).unwrap());
    device.forge.merge(rid, &work.published.patch, &revision, &commit).unwrap().commit
}

#[test]
fn two_patches_that_tick_neighbouring_lines_both_merge() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[(TASKS, "- [ ] T001 one\n- [ ] T002 two\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let one = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| {
        put(dir, TASKS, "- [x] T001 one\n- [ ] T002 two\n");
        put(dir, "one.txt", "1\n");
    });
    let two = device.run(&rid, &RunKey::new(), "two", &head, None, |dir| {
        put(dir, TASKS, "- [ ] T001 one\n- [x] T002 two\n");
        put(dir, "two.txt", "2\n");
    });
    assert_eq!(merge(&device, &rid, &one, &both_ticks), one.commit, "the first is a fast-forward");
    let plain = device.forge.merge_result(&rid, &two.published.patch, None, &leave_to_git).unwrap();
    assert_eq!(plain, MergeResult::Conflict { paths: vec![TASKS.into()], onto: one.commit.clone() }, "git alone cannot do it");

    let merged = merge(&device, &rid, &two, &both_ticks);
    assert_eq!(device.forge.head(&rid).unwrap(), merged);
    let found = files(&device.forge, &rid, &merged);
    assert_eq!(found[TASKS], "- [x] T001 one\n- [x] T002 two\n");
    assert!(found.contains_key("one.txt") && found.contains_key("two.txt"));
    for work in [&one, &two] {
        let patch = device.forge.patch(&rid, &name("demo"), &work.published.patch).unwrap();
        assert_eq!(patch.state, PatchState::Merged);
        assert_eq!(device.forge.merge_result(&rid, &patch.id, None, &leave_to_git).unwrap(), MergeResult::AlreadyMerged);
    }
}

#[test]
fn a_conflict_moves_nothing_and_names_the_files() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n"), ("b.txt", "b\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let one = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "a.txt", "two\n"));
    let two = device.run(&rid, &RunKey::new(), "two", &head, None, |dir| {
        put(dir, "a.txt", "three\n");
        put(dir, "b.txt", "c\n");
    });
    let first = merge(&device, &rid, &one, &leave_to_git);
    let result = device.forge.merge_result(&rid, &two.published.patch, None, &leave_to_git).unwrap();
    assert_eq!(result, MergeResult::Conflict { paths: vec!["a.txt".into()], onto: first.clone() });
    assert_eq!(device.forge.head(&rid).unwrap(), first);

    // A run that rebases gives the same patch a revision that fits.
    let rebased =
        device.run(&rid, &RunKey::new(), "rebased", &first, Some(&two.published.patch), |dir| put(dir, "a.txt", "two and three\n"));
    let merged = merge(&device, &rid, &rebased, &leave_to_git);
    assert_eq!(merged, rebased.commit);
    let patch = device.forge.patch(&rid, &name("demo"), &two.published.patch).unwrap();
    assert_eq!((patch.state, patch.merged_as, patch.head), (PatchState::Merged, Some(merged.clone()), merged));
}

#[test]
fn a_merge_that_was_made_on_an_older_head_is_refused() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let one = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "b.txt", "b\n"));
    let two = device.run(&rid, &RunKey::new(), "two", &head, None, |dir| put(dir, "c.txt", "c\n"));
    let member = device.forge.commit_files(&rid, "edit\n", &[("d.txt".into(), Some(b"d\n".to_vec()))], Some(&head)).unwrap();
    let (stale, revision) = ready(device.forge.merge_result(&rid, &two.published.patch, None, &leave_to_git).unwrap());
    let (again, _) = ready(device.forge.merge_result(&rid, &two.published.patch, None, &leave_to_git).unwrap());
    assert_eq!(stale, again, "the same merge is the same commit");
    merge(&device, &rid, &one, &leave_to_git);
    let problem = device.forge.merge(&rid, &two.published.patch, &revision, &stale).unwrap_err();
    assert_eq!(problem.kind, Kind::Conflict);
    let other = device.forge.merge(&rid, &two.published.patch, &revision, &member).unwrap_err();
    assert_eq!(other.kind, Kind::Invalid, "a commit without the patch's work is no merge of it");
    let there = device.forge.merge(&rid, &two.published.patch, &revision, &head).unwrap_err();
    assert_eq!(there.kind, Kind::Invalid, "also where it is in the branch already");
    assert_eq!(device.forge.patch(&rid, &name("demo"), &two.published.patch).unwrap().state, PatchState::Open);

    let merged = merge(&device, &rid, &two, &leave_to_git);
    let found = files(&device.forge, &rid, &merged);
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["a.txt", "b.txt", "c.txt", "d.txt"]);
}

#[test]
fn merging_twice_is_merging_once_also_after_a_crash_half_way() {
    let device = Device::new("laptop");
    let rid = device.project("demo", &[("a.txt", "one\n")], &[]);
    let head = device.forge.head(&rid).unwrap();
    let work = device.run(&rid, &RunKey::new(), "one", &head, None, |dir| put(dir, "b.txt", "b\n"));
    let (commit, revision) = ready(device.forge.merge_result(&rid, &work.published.patch, None, &leave_to_git).unwrap());
    // The member's branch moved, and then the machine went down.
    let storage = device.forge.rad_home().join("storage").join(rid.as_str().trim_start_matches("rad:"));
    let member = device.forge.member();
    let branch = format!("refs/namespaces/{}/refs/heads/main", member.as_str().trim_start_matches("did:key:"));
    git(&storage, &["update-ref", &branch, commit.as_str()]);
    let first = device.forge.merge(&rid, &work.published.patch, &revision, &commit).unwrap();
    let second = device.forge.merge(&rid, &work.published.patch, &revision, &commit).unwrap();
    assert_eq!((first.before, second.before, &second.commit), (false, true, &commit));
    assert_eq!(device.forge.head(&rid).unwrap(), commit);
    assert_eq!(device.forge.patch(&rid, &name("demo"), &work.published.patch).unwrap().state, PatchState::Merged);
}

#[test]
fn work_done_anew_on_a_later_branch_is_compared_without_what_the_branch_brought() {
    let device = Device::new("laptop");
    let lines = |second: &str| format!("1\n{second}\n3\n4\n5\n6\n7\n8\n9\n");
    let rid = device.project("demo", &[("a.txt", &lines("2"))], &[]);
    let start = device.forge.head(&rid).unwrap();
    let first = device.run(&rid, &RunKey::new(), "first", &start, None, |dir| put(dir, "mine.txt", "one\n"));
    let later = device.forge.commit_files(&rid, "the branch goes on", &[("a.txt".into(), Some(lines("two").into()))], None).unwrap();
    let second =
        device.run(&rid, &RunKey::new(), "second", &later, Some(&first.published.patch), |dir| put(dir, "mine.txt", "one\nmore\n"));
    let plain = device.forge.diff(&rid, &first.commit, &second.commit).unwrap();
    assert!(plain.contains("+two") && plain.contains("+more"), "{plain}");

    let compare = || device.forge.diff_rebased(&rid, (&start, &first.commit), (&later, &second.commit), &leave_to_git).unwrap();
    let between = compare().unwrap();
    assert!(between.contains("+more") && !between.contains("a.txt"), "{between}");
    assert_eq!(compare(), Some(between), "what was merged for a look is not kept, and is made again");

    let clashing = device.run(&rid, &RunKey::new(), "clashing", &start, None, |dir| put(dir, "a.txt", lines("zwei")));
    let none = device.forge.diff_rebased(&rid, (&start, &clashing.commit), (&later, &second.commit), &leave_to_git).unwrap();
    assert_eq!(none, None, "it conflicts where the other begins");
}
