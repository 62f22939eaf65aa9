//! Reading: real-life-like files as snapshots, and tables of single rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::task::Feature;
use spec::{Files, features};
use std::fmt::Write;

fn files(list: &[(&str, &str)]) -> Files {
    list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn one(text: &str) -> Feature {
    features(&files(&[("specs/001-x/tasks.md", text)])).remove(0)
}

fn shown(feature: &Feature) -> String {
    let mut out = String::new();
    let mut phase = None;
    for task in &feature.tasks {
        if phase != Some(task.phase_index) {
            phase = Some(task.phase_index);
            let _ = writeln!(out, "== {} {}", task.phase_index, task.phase);
        }
        let needs: Vec<&str> = task.depends_on.iter().map(domain::TaskId::as_str).collect();
        let _ = write!(out, "{}{} {}:{}", if task.done { "x " } else { "  " }, task.id, task.line, if task.parallel { " P" } else { "" });
        let _ = write!(out, "{}", task.story.as_ref().map(|s| format!(" {s}")).unwrap_or_default());
        let _ = write!(out, "{}", if task.tags.is_empty() { String::new() } else { format!(" {:?}", task.tags) });
        let _ = writeln!(out, " <- {}\n    {}", needs.join(" "), task.title);
        for line in task.details.lines() {
            let _ = writeln!(out, "    | {line}");
        }
    }
    for problem in &feature.problems {
        let _ = writeln!(out, "! {problem}");
    }
    out
}

macro_rules! case {
    ($name:ident, $file:literal) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(shown(&one(include_str!(concat!("cases/", $file)))));
        }
    };
}

case!(a_file_like_the_template, "template-like.md");
case!(wrapped_lines_and_nested_bullets, "wrapped-and-nested.md");
case!(headings_and_words_in_many_languages, "many-languages.md");
case!(broken_files_are_told_and_nothing_is_lost, "broken.md");

#[test]
fn line_endings_and_byte_order_mark_change_nothing() {
    let text = include_str!("cases/wrapped-and-nested.md");
    let plain = one(text);
    for ending in ["\r\n", "\r"] {
        let other = one(&format!("\u{feff}{}", text.replace('\n', ending)));
        assert_eq!(other, plain, "{ending:?}");
    }
}

/// For each task of a one-phase file, what it waits for.
fn waits(text: &str) -> Vec<(String, Vec<String>)> {
    let tasks = one(text).tasks;
    tasks.into_iter().map(|t| (t.id.to_string(), t.depends_on.iter().map(ToString::to_string).collect())).collect()
}

fn waits_for(text: &str, id: &str) -> Vec<String> {
    waits(text).into_iter().find(|(task, _)| task == id).map(|(_, on)| on).unwrap_or_default()
}

