//! An org with several owners: who signs, what waits, and that nothing freezes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::*;
use domain::org::{Device as OrgDevice, Member, MemberKey, Org};
use domain::{Did, Kind, Oid, PatchId, Rid, role::Role};
use forge::*;

/// Owners with running nodes that are connected to the first's, and their org.
struct Crew {
    rid: Rid,
    owners: Vec<Device>,
    nodes: Vec<Node>,
}

fn member(name: &str, device: &Device, roles: &[Role]) -> Member {
    let key = MemberKey { did: device.forge.member(), device: device.forge.device() };
    Member { name: name.into(), roles: roles.to_vec(), standby: None, keys: vec![key] }
}

fn text(value: &impl serde::Serialize) -> Option<Vec<u8>> {
    Some(toml::to_string_pretty(value).unwrap().into_bytes())
}

fn listed(name: &str, device: &Device, roles: &[Role]) -> Vec<(String, Option<Vec<u8>>)> {
    let at = OrgDevice::new(format!("{name}-laptop"), device.forge.device(), name);
    vec![(format!("members/{name}.toml"), text(&member(name, device, roles))), (format!("devices/{name}-laptop.toml"), text(&at))]
}

fn threshold(owners: u32) -> Vec<(String, Option<Vec<u8>>)> {
    vec![("org.toml".into(), text(&Org { version: 1, name: "acme".parse().unwrap(), threshold: owners }))]
}

fn note(name: &str, words: &str) -> Vec<(String, Option<Vec<u8>>)> {
    vec![(format!("policy/{name}.cedar"), Some(words.as_bytes().to_vec()))]
}

impl Crew {
    /// Everybody becomes an owner, one after the other, over the wire.
    fn of(names: &[&str]) -> Self {
        let owners: Vec<Device> = names.iter().map(|name| Device::new(name)).collect();
        let founder = member(names[0], &owners[0], &[Role::Owner]);
        let at = OrgDevice::new(format!("{}-laptop", names[0]), owners[0].forge.device(), names[0]);
        let org = Org { version: 1, name: "acme".parse().unwrap(), threshold: 1 };
        let rid = owners[0].forge.create_org(&org, &founder, &at).unwrap();
        let nodes: Vec<Node> = owners.iter().map(Device::node).collect();
        let crew = Self { rid, owners, nodes };
        for (n, name) in names.iter().enumerate().skip(1) {
            crew.change(0, &format!("Take {name} in"), &listed(name, &crew.owners[n], &[Role::Owner])).unwrap();
            // A majority of the owners lets somebody read.
            let device = crew.forge(n).device();
            crew.until("the newcomer may read", |crew| crew.document(0).to_string().contains(device.as_str()));
            crew.connect(n);
            let (first, address) = (crew.forge(0).device(), crew.nodes[0].listen_address());
            crew.forge(n).clone_project(&crew.rid, &first, address, &crew.nodes[n]).unwrap();
            crew.until(&format!("{name} signs"), |crew| crew.forge(0).delegates(&crew.rid).unwrap().len() == n + 1);
            crew.until("all see it", |crew| crew.agree());
        }
        crew
    }

    fn connect(&self, n: usize) {
        self.nodes[n].connect(&self.forge(0).device(), self.nodes[0].listen_address().unwrap()).unwrap();
    }

    /// Both fetch from each other.
    fn exchange(&self, n: usize) -> Result<(), domain::Problem> {
        self.nodes[n].fetch(&self.rid, &self.forge(0).device())?;
        self.nodes[0].fetch(&self.rid, &self.forge(n).device())
    }

    /// As devices do that are not connected: a session in which only one of them believes is ended.
    fn meet_anew(&self, n: usize) {
        let _ = self.nodes[0].disconnect(&self.forge(n).device());
        let _ = self.nodes[n].disconnect(&self.forge(0).device());
        let _ = self.nodes[n].connect(&self.forge(0).device(), self.nodes[0].listen_address().unwrap());
    }

    fn forge(&self, n: usize) -> &Forge {
        &self.owners[n].forge
    }

    fn key(&self, n: usize) -> Did {
        self.forge(n).member()
    }

    fn change(&self, n: usize, what: &str, files: &[(String, Option<Vec<u8>>)]) -> Result<Changed, domain::Problem> {
        self.forge(n).change_or_propose(&self.rid, what, files)
    }

