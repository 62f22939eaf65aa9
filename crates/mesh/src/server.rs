//! Accepting connections: each shows its certificate before anything is read of it.

use crate::{
    connection::{Connection, Peer},
    limits,
    live::Connections,
};
use identity::certificate::{self, Clock, Usage};
use rustls::ServerConfig;
use std::{sync::Arc, time::Instant};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::service::Routes;

/// Serves `routes` on a listener until `stop` resolves. Every call carries its [`Peer`].
pub async fn serve(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    clock: Clock,
    connections: Connections,
    routes: Routes,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let (accepted, incoming) = mpsc::channel(limits::HANDSHAKES_MAX);
    let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(config), clock, connections, accepted));
    let incoming = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
    let served = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(limits::KEEP_ALIVE))
        .http2_keepalive_timeout(Some(limits::KEEP_ALIVE))
        .max_concurrent_streams(limits::CALLS_PER_CONNECTION_MAX)
        // Only the streams of runs send much.
        .initial_stream_window_size(limits::TUNNEL_WINDOW_BYTES)
        .initial_connection_window_size(limits::TUNNELS_WINDOW_BYTES)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stop)
        .await;
    accepting.abort();
    if let Err(error) = served {
        tracing::error!(%error, "the port for other devices failed");
    }
}

type Accepted = Connection<TlsStream<TcpStream>>;

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, clock: Clock, connections: Connections, accepted: mpsc::Sender<Accepted>) {
    let places = Arc::new(Semaphore::new(limits::HANDSHAKES_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, clock, connections, accepted) = (acceptor.clone(), clock.clone(), connections.clone(), accepted.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Some(connection) = handshake(tcp, acceptor, &clock, &connections).await {
                let _ = accepted.send(connection).await;
            }
        });
    }
}

/// Who did not show a certificate that is accepted gets no further, and no word.
async fn handshake(tcp: TcpStream, acceptor: TlsAcceptor, clock: &Clock, connections: &Connections) -> Option<Accepted> {
    let _ = tcp.set_nodelay(true);
    let tls = match tokio::time::timeout(limits::HANDSHAKE, acceptor.accept(tcp)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a peer was turned away");
            return None;
        }
        Err(_) => return None,
    };
    let subject = certificate::read(tls.get_ref().1.peer_certificates()?, Usage::Client, clock()).ok()?;
    let held = connections.hold(&subject)?;
    Some(Connection::new(tls, Peer { subject, since: Instant::now() }, held))
}
