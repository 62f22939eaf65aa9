//! One run's way outwards: whose model, which budget, what was used, and why it failed last.

use super::{
    call::ONE_CALL,
    egress::{Allow, Resolver},
    endpoint,
    ledger::{Held, Ledger, NotHeld, at_most},
    limits,
    refusal::{Refusal, STOP},
    rules::{RuleSource, Rules},
    secret::{Access, KeySource},
};
use bytes::Bytes;
use domain::{
    Problem, RunId, Timestamp,
    agent::Model,
    manifest::Network,
    run::Reason,
    time::millis,
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

/// How a run's own budget is set.
const RAISE: &str = "What one run may use is a setting of its agent: meshwork agent add, with --tokens, --calls or --money.";

/// Of which budget it is said that it is spent.
const SHARED: &str = "A budget that the run shares is spent.";

/// Journals a call. The engine sees the end of the call, and the next one is let through, only after it returned.
pub type Recorder = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<(), Problem>> + Send + Sync>;
/// Says what the run used through other devices' gateways, as far as that is known here now. Asked anew for each call, and at each turn of
/// one that waits: what is heard of counts at once. May block.
pub type Elsewhere = Arc<dyn Fn() -> Usage + Send + Sync>;
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
    /// As of when the limits were that it had to fit.
    pub admitted: Timestamp,
    /// Request and answer, where the org wants them kept.
    pub content: Vec<Bytes>,
}

/// How long a route waits for others.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the provider's first byte.
    pub answer: Duration,
    /// For the next chunk of a stream, from the provider or to the engine.
    pub idle: Duration,
    /// In all, for a provider that says when a call may be sent again.
    pub retry: Duration,
    /// For other devices' word that they hold less of a quota.
    pub shares: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: limits::ANSWER_TIMEOUT, idle: limits::STREAM_IDLE, retry: limits::RETRY_WAIT, shares: limits::SHARES_WAIT }
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
    /// What it used here so far, from the journal.
    pub used: Usage,
    /// What it used elsewhere.
    pub elsewhere: Elsewhere,
    /// Where the key comes from.
    pub key: KeySource,
    /// What the org says of such calls.
    pub rules: RuleSource,
    /// The budgets that runs share.
    pub ledger: Arc<Ledger>,
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
    rules: RuleSource,
    ledger: Arc<Ledger>,
    elsewhere: Elsewhere,
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
    /// What calls under way may still use.
    held: Usage,
    last_failure: Option<Reason>,
    reported: BTreeSet<String>,
}

/// Why a call is not let through yet.
enum NotYet {
    /// Calls under way hold what it needs.
    Busy,
    /// The org's rules changed meanwhile.
    Stale,
    /// There is no room, as the words say; once others are heard to hold less there may be.
    Short(String),
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
            rules: parts.rules,
            ledger: parts.ledger,
            elsewhere: parts.elsewhere,
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

    /// What the run used here so far.
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

