//! Ticks, new tasks, new titles, the spec's hash.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::{Kind, TaskId};
use spec::{Files, NewTask, add, edit, features, reapply, spec_hash, tick, ticked};

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

fn ids(list: &[&str]) -> Vec<TaskId> {
    list.iter().map(|t| id(t)).collect()
}

fn new(title: &str) -> NewTask {
    NewTask { title: title.to_owned(), ..NewTask::default() }
}

fn added(text: &str, task: &NewTask) -> String {
    String::from_utf8(add(text.as_bytes(), task).unwrap().0).unwrap()
}

#[test]
fn a_tick_changes_one_character_and_nothing_else() {
    let table: [(&[u8], &str, &[u8]); 7] = [
        (b"- [ ] T001 a\n- [ ] T002 b\n", "T002", b"- [ ] T001 a\n- [X] T002 b\n"),
        (b"- [x] T001 a\r\n* [ ] T002 b\r\n", "T002", b"- [x] T001 a\r\n* [x] T002 b\r\n"),
        (b"\xef\xbb\xbf1. [ ] **T001** caf\xe9", "T001", b"\xef\xbb\xbf1. [X] **T001** caf\xe9"),
        (b"<!-- - [ ] T001 --> \n- [ ] T001 a", "T001", b"<!-- - [ ] T001 --> \n- [X] T001 a"),
        (b"```\n- [ ] T001\n```\n+ [  ] T001 a", "T001", b"```\n- [ ] T001\n```\n+ [X ] T001 a"),
        (b"- [-] T001 a", "T001", b"- [X] T001 a"),
        (b"- [x] T001 a", "T001", b"- [x] T001 a"),
    ];
    for (before, task, after) in table {
        assert_eq!(tick(before, &id(task)).unwrap(), after, "{}", String::from_utf8_lossy(before));
    }
    assert_eq!(tick(b"- [ ] T001 a", &id("T002")).unwrap_err().kind, Kind::NotFound);
    let twice = tick(b"- [ ] T001 a\n- [ ] T001 b", &id("T001")).unwrap_err();
    assert_eq!((twice.kind, twice.why.as_deref()), (Kind::Conflict, Some("It is on the lines 1 and 2.")));
}

#[test]
fn two_patches_that_tick_neighbours_both_count_after_merging() {
    let base = b"- [ ] T001 a\n- [ ] T002 b\n- [x] T003 c\n";
    let (left, right) = (tick(base, &id("T001")).unwrap(), tick(base, &id("T002")).unwrap());
    assert_eq!(ticked(base, &left), ids(&["T001"]));
    let merged = reapply(&left, &ticked(base, &right));
    assert_eq!(merged.text, b"- [x] T001 a\n- [x] T002 b\n- [x] T003 c\n");
    assert!(merged.missing.is_empty());
    let gone = reapply(b"- [ ] T002 b\n- [ ] T004 d\n- [ ] T004 d\n", &ids(&["T001", "T002", "T004"]));
    assert_eq!((gone.text.as_slice(), gone.missing), (b"- [X] T002 b\n- [ ] T004 d\n- [ ] T004 d\n".as_slice(), ids(&["T001", "T004"])));
}

#[test]
fn a_new_task_fits_into_the_file_as_it_is_written() {
    let file = "# T\r\n\r\n## Phase 1: Setup\r\n\r\n* [ ] **T0008**: a\r\n  - detail\r\n\r\n  more\r\n\r\n## Phase 2: Build\r\n\r\n1. [ ] T0011 b\r\n\r\n## Notes\r\n";
    let at_end = added(file, &new("Write  docs"));
    assert_eq!(at_end, file.replace("b\r\n", "b\r\n2. [ ] T0012 Write docs\r\n"));
    let in_phase = NewTask { phase: Some("phase 1".into()), parallel: true, story: Some("us2".into()), ..new("Lint") };
    assert_eq!(added(file, &in_phase), file.replace("  more\r\n", "  more\r\n* [ ] **T0012**: [P] [US2] Lint\r\n"));
    let behind = NewTask { after: Some(id("T0008")), ..new("Next") };
    assert_eq!(added(file, &behind), file.replace("  more\r\n", "  more\r\n* [ ] **T0012**: Next\r\n"));
}

