//! The forge of one org on this machine: its Radicle home, the keys of device and member, and the turns of writers.

use crate::{
    convert::{self, Told},
    durable, key,
    node::Running,
    patch::Seen,
    queue::Queue,
    signing::forward,
};
use domain::{Did, Problem, Rid};
use radicle::crypto::{PublicKey, Signer as _, SigningKey, signature::Signer as _};
use radicle::identity::RepoId;
use radicle::node::{Alias, config::Network, config::PeerConfig};
use radicle::profile::{Config, Home};
use radicle::storage::{ReadStorage, WriteStorage, git::Repository};
use radicle::{Storage, cob, git};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::{fs, io};

/// Radicle for one org on one device. Share it in an `Arc`; every method may be called from any thread.
pub struct Forge {
    /// The org's own folder: the device's key, checkpoints.
    pub(crate) own: PathBuf,
    /// The Radicle home: that folder too, or a person's profile.
    pub(crate) home: Home,
    pub(crate) in_profile: bool,
    pub(crate) storage: Storage,
    /// What tells libgit2 to sync; see [`durable::make_durable`].
    pub(crate) durable: PathBuf,
    pub(crate) config: Config,
    pub(crate) device: SigningKey,
    pub(crate) member: SigningKey,
    /// The node's: the device's, or that of a person's profile.
    pub(crate) node: SigningKey,
    pub(crate) queue: Queue,
    /// Who writes to the checkpoints of a project, which may take long: nobody publishes there, so they have turns of their own.
    pub(crate) saving: Queue,
    /// Who reads the checkpoints of a project whole, which takes long: once for all who want to know, and held up by nobody who saves.
    pub(crate) reading: Queue,
    /// Checkpoints that were read whole since the start, and could be used since.
    pub(crate) whole: Mutex<HashSet<git2::Oid>>,
    pub(crate) running: Mutex<Option<Running>>,
    pub(crate) seen: Mutex<Seen>,
    pub(crate) org_read: Mutex<crate::org::Read>,
    pub(crate) org_agreed: Mutex<Option<crate::org::Agreed>>,
    /// What else must hold of the org's files.
    pub(crate) org_check: OnceLock<OrgCheck>,
}

/// Says what is wrong with the org repository's files, beyond what forge knows of them.
pub type OrgCheck = fn(&BTreeMap<String, Vec<u8>>) -> Result<(), Problem>;

impl Forge {
    /// From now on changes of an org must pass this too.
    pub fn check_org_with(&self, check: OrgCheck) {
        self.org_check.get_or_init(|| check);
    }

    /// Makes the Radicle home of an org: the device's key and the storage in `home`, the member's key in `member_home`.
    /// `alias` is what others see beside the device's key. Takes up what an interrupted attempt left.
    pub fn create(home: &Path, member_home: &Path, alias: &str) -> Result<Self, Problem> {
        let alias: Alias = alias.parse().map_err(|_| {
            Problem::invalid(format!("“{}” cannot be an alias in Radicle.", domain::shown(alias)))
                .next("Use 1 to 32 characters without spaces.")
        })?;
        if home.join("config.json").exists() {
            return Err(Problem::conflict(format!("There is a Radicle home in {} already.", home.display())));
        }
        key::private_dir(home)?;
        key::private_dir(member_home)?;
        // Else Radicle makes it, as open as the person's umask has it.
        key::private_dir(&home.join("keys"))?;
        let rad_home = Home::new(home).told(format!("The Radicle home {} could not be made.", home.display()))?;
        let device = key::create(&rad_home.keys())?;
        key::create(&member_home.join("keys"))?;
        let config = offline(Config::new(alias));
        databases(&rad_home, &config, device.public_key()).told("The databases of Radicle could not be made.")?;
        // The configuration is written last and at once: a home that has it is complete.
        let draft = home.join("config.json.new");
        config.write(&draft).told("The configuration of Radicle could not be written.")?;
        fs::rename(&draft, rad_home.config()).told("The configuration of Radicle could not be written.")?;
        Self::open(home, member_home)
    }

    /// Opens what [`Forge::create`] made.
    pub fn open(home: &Path, member_home: &Path) -> Result<Self, Problem> {
        if !home.join("config.json").exists() {
            return Err(Problem::not_found(format!("There is no Radicle home in {}.", home.display()))
                .next("Make an org with `meshwork org create`, or join one."));
        }
        let rad_home = Home::load(home).told(format!("The Radicle home {} cannot be opened.", home.display()))?;
        let config = offline(Config::load(&rad_home.config()).told("The configuration of Radicle cannot be read.")?);
        let device = key::load(&rad_home.keys())?;
        let member = key::load(&member_home.join("keys"))?;
        Self::assemble(home, rad_home, config, device.clone(), member, device, false)
    }

