//! One machine as one process sees it: its data folder, the org that it serves, and what does not belong to any org.
//!
//! A process serves one org. With several on the machine each has a process of its own, below a supervisor (`meshwork up`).

use crate::{
    data_dir::DataDir,
    join::{Begun, Joining, Status},
    org::Org,
    profile::Profile,
    removed,
    tailnet::{self, Tailscaled},
};
use domain::{OrgName, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, RwLock},
};
use tokio::sync::Notify;

/// Where an org's part listens for others; none: the usual port of loopback if free, else any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// The Radicle node.
    pub radicle: Option<SocketAddr>,
    /// For those who were invited.
    pub join: Option<SocketAddr>,
    /// For other devices of the org.
    pub mesh: Option<SocketAddr>,
    /// For their gossip (UDP).
    pub gossip: Option<SocketAddr>,
}

impl Listens {
    /// The same addresses, with any ports: for an org beside one that has these.
    #[must_use]
    pub fn beside(self) -> Self {
        let any = |at: Option<SocketAddr>| at.map(|at| SocketAddr::new(at.ip(), 0));
        Self { radicle: any(self.radicle), join: any(self.join), mesh: any(self.mesh), gossip: any(self.gossip) }
    }
}

/// How the orchestrator was started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `meshwork` executable: runners and bridges are started from it.
    pub executable: PathBuf,
    /// Where it listens.
    pub listens: Listens,
    /// Whether the demo acts as the member; the journal says so.
    pub demo: bool,
    /// How many agents' runs at once; none: by cores.
    pub slots: Option<u32>,
    /// The org that this process is for, where each has one of its own.
    pub only: Option<OrgName>,
}

/// An org of the machine, and how it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// Its name.
    pub name: OrgName,
    /// How its process does.
    #[serde(flatten)]
    pub state: State,
    /// Its address for browsers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// That it does not list this device any more, in words, where its process knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
}

/// How an org's process does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It was made a moment ago, or begins.
    Starting,
    /// It serves.
    Up,
    /// It ended, and is started again.
    Down {
        /// How it ended.
        why: String,
        /// How often in a row it did not stay up.
        tries: u32,
        /// Seconds between its end and its next start.
        pause_s: u64,
    },
}

/// One machine.
#[derive(Debug)]
pub struct Machine {
    /// Its data folder.
    pub data: DataDir,
    /// How it was started.
    pub options: Options,
    org: RwLock<Option<Arc<Org>>>,
    joining: RwLock<Option<Arc<Joining>>>,
    /// Held while an org is made: one at a time.
    creating: tokio::sync::Mutex<()>,
    /// Told when an org was made or joined that this process does not serve; below a supervisor also when it has left its own.
    pub another: Notify,
    /// Told when the process is to start anew, so that its org's journal is mended.
    pub anew: Arc<Notify>,
}

impl Machine {
    /// A machine without an org yet.
    pub fn new(data: DataDir, options: Options) -> Arc<Self> {
        let (org, joining, creating) = (RwLock::new(None), RwLock::new(None), tokio::sync::Mutex::default());
        Arc::new(Self { data, options, org, joining, creating, another: Notify::new(), anew: Arc::default() })
    }

    /// The org that this machine serves.
    ///
    /// # Errors
    /// When it joined none yet.
    pub fn org(&self) -> Result<Arc<Org>, Problem> {
        let org = self.org.read().ok().and_then(|o| o.clone());
        org.ok_or_else(|| {
            Problem::conflict("This machine belongs to no org yet.")
                .next("Make one: meshwork org create <name>; or join one: meshwork join <ticket>.")
        })
    }

    /// The org that this machine is joining, or tried to join last.
    pub fn joining(&self) -> Option<Arc<Joining>> {
        self.joining.read().ok().and_then(|j| j.clone())
    }

    /// Begins to join an org with a ticket; what an earlier attempt left is given up. Where each org has a process of its own, or this one
    /// is to have one, that process goes on with it.
    ///
    /// # Errors
    /// When this machine is in that org or joining one already, or the ticket is not in order.
    pub async fn join(
        self: &Arc<Self>,
        ticket: &str,
        name: &str,
        device_name: &str,
        tailscaled: Tailscaled,
    ) -> Result<Arc<Joining>, Problem> {
        let _alone = self.creating.lock().await;
        let org = identity::ticket::read(ticket)?.org;
        if self.data.orgs().contains(&org) {
            return Err(Problem::conflict(format!("This machine is in the org {org} already."))
                .next("Its member's other devices join with tickets of their own: meshwork org invite --device."));
        }
        if let Some(before) = self.joins_already() {
            return Err(Problem::conflict(format!("This machine is joining the org {before} already."))
                .next("meshwork join shows how it stands; meshwork org leave --joining gives it up."));
        }
        let begun = Begun::new(&self.data, ticket, name, device_name, tailscaled).await?;
        if self.options.only.is_some() || tailscaled == Tailscaled::Own {
            let joining = begun.elsewhere();
            if self.options.only.is_none() {
                self.set_joining(Some(joining.clone()));
            }
            self.hand_over()?;
            return Ok(joining);
        }
        let joining = begun.go_on(self).await?;
        self.set_joining(Some(joining.clone()));
        Ok(joining)
    }

