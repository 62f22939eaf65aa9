//! From an action and its input to a proposal: the input with nothing left open, what it would do in words, on what, and
//! how it could be undone. Sentences and the model come here alike. What cannot be told exactly is not proposed.

use super::{
    answer::{CommandEffect, CommandItem, listed, plain, short_patch, short_run, state},
    changes::text,
    machines,
    undo::Back,
    world::World,
};
use crate::table::{self, Action};
use domain::{
    Oid, PatchId, Problem, TaskId,
    patch::{Patch, PatchState},
    run::Run,
    task::{TaskState, TaskView},
};
use serde_json::{Value, json};

/// Changes that can be proposed. Whatever else changes something has its own page and its own words.
pub(super) const PROPOSABLE: [&str; 16] = [
    "task.run",
    "task.add",
    "task.edit",
    "task.takeover",
    "run.send",
    "run.answer",
    "run.pause",
    "run.resume",
    "run.stop",
    "patch.review",
    "patch.merge",
    "patch.close",
    "device.evict",
    "stop.order",
    "device.reclaim",
    "device.release",
];

/// What must still be as it was shown when the yes comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// The patch has this commit.
    Patch { id: PatchId, head: Oid },
    /// The task says this.
    Task { at: domain::TaskRef, title: String },
    /// The run is in this state still, or in a later one: nothing to hold on to.
    Nothing,
}

/// A change that can be proposed.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) action: &'static Action,
    pub(super) input: Value,
    pub(super) sentence: String,
    pub(super) effect: CommandEffect,
    pub(super) back: Back,
    pub(super) pin: Pin,
    pub(super) items: Vec<CommandItem>,
}

/// What an action would do with this input: mostly one change, several where it means several things.
pub(super) fn propose(world: &World, action: &str, input: &Value) -> Result<Vec<Draft>, Problem> {
    let Some(name) = PROPOSABLE.iter().find(|n| **n == action) else {
        return Err(Problem::invalid(format!("The command bar does not propose “{}”.", domain::shown(action)))
            .next("It has its own page in the dashboard and its own command: meshwork --help."));
    };
    let action = table::find(name)?;
    match *name {
        "task.run" => run_tasks(world, action, input).map(|d| vec![d]),
        "task.add" => add_task(world, action, input).map(|d| vec![d]),
        "task.edit" => edit_task(world, action, input).map(|d| vec![d]),
        "task.takeover" => machines::take_over_draft(world, action, input).map(|d| vec![d]),
        "device.evict" => machines::evict_drafts(world, action, input),
        "stop.order" => halt(world, action, input).map(|d| vec![d]),
        "device.reclaim" | "device.release" => machines::whose_draft(world, action, input).map(|d| vec![d]),
        name if name.starts_with("run.") => steer(world, action, input).map(|d| vec![d]),
        _ => patch(world, action, input).map(|d| vec![d]),
    }
}

/// Nothing may be in an input that would be carried out and is not shown.
pub(super) fn only(action: &Action, input: &Value, known: &[&str]) -> Result<(), Problem> {
    let unknown = input.as_object().into_iter().flatten().find(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
    match unknown {
        Some((name, _)) => Err(Problem::invalid(format!("{} takes no “{}” here.", action.name, domain::shown(name)))
            .next("Do it by its own command: meshwork --help.")),
        None if input.is_object() => Ok(()),
        None => Err(Problem::invalid(format!("The input of {} is no object.", action.name))),
    }
}

fn feature(world: &World, input: &Value) -> Result<(domain::ProjectName, domain::FeatureId), Problem> {
    let (project, id) = (text(input, "project"), text(input, "feature"));
    let fits = |(p, f, _): &&(domain::ProjectName, domain::FeatureId, String)| {
        (project.is_empty() || p.as_str() == project) && (id.is_empty() || f.as_str() == id)
    };
    let found: Vec<_> = world.features.iter().filter(fits).collect();
    match found.as_slice() {
        [(project, feature, _)] => Ok((project.clone(), feature.clone())),
        [] => Err(Problem::not_found(format!("There is no feature “{}”.", domain::shown(id))).next("“show features” lists them.")),
        several => {
            let names: Vec<_> = several.iter().map(|(p, f, _)| format!("{f} of {p}")).collect();
            Err(Problem::invalid("It is not clear which feature is meant.").next(format!("Name one: {}.", listed(&names))))
        }
    }
}

pub(super) fn task<'w>(world: &'w World, input: &Value, id: &str) -> Result<&'w TaskView, Problem> {
    let (project, feature) = (text(input, "project"), text(input, "feature"));
    let fits = |t: &&TaskView| {
        t.at.task.as_str() == id
            && (project.is_empty() || t.at.project.as_str() == project)
            && (feature.is_empty() || t.at.feature.as_str() == feature)
    };
    match world.tasks.iter().filter(fits).collect::<Vec<_>>().as_slice() {
        [one] => Ok(one),
        [] => Err(Problem::not_found(format!("There is no task “{}”.", domain::shown(id))).next("“show tasks” lists them.")),
        _ => Err(Problem::invalid(format!("Several features have a task {}.", domain::shown(id))).next("Name its feature.")),
    }
}

