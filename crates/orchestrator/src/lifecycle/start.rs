//! Starting: the runner comes up and reports its key; the requester's device delegates to it. Or, after a restart of the
//! orchestrator: the runner is found again.

use super::{Drive, Over, asked::or_asked, evict, messages, runner_process};
use crate::{
    clock,
    context::RunContext,
    credentials,
    data_dir::fresh_folder,
    gateway::{self, Call, Parts, Patience, Route},
    host::{Ended, Live, Welcome},
    lending::guests,
    limits,
    org::Org,
    picture,
    quotas::{self, Spender},
    remote,
    tasks::Board,
};
use domain::{
    Did, Hash, Kind, Problem, RunId,
    agent::Agent,
    event::{Body, kind},
    manifest::Manifest,
    run::{Order, Reason, Run, RunSpec, RunState, RunnerEvent, RunnerJob},
    usage::{ForWhom, ModelCall},
};
use identity::{
    Delegation,
    envelope::{self, Envelope},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};
use tokio::sync::{mpsc, watch};

/// Tells why a run is to end, once somebody asks for that.
type Ending = watch::Receiver<Option<Reason>>;

/// Starts a leased run: folder, runner, key, delegation.
pub(super) async fn start(org: &Arc<Org>, id: &RunId, end: Ending) -> Result<Drive, Over> {
    let run: Run = org.store.get(kind::RUN, id.as_str())?.ok_or_else(|| Problem::internal("a leased run is unknown"))?;
    let folder = org.dir.run(id);
    let token = secret()?;
    let foreign = run.requester != org.device;
    if foreign {
        // A fetch that is under way may come to its end: nothing waits for it.
        or_asked(end.clone(), async { Ok(remote::bring(org, &run).await?) }).await?;
    }
    org.blocking(move |_| fresh_folder(&folder)).await?;
    if foreign && run.continues.is_some() {
        or_asked(end.clone(), bring_saved(org, &run)).await?;
    }
    let spawned = (id.clone(), token.clone());
    let (live, reports, board) = open(org, &run, token).await?;
    org.hub.insert(live.clone());
    let drive = Drive { org: org.clone(), id: id.clone(), live, reports, board, end };
    crate::fault::held(org, RunState::Starting).await;
    drive.unless_asked()?;
    org.blocking(move |org| runner_process::spawn(org, &spawned.0, &spawned.1)).await?;
    drive.delegate(&run).await?;
    Ok(drive)
}

/// Brings what a run goes on from, before its runner waits for anything. Where the device that asked is away, or does not have it any more,
/// the run is lost, and taken up by that device again.
async fn bring_saved(org: &Arc<Org>, run: &Run) -> Result<(), Over> {
    remote::bring_saved(org, run).await.map_err(|problem| match problem.passes() || problem.kind == Kind::NotFound {
        true => Over::lost(format!("The work that it goes on from could not be brought. {problem}")),
        false => problem.into(),
    })
}

/// Finds the runner of a run again after the orchestrator was restarted.
pub(super) async fn adopt(org: &Arc<Org>, run: &Run, end: Ending) -> Result<Drive, Over> {
    let folder = org.dir.run(&run.id);
    let token = std::fs::read_to_string(folder.join("token")).map_err(|_| Over::lost(without_folder(run)))?;
    if !runner_process::alive(&folder) {
        return Err(Over::lost("The orchestrator was restarted, and the run's runner was gone."));
    }
    if run.state < RunState::Working {
        return Err(Over::lost("The orchestrator was restarted before the run's work began."));
    }
    let (live, reports, board) = open(org, run, token).await?;
    let told = told(&folder).ok_or_else(|| Over::lost("What its runner was told is not on disk."))?;
    live.welcome.send_replace(Some(told));
    live.ended.send_replace(ended_before(&live)?);
    let goes_on = evict::is_let_go(&folder, run);
    // What is let go counts as going on: where it is frozen anew, that is for the machine's owner alone.
    live.note_was_paused(run.paused && !goes_on);
    live.note_stays_paused(run.paused_by.is_some());
    // Only the runner that has the run's key is the run's.
    live.key.send_replace(run.key.as_ref().map(identity::public_key).transpose()?);
    // Before the runner is back: so it gets these first.
    messages::send_again(org, run, &live)?;
    if goes_on {
        let _ = live.order(Order::Resume);
    }
    org.hub.insert(live.clone());
    let mut connected = live.connected.subscribe();
    let back = async { connected.wait_for(|c| *c).await.is_ok() };
    let back = tokio::time::timeout(limits::RUNNER_RETURN_WAIT, while_alive(&folder, back)).await;
    if back != Ok(Some(true)) {
        return Err(Over::lost("The orchestrator was restarted, and the run's runner did not come back."));
    }
    let drive = Drive { org: org.clone(), id: run.id.clone(), live, reports, board, end };
    drive.catch_up(run).await?;
    Ok(drive)
}

