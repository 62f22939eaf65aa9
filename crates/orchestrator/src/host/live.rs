//! What the orchestrator keeps of one live run: its runner's connection, orders under way, signatures asked for.

use crate::{gateway::Route, limits};
use domain::{
    Did, Kind, Problem, RunId,
    actor::Actor,
    run::{CheckResult, Order, Reason, RunnerEvent},
};
use identity::Secret;
use proto::run::{CheckedCommit, HostMessage, Order as WireOrder, SignRequest, host_message, sign_request};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use store::RunLog;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// What a runner is told at the beginning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// A `domain::run::RunSpec` as JSON.
    pub spec_json: String,
    /// The delegation's envelope as JSON.
    pub delegation_json: String,
    /// The envelope of the manifest that it is for, as JSON.
    pub manifest_json: String,
}

/// How the engine's part of a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Why.
    pub reason: Reason,
    /// Results, where the job was checks.
    pub checks: Vec<CheckResult>,
}

type Answer = oneshot::Sender<Result<(), Problem>>;
type Signing = oneshot::Sender<Result<[u8; 64], Problem>>;

/// One live run.
#[derive(Debug)]
pub struct Live {
    /// The run.
    pub run: RunId,
    /// The key of the member for whom it works; of checks, of the member whose work they judge.
    pub works_for: Did,
    /// The secret that its runner shows.
    pub token: Secret,
    /// Its log on disk.
    pub log: RunLog,
    /// How its model traffic and other egress goes.
    pub route: Arc<Route>,
    /// The gateway of the device that asked for it, where that is another: then its traffic goes there.
    pub away: Option<Arc<crate::remote::Away>>,
    /// What the engine may ask for live, over MCP.
    pub context: Arc<crate::context::RunContext>,
    /// The runner's public key, once it reported.
    pub key: watch::Sender<Option<[u8; 32]>>,
    /// What the runner is told, once it is prepared.
    pub welcome: watch::Sender<Option<Welcome>>,
    /// How many connections the runner has now (0 or 1).
    pub connected: watch::Sender<bool>,
    /// How the engine's part ended.
    pub ended: watch::Sender<Option<Ended>>,
    /// Reports for the one who drives the run; bounded, so that a slow host holds the engine back.
    pub reports: mpsc::Sender<RunnerEvent>,
    state: Mutex<State>,
    next: AtomicU64,
    /// Cancelled when nobody drives the run any more: its runner must come back to whoever takes it up.
    pub(super) over: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    outgoing: Option<mpsc::Sender<HostMessage>>,
    orders: BTreeMap<u64, (Order, Answer)>,
    signing: HashMap<u64, Signing>,
    /// Who answers a question, until the runner says that it is answered.
    answering: HashMap<String, Actor>,
    /// When the runner was heard of.
    heard: Option<Instant>,
    /// Whether it is paused, as its runner said last; none: it did not say it since this process took the run up.
    paused: Option<bool>,
    /// Whether it was paused before.
    was_paused: bool,
    /// Whether a person wants it paused.
    stays_paused: bool,
    /// Whether a stop order, or its gateway's absence, holds it.
    held: bool,
}

