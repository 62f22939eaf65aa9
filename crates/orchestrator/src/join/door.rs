//! The Join port: listens while there are open invitations or somebody waits, and speaks to keys that nobody knows yet.

use super::{desk, tls};
use crate::{clock, limits, org::Org};
use domain::{Kind, Problem, join::JoinerState};
use proto::join::{
    KnockAnswer, KnockRequest,
    join_server::{Join, JoinServer},
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Weak},
    task,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, transport::server::Connected};

/// The usual Join port.
pub const PORT: u16 = 7423;

/// Opens the Join port again where a ticket that counts names one, after a restart.
pub(crate) async fn keep_open(org: &Arc<Org>) -> Result<(), Problem> {
    let now = clock::now();
    let wanted = org.blocking(move |org| {
        let waits = desk::joiners(org)?.into_iter().any(|j| matches!(j.state, JoinerState::Waiting | JoinerState::Proposed { .. }));
        Ok(waits || desk::invites(org)?.iter().any(|invite| desk::is_open(invite, now)))
    });
    if wanted.await? {
        open(org).await?;
    }
    Ok(())
}

/// Opens the Join port, or says where it is open. It stays where it was the last time, so that tickets stay good.
pub(super) async fn open(org: &Arc<Org>) -> Result<SocketAddr, Problem> {
    let mut at = org.join_port.lock().await;
    if let Some(address) = *at {
        return Ok(address);
    }
    let listener = listen(org).await?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    crate::data_dir::write_private(&org.dir.join_address(), address.to_string().as_bytes())?;
    let acceptor = TlsAcceptor::from(tls::server(&org.name, &org.forge)?);
    let (send, incoming) = mpsc::channel(limits::JOIN_CONNECTIONS_MAX);
    let mut closed = org.closing.subscribe();
    let mut over = org.closing.subscribe();
    org.tasks.spawn(async move {
        tokio::select! {
            () = accept(listener, acceptor, send) => {}
            _ = closed.wait_for(|c| *c) => {}
        }
    });
    let service = JoinServer::new(Door(Arc::downgrade(org))).max_decoding_message_size(limits::KNOCK_BYTES_MAX);
    // Whoever says nothing makes room again.
    let server = tonic::transport::Server::builder()
        .timeout(limits::JOIN_WAIT)
        .max_connection_age(limits::JOIN_WAIT)
        .max_connection_age_grace(limits::JOIN_WAIT)
        .add_service(service);
    org.tasks.spawn(async move {
        let until = async move {
            let _ = over.wait_for(|c| *c).await;
        };
        if let Err(error) = server.serve_with_incoming_shutdown(ReceiverStream::new(incoming), until).await {
            tracing::error!(%error, "the Join port failed");
        }
    });
    *at = Some(address);
    Ok(address)
}

/// Where it was the last time, else the usual port, else any.
async fn listen(org: &Org) -> Result<TcpListener, Problem> {
    let before = std::fs::read_to_string(org.dir.join_address()).ok().and_then(|text| text.parse().ok());
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let asked = org.options.listens.join;
    let mut last = None;
    for address in before.into_iter().chain(asked).chain([usual, any]) {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some((address, error)),
        }
    }
    let (address, error) = last.ok_or_else(|| Problem::internal("no address to listen on"))?;
    Err(Problem::unavailable(format!("The Join port {address} cannot be opened: {error}.")).next("Give another with --join-listen."))
}

/// Takes connections in and shakes hands, a few at a time.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, to: mpsc::Sender<io::Result<Stranger>>) {
    let room = Arc::new(Semaphore::new(limits::JOIN_CONNECTIONS_MAX));
    while let Ok(place) = room.clone().acquire_owned().await {
        let Ok((tcp, _)) = listener.accept().await else {
            // Too many open files, for instance: it passes.
            tokio::time::sleep(limits::RECONNECT_PAUSE).await;
            continue;
        };
        let (acceptor, to) = (acceptor.clone(), to.clone());
        tokio::spawn(async move {
            if let Ok(Ok(tls)) = tokio::time::timeout(limits::JOIN_WAIT, acceptor.accept(tcp)).await {
                let _ = to.send(Ok(Stranger { tls, _place: place })).await;
            }
        });
    }
}

/// A connection of somebody unknown; their place is free again when it ends.
struct Stranger {
    tls: TlsStream<TcpStream>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Connected for Stranger {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Stranger {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut task::Context<'_>, buffer: &mut ReadBuf<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stranger {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut task::Context<'_>, bytes: &[u8]) -> task::Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}

struct Door(Weak<Org>);

#[tonic::async_trait]
impl Join for Door {
    async fn knock(&self, request: Request<KnockRequest>) -> Result<Response<KnockAnswer>, Status> {
        let org = self.0.upgrade().ok_or_else(|| Status::unavailable("Meshwork is stopping."))?;
        let request = request.into_inner();
        let answer = org.blocking(move |org| desk::answer(org, &request)).await.map_err(|problem| {
            tracing::warn!(%problem, "somebody who knocked could not be answered");
            Status::unavailable("It cannot be answered now.")
        })?;
        let answer_json = serde_json::to_string(&answer).map_err(|_| Status::internal("no answer"))?;
        Ok(Response::new(KnockAnswer { version: mesh::spoken(), answer_json }))
    }
}

/// What is told of an answer that is not ours.
pub(super) fn strange(why: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::Conflict, "The other side answers in a way that this Meshwork does not understand.")
        .because(why.to_string())
        .next("Install the newest Meshwork on both machines.")
}