/// Why nothing of a run is found here that has no folder of its own.
fn without_folder(run: &Run) -> &'static str {
    // Its key came from its runner.
    match run.state > RunState::Starting || run.key.is_some() {
        true => {
            "It had begun, and the folder in which it worked is not on this device's disk any more, as where an older copy of the disk \
             was put back."
        }
        false => "The orchestrator ended before its runner was started.",
    }
}

/// Waits for something as long as the run's runner lives; none when it is gone.
pub(super) async fn while_alive<T>(folder: &Path, wanted: impl Future<Output = T>) -> Option<T> {
    let gone = async {
        while runner_process::alive(folder) {
            tokio::time::sleep(limits::RUNNER_LOOK_EVERY).await;
        }
    };
    tokio::select! {
        found = wanted => Some(found),
        () = gone => None,
    }
}

/// What the log says of the end of the engine's part.
fn ended_before(live: &Live) -> Result<Option<Ended>, Problem> {
    let last = live.log.last_seq();
    let lines = live.log.read(last.saturating_sub(8), 16)?;
    Ok(lines.into_iter().rev().find_map(|entry| match entry.parsed() {
        Some(RunnerEvent::WorkEnded { reason, checks }) => Some(Ended { reason, checks }),
        _ => None,
    }))
}

async fn open(org: &Arc<Org>, run: &Run, token: String) -> Result<(Arc<Live>, mpsc::Receiver<RunnerEvent>, Board), Over> {
    let wanted = run.clone();
    let (board, agent, manifest, log, works_for) = org
        .blocking(move |org| {
            let (manifest, _) = manifest(org, &wanted)?;
            let board = Board::read_at(org, &org.project(Some(&wanted.project))?, manifest.work.definitions().clone())?;
            let agent = wanted.agent.as_ref().map(|name| agent(org, name)).transpose()?;
            let works_for = guests::works_for(&wanted, |id| org.store.get(kind::RUN, id.as_str()))?;
            Ok((board, agent, manifest, org.store.run_log(&wanted.id)?, works_for))
        })
        .await?;
    let foreign = run.requester != org.device;
    // What another device asked for goes to the gateway there: nothing of it needs a key of ours.
    let route = route(org, run, agent.as_ref().filter(|_| !foreign), &manifest, None)?;
    let away = foreign.then(|| remote::Away::new(org, run)).transpose()?;
    let context = RunContext::new(board.files.clone());
    let told = told(&org.dir.run(&run.id)).and_then(|told| serde_json::from_str::<RunSpec>(&told.spec_json).ok());
    if let Some(RunnerJob::Agent(job)) = told.map(|spec| spec.job) {
        context.set_brief(job.prompt);
    }
    let (live, reports) = Live::new(run.id.clone(), works_for, token, log, route, away, context);
    Ok((live, reports, board))
}

/// What the runner of a run was told, if it was.
fn told(folder: &Path) -> Option<Welcome> {
    serde_json::from_slice(&std::fs::read(folder.join("welcome.json")).ok()?).ok()
}

/// An agent by name.
pub(super) fn agent(org: &Org, name: &domain::AgentName) -> Result<Agent, Problem> {
    org.state()?.agents.into_values().find(|a| a.name == *name).ok_or_else(|| crate::dispatch::no_agent(name))
}

/// The manifest that a run was leased for, and its envelope.
pub(crate) fn manifest(org: &Org, run: &Run) -> Result<(Manifest, Envelope), Problem> {
    let blob = run.envelope.as_ref().ok_or_else(|| Problem::internal("a leased run without a manifest"))?;
    let envelope = sealed(org, blob)?;
    let state = org.state()?;
    let (manifest, _) = identity::manifest::open(&envelope, |did| state.device_of(did).is_some())?;
    if run.manifest.as_ref() != Some(&envelope::hash(&envelope)) || manifest.run != run.id {
        return Err(Problem::new(
            Kind::Forbidden,
            format!("The manifest that is kept of run {} is not the one it was placed with.", run.id),
        ));
    }
    Ok((manifest, envelope))
}

/// An envelope that is kept as a blob.
pub(crate) fn sealed(org: &Org, blob: &Hash) -> Result<Envelope, Problem> {
    let bytes = org.store.blobs().get(blob)?;
    Envelope::from_json(&bytes.ok_or_else(|| Problem::not_found(format!("What was signed as {blob} was erased.")))?)
}