impl Live {
    /// A run whose runner has not reported yet; the receiver brings its reports.
    pub fn new(
        run: RunId,
        works_for: Did,
        token: String,
        log: RunLog,
        route: Arc<Route>,
        away: Option<Arc<crate::remote::Away>>,
        context: Arc<crate::context::RunContext>,
    ) -> (Arc<Self>, mpsc::Receiver<RunnerEvent>) {
        let (reports, receiver) = mpsc::channel(limits::UNACKED_MAX);
        let live = Self {
            run,
            works_for,
            token: Secret::new(token),
            log,
            route,
            away,
            context,
            key: watch::Sender::new(None),
            welcome: watch::Sender::new(None),
            connected: watch::Sender::new(false),
            ended: watch::Sender::new(None),
            reports,
            state: Mutex::default(),
            over: CancellationToken::new(),
            // Orders of a host that restarted must not look like those of the one before.
            next: AtomicU64::new(u64::try_from(crate::clock::now().0).unwrap_or(1) << 10),
        };
        (Arc::new(live), receiver)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for an order or a question to the runner.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether it is paused, whoever wanted that, as its runner said last: known without the journal.
    pub fn paused(&self) -> bool {
        let state = self.state();
        state.paused.unwrap_or(state.was_paused)
    }

    /// Notes whether it was paused when this process took it up. What its runner says is newer.
    pub(crate) fn note_was_paused(&self, paused: bool) {
        self.state().was_paused = paused;
    }

    /// Whether a person wants it paused: then it is not let go where anything else ends for which it is frozen. Known without the journal.
    pub(crate) fn stays_paused(&self) -> bool {
        self.state().stays_paused
    }

    /// Notes whether a person wants it paused, and says whether one did before. To be called before the order: so nothing lets it go
    /// meanwhile.
    pub(crate) fn note_stays_paused(&self, stays: bool) -> bool {
        std::mem::replace(&mut self.state().stays_paused, stays)
    }

    /// Notes whether a stop order, or its gateway's absence, holds it: until that is over it goes on in no case, and then by itself.
    pub(crate) fn note_held(&self, held: bool) {
        self.state().held = held;
    }

    /// Whether whoever froze it may let it go: no person wants it paused, and nothing else holds it.
    pub(crate) fn may_go_on(&self) -> bool {
        let state = self.state();
        !state.stays_paused && !state.held
    }

    /// Notes that its runner said that it is paused, or goes on.
    pub(crate) fn note_paused(&self, paused: bool) {
        self.state().paused = Some(paused);
    }

    /// Notes that the runner was heard of.
    pub(super) fn hear(&self) {
        self.state().heard = Some(Instant::now());
    }

    /// How long ago the runner was heard of; none when it never was.
    pub fn silent_for(&self) -> Option<Duration> {
        self.state().heard.map(|at| at.elapsed())
    }

    /// Whether the runner has no connection now, or the one it has is closing.
    pub fn away(&self) -> bool {
        self.state().outgoing.as_ref().is_none_or(mpsc::Sender::is_closed)
    }

    /// Takes a runner's connection: what is under way is sent again.
    pub(crate) fn attach(&self, outgoing: mpsc::Sender<HostMessage>) {
        let mut state = self.state();
        for (id, (order, _)) in &state.orders {
            let _ = outgoing.try_send(wire(*id, order));
        }
        state.outgoing = Some(outgoing);
        state.heard = Some(Instant::now());
        self.connected.send_replace(true);
    }

    /// The runner's connection is gone; signatures that were asked for will not come.
    pub(super) fn detach(&self, outgoing: &mpsc::Sender<HostMessage>) {
        let mut state = self.state();
        // The runner may have come back before the end of its old connection was noticed.
        if !state.outgoing.as_ref().is_some_and(|now| now.same_channel(outgoing)) {
            return;
        }
        state.outgoing = None;
        state.signing.clear();
        self.connected.send_replace(false);
    }

    /// Gives the runner an order. It stays under way until the runner answers, over broken connections too.
    /// Returns the order's number.
    pub fn order(&self, order: Order) -> (u64, oneshot::Receiver<Result<(), Problem>>) {
        let id = self.number();
        (id, self.order_as(id, order))
    }

    /// As [`Live::order`], with a number that was given to it before; the runner carries an order out once, however often it
    /// comes.
    pub fn order_as(&self, id: u64, order: Order) -> oneshot::Receiver<Result<(), Problem>> {
        let (done, receiver) = oneshot::channel();
        let mut state = self.state();
        if let Some(outgoing) = &state.outgoing {
            let _ = outgoing.try_send(wire(id, &order));
        }
        state.orders.insert(id, (order, done));
        receiver
    }

    /// Gives an order and waits until it is carried out.
    ///
    /// # Errors
    /// When the runner refuses, or does not answer in time.
    pub async fn order_and_wait(&self, order: Order) -> Result<(), Problem> {
        let (id, done) = self.order(order);
        match tokio::time::timeout(limits::ORDER_WAIT, done).await {
            Ok(Ok(answer)) => answer,
            _ => {
                self.state().orders.remove(&id);
                Err(Problem::new(Kind::Timeout, "The runner did not answer in time.")
                    .next("See `meshwork run show`; if the run hangs, stop it."))
            }
        }
    }

    /// Gives the engine a person's answer, and waits until the runner has it.
    ///
    /// # Errors
    /// When the runner refuses, or does not answer in time.
    pub async fn answer(&self, by: Actor, question: String, option: String) -> Result<(), Problem> {
        self.state().answering.insert(question.clone(), by);
        self.order_and_wait(Order::Answer { question, option }).await
    }

    /// The person who answered a question, if one did.
    pub fn answered_by(&self, question: &str) -> Option<Actor> {
        self.state().answering.remove(question)
    }

    pub(crate) fn replied(&self, id: u64, error: String) {
        if let Some((_, done)) = self.state().orders.remove(&id) {
            let _ = done.send(if error.is_empty() { Ok(()) } else { Err(Problem::conflict(error)) });
        }
    }

    pub(super) fn signed(&self, id: u64, answer: Result<[u8; 64], Problem>) {
        if let Some(waiting) = self.state().signing.remove(&id) {
            let _ = waiting.send(answer);
        }
    }

    /// Asks the runner to check a commit's tree against the files, and to sign it; then it signs what belongs to it.
    ///
    /// # Errors
    /// When the runner made another tree of the files, or is away.
    pub fn sign_commit(&self, commit: CheckedCommit) -> Result<[u8; 64], Problem> {
        self.ask(sign_request::What::Commit(commit))
    }

    /// Asks the runner for a signature. Blocks: called from threads that may.
    ///
    /// # Errors
    /// When the runner refuses, or is away.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], Problem> {
        self.ask(sign_request::What::Object(message.to_vec()))
    }

    fn ask(&self, what: sign_request::What) -> Result<[u8; 64], Problem> {
        let away = || Problem::unavailable("The run's key cannot be reached: its runner is away.");
        let id = self.number();
        let (answer, receiver) = oneshot::channel();
        {
            let mut state = self.state();
            let outgoing = state.outgoing.clone().ok_or_else(away)?;
            state.signing.insert(id, answer);
            let message = HostMessage { kind: Some(host_message::Kind::Sign(SignRequest { id, what: Some(what) })) };
            outgoing.try_send(message).map_err(|_| away())?;
        }
        let waited = tokio::runtime::Handle::try_current()
            .map_err(Problem::internal)?
            .block_on(async { tokio::time::timeout(limits::SIGN_WAIT, receiver).await });
        waited.map_err(|_| Problem::new(Kind::Timeout, "The runner did not sign in time."))?.map_err(|_| away())?
    }
}

fn wire(id: u64, order: &Order) -> HostMessage {
    let json = serde_json::to_string(order).unwrap_or_default();
    HostMessage { kind: Some(host_message::Kind::Order(WireOrder { id, json })) }
}
