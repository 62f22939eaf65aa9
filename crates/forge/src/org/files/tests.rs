#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)]
use super::*;
use domain::{
    Timestamp,
    agent::{Agent, EngineChoice, Model, ModelApi, PermissionMode},
    money::Money,
    org::{KeyKind, MemberKey, Revocation},
    quota::{Period, Price, PriceOf, Quota, Quotas},
    role::Role,
    usage::Budget,
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{Index, select, subsequence},
};

type Files = BTreeMap<String, Vec<u8>>;

/// A key that the generated orgs do not have.
const NOBODYS: usize = 9_999;
/// A name that none of their members and devices has.
const NOBODY: &str = "nobody 2";
/// Numbers at the edges of what the files may hold, and beyond.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "2",
    "255",
    "256",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "0xffffffffffffffff",
    "1e400",
    "nan",
];

fn did(n: usize) -> Did {
    format!("did:key:z6Mk{n:044}").parse().unwrap()
}

fn rid(n: usize) -> domain::Rid {
    format!("rad:z{n:028}").parse().unwrap()
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zé€0-9\"'\\\\ \n\t,.:#=-]{0,12}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Zé\"' _-]{1,8}"
}

fn slug() -> impl Strategy<Value = String> {
    "[a-z0-9][a-z0-9_-]{0,8}"
}

fn pattern() -> impl Strategy<Value = String> {
    "[a-z.-]{1,6}[*]?"
}

fn money() -> impl Strategy<Value = Money> {
    any::<u64>().prop_map(Money::from_micros)
}

fn price() -> impl Strategy<Value = Price> {
    let parts = (money(), option::of(money()), option::of(money()), money());
    parts.prop_map(|(input, cached_input, cache_write, output)| Price { input, cached_input, cache_write, output })
}

