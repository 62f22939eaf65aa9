//! The runner's connection to its host: reports are kept until they are acknowledged, orders are carried out once, and a
//! broken connection is made anew.

use super::report;
use crate::{clock, data_dir::is_held, fault, host::VERSION, limits, undelivered};
use domain::{
    Problem, RunId, Timestamp,
    run::{Order, RunnerEvent},
};
use futures::{Stream, StreamExt};
use identity::Secret;
use proto::run::{
    Beat, Event, Hello, HostMessage, Reply, RunnerMessage, SignRequest, Signature, Welcome, host_message, run_client::RunClient,
    runner_message,
};
use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, metadata::MetadataValue, transport::Channel};

/// Where the host is, and who we are.
#[derive(Clone, Debug)]
pub struct Address {
    /// The host's socket.
    pub socket: PathBuf,
    /// Our run.
    pub run: RunId,
    /// The run's secret.
    pub token: Secret,
    /// The file that holds it. Gone with the run's folder, once the host has ended the run.
    pub token_file: PathBuf,
    /// Held by the org's process, also while it only opens and nobody listens at the socket.
    pub org_lock: PathBuf,
}

impl Address {
    /// A client whose calls say who we are.
    pub async fn client(&self) -> Result<RunClient<Channel>, tonic::transport::Error> {
        let socket = self.socket.clone();
        let connect = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { tokio::net::UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
        });
        let channel = tonic::transport::Endpoint::from_static("http://run.local").connect_with_connector(connect).await?;
        Ok(RunClient::new(channel))
    }

    /// The same; a host that is only opening is waited for. None: there is no host.
    pub async fn client_once_open(&self) -> Option<RunClient<Channel>> {
        let begun = Instant::now();
        loop {
            match self.client().await {
                Ok(client) => return Some(client),
                Err(_) if self.opens() && begun.elapsed() < limits::HOST_OPENS_WAIT => {}
                Err(_) => return None,
            }
            tokio::time::sleep(limits::RECONNECT_PAUSE).await;
        }
    }

    /// Whether somebody opens the host: asked where nobody listens at its socket.
    fn opens(&self) -> bool {
        is_held(&self.org_lock)
    }

    /// A request with the metadata of this run.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (name, value) in [("meshwork-run", self.run.as_str()), ("meshwork-token", self.token.expose())] {
            if let Ok(value) = MetadataValue::try_from(value) {
                request.metadata_mut().insert(name, value);
            }
        }
        request
    }
}

/// What the host wants of the one who does the work.
#[derive(Debug)]
pub enum Wanted {
    /// An order with its number, and where to say that it is carried out.
    Order(u64, Order, oneshot::Sender<Result<(), Problem>>),
    /// A signature.
    Sign(SignRequest, oneshot::Sender<Result<[u8; 64], Problem>>),
    /// The host has not been seen for too long.
    HostGone,
}

/// Whom one who looks for the host meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// The host, who knows the run.
    Host,
    /// A host that is opening: its process holds the org, and nobody listens yet.
    Opening,
    /// Nobody.
    Nobody,
    /// A host that does not know the run, or did not say what it knows.
    Stranger,
}

/// For how long the host is looked for.
#[derive(Debug)]
struct Patience {
    /// When it was there last.
    seen: Instant,
    /// When it was there last, or was opening.
    awaited: Instant,
    /// Whether it was said that it lasts longer than usual.
    lasts: bool,
}

impl Patience {
    fn new(now: Instant) -> Self {
        Self { seen: now, awaited: now, lasts: false }
    }

    fn meets(&mut self, met: Met, now: Instant) {
        match met {
            Met::Host => *self = Self::new(now),
            Met::Opening if now.duration_since(self.seen) < limits::HOST_OPENS_WAIT => self.awaited = now,
            Met::Opening | Met::Nobody | Met::Stranger => {}
        }
    }

    /// Begins anew while nobody is there who could take what is done; says, once, that it lasts longer than usual. One who is there and
    /// does not know the run gets the usual time.
    fn holds_out(&mut self, met: Met, now: Instant) -> bool {
        if !matches!(met, Met::Opening | Met::Nobody) {
            return false;
        }
        self.awaited = now;
        now.duration_since(self.seen) > fault::host_return_wait() && !mem::replace(&mut self.lasts, true)
    }

