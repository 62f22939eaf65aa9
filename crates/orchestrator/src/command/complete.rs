//! What could come next while a sentence is written, and which things hold the words so far.

use super::{
    answer::{CommandItem, Completion, Completions, ItemKind, short_patch, short_run, state},
    pattern::{Part, Slot, compare},
    sentences,
    words::{Text, near},
    world::World,
};
use crate::{
    clock,
    limits::{COMPLETIONS_MAX, SENTENCE_BYTES_MAX},
    table::Context,
};
use domain::{Problem, patch::PatchState};
use std::sync::Arc;

/// Completes a sentence at the cursor, which counts UTF-16 code units.
pub(crate) async fn complete(context: Context, text: &str, cursor: Option<usize>) -> Result<Completions, Problem> {
    let (org, now) = (context.org()?, clock::now());
    let world = match org.desk.seen(&context.caller, now) {
        Some(world) => world,
        None => {
            let world = Arc::new(World::read(&context).await);
            org.desk.keep(&context.caller, now, world.clone());
            world
        }
    };
    let written = until(text, cursor);
    if written.len() > SENTENCE_BYTES_MAX {
        return Ok(Completions { completions: vec![], found: vec![] });
    }
    Ok(Completions { completions: completions(&world, written), found: found(&world, text) })
}

/// The text up to a cursor.
fn until(text: &str, cursor: Option<usize>) -> &str {
    let Some(cursor) = cursor else { return text };
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > cursor
    });
    end.map_or(text, |(at, _)| &text[..at])
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

pub(super) fn completions(world: &World, written: &str) -> Vec<Completion> {
    let begun =
        written.rfind(|c: char| c.is_whitespace() || c == ',').map_or(0, |at| at + written[at..].chars().next().map_or(1, char::len_utf8));
    let (before, partial) = written.split_at(begun);
    let (from, to) = (units(before), units(written));
    let text = Text::read(before);
    let mut out: Vec<Completion> = Vec::new();
    if before.trim().is_empty() {
        let low = partial.to_lowercase();
        let whole = |s: &sentences::Sentence| {
            let label = s.here(world).filter(|example| example.to_lowercase().starts_with(&low))?;
            let insert = label.trim_end_matches('…').to_owned();
            Some(Completion { from, to, insert, label, what: s.what.into(), kind: "sentence".into() })
        };
        out.extend(sentences::all().iter().filter_map(whole));
    }
    let partial_low = partial.to_lowercase();
    for sentence in sentences::all() {
        for part in compare(&sentence.form, &text).next {
            for (insert, what, kind) in candidates(world, &part, sentence.what) {
                let fits = insert.to_lowercase().starts_with(&partial_low)
                    || near(&[&insert.to_lowercase()], &partial_low).is_some()
                    || (kind != "word" && partial.len() > 1 && what.to_lowercase().contains(&partial_low));
                let known = out.iter().any(|c| c.insert == insert || (kind == "text" && c.kind == "text"));
                if (fits || kind == "text") && !known {
                    let label = if kind == "text" { "…".into() } else { insert.clone() };
                    out.push(Completion { from, to: if kind == "text" { from } else { to }, insert, label, what, kind: kind.into() });
                }
            }
        }
    }
    // What begins as written comes before what only holds it; free text last.
    out.sort_by_key(|c| (c.kind == "text", !c.insert.to_lowercase().starts_with(&partial_low)));
    out.truncate(COMPLETIONS_MAX);
    out
}

