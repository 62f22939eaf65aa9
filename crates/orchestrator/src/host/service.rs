//! The `Run` service over a unix socket: every runner of the org speaks to this one.

use super::{Ended, Hub, Live, Welcome, tunnel};
use crate::{data_dir, limits, org::Org};
use domain::{Problem, RunId, Timestamp, run::RunnerEvent};
use futures::{Stream, StreamExt};
use proto::run::{
    Ack, Chunk, HostMessage, RunnerMessage, Welcome as WireWelcome, host_message,
    run_server::{Run, RunServer},
    runner_message,
};
use std::{
    path::Path,
    pin::Pin,
    sync::{Arc, Weak},
};
use store::LogEntry;
use tokio::{net::UnixListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// The version of the `Run` service that this build speaks.
pub const VERSION: u32 = 1;

/// Serves runners on the socket until `stop` resolves.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve(org: Weak<Org>, hub: Arc<Hub>, socket: &Path, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Problem> {
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).map_err(|e| data_dir::storage(socket, &e))?;
    let service = RunServer::new(Service { org, hub });
    tokio::spawn(async move {
        let served = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop)
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "the runners' socket failed");
        }
    });
    Ok(())
}

struct Service {
    org: Weak<Org>,
    hub: Arc<Hub>,
}

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    /// The live run that the caller belongs to; a wrong secret and an unknown run look the same.
    fn known<T>(&self, request: &Request<T>) -> Result<Arc<Live>, Status> {
        let text = |name: &str| request.metadata().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let live = text("meshwork-run").parse::<RunId>().ok().and_then(|run| self.hub.get(&run));
        let token = text("meshwork-token");
        live.filter(|l| blake3::hash(l.token.expose().as_bytes()) == blake3::hash(token.as_bytes()))
            .ok_or_else(|| Status::unauthenticated("no such run here"))
    }
}

#[tonic::async_trait]
impl Run for Service {
    type AttachStream = Out<HostMessage>;
    type TunnelStream = Out<Chunk>;

    async fn attach(&self, request: Request<Streaming<RunnerMessage>>) -> Result<Response<Self::AttachStream>, Status> {
        let live = self.known(&request)?;
        let mut incoming = request.into_inner();
        let Some(Ok(RunnerMessage { kind: Some(runner_message::Kind::Hello(hello)) })) = incoming.next().await else {
            return Err(Status::invalid_argument("the first message must be Hello"));
        };
        if hello.version != VERSION {
            return Err(Status::failed_precondition(format!(
                "this host speaks version {VERSION} of the Run service, the runner {}",
                hello.version
            )));
        }
        let key: [u8; 32] = hello.key.as_slice().try_into().map_err(|_| Status::invalid_argument("a key has 32 bytes"))?;
        let before = *live.key.borrow();
        if before.is_some_and(|known| known != key) {
            return Err(Status::permission_denied("this run has another key"));
        }
        live.key.send_replace(Some(key));
        let (outgoing, stream) = mpsc::channel(limits::UNACKED_MAX);
        tokio::spawn(async move { converse(live, incoming, outgoing).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream).map(Ok))))
    }

    async fn tunnel(&self, request: Request<Streaming<Chunk>>) -> Result<Response<Self::TunnelStream>, Status> {
        let live = self.known(&request)?;
        let org = self.org.upgrade().ok_or_else(|| Status::unavailable("the host is closing"))?;
        tunnel::open(&org, live, request.into_inner()).await
    }
}

/// Welcomes the runner once its run is prepared, then takes its messages until the connection ends.
async fn converse(live: Arc<Live>, mut incoming: Streaming<RunnerMessage>, outgoing: mpsc::Sender<HostMessage>) {
    let mut prepared = live.welcome.subscribe();
    let welcome = loop {
        if let Some(welcome) = prepared.borrow_and_update().clone() {
            break welcome;
        }
        tokio::select! {
            changed = prepared.changed() => if changed.is_err() { return },
            gone = incoming.next() => if !matches!(gone, Some(Ok(_))) { return },
            () = live.over.cancelled() => return,
        }
    };
    let last_seen_seq = live.log.last_seq();
    let Welcome { spec_json, delegation_json, manifest_json } = welcome;
    let message = WireWelcome { version: VERSION, spec_json, delegation_json, manifest_json, last_seen_seq };
    if outgoing.send(HostMessage { kind: Some(host_message::Kind::Welcome(message)) }).await.is_err() {
        return;
    }
    live.attach(outgoing.clone());
    let mut batches = incoming.ready_chunks(limits::LOG_BATCH);
    while let Some(Some(batch)) = live.over.run_until_cancelled(batches.next()).await {
        let messages: Vec<RunnerMessage> = batch.into_iter().map_while(Result::ok).collect();
        live.hear();
        if messages.is_empty() || take(&live, messages, &outgoing).await.is_none() {
            break;
        }
    }
    live.detach(&outgoing);
}

/// Writes reports to disk, acknowledges them, and hands them on.
async fn take(live: &Arc<Live>, messages: Vec<RunnerMessage>, outgoing: &mpsc::Sender<HostMessage>) -> Option<()> {
    let mut reports = Vec::new();
    for message in messages {
        match message.kind? {
            runner_message::Kind::Event(event) => {
                let parsed = serde_json::from_str(&event.json).ok()?;
                reports.push(LogEntry { seq: event.seq, at: Timestamp(event.at_ms), event: parsed });
            }
            runner_message::Kind::Signature(signature) => {
                let signed = signature.signature.as_slice().try_into();
                let refused = Problem::conflict(format!("The runner refused to sign: {}", signature.refused));
                live.signed(signature.id, if signature.refused.is_empty() { signed.map_err(|_| refused) } else { Err(refused) });
            }
            runner_message::Kind::Reply(reply) => live.replied(reply.id, reply.error),
            runner_message::Kind::Beat(_) => {}
            runner_message::Kind::Hello(_) => return None,
        }
    }
    let Some(last) = reports.last().map(|r| r.seq) else { return Some(()) };
    let seen = live.log.last_seq();
    let (log, fresh) = (live.log.clone(), reports);
    let (written, fresh) = tokio::task::spawn_blocking(move || (log.append(&fresh), fresh)).await.ok()?;
    if let Err(problem) = written {
        // Not acknowledged: the runner keeps its reports and sends them again.
        tracing::error!(run = %live.run, %problem, "a run's log cannot be written");
        tokio::time::sleep(limits::RECONCILE_EVERY).await;
        return None;
    }
    outgoing.send(HostMessage { kind: Some(host_message::Kind::Ack(Ack { seq: last })) }).await.ok()?;
    for entry in fresh.into_iter().filter(|e| e.seq > seen) {
        match entry.parsed() {
            Some(event) => report(live, event).await?,
            None => tracing::warn!(run = %live.run, seq = entry.seq, "a report of an unknown form was kept in the log only"),
        }
    }
    Some(())
}

async fn report(live: &Arc<Live>, event: RunnerEvent) -> Option<()> {
    match &event {
        RunnerEvent::WorkEnded { reason, checks } => {
            live.ended.send_replace(Some(Ended { reason: reason.clone(), checks: checks.clone() }));
        }
        RunnerEvent::Paused => live.note_paused(true),
        RunnerEvent::Resumed => live.note_paused(false),
        _ => {}
    }
    live.reports.send(event).await.ok()
}
