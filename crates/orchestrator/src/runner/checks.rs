//! Checks: shell commands in a sandbox with the worktree, one after the other.

use super::{Job, agent::NOT_FOUND};
use crate::below;
use domain::{
    Kind, Problem,
    project::Check,
    run::{CheckResult, Reason, RunnerEvent},
    time::millis,
};
use sandbox::{Sandbox, Spec};
use serde_json::Value;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
};

/// How much of a check's output its result keeps: the end.
const TAIL_BYTES: usize = 4 * 1024;
/// What is said where a program is missing.
const PROGRAM_MISSING: &str = "\nA program was not found: sandboxes show /usr, and the folders that `toolchains` in .meshwork/project.toml names, as [\"~/.cargo/bin\", \"~/.rustup\"].";
/// What is said where npm was given no lockfile.
const LOCKFILE_MISSING: &str = "\nIts package.json names dependencies, which sandboxes install by a lockfile only: run `npm install` in a working copy, and commit the package-lock.json that it makes, and a .gitignore with node_modules.";
/// What makes npm's or a like program's choice of packages firm.
const LOCKFILES: [&str; 4] = ["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"];
/// The largest package.json that is looked at, in bytes.
const PACKAGE_JSON_BYTES_MAX: u64 = 1 << 20;
/// What is said where packages are missing.
const PACKAGES_MISSING: &str = "\nPackages that the project needs are not there: sandboxes have no network, and see what was fetched on this machine already. Fetch them once by hand in a working copy (cargo fetch, go mod download, npm ci), install Python packages below /usr, or name the hosts to fetch from in .meshwork/project.toml: [network] allow = [\"packages.example.org:443\"].";
/// How much is read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Runs all checks, also when one fails.
pub(super) async fn all(job: &Arc<Job>, checks: &[Check], env: &[(String, String)]) -> Result<Vec<CheckResult>, Reason> {
    let mut results = Vec::new();
    for check in checks {
        job.link.report(RunnerEvent::CheckStarted { name: check.name.clone() }).await;
        let result = one(job, check, env).await?;
        job.link.report(RunnerEvent::CheckEnded { result: result.clone() }).await;
        results.push(result);
    }
    Ok(results)
}

async fn one(job: &Arc<Job>, check: &Check, env: &[(String, String)]) -> Result<CheckResult, Reason> {
    let begun = Instant::now();
    // One pipe for both, so that what it says stays in order. The shell's own complaint of a command that it cannot read takes the other.
    let command = vec!["sh".into(), "-c".into(), format!("exec 2>&1; {}", check.command)];
    let sandbox = spawn(job, Spec { command, env: [env, &job.tools_env()].concat(), ..job.sandbox_spec() }).await?;
    let stdio = sandbox.take_stdio().ok_or_else(|| Reason::Internal { message: "a sandbox without streams".into() })?;
    drop(stdio.stdin);
    let (text, mut tail) = mpsc::channel(16);
    let out = tokio::spawn(read(job.clone(), stdio.stdout, "stdout", text.clone()));
    let err = tokio::spawn(read(job.clone(), stdio.stderr, "stderr", text));
    let collect = tokio::spawn(async move {
        let mut kept = String::new();
        while let Some(piece) = tail.recv().await {
            kept.push_str(&piece);
            while kept.len() > TAIL_BYTES {
                let cut = kept.char_indices().map(|(at, _)| at).find(|at| kept.len() - at <= TAIL_BYTES).unwrap_or(kept.len());
                kept.drain(..cut);
            }
        }
        kept
    });
    let limit = Duration::from_secs(check.timeout_s);
    let (ended, timed_out) = tokio::select! {
        ended = sandbox.wait() => (ended, false),
        () = super::sandboxes::running_time(&job.sandboxes, limit) => (sandbox.kill().await, true),
    };
    let _ = tokio::join!(out, err);
    let mut tail = collect.await.unwrap_or_default();
    if timed_out {
        tail.push_str(&format!("\nIt took longer than {} s and was ended.", check.timeout_s));
    }
    if !ended.success() {
        tail.push_str(&advice(check, &job.spec.work, ended.code, &tail));
    }
    if let Some(limit) = &ended.limit {
        tail.push_str(&format!("\nThe sandbox ended it: {limit}"));
    }
    job.sandboxes.remove(&sandbox);
    let duration_ms = millis(begun.elapsed());
    Ok(CheckResult { name: check.name.clone(), passed: ended.success() && !timed_out, exit_code: ended.code, duration_ms, tail })
}

/// What to do about a check that failed, as far as its exit code and its output tell.
fn advice(check: &Check, work: &Path, code: Option<i32>, output: &str) -> String {
    let (program, packages) = (code == Some(NOT_FOUND), lacks_packages(output));
    let lockfile = (program || packages) && check.command.contains("npm") && lacks_lockfile(work);
    let said = [(program, PROGRAM_MISSING), (lockfile, LOCKFILE_MISSING), (packages && !lockfile, PACKAGES_MISSING)];
    said.into_iter().filter_map(|(fits, text)| fits.then_some(text)).collect()
}

/// Whether a package.json names dependencies, and no lockfile is beside it.
fn lacks_lockfile(work: &Path) -> bool {
    if LOCKFILES.iter().any(|name| work.join(name).symlink_metadata().is_ok()) {
        return false;
    }
    let text = below::read(work, "package.json", PACKAGE_JSON_BYTES_MAX).ok().flatten().unwrap_or_default();
    let package: Value = serde_json::from_slice(&text).unwrap_or_default();
    ["dependencies", "devDependencies"].into_iter().any(|kind| package[kind].as_object().is_some_and(|named| !named.is_empty()))
}

