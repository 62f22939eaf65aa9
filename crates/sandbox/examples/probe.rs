//! A supervisor of its own process for the tests of this crate: runs one command in a sandbox and tells what it saw, a
//! line each. `probe <bridge> <folder> <how> <command>...`; `how`: `run`, `freeze` (reads a line, freezes, reads a line, goes
//! on), `hold` (says `ready` and waits to be killed), `sweep`, `discard` (prepares a sandbox, reads a line, discards it).

use std::{io::Write, path::PathBuf, process::ExitCode};
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bridge, folder, how, command @ ..] = &args[..] else {
        eprintln!("usage: probe <bridge> <folder> run|freeze|hold|sweep|discard <command>...");
        return ExitCode::from(2);
    };
    println!("limits {}", sandbox::limits_in_force());
    if how == "sweep" {
        println!("swept {}", sandbox::sweep());
        return ExitCode::SUCCESS;
    }
    if how == "discard" {
        let prepared = sandbox::prepare().await;
        say(if prepared.is_ok() { "prepared" } else { "not prepared" });
        listen().await;
        sandbox::discard().await;
        return ExitCode::SUCCESS;
    }
    match run(bridge.into(), folder.into(), how, command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("problem {:?} {problem}", problem.kind);
            ExitCode::from(problem.kind.exit_code())
        }
    }
}

async fn run(bridge: PathBuf, folder: PathBuf, how: &str, command: &[String]) -> Result<(), domain::Problem> {
    let spec = sandbox::Spec {
        command: command.to_vec(),
        env: vec![],
        work: folder.join("work"),
        home: folder.join("home"),
        readonly: vec![],
        shown: vec![],
        caches: None,
        brief: None,
        forwards: vec![],
        bridge,
        resources: domain::capacity::Resources { memory_bytes: 256 << 20, disk_bytes: 64 << 20, ..Default::default() },
        processes_max: 64,
    };
    let sandbox = sandbox::Sandbox::spawn(spec).await?;
    let mut stdio = sandbox.take_stdio().ok_or_else(|| domain::Problem::internal("no streams"))?;
    say("ready");
    if how == "hold" {
        sandbox.freeze().await?;
        say("frozen");
        listen().await;
    }
    if how == "freeze" {
        for step in ["frozen", "thawed"] {
            listen().await;
            if step == "frozen" {
                sandbox.freeze().await?
            } else {
                sandbox.thaw().await?
            };
            say(step);
        }
    }
    let mut output = String::new();
    let _ = stdio.stdout.read_to_string(&mut output).await;
    let ended = sandbox.wait().await;
    output.lines().for_each(|line| say(&format!("out {line}")));
    let mut violations = sandbox.take_violations().ok_or_else(|| domain::Problem::internal("no violations"))?;
    while let Ok(sentence) = violations.try_recv() {
        say(&format!("violation {sentence}"));
    }
    say(&format!("ended code={:?} signal={:?} limit={:?}", ended.code, ended.signal, ended.limit));
    Ok(())
}

fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}

/// The next line of our own input.
async fn listen() {
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
}