    fn proposed(&self, n: usize, what: &str, files: &[(String, Option<Vec<u8>>)]) -> PatchId {
        match self.change(n, what, files).unwrap() {
            Changed::Proposed(id) => id,
            Changed::InForce(commit) => panic!("{what} is in force at once, as {commit}"),
        }
    }

    fn head(&self, n: usize) -> Oid {
        self.forge(n).org_head(&self.rid).unwrap()
    }

    fn agree(&self) -> bool {
        self.here().into_iter().all(|n| self.head(n) == self.head(0))
    }

    /// Those who have the org repository already.
    fn here(&self) -> Vec<usize> {
        (0..self.owners.len()).filter(|n| self.forge(*n).repositories().unwrap().contains(&self.rid)).collect()
    }

    /// The identity document at a device.
    fn document(&self, n: usize) -> serde_json::Value {
        let path = self.owners[n].path("rad").join("storage").join(self.rid.as_str().trim_start_matches("rad:"));
        serde_json::from_str(&git(&path, &["show", "refs/rad/id:embeds/radicle.json"])).unwrap()
    }

    /// How many must sign, as Radicle enforces it at a device.
    fn enforced(&self, n: usize) -> u64 {
        self.document(n)["threshold"].as_u64().unwrap()
    }

    fn has(&self, n: usize, name: &str) -> bool {
        self.forge(n).read(&self.rid, &self.head(n), &format!("policy/{name}.cedar")).unwrap().is_some()
    }

    /// Approves a proposal as it is seen there now.
    fn approve(&self, n: usize, id: &PatchId) {
        let seen = self.forge(n).proposals(&self.rid).unwrap().into_iter().find(|p| p.id == *id).unwrap();
        self.forge(n).approve(&self.rid, id, &seen.revision).unwrap();
    }

    /// Does what each device does by itself, until something holds.
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let events = self.nodes[0].events();
        until(&events, what, || {
            for n in self.here() {
                self.forge(n).settle_org(&self.rid).unwrap();
                self.forge(n).keep_org_charter(&self.rid).unwrap();
                // As devices do now and then: an announcement may be lost.
                if n > 0 && self.exchange(n).is_err() {
                    self.meet_anew(n);
                }
            }
            holds(self)
        });
    }
}

#[test]
fn below_the_threshold_a_change_waits_until_enough_owners_approve_it() {
    let crew = Crew::of(&["ada", "bob"]);
    crew.change(0, "Two sign", &threshold(2)).unwrap();
    crew.until("Radicle itself enforces it", |crew| crew.enforced(0) == 2 && crew.enforced(1) == 2 && crew.agree());

    let id = crew.proposed(0, "A rule", &note("rule", "permit();"));
    assert!(!crew.has(0, "rule"), "one signature is not enough");
    crew.until("Bob sees it", |crew| crew.forge(1).proposals(&crew.rid).unwrap().iter().any(|p| p.id == id));
    let seen = crew.forge(1).proposals(&crew.rid).unwrap().into_iter().find(|p| p.id == id).unwrap();
    assert_eq!((seen.title.as_str(), seen.needed, seen.approved, seen.standing), ("A rule", 2, vec![crew.key(0)], Standing::Waits));
    assert_eq!(seen.files, ["policy/rule.cedar"]);
    let other = "0".repeat(40).parse().unwrap();
    assert!(crew.forge(1).approve(&crew.rid, &id, &other).is_err(), "not what he looked at");
    assert_eq!((seen.revision.as_str(), seen.author), (id.as_str(), crew.key(0)));
    // His approval is enough, and her device has still to sign what it is for.
    let approved = crew.forge(1).approve(&crew.rid, &id, &seen.revision).unwrap();
    assert_eq!((seen.unsigned, approved), (vec![], Approved::Waits(vec![crew.key(0)])));
    crew.until("it is in force everywhere", |crew| crew.has(0, "rule") && crew.has(1, "rule") && crew.agree());
    crew.until("it waits no more", |crew| crew.forge(1).proposals(&crew.rid).unwrap().iter().all(|p| p.id != id));

    // Who decides late is told what became of it, whatever that is.
    let decided = |n: usize, id: &PatchId| crew.forge(n).decided(&crew.rid, &id.as_str()[..8]).unwrap();
    let told = decided(1, &id).unwrap();
    assert!(told.what.ends_with("(“A rule”) is in force already.") && told.why.unwrap().contains("ada"));
    let closed = crew.proposed(0, "Another rule", &note("other", "permit();"));
    assert!(decided(0, &closed).is_none(), "it waits");
    crew.forge(0).reject(&crew.rid, &closed).unwrap();
    let told = decided(0, &closed).unwrap();
    assert!(told.what.ends_with("(“Another rule”) is closed.") && told.why.unwrap().starts_with("It was closed by ada on 20"));
    assert_eq!(crew.forge(0).reject(&crew.rid, &closed).unwrap_err().what, told.what);

    // A change by hand, past all of this: one signature moves nothing.
    let before = crew.head(1);
    let by_hand = [("org.toml".to_owned(), Some(b"version = 1\nname = \"acme\"\nthreshold = 1\n".to_vec()))];
    let _ = crew.forge(0).commit_files(&crew.rid, "By hand\n", &by_hand, None);
    crew.until("nothing of it is in force", |crew| crew.agree());
    assert_eq!((crew.head(1), crew.forge(1).org_state(&crew.rid).unwrap().org.threshold), (before, 2));
}

