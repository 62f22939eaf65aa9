//! One org on this machine: its repository, journal, vault, node and live runs, wired together.

mod node;
mod record;

use crate::{
    admission,
    caller::Caller,
    clock, command, credentials,
    data_dir::{DataDir, Lock, OrgDir, make_private, write_private},
    dispatch,
    fault::Fault,
    follow, gateway, host,
    host::Hub,
    join, keep, lending,
    lifecycle::{Driven, recover},
    limits,
    machine::{Machine, Options},
    merging::Merging,
    mirror, names,
    profile::{self, Profile},
    quotas,
    remote::{self, Journals, Remote},
    rights::{self, Rights},
    room::Room,
    stops,
    tailnet::{self, Tailnet},
    webhook,
};
use domain::{
    Did, Oid, OrgName, Problem, Rid,
    actor::{Actor, Door, Via},
    event::{self, Body, Event, kind},
    org::{Device, Member, MemberKey},
    project::Project,
    role::Role,
    run::Run,
};
use forge::{Forge, Node, OrgState};
use identity::vault::Vault;
pub(crate) use node::start_node;
pub use record::Origin;
pub(crate) use record::clear_half_made;
use record::{Record, unused};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
pub use store::{Recorded, Seq, Signer, Store};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

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
    /// What calls under way hold of the budgets that runs share.
    pub ledger: Arc<gateway::Ledger>,
    /// How the org's revisions divide its quotas.
    pub divisions: quotas::Divisions,
    /// The one who renews logins.
    pub logins: gateway::Logins,
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
    /// Told when this process is to start anew, so that its journal is mended.
    pub anew: Arc<Notify>,
    /// Everything that runs for this org, so that closing can wait for it.
    pub tasks: TaskTracker,
    /// Who changes which project's default branch now.
    pub merging: Merging,
    /// Who speaks with which project's mirror now: two at once would push past each other.
    pub mirroring: Merging,
    /// What is remembered of the webhook.
    pub webhook: webhook::Webhook,
    /// Held by whoever acts on a patch until the journal has it, so that what is seen of it in Radicle meanwhile is not noted
    /// first, without the door by which they came in.
    pub telling: tokio::sync::RwLock<()>,
    /// Its share in the machine's room.
    pub room: Arc<Room>,
    /// What the machine's owner lends to others.
    pub(crate) lending: lending::Lender,
    /// Who waits for this device's room.
    pub(crate) queue: crate::queue::Queue,
    /// The commit of the org repository that is in force; whoever acts by [`Org::state`] waits here for the next.
    pub head: watch::Sender<Oid>,
    /// What keeps repositories and connections as the org says: woken here, and asked why a project is not here yet.
    pub(crate) kept: keep::Kept,
    /// Where the Join port is, while it is open.
    pub join_port: tokio::sync::Mutex<Option<SocketAddr>>,
    /// The stop orders that count.
    pub(crate) stops: stops::InForce,
    /// The other devices of the org.
    pub remote: Remote,
    /// The copies of their journals.
    pub journals: Journals,
    /// The tailnet in which they are reached.
    pub tailnet: Tailnet,
    /// Who may do what, as it was read last.
    pub(crate) rights: Mutex<Option<Arc<Rights>>>,
    node: Mutex<Option<Arc<Node>>>,
    _lock: Lock,
}

impl std::fmt::Debug for Org {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Org").field("name", &self.name).field("rid", &self.rid).finish_non_exhaustive()
    }
}

