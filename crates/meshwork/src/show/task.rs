//! Tasks, for people.

use super::{Names, patch, run, typed, typed_at};
use crate::{
    output::notes,
    paint::{Sheet, Tone, cell, table, toned},
    text::{self, ago, clean, cores, size},
};
use domain::{
    Problem, TaskId, TaskRef,
    capacity::Resources,
    picture::Rival,
    run::Run,
    task::{TaskState, TaskView, named},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A list of tasks.
pub(crate) fn tasks(value: &Value, names: &Names) -> Result<String, Problem> {
    let tasks: Vec<TaskView> = typed(value)?;
    let several = tasks.iter().any(|t| t.at.project != tasks[0].at.project);
    let row = |t: &TaskView| {
        let by = match &t.state {
            TaskState::Running { run, .. } | TaskState::Failed { run, .. } => format!("run {}", text::run(run.as_str())),
            TaskState::InReview { patch } | TaskState::ChangesRequested { patch } => format!("patch {}", text::oid(patch.as_str())),
            _ => String::new(),
        };
        let place = match &t.whose {
            Some(whose) if whose.removed => "on a device that was removed",
            Some(whose) if !whose.reachable && whose.halted.is_some() => "on another device that is away by a stop order",
            Some(whose) if !whose.reachable => "on another device that is away",
            Some(_) => "on another device",
            None => "",
        };
        let rivals = if t.rivals.is_empty() { String::new() } else { format!("{} rivals", t.rivals.len()) };
        let by = [by.as_str(), place, rivals.as_str()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let after = if t.task.done { String::new() } else { named(&t.task.depends_on) };
        let state = toned(tone(&t.state), t.state.label());
        let feature = if several { format!("{}/{}", t.at.project, t.at.feature) } else { t.at.feature.to_string() };
        vec![cell(t.at.task.as_str()), cell(feature), state, cell(after), cell(by), cell(clean(&t.task.title))]
    };
    let rows: Vec<_> = tasks.iter().map(row).collect();
    Ok(match rows.is_empty() {
        true => "There are no tasks: meshwork task add writes one; meshwork project show says what is wrong with their files.".into(),
        false => table(&["TASK", "FEATURE", "STATE", "AFTER", "AT", "TITLE"], &rows) + &queued(&tasks, names),
    })
}

/// Why runs in the queue do not start: each reason once, with the tasks that it keeps.
fn queued(tasks: &[TaskView], names: &Names) -> String {
    let mut kept: BTreeMap<String, Vec<TaskId>> = BTreeMap::new();
    for view in tasks {
        if let TaskState::Running { waits: Some(reason), .. } = &view.state {
            kept.entry(clean(&names.within(&reason.text()))).or_default().push(view.at.task.clone());
        }
    }
    kept.iter().map(|(why, ids)| format!("\nnote: {}: {why}", named(ids))).collect()
}

/// One task.
pub(crate) fn task(value: &Value, names: &Names) -> Result<String, Problem> {
    let view: TaskView = typed(value)?;
    let runs: Vec<Run> = typed_at(value, "runs")?;
    let now = text::now();
    let row = |r: &Run| {
        let why = r.why().map(|why| names.within(&clean(&why))).unwrap_or_default();
        let agent = r.agent.as_ref().map(|a| a.as_str().to_owned()).unwrap_or_default();
        let patch = r.patch.as_ref().map(|patch| text::oid(patch.as_str())).unwrap_or_default();
        let (began, took) = (cell(ago(r.queued_at, now)), cell(run::took(r, now)));
        let device = cell(r.place().map(|did| names.of(did)).unwrap_or_default());
        vec![cell(text::run(r.id.as_str())), cell(agent), run::state(r), device, began, took, cell(patch), cell(why)]
    };
    let runs = table(&["RUN", "AGENT", "STATE", "DEVICE", "BEGAN", "TOOK", "PATCH", "WHY"], &runs.iter().map(row).collect::<Vec<_>>());
    let sheet = Sheet::new(format!("{} {}", view.at.task, clean(&view.task.title)))
        .part("state", crate::paint::paint(tone(&view.state), view.state.label()))
        .part("why", names.within(&clean(value["why"].as_str().unwrap_or_default())))
        .part("claimed by", view.whose.as_ref().map(|whose| names.of(&whose.device)).unwrap_or_default())
        .part("in", format!("{} {}", view.at.project, view.at.feature))
        .part("phase", clean(&view.task.phase))
        .part("story", view.task.story.as_deref().map(clean).unwrap_or_default())
        .part("after", ids(&view.task.depends_on))
        .part("line", format!("specs/{}/tasks.md:{}", view.at.feature, view.task.line))
        .section("Details", text::clean_lines(&view.task.details))
        .section("Runs", runs)
        .section("Rivals: at most one of these patches is accepted", rivals(&view.rivals, names));
    Ok(sheet.text())
}

/// Patches of one task by several devices.
pub(crate) fn rivals(rivals: &[Rival], names: &Names) -> String {
    let now = text::now();
    let row = |r: &Rival| {
        let by = r.member.as_ref().map(|member| names.of(member)).unwrap_or_default();
        let known = match &r.whose {
            Some(whose) if whose.removed => "its device was removed".to_owned(),
            Some(whose) if !whose.reachable => whose.as_of.map_or_else(|| "away".to_owned(), |at| format!("away, known {}", ago(at, now))),
            _ => String::new(),
        };
        let said = match (&r.merged_by, r.taken_over) {
            (Some(by), _) => format!("picked by {}", names.of(by)),
            (None, true) => "its task was taken over".to_owned(),
            (None, false) => String::new(),
        };
        let said = [said, known].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        let run = r.run.as_ref().map(|run| text::run(run.as_str())).unwrap_or_default();
        let state = toned(patch::tone(r.standing), r.standing.label());
        vec![cell(text::oid(r.patch.as_str())), state, cell(names.of(&r.device)), cell(by), cell(run), cell(said)]
    };
    match rivals.is_empty() {
        true => String::new(),
        false => table(&["PATCH", "STATE", "DEVICE", "FOR", "RUN", ""], &rivals.iter().map(row).collect::<Vec<_>>()),
    }
}

/// Where a task runs, or would, and why there.
pub(crate) fn why(value: &Value, names: &Names) -> Result<String, Problem> {
    let text = |v: &Value| clean(v.as_str().unwrap_or_default());
    let tags: BTreeMap<String, String> = typed_at(value, "tags")?;
    let needs: Resources = typed_at(value, "resources")?;
    let at: TaskRef = typed_at(value, "task")?;
    let row = |device: &Value| {
        let (state, tone) = stands(value, device);
        let score = device["score"].as_i64().filter(|score| *score > 0).map(|score| score.to_string()).unwrap_or_default();
        vec![cell(text(&device["name"])), cell(text(&device["owner"])), toned(tone, state), cell(score), cell(text(&device["why"]))]
    };
    let rows: Vec<_> = value["devices"].as_array().into_iter().flatten().map(row).collect();
    let tags: Vec<_> = tags.iter().map(|(tag, value)| clean(&format!("{tag}:{value}"))).collect();
    let needs = format!("{}, {} of memory, {} of disk", cores(needs.cpu_milli), size(needs.memory_bytes), size(needs.disk_bytes));
    let sheet = Sheet::new(format!("{} in {}", at.task, at.project))
        .part("run", value["run"].as_str().map(text::run).unwrap_or_default())
        .part("why", text(&value["why"]))
        .part("needs", needs)
        .part("tags", tags.join(", "))
        .section("Devices, as things are now", table(&["DEVICE", "OWNER", "", "POINTS", "WHY"], &rows))
        .section("Rivals: at most one of these patches is accepted", rivals(&typed_at::<Vec<Rival>>(value, "rivals")?, names));
    Ok(sheet.text())
}

/// What a device is to the run: until it has taken it, it is merely asked, or was.
fn stands(value: &Value, device: &Value) -> (String, Tone) {
    let named = device["device"] == value["device"];
    match (value["state"].as_str(), device["place"].as_u64()) {
        (Some("placing"), _) if named => ("is asked".to_owned(), Tone::Busy),
        (state, _) if named && state != Some("queued") => ("has it".to_owned(), Tone::Busy),
        (_, Some(place)) => (format!("number {place}"), Tone::Good),
        (_, None) => ("cannot".to_owned(), Tone::Quiet),
    }
}

/// What was started, and what could not be.
pub(crate) fn started(value: &Value) -> String {
    let text = |v: &Value| v.as_str().map(str::to_owned).unwrap_or_default();
    let runs = value["runs"].as_array().into_iter().flatten();
    let rows: Vec<_> = runs.map(|r| vec![cell(text(&r["task"])), cell(text::run(&text(&r["run"])))]).collect();
    let table = if rows.is_empty() { "Nothing was started.".into() } else { table(&["TASK", "RUN"], &rows) };
    table + &notes(&value["skipped"]) + &notes(&value["notices"])
}

fn ids(ids: &[TaskId]) -> String {
    ids.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ")
}

fn tone(state: &TaskState) -> Tone {
    match state {
        TaskState::Ready => Tone::Plain,
        TaskState::Waiting { .. } | TaskState::Running { waits: Some(_), .. } | TaskState::Rejected { .. } => Tone::Quiet,
        TaskState::Running { .. } => Tone::Busy,
        TaskState::Failed { .. } if state.stopped() => Tone::Quiet,
        TaskState::Failed { .. } => Tone::Bad,
        TaskState::InReview { .. } | TaskState::ChangesRequested { .. } => Tone::Waits,
        TaskState::Merged { .. } | TaskState::Done => Tone::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_device_has_a_run_once_it_has_taken_it() {
        let said = |state: &str| stands(&json!({"device": "box", "state": state}), &json!({"device": "box"})).0;
        assert_eq!(["queued", "placing", "working"].map(said), ["cannot", "is asked", "has it"]);
        assert_eq!(stands(&json!({}), &json!({"device": "box", "place": 1})).0, "number 1");
    }
}
