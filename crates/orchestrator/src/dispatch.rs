//! The dispatcher: looks at the queued runs and brings each one step nearer. Takes no input, may run at any time.

use crate::{admission, clock, fault::Fault, lifecycle, limits, org::Org, provenance, remote, stops, tasks::Board};
use domain::{
    Did, Problem, RunId,
    capacity::{Resources, Taken},
    event::{Body, kind},
    lease::Admission,
    limits::{PATCHES_WAITING_MAX, RESUME_ATTEMPTS_MAX, START_TRIES_MAX},
    manifest::{self, Class, Manifest, TimeLimits, Work},
    placement::{self, Candidate, Refusal},
    run::{Placed, Reason, Run, RunState},
    task::{self, TaskState},
};
use identity::envelope;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

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
    let mut runs = org.blocking(|org| org.active_runs()).await?;
    if Fault::asked() != Fault::NoRecovery {
        lifecycle::adrift::take_up(org, &runs).await;
    }
    lifecycle::look_after(org, &runs).await;
    admission::tell_room(org).await?;
    let now = clock::now();
    let later = |r: &Run| matches!(r.reason, Some(Reason::TriesAgain { at, .. }) if at > now);
    runs.retain(|r| r.requester == org.device && r.state.waits() && !later(r));
    runs.sort_by(|a, b| (b.class, &a.queued_at, &a.id).cmp(&(a.class, &b.queued_at, &b.id)));
    for run in runs {
        if *org.closing.borrow() {
            return Ok(());
        }
        if let Err(problem) = place(org, &run).await {
            tracing::warn!(run = %run.id, %problem, "a run could not be placed");
            let (to, reason) = if problem.passes() && run.tries < START_TRIES_MAX {
                (RunState::Queued, tries_again(&run, problem.to_string()))
            } else {
                (RunState::Failed, Reason::from_problem(&problem))
            };
            move_waiting(org, &run.id, vec![], to, Some(reason)).await?;
        }
    }
    Ok(())
}

/// Why a run waits that something passing kept from starting: the pause doubles each time.
pub(crate) fn tries_again(run: &Run, message: String) -> Reason {
    let pause_ms = limits::START_PAUSE_MS.saturating_mul(1 << run.tries.min(16)).min(limits::START_PAUSE_MAX_MS);
    Reason::TriesAgain { message, tries: run.tries + 1, at: clock::now().plus_ms(pause_ms) }
}

/// Tries to place one run; it stays queued, with the reason, while it must wait.
async fn place(org: &Arc<Org>, run: &Run) -> Result<(), Problem> {
    let there = run.elsewhere(&org.device).cloned();
    if let Some(device) = &there {
        if org.remote.busy(&run.id) {
            return Ok(());
        }
        let before = asked_before(org, run)?;
        if let Some(apart) = remote::apart(org, device) {
            // What was sent before it was known may have arrived, and stays asked for.
            return match before {
                Some(_) => unanswered(org, &run.id, &apart).await,
                None => wait(org, &run.id, Reason::WaitsForDevice { message: apart.to_string() }).await,
            };
        }
        if let Some(sealed) = before {
            remote::ask(org, &run.id, device, sealed);
            return Ok(());
        }
    }
    let (name, wanted) = (run.project.clone(), run.clone());
    let drafted = org.blocking(move |org| {
        let board = Board::read(org, &org.project(Some(&name))?)?;
        match hindrance(org, &board, &wanted)? {
            Some(reason) => Ok(Err(reason)),
            None => draft(org, &board, &wanted).map(Ok),
        }
    });
    let manifest = match drafted.await? {
        Ok(manifest) => manifest,
        // Somebody did it meanwhile.
        Err(Reason::Completed) => {
            return move_waiting(org, &run.id, vec![], RunState::Cancelled, Some(Reason::Completed)).await.map(drop);
        }
        Err(reason) => return wait(org, &run.id, reason).await,
    };
    // Of another device nothing is known beforehand: it answers for itself.
    let decision = match there {
        Some(_) => None,
        None => Some(judge(org, &manifest).await?),
    };
    if let Some(decision) = decision.as_ref().filter(|d| d.order.is_empty()) {
        return refused(org, &run.id, &org.device, decision.verdicts.iter().flat_map(|v| v.refusals.clone()).collect()).await;
    }
    let signing = org.forge.clone();
    let sealed = envelope::seal(&manifest, manifest::PAYLOAD_TYPE, &org.device, move |message| Ok(signing.sign_as_device(message)))?;
    let bytes = sealed.to_json()?;
    let blob = org.blocking(move |org| org.store.blobs().put(&bytes)).await?;
    let (base, spec_hash) = match &manifest.work {
        Work::Task { base, spec_hash, .. } => (base.clone(), Some(spec_hash.clone())),
        Work::Checks { commit, .. } => (commit.clone(), None),
    };
    let from = lifecycle::to_begin_with(org, run, &base)?;
    let placed = Placed { manifest: envelope::hash(&sealed), envelope: blob, base, spec_hash, from };
    let placed = Body::RunPlaced { run: run.id.clone(), placed };
    if !move_waiting(org, &run.id, vec![placed], RunState::Placing, None).await? {
        return Ok(());
    }
    crate::fault::held(org, RunState::Placing).await;
    match (decision, there) {
        (Some(decision), _) => ask(org, run, &decision, &sealed).await,
        (None, Some(device)) => {
            remote::ask(org, &run.id, &device, sealed);
            Ok(())
        }
        (None, None) => Ok(()),
    }
}

/// What another device was sent of a run, and did not answer: the very same is sent again while it counts, since it may have arrived.
fn asked_before(org: &Org, run: &Run) -> Result<Option<envelope::Envelope>, Problem> {
    if run.state != RunState::Placing || run.envelope.is_none() {
        return Ok(None);
    }
    let (manifest, sealed) = lifecycle::manifest(org, run)?;
    Ok((clock::now() < manifest.expires).then_some(sealed))
}

