//! Machines in sentences: where tasks are to run and why they do not, whose a machine is, and taking tasks over from another.

use super::{
    answer::{CommandEffect, CommandItem, listed},
    changes::{steer, text},
    plan::{Plan, Planned, Read},
    propose::{Draft, Pin, only, run_of, task},
    resolve::{Asked, Place},
    undo::Back,
    world::World,
};
use crate::table::Action;
use domain::{Did, Problem, TaskRef, lend::Click, run::Run};
use serde_json::{Value, json};

/// End what runs on this machine; it goes on later.
pub(super) fn evict(asked: &Asked<'_>) -> Planned {
    let here = asked.world.here.as_ref();
    steer(asked, "device.evict", "evict", |r| r.state.holds_slot() && r.device.as_ref() == here)
}

/// Take the machine back.
pub(super) fn reclaim(_: &Asked<'_>) -> Planned {
    Plan::changes("Take this machine back.", vec![("device.reclaim", json!({}))])
}

/// Lend the machine again.
pub(super) fn release(_: &Asked<'_>) -> Planned {
    Plan::changes("Lend this machine.", vec![("device.release", json!({}))])
}

/// Take a task over.
pub(super) fn take_over(asked: &Asked<'_>) -> Planned {
    let at = &one_task(asked)?.at;
    let input = json!({"project": at.project, "feature": at.feature, "task": at.task});
    Plan::changes("Take a task over.", vec![("task.takeover", input)])
}

/// What speaks for and against a device, or each of them.
pub(super) fn why_there(asked: &Asked<'_>) -> Planned {
    let (at, agent) = (&one_task(asked)?.at, asked.agent()?);
    let there = match asked.place()? {
        Some(Place::Tags(_)) => {
            return Err(Problem::invalid("It is asked about a device by its name, not by tags.").next("“show devices” lists them.").into());
        }
        Some(Place::Device(did)) => Some(did),
        None => None,
    };
    let said = match &there {
        Some(did) => format!("Whether {} can run on {}, and why not.", at.task, asked.world.device_name(did)),
        None => format!("Which devices can run {}, and why.", at.task),
    };
    let mut input = json!({"project": at.project, "feature": at.feature, "task": at.task});
    if let Some(agent) = agent {
        input["agent"] = json!(agent);
    }
    let read = Read {
        action: "task.why",
        input,
        sentence: format!("Looked at what speaks for and against the devices for {}.", at.task),
        tell: Box::new(move |world, why| verdicts(world, why, there.as_ref())),
    };
    Plan::reads(said, read)
}

fn one_task<'a>(asked: &Asked<'a>) -> Result<&'a domain::task::TaskView, super::resolve::Trouble> {
    match asked.tasks()?.as_slice() {
        [one] => Ok(*one),
        _ => Err(Problem::invalid("One task at a time.").next("Name one, as T004.").into()),
    }
}

/// What was said of the devices, or of the one that was asked about.
fn verdicts(world: &World, why: &Value, only: Option<&Did>) -> (String, Vec<CommandItem>) {
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let devices = why["devices"].as_array().into_iter().flatten();
    let lines = devices
        .filter(|device| only.is_none_or(|did| device["device"] == json!(did)))
        .map(|device| format!("\n{}: {}", words(&device["name"]), words(&device["why"])));
    let text = std::iter::once(words(&why["why"])).chain(lines).collect();
    let at: Option<TaskRef> = serde_json::from_value(why["task"].clone()).ok();
    (text, at.and_then(|at| world.task(&at)).map(CommandItem::task).into_iter().collect())
}

/// Where tasks are to run, as it was asked: written into the input that is made, and told in words; none where nothing is said.
///
/// # Errors
/// When there is no such device.
pub(super) fn wanted(world: &World, input: &Value, made: &mut Value) -> Result<String, Problem> {
    let here = world.here.as_ref().filter(|_| input["here"] == true).map(|did| world.device_name(did));
    let on = here.unwrap_or_else(|| text(input, "on").to_owned());
    let mut there = String::new();
    if !on.is_empty() {
        let found = world.devices.iter().find(|device| device.name == on || device.did.as_str() == on);
        let device = found.ok_or_else(|| {
            Problem::not_found(format!("There is no device “{}”.", domain::shown(&on))).next("“show devices” lists them.")
        })?;
        made["on"] = json!(device.name);
        there = format!(" on {}", device.name);
    }
    if let Some(tags) = input["tags"].as_object().filter(|tags| !tags.is_empty()) {
        let tag = |(tag, value): (&String, &Value)| domain::shown(&format!("{tag}:{}", value.as_str().unwrap_or_default()));
        let words: Vec<String> = tags.iter().map(tag).collect();
        made["tags"] = json!(tags);
        there = format!("{there} on a device with {}", listed(&words));
    }
    Ok(there)
}