    /// Lets a call through that uses `call` at the most, if the budgets have room for it and all earlier ones are journaled.
    /// Where only calls under way are in its way, it waits for them; and for a while for what other devices may soon leave.
    pub(super) async fn admit(self: &Arc<Self>, call: Usage, rules: &Rules) -> Result<Ticket, Refusal> {
        let (mut call, mut rules) = (call, rules.clone());
        let until = Instant::now() + self.patience.shares;
        let waits = async {
            loop {
                let mut freed = self.ledger.freed();
                match self.try_admit(call, &rules).await? {
                    Ok(ticket) => return Ok(ticket),
                    Err(NotYet::Stale) => (call, rules) = self.rules_again(call).await?,
                    Err(NotYet::Busy) => {
                        // The ledger lives as long as this route: it is there to tell.
                        let _ = freed.changed().await;
                    }
                    Err(NotYet::Short(message)) if Instant::now() >= until => return Err(self.spent(SHARED, message)),
                    Err(NotYet::Short(_)) => {
                        tokio::time::sleep(limits::SHARES_LOOK_EVERY).await;
                        (call, rules) = self.rules_again(call).await?;
                    }
                }
            }
        };
        let late = |_| {
            let text = "Calls under way hold what is left of the budget. They did not end in time.";
            Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "budget_held", text))
        };
        tokio::time::timeout(limits::CALL_WAIT, waits).await.unwrap_or_else(late)
    }

    async fn try_admit(self: &Arc<Self>, call: Usage, rules: &Rules) -> Result<Result<Ticket, NotYet>, Refusal> {
        let elsewhere = self.used_elsewhere().await.map_err(|problem| Refusal::stop("no_budget", &problem))?;
        let _all_journaled = self.journaling.lock().await;
        if let Some(reason @ Reason::Storage { .. }) = &*self.fatal.borrow() {
            return Err(Refusal::new(STOP, "not_journaled", reason.text()));
        }
        let mut book = self.book();
        let used = book.used.plus(elsewhere);
        if let Err(why) = self.budget.allows("The run", used, call) {
            drop(book);
            return Err(self.spent("The run's budget is spent.", why.text(RAISE)));
        }
        if self.budget.allows("The run", used.plus(book.held), call).is_err() {
            return Ok(Err(NotYet::Busy));
        }
        let shared = self.ledger.hold(&rules.lines, call);
        if rules.terms != self.ledger.terms() {
            return Ok(Err(NotYet::Stale));
        }
        let shared = match shared {
            Ok(held) => held,
            Err(NotHeld::Busy) => return Ok(Err(NotYet::Busy)),
            Err(NotHeld::Spent(message)) if rules.short => return Ok(Err(NotYet::Short(message))),
            Err(NotHeld::Spent(message)) => {
                drop(book);
                return Err(self.spent(SHARED, message));
            }
            Err(NotHeld::Unreadable(problem)) => return Err(Refusal::stop("no_budget", &problem)),
        };
        book.held = book.held.plus(call);
        Ok(Ok(Ticket { route: Arc::clone(self), sent: None, call, rules: rules.clone(), _shared: shared }))
    }

    async fn used_elsewhere(&self) -> Result<Usage, Problem> {
        let source = Arc::clone(&self.elsewhere);
        tokio::task::spawn_blocking(move || source()).await.map_err(Problem::internal)
    }

    fn spent(&self, what: &str, message: String) -> Refusal {
        let text = format!("{what} {message}");
        self.end_run(Reason::BudgetSpent { message });
        Refusal::new(STOP, "budget_spent", text)
    }

    /// What the org says of such a call now, if it lets the model be used.
    pub(super) async fn rules(&self) -> Result<Rules, Refusal> {
        let source = Arc::clone(&self.rules);
        let read = tokio::task::spawn_blocking(move || source()).await.map_err(Problem::internal).and_then(|read| read);
        let rules = read.map_err(|problem| {
            self.failed(Reason::ModelFailed { message: problem.to_string() });
            Refusal::stop("no_rules", &problem)
        })?;
        if let Some(why) = &rules.forbidden {
            self.end_run(Reason::ModelFailed { message: why.clone() });
            return Err(Refusal::new(StatusCode::FORBIDDEN, "model_not_allowed", why));
        }
        Ok(rules)
    }

    /// The same, with what a call may use at the most by the price that counts now.
    async fn rules_again(&self, call: Usage) -> Result<(Usage, Rules), Refusal> {
        let rules = self.rules().await?;
        Ok((at_most(call.input_tokens, call.output_tokens, rules.price.as_ref()), rules))
    }

    /// The key, from the vault; a new one where the provider refused `refused`.
    pub(super) async fn key(&self, refused: Option<Secret>) -> Result<Access, Refusal> {
        (self.key)(refused).await.map(Access::from).map_err(|problem| {
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

    fn add(&self, usage: Usage) {
        let mut book = self.book();
        book.used = book.used.plus(usage);
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
    /// What it may use at the most.
    call: Usage,
    /// What counted when it was let through.
    rules: Rules,
    _shared: Held,
}

/// How a call ended, for the books.
pub(super) struct Settled {
    pub(super) status: u16,
    pub(super) usage: Usage,
    /// Whether the provider told what was used. Where it worked and did not tell, it may cost as much as was held for it.
    pub(super) told: bool,
    pub(super) content: Vec<Bytes>,
}

impl Ticket {
    /// What a call used that was broken off before the provider told all: as far as it told, else a token for each few bytes
    /// that were sent, and at least one for each few that came. Never more than was held for it.
    pub(super) fn estimated(&self, told: Usage, sent_bytes: u64, came_bytes: u64) -> Usage {
        let sent = (sent_bytes / limits::BYTES_PER_TOKEN).min(self.call.input_tokens);
        let came = (came_bytes / limits::BYTES_PER_TOKEN).min(self.call.output_tokens);
        let input_tokens = if told.input_tokens == 0 { sent } else { told.input_tokens };
        Usage { input_tokens, output_tokens: told.output_tokens.max(came), ..told }
    }

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

    /// Holds one more call of the budgets that runs share: to be dropped once an attempt that was put off is journaled, which counts beside
    /// the call itself. None: they have no room for it now, and the call may not be sent again.
    pub(super) fn one_more(&self) -> Option<Held> {
        let ledger = &self.route.ledger;
        let held = ledger.hold(&self.rules.lines, ONE_CALL).ok()?;
        (self.rules.terms == ledger.terms()).then_some(held)
    }

    /// Counts and journals an attempt that the provider put off; the call itself goes on, if the run's budget has room for one
    /// more.
    pub(super) async fn put_off(&mut self, model: &str, status: u16) -> Result<bool, Problem> {
        let duration_ms = self.duration_ms();
        let route = Arc::clone(&self.route);
        // Before all others wait for this. Whatever comes of it, the attempt is journaled.
        let elsewhere = route.used_elsewhere().await;
        let _journaling = route.journaling.lock().await;
        route.add(ONE_CALL);
        let (model, admitted) = (model.to_owned(), self.rules.at);
        (route.record)(Call { model, status, usage: ONE_CALL, duration_ms, admitted, content: vec![] }).await?;
        let elsewhere = elsewhere?;
        let book = route.book();
        let used = book.used.plus(elsewhere);
        Ok(route.budget.allows("The run", used.plus(book.held.minus(self.call)), self.call).is_ok())
    }

    /// Counts and journals the call.
    pub(super) async fn settle(mut self, model: &str, settled: Settled) -> Result<(), Problem> {
        let duration_ms = self.duration_ms();
        let usage = self.priced(&settled);
        let route = Arc::clone(&self.route);
        let _journaling = route.journaling.lock().await;
        route.add(usage);
        let Settled { status, content, .. } = settled;
        let call = Call { model: model.to_owned(), status, usage, duration_ms, admitted: self.rules.at, content };
        // What it holds is given back only once the journal tells what it used.
        let recorded = (route.record)(call).await;
        drop(self);
        recorded.inspect_err(|problem| {
            route.end_run(Reason::Storage { message: format!("a model call could not be journaled. {problem}") });
        })
    }

    fn priced(&self, settled: &Settled) -> Usage {
        let usage = settled.usage;
        let worked = (200..300).contains(&settled.status) || settled.status == 0;
        match &self.rules.price {
            _ if usage.calls == 0 || (!worked && !settled.told) => usage,
            Some(price) if settled.told => Usage { cost: price.of(&usage), ..usage },
            Some(_) => Usage { cost: self.call.cost, ..usage },
            None => Usage { unpriced_calls: usage.calls, ..usage },
        }
    }

    fn duration_ms(&mut self) -> u64 {
        self.sent.take().map_or(0, |at| millis(at.elapsed()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut book = self.route.book();
        book.held = book.held.minus(self.call);
        if self.sent.is_some() {
            // Sent and never settled: the process goes down, or its task was ended.
            book.used.calls = book.used.calls.saturating_add(1);
        }
        drop(book);
        self.route.ledger.tell_freed();
    }
}