/// Notes that another device refused a run.
pub(crate) async fn refused_elsewhere(org: &Arc<Org>, run: &RunId, device: &Did, reasons: Vec<Refusal>) -> Result<(), Problem> {
    refused(org, run, device, reasons).await
}

/// Notes, once, why another device did not answer; it is asked again.
pub(crate) async fn unanswered(org: &Arc<Org>, id: &RunId, problem: &Problem) -> Result<(), Problem> {
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

/// What every device would say to a manifest.
async fn judge(org: &Arc<Org>, manifest: &Manifest) -> Result<placement::Decision, Problem> {
    let wanted = manifest.clone();
    org.blocking(move |org| {
        let runs = admission::on(org.active_runs()?, &org.device);
        // What other orgs take matters when it is admitted; where they have not told yet, it is that which refuses.
        let others = org.room.others().unwrap_or_default();
        let capacity = admission::DeviceLimits::of(org).capacity(Taken::by(&runs), others, wanted.class);
        let mut snapshot = placement::Snapshot::new();
        // Only this device, and its own work: whose name that is makes no difference.
        snapshot.put(Candidate {
            device: org.device.clone(),
            owner: String::new(),
            capacity,
            reclaimed: None,
            repositories: vec![wanted.work.repository().clone()],
            engines: vec![],
            suspected: false,
            round_trip_ms: Some(0),
        });
        let (avoid, at) = (BTreeMap::new(), clock::now());
        let request = placement::Request { manifest: &wanted, member: "", engine: None, readers: None, avoid: &avoid, at };
        Ok(placement::explain(&request, &snapshot))
    })
    .await
}

/// Asks the devices, best first, until one leases.
async fn ask(org: &Arc<Org>, run: &Run, decision: &placement::Decision, sealed: &envelope::Envelope) -> Result<(), Problem> {
    let mut refusals = Vec::new();
    for device in &decision.order {
        match admission::admit(org, sealed).await? {
            Admission::Leased { .. } => {
                lifecycle::drive(org, run.id.clone());
                return Ok(());
            }
            Admission::Refused { reasons } => {
                tracing::info!(run = %run.id, %device, "refused");
                refusals = reasons;
            }
        }
    }
    refused(org, &run.id, &org.device, refusals).await
}

/// Nobody takes it: it waits where that can help, and fails where it cannot.
async fn refused(org: &Arc<Org>, run: &RunId, device: &Did, refusals: Vec<Refusal>) -> Result<(), Problem> {
    let message = refusals.iter().map(Refusal::text).collect::<Vec<_>>().join(" ");
    if refusals.iter().all(Refusal::passes) {
        return wait(org, run, Reason::WaitsForRoom { message }).await;
    }
    let refused = Body::RunRefused { run: run.clone(), device: device.clone(), reasons: refusals };
    move_waiting(org, run, vec![refused], RunState::Failed, Some(Reason::Refused { message })).await.map(drop)
}

/// Moves a run that has no device yet; says whether it still had none.
async fn move_waiting(org: &Arc<Org>, id: &RunId, mut bodies: Vec<Body>, to: RunState, reason: Option<Reason>) -> Result<bool, Problem> {
    bodies.push(Body::RunMoved { run: id.clone(), to, reason });
    let events: Vec<_> = bodies.into_iter().map(|body| org.event(&org.device, body)).collect();
    let (id, waited) = (id.clone(), Arc::new(AtomicBool::new(false)));
    let found = waited.clone();
    let decided = org.store.append_if(move |view| {
        let waits = view.get::<Run>(kind::RUN, id.as_str())?.is_some_and(|r| r.state.waits());
        found.store(waits, Ordering::Relaxed);
        Ok(if waits { events } else { vec![] })
    });
    decided.await?;
    Ok(waited.load(Ordering::Relaxed))
}

/// Notes why a run waits, once while the reason stays.
async fn wait(org: &Arc<Org>, run: &RunId, reason: Reason) -> Result<(), Problem> {
    let now: Option<Run> = org.store.get(kind::RUN, run.as_str())?;
    if now.is_some_and(|r| r.state == RunState::Queued && r.reason.is_some_and(|before| reason.still(&before))) {
        return Ok(());
    }
    move_waiting(org, run, vec![], RunState::Queued, Some(reason)).await.map(drop)
}

/// Why a run cannot start yet.
fn hindrance(org: &Org, board: &Board, run: &Run) -> Result<Option<Reason>, Problem> {
    if let Some(stop) = stops::halting(org, run) {
        return Ok(Some(lifecycle::waiting::halt(&stop)));
    }
    let Some(at) = &run.task else { return Ok(None) };
    let view = board.task(Some(&at.feature), &at.task)?;
    if view.task.done {
        return Ok(Some(Reason::Completed));
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
fn draft(org: &Org, board: &Board, run: &Run) -> Result<Manifest, Problem> {
    let work = match (&run.task, &run.base) {
        (Some(at), _) => {
            let agent = run.agent.clone().ok_or_else(|| Problem::internal("a task's run without an agent"))?;
            let spec_hash = spec::spec_hash(&board.files, &at.feature);
            let base = base(org, board, run)?;
            Work::Task {
                repository: board.project.rid.clone(),
                task: at.clone(),
                spec_hash,
                definitions: board.head.clone(),
                agent,
                base,
                continues: run.continues.clone(),
                patch: run.patch.clone(),
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
        tags: BTreeMap::new(),
        runtime: None,
        network: board.settings.network.clone(),
        limits: time_limits(board, run.class),
        budget,
        priority: 0,
    })
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