    /// Has an org that came since get a process of its own.
    fn hand_over(&self) -> Result<(), Problem> {
        if self.options.only.is_none() {
            self.data.changing()?;
        }
        self.another.notify_one();
        Ok(())
    }

    /// The org that is being joined: here, or by another process of this machine, whose keys must stay.
    fn joins_already(&self) -> Option<OrgName> {
        match self.joining().filter(|before| !matches!(&*before.status.borrow(), Status::Joined)) {
            Some(before) => Some(before.org.clone()).filter(|_| !matches!(&*before.status.borrow(), Status::Refused { .. })),
            None => self.data.joining().filter(|_| self.options.only.is_some()),
        }
    }

    /// Gives up joining an org.
    pub(crate) fn give_up(&self) -> Option<Arc<Joining>> {
        let before = self.joining.write().ok().and_then(|mut slot| slot.take());
        before.inspect(|joining| joining.stop())
    }

    /// Serves the org no more, and hands it over.
    pub(crate) fn dismiss(&self) -> Option<Arc<Org>> {
        self.org.write().ok().and_then(|mut slot| slot.take())
    }

    /// Whether this process, which is one of several, has nothing more to do: it has left its org, and joins none. Where the machine is
    /// in no other org it stays, so that somebody can make or join one.
    pub fn over(&self) -> bool {
        let joins = self.joining().is_some_and(|j| !matches!(&*j.status.borrow(), Status::Refused { .. } | Status::Joined));
        let joins = joins && self.data.joining().is_some();
        self.org().is_err() && !joins && !self.data.apart().is_empty()
    }

    fn set_joining(&self, joining: Option<Arc<Joining>>) {
        if let Ok(mut slot) = self.joining.write() {
            *slot = joining;
        }
    }

    /// The orgs that this process knows of: its own.
    pub fn joined(&self) -> Vec<Joined> {
        let found = self.data.orgs().into_iter().filter(|name| self.options.only.as_ref().is_none_or(|only| only == name));
        let org = self.org().ok();
        found
            .map(|name| {
                let serves = org.as_ref().filter(|org| org.name == name);
                let removed = serves.and_then(|org| removed::known(org)).map(|removed| removed.message);
                Joined { state: if serves.is_some() { State::Up } else { State::Starting }, removed, name, url: None }
            })
            .collect()
    }

    /// Opens the org that this process is for, or the one in the data folder, and takes its unfinished runs up again.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(self: &Arc<Self>) -> Result<(), Problem> {
        let orgs = self.options.only.clone().map_or_else(|| self.data.orgs(), |only| vec![only]);
        if orgs.len() > 1 {
            let names: Vec<_> = orgs.iter().map(OrgName::as_str).collect();
            return Err(Problem::conflict(format!("The data folder holds several orgs: {}.", names.join(", ")))
                .next("meshwork up gives each a process of its own; here give another folder with --data-dir."));
        }
        let joining = self.data.joining().filter(|name| self.options.only.as_ref().is_none_or(|only| only == name));
        if let Some(name) = orgs.first().filter(|name| joining.as_ref() != Some(*name)) {
            self.serve(Org::open(self, name).await?);
        }
        if let Some(name) = joining {
            self.set_joining(Some(Joining::resume(self, &name).await?));
        }
        Ok(())
    }

    /// Makes an org with this machine's member as its owner, perhaps in a person's Radicle profile and with a tailnet, and takes it in.
    ///
    /// # Errors
    /// When it is there already, or cannot be made.
    pub async fn create(
        self: &Arc<Self>,
        name: &OrgName,
        member: &str,
        profile: Option<Profile>,
        tailnet: Option<tailnet::Server>,
    ) -> Result<Option<Arc<Org>>, Problem> {
        let _alone = self.creating.lock().await;
        if self.data.orgs().contains(name) {
            return Err(Problem::conflict(format!("This machine is in the org {name} already."))
                .next("Give the new org another name, or another folder with --data-dir."));
        }
        let joining = self.joining().map(|joining| joining.org.clone());
        if joining.into_iter().chain(self.data.joining()).any(|org| org == *name) {
            return Err(Problem::conflict(format!("This machine is joining an org {name} already."))
                .next("Give it up first: meshwork org leave --joining; or take another name."));
        }
        Org::create(self, name, member, profile, tailnet).await?;
        if self.options.only.is_some() {
            self.hand_over()?;
            return Ok(None);
        }
        self.take_in(name).await
    }

    /// Serves an org that was just made or joined, if this process serves none yet and is the org's. Otherwise it gets a process of its own in
    /// a moment, and there is nothing to give.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn take_in(self: &Arc<Self>, name: &OrgName) -> Result<Option<Arc<Org>>, Problem> {
        let ours = match &self.options.only {
            Some(only) => only == name,
            None => !self.data.org(name).has_own_tailscaled(),
        };
        if ours && self.org().is_err() {
            let org = Org::open(self, name).await?;
            self.serve(org.clone());
            return Ok(Some(org));
        }
        self.hand_over()?;
        Ok(None)
    }

    fn serve(&self, org: Arc<Org>) {
        if let Ok(mut slot) = self.org.write() {
            *slot = Some(org);
        }
    }

    /// Ends everything in order: running work is saved, the node stopped.
    pub async fn close(&self) {
        if let Some(joining) = self.joining() {
            joining.stop();
        }
        if let Ok(org) = self.org() {
            org.close().await;
        }
    }
}