#[test]
fn two_proposals_at_once_come_into_force_one_after_the_other() {
    let crew = Crew::of(&["ada", "bob"]);
    crew.change(0, "Two sign", &threshold(2)).unwrap();
    crew.until("the threshold is two", |crew| crew.enforced(0) == 2 && crew.enforced(1) == 2 && crew.agree());
    let (a, b) = (crew.proposed(0, "A", &note("a", "1")), crew.proposed(1, "B", &note("b", "2")));
    crew.until("both see both", |crew| {
        (0..2).all(|n| [&a, &b].iter().all(|id| crew.forge(n).proposals(&crew.rid).unwrap().iter().any(|p| p.id == **id)))
    });
    // Crosswise and without a look at each other: each votes for the other's first.
    crew.approve(0, &b);
    crew.approve(1, &a);
    crew.until("one is in force", |crew| crew.agree() && (crew.has(0, "a") || crew.has(0, "b")));
    let left = if crew.has(0, "a") { &b } else { &a };
    // The other was overtaken: it is made anew by the next approval, and approved again.
    crew.until("the rest is behind", |crew| {
        crew.forge(0).proposals(&crew.rid).unwrap().iter().any(|p| p.id == *left && p.standing == Standing::Behind)
    });
    crew.approve(0, left);
    crew.until("it reaches the other", |crew| {
        crew.forge(1).proposals(&crew.rid).unwrap().iter().any(|p| p.id == *left && p.standing == Standing::Waits)
    });
    crew.approve(1, left);
    crew.until("both are in force", |crew| crew.agree() && (0..2).all(|n| crew.has(n, "a") && crew.has(n, "b")));
}

#[test]
fn two_owners_who_change_the_org_at_once_do_not_freeze_it() {
    let crew = Crew::of(&["ada", "bob", "cid"]);
    for round in 0..2 {
        // Nobody hears of anybody.
        for n in 1..3 {
            crew.nodes[0].disconnect(&crew.forge(n).device()).unwrap();
        }
        for n in 0..3 {
            let made = crew.change(n, "Alone", &note(&format!("{round}-{n}"), "x")).unwrap();
            assert!(matches!(made, Changed::InForce(_)), "at a threshold of one it counts at once where it was made");
        }
        (1..3).for_each(|n| crew.meet_anew(n));
        crew.until("all have all", |crew| crew.agree() && (0..3).all(|n| (0..3).all(|m| crew.has(n, &format!("{round}-{m}")))));
    }
    // Both wrote one file: one counts, the other waits for a person, and the org goes on.
    for n in 1..3 {
        crew.nodes[0].disconnect(&crew.forge(n).device()).unwrap();
    }
    crew.change(0, "Hers", &note("same", "hers")).unwrap();
    crew.change(1, "His", &note("same", "his")).unwrap();
    (1..3).for_each(|n| crew.meet_anew(n));
    crew.until("one of them counts everywhere", |crew| {
        crew.agree() && crew.forge(2).proposals(&crew.rid).unwrap().iter().any(|p| matches!(p.standing, Standing::Conflicts(_)))
    });
    assert!(matches!(crew.change(2, "Goes on", &note("after", "x")).unwrap(), Changed::InForce(_)));
    crew.until("it goes on", |crew| crew.agree() && crew.has(0, "after"));
}

