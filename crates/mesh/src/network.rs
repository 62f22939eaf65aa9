//! Making connections: to a device that is known by its key, at the first of its addresses that answers. A connection that
//! broke is made again with the next call.

use crate::{
    connection::{Connection, Peer},
    limits,
    live::Connections,
    problem::UNANSWERED,
};
use domain::{Did, OrgName, Problem, RunId};
use hyper_util::rt::TokioIo;
use identity::certificate::{self, Accept, Clock, Own, Sign, Subject, Usage};
use proto::mesh::mesh_client::MeshClient;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// What a connection is for. Streams of one connection share its window (RFC 9113, 5.2): what is read at a person's pace has one of its
/// own, so that it holds up no call; and so has each run, whose streams are read as fast as its engine and its provider take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pace {
    Calls,
    Readers,
    Tunnels,
}

/// Where a device is, and the connection to it.
struct Way {
    addresses: Vec<String>,
    channel: Channel,
}

/// What this device needs to reach others.
pub struct Network {
    org: OrgName,
    device: Did,
    sign: Sign,
    clock: Clock,
    accept: Accept,
    own: Arc<Own>,
    connections: Connections,
    ways: Mutex<HashMap<(Did, Pace), Way>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({})", self.own.subject())
    }
}

impl Network {
    /// For a device of an org; `accept` says who belongs to it now.
    pub fn new(org: OrgName, device: Did, sign: Sign, clock: Clock, accept: Accept) -> Self {
        let own = Own::device(org.clone(), device.clone(), sign.clone(), clock.clone());
        Self { org, device, sign, clock, accept, own, connections: Connections::default(), ways: Mutex::default() }
    }

    /// All connections, in either direction.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// What a port for other devices shows and accepts.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn server(&self) -> Result<Arc<rustls::ServerConfig>, Problem> {
        certificate::server(self.own.clone(), self.accept.clone(), self.clock.clone())
    }

    /// The clock by which certificates are judged.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The service of a device. Nothing is connected before it is called.
    ///
    /// # Errors
    /// When no address of it is known.
    pub fn device(&self, device: &Did, addresses: &[String]) -> Result<MeshClient<Channel>, Problem> {
        self.way(device, addresses, Pace::Calls)
    }

    /// The same for streams that may be read slowly.
    ///
    /// # Errors
    /// When no address of it is known.
    pub fn device_read_slowly(&self, device: &Did, addresses: &[String]) -> Result<MeshClient<Channel>, Problem> {
        self.way(device, addresses, Pace::Readers)
    }

    fn way(&self, device: &Did, addresses: &[String], pace: Pace) -> Result<MeshClient<Channel>, Problem> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (device.clone(), pace);
        if let Some(way) = ways.get(&key).filter(|way| way.addresses == addresses) {
            return Ok(MeshClient::new(way.channel.clone()));
        }
        let channel = self.channel(self.own.clone(), device, addresses, pace)?;
        ways.insert(key, Way { addresses: addresses.to_vec(), channel: channel.clone() });
        Ok(MeshClient::new(channel))
    }

    /// The way of a run that this device executes to a gateway: its requester's, or that of the standby device.
    pub fn run(self: &Arc<Self>, run: &RunId, requester: &Did, addresses: Vec<String>) -> RunChannel {
        let own = Own::run(self.org.clone(), run.clone(), self.device.clone(), self.sign.clone(), self.clock.clone());
        RunChannel { network: self.clone(), own, requester: requester.clone(), addresses, now: Mutex::default() }
    }

    fn channel(&self, own: Arc<Own>, device: &Did, addresses: &[String], pace: Pace) -> Result<Channel, Problem> {
        if addresses.is_empty() {
            return Err(Problem::unavailable(UNANSWERED)
                .because(format!("No address of the device {device} is known."))
                .next("Start meshwork up there; its address is then in its file of the org repository."));
        }
        let (accept, wanted) = (self.accept.clone(), device.clone());
        let only: Accept = Arc::new(move |subject| matches!(subject, Subject::Device { did, .. } if *did == wanted) && accept(subject));
        let config = certificate::client(own, only, self.clock.clone())?;
        let dial = Dial { config, clock: self.clock.clone(), addresses: addresses.to_vec(), connections: self.connections.clone() };
        let endpoint = Endpoint::from_static("http://mesh")
            .connect_timeout(limits::HANDSHAKE * 2)
            .http2_keep_alive_interval(limits::KEEP_ALIVE)
            .keep_alive_timeout(limits::KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let endpoint = match pace {
            Pace::Calls => endpoint,
            Pace::Readers => endpoint
                .initial_stream_window_size(limits::READER_WINDOW_BYTES)
                .initial_connection_window_size(limits::READERS_WINDOW_BYTES),
            Pace::Tunnels => endpoint
                .initial_stream_window_size(limits::TUNNEL_WINDOW_BYTES)
                .initial_connection_window_size(limits::TUNNELS_WINDOW_BYTES),
        };
        Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: http::Uri| {
            let dial = dial.clone();
            async move { dial.connect().await.map(TokioIo::new) }
        })))
    }
}

