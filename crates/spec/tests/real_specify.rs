//! The real `specify`: init for every engine, a new feature by its script, and our reading of what it made. Skips itself,
//! saying why, where `specify` is not installed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::Kind;
use spec::{
    Ask, Files, brief, features,
    specify::{Specify, feature_new},
};
use std::{fs, path::Path, process::Command};

fn specify() -> Option<Specify> {
    Specify::find().map_err(|problem| println!("skipped: {problem}")).ok()
}

/// Everything below a folder that the crate wants, as a tree would give it.
fn tree(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if spec::wanted(&name) {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn what_specify_makes_is_read_and_each_engine_gets_its_own_command() {
    let Some(specify) = specify() else { return };
    println!("with specify {}", specify.version().unwrap());
    for (engine, begins) in [
        ("codex", "$speckit-implement "),
        ("copilot", "/speckit-implement "),
        ("opencode", "/speckit.implement "),
        ("claude", "/speckit-implement "),
        ("gemini", "/speckit.implement "),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("README.md"), "mine").unwrap();
        specify.init(dir.path(), engine).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("README.md")).unwrap(), "mine");
        let feature = feature_new(dir.path(), "log in", "Let people log in").unwrap();
        assert_eq!(feature.as_str(), "001-log-in");
        let folder = dir.path().join("specs/001-log-in");
        let template = fs::read_to_string(dir.path().join(".specify/templates/tasks-template.md")).unwrap();
        fs::write(folder.join("tasks.md"), &template).unwrap();
        fs::write(folder.join("plan.md"), "# Plan\n").unwrap();
        let files = tree(dir.path());
        let read = features(&files).remove(0);
        assert_eq!(read.title, "log in");
        let spec = fs::read_to_string(folder.join("spec.md")).unwrap();
        assert!(spec.contains("\"Let people log in\"") && !spec.contains("[DATE]"), "{spec}");
        let ids: Vec<&str> = read.tasks.iter().map(|t| t.id.as_str()).collect();
        let expected: Vec<String> = (1..=28).map(|n| format!("T{n:03}")).collect();
        assert_eq!(ids, expected);
        assert!(spec::blocked(&read).is_empty(), "{:?}", read.problems);
        let task = &read.tasks[13];
        let needs: Vec<&str> = task.depends_on.iter().map(domain::TaskId::as_str).collect();
        assert_eq!((task.id.as_str(), needs), ("T014", vec!["T012", "T013"]));
        let ask = Ask { feature: &read.id, task: &task.id, engine, folder: "/brief", review: None };
        let brief = brief(&files, &ask).unwrap();
        assert!(brief.prompt.starts_with(begins), "{engine}: {}", brief.prompt);
        prerequisites(dir.path(), &brief.env, "specs/001-log-in");
    }
}

/// The first step of Spec-Kit's command succeeds in the brief's environment, and leaves no state behind.
fn prerequisites(dir: &Path, env: &[(String, String)], feature: &str) {
    let script = ".specify/scripts/bash/check-prerequisites.sh";
    let mut command = Command::new("bash");
    command.args([script, "--json", "--require-tasks", "--include-tasks"]).current_dir(dir);
    let output = command.envs(env.iter().map(|(k, v)| (k, v))).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(feature), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!dir.join(".specify/feature.json").exists());
}

#[test]
fn features_get_the_next_number_and_odd_names_are_no_options() {
    let Some(specify) = specify() else { return };
    let dir = tempfile::tempdir().unwrap();
    let git =
        |args: &[&str]| Command::new("git").args(args).current_dir(dir.path()).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    git(&["init", "-q", "-b", "trunk"]);
    specify.init(dir.path(), "codex").unwrap();
    fs::create_dir_all(dir.path().join("specs/007-old")).unwrap();
    let made = |name: &str, text: &str| feature_new(dir.path(), name, text).map(|f| f.to_string());
    assert_eq!(made("Pass keys!", "").unwrap(), "008-pass-keys");
    assert_eq!(made("help", "--help").unwrap(), "009-help");
    assert_eq!(made("quote", "it's \"$(touch owned)\" `touch owned`; touch owned").unwrap(), "010-quote");
    assert!(!dir.path().join("owned").exists());
    assert!(!dir.path().join(".specify/feature.json").exists());
    let branches = git(&["symbolic-ref", "HEAD"]).stdout;
    assert_eq!(String::from_utf8_lossy(&branches).trim(), "refs/heads/trunk", "no branch was made");
    for name in ["", "--json", "\u{7}", "!!!"] {
        assert_eq!(made(name, "x").map_err(|p| p.kind), Err(Kind::Invalid), "{name:?}");
    }
    assert_eq!(specify.init(dir.path(), "--help").map_err(|p| p.kind), Err(Kind::Invalid));
    let unknown = specify.init(dir.path(), "no-such-engine").unwrap_err();
    assert!(unknown.why.as_ref().is_some_and(|why| why.contains("Error")), "{unknown}");
}

#[test]
fn what_is_missing_is_said_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Specify::find_in(None, dir.path()).unwrap_err();
    assert!(missing.kind == Kind::Unavailable && missing.to_string().contains("pipx install specify-cli"), "{missing}");
    let wrong = Specify::find_in(Some(dir.path().join("specify")), dir.path()).unwrap_err();
    assert_eq!(wrong.kind, Kind::Unavailable);
    fs::write(dir.path().join("specify"), "").unwrap();
    assert!(Specify::find_in(None, dir.path()).is_ok());
    let none = feature_new(dir.path(), "log in", "x").unwrap_err();
    assert_eq!(none.what, "This repository has no Spec-Kit.");
    fs::create_dir(dir.path().join(".specify")).unwrap();
    let no_script = feature_new(dir.path(), "log in", "x").unwrap_err();
    assert_eq!(no_script.what, "This repository's Spec-Kit has no bash scripts.");
}
