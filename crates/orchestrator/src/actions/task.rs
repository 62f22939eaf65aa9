//! Tasks: listed, run, written.

use crate::{
    admission, clock,
    dispatch::no_agent,
    gated, names,
    org::Org,
    picture::{self, Claims},
    stops,
    table::{Action, Context, Effect, action},
    tasks::{Board, of_each, to_list},
};
use domain::{
    AgentName, Did, FeatureId, Problem, ProjectName, RunId, TaskId,
    actor::Actor,
    event::{Body, kind},
    manifest::{Class, Priority},
    role::Permission,
    run::{Run, RunView},
    stop::Stop,
    task::{Claim, Feature, Task, TaskState, TaskView},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

mod takeover;
mod wanted;
mod words;

pub(crate) use wanted::{Wanted, check_tags};
use wanted::{untagged, wanted};
pub(super) use words::why;
use words::{held_back, worked_at};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("task.list", Reads, Permission::View, "List the tasks of a project, and where each is.", list),
        action("task.show", Reads, Permission::View, "Show a task: its details, its runs, and why it waits.", show),
        action("task.run", Changes, Permission::RunTasks, "Give tasks to an agent: some, or all open ones of a feature.", run),
        action("task.takeover", Changes, Permission::Merge, "Take a task over that another device has claimed.", takeover::takeover),
        action("task.add", Changes, Permission::EditTasks, "Write a new task, as a commit of the member.", add),
        action("task.edit", Changes, Permission::EditTasks, "Change what a task says, as a commit of the member.", edit),
    ]
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The project; the only one where nothing is said.
    #[serde(default)]
    project: Option<ProjectName>,
    /// The feature; all where nothing is said.
    #[serde(default)]
    feature: Option<FeatureId>,
}

