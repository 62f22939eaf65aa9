//! One run's way outwards: whose model, which budget, what was used, and why it failed last.

use super::{
    egress::{Allow, Resolver},
    endpoint, limits,
    refusal::{Refusal, STOP},
    secret::ModelKey,
};
use domain::{
    Problem, RunId,
    agent::Model,
    manifest::Network,
    run::Reason,
    usage::{Budget, Usage},
};
use futures::future::BoxFuture;
use http::StatusCode;
use identity::Secret;
use reqwest::Url;
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Fetches the credential of the run's model from the vault, anew for each call: a changed key counts at once.
pub type KeySource = Arc<dyn Fn() -> Result<Secret, Problem> + Send + Sync>;
/// Journals a call. The engine sees the end of the call, and the next one is let through, only after it returned.
pub type Recorder = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<(), Problem>> + Send + Sync>;
/// Told of what the egress proxy refused, in words, each target once.
pub type Refused = Arc<dyn Fn(String) + Send + Sync>;

/// A call that reached the provider, for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The model's name.
    pub model: String,
    /// The provider's HTTP status; 0 when it never answered.
    pub status: u16,
    /// What it used: one call, and the tokens that the provider told.
    pub usage: Usage,
    /// From its sending to its end, in milliseconds.
    pub duration_ms: u64,
}

/// How long a route waits for others.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the provider's first byte.
    pub answer: Duration,
    /// For the next chunk of a stream, from the provider or to the engine.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: limits::ANSWER_TIMEOUT, idle: limits::STREAM_IDLE }
    }
}

/// What a route is made of.
pub struct Parts {
    /// The run.
    pub run: RunId,
    /// Its agent's model; none where its engine needs none.
    pub model: Option<Model>,
    /// What it may use.
    pub budget: Budget,
    /// What it may reach.
    pub network: Network,
    /// What it used so far, from the journal.
    pub used: Usage,
    /// Where the key comes from.
    pub key: KeySource,
    /// Where calls are journaled.
    pub record: Recorder,
    /// Who is told of refused targets.
    pub refused: Refused,
    /// How names are looked up.
    pub resolver: Resolver,
    /// How long it waits.
    pub patience: Patience,
}

/// One run's way outwards. One for all connections of the run; survives them.
pub struct Route {
    run: RunId,
    model: Option<(Model, Url)>,
    budget: Budget,
    pub(super) allow: Allow,
    key: KeySource,
    record: Recorder,
    refused: Refused,
    pub(super) resolver: Resolver,
    pub(super) patience: Patience,
    book: Mutex<Book>,
    /// Held while a call is being journaled: no further one is let through meanwhile.
    journaling: tokio::sync::Mutex<()>,
    slots: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    fatal: watch::Sender<Option<Reason>>,
}

#[derive(Default)]
struct Book {
    used: Usage,
    under_way: u64,
    last_failure: Option<Reason>,
    reported: BTreeSet<String>,
}

impl Route {
    /// Fails where the model's address or an entry of the allow-list cannot be used.
    pub fn new(parts: Parts) -> Result<Arc<Self>, Problem> {
        let model = parts.model.map(|m| endpoint::base_url(&m).map(|url| (m, url))).transpose()?;
        Ok(Arc::new(Self {
            run: parts.run,
            model,
            budget: parts.budget,
            allow: Allow::parse(&parts.network)?,
            key: parts.key,
            record: parts.record,
            refused: parts.refused,
            resolver: parts.resolver,
            patience: parts.patience,
            book: Mutex::new(Book { used: parts.used, ..Book::default() }),
            journaling: tokio::sync::Mutex::new(()),
            slots: Arc::new(Semaphore::new(limits::CALLS_PARALLEL_MAX)),
            connections: Arc::new(Semaphore::new(limits::CONNECTIONS_MAX)),
            fatal: watch::Sender::new(None),
        }))
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// What the run used so far.
    pub fn used(&self) -> Usage {
        self.book().used
    }

    /// Why the last call failed; none again once a call succeeded, unless the reason is one that ends the run.
    pub fn last_failure(&self) -> Option<Reason> {
        self.fatal.borrow().clone().or_else(|| self.book().last_failure.clone())
    }

    /// Becomes a reason when the run cannot go on: its budget is spent, its key is refused, nothing can be journaled. The
    /// host ends the run with it, rather than wait for the engine to give up.
    pub fn fatal(&self) -> watch::Receiver<Option<Reason>> {
        self.fatal.subscribe()
    }

    pub(super) fn model(&self) -> Option<(&Model, &Url)> {
        self.model.as_ref().map(|(model, url)| (model, url))
    }

    /// A place for one more connection.
    pub(super) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// A turn for one more call.
    pub(super) async fn slot(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        match tokio::time::timeout(limits::CALL_WAIT, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                let text = format!("{} calls of this run are under way already.", limits::CALLS_PARALLEL_MAX);
                Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", text))
            }
        }
    }

