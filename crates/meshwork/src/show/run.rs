//! Runs, for people.

use super::{Names, as_of, known_from, typed};
use crate::{
    output::at,
    paint::{Cell, Sheet, Tone, cell, paint, table, toned},
    text::{self, ago, clean, span},
};
use domain::{
    Problem, Timestamp,
    manifest::Class,
    run::{CheckResult, Reason, Run, RunState, Stands},
    usage::Budget,
};
use serde_json::Value;

/// A list of runs.
pub(crate) fn runs(value: &Value, all: bool, names: &Names) -> Result<String, Problem> {
    let runs: Vec<Run> = typed(value)?;
    let now = text::now();
    let row = |(r, item): (&Run, &Value)| {
        let device = r.place().map(|did| names.of(did)).unwrap_or_default();
        let (began, took) = (ago(r.queued_at, now), took(r, now));
        let mut row = vec![cell(text::run(r.id.as_str())), cell(about(r)), state(r), cell(device), cell(began), cell(took)];
        if all {
            row.insert(1, cell(class(r.class)));
        }
        row.push(cell(why(r, item, names)));
        row
    };
    let rows: Vec<_> = runs.iter().zip(value.as_array().into_iter().flatten()).map(row).collect();
    let headings: &[&str] = match all {
        true => &["RUN", "CLASS", "TASK", "STATE", "DEVICE", "BEGAN", "TOOK", "WHY"],
        false => &["RUN", "TASK", "STATE", "DEVICE", "BEGAN", "TOOK", "WHY"],
    };
    Ok(if rows.is_empty() { "There are no such runs: meshwork task run starts one.".into() } else { table(headings, &rows) })
}

/// Runs that were waited for.
pub(crate) fn waited(value: &Value, names: &Names) -> Result<String, Problem> {
    let runs: Vec<Run> = typed(value)?;
    let row = |(r, item): (&Run, &Value)| {
        let patch = r.patch.as_ref().map(|p| text::oid(p.as_str())).unwrap_or_default();
        vec![cell(about(r)), cell(text::run(r.id.as_str())), state(r), cell(patch), cell(why(r, item, names))]
    };
    let rows: Vec<_> = runs.iter().zip(value.as_array().into_iter().flatten()).map(row).collect();
    Ok(table(&["TASK", "RUN", "STATE", "PATCH", "WHY"], &rows))
}

/// Folders of runs that are kept.
pub(crate) fn kept(value: &Value) -> String {
    let row = |k: &Value| {
        let size = text::size(k["bytes"].as_u64().unwrap_or(0));
        vec![cell(text::run(&at(k, &["run"]))), cell(at(k, &["task", "task"])), cell(size), cell(clean(&at(k, &["path"])))]
    };
    let rows: Vec<_> = value.as_array().into_iter().flatten().map(row).collect();
    match rows.is_empty() {
        true => "Nothing is kept on this device: all that runs made here is in commits and checkpoints.".into(),
        false => table(&["RUN", "TASK", "SIZE", "FOLDER"], &rows),
    }
}

/// One run.
pub(crate) fn run(value: &Value, names: &Names) -> Result<String, Problem> {
    let run: Run = typed(value)?;
    let now = text::now();
    let lit = |cell: Cell| table(&[""], &[vec![cell]]).trim_start().to_owned();
    let short = |oid: &Option<domain::Oid>| oid.as_ref().map(|o| text::oid(o.as_str())).unwrap_or_default();
    let budget: Option<Budget> = typed(&value["budget"])?;
    let questions: Vec<_> = run
        .questions
        .iter()
        .map(|q| {
            let answers: Vec<_> = q.options.iter().map(|o| clean(&o.id)).collect();
            format!("{}\n  meshwork run answer {} allow|deny   ({})", clean(&q.title), text::run(run.id.as_str()), answers.join(", "))
        })
        .collect();
    let judges = run.subject.as_ref().map(|s| format!("the work of run {}", text::run(s.as_str()))).unwrap_or_default();
    let sheet = Sheet::new(format!("Run {}", run.id))
        .part("state", lit(state(&run)))
        .part("why", names.within(&clean(value["why"].as_str().unwrap_or_default())))
        .part("task", run.task.as_ref().map(ToString::to_string).unwrap_or_default())
        .part("checks", judges)
        .part("project", run.project.as_str())
        .part("agent", run.agent.as_ref().map(|a| a.as_str().to_owned()).unwrap_or_default())
        .part("for", names.of(&run.member))
        .part("on", run.place().map(|d| names.of(d)).unwrap_or_default())
        .part("priority", if run.priority.is_normal() { "" } else { run.priority.text() })
        .part("apart from", run.apart.as_ref().map(|apart| text::run(apart.run.as_str())).unwrap_or_default())
        .part("as of", run.told.as_ref().map(|told| ago(told.heard_at, now)).unwrap_or_default())
        .part("known from", known_from(value, names)?)
        .part("queued", ago(run.queued_at, now))
        .part("took", took(&run, now))
        .part("goes on from", goes_on_from(&run, names))
        .part("left behind", run.left.as_ref().map(|left| names.within(&clean(&left.text(run.from.as_ref())))).unwrap_or_default())
        .part("base", short(&run.base))
        .part("checkpoint", short(&run.checkpoint))
        .part("commit", short(&run.commit))
        .part("patch", run.patch.as_ref().map(|p| text::oid(p.as_str())).unwrap_or_default())
        .part("used", used(&run))
        .part("of", budget.filter(|_| run.usage.calls > 0).map(of).unwrap_or_default())
        .section("It asks", questions.join("\n"))
        .section("Messages that the agent did not get", undelivered(value))
        .section("What its commit does not say", run.notes.iter().map(|n| clean(n)).collect::<Vec<_>>().join("\n"))
        .section("In no commit of the run", left_out(&run, value, names))
        .section("Checks that count", checks(&run.checks))
        .section("The sandbox stopped", run.violations.iter().map(|v| clean(v)).collect::<Vec<_>>().join("\n"));
    Ok(sheet.text())
}

