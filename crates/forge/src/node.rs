//! The Radicle node, in this process: start, stop, peers, announcements, events.

use crate::{
    Forge,
    convert::{self, Told},
    limits,
    queue::lock,
};
use domain::{Did, Kind, Oid, PatchId, Problem, Rid, Timestamp};
use radicle::cob;
use radicle::crypto::PublicKey;
use radicle::node::{ConnectOptions, ConnectResult, Event, Handle as _, Session, State, policy::Scope};
use radicle::storage::{ReadRepository, RefUpdate, git::Repository};
use radicle_node::runtime::{self, Runtime, handle::Handle};
use radicle_signals::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The handle that the forge keeps of its running node.
pub(crate) type Running = Handle;

/// A running node. Dropping it stops it.
pub struct Node {
    forge: Arc<Forge>,
    handle: Handle,
    listen: Option<SocketAddr>,
    thread: Mutex<Option<Thread>>,
    /// The node ends its signal thread when this is dropped.
    _signals: mpsc::SyncSender<Signal>,
}

/// The node's thread, and how it says that it ended.
struct Thread {
    join: thread::JoinHandle<()>,
    ended: mpsc::Receiver<Result<(), String>>,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether its thread runs.
    pub running: bool,
    /// Where it accepts connections.
    pub listen: Option<SocketAddr>,
    /// The other nodes that it knows a session with.
    pub peers: Vec<Peer>,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub did: Did,
    /// Its address.
    pub address: String,
    /// Since when it is connected, by the clock of this device; none: it is not now.
    pub connected: Option<Timestamp>,
}

/// What a node saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// Something new of a repository came from another node.
    Fetched {
        /// The repository.
        rid: Rid,
        /// From whom.
        from: Did,
        /// The patches that changed.
        patches: BTreeSet<PatchId>,
        /// Whether branches or the identity changed too.
        branches: bool,
    },
    /// Something on this device changed refs of a repository: the forge itself, or the stock `rad` with this node.
    Announced {
        /// The repository.
        rid: Rid,
        /// Whose refs.
        by: Did,
    },
    /// The canonical head of a branch moved because of what came.
    HeadMoved {
        /// The repository.
        rid: Rid,
        /// The full name of the ref.
        name: String,
        /// Where it is now.
        commit: Oid,
    },
    /// Another node has everything that was announced up to this commit of signed refs: the work is safe elsewhere.
    Synced {
        /// The repository.
        rid: Rid,
        /// Who.
        by: Did,
        /// The commit of the signed refs.
        at: Oid,
    },
    /// A node connected.
    PeerConnected {
        /// Who.
        did: Did,
    },
    /// A node went away.
    PeerDisconnected {
        /// Who.
        did: Did,
        /// Why.
        reason: String,
    },
}

/// What came from a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// An event.
    Event(NodeEvent),
    /// Nothing in this time.
    Nothing,
    /// The node stopped, or this subscriber was too slow: subscribe again and look at everything anew.
    Closed,
}

/// A subscription to a node's events.
pub struct NodeEvents(radicle::node::Events);

impl NodeEvents {
    /// Waits at most this long for the next event.
    pub fn next(&self, wait: Duration) -> Received {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.0.recv_timeout(left) {
                Ok(event) => match translate(event) {
                    Some(event) => return Received::Event(event),
                    None if left.is_zero() => return Received::Nothing,
                    None => {}
                },
                Err(mpsc::RecvTimeoutError::Timeout) => return Received::Nothing,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Received::Closed,
            }
        }
    }
}

fn translate(event: Event) -> Option<NodeEvent> {
    match event {
        Event::RefsFetched { remote, rid, updated } => {
            let changed: Vec<_> = updated.iter().filter(|update| !matches!(update, RefUpdate::Skipped { .. })).collect();
            let patches: BTreeSet<PatchId> = changed.iter().filter_map(|update| patch_of(update)).collect();
            let branches = changed.iter().any(|u| u.name().as_str().contains("/refs/heads/") || u.name().as_str().ends_with("/rad/id"));
            Some(NodeEvent::Fetched { rid: convert::rid(&rid).ok()?, from: convert::did(&remote), patches, branches })
        }
        Event::LocalRefsAnnounced { rid, refs, .. } => {
            Some(NodeEvent::Announced { rid: convert::rid(&rid).ok()?, by: convert::did(&refs.remote) })
        }
        Event::CanonicalRefUpdated { rid, refname, target } => {
            Some(NodeEvent::HeadMoved { rid: convert::rid(&rid).ok()?, name: refname.to_string(), commit: convert::oid(target).ok()? })
        }
        Event::RefsSynced { remote, rid, at } => {
            Some(NodeEvent::Synced { rid: convert::rid(&rid).ok()?, by: convert::did(&remote), at: convert::oid(at).ok()? })
        }
        Event::PeerConnected { nid } => Some(NodeEvent::PeerConnected { did: convert::did(&nid) }),
        Event::PeerDisconnected { nid, reason } => Some(NodeEvent::PeerDisconnected { did: convert::did(&nid), reason }),
        _ => None,
    }
}

