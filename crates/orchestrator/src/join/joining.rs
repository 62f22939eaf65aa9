//! At the joiner: keys are made, the issuer is knocked at until the org lists this device, then its repository is fetched and the
//! org is opened. What is done so far lies in `join.json`, so that a restart goes on.

use super::{door::strange, knock, tls};
use crate::{
    clock, data_dir,
    data_dir::{DataDir, OrgDir, storage, write_private},
    limits,
    machine::Machine,
    org::{self, Org, Origin},
    remote,
    tailnet::{self, Tailscaled},
};
use domain::{
    Did, Kind, OrgName, Problem,
    join::{Answer, Knock, Ticket, VERSION},
};
use forge::{Forge, Node};
use identity::ticket;
use mesh::tailnet::policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::{net::lookup_host, sync::watch};

/// How it stands with joining.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// The issuer is being reached.
    Knocking {
        /// Why it was not reached so far.
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<Problem>,
    },
    /// The owners have to decide.
    Waiting {
        /// What is waited for, in words.
        why: String,
    },
    /// The org lists this device, and its repository is being fetched.
    Fetching {
        /// Why it was not fetched so far.
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<Problem>,
    },
    /// The org is open here.
    Joined,
    /// It was refused.
    Refused {
        /// Why.
        problem: Problem,
    },
}

/// An org that this machine is joining.
#[derive(Debug)]
pub struct Joining {
    /// The org.
    pub org: OrgName,
    /// This device's key.
    pub device: Did,
    /// How it stands.
    pub status: watch::Sender<Status>,
    stop: watch::Sender<bool>,
}

/// How it stands with joining.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JoiningView {
    /// The org.
    org: OrgName,
    /// This device's key: what the owners see of it.
    device: Did,
    #[serde(flatten)]
    status: Status,
}

impl JoiningView {
    /// Of an org that this machine is in.
    pub(crate) fn joined(org: OrgName, device: Did) -> Self {
        Self { org, device, status: Status::Joined }
    }
}

/// `join.json` in the org's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    ticket: String,
    name: String,
    device_name: String,
}

/// What was made for joining an org, before anybody was knocked at.
pub(crate) struct Begun {
    record: Record,
    ticket: Ticket,
    device: Did,
}

impl Begun {
    /// Makes keys for an org, and notes on disk that it is being joined.
    ///
    /// # Errors
    /// When the ticket is none, or has expired, or the keys cannot be made.
    pub(crate) async fn new(data: &DataDir, text: &str, name: &str, device_name: &str, tailscaled: Tailscaled) -> Result<Self, Problem> {
        let ticket = ticket::read(text)?;
        if ticket.expires <= clock::now() {
            return Err(Problem::new(Kind::Forbidden, "The ticket has expired.").next("Ask for another one."));
        }
        if tailscaled == Tailscaled::Own && ticket.headscale.is_none() {
            return Err(Problem::invalid(format!("The org {} has no tailnet.", ticket.org))
                .because("Its ticket names no Headscale server.")
                .next("Join without --own-tailscaled."));
        }
        crate::names::check_person(name)?;
        let record = Record { ticket: text.trim().to_owned(), name: name.to_owned(), device_name: crate::names::file_name(device_name) };
        let (dir, made) = (data.org(&ticket.org), record.clone());
        let device = org::blocking(move || {
            org::clear_half_made(&dir)?;
            data_dir::make_private(&dir.root)?;
            let forge = Forge::create(&dir.radicle(), &dir.member(), &made.name)?;
            if tailscaled == Tailscaled::Own {
                dir.give_own_tailscaled()?;
            }
            // Written last: from now on it is being joined.
            write_private(&dir.joining(), &serde_json::to_vec_pretty(&made).map_err(Problem::internal)?)?;
            Ok(forge.device())
        });
        Ok(Self { record, device: device.await?, ticket })
    }

    /// Begins to knock.
    ///
    /// # Errors
    /// When the Radicle node cannot be started.
    pub(crate) async fn go_on(self, machine: &Arc<Machine>) -> Result<Arc<Joining>, Problem> {
        Joining::go_on(machine, self.record, self.ticket).await
    }

    /// How it stands, where another process knocks.
    pub(crate) fn elsewhere(self) -> Arc<Joining> {
        Joining::new(self.ticket.org, self.device)
    }
}

/// Everything that joining needs.
struct Work {
    machine: Arc<Machine>,
    dir: OrgDir,
    record: Record,
    ticket: Ticket,
    forge: Arc<Forge>,
    node: Arc<Node>,
    /// Where other devices of the org will be accepted.
    address: Option<SocketAddr>,
    /// Where their gossip will be heard.
    gossip: Option<SocketAddr>,
    /// This machine's address in the org's tailnet.
    tailnet: Option<IpAddr>,
    joining: Arc<Joining>,
}

impl Joining {
    fn new(org: OrgName, device: Did) -> Arc<Self> {
        let status = watch::Sender::new(Status::Knocking { problem: None });
        Arc::new(Self { org, device, status, stop: watch::Sender::new(false) })
    }