/// The run before, and which of its saved work this one began with.
fn goes_on_from(run: &Run, names: &Names) -> String {
    match (&run.from, &run.continues) {
        (Some(from), _) => {
            let (before, commit) = (text::run(from.run.as_str()), text::oid(from.commit.as_str()));
            format!("{before}, its checkpoint {commit} of {}", names.of(&from.device))
        }
        (None, Some(before)) => text::run(before.as_str()),
        (None, None) => String::new(),
    }
}

fn used(run: &Run) -> String {
    let usage = &run.usage;
    if usage.calls == 0 {
        return String::new();
    }
    let cost = match (usage.unpriced_calls, usage.cost.is_zero()) {
        (0, false) => format!(", {} of money", usage.cost),
        (0, true) => String::new(),
        (calls, true) => format!(", {calls} calls of a price that is not known"),
        (calls, false) => format!(", {} of money and {calls} calls of a price that is not known", usage.cost),
    };
    format!(
        "{} model calls, {} tokens in ({} cached), {} out{cost}",
        text::number(usage.calls),
        text::number(usage.input_tokens),
        text::number(usage.cached_tokens),
        text::number(usage.output_tokens)
    )
}

fn of(budget: Budget) -> String {
    let money = budget.money.map(|money| format!(", {money} of money")).unwrap_or_default();
    format!("{} calls, {} tokens{money}", text::number(budget.calls), text::number(budget.tokens))
}

fn undelivered(value: &Value) -> String {
    let message = |m: &Value| {
        let why = m["why"].as_str().map(|w| format!(" ({})", clean(w))).unwrap_or_default();
        format!("“{}”{why}", clean(&at(m, &["text"])))
    };
    value["undelivered"].as_array().into_iter().flatten().map(message).collect::<Vec<_>>().join("\n")
}

/// Files that are in no commit, and where they are kept; or that they are not here, be it that the folder was removed by hand.
fn left_out(run: &Run, value: &Value, names: &Names) -> String {
    let Some(left) = &run.kept else { return String::new() };
    let mut lines: Vec<String> = left.files.iter().map(|f| clean(f)).collect();
    if left.more > 0 {
        lines.push(format!("and {} more", text::number(left.more)));
    }
    if let Some(folder) = value["kept_in"].as_str() {
        lines.push(format!("kept in {}; meshwork run drop {} removes it", clean(folder), text::run(run.id.as_str())));
    } else if let Some(place) = run.place().filter(|_| run.state.ended()) {
        lines.push(format!("in no folder of this device now; the run worked on {}", names.of(place)));
    }
    lines.join("\n")
}

/// Results of checks; the end of the output of those that failed.
pub(super) fn checks(results: &[CheckResult]) -> String {
    let row = |c: &CheckResult| {
        let verdict = if c.passed { toned(Tone::Good, "passed") } else { toned(Tone::Bad, "FAILED") };
        vec![cell(clean(&c.name)), verdict, cell(span(c.duration_ms))]
    };
    let mut out = table(&["CHECK", "RESULT", "TOOK"], &results.iter().map(row).collect::<Vec<_>>());
    for check in results.iter().filter(|c| !c.passed && !c.tail.is_empty()) {
        out.push_str(&format!(
            "\n{}\n{}",
            paint(Tone::Quiet, &format!("the end of {}:", clean(&check.name))),
            text::clean_lines(&check.tail)
        ));
    }
    out
}

/// Where a run is: also what the states do not say by themselves, that it is frozen or asks somebody.
pub(super) fn state(run: &Run) -> Cell {
    let (tone, word) = stands(run);
    toned(tone, word)
}

