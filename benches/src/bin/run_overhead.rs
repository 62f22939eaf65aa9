//! How long Meshwork takes from `task run` to the published patch, without the engine's own time; beside the same edit by
//! hand (clone, edit, commit, with plain git). The goal is 2 s.

use anyhow::{Context, Result};
use benches::{Up, percentile};
use serde_json::json;
use std::{
    fmt::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const TASKS: usize = 12;

fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let project = dir.path().join("project");
    make_project(&project)?;
    let up = Up::start(&dir.path().join("data"))?;
    up.call(&["project", "add", &project.display().to_string(), "--name", "bench"])?;
    up.call(&["agent", "add", "writer", "--engine", "command", "--command", "echo done > $MESHWORK_TASK.txt"])?;
    let (mut ours, mut hand) = (Vec::new(), Vec::new());
    for n in 1..=TASKS {
        let task = format!("T{n:03}");
        let begun = Instant::now();
        up.call(&["task", "run", &task, "--wait"])?;
        ours.push(begun.elapsed());
        let begun = Instant::now();
        by_hand(&project, &dir.path().join(format!("clone-{n}")), &task)?;
        hand.push(begun.elapsed());
    }
    ours.sort();
    hand.sort();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!(
        "task run to published patch: p50 {:.0} ms, max {:.0} ms ({TASKS} tasks, no checks)",
        ms(percentile(&ours, 0.5)),
        ms(percentile(&ours, 1.0))
    );
    println!("the same by hand with git:   p50 {:.0} ms, max {:.0} ms", ms(percentile(&hand, 0.5)), ms(percentile(&hand, 1.0)));
    let ratio = ms(percentile(&ours, 0.5)) / ms(percentile(&hand, 0.5)).max(0.001);
    println!(
        "{}",
        json!({"bench": "run_overhead", "p50_ms": ms(percentile(&ours, 0.5)), "max_ms": ms(percentile(&ours, 1.0)), "git_p50_ms": ms(percentile(&hand, 0.5)), "ratio": ratio})
    );
    Ok(())
}

fn make_project(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join("specs/001-bench"))?;
    std::fs::create_dir_all(folder.join(".meshwork"))?;
    let mut tasks = "# Tasks\n\n## Phase 1\n\n".to_owned();
    for n in 1..=TASKS {
        writeln!(tasks, "- [ ] T{n:03} [P] Write T{n:03}.txt")?;
    }
    std::fs::write(folder.join("specs/001-bench/tasks.md"), tasks)?;
    std::fs::write(folder.join(".meshwork/project.toml"), "checks = []\n")?;
    for args in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-qm", "bench"]] {
        git(folder, args)?;
    }
    Ok(())
}

fn by_hand(project: &Path, clone: &Path, task: &str) -> Result<()> {
    git(project, &["clone", "-q", ".", &clone.display().to_string()])?;
    std::fs::write(clone.join(format!("{task}.txt")), "done\n")?;
    git(clone, &["add", "-A"])?;
    git(clone, &["commit", "-qm", task])
}

fn git(folder: &Path, args: &[&str]) -> Result<()> {
    let identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"];
    let status = Command::new("git").arg("-C").arg(folder).args(identity).args(args).status().context("git")?;
    anyhow::ensure!(status.success(), "git {args:?} failed");
    Ok(())
}
