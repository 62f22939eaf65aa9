//! Projects: a code repository of an org, and the settings on its canonical branch (`.meshwork/project.toml`).

use crate::{
    Did, Oid, ProjectName, Rid, Timestamp,
    capacity::Resources,
    manifest::{Network, TimeLimits},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A project as the org repository lists it: `projects/<name>.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Its name in the org.
    pub name: ProjectName,
    /// Its Radicle repository.
    pub rid: Rid,
    /// Its default branch.
    pub branch: String,
    /// An ordinary git host that gets the merged default branch, and whose changes come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// The devices, by their keys, that alone move its default branch, in the order in which they are asked to: one, or [`GATES_MAX`];
    /// without any it is not gated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Did>,
}

/// How many devices gate a project where it is not one.
pub const GATES_MAX: usize = 3;

impl Project {
    /// The device that is asked first to move its default branch, and keeps its mirror; none: it is not gated.
    pub fn gate(&self) -> Option<&Did> {
        self.gates.first()
    }

    /// Whether a device is one of its gates.
    pub fn is_gate(&self, device: &Did) -> bool {
        self.gates.contains(device)
    }

    /// How many of its gates must sign one and the same commit before it is on the default branch: more than half of them.
    pub fn gates_needed(&self) -> usize {
        self.gates.len() / 2 + 1
    }
}

/// How it is with a project's mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MirrorState {
    /// Where its branch was when it was last reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Oid>,
    /// Since when this is so.
    pub at: Timestamp,
    /// Why it cannot be brought up to date, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A project with what its repository says now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectView {
    /// The project.
    pub project: Project,
    /// The canonical head of its default branch; none while its repository is not on this device: then its features and tasks are not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Oid>,
    /// Why it is not on this device yet, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// Why it cannot be read; where its head is told, what is wrong with its settings, without which no tasks are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// How many features it has.
    pub features: usize,
    /// How many open tasks.
    pub open_tasks: usize,
    /// How many tasks are done.
    pub done_tasks: usize,
}

impl ProjectView {
    /// A project that is not on this device yet, and why, where that is known.
    pub fn away(project: Project, absent: Option<String>) -> Self {
        Self { project, head: None, absent, problem: None, features: 0, open_tasks: 0, done_tasks: 0 }
    }

    /// A project that is on this device and cannot be read, and why.
    pub fn unread(project: Project, problem: String) -> Self {
        Self { problem: Some(problem), ..Self::away(project, None) }
    }
}

/// `.meshwork/project.toml` on the canonical branch. All parts may be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The checks that a commit must pass. Absent: guessed from the files that are there.
    pub checks: Option<Vec<Check>>,
    /// Start a task on top of a dependency's patch that is still in review.
    pub stack: bool,
    /// How many approvals a merge needs, beside the person who merges.
    pub approvals: u32,
    /// What a run needs.
    pub resources: Option<Resources>,
    /// Tags that the device of an agent's run must have, as `gpu = "true"`.
    pub tags: BTreeMap<String, String>,
    /// How long a run may take.
    pub limits: Option<TimeLimits>,
    /// What runs and checks may reach.
    pub network: Network,
    /// Folders of the machine that checks and engines may read, below `/usr`, `/opt` or a toolchain's home.
    pub toolchains: Vec<String>,
}

/// One check: a shell command that succeeds or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What people call it.
    pub name: String,
    /// Given to `sh -c` in the worktree.
    pub command: String,
    /// Seconds it may take.
    #[serde(default = "check_s")]
    pub timeout_s: u64,
}

fn check_s() -> u64 {
    1_200
}

/// The checks for a tree without settings, from the names of the files at its root.
pub fn guess_checks(files: &[String]) -> Vec<Check> {
    let has = |name: &str| files.iter().any(|f| f == name);
    let check = |name: &str, command: &str| Check { name: name.to_owned(), command: command.to_owned(), timeout_s: check_s() };
    let mut checks = Vec::new();
    if has("Cargo.toml") {
        checks.push(check("cargo test", "cargo test --quiet"));
    }
    if has("package.json") {
        let test = "npm test --if-present --silent";
        // By a lockfile only, and where what is installed cannot become a part of the work.
        let unless = "test -d node_modules || ! git check-ignore -q node_modules";
        let install = "npm ci --ignore-scripts --no-audit --no-fund --loglevel=error";
        let command = if has("package-lock.json") { format!("{unless} || {install}; {test}") } else { test.to_owned() };
        checks.push(check("npm test", &command));
    }
    if has("go.mod") {
        checks.push(check("go test", "go test ./..."));
    }
    if ["pytest.ini", "pyproject.toml", "setup.cfg", "tox.ini", "conftest.py"].iter().any(|f| has(f)) {
        checks.push(check("pytest", "python3 -m pytest -q"));
    }
    if checks.is_empty() && (has("Makefile") || has("makefile")) {
        checks.push(check("make test", "make test"));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_the_gates_must_sign() {
        for (gates, needed) in [(0, 1), (1, 1), (GATES_MAX, 2)] {
            let gates: Vec<Did> = (1..).take(gates).map(crate::placement::tests::did).collect();
            let project = Project {
                name: "demo".parse().unwrap_or_else(|p: crate::Problem| unreachable!("{p}")),
                rid: "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap_or_else(|p: crate::Problem| unreachable!("{p}")),
                branch: "main".into(),
                mirror: None,
                gates,
            };
            assert_eq!(project.gates_needed(), needed);
            assert!(project.gates.iter().all(|gate| project.is_gate(gate)) && !project.is_gate(&crate::placement::tests::did(9)));
        }
    }

    #[test]
    fn checks_are_guessed_from_the_files_at_the_root() {
        let table: [(&[&str], &[&str]); 5] = [
            (&["Cargo.toml", "Makefile"], &["cargo test"]),
            (&["package.json", "pyproject.toml"], &["npm test", "pytest"]),
            (&["go.mod"], &["go test"]),
            (&["Makefile"], &["make test"]),
            (&["README.md"], &[]),
        ];
        for (files, expected) in table {
            let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
            let names: Vec<String> = guess_checks(&files).into_iter().map(|c| c.name).collect();
            assert_eq!(names, expected, "{files:?}");
        }
    }

    #[test]
    fn npm_installs_by_a_lockfile_only_and_says_why_it_cannot() {
        let command = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
            guess_checks(&files).remove(0).command
        };
        let test = "npm test --if-present --silent";
        assert_eq!(command(&["package.json"]), test);
        let locked = command(&["package.json", "package-lock.json"]);
        let (install, then) = locked.rsplit_once("; ").unwrap_or_default();
        assert!(install.contains("npm ci ") && !install.contains("--silent") && then == test, "{locked}");
    }
}