    /// Lets a call through, if the budget has room for it and all earlier ones are journaled.
    pub(super) async fn admit(self: &Arc<Self>) -> Result<Ticket, Refusal> {
        let _all_journaled = self.journaling.lock().await;
        if let Some(reason @ Reason::Storage { .. }) = &*self.fatal.borrow() {
            return Err(Refusal::new(STOP, "not_journaled", reason.text()));
        }
        let mut book = self.book();
        let expected = book.used.plus(Usage { calls: book.under_way, ..Usage::default() });
        if let Err(message) = self.budget.allows(expected) {
            drop(book);
            let text = format!("The run's budget is spent. {message}");
            self.end_run(Reason::BudgetSpent { message });
            return Err(Refusal::new(STOP, "budget_spent", text));
        }
        book.under_way += 1;
        Ok(Ticket { route: Arc::clone(self), sent: None })
    }

    /// The key, from the vault.
    pub(super) fn key(&self) -> Result<ModelKey, Refusal> {
        (self.key)().map(ModelKey::new).map_err(|problem| {
            self.end_run(Reason::ModelFailed { message: problem.to_string() });
            Refusal::stop("no_credential", &problem)
        })
    }

    /// Notes why a call failed.
    pub(super) fn failed(&self, reason: Reason) {
        tracing::debug!(run = %self.run, reason = %reason.text(), "a model call failed");
        self.book().last_failure = Some(reason);
    }

    /// Notes that a call succeeded.
    pub(super) fn succeeded(&self) {
        self.book().last_failure = None;
    }

    /// Notes why the run cannot go on. The first reason stands.
    pub(super) fn end_run(&self, reason: Reason) {
        self.failed(reason.clone());
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            if first {
                *fatal = Some(reason);
            }
            first
        });
    }

    /// Reports a refused target, each once, and no more than the limit.
    pub(super) fn report(&self, target: &str, why: &str) {
        let mut book = self.book();
        let count = book.reported.len();
        if count > limits::REFUSED_REPORTED_MAX || !book.reported.insert(target.to_owned()) {
            return;
        }
        drop(book);
        match count {
            limits::REFUSED_REPORTED_MAX => (self.refused)("It tried to reach further hosts, which are no longer listed.".into()),
            _ => (self.refused)(format!("It tried to reach {target}: {why}")),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // The book is whole after every line that changes it.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("run", &self.run).field("used", &self.used()).finish_non_exhaustive()
    }
}

/// The right to one call. Given back unused where the call was never sent.
pub(super) struct Ticket {
    route: Arc<Route>,
    sent: Option<Instant>,
}

impl Ticket {
    pub(super) fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// From now on the call counts, whatever becomes of it.
    pub(super) fn sending(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// The provider was not reached: the call does not count.
    pub(super) fn not_sent(mut self) {
        self.sent = None;
    }

    /// Counts and journals the call.
    pub(super) async fn settle(mut self, model: &str, status: u16, usage: Usage) -> Result<(), Problem> {
        let duration_ms = self.sent.take().map_or(0, |at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        let route = Arc::clone(&self.route);
        let _journaling = route.journaling.lock().await;
        {
            let mut book = route.book();
            book.used = book.used.plus(usage);
        }
        drop(self);
        let call = Call { model: model.to_owned(), status, usage, duration_ms };
        (route.record)(call).await.inspect_err(|problem| {
            route.end_run(Reason::Storage { message: format!("a model call could not be journaled. {problem}") });
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut book = self.route.book();
        book.under_way = book.under_way.saturating_sub(1);
        if self.sent.is_some() {
            // Sent and never settled: the process goes down, or its task was ended.
            book.used.calls = book.used.calls.saturating_add(1);
        }
    }
}