    /// Goes on with what an earlier `up` began, if there is something.
    ///
    /// # Errors
    /// When what was begun is damaged.
    pub async fn resume(machine: &Arc<Machine>, name: &OrgName) -> Result<Arc<Self>, Problem> {
        let file = machine.data.org(name).joining();
        let bytes = fs::read(&file).map_err(|e| storage(&file, &e))?;
        let damaged =
            |e: serde_json::Error| Problem::conflict(format!("{} is damaged: {e}.", file.display())).next("Remove it, and join again.");
        let record: Record = serde_json::from_slice(&bytes).map_err(damaged)?;
        let ticket = ticket::read(&record.ticket)?;
        Self::go_on(machine, record, ticket).await
    }

    async fn go_on(machine: &Arc<Machine>, record: Record, ticket: Ticket) -> Result<Arc<Self>, Problem> {
        crate::fault::speak();
        let (dir, mut options) = (machine.data.org(&ticket.org), machine.options.clone());
        if machine.org().is_ok() {
            options.listens = options.listens.beside();
        }
        let opened = org::blocking({
            let dir = dir.clone();
            move || {
                dir.make_sockets()?;
                let forge = Arc::new(Forge::open(&dir.radicle(), &dir.member())?);
                let node = Arc::new(org::start_node(&forge, &dir, &options)?);
                let addresses = (remote::choose(&dir, options.listens.mesh)?, remote::choose_gossip(&dir, options.listens)?);
                Ok((forge, node, addresses))
            }
        });
        let (forge, node, (address, gossip)) = opened.await?;
        let usable = |address: SocketAddr| Some(address).filter(|a| a.port() != 0 && !a.ip().is_unspecified());
        let (address, gossip) = (usable(address), usable(gossip));
        let joining = Joining::new(ticket.org.clone(), forge.device());
        let (machine, tailnet) = (machine.clone(), None);
        let work = Work { machine, dir, record, ticket, forge, node, address, gossip, tailnet, joining: joining.clone() };
        tokio::spawn(work.run());
        Ok(joining)
    }

    /// How it stands.
    pub fn view(&self) -> JoiningView {
        let status = self.status.borrow().clone();
        JoiningView { org: self.org.clone(), device: self.device.clone(), status }
    }

    /// Waits until it was refused.
    pub async fn refused(&self) {
        let mut status = self.status.subscribe();
        let _ = status.wait_for(|status| matches!(status, Status::Refused { .. })).await;
    }

    /// Ends the knocking; what was begun stays for the next start.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Work {
    async fn run(mut self) {
        let mut stop = self.joining.stop.subscribe();
        let stopped = async {
            let _ = stop.wait_for(|s| *s).await;
        };
        let joined = tokio::select! {
            joined = self.until_listed() => Some(joined),
            () = stopped => None,
        };
        let Some(joined) = joined else { return self.close().await };
        let result = match joined {
            Ok(()) => self.open_org().await,
            Err(problem) => Err(problem),
        };
        match result {
            Ok(()) => self.joining.status.send_replace(Status::Joined),
            Err(problem) => {
                self.close().await;
                self.joining.status.send_replace(Status::Refused { problem })
            }
        };
    }

    async fn close(&self) {
        let node = self.node.clone();
        let _ = org::blocking(move || node.stop()).await;
    }

    /// Knocks until the org lists this device and its repository is here. Only a refusal ends it otherwise.
    async fn until_listed(&mut self) -> Result<(), Problem> {
        let mut pauses = limits::KNOCK_PAUSES;
        // Where the repository is, once the org said that it lists this device.
        let mut listed: Option<Vec<String>> = None;
        loop {
            // The one who invited may be reached another way.
            let outside = self.enter().await.err();
            match self.knock().await {
                Ok(Answer::Waits { why }) => {
                    self.joining.status.send_replace(Status::Waiting { why });
                    listed = None;
                    pauses.anew();
                }
                Ok(Answer::Refused { problem }) => return Err(problem),
                Ok(Answer::Listed { radicle, .. }) => {
                    listed = Some(radicle);
                    pauses.anew();
                }
                // In the tailnet the Join port is for those who are not in: once it was let in, a device may not reach it any more.
                Err(_) if listed.is_some() => pauses.anew(),
                Err(problem) => self.unheard(outside.unwrap_or(problem)),
            }
            if let Some(radicle) = &listed {
                match self.fetch(radicle).await {
                    Ok(()) => return Ok(()),
                    Err(problem) => drop(self.joining.status.send_replace(Status::Fetching { problem: Some(problem) })),
                }
            }
            tokio::time::sleep(pauses.another()).await;
        }
    }

    /// Enters the org's tailnet, where it has one and this machine is not in it yet.
    async fn enter(&mut self) -> Result<(), Problem> {
        let Some(server) = self.ticket.headscale.as_ref().filter(|_| self.tailnet.is_none()) else { return Ok(()) };
        let key = ticket::split_key(&self.record.ticket).1;
        let entered = tailnet::enter(server, key.as_ref(), &self.record.device_name).await;
        self.tailnet = entered.inspect_err(|problem| tracing::debug!(%problem, "this machine is not in the org's tailnet"))?;
        Ok(())
    }

