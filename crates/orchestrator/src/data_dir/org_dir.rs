//! The folder of one org: what lies where.

use super::{Lock, lock, make_private, make_unshared, write_private};
use crate::limits;
use domain::{Problem, RunId};
use std::path::PathBuf;

/// An org's folder.
#[derive(Clone, Debug)]
pub struct OrgDir {
    /// The folder.
    pub root: PathBuf,
    /// Where sockets go.
    pub sockets: PathBuf,
}

impl OrgDir {
    /// Makes the folder for the org's sockets.
    ///
    /// # Errors
    /// When it cannot be made, or somebody else was there first.
    pub(crate) fn make_sockets(&self) -> Result<(), Problem> {
        // Each part by itself: in a folder that everybody can write, somebody else may have made the first.
        [self.sockets.parent().unwrap_or(&self.sockets), &self.sockets].into_iter().try_for_each(make_unshared)
    }

    /// What the org is, for opening it without its repository: written last, so that a half-made org does not count.
    pub fn record(&self) -> PathBuf {
        self.root.join("org.json")
    }
    /// Takes the org for this process: one that is ending is waited for.
    ///
    /// # Errors
    /// When another process keeps serving it.
    pub fn lock(&self) -> Result<Lock, Problem> {
        lock(&self.lock_file(), limits::ORG_LOCK_WAIT)?.ok_or_else(|| {
            Problem::conflict(format!("Another process serves the org in {}, and does not end.", self.root.display()))
                .next("See which with fuser (psmisc) on its file “lock”, end it, and start meshwork up again.")
        })
    }
    /// The file of that lock: held from before anything of the org is opened until the process ends, however it ends.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }
    /// What the org takes of the machine.
    pub(crate) fn taken(&self) -> PathBuf {
        self.root.join("taken.json")
    }
    /// What the command line shows the org's own process, where it has one.
    pub fn cli_token(&self) -> PathBuf {
        self.root.join("cli.token")
    }
    /// Where the org's own process serves HTTP.
    pub fn http_socket(&self) -> PathBuf {
        self.sockets.join("http")
    }
    /// The ticket with which this machine is joining the org, until it has.
    pub fn joining(&self) -> PathBuf {
        self.root.join("join.json")
    }
    /// What this device knows of the org's tailnet; the server, where it runs it.
    pub(crate) fn tailnet(&self) -> PathBuf {
        self.root.join("tailnet")
    }
    /// Says that the org has a tailscaled of its own on this device, in a network namespace of its own.
    fn own_tailscaled_mark(&self) -> PathBuf {
        self.tailnet().join("own")
    }
    /// Whether it has.
    pub fn has_own_tailscaled(&self) -> bool {
        self.own_tailscaled_mark().exists()
    }
    /// Says that it is to have one, from its next process on.
    pub(crate) fn give_own_tailscaled(&self) -> Result<(), Problem> {
        make_private(&self.tailnet())?;
        write_private(&self.own_tailscaled_mark(), b"")
    }
    /// Where the Join port was the last time, and in further lines where it was before, as long as open tickets lead there.
    pub fn join_address(&self) -> PathBuf {
        self.root.join("join.address")
    }
    /// Where the Radicle node was the last time.
    pub fn radicle_address(&self) -> PathBuf {
        self.root.join("radicle.address")
    }
    /// Where other devices of the org are accepted, or were the last time.
    pub fn mesh_address(&self) -> PathBuf {
        self.root.join("mesh.address")
    }
    /// Where the gossip of other devices is heard, or was the last time.
    pub fn gossip_address(&self) -> PathBuf {
        self.root.join("gossip.address")
    }
    /// The device's key and checkpoints; also the Radicle home, with storage and node, unless a person's profile is used.
    pub fn radicle(&self) -> PathBuf {
        self.root.join("radicle")
    }
    /// The member's key.
    pub fn member(&self) -> PathBuf {
        self.root.join("member")
    }
    /// The passphrase of the person's Radicle profile, encrypted: a vault of its own, which no run can reach.
    pub fn profile(&self) -> PathBuf {
        self.root.join("profile")
    }
    /// The copies of other devices' journals: a folder each.
    pub(crate) fn journals(&self) -> PathBuf {
        self.root.join("journals")
    }
    /// Journal, blobs, logs.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }
    /// Credentials.
    pub fn vault(&self) -> PathBuf {
        self.root.join("vault")
    }
    /// One folder a run.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }
    /// The folder of one run.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }
    /// Folders of ended runs that hold files which are in no commit.
    pub fn kept(&self) -> PathBuf {
        self.root.join("kept")
    }
    /// A socket of a run.
    pub fn run_socket(&self, run: &RunId, name: &str) -> PathBuf {
        self.sockets.join(format!("{}.{name}", &run.as_str()[10..]))
    }
    /// The socket on which runners reach this orchestrator.
    pub fn host_socket(&self) -> PathBuf {
        self.sockets.join("host")
    }
    /// The Radicle node's control socket; a stock `rad` uses it too.
    pub fn node_socket(&self) -> PathBuf {
        self.sockets.join("node")
    }
}