#[test]
fn an_owner_who_is_removed_signs_nothing_any_more() {
    let crew = Crew::of(&["ada", "bob"]);
    let mut files = vec![("members/bob.toml".to_owned(), None), ("devices/bob-laptop.toml".to_owned(), None)];
    let gone = |did: Did, kind: &str| format!("[[ended]]\ndid = \"{did}\"\nkind = \"{kind}\"\nat = 1\nwhy = \"left\"\n");
    let both = gone(crew.key(1), "member") + &gone(crew.forge(1).device(), "device");
    files.push(("revoked.toml".into(), Some(both.into_bytes())));
    crew.change(0, "Remove bob", &files).unwrap();
    crew.until("one delegate is left", |crew| crew.forge(0).delegates(&crew.rid).unwrap() == [crew.key(0)]);
    // Whoever was removed may not have heard of it, and then believes in their own signature; nobody else does.
    let knows = crew.forge(1).delegates(&crew.rid).unwrap() == [crew.key(0)];
    let refused = crew.forge(1).change_or_propose(&crew.rid, "Still here", &note("late", "x"));
    assert!(!(knows && matches!(refused, Ok(Changed::InForce(_)))), "{refused:?}");
    crew.change(0, "On her own", &note("own", "x")).unwrap();
    assert!(crew.has(0, "own") && !crew.has(0, "late"));
    // A key that ended is listed by nobody again.
    let again = crew.change(0, "Bob again", &listed("bob", &crew.owners[1], &[Role::Viewer])).unwrap_err();
    assert!(again.kind == Kind::Invalid && again.to_string().contains("counts no more"), "{again}");
}

#[test]
fn what_does_not_fit_is_not_in_force_and_the_state_before_it_is() {
    let device = Device::new("ada");
    let at = OrgDevice::new("laptop", device.forge.device(), "ada");
    let org = Org { version: 1, name: "acme".parse().unwrap(), threshold: 1 };
    let rid = device.forge.create_org(&org, &member("ada", &device, &[Role::Owner]), &at).unwrap();
    let good = device.forge.org_state(&rid).unwrap();
    let broken = [("members/eve.toml".to_owned(), Some(b"name = \"eve\"\nroles = [\"king\"]\nkeys = []\n".to_vec()))];
    let head = device.forge.commit_files(&rid, "By hand\n", &broken, None).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    let refused = state.refused.clone().unwrap();
    assert_eq!((refused.commit, &state.members, &state.commit), (head, &good.members, &good.commit));
    assert!(refused.problem.to_string().contains("members/eve.toml, line 2"), "{}", refused.problem);
    // Nothing else can be changed on top of it until it is mended.
    let other = device.forge.change_org(&rid, "More", &note("more", "x")).unwrap_err();
    assert!(other.to_string().contains("members/eve.toml"), "{other}");
    device.forge.change_org(&rid, "Mend", &[("members/eve.toml".to_owned(), None)]).unwrap();
    assert_eq!(device.forge.org_state(&rid).unwrap().refused, None);
}

/// Lines of `revoked.toml`: the keys of a device and of its member are among those that were `revoked`, or `ended`.
fn counts_no_more(how: &str, of: &Device) -> String {
    let one = |did: Did, kind: &str| format!("[[{how}]]\ndid = \"{did}\"\nkind = \"{kind}\"\nat = 1\nwhy = \"stolen\"\n");
    one(of.forge.member(), "member") + &one(of.forge.device(), "device")
}

/// This as `revoked.toml`, and beside it what only a newer device understands.
fn newer(gone: String) -> [(String, Option<Vec<u8>>); 2] {
    [("quotas.toml".to_owned(), Some(b"version = 1\nof_tomorrow = 1\n".to_vec())), ("revoked.toml".to_owned(), Some(gone.into_bytes()))]
}

