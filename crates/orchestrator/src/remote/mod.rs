//! Runs that one device asks for and another executes. The requester owns the task's claim, signs manifest and delegation, and lets
//! the run's model traffic through its own gateway; the executor owns run and lease, and tells the requester every fact about
//! them, which the requester's journal keeps as told (`domain::event::Told`).
//!
//! Who there is: `gossip` (announces this device), `devices` (what is known of each), `members` (who belongs to the org).
//! Radicle between them: `neighbours` keeps the nodes connected, `missed` takes what was missed, `signed` finds out what that is. `line`
//! gives and takes a key's line of signed refs, and `rejoin` joins what a device signed that was put back with what others have of it.
//! Asking: `ask` (schedule), `follow` (watch and log), `wish` (orders), `gateway` (the run's traffic comes back),
//! `merge` (what a gate is to merge), `cosign` (what another gate is to sign).
//! Saved work that moves between the two: `checkpoint`.
//! Executing: `service` takes the calls of others, `turns` bounds what is done for each at once, `bring` fetches the repository, `mandate`
//! gets the delegation, `facts` tells, `orders` hears before a run is handed in, `away` finds the run's gateway. Standing in for another
//! device of the member: `standby`. While this device only opens, `opening` refuses them all; once it is open it hears the others
//! (`caught_up`) before it begins anything.
//!
//! Beside that each device has a copy of every other's journal (`journals`), by which it shows the whole org, and asks for the logs of
//! runs between others when somebody wants to see one (`log`).

mod ask;
mod authority;
mod away;
mod bring;
mod caught_up;
mod checkpoint;
mod cosign;
pub(crate) mod devices;
mod facts;
mod follow;
mod gateway;
mod gossip;
mod halt;
mod hear;
mod journals;
mod line;
mod log;
mod mandate;
mod members;
mod merge;
mod missed;
mod neighbours;
mod opening;
mod orders;
mod port;
mod reach;
mod refusals;
mod rejoin;
mod service;
mod signed;
mod standby;
mod take;
mod turns;
mod wish;

pub(crate) use ask::{Asking, answers, schedule};
pub use away::Away;
pub(crate) use bring::bring;
pub(crate) use caught_up::{catch_up, catches_up};
pub(crate) use checkpoint::{ask_saved, bring_saved, farewell, goes_on_there, keep_given_up, may_answer, published_there, receive};
pub(crate) use cosign::{agree, meet};
pub(crate) use follow::{follow, follow_all, unended, waited_until};
pub(crate) use gateway::outward;
pub use gossip::dropped as gossip_dropped;
pub(crate) use gossip::{announce, doubles, enter_tailnet, leave_tailnet, listen, waiting_here};
pub(crate) use halt::{cut_halted, tell_stop};
pub use journals::Journals;
pub(crate) use journals::{Copied, CopyState, keep as keep_journals};
pub(crate) use log::{is_here as log_is_here, is_lost as log_is_lost, page as log_page};
pub use log::{log_elsewhere, log_here};
pub(crate) use mandate::delegation;
pub(crate) use members::{keep, keep_asking, moved, publish_again};
pub(crate) use merge::{merge, still_wished};
pub(crate) use neighbours::keep_connected;
pub(crate) use opening::say_opening;
pub(crate) use orders::orders_heard;
pub(crate) use port::{choose, choose_gossip, not_here, open};
pub use reach::Reach;
pub(crate) use reach::{all_apart, apart, clocks_off, probe, probe_all, reached, refused_by};
pub(crate) use refusals::Refusals;
pub(crate) use rejoin::{Stuck, left_out};
pub(crate) use take::take_brought;
pub(crate) use wish::{end_elsewhere, wish};

use crate::{clock, gateway::Route, org::Org};
use domain::{Did, Kind, OrgName, Problem, Rid, RunId, org::Device};
use forge::OrgState;
use identity::certificate::{Accept, Subject};
use mesh::{Network, problem};
use proto::mesh::mesh_client::MeshClient;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};