/// Where it stands, in a word, and its colour: as the dashboard has them.
fn stands(run: &Run) -> (Tone, String) {
    let (stands, red) = (run.stands(), run.class == Class::Ci && run.checks.iter().any(|check| !check.passed));
    let tone = match run.state {
        _ if stands == Stands::Halted => return (Tone::Waits, "halted".into()),
        _ if stands == Stands::Ending => return (Tone::Bad, "ending".into()),
        _ if !run.questions.is_empty() => return (Tone::Waits, "asks you".into()),
        _ if stands == Stands::Paused => return (Tone::Waits, "paused".into()),
        _ if stands == Stands::Frozen => return (Tone::Waits, "frozen".into()),
        // Its work is done when the checks have run, whatever they say.
        RunState::Done if red => return (Tone::Bad, "checks failed".into()),
        RunState::Done => Tone::Good,
        RunState::Failed | RunState::Lost => Tone::Bad,
        RunState::Evicted => Tone::Waits,
        RunState::Cancelled => Tone::Quiet,
        RunState::Queued | RunState::Placing => Tone::Plain,
        _ => Tone::Busy,
    };
    (tone, format!("{:?}", run.state).to_lowercase())
}

/// What it is for: its task and agent, or checks.
fn about(run: &Run) -> String {
    match (&run.task, &run.agent) {
        (Some(task), Some(agent)) => format!("{} by {agent}", task.task),
        (Some(task), None) => task.task.to_string(),
        _ => format!("checks of {}", run.project),
    }
}

pub(super) fn class(class: Class) -> String {
    format!("{class:?}").to_lowercase()
}

/// How long it took, or takes; nothing where it takes no more, and it is not known since when.
pub(super) fn took(run: &Run, now: Timestamp) -> String {
    let Some(started) = run.started_at.filter(|_| run.stands() != Stands::Ending) else { return String::new() };
    span(u64::try_from(run.ended_at.unwrap_or(now).0.saturating_sub(started.0)).unwrap_or(0))
}

