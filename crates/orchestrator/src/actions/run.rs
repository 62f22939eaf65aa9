//! Runs: listed, followed, spoken to, paused, stopped.

use super::{Done, at_most};
use crate::{
    lifecycle::{self, message_text},
    limits, names,
    org::Org,
    picture::{self, Seen},
    remote, steer,
    table::{Action, Context, Effect, action},
    tasks::Board,
};
use domain::{
    Kind, Problem, ProjectName, Rid, RunId, TaskId, TaskRef, Timestamp,
    event::kind,
    manifest::Class,
    picture::Whose,
    role::Permission,
    run::{LeftOut, Message, Reason, Run, RunView, Stands, Wish},
};
use forge::{OrgState, RunRepo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};
use store::{Order, RunLog};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("run.list", Reads, Permission::View, "List runs, newest first.", list),
        action("run.show", Reads, Permission::View, "Show a run.", show),
        action("run.logs", Reads, Permission::View, "A page of a run's log.", logs),
        action("run.diff", Reads, Permission::View, "What a run changed: its commit, or the last checkpoint of its files.", diff),
        action("run.send", Changes, Permission::SteerRuns, "Send a message to a running agent.", send),
        action("run.answer", Changes, Permission::SteerRuns, "Answer a permission request of an engine.", answer),
        action("run.pause", Changes, Permission::SteerRuns, "Freeze a run.", pause),
        action("run.resume", Changes, Permission::SteerRuns, "Let a frozen run go on.", resume),
        action("run.kept", Reads, Permission::View, "List folders of runs that hold work which is in no patch.", kept),
        action("run.drop", Changes, Permission::SteerRuns, "Remove the folder that is kept of a run.", drop_kept),
        action("run.stop", Changes, Permission::SteerRuns, "End a run; its work stays in a checkpoint.", stop),
    ]
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    project: Option<ProjectName>,
    /// Only those that stand there.
    #[serde(default)]
    state: Option<Stands>,
    /// Checks' runs too.
    #[serde(default)]
    all: bool,
    /// How many at most.
    #[serde(default)]
    limit: Option<usize>,
}

/// A run in a list.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    #[serde(flatten)]
    run: RunView,
    /// Why it is where it is, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// From whose journal it is known, where that is another device's.
    #[serde(skip_serializing_if = "Option::is_none")]
    whose: Option<Whose>,
    /// The other device that executes it, where that is away: as of then its state is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    away: Option<Whose>,
}