#[test]
fn a_revoked_key_counts_no_more_also_where_something_else_of_the_same_commit_cannot_be_read() {
    let (device, bob) = (Device::new("ada"), Device::new("bob"));
    let at = OrgDevice::new("laptop", device.forge.device(), "ada");
    let org = Org { version: 1, name: "acme".parse().unwrap(), threshold: 1 };
    let rid = device.forge.create_org(&org, &member("ada", &device, &[Role::Owner]), &at).unwrap();
    device.forge.change_org(&rid, "Take bob in", &listed("bob", &bob, &[Role::Developer])).unwrap();
    let gone = |of: &Device| counts_no_more("revoked", of);
    device.forge.commit_files(&rid, "By a newer one\n", &newer(gone(&bob)), None).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert!(state.refused.is_some() && state.is_gone(&bob.forge.device()) && state.is_gone(&bob.forge.member()));
    assert_eq!((state.device_of(&bob.forge.device()), state.member_of(&bob.forge.member())), (None, None));
    assert_eq!(state.owner_keys(), [device.forge.member()]);
    assert_eq!(state.revoked_for_good().next(), None, "a commit that is refused does nothing that cannot be undone");

    let back: [(String, Option<Vec<u8>>); 2] = ["quotas.toml", "revoked.toml"].map(|path| (path.to_owned(), None));
    device.forge.change_org(&rid, "Taken back", &back).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert!(state.refused.is_none() && state.device_of(&bob.forge.device()).is_some() && state.member_of(&bob.forge.member()).is_some());

    // That nobody could change the org any more is no safer: whoever is left to mend it stays.
    device.forge.commit_files(&rid, "By a newer one\n", &newer(gone(&bob) + &gone(&device)), None).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert_eq!((state.owner_keys(), state.is_gone(&device.forge.device())), (vec![device.forge.member()], false));
    assert!(state.is_gone(&bob.forge.device()), "the others' count all the same");
}

#[test]
fn a_key_that_ended_before_and_turned_out_to_be_stolen_is_revoked() {
    let (device, bob) = (Device::new("ada"), Device::new("bob"));
    let at = OrgDevice::new("laptop", device.forge.device(), "ada");
    let org = Org { version: 1, name: "acme".parse().unwrap(), threshold: 1 };
    let rid = device.forge.create_org(&org, &member("ada", &device, &[Role::Owner]), &at).unwrap();
    let ended = counts_no_more("ended", &bob).into_bytes();
    device.forge.change_org(&rid, "Bob left", &[("revoked.toml".to_owned(), Some(ended))]).unwrap();
    let both = |state: &OrgState| (state.revoked.len(), state.ended.len());
    assert_eq!(both(&device.forge.org_state(&rid).unwrap()), (0, 2));

    device.forge.commit_files(&rid, "By a newer one\n", &newer(counts_no_more("revoked", &bob)), None).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert!(state.refused.is_some());
    assert_eq!(both(&state), (2, 0), "each is in one list, in the graver one");
    assert_eq!(state.revoked_for_good().next(), None);
    device.forge.change_org(&rid, "Mend", &[("quotas.toml".to_owned(), None)]).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert_eq!((state.refused.is_none(), both(&state)), (true, (2, 0)));
    assert!(state.revoked_for_good().eq([&bob.forge.member(), &bob.forge.device()]));
}

/// Stands for whoever knows what policies are.
fn no_nonsense(files: &std::collections::BTreeMap<String, Vec<u8>>) -> Result<(), domain::Problem> {
    let wrong = files.iter().find(|(path, content)| path.starts_with("policy/") && content.starts_with(b"nonsense"));
    wrong.map_or(Ok(()), |(path, _)| Err(domain::Problem::invalid(format!("{path}, line 1: nonsense."))))
}

#[test]
fn a_policy_with_mistakes_is_not_taken_and_hides_nothing_else_of_the_org() {
    let (device, bob) = (Device::new("ada"), Device::new("bob"));
    device.forge.check_org_with(no_nonsense);
    let at = OrgDevice::new("laptop", device.forge.device(), "ada");
    let org = Org { version: 1, name: "acme".parse().unwrap(), threshold: 1 };
    let rid = device.forge.create_org(&org, &member("ada", &device, &[Role::Owner]), &at).unwrap();
    let refused = device.forge.change_org(&rid, "Rules", &note("team", "nonsense")).unwrap_err();
    assert!(refused.to_string().contains("policy/team.cedar, line 1"), "{refused}");
    // By hand it gets in all the same. Then members are still let in and taken out.
    device.forge.commit_files(&rid, "By hand\n", &note("team", "nonsense"), None).unwrap();
    device.forge.change_org(&rid, "Take bob in", &listed("bob", &bob, &[Role::Viewer])).unwrap();
    let state = device.forge.org_state(&rid).unwrap();
    assert!(state.refused.is_none() && state.members.contains_key("bob"), "{state:?}");
    device.forge.change_org(&rid, "More", &note("more", "nonsense")).unwrap_err();
    device.forge.change_org(&rid, "Mend", &note("team", "sense")).unwrap();
}
