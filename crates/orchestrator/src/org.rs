//! One org on this machine: its repository, journal, vault, node and live runs, wired together.

use crate::{
    caller::Caller,
    clock, command, data_dir,
    data_dir::{OrgDir, make_private, make_unshared, storage, write_private},
    dispatch,
    fault::Fault,
    follow, gateway, host,
    host::Hub,
    lifecycle::{Driven, recover},
    limits,
    machine::{Machine, Options},
    merging::Merging,
    mirror,
    profile::{self, Profile},
    webhook,
};
use domain::{
    Did, Kind, OrgName, Problem, Rid, RunId,
    actor::{Actor, Door, Via},
    event::{self, Body, Event, kind},
    org::{Device, Member, MemberKey},
    project::Project,
    role::Role,
    run::Run,
};
use forge::{Forge, Node, OrgState};
use identity::vault::{Unlock, Vault};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use store::Store;
pub use store::{Recorded, Seq};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

/// The port on which Radicle nodes usually listen.
const RADICLE_PORT: u16 = 8776;

/// One org on this machine.
pub struct Org {
    /// Its name.
    pub name: OrgName,
    /// Its repository.
    pub rid: Rid,
    /// Its folder.
    pub dir: OrgDir,
    /// How the orchestrator was started.
    pub options: Options,
    /// The folder of installed engines.
    pub engines: PathBuf,
    /// This device's key.
    pub device: Did,
    /// The member's key on this device.
    pub member: Did,
    /// Radicle.
    pub forge: Arc<Forge>,
    /// Journal, blobs, logs.
    pub store: Store,
    /// Credentials.
    pub vault: Arc<Vault>,
    /// Live runs.
    pub hub: Arc<Hub>,
    /// Which runs are driven.
    pub driven: Arc<Driven>,
    /// For calls to model providers.
    pub http: gateway::Client,
    /// The command bar's conversations.
    pub desk: command::Desk,
    /// Tells open streams that somebody was shut out: they look whether it is them.
    pub shut_out: watch::Sender<()>,
    /// Wakes the dispatcher.
    pub wake: Notify,
    /// Wakes what keeps the mirrors up to date.
    pub mirrors: Notify,
    /// Whether sandboxes work on this machine; `meshwork doctor` says why not.
    pub sandbox_works: bool,
    /// Set once the orchestrator closes.
    pub closing: watch::Sender<bool>,
    /// Everything that runs for this org, so that closing can wait for it.
    pub tasks: TaskTracker,
    /// Who changes which project's default branch now.
    pub merging: Merging,
    /// What is remembered of the webhook.
    pub webhook: webhook::Webhook,
    /// Held by whoever acts on a patch until the journal has it, so that what is seen of it in Radicle meanwhile is not noted
    /// first, without the door by which they came in.
    pub telling: tokio::sync::RwLock<()>,
    node: Mutex<Option<Arc<Node>>>,
}

impl std::fmt::Debug for Org {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Org").field("name", &self.name).field("rid", &self.rid).finish_non_exhaustive()
    }
}

/// `org.json` in the org's folder.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    name: OrgName,
    rid: Rid,
    /// The person's Radicle profile that it is in; none: it has a Radicle home of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rad_home: Option<PathBuf>,
}