async fn list(context: Context, input: Which) -> Result<Vec<TaskView>, Problem> {
    let list = move |org: &Arc<Org>| {
        // A feature is one of a single project.
        let projects = match input.feature {
            Some(_) => vec![org.project(input.project.as_ref())?],
            None => to_list(org, input.project.as_ref())?,
        };
        of_each(&projects, |project| {
            let board = Board::seen(org, project)?;
            let feature = named(&board, input.feature.as_ref())?;
            Ok(board.tasks.into_iter().filter(|t| feature.as_ref().is_none_or(|f| t.at.feature == *f)).collect())
        })
    };
    context.org()?.blocking(list).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct One {
    #[serde(default)]
    project: Option<ProjectName>,
    #[serde(default)]
    feature: Option<FeatureId>,
    /// The task.
    task: TaskId,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    #[serde(flatten)]
    view: TaskView,
    /// Why it is where it is, in words.
    why: String,
    /// Its runs, newest first, whichever device asked for them.
    runs: Vec<RunView>,
}

async fn show(context: Context, input: One) -> Result<Shown, Problem> {
    let show = move |org: &Arc<Org>| {
        let board = Board::seen(org, &org.project(input.project.as_ref())?)?;
        let view = board.task(named(&board, input.feature.as_ref())?.as_ref(), &input.task)?.clone();
        let claims = Claims::read(org).all(org, &view.at)?;
        let ids: BTreeSet<&RunId> = claims.iter().flat_map(|claim| &claim.claim.runs).collect();
        let seen = ids.into_iter().rev().filter_map(|id| picture::run(org, id).transpose());
        let mut runs = seen.map(|seen| Ok(seen?.run)).collect::<Result<Vec<Run>, Problem>>()?;
        picture::halted_with_their_checks(org, &mut runs);
        // Why it is where it is, its shown claim says.
        let shown = domain::picture::claim_at(&org.device, &claims).into_iter().flat_map(|claim| claim.claim.runs.iter().rev());
        let shown: Vec<Run> = shown.filter_map(|id| runs.iter().find(|run| run.id == *id).cloned()).collect();
        let state = org.state()?;
        let away = shown.first().and_then(|run| Some(picture::away_text(&state, run, &picture::away(org, run)?)));
        let why = format!("{} {}", why(&board, &view, &shown), away.unwrap_or_default());
        Ok(Shown { why: names::within(&state, why.trim_end()), view, runs: runs.into_iter().map(RunView::from).collect() })
    };
    context.org()?.blocking(show).await
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunTasks {
    #[serde(default)]
    project: Option<ProjectName>,
    /// The feature whose tasks are meant.
    #[serde(default)]
    feature: Option<FeatureId>,
    /// The tasks. None: all open ones of the feature, in order, independent ones side by side.
    #[serde(default)]
    tasks: Vec<TaskId>,
    /// The agent; the only one where nothing is said.
    #[serde(default)]
    agent: Option<AgentName>,
    /// The device that is to execute them, by its name or key; whichever suits best where nothing is said.
    #[serde(default)]
    on: Option<String>,
    /// Whether this device is to execute them.
    #[serde(default)]
    here: bool,
    /// Tags that their devices must have, as `gpu` with the value `true`, beside those of the project.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// How important they are: the higher goes first, and displaces the lower where there is no room.
    #[serde(default)]
    priority: Priority,
    /// A run, or a part of its id, on whose device they must not be: for a review or a second attempt that is to be independent.
    #[serde(default)]
    apart_from: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Started {
    /// The journal's last event before: what became of the runs comes after it.
    seq: u64,
    runs: Vec<StartedRun>,
    /// Tasks that were left out, and why.
    skipped: Vec<Skipped>,
    /// What keeps some of them from starting at once, a sentence each.
    notices: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct StartedRun {
    task: TaskId,
    run: RunId,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Skipped {
    task: TaskId,
    why: String,
}

async fn run(context: Context, input: RunTasks) -> Result<Started, Problem> {
    let org = context.org()?;
    let seq = org.store.last().0;
    let actor = context.actor(&org);
    let Chosen { can, mut cannot, agent, wanted, notices } = org.blocking(move |org| choose(org, &input)).await?;
    let mut runs = Vec::new();
    for view in can {
        match queue(&org, &actor, &view, &agent, &wanted, false).await {
            Ok(run) => runs.push(StartedRun { task: view.at.task, run }),
            Err(problem) => cannot.push((view.at.task, problem)),
        }
    }
    org.wake.notify_one();
    if runs.is_empty() {
        return Err(nothing_started(cannot));
    }
    let skipped = cannot.into_iter().map(|(task, problem)| Skipped { task, why: problem.to_string() }).collect();
    Ok(Started { seq, runs, skipped, notices })
}

/// What is said when none of the tasks could be started.
fn nothing_started(mut cannot: Vec<(TaskId, Problem)>) -> Problem {
    match cannot.len() {
        0 => Problem::conflict("The feature has no open task.").next("meshwork task list shows where each is."),
        1 => cannot.remove(0).1,
        _ => {
            let each: Vec<_> = cannot.iter().map(|(task, problem)| format!("{task}: {problem}")).collect();
            Problem::conflict("None of the tasks can start.").because(each.join(" ")).next("Mend what is named, then run them again.")
        }
    }
}

/// Tasks that may be queued, and those that may not, with why.
struct Chosen {
    can: Vec<TaskView>,
    cannot: Vec<(TaskId, Problem)>,
    agent: AgentName,
    wanted: Wanted,
    notices: Vec<String>,
}

fn choose(org: &Org, input: &RunTasks) -> Result<Chosen, Problem> {
    let board = Board::read(org, &org.project(input.project.as_ref())?)?;
    let agent = the_agent(org, input.agent.as_ref())?;
    let feature = named(&board, input.feature.as_ref())?;
    let chosen: Vec<TaskView> = if input.tasks.is_empty() {
        let feature = the_feature(&board, feature.as_ref())?;
        board.tasks.iter().filter(|t| t.at.feature == feature && open(&t.state)).cloned().collect()
    } else {
        input.tasks.iter().map(|id| board.task(feature.as_ref(), id).cloned()).collect::<Result<_, _>>()?
    };
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    let others = Claims::read(org);
    for view in chosen {
        match startable(&board, &view).and_then(|()| takeover::free(org, &others, &view.at)) {
            Ok(()) => can.push(view),
            Err(problem) => cannot.push((view.at.task, problem)),
        }
    }
    let wanted = wanted(org, input)?;
    let halted = halted(org, &board, &agent, wanted.on.as_ref())?;
    let untagged = untagged(org, &board, &wanted, &can)?;
    let notices = halted.into_iter().chain(untagged).chain(held_back(&board, &can)).collect();
    Ok(Chosen { can, cannot, agent, wanted, notices })
}

/// Refuses work while a stop order halts the whole org. What another order holds back is queued, and it is said which does.
fn halted(org: &Org, board: &Board, agent: &AgentName, on: Option<&Did>) -> Result<Option<String>, Problem> {
    let why = |stop: &Stop| Ok::<_, Problem>(names::within(&org.state()?, &stops::why(stop)));
    if let Some(stop) = stops::halting_all(org) {
        return Err(Problem::conflict("A stop order halts the whole org: nothing new is begun.")
            .because(why(&stop)?)
            .next(format!("Run it once the order is lifted: meshwork stop lift {}, by whoever may.", stop.order.id)));
    }
    let (project, now) = (board.project.name.clone(), clock::now());
    let mut run = admission::new_run(clock::run_id(), Class::Agent, project, org.member.clone(), org.device.clone(), now);
    (run.agent, run.on) = (Some(agent.clone()), on.cloned());
    let Some(stop) = stops::halting(org, &run) else { return Ok(None) };
    let what = stop.order.scope.text();
    Ok(Some(format!("It waits until the stop order for {what} is lifted: meshwork stop list. {}", why(&stop)?)))
}

/// The agent that was named; none: the only one.
pub(super) fn the_agent(org: &Org, asked: Option<&AgentName>) -> Result<AgentName, Problem> {
    let agents: Vec<AgentName> = org.state()?.agents.into_values().map(|a| a.name).collect();
    match (asked, agents.as_slice()) {
        (Some(name), known) => known.iter().find(|a| *a == name).cloned().ok_or_else(|| no_agent(name)),
        (None, [one]) => Ok(one.clone()),
        (None, []) => Err(Problem::not_found("The org has no agent yet.").next("Make one: meshwork agent add <name> --engine <engine>.")),
        (None, several) => {
            let names: Vec<_> = several.iter().map(AgentName::as_str).collect();
            Err(Problem::invalid("The org has several agents.").next(format!("Say which with --agent: {}.", names.join(", "))))
        }
    }
}

/// The device that a person named.
fn device(org: &Org, text: &str) -> Result<Did, Problem> {
    let devices = org.state()?.devices;
    let found = devices.values().find(|d| d.name == text || d.did.as_str() == text);
    found.map(|d| d.did.clone()).ok_or_else(|| {
        let names: Vec<_> = devices.values().map(|d| d.name.as_str()).collect();
        Problem::not_found(format!("The org has no device “{}”.", domain::shown(text))).next(format!("There are: {}.", names.join(", ")))
    })
}

fn open(state: &TaskState) -> bool {
    matches!(state, TaskState::Ready | TaskState::Waiting { .. } | TaskState::Failed { .. } | TaskState::ChangesRequested { .. })
}

/// The full name of the feature that was named, if one was.
pub(super) fn named(board: &Board, asked: Option<&FeatureId>) -> Result<Option<FeatureId>, Problem> {
    asked.map(|text| board.named_feature(text).map(|f| f.id.clone())).transpose()
}

fn the_feature(board: &Board, asked: Option<&FeatureId>) -> Result<FeatureId, Problem> {
    match (asked, board.features.as_slice()) {
        (Some(id), _) => board.feature(id).map(|f| f.id.clone()),
        (None, [one]) => Ok(one.id.clone()),
        (None, []) => Err(Problem::not_found(format!("The project {} has no Spec-Kit features.", board.project.name))
            .next("meshwork feature new makes one.")),
        (None, several) => {
            let names: Vec<_> = several.iter().map(|f| f.id.as_str()).collect();
            Err(Problem::invalid("The project has several features.").next(format!("Say which with --feature: {}.", names.join(", "))))
        }
    }
}

/// Broken dependencies never start, nor what waits for such: they would wait for ever.
fn startable(board: &Board, view: &TaskView) -> Result<(), Problem> {
    let feature = board.feature(&view.at.feature)?;
    let blocked = spec::blocked(feature);
    let next = format!("Mend specs/{}/tasks.md.", view.at.feature);
    if let Some(why) = blocked.get(&view.at.task) {
        return Err(Problem::conflict(format!("{} cannot start: {why}", view.at.task)).next(next));
    }
    match below(feature, &view.at.task).into_iter().find(|t| !t.done && blocked.contains_key(&t.id)) {
        Some(stuck) => Err(Problem::conflict(format!("{} waits for {}, which cannot start.", view.at.task, stuck.id)).next(next)),
        None => Ok(()),
    }
}

/// All that a task waits for, directly and by way of others.
fn below<'f>(feature: &'f Feature, task: &TaskId) -> Vec<&'f Task> {
    let (mut found, mut look): (Vec<&Task>, Vec<&TaskId>) = (vec![], vec![task]);
    while let Some(id) = look.pop() {
        let of = feature.tasks.iter().filter(|t| t.id == *id).flat_map(|t| &t.depends_on);
        for next in of.filter_map(|id| feature.tasks.iter().find(|t| t.id == *id)) {
            if !found.iter().any(|t| t.id == next.id) {
                found.push(next);
                look.push(&next.id);
            }
        }
    }
    found
}

/// Claims a task and queues a run at it, in one transaction: never two at once.
pub(crate) async fn queue(
    org: &Arc<Org>,
    actor: &Actor,
    view: &TaskView,
    agent: &AgentName,
    wanted: &Wanted,
    rebase: bool,
) -> Result<RunId, Problem> {
    let mut run =
        admission::new_run(clock::run_id(), Class::Agent, view.at.project.clone(), org.member.clone(), org.device.clone(), clock::now());
    run.task = Some(view.at.clone());
    run.agent = Some(agent.clone());
    run.rebase = rebase;
    run.on.clone_from(&wanted.on);
    run.tags.clone_from(&wanted.tags);
    run.priority = wanted.priority;
    run.apart.clone_from(&wanted.apart);
    match &view.state {
        TaskState::Merged { .. } | TaskState::Done => return Err(done_already(&view.at.task, "done")),
        TaskState::InReview { patch } if !rebase => {
            return Err(Problem::conflict(format!("{} is in review already, as patch {patch}.", view.at.task))
                .next("Merge it, ask for changes, or close it: meshwork patch review."));
        }
        TaskState::InReview { patch } | TaskState::ChangesRequested { patch } => run.patch = Some(patch.clone()),
        TaskState::Failed { run: earlier, .. } => run.continues = Some(earlier.clone()),
        _ => {}
    }
    let (id, at) = (run.id.clone(), view.at.clone());
    let mut event = org.event(actor, Body::RunQueued { run: Box::new(run.clone()) });
    let decided = org.store.append_if(move |read| {
        let claim: Option<Claim> = read.get(kind::CLAIM, &at.to_string())?;
        let latest = claim.as_ref().and_then(|c| c.runs.last()).map(|id| read.get::<Run>(kind::RUN, id.as_str())).transpose()?.flatten();
        if let Some(going) = latest.filter(|r| !r.state.ended()) {
            return Err(worked_at(&at.task, &going));
        }
        if claim.as_ref().is_some_and(|c| c.merged) {
            return Err(done_already(&at.task, "merged"));
        }
        // What a run that ended without a result was to continue, the next one continues.
        if let Some(earlier) =
            claim.as_ref().and_then(|c| c.runs.last()).map(|id| read.get::<Run>(kind::RUN, id.as_str())).transpose()?.flatten()
            && run.continues.as_ref() == Some(&earlier.id)
            && claim.is_some_and(|c| !c.rejected)
        {
            run.patch = earlier.patch;
            run.rebase = earlier.rebase;
            event.body = Body::RunQueued { run: Box::new(run) };
        }
        Ok(vec![event])
    });
    decided.await?;
    Ok(id)
}

fn done_already(task: &TaskId, how: &str) -> Problem {
    Problem::conflict(format!("{task} is {how} already."))
        .next("meshwork task list shows what is open; for more work at it write a new task: meshwork task add.")
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    #[serde(default)]
    project: Option<ProjectName>,
    #[serde(default)]
    feature: Option<FeatureId>,
    /// What is to be done.
    title: String,
    /// The phase's heading, or part of it; the last phase where nothing is said.
    #[serde(default)]
    phase: Option<String>,
    /// May go beside others of its phase.
    #[serde(default)]
    parallel: bool,
    /// Its user story, as `US1`.
    #[serde(default)]
    story: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Written {
    task: TaskId,
    feature: FeatureId,
    commit: domain::Oid,
    /// The command that brings it into a working copy.
    pull: String,
}

async fn add(context: Context, input: Add) -> Result<Written, Problem> {
    let (project, feature) = (input.project.clone(), input.feature.clone());
    write(&context, project, feature, None, move |text, _| {
        let new = spec::NewTask {
            title: input.title.clone(),
            phase: input.phase.clone(),
            parallel: input.parallel,
            story: input.story.clone(),
            after: None,
        };
        spec::add(text, &new)
    })
    .await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    #[serde(default)]
    project: Option<ProjectName>,
    #[serde(default)]
    feature: Option<FeatureId>,
    /// The task.
    task: TaskId,
    /// What it is to say.
    title: String,
}

async fn edit(context: Context, input: Edit) -> Result<Written, Problem> {
    let (project, feature, task) = (input.project.clone(), input.feature.clone(), input.task.clone());
    write(&context, project, feature, Some(task), move |text, _| Ok((spec::edit(text, &input.task, &input.title)?, input.task.clone())))
        .await
}

/// Changes a feature's `tasks.md` on the default branch, as a commit of the member.
async fn write(
    context: &Context,
    project: Option<ProjectName>,
    feature: Option<FeatureId>,
    task: Option<TaskId>,
    change: impl Fn(&[u8], &FeatureId) -> Result<(Vec<u8>, TaskId), Problem> + Send + 'static,
) -> Result<Written, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let (project, written) = org
        .blocking(move |org| {
            let project = org.project(project.as_ref())?;
            gated::here(org, &project)?;
            let board = Board::read(org, &project)?;
            let feature = named(&board, feature.as_ref())?;
            let feature = match &task {
                Some(id) => board.task(feature.as_ref(), id)?.at.feature.clone(),
                None => the_feature(&board, feature.as_ref())?,
            };
            let path = format!("specs/{feature}/tasks.md");
            let (text, task) = change(board.files.get(&path).map_or(&[][..], Vec::as_slice), &feature)?;
            let message = format!("{feature}: write task {task}");
            let commit = org.forge.commit_files(&board.project.rid, &message, &[(path, Some(text))], Some(&board.head))?;
            Ok((board.project.name, Written { task, feature, commit, pull: crate::merge::pull(org, &project) }))
        })
        .await?;
    org.record(&actor, vec![Body::TasksEdited { project, commit: written.commit.clone() }]).await?;
    Ok(written)
}
