//! Two devices of one org on loopback, each a real `meshwork up`: Ada's, who founded it, and Bob's; and one who calls Bob's device with
//! the key of Ada's, as hers does.

use anyhow::{Context, Result};
use domain::{
    Did, OrgName, Rid, RunId, Timestamp,
    manifest::{Manifest, PAYLOAD_TYPE, VERSION},
};
use forge::Forge;
use identity::{
    Envelope,
    certificate::{Sign, Subject},
    envelope,
};
use mesh::spoken;
use orchestrator::{clock, data_dir::DataDir};
use proto::mesh::{ProbeRequest, mesh_client::MeshClient};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use testkit::{Repository, Up};
use tonic::transport::Channel;

/// The org, as [`Up::org`] makes it.
pub const ORG: &str = "crew";
/// The agent that the org lists.
const AGENT: &str = "nobody";
/// The project that it has, with one feature of so many tasks.
const PROJECT: &str = "bench";
const FEATURE: &str = "001-bench";
const TASKS: u32 = 400;

/// Ada's device and Bob's, both up, each reaching the other.
#[derive(Debug)]
pub struct Two {
    /// Ada's.
    pub ada: Up,
    /// Bob's.
    pub bob: Up,
    /// The key of Bob's device.
    pub bob_device: Did,
    /// The org repository.
    pub rid: Rid,
}

impl Two {
    /// Founds the org, has Bob join it, and waits until both are in touch.
    ///
    /// # Errors
    /// When there is no program, or what it answers is of another form.
    pub async fn start() -> Result<Self> {
        let program = crate::meshwork()?;
        let program = program.to_str().context("the program's path is no text")?;
        let mut ada = Up::idle(program, &[]).listening();
        ada.begin().await;
        ada.org().await;
        let mut bob = Up::idle(program, &[]).listening();
        bob.begin().await;
        ada.let_in(&bob, "bob", "bobs-box", &["--role", "developer"]).await;
        ada.ok(&["agent", "add", AGENT, "--engine", "command", "--command", "true"]).await;
        let folder = tempfile::tempdir()?;
        let tasks: String = (1..=TASKS).map(|n| format!("- [ ] T{n:03} Nothing\n")).collect();
        let repository = Repository::with_tasks(folder.path().join(PROJECT), FEATURE, &tasks, "");
        ada.ok(&["project", "add", repository.path().to_str().context("the folder's path is no text")?]).await;
        for what in ["agent.list", "project.list"] {
            bob.until(what, || async {
                let (_, seen) = bob.call(what, json!({})).await;
                if seen.as_array().is_some_and(|all| !all.is_empty()) { Ok(()) } else { Err(seen) }
            })
            .await;
        }
        let shown = bob.ok(&["org", "show"]).await;
        let text = |name: &str| shown[name].as_str().with_context(|| format!("no {name} in {shown}"));
        let (bob_device, rid) = (text("device")?.parse()?, text("rid")?.parse()?);
        let two = Self { ada, bob, bob_device, rid };
        two.in_touch().await;
        Ok(two)
    }

    async fn in_touch(&self) {
        for up in [&self.ada, &self.bob] {
            let look = || async {
                let seen = up.act("device.list", json!({})).await;
                let all = seen.as_array().is_some_and(|devices| devices.len() == 2 && devices.iter().all(|d| d["reachable"] == true));
                if all { Ok(()) } else { Err(seen) }
            };
            up.until("every device is reachable", look).await;
        }
    }
}

/// One who calls Bob's device over mTLS, as Ada's does.
pub struct Caller {
    /// The service of Bob's device, over one connection.
    pub client: MeshClient<Channel>,
    forge: Arc<Forge>,
    /// How many manifests it has made.
    asked: u32,
}

impl Caller {
    /// With the key that lies in the folder of Ada's device.
    ///
    /// # Errors
    /// When it cannot be read, or no address of Bob's device is known.
    pub fn new(two: &Two) -> Result<Self> {
        let org: OrgName = ORG.parse()?;
        let dir = DataDir::open(&two.ada.data())?.org(&org);
        let forge = Arc::new(Forge::open(&dir.radicle(), &dir.member())?);
        let state = forge.org_state(&two.rid)?;
        let addresses = state.device_of(&two.bob_device).context("the org does not list Bob's device")?.addresses.clone();
        let signing = forge.clone();
        let sign: Sign = Arc::new(move |message: &[u8]| Ok(signing.sign_as_device(message)));
        let network = mesh::Network::new(org, forge.device(), sign, Arc::new(clock::now), Arc::new(|_: &Subject| true));
        Ok(Self { client: network.device(&two.bob_device, &addresses)?, forge, asked: 0 })
    }

    /// The key of Ada's device.
    pub fn device(&self) -> Did {
        self.forge.device()
    }

    /// A round trip: the time of the smallest call there is.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn round_trip(&mut self) -> Result<Duration> {
        let request = ProbeRequest { version: spoken(), without_radicle_session: false };
        let begun = Instant::now();
        self.client.probe(request).await?;
        Ok(begun.elapsed())
    }

    /// A new run's manifest, signed: the next of the tasks, asking for so many thousandths of a core.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn manifest(&mut self, repository: &Rid, cpu_milli: u64) -> Result<(RunId, Envelope)> {
        let (run, now, number) = (clock::run_id(), clock::now(), self.asked % TASKS + 1);
        self.asked += 1;
        let device = self.forge.device();
        let manifest = task(&run, number, &device, &self.forge.member(), repository, cpu_milli, now)?;
        let sealed = envelope::seal(&manifest, PAYLOAD_TYPE, &device, |message| Ok(self.forge.sign_as_device(message)))?;
        Ok((run, sealed))
    }
}

/// A manifest of a task that asks for so many thousandths of a core.
fn task(run: &RunId, number: u32, device: &Did, member: &Did, repository: &Rid, cpu_milli: u64, at: Timestamp) -> Result<Manifest> {
    let commit = "a".repeat(40);
    let task = json!({"project": PROJECT, "feature": FEATURE, "task": format!("T{number:03}")});
    let work = json!({
        "kind": "task", "repository": repository, "task": task, "spec_hash": "0".repeat(64), "definitions": commit, "agent": AGENT,
        "base": commit,
    });
    let manifest = json!({
        "version": VERSION, "org": ORG, "run": run, "requester": device, "member": member, "at": at, "expires": at.plus_ms(600_000),
        "class": "agent", "work": work, "resources": {"cpu_milli": cpu_milli}, "limits": {},
    });
    Ok(serde_json::from_value(manifest)?)
}