    /// Who waits goes on waiting; that the issuer is away is told only where nothing better is known.
    fn unheard(&self, problem: Problem) {
        self.joining.status.send_if_modified(|status| {
            let unheard = matches!(status, Status::Knocking { .. });
            if unheard {
                *status = Status::Knocking { problem: Some(problem) };
            }
            unheard
        });
    }

    async fn knock(&self) -> Result<Answer, Problem> {
        // In the tailnet it is reached at the usual ports of its address there, once the org is open here.
        let at = |port: u16, listens: Option<SocketAddr>| -> Vec<String> {
            self.tailnet.map(|ip| SocketAddr::new(ip, port)).or(listens).iter().map(ToString::to_string).collect()
        };
        let knock = Knock {
            version: VERSION,
            // The key behind it is for this machine alone.
            ticket: ticket::split_key(&self.record.ticket).0,
            name: self.record.name.clone(),
            device_name: self.record.device_name.clone(),
            device: self.forge.device(),
            member: self.forge.member(),
            addresses: at(policy::MESH, self.address),
            radicle: at(policy::RADICLE, self.node.listen_address()),
            gossip: at(policy::GOSSIP, self.gossip),
            at: clock::now(),
        };
        let request = knock::seal(&knock, |m| self.forge.sign_as_device(m), |m| self.forge.sign_as_member(m))?;
        let tls = tls::client(&self.ticket.org, &self.forge, &self.ticket.issuer)?;
        let mut last = Problem::internal("a ticket without addresses");
        for address in &self.ticket.knock {
            match tls::knock(address, tls.clone(), request.clone(), limits::JOIN_WAIT).await {
                Ok(answer) => {
                    mesh::understood(answer.version)?;
                    return serde_json::from_str(&answer.answer_json).map_err(strange);
                }
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    /// Fetches the org repository from the issuer, and sees whether it lists this device.
    async fn fetch(&self, radicle: &[String]) -> Result<(), Problem> {
        self.joining.status.send_if_modified(|status| {
            let new = !matches!(status, Status::Fetching { .. });
            if new {
                *status = Status::Fetching { problem: None };
            }
            new
        });
        let (mut addresses, mut asked): (Vec<SocketAddr>, Vec<String>) = (vec![], vec![]);
        for address in radicle.iter().chain(&self.ticket.radicle) {
            if !asked.contains(address) {
                asked.push(address.clone());
            }
            addresses.extend(lookup_host(address).await.into_iter().flatten());
        }
        let (forge, node, ticket) = (self.forge.clone(), self.node.clone(), self.ticket.clone());
        org::blocking(move || {
            let away = || Problem::unavailable("The Radicle node of the one who invited has no address.");
            let mut fetched = Err(away());
            for address in addresses {
                fetched = forge.clone_project(&ticket.rid, &ticket.issuer, Some(address), &node);
                if fetched.is_ok() {
                    break;
                }
            }
            fetched.map_err(|problem| not_fetched(&ticket.org, &asked, &problem))?;
            let state = forge.org_state(&ticket.rid)?;
            let listed =
                state.org.name == ticket.org && state.device_of(&forge.device()).is_some() && state.member_of(&forge.member()).is_some();
            listed.then_some(()).ok_or_else(|| Problem::unavailable("The org's repository that was fetched does not list this device yet."))
        })
        .await
    }

    async fn open_org(&self) -> Result<(), Problem> {
        self.close().await;
        let origin = Origin::Joined { invite: self.ticket.id.clone() };
        let (dir, name, rid) = (self.dir.clone(), self.ticket.org.clone(), self.ticket.rid.clone());
        org::blocking(move || Org::register(&dir, name, rid, None, origin)).await?;
        let _ = fs::remove_file(self.dir.joining());
        self.machine.take_in(&self.ticket.org).await.map(drop)
    }
}

/// What a person is told while the org's repository cannot be fetched: what Radicle and the network say does not tell what to do.
fn not_fetched(org: &OrgName, asked: &[String], problem: &Problem) -> Problem {
    let said = problem.why.as_ref().unwrap_or(&problem.what).trim_end_matches('.');
    let at = if asked.is_empty() { String::new() } else { format!(" at {}", asked.join(", ")) };
    let what = format!("The repository of {org} could not be fetched yet from the device of whoever invited.");
    Problem::new(problem.kind, what)
        .because(format!("The connection broke, or that device does not let this one read yet. What was said: {said}."))
        .next(format!("It is tried again by itself. If it stays so, see that meshwork up runs there, and is reached from here{at}."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_broken_first_fetch_says_what_happened_why_and_what_to_do() {
        let raw = Problem::unavailable("The repository rad:z3 could not be fetched from did:key:z6Mk.")
            .because("Connection reset (os error 104)");
        let told = not_fetched(&"crew".parse().unwrap(), &["10.0.0.7:8776".to_owned()], &raw);
        assert!(told.what.starts_with("The repository of crew could not be fetched yet"), "{told}");
        assert!(told.why.unwrap().ends_with("What was said: Connection reset (os error 104)."));
        assert!(told.next.unwrap().contains("tried again by itself") && told.kind == Kind::Unavailable);
    }
}