#[test]
fn a_new_task_finds_its_place_in_odd_files() {
    let table = [
        ("", new("First"), "- [ ] T001 First\n"),
        ("# Tasks", new("First"), "# Tasks\n\n- [ ] T001 First"),
        ("- [ ] T001 a", new("Next"), "- [ ] T001 a\n- [ ] T002 Next"),
        ("- [ ] T999 a\n", new("Next"), "- [ ] T999 a\n- [ ] T1000 Next\n"),
        ("- [ ] **T001 a**\n", new("Next"), "- [ ] **T001 a**\n- [ ] T002 Next\n"),
        ("- [ ] T001 a\n\nT007 depends on T001\n", new("Next"), "- [ ] T001 a\n- [ ] T008 Next\n\nT007 depends on T001\n"),
        ("# T\n", NewTask { phase: Some("Setup".into()), ..new("First") }, "# T\n\n## Setup\n\n- [ ] T001 First\n"),
        (
            "## One\n- [ ] T001 a\n  - [ ] T002 b\n## Two\n",
            NewTask { phase: Some("One".into()), ..new("c") },
            "## One\n- [ ] T001 a\n  - [ ] T002 b\n  - [ ] T003 c\n## Two\n",
        ),
        (
            "## One\n- [ ] T001 a\n\n## Two\n",
            NewTask { phase: Some("Two".into()), ..new("c") },
            "## One\n- [ ] T001 a\n\n## Two\n\n- [ ] T002 c\n",
        ),
    ];
    for (before, task, after) in table {
        assert_eq!(added(before, &task), after, "{before:?}");
    }
}

#[test]
fn what_cannot_be_added_is_refused_with_the_next_step() {
    let file = b"## Phase 1\n- [ ] T001 a\n## Phase 10\n- [ ] T002 b\n";
    let table = [
        (new("  "), Kind::Invalid),
        (new("hide <!-- all"), Kind::Invalid),
        (NewTask { phase: Some("Phase 2".into()), ..new("c") }, Kind::NotFound),
        (NewTask { phase: Some("Phase".into()), ..new("c") }, Kind::Invalid),
        (NewTask { after: Some(id("T009")), ..new("c") }, Kind::NotFound),
        (NewTask { story: Some("one".into()), ..new("c") }, Kind::Invalid),
    ];
    for (task, kind) in table {
        let problem = add(file, &task).unwrap_err();
        assert!(problem.kind == kind && problem.next.is_some(), "{task:?}: {problem}");
    }
    assert!(add(file, &NewTask { phase: Some("phase 1".into()), ..new("c") }).is_ok());
}

#[test]
fn a_new_title_leaves_all_else() {
    let table = [
        ("- [ ] T001 [P] [US1] old\n  wrapped\n  - detail\n", "- [ ] T001 [P] [US1] new\n  - detail\n"),
        ("- [x] **T001 old**\r\n", "- [x] **T001 new**\r\n"),
        ("- [ ] T001 old <!-- kept -->", "- [ ] T001 new <!-- kept -->"),
        ("- [ ] T001", "- [ ] T001 new"),
        ("- [ ] **T001**: old", "- [ ] **T001**: new"),
    ];
    for (before, after) in table {
        let text = edit(before.as_bytes(), &id("T001"), " new ").unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), after, "{before:?}");
    }
    assert_eq!(edit(b"- [ ] T001 [\xff] x \xff\n", &id("T001"), "new").unwrap(), b"- [ ] T001 [\xff] new\n");
    assert!(edit(b"- [ ] T001 a", &id("T001"), "\n").is_err());
}

#[test]
fn the_hash_follows_what_is_asked_and_not_how_far_it_is() {
    let feature = "001-x".parse().unwrap();
    let files = |tasks: &str| -> Files {
        [
            ("specs/001-x/spec.md", "s"),
            ("specs/001-x/plan.md", "p"),
            (".specify/memory/constitution.md", "c"),
            ("specs/001-x/tasks.md", tasks),
        ]
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .collect()
    };
    let hash = |files: &Files| spec_hash(files, &feature);
    let open = files("- [ ] T001 a\n");
    for done in ["- [x] T001 a\n", "- [X] T001 a\n", "- [✓] T001 a\n"] {
        assert_eq!(hash(&files(done)), hash(&open), "{done}");
    }
    assert_ne!(hash(&files("- [ ] T001 b\n")), hash(&open));
    for path in open.keys() {
        let (mut absent, mut empty) = (open.clone(), open.clone());
        absent.remove(path);
        empty.insert(path.clone(), Vec::new());
        assert!(hash(&absent) != hash(&open) && hash(&empty) != hash(&open) && hash(&absent) != hash(&empty), "{path}");
    }
    let mut other = open.clone();
    other.insert("specs/002-y/spec.md".into(), b"s".to_vec());
    assert_eq!(hash(&other), hash(&open), "other features do not count");
}

#[test]
fn ticking_every_task_of_a_file_leaves_its_hash_and_its_order() {
    let text = include_bytes!("cases/wrapped-and-nested.md").to_vec();
    let read = |text: &[u8]| features(&[("specs/001-x/tasks.md".to_owned(), text.to_vec())].into()).remove(0);
    let before = read(&text);
    let done = before.tasks.iter().fold(text, |text, task| tick(&text, &task.id).unwrap());
    let after = read(&done);
    assert!(after.tasks.iter().all(|t| t.done));
    let order = |feature: &domain::task::Feature| feature.tasks.iter().map(|t| t.depends_on.clone()).collect::<Vec<_>>();
    assert_eq!(order(&before), order(&after));
}
