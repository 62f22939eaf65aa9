//! Sentences that want something changed: which actions they come to. Nothing is done here.

use super::{
    answer::{Choice, CommandItem, short_patch, short_run},
    pattern::Slot,
    plan::{Plan, Planned},
    resolve::{Asked, InFeature, Place, Trouble},
    world::World,
};
use domain::{
    AgentName, Did, Problem,
    patch::Verdict,
    run::{Run, RunState},
    task::TaskView,
};
use serde_json::{Value, json};

/// Give tasks to an agent.
pub(super) fn run(asked: &Asked<'_>) -> Planned {
    let (tasks, place) = (asked.tasks_that(World::may_run)?, asked.place()?);
    let agent = match (asked.agent()?, asked.world.agents.as_slice()) {
        (Some(agent), _) => Some(agent),
        (None, several) if several.len() > 1 => {
            let choice = |a: &domain::AgentName| Choice {
                sentence: format!("{} with {a}", asked.text.all.trim_end_matches(['.', '!', '?', ' '])),
                label: format!("with {a}"),
            };
            return Err(Trouble::Which("Which agent is to do it?".into(), several.iter().map(choice).collect()));
        }
        (None, _) => None,
    };
    let mut groups: Vec<(InFeature, Vec<&TaskView>)> = Vec::new();
    for task in tasks {
        let key = (task.at.project.clone(), task.at.feature.clone());
        match groups.iter_mut().find(|(at, _)| *at == key) {
            Some((_, group)) => group.push(task),
            None => groups.push((key, vec![task])),
        }
    }
    let change = |((project, feature), tasks): ((domain::ProjectName, domain::FeatureId), Vec<&TaskView>)| {
        let ids: Vec<_> = tasks.iter().map(|t| &t.at.task).collect();
        let mut input = json!({"project": project, "feature": feature, "tasks": ids, "agent": agent});
        match &place {
            Some(Place::Device(did)) => input["on"] = json!(asked.world.device_name(did)),
            Some(Place::Tags(tags)) => input["tags"] = tags.iter().map(|(tag, value)| (tag.clone(), json!(value))).collect(),
            None => {}
        }
        ("task.run", input)
    };
    Plan::changes("Give tasks to an agent.", groups.into_iter().map(change).collect())
}

/// End runs.
pub(super) fn stop(asked: &Asked<'_>) -> Planned {
    steer(asked, "run.stop", "end", |r| !r.state.ended())
}

/// End what an agent does. Of several runs it is asked which; where there is none, halting the agent is offered.
pub(super) fn stop_agent(asked: &Asked<'_>) -> Planned {
    let agent = named_agent(asked)?;
    let place = device(asked)?;
    let there = place.as_ref().map_or_else(String::new, |did| format!(" on {}", asked.world.device_name(did)));
    let runs: Vec<&Run> = asked.world.live().filter(|r| r.agent.as_ref() == Some(&agent) && on(place.as_ref(), r)).collect();
    let choice = |sentence: String, label: String| Choice { sentence, label };
    match runs.as_slice() {
        [] => Err(Trouble::Which(
            format!("{agent} runs nothing now{there}. Is it to be halted on every device, until that is lifted?"),
            vec![choice(format!("halt {agent}: it was told to stop"), format!("halt {agent}"))],
        )),
        [one] => Plan::changes("End a run.", vec![("run.stop", json!({"run": one.id}))]),
        several => {
            let all = choice(format!("stop all runs of {agent}{there}"), format!("all {}", several.len()));
            let each = several.iter().map(|r| choice(format!("stop run {}", r.id), CommandItem::run(r).label));
            let choices = std::iter::once(all).chain(each).take(crate::limits::CHOICES_MAX).collect();
            Err(Trouble::Which(format!("{agent} works at {} runs. Which are to end?", several.len()), choices))
        }
    }
}

/// Halt an agent everywhere.
pub(super) fn halt(asked: &Asked<'_>) -> Planned {
    let agent = named_agent(asked)?;
    let why = asked.free_text().ok_or_else(|| {
        Problem::invalid("A stop order says why: everybody who waits is shown it.")
            .next(format!("Write it behind a colon: halt {agent}: it goes in circles."))
    })?;
    Plan::changes("Halt an agent.", vec![("stop.order", json!({"agent": agent, "why": why}))])
}

fn named_agent(asked: &Asked<'_>) -> Result<AgentName, Trouble> {
    let none = || Problem::invalid("It is not said which agent.").next("“show agents” lists them.");
    Ok(asked.agent()?.ok_or_else(none)?)
}

/// The device that a sentence names.
fn device(asked: &Asked<'_>) -> Result<Option<Did>, Trouble> {
    match asked.place()? {
        Some(Place::Device(did)) => Ok(Some(did)),
        Some(Place::Tags(_)) => {
            Err(Problem::invalid("Runs are named by their device here, not by tags.").next("Say “on” and the device's name.").into())
        }
        None => Ok(None),
    }
}