#[test]
fn what_is_written_about_order_is_understood() {
    // All parallel, so that nothing but the sentence makes order.
    let tasks = "- [ ] T001 [P] a\n- [ ] T002 [P] b\n- [ ] T003 [P] c\n- [ ] T004 [P] d\n- [ ] T005 [P] e\n\n## Dependencies\n\n";
    let table: [(&str, &str, &[&str]); 34] = [
        ("- T005 depends on T003, T004", "T005", &["T003", "T004"]),
        ("- T005 depends on T003 and T004 because of x", "T005", &["T003", "T004"]),
        ("- **T005** depends on: `T003`", "T005", &["T003"]),
        ("- T005 (depends on T003)", "T005", &["T003"]),
        ("- T004 and T005 depend on T002 (fields).", "T004", &["T002"]),
        ("- T004 and T005 depend on T002 (fields).", "T005", &["T002"]),
        ("- T003/T004 each depend on T001", "T003", &["T001"]),
        ("- T005 depends on T001–T003.", "T005", &["T001", "T002", "T003"]),
        ("- T005 depends on T001 through T003", "T005", &["T001", "T002", "T003"]),
        ("- T005 needs T001+T003–T004", "T005", &["T001", "T003", "T004"]),
        ("- T002 before T003", "T003", &["T002"]),
        ("- T002 must be completed before T003 can start", "T003", &["T002"]),
        ("- T003 can only start after T002", "T003", &["T002"]),
        ("- T002 blocks T003, T004", "T004", &["T002"]),
        ("- T003 is blocked by T002", "T003", &["T002"]),
        ("- T001 → T002 → T003", "T003", &["T002"]),
        ("- T001 → T002 → T003", "T002", &["T001"]),
        ("- T001 + T002 -> T003", "T003", &["T001", "T002"]),
        ("- T003 <- T002", "T003", &["T002"]),
        ("- T003 → T002 (the filter needs the name)", "T002", &["T003"]),
        ("```text\nT001 → T002\n```", "T002", &["T001"]),
        ("- Phase 2: T005 depends on T003. T004 depends on T002.", "T004", &["T002"]),
        ("- T002 depends on T001, T003 depends on T002", "T003", &["T002"]),
        ("- T002 depends on T001, T003 depends on T002", "T002", &["T001"]),
        ("- T005 depends on T003, which requires T002", "T003", &["T002"]),
        ("- T005 requires a yes of the owner and depends on T004.", "T005", &["T004"]),
        ("- T003 hängt von T002 ab", "T003", &["T002"]),
        ("- T003 dépend de T002", "T003", &["T002"]),
        ("- T003 зависит от T002", "T003", &["T002"]),
        ("- T003依赖T002", "T003", &["T002"]),
        ("- T005 depends on T003\n  and T004", "T005", &["T003", "T004"]),
        ("| Task | Blocked by |\n|---|---|\n| T003 | T001, T002 |", "T003", &["T001", "T002"]),
        ("- T005 does not depend on T003", "T005", &[]),
        ("- T004–T005 are independent of T001–T003 and can run in parallel", "T005", &[]),
    ];
    for (sentence, id, expected) in table {
        assert_eq!(waits_for(&format!("{tasks}{sentence}\n"), id), expected, "{sentence}");
    }
}

#[test]
fn what_a_task_says_about_itself_is_understood() {
    let table: [(&str, &[&str]); 14] = [
        ("- [ ] T005 [P] e (depends on T003)", &["T003"]),
        ("- [ ] T005 [P] e (after T003)", &["T003"]),
        ("- [ ] T005 [P] e — needs T003, T004", &["T003", "T004"]),
        ("- [ ] T005 [P] [depends: T001, T002] e", &["T001", "T002"]),
        ("- [ ] T005 [P] e\n  - **Depends on**: T004 (scaffold), phase 2", &["T004"]),
        ("- [ ] T005 [P] e\n  - Dependencies: T001 ✅", &["T001"]),
        ("- [ ] T005 [P] e\n  - Blocked by: T002", &["T002"]),
        ("- [ ] T005 [P] Implement the route of T003 (depends on T004)", &["T004"]),
        ("- [ ] T005 [P] e\n  Depends on T001", &["T001"]),
        ("- [ ] T005 [P] look at T003 before you start", &[]),
        ("- [ ] T005 [P] Re-run the T002 suites, compared against T001", &[]),
        ("- [ ] T005 [P] e. Expected to FAIL until T004.", &[]),
        ("- [ ] T005 [P] e\n  - Depends on: None", &[]),
        ("- [ ] T005 [P] e\n  - Test needed: yes → T004", &[]),
    ];
    let before = "- [ ] T001 [P] a\n- [ ] T002 [P] b\n- [ ] T003 [P] c\n- [ ] T004 [P] d\n";
    for (line, expected) in table {
        assert_eq!(waits_for(&format!("{before}{line}\n"), "T005"), expected, "{line}");
    }
    assert_eq!(waits_for("- [ ] T001 [P] a\n  - Blocks: T002\n- [ ] T002 [P] b\n", "T002"), ["T001"]);
}

