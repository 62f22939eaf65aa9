//! Two devices of one org on loopback: Ada's, who founded it, and Bob's.

use crate::support::{PASSES, acp_agent, acp_project, beat, idle};
use domain::{Did, OrgName, Rid};
use forge::Forge;
use orchestrator::data_dir::{DataDir, OrgDir};
use serde_json::json;
use testkit::Up;

/// How Bob's device is called.
pub const BOBS: &str = "bobs-box";

/// Ada's device and Bob's, both up, each knowing where the other is.
pub struct Two {
    pub ada: Up,
    pub bob: Up,
    pub bob_device: Did,
    pub rid: Rid,
}

/// The org's folder on a device.
pub fn org(up: &Up) -> OrgDir {
    DataDir::open(&up.data()).unwrap().org(&"crew".parse::<OrgName>().unwrap())
}

impl Two {
    /// Both, up and in touch.
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// Both, with something wrong in them on purpose.
    pub async fn with(fault: &str) -> Self {
        Self::each_with(fault, fault).await
    }

    /// Both, each with something of its own wrong on purpose.
    pub async fn each_with(ada: &str, bob: &str) -> Self {
        let (ada, bob, bob_device, rid) = Self::founded(ada, bob).await;
        let two = Self { ada, bob, bob_device, rid };
        two.in_touch().await;
        two
    }

    /// Waits until Ada's device reaches Bob's, and Bob's hers.
    pub async fn in_touch(&self) {
        for up in [&self.ada, &self.bob] {
            let look = || async {
                let seen = up.act("device.list", json!({})).await;
                if seen.as_array().unwrap().iter().all(|d| d["reachable"] == true) { Ok(()) } else { Err(seen) }
            };
            up.until("every device is reachable", look).await;
        }
    }

    /// Waits until each says that its Radicle node is connected to the other's.
    pub async fn by_radicle(&self) {
        let look = || async {
            let both = [self.ada.act("device.list", json!({})).await, self.bob.act("device.list", json!({})).await];
            let connected = |seen: &serde_json::Value| seen.as_array().unwrap().iter().all(|one| one["radicle_connected"] == true);
            if both.iter().all(connected) { Ok(()) } else { Err(json!(both)) }
        };
        self.ada.until("the Radicle nodes are connected", look).await;
    }

    async fn founded(adas: &str, bobs: &str) -> (Up, Up, Did, Rid) {
        let faulty = |fault: &str| idle().set("MESHWORK_TEST_FAULT", fault);
        let mut ada = faulty(adas).listening();
        ada.begin().await;
        ada.org().await;
        let mut bob = faulty(bobs).listening();
        bob.begin().await;
        ada.let_in(&bob, "bob", BOBS, &["--role", "developer"]).await;
        let shown = bob.ok(&["org", "show"]).await;
        let text = |name: &str| shown[name].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned();
        (ada, bob, text("device").parse().unwrap(), text("rid").parse().unwrap())
    }

    /// Lets Bob's device read Ada's only project.
    pub async fn share(&self) {
        self.ada.ok(&["project", "share", self.bob_device.as_str()]).await;
    }

    /// Gives a task to an agent on Bob's device, and gives the run's id.
    pub async fn start_task(&self, task: &str, agent: &str) -> String {
        let answer = self.ada.ok(&["task", "run", task, "--agent", agent, "--on", BOBS]).await;
        answer["runs"][0]["run"].as_str().unwrap_or_else(|| panic!("nothing was started: {answer}")).to_owned()
    }

    /// A project of Ada's, and an agent at work on its first task on Bob's device, where it beats; gives the run's id.
    pub async fn working(&self, project: &str) -> String {
        acp_project(&self.ada, project, PASSES).await;
        acp_agent(&self.ada, "beat", &[]).await;
        self.share().await;
        let run = self.start_task("T001", "beat").await;
        self.ada.in_state(&run, "working").await;
        beat(&self.bob, &run).await;
        run
    }

    /// Takes Bob and his device out of the org, by Ada.
    pub async fn remove_bob(&self) {
        let dir = org(&self.ada);
        let rid = self.rid.clone();
        let removed = tokio::task::spawn_blocking(move || {
            let forge = Forge::open(&dir.radicle(), &dir.member()).unwrap();
            let gone = ["members/bob.toml".to_owned(), format!("devices/{BOBS}.toml")].map(|path| (path, None));
            forge.change_org(&rid, "Bob leaves", &gone).unwrap();
        });
        removed.await.unwrap();
    }
}