impl Org {
    /// Makes an org: keys, or those of a person's profile, the org repository, the vault. The record is written last, so that a half-made org does not
    /// count and is made anew.
    ///
    /// # Errors
    /// When something cannot be written.
    pub async fn create(machine: &Arc<Machine>, name: &OrgName, member: &str, profile: Option<Profile>) -> Result<(), Problem> {
        check_person(member)?;
        let (dir, name, member) = (machine.data.org(name), name.clone(), member.to_owned());
        blocking(move || {
            clear_half_made(&dir)?;
            make_private(&dir.root)?;
            let rad_home = profile.as_ref().map(|profile| profile.home.clone());
            let forge = match profile {
                Some(profile) => profile::create(&dir, profile)?,
                None => Forge::create(&dir.radicle(), &dir.member(), &member)?,
            };
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let device = Device { name: file_name(&host), did: forge.device(), owner: member.clone() };
            let founder =
                Member { name: member, roles: vec![Role::Owner], keys: vec![MemberKey { did: forge.member(), device: forge.device() }] };
            let org = domain::org::Org { version: domain::org::VERSION, name: name.clone(), threshold: 1 };
            let rid = forge.create_org(&org, &founder, &device)?;
            if forge.org_state(&rid)?.device_of(&forge.device()).is_none() {
                return Err(Problem::conflict("This Radicle profile holds an org of this name already, made from another data folder.")
                    .next("Use that data folder, restore it from a backup, or give the org another name."));
            }
            let record = serde_json::to_vec_pretty(&Record { name, rid, rad_home }).map_err(Problem::internal)?;
            write_private(&dir.record(), &record)
        })
        .await
    }

    /// Opens the org, starts its node, its dispatcher and the runners' socket, and takes unfinished runs up again.
    ///
    /// # Errors
    /// When a part cannot be opened.
    pub async fn open(machine: &Arc<Machine>, name: &OrgName) -> Result<Arc<Self>, Problem> {
        let (dir, options, engines) = (machine.data.org(name), machine.options.clone(), machine.data.engines());
        let org = blocking(move || Self::parts(dir, options, engines)).await?;
        let closed = org.closing.subscribe();
        host::serve(Arc::downgrade(&org), org.hub.clone(), &org.dir.host_socket(), until(closed)).await?;
        org.record(&org.device, vec![Body::DeviceStarted { version: env!("CARGO_PKG_VERSION").into(), demo: org.options.demo }]).await?;
        let changes = follow::listen(&org)?;
        recover::recover(&org).await?;
        org.tasks.spawn(dispatch::dispatch(org.clone()));
        org.tasks.spawn(webhook::follow(org.clone()));
        org.tasks.spawn(mirror::keep(org.clone()));
        org.tasks.spawn(follow::follow(org.clone(), changes));
        Ok(org)
    }

    fn parts(dir: OrgDir, options: Options, engines: PathBuf) -> Result<Arc<Self>, Problem> {
        let bytes = fs::read(dir.record()).map_err(|e| storage(&dir.record(), &e))?;
        let record: Record = serde_json::from_slice(&bytes).map_err(|e| {
            Problem::conflict(format!("{} is damaged: {e}.", dir.record().display())).next("Restore it: meshwork restore <file>.")
        })?;
        // Each part by itself: in a folder that everybody can write, somebody else may have made the first.
        for folder in [dir.sockets.parent().unwrap_or(&dir.sockets), &dir.sockets] {
            make_unshared(folder)?;
        }
        make_private(&dir.runs())?;
        for lock in forge::clear_stale_locks(&dir.radicle()) {
            tracing::warn!(lock = %lock.display(), "a lock that a killed process left was removed");
        }
        let forge = Arc::new(profile::open(&dir, record.rad_home.as_deref())?);
        let (device, member) = (forge.device(), forge.member());
        let signing = forge.clone();
        let signer = store::Signer { device: device.clone(), sign: Arc::new(move |message: &[u8]| Ok(signing.sign_as_device(message))) };
        let store = match Fault::asked() {
            Fault::AnswerBeforeCommit => Store::open_with_fault(&dir.store(), signer, store::fault::Fault::AnswerBeforeCommit)?,
            _ => Store::open(&dir.store(), signer)?,
        };
        let vault = Arc::new(Vault::open(&dir.vault(), &Unlock::KeyFile)?);
        let node = start_node(&forge, &dir, &options)?;
        let org = Self {
            name: record.name,
            rid: record.rid,
            options,
            engines,
            device,
            member,
            forge,
            store,
            vault,
            hub: Arc::default(),
            driven: Arc::default(),
            http: gateway::Client::new()?,
            desk: command::Desk::default(),
            shut_out: watch::Sender::new(()),
            wake: Notify::new(),
            mirrors: Notify::new(),
            sandbox_works: sandbox::doctor(&dir.root).iter().all(|f| f.ok || f.what == "disk"),
            closing: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            merging: Merging::default(),
            webhook: webhook::Webhook::default(),
            telling: tokio::sync::RwLock::default(),
            node: Mutex::new(Some(Arc::new(node))),
            dir,
        };
        let org = Arc::new(org);
        if org.forge.in_profile() {
            // What was written while no node ran; of a home of its own the node tells everything.
            let ours = org.state()?.projects.into_values().map(|p| p.rid);
            std::iter::once(org.rid.clone()).chain(ours).for_each(|rid| org.announce(&rid, &[]));
        }
        if org.store.head()?.seq.0 == 0 {
            let created = Body::OrgCreated { org: org.name.clone(), rid: org.rid.clone(), owner: org.member.clone() };
            org.store.append_blocking(vec![org.event(&org.member, created)])?;
        }
        Ok(org)
    }