fn patch_of(update: &RefUpdate) -> Option<PatchId> {
    let typed = cob::TypedId::from_namespaced(&update.name().to_namespaced()?).ok()??;
    (typed.type_name == *cob::patch::TYPENAME).then(|| convert::patch_id(typed.id).ok())?
}

impl Forge {
    /// Starts the node on a thread of its own. Without `listen` it only connects outwards. `control_socket` is for the
    /// stock `rad`; its path may have 107 bytes. What was written while no node ran is announced.
    pub fn start_node(self: &Arc<Self>, listen: Option<SocketAddr>, control_socket: &Path) -> Result<Node, Problem> {
        if lock(&self.running).is_some() {
            return Err(Problem::conflict("The Radicle node runs already."));
        }
        self.free_socket(control_socket)?;
        let (signals, received) = mpsc::sync_channel(1);
        let (home, config) = (self.home.clone(), self.config.node.clone());
        let on = match listen {
            None if self.in_profile => config.listen.clone(),
            asked => asked.into_iter().collect(),
        };
        let runtime = Runtime::init(home, config, control_socket.to_owned(), on, received, self.node.clone())
            .map_err(|error| not_started(error, listen))?;
        let handle = runtime.handle.clone();
        let address = runtime.local_addrs.first().copied();
        let (done, ended) = mpsc::channel();
        let run = move || {
            let _ = done.send(runtime.run().map_err(|error| error.to_string()));
        };
        let join = thread::Builder::new().name("radicle".into()).spawn(run).told("No thread could be made for the Radicle node.")?;
        *lock(&self.running) = Some(handle.clone());
        // A profile holds repositories that are none of ours.
        for rid in if self.in_profile { vec![] } else { self.repositories()? } {
            self.announce_quietly(&rid, &[]);
        }
        let thread = Mutex::new(Some(Thread { join, ended }));
        Ok(Node { forge: self.clone(), handle, listen: address, thread, _signals: signals })
    }

    /// Tells connected nodes of new refs of these keys, and keeps the announcement for nodes that connect later. Every
    /// write of the forge does this by itself. Only the last announcement of a repository is kept, so it names all keys.
    pub fn announce(&self, rid: &Rid, keys: &[Did]) -> Result<(), Problem> {
        let keys: Vec<PublicKey> = keys.iter().map(convert::key).collect::<Result<_, _>>()?;
        self.announce_keys(rid, &keys)
    }

    /// As [`Forge::announce`], for what a write does at its end: the write itself is done, whatever becomes of this.
    pub(crate) fn announce_quietly(&self, rid: &Rid, keys: &[PublicKey]) {
        if let Err(problem) = self.announce_keys(rid, keys) {
            tracing::warn!(%rid, %problem, "new refs could not be announced");
        }
    }

    fn announce_keys(&self, rid: &Rid, keys: &[PublicKey]) -> Result<(), Problem> {
        let Some(mut handle) = lock(&self.running).clone() else { return Ok(()) };
        let id = convert::repo_id(rid)?;
        let all = announced(&self.open_repository(id)?, keys)?;
        if all.is_empty() {
            return Ok(());
        }
        handle.announce_refs_for(id, all).told(format!("New refs of {rid} could not be announced."))?;
        Ok(())
    }

    /// Lets the node keep and serve a repository, from whichever key a change comes: with a narrower scope the patches of
    /// runs would not be seen.
    pub(crate) fn seed(&self, rid: &Rid) -> Result<(), Problem> {
        let id = convert::repo_id(rid)?;
        let what = format!("The repository {rid} could not be offered to others.");
        let Some(mut handle) = lock(&self.running).clone() else {
            self.home.policies_mut().and_then(|mut policies| policies.seed(&id, Scope::All)).told(what)?;
            return Ok(());
        };
        handle.seed(id, Scope::All).told(what)?;
        if self.open_repository(id).is_ok_and(|repo| repo.identity_doc().is_ok_and(|doc| doc.is_public())) {
            handle.add_inventory(id).told(format!("The repository {rid} could not be listed."))?;
        }
        Ok(())
    }

