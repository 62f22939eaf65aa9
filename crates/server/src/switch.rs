//! The orgs of a machine that has several: which there are, how the process of each does, and where it listens.

use crate::{auth::org_url, limits};
use domain::{Kind, OrgName, Problem};
use orchestrator::{
    data_dir::DataDir,
    machine::{Joined, State},
};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};
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
        Self { data, address, orgs: watch::Sender::default(), look: Notify::new() }
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

    /// Forgets an org that the machine left.
    pub fn forget(&self, org: &OrgName) {
        self.orgs.send_if_modified(|orgs| orgs.remove(org).is_some());
    }

    /// All orgs.
    pub fn joined(&self) -> Vec<Joined> {
        let view = |(name, place): (&OrgName, &Place)| Joined {
            name: name.clone(),
            state: place.state.clone(),
            url: Some(org_url(name, self.address)),
            removed: None,
        };
        self.orgs.borrow().iter().map(view).collect()
    }

    /// An org's process, once it serves.
    ///
    /// # Errors
    /// When there is none of that name, or it does not serve in time.
    pub(crate) async fn ready(&self, name: &str) -> Result<Place, Problem> {
        let mut orgs = self.orgs.subscribe();
        let known = |orgs: &BTreeMap<OrgName, Place>| orgs.keys().any(|org| org.as_str() == name);
        if !known(&orgs.borrow()) {
            // Made a moment ago by another process?
            self.data.known(name).map_err(|_| {
                Problem::not_found(format!("This machine is in no org “{}”.", domain::shown(name)))
                    .next("meshwork org list shows the orgs of this machine.")
            })?;
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
