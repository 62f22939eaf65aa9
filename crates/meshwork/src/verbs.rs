//! What each verb does: it calls one action and prints the answer.

use crate::{
    cli::{self, Cli, Verb},
    client::Client,
    demo,
    output::{self, answer, at, clean, list, parts},
    restore, up,
};
use clap::CommandFactory;
use domain::{Kind, Problem};
use identity::Secret;
use serde_json::{Value, json};
use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

type Outcome = Result<ExitCode, Problem>;

/// Carries out what was asked.
pub(crate) async fn run(cli: Cli) -> Outcome {
    let (asked, json) = (cli.data_dir.clone(), cli.json);
    let root = data_dir(cli.data_dir)?;
    match cli.verb {
        Verb::Up(args) => return up::run(&root, args, json).await,
        Verb::Demo(args) => return demo::run(asked.as_deref(), args, json).await,
        Verb::Agent(agent) if matches!(*agent, cli::Agent::Run(_)) => return runner(*agent).await,
        Verb::Doctor => return doctor(&root, json),
        Verb::Restore(args) => {
            let text = restore::restore(&root, &args.file, passphrase(args.passphrase_file.as_deref())?)?;
            answer(&json!({ "message": text }), json, |v| at(v, &["message"]));
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "meshwork", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    call(&Client::find(&root)?, cli.verb, json).await
}

/// The data folder: as asked, else below the user's data home.
fn data_dir(asked: Option<PathBuf>) -> Result<PathBuf, Problem> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let found = asked.or_else(|| std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home).map(|base| base.join("meshwork")));
    let found = found.ok_or_else(|| Problem::unavailable("There is no home folder to keep data in.").next("Say where with --data-dir."))?;
    std::path::absolute(&found).map_err(Problem::internal)
}

async fn runner(agent: cli::Agent) -> Outcome {
    let cli::Agent::Run(args) = agent else { return Ok(ExitCode::SUCCESS) };
    let executable = std::env::current_exe().map_err(Problem::internal)?;
    let start = orchestrator::runner::Start { socket: args.socket, run: args.run.parse()?, token_file: args.token_file, executable };
    orchestrator::runner::run(start).await?;
    Ok(ExitCode::SUCCESS)
}

fn doctor(root: &Path, json: bool) -> Outcome {
    let found = orchestrator::doctor::look(root);
    let well = found.iter().all(|f| f.ok);
    let value: Vec<Value> = found.iter().map(|f| json!({"what": f.what, "ok": f.ok, "detail": f.detail, "next": f.next})).collect();
    answer(&Value::Array(value), json, |_| {
        let line = |f: &sandbox::Finding| {
            let next = f.next.as_ref().map(|n| format!("\n      {n}")).unwrap_or_default();
            format!("{}  {}: {}{next}", if f.ok { "ok " } else { "BAD" }, f.what, f.detail)
        };
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(Kind::Unavailable.exit_code()) })
}