/// Why it is where it is: in the words of the answer, which has names.
fn why(run: &Run, item: &Value, names: &Names) -> String {
    let frozen = run.paused || (run.paused_by.is_some() && !run.state.ended());
    let stopped = matches!(run.ending, Some(Reason::Stopped { .. }));
    let silent = matches!(run.reason, Some(Reason::Completed) | None) && run.checks.iter().all(|c| c.passed);
    let well = silent && !frozen && !stopped;
    let why = match run.questions.first() {
        Some(question) => format!("{} (meshwork run answer)", clean(&question.title)),
        None if well => String::new(),
        None => item["why"].as_str().map_or_else(|| run.why().map(|why| clean(&why)).unwrap_or_default(), clean),
    };
    let known: Vec<String> = [why, as_of(item, names)].into_iter().filter(|part| !part.is_empty()).collect();
    known.join("; ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_run_on_a_device_that_is_away_it_is_said_as_of_when_it_is_known() {
        let key = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi";
        let mut item = json!({
            "id": "01JZZZZZZZZZZZZZZZZZWRK001", "class": "agent", "project": "demo", "member": key, "requester": key, "device": key,
            "state": "working", "queued_at": 1, "away": {"device": key, "as_of": text::now().0 - 180_000, "reachable": false},
        });
        let names = Names([(key.to_owned(), "bobs-box".to_owned())].into());
        let table = runs(&json!([item]), false, &names).unwrap();
        assert!(table.contains("DEVICE") && table.contains("as of 3 min ago, bobs-box is away"), "{table}");
        assert!(!table.contains("waited") && !table.contains("stop order"), "{table}");
        item["away"]["until"] = json!(text::now().0 + 1_620_000);
        let table = runs(&json!([item]), false, &names).unwrap();
        assert!(table.contains("bobs-box is away; waited for until") && table.contains("in 27 minutes"), "{table}");
        item["away"]["halted"] = json!("the device bobs-box");
        let table = runs(&json!([item]), false, &names).unwrap();
        assert!(table.contains("bobs-box is cut off: a stop order halts the device bobs-box"), "{table}");
        item["away"] = Value::Null;
        let table = runs(&json!([item]), false, &names).unwrap();
        assert!(table.contains("bobs-box") && !table.contains("away"), "{table}");
    }

    #[test]
    fn a_run_whose_end_could_not_be_written_does_not_look_as_if_it_worked() {
        let key = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi";
        let mut item = json!({
            "id": "01JZZZZZZZZZZZZZZZZZWRK001", "class": "agent", "project": "demo", "member": key, "requester": key, "device": key,
            "state": "working", "queued_at": 1, "started_at": 1,
        });
        let works: Run = typed(&item).unwrap();
        assert!(stands(&works) == (Tone::Busy, "working".into()) && !took(&works, Timestamp(60_001)).is_empty());
        item["reason"] = json!({"code": "end_unwritten", "device": key, "message": "The disk is full."});
        let over: Run = typed(&item).unwrap();
        assert!(stands(&over) == (Tone::Bad, "ending".into()) && took(&over, Timestamp(60_001)).is_empty());
        assert!(runs(&json!([item]), false, &Names::default()).unwrap().contains("The disk is full."));
    }

    #[test]
    fn what_is_frozen_for_its_device_is_not_called_paused_and_either_says_why() {
        let key = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi";
        let mut item = json!({
            "id": "01JZZZZZZZZZZZZZZZZZWRK001", "class": "agent", "project": "demo", "member": key, "requester": key, "device": key,
            "state": "working", "queued_at": 1, "paused": true,
        });
        let table = runs(&json!([item]), false, &Names::default()).unwrap();
        assert!(table.contains("frozen") && table.contains("its device wants its room") && !table.contains("paused"), "{table}");
        item["paused_by"] = json!(key);
        let table = runs(&json!([item]), false, &Names::default()).unwrap();
        assert!(table.contains("paused") && table.contains("meshwork run resume") && !table.contains("frozen"), "{table}");
        item["reason"] = json!({"code": "halted", "by": key, "what": "the agent slow", "why": "Wait."});
        let table = runs(&json!([item]), false, &Names::default()).unwrap();
        assert!(table.contains("halted") && table.contains("meshwork run resume"), "both: {table}");
    }

    #[test]
    fn of_files_that_are_in_no_commit_it_is_said_where_they_are_and_that_they_are_not_here() {
        let key = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi";
        let mut item = json!({
            "id": "01JZZZZZZZZZZZZZZZZZWRK001", "class": "agent", "project": "demo", "member": key, "requester": key, "device": key,
            "state": "done", "queued_at": 1, "kept": {"files": ["build/"], "more": 0}, "kept_in": "/kept/there",
        });
        let names = Names([(key.to_owned(), "bobs-box".to_owned())].into());
        let said = run(&item, &names).unwrap();
        assert!(said.contains("build/") && said.contains("kept in /kept/there") && !said.contains("no folder"), "{said}");
        item["kept_in"] = Value::Null;
        let said = run(&item, &names).unwrap();
        assert!(said.contains("in no folder of this device now; the run worked on bobs-box"), "{said}");
    }

    #[test]
    fn of_a_device_that_was_removed_it_is_not_said_that_it_is_away() {
        let key = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi";
        let item = json!({
            "id": "01JZZZZZZZZZZZZZZZZZWRK001", "class": "agent", "project": "demo", "member": key, "requester": key, "device": key,
            "state": "lost", "queued_at": 1, "whose": {"device": key, "as_of": 1, "reachable": false, "removed": true},
        });
        let names = Names([(key.to_owned(), "bobs-box (removed)".to_owned())].into());
        let table = runs(&json!([item]), false, &names).unwrap();
        assert!(table.contains("bobs-box (removed)") && !table.contains("away") && !table.contains("as of"), "{table}");
    }

    #[test]
    fn a_run_that_is_done_and_whose_checks_failed_does_not_look_like_success() {
        let key = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi";
        let mut item = json!({
            "id": "01JZZZZZZZZZZZZZZZZZWRK001", "class": "agent", "project": "demo", "member": key, "requester": key, "device": key,
            "state": "done", "reason": {"code": "completed"}, "queued_at": 1,
            "checks": [{"name": "fmt", "passed": true, "duration_ms": 1}, {"name": "cargo test", "passed": false, "duration_ms": 1}],
        });
        let said = "Its checks failed: “cargo test”.";
        for table in [runs(&json!([item]), false, &Names::default()), waited(&json!([item]), &Names::default())] {
            assert!(table.as_ref().is_ok_and(|table| table.contains(said)), "{table:?}");
        }
        let mut ran: Run = typed(&item).unwrap();
        assert_eq!(stands(&ran), (Tone::Good, "done".into()), "its work is done, and the patch says what its checks say");
        ran.class = Class::Ci;
        assert_eq!(stands(&ran), (Tone::Bad, "checks failed".into()));
        for (state, tone) in [(RunState::Evicted, Tone::Waits), (RunState::Lost, Tone::Bad), (RunState::Cancelled, Tone::Quiet)] {
            ran.state = state;
            assert_eq!(stands(&ran).0, tone, "{state:?}");
        }
        item["checks"][1]["passed"] = json!(true);
        assert!(!runs(&json!([item]), false, &Names::default()).unwrap().contains("failed"));
        item["ending"] = json!({"code": "stopped", "by": key});
        assert!(runs(&json!([item]), false, &Names::default()).unwrap().contains("done before the stop reached it"));
    }
}