    /// The pause before the next look. One that lasts for hours wakes the machine less often, and well within what a host waits for it.
    fn pause(&self) -> Duration {
        if self.lasts { limits::RECONNECT_PAUSE * 10 } else { limits::RECONNECT_PAUSE }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.awaited) > fault::host_return_wait()
    }
}

/// The connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: Address,
    key: [u8; 32],
    buffer: Mutex<Buffer>,
    room: Notify,
    wake: Notify,
    wanted: mpsc::Sender<Wanted>,
    /// Until when the run's key can sign the work that is done; not set: it is not done.
    done_until: OnceLock<Timestamp>,
}

#[derive(Debug, Default)]
struct Buffer {
    last_seq: u64,
    unacked: VecDeque<Event>,
    /// How many of `unacked` were sent on the present connection.
    sent: usize,
    /// Answers that the host may not have got; kept by order, so that a repeated order is not carried out twice.
    answers: BTreeMap<u64, Option<String>>,
    outbox: VecDeque<RunnerMessage>,
}

impl Buffer {
    fn add(&mut self, json: String) {
        self.last_seq += 1;
        self.unacked.push_back(Event { seq: self.last_seq, at_ms: clock::now().0, json });
    }

    /// The newest of what is not acknowledged, of so many bytes; and in the place of older ones a word of how much that was.
    fn newest(&self, bytes_max: usize) -> Vec<Event> {
        let mut room = Some(bytes_max);
        let fits = |event: &&Event| {
            room = room.and_then(|room| room.checked_sub(event.json.len()));
            room.is_some()
        };
        let dropped = self.unacked.len() - self.unacked.iter().rev().take_while(fits).count();
        let dropped_bytes: u64 = self.unacked.iter().take(dropped).map(|event| event.json.len() as u64).sum();
        let first = self.unacked.front().filter(|_| dropped > 0);
        let told = first.map(|first| Event { json: report::encode(&RunnerEvent::Truncated { dropped_bytes }), ..*first });
        told.into_iter().chain(self.unacked.iter().skip(dropped).cloned()).collect()
    }

    fn empty(&self) -> bool {
        self.unacked.is_empty() && self.outbox.is_empty()
    }

    /// Whether something was not sent yet on the present connection.
    fn pending(&self) -> bool {
        !self.outbox.is_empty() || self.unacked.len() > self.sent
    }

    /// The next of it, which counts as sent from then on.
    fn take_next(&mut self) -> Option<RunnerMessage> {
        if let Some(message) = self.outbox.pop_front() {
            return Some(message);
        }
        let event = self.unacked.get(self.sent).cloned()?;
        self.sent += 1;
        Some(RunnerMessage { kind: Some(runner_message::Kind::Event(event)) })
    }
}

impl Link {
    /// Connects and stays connected. The receiver brings what the host wants, the last one the welcome.
    pub fn start(address: Address, key: [u8; 32]) -> (Self, mpsc::Receiver<Wanted>, oneshot::Receiver<Welcome>) {
        let (wanted, receiver) = mpsc::channel(64);
        let (welcome, welcomed) = oneshot::channel();
        let link = Self::new(address, key, wanted);
        tokio::spawn(link.clone().stay_connected(welcome));
        (link, receiver, welcomed)
    }