/// What may stand there: what to insert, what it stands for, and its kind.
fn candidates(world: &World, part: &Part, what: &str) -> Vec<(String, String, &'static str)> {
    match part {
        Part::Word(words) => words.first().map(|w| ((*w).to_owned(), what.to_owned(), "word")).into_iter().collect(),
        Part::Any(_) => vec![],
        Part::Slot(slot) => match slot {
            Slot::Tasks => {
                let words = ["everything", "them"].map(|w| (w.to_owned(), "all open tasks, or those spoken of last".to_owned(), "word"));
                tasks(world).chain(features(world).map(|(id, title, kind)| (format!("feature {id}"), title, kind))).chain(words).collect()
            }
            Slot::Task => tasks(world).collect(),
            Slot::Thing => tasks(world).chain(runs(world)).chain(patches(world)).collect(),
            Slot::Feature => features(world).collect(),
            Slot::Agent => world.agents.iter().map(|a| (a.to_string(), "agent".into(), "agent")).collect(),
            Slot::Place => world.devices.iter().map(|d| (d.name.clone(), format!("device of {}", d.owner), "device")).collect(),
            Slot::Runs => {
                [("everything".to_owned(), "all runs that have not ended".to_owned(), "word")].into_iter().chain(runs(world)).collect()
            }
            Slot::Run => runs(world).collect(),
            Slot::Patch => patches(world).collect(),
            Slot::Member => world.members.iter().map(|m| (m.name.clone(), "member".into(), "word")).collect(),
            Slot::Role => super::extent::ROLES.iter().map(|r| ((*r).to_owned(), "role".into(), "word")).collect(),
            Slot::RunState => states(&super::extent::RUN_STATES),
            Slot::PatchState => states(&super::extent::PATCH_STATES),
            Slot::TaskState => states(&super::extent::TASK_STATES),
            Slot::When => ["today", "yesterday", "this week", "last week", "2 hours ago"]
                .iter()
                .map(|w| ((*w).to_owned(), "since then".into(), "time"))
                .collect(),
            Slot::Text => vec![(String::new(), "write what it is to say".into(), "text")],
            Slot::Tail => vec![(String::new(), "a colon, and the text behind it".into(), "text")],
        },
    }
}

fn states<S>(states: &[(&str, &[S])]) -> Vec<(String, String, &'static str)> {
    states.iter().map(|(word, _)| ((*word).to_owned(), "by its state".into(), "word")).collect()
}

type Candidates<'w> = Box<dyn Iterator<Item = (String, String, &'static str)> + 'w>;

fn tasks(world: &World) -> Candidates<'_> {
    // Open ones first.
    let (open, rest): (Vec<_>, Vec<_>) = world.tasks.iter().partition(|t| World::may_run(t));
    Box::new(
        open.into_iter()
            .chain(rest)
            .map(|t| (t.at.task.to_string(), format!("{} ({})", domain::shown(&t.task.title), t.state.label()), "task")),
    )
}

fn features(world: &World) -> Candidates<'_> {
    Box::new(world.features.iter().map(|(_, id, title)| (id.to_string(), domain::shown(title), "feature")))
}

fn runs(world: &World) -> Candidates<'_> {
    let (live, ended): (Vec<_>, Vec<_>) = world.runs.iter().take(crate::limits::LIST_DEFAULT).partition(|r| !r.state.ended());
    Box::new(
        live.into_iter().chain(ended).map(|r| (short_run(r).to_owned(), format!("{} ({})", CommandItem::run(r).label, state(r)), "run")),
    )
}

fn patches(world: &World) -> Candidates<'_> {
    let (open, rest): (Vec<_>, Vec<_>) = world.patches.iter().partition(|p| p.state == PatchState::Open);
    Box::new(open.into_iter().chain(rest).map(|p| (short_patch(p).to_owned(), CommandItem::patch(p).label, "patch")))
}

/// Things whose name or title holds every word.
pub(super) fn found(world: &World, text: &str) -> Vec<CommandItem> {
    let words: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
    if words.iter().map(String::len).sum::<usize>() < 2 {
        return vec![];
    }
    let feature = |(project, id, title): &(domain::ProjectName, domain::FeatureId, String)| CommandItem {
        project: Some(project.clone()),
        feature: Some(id.clone()),
        ..CommandItem::named(ItemKind::Feature, id.as_str(), title)
    };
    let tasks = world.tasks.iter().map(CommandItem::task);
    let patches = world.patches.iter().map(CommandItem::patch);
    let runs = world.runs.iter().map(CommandItem::run);
    let projects = world.projects.iter().map(|p| CommandItem::named(ItemKind::Project, p.as_str(), "project"));
    let devices = world.devices.iter().map(|d| CommandItem::named(ItemKind::Device, &d.name, "device"));
    let all = tasks
        .chain(patches)
        .chain(world.features.iter().map(feature))
        .chain(projects)
        .chain(world.agents.iter().map(CommandItem::agent))
        .chain(devices)
        .chain(runs);
    let fits = |item: &CommandItem| {
        let text = format!("{:?} {} {} {}", item.kind, item.id, item.label, item.detail).to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    all.filter(fits).take(COMPLETIONS_MAX).collect()
}
