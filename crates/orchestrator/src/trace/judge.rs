//! The links of a chain, each judged by itself: one that was tampered with fails alone, and says why.

mod merge;

use super::{
    evidence::{Evidence, Published},
    short,
};
use crate::rights::Rights;
use domain::{
    Did, Oid, Timestamp,
    manifest::{Manifest, Work},
    patch::{Judged, Trace},
    run::CheckResult,
    trace::{How, Link, Step, Verdict},
};
use forge::{CommitSignature, PatchEntry};
use identity::{
    Checked, Delegation, Envelope, checked,
    delegation::{Purpose, Scope},
    envelope,
};
use policy::Resource;
use serde_json::Value;

/// The links, in order.
pub(super) fn links(e: &Evidence) -> Vec<Link> {
    let mut links = Vec::new();
    if let Some(published) = &e.published {
        links.extend([patch(published), revision(published, &e.journal.events)]);
    }
    match &e.claims {
        Some(claims) => {
            let said = Said::of(claims);
            links.extend([run(e, claims, &said), key(e, &said), delegation(e, claims), agent(e, claims, &said)]);
            links.extend([member(e, claims, &said), device(e, &said), task(e, claims, &said), spec(e, claims, &said)]);
            links.extend(e.published.as_ref().map(|published| checks(e, claims, published)));
        }
        None => links.extend(e.published.as_ref().map(|published| not_by_a_run(e, published))),
    }
    if let Some(published) = &e.published {
        links.extend(reviews(e, published));
        links.extend(e.merge.iter().flat_map(|merge| merge::merged(e, published, merge)));
    }
    links
}

/// What the signed statements say; those that do not verify say nothing.
struct Said {
    manifest: Result<Manifest, String>,
    delegation: Option<Delegation>,
    /// The delegation's own words, whoever signed them: only to compare the key with.
    delegated: Option<Did>,
}

impl Said {
    fn of(claims: &Trace) -> Self {
        let delegation = read(&claims.delegation);
        Self {
            manifest: read(&claims.asked)
                .and_then(|sealed| identity::manifest::open(&sealed, |_| true).map(|(manifest, _)| manifest).map_err(|p| p.what)),
            delegated: delegation
                .as_ref()
                .ok()
                .and_then(|sealed| serde_json::from_slice::<Delegation>(sealed.payload()).ok())
                .map(|d| d.key),
            delegation: delegation.ok().and_then(|sealed| Delegation::read(&sealed, |_| true).ok()),
        }
    }

    /// What manifest and delegation say of something, each as far as it verifies.
    fn of_both<T>(&self, asked: impl Fn(&Manifest) -> Option<T>, delegated: impl Fn(&Delegation) -> Option<T>) -> Vec<T> {
        self.manifest.as_ref().ok().and_then(asked).into_iter().chain(self.delegation.as_ref().and_then(delegated)).collect()
    }

    /// The signatures by which they say it.
    fn signatures(&self) -> Vec<How> {
        let manifest = self.manifest.as_ref().ok().map(|m| How::Signature { of: "the manifest".into(), key: m.requester.clone() });
        let delegation = self.delegation.as_ref().map(|d| How::Signature { of: "the delegation".into(), key: d.device.clone() });
        manifest.into_iter().chain(delegation).collect()
    }
}

fn read(sealed: &Value) -> Result<Envelope, String> {
    let bytes = serde_json::to_vec(sealed).map_err(|e| e.to_string())?;
    Envelope::from_json(&bytes).map_err(|p| p.what)
}

/// The device that signed a delegation of this key.
pub(super) fn delegating(claims: &Trace, key: &Did) -> Option<Did> {
    let delegation = Delegation::read(&read(&claims.delegation).ok()?, |_| true).ok()?;
    (delegation.key == *key).then_some(delegation.device)
}

/// One link that is being judged: what it was checked by, and the first thing that speaks against it.
#[derive(Default)]
struct Case {
    how: Vec<How>,
    against: Option<String>,
}

