//! A run's traffic on its way to its gateway: from the sandbox here over mTLS, with the run's own certificate; and, at the other
//! end, into the gateway that puts the key in. No key ever comes to the executor.

use super::{away::Away, lock, wish};
use crate::{gateway, lifecycle, limits, org::Org};
use bytes::Bytes;
use domain::{
    Kind, Problem, RunId,
    event::kind,
    run::{Reason, Run},
};
use futures::{Stream, StreamExt};
use mesh::{spoken, status, understood};
use proto::{mesh::TunnelChunk, run::Chunk};
use std::{
    mem,
    pin::Pin,
    sync::{Arc, Weak},
};
use tokio::io::AsyncWriteExt;
use tokio_util::io::{ReaderStream, StreamReader};
use tonic::{Status, Streaming};

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Some bytes of a stream that is open.
fn piece(data: Vec<u8>) -> TunnelChunk {
    TunnelChunk { version: spoken(), data, ..TunnelChunk::default() }
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
            if sender.send(piece(data)).await.is_err() {
                return;
            }
        }
    });
    Ok(Box::pin(answers.map(|chunk| chunk.map(|c| Chunk { target: String::new(), data: c.data }))))
}

/// The first chunk of a stream: it says what the stream is for.
pub(super) async fn first(incoming: &mut Streaming<TunnelChunk>) -> Result<TunnelChunk, Status> {
    let first = incoming.next().await.ok_or_else(|| Status::invalid_argument("the first chunk names the target"))??;
    understood(first.version).map_err(status)?;
    Ok(first)
}

/// Takes one stream of a run elsewhere into its gateway here.
pub(super) fn inward(
    org: &Org,
    route: Arc<gateway::Route>,
    first: TunnelChunk,
    incoming: Streaming<TunnelChunk>,
) -> Result<Out<TunnelChunk>, Status> {
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
    Ok(Box::pin(ReaderStream::with_capacity(read, limits::TUNNEL_CHUNK).map(|read| match read {
        Ok(data) => Ok(piece(data.to_vec())),
        Err(error) => Err(Status::unavailable(error.to_string())),
    })))
}

/// The gateway of a run that another device executes for us: one for all its streams, with its budget and what it used.
///
/// # Errors
/// When the run is over, or nobody delegated to it.
pub(super) async fn route(org: &Arc<Org>, run: &Run) -> Result<Arc<gateway::Route>, Problem> {
    if run.key.is_none() || run.state.ended() {
        return Err(Problem::new(
            Kind::Forbidden,
            format!("The run {} may not use the gateway: it is over, or nobody delegated to it.", run.id),
        ));
    }
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
async fn end_when_spent(org: Weak<Org>, id: RunId, route: Arc<gateway::Route>) {
    let mut fatal = route.fatal();
    drop(route);
    let Some(reason) = fatal.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) else { return };
    until_told(&id, || end(org.clone(), id.clone(), reason.clone())).await;
}

/// Tells it again and again, until that was taken: meanwhile the run keeps a place there.
async fn until_told<F: Future<Output = Result<(), Problem>>>(run: &RunId, mut tell: impl FnMut() -> F) {
    let (mut pauses, mut known) = (limits::REMOTE_PAUSES, false);
    while let Err(problem) = tell().await {
        if !mem::replace(&mut known, true) {
            tracing::warn!(%run, %problem, "the device that executes a run could not be told to end it; it is told again");
        }
        tokio::time::sleep(pauses.another()).await;
    }
}

/// Asks the executor of a run to end it, once. Nothing is to be done where it has ended, or the org closes here.
async fn end(org: Weak<Org>, id: RunId, reason: Reason) -> Result<(), Problem> {
    let Some(org) = org.upgrade().filter(|org| !*org.closing.borrow()) else { return Ok(()) };
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(()) };
    match run.elsewhere(&org.device).filter(|_| !run.state.ended()) {
        Some(device) => wish::end(&org, &run, device, reason).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::ready;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn an_executor_that_does_not_answer_is_told_again_until_it_does() {
        let (mut tries, begun) = (0, Instant::now());
        let tell = || {
            tries += 1;
            ready(if tries > 9 { Ok(()) } else { Err(Problem::unavailable("The other device does not answer.")) })
        };
        until_told(&"01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), tell).await;
        assert!((limits::REMOTE_PAUSE * 9..limits::REMOTE_PAUSE_MAX * 9).contains(&begun.elapsed()), "after pauses, which end");
    }
}
