//! Byte streams out of a sandbox: each is one connection to the model's gateway, the context server, or other egress.

use super::Live;
use crate::{context, gateway, limits, org::Org};
use bytes::Bytes;
use futures::StreamExt;
use proto::run::Chunk;
use std::{pin::Pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio_stream::Stream;
use tokio_util::io::{ReaderStream, StreamReader};
use tonic::{Response, Status, Streaming};

type Out = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

/// Opens one stream: its first chunk names the target.
pub(super) async fn open(org: &Arc<Org>, live: Arc<Live>, mut incoming: Streaming<Chunk>) -> Result<Response<Out>, Status> {
    let first = incoming.next().await.ok_or_else(|| Status::invalid_argument("the first chunk names the target"))??;
    if let (Some(away), "model" | "egress") = (&live.away, first.target.as_str()) {
        return crate::remote::outward(away.clone(), first, incoming).await.map(Response::new);
    }
    let (near, far) = tokio::io::duplex(limits::TUNNEL_CHUNK);
    let io = Both { near, rest: first.data };
    match first.target.as_str() {
        "model" => drop(tokio::spawn(gateway::serve_model(far, live.route.clone(), org.http.clone()))),
        "egress" => drop(tokio::spawn(gateway::serve_egress(far, live.route.clone()))),
        "context" => drop(tokio::spawn(context::serve(far, live.context.clone()))),
        other => return Err(Status::invalid_argument(format!("there is no target “{}”", domain::shown(other)))),
    }
    Ok(Response::new(io.connect(incoming)))
}

struct Both {
    near: DuplexStream,
    rest: Vec<u8>,
}

impl Both {
    /// Copies what comes in to the target, and streams what the target answers.
    fn connect(self, incoming: Streaming<Chunk>) -> Out {
        let (read, write) = tokio::io::split(self.near);
        let begin = futures::stream::iter([Ok::<_, Status>(Bytes::from(self.rest))]);
        let inward = begin.chain(incoming.map(|chunk| chunk.map(|c| Bytes::from(c.data))));
        tokio::spawn(copy_in(inward, write));
        Box::pin(copy_out(read))
    }
}

async fn copy_in(inward: impl Stream<Item = Result<Bytes, Status>> + Send, mut write: impl AsyncWrite + Unpin) {
    let mut reader = std::pin::pin!(StreamReader::new(inward.map(|r| r.map_err(std::io::Error::other))));
    let _ = tokio::io::copy(&mut reader, &mut write).await;
    let _ = tokio::io::AsyncWriteExt::shutdown(&mut write).await;
}

fn copy_out(read: impl AsyncRead + Send + 'static) -> impl Stream<Item = Result<Chunk, Status>> + Send {
    ReaderStream::with_capacity(read, limits::TUNNEL_CHUNK).map(|piece| match piece {
        Ok(data) => Ok(Chunk { target: String::new(), data: data.to_vec() }),
        Err(error) => Err(Status::unavailable(error.to_string())),
    })
}
