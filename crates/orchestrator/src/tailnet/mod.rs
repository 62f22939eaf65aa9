//! The tailnet of an org: what its devices reach each other through when they are not in one place. `tailnet.toml` of the org repository
//! names its Headscale server; a device that has its API key (in the vault, or because it runs the server itself) keeps policy and tags
//! there as the org says. Every device opens doors at its tailnet address and publishes that first.
//!
//! Nothing waits for any of it: where the server or tailscaled is away that is told, and everything that runs goes on.
//! `settings`: what is asked for; `own`: a tailscaled for one org alone; `keep`: brings it about; `rules`: what may reach what; `tickets`:
//! the keys behind tickets; `devices`: which machine is which device; `doors`: what listens at the tailnet address; `server`: the server,
//! where this device runs it; `status`: what is told.

mod devices;
mod doors;
mod enter;
mod keep;
mod own;
mod rules;
mod server;
mod settings;
mod status;
mod tickets;

pub(crate) use enter::enter;
pub(crate) use keep::keep;
pub use own::Own;
pub(crate) use own::finding as own_finding;
pub(crate) use rules::in_tailnet;
pub(crate) use server::saved;
pub(crate) use settings::{CREDENTIAL, asked, begin, keep_key, read_at, served, server_of_key};
pub use settings::{Server, Tailscaled, in_the_clear};
pub(crate) use status::{StatusView, WhoView, amiss, finding, key_in_the_clear, left_behind, status, who};
pub(crate) use tickets::take_back;

use crate::{limits, org::Org, remote};
use domain::{Problem, ServerUrl, Timestamp};
use doors::{Doors, Room};
use futures::future::BoxFuture;
use identity::Secret;
use mesh::tailnet::{
    headscale::{Headscale, NewKey, Node, Stays, Uses},
    localapi::{self, LocalApi},
    policy,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, RwLock},
};
use tokio::sync::Notify;

/// What is known of an org's tailnet here.
#[derive(Debug, Default)]
pub struct Tailnet {
    seen: RwLock<Seen>,
    api: Mutex<Option<Headscale>>,
    doors: Arc<tokio::sync::Mutex<Doors>>,
    places: RwLock<Places>,
    /// Wakes what keeps it.
    pub(crate) wake: Notify,
}

/// What was seen at the last look.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The org's server; none: the org has no tailnet, where that is known.
    server: Option<ServerUrl>,
    /// Whether the org's repository could be asked which server that is.
    known: bool,
    /// Whether this device runs it.
    managed: bool,
    /// When it was looked.
    at: Option<Timestamp>,
    /// Whether the server answered; none: it was not asked yet.
    reached: Option<Result<(), Problem>>,
    /// When it answered last.
    reached_at: Option<Timestamp>,
    /// This machine's tailscaled.
    here: Option<Result<localapi::Status, Problem>>,
    /// The machines that the server lists.
    nodes: Vec<Node>,
    /// Rules written by hand that let others in.
    opened: Vec<String>,
    /// What of this device's own is not in order: its API key, or what it knows of machines.
    amiss: Vec<Problem>,
}

/// Where others reach this device in the tailnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Its port for other devices.
    pub(crate) mesh: Option<SocketAddr>,
    /// Its Radicle node.
    pub(crate) radicle: Option<SocketAddr>,
    /// Its Join port.
    pub(crate) join: Option<SocketAddr>,
    /// Its gossip (UDP).
    pub(crate) gossip: Option<SocketAddr>,
}

impl Tailnet {
    /// Of an org that has one, as far as its repository says so at the start.
    pub(crate) fn of(settings: Result<Option<domain::org::Tailnet>, Problem>) -> Self {
        let known = settings.is_ok();
        let seen = Seen { server: settings.ok().flatten().map(|s| s.headscale), known, ..Seen::default() };
        Self { seen: RwLock::new(seen), ..Self::default() }
    }

