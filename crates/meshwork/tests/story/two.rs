//! Two devices of one org on loopback: Ada's, who founded it, and Bob's.

use crate::support::idle;
use domain::{
    Did, OrgName, Rid,
    org::{Device, Member, MemberKey},
    role::Role,
};
use forge::Forge;
use orchestrator::data_dir::{DataDir, OrgDir, make_private, write_private};
use serde_json::json;
use std::{net::TcpListener, sync::Arc};
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

/// A port that nobody uses now.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The org's folder on a device.
pub fn org(up: &Up) -> OrgDir {
    DataDir::open(&up.data()).unwrap().org(&"crew".parse::<OrgName>().unwrap())
}

impl Two {
    /// Both, up and in touch.
    pub async fn start() -> Self {
        let (mut ada, bob, bob_device, rid) = Self::founded().await;
        let mut bob = bob;
        ada.begin().await;
        bob.begin().await;
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

    async fn founded() -> (Up, Up, Did, Rid) {
        let (at_ada, at_bob) = ([free(), free()], [free(), free()]);
        let mut ada = idle().listening(&at_ada[0], &at_ada[1]);
        ada.begin().await;
        ada.org().await;
        ada.end().await;
        let bob = idle().listening(&at_bob[0], &at_bob[1]);
        let (hers, his) = (org(&ada), org(&bob));
        make_private(&his.root).unwrap();
        let bob_forge = Arc::new(Forge::create(&his.radicle(), &his.member(), "bob").unwrap());
        let ada_forge = Arc::new(Forge::open(&hers.radicle(), &hers.member()).unwrap());
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(hers.record()).unwrap()).unwrap();
        let rid: Rid = record["rid"].as_str().unwrap().parse().unwrap();

        // What joining does: the files of the org repository, and the right to read it.
        let device =
            Device { addresses: vec![at_bob[1].clone()], radicle: vec![at_bob[0].clone()], ..Device::new(BOBS, bob_forge.device(), "bob") };
        let keys = vec![MemberKey { did: bob_forge.member(), device: bob_forge.device() }];
        let member = Member { name: "bob".into(), roles: vec![Role::Developer], keys };
        let own = ada_forge.org_state(&rid).unwrap().device_of(&ada_forge.device()).unwrap().clone();
        let own = Device { addresses: vec![at_ada[1].clone()], radicle: vec![at_ada[0].clone()], ..own };
        let file = |name: String, text: String| (name, Some(text.into_bytes()));
        let changes = [
            file("members/bob.toml".into(), toml::to_string(&member).unwrap()),
            file(format!("devices/{BOBS}.toml"), toml::to_string(&device).unwrap()),
            file(format!("devices/{}.toml", own.name), toml::to_string(&own).unwrap()),
        ];
        ada_forge.change_org(&rid, "Bob joins", &changes).unwrap();
        ada_forge.allow(&rid, &[bob_forge.device()]).unwrap();
        let any = Some("127.0.0.1:0".parse().unwrap());
        let at_ada = ada_forge.start_node(any, &ada.folder().join("a.sock")).unwrap();
        let at_bob = bob_forge.start_node(any, &bob.folder().join("b.sock")).unwrap();
        bob_forge.clone_project(&rid, &ada_forge.device(), at_ada.listen_address(), &at_bob).unwrap();
        at_ada.stop().unwrap();
        at_bob.stop().unwrap();
        write_private(&his.record(), &serde_json::to_vec(&json!({"name": "crew", "rid": rid})).unwrap()).unwrap();
        let bob_device = bob_forge.device();
        (ada, bob, bob_device, rid)
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