    pub(crate) fn handle(&self) -> Result<Handle, Problem> {
        lock(&self.running)
            .clone()
            .ok_or_else(|| Problem::unavailable("The Radicle node does not run.").next("Start it with `meshwork up`."))
    }
}

/// The keys to announce: the given ones first, then the others of the repository, newest first.
fn announced(repo: &Repository, first: &[PublicKey]) -> Result<Vec<PublicKey>, Problem> {
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut others = Vec::new();
    for key in repo.remote_ids().told("The refs could not be listed.")?.filter_map(Result::ok) {
        let signed = repo.reference_oid(&key, &radicle::git::refs::storage::SIGREFS_BRANCH).told("Signed refs could not be read.")?;
        let at = repo.backend.find_commit(signed.into()).map_or(0, |commit| commit.time().seconds());
        if first.contains(&key) { keys.push(key) } else { others.push((at, key)) }
    }
    others.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    keys.extend(others.into_iter().map(|(_, key)| key));
    keys.truncate(limits::ANNOUNCED_KEYS_MAX);
    Ok(keys)
}

/// Whether a node answers on this socket.
pub(crate) fn is_listening(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

/// Takes away a socket that nobody listens on: a killed process leaves one.
pub(crate) fn clear_socket(socket: &Path) -> Result<(), Problem> {
    let bytes = socket.as_os_str().len();
    if bytes > limits::SOCKET_PATH_BYTES_MAX {
        return Err(Problem::invalid(format!("The path of the socket {} is too long.", socket.display()))
            .because(format!("It has {bytes} bytes; {} are possible.", limits::SOCKET_PATH_BYTES_MAX))
            .next("Use a data folder with a shorter path."));
    }
    match UnixStream::connect(socket) {
        Ok(_) => Err(Problem::conflict("Another Radicle node runs in this data folder.")
            .because(format!("It listens on {}.", socket.display()))
            .next("Stop the other `meshwork up` first.")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(socket).told(format!("The old socket {} could not be removed.", socket.display()))
        }
        Err(_) => Ok(()),
    }
}

fn not_started(error: runtime::Error, listen: Option<SocketAddr>) -> Problem {
    match (&error, listen) {
        (runtime::Error::Io(io), Some(address)) if io.kind() == ErrorKind::AddrInUse => {
            Problem::conflict(format!("The port {} is in use.", address.port()))
                .because(format!("The Radicle node cannot listen on {address}."))
                .next("Stop what uses it, or choose another address for Radicle.")
        }
        (runtime::Error::Io(io), Some(address)) if io.kind() == ErrorKind::AddrNotAvailable => {
            Problem::invalid(format!("This machine has no address {address}.")).next("Choose another address for Radicle.")
        }
        (runtime::Error::GitVersion(_), _) => {
            Problem::unavailable("The Radicle node needs git.").because(error.to_string()).next("Install git, version 2.34 or newer.")
        }
        _ => {
            let cause = error.to_string();
            let problem = Problem::unavailable("The Radicle node could not be started.");
            let problem =
                if convert::disk_full(&cause) { problem.next("Make room on this disk, then run `meshwork up` again.") } else { problem };
            problem.because(cause)
        }
    }
}

fn connected(session: &Session) -> Option<Timestamp> {
    match &session.state {
        State::Connected { since, .. } => Some(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))),
        _ => None,
    }
}

