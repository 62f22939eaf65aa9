//! `meshwork demo`: the main job on the example that comes with the program. A replay stands in for the model; everything
//! else is real: org, sandbox, checks, patches, reviews, merges, journal.

use crate::{
    cli,
    client::Client,
    output::{aside, at, say},
    text::clean,
    up,
};
use domain::{Problem, limits::RUN_WALL_S};
use include_dir::{Dir, include_dir};
use orchestrator::machine::Listens;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

static EXAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/greeter");

/// How long the whole demo may take.
const DEMO_TIME: Duration = Duration::from_secs(RUN_WALL_S);

/// Everything that the demo's steps share.
struct Demo {
    client: Client,
    yes: bool,
    quiet: bool,
}

/// Does the main job, and leaves everything to be looked at.
pub(crate) async fn run(root: Option<&Path>, args: cli::Demo, json: bool) -> Result<ExitCode, Problem> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Problem::invalid("The demo asks before each merge, and nobody can answer here.")
            .next("Give --yes: it then signs as the demo's member, and the journal says so."));
    }
    let root = match root {
        Some(root) => root.to_owned(),
        None => fresh_folder()?,
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let running =
        up::start(&root, any, Listens { radicle: Some(any), join: None, mesh: Some(any), gossip: Some(any) }, None, args.yes).await?;
    let demo = Demo { client: Client::at(running.url.clone(), running.token.clone())?, yes: args.yes, quiet: json };
    let outcome = demo.main_job(&root, args.example.as_deref()).await;
    running.close().await;
    let (tasks, verified) = outcome?;
    let merged = verified && tasks.iter().all(|t| t["state"] == "merged");
    let journal = if verified { "verified" } else { "broken" };
    let last = json!({"tasks": tasks, "journal": journal, "data_dir": root});
    if json {
        say(&last.to_string());
    } else {
        say(&format!("\nDone. Everything is in {}: look at it with\n  meshwork up --data-dir {}", root.display(), root.display()));
    }
    Ok(if merged { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Demo {
    fn tell(&self, text: &str) {
        if self.quiet { aside(text) } else { say(text) }
    }

    async fn main_job(&self, root: &Path, example: Option<&Path>) -> Result<(Vec<Value>, bool), Problem> {
        self.tell("An org of one, with its own keys and a private Radicle repository …");
        let org = self.client.call("org.create", json!({"name": "demo", "member": "you"})).await?;
        self.tell(&format!("  {}", at(&org, &["rid"])));
        let project = working_copy(root, example)?;
        let added = self.client.call("project.add", json!({"source": project, "name": "greeter"})).await?;
        self.tell(&format!("The example is a project: {}", at(&added, &["project", "rid"])));
        self.client.call("agent.add", json!({"name": "replay", "engine": "replay"})).await?;
        self.tell("An agent that plays recordings. This is a REPLAY: no model is asked. Everything else is real.");
        let started = self.client.call("task.run", json!({"project": "greeter", "agent": "replay"})).await?;
        self.tell(&format!(
            "{} tasks are given to it, in order; independent ones go side by side.\n",
            started["runs"].as_array().map_or(0, Vec::len)
        ));
        let tasks = self.until_merged().await?;
        let verified = self.client.call("journal.verify", json!({})).await?;
        self.tell(&format!(
            "\nThe journal: {} events, {} signatures, sound: {}.",
            verified["events"], verified["signatures"], verified["sound"]
        ));
        Ok((tasks, verified["sound"] == true))
    }

    /// Reviews and merges patches as they come, until every task is merged or one cannot be.
    async fn until_merged(&self) -> Result<Vec<Value>, Problem> {
        let (begun, mut told, mut from) = (Instant::now(), BTreeMap::new(), 0u64);
        loop {
            let tasks = self.client.call("task.list", json!({"project": "greeter"})).await?;
            let tasks = tasks.as_array().cloned().unwrap_or_default();
            let mut merged_one = false;
            for task in &tasks {
                let (id, state) = (at(task, &["at", "task"]), at(task, &["state", "state"]));
                if told.insert(id.clone(), state.clone()).as_ref() != Some(&state) {
                    self.tell(&format!("  {id}  {state}"));
                }
                if state == "in_review" {
                    self.judge(&id, &at(task, &["state", "patch"])).await?;
                    merged_one = true;
                }
            }
            let ended = |t: &Value| ["merged", "failed", "rejected"].contains(&at(t, &["state", "state"]).as_str());
            let stuck = tasks.iter().any(|t| at(t, &["state", "state"]) == "failed");
            if tasks.iter().all(ended) || stuck || begun.elapsed() > DEMO_TIME {
                return self.summary(&tasks).await;
            }
            if !merged_one {
                let path = if from == 0 { "/events?after=0".to_owned() } else { format!("/events?after={from}") };
                let moved = |event: &Value| event["event"]["type"] == "run_moved" || event["event"]["type"] == "patch_published";
                self.client
                    .follow(&path, |event| {
                        from = event["seq"].as_u64().unwrap_or(from);
                        !moved(&event)
                    })
                    .await?;
            }
        }
    }

    async fn judge(&self, task: &str, patch: &str) -> Result<(), Problem> {
        let shown = self.client.call("patch.show", json!({"project": "greeter", "patch": patch})).await?;
        let files: Vec<String> = shown["files"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|f| format!("{} +{} -{}", clean(&at(f, &["path"])), f["added"], f["removed"]))
            .collect();
        self.tell(&format!("  {task}  patch {}: {}", &patch[..patch.len().min(10)], files.join(", ")));
        if !self.yes && !ask("  Review it as accepted, and merge it? [Y/n] ") {
            return Err(
                Problem::conflict("You did not want to merge.").next("Everything is still there: meshwork up with the demo's --data-dir.")
            );
        }
        self.client
            .call("patch.review", json!({"project": "greeter", "patch": patch, "verdict": "accept", "summary": "Accepted in the demo."}))
            .await?;
        let merged = self.client.call("patch.merge", json!({"project": "greeter", "patch": patch})).await?;
        self.tell(&format!("  {task}  {} as {}", at(&merged, &["outcome"]), at(&merged, &["commit"])));
        Ok(())
    }

    async fn summary(&self, tasks: &[Value]) -> Result<Vec<Value>, Problem> {
        let mut out = Vec::new();
        for task in tasks {
            let id = at(task, &["at", "task"]);
            let shown = self.client.call("task.show", json!({"project": "greeter", "task": id})).await?;
            let run = shown["runs"].as_array().and_then(|r| r.first()).cloned().unwrap_or_default();
            if task["state"]["state"] != "merged" {
                self.tell(&format!("  {id}  {}", at(&shown, &["why"])));
            }
            out.push(json!({"id": id, "state": task["state"]["state"], "run": run["id"], "patch": run["patch"]}));
        }
        Ok(out)
    }
}

/// A folder of its own for this demo; it stays, to be looked at.
fn fresh_folder() -> Result<PathBuf, Problem> {
    let name = format!("meshwork-demo-{}", &orchestrator::lifecycle::secret()?[..8]);
    Ok(std::env::temp_dir().join(name))
}

/// The example as an ordinary git working copy, as somebody would have it.
fn working_copy(root: &Path, example: Option<&Path>) -> Result<PathBuf, Problem> {
    let folder = root.join("greeter");
    let told = |e: std::io::Error| orchestrator::data_dir::storage(&folder, &e);
    std::fs::create_dir_all(&folder).map_err(told)?;
    match example {
        Some(example) => {
            let from = example.join(".");
            git_free(Command::new("cp").arg("-r").arg(from).arg(&folder), "cp")?;
        }
        None => EXAMPLE.extract(&folder).map_err(told)?,
    }
    let author =
        ["-c", "user.name=you", "-c", "user.email=you@demo.invalid", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"];
    for args in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", "The example, before any agent"]] {
        git_free(Command::new("git").arg("-C").arg(&folder).args(author).args(args), "git")?;
    }
    Ok(folder)
}

fn git_free(command: &mut Command, name: &str) -> Result<(), Problem> {
    let output = command
        .output()
        .map_err(|e| Problem::unavailable(format!("{name} cannot be started: {e}.")).next("Install it: apt-get install git."))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Problem::unavailable(format!("{name} failed.")).because(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn ask(question: &str) -> bool {
    let _ = write!(std::io::stderr(), "{question}");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer).is_ok();
    read && !answer.trim().to_ascii_lowercase().starts_with('n') && !answer.is_empty()
}