fn run_tasks(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    only(action, input, &["project", "feature", "tasks", "agent", "on", "here", "tags"])?;
    let ids: Vec<&str> = input["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut named = Vec::new();
    for id in &ids {
        named.push(task(world, input, id)?);
    }
    let (project, feature) = match named.first() {
        Some(first) => (first.at.project.clone(), first.at.feature.clone()),
        None => feature(world, input)?,
    };
    if named.iter().any(|t| t.at.project != project || t.at.feature != feature) {
        return Err(Problem::invalid("Tasks of several features are run one feature at a time.")
            .next("Name the tasks of one feature, then those of the next."));
    }
    if ids.is_empty() {
        let open = |t: &&TaskView| World::may_run(t) && !matches!(t.state, TaskState::Rejected { .. });
        named = world.tasks.iter().filter(|t| t.at.project == project && t.at.feature == feature).filter(open).collect();
    }
    let (go, stay): (Vec<&TaskView>, Vec<&TaskView>) = named.into_iter().partition(|t| World::may_run(t));
    let left_out = |t: &&TaskView| format!("{} is {}: left out.", t.at.task, t.state.label());
    if go.is_empty() {
        let why = stay.iter().map(left_out).collect::<Vec<_>>().join(" ").replace(": left out", "");
        return Err(Problem::conflict("None of these tasks can be run now.").because(why).next("“show tasks” tells where each is."));
    }
    let agent = agent(world, text(input, "agent"))?;
    let waits = |t: &&TaskView| match &t.state {
        TaskState::Waiting { on } => {
            Some(format!("{} waits for {} first.", t.at.task, listed(&on.iter().map(TaskId::to_string).collect::<Vec<_>>())))
        }
        _ => None,
    };
    let notes = go.iter().filter_map(waits).chain(stay.iter().map(left_out)).collect();
    let names: Vec<String> = go.iter().map(|t| t.at.task.to_string()).collect();
    let mut made = json!({"project": project, "feature": feature, "tasks": names, "agent": agent});
    let there = machines::wanted(world, input, &mut made)?;
    Ok(Draft {
        input: made,
        sentence: format!("Run {} of {feature} with {agent}{there}.", listed(&names)),
        effect: CommandEffect { count: go.len(), of: "task".into(), names: go.iter().map(|t| CommandItem::task(t).label).collect(), notes },
        back: Back::StopRuns,
        pin: Pin::Nothing,
        items: go.iter().map(|t| CommandItem::task(t)).collect(),
        action,
    })
}

fn agent(world: &World, asked: &str) -> Result<domain::AgentName, Problem> {
    let names: Vec<String> = world.agents.iter().map(ToString::to_string).collect();
    match (world.agents.iter().find(|a| a.as_str() == asked), world.agents.as_slice()) {
        (Some(found), _) => Ok(found.clone()),
        (None, [one]) if asked.is_empty() => Ok(one.clone()),
        (None, []) => Err(Problem::not_found("The org has no agent yet.").next("Make one: meshwork agent add <name> --engine <engine>.")),
        (None, _) if asked.is_empty() => {
            Err(Problem::invalid("The org has several agents.").next(format!("Say which: {}.", listed(&names))))
        }
        (None, _) => {
            Err(Problem::not_found(format!("There is no agent “{}”.", domain::shown(asked)))
                .next(format!("There are: {}.", listed(&names))))
        }
    }
}

fn add_task(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    only(action, input, &["project", "feature", "title", "phase", "parallel", "story"])?;
    let title = filled(input, "title")?;
    let (project, feature) = feature(world, input)?;
    let mut notes = vec!["It is written as a commit of yours on the default branch.".to_owned()];
    let mut made = json!({"project": project, "feature": feature, "title": title});
    for name in ["phase", "parallel", "story"] {
        if !input[name].is_null() {
            made[name] = input[name].clone();
            notes.push(format!("Its {name}: {}.", domain::shown(&input[name].to_string())));
        }
    }
    Ok(Draft {
        input: made,
        sentence: format!("Add the task “{}” to {feature}.", title),
        effect: CommandEffect { count: 1, of: "task".into(), names: vec![domain::shown(&title)], notes },
        back: Back::None,
        pin: Pin::Nothing,
        items: vec![],
        action,
    })
}

fn edit_task(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    only(action, input, &["project", "feature", "task", "title"])?;
    let (title, view) = (filled(input, "title")?, task(world, input, text(input, "task"))?);
    let at = &view.at;
    let write = |title: &str| json!({"project": at.project, "feature": at.feature, "task": at.task, "title": title});
    Ok(Draft {
        input: write(&title),
        sentence: format!("Change {} of {} to “{}”.", at.task, at.feature, title),
        effect: CommandEffect {
            count: 1,
            of: "task".into(),
            names: vec![CommandItem::task(view).label],
            notes: vec!["It is written as a commit of yours on the default branch.".into()],
        },
        back: Back::Write { input: write(&view.task.title), task: at.task.to_string() },
        pin: Pin::Task { at: at.clone(), title: view.task.title.clone() },
        items: vec![CommandItem::task(view)],
        action,
    })
}

/// A text that must be there, without what would not be seen when it is shown: a yes is to what was shown.
fn filled(input: &Value, name: &str) -> Result<String, Problem> {
    let found = plain(text(input, name)).trim().to_owned();
    if found.is_empty() { Err(Problem::invalid(format!("The {name} is missing.")).next("Say it in the sentence.")) } else { Ok(found) }
}

pub(super) fn run_of<'w>(world: &'w World, input: &Value) -> Result<&'w Run, Problem> {
    let asked = text(input, "run").to_ascii_uppercase();
    let fits = |r: &&Run| asked.len() >= 4 && (r.id.as_str().starts_with(&asked) || r.id.as_str().ends_with(&asked));
    match world.runs.iter().filter(fits).collect::<Vec<_>>().as_slice() {
        [one] => Ok(one),
        [] => Err(Problem::not_found(format!("There is no run “{}”.", domain::shown(&asked))).next("“show runs” lists them.")),
        _ => Err(Problem::invalid(format!("Several runs fit “{}”.", domain::shown(&asked))).next("Give more of its id.")),
    }
}