#[derive(Clone)]
struct Dial {
    config: Arc<ClientConfig>,
    clock: Clock,
    addresses: Vec<String>,
    connections: Connections,
}

impl Dial {
    async fn connect(&self) -> io::Result<Connection<tokio_rustls::client::TlsStream<TcpStream>>> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.addresses.iter().take(limits::ADDRESSES_MAX) {
            match tokio::time::timeout(limits::HANDSHAKE, self.one(address)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer in time")),
            }
        }
        Err(last)
    }

    async fn one(&self, address: &str) -> io::Result<Connection<tokio_rustls::client::TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect(address).await?;
        let _ = tcp.set_nodelay(true);
        // No name is sent, and none is compared: the key counts.
        let name = ServerName::try_from("meshwork").map_err(io::Error::other)?;
        let tls = TlsConnector::from(self.config.clone()).connect(name, tcp).await?;
        let shown = tls.get_ref().1.peer_certificates().unwrap_or_default();
        let subject = certificate::read(shown, Usage::Server, (self.clock)()).map_err(io::Error::other)?;
        let held = self.connections.hold(&subject).ok_or_else(|| io::Error::other("too many connections"))?;
        Ok(Connection::new(tls, Peer { subject, since: Instant::now() }, held))
    }
}

/// A run's way to its requester's gateway. Its certificate is short-lived, so that the connection is made anew from time to time;
/// streams that are under way go on over the old one.
pub struct RunChannel {
    network: Arc<Network>,
    own: Arc<Own>,
    requester: Did,
    addresses: Vec<String>,
    now: Mutex<Option<(Instant, Channel)>>,
}

impl fmt::Debug for RunChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunChannel({} to {})", self.own.subject(), self.requester)
    }
}

impl RunChannel {
    /// The requester's service, called with the run's certificate.
    ///
    /// # Errors
    /// When no address of the requester is known.
    pub fn client(&self) -> Result<MeshClient<Channel>, Problem> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |made: &Instant| made.elapsed() < Duration::from_millis(identity::limits::RUN_CERTIFICATE_MS / 2);
        if let Some((_, channel)) = now.as_ref().filter(|(made, _)| fresh(made)) {
            return Ok(MeshClient::new(channel.clone()));
        }
        let channel = self.network.channel(self.own.clone(), &self.requester, &self.addresses, Pace::Tunnels)?;
        *now = Some((Instant::now(), channel.clone()));
        Ok(MeshClient::new(channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_of_which_no_address_is_known_does_not_answer() {
        let device = identity::Key::from_seed(&[1; 32]).did();
        let name: OrgName = "crew".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let sign: Sign = Arc::new(|_| Ok([0; 64]));
        let network = Network::new(name, device.clone(), sign, Arc::new(|| domain::Timestamp(0)), Arc::new(|_| true));
        let refused = network.device(&device, &[]).err();
        assert!(refused.is_some_and(|problem| crate::says_unanswered(&problem) && problem.next.is_some()));
    }
}
