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
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
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
/// opening is waited for, since that may take longer than engines try; a call that its engine gives up meanwhile is not made.
async fn tunnel(connection: UnixStream, address: &Address, target: &'static str) -> Option<()> {
    let (mut read, mut write) = connection.into_split();
    let (outgoing, stream) = mpsc::channel(4);
    outgoing.send(Chunk { target: target.into(), data: vec![] }).await.ok()?;
    let mut said = vec![];
    let mut client = tokio::select! {
        client = address.client_once_open() => client?,
        () = given_up(&mut read, &mut said) => return None,
    };
    let mut incoming = client.tunnel(address.request(ReceiverStream::new(stream))).await.ok()?.into_inner();
    let outward = tokio::spawn(outward(said, read, outgoing));
    while let Some(Ok(chunk)) = incoming.next().await {
        write.write_all(&chunk.data).await.ok()?;
    }
    let _ = write.shutdown().await;
    outward.abort();
    Some(())
}

/// Returns once the engine has closed its end. What it says before that is kept: behind what nobody reads, its end would not be seen.
async fn given_up(mut read: impl AsyncRead + Unpin, said: &mut Vec<u8>) {
    // A host that is there is reached sooner.
    sleep(limits::RECONNECT_PAUSE).await;
    while said.len() < limits::TUNNEL_EARLY_BYTES_MAX {
        if !read.read_buf(said).await.is_ok_and(|count| count > 0) {
            return;
        }
    }
    std::future::pending().await
}

/// Sends what the engine said already, and then all that it says.
async fn outward(said: Vec<u8>, mut read: impl AsyncRead + Unpin, outgoing: mpsc::Sender<Chunk>) {
    let chunk = |data: &[u8]| Chunk { target: String::new(), data: data.to_vec() };
    for piece in said.chunks(limits::TUNNEL_CHUNK) {
        if outgoing.send(chunk(piece)).await.is_err() {
            return;
        }
    }
    drop(said);
    let mut piece = vec![0; limits::TUNNEL_CHUNK];
    while let Some(count) = read.read(&mut piece).await.ok().filter(|n| *n > 0) {
        if outgoing.send(chunk(&piece[..count])).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::ready;
    use tokio::time::{Instant, timeout};

    /// More than two sockets hold between them.
    const LARGE: usize = 768 * 1024;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_its_engine_gives_up_while_the_host_opens_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let org = data_dir::DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        data_dir::make_private(&org.root).unwrap();
        let _opens = org.lock().unwrap();
        let (run, token) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), identity::Secret::from("mw-run-secret"));
        let socket = folder.path().join("host");
        let address = Address { socket, run, token, token_file: "nowhere".into(), org_lock: org.lock_file() };
        let (mut engine, connection) = UnixStream::pair().unwrap();
        let waits = tokio::spawn(async move { tunnel(connection, &address, "model").await });
        timeout(limits::HOST_OPENS_WAIT / 4, engine.write_all(&vec![b'x'; LARGE])).await.unwrap().unwrap();
        sleep(limits::RECONNECT_PAUSE * 5).await;
        assert!(!waits.is_finished(), "the engine waits");
        drop(engine);
        assert_eq!(timeout(limits::HOST_OPENS_WAIT / 4, waits).await.unwrap().unwrap(), None);
    }

    #[tokio::test]
    async fn what_the_engine_said_early_is_sent_first() {
        let (outgoing, mut sent) = mpsc::channel(64);
        let (early, late) = (vec![b'e'; LARGE], vec![b'l'; LARGE]);
        let sending = tokio::spawn({
            let (early, late) = (early.clone(), late.clone());
            async move { outward(early, late.as_slice(), outgoing).await }
        });
        let mut all = vec![];
        while let Some(chunk) = sent.recv().await {
            assert!(chunk.target.is_empty() && chunk.data.len() <= limits::TUNNEL_CHUNK);
            all.extend(chunk.data);
        }
        sending.await.unwrap();
        assert!(all == [early, late].concat());
    }

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