/// Whether a package manager complains that it cannot fetch.
fn lacks_packages(output: &str) -> bool {
    const SIGNS: [&str; 13] = [
        // cargo
        "in offline mode",
        "--offline was specified",
        "no matching package named",
        "failed to download",
        // go
        "disabled by GOPROXY=off",
        "file:///opt/meshwork/host/go",
        "no required module provides package",
        "missing go.sum entry",
        // npm, node
        "ENOTCACHED",
        "Cannot find module '",
        "Cannot find package '",
        // python
        "ModuleNotFoundError: No module named",
        "/python3: No module named",
    ];
    SIGNS.iter().any(|sign| output.contains(sign))
}

async fn read(job: Arc<Job>, mut from: impl AsyncRead + Unpin, stream: &'static str, to: mpsc::Sender<String>) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Some(count) = from.read(&mut piece).await.ok().filter(|n| *n > 0) {
        let text = String::from_utf8_lossy(&piece[..count]).into_owned();
        // In the tail control characters would only make it long: JSON writes each with six.
        let _ = to.send(text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()).await;
        job.link.report(RunnerEvent::Log { stream: stream.into(), text }).await;
    }
}

/// Starts a sandbox of this run; what it stops is reported.
pub(super) async fn spawn(job: &Arc<Job>, spec: Spec) -> Result<Arc<Sandbox>, Reason> {
    let sandbox = Sandbox::spawn(spec).await.map_err(|problem| reason(&problem))?;
    let sandbox = Arc::new(sandbox);
    // The next one, a check's, is prepared while this one works.
    tokio::spawn(sandbox::prepare());
    if let Some(mut violations) = sandbox.take_violations() {
        let job = job.clone();
        tokio::spawn(async move {
            while let Some(what) = violations.recv().await {
                job.link.report(RunnerEvent::Violation { what }).await;
            }
        });
    }
    job.sandboxes.add(sandbox.clone()).await.map_err(|problem| reason(&problem))?;
    Ok(sandbox)
}

fn reason(problem: &Problem) -> Reason {
    let message = problem.to_string();
    match problem.kind {
        Kind::Unavailable | Kind::Timeout => Reason::SandboxUnavailable { message },
        Kind::NotFound => Reason::EngineMissing { message },
        _ => Reason::Internal { message },
    }
}

impl Job {
    /// A sandbox with the run's worktree, home and outlets.
    pub(super) fn sandbox_spec(&self) -> Spec {
        Spec {
            command: vec![],
            env: vec![],
            work: self.spec.work.clone(),
            home: self.spec.home.clone(),
            readonly: self.spec.tools.readonly.clone(),
            shown: self.spec.tools.shown.clone(),
            caches: Some(self.spec.tools.caches.clone()),
            brief: self.spec.brief.clone(),
            forwards: self.forwards.clone(),
            bridge: self.executable.clone(),
            resources: self.spec.resources,
            processes_max: 0,
        }
    }

    /// Where the machine's programs and caches are; and the proxy by which allowed hosts are reached.
    pub(super) fn tools_env(&self) -> Vec<(String, String)> {
        let mut env = self.spec.tools.env.clone();
        let proxy = format!("http://127.0.0.1:{}", super::outlet::PORTS[2].1);
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            env.push((name.to_owned(), proxy.clone()));
        }
        env.extend(["NO_PROXY", "no_proxy"].map(|name| (name.to_owned(), "127.0.0.1,localhost".to_owned())));
        env
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    /// What is said of a check that failed in a folder with these files.
    fn told(files: &[(&str, &str)], command: &str, code: i32, output: &str) -> String {
        let work = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(work.path().join(name), text).unwrap());
        let check = Check { name: "test".into(), command: command.into(), timeout_s: 9 };
        advice(&check, work.path(), Some(code), output)
    }

    const MODULE: &str = "Error: Cannot find module 'left-pad'";
    const NAMED: (&str, &str) = ("package.json", r#"{"devDependencies": {"left-pad": "1"}}"#);

    #[test]
    fn without_a_lockfile_npm_is_told_to_have_one() {
        assert_eq!(told(&[NAMED], "npm test", 1, MODULE), LOCKFILE_MISSING);
        assert_eq!(told(&[NAMED], "npm install && npm test", 1, "npm error code ENOTCACHED"), LOCKFILE_MISSING);
        assert_eq!(told(&[NAMED], "npm test", NOT_FOUND, "sh: 1: jest: not found"), format!("{PROGRAM_MISSING}{LOCKFILE_MISSING}"));
    }

    #[test]
    fn where_a_lockfile_would_not_help_none_is_asked_for() {
        assert_eq!(told(&[NAMED, ("package-lock.json", "{}")], "npm test", 1, MODULE), PACKAGES_MISSING);
        for package in [r#"{"dependencies": {}}"#, r#"{"scripts": {"test": "true"}}"#, "[]", "no JSON"] {
            assert_eq!(told(&[("package.json", package)], "npm test", 1, MODULE), PACKAGES_MISSING, "{package}");
        }
        assert_eq!(told(&[NAMED], "python3 -m pytest -q", 1, "ModuleNotFoundError: No module named 'x'"), PACKAGES_MISSING);
        assert_eq!(told(&[NAMED], "cargo test", NOT_FOUND, "sh: 1: cargo: not found"), PROGRAM_MISSING);
        assert_eq!(told(&[NAMED], "npm test", 1, "1 of 3 tests failed"), "");
    }
}