    /// An event as of now.
    pub fn event(&self, actor: impl Into<Actor>, body: Body) -> Event {
        let Actor { did, via } = actor.into();
        Event { version: event::VERSION, at: clock::now(), actor: did, via, body }
    }

    /// Writes facts into the journal; they are on disk when this returns.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub async fn record(&self, actor: impl Into<Actor>, bodies: Vec<Body>) -> Result<(), Problem> {
        let actor = actor.into();
        let events = bodies.into_iter().map(|body| self.event(&actor, body)).collect();
        self.store.append(events).await.map(|_| ())
    }

    /// Does something that blocks (git, Radicle, the disk) on a thread that may.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let org = self.clone();
        blocking(move || work(&org)).await
    }

    /// The newest runs.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn runs(&self, limit: usize) -> Result<Vec<Run>, Problem> {
        self.store.list(domain::event::kind::RUN, store::Order::Newest, limit)
    }

    /// The runs that have not ended, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn active_runs(&self) -> Result<Vec<Run>, Problem> {
        let ids: Vec<RunId> = self.store.list(kind::ACTIVE, store::Order::Oldest, limits::RUNS_MAX)?;
        let found = ids.iter().filter_map(|id| self.store.get::<Run>(kind::RUN, id.as_str()).transpose());
        // One that ended meanwhile is none.
        found.filter(|run| !run.as_ref().is_ok_and(|r| r.state.ended())).collect()
    }

    /// Who shows this token, if it is one of the org's and still counts.
    ///
    /// # Errors
    /// When it has expired, or is not the one that it claims to be.
    pub fn caller_by_token(&self, token: &str) -> Result<Option<Caller>, Problem> {
        let Some(id) = identity::token::id(token) else { return Ok(None) };
        let Some(record) = self.store.token(id)? else { return Ok(None) };
        record.check(token, clock::now())?;
        let via = Via { door: Door::Http, token: Some(id.to_owned()) };
        Ok(Some(Caller { member: Some(self.member.clone()), role: record.role, via, browser: None }))
    }

    /// What the org repository says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn state(&self) -> Result<OrgState, Problem> {
        self.forge.org_state(&self.rid)
    }

    /// A project of the org; none named: the only one.
    ///
    /// # Errors
    /// When there is none of that name, or several to choose from.
    pub fn project(&self, name: Option<&domain::ProjectName>) -> Result<Project, Problem> {
        let projects: Vec<Project> = self.state()?.projects.into_values().collect();
        let names = projects.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => projects.into_iter().find(|p| p.name == *name).ok_or_else(|| {
                Problem::not_found(format!("There is no project “{name}”.")).next(if names.is_empty() {
                    "Add one: meshwork project add <folder>.".to_owned()
                } else {
                    format!("There are: {names}.")
                })
            }),
            None if projects.len() == 1 => projects.into_iter().next().ok_or_else(|| Problem::internal("a project vanished")),
            None if projects.is_empty() => {
                Err(Problem::not_found("The org has no project yet.").next("Add one: meshwork project add <folder>."))
            }
            None => Err(Problem::invalid("The org has several projects.").next(format!("Say which with --project: {names}."))),
        }
    }

    /// Tells connected nodes what changed; with none connected, Radicle keeps it for later.
    pub fn announce(&self, rid: &Rid, keys: &[Did]) {
        if let Err(problem) = self.forge.announce(rid, keys) {
            tracing::warn!(%rid, %problem, "a change was not announced; nodes fetch it later");
        }
    }

    /// The node. Nothing is held while it is used: what waits for other nodes must not hold up the rest.
    ///
    /// # Errors
    /// When it is down.
    pub fn node(&self) -> Result<Arc<Node>, Problem> {
        let node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        node.clone().ok_or_else(|| Problem::unavailable("The Radicle node is stopped."))
    }

    /// Ends in order: runs are saved, then the node stops. What does not end in time is taken up at the next start.
    pub async fn close(self: &Arc<Self>) {
        self.closing.send_replace(true);
        self.wake.notify_waiters();
        crate::lifecycle::stop_all(self);
        self.tasks.close();
        let _ = tokio::time::timeout(limits::RUNNER_RETURN_WAIT, self.tasks.wait()).await;
        let _ = self.record(&self.device, vec![Body::DeviceStopped]).await;
        let node = self.node.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = blocking(move || node.map_or(Ok(()), |node| node.stop())).await;
    }
}

