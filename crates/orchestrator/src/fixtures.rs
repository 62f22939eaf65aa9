//! Orgs, patches and other devices with which tests begin.
#![allow(clippy::unwrap_used)]

use crate::{
    admission::Asked,
    clock,
    context::RunContext,
    data_dir::DataDir,
    gateway::{self, Parts, Patience, Route, Rules},
    host::Live,
    machine::{Listens, Machine, Options},
    org::{Org, blocking},
    rights::{Rights, scheme},
};
use domain::{
    Did, Hash, OrgName, Problem, RunId, Timestamp,
    manifest::{Network, VERSION},
    org::{self, Member, MemberKey},
    patch::{Comment, Patch, PatchState, Review, Revision},
    role::Role,
    run::Order,
    usage::{Budget, Usage},
};
use forge::OrgState;
use futures::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use proto::{
    mesh::mesh_client::MeshClient,
    run::{HostMessage, host_message},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, OnceLock},
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Server},
};

/// How much of what is sent to a device of tests waits there, in bytes.
const AHEAD_BYTES: usize = 64 * 1024;

/// How many orders wait for a runner of tests.
const ORDERS_MAX: usize = 64;

/// A key for each letter.
pub(crate) fn did(letter: char) -> Did {
    format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap()
}

/// A member by their name, with a key named by the capital letter on each of these devices.
pub(crate) fn member(name: &str, role: Role, devices: &[char]) -> (String, Member) {
    let keys = devices.iter().map(|letter| MemberKey { did: did(letter.to_ascii_uppercase()), device: did(*letter) }).collect();
    (name.to_owned(), Member { name: name.into(), roles: vec![role], standby: None, keys })
}

/// The org `crew`, of nobody.
pub(crate) fn state() -> OrgState {
    let (members, devices, agents, projects, quotas) = Default::default();
    OrgState {
        org: org::Org { version: org::VERSION, name: "crew".parse().unwrap(), threshold: 1 },
        members,
        devices,
        agents,
        projects,
        quotas,
        revoked: vec![],
        ended: vec![],
        commit: "c".repeat(40).parse().unwrap(),
        refused: None,
    }
}

/// Rights by the policy that an org begins with.
pub(crate) fn rights(state: OrgState) -> Rights {
    static USUAL: OnceLock<Arc<policy::Rules>> = OnceLock::new();
    let rules = USUAL.get_or_init(|| policy::Rules::new(scheme().unwrap(), &BTreeMap::new()).unwrap().into());
    Rights { state, rules: rules.clone() }
}

/// An open patch of one revision.
pub(crate) fn patch(author: &Did, reviews: Vec<Review>, comments: Vec<Comment>) -> Patch {
    let revision = Revision {
        id: "a".repeat(40).parse().unwrap(),
        author: author.clone(),
        head: "b".repeat(40).parse().unwrap(),
        base: "c".repeat(40).parse().unwrap(),
        at: Timestamp(0),
        description: String::new(),
        reviews,
        comments,
    };
    Patch {
        id: "a".repeat(40).parse().unwrap(),
        project: "demo".parse().unwrap(),
        title: String::new(),
        description: String::new(),
        state: PatchState::Open,
        author: author.clone(),
        head: revision.head.clone(),
        base: revision.base.clone(),
        merged_as: None,
        merged_by: None,
        left_out: vec![],
        revisions: vec![revision],
        trace: None,
    }
}

/// What somebody said of a patch.
pub(crate) fn comment(by: &Did, body: &str) -> Comment {
    Comment { id: "d".repeat(40).parse().unwrap(), reply_to: None, by: by.clone(), body: body.into(), at: Timestamp(0), line: None }
}