impl Org {
    /// Makes an org: keys, or those of a person's profile, the org repository, the vault. The record is written last, so that a half-made org does not
    /// count and is made anew.
    ///
    /// # Errors
    /// When something cannot be written.
    pub async fn create(
        machine: &Arc<Machine>,
        name: &OrgName,
        member: &str,
        profile: Option<Profile>,
        tailnet: Option<tailnet::Server>,
    ) -> Result<(), Problem> {
        names::check_person(member)?;
        let (data, dir, name, member) = (machine.data.clone(), machine.data.org(name), name.clone(), member.to_owned());
        blocking(move || {
            unused(&data, profile.as_ref())?;
            clear_half_made(&dir)?;
            make_private(&dir.root)?;
            let rad_home = profile.as_ref().map(|profile| profile.home.clone());
            let forge = match profile {
                Some(profile) => profile::create(&dir, profile)?,
                None => Forge::create(&dir.radicle(), &dir.member(), &member)?,
            };
            let device = Device::new(names::host_name(), forge.device(), &member);
            let key = MemberKey { did: forge.member(), device: forge.device() };
            let founder = Member { name: member, roles: vec![Role::Owner], standby: None, keys: vec![key] };
            let org = domain::org::Org { version: domain::org::VERSION, name: name.clone(), threshold: 1 };
            let rid = forge.create_org(&org, &founder, &device)?;
            let state = forge.org_state(&rid)?;
            if state.device_of(&forge.device()).is_none() {
                return Err(Problem::conflict("This Radicle profile holds an org of this name already, made from another data folder.")
                    .next("Use that data folder, restore it from a backup, or give the org another name."));
            }
            if forge.files(&rid, &state.commit, &[policy::FOLDER])?.is_empty() {
                let usual: Vec<_> = policy::files().into_iter().map(|(path, text)| (path, Some(text.into_bytes()))).collect();
                forge.change_org(&rid, "Write the policy", &usual)?;
            }
            if let Some(server) = &tailnet {
                tailnet::begin(&forge, &rid, &dir, server)?;
            }
            Self::register(&dir, name, rid, rad_home, Origin::Founded)?;
            tailnet.map_or(Ok(()), |server| tailnet::keep_key(&dir, server))
        })
        .await
    }