async fn list(context: Context, input: List) -> Result<Vec<Listed>, Problem> {
    let (org, limit) = (context.org()?, at_most(input.limit, limits::LIST_DEFAULT)?);
    let told = |org: &Arc<Org>| {
        let mut seen = picture::runs(org, limits::RUNS_MAX)?;
        picture::halted_with_their_checks(org, seen.iter_mut().map(|seen| &mut seen.run));
        Ok((seen, org.state()?))
    };
    let (runs, state): (Vec<Seen>, OrgState) = org.blocking(told).await?;
    let wanted = |seen: &Seen| {
        let r = &seen.run;
        input.project.as_ref().is_none_or(|p| r.project == *p)
            && input.state.is_none_or(|s| r.stands() == s)
            && (input.all || r.class == Class::Agent)
    };
    let why = |r: &Run| r.why().map(|why| names::within(&state, &why));
    let chosen = runs.into_iter().filter(wanted).take(limit);
    Ok(chosen.map(|Seen { run, whose }| Listed { why: why(&run), away: picture::away(&org, &run), whose, run: run.into() }).collect())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct One {
    /// The run; the beginning or end of its id, or its task, will do where only one fits.
    run: String,
}

/// How many letters a part of an id needs.
const PART_MIN: usize = 4;

/// Whether a part fits a run's id: its beginning, its end, or the beginning of what lists show of it.
fn fits(id: &RunId, part: &str) -> bool {
    id.as_str().ends_with(part) || id.as_str().starts_with(part) || id.short().starts_with(part)
}

/// Of these runs the only one whose id, or a part of it, this can be: a guess for who cannot wait for the journal, which [`find`] asks.
pub(super) fn by_id(runs: impl Iterator<Item = RunId>, text: &str) -> Option<RunId> {
    let part = text.to_ascii_uppercase();
    let mut fitting = runs.filter(|id| part.len() >= PART_MIN && fits(id, &part));
    fitting.next().filter(|_| fitting.next().is_none())
}

/// Whether a run works at this task.
fn is_at(run: &Run, task: &TaskId) -> bool {
    run.class == Class::Agent && run.task.as_ref().is_some_and(|at| at.task == *task)
}

/// Finds a run by its id, by a part of it that only one has, or by its task: the run that goes on comes before those that ended. Runs of
/// checks, which lists do not show unasked, make no part ambiguous.
pub(crate) fn find(org: &Org, text: &str) -> Result<Run, Problem> {
    let none = |text: &str| Problem::not_found(format!("There is no run {}.", domain::shown(text))).next("meshwork run list shows them.");
    if let Ok(id) = text.parse::<RunId>() {
        return org.store.get(kind::RUN, id.as_str())?.ok_or_else(|| none(text));
    }
    let part = text.to_ascii_uppercase();
    let runs: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
    let of_task = text.parse::<TaskId>().ok().filter(|task| runs.iter().any(|r| is_at(r, task)));
    if of_task.is_none() && part.len() < PART_MIN {
        return Err(Problem::invalid(format!("“{}” is too short for a run's id.", domain::shown(text)))
            .next(format!("Give {PART_MIN} letters of its beginning or end at least: meshwork run list.")));
    }
    let (shown, hidden): (Vec<Run>, Vec<Run>) = match &of_task {
        Some(task) => runs.into_iter().filter(|r| is_at(r, task)).partition(|r| !r.state.ended()),
        None => runs.into_iter().filter(|r| fits(&r.id, &part)).partition(|r| r.class == Class::Agent),
    };
    let mut fitting = if shown.is_empty() { hidden } else { shown };
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 => Err(none(text)),
        count => {
            let about = |r: &Run| format!("{} ({})", r.id, r.task.as_ref().map_or("checks".into(), |t| t.task.to_string()));
            let some: Vec<_> = fitting.iter().take(8).map(about).collect();
            Err(Problem::invalid(format!("{count} runs fit “{}”.", domain::shown(text)))
                .next(format!("Give more of its id, from the end: {}.", some.join(", "))))
        }
    }
}