    pub(crate) fn assemble(
        own: &Path,
        home: Home,
        config: Config,
        device: SigningKey,
        member: SigningKey,
        node: SigningKey,
        in_profile: bool,
    ) -> Result<Self, Problem> {
        let user = git::UserInfo { alias: config.node.alias.clone(), key: *node.public_key() };
        let storage = Storage::open(home.storage(), user).told("The storage of Radicle cannot be opened.")?;
        home.cobs_db_mut().and_then(|mut db| Ok(db.migrate(cob::migrate::ignore)?)).told("The cache of Radicle cannot be opened.")?;
        make_folders(storage.path());
        let durable = durable::prepare(own)?;
        let (queue, running, seen, org_read) = (Queue::default(), Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self {
            own: own.to_owned(),
            home,
            in_profile,
            storage,
            durable,
            config,
            device,
            member,
            node,
            queue,
            saving: Queue::default(),
            reading: Queue::default(),
            whole: Mutex::default(),
            running,
            seen,
            org_read,
            org_agreed: Mutex::default(),
            org_check: OnceLock::new(),
        })
    }

    /// The Radicle node's id.
    pub fn node_id(&self) -> Did {
        convert::did(self.node.public_key())
    }

    /// The device's key; also its Radicle node id, unless a person's profile is used.
    pub fn device(&self) -> Did {
        convert::did(self.device.public_key())
    }

    /// The member's key on this device.
    pub fn member(&self) -> Did {
        convert::did(self.member.public_key())
    }

    /// What others see beside the keys.
    pub fn alias(&self) -> String {
        self.config.node.alias.to_string()
    }

    /// Signs with the device's key.
    pub fn sign_as_device(&self, message: &[u8]) -> [u8; 64] {
        self.device.sign(message).to_bytes()
    }

    /// Signs with the member's key: only what the member does.
    pub fn sign_as_member(&self, message: &[u8]) -> [u8; 64] {
        self.member.sign(message).to_bytes()
    }

    /// The Radicle home, as `RAD_HOME` of the stock `rad` wants it.
    pub fn rad_home(&self) -> &Path {
        self.home.path()
    }

    /// The repositories that lie in the storage.
    pub fn repositories(&self) -> Result<Vec<Rid>, Problem> {
        let found = fs::read_dir(self.storage.path()).told("The storage of Radicle cannot be read.")?;
        let names = found.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| RepoId::from_canonical(&name).ok()).map(|id| convert::rid(&id)).collect()
    }

    /// Whether a repository lies in the storage. Where that cannot be seen, it may: what is then done with it says why it cannot be read.
    pub fn has(&self, rid: &Rid) -> bool {
        let missing = |id: RepoId| fs::metadata(self.path_of(&id)).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        convert::repo_id(rid).is_ok_and(|id| !missing(id))
    }

    /// Where a repository lies in the storage: bare, and written by Radicle only.
    pub(crate) fn path_of(&self, id: &RepoId) -> PathBuf {
        self.storage.path_of(id)
    }

    pub(crate) fn repository(&self, rid: &Rid) -> Result<Repository, Problem> {
        self.open_repository(convert::repo_id(rid)?)
    }

    pub(crate) fn open_repository(&self, id: RepoId) -> Result<Repository, Problem> {
        let path = self.path_of(&id);
        fs::read_dir(&path).map_err(|error| unreadable(&id, &path, &error))?;
        let repo = self.storage.repository_mut(id).told(format!("The repository {} cannot be opened.", id.urn()))?;
        durable::make_durable(&repo.backend, &self.durable)?;
        Ok(repo)
    }

    /// Runs `write` as the member in this repository, when it is the member's turn.
    pub(crate) fn as_member<T>(&self, rid: &Rid, write: impl FnOnce(&Repository) -> Result<T, Problem>) -> Result<T, Problem> {
        self.as_key(rid, &self.member, write)
    }

    /// Runs `write` with that key of this device which may move the repository's default branch, when it is its turn: the member's in
    /// most, the device's where it is the gate.
    pub(crate) fn as_delegate<T>(
        &self,
        rid: &Rid,
        write: impl FnOnce(&Repository, &SigningKey) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let key = self.delegate_key(&self.repository(rid)?)?;
        self.as_key(rid, key, |repo| write(repo, key))
    }

    /// Runs `write` with a key in this repository, when it is that key's turn.
    pub(crate) fn as_key<T>(
        &self,
        rid: &Rid,
        key: &SigningKey,
        write: impl FnOnce(&Repository) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let (id, public) = (convert::repo_id(rid)?, *key.public_key());
        let written = self.queue.turn(id, public, || {
            let repo = self.open_repository(id)?;
            forward(&repo, &public)?;
            write(&repo)
        })?;
        self.announce_quietly(rid, &[public]);
        Ok(written)
    }

    pub(crate) fn device_key(&self) -> &PublicKey {
        self.device.public_key()
    }

    pub(crate) fn node_key(&self) -> &PublicKey {
        self.node.public_key()
    }

    pub(crate) fn member_key(&self) -> &PublicKey {
        self.member.public_key()
    }
}