#[test]
fn phases_are_found_at_any_level() {
    let table: [(&str, &[&str]); 7] = [
        ("- [ ] T1 a\n", &[""]),
        ("# Tasks\n- [ ] T1 a\n", &["Tasks"]),
        ("# Tasks\n## Phase 1\n- [ ] T1 a\n### Tests\n- [ ] T2 b\n", &["Phase 1", "Phase 1"]),
        ("# Tasks\n## Task list\n### One\n- [ ] T1 a\n### Two\n- [ ] T2 b\n", &["One", "Two"]),
        ("# Phase 1\n- [ ] T1 a\n# Phase 2\n- [ ] T2 b\n", &["Phase 1", "Phase 2"]),
        ("- [ ] T1 a\n\n# Later #\n- [ ] T2 b\n", &["", "Later"]),
        ("Tasks\n=====\n\nSetup\n-----\n\n- [ ] T1 a\n\nBuild\n-----\n- [ ] T2 b\n", &["Setup", "Build"]),
    ];
    for (text, expected) in table {
        let phases: Vec<String> = one(text).tasks.into_iter().map(|t| t.phase).collect();
        assert_eq!(phases, expected, "{text}");
    }
}

#[test]
fn tasks_in_comments_and_code_are_no_tasks() {
    let text = "<!-- - [ ] T001 a -->\n```\n- [ ] T002 b\n```\n~~~\n- [ ] T003 c\n~~~\n- [ ] T004 d `<!--`\n- [ ] T005 e <!--\n  no - [ ] T006 f --> g\n- [ ] T007 h\n";
    let ids: Vec<String> = one(text).tasks.iter().map(|t| t.id.to_string()).collect();
    assert_eq!(ids, ["T004", "T005", "T007"]);
}

#[test]
fn features_without_tasks_and_with_one_number_are_listed() {
    let found = features(&files(&[
        ("specs/003-a/spec.md", "# Feature Specification: Log in\n"),
        ("specs/003-b/tasks.md", ""),
        ("specs/004-c/plan.md", "# Plan"),
        ("specs/README.md", "- [ ] T001 not a feature"),
        ("specs/.hidden/tasks.md", "- [ ] T001 x"),
        ("other/tasks.md", "- [ ] T001 x"),
    ]));
    let ids: Vec<&str> = found.iter().map(|f| f.id.as_str()).collect();
    assert_eq!(ids, ["003-a", "003-b", "004-c"]);
    assert_eq!(found[0].title, "Log in");
    assert_eq!(found[2].title, "004-c");
    let same = "Features specs/003-a and specs/003-b have the same number 003; rename all but one.";
    assert_eq!(found[0].problems, [same]);
    assert_eq!(found[1].problems.len(), 2);
    assert!(found[1].problems[0].starts_with("specs/003-b/tasks.md has no tasks"));
    assert!(found[2].problems.is_empty());
}

#[test]
fn what_is_nearly_a_task_is_told_and_no_part_of_another() {
    let text = "- [?] T003 odd mark\n-[ ] T004 no space\n[ ] T005 no bullet\n- [] T006 empty box\n- [ ] T007 last\n  [x] T008 within\n";
    let feature = one(text);
    let titles: Vec<(&str, &str)> = feature.tasks.iter().map(|t| (t.id.as_str(), t.title.as_str())).collect();
    assert_eq!(titles, [("T003", "odd mark"), ("T007", "last")]);
    for (line, id) in [(1, "T003"), (2, "T004"), (3, "T005"), (4, "T006"), (6, "T008")] {
        let place = format!("specs/001-x/tasks.md:{line} ");
        let told = feature.problems.iter().filter(|p| p.starts_with(&place) && p.contains(id)).count();
        assert_eq!(told, 1, "{id}: {:?}", feature.problems);
    }
}