fn engine() -> impl Strategy<Value = EngineChoice> {
    prop_oneof![
        text().prop_map(|name| EngineChoice::Profile { name }),
        vec(text(), 0..3).prop_map(|command| EngineChoice::Acp { command }),
        text().prop_map(|command| EngineChoice::Command { command }),
        text().prop_map(|recording| EngineChoice::Replay { recording }),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let api = prop_oneof![Just(ModelApi::Responses), Just(ModelApi::Chat), Just(ModelApi::Messages), Just(ModelApi::Gemini)];
    (text(), text(), api, slug(), option::of(price())).prop_map(|(name, base_url, api, credential, price)| {
        let credential = credential.parse().unwrap();
        Model { name, base_url, api, credential, price }
    })
}

/// An agent that has no name yet, and for which nobody answers yet.
fn worker() -> impl Strategy<Value = Agent> {
    let permissions = prop_oneof![Just(PermissionMode::Sandbox), Just(PermissionMode::Ask)];
    let budget = (any::<u64>(), any::<u64>(), option::of(money())).prop_map(|(tokens, calls, money)| Budget { tokens, calls, money });
    (engine(), option::of(model()), budget, permissions).prop_map(|(engine, model, budget, permissions)| {
        let name = "nobodys-agent".parse().unwrap();
        Agent { name, engine, answers: did(NOBODYS), model, budget, permissions }
    })
}

fn quota() -> impl Strategy<Value = Quota> {
    let period = prop_oneof![Just(Period::Day), Just(Period::Month)];
    (period, option::of(any::<u64>()), option::of(any::<u64>()), option::of(money())).prop_map(|(period, tokens, calls, money)| Quota {
        period,
        tokens,
        calls,
        money,
    })
}

/// Quotas that name nobody yet.
fn limits() -> impl Strategy<Value = Quotas> {
    let price = (pattern(), option::of(text()), price()).prop_map(|(model, host, price)| {
        let Price { input, cached_input, cache_write, output } = price;
        PriceOf { model, host, input, cached_input, cache_write, output }
    });
    (any::<bool>(), vec(pattern(), 0..3), option::of(quota()), vec(price, 0..3)).prop_map(|(keep_content, models, org, prices)| Quotas {
        keep_content,
        models,
        org,
        prices,
        ..Quotas::default()
    })
}

/// Keys that count no more, numbered from here on.
fn gone(from: usize) -> impl Strategy<Value = Vec<Revocation>> {
    let kind = prop_oneof![Just(KeyKind::Member), Just(KeyKind::Device), Just(KeyKind::Run)];
    vec((kind, any::<i64>(), text(), option::of(text())), 0..3).prop_map(move |all| {
        let all = all.into_iter().enumerate();
        all.map(|(n, (kind, at, why, name))| Revocation { did: did(from + n), kind, at: Timestamp(at), why, name }).collect()
    })
}

/// An org whose files agree with each other.
fn orgs() -> impl Strategy<Value = OrgState> {
    let members = btree_map(name(), (subsequence(Role::ALL.to_vec(), 0..=6), vec(any::<Index>(), 1..4), any::<bool>()), 1..4);
    let tags = btree_map(text(), text(), 0..3);
    let devices = btree_map(name(), (any::<Index>(), vec(text(), 0..3), vec(text(), 0..2), vec(text(), 0..2), tags), 1..4);
    let agents = btree_map(slug(), (worker(), any::<Index>(), option::of(quota())), 0..3);
    let projects = btree_map(slug(), (text(), option::of(text()), option::of(any::<Index>())), 0..3);
    let quotas = (limits(), vec(option::of(quota()), 3), any::<bool>());
    (members, devices, agents, projects, quotas, gone(5_000), gone(6_000), any::<Index>()).prop_map(
        |(members, devices, agents, projects, (mut quotas, of_members, shared), revoked, ended, threshold)| {
            let names: Vec<String> = members.keys().cloned().collect();
            let device = |(n, (name, (owner, addresses, radicle, gossip, tags))): (usize, (String, (Index, _, _, _, _)))| {
                let owner = owner.get(&names).clone();
                (name.clone(), Device { name, did: did(n), owner, addresses, radicle, gossip, tags })
            };
            let devices: BTreeMap<String, Device> = devices.into_iter().enumerate().map(device).collect();
            let member = |(n, (name, (mut roles, on, standby))): (usize, (String, (Vec<Role>, Vec<Index>, bool)))| {
                if n == 0 && !roles.contains(&Role::Owner) {
                    roles.push(Role::Owner);
                }
                let key = |(k, on): (usize, &Index)| MemberKey { did: did(100 * (n + 1) + k), device: did(on.index(devices.len())) };
                let keys: Vec<MemberKey> = on.iter().enumerate().map(key).collect();
                let standby = keys.last().filter(|_| standby).map(|key| key.device.clone());
                (name.clone(), Member { name, roles, standby, keys })
            };
            let members: BTreeMap<String, Member> = members.into_iter().enumerate().map(member).collect();
            let keys: Vec<Did> = members.values().flat_map(|member| &member.keys).map(|key| key.did.clone()).collect();
            let owners = members.values().filter(|member| member.roles.contains(&Role::Owner)).count();
            quotas.members = names.iter().cloned().zip(of_members).filter_map(|(name, quota)| Some((name, quota?))).collect();
            quotas.agents = agents.iter().filter_map(|(name, (_, _, quota))| Some((name.parse().unwrap(), (*quota)?))).collect();
            quotas.shares = devices.keys().filter(|_| shared).map(|name| (name.clone(), 30)).collect();
            let agent = |(name, (agent, answers, _)): (String, (Agent, Index, _))| {
                let agent = Agent { name: name.parse().unwrap(), answers: answers.get(&keys).clone(), ..agent };
                (name, agent)
            };
            let agents = agents.into_iter().map(agent).collect();
            let project = |(n, (name, (branch, mirror, gate))): (usize, (String, (String, Option<String>, Option<Index>)))| {
                let gates = match gate {
                    Some(one) if devices.len() >= GATES_MAX && one.index(2) == 1 => (0..GATES_MAX).map(did).collect(),
                    one => one.iter().map(|gate| did(gate.index(devices.len()))).collect(),
                };
                let project = Project { name: name.parse().unwrap(), rid: rid(n), branch, mirror, gates };
                (name, project)
            };
            let projects = projects.into_iter().enumerate().map(project).collect();
            let threshold = u32::try_from(threshold.index(owners) + 1).unwrap();
            let org = Org { version: VERSION, name: "crew".parse().unwrap(), threshold };
            let commit = "0".repeat(40).parse().unwrap();
            OrgState { org, members, devices, agents, projects, quotas, revoked, ended, commit, refused: None }
        },
    )
}

/// An org's files.
fn written(org: &OrgState) -> Files {
    let revoked = Revoked { revoked: org.revoked.clone(), ended: org.ended.clone() };
    let mut files = Files::from([
        ("org.toml".to_owned(), write(&org.org).unwrap()),
        ("revoked.toml".to_owned(), write(&revoked).unwrap()),
        (quotas::FILE.to_owned(), write(&org.quotas).unwrap()),
    ]);
    files.extend(org.members.iter().map(|(name, member)| (format!("members/{name}.toml"), write(member).unwrap())));
    files.extend(org.devices.iter().map(|(name, device)| (format!("devices/{name}.toml"), write(device).unwrap())));
    files.extend(org.agents.iter().map(|(name, agent)| (format!("agents/{name}.toml"), write(agent).unwrap())));
    files.extend(org.projects.iter().map(|(name, project)| (format!("projects/{name}.toml"), write(project).unwrap())));
    files
}

/// Whether a refusal begins with a place of the org repository; and with a line that the file has, where it names one.
fn names_a_place(files: &Files, problem: &Problem) -> bool {
    let why = problem.why.as_deref().unwrap_or_default();
    let mut claimed = files.iter().filter_map(|(path, content)| Some((why.strip_prefix(path.as_str())?.strip_prefix(", line ")?, content)));
    let Some((rest, content)) = claimed.next() else {
        return problem.what.contains("newer than this Meshwork") || READ.iter().any(|place| why.starts_with(place));
    };
    let lines = content.split(|byte| *byte == b'\n').count();
    let line: Option<usize> = rest.split(':').next().and_then(|line| line.parse().ok());
    line.is_some_and(|line| (1..=lines).contains(&line))
}

/// A change of one file.
#[derive(Clone, Debug)]
enum Change {
    Gone,
    Without(Index),
    Twice(Index),
    Byte(Index, u8),
    Number(Index, &'static str),
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => Just(Change::Gone),
        4 => any::<Index>().prop_map(Change::Without),
        2 => any::<Index>().prop_map(Change::Twice),
        4 => any::<(Index, u8)>().prop_map(|(at, to)| Change::Byte(at, to)),
        4 => (any::<Index>(), select(NUMBERS.to_vec())).prop_map(|(at, to)| Change::Number(at, to)),
    ]
}

/// The file after it; none: it is gone.
fn changed(content: &[u8], change: &Change) -> Option<Vec<u8>> {
    let mut bytes = content.to_vec();
    let mut lines: Vec<String> = String::from_utf8(content.to_vec()).unwrap().lines().map(str::to_owned).collect();
    let at = |index: &Index| index.index(content.len().max(1));
    match change {
        Change::Gone => return None,
        Change::Byte(index, to) => {
            if let Some(byte) = bytes.get_mut(at(index)) {
                *byte = *to;
            }
            return Some(bytes);
        }
        Change::Without(index) if !lines.is_empty() => drop(lines.remove(index.index(lines.len()))),
        Change::Twice(index) if !lines.is_empty() => {
            let line = index.index(lines.len());
            lines.insert(line, lines[line].clone());
        }
        Change::Number(index, to) => {
            let number =
                |line: &&mut String| line.split_once(" = ").is_some_and(|(_, value)| value.starts_with(|c: char| c.is_ascii_digit()));
            let mut found: Vec<&mut String> = lines.iter_mut().filter(number).collect();
            if !found.is_empty() {
                let line = index.index(found.len());
                let key = found[line].split(" = ").next().unwrap_or_default();
                *found[line] = format!("{key} = {to}");
            }
        }
        Change::Without(_) | Change::Twice(_) => {}
    }
    Some(lines.join("\n").into_bytes())
}

/// Somebody of whom the org knows nothing answers for it.
fn nobodys_agent() -> Agent {
    Agent {
        name: "nobodys-agent".parse().unwrap(),
        engine: EngineChoice::Command { command: String::new() },
        answers: did(NOBODYS),
        model: None,
        budget: Budget::default(),
        permissions: PermissionMode::default(),
    }
}

fn put_project(org: &mut OrgState, name: &str, gates: Vec<Did>) {
    let project = Project { name: name.parse().unwrap(), rid: rid(NOBODYS), branch: "main".into(), mirror: None, gates };
    org.projects.insert(name.to_owned(), project);
}

fn first_member(org: &mut OrgState) -> &mut Member {
    org.members.values_mut().next().unwrap()
}

fn first_device(org: &mut OrgState) -> &mut Device {
    org.devices.values_mut().next().unwrap()
}

fn rename_first_device(org: &mut OrgState, to: &str) {
    let device = Device { name: to.to_owned(), ..first_device(org).clone() };
    org.devices.retain(|_, other| other.did != device.did);
    org.devices.insert(to.to_owned(), device);
}

fn any_quota() -> Quota {
    Quota { period: Period::Day, tokens: None, calls: None, money: None }
}

/// What takes an org out of order, and what is said then.
const HARMS: [(&str, fn(&mut OrgState)); 28] = [
    ("org.toml, line 1: there is no version 0", |org| org.org.version = 0),
    ("a slash", |org| rename_first_device(org, "a/b")),
    ("a slash", |org| rename_first_device(org, "a\\b")),
    ("begins with a dot", |org| rename_first_device(org, "..")),
    ("64 bytes at most", |org| rename_first_device(org, &"a".repeat(65))),
    ("two devices have one key", |org| {
        let twin = Device { name: NOBODY.into(), ..first_device(org).clone() };
        org.devices.insert(NOBODY.into(), twin);
    }),
    ("is not a member", |org| first_device(org).owner = NOBODY.into()),
    ("no owner has a key", |org| org.members.values_mut().for_each(|member| member.roles.retain(|role| *role != Role::Owner))),
    ("no owner has a key", |org| {
        org.members.values_mut().for_each(|member| member.keys.clear());
        org.members.values_mut().for_each(|member| member.standby = None);
        org.agents.clear();
        org.quotas.agents.clear();
    }),
    ("the threshold is 0", |org| org.org.threshold = 0),
    ("the threshold is 4294967295", |org| org.org.threshold = u32::MAX),
    ("the threshold is", |org| org.org.threshold = u32::try_from(org.owner_keys().len()).unwrap() + 1),
    ("is listed twice", |org| {
        let key = first_member(org).keys[0].clone();
        first_member(org).keys.push(key);
    }),
    ("is listed twice", |org| {
        let device = first_device(org).did.clone();
        first_member(org).keys[0].did = device;
    }),
    ("is on a device that is not listed", |org| first_member(org).keys[0].device = did(NOBODYS)),
    ("the standby device", |org| first_member(org).standby = Some(did(NOBODYS))),
    ("name and file must be the same", |org| first_member(org).name = NOBODY.into()),
    ("is no member's key", |org| drop(org.agents.insert("nobodys-agent".into(), nobodys_agent()))),
    ("counts no more", |org| {
        let did = first_member(org).keys[0].did.clone();
        org.revoked.push(Revocation { did, kind: KeyKind::Member, at: Timestamp(0), why: String::new(), name: None });
    }),
    ("counts no more", |org| {
        let did = first_device(org).did.clone();
        org.ended.push(Revocation { did, kind: KeyKind::Device, at: Timestamp(0), why: String::new(), name: None });
    }),
    ("two projects have one repository", |org| ["first-of-two", "second-of-two"].iter().for_each(|name| put_project(org, name, vec![]))),
    ("it has 2 gates", |org| put_project(org, "of-two-gates", vec![did(0), did(NOBODYS)])),
    ("3 different ones", |org| put_project(org, "of-one-gate-thrice", vec![did(0), did(0), did(0)])),
    ("is not a device of the org", |org| put_project(org, "of-nobodys-gate", vec![did(NOBODYS)])),
    ("there is no member", |org| _ = org.quotas.members.insert(NOBODY.into(), any_quota())),
    ("there is no agent", |org| _ = org.quotas.agents.insert("nobodys-agent".parse().unwrap(), any_quota())),
    ("more than 100 hundredths", |org| org.quotas.shares = BTreeMap::from([(first_device(org).name.clone(), 101)])),
    ("newer than this Meshwork", |org| org.org.version = VERSION + 1),
];

#[test]
fn files_of_a_newer_version_are_called_that_whatever_else_they_say() {
    let text = format!("version = {}\nname = \"crew\"\nof_tomorrow = 1\n", VERSION + 1);
    let files = Files::from([("org.toml".to_owned(), text.into_bytes())]);
    let problem = validate(&files, None).unwrap_err();
    assert!(problem.what.contains("newer than this Meshwork") && problem.next.is_some(), "{problem}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes and lines that are nearly right, in files that count and in others.
    #[test]
    fn whatever_stands_in_the_files_is_refused_with_its_place(
        files in btree_map(
            prop_oneof!["org\\.toml", "revoked\\.toml", "quotas\\.toml", "(members|devices|agents|projects)/[ab]\\.toml", "\\PC{0,20}"],
            prop_oneof![
                vec(any::<u8>(), 0..80),
                vec(
                    prop_oneof![
                        "(version|threshold) = -?[0-9]{1,20}",
                        "(name|owner) = \"[ab]\"",
                        "(did|device|answers) = \"did:key:z6Mk[0-9]{44}\"",
                        "\\[\\[?[a-z]{1,8}\\]?\\]",
                        "[a-z]{1,9} = [\\[\\]\\{\\}\"',a-z0-9]{0,12}"
                    ],
                    0..8
                )
                .prop_map(|lines| lines.join("\n").into_bytes()),
            ],
            0..6,
        )
    ) {
        let problem = validate(&files, None).unwrap_err();
        prop_assert!(names_a_place(&files, &problem), "{problem}");
    }

    #[test]
    fn an_org_is_read_as_it_was_written(org in orgs()) {
        prop_assert_eq!(validate(&written(&org), None), Ok(org));
    }

    #[test]
    fn a_changed_file_counts_as_it_is_or_is_refused_with_its_place(org in orgs(), file: Index, change in changes()) {
        let mut files = written(&org);
        let path = file.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
        match changed(&files[&path], &change) {
            Some(content) => drop(files.insert(path, content)),
            None => drop(files.remove(&path)),
        }
        match validate(&files, None) {
            Ok(read) => prop_assert_eq!(validate(&written(&read), None), Ok(read)),
            Err(problem) => prop_assert!(names_a_place(&files, &problem), "{problem}"),
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_passed_over_where_every_device_must_read_on_and_refused_elsewhere(
        org in orgs(), file: Index, at: Index
    ) {
        let mut files = written(&org);
        let path = file.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
        let mut lines: Vec<String> = String::from_utf8(files[&path].clone()).unwrap().lines().map(str::to_owned).collect();
        // At the beginning, or first in one of its tables.
        let tables = lines.iter().enumerate().filter(|(_, line)| line.starts_with('[')).map(|(n, _)| n + 1);
        let places: Vec<usize> = std::iter::once(0).chain(tables).collect();
        let place = *at.get(&places);
        // What is promised of a device may have any name, and is text.
        let of_tags = place > 0 && lines[place - 1] == "[tags]";
        lines.insert(place, "surprise = 1".to_owned());
        files.insert(path.clone(), lines.join("\n").into_bytes());
        let read_on = ["members/", "devices/", "revoked.toml"].iter().any(|of| path.starts_with(of)) && !of_tags;
        match validate(&files, None) {
            Ok(read) => prop_assert!(read_on && read == org, "{path}"),
            Err(problem) => {
                let named = names_a_place(&files, &problem) && problem.why.as_deref().is_some_and(|why| why.starts_with(&path));
                prop_assert!(!read_on && named, "{problem}");
            }
        }
    }

    #[test]
    fn what_does_not_agree_is_refused_and_said(org in orgs()) {
        for (words, harm) in HARMS {
            let mut org = org.clone();
            harm(&mut org);
            let files = written(&org);
            let problem = validate(&files, None).unwrap_err();
            prop_assert!(problem.to_string().contains(words) && names_a_place(&files, &problem), "{words}: {problem}");
        }
    }
}