impl Case {
    fn check(&mut self, holds: bool, against: impl Into<String>) {
        if !holds && self.against.is_none() {
            self.against = Some(against.into());
        }
    }

    fn by(&mut self, how: impl IntoIterator<Item = How>) {
        self.how.extend(how);
    }

    fn listed<T>(&mut self, found: Result<(T, How), String>) -> Option<T> {
        match found {
            Ok((thing, how)) => {
                self.how.push(how);
                Some(thing)
            }
            Err(why) => {
                self.check(false, why);
                None
            }
        }
    }

    fn link(self, step: Step, what: impl Into<String>) -> Link {
        Link { step, what: what.into(), how: self.how, verdict: Verdict::of(self.against) }
    }
}

impl Evidence {
    /// Looks something up in the org repository: as it is now; for what was merged, as it was when the run began. A merge that only
    /// the patch speaks of is none: else who was removed could date a patch back, and write one.
    fn listed<T>(&self, what: &str, find: impl Fn(&Rights) -> Option<(T, String)>) -> Result<(T, How), String> {
        self.listed_of(&[], what, find)
    }

    /// The same of what these keys were to the org, as it was then also where that of them stays.
    fn listed_of<T>(&self, keys: &[&Did], what: &str, find: impl Fn(&Rights) -> Option<(T, String)>) -> Result<(T, How), String> {
        let look = |at: &Rights| find(at).map(|(thing, file)| (thing, How::Listed { file, commit: at.state.commit.clone() }));
        let then = self.then.as_ref().and_then(look);
        let stays = || !keys.is_empty() && keys.iter().all(|key| self.stays(key));
        match (look(&self.now), then) {
            (Some(found), _) => Ok(found),
            (None, Some(found)) if self.is_merged() || stays() => Ok(found),
            (None, Some((_, then))) => Err(format!("the org repository lists {what} no more; {}", then.text())),
            (None, None) => Err(format!("the org repository does not list {what}")),
        }
    }

    /// Whether the revision is still taken of a key that ended since: it was not lost, and a journal tells of the revision, which the org's
    /// devices follow only as long as its device is listed. So who was removed can date a patch back only by a device that had not heard of
    /// the removal (decision 011); that it is approved is asked for in any case.
    fn stays(&self, key: &Did) -> bool {
        let (state, made) = (&self.now.state, self.published.as_ref().map(|published| published.revision.at));
        let before = state.gone(key).is_some_and(|gone| made.is_some_and(|made| made <= gone.at));
        self.told && before && !state.is_lost(key)
    }

    fn device(&self, key: &Did) -> Result<(String, How), String> {
        let find = |at: &Rights| at.state.device_of(key).map(|d| (d.name.clone(), format!("devices/{}.toml", d.name)));
        self.listed_of(&[key], &format!("the device {key}"), find)
    }

    fn member(&self, key: &Did, action: &str, about: &Resource) -> Result<(String, How), String> {
        self.member_of(&[], key, action, about)
    }

    /// The same, as [`Evidence::listed_of`] these keys.
    fn member_of(&self, keys: &[&Did], key: &Did, action: &str, about: &Resource) -> Result<(String, How), String> {
        let find = |at: &Rights| {
            let member = at.state.member_of(key).filter(|member| at.member_may(member, action, about))?;
            Some((member.name.clone(), format!("members/{}.toml", member.name)))
        };
        self.listed_of(keys, &format!("a member with the key {key} whom its policy lets do {action}"), find)
    }

    fn journal(&self, event: &'static str) -> Option<How> {
        journal(&self.journal.events, event)
    }
}

