//! The ways out of the sandbox: sockets that the bridge inside connects to, each connection a tunnel to the host.

use super::link::Address;
use crate::{data_dir, limits};
use domain::Problem;
use futures::StreamExt;
use proto::run::Chunk;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
};
use tokio_stream::wrappers::ReceiverStream;

/// Ports of the sandbox's loopback, by target.
pub const PORTS: [(&str, u16); 3] = [("model", 4101), ("context", 4102), ("egress", 4103)];

/// Opens the socket of each target. Returns port and socket of each.
///
/// # Errors
/// When a socket cannot be made.
pub fn open(address: &Address, folder: &Path) -> Result<Vec<(u16, PathBuf)>, Problem> {
    let permits = Arc::new(Semaphore::new(limits::TUNNELS_PER_RUN_MAX));
    PORTS
        .into_iter()
        .map(|(target, port)| {
            let socket = folder.join(format!("{}.{}", &address.run.as_str()[10..], &target[..1]));
            let _ = std::fs::remove_file(&socket);
            let listener = UnixListener::bind(&socket).map_err(|e| data_dir::storage(&socket, &e))?;
            tokio::spawn(accept(listener, address.clone(), target, permits.clone()));
            Ok((port, socket))
        })
        .collect()
}

async fn accept(listener: UnixListener, address: Address, target: &'static str, permits: Arc<Semaphore>) {
    while let Ok((connection, _)) = listener.accept().await {
        let (Ok(permit), address) = (permits.clone().acquire_owned().await, address.clone()) else { return };
        tokio::spawn(async move {
            tunnel(connection, &address, target).await;
            drop(permit);
        });
    }
}

/// Copies one connection through the host. When the host is away the connection just ends, and the engine tries again; one that is only
/// opening is waited for, since that may take longer than engines try.
async fn tunnel(connection: UnixStream, address: &Address, target: &'static str) -> Option<()> {
    let (mut read, mut write) = connection.into_split();
    let (outgoing, stream) = mpsc::channel(4);
    outgoing.send(Chunk { target: target.into(), data: vec![] }).await.ok()?;
    let mut client = address.client_once_open().await?;
    let mut incoming = client.tunnel(address.request(ReceiverStream::new(stream))).await.ok()?.into_inner();
    let outward = tokio::spawn(async move {
        let mut piece = vec![0; limits::TUNNEL_CHUNK];
        while let Some(count) = read.read(&mut piece).await.ok().filter(|n| *n > 0) {
            if outgoing.send(Chunk { target: String::new(), data: piece[..count].to_vec() }).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(chunk)) = incoming.next().await {
        write.write_all(&chunk.data).await.ok()?;
    }
    let _ = write.shutdown().await;
    outward.abort();
    Some(())
}
