//! Tasks, runs and patches: the verbs of the daily work.

use super::Outcome;
use crate::{
    cli,
    client::Client,
    log_line,
    output::{self, answer, at, clean, list, parts},
};
use domain::Problem;
use serde_json::{Value, json};
use std::process::ExitCode;

pub(super) async fn tasks(client: &Client, task: cli::Task, json: bool) -> Outcome {
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
                list(&v["runs"], "Nothing was started.", &[("TASK", &["task"]), ("RUN", &["run"])]) + &output::notes(&v["skipped"])
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
    let mut stream_from = started["seq"].as_u64().unwrap_or(0);
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
            client
                .follow(&format!("/events?after={stream_from}"), |event| {
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

pub(super) async fn runs(client: &Client, run: cli::Run, json: bool) -> Outcome {
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
        cli::Run::Kept => {
            let value = client.call("run.kept", json!({})).await?;
            let columns: [(&str, &[&str]); 4] =
                [("RUN", &["run"]), ("TASK", &["task", "task"]), ("BYTES", &["bytes"]), ("FOLDER", &["path"])];
            answer(&value, json, |v| list(v, "Nothing is kept: all that runs made is in commits and checkpoints.", &columns));
        }
        cli::Run::Drop { run } => answer(&client.call("run.drop", json!({ "run": run })).await?, json, done),
        cli::Run::Stop { run } => answer(&client.call("run.stop", json!({ "run": run })).await?, json, done),
    }
    Ok(ExitCode::SUCCESS)
}

async fn logs(client: &Client, run: &str, follow: bool, json: bool) -> Outcome {
    let print = |event: &Value| {
        if json {
            output::say(&event.to_string());
        } else if let Some(text) = log_line::line(&event["event"]) {
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

pub(super) async fn patches(client: &Client, patch: cli::Patch, json: bool) -> Outcome {
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
        cli::Patch::Comment { one: p, message, reply_to } => {
            let input = json!({"project": p.at.project, "patch": p.patch, "body": message, "reply_to": reply_to});
            let value = client.call("patch.comment", input).await?;
            answer(&value, json, |v| format!("Commented on patch {}, as {}.", at(v, &["patch"]), at(v, &["comment"])));
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
        cli::Patch::Reopen(p) => answer(&client.call("patch.reopen", one(&p)).await?, json, |v| at(v, &["message"])),
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
