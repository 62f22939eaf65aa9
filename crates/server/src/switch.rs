//! The orgs of a machine that has several: which there are, how the process of each does, and where it listens.

use crate::{auth::org_url, limits};
use domain::{Kind, OrgName, Problem};
use orchestrator::{
    data_dir::DataDir,
    machine::{Joined, State},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

/// Where requests for an org go.
#[derive(Debug)]
pub struct Switch {
    data: DataDir,
    address: SocketAddr,
    orgs: watch::Sender<BTreeMap<OrgName, Place>>,
    refused: Mutex<Option<Value>>,
    /// Told when there may be an org that is not in the list.
    pub look: Notify,
}

/// An org's process.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its socket.
    pub(crate) socket: PathBuf,
    /// What the command line shows it: whoever signed in to the machine is its owner.
    pub(crate) token: String,
    state: State,
}

impl Switch {
    /// For the machine whose HTTP is at this address.
    pub fn new(data: DataDir, address: SocketAddr) -> Self {
        Self { data, address, orgs: watch::Sender::default(), refused: Mutex::default(), look: Notify::new() }
    }

    /// Adds an org; false: it is known already.
    pub fn add(&self, org: &OrgName, token: String) -> bool {
        let place = Place { socket: self.data.org(org).http_socket(), token, state: State::Starting };
        self.orgs.send_if_modified(|orgs| match orgs.contains_key(org) {
            true => false,
            false => orgs.insert(org.clone(), place).is_none(),
        })
    }

    /// Notes how an org's process does.
    pub fn becomes(&self, org: &OrgName, state: State) {
        self.orgs.send_if_modified(|orgs| orgs.get_mut(org).map(|place| place.state = state).is_some());
    }

    /// Keeps what an org's process told of its joining, which was refused, before it ended; none: another one was begun.
    pub fn refused(&self, told: Option<Value>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// What was told of the org that the machine tried to join last, if that was refused.
    pub(crate) fn refusal(&self) -> Option<Value> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The org that came last: that the machine is joining, or joined or made last.
    pub(crate) fn newest(&self) -> Option<OrgName> {
        self.data.joining().or_else(|| self.data.apart().pop())
    }

    /// The org that the machine is joining.
    pub(crate) fn joining(&self) -> Option<OrgName> {
        self.data.joining()
    }

    /// Forgets an org that the machine left.
    pub fn forget(&self, org: &OrgName) {
        self.orgs.send_if_modified(|orgs| orgs.remove(org).is_some());
    }

    /// All orgs that the machine is in.
    pub fn joined(&self) -> Vec<Joined> {
        let view = |(name, place): (&OrgName, &Place)| Joined {
            name: name.clone(),
            state: place.state.clone(),
            url: Some(org_url(name, self.address)),
            removed: None,
        };
        let joined = |org: &OrgName| self.data.org(org).record().exists();
        self.orgs.borrow().iter().filter(|&(org, _)| joined(org)).map(view).collect()
    }

    /// An org's process, once it serves.
    ///
    /// # Errors
    /// When there is none of that name, or it does not serve in time.
    pub(crate) async fn ready(&self, name: &str) -> Result<Place, Problem> {
        let mut orgs = self.orgs.subscribe();
        let known = |orgs: &BTreeMap<OrgName, Place>| orgs.keys().any(|org| org.as_str() == name);
        if !known(&orgs.borrow()) {
            // Made a moment ago by another process, or begun to be joined?
            if !self.data.apart().iter().any(|org| org.as_str() == name) {
                return Err(Problem::not_found(format!("This machine is in no org “{}”.", domain::shown(name)))
                    .next("meshwork org list shows the orgs of this machine."));
            }
            self.look.notify_one();
        }
        let find = |orgs: &BTreeMap<OrgName, Place>| orgs.iter().find(|(org, _)| org.as_str() == name).map(|(_, place)| place.clone());
        let settled = orgs.wait_for(|orgs| find(orgs).is_some_and(|place| place.state != State::Starting));
        let found = timeout(limits::ORG_START_WAIT, settled).await.map(|orgs| orgs.ok().and_then(|orgs| find(&orgs)));
        match found {
            Ok(Some(place)) if place.state == State::Up => Ok(place),
            Ok(Some(Place { state: State::Down { why, pause_s, .. }, .. })) => {
                Err(Problem::unavailable(format!("The org {name} does not run now: {}.", why.trim_end_matches('.')))
                    .next(format!("It is started again within {pause_s} s; meshwork org list says how it does.")))
            }
            _ => Err(Problem::new(Kind::Timeout, format!("The org {name} is still starting.")).next("Try again in a moment.")),
        }
    }

    /// An org's process, where it serves now.
    pub(crate) fn serving(&self, org: &OrgName) -> Option<Place> {
        self.orgs.borrow().get(org).filter(|place| place.state == State::Up).cloned()
    }

    /// Any org whose process serves.
    pub(crate) fn any(&self) -> Option<(OrgName, Place)> {
        self.orgs.borrow().iter().find(|(_, place)| place.state == State::Up).map(|(org, place)| (org.clone(), place.clone()))
    }
}