#[test]
fn a_feature_whose_files_are_links_is_listed_and_says_so() {
    let links = ["specs/001-a/tasks.md", "specs/002-b", "specs/003-c/notes.md", "specs/004-d/deep/tasks.md", "other"].map(str::to_owned);
    let found = spec::features_with_links(&files(&[("specs/001-a/spec.md", "# A\n"), ("specs/005-e/spec.md", "# E\n")]), &links);
    let told: Vec<(&str, usize)> = found.iter().map(|f| (f.id.as_str(), f.problems.len())).collect();
    assert_eq!(told, [("001-a", 1), ("002-b", 1), ("005-e", 0)]);
    assert!(found[0].problems[0].starts_with("specs/001-a/tasks.md is a link"), "{:?}", found[0].problems);
}

#[test]
fn tasks_that_cannot_start_are_named_with_the_reason() {
    let feature = one(include_str!("cases/broken.md"));
    let blocked = spec::blocked(&feature);
    let ids: Vec<&str> = blocked.keys().map(domain::TaskId::as_str).collect();
    assert_eq!(ids, ["T001", "T002", "T003", "T004", "T005"]);
    assert!(spec::blocked(&one(include_str!("cases/template-like.md"))).is_empty());
}

#[test]
fn a_file_that_is_too_large_is_told_not_read() {
    let text = "- [ ] T001 a\n".repeat(spec::limits::TASKS_FILE_BYTES_MAX / 10);
    let feature = one(&text);
    assert!(feature.tasks.is_empty() && feature.problems[0].contains("at most"), "{:?}", feature.problems);
}

/// Files made to be slow or deep are read within seconds, as everything is bounded.
#[test]
fn hostile_files_neither_overflow_nor_take_long() {
    let size = spec::limits::TASKS_FILE_BYTES_MAX - 100;
    let many = spec::limits::TASKS_MAX;
    let chain = |next: &dyn Fn(usize) -> usize| -> String {
        (1..=many).map(|n| format!("- [ ] T{n:04} [P] step (depends on T{:04})\n", next(n))).collect()
    };
    let half = many / 2;
    let table = [
        ("a chain", chain(&|n| n.max(2) - 1)),
        ("a chain backwards", chain(&|n| (n + 1).min(many))),
        ("a circle of all", chain(&|n| n % many + 1)),
        ("many circles", chain(&|n| if n % 2 == 0 { n - 1 } else { n + 1 })),
        ("two large groups", format!("## A\n{}## B\n{}", chain(&|n| n)[..half * 40].to_owned(), "- [ ] T9 [P] x\n".repeat(half))),
        ("comments that open", "x <!--\n".repeat(size / 7)),
        ("comments in one line", "<!-- ".repeat(size / 5)),
        ("ticks in lines", format!("- [ ] T001 {}\n", "` `` <!--".repeat(6_000)).repeat(size / 60_000)),
        ("ranges", format!("- [ ] T001 a\n- [ ] T900 b\n\n{}", "T001-T900 depends on T001-T900, ".repeat(size / 40))),
        ("words", format!("- [ ] T001 {}", "after before requires ".repeat(size / 30))),
        ("tasks", "- [ ] T1 x\n".repeat(size / 11)),
        ("deep", (0..1_000).map(|n| format!("{}- [ ] T{n} x\n", " ".repeat(n))).collect()),
        ("fences", "```\n~~~\n".repeat(size / 8)),
    ];
    for (name, text) in table {
        let begun = std::time::Instant::now();
        let feature = one(&text);
        let _ = spec::blocked(&feature);
        let _ = spec::tick(text.as_bytes(), &"T001".parse().unwrap());
        println!("{name}: {:?}, {} tasks", begun.elapsed(), feature.tasks.len());
        assert!(begun.elapsed().as_secs() < 20, "{name}: {:?}", begun.elapsed());
        assert!(feature.problems.len() <= spec::limits::PROBLEMS_MAX + 2, "{name}");
    }
}