fn journal(events: &[(u64, &'static str)], event: &'static str) -> Option<How> {
    events.iter().rev().find(|(_, name)| *name == event).map(|(seq, name)| How::Journal { seq: *seq, event: (*name).to_owned() })
}

/// The signature of an entry of the patch.
fn signed(case: &mut Case, entry: Option<&PatchEntry>, of: &str) {
    match entry {
        Some(entry) if entry.fits => case.by([How::Signature { of: of.to_owned(), key: entry.by.clone() }]),
        Some(entry) => case.check(false, format!("the signature of {of}, {}, does not fit", short(entry.id.as_str()))),
        None => case.check(false, format!("{of} is not in the repository")),
    }
}

fn patch(published: &Published) -> Link {
    let mut case = Case::default();
    let root = published.entries.iter().find(|entry| entry.id.as_str() == published.patch.id.as_str());
    signed(&mut case, root, "its first entry");
    case.check(root.is_none_or(|root| root.by == published.patch.author), "it was opened by another key");
    case.link(Step::Patch, format!("{} {}", short(published.patch.id.as_str()), published.patch.title))
}

fn revision(published: &Published, events: &[(u64, &'static str)]) -> Link {
    let (mut case, revision) = (Case::default(), &published.revision);
    let entry = published.entries.iter().find(|entry| entry.id.as_str() == revision.id.as_str());
    signed(&mut case, entry, "the revision");
    case.check(entry.is_none_or(|entry| entry.by == revision.author), "it was made by another key");
    let told = entry.is_none_or(|entry| entry.does("revision", "oid", revision.head.as_str()));
    case.check(told, "it names another commit");
    case.by(journal(events, "patch_published"));
    case.link(Step::Revision, format!("{} commit {}", short(revision.id.as_str()), short(revision.head.as_str())))
}

fn run(e: &Evidence, claims: &Trace, said: &Said) -> Link {
    let mut case = Case::default();
    match &said.manifest {
        Err(why) => case.check(false, format!("its manifest does not verify: {why}")),
        Ok(manifest) => {
            let hash = read(&claims.asked).map(|sealed| envelope::hash(&sealed)).unwrap_or_else(|_| claims.manifest.clone());
            case.by([How::Signature { of: "its manifest".into(), key: manifest.requester.clone() }]);
            case.check(
                hash == claims.manifest,
                format!("its manifest hashes to {}…, and not to {}…", short(hash.as_str()), short(claims.manifest.as_str())),
            );
            case.by([How::Hash { of: "its manifest".into(), hash }]);
            case.check(manifest.org == e.org, format!("it is a run of the org {}, and this is {}", manifest.org, e.org));
            case.check(manifest.run == claims.run, format!("its manifest is for the run {}", manifest.run));
            if let Work::Task { repository, base, .. } = &manifest.work {
                case.check(*repository == e.project.rid, format!("its manifest is for the repository {repository}"));
                let stands_on = e.published.as_ref().is_none_or(|p| p.revision.base == *base);
                case.check(stands_on, format!("it was to begin from the commit {}", short(base.as_str())));
            }
        }
    }
    let other = e.journal.run.as_ref().is_some_and(|run| run.manifest.as_ref().is_some_and(|hash| *hash != claims.manifest));
    case.check(!other, "this device's journal has another manifest for it");
    case.by(e.journal("run_placed"));
    case.by(e.journal("run_leased"));
    case.link(Step::Run, claims.run.to_string())
}

fn key(e: &Evidence, said: &Said) -> Link {
    let mut case = Case::default();
    let known = e.journal.run.as_ref().and_then(|run| run.key.as_ref());
    let own = e.published.as_ref().map(|p| &p.revision.author).or(known);
    let Some(own) = own else {
        return Link {
            step: Step::Key,
            what: "none".into(),
            how: vec![],
            verdict: Verdict::Unknown { why: "it has not reported one".into() },
        };
    };
    if let Some(published) = &e.published {
        match &published.commit.signature {
            CommitSignature::By(key) if key == own => case.by([How::Signature { of: "the commit".into(), key: key.clone() }]),
            CommitSignature::By(key) => case.check(false, format!("the commit is signed by another key, {key}")),
            CommitSignature::Missing => case.check(false, "the commit is not signed"),
            CommitSignature::Broken => case.check(false, "the commit's signature does not fit"),
        }
    }
    if let Some(delegated) = &said.delegated {
        case.check(delegated == own, format!("the delegation is for another key, {delegated}"));
    }
    case.check(known.is_none_or(|known| known == own), "this device's journal has another key for the run");
    case.by(e.journal("run_delegated"));
    case.link(Step::Key, own.to_string())
}

fn delegation(e: &Evidence, claims: &Trace) -> Link {
    let mut case = Case::default();
    let opened = read(&claims.delegation).and_then(|sealed| Delegation::read(&sealed, |_| true).map_err(|p| p.what));
    let delegation = match opened {
        Ok(delegation) => delegation,
        Err(why) => {
            case.check(false, format!("it does not verify: {why}"));
            return case.link(Step::Delegation, "unreadable");
        }
    };
    case.by([How::Signature { of: "it".into(), key: delegation.device.clone() }]);
    case.check(delegation.run == claims.run, format!("it is for another run, {}", delegation.run));
    case.check(delegation.manifest == claims.manifest, "it is for another manifest");
    case.by([How::Hash { of: "the manifest that it names".into(), hash: delegation.manifest.clone() }]);
    case.check(delegation.allows(Scope::Publish), "it does not let the key publish");
    if let Some(published) = &e.published {
        let at = published.revision.at;
        case.check(holds(&delegation, at), format!("it did not hold when the revision was made, at {}", at.rfc3339()));
    }
    case.by(e.journal("run_delegated"));
    case.link(Step::Delegation, format!("from {} until {}", delegation.from.rfc3339(), delegation.until.rfc3339()))
}

/// Radicle tells times in whole seconds.
fn holds(delegation: &Delegation, at: Timestamp) -> bool {
    at.0 >= delegation.from.0 / 1000 * 1000 && at.0 < delegation.until.0
}

/// Compares what the patch claims with what manifest and delegation say.
fn agreed<T: PartialEq + std::fmt::Display>(case: &mut Case, said: &Said, what: &str, claimed: &T, found: Vec<T>) {
    case.by(said.signatures());
    case.check(!found.is_empty(), format!("neither manifest nor delegation verifies, which would name the {what}"));
    if let Some(other) = found.iter().find(|found| *found != claimed) {
        case.check(false, format!("the {what} that was asked is {other}"));
    }
}

fn agent(e: &Evidence, claims: &Trace, said: &Said) -> Link {
    let mut case = Case::default();
    let purpose = |purpose: Purpose| match purpose {
        Purpose::Task { agent, .. } => Some(agent),
        Purpose::Checks { .. } => None,
    };
    let found = said.of_both(|m| purpose(Purpose::of(&m.work)), |d| purpose(d.purpose.clone()));
    agreed(&mut case, said, "agent", &claims.agent, found);
    let find = |at: &Rights| {
        let (file, _) = at.state.agents.iter().find(|(_, agent)| agent.name == claims.agent)?;
        Some(((), format!("agents/{file}.toml")))
    };
    case.listed(e.listed(&format!("the agent {}", claims.agent), find));
    case.link(Step::Agent, format!("{} ({})", claims.agent, claims.engine))
}

fn member(e: &Evidence, claims: &Trace, said: &Said) -> Link {
    let mut case = Case::default();
    let found = said.of_both(|m| Some(m.member.clone()), |d| Some(d.member.clone()));
    agreed(&mut case, said, "member", &claims.member, found);
    let task = Resource::Task(claims.task.task.to_string(), e.project.name.to_string());
    let name = case.listed(e.member_of(&[&claims.member], &claims.member, "task.run", &task)).unwrap_or_else(|| "unknown".to_owned());
    case.link(Step::Member, format!("{name} {}", claims.member))
}

fn device(e: &Evidence, said: &Said) -> Link {
    let mut case = Case::default();
    let found = said.of_both(|m| Some(m.requester.clone()), |d| Some(d.device.clone()));
    let Some(own) = found.first().cloned() else {
        case.check(false, "neither manifest nor delegation verifies, which would name the device");
        return case.link(Step::Device, "unknown");
    };
    agreed(&mut case, said, "device", &own, found);
    let name = case.listed(e.device(&own)).unwrap_or_else(|| "unknown".to_owned());
    let member = said.of_both(|m| Some(m.member.clone()), |d| Some(d.member.clone()));
    let of_member = |at: &Rights| {
        let holder = at.state.members.values().find(|m| m.keys.iter().any(|k| k.device == own && member.contains(&k.did)))?;
        Some(((), format!("its key of {} in members/{}.toml", holder.name, holder.name)))
    };
    case.listed(e.listed_of(&[&own], "a key of that member on it", of_member));
    case.link(Step::Device, format!("{name} {own}"))
}

fn task(e: &Evidence, claims: &Trace, said: &Said) -> Link {
    let mut case = Case::default();
    let purpose = |purpose: Purpose| match purpose {
        Purpose::Task { task, .. } => Some(task),
        Purpose::Checks { .. } => None,
    };
    let found = said.of_both(|m| purpose(Purpose::of(&m.work)), |d| purpose(d.purpose.clone()));
    agreed(&mut case, said, "task", &claims.task, found);
    case.check(claims.task.project == e.project.name, format!("it is a task of the project {}", claims.task.project));
    if let Some(spec) = &e.spec {
        let place = format!("specs/{}/tasks.md at {}", claims.task.feature, short(claims.definitions.as_str()));
        case.check(spec.task, format!("it is not in {place}"));
        case.by(spec.task.then(|| How::Git { says: format!("it is in {place}") }));
    }
    case.link(Step::Task, claims.task.to_string())
}

fn spec(e: &Evidence, claims: &Trace, said: &Said) -> Link {
    let what = format!("{}…", short(claims.spec_hash.as_str()));
    let Some(seen) = &e.spec else {
        let why = format!("the commit {} with the spec is not on this device", short(claims.definitions.as_str()));
        return Link { step: Step::Spec, what, how: vec![], verdict: Verdict::Unknown { why } };
    };
    let mut case = Case::default();
    if let Ok(Manifest { work: Work::Task { spec_hash, definitions, .. }, requester, .. }) = &said.manifest {
        case.check(*spec_hash == claims.spec_hash && *definitions == claims.definitions, "the manifest names another spec");
        case.by([How::Signature { of: "the manifest that names it".into(), key: requester.clone() }]);
    }
    let at = |commit: &Oid| format!("the spec of {} at {}", claims.task.feature, short(commit.as_str()));
    case.check(seen.in_branch, format!("the commit {} was never on the default branch", short(claims.definitions.as_str())));
    case.check(seen.hash == claims.spec_hash, format!("{} hashes to {}…", at(&claims.definitions), short(seen.hash.as_str())));
    case.by((seen.hash == claims.spec_hash).then(|| How::Hash { of: at(&claims.definitions), hash: seen.hash.clone() }));
    if let Some((commit, hash)) = &seen.later {
        let when = if e.merge.is_some() { "before it was merged" } else { "and it is not merged yet" };
        let changed = *hash != claims.spec_hash && seen.hash == claims.spec_hash;
        case.check(!changed, format!("the spec changed after the run, {when}: {} hashes to {}…", at(commit), short(hash.as_str())));
        case.by((*hash == claims.spec_hash).then(|| How::Hash { of: at(commit), hash: hash.clone() }));
    }
    case.link(Step::Spec, what)
}

fn checks(e: &Evidence, claims: &Trace, published: &Published) -> Link {
    let what = outcome(&claims.checks);
    let Some(judged) = &claims.judged else {
        let why = "no results that their own run signed are in the patch".into();
        return Link { step: Step::Checks, what, how: vec![], verdict: Verdict::NotVerified { why } };
    };
    let mut case = Case::default();
    match judge(e, &mut case, judged, &published.revision.head) {
        Ok(results) => case.check(results == checked::without_output(&claims.checks), "the patch tells other results than were signed"),
        Err(why) => case.check(false, why),
    }
    case.by(e.journal("checks_ended"));
    case.link(Step::Checks, what)
}

/// Verifies signed results for a commit.
fn judge(e: &Evidence, case: &mut Case, judged: &Judged, commit: &Oid) -> Result<Vec<CheckResult>, String> {
    let delegation = read(&judged.delegation).and_then(|sealed| Delegation::read(&sealed, |_| true).map_err(|p| p.what));
    let delegation = delegation.map_err(|why| format!("the delegation of their run does not verify: {why}"))?;
    case.listed(e.device(&delegation.device));
    let checked = read(&judged.results).and_then(|sealed| Checked::read(&sealed, &delegation).map_err(|p| p.what));
    let checked = checked.map_err(|why| format!("the signed results do not verify: {why}"))?;
    case.check(checked.org == e.org && checked.project == e.project.name, "they are of another org or project");
    if checked.commit != *commit {
        return Err(format!("they are of another commit, {}", short(checked.commit.as_str())));
    }
    case.by([
        How::Signature { of: format!("what run {} found", checked.run), key: delegation.key.clone() },
        How::Signature { of: "the delegation of that run's key".into(), key: delegation.device },
    ]);
    Ok(checked.results)
}

fn outcome(results: &[CheckResult]) -> String {
    let failed: Vec<&str> = results.iter().filter(|r| !r.passed).map(|r| r.name.as_str()).collect();
    match (results.len(), failed.as_slice()) {
        (0, _) => "the project has none".to_owned(),
        (n, []) => format!("{n} passed"),
        (n, failed) => format!("{} of {n} failed: {}", failed.len(), failed.join(", ")),
    }
}

fn not_by_a_run(e: &Evidence, published: &Published) -> Link {
    let author = &published.revision.author;
    let who = match e.member(author, "patch.show", &published.about()) {
        Ok((name, _)) => format!("by a person, the member {name}"),
        Err(_) => format!("by the unknown key {author}"),
    };
    let why = format!("the revision was made {who}, not by a run");
    Link { step: Step::Run, what: "none".into(), how: vec![], verdict: Verdict::NotVerified { why } }
}

/// The reviews of members who may review; and what is missing where it was merged without enough.
fn reviews(e: &Evidence, published: &Published) -> Vec<Link> {
    let (mut links, mut accepted) = (Vec::new(), 0);
    for entry in published.entries.iter().filter(|entry| entry.does("review", "revision", published.revision.id.as_str())) {
        let mut case = Case::default();
        let verdict = verdict(published, entry);
        signed(&mut case, Some(entry), "the review");
        let member = e.member(&entry.by, "patch.review", &published.about());
        // What others say counts for nothing, and against nothing.
        if member.is_err() && entry.fits {
            continue;
        }
        let name = case.listed(member).unwrap_or_else(|| entry.by.to_string());
        case.by(e.journal("patch_reviewed"));
        accepted += u32::from(verdict == "accepted" && case.against.is_none());
        links.push(case.link(Step::Review, format!("{verdict} by {name}")));
    }
    let need = e.merge.as_ref().map_or(0, |merge| merge.approvals);
    if links.iter().all(|link| link.verdict == Verdict::Verified) && accepted < need {
        let were = if accepted == 1 { "was" } else { "were" };
        let why = format!("the project asked for {}, and {accepted} {were} given", domain::counted(need, "approval"));
        links.push(Link { step: Step::Review, what: "missing".into(), how: vec![], verdict: Verdict::NotVerified { why } });
    }
    links
}

/// What a review says in the end: its author may have changed it.
fn verdict(published: &Published, review: &PatchEntry) -> &'static str {
    let last = published.entries.iter().filter(|entry| entry.by == review.by && (entry.fits || entry.id == review.id)).flat_map(|entry| {
        let own = entry.id == review.id;
        // Radicle writes the second; the first is of older ones.
        let edits = |a: &Value| a["type"] == "review.edit.v2" || a["type"] == "review.edit";
        entry.actions.iter().filter(move |a| (own && a["type"] == "review") || (edits(a) && a["review"] == review.id.as_str()))
    });
    match last.last().and_then(|action| action["verdict"].as_str()) {
        Some("accept") => "accepted",
        Some("reject") => "changes requested",
        _ => "commented",
    }
}