fn steer(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    let run = run_of(world, input)?;
    if run.state.ended() {
        return Err(Problem::conflict(format!("The run {} has ended: it is {}.", short_run(run), state(run)))
            .next("“run” and its task starts a new one."));
    }
    let name = CommandItem::run(run).label;
    let just_run = json!({"run": run.id});
    let (made, sentence, back, notes) = match action.name {
        "run.stop" => {
            only(action, input, &["run"])?;
            let back = match (&run.task, &run.agent) {
                (Some(at), Some(agent)) => Back::RunAgain {
                    input: json!({"project": at.project, "feature": at.feature, "tasks": [at.task], "agent": agent, "on": run.on,
                        "tags": run.tags, "priority": run.priority, "apart_from": run.apart.as_ref().map(|apart| &apart.run)}),
                    task: at.task.to_string(),
                },
                _ => Back::None,
            };
            (just_run, format!("End the run {name}."), back, vec!["Its work so far stays in a checkpoint.".to_owned()])
        }
        "run.pause" => {
            only(action, input, &["run"])?;
            (just_run.clone(), format!("Pause the run {name}."), Back::Resume { input: just_run }, vec![])
        }
        "run.resume" => {
            only(action, input, &["run"])?;
            (just_run.clone(), format!("Let the run {name} go on."), Back::Pause { input: just_run }, vec![])
        }
        "run.send" => {
            only(action, input, &["run", "text"])?;
            let said = filled(input, "text")?;
            (json!({"run": run.id, "text": said}), format!("Tell the run {name}: “{}”", said), Back::None, vec![])
        }
        _ => answer(action, run, &name, input)?,
    };
    Ok(Draft {
        input: made,
        sentence,
        effect: CommandEffect { count: 1, of: "run".into(), names: vec![name], notes },
        back,
        pin: Pin::Nothing,
        items: vec![CommandItem::run(run)],
        action,
    })
}

fn answer(action: &Action, run: &Run, name: &str, input: &Value) -> Result<(Value, String, Back, Vec<String>), Problem> {
    only(action, input, &["run", "question", "option"])?;
    let asked = text(input, "question");
    let question = match (run.questions.iter().find(|q| q.id == asked), run.questions.as_slice()) {
        (Some(question), _) => question,
        (None, [one]) if asked.is_empty() => one,
        _ => return Err(Problem::not_found(format!("The run {name} asks no such question now.")).next("“what needs me” tells what waits.")),
    };
    let option = text(input, "option");
    let chosen = question.options.iter().find(|o| o.id == option || (option == "allow" && o.allows) || (option == "deny" && !o.allows));
    let chosen =
        chosen.ok_or_else(|| Problem::invalid(format!("“{}” is no answer to it.", domain::shown(option))).next("Say allow or deny."))?;
    let verb = if chosen.allows { "Allow" } else { "Deny" };
    let sentence = format!("{verb} what the run {name} asks: {}.", domain::shown(&question.title));
    Ok((
        json!({"run": run.id, "question": question.id, "option": chosen.id}),
        sentence,
        Back::None,
        vec![format!("The answer: {}.", domain::shown(&chosen.label))],
    ))
}