/// Another device that takes connections and calls, and answers none. It is in this process, so that a paused clock does.
pub(crate) fn silent() -> MeshClient<Channel> {
    let connect = tower::service_fn(|_: http::Uri| async {
        let (near, far) = tokio::io::duplex(AHEAD_BYTES);
        let never = Routes::from(axum::Router::new().fallback(pending::<()>));
        let incoming = stream::iter([Ok::<_, io::Error>(far)]).chain(stream::pending());
        tokio::spawn(Server::builder().add_routes(never).serve_with_incoming(incoming));
        Ok::<_, io::Error>(TokioIo::new(near))
    });
    MeshClient::new(Endpoint::from_static("http://silent").connect_with_connector_lazy(connect))
}

/// A run for a member that is live on a device, of which the journal need not know.
pub(crate) fn live(org: &Org, id: &RunId, works_for: &Did) -> Arc<Live> {
    let parts = Parts {
        run: id.clone(),
        model: None,
        budget: Budget::default(),
        network: Network::default(),
        used: Usage::default(),
        elsewhere: Arc::new(Usage::default),
        key: gateway::plain_key(|| Err(Problem::internal("it has no key"))),
        rules: Arc::new(|| Ok(Rules::default())),
        ledger: org.ledger.clone(),
        record: Arc::new(|_| Box::pin(async { Ok(()) })),
        refused: Arc::new(|_| ()),
        resolver: gateway::system_resolver(),
        patience: Patience::default(),
    };
    let (route, log) = (Route::new(parts).unwrap(), org.store.run_log(id).unwrap());
    let (live, _) = Live::new(id.clone(), works_for.clone(), "secret".into(), log, route, None, RunContext::new(BTreeMap::new()));
    org.hub.insert(live.clone());
    live
}

/// The runner's end of a connection to its host.
pub(crate) fn attached(live: &Live) -> mpsc::Receiver<HostMessage> {
    let (outgoing, told) = mpsc::channel(ORDERS_MAX);
    live.attach(outgoing);
    told
}

/// The orders that came since somebody looked last.
pub(crate) fn orders(told: &mut mpsc::Receiver<HostMessage>) -> Vec<Order> {
    let mut orders = vec![];
    while let Ok(message) = told.try_recv() {
        if let Some(host_message::Kind::Order(order)) = message.kind {
            orders.push(serde_json::from_str(&order.json).unwrap());
        }
    }
    orders
}

/// An org of ada's on a machine of its own, in which nothing goes on by itself.
pub(crate) struct Opened {
    pub(crate) org: Arc<Org>,
    // Removed last.
    _dir: TempDir,
}

impl Opened {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listens = Listens { radicle: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), ..Listens::default() };
        let options = Options { executable: PathBuf::new(), listens, demo: false, slots: None, only: None };
        let machine = Machine::new(DataDir::open(&dir.path().join("data")).unwrap(), options);
        let name: OrgName = "crew".parse().unwrap();
        Org::create(&machine, &name, "ada", None, None).await.unwrap();
        let (data, options) = (machine.data.clone(), machine.options.clone());
        let org = blocking(move || Org::parts(&data, &name, options, Arc::default())).await.unwrap();
        Self { org, _dir: dir }
    }
}

/// That this org's device asks for work at a task by this run for a minute, signed, and by which name that is kept.
pub(crate) fn asked(org: &Org, run: &RunId) -> (Asked, Hash) {
    let (at, commit) = (clock::now(), "a".repeat(40));
    let work = json!({"kind": "task", "repository": org.rid, "task": {"project": "demo", "feature": "001-work", "task": "T001"},
        "spec_hash": "b".repeat(64), "definitions": commit, "agent": "beat", "base": commit});
    let manifest = json!({"version": VERSION, "org": org.name, "run": run, "requester": org.device, "member": org.member, "at": at,
        "expires": at.plus_ms(60_000), "class": "agent", "work": work, "resources": {}, "limits": {}});
    let asked = Asked::sign(org, serde_json::from_value(manifest).unwrap()).unwrap();
    let kept = org.store.blobs().put(&asked.envelope.to_json().unwrap()).unwrap();
    (asked, kept)
}

impl Drop for Opened {
    fn drop(&mut self) {
        // They lie beside the folder.
        let _ = fs::remove_dir_all(&self.org.dir.sockets);
    }
}