    fn new(address: Address, key: [u8; 32], wanted: mpsc::Sender<Wanted>) -> Self {
        let (room, wake, done_until) = (Notify::new(), Notify::new(), OnceLock::new());
        Self { shared: Arc::new(Shared { address, key, buffer: Mutex::default(), room, wake, wanted, done_until }) }
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports something; waits while too much is not acknowledged.
    pub async fn report(&self, event: RunnerEvent) {
        let json = report::encode(&event);
        loop {
            let room = self.shared.room.notified();
            {
                let mut buffer = self.buffer();
                if buffer.unacked.len() < limits::UNACKED_MAX {
                    buffer.add(json);
                    break;
                }
            }
            room.await;
        }
        self.shared.wake.notify_one();
    }

    /// Reports what came of an order, however much is not acknowledged: the next one, which may be to stop, waits for no slow host.
    pub fn report_at_once(&self, event: &RunnerEvent) {
        self.buffer().add(report::encode(event));
        self.shared.wake.notify_one();
    }

    /// Waits until everything reported is on the host's disk.
    pub async fn flushed(&self) {
        loop {
            let room = self.shared.room.notified();
            if self.buffer().empty() {
                return;
            }
            room.await;
        }
    }

    /// Notes that the work is done. Only this process has the key that can sign it, so from now on a host that is away is waited for until
    /// this moment, at which that key ends.
    pub fn work_is_done(&self, until: Timestamp) {
        let _ = self.shared.done_until.set(until);
    }

    /// Whether work is done that can still be signed.
    fn has_work(&self) -> bool {
        self.shared.done_until.get().is_some_and(|until| clock::now() < *until)
    }

    /// Lays what the host did not get into the run's folder, whence it takes it when this process is gone.
    pub async fn lay_down(&self) {
        let left = self.buffer().newest(undelivered::BYTES_MAX);
        let Some(folder) = self.shared.address.token_file.parent().filter(|_| !left.is_empty()) else { return };
        let folder = folder.to_owned();
        if let Err(problem) = crate::org::blocking(move || undelivered::lay_down(&folder, &left)).await {
            tracing::warn!(%problem, "what the host did not get could not be written to disk");
        }
    }

    async fn stay_connected(self, welcome: oneshot::Sender<Welcome>) {
        let (mut welcome, mut patience, mut told) = (Some(welcome), Patience::new(Instant::now()), false);
        loop {
            let met = match self.connect(&mut welcome).await {
                Ok(()) => Met::Host,
                Err((met, error)) => {
                    // Once, and not at every try.
                    if !told {
                        tracing::warn!(error, ?met, "the host cannot be reached; it is tried again");
                    }
                    met
                }
            };
            told = met != Met::Host;
            let now = Instant::now();
            patience.meets(met, now);
            if self.has_work() && patience.holds_out(met, now) {
                self.lay_down().await;
                tracing::warn!("the host is away for long; the work is done and waits for it");
            }
            if patience.is_over(now) || !self.shared.address.token_file.exists() {
                let _ = self.shared.wanted.send(Wanted::HostGone).await;
                return;
            }
            tokio::time::sleep(patience.pause()).await;
        }
    }

    /// One connection, until it ends. Otherwise whom it met instead of the host, and why it could not be reached.
    async fn connect(&self, welcome: &mut Option<oneshot::Sender<Welcome>>) -> Result<(), (Met, String)> {
        let address = &self.shared.address;
        let opens = || if address.opens() { Met::Opening } else { Met::Nobody };
        let mut client = address.client().await.map_err(|e| (opens(), format!("{e:?}")))?;
        let (outgoing, stream) = mpsc::channel::<RunnerMessage>(limits::LOG_BATCH);
        let hello = Hello { version: VERSION, key: self.shared.key.to_vec() };
        // There is room for the first.
        let _ = outgoing.send(RunnerMessage { kind: Some(runner_message::Kind::Hello(hello)) }).await;
        let attached = client.attach(address.request(ReceiverStream::new(stream))).await.map_err(|e| (Met::Stranger, e.to_string()))?;
        self.converse(&outgoing, attached.into_inner(), welcome).await;
        Ok(())
    }

    /// Speaks with the host until the connection ends.
    async fn converse(
        &self,
        outgoing: &mpsc::Sender<RunnerMessage>,
        mut incoming: Streaming<HostMessage>,
        welcome: &mut Option<oneshot::Sender<Welcome>>,
    ) -> Option<()> {
        let Some(Ok(HostMessage { kind: Some(host_message::Kind::Welcome(hail)) })) = incoming.next().await else { return None };
        self.acked(hail.last_seen_seq);
        self.buffer().sent = 0;
        if let Some(first) = welcome.take() {
            let _ = first.send(hail);
        }
        self.speak(outgoing, incoming).await
    }

    /// Sends what there is to send, and takes what the host wants. An order to freeze waits for no host that is slow to take reports.
    async fn speak(
        &self,
        outgoing: &mpsc::Sender<RunnerMessage>,
        mut incoming: impl Stream<Item = Result<HostMessage, Status>> + Unpin,
    ) -> Option<()> {
        let mut beat = tokio::time::interval(limits::HEARTBEAT_EVERY);
        loop {
            let pending = self.buffer().pending();
            tokio::select! {
                message = incoming.next() => match message {
                    Some(Ok(HostMessage { kind: Some(kind) })) => self.take(kind),
                    _ => return None,
                },
                room = outgoing.reserve(), if pending => {
                    let room = room.ok()?;
                    if let Some(message) = self.buffer().take_next() {
                        room.send(message);
                    }
                }
                // Where there is no room for it, what waits there says as much.
                _ = beat.tick() => match outgoing.try_send(RunnerMessage { kind: Some(runner_message::Kind::Beat(Beat {})) }) {
                    Ok(()) | Err(TrySendError::Full(_)) => {}
                    Err(TrySendError::Closed(_)) => return None,
                },
                () = self.shared.wake.notified(), if !pending => {}
            }
        }
    }

    fn acked(&self, seq: u64) {
        let mut buffer = self.buffer();
        while buffer.unacked.front().is_some_and(|e| e.seq <= seq) {
            buffer.unacked.pop_front();
            buffer.sent = buffer.sent.saturating_sub(1);
        }
        drop(buffer);
        self.shared.room.notify_waiters();
    }

    fn answer(&self, message: runner_message::Kind) {
        self.buffer().outbox.push_back(RunnerMessage { kind: Some(message) });
        self.shared.wake.notify_one();
    }

    fn take(&self, message: host_message::Kind) {
        match message {
            host_message::Kind::Ack(ack) => self.acked(ack.seq),
            host_message::Kind::Order(order) => self.carry_out(order.id, &order.json),
            host_message::Kind::Sign(request) => {
                let (link, id, (done, answer)) = (self.clone(), request.id, oneshot::channel());
                tokio::spawn(async move {
                    let _ = link.shared.wanted.send(Wanted::Sign(request, done)).await;
                    let answer = answer.await.unwrap_or_else(|_| Err(Problem::unavailable("the runner is ending")));
                    let (signature, refused) = answer.map_or_else(|p| (vec![], p.to_string()), |s| (s.to_vec(), String::new()));
                    link.answer(runner_message::Kind::Signature(Signature { id, signature, refused }));
                });
            }
            host_message::Kind::Welcome(_) => {}
        }
    }

    /// Carries an order out once; a repeated one only gets its answer again.
    fn carry_out(&self, id: u64, json: &str) {
        if let Some(known) = self.buffer().answers.get(&id).cloned() {
            if let Some(error) = known {
                self.answer(runner_message::Kind::Reply(Reply { id, error }));
            }
            return;
        }
        let order = match serde_json::from_str::<Order>(json) {
            Ok(order) => order,
            Err(error) => {
                return self.answer(runner_message::Kind::Reply(Reply { id, error: format!("the order is not understood: {error}") }));
            }
        };
        let (link, (done, answer)) = (self.clone(), oneshot::channel());
        // Handed on here and not in a task of its own: orders are carried out in the order in which they were given.
        if self.shared.wanted.try_send(Wanted::Order(id, order, done)).is_err() {
            let error = "The runner has too many orders waiting, or is ending.".to_owned();
            return self.answer(runner_message::Kind::Reply(Reply { id, error }));
        }
        self.buffer().answers.insert(id, None);
        tokio::spawn(async move {
            let answer = answer.await.unwrap_or_else(|_| Err(Problem::unavailable("The run is ending.")));
            let error = answer.err().map(|p| p.to_string()).unwrap_or_default();
            link.buffer().answers.insert(id, Some(error.clone()));
            link.answer(runner_message::Kind::Reply(Reply { id, error }));
        });
    }
}

#[cfg(test)]
mod tests;