/// Of what a stop order can halt, an agent: the rest has its own page.
fn halt(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    only(action, input, &["agent", "why"])?;
    let (agent, why) = (agent(world, &filled(input, "agent")?)?, filled(input, "why")?);
    Ok(Draft {
        input: json!({"agent": agent, "why": why}),
        sentence: format!("Halt the agent {agent} on every device: “{why}”"),
        effect: CommandEffect {
            count: 1,
            of: "agent".into(),
            names: vec![agent.to_string()],
            notes: vec!["Its runs are frozen and new ones wait, until the order is lifted.".into()],
        },
        back: Back::Lift,
        pin: Pin::Nothing,
        items: vec![CommandItem::agent(&agent)],
        action,
    })
}

fn patch_of<'w>(world: &'w World, input: &Value) -> Result<&'w Patch, Problem> {
    let asked = text(input, "patch");
    let fits = |p: &&Patch| asked.len() >= 4 && p.id.as_str().starts_with(asked);
    match world.patches.iter().filter(fits).collect::<Vec<_>>().as_slice() {
        [one] => Ok(one),
        [] => Err(Problem::not_found(format!("There is no patch “{}”.", domain::shown(asked))).next("“show patches” lists them.")),
        _ => Err(Problem::invalid(format!("Several patches fit “{}”.", domain::shown(asked))).next("Give more of its id.")),
    }
}

fn patch(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    let patch = patch_of(world, input)?;
    if patch.state != PatchState::Open {
        let state = format!("{:?}", patch.state).to_lowercase();
        return Err(Problem::conflict(format!("The patch {} is {state}, not open.", short_patch(patch))).next("“show patches” lists them."));
    }
    let label = CommandItem::patch(patch).label;
    let mut made = json!({"project": patch.project, "patch": patch.id});
    let mut notes = vec![format!("Its commit is {}.", &patch.head.as_str()[..8])];
    let sentence = match action.name {
        "patch.merge" => {
            only(action, input, &["project", "patch"])?;
            notes.push("The checks run on the result first; if something is missing, nothing is merged and it says what.".into());
            format!("Merge the patch {label} into {}.", patch.project)
        }
        "patch.close" => {
            only(action, input, &["project", "patch"])?;
            notes.push("Its commits stay in the repository.".into());
            format!("Close the patch {label} without merging it.")
        }
        _ => {
            only(action, input, &["project", "patch", "verdict", "summary", "comments"])?;
            let (verdict, summary) = (text(input, "verdict"), plain(text(input, "summary")).trim().to_owned());
            made["verdict"] = json!(verdict);
            made["summary"] = json!(summary);
            if let Some(comments) = input["comments"].as_array().filter(|c| !c.is_empty()) {
                let seen = |c: &Value| json!({"path": plain(text(c, "path")), "line": c["line"], "side": if text(c, "side") == "old" { "old" } else { "new" }, "text": plain(text(c, "text"))});
                let comments: Vec<Value> = comments.iter().map(seen).collect();
                notes.extend(
                    comments.iter().map(|c| format!("{}:{} ({} side): {}", text(c, "path"), c["line"], text(c, "side"), text(c, "text"))),
                );
                made["comments"] = json!(comments);
            }
            let said = if summary.is_empty() { String::new() } else { format!(": “{summary}”") };
            match verdict {
                "accept" => format!("Accept the patch {label}{said}."),
                "reject" => format!("Ask for changes of the patch {label}{said}."),
                "comment" => format!("Comment on the patch {label}{said}."),
                other => {
                    return Err(
                        Problem::invalid(format!("“{}” is no verdict.", domain::shown(other))).next("Say accept, reject or comment.")
                    );
                }
            }
        }
    };
    Ok(Draft {
        input: made,
        sentence,
        effect: CommandEffect { count: 1, of: "patch".into(), names: vec![label], notes },
        back: Back::None,
        pin: Pin::Patch { id: patch.id.clone(), head: patch.head.clone() },
        items: vec![CommandItem::patch(patch)],
        action,
    })
}
