//! A run's traffic on its way to its requester's gateway: from the sandbox here over mTLS, with the run's own certificate; and, at the
//! requester, into the gateway that puts the key in. No key ever comes to the executor.

use super::{device, lock, wish};
use crate::{gateway, lifecycle, limits, org::Org};
use bytes::Bytes;
use domain::{Did, Kind, Problem, RunId, event::kind, run::Run};
use futures::{Stream, StreamExt};
use mesh::{RunChannel, VERSION, problem, status};
use proto::{mesh::TunnelChunk, run::Chunk};
use std::{pin::Pin, sync::Arc};
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{ReaderStream, StreamReader};
use tonic::{Status, Streaming};

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The gateway of a run that this device executes for another.
#[derive(Debug)]
pub struct Away {
    channel: RunChannel,
    /// Whether it could not be reached when it was needed last.
    missing: watch::Sender<bool>,
}

impl Away {
    /// The gateway of the device that asked for a run.
    ///
    /// # Errors
    /// When the org does not list that device any more.
    pub(crate) fn new(org: &Org, run: &RunId, requester: &Did) -> Result<Arc<Self>, Problem> {
        let addresses = device(org, requester)?.addresses;
        let channel = org.remote.network.run(run, requester, addresses);
        Ok(Arc::new(Self { channel, missing: watch::Sender::new(false) }))
    }

    /// Tells whether it cannot be reached, although something waits for it.
    pub(crate) fn missing(&self) -> watch::Receiver<bool> {
        self.missing.subscribe()
    }

    /// Opens a stream; while the gateway cannot be reached, waits for it.
    async fn open(&self, target: &str) -> Result<(mpsc::Sender<TunnelChunk>, Streaming<TunnelChunk>), Problem> {
        loop {
            let (sender, receiver) = mpsc::channel(limits::TUNNEL_CHUNKS_AHEAD);
            let first = TunnelChunk { version: VERSION, target: target.to_owned(), data: vec![] };
            sender.try_send(first).map_err(Problem::internal)?;
            let mut client = self.channel.client()?;
            match client.tunnel(ReceiverStream::new(receiver)).await {
                Ok(answer) => {
                    self.missing.send_if_modified(|missing| std::mem::replace(missing, false));
                    return Ok((sender, answer.into_inner()));
                }
                Err(refused) => {
                    let problem = problem(&refused);
                    // A certificate that grew too old on this connection: the next one is new.
                    if !problem.passes() {
                        return Err(problem);
                    }
                    self.missing.send_if_modified(|missing| !std::mem::replace(missing, true));
                    tokio::time::sleep(limits::REMOTE_PAUSE).await;
                }
            }
        }
    }
}

/// Carries one stream of the sandbox to the gateway.
pub(crate) async fn outward(away: Arc<Away>, first: Chunk, mut incoming: Streaming<Chunk>) -> Result<Out<Chunk>, Status> {
    let (sender, answers) = away.open(&first.target).await.map_err(status)?;
    tokio::spawn(async move {
        let mut next = (!first.data.is_empty()).then_some(first.data);
        loop {
            let data = match next.take() {
                Some(data) => data,
                None => match incoming.next().await {
                    Some(Ok(chunk)) => chunk.data,
                    _ => return,
                },
            };
            if sender.send(TunnelChunk { version: VERSION, target: String::new(), data }).await.is_err() {
                return;
            }
        }
    });
    Ok(Box::pin(answers.map(|chunk| chunk.map(|c| Chunk { target: String::new(), data: c.data }))))
}

/// Takes one stream of a run that another device executes for us into our gateway.
pub(super) async fn inward(org: &Arc<Org>, run: Run, mut incoming: Streaming<TunnelChunk>) -> Result<Out<TunnelChunk>, Status> {
    if run.key.is_none() || run.state.ended() {
        return Err(status(Problem::new(
            Kind::Forbidden,
            format!("The run {} may not use the gateway: it is over, or nobody delegated to it.", run.id),
        )));
    }
    let first = incoming.next().await.ok_or_else(|| Status::invalid_argument("the first chunk names the target"))??;
    let route = route(org, &run).await.map_err(status)?;
    let (near, far) = tokio::io::duplex(limits::TUNNEL_CHUNK);
    match first.target.as_str() {
        "model" => drop(tokio::spawn(gateway::serve_model(far, route, org.http.clone()))),
        "egress" => drop(tokio::spawn(gateway::serve_egress(far, route))),
        other => return Err(Status::invalid_argument(format!("there is no target “{}”", domain::shown(other)))),
    }
    let (read, mut write) = tokio::io::split(near);
    let begin = futures::stream::iter([Ok::<_, Status>(Bytes::from(first.data))]);
    let inward = begin.chain(incoming.map(|chunk| chunk.map(|c| Bytes::from(c.data))));
    tokio::spawn(async move {
        let mut reader = std::pin::pin!(StreamReader::new(inward.map(|r| r.map_err(std::io::Error::other))));
        let _ = tokio::io::copy(&mut reader, &mut write).await;
        let _ = write.shutdown().await;
    });
    Ok(Box::pin(ReaderStream::with_capacity(read, limits::TUNNEL_CHUNK).map(|piece| match piece {
        Ok(data) => Ok(TunnelChunk { version: VERSION, target: String::new(), data: data.to_vec() }),
        Err(error) => Err(Status::unavailable(error.to_string())),
    })))
}

/// The gateway of a run elsewhere: one for all its streams, with its budget and what it used.
async fn route(org: &Arc<Org>, run: &Run) -> Result<Arc<gateway::Route>, Problem> {
    if let Some(known) = lock(&org.remote.routes).get(&run.id) {
        return Ok(known.clone());
    }
    let wanted = run.clone();
    let made = org.blocking(move |org| lifecycle::gateway_of(org, &wanted)).await?;
    let route = lock(&org.remote.routes).entry(run.id.clone()).or_insert_with(|| made.clone()).clone();
    if Arc::ptr_eq(&route, &made) {
        tokio::spawn(end_when_spent(Arc::downgrade(org), run.id.clone(), route.clone()));
    }
    Ok(route)
}

/// Ends a run whose budget is spent, or whose key is refused: its executor cannot know.
async fn end_when_spent(org: std::sync::Weak<Org>, id: RunId, route: Arc<gateway::Route>) {
    let mut fatal = route.fatal();
    drop(route);
    let Some(reason) = fatal.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) else { return };
    let Some(org) = org.upgrade() else { return };
    let Ok(Some(run)) = org.store.get::<Run>(kind::RUN, id.as_str()) else { return };
    if let Some(device) = run.elsewhere(&org.device).filter(|_| !run.state.ended())
        && let Err(problem) = wish::end(&org, &run, device, reason).await
    {
        tracing::warn!(run = %id, %problem, "the device that executes a run could not be told to end it");
    }
}
