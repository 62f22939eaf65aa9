#![allow(clippy::unwrap_used)]
use super::*;
use domain::{
    agent::Agent,
    capacity::Resources,
    manifest::{Class, Network, PAYLOAD_TYPE, TimeLimits, Work},
    org::{self, Device, Member, MemberKey},
    role::Role,
    usage::Budget,
};
use forge::OrgState;
use identity::Key;
use std::collections::BTreeMap;

const LAPTOP: u8 = 1;
const DESK: u8 = 2;
const BOX: u8 = 3;
const OTHER: u8 = 4;
/// Keys of members are those of their devices and so much.
const MEMBER: u8 = 10;

fn key(n: u8) -> Key {
    Key::from_seed(&[n; 32])
}

fn did(n: u8) -> Did {
    key(n).did()
}

/// Ada has a laptop and a desk, which stands in; Bob has a box and another.
fn rights() -> Rights {
    let org = org::Org { version: org::VERSION, name: "crew".parse().unwrap(), threshold: 1 };
    let member = |name: &str, devices: [u8; 2], standby: Option<u8>| {
        let keys = devices.map(|n| MemberKey { did: did(MEMBER + n), device: did(n) }).into();
        (name.to_owned(), Member { name: name.into(), roles: vec![Role::Developer], standby: standby.map(did), keys })
    };
    let members = [member("ada", [LAPTOP, DESK], Some(DESK)), member("bob", [BOX, OTHER], None)].into();
    let device = |name: &str, n: u8, owner: &str| (name.to_owned(), Device::new(name, did(n), owner));
    let devices =
        [device("laptop", LAPTOP, "ada"), device("desk", DESK, "ada"), device("box", BOX, "bob"), device("other", OTHER, "bob")].into();
    let agent = format!("name = \"coder\"\nanswers = \"{}\"\n[engine]\nkind = \"command\"\ncommand = \"true\"\n", did(MEMBER + LAPTOP));
    let agents = [("coder".to_owned(), toml::from_str::<Agent>(&agent).unwrap())].into();
    let (projects, quotas) = Default::default();
    let (commit, revoked, ended) = ("c".repeat(40).parse().unwrap(), vec![], vec![]);
    let state = OrgState { org, members, devices, agents, projects, quotas, commit, revoked, ended, refused: None };
    let rules = policy::Rules::new(crate::rights::scheme().unwrap(), &BTreeMap::new()).unwrap();
    Rights { state, rules: rules.into() }
}

fn manifest() -> Manifest {
    Manifest {
        version: domain::manifest::VERSION,
        org: "crew".parse().unwrap(),
        run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        requester: did(LAPTOP),
        member: did(MEMBER + LAPTOP),
        at: Timestamp(900),
        expires: Timestamp(1_400),
        class: Class::Agent,
        work: Work::Task {
            repository: "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap(),
            task: domain::TaskRef {
                project: "demo".parse().unwrap(),
                feature: "001-hello".parse().unwrap(),
                task: "T001".parse().unwrap(),
            },
            spec_hash: envelope::hash_bytes(b"spec"),
            definitions: "1".repeat(40).parse().unwrap(),
            agent: "coder".parse().unwrap(),
            base: "2".repeat(40).parse().unwrap(),
            continues: None,
            from: None,
            patch: None,
            rebase: false,
        },
        resources: Resources { cpu_milli: 1000, memory_bytes: 1 << 30, disk_bytes: 1 << 30, gpus: 0 },
        tags: BTreeMap::new(),
        runtime: None,
        network: Network::default(),
        limits: TimeLimits::default(),
        budget: Budget::default(),
        priority: domain::manifest::Priority::Normal,
        gave_way: 0,
        apart: None,
    }
}

/// What is shown, by whom, to whom, and when.
struct Case {
    rights: Rights,
    manifest: Manifest,
    signer: u8,
    delegated_to: Option<u8>,
    until: Timestamp,
    run: RunId,
    executor: u8,
    here: u8,
    now: Timestamp,
}

fn sound() -> Case {
    let (rights, manifest) = (rights(), manifest());
    let (run, until, now) = (manifest.run.clone(), Timestamp(1_000_000_000_000), Timestamp(1_500));
    Case { rights, manifest, signer: LAPTOP, delegated_to: Some(BOX), until, run, executor: BOX, here: DESK, now }
}

fn tried(case: &Case) -> Result<Judged, Problem> {
    let by = key(case.signer);
    let asked = envelope::seal(&case.manifest, PAYLOAD_TYPE, &by.did(), |message| Ok(by.sign(message))).unwrap();
    let from = Timestamp(1_000);
    let delegation = Delegation {
        executor: case.delegated_to.map(did),
        device: by.did(),
        ..Delegation::of(&case.manifest, envelope::hash(&asked), did(99), from, case.until)
    };
    let delegation = delegation.seal(|message| Ok(by.sign(message))).unwrap();
    let (manifest_json, delegation_json) = (asked.to_json().unwrap(), delegation.to_json().unwrap());
    let shown = Shown {
        run: &case.run,
        executor: &did(case.executor),
        scope: Scope::Model,
        manifest_json: &manifest_json,
        delegation_json: &delegation_json,
    };
    judge(&case.rights, &did(case.here), &shown, case.now)
}

#[test]
fn what_the_members_own_device_signed_for_this_executor_is_served() {
    let judged = tried(&sound()).unwrap();
    let until = manifest().expires.plus_ms(lifecycle::delegation_ms(&manifest()));
    assert_eq!((judged.manifest, judged.until), (manifest(), until), "and no longer, though the key may sign longer");
    let sooner = tried(&Case { until: Timestamp(1_600), ..sound() }).unwrap();
    assert_eq!(sooner.until, Timestamp(1_600));
}

#[test]
fn everything_else_is_refused() {
    #[allow(clippy::type_complexity)]
    let table: [(&str, fn(&mut Case)); 10] = [
        ("did not name this device", |case| case.here = LAPTOP),
        ("did not name this device", |case| case.rights.state.members.get_mut("ada").unwrap().standby = None),
        ("executed on that device", |case| case.executor = OTHER),
        ("executed on that device", |case| case.delegated_to = None),
        ("of another run", |case| case.run = "01ARZ3NDEKTSV4RRFFQ69G5FAX".parse().unwrap()),
        ("of another org", |case| case.manifest.org = "theirs".parse().unwrap()),
        ("does not hold at this time", |case| case.until = Timestamp(1_500)),
        ("too old", |case| case.now = case.manifest.expires.plus_ms(lifecycle::delegation_ms(&case.manifest) + 1)),
        ("by another device", |case| case.signer = BOX),
        ("task.run", |case| case.rights.state.members.get_mut("ada").unwrap().roles = vec![Role::Viewer]),
    ];
    for (words, change) in table {
        let mut case = sound();
        change(&mut case);
        let problem = tried(&case).unwrap_err();
        assert!(problem.to_string().contains(words), "{words}: {problem}");
    }
}

#[test]
fn nobody_asks_in_the_name_of_another_member_or_from_a_device_that_is_gone() {
    let mut foreign = sound();
    foreign.manifest.requester = did(BOX);
    foreign.signer = BOX;
    assert!(tried(&foreign).unwrap_err().to_string().contains("no such member"));
    let mut gone = sound();
    gone.rights.state.devices.remove("laptop");
    assert_eq!(tried(&gone).unwrap_err().kind, Kind::Forbidden);
}