/// The devices that belong to the org now.
type Known = Arc<RwLock<BTreeSet<Did>>>;

/// What a device needs to work together with the others of its org.
pub struct Remote {
    network: Arc<Network>,
    known: Known,
    /// The org as it was read last, together with `known`: calls are judged by it, so that none of them waits for git.
    state: RwLock<Arc<OrgState>>,
    address: OnceLock<SocketAddr>,
    /// The port at which it does, where others were told there that this device was only opening.
    early: Mutex<Option<TcpListener>>,
    /// The gateways of runs that others execute for us.
    routes: Mutex<HashMap<RunId, Arc<Route>>>,
    /// Runs that another device of the member asked for, and for which this one stands in.
    served: Mutex<HashMap<RunId, standby::Served>>,
    /// Of whom the log says that a stop order has their connections cut.
    halted: Mutex<HashSet<Subject>>,
    /// Runs that a device is being asked for.
    asking: Mutex<HashSet<RunId>>,
    /// Runs elsewhere that are followed, and what is known of each.
    following: Mutex<HashMap<RunId, follow::Followed>>,
    /// Runs here that the devices that asked for them follow now.
    followed: orders::Followed,
    /// Whose journals are here whole, as the devices themselves said since the start.
    caught_up: caught_up::CaughtUp,
    /// What is known of how others are reached.
    reach: Mutex<HashMap<Did, Reach>>,
    /// What is heard of the others, once gossip is open.
    gossip: OnceLock<gossip::Open>,
    /// Told when the org was read anew.
    learned: Notify,
    /// Told when a Radicle node connected, or went away.
    sessions: Notify,
    /// Whether some run waits for room: then whatever is heard of others is looked at once.
    pub(crate) hungry: AtomicBool,
    /// What others said since they announced themselves last.
    pub(crate) refusals: Refusals,
    /// Checkpoints on their way.
    pub(crate) moving: checkpoint::Moving,
    /// What is signed here.
    signed: signed::Digests,
    /// Lines of signed refs that lie apart.
    pub(crate) lines: rejoin::Lines,
    /// What is done for the others now.
    turns: turns::Turns,
    /// Cancelled when everything that others should hear was told.
    pub(crate) over: CancellationToken,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({:?})", self.network)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    /// For a device of an org, whose key `sign` signs with. `state` is the org at the start.
    pub(crate) fn new(name: &OrgName, device: &Did, sign: identity::certificate::Sign, state: OrgState) -> Self {
        let known: Known = Arc::new(RwLock::new(dids(&state)));
        let (seen, own) = (known.clone(), name.clone());
        let accept: Accept = Arc::new(move |subject: &Subject| {
            *subject.org() == own && seen.read().unwrap_or_else(PoisonError::into_inner).contains(subject.device())
        });
        let network = Arc::new(Network::new(name.clone(), device.clone(), sign, Arc::new(clock::now), accept));
        Self {
            network,
            known,
            state: RwLock::new(Arc::new(state)),
            address: OnceLock::new(),
            early: Mutex::default(),
            routes: Mutex::default(),
            served: Mutex::default(),
            halted: Mutex::default(),
            asking: Mutex::default(),
            following: Mutex::default(),
            followed: orders::Followed::default(),
            caught_up: caught_up::CaughtUp::default(),
            reach: Mutex::default(),
            gossip: OnceLock::new(),
            learned: Notify::new(),
            sessions: Notify::new(),
            hungry: AtomicBool::new(false),
            refusals: Refusals::default(),
            moving: checkpoint::Moving::default(),
            signed: signed::Digests::default(),
            lines: rejoin::Lines::default(),
            turns: turns::Turns::default(),
            over: CancellationToken::new(),
        }
    }