/// The verbs that ask the running `meshwork up`.
async fn call(client: &Client, verb: Verb, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match verb {
        Verb::Open => {
            let value = client.post("/api/v1/sign-in/link", json!({})).await?;
            answer(&value, json, |v| at(v, &["url"]));
        }
        Verb::Org(org) => return orgs(client, org, json).await,
        Verb::Project(project) => return projects(client, project, json).await,
        Verb::Feature(cli::Feature::New { name, description, at: place }) => {
            let value = client.call("feature.new", json!({"project": place.project, "name": name, "description": description})).await?;
            answer(&value, json, |v| format!("Feature {} is made, in commit {}.", at(v, &["feature"]), at(v, &["commit"])));
        }
        Verb::Agent(agent) => return agents(client, *agent, json).await,
        Verb::Engine(cli::Engine::Install { name }) => {
            let value = client.call("engine.install", json!({ "name": name })).await?;
            answer(&value, json, |v| format!("{} {} is installed.", at(v, &["name"]), at(v, &["installed"])));
        }
        Verb::Engine(cli::Engine::List) => {
            let value = client.call("engine.list", json!({})).await?;
            answer(&value, json, |v| list(v, "", &[("ENGINE", &["name"]), ("PINNED", &["pinned"]), ("INSTALLED", &["installed"])]));
        }
        Verb::Task(task) => return tasks(client, task, json).await,
        Verb::Run(run) => return runs(client, run, json).await,
        Verb::Patch(patch) => return patches(client, patch, json).await,
        Verb::Credential(credential) => return credentials(client, credential, json).await,
        Verb::Token(token) => return tokens(client, token, json).await,
        Verb::Journal(journal) => return journals(client, journal, json).await,
        Verb::Capacity => {
            let value = client.call("device.capacity", json!({})).await?;
            answer(&value, json, |v| {
                list(
                    v,
                    "",
                    &[
                        ("DEVICE", &["device"]),
                        ("CPU (m)", &["capacity", "total", "cpu_milli"]),
                        ("MEMORY (B)", &["capacity", "total", "memory_bytes"]),
                        ("SLOTS", &["capacity", "slots"]),
                        ("FREE", &["capacity", "slots_free"]),
                        ("LIMITS", &["limits"]),
                    ],
                )
            });
        }
        Verb::Pods => {
            let value = client.call("device.pods", json!({})).await?;
            answer(&value, json, |v| {
                list(v, "Nothing runs.", &[("RUN", &["run"]), ("CLASS", &["class"]), ("STATE", &["state"]), ("PAUSED", &["paused"])])
            });
        }
        Verb::Evict(evict) => {
            let value = client.call("device.evict", json!({"run": evict.run, "grace_ms": evict.grace * 1000})).await?;
            answer(&value, json, done);
        }
        Verb::Backup(backup) => {
            let file = std::path::absolute(&backup.file).map_err(Problem::internal)?;
            let secret = passphrase(backup.passphrase_file.as_deref())?;
            let value = client.call("backup.create", json!({"path": file, "passphrase": secret.expose()})).await?;
            answer(&value, json, done);
        }
        Verb::Call(args) => {
            let text = if args.input == "-" { standard_input("JSON")? } else { args.input };
            let input = serde_json::from_str(&text).map_err(|e| Problem::invalid(format!("The input is not JSON: {e}.")))?;
            let value = client.call(&args.action, input).await?;
            answer(&value, json, |v| serde_json::to_string_pretty(v).unwrap_or_default());
        }
        Verb::Up(_) | Verb::Demo(_) | Verb::Doctor | Verb::Restore(_) | Verb::Completions { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn orgs(client: &Client, org: cli::Org, json: bool) -> Outcome {
    let value = match org {
        cli::Org::Create { name, member } => client.call("org.create", json!({"name": name, "member": member})).await?,
        cli::Org::Show => client.call("org.show", json!({})).await?,
    };
    answer(&value, json, parts);
    Ok(ExitCode::SUCCESS)
}

async fn projects(client: &Client, project: cli::Project, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match project {
        cli::Project::Add { source, name, branch, public, seeds } => {
            let source = if source.starts_with("rad:") {
                source
            } else {
                std::path::absolute(&source).map_err(Problem::internal)?.display().to_string()
            };
            let value = client
                .call("project.add", json!({"source": source, "name": name, "branch": branch, "public": public, "seeds": seeds}))
                .await?;
            answer(&value, json, |v| {
                let notices = v["notices"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(|n| format!("\nnote: {n}"))
                    .collect::<String>();
                format!("Project {} is added as {}.{notices}", at(v, &["project", "name"]), at(v, &["project", "rid"]))
            });
        }
        cli::Project::List => {
            let value = client.call("project.list", json!({})).await?;
            let columns: [(&str, &[&str]); 6] = [
                ("PROJECT", &["project", "name"]),
                ("REPOSITORY", &["project", "rid"]),
                ("BRANCH", &["project", "branch"]),
                ("FEATURES", &["features"]),
                ("OPEN", &["open_tasks"]),
                ("DONE", &["done_tasks"]),
            ];
            answer(&value, json, |v| list(v, "There is no project yet: meshwork project add <folder>.", &columns));
        }
        cli::Project::Show { project } => {
            let value = client.call("project.show", json!({ "project": project })).await?;
            answer(&value, json, parts);
        }
        cli::Project::Share { with, at: place } => {
            answer(&client.call("project.share", json!({"project": place.project, "with": with})).await?, json, done)
        }
        cli::Project::Mirror { remote, at: place } => {
            answer(&client.call("project.mirror", json!({"project": place.project, "remote": remote})).await?, json, done)
        }
        cli::Project::Sync(place) => answer(&client.call("project.sync", json!({"project": place.project})).await?, json, done),
    }
    Ok(ExitCode::SUCCESS)
}

async fn agents(client: &Client, agent: cli::Agent, json: bool) -> Outcome {
    match agent {
        cli::Agent::Add { name, engine, command, model, base_url, api, credential, tokens, calls, ask } => {
            let api = api.map(|a| match a {
                cli::Api::Responses => "responses",
                cli::Api::Chat => "chat",
                cli::Api::Messages => "messages",
            });
            let permissions = ask.then_some("ask");
            let input = json!({"name": name, "engine": engine, "command": command, "model": model, "base_url": base_url, "api": api, "credential": credential, "tokens": tokens, "calls": calls, "permissions": permissions});
            let value = client.call("agent.add", input).await?;
            answer(&value, json, |v| {
                let needs = v["needs"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(|n| format!("\nnote: {n}"))
                    .collect::<String>();
                format!("The agent {} is set.{needs}", at(v, &["name"]))
            });
        }
        cli::Agent::List => {
            let value = client.call("agent.list", json!({})).await?;
            let columns: [(&str, &[&str]); 5] = [
                ("AGENT", &["name"]),
                ("ENGINE", &["engine", "kind"]),
                ("NAME", &["engine", "name"]),
                ("MODEL", &["model", "name"]),
                ("NEEDS", &["needs"]),
            ];
            answer(&value, json, |v| list(v, "There is no agent yet: meshwork agent add <name> --engine <engine>.", &columns));
        }
        cli::Agent::Remove { name } => answer(&client.call("agent.remove", json!({ "name": name })).await?, json, |v| at(v, &["message"])),
        cli::Agent::Run(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn tasks(client: &Client, task: cli::Task, json: bool) -> Outcome {
    match task {
        cli::Task::List(place) => {
            let value = client.call("task.list", json!({"project": place.at.project, "feature": place.feature})).await?;
            let columns: [(&str, &[&str]); 5] = [
                ("TASK", &["at", "task"]),
                ("FEATURE", &["at", "feature"]),
                ("STATE", &["state", "state"]),
                ("AFTER", &["task", "depends_on"]),
                ("TITLE", &["task", "title"]),
            ];
            answer(&value, json, |v| list(v, "There are no tasks: meshwork project show says why.", &columns));
        }
        cli::Task::Show { task, at: place } => {
            let value = client.call("task.show", json!({"project": place.at.project, "feature": place.feature, "task": task})).await?;
            answer(&value, json, parts);
        }
        cli::Task::Run { tasks, at: place, agent, wait } => {
            let input = json!({"project": place.at.project, "feature": place.feature, "tasks": tasks, "agent": agent});
            let value = client.call("task.run", input).await?;
            if wait {
                return wait_for(client, &value, json).await;
            }
            answer(&value, json, |v| {
                let skipped = v["skipped"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|s| format!("\nnote: {}: {}", at(s, &["task"]), at(s, &["why"])))
                    .collect::<String>();
                list(&v["runs"], "Nothing was started.", &[("TASK", &["task"]), ("RUN", &["run"])]) + &skipped
            });
        }
        cli::Task::Add { title, at: place, phase, parallel, story } => {
            let input = json!({"project": place.at.project, "feature": place.feature, "title": title, "phase": phase, "parallel": parallel, "story": story});
            let value = client.call("task.add", input).await?;
            answer(&value, json, |v| format!("Task {} is written, in commit {}.", at(v, &["task"]), at(v, &["commit"])));
        }
        cli::Task::Edit { task, title, at: place } => {
            let value = client
                .call("task.edit", json!({"project": place.at.project, "feature": place.feature, "task": task, "title": title}))
                .await?;
            answer(&value, json, |v| format!("Task {} is written, in commit {}.", at(v, &["task"]), at(v, &["commit"])));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Follows the journal until the runs have ended; the exit code says whether all are done.
async fn wait_for(client: &Client, started: &Value, json: bool) -> Outcome {
    let mut runs: Vec<String> = started["runs"].as_array().into_iter().flatten().map(|r| at(r, &["run"])).collect();
    let mut states = Vec::new();
    let mut stream_from = 0;
    while !runs.is_empty() {
        let mut open = Vec::new();
        for run in &runs {
            let shown = client.call("run.show", json!({ "run": run })).await?;
            if ["done", "failed", "cancelled", "evicted", "lost"].contains(&at(&shown, &["state"]).as_str()) {
                states.push(shown)
            } else {
                open.push(run.clone())
            }
        }
        runs = open;
        if !runs.is_empty() {
            let from = if stream_from == 0 { String::new() } else { format!("?after={stream_from}") };
            client
                .follow(&format!("/events{from}"), |event| {
                    stream_from = event["seq"].as_u64().unwrap_or(stream_from);
                    event["event"]["type"] != "run_moved"
                })
                .await?;
        }
    }
    let all_done = states.iter().all(|s| s["state"] == "done");
    answer(&Value::Array(states), json, |v| {
        list(v, "", &[("TASK", &["task", "task"]), ("RUN", &["id"]), ("STATE", &["state"]), ("PATCH", &["patch"]), ("WHY", &["why"])])
    });
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn runs(client: &Client, run: cli::Run, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match run {
        cli::Run::List { at: place, all, state } => {
            let value = client.call("run.list", json!({"project": place.project, "all": all, "state": state})).await?;
            let columns: [(&str, &[&str]); 6] = [
                ("RUN", &["id"]),
                ("CLASS", &["class"]),
                ("TASK", &["task", "task"]),
                ("AGENT", &["agent"]),
                ("STATE", &["state"]),
                ("REASON", &["reason", "code"]),
            ];
            answer(&value, json, |v| list(v, "There are no runs yet: meshwork task run.", &columns));
        }
        cli::Run::Show { run } => answer(&client.call("run.show", json!({ "run": run })).await?, json, parts),
        cli::Run::Logs { run, follow } => return logs(client, &run, follow, json).await,
        cli::Run::Send { run, text } => answer(&client.call("run.send", json!({"run": run, "text": text})).await?, json, done),
        cli::Run::Answer { run, option, question } => {
            answer(&client.call("run.answer", json!({"run": run, "option": option, "question": question})).await?, json, done)
        }
        cli::Run::Pause { run } => answer(&client.call("run.pause", json!({ "run": run })).await?, json, done),
        cli::Run::Resume { run } => answer(&client.call("run.resume", json!({ "run": run })).await?, json, done),
        cli::Run::Stop { run } => answer(&client.call("run.stop", json!({ "run": run })).await?, json, done),
    }
    Ok(ExitCode::SUCCESS)
}

async fn logs(client: &Client, run: &str, follow: bool, json: bool) -> Outcome {
    let print = |event: &Value| {
        if json {
            output::say(&event.to_string());
        } else if let Some(text) = crate::log_line::line(&event["event"]) {
            output::say(&text);
        }
    };
    let shown = client.call("run.show", json!({ "run": run })).await?;
    let id = at(&shown, &["id"]);
    if follow {
        let path = format!("/api/v1/run/{id}/log/events");
        client
            .follow(&path, |event| {
                print(&event);
                true
            })
            .await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut after = 0;
    loop {
        let page = client.call("run.logs", json!({"run": id, "after": after})).await?;
        let lines = page["lines"].as_array().cloned().unwrap_or_default();
        lines.iter().for_each(print);
        match lines.last().and_then(|l| l["seq"].as_u64()) {
            Some(last) => after = last,
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn patches(client: &Client, patch: cli::Patch, json: bool) -> Outcome {
    let one = |p: &cli::OnePatch| json!({"project": p.at.project, "patch": p.patch});
    match patch {
        cli::Patch::List { at: place, state } => {
            let value = client.call("patch.list", json!({"project": place.project, "state": state})).await?;
            answer(&value, json, |v| {
                list(
                    v,
                    "There are no patches yet.",
                    &[("PATCH", &["id"]), ("STATE", &["state"]), ("TASK", &["trace", "task", "task"]), ("TITLE", &["title"])],
                )
            });
        }
        cli::Patch::Show(p) => answer(&client.call("patch.show", one(&p)).await?, json, parts),
        cli::Patch::Diff(p) => {
            answer(&client.call("patch.diff", one(&p)).await?, json, |v| at(v, &["diff"]).lines().map(clean).collect::<Vec<_>>().join("\n"))
        }
        cli::Patch::Review { one: p, accept, reject, message, lines } => {
            let verdict = match (accept, reject) {
                (true, _) => "accept",
                (_, true) => "reject",
                _ => "comment",
            };
            let comments = lines.iter().map(|l| line_comment(l)).collect::<Result<Vec<_>, _>>()?;
            let input = json!({"project": p.at.project, "patch": p.patch, "verdict": verdict, "summary": message, "comments": comments});
            answer(&client.call("patch.review", input).await?, json, |v| at(v, &["message"]));
        }
        cli::Patch::Merge(p) => {
            let value = client.call("patch.merge", one(&p)).await?;
            answer(&value, json, |v| match at(v, &["outcome"]).as_str() {
                "merged" => format!("Merged, as commit {}.", at(v, &["commit"])),
                _ => format!(
                    "It conflicts in {}. The run {} does the work anew on the present branch; merge it when that is done.",
                    at(v, &["paths"]),
                    at(v, &["run"])
                ),
            });
        }
        cli::Patch::Close(p) => answer(&client.call("patch.close", one(&p)).await?, json, |v| at(v, &["message"])),
    }
    Ok(ExitCode::SUCCESS)
}

fn line_comment(text: &str) -> Result<Value, Problem> {
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next().and_then(|l| l.parse::<u32>().ok()), parts.next()) {
        (Some(path), Some(line), Some(said)) => Ok(json!({"path": path, "line": line, "text": said})),
        _ => Err(Problem::invalid(format!("“{}” is not a comment on a line.", domain::shown(text))).next("Give it as FILE:LINE:TEXT.")),
    }
}

async fn credentials(client: &Client, credential: cli::Credential, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match credential {
        cli::Credential::Set { name, provider, projects, agents } => {
            let value = Secret::new(standard_input("the credential's value")?.trim_end_matches(['\r', '\n']).to_owned());
            let input = json!({"name": name, "value": value.expose(), "provider": provider, "projects": projects, "agents": agents});
            answer(&client.call("credential.set", input).await?, json, done);
        }
        cli::Credential::List => {
            let value = client.call("credential.list", json!({})).await?;
            answer(&value, json, |v| {
                list(v, "There are no credentials.", &[("NAME", &["name"]), ("KIND", &["kind"]), ("PROVIDER", &["provider"])])
            });
        }
        cli::Credential::Test { name } => {
            let value = client.call("credential.test", json!({ "name": name })).await?;
            let good = value["good"] == true;
            answer(&value, json, done);
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        cli::Credential::Remove { name } => answer(&client.call("credential.remove", json!({ "name": name })).await?, json, done),
    }
    Ok(ExitCode::SUCCESS)
}

async fn tokens(client: &Client, token: cli::Token, json: bool) -> Outcome {
    match token {
        cli::Token::Create { role, label, days } => {
            let value = client.call("token.create", json!({"role": role, "label": label, "days": days})).await?;
            answer(&value, json, |v| at(v, &["token"]));
        }
        cli::Token::List => {
            let value = client.call("token.list", json!({})).await?;
            answer(&value, json, |v| list(v, "There are no tokens.", &[("ID", &["id"]), ("ROLE", &["role"]), ("LABEL", &["label"])]));
        }
        cli::Token::Revoke { id } => answer(&client.call("token.revoke", json!({ "id": id })).await?, json, |v| at(v, &["message"])),
    }
    Ok(ExitCode::SUCCESS)
}

async fn journals(client: &Client, journal: cli::Journal, json: bool) -> Outcome {
    match journal {
        cli::Journal::List { after, limit } => {
            let value = client.call("journal.list", json!({"after": after, "limit": limit})).await?;
            answer(&value, json, |v| {
                list(
                    v,
                    "The journal is empty.",
                    &[
                        ("SEQ", &["seq"]),
                        ("TYPE", &["event", "type"]),
                        ("RUN", &["event", "run"]),
                        ("TO", &["event", "to"]),
                        ("ACTOR", &["event", "actor"]),
                    ],
                )
            });
        }
        cli::Journal::Verify => {
            let value = client.call("journal.verify", json!({})).await?;
            let sound = value["sound"] == true;
            answer(&value, json, |v| match sound {
                true => format!(
                    "The journal is sound: {} events, {} signatures, {} incarnations.",
                    v["events"], v["signatures"], v["incarnations"]
                ),
                false => format!(
                    "The journal is NOT sound: event {}: {}\nRestore a backup (meshwork restore), and keep this data folder for a look at what happened.",
                    v["bad"]["seq"],
                    at(v, &["bad", "why"])
                ),
            });
            return Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        cli::Journal::Rebuild => {
            let value = client.call("journal.rebuild", json!({})).await?;
            answer(&value, json, |v| format!("Made anew from {} events; {} things were different.", v["events"], v["differences"]));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn passphrase(file: Option<&Path>) -> Result<Secret, Problem> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file).map_err(|e| orchestrator::data_dir::storage(file, &e))?,
        None => standard_input("the passphrase")?,
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.len() < 8 { Err(Problem::invalid("The passphrase has fewer than 8 characters.")) } else { Ok(Secret::new(text)) }
}

/// Reads standard input; from a terminal one line, after saying what is wanted, and without showing it.
fn standard_input(what: &str) -> Result<String, Problem> {
    let mut text = String::new();
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("Type {what}, then Enter (it is not shown):");
        let _hidden = crate::hidden::hide();
        stdin.read_line(&mut text).map_err(Problem::internal)?;
    } else {
        stdin
            .lock()
            .take(1 << 20)
            .read_to_string(&mut text)
            .map_err(|e| Problem::invalid(format!("Standard input cannot be read: {e}.")))?;
    }
    Ok(text)
}