/// Finds a run of the whole org in the same way; one that this device's own journal knows comes first.
pub(crate) fn find_seen(org: &Org, text: &str) -> Result<Seen, Problem> {
    let none = match find(org, text) {
        Ok(run) => return Ok(picture::run(org, &run.id)?.unwrap_or(Seen { run, whose: None })),
        Err(problem) if problem.kind == Kind::NotFound => problem,
        Err(problem) => return Err(problem),
    };
    if let Ok(id) = text.parse::<RunId>() {
        return picture::run(org, &id)?.ok_or(none);
    }
    let part = text.to_ascii_uppercase();
    let task = text.parse::<TaskId>().ok();
    let fits = |seen: &Seen| fits(&seen.run.id, &part) || task.as_ref().is_some_and(|task| is_at(&seen.run, task));
    let mut fitting: Vec<Seen> = picture::runs(org, limits::RUNS_MAX)?.into_iter().filter(fits).collect();
    match fitting.len() {
        0 => Err(none),
        1 => Ok(fitting.remove(0)),
        count => Err(Problem::invalid(format!("{count} runs of other devices fit “{}”.", domain::shown(text)))
            .next("Give more of its id: meshwork run list.")),
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    #[serde(flatten)]
    run: RunView,
    /// From whose journal it is known, where that is another device's.
    #[serde(skip_serializing_if = "Option::is_none")]
    whose: Option<Whose>,
    /// The other device that executes it, where that is away: as of then its state is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    away: Option<Whose>,
    /// Why it is where it is, in words.
    why: Option<String>,
    /// Whether it waits until a person has reviewed and merged a patch.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    waits_for_a_person: bool,
    /// What it may use of its model, as its manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<domain::usage::Budget>,
    /// Where the folder lies that is kept because it holds work which is in no patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_in: Option<PathBuf>,
    /// Messages of people that its agent did not get, or not yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    undelivered: Vec<Undelivered>,
}

/// A message that an agent did not get, or not yet.
#[derive(Debug, Serialize, JsonSchema)]
struct Undelivered {
    /// What it says.
    text: String,
    /// Why the agent will not get it, where that is known.
    why: Option<String>,
}

async fn show(context: Context, input: One) -> Result<Shown, Problem> {
    let org = context.org()?;
    let tell = move |org: &Arc<Org>| {
        let Seen { run, whose } = find_seen(org, &input.run)?;
        let run = picture::halted_with_its_checks(org, run);
        let late = || run.state.ended().then(|| "The run ended before.".to_owned());
        // What people wrote is not copied with a journal.
        let text = |m: &Message| match org.store.blobs().get(&m.text)? {
            None if whose.is_some() => Ok("(its text lies on another device)".to_owned()),
            _ => message_text(org, m),
        };
        let undelivered = run.messages.iter().map(|m| Ok(Undelivered { text: text(m)?, why: m.why.clone().or_else(late) }));
        let undelivered = undelivered.collect::<Result<_, Problem>>()?;
        let left = run.left.clone().map_or_else(|| lifecycle::saved_alone(org, &run), |left| Ok(Some(left)))?;
        let budget = run.envelope.is_some().then(|| lifecycle::manifest(org, &run).ok().map(|(manifest, _)| manifest.budget)).flatten();
        let (away, kept_in) = (picture::away(org, &run), lifecycle::kept::place(org, &run));
        let (why, waits_for_a_person) = why(org, &run)?;
        let gone = away.as_ref().map(|away| Ok::<_, Problem>(picture::away_text(&org.state()?, &run, away))).transpose()?;
        let why = why.into_iter().chain(gone).reduce(|why, gone| format!("{why} {gone}"));
        Ok(Shown { budget, why, waits_for_a_person, away, kept_in, undelivered, whose, run: Run { left, ..run }.into() })
    };
    org.blocking(tell).await
}

/// Why a run is where it is; of one that waits for other tasks also what a person can do about it, and whether it waits for that.
fn why(org: &Org, run: &Run) -> Result<(Option<String>, bool), Problem> {
    let Some(why) = run.why() else { return Ok((None, false)) };
    let waits = || {
        let at = run.task.as_ref()?;
        let board = Board::read(org, &org.project(Some(&run.project)).ok()?).ok()?;
        board.waits(board.task(Some(&at.feature), &at.task).ok()?)
    };
    let more = matches!(run.reason, Some(Reason::WaitsFor { .. })).then(waits).flatten();
    let (why, for_a_person) = more.map_or((why, false), |waits| (waits.why, waits.for_a_person));
    Ok((Some(names::within(&org.state()?, &why)), for_a_person))
}

#[derive(Debug, Serialize, JsonSchema)]
struct Diff {
    /// Unified; none while nothing was saved yet.
    diff: Option<String>,
    /// Whether it is the run's commit, and not a checkpoint on the way.
    whole: bool,
}

async fn diff(context: Context, input: One) -> Result<Diff, Problem> {
    let diff = move |org: &Arc<Org>| {
        let run = find_seen(org, &input.run)?.run;
        let rid = org.project(Some(&run.project))?.rid;
        if let Some(diff) = diff_of_commit(org, &run, &rid)? {
            return Ok(Diff { diff: Some(diff), whole: true });
        }
        let of = |saved| org.forge.diff_checkpoint(&rid, saved).map_err(|problem| lifecycle::unread(org, &run, saved, problem));
        let diff = run.checkpoint.as_ref().map(of).transpose()?;
        Ok(Diff { diff, whole: false })
    };
    context.org()?.blocking(diff).await
}

/// What a run's commit changes. Until it is published the commit lies in the run's own git folder alone; where that went, its
/// work is in the checkpoint, if there is one.
fn diff_of_commit(org: &Org, run: &Run, rid: &Rid) -> Result<Option<String>, Problem> {
    let (Some(base), Some(commit)) = (&run.base, &run.commit) else { return Ok(None) };
    let own = org.dir.run(&run.id).join("repo.git");
    if !org.forge.has_commit(rid, commit)? && own.exists() {
        return RunRepo::create(&own, &org.forge, rid)?.diff(base, commit).map(Some);
    }
    match org.forge.diff(rid, base, commit) {
        Err(problem) if problem.kind == Kind::NotFound && run.checkpoint.is_some() => Ok(None),
        told => told.map(Some),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Logs {
    /// The run.
    run: String,
    /// Only what came after this number.
    #[serde(default)]
    after: u64,
    /// How many lines at most.
    #[serde(default)]
    limit: Option<usize>,
}

/// A page of a run's log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogPage {
    /// The run.
    pub run: RunId,
    /// What was reported, in order.
    pub lines: Vec<LogLine>,
    /// Whether nothing will follow.
    pub ended: bool,
}

/// A line of a run's log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogLine {
    /// Its number: for asking what comes after.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[schemars(with = "domain::run::RunnerEvent")]
    pub event: serde_json::Value,
}

async fn logs(context: Context, input: Logs) -> Result<LogPage, Problem> {
    let org = context.org()?;
    let (after, limit) = (input.after, at_most(input.limit, limits::PAGE_MAX)?.min(limits::PAGE_MAX));
    let (run, here) = org.blocking(move |org| lies_here(org, &find_seen(org, &input.run)?.run)).await?;
    let (entries, ended) = match here {
        Some(log) => {
            crate::org::blocking(move || {
                let entries = log.read(after, limit)?;
                let last = entries.last().map_or(after, |entry| entry.seq);
                // The last reports of a log that is full have numbers, and no lines.
                let ended = entries.is_empty() || log.last_seq() <= last;
                Ok((entries, ended))
            })
            .await?
        }
        None => remote::log_page(&org, &run, after, limit).await?,
    };
    let lines = entries.into_iter().map(|e| LogLine { seq: e.seq, at: e.at, event: e.event }).collect();
    Ok(LogPage { ended: ended && run.state.ended(), run: run.id, lines })
}

/// A run, with its log where that lies here: this device executes it or asked for it, and did not lose it.
fn lies_here(org: &Org, run: &Run) -> Result<(Run, Option<RunLog>), Problem> {
    let known: Option<Run> = org.store.get(kind::RUN, run.id.as_str())?;
    let log = known.is_some_and(|known| remote::log_is_here(org, &known)).then(|| org.store.run_log(&run.id)).transpose()?;
    Ok((run.clone(), log.filter(|log| !remote::log_is_lost(run, log.last_seq()))))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Send {
    /// The run.
    run: String,
    /// What to tell the agent.
    text: String,
}

async fn send(context: Context, input: Send) -> Result<Done, Problem> {
    carry(context, input.run, Wish::Message { text: input.text }).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// The run.
    run: String,
    /// The question's id; the only open one where nothing is said.
    #[serde(default)]
    question: Option<String>,
    /// The option's id, or `allow` or `deny`.
    option: String,
}

async fn answer(context: Context, input: Answer) -> Result<Done, Problem> {
    carry(context, input.run, Wish::Answer { question: input.question, option: input.option }).await
}

async fn pause(context: Context, input: One) -> Result<Done, Problem> {
    carry(context, input.run, Wish::Pause).await
}

async fn resume(context: Context, input: One) -> Result<Done, Problem> {
    carry(context, input.run, Wish::Resume).await
}

async fn stop(context: Context, input: One) -> Result<Done, Problem> {
    let reason = steer::stopped(&context.actor(&*context.org()?));
    carry(context, input.run, Wish::End { reason }).await
}

/// Carries out what a person wants of a run, wherever it is executed.
async fn carry(context: Context, run: String, wish: Wish) -> Result<Done, Problem> {
    let org = context.org()?;
    let run = org.blocking(move |org| of_this_device(org, &run)).await?;
    Ok(Done::new(steer::carry(&org, &context.actor(&org), run, wish).await?))
}

/// A run that this device's journal knows. Of others it is said where they are steered.
fn of_this_device(org: &Org, text: &str) -> Result<Run, Problem> {
    match find(org, text) {
        Err(none) if none.kind == Kind::NotFound => Err(steered_elsewhere(&org.state()?, &find_seen(org, text)?.run)),
        found => found,
    }
}

/// What is said of a run that another device asked for: where it is steered, if anywhere.
fn steered_elsewhere(state: &OrgState, run: &Run) -> Problem {
    let name = state.called(&run.requester).unwrap_or_else(|| run.requester.to_string());
    let asked = Problem::conflict(format!("The run {} was asked for by the device {name}.", run.id));
    if state.device_of(&run.requester).is_some() {
        return asked
            .because("It is steered from there; here it is only shown.")
            .next("Do it on that device, or stop all of an agent, a member or a device: meshwork stop order.");
    }
    let again = run.task.as_ref().map_or_else(String::new, |at| format!(" Its task is free: meshwork task run {}.", at.task));
    asked.because("That device was removed from the org, so nobody steers the run any more.").next(match run.state.ended() {
        true => format!("There is nothing to be done with it.{again}"),
        false => format!("The device that executes it ends it, or is halted: meshwork stop order.{again}"),
    })
}

/// A folder of a run that is kept.
#[derive(Debug, Serialize, JsonSchema)]
struct KeptView {
    /// The run.
    run: RunId,
    /// Its task.
    task: Option<TaskRef>,
    /// Where it lies.
    path: PathBuf,
    /// How large it is.
    bytes: u64,
    /// What is in no patch.
    left_out: Option<LeftOut>,
}

async fn kept(context: Context, _: super::Nothing) -> Result<Vec<KeptView>, Problem> {
    let tell = |org: &Arc<Org>| {
        let view = |one: lifecycle::kept::Kept| {
            let run: Option<Run> = org.store.get(kind::RUN, one.run.as_str())?;
            let (task, left_out) = run.map_or((None, None), |r| (r.task, r.kept));
            Ok(KeptView { run: one.run, task, path: one.path, bytes: one.bytes, left_out })
        };
        let not_moved = lifecycle::kept::not_moved(org)?;
        lifecycle::kept::list(org).into_iter().chain(not_moved).map(view).collect::<Result<Vec<_>, Problem>>()
    };
    context.org()?.blocking(tell).await
}

async fn drop_kept(context: Context, input: One) -> Result<Done, Problem> {
    let org = context.org()?;
    let known = org.blocking(move |org| {
        let run = find_seen(org, &input.run)?.run;
        lifecycle::kept::elsewhere(org, &run)?.map_or(Ok(run), Err)
    });
    let run = known.await?;
    lifecycle::kept::drop_kept(&org, &context.actor(&org), &run.id, "A person said so.".into()).await?;
    Ok(Done::new("It is removed."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        fixtures::{self, did},
    };
    use domain::{
        org::{Device, KeyKind, Revocation},
        run::RunState,
    };

    #[test]
    fn what_runs_here_is_known_by_a_part_of_its_id_that_no_other_has() {
        let runs = ["01JZZZZZZZZZZZZZZZZZWRK001", "01JZZZZZZZZZZZZZZZZZWRK002"].map(|id| id.parse::<RunId>().unwrap());
        let table = [("wrk001", Some(0)), ("01JZZZZZZZZZZZZZZZZZWRK002", Some(1)), ("01JZZ", None), ("001", None), ("T0001", None)];
        for (text, expected) in table {
            assert_eq!(by_id(runs.iter().cloned(), text), expected.map(|at: usize| runs[at].clone()), "{text}");
        }
    }

    #[test]
    fn of_a_run_that_a_removed_device_asked_for_nobody_is_sent_there() {
        let gone = Revocation { did: did('g'), kind: KeyKind::Device, at: Timestamp(0), why: "sold".into(), name: Some("old-box".into()) };
        let devices = [("box".to_owned(), Device::new("box", did('a'), "ada"))].into();
        let state = OrgState { devices, ended: vec![gone], ..fixtures::state() };
        let said = |by: char, to: RunState| {
            let id = "01JZZZZZZZZZZZZZZZZZWRK001".parse().unwrap();
            let run = new_run(id, Class::Agent, "demo".parse().unwrap(), did('B'), did(by), Timestamp(0));
            steered_elsewhere(&state, &Run { state: to, ..run }).to_string()
        };
        assert!(said('a', RunState::Working).contains("by the device box. It is steered from there"));
        for (to, words) in [(RunState::Lost, "nothing to be done"), (RunState::Working, "meshwork stop order")] {
            let said = said('g', to);
            assert!(said.contains("old-box (removed). That device was removed") && said.contains(words), "{said}");
            assert!(!said.contains("Do it on that device"), "{said}");
        }
    }
}