    /// Where this device accepts the others.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address.get().copied()
    }

    /// Where the others' gossip is heard now.
    pub(crate) fn gossip_address(&self) -> Option<SocketAddr> {
        self.gossip.get().map(|open| open.mover.place().address)
    }

    /// The number of what a device announced last.
    pub(crate) fn announced(&self, device: &Did) -> Option<u64> {
        Some(self.gossip.get()?.heard.borrow().get(device)?.announcement.number)
    }

    /// Whether gossip hears a device now.
    fn hears(&self, device: &Did) -> bool {
        self.gossip.get().is_some_and(|open| open.heard.borrow().get(device).is_some_and(|heard| heard.live))
    }

    /// How long it takes to a device that is heard and back, in milliseconds, as gossip finds out; none: not known yet.
    pub(crate) fn round_trip_ms(&self, device: &Did) -> Option<u32> {
        self.gossip.get()?.round_trips.ms(device)
    }

    /// Has it looked at who is connected by Radicle now.
    pub(crate) fn sessions_changed(&self) {
        self.sessions.notify_one();
    }

    /// Notes that a device's journal is here as far as the device itself says.
    fn note_whole(&self, device: &Did) {
        self.caught_up.note(device);
    }

    /// Something was signed in a repository that is here, by whomever.
    pub(crate) fn signed_changed(&self, rid: &Rid) {
        self.signed.forget(rid);
        lock(&self.lines.left_out).remove(rid);
    }

    /// The org as it was read last: at most [`crate::limits::MEMBERS_LOOK_EVERY`] ago, where it can be read.
    pub(crate) fn org(&self) -> Arc<OrgState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the org as it was read now, and gives the devices that belong to it.
    fn learn(&self, state: Arc<OrgState>) -> BTreeSet<Did> {
        let listed = dids(&state);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = listed.clone();
        self.learned.notify_one();
        listed
    }
}

/// The devices of an org.
fn dids(state: &OrgState) -> BTreeSet<Did> {
    state.devices.values().map(|device| device.did.clone()).collect()
}

/// A device of the org, as it was read last; one that was not there then may be new, and is looked for.
///
/// # Errors
/// When the org does not list it.
pub(crate) fn device(org: &Org, did: &Did) -> Result<Device, Problem> {
    let read = org.remote.org().device_of(did).cloned();
    let listed = match read {
        Some(device) => Some(device),
        None => org.state()?.device_of(did).cloned(),
    };
    listed.ok_or_else(|| {
        Problem::new(Kind::Forbidden, format!("The device {did} does not belong to the org."))
            .next("meshwork device list shows those that do.")
    })
}

/// What another device answers to a call. One that takes the call and says nothing is not waited for without end.
///
/// # Errors
/// As the device refuses; of [`Kind::Timeout`] where it says nothing for so long.
async fn in_time<T>(wait: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<T, Problem> {
    answered(wait, call).await?.map_err(|status| problem(&status))
}

/// As [`in_time`], for who asks how the device refuses.
async fn answered<T>(wait: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<Result<T, Status>, Problem> {
    let late = |_| Problem::new(Kind::Timeout, "The device did not answer in time.");
    tokio::time::timeout(wait, call).await.map_err(late)
}

/// What people call a device, by the org as it was read last.
pub(crate) fn called(org: &Org, did: &Did) -> String {
    org.remote.org().called(did).unwrap_or_else(|| did.to_string())
}

/// The service of another device.
///
/// # Errors
/// When the org does not list it, or its version and ours do not work together.
pub(crate) fn client(org: &Org, did: &Did) -> Result<MeshClient<Channel>, Problem> {
    apart(org, did).map_or_else(|| client_of_any(org, did), Err)
}

/// As [`client`], for a stream that may be read slowly: it holds up nothing else between the two devices.
///
/// # Errors
/// As of [`client`].
fn client_read_slowly(org: &Org, did: &Did) -> Result<MeshClient<Channel>, Problem> {
    match apart(org, did) {
        Some(why) => Err(why),
        None => org.remote.network.device_read_slowly(did, &device(org, did)?.addresses),
    }
}

/// As [`client`], of whatever version it is: to ask which.
fn client_of_any(org: &Org, did: &Did) -> Result<MeshClient<Channel>, Problem> {
    org.remote.network.device(did, &device(org, did)?.addresses)
}