    /// Radicle of an org that this process does not serve, and its repository: for a look.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub(crate) fn look(data: &DataDir, name: &OrgName) -> Result<(Forge, Rid), Problem> {
        let dir = data.org(name);
        let record = Record::read(&dir)?;
        Ok((profile::open(&dir, record.rad_home.as_deref())?, record.rid))
    }

    /// Notes that the org belongs to this machine from now on.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn register(dir: &OrgDir, name: OrgName, rid: Rid, rad_home: Option<PathBuf>, origin: Origin) -> Result<(), Problem> {
        let record = serde_json::to_vec_pretty(&Record { name, rid, origin, rad_home }).map_err(Problem::internal)?;
        write_private(&dir.record(), &record)
    }

    /// Opens the org, starts its node, its dispatcher and the runners' socket, and takes unfinished runs up again.
    ///
    /// # Errors
    /// When a part cannot be opened.
    pub async fn open(machine: &Arc<Machine>, name: &OrgName) -> Result<Arc<Self>, Problem> {
        let (data, name, options, anew) = (machine.data.clone(), name.clone(), machine.options.clone(), machine.anew.clone());
        let org = blocking(move || Self::parts(&data, &name, options, anew)).await?;
        credentials::take_out_removed(&org).await?;
        admission::tell_room(&org).await?;
        let closed = org.closing.subscribe();
        host::serve(Arc::downgrade(&org), org.hub.clone(), &org.dir.host_socket(), until(closed)).await?;
        org.record(&org.device, vec![Body::DeviceStarted { version: env!("CARGO_PKG_VERSION").into(), demo: org.options.demo }]).await?;
        let changes = follow::listen(&org)?;
        join::keep_open(&org).await?;
        remote::open(&org).await?;
        let gossip = remote::listen(&org).await?;
        recover::recover(&org).await?;
        remote::follow_all(&org)?;
        remote::catch_up(&org);
        org.tasks.spawn(dispatch::dispatch(org.clone()));
        org.tasks.spawn(webhook::follow(org.clone()));
        org.tasks.spawn(mirror::keep(org.clone()));
        org.tasks.spawn(keep::keep(org.clone()));
        org.tasks.spawn(lending::keep(org.clone()));
        org.tasks.spawn(quotas::keep_shares(org.clone()));
        org.tasks.spawn(follow::follow(org.clone(), changes));
        org.tasks.spawn(stops::carry(org.clone()));
        org.tasks.spawn(remote::keep_connected(org.clone(), gossip.heard()));
        org.tasks.spawn(remote::announce(org.clone(), gossip));
        org.tasks.spawn(remote::keep(org.clone()));
        org.tasks.spawn(remote::keep_asking(org.clone()));
        org.tasks.spawn(remote::keep_journals(org.clone()));
        org.tasks.spawn(remote::keep_given_up(org.clone()));
        org.tasks.spawn(crate::lifecycle::keep_checkpoints(org.clone()));
        org.tasks.spawn(tailnet::keep(org.clone()));
        Ok(org)
    }

    /// Opens the org, in which nothing goes on by itself yet.
    pub(crate) fn parts(data: &DataDir, name: &OrgName, options: Options, anew: Arc<Notify>) -> Result<Arc<Self>, Problem> {
        let (dir, engines) = (data.org(name), data.engines());
        let lock = dir.lock()?;
        let record = Record::read(&dir)?;
        dir.make_sockets()?;
        make_private(&dir.runs())?;
        for lock in forge::clear_stale_locks(&dir.radicle()) {
            tracing::warn!(lock = %lock.display(), "a lock that a killed process left was removed");
        }
        let forge = Arc::new(profile::open(&dir, record.rad_home.as_deref())?);
        forge.check_org_with(rights::check_files);
        let (device, member) = (forge.device(), forge.member());
        let signing = forge.clone();
        let sign: identity::certificate::Sign = Arc::new(move |message: &[u8]| Ok(signing.sign_as_device(message)));
        crate::fault::speak();
        let state = forge.org_state(&record.rid)?;
        // A mistake in it is told by what keeps it; the org opens.
        let tailnet = Tailnet::of(tailnet::read_at(&forge, &record.rid, &state.commit));
        let remote = Remote::new(&record.name, &device, sign, state);
        let _opening = remote::say_opening(&remote, &dir, &options, &tailnet);
        let signing = forge.clone();
        let signer = Signer { device: device.clone(), sign: Arc::new(move |message: &[u8]| Ok(signing.sign_as_device(message))) };
        let store = match Fault::asked() {
            Fault::AnswerBeforeCommit => Store::open_with_fault(&dir.store(), signer, store::fault::Fault::AnswerBeforeCommit)?,
            _ => Store::open(&dir.store(), signer)?,
        };
        let vault = Arc::new(crate::unlock::open(&dir.vault())?);
        let node = start_node(&forge, &dir, &options)?;
        let head = watch::Sender::new(forge.org_head(&record.rid)?);
        let org = Self {
            name: record.name,
            rid: record.rid,
            options,
            engines,
            device,
            member,
            forge,
            ledger: quotas::ledger(&store),
            divisions: quotas::Divisions::default(),
            stops: watch::Sender::new(stops::read(&store)?),
            store,
            vault,
            hub: Arc::default(),
            driven: Arc::default(),
            http: gateway::Client::new()?,
            logins: gateway::Logins::default(),
            desk: command::Desk::default(),
            shut_out: watch::Sender::new(()),
            wake: Notify::new(),
            mirrors: Notify::new(),
            sandbox_works: sandbox::works(&sandbox::doctor(&dir.root)),
            closing: watch::Sender::new(false),
            anew,
            tasks: TaskTracker::new(),
            merging: Merging::default(),
            mirroring: Merging::default(),
            webhook: webhook::Webhook::default(),
            telling: tokio::sync::RwLock::default(),
            room: Arc::new(Room::open(data, name)?),
            lending: lending::Lender::open(data),
            queue: crate::queue::Queue::default(),
            head,
            kept: keep::Kept::default(),
            join_port: tokio::sync::Mutex::default(),
            remote,
            journals: Journals::open(&dir),
            tailnet,
            rights: Mutex::default(),
            node: Mutex::new(Some(Arc::new(node))),
            _lock: lock,
            dir,
        };
        let org = Arc::new(org);
        if org.forge.in_profile() {
            // What was written while no node ran; of a home of its own the node tells everything.
            let ours = org.state()?.projects.into_values().map(|p| p.rid);
            std::iter::once(org.rid.clone()).chain(ours).for_each(|rid| org.announce(&rid, &[]));
        }
        if org.store.last().0 == 0 {
            let (name, rid) = (org.name.clone(), org.rid.clone());
            let begun = match record.origin {
                Origin::Founded => Body::OrgCreated { org: name, rid, owner: org.member.clone() },
                Origin::Joined { invite } => Body::OrgJoined { org: name, rid, invite },
            };
            org.store.append_blocking(vec![org.event(&org.member, begun)])?;
        }
        Ok(org)
    }

    /// An event as of now.
    pub fn event(&self, actor: impl Into<Actor>, body: Body) -> Event {
        let Actor { did, via } = actor.into();
        Event { version: event::VERSION, at: clock::now(), actor: did, via, told: None, body }
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
        self.store.list_among(kind::RUN, kind::ACTIVE, limits::RUNS_MAX)
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

    /// Looks whether another commit of the org repository is in force, and tells those who wait on [`Org::head`].
    pub fn look_at_head(&self) {
        match self.forge.org_head(&self.rid) {
            Ok(now) => {
                self.head.send_if_modified(|head| {
                    *head != now && {
                        *head = now;
                        true
                    }
                });
            }
            Err(problem) => tracing::error!(%problem, "the head of the org repository cannot be read"),
        }
    }

    /// A project of the org; none named: the only one.
    ///
    /// # Errors
    /// When there is none of that name, or several to choose from.
    pub fn project(&self, name: Option<&domain::ProjectName>) -> Result<Project, Problem> {
        let mut found = self.projects(name)?;
        if found.len() == 1 {
            return Ok(found.remove(0));
        }
        Err(Problem::invalid("The org has several projects.").next(format!("Say which with --project: {}.", listed(&found))))
    }

    /// The project of a name; none named: all there are.
    ///
    /// # Errors
    /// When there is none, or the org cannot be read.
    pub fn projects(&self, name: Option<&domain::ProjectName>) -> Result<Vec<Project>, Problem> {
        let all: Vec<Project> = self.state()?.projects.into_values().collect();
        let next = match all.is_empty() {
            true => "Add one: meshwork project add <folder>.".to_owned(),
            false => format!("There are: {}.", listed(&all)),
        };
        match name {
            Some(name) => match all.into_iter().find(|p| p.name == *name) {
                Some(found) => Ok(vec![found]),
                None => Err(Problem::not_found(format!("There is no project “{name}”.")).next(next)),
            },
            None if all.is_empty() => Err(Problem::not_found("The org has no project yet.").next(next)),
            None => Ok(all),
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
        node.clone().ok_or_else(|| {
            Problem::unavailable("The Radicle node is stopped.").next("It is started again by itself; if not, start meshwork up again.")
        })
    }

    /// Ends in order: runs are saved, then the node stops. What does not end in time is taken up at the next start.
    pub async fn close(self: &Arc<Self>) {
        self.closing.send_replace(true);
        self.wake.notify_waiters();
        crate::lifecycle::stop_all(self);
        self.tasks.close();
        let _ = tokio::time::timeout(limits::RUNNER_RETURN_WAIT, self.tasks.wait()).await;
        let _ = self.record(&self.device, vec![Body::DeviceStopped]).await;
        if let Err(problem) = admission::tell_room(self).await {
            tracing::warn!(%problem, "what runs gave back is known to other orgs only after the next start");
        }
        remote::farewell(self).await;
        self.remote.over.cancel();
        let node = self.node.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = blocking(move || node.map_or(Ok(()), |node| node.stop())).await;
    }
}

fn listed(projects: &[Project]) -> String {
    projects.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Does something that blocks on a thread that may.
///
/// # Errors
/// Those of `work`.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
}

async fn until(mut closed: watch::Receiver<bool>) {
    let _ = closed.wait_for(|c| *c).await;
}