/// What a person is told when the folder of a repository cannot be read.
fn unreadable(id: &RepoId, path: &Path, error: &io::Error) -> Problem {
    if error.kind() == io::ErrorKind::NotFound {
        return Problem::not_found(format!("The repository {} is not on this device.", id.urn()))
            .next("Connect to a device that has it, and clone it.");
    }
    Problem::unavailable(format!("The repository {} cannot be read.", id.urn()))
        .because(format!("{}: {error}.", path.display()))
        .next("See whether its disk is in order, and whether this user may read the folder.")
}

/// A configuration that never speaks to the internet by itself: no seeds, no bootstrap, only peers that we name.
fn offline(mut config: Config) -> Config {
    config.preferred_seeds.clear();
    config.node.network = Network::Test;
    config.node.peers = PeerConfig::Static;
    config.node.connect.clear();
    config
}

/// Makes what each repository of a storage has of folders though nothing may lie in them: a backup, as many a copy, is of files alone.
/// Without them nothing can be fetched there, or git takes it for no repository. Where one cannot be made, whoever needs it says so.
fn make_folders(storage: &Path) {
    let repositories = fs::read_dir(storage).into_iter().flatten().flatten().map(|entry| entry.path());
    for repository in repositories.filter(|path| path.join("HEAD").is_file()) {
        for folder in ["objects/pack", "objects/info", "refs"] {
            let _ = fs::create_dir_all(repository.join(folder));
        }
    }
}

fn databases(home: &Home, config: &Config, key: &PublicKey) -> Result<(), Box<dyn std::error::Error>> {
    home.policies_mut()?;
    home.notifications_mut()?;
    let node = &config.node;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(io::Error::other)?;
    let now = radicle::node::Timestamp::try_from(u64::try_from(now.as_millis())?).map_err(|_| "the clock is far off")?;
    home.database_mut(node.database)?.init(key, node.features(), &node.alias, &node.user_agent(), now, node.external_addresses.iter())?;
    home.cobs_db_mut()?.migrate(cob::migrate::ignore)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::Kind;

    #[test]
    fn only_a_repository_that_is_really_missing_is_called_so() {
        let home = tempfile::tempdir().unwrap();
        let forge = Forge::create(&home.path().join("rad"), &home.path().join("member"), "laptop").unwrap();
        let id: RepoId = "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap();
        let rid = convert::rid(&id).unwrap();
        assert_eq!(forge.open_repository(id).err().unwrap().kind, Kind::NotFound);
        assert!(!forge.has(&rid));
        // Permissions do not bind the administrator; this cannot be read by anybody.
        fs::write(forge.path_of(&id), b"").unwrap();
        let problem = forge.open_repository(id).err().unwrap();
        assert_eq!(problem.kind, Kind::Unavailable);
        assert!(problem.why.is_some_and(|why| why.contains("Not a directory")) && problem.next.is_some());
        assert!(forge.has(&rid), "who asks goes on, and hears that");
    }

    #[test]
    fn a_repository_that_was_copied_without_its_empty_folders_has_them_again() {
        let dir = tempfile::tempdir().unwrap();
        let (home, member) = (dir.path().join("rad"), dir.path().join("member"));
        let forge = Forge::create(&home, &member, "laptop").unwrap();
        let repository = forge.storage.path().join("z3gqcJUoA1n9HaHKufZs5FCSGazv5");
        drop(forge);
        git2::Repository::init_bare(&repository).unwrap();
        for folder in ["objects/pack", "objects/info", "objects", "refs/heads", "refs/tags", "refs"] {
            fs::remove_dir(repository.join(folder)).unwrap();
        }
        assert!(git2::Repository::open(&repository).is_err());
        drop(Forge::open(&home, &member).unwrap());
        assert!(git2::Repository::open(&repository).is_ok() && repository.join("objects/pack").is_dir());
    }

    #[test]
    fn nobody_on_the_internet_is_asked_by_itself() {
        let mut usual = Config::new("laptop".parse().unwrap());
        assert!(!usual.preferred_seeds.is_empty(), "Radicle's own configuration names public seeds");
        usual.node.connect.extend(usual.preferred_seeds.clone());
        let ours = offline(usual);
        assert!(ours.preferred_seeds.is_empty() && ours.node.connect.is_empty());
        assert!(ours.node.network.public_seeds().is_empty() && matches!(ours.node.peers, PeerConfig::Static));
    }
}
