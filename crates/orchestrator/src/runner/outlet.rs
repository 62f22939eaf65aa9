//! The ways out of the sandbox: sockets that the bridge inside connects to, each connection a tunnel to the host.

use super::link::Address;
use crate::{data_dir, limits};
use domain::Problem;
use futures::StreamExt;
use proto::run::Chunk;
use std::{
    io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
    time::sleep,
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
    loop {
        let (connection, _) = next(|| listener.accept()).await;
        let (Ok(permit), address) = (permits.clone().acquire_owned().await, address.clone()) else { return };
        tokio::spawn(async move {
            tunnel(connection, &address, target).await;
            drop(permit);
        });
    }
}

/// The next connection. What keeps one from being taken, as that too many files are open, passes: the socket stays open as long as we do.
async fn next<T, F: Future<Output = io::Result<T>>>(mut accept: impl FnMut() -> F) -> T {
    let mut told = false;
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(error) if !mem::replace(&mut told, true) => tracing::warn!(%error, "a connection could not be taken; it is tried again"),
            Err(_) => {}
        }
        sleep(limits::RECONNECT_PAUSE).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn that_too_many_files_are_open_for_a_while_closes_no_way_out() {
        let (mut tries, begun) = (0, Instant::now());
        let accept = || {
            tries += 1;
            ready(if tries > 3 { Ok("connected") } else { Err(io::Error::from_raw_os_error(libc::EMFILE)) })
        };
        assert_eq!(next(accept).await, "connected");
        assert!(begun.elapsed() >= limits::RECONNECT_PAUSE * 3, "a processor is not kept busy meanwhile");
    }
}
