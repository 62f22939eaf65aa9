//! Tasks, runs and patches: the verbs of the daily work.

use super::{Outcome, both};
use crate::{
    cli,
    client::Client,
    log_line,
    output::{self, answer, at},
    pager,
    show::{self, Names},
    text::{self, clean},
};
use domain::{Problem, Timestamp, project::ProjectView};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::Duration,
};

pub(super) async fn tasks(client: &Client, task: cli::Task, json: bool) -> Outcome {
    match task {
        cli::Task::List(place) => {
            let input = json!({"project": place.at.project, "feature": place.feature});
            let (value, names) = both(client, "task.list", input, json).await?;
            let left = left_out(client, place.at.project.as_deref(), json).await?;
            output::show(&value, json, |v| Ok(show::tasks(v, &names)? + &left))?;
        }
        cli::Task::Show { task, at: place } => {
            let input = json!({"project": place.at.project, "feature": place.feature, "task": task});
            let (value, names) = both(client, "task.show", input, json).await?;
            output::show(&value, json, |v| show::task(v, &names))?;
        }
        cli::Task::Why { task, at: place, agent, tags } => {
            let mut input = json!({"project": place.at.project, "feature": place.feature, "task": task, "agent": agent});
            input["tags"] = json!(tags_of(&tags)?);
            let (value, names) = both(client, "task.why", input, json).await?;
            output::show(&value, json, |v| show::why(v, &names))?;
        }
        cli::Task::Run { tasks, at: place, agent, on, here, tags, priority, apart_from, wait } => {
            let mut input = json!({"project": place.at.project, "feature": place.feature, "tasks": tasks, "agent": agent, "on": on});
            (input["here"], input["tags"]) = (json!(here), json!(tags_of(&tags)?));
            (input["priority"], input["apart_from"]) = (json!(priority), json!(apart_from));
            let value = client.call("task.run", input).await?;
            if wait {
                return wait_for(client, &value, json).await;
            }
            answer(&value, json, show::started);
            return Ok(whole(&value));
        }
        cli::Task::Takeover { task, at: place } => {
            let input = json!({"project": place.at.project, "feature": place.feature, "task": task});
            answer(&client.call("task.takeover", input).await?, json, |v| at(v, &["message"]));
        }
        cli::Task::Add { title, at: place, phase, parallel, story } => {
            let input = json!({"project": place.at.project, "feature": place.feature, "title": title, "phase": phase, "parallel": parallel, "story": story});
            let value = client.call("task.add", input).await?;
            answer(&value, json, show::written);
        }
        cli::Task::Edit { task, title, at: place } => {
            let value = client
                .call("task.edit", json!({"project": place.at.project, "feature": place.feature, "task": task, "title": title}))
                .await?;
            answer(&value, json, show::written);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Tags as they were typed, each name once: `gpu:true`, or as `gpu=true`.
pub(super) fn tags_of(typed: &[String]) -> Result<BTreeMap<&str, &str>, Problem> {
    let mut tags = BTreeMap::new();
    for text in typed {
        let (tag, value) = text.split_once([':', '=']).ok_or_else(|| {
            Problem::invalid(format!("“{}” is no tag.", domain::shown(text))).next("A tag is a name and a value: --tag gpu:true.")
        })?;
        if let Some(before) = tags.insert(tag, value) {
            let said = format!("{0}:{1} and {0}:{2}", domain::shown(tag), domain::shown(before), domain::shown(value));
            return Err(Problem::invalid(format!("A tag has one value, and two are given: {said}."))
                .next("Give each name once, as --tag gpu:true."));
        }
    }
    Ok(tags)
}

/// Success when everything that was asked for was started.
fn whole(started: &Value) -> ExitCode {
    if started["skipped"].as_array().is_none_or(Vec::is_empty) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Follows the journal until the runs have ended, or what is left waits for a person; the exit code says whether all are done.
async fn wait_for(client: &Client, started: &Value, json: bool) -> Outcome {
    let mut runs: Vec<String> = started["runs"].as_array().into_iter().flatten().map(|r| at(r, &["run"])).collect();
    let mut states = Vec::new();
    let mut stream_from = started["seq"].as_u64().unwrap_or(0);
    let mut told = BTreeSet::new();
    let mut all_done = true;
    while !runs.is_empty() {
        let mut open = Vec::new();
        for run in &runs {
            let shown = client.call("run.show", json!({ "run": run })).await?;
            if ["done", "failed", "cancelled", "evicted", "lost"].contains(&at(&shown, &["state"]).as_str()) {
                all_done &= shown["state"] == "done";
                states.push(shown)
            } else {
                if let Some(news) = news(&shown, &mut told).filter(|_| !json) {
                    output::aside(&news);
                }
                open.push(shown)
            }
        }
        if wait_for_a_person(&open) {
            output::aside("What is left waits for a person, and starts by itself once that is done: it is not waited for here any longer.");
            all_done = false;
            states.append(&mut open);
        }
        runs = open.iter().map(|shown| at(shown, &["id"])).collect();
        if !runs.is_empty() {
            client
                .follow(&format!("/events?after={stream_from}"), |event| {
                    stream_from = event["seq"].as_u64().unwrap_or(stream_from);
                    event["event"]["type"] != "run_moved"
                })
                .await?;
        }
    }
    let names = if json { Names::default() } else { Names::ask(client).await };
    output::show(&Value::Array(states), json, |v| Ok(show::waited(v, &names)? + &output::notes(&started["skipped"])))?;
    Ok(if all_done { whole(started) } else { ExitCode::FAILURE })
}

/// Whether runs that have not ended all wait for reviews, or for others among them that do.
fn wait_for_a_person(open: &[Value]) -> bool {
    let among = |task: &Value| open.iter().any(|run| run["task"]["task"] == *task);
    let waits = |run: &Value| run["state"] == "queued" && run["reason"]["code"] == "waits_for";
    let reviewed = |run: &Value| run["waits_for_a_person"] == true;
    let of_these = |run: &Value| run["reason"]["tasks"].as_array().is_some_and(|tasks| tasks.iter().all(among));
    open.iter().any(reviewed) && open.iter().all(|run| waits(run) && (reviewed(run) || of_these(run)))
}

/// What is new of a run that waits, or waited: for what, so that nobody waits for it without knowing, and that it began. Places in queues
/// and what is free change all the time: of a run that waits for room that is said once.
fn news(run: &Value, told: &mut BTreeSet<(String, String)>) -> Option<String> {
    let (id, task, why) = (at(run, &["id"]), clean(&at(run, &["task", "task"])), clean(&at(run, &["why"])));
    let task = if task.is_empty() { text::run(&id) } else { task };
    match at(run, &["state"]).as_str() {
        "queued" if run["why"].is_string() => {
            let about = if run["reason"]["code"] == "waits_for_room" { "room".to_owned() } else { why.clone() };
            told.insert((id, about)).then(|| format!("{task}: {why}"))
        }
        "queued" | "placing" => None,
        _ if told.iter().any(|(of, _)| *of == id) => told.insert((id, "begun".to_owned())).then(|| format!("{task}: It has begun.")),
        _ => None,
    }
}

pub(super) async fn runs(client: &Client, run: cli::Run, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match run {
        cli::Run::List { at: place, all, state } => {
            let (value, names) = both(client, "run.list", json!({"project": place.project, "all": all, "state": state}), json).await?;
            output::show(&value, json, |v| show::runs(v, all, &names))?;
        }
        cli::Run::Show { run } => {
            let (value, names) = both(client, "run.show", json!({ "run": run }), json).await?;
            output::show(&value, json, |v| show::run(v, &names))?;
        }
        cli::Run::Logs { run, follow } => return logs(client, &run, follow, json).await,
        cli::Run::Diff { run } => {
            let value = client.call("run.diff", json!({ "run": run })).await?;
            if value["diff"].is_null() && !json {
                output::aside("Nothing of it was saved yet.");
            } else {
                diff(&value, json);
            }
        }
        cli::Run::Send { run, text } => answer(&client.call("run.send", json!({"run": run, "text": text})).await?, json, done),
        cli::Run::Answer { run, option, question } => {
            answer(&client.call("run.answer", json!({"run": run, "option": option, "question": question})).await?, json, done)
        }
        cli::Run::Pause { run } => answer(&client.call("run.pause", json!({ "run": run })).await?, json, done),
        cli::Run::Resume { run } => answer(&client.call("run.resume", json!({ "run": run })).await?, json, done),
        cli::Run::Kept => {
            let value = client.call("run.kept", json!({})).await?;
            answer(&value, json, show::kept);
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
    let mut after = 0;
    if follow {
        tokio::select! {
            done = follow_log(client, &id, &mut after, &print) => done?,
            () = tell_beside(client, &id, json) => {}
        }
        if !json && let Some(how) = ended(&client.call("run.show", json!({ "run": id })).await?, after > 0) {
            output::aside(&how);
        }
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let before = after;
        let whole = log_page(client, &id, &mut after, &print).await?;
        if after == before || output::is_amiss() {
            if after == 0 && whole && !json {
                output::aside("Its log is empty: the run ended before it said anything, or the log went with a disk that was put back.");
            }
            if let Some(whose) = show::away(&shown).filter(|whose| !json && !whole && shown["device"] == whose.device.as_str()) {
                output::aside(&as_far_as_known(&Names::ask(client).await.of(&whose.device), whose.as_of));
            }
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// That a log may go on where its run is: on a device that is away, since a moment.
fn as_far_as_known(device: &str, since: Option<Timestamp>) -> String {
    let since = since.map(|at| format!(" since {}", at.minute())).unwrap_or_default();
    format!("{device} is away{since}: this is the log as far as it is known here. What the run did since is told once that device is back.")
}

/// How a run ended whose log was followed to its end, unless all is well; whether it `spoke`.
fn ended(shown: &Value, spoke: bool) -> Option<String> {
    let (state, why) = (at(shown, &["state"]), clean(&at(shown, &["why"])));
    match spoke {
        true if state == "done" => None,
        true => Some(format!("The run ended: {state}. {why}")),
        false => Some(format!("The run ended before it said anything: {state}. {why}")),
    }
}

/// What a person is told below a list of all projects: which are left out. Scripts ask for the projects themselves.
async fn left_out(client: &Client, project: Option<&str>, json: bool) -> Result<String, Problem> {
    if json || project.is_some() {
        return Ok(String::new());
    }
    let projects = client.call("project.list", json!({})).await?;
    Ok(show::left_out(&serde_json::from_value::<Vec<ProjectView>>(projects).map_err(Problem::internal)?))
}

/// The pause before a log is followed again that broke off, and how often in a row that may fail.
const LOG_PAUSE: Duration = Duration::from_secs(1);
const LOG_TRIES: u32 = 5;

/// How often it is looked where a run is whose log is followed.
const LOG_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells, beside the log of a run and for as long as that is followed, what stands in none: that its device does not answer, and, except
/// in JSON, for what it waits and that it began.
async fn tell_beside(client: &Client, run: &str, json: bool) {
    let (mut told, mut silent) = (BTreeSet::new(), None);
    loop {
        // Where nothing is answered, following the log finds that out, and says so.
        if let Ok(shown) = client.call("run.show", json!({ "run": run })).await {
            if let Some(news) = news(&shown, &mut told).filter(|_| !json) {
                output::aside(&news);
            }
            let away = show::away(&shown).map(|whose| whose.device);
            if let Some(device) = away.as_ref().filter(|_| away != silent) {
                let name = Names::ask(client).await.of(device);
                output::aside(&format!("{name} does not answer now: what the run does there is told once it does."));
            }
            silent = away;
        }
        tokio::time::sleep(LOG_LOOK_EVERY).await;
    }
}

/// Prints the log of a run as it comes, to its end; one that breaks off is followed again.
async fn follow_log(client: &Client, run: &str, after: &mut u64, print: &impl Fn(&Value)) -> Result<(), Problem> {
    let mut failed = 0;
    loop {
        let before = *after;
        let followed = log_stream(client, run, after, print).await;
        if *after > before {
            failed = 0;
        }
        match followed {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(problem) if *after > 0 && problem.passes() && failed < LOG_TRIES => {
                failed += 1;
                if failed == 1 {
                    output::aside(&format!("The log broke off after line {after}; it is followed again."));
                }
            }
            Err(problem) => return Err(problem),
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}

/// Prints a log over one stream; says whether that was all of it, or all that can be written. A stream ends with the log, and breaks with
/// the connection: the log itself says which.
async fn log_stream(client: &Client, run: &str, after: &mut u64, print: &impl Fn(&Value)) -> Result<bool, Problem> {
    let path = format!("/api/v1/run/{run}/log/events?after={after}");
    client
        .follow(&path, |event| {
            print(&event);
            *after = event["seq"].as_u64().unwrap_or(*after);
            !output::is_amiss()
        })
        .await?;
    if output::is_amiss() {
        return Ok(true);
    }
    log_page(client, run, after, print).await
}

/// Prints what a log has after a number; says whether that was all of it.
async fn log_page(client: &Client, run: &str, after: &mut u64, print: &impl Fn(&Value)) -> Result<bool, Problem> {
    let page = client.call("run.logs", json!({"run": run, "after": *after})).await?;
    for line in page["lines"].as_array().into_iter().flatten() {
        print(line);
        *after = line["seq"].as_u64().unwrap_or(*after);
    }
    Ok(page["ended"] == true || output::is_amiss())
}

/// Prints an answer that has a diff.
fn diff(value: &Value, json: bool) {
    if json {
        output::say(&value.to_string());
    } else {
        pager::page(&pager::diff(&at(value, &["diff"])));
    }
}

pub(super) async fn patches(client: &Client, patch: cli::Patch, json: bool) -> Outcome {
    let one = |p: &cli::OnePatch| json!({"project": p.at.project, "patch": p.patch});
    match patch {
        cli::Patch::List { at: place, state } => {
            let (value, names) = both(client, "patch.list", json!({"project": place.project, "state": state}), json).await?;
            let left = left_out(client, place.project.as_deref(), json).await?;
            output::show(&value, json, |v| Ok(show::patches(v, &names)? + &left))?;
        }
        cli::Patch::Show(p) => {
            let (value, names) = both(client, "patch.show", one(&p), json).await?;
            output::show(&value, json, |v| show::patch(v, &names))?;
        }
        cli::Patch::Diff { one: p, revision, since } => {
            let input = json!({"project": p.at.project, "patch": p.patch, "revision": revision, "since": since});
            let value = client.call("patch.diff", input).await?;
            if let (false, Some(note)) = (json, value["note"].as_str()) {
                output::aside(note);
            }
            diff(&value, json);
        }
        cli::Patch::Review { one: p, accept, reject, message, lines, revision } => {
            let verdict = match (accept, reject) {
                (true, _) => "accept",
                (_, true) => "reject",
                _ => "comment",
            };
            let comments = lines.iter().map(|l| line_comment(l)).collect::<Result<Vec<_>, _>>()?;
            let mut input = json!({"project": p.at.project, "patch": p.patch, "verdict": verdict, "summary": message});
            (input["comments"], input["revision"]) = (Value::Array(comments), json!(revision));
            answer(&client.call("patch.review", input).await?, json, |v| at(v, &["message"]));
        }
        cli::Patch::Comment { one: p, message, reply_to } => {
            let input = json!({"project": p.at.project, "patch": p.patch, "body": message, "reply_to": reply_to});
            let value = client.call("patch.comment", input).await?;
            answer(&value, json, |v| format!("Commented on patch {}, as {}.", at(v, &["patch"]), at(v, &["comment"])));
        }
        cli::Patch::Merge { one: p, revision } => {
            let value = merge(client, one(&p), revision, json).await?;
            let names = if json { Names::default() } else { Names::ask(client).await };
            answer(&value, json, |v| show::merged(v, &names));
        }
        cli::Patch::Close(p) => answer(&client.call("patch.close", one(&p)).await?, json, |v| at(v, &["message"])),
        cli::Patch::Reopen(p) => answer(&client.call("patch.reopen", one(&p)).await?, json, |v| at(v, &["message"])),
    }
    Ok(ExitCode::SUCCESS)
}

/// How long a merge may take before it is said where it is, and how often then.
const MERGE_LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it may take to be told that: less than after which the merge itself says that nothing is answered.
const MERGE_LOOK_WAIT: Duration = Duration::from_secs(3);

/// Merges, and says meanwhile what it waits for: other merges of the project, checks.
async fn merge(client: &Client, patch: Value, revision: Option<String>, json: bool) -> Result<Value, Problem> {
    let mut input = patch.clone();
    input["revision"] = json!(revision);
    let mut merged = std::pin::pin!(client.call("patch.merge", input));
    if json {
        return merged.await;
    }
    let mut told = String::new();
    loop {
        let look = async {
            tokio::time::sleep(MERGE_LOOK_EVERY).await;
            let shown = tokio::time::timeout(MERGE_LOOK_WAIT, client.call("patch.show", patch.clone())).await;
            shown.ok().and_then(Result::ok).map(|shown| clean(&at(&shown, &["merging"]))).unwrap_or_default()
        };
        // Side by side: where nothing is answered any more, the merge itself finds that out, and says so once.
        let state = tokio::select! {
            done = &mut merged => return done,
            state = look => state,
        };
        if !state.is_empty() && state != told {
            output::aside(&state);
            told = state;
        }
    }
}

fn line_comment(text: &str) -> Result<Value, Problem> {
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next().and_then(|l| l.parse::<u32>().ok()), parts.next()) {
        (Some(path), Some(line), Some(said)) => Ok(json!({"path": path, "line": line, "text": said})),
        _ => Err(Problem::invalid(format!("“{}” is not a comment on a line.", domain::shown(text))).next("Give it as FILE:LINE:TEXT.")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_follows_a_log_is_told_that_its_run_was_lost() {
        let lost = json!({"state": "lost", "why": "It was lost: Its device was not heard of."});
        let told = ended(&lost, true).unwrap();
        assert!(told.contains("lost. It was lost: Its device was not heard of.") && !told.contains("before"), "{told}");
        let done = json!({"state": "done", "why": "Done."});
        assert_eq!(ended(&done, true), None);
        assert!(ended(&done, false).unwrap().contains("before it said anything: done"));
    }

    #[test]
    fn of_a_log_whose_run_is_on_a_device_that_is_away_it_is_said_how_far_it_goes() {
        let said = as_far_as_known("bobs-box", Some(Timestamp(1_795_737_600_000)));
        assert!(said.starts_with("bobs-box is away since 2026-11-27 00:00 UTC: ") && said.contains("as far as it is known here"), "{said}");
        assert!(as_far_as_known("bobs-box", None).starts_with("bobs-box is away: "));
    }

    #[test]
    fn only_what_waits_for_a_person_is_waited_for_no_longer() {
        let run = |task: &str, on: &str| json!({"task": {"task": task}, "state": "queued", "reason": {"code": "waits_for", "tasks": [on]}});
        let (mut reviewed, behind) = (run("T002", "T001"), run("T003", "T002"));
        reviewed["waits_for_a_person"] = json!(true);
        assert!(wait_for_a_person(&[reviewed.clone(), behind.clone()]));
        assert!(!wait_for_a_person(std::slice::from_ref(&behind)), "another's work goes on");
        assert!(!wait_for_a_person(&[reviewed, json!({"task": {"task": "T004"}, "state": "working"})]));
        assert!(!wait_for_a_person(&[]));
    }

    #[test]
    fn a_run_that_waits_for_room_says_so_once_and_then_that_it_began() {
        let task = json!({"task": "T001"});
        let run =
            |state: &str, code: &str, why: &str| json!({"id": "r1", "task": task, "state": state, "reason": {"code": code}, "why": why});
        let waits = |n: u32| run("queued", "waits_for_room", &format!("It waits for room: The run is {n}th of 9 in its queue."));
        let mut told = BTreeSet::new();
        let mut said = |run: Value| news(&run, &mut told).unwrap_or_default();
        assert_eq!(said(run("working", "", "")), "", "it never waited");
        assert!(said(waits(9)).starts_with("T001: It waits for room"));
        assert_eq!([said(waits(8)), said(run("placing", "", "")), said(waits(7))], [""; 3]);
        assert_eq!(said(run("queued", "waits_for", "It waits for T000.")), "T001: It waits for T000.");
        assert_eq!(said(run("queued", "waits_for", "It waits for T000.")), "");
        assert_eq!([said(run("starting", "", "")), said(run("working", "", ""))], ["T001: It has begun.", ""]);
    }

    #[test]
    fn a_tag_is_a_name_and_one_value() {
        let of = |typed: &[&str]| tags_of(&typed.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).map(|tags| tags.len());
        assert_eq!(of(&["gpu:true", "region=eu"]).unwrap(), 2);
        let twice = of(&["a=1", "a=2"]).unwrap_err();
        assert!(twice.what.contains("a:1 and a:2"), "{twice}");
        for problem in [twice, of(&["gpu"]).unwrap_err()] {
            assert!(problem.next.is_some_and(|next| next.contains("gpu:true")));
        }
    }
}