/// Whether a run is on this device, where one is named.
fn on(place: Option<&Did>, run: &Run) -> bool {
    place.is_none_or(|did| run.device.as_ref() == Some(did))
}

/// Freeze runs.
pub(super) fn pause(asked: &Asked<'_>) -> Planned {
    steer(asked, "run.pause", "pause", |r| r.state == RunState::Working && !r.paused)
}

/// Let runs go on.
pub(super) fn resume(asked: &Asked<'_>) -> Planned {
    steer(asked, "run.resume", "resume", |r| r.paused && !r.state.ended())
}

pub(super) fn steer(asked: &Asked<'_>, action: &'static str, verb: &str, fits: impl Fn(&Run) -> bool) -> Planned {
    let (place, agent) = (device(asked)?, asked.agent()?);
    let of = |r: &Run| agent.is_none() || r.agent == agent;
    let runs = if asked.fit.piece(Slot::Runs).is_some() { asked.runs()? } else { asked.world.live().collect() };
    let named = runs.len();
    let chosen: Vec<&Run> = runs.iter().filter(|r| fits(r) && of(r) && on(place.as_ref(), r)).copied().collect();
    if chosen.is_empty() {
        let where_ = place.map_or_else(String::new, |did| format!(" on {}", asked.world.device_name(&did)));
        let which = match runs.as_slice() {
            [one] => format!("The run {} is {}.", short_run(one), super::answer::state(one)),
            _ if named == 0 => "Nothing runs now.".into(),
            _ => format!("None of those {named} runs is in a state for it."),
        };
        return Err(Problem::conflict(format!("There is nothing to {verb}{where_}."))
            .because(which)
            .next("“what is running?” tells what there is.")
            .into());
    }
    Plan::changes(format!("{} runs.", super::answer::capital(verb)), chosen.into_iter().map(|r| (action, json!({"run": r.id}))).collect())
}

/// Tell the agent of a run something.
pub(super) fn send(asked: &Asked<'_>) -> Planned {
    let run = asked.run()?.ok_or_else(|| Problem::invalid("It is not said to which run.").next("As: send to run 1AB2CD: mind the gap."))?;
    said_to(run, &message(asked)?)
}

/// Tell an agent something, by its name. Of several runs it is asked which.
pub(super) fn send_agent(asked: &Asked<'_>) -> Planned {
    let (agent, text) = (named_agent(asked)?, message(asked)?);
    let runs: Vec<&Run> = asked.world.live().filter(|r| r.agent.as_ref() == Some(&agent)).collect();
    match runs.as_slice() {
        [] => Err(Problem::conflict(format!("{agent} runs nothing now, so nobody would hear it."))
            .next(format!("Give it a task first, as: run T004 with {agent}."))
            .into()),
        [one] => said_to(one, &text),
        several => {
            let choice = |r: &&Run| Choice { sentence: format!("send to run {}: {text}", r.id), label: CommandItem::run(r).label };
            let choices = several.iter().take(crate::limits::CHOICES_MAX).map(choice).collect();
            Err(Trouble::Which(format!("{agent} works at {} runs. Which is it for?", several.len()), choices))
        }
    }
}

fn message(asked: &Asked<'_>) -> Result<String, Problem> {
    let missing = || Problem::invalid("The message is missing.").next("Write it behind a colon: send to run 1AB2CD: mind the gap.");
    asked.free_text().ok_or_else(missing)
}

fn said_to(run: &Run, text: &str) -> Planned {
    Plan::changes("Tell a running agent something.", vec![("run.send", json!({"run": run.id, "text": text}))])
}

/// Allow what an engine asks.
pub(super) fn allow(asked: &Asked<'_>) -> Planned {
    answer(asked, "allow")
}

/// Deny what an engine asks.
pub(super) fn deny(asked: &Asked<'_>) -> Planned {
    answer(asked, "deny")
}

fn answer(asked: &Asked<'_>, option: &str) -> Planned {
    let asking: Vec<&Run> = asked.world.live().filter(|r| !r.questions.is_empty()).collect();
    let run = match (asked.run()?, asking.as_slice()) {
        (Some(run), _) => run,
        (None, [one]) => one,
        (None, []) => return Err(Problem::conflict("No run asks anything now.").next("“what needs me” tells what waits.").into()),
        (None, several) => {
            let choice = |r: &&Run| Choice {
                sentence: format!("{option} run {}", r.id),
                label: format!("{}: {}", short_run(r), domain::shown(&r.questions[0].title)),
            };
            return Err(Trouble::Which("Which run is meant?".into(), several.iter().map(choice).collect()));
        }
    };
    if run.questions.is_empty() {
        return Err(Problem::conflict(format!("The run {} asks nothing now.", short_run(run)))
            .next("“what needs me” tells what waits.")
            .into());
    }
    let changes = run.questions.iter().map(|q| ("run.answer", json!({"run": run.id, "question": q.id, "option": option}))).collect();
    Plan::changes("Answer what an engine asks.", changes)
}