    fn seen(&self) -> Seen {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn see(&self, seen: Seen) {
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    fn api(&self) -> Option<Headscale> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_api(&self, api: Option<Headscale>) {
        *self.api.lock().unwrap_or_else(PoisonError::into_inner) = api;
    }

    /// This machine's address in the tailnet, where it is in one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.seen().here.and_then(Result::ok).and_then(|status| status.address())
    }

    /// Where others reach this device in the tailnet.
    pub(crate) fn places(&self) -> Places {
        *self.places.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is reached there any more.
    pub(crate) fn forget_places(&self) {
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = Places::default();
    }

    /// Whether the org has a tailnet in which this device is not yet: what it published before stays then.
    pub(crate) fn waits(&self) -> bool {
        self.seen().server.is_some() && self.places().mesh.is_none()
    }

    /// Opens the door to the port for other devices, which listens at `to`, as soon as tailscaled is in the org's tailnet: for a device
    /// that only opens yet. The door stays, and what keeps the tailnet finds it. Ends at once where the org has no tailnet.
    pub(crate) fn door_early(&self, to: SocketAddr) -> BoxFuture<'static, ()> {
        let (doors, server) = (self.doors.clone(), self.seen().server);
        Box::pin(async move {
            let Some(server) = server else { return };
            while early(&keep::socket(), &server, &doors, to).await.is_none() {
                tokio::time::sleep(limits::TAILNET_EARLY_EVERY).await;
            }
        })
    }

    /// Where something is reached that listens at `listens`: at the tailnet address first; at one of this machine alone only where there
    /// is no other.
    pub(crate) fn reached(&self, of: impl Fn(&Places) -> Option<SocketAddr>, listens: Option<SocketAddr>) -> Vec<String> {
        let listens = listens.filter(|at| !at.ip().is_unspecified());
        match of(&self.places()) {
            Some(tailnet) => {
                let beside = listens.filter(|at| !at.ip().is_loopback() && *at != tailnet);
                std::iter::once(tailnet).chain(beside).map(|at| at.to_string()).collect()
            }
            None => listens.into_iter().map(|at| at.to_string()).collect(),
        }
    }
}

/// Opens that door, and says where it is; none: it cannot be opened yet, or tailscaled is in the tailnet of another server.
async fn early(local: &LocalApi, server: &ServerUrl, doors: &tokio::sync::Mutex<Doors>, to: SocketAddr) -> Option<SocketAddr> {
    let ip = local.status().await.ok()?.address()?;
    keep::same_server(&local.prefs().await.ok()?.control_url, server.as_str()).ok()?;
    doors.lock().await.open("mesh", ip, policy::MESH, Some(to), Room::DEVICES).await
}

/// What a ticket says of the tailnet: its server, and a key that lets a machine in which reaches nothing but the Join port. None: the
/// org has no tailnet. No key: this device has none to give, and who joins must be in the tailnet already.
///
/// # Errors
/// When the server is away: then nobody new gets in. Or when it cannot be kept which key belongs to the invitation.
pub(crate) async fn for_ticket(
    org: &Org,
    invite: &str,
    expires: Timestamp,
    uses: u32,
) -> Result<Option<(ServerUrl, Option<Secret>)>, Problem> {
    let Some(server) = org.tailnet.seen().server else { return Ok(None) };
    let Some(api) = org.tailnet.api() else { return Ok(Some((server, None))) };
    let user = api.user(org.name.as_str()).await?;
    let wanted = NewKey {
        user: &user.id,
        tags: vec![policy::joining_tag(&org.name)],
        expires,
        uses: if uses == 1 { Uses::Once } else { Uses::Many },
        stays: Stays::Always,
    };
    let (made, key) = api.new_key(&wanted).await?;
    tickets::remember(&org.dir, &api, invite, tickets::Key::new(api.url().clone(), made.id, expires)).await?;
    Ok(Some((server, Some(key))))
}

/// Opens what is to listen at the tailnet address and does not yet; has the gossip move there.
pub(crate) async fn open_doors(org: &Org) {
    let Some(ip) = org.tailnet.ip().filter(|_| org.tailnet.seen().server.is_some()) else { return };
    let join = *org.join_port.lock().await;
    let radicle = org.node().ok().and_then(|node| node.listen_address());
    let mut doors = org.tailnet.doors.lock().await;
    let places = Places {
        mesh: doors.open("mesh", ip, policy::MESH, org.remote.address(), Room::DEVICES).await,
        radicle: doors.open("radicle", ip, policy::RADICLE, radicle, Room::DEVICES).await,
        join: doors.open("join", ip, policy::JOIN, join, Room::STRANGERS).await,
        gossip: remote::enter_tailnet(org, ip).await,
    };
    *org.tailnet.places.write().unwrap_or_else(PoisonError::into_inner) = places;
}

/// How often the tailnet is looked at.
const LOOK_EVERY: std::time::Duration = limits::TAILNET_EVERY;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream, UnixListener},
    };

    #[tokio::test]
    async fn a_device_that_only_opens_is_reached_where_tailscaled_says_and_its_door_stays() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("tailscaled.sock");
        let (local, doors) = (LocalApi::new(&socket), tokio::sync::Mutex::default());
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = inside.local_addr().unwrap();
        let [ours, other] = ["http://10.0.0.1:8080", "http://10.0.0.2:8080"].map(|url| url.parse::<ServerUrl>().unwrap());
        assert_eq!(early(&local, &ours, &doors, to).await, None, "nobody says where");
        let tailscaled = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut asked, _)) = tailscaled.accept().await {
                let mut request = [0; 1024];
                let read = asked.read(&mut request).await.unwrap();
                let said = if request[..read].starts_with(b"GET /localapi/v0/prefs ") {
                    r#"{"ControlURL": "http://10.0.0.1:8080"}"#
                } else {
                    r#"{"BackendState": "Running", "TailscaleIPs": ["127.0.0.2"]}"#
                };
                asked.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{said}", said.len()).as_bytes()).await.unwrap();
            }
        });
        assert_eq!(early(&local, &other, &doors, to).await, None, "others than the org's devices are there");
        let at = early(&local, &ours, &doors, to).await.unwrap();
        let _outer = TcpStream::connect(at).await.unwrap();
        inside.accept().await.unwrap();
        let found = doors.lock().await.open("mesh", at.ip(), policy::MESH, Some(to), Room::DEVICES).await;
        assert_eq!(found, Some(at), "what keeps the tailnet opens no other");
    }
}
