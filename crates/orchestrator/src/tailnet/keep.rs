//! Keeps the tailnet as the org says: runs the server where this device is to, gets this machine in, opens its doors, publishes its address,
//! and keeps policy and tags at the server. Takes no input, and may run twice. Whatever is away is told once, and tried again.

use super::{LOOK_EVERY, Seen, devices::Devices, open_doors, own, rules, server, settings, tickets};
use crate::{clock, limits, org::Org, remote};
use domain::{Kind, Problem, ServerUrl, org};
use forge::OrgState;
use identity::Secret;
use mesh::tailnet::{
    headscale::{self, Headscale, NewKey, Node, Stays, Uses},
    localapi::{Enter, LocalApi, SOCKET, State, Status},
    managed, policy, whois,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

/// Names the socket of this machine's tailscaled.
pub(super) const SOCKET_VARIABLE: &str = "MESHWORK_TAILSCALED";

/// Under this it is noted that they could not be read.
const SETTINGS: &str = "the tailnet's settings";

/// Under this it is noted that keys count at a server that is not the org's.
const LEFT_BEHIND: &str = "keys at another server";

/// What is held while the org is open.
struct Work {
    /// This machine's tailscaled.
    local: LocalApi,
    /// The server that is run here.
    server: Option<managed::Headscale>,
    /// Machines that are devices; none: that could not be read yet.
    devices: Option<Devices>,
    /// Since when machines are seen of which nobody can be let in, by the server's number of them.
    left_over: BTreeMap<String, Instant>,
    /// When this machine was last let in, so that a server which does not take it is not asked again and again.
    entered: Option<Instant>,
    /// What was told, by what it is about.
    said: BTreeMap<&'static str, String>,
}

/// The socket of this machine's tailscaled.
pub(crate) fn socket() -> LocalApi {
    LocalApi::new(std::env::var_os(SOCKET_VARIABLE).filter(|s| !s.is_empty()).unwrap_or_else(|| SOCKET.into()))
}

/// Looks at each change of the org and now and then, until the org closes.
pub(crate) async fn keep(org: Arc<Org>) {
    let (mut closing, mut head) = (org.closing.subscribe(), org.head.subscribe());
    let mut work = Work::new(socket());
    loop {
        head.mark_unchanged();
        tokio::select! {
            () = look(&org, &mut work) => {}
            _ = closing.wait_for(|c| *c) => break,
        }
        tokio::select! {
            _ = head.changed() => {}
            () = org.tailnet.wake.notified() => {}
            // Whoever has no tailnet waits for the org to get one, once its settings could be read.
            () = tokio::time::sleep(LOOK_EVERY), if org.tailnet.seen().server.is_some() || work.said.contains_key(SETTINGS) => {}
            _ = closing.wait_for(|c| *c) => break,
        }
    }
    org.tailnet.doors.lock().await.close();
    work.stop_server().await;
}

async fn look(org: &Arc<Org>, work: &mut Work) {
    let read = org.blocking(|org| {
        let state = org.state()?;
        let Some(settings) = settings::read_at(&org.forge, &org.rid, &state.commit)? else { return Ok(None) };
        let managed = settings::managed(&org.dir, &settings.headscale)?;
        let key = settings::key(&org.vault, &settings.headscale);
        Ok(Some((state, settings, managed, key)))
    });
    let read = read.await;
    work.note(SETTINGS, &read);
    let Ok(read) = read else { return };
    work.change_to(org, read.as_ref().map(|(_, settings, ..)| &settings.headscale)).await;
    let Some((state, settings, managed, key)) = read else { return };
    let mut seen =
        Seen { server: Some(settings.headscale.clone()), managed: managed.is_some(), at: Some(clock::now()), ..org.tailnet.seen() };
    let known = work.learn_devices(org);
    work.note("what is known of the tailnet's machines", &known);
    let (key, unfit) = match managed {
        Some(managed) => (work.serve(org, &settings.headscale, managed.listen).await, None),
        None => {
            work.stop_server().await;
            work.note("the API key of the Headscale server", &key);
            key.map_or_else(|problem| (Ok(None), Some(problem)), |key| (Ok(key), None))
        }
    };
    let given_up = settings::given_up(&org.dir, &settings.headscale);
    seen.amiss = known.err().into_iter().chain(unfit).chain(given_up).collect();
    let api = key.and_then(|key| key.map(|key| Headscale::new(settings.headscale.clone(), key)).transpose());
    work.note("the Headscale server", &api);
    let (api, failed) = match api {
        Ok(api) => (api, None),
        Err(problem) => (None, Some(problem)),
    };
    org.tailnet.set_api(api.clone());

    let here = enter(org, work, &settings, api.as_ref()).await;
    work.note("this machine's tailscaled", &here);
    seen.here = Some(here);
    org.tailnet.see(seen.clone());
    open_doors(org).await;
    publish(org, work).await;

    let Some(api) = api else {
        // Whether it is there is told without its key too.
        let answers = match failed {
            Some(problem) => Err(problem),
            None => headscale::answers(&settings.headscale).await,
        };
        work.note("reaching the Headscale server", &answers);
        seen.reached_at = if answers.is_ok() { seen.at } else { seen.reached_at };
        seen.reached = Some(answers);
        return org.tailnet.see(seen);
    };
    let kept = in_step(org, work, &api, &state).await;
    work.note("the Headscale server's policy and machines", &kept);
    match kept {
        Ok((nodes, opened)) => {
            (seen.nodes, seen.opened, seen.reached, seen.reached_at) = (nodes, opened, Some(Ok(())), seen.at);
        }
        Err(problem) => {
            // Its database may be another one than that which knew the key.
            if let Some(server) = work.server.as_ref().filter(|_| problem.kind == Kind::Forbidden) {
                server.forget_key().await;
            }
            seen.reached = Some(Err(problem));
        }
    }
    org.tailnet.see(seen);
}

impl Work {
    fn new(local: LocalApi) -> Self {
        let (left_over, said) = (BTreeMap::new(), BTreeMap::new());
        Self { local, server: None, devices: None, left_over, entered: None, said }
    }

    /// Reads which machines are devices, where that is not known yet.
    fn learn_devices(&mut self, org: &Org) -> Result<(), Problem> {
        if self.devices.is_none() {
            self.devices = Some(Devices::read(&org.dir)?);
        }
        Ok(())
    }

    /// Where this is not the server that the org had until now, takes back what is at that one; tells of keys that are left at any.
    async fn change_to(&mut self, org: &Arc<Org>, server: Option<&ServerUrl>) {
        let before = org.tailnet.seen();
        if before.server.is_none() {
            // Before the server is started and this machine let in, which takes a while: keys at it are not left behind.
            org.tailnet.see(Seen { server: server.cloned(), known: true, ..before });
        } else if before.server.as_ref() != server {
            withdraw(org, server).await;
            org.tailnet.set_api(None);
            // What was seen there says nothing of another one.
            org.tailnet.see(Seen { server: server.cloned(), known: true, ..Seen::default() });
            self.left_over.clear();
            if server.is_none() {
                self.leave(org).await;
            }
        }
        // Also of what changed while this device was off: then nothing was taken back.
        match tickets::left_behind(&org.dir, &org.name, server, clock::now()) {
            Ok(()) => drop(self.said.remove(LEFT_BEHIND)),
            Err(problem) if self.is_new(LEFT_BEHIND, &problem) => tracing::warn!(%problem, "of the org something is left at a server"),
            Err(_) => {}
        }
    }

    /// Takes back what was there for the tailnet: doors, published addresses, the server that was run here.
    async fn leave(&mut self, org: &Arc<Org>) {
        org.tailnet.doors.lock().await.close();
        org.tailnet.forget_places();
        remote::leave_tailnet(org).await;
        self.entered = None;
        self.stop_server().await;
        let published = remote::publish_again(org).await;
        self.note("this device's addresses", &published);
    }

    /// Takes machines out of the tailnet that came with tickets which count no more, and of which nobody can be let in. Each is
    /// tried.
    async fn clear(&mut self, org: &Arc<Org>, api: &Headscale, nodes: &mut Vec<Node>, state: &OrgState) -> Result<(), Problem> {
        let left_over = tickets::left_over(org, api, nodes, state).await?;
        self.left_over.retain(|id, _| left_over.contains(id));
        let mut failed = Ok(());
        for id in left_over {
            if self.left_over.entry(id.clone()).or_insert_with(Instant::now).elapsed() < limits::TAILNET_STRANGER_STAYS {
                continue;
            }
            match api.delete(&id).await {
                Ok(()) => {
                    nodes.retain(|node| node.id != id);
                    tracing::info!(node = id, "its ticket counts no more, and nobody waits there: it was taken out of the tailnet");
                }
                Err(problem) => failed = Err(problem),
            }
        }
        failed
    }

    /// Tells a problem once, until it is another.
    fn note<T>(&mut self, of: &'static str, done: &Result<T, Problem>) {
        match done {
            Ok(_) => {
                if self.said.remove(of).is_some() {
                    tracing::info!("{of}: in order again");
                }
            }
            Err(problem) if self.is_new(of, problem) => {
                tracing::warn!(%problem, "{of}: not in order; what runs goes on, and it is tried again");
            }
            Err(_) => {}
        }
    }

    /// Whether this is another problem than the one that was told last, and is to be told.
    fn is_new(&mut self, of: &'static str, problem: &Problem) -> bool {
        let text = problem.to_string();
        self.said.insert(of, text.clone()).as_ref() != Some(&text)
    }

    /// Ends the server that is run here, if one is: when the org closes, or is another server's.
    async fn stop_server(&mut self) {
        if let Some(server) = self.server.take() {
            tracing::info!("the Headscale server that this device runs is ended");
            server.stop().await;
        }
    }

    /// Runs the server, and gives the key for it that counts now.
    async fn serve(&mut self, org: &Org, url: &ServerUrl, listen: SocketAddr) -> Result<Option<Secret>, Problem> {
        if self.server.is_none() {
            self.server = Some(managed::Headscale::start(server::config(org, url, listen)?).await?);
        }
        match &self.server {
            Some(server) => server.api_key().await.map(Some),
            None => Ok(None),
        }
    }
}

/// Takes the keys of the org's tickets back at the server that it has no more, and its rules where it has no `other` one. Who has no API
/// key never wrote there. It is not tried again: from then on nothing here has the server's API key.
async fn withdraw(org: &Org, other: Option<&ServerUrl>) {
    let Some(api) = org.tailnet.api() else { return };
    let (server, name) = (api.url(), &org.name);
    if let Some(other) = other {
        tracing::warn!(
            %server, %other,
            "the org names another Headscale server now. Its rules stay in the policy of the one before, so that devices that have not \
             heard of it still reach each other; unless that is the same one, take out what stands there between the marks of \
             “meshwork {name}” once all have moved (headscale policy get, headscale policy set)"
        );
    } else if let Err(problem) = rules::withdraw(org, &api).await {
        tracing::warn!(
            %problem, %server,
            "the org's rules stay in the policy of the Headscale server that it has no more: take out what stands there between the marks \
             of “meshwork {name}” (headscale policy get, headscale policy set)"
        );
    }
    if let Err(problem) = tickets::take_back_all(org, &api).await {
        tracing::warn!(
            %problem, %server,
            "keys behind the org's tickets still count at the Headscale server that it has no more, until the tickets expire: see \
             headscale preauthkeys list"
        );
    }
}

/// How this machine stands in the tailnet. Where it is in none, and this device may let machines in, it lets in its own.
async fn enter(org: &Arc<Org>, work: &mut Work, settings: &org::Tailnet, api: Option<&Headscale>) -> Result<Status, Problem> {
    let local = work.local.clone();
    let status = local.status().await.map_err(|problem| own::away(&org.dir, problem))?;
    match (&status.backend_state, api) {
        (State::NeedsLogin | State::NoState, Some(api)) if work.entered.is_none_or(|at| at.elapsed() >= limits::TAILNET_ENTER_AGAIN) => {
            work.entered = Some(Instant::now());
            // Its tag must be known at the server before a machine can have it.
            rules::apply(org, api).await?;
            let key = own_key(org, api).await?;
            let name = crate::names::host_name();
            local.enter(Enter { server: settings.headscale.as_str().trim_end_matches('/'), auth_key: &key, host_name: &name }).await?;
            local.until_running(limits::TAILNET_ENTERS).await
        }
        (State::Running, _) => {
            same_server(&local.prefs().await?.control_url, settings.headscale.as_str())?;
            let no_device = Problem::unavailable("tailscaled runs without a network device.")
                .because("Neither gossip nor Radicle get through it in userspace mode.")
                .next("Start it without --tun=userspace-networking.");
            if status.tun { Ok(status) } else { Err(no_device) }
        }
        (state, _) => Err(Problem::unavailable("This machine is not in the org's tailnet.")
            .because(format!("tailscaled is {state:?}. {}", domain::shown(&status.health.join(" "))))
            .next(format!(
                "Let it in: tailscale up --login-server {} --authkey KEY; an owner makes a key with the Headscale server.",
                settings.headscale
            ))),
    }
}

/// Whether a tailscaled is in the tailnet of this server.
pub(super) fn same_server(is: &str, wanted: &str) -> Result<(), Problem> {
    if settings::is_same(is, wanted) {
        return Ok(());
    }
    Err(Problem::conflict("This machine's tailscaled is in another tailnet.")
        .because(format!("Its server is {}, and the org's is {wanted}.", domain::shown(is)))
        .next(
            "Give the org a tailscaled of its own where it is made or joined: --own-tailscaled; or leave that tailnet: tailscale logout.",
        ))
}

/// A key with which this machine gets in as a device.
async fn own_key(org: &Org, api: &Headscale) -> Result<Secret, Problem> {
    let user = api.user(org.name.as_str()).await?;
    let wanted = NewKey {
        user: &user.id,
        tags: vec![policy::device_tag(&org.name)],
        expires: clock::now().plus_ms(limits::TAILNET_OWN_KEY_MS),
        uses: Uses::Once,
        stays: Stays::Always,
    };
    api.new_key(&wanted).await.map(|(_, key)| key)
}

/// Writes this device's addresses into its file where they are others now.
async fn publish(org: &Arc<Org>, work: &mut Work) {
    if org.tailnet.places().mesh.is_some() {
        let published = remote::publish_again(org).await;
        work.note("this device's addresses", &published);
    }
}

/// Brings policy and tags in step; gives the machines, and what was written by hand and lets others in.
async fn in_step(org: &Arc<Org>, work: &mut Work, api: &Headscale, state: &OrgState) -> Result<(Vec<Node>, Vec<String>), Problem> {
    api.health().await?;
    let own: Vec<IpAddr> = org.tailnet.ip().into_iter().collect();
    let policy = rules::apply(org, api).await?;
    let mut nodes = api.nodes().await?;
    if let Some(devices) = &mut work.devices {
        devices.keep_listed(&org.dir, api.url(), &nodes)?;
    }
    let (device_tag, joining_tag) = (policy::device_tag(&org.name), policy::joining_tag(&org.name));
    for node in &mut nodes {
        // This machine may have been in the tailnet before, or be another org's too: it keeps the tags that it has.
        let own_node = node.ip_addresses.iter().any(|ip| own.contains(ip));
        if own_node && !node.tags.contains(&device_tag) {
            node.tags.retain(|tag| *tag != joining_tag);
            node.tags.push(device_tag.clone());
            api.set_tags(&node.id, &node.tags).await?;
            tracing::info!(node = node.given_name, "this machine has the org's tag now");
        }
        let device = whois::claims(&node.ip_addresses, state.devices.values());
        if let Some(device) = device.filter(|_| node.tags.contains(&joining_tag)) {
            api.set_tags(&node.id, std::slice::from_ref(&device_tag)).await?;
            tracing::info!(device = device.name, node = node.given_name, "it was let in: it reaches the org's devices now");
            node.tags = vec![device_tag.clone()];
        }
        let Some(devices) = &mut work.devices else { continue };
        match device.filter(|_| node.tags.contains(&device_tag)) {
            Some(device) => devices.note(&org.dir, node, &device.did)?,
            // Its device was removed from the org. Deleted, not logged out: a machine that Headscale logged out cannot come back with
            // a new key. One without the org's tag has only its number, at a server whose database was made anew.
            None if node.tags.contains(&device_tag) && devices.of(node).is_some_and(|did| state.is_gone(did)) => {
                devices.take_out(api, node).await?;
            }
            None => {}
        }
    }
    let taken_back = tickets::take_back(org).await;
    work.note("taking back the keys of tickets that count no more", &taken_back);
    // Whoever waits in vain is in nobody's way: the tailnet is in order without that.
    let cleared = work.clear(org, api, &mut nodes, state).await;
    work.note("taking out machines whose ticket counts no more", &cleared);
    nodes.retain(|node| node.tags.contains(&device_tag) || node.tags.contains(&joining_tag));
    let devices = nodes.iter().filter(|node| node.tags.contains(&device_tag));
    let devices: Vec<IpAddr> = devices.flat_map(|node| node.ip_addresses.iter().copied()).collect();
    let opened = policy::opens(&policy, &org.name, &devices);
    Ok((nodes, opened))
}

#[cfg(test)]
mod tests;
