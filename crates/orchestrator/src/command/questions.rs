//! Sentences that ask: what they look at, and what is told.

use super::{
    answer::{CommandItem, ItemKind, capital, count, listed, short_patch, short_run, state},
    extent::{PATCH_STATES, RUN_STATES, TASK_STATES, means, states_of},
    pattern::Slot,
    plan::{Plan, Planned, Read},
    resolve::{Asked, Thing},
    when,
    world::World,
};
use domain::{
    Timestamp,
    gate::PatchStanding,
    patch::{Patch, PatchState},
    placement::Refusal,
    run::Run,
    task::TaskView,
};
use serde::Deserialize;
use serde_json::{Value, json};

fn lines(head: String, items: &[CommandItem]) -> String {
    let rest = items.iter().take(crate::limits::LINES_TOLD_MAX).map(|i| format!("\n{} ({})", i.label, i.detail));
    let more = items.len().saturating_sub(crate::limits::LINES_TOLD_MAX);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    std::iter::once(head).chain(rest).chain([more]).collect()
}

/// Why a task waits, a run failed, a patch is not merged.
pub(super) fn why(asked: &Asked<'_>) -> Planned {
    match asked.thing()? {
        Thing::Task(task) => Plan::reads(format!("Where {} of {} stands, and why.", task.at.task, task.at.feature), show_task(task)),
        Thing::Run(run) => about_run(run),
        Thing::Patch(patch) => Plan::reads(format!("What the patch {} still needs.", short_patch(patch)), show_patch(patch)),
        Thing::Named(item) => about_named(asked, item),
    }
}

fn show_task(task: &TaskView) -> Read {
    Read {
        action: "task.show",
        input: json!({"project": task.at.project, "feature": task.at.feature, "task": task.at.task}),
        sentence: format!("Looked at the task {}.", task.at.task),
        tell: Box::new(|world, shown| {
            let at: Option<domain::TaskRef> = serde_json::from_value(shown["at"].clone()).ok();
            let view = at.and_then(|at| world.task(&at));
            let label = view.map(|v| v.state.label()).unwrap_or_default();
            let id = shown["at"]["task"].as_str().unwrap_or_default();
            let runs: Vec<Run> = serde_json::from_value(shown["runs"].clone()).unwrap_or_default();
            let items = view.map(CommandItem::task).into_iter().chain(runs.iter().take(3).map(CommandItem::run)).collect();
            (format!("{id} is {label}. {}", shown["why"].as_str().unwrap_or_default()), items)
        }),
    }
}