/// Ending what runs here, a change for each run.
///
/// # Errors
/// When nothing runs here, or there is no such run.
pub(super) fn evict_drafts(world: &World, action: &'static Action, input: &Value) -> Result<Vec<Draft>, Problem> {
    only(action, input, &["run", "reason", "grace_ms"])?;
    let chosen: Vec<&Run> = match text(input, "run") {
        "" => world.live().filter(|r| r.state.holds_slot() && r.device == world.here).collect(),
        _ => vec![run_of(world, input)?],
    };
    if chosen.is_empty() {
        return Err(Problem::conflict("Nothing runs on this machine now.").next("“show runs” tells what there is."));
    }
    let draft = |run: &Run| {
        let mut made = json!({"run": run.id});
        for name in ["reason", "grace_ms"] {
            if !input[name].is_null() {
                made[name] = input[name].clone();
            }
        }
        let name = CommandItem::run(run).label;
        let notes = vec!["Its work is saved, and goes on from there when there is room.".to_owned()];
        Draft {
            input: made,
            sentence: format!("Evict the run {name} from this machine."),
            effect: CommandEffect { count: 1, of: "run".into(), names: vec![name], notes },
            back: Back::None,
            pin: Pin::Nothing,
            items: vec![CommandItem::run(run)],
            action,
        }
    };
    Ok(chosen.into_iter().map(draft).collect())
}

/// The machine is its owner's alone, or lent again.
///
/// # Errors
/// When the time is none.
pub(super) fn whose_draft(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    only(action, input, &["minutes"])?;
    let time = match &input["minutes"] {
        Value::Null => String::new(),
        minutes => match minutes.as_u64() {
            Some(minutes) => format!(" for {minutes} minutes"),
            None => return Err(Problem::invalid("The time is a number of minutes.").next("Give one, or none.")),
        },
    };
    let (sentence, note, back) = match action.name {
        "device.reclaim" => (
            format!("Take this machine back{time}: it takes no guests."),
            "Guests are frozen, their work is saved, and goes on elsewhere, or here when it is lent again.",
            Back::Lend,
        ),
        _ => {
            // Who lends what was lent already, or goes by its policy, is not to send guests away by taking that back.
            let was_taken = matches!(world.click, Some(Click::Reclaimed { until: None }));
            let back = if was_taken { Back::Reclaim } else { Back::None };
            (format!("Lend this machine{time}."), "Guests are taken as the lend policy says.", back)
        }
    };
    Ok(Draft {
        action,
        input: input.clone(),
        sentence,
        effect: CommandEffect { count: 1, of: "machine".into(), names: vec!["this machine".into()], notes: vec![note.to_owned()] },
        back,
        pin: Pin::Nothing,
        items: vec![],
    })
}

/// Taking a task over from the device that has claimed it.
///
/// # Errors
/// When there is no such task.
pub(super) fn take_over_draft(world: &World, action: &'static Action, input: &Value) -> Result<Draft, Problem> {
    only(action, input, &["project", "feature", "task"])?;
    let view = task(world, input, text(input, "task"))?;
    let (at, item) = (&view.at, CommandItem::task(view));
    let mut notes = vec!["What the other device has begun is not ended: its work may come to a patch of its own.".to_owned()];
    let from = match &view.whose {
        Some(whose) => world.device_name(&whose.device),
        None => "the device that has claimed it".into(),
    };
    if let Some(whose) = view.whose.as_ref().filter(|whose| !whose.reachable && !whose.removed) {
        let since = whose.as_of.map_or_else(String::new, |at| format!(", and what it does is known as of {}", at.minute()));
        notes.push(format!("{from} is not reached now{since}."));
    }
    Ok(Draft {
        input: json!({"project": at.project, "feature": at.feature, "task": at.task}),
        sentence: format!("Take {} of {} over from {from}.", at.task, at.feature),
        effect: CommandEffect { count: 1, of: "task".into(), names: vec![item.label.clone()], notes },
        back: Back::None,
        pin: Pin::Nothing,
        items: vec![item],
        action,
    })
}
