//! The dispatcher: looks at the queued runs and brings each one step nearer. Takes no input, may run at any time.

use crate::{admission, clock, fault::Fault, lifecycle, limits, org::Org, placing, provenance, queue, remote, rivals, stops, tasks::Board};
use domain::{
    Did, Problem, RunId,
    capacity::Resources,
    event::{Body, kind},
    fence::{self, Asked},
    limits::{PATCHES_WAITING_MAX, RESUME_ATTEMPTS_MAX, START_TRIES_MAX},
    manifest::{self, Class, Manifest, TimeLimits, Work},
    picture,
    placement::{Refusal, Untaken},
    run::{Reason, Run, RunState},
    task::{self, TaskState},
    time::millis,
};
use identity::Envelope;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use store::Ready;

/// Runs until the org closes.
pub async fn dispatch(org: Arc<Org>) {
    let mut closing = org.closing.subscribe();
    while !*closing.borrow() {
        let woken = org.wake.notified();
        if let Err(problem) = step(&org).await {
            tracing::error!(%problem, "the dispatcher could not go on; it tries again");
        }
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(limits::RECONCILE_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

async fn step(org: &Arc<Org>) -> Result<(), Problem> {
    let runs = org.blocking(|org| org.active_runs()).await?;
    if Fault::asked() != Fault::NoRecovery {
        lifecycle::adrift::take_up(org, &runs).await;
    }
    lifecycle::look_after(org, &runs).await;
    org.remote.hungry.store(false, Ordering::Relaxed);
    admission::tell_room(org).await?;
    let waiting: Vec<Run> = runs.iter().filter(|r| r.requester == org.device && r.state.waits()).cloned().collect();
    org.queue.only(|run| waiting.iter().any(|r| r.id == *run));
    let due: Vec<Run> = waiting.into_iter().filter(is_due).collect();
    let sorted = org.blocking(move |org| queue::sort(org, due, &runs)).await?;
    for run in sorted {
        if *org.closing.borrow() {
            return Ok(());
        }
        if let Err(problem) = place(org, &run).await {
            could_not(org, &run, problem).await?;
        }
    }
    Ok(())
}

/// Whether a run waits for a device, and not for its next try.
fn is_due(run: &Run) -> bool {
    run.state.waits() && !matches!(run.reason, Some(Reason::TriesAgain { at, .. }) if at > clock::now())
}

/// Notes that a run could not be placed: what passes is tried again, a few times at most.
pub(crate) async fn could_not(org: &Arc<Org>, run: &Run, problem: Problem) -> Result<(), Problem> {
    tracing::warn!(run = %run.id, %problem, "a run could not be placed");
    org.queue.waits_otherwise(&run.id);
    let (to, reason) = if problem.passes() && run.tries < START_TRIES_MAX {
        (RunState::Queued, tries_again(run, problem.to_string()))
    } else {
        (RunState::Failed, Reason::from_problem(&problem))
    };
    move_waiting(org, &run.id, vec![], to, Some(reason)).await.map(drop)
}

/// Why a run waits that something passing kept from starting: the pause doubles each time.
pub(crate) fn tries_again(run: &Run, message: String) -> Reason {
    let pause = limits::START_PAUSES.after(run.tries);
    Reason::TriesAgain { message, tries: run.tries + 1, at: clock::now().plus_ms(millis(pause)) }
}

/// A run that is ready to be placed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The project, as it stood.
    pub(crate) board: Arc<Board>,
    /// What is asked for.
    pub(crate) manifest: Manifest,
}

/// Tries to place one run; it stays queued, with the reason, while it must wait.
async fn place(org: &Arc<Org>, listed: &Run) -> Result<(), Problem> {
    if org.remote.busy(&listed.id) {
        return Ok(());
    }
    // Whoever was asked for it when it was listed may have said no since: to ask the very same once more would be for nothing, or for a
    // lease that nobody knows of.
    let now: Option<Run> = org.store.get(kind::RUN, listed.id.as_str())?;
    let Some(run) = now.as_ref().filter(|run| is_due(run)) else { return Ok(()) };
    match asked_before(org, run)? {
        Some(Before::Runs(device)) => {
            remote::follow(org, &run.id, &device, 0);
            return Ok(());
        }
        Some(Before::Unanswered(device, sealed)) => {
            // What was sent before it was known may have arrived, and stays asked for.
            if let Some(apart) = remote::apart(org, &device) {
                return unanswered(org, &run.id, &apart).await;
            }
            placing::again(org, run, device, *sealed);
            return Ok(());
        }
        // What the others did meanwhile is heard first.
        None if run.task.is_some() && remote::catches_up(org) => return Ok(()),
        None => {}
    }
    let (name, wanted) = (run.project.clone(), run.clone());
    let drafted = org.blocking(move |org| {
        let board = Arc::new(Board::read(org, &org.project(Some(&name))?)?);
        match hindrance(org, &board, &wanted)? {
            Some(reason) => Ok(Err(reason)),
            None => draft(org, &board, &wanted).map(|manifest| Ok(Draft { board, manifest })),
        }
    });
    match drafted.await? {
        Ok(draft) => placing::place(org, run, draft).await,
        // Somebody did it meanwhile, or took it over.
        Err(reason @ (Reason::Completed | Reason::Superseded { .. } | Reason::TakenOver { .. })) => {
            move_waiting(org, &run.id, vec![], RunState::Cancelled, Some(reason)).await.map(drop)
        }
        Err(reason) => wait(org, &run.id, reason).await,
    }
}

/// Another device that was asked for a run, and did not answer.
enum Before {
    /// It got the delegation of the run's key: so it runs it, and is followed.
    Runs(Did),
    /// The very same is sent again while that counts, since it may have arrived.
    Unanswered(Did, Box<Envelope>),
}

fn asked_before(org: &Org, run: &Run) -> Result<Option<Before>, Problem> {
    match fence::asked(run, &org.device) {
        None => Ok(None),
        Some(Asked::Runs(device)) => Ok(Some(Before::Runs(device))),
        Some(Asked::Unanswered(device)) => {
            let (manifest, sealed) = lifecycle::manifest(org, run)?;
            Ok((clock::now() < manifest.expires).then(|| Before::Unanswered(device, Box::new(sealed))))
        }
    }
}

/// Notes, once, why another device did not answer; it is asked again.
pub(crate) async fn unanswered(org: &Arc<Org>, id: &RunId, problem: &Problem) -> Result<(), Problem> {
    org.queue.waits_otherwise(id);
    if !problem.passes() {
        return move_waiting(org, id, vec![], RunState::Failed, Some(Reason::Refused { message: problem.to_string() })).await.map(drop);
    }
    let reason = Some(Reason::WaitsForDevice { message: problem.to_string() });
    let now: Option<Run> = org.store.get(kind::RUN, id.as_str())?;
    if now.is_some_and(|r| r.reason == reason) {
        return Ok(());
    }
    move_waiting(org, id, vec![], RunState::Placing, reason).await.map(drop)
}

/// Has the dispatcher look again.
pub(crate) fn wake(org: &Org) {
    org.wake.notify_one();
}

/// Notes what becomes of a run that nobody takes, and what each device `said` where it does not wait.
pub(crate) async fn untaken(
    org: &Arc<Org>,
    run: &RunId,
    untaken: Untaken,
    said: Vec<(Did, Vec<Refusal>)>,
    message: String,
) -> Result<(), Problem> {
    let (to, reason) = untaken.moves(message);
    if untaken == Untaken::Waits {
        return wait(org, run, reason).await;
    }
    let told = said.into_iter().map(|(device, reasons)| Body::RunRefused { run: run.clone(), device, reasons }).collect();
    if move_waiting(org, run, told, to, Some(reason)).await? && untaken == Untaken::Anew {
        org.remote.refusals.forget(run);
        lifecycle::take_up_again(org, run).await?;
    }
    Ok(())
}

/// Moves a run that has no device yet; says whether it still had none. Whoever has the delegation of its key runs it: then only the note
/// why it is not heard of counts.
pub(crate) async fn move_waiting(
    org: &Arc<Org>,
    id: &RunId,
    mut bodies: Vec<Body>,
    to: RunState,
    reason: Option<Reason>,
) -> Result<bool, Problem> {
    let places = bodies.iter().any(|body| matches!(body, Body::RunPlaced { .. }));
    bodies.push(Body::RunMoved { run: id.clone(), to, reason });
    let events = Ready::new(bodies.into_iter().map(|body| org.event(&org.device, body)).collect())?;
    let (id, waited) = (id.clone(), Arc::new(AtomicBool::new(false)));
    let found = waited.clone();
    let decided = org.store.append_ready_if(move |view| {
        let waits = view.get::<Run>(kind::RUN, id.as_str())?.is_some_and(|run| fence::may_move(&run, to, places));
        found.store(waits, Ordering::Relaxed);
        Ok(if waits { events } else { Ready::default() })
    });
    decided.await?;
    Ok(waited.load(Ordering::Relaxed))
}

/// Notes why a run waits, once while the reason stays.
pub(crate) async fn wait(org: &Arc<Org>, run: &RunId, reason: Reason) -> Result<(), Problem> {
    if !matches!(reason, Reason::WaitsForRoom { .. }) {
        // Else room would be kept for it that it does not come for.
        org.queue.waits_otherwise(run);
    }
    let now: Option<Run> = org.store.get(kind::RUN, run.as_str())?;
    if now.is_some_and(|r| r.state == RunState::Queued && r.reason.is_some_and(|before| reason.still(&before))) {
        return Ok(());
    }
    move_waiting(org, run, vec![], RunState::Queued, Some(reason)).await.map(drop)
}

/// Why a run cannot start yet.
fn hindrance(org: &Org, board: &Board, run: &Run) -> Result<Option<Reason>, Problem> {
    let claims = run.task.as_ref().map(|at| rivals::believed(org, &board.project, at)).transpose()?.unwrap_or_default();
    if let Some(lost) = picture::lost(&org.device, &claims) {
        return Ok(Some(lost));
    }
    if let Some(stop) = stops::halting(org, run) {
        return Ok(Some(stops::halt(&stop)));
    }
    let Some(at) = &run.task else { return Ok(None) };
    let view = board.task(Some(&at.feature), &at.task)?;
    if view.task.done {
        return Ok(Some(Reason::Completed));
    }
    if let Some(by) = &run.paused_by {
        return Ok(Some(Reason::Paused { by: by.clone() }));
    }
    // A further revision of its own patch is nobody else's.
    if run.patch.is_none()
        && let Some(by) = picture::begun_elsewhere(&org.device, &rivals::not_closed(org, &board.project, claims))
    {
        return Ok(Some(Reason::ClaimedElsewhere { by: by.clone() }));
    }
    let on = task::waits_for(&view.task, &board.states(&at.feature), board.settings.stack);
    if !on.is_empty() {
        return Ok(Some(Reason::WaitsFor { tasks: on }));
    }
    let waiting = board.tasks.iter().filter(|t| matches!(t.state, TaskState::InReview { .. })).count();
    let before = |r: &Run| r.task.as_ref() == Some(at) && r.queued_at <= run.queued_at && r.id < run.id;
    let earlier = org.active_runs()?.iter().any(before);
    if earlier {
        return Ok(Some(Reason::WaitsFor { tasks: vec![at.task.clone()] }));
    }
    Ok((run.patch.is_none() && waiting >= PATCHES_WAITING_MAX).then_some(Reason::ReviewLimit { waiting }))
}

/// The manifest of a run, from the project as it stands now.
pub(crate) fn draft(org: &Org, board: &Board, run: &Run) -> Result<Manifest, Problem> {
    draft_upon(org, board, run, || base(org, board, run))
}

/// The same, of work at a task that begins from this commit.
///
/// # Errors
/// As of [`draft`].
pub(crate) fn draft_upon(
    org: &Org,
    board: &Board,
    run: &Run,
    base: impl FnOnce() -> Result<domain::Oid, Problem>,
) -> Result<Manifest, Problem> {
    let work = match (&run.task, &run.base) {
        (Some(at), _) => {
            let agent = run.agent.clone().ok_or_else(|| Problem::internal("a task's run without an agent"))?;
            let spec_hash = spec::spec_hash(&board.files, &at.feature);
            let base = base()?;
            let from = lifecycle::to_begin_with(org, run, &base)?;
            Work::Task {
                repository: board.project.rid.clone(),
                task: at.clone(),
                spec_hash,
                definitions: board.head.clone(),
                agent,
                base,
                continues: run.continues.clone(),
                from,
                patch: run.patch.clone(),
                rebase: run.rebase,
            }
        }
        (None, Some(commit)) => Work::Checks {
            repository: board.project.rid.clone(),
            project: board.project.name.clone(),
            commit: commit.clone(),
            definitions: board.head.clone(),
            subject: run.subject.clone(),
        },
        (None, None) => return Err(Problem::internal("a run without a task or a commit")),
    };
    let budget = match &run.agent {
        Some(name) => org.state()?.agents.into_values().find(|a| a.name == *name).map(|a| a.budget).ok_or_else(|| no_agent(name))?,
        None => domain::usage::Budget::default(),
    };
    let now = clock::now();
    Ok(Manifest {
        version: manifest::VERSION,
        org: org.name.clone(),
        run: run.id.clone(),
        requester: org.device.clone(),
        member: run.member.clone(),
        at: now,
        expires: now.plus_ms(limits::MANIFEST_VALID_MS),
        class: run.class,
        work,
        resources: board.settings.resources.unwrap_or_else(|| {
            admission::DeviceLimits::of(org).at_most(Resources {
                cpu_milli: limits::RUN_CPU_MILLI,
                memory_bytes: limits::RUN_MEMORY_BYTES,
                disk_bytes: limits::RUN_DISK_BYTES,
                gpus: 0,
            })
        }),
        tags: tags(board, run),
        runtime: None,
        network: board.settings.network.clone(),
        limits: time_limits(board, run.class),
        budget,
        priority: run.priority,
        gave_way: run.gave_way,
        apart: run.apart.clone(),
    })
}

/// Tags that the device must have: those of the project, and those that were asked for. Checks are made where the work is.
fn tags(board: &Board, run: &Run) -> BTreeMap<String, String> {
    let of_project = board.settings.tags.iter().filter(|_| run.class == Class::Agent);
    of_project.chain(&run.tags).map(|(tag, value)| (tag.clone(), value.clone())).collect()
}

fn time_limits(board: &Board, class: Class) -> TimeLimits {
    let limits = board.settings.limits.unwrap_or_default();
    // Checks have a limit each; their run as a whole is bounded by wall time alone.
    if class == Class::Ci { TimeLimits { silence_s: limits.wall_s, ..limits } } else { limits }
}

/// What is said when an agent is unknown.
pub fn no_agent(name: &domain::AgentName) -> Problem {
    Problem::not_found(format!("There is no agent “{name}”.")).next("meshwork agent list shows them; meshwork agent add makes one.")
}

/// The commit that a run begins from: for a further revision the patch's own base, except when it is done anew on the
/// present branch; on top of a dependency's patch where the project stacks; else the canonical head.
fn base(org: &Org, board: &Board, run: &Run) -> Result<domain::Oid, Problem> {
    if let (Some(patch), false) = (&run.patch, run.rebase) {
        return Ok(provenance::known_patch(org, &board.project, patch)?.base);
    }
    // Saved work stands on the commit that it was made from; the merge brings it up to date.
    if let Some(base) = lifecycle::saved_before(org, run)?.and_then(|earlier| earlier.base) {
        return Ok(base);
    }
    let at = run.task.as_ref().ok_or_else(|| Problem::internal("a base without a task"))?;
    if board.settings.stack {
        let view = board.task(Some(&at.feature), &at.task)?;
        let states = board.states(&at.feature);
        let below = view.task.depends_on.iter().rev().find_map(|id| match states.get(id) {
            Some(TaskState::InReview { patch }) => Some(patch.clone()),
            _ => None,
        });
        if let Some(patch) = below {
            return Ok(provenance::known_patch(org, &board.project, &patch)?.head);
        }
    }
    Ok(board.head.clone())
}

/// Has a commit checked, and waits for the end. Checks that were begun before a restart are waited for, not begun again;
/// checks that are lost say nothing about the commit and are made again, a few times at most.
///
/// # Errors
/// When they cannot be queued.
pub async fn check(org: &Arc<Org>, subject: Option<&RunId>, project: &domain::ProjectName, commit: &domain::Oid) -> Result<Run, Problem> {
    let mut attempt = 0;
    loop {
        let id = match going_checks(org, subject, project, commit)? {
            Some(id) => id,
            None => queue_checks(org, subject, project, commit, attempt).await?,
        };
        let judged = until_ended(org, &id).await?;
        let lost = matches!(judged.state, RunState::Lost | RunState::Evicted);
        if !lost || judged.attempt >= RESUME_ATTEMPTS_MAX || *org.closing.borrow() {
            return Ok(judged);
        }
        attempt = judged.attempt + 1;
    }
}

/// Checks of the same commit for the same run that go on, and that this device asked for: those of another are its word.
pub(crate) fn going_checks(
    org: &Org,
    subject: Option<&RunId>,
    project: &domain::ProjectName,
    commit: &domain::Oid,
) -> Result<Option<RunId>, Problem> {
    let ours = |r: &Run| r.class == Class::Ci && r.requester == org.device && r.told.is_none();
    let same = |r: &&Run| ours(r) && r.subject.as_ref() == subject && r.project == *project && r.base.as_ref() == Some(commit);
    Ok(org.active_runs()?.iter().find(same).map(|r| r.id.clone()))
}

async fn queue_checks(
    org: &Arc<Org>,
    subject: Option<&RunId>,
    project: &domain::ProjectName,
    commit: &domain::Oid,
    attempt: u32,
) -> Result<RunId, Problem> {
    let mut run = admission::new_run(clock::run_id(), Class::Ci, project.clone(), org.member.clone(), org.device.clone(), clock::now());
    run.subject = subject.cloned();
    run.base = Some(commit.clone());
    run.attempt = attempt;
    let id = run.id.clone();
    org.record(&org.device, vec![Body::RunQueued { run: Box::new(run) }]).await?;
    org.wake.notify_one();
    Ok(id)
}

/// Waits until a run has ended.
pub(crate) async fn until_ended(org: &Org, id: &RunId) -> Result<Run, Problem> {
    let mut events = org.store.subscribe();
    loop {
        if let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())?
            && run.state.ended()
        {
            return Ok(run);
        }
        // Lagging behind is no harm: the state is read anew.
        let _ = events.recv().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{self, Opened, did};

    #[tokio::test]
    async fn a_device_that_said_no_since_a_run_was_listed_is_not_asked_the_very_same_again() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let id = clock::run_id();
        let (asked, kept) = fixtures::asked(org, &id);
        let new =
            admission::new_run(id.clone(), Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), clock::now());
        let placed = domain::run::Placed::of(&asked.manifest.work, asked.hash, kept, did('b'));
        let moved = |to| Body::RunMoved { run: id.clone(), to, reason: None };
        let asks = vec![Body::RunQueued { run: Box::new(new) }, Body::RunPlaced { run: id.clone(), placed }, moved(RunState::Placing)];
        org.record(&org.device, asks).await.unwrap();
        let listed: Run = org.store.get(kind::RUN, id.as_str()).unwrap().unwrap();
        assert!(matches!(asked_before(org, &listed), Ok(Some(Before::Unanswered(device, _))) if device == did('b')));
        org.record(&org.device, vec![moved(RunState::Queued)]).await.unwrap();
        // What is left to do is to find it a device: there is no project for that here.
        let _ = place(org, &listed).await;
        assert!(!org.remote.busy(&id), "nobody is being asked");
        org.record(&org.device, vec![moved(RunState::Cancelled)]).await.unwrap();
        assert!(place(org, &listed).await.is_ok(), "it is over");
    }
}