impl Node {
    /// Where it accepts connections; with port 0 asked for, the port that it got.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Connects to another node, or finds that it is connected. When that node restarted, this one may still believe in
    /// the session from before: then [`Node::reconnect`] is needed.
    pub fn connect(&self, did: &Did, address: SocketAddr) -> Result<(), Problem> {
        let key = convert::key(did)?;
        let events = self.handle.events();
        let far = format!("The Radicle node {did} at {address} cannot be reached.");
        if self.session(key)?.is_none() {
            let options = ConnectOptions { persistent: false, timeout: limits::CONNECT };
            let result = self.handle.clone().connect(key, address.into(), options).told(far.clone())?;
            if let ConnectResult::Disconnected { reason } = result {
                return Err(Problem::unavailable(far).because(domain::shown(&reason)));
            }
        }
        // Radicle also says “connected” of a session that is only being made.
        let end = Instant::now() + limits::CONNECT;
        while let Some(session) = self.session(key)? {
            if session.is_connected() {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Problem::new(Kind::Timeout, far));
            }
            let _ = events.recv_timeout(left.min(limits::SESSION_LOOK));
        }
        Err(Problem::unavailable(far))
    }

    /// Ends the session with a node that restarted, and connects anew: without that, a node that came back is refused for
    /// about a minute by those that did not notice it was gone.
    pub fn reconnect(&self, did: &Did, address: SocketAddr) -> Result<(), Problem> {
        self.disconnect(did)?;
        self.connect(did, address)
    }

    /// Ends the session with another node, if there is one.
    pub fn disconnect(&self, did: &Did) -> Result<(), Problem> {
        let key = convert::key(did)?;
        if !self.session(key)?.is_some_and(|session| session.is_connected()) {
            return Ok(());
        }
        // The call waits for an event without a limit, so it waits on a thread of its own, which ends with the node.
        let (done, ended) = mpsc::channel();
        let mut handle = self.handle.clone();
        thread::spawn(move || {
            let _ = done.send(handle.disconnect(key).is_ok());
        });
        match ended.recv_timeout(limits::CONNECT) {
            Ok(true) => Ok(()),
            _ => Err(Problem::new(Kind::Timeout, format!("The session with {did} could not be ended."))),
        }
    }

    fn session(&self, key: PublicKey) -> Result<Option<Session>, Problem> {
        self.handle.session(key).told("The Radicle node does not answer.")
    }

    /// Refuses everything from a key, and ends its session: for revoked keys only, since nobody who joins later would
    /// see what an ended key made. It holds for ever, unless [`Node::unblock`] takes it back.
    pub fn block(&self, did: &Did) -> Result<(), Problem> {
        self.handle.clone().block(convert::key(did)?).told(format!("{did} could not be blocked."))?;
        Ok(())
    }

    /// Takes things from a key again that was blocked; does nothing where it was not.
    pub fn unblock(&self, did: &Did) -> Result<(), Problem> {
        let key = convert::key(did)?;
        // The node looks there whenever it asks. Its own command would also take away that a person's profile follows the key.
        let unblocked = self.forge.home.policies_mut().and_then(|mut policies| {
            let blocked = policies.is_blocked(&key)?;
            if blocked { policies.unblock_nid(&key) } else { Ok(false) }
        });
        unblocked.told(format!("{did} is blocked still.")).map(drop)
    }

    /// Fetches everything of a repository from a connected node.
    pub fn fetch(&self, rid: &Rid, from: &Did) -> Result<(), Problem> {
        self.forge.fetch(rid, from)
    }

    /// Tells connected nodes anew that this one wants the news of what it has. Radicle says so once, when a session begins, and where two
    /// calls met that may be dropped (radicle-node 0.21, `Io::Write` in `wire.rs`): then the other would announce nothing here for as
    /// long as the session lasts. `rid` is any repository that is here.
    pub fn subscribe_anew(&self, rid: &Rid) -> Result<(), Problem> {
        self.forge.seed(rid)
    }

    /// A new subscription to its events.
    pub fn events(&self) -> NodeEvents {
        NodeEvents(self.handle.events())
    }

    /// How it is.
    pub fn health(&self) -> Health {
        let running = lock(&self.thread).as_ref().is_some_and(|thread| !thread.join.is_finished());
        let sessions = if running { self.handle.sessions().unwrap_or_default() } else { Vec::new() };
        let peer = |s: Session| Peer { did: convert::did(&s.nid), address: s.addr.to_string(), connected: connected(&s) };
        Health { running, listen: self.listen, peers: sessions.into_iter().map(peer).collect() }
    }

    /// The nodes that it is connected to now, and since when; none where it does not run.
    pub fn connected(&self) -> BTreeMap<Did, Timestamp> {
        self.health().peers.into_iter().filter_map(|peer| Some((peer.did, peer.connected?))).collect()
    }

    /// Stops it and waits until it has. It can be started again with [`Forge::start_node`].
    pub fn stop(&self) -> Result<(), Problem> {
        let Some(Thread { join, ended }) = lock(&self.thread).take() else { return Ok(()) };
        *lock(&self.forge.running) = None;
        self.handle.clone().shutdown().told("The Radicle node does not answer.")?;
        match ended.recv_timeout(limits::NODE_STOP) {
            Ok(result) => {
                let _ = join.join();
                result.told("The Radicle node ended with an error.")
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Problem::internal("the Radicle node's thread panicked")),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Problem::new(Kind::Timeout, "The Radicle node does not stop.")),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(problem) = self.stop() {
            tracing::warn!(%problem, "the Radicle node did not stop in order");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_has_no_room_to_start_says_what_to_do() {
        for words in ["database or disk is full (code 13)", "No space left on device (os error 28)"] {
            let problem = not_started(std::io::Error::other(words).into(), None);
            assert!(problem.next.is_some_and(|next| next.contains("Make room")), "{words}");
        }
    }
}
