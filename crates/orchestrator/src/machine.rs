//! One machine: its data folder, the org that it serves, and what does not belong to any org.

use crate::{
    data_dir::DataDir,
    join::{Joining, Status},
    org::Org,
    profile::Profile,
};
use domain::{OrgName, Problem};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, RwLock},
};

/// How the orchestrator was started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `meshwork` executable: runners and bridges are started from it.
    pub executable: PathBuf,
    /// Where the Radicle node listens; none: a port of the default if free, else any.
    pub radicle_listen: Option<SocketAddr>,
    /// Whether the demo acts as the member; the journal says so.
    pub demo: bool,
    /// Where the Join port listens; none: the usual port if free, else any.
    pub join_listen: Option<SocketAddr>,
    /// How many agents' runs at once; none: by cores.
    pub slots: Option<u32>,
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
}

impl Machine {
    /// A machine without an org yet.
    pub fn new(data: DataDir, options: Options) -> Arc<Self> {
        Arc::new(Self { data, options, org: RwLock::new(None), joining: RwLock::new(None), creating: tokio::sync::Mutex::default() })
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

    /// Begins to join an org with a ticket; what an earlier attempt left is given up.
    ///
    /// # Errors
    /// When this data folder belongs to an org already, or the ticket is not in order.
    pub async fn join(self: &Arc<Self>, ticket: &str, name: &str, device_name: &str) -> Result<Arc<Joining>, Problem> {
        let _alone = self.creating.lock().await;
        self.none_yet()?;
        if let Some(before) = self.joining()
            && !matches!(&*before.status.borrow(), Status::Refused { .. })
        {
            return Err(Problem::conflict(format!("This machine is joining the org {} already.", before.org))
                .next("meshwork join shows how it stands; meshwork org leave gives it up."));
        }
        let joining = Joining::begin(self, ticket, name, device_name).await?;
        self.set_joining(Some(joining.clone()));
        Ok(joining)
    }

    /// Opens an org that this machine has just joined.
    pub(crate) async fn open_joined(self: &Arc<Self>, name: &OrgName) -> Result<(), Problem> {
        self.serve(Org::open(self, name).await?);
        Ok(())
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

    fn set_joining(&self, joining: Option<Arc<Joining>>) {
        if let Ok(mut slot) = self.joining.write() {
            *slot = joining;
        }
    }

    fn none_yet(&self) -> Result<(), Problem> {
        match self.org() {
            Ok(org) => Err(Problem::conflict(format!("This data folder belongs to the org {} already.", org.name))
                .next("Give another folder with --data-dir for another org.")),
            Err(_) => Ok(()),
        }
    }

    /// Opens the org that lies in the data folder, if there is one, and takes its unfinished runs up again.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(self: &Arc<Self>) -> Result<(), Problem> {
        let orgs = self.data.orgs();
        if orgs.len() > 1 {
            let names: Vec<_> = orgs.iter().map(OrgName::as_str).collect();
            return Err(Problem::conflict(format!("The data folder holds several orgs: {}.", names.join(", ")))
                .next("This version serves one org a data folder: give each a folder of its own with --data-dir."));
        }
        if let Some(name) = orgs.first() {
            self.serve(Org::open(self, name).await?);
        } else if let Some(name) = self.data.joining() {
            self.set_joining(Some(Joining::resume(self, &name).await?));
        }
        Ok(())
    }

    /// Makes an org with this machine's member as its owner, perhaps in a person's Radicle profile, and serves it.
    ///
    /// # Errors
    /// When there is one already, or it cannot be made.
    pub async fn create(self: &Arc<Self>, name: &OrgName, member: &str, profile: Option<Profile>) -> Result<Arc<Org>, Problem> {
        let _alone = self.creating.lock().await;
        self.none_yet()?;
        if let Some(joining) = self.joining().filter(|j| j.org == *name) {
            return Err(Problem::conflict(format!("This machine is joining an org {} already.", joining.org))
                .next("Give it up first: meshwork org leave; or take another name."));
        }
        Org::create(self, name, member, profile).await?;
        let org = Org::open(self, name).await?;
        self.serve(org.clone());
        Ok(org)
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
