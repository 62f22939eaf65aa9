//! Briefs: what an engine is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::{FeatureId, Kind, TaskId};
use spec::{Ask, Brief, Files, brief};

fn files(engine_file: Option<&str>) -> Files {
    let mut files: Files = [
        (".specify/memory/constitution.md", "# Rules\n\nTests first.\n"),
        (".specify/scripts/bash/check-prerequisites.sh", "#!/bin/sh\n"),
        ("specs/001-greeting/spec.md", "# Feature Specification: Greeting\n"),
        ("specs/001-greeting/plan.md", "# Plan\n"),
        (
            "specs/001-greeting/tasks.md",
            "## Phase 1\n\n- [x] T001 Start\n- [ ] T002 [US1] Greet by name\n  in the right language\n  - **File**: `greet.py`\n",
        ),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .collect();
    files.extend(engine_file.map(|path| (path.to_owned(), b"...".to_vec())));
    files
}

fn asked(files: &Files, engine: &str, review: Option<&[String]>) -> Brief {
    let (feature, task): (FeatureId, TaskId) = ("001-greeting".parse().unwrap(), "T002".parse().unwrap());
    brief(files, &Ask { feature: &feature, task: &task, engine, folder: "/brief", review }).unwrap()
}

#[test]
fn each_engine_is_asked_by_its_own_command_where_the_repository_has_it() {
    let table = [
        ("codex", ".agents/skills/speckit-implement/SKILL.md", "$speckit-implement Only the task T002 "),
        ("copilot", ".github/skills/speckit-implement/SKILL.md", "/speckit-implement Only the task T002 "),
        ("opencode", ".opencode/commands/speckit.implement.md", "/speckit.implement Only the task T002 "),
        ("claude", ".claude/skills/speckit-implement/SKILL.md", "/speckit-implement Only the task T002 "),
        ("gemini", ".gemini/commands/speckit.implement.toml", "/speckit.implement Only the task T002 "),
        ("codex", ".claude/skills/speckit-implement/SKILL.md", "Do as .claude/skills/speckit-implement/SKILL.md says, "),
        ("codex", ".codex/prompts/speckit.implement.md", "Do as .codex/prompts/speckit.implement.md says, "),
        ("replay", ".agents/skills/speckit-implement/SKILL.md", "Do as .agents/skills/speckit-implement/SKILL.md says, "),
    ];
    for (engine, path, begins) in table {
        assert!(spec::wanted(path), "{path}");
        let brief = asked(&files(Some(path)), engine, None);
        assert!(brief.prompt.starts_with(begins), "{engine}: {}", brief.prompt);
    }
    assert!(asked(&files(None), "codex", None).prompt.starts_with("Do only the task T002 of the Spec-Kit feature 001-greeting."));
}

#[test]
fn without_a_plan_the_command_would_stop_so_plain_words_are_used() {
    let mut files = files(Some(".agents/skills/speckit-implement/SKILL.md"));
    files.insert("specs/001-greeting/plan.md".into(), b" \n".to_vec());
    let brief = asked(&files, "codex", None);
    assert!(brief.prompt.starts_with("Do only the task T002"));
    assert!(!brief.files.iter().any(|(name, _)| name == "plan.md"));
}

#[test]
fn the_prompt_of_a_first_attempt_and_of_one_after_a_review() {
    let files = files(Some(".agents/skills/speckit-implement/SKILL.md"));
    let first = asked(&files, "codex", None);
    insta::assert_snapshot!("first", first.prompt);
    let review = ["Use the locale.\nNot the country.".to_owned(), "Add a test.".to_owned()];
    let second = asked(&files, "codex", Some(&review));
    insta::assert_snapshot!("after_a_review", second.prompt);
    let names = |brief: &Brief| brief.files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["task.md", "constitution.md", "spec.md", "plan.md", "tasks.md"]);
    assert_eq!(names(&second), ["task.md", "constitution.md", "spec.md", "plan.md", "tasks.md", "review.md"]);
    let task = String::from_utf8(second.files[0].1.clone()).unwrap();
    assert!(task.starts_with("# T002 Greet by name in the right language\n"), "{task}");
    assert!(task.contains("- Builds on T001: Start\n") && task.contains("- **File**: `greet.py`"), "{task}");
    assert!(first.env.contains(&("SPECIFY_FEATURE_DIRECTORY".to_owned(), "specs/001-greeting".to_owned())));
}

#[test]
fn an_unwritten_constitution_is_left_out_and_what_is_not_there_is_told() {
    let mut files = files(None);
    files.insert(".specify/memory/constitution.md".into(), b"# [PROJECT_NAME] Constitution\n".to_vec());
    assert!(!asked(&files, "codex", None).prompt.contains("constitution"));
    let ask = |feature: &str, task: &str| {
        let (feature, task): (FeatureId, TaskId) = (feature.parse().unwrap(), task.parse().unwrap());
        brief(&files, &Ask { feature: &feature, task: &task, engine: "codex", folder: "/b", review: None }).unwrap_err().kind
    };
    assert_eq!((ask("001-greeting", "T009"), ask("002-x", "T001")), (Kind::NotFound, Kind::NotFound));
}

#[test]
fn only_what_is_of_use_is_wanted() {
    for path in ["specs/001-x/tasks.md", ".specify/memory/constitution.md", ".agents/skills/speckit-implement/SKILL.md"] {
        assert!(spec::wanted(path), "{path}");
    }
    for path in ["src/main.rs", "specs.md", ".agents/skills/other/SKILL.md", ".specifyx/a"] {
        assert!(!spec::wanted(path), "{path}");
    }
}
