//! Projects made anew, as somebody would have them: a git working copy with Spec-Kit's files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A harness fails its test.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// A git working copy in a folder of the test.
#[derive(Debug)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Makes an empty one with the branch `main`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch=main"]);
        Self { path }
    }

    /// Makes one with a feature whose `tasks.md` holds these lines, and a `.meshwork/project.toml`.
    pub fn with_tasks(path: impl Into<PathBuf>, feature: &str, tasks: &str, settings: &str) -> Self {
        let made = Self::new(path);
        made.feature(feature, tasks);
        made.write(".meshwork/project.toml", settings);
        made.write("README.md", "# A project of a test\n");
        made.commit("Begin");
        made
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a feature as Spec-Kit's scripts and templates leave it.
    pub fn feature(&self, feature: &str, tasks: &str) {
        let title = feature.split_once('-').map_or(feature, |(_, name)| name);
        self.write(
            &format!("specs/{feature}/spec.md"),
            &format!("# Feature Specification: {title}\n\n## Requirements\n\n- **FR-001**: It works.\n"),
        );
        self.write(&format!("specs/{feature}/plan.md"), &format!("# Implementation Plan: {title}\n\nPlain files.\n"));
        self.write(&format!("specs/{feature}/tasks.md"), &format!("# Tasks: {title}\n\n## Phase 1: Work\n\n{tasks}"));
    }

    /// Writes a file.
    pub fn write(&self, file: &str, text: &str) {
        let file = self.path.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Commits all that is there.
    pub fn commit(&self, message: &str) {
        git(&self.path, &["add", "--all"]);
        git(&self.path, &["commit", "--quiet", "--message", message]);
    }
}

/// Runs git in a folder, without anybody's settings; fails the test when git does.
#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> String {
    let person = ["-c", "user.name=Tester", "-c", "user.email=tester@test.invalid", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = command.arg("-C").arg(folder).args(person).args(args).output().expect("git starts");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A name that no earlier run of the test had, fit for projects, files and agents.
pub fn random_name(prefix: &str) -> String {
    format!("{prefix}-{:08x}", RandomState::new().build_hasher().finish() & 0xffff_ffff)
}
