//! One machine: its data folder, the org that it serves, and what does not belong to any org.

use crate::{data_dir::DataDir, org::Org, profile::Profile};
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
    /// Held while an org is made: one at a time.
    creating: tokio::sync::Mutex<()>,
}

impl Machine {
    /// A machine without an org yet.
    pub fn new(data: DataDir, options: Options) -> Arc<Self> {
        Arc::new(Self { data, options, org: RwLock::new(None), creating: tokio::sync::Mutex::default() })
    }

    /// The org that this machine serves.
    ///
    /// # Errors
    /// When it joined none yet.
    pub fn org(&self) -> Result<Arc<Org>, Problem> {
        let org = self.org.read().ok().and_then(|o| o.clone());
        org.ok_or_else(|| Problem::conflict("This machine belongs to no org yet.").next("Make one: meshwork org create <name>."))
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
        }
        Ok(())
    }

    /// Makes an org with this machine's member as its owner, perhaps in a person's Radicle profile, and serves it.
    ///
    /// # Errors
    /// When there is one already, or it cannot be made.
    pub async fn create(self: &Arc<Self>, name: &OrgName, member: &str, profile: Option<Profile>) -> Result<Arc<Org>, Problem> {
        let _alone = self.creating.lock().await;
        if let Ok(org) = self.org() {
            return Err(Problem::conflict(format!("This data folder belongs to the org {} already.", org.name))
                .next("Give another folder with --data-dir for another org."));
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
        if let Ok(org) = self.org() {
            org.close().await;
        }
    }
}