/// Merge a patch.
pub(super) fn merge(asked: &Asked<'_>) -> Planned {
    let patch = asked.patch()?;
    Plan::changes("Merge a patch.", vec![("patch.merge", json!({"project": patch.project, "patch": patch.id}))])
}

/// Close a patch.
pub(super) fn close(asked: &Asked<'_>) -> Planned {
    let patch = asked.patch()?;
    Plan::changes("Close a patch.", vec![("patch.close", json!({"project": patch.project, "patch": patch.id}))])
}

/// Accept a patch.
pub(super) fn accept(asked: &Asked<'_>) -> Planned {
    review(asked, Verdict::Accept)
}

/// Ask for changes.
pub(super) fn reject(asked: &Asked<'_>) -> Planned {
    review(asked, Verdict::Reject)
}

/// Comment on a patch.
pub(super) fn comment(asked: &Asked<'_>) -> Planned {
    review(asked, Verdict::Comment)
}

fn review(asked: &Asked<'_>, verdict: Verdict) -> Planned {
    let patch = asked.patch()?;
    let text = asked.free_text().unwrap_or_default();
    if text.is_empty() && verdict != Verdict::Accept {
        return Err(Problem::invalid("A review without a word helps nobody.")
            .next(format!("Write it behind a colon: request changes on patch {}: …", short_patch(patch)))
            .into());
    }
    let mut input = json!({"project": patch.project, "patch": patch.id, "verdict": verdict, "summary": text});
    if let Some((path, line, words)) = on_a_line(&text) {
        input["summary"] = json!("");
        input["comments"] = json!([{"path": path, "line": line, "text": words}]);
    }
    Plan::changes("Review a patch.", vec![("patch.review", input)])
}

/// Words about a line, as `src/main.rs:12: use a map`: file, line, and what is said there.
fn on_a_line(text: &str) -> Option<(&str, u32, &str)> {
    let (place, words) = text.split_once(": ")?;
    let (path, line) = place.rsplit_once(':')?;
    let line = line.parse().ok().filter(|line| *line > 0)?;
    let fits = !path.is_empty() && !path.contains(char::is_whitespace) && !words.trim().is_empty();
    fits.then(|| (path, line, words.trim()))
}

/// Write a new task.
pub(super) fn add(asked: &Asked<'_>) -> Planned {
    let title = asked.free_text().ok_or_else(|| {
        Problem::invalid("What the task is to say is missing.").next("As: add task to feature 001: greet people by name.")
    })?;
    let (project, feature) = match (asked.feature()?, asked.world.features.as_slice()) {
        (Some(found), _) => found,
        (None, [(project, id, _)]) => (project.clone(), id.clone()),
        (None, []) => return Err(Problem::not_found("There is no feature yet.").next("meshwork feature new makes one.").into()),
        (None, several) => {
            let choice = |(project, id, _): &(_, domain::FeatureId, String)| Choice {
                sentence: format!("add task to {}: {title}", asked.name_of(project, id)),
                label: format!("{id} of {}", domain::ProjectName::as_str(project)),
            };
            return Err(Trouble::Which("To which feature?".into(), several.iter().map(choice).collect()));
        }
    };
    Plan::changes("Write a new task.", vec![("task.add", json!({"project": project, "feature": feature, "title": title}))])
}

/// Change what a task says.
pub(super) fn edit(asked: &Asked<'_>) -> Planned {
    let tasks = asked.tasks()?;
    let title = asked
        .free_text()
        .ok_or_else(|| Problem::invalid("What the task is to say is missing.").next("As: edit T004: greet people by name."))?;
    let [task] = tasks.as_slice() else { return Err(Problem::invalid("One task is written at a time.").next("Name one.").into()) };
    let input = json!({"project": task.at.project, "feature": task.at.feature, "task": task.at.task, "title": title});
    Plan::changes("Change what a task says.", vec![("task.edit", input)])
}

/// Undo what was done last.
pub(super) fn undo(_: &Asked<'_>) -> Planned {
    Ok(Plan { said: "Undo what was done last.".into(), undo: true, ..Plan::default() })
}

/// Roles: understood, and not for a sentence.
pub(super) fn role(asked: &Asked<'_>) -> Planned {
    let who = domain::shown(asked.said(Slot::Member).unwrap_or_default());
    Err(Problem::conflict(format!("The role of {who} cannot be changed here."))
        .because("Who may what in the org is changed where all of it is seen, and not by a sentence.")
        .next("Open Members in the dashboard, or see: meshwork member roles --help.")
        .into())
}

/// An input's text.
pub(super) fn text<'v>(input: &'v Value, name: &str) -> &'v str {
    input[name].as_str().unwrap_or_default()
}