/// A run's gateway. `standby` says whose books it goes into where the journal here does not know the run.
fn route(org: &Arc<Org>, run: &Run, agent: Option<&Agent>, manifest: &Manifest, standby: Option<ForWhom>) -> Result<Arc<Route>, Problem> {
    let model = agent.and_then(|a| a.model.clone());
    let (project, name) = (run.project.clone(), run.agent.clone());
    let key = credentials::key_source(org, model.as_ref(), move |info| credentials::for_run(info, &project, name.as_ref()));
    let member = standby.as_ref().map_or(&run.member, |whom| &whom.member).clone();
    let rules = quotas::rule_source(org, model.clone(), Spender { member: Some(member), agent: run.agent.clone() });
    let (looking, elsewhere) = (Arc::downgrade(org), picture::UsedElsewhere::of(org, run));
    let elsewhere = move || looking.upgrade().map(|org| elsewhere.now(&org)).unwrap_or_default();
    let (recording, id) = (Arc::downgrade(org), run.id.clone());
    let record = move |call: Call| {
        let (org, run, standby) = (recording.upgrade(), id.clone(), standby.clone());
        Box::pin(async move {
            let org = org.ok_or_else(|| Problem::unavailable("The orchestrator is closing."))?;
            let Call { model, status, usage, duration_ms, admitted, content } = call;
            let content = quotas::keep(&org, content).await?;
            let call = ModelCall { model, status, usage, duration_ms, admitted };
            let body = Body::ModelCalled { run, call, content, standby };
            org.record(&org.device, vec![body]).await
        }) as futures::future::BoxFuture<'static, Result<(), Problem>>
    };
    let (telling, id) = (Arc::downgrade(org), run.id.clone());
    let refused = move |what: String| {
        if let Some(org) = telling.upgrade() {
            let body = Body::SandboxStopped { run: id.clone(), what };
            tokio::spawn(async move {
                if let Err(problem) = org.record(&org.device, vec![body]).await {
                    tracing::error!(%problem, "a stopped attempt could not be journaled");
                }
            });
        }
    };
    Route::new(Parts {
        run: run.id.clone(),
        model,
        budget: manifest.budget,
        network: manifest.network.clone(),
        used: run.usage,
        elsewhere: Arc::new(elsewhere),
        key,
        rules,
        ledger: org.ledger.clone(),
        record: Arc::new(record),
        refused: Arc::new(refused),
        resolver: gateway::system_resolver(),
        patience: Patience::default(),
    })
}

impl Drive {
    /// A crash may have come between a report's way to the log and its way to the journal: what the log says of open
    /// questions, messages and of a pause is made up for.
    async fn catch_up(&self, run: &Run) -> Result<(), Problem> {
        let (mut after, mut paused, mut open, mut delivered) = (0, None, BTreeMap::new(), BTreeSet::new());
        loop {
            let log = self.live.log.clone();
            let page = crate::org::blocking(move || log.read(after, limits::PAGE_MAX)).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for event in page.iter().filter_map(store::LogEntry::parsed) {
                match event {
                    RunnerEvent::Asked { question } => drop(open.insert(question.id.clone(), question)),
                    RunnerEvent::Answered { id, .. } => drop(open.remove(&id)),
                    RunnerEvent::MessageDelivered { order } => drop(delivered.insert(order)),
                    RunnerEvent::Paused => paused = Some(true),
                    RunnerEvent::Resumed => paused = Some(false),
                    _ => {}
                }
            }
        }
        let goes_on = evict::is_let_go(&self.org.dir.run(&run.id), run);
        paused.into_iter().for_each(|paused| self.live.note_was_paused(paused && !goes_on));
        let id = || run.id.clone();
        let known = |id: &String| run.questions.iter().any(|q| q.id == *id);
        let answered = run.questions.iter().filter(|q| !open.contains_key(&q.id));
        let mut bodies: Vec<Body> = answered.map(|q| Body::QuestionAnswered { run: id(), question: q.id.clone(), option: None }).collect();
        bodies.extend(open.iter().filter(|(q, _)| !known(q)).map(|(_, q)| Body::QuestionAsked { run: id(), question: q.clone() }));
        bodies.extend(paused.filter(|p| *p != run.paused).map(|paused| Body::RunPaused { run: id(), paused }));
        let pending = run.messages.iter().filter(|m| delivered.contains(&m.order));
        bodies.extend(pending.map(|m| Body::MessageDelivered { run: id(), order: m.order }));
        if bodies.is_empty() { Ok(()) } else { self.org.record(&self.org.device, bodies).await }
    }