fn show_patch(patch: &Patch) -> Read {
    Read {
        action: "patch.show",
        input: json!({"project": patch.project, "patch": patch.id}),
        sentence: format!("Looked at the patch {}.", short_patch(patch)),
        tell: Box::new(|_, shown| {
            let patch: Option<Patch> = serde_json::from_value(shown.clone()).ok();
            let missing: Vec<&str> = shown["missing"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let head =
                patch.as_ref().map(|p| format!("{} is {}.", CommandItem::patch(p).label, CommandItem::patch(p).detail)).unwrap_or_default();
            let open = patch.as_ref().is_some_and(|p| p.state == PatchState::Open);
            let text = match missing.as_slice() {
                [] if open => format!("{head} Nothing is missing: it may be merged once its checks pass on the result."),
                [] => head,
                some => format!("{head} {}", some.join(" ")),
            };
            (text, patch.iter().map(CommandItem::patch).collect())
        }),
    }
}

fn about_run(run: &Run) -> Planned {
    let item = CommandItem::run(run);
    let why = run.why().map(|why| format!(" {why}")).unwrap_or_default();
    let asks: String = run.questions.iter().map(|q| format!("\nIt asks: {}", domain::shown(&q.title))).collect();
    let text = format!("The run {} is {}.{why}{asks}", item.label, state(run));
    Plan::tells(format!("Where the run {} stands, and why.", short_run(run)), "run.show", text, vec![item])
}

fn about_named(asked: &Asked<'_>, item: CommandItem) -> Planned {
    let runs = asked.world.live().filter(|r| match item.kind {
        ItemKind::Agent => r.agent.as_ref().is_some_and(|a| a.as_str() == item.id),
        ItemKind::Project => r.project.as_str() == item.id,
        ItemKind::Feature => r.task.as_ref().is_some_and(|t| t.feature.as_str() == item.id),
        _ => r.device.as_ref().is_some_and(|d| asked.world.device_name(d) == item.id),
    });
    let runs: Vec<CommandItem> = runs.map(CommandItem::run).collect();
    let text = lines(
        format!("{}: {} that {} not ended.", item.label, count(runs.len(), "run"), if runs.len() == 1 { "has" } else { "have" }),
        &runs,
    );
    let said = format!("What there is about {}.", item.label);
    Plan::tells(said, "run.list", text, std::iter::once(item).chain(runs).collect())
}

/// Runs: in a state, since a moment.
pub(super) fn runs(asked: &Asked<'_>) -> Planned {
    let word = asked.said(Slot::RunState).map(str::to_lowercase);
    told_runs(asked, word.as_deref())
}

/// What failed.
pub(super) fn failures(asked: &Asked<'_>) -> Planned {
    told_runs(asked, Some("failed"))
}

/// What runs now.
pub(super) fn running(asked: &Asked<'_>) -> Planned {
    told_runs(asked, Some("unfinished"))
}

fn told_runs(asked: &Asked<'_>, word: Option<&str>) -> Planned {
    let wanted = word.and_then(|w| states_of(w, &RUN_STATES));
    let since = asked.moment();
    let agent = asked.agent()?;
    let fits = |r: &&Run| {
        wanted.is_none_or(|(_, states)| means(states, r))
            && since.is_none_or(|since| moment_of(r) >= since)
            && agent.as_ref().is_none_or(|a| r.agent.as_ref() == Some(a))
    };
    let items: Vec<CommandItem> = asked.world.runs.iter().filter(fits).take(crate::limits::LIST_DEFAULT).map(CommandItem::run).collect();
    let sort = wanted.map_or(String::new(), |(word, _)| format!("{word} "));
    let by = agent.map(|a| format!(" by {a}")).unwrap_or_default();
    let from = since.map(|at| format!(" since {}", when::shown(at, asked.now))).unwrap_or_default();
    let max = crate::limits::RUNS_SPOKEN_OF_MAX;
    let cut = if asked.world.runs.len() < max { String::new() } else { format!(" Only the newest {max} runs were looked at.") };
    let head = capital(&format!("{}{by}{from}.{cut}", count(items.len(), &format!("{sort}run"))));
    Plan::tells(capital(&format!("{sort}runs{by}{from}.")), "run.list", lines(head, &items), items)
}

/// When a run became what it is.
fn moment_of(run: &Run) -> Timestamp {
    run.ended_at.or(run.started_at).unwrap_or(run.queued_at)
}

/// Patches: those that wait, or those of a state.
pub(super) fn patches(asked: &Asked<'_>) -> Planned {
    let wanted = asked.said(Slot::PatchState).and_then(|w| states_of(&w.to_lowercase(), &PATCH_STATES));
    let found: Vec<&Patch> = match wanted {
        None | Some((_, ["unreviewed"])) => return waiting(asked),
        Some((_, states)) => {
            asked.world.patches.iter().filter(|p| states.contains(&format!("{:?}", p.state).to_lowercase().as_str())).collect()
        }
    };
    let items: Vec<CommandItem> = found.into_iter().map(CommandItem::patch).collect();
    let sort = wanted.map(|(word, _)| word).unwrap_or_default();
    let head = capital(&format!("{}.", count(items.len(), &format!("{sort} patch"))));
    Plan::tells(format!("{} patches.", capital(sort)), "patch.list", lines(head, &items), items)
}

/// Patches that wait for a review.
pub(super) fn waiting(asked: &Asked<'_>) -> Planned {
    let item = |patch| CommandItem::patch(patch).with_detail(PatchStanding::ToReview.waits());
    let items: Vec<CommandItem> = asked.world.waiting_patches().map(item).collect();
    let head = capital(&format!("{} for a review.", waits(items.len(), "patch")));
    Plan::tells("Patches that wait for a review.", "patch.list", lines(head, &items), items)
}

fn waits(number: usize, noun: &str) -> String {
    format!("{} {}", count(number, noun), if number == 1 { "waits" } else { "wait" })
}

/// All patches.
pub(super) fn all_patches(asked: &Asked<'_>) -> Planned {
    let items: Vec<CommandItem> = asked.world.patches.iter().map(CommandItem::patch).collect();
    Plan::tells("Patches.", "patch.list", lines(capital(&format!("{}.", count(items.len(), "patch"))), &items), items)
}

/// Tasks: of a state, of a feature.
pub(super) fn tasks(asked: &Asked<'_>) -> Planned {
    let wanted = asked.said(Slot::TaskState).and_then(|w| states_of(&w.to_lowercase(), &TASK_STATES));
    let feature = asked.feature()?;
    let fits = |t: &&TaskView| {
        feature.as_ref().is_none_or(|(p, f)| t.at.project == *p && t.at.feature == *f)
            && wanted.is_none_or(|(_, l)| l.contains(&t.state.label()))
    };
    let items: Vec<CommandItem> = asked.world.tasks.iter().filter(fits).map(CommandItem::task).collect();
    let sort = wanted.map(|(word, _)| format!("{word} ")).unwrap_or_default();
    let of = feature.map(|(_, id)| format!(" of {id}")).unwrap_or_default();
    let head = capital(&format!("{}{of}.", count(items.len(), &format!("{sort}task"))));
    Plan::tells(capital(&format!("{sort}tasks{of}.")), "task.list", lines(head, &items), items)
}

/// Names of one sort.
pub(super) fn names(asked: &Asked<'_>) -> Planned {
    let world = asked.world;
    let said = asked.text.words.last().map(|w| w.low.trim_end_matches('s').to_owned()).unwrap_or_default();
    let (noun, action, items): (_, _, Vec<CommandItem>) = match said.chars().next() {
        Some('a') => ("agent", "agent.list", world.agents.iter().map(CommandItem::agent).collect()),
        Some('f') => {
            let item = |(project, id, title): &(_, _, String)| CommandItem {
                project: Some(domain::ProjectName::clone(project)),
                feature: Some(domain::FeatureId::clone(id)),
                ..CommandItem::named(ItemKind::Feature, domain::FeatureId::as_str(id), title)
            };
            ("feature", "project.show", world.features.iter().map(item).collect())
        }
        Some('p') => (
            "project",
            "project.list",
            world.projects.iter().map(|p| CommandItem::named(ItemKind::Project, p.as_str(), "project")).collect(),
        ),
        Some('m') if said.starts_with("me") => {
            let names: Vec<String> = world
                .members
                .iter()
                .map(|m| format!("{} ({})", m.name, m.roles.iter().map(|r| format!("{r:?}").to_lowercase()).collect::<Vec<_>>().join(", ")))
                .collect();
            return Plan::tells("Members.", "org.show", format!("{}: {}.", capital(&count(names.len(), "member")), listed(&names)), vec![]);
        }
        _ => (
            "device",
            "org.show",
            world.devices.iter().map(|d| CommandItem::named(ItemKind::Device, &d.name, &format!("of {}", d.owner))).collect(),
        ),
    };
    Plan::tells(format!("{}s.", capital(noun)), action, lines(capital(&format!("{}.", count(items.len(), noun))), &items), items)
}

/// What waits for a person.
pub(super) fn needs(_: &Asked<'_>) -> Planned {
    let read = Read {
        action: "attention.list",
        input: json!({}),
        sentence: "Looked at what waits for a person.".into(),
        tell: Box::new(|world, waiting| {
            let items: Vec<CommandItem> = waiting.as_array().into_iter().flatten().filter_map(|w| waits_for_person(world, w)).collect();
            let head = match items.len() {
                0 => "Nothing needs you now.".into(),
                1 => "1 thing needs you.".into(),
                n => format!("{n} things need you."),
            };
            (lines(head, &items), items)
        }),
    };
    Plan::reads("What needs you: questions, reviews, merges, failures.", read)
}

fn waits_for_person(world: &World, waiting: &Value) -> Option<CommandItem> {
    let run = || world.runs.iter().find(|r| waiting["run"] == json!(r.id)).map(CommandItem::run);
    let task = || world.tasks.iter().find(|t| waiting["task"] == json!(t.at)).map(CommandItem::task);
    let patch = || world.patches.iter().find(|p| waiting["patch"] == json!(p.id));
    let words = |value: &Value| domain::shown(&value.as_str().unwrap_or_default().replace('\n', " "));
    match waiting["kind"].as_str()? {
        "question" => Some(run()?.with_detail(&format!("asks: {}", words(&waiting["question"]["title"])))),
        "review" => {
            let standing = PatchStanding::deserialize(&waiting["standing"]).ok()?;
            Some(CommandItem::patch(patch()?).with_detail(standing.waits()))
        }
        "changes_requested" => {
            Some(task().or_else(|| patch().map(CommandItem::patch))?.with_detail("changes were requested: run it again"))
        }
        _ => Some(task()?.with_detail(&format!("failed: {}", words(&waiting["why"])))),
    }
}

/// What is free.
pub(super) fn capacity(_: &Asked<'_>) -> Planned {
    let read = Read {
        action: "device.capacity",
        input: json!({}),
        sentence: "Looked at what is free.".into(),
        tell: Box::new(|world, devices| {
            let line = |d: &Value| {
                let (c, gib) = (&d["capacity"], |v: &Value| v.as_u64().unwrap_or(0) >> 30);
                let name = d["device"].as_str().and_then(|did| did.parse().ok()).map(|did| world.device_name(&did)).unwrap_or_default();
                if c.is_null() {
                    return format!("{name}: it was not heard since this process began, so what it has is not known.");
                }
                let cores = |v: &Value| v.as_u64().unwrap_or(0) / 1000;
                let (free, total) = (&c["free"], &c["total"]);
                let mut besides =
                    if d["state"] == "suspected" { " It is not heard of now: this is what it said last." } else { "" }.to_owned();
                if c["runtimes"].as_array().is_some_and(Vec::is_empty) {
                    besides = format!(" {}{besides}", Refusal::Runtime { wanted: None }.text());
                }
                format!(
                    "{name}: {} of {} slots free; {} of {} cores, {} of {} GiB of memory, {} of {} GiB of disk.{besides}",
                    c["slots_free"],
                    c["slots"],
                    cores(&free["cpu_milli"]),
                    cores(&total["cpu_milli"]),
                    gib(&free["memory_bytes"]),
                    gib(&total["memory_bytes"]),
                    gib(&free["disk_bytes"]),
                    gib(&total["disk_bytes"])
                )
            };
            let text = devices.as_array().into_iter().flatten().map(line).collect::<Vec<_>>().join("\n");
            (text, world.devices.iter().map(|d| CommandItem::named(ItemKind::Device, &d.name, &format!("of {}", d.owner))).collect())
        }),
    };
    Plan::reads("What each device lends, and what of it is free.", read)
}

/// Whether the journal is sound.
pub(super) fn verify(_: &Asked<'_>) -> Planned {
    let read = Read {
        action: "journal.verify",
        input: json!({}),
        sentence: "Checked every link, hash, signature and blob.".into(),
        tell: Box::new(|_, report| {
            let text = if report["sound"] == true {
                format!("The journal is sound: {} events, {} signatures.", report["events"], report["signatures"])
            } else {
                match report["bad"]["why"].as_str() {
                    Some(why) => format!("The journal is NOT sound: event {} is wrong: {why}", report["bad"]["seq"]),
                    None => "Blobs beside the journal are missing or altered: meshwork journal verify names them.".to_owned(),
                }
            };
            (text, vec![])
        }),
    };
    Plan::reads("Check the journal.", read)
}

/// What is missing on this machine.
pub(super) fn doctor(_: &Asked<'_>) -> Planned {
    let read = Read {
        action: "device.doctor",
        input: json!({}),
        sentence: "Looked at this machine.".into(),
        tell: Box::new(|_, found| {
            let bad = found.as_array().into_iter().flatten().filter(|f| f["ok"] == false);
            let bad: Vec<String> = bad
                .map(|f| {
                    format!(
                        "{}: {} {}",
                        f["what"].as_str().unwrap_or_default(),
                        f["detail"].as_str().unwrap_or_default(),
                        f["next"].as_str().unwrap_or_default()
                    )
                })
                .collect();
            (if bad.is_empty() { "Nothing is missing on this machine.".into() } else { bad.join("\n") }, vec![])
        }),
    };
    Plan::reads("What is missing on this machine.", read)
}

/// What can be said.
pub(super) fn help(_: &Asked<'_>) -> Planned {
    let rows = super::sentences::all().iter().filter(|s| !s.example.is_empty());
    let text = rows.map(|s| format!("{}: {}", s.example, s.what)).collect::<Vec<_>>().join("\n");
    Ok(Plan { said: "What can be said.".into(), text, ..Plan::default() })
}