/// Removes what a creation that was cut off left: keys and a repository that nobody used. An org that was in use has a
/// journal or a vault, and stays.
fn clear_half_made(dir: &OrgDir) -> Result<(), Problem> {
    let root = dir.root.display();
    if dir.record().exists() {
        return Err(Problem::conflict(format!("The org in {root} was made before, and is not open.")).next("Start meshwork up again."));
    }
    if [dir.store(), dir.vault()].iter().any(|part| part.exists()) {
        return Err(Problem::conflict(format!("{root} holds an org's journal or keys, but not its org.json."))
            .because("Making an org there would remove them.")
            .next("Restore a backup into another data folder (meshwork restore), or move that folder away first."));
    }
    if dir.root.exists() {
        fs::remove_dir_all(&dir.root).map_err(|e| storage(&dir.root, &e))?;
    }
    Ok(())
}

/// Does something that blocks on a thread that may.
///
/// # Errors
/// Those of `work`.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
}

/// Starts the node on the address asked for; where none was, on those of the person's profile, else on Radicle's usual port,
/// or any if that is taken.
fn start_node(forge: &Arc<Forge>, dir: &OrgDir, options: &Options) -> Result<Node, Problem> {
    if forge.in_profile() {
        return forge.start_node(options.radicle_listen, &forge.stock_socket());
    }
    let socket = dir.node_socket();
    let _ = fs::remove_file(&socket);
    match options.radicle_listen {
        Some(address) => forge.start_node(Some(address), &socket),
        None => {
            let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, RADICLE_PORT));
            let free = std::net::TcpListener::bind(usual).is_ok();
            forge.start_node(Some(if free { usual } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }), &socket)
        }
    }
}

async fn until(mut closed: watch::Receiver<bool>) {
    let _ = closed.wait_for(|c| *c).await;
}

fn check_person(name: &str) -> Result<(), Problem> {
    if file_name(name) == name && !name.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Kind::Invalid, format!("“{}” is not a name for a member.", domain::shown(name)))
        .next("Use lower-case letters, digits, “-” and “_”."))
}

/// A name that can be a file's: lower case, digits, `-`, `_`.
pub(crate) fn file_name(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(keep).take(32).collect();
    if name.is_empty() { "device".into() } else { name }
}

/// Makes a folder for something that this process alone uses.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn fresh_folder(path: &std::path::Path) -> Result<(), Problem> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(storage(path, &e)),
        _ => {}
    }
    data_dir::make_private(path)
}