    /// Waits for the runner's key, and lets it act for the agent.
    async fn delegate(&self, run: &Run) -> Result<(), Over> {
        let mut key = self.live.key.subscribe();
        let reported = async { key.wait_for(Option::is_some).await.ok().and_then(|k| *k) };
        let folder = self.org.dir.run(&self.id);
        let waited = self.or_asked(async { Ok(tokio::time::timeout(limits::RUNNER_HELLO_WAIT, while_alive(&folder, reported)).await) });
        let public = match waited.await? {
            Ok(Some(Some(key))) => key,
            Ok(_) => return Err(Over::lost(format!("The runner ended before it reported its key.{}", self.runner_said()))),
            _ => {
                return Err(Over::lost(format!(
                    "The runner did not report its key within {} s.{}",
                    limits::RUNNER_HELLO_WAIT.as_secs(),
                    self.runner_said()
                )));
            }
        };
        let key = identity::did(&public);
        let run = run.clone();
        let own = key.clone();
        let delegated = if run.requester == self.org.device {
            self.org.blocking(move |org| delegated(org, &run, own)).await?
        } else {
            self.or_asked(async { Ok(remote::delegation(&self.org, &run, &own).await?) }).await?
        };
        self.record(Body::RunDelegated { run: self.id.clone(), key, delegation: delegated }).await?;
        Ok(self.becomes(RunState::Preparing).await?)
    }

    /// The end of what the runner printed, where that helps.
    pub(super) fn runner_said(&self) -> String {
        let text = std::fs::read_to_string(self.org.dir.run(&self.id).join("runner.log")).unwrap_or_default();
        text.lines().last().map(|line| format!(" It said: {}", domain::shown(line))).unwrap_or_default()
    }
}

/// The gateway of a run that another device executes for this one.
pub(crate) fn gateway_of(org: &Arc<Org>, run: &Run) -> Result<Arc<Route>, Problem> {
    let (manifest, _) = manifest(org, run)?;
    let agent = run.agent.as_ref().map(|name| agent(org, name)).transpose()?;
    route(org, run, agent.as_ref(), &manifest, None)
}

/// The gateway, with this device's own credential, of a run that another device of the member asked for and a third one executes.
pub(crate) fn standby_gateway(org: &Arc<Org>, run: &Run, manifest: &Manifest) -> Result<Arc<Route>, Problem> {
    let agent = run.agent.as_ref().map(|name| agent(org, name)).transpose()?;
    let whom = ForWhom { member: org.member.clone(), agent: run.agent.clone() };
    route(org, run, agent.as_ref(), manifest, Some(whom))
}

/// Signs the delegation of a run's key, and keeps it as a blob.
pub(crate) fn delegated(org: &Org, run: &Run, key: Did) -> Result<Hash, Problem> {
    let (manifest, envelope) = manifest(org, run)?;
    if manifest.requester != org.device {
        return Err(Problem::new(Kind::Forbidden, "This device cannot delegate for work that another device asks for.")
            .because(format!("The run's key needs the signature of {}.", manifest.requester)));
    }
    let now = clock::now();
    // The clock of another device that executes it may be behind, and this one's be set back.
    let from = domain::Timestamp(now.0.saturating_sub(i64::try_from(identity::limits::CLOCKS_DIFFER_MS).unwrap_or(0)));
    // What is done while the device that executes it has no orchestrator running can still be signed when it is back.
    let until = now.plus_ms(delegation_ms(&manifest).saturating_add(limits::HOST_AWAY_MS));
    let delegation = Delegation {
        executor: run.elsewhere(&org.device).cloned(),
        ..Delegation::of(&manifest, envelope::hash(&envelope), key, from, until)
    };
    let sealed = delegation.seal(|message| Ok(org.forge.sign_as_device(message)))?;
    org.store.blobs().put(&sealed.to_json()?)
}

/// Long enough for the work, its checks and publishing, and for a lease beyond. A standby device serves no run for longer.
pub(crate) fn delegation_ms(manifest: &Manifest) -> u64 {
    manifest.limits.wall_s.saturating_mul(2_000).saturating_add(domain::limits::LEASE_MS)
}

/// A secret for one run, from the system's randomness.
pub fn secret() -> Result<String, Problem> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(Problem::internal)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission::new_run, fixtures::did};
    use domain::{Timestamp, manifest::Class};

    #[test]
    fn of_a_run_that_worked_and_whose_folder_is_gone_it_is_not_said_that_it_never_began() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let new = new_run(id, Class::Agent, "demo".parse().unwrap(), did('A'), did('a'), Timestamp(0));
        let said = |state, key| without_folder(&Run { state, key, ..new.clone() });
        assert!(said(RunState::Starting, None).contains("before its runner was started"));
        for (state, key) in [(RunState::Working, None), (RunState::Starting, Some(did('r')))] {
            let said = said(state, key);
            assert!(said.contains("It had begun") && said.contains("put back"), "{said}");
        }
    }
}
