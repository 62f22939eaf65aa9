//! Where a patch comes from, by what this device knows itself. What stands in a patch, its trace among it, is its author's
//! word: anybody who can read a project can write one. So nothing is decided by it.

use crate::{
    lifecycle, limits,
    org::Org,
    picture::{self, Claims, Seen},
    rights::Rights,
    trace,
};
use domain::{
    Did, Hash, Kind, Oid, PatchId, Problem, TaskRef,
    event::kind,
    gate::{self, Missing},
    manifest::{Class, Work},
    patch::{Comment, Judged, Patch, Revision, Trace},
    project::Project,
    run::{Run, RunState},
};
use forge::OrgState;
use identity::{Checked, Delegation, Envelope, envelope};
use policy::Resource;
use serde_json::Value;
use std::cell::OnceCell;
use store::Order;

/// The form of traces that this build writes.
const TRACE_VERSION: u16 = 1;

/// What this device knows of runs and claims. Each is read when it is first asked for, and kept: for all that is judged at one moment, of
/// however many patches.
pub(crate) struct Known<'o> {
    pub(crate) org: &'o Org,
    runs: OnceCell<Result<Vec<Run>, Problem>>,
    seen: OnceCell<Result<Vec<Seen>, Problem>>,
    claims: OnceCell<Claims>,
}

impl<'o> Known<'o> {
    /// Of this org; nothing is read yet.
    pub(crate) fn of(org: &'o Org) -> Self {
        Self { org, runs: OnceCell::new(), seen: OnceCell::new(), claims: OnceCell::new() }
    }

    /// The runs of this journal, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn runs(&self) -> Result<&[Run], Problem> {
        self.runs.get_or_init(|| self.org.runs(limits::RUNS_MAX)).as_deref().map_err(Clone::clone)
    }

    /// The runs of the whole org, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn seen(&self) -> Result<&[Seen], Problem> {
        self.seen.get_or_init(|| picture::runs(self.org, limits::RUNS_MAX)).as_deref().map_err(Clone::clone)
    }

    /// What other devices claim, as far as it is verified.
    pub(crate) fn claims(&self) -> &Claims {
        self.claims.get_or_init(|| Claims::verified(self.org))
    }

    /// The task that a patch is for, if one of our runs opened or continued it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn task_of(&self, patch: &Patch) -> Result<Option<TaskRef>, Problem> {
        Ok(self.runs()?.iter().find(|run| run.patch.as_ref() == Some(&patch.id)).and_then(|run| run.task.clone()))
    }
}

/// Whether a run says that it made the latest revision, by its own key.
#[must_use]
pub fn made(run: &Run, patch: &Patch) -> bool {
    patch.revisions.last().is_some_and(|latest| made_revision(run, latest))
}

/// The same of any revision.
pub(crate) fn made_revision(run: &Run, revision: &Revision) -> bool {
    run.revision.as_ref() == Some(&revision.id) && run.key.as_ref() == Some(&revision.author) && run.commit.as_ref() == Some(&revision.head)
}

/// What travels with the patch of a run. Its envelopes are read and verified again, so that a run whose own were tampered
/// with publishes nothing.
///
/// # Errors
/// When something is missing, or does not verify.
pub fn trace(org: &Org, run: &Run) -> Result<Trace, Problem> {
    let missing = |what: &str| Problem::conflict(format!("The run {} has no {what}.", run.id));
    let (manifest, asked) = lifecycle::manifest(org, run)?;
    let delegation = lifecycle::sealed(org, run.delegation.as_ref().ok_or_else(|| missing("delegation"))?)?;
    Delegation::read(&delegation, |device| *device == run.requester)?.fits(&manifest, &envelope::hash(&asked))?;
    let Work::Task { task, agent, spec_hash, definitions, .. } = manifest.work else { return Err(missing("task")) };
    let known = org.state()?.agents.into_values().find(|known| known.name == agent);
    let json = |envelope: &Envelope| serde_json::to_value(envelope).map_err(Problem::internal);
    Ok(Trace {
        version: TRACE_VERSION,
        run: run.id.clone(),
        agent,
        engine: known.map(|known| known.engine.label().to_owned()).unwrap_or_default(),
        member: run.member.clone(),
        task,
        spec_hash,
        definitions,
        manifest: envelope::hash(&asked),
        asked: json(&asked)?,
        delegation: json(&delegation)?,
        judged: judged(org, run)?,
        checks: run.checks.clone(),
    })
}

/// The signed results of the checks on a commit, by the newest `ci` run that this device knows of and in which all passed; where there is
/// none, by the newest. A merge is signed by green ones, and the same commit may be checked here once more, as for another gate.
///
/// # Errors
/// When the journal cannot be read.
pub fn judged_commit(org: &Org, commit: &Oid) -> Result<Option<Judged>, Problem> {
    let runs: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
    let made: Vec<&Run> =
        runs.iter().filter(|r| r.class == Class::Ci && r.base.as_ref() == Some(commit) && r.state == RunState::Done).collect();
    let green = made.iter().find(|run| run.checks.iter().all(|check| check.passed));
    green.or(made.first()).map_or(Ok(None), |run| judged(org, run))
}

/// The signed results of the checks on a run's work, and the delegation by which they count, as this device keeps them.
///
/// # Errors
/// When they cannot be read.
pub fn judged(org: &Org, run: &Run) -> Result<Option<Judged>, Problem> {
    let blob = |hash: &Hash| -> Result<Option<Value>, Problem> {
        let bytes = org.store.blobs().get(hash)?;
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(Problem::internal)).transpose()
    };
    let Some(results) = run.checked.as_ref().map(blob).transpose()?.flatten() else { return Ok(None) };
    let envelope: Envelope = serde_json::from_value(results.clone()).map_err(Problem::internal)?;
    // Only to find the delegation: whoever uses the results verifies them by it.
    let said: Checked = serde_json::from_slice(envelope.payload()).map_err(Problem::internal)?;
    let by: Option<Run> = org.store.get(kind::RUN, said.run.as_str())?;
    let delegation = by.and_then(|by| by.delegation).as_ref().map(blob).transpose()?.flatten();
    Ok(delegation.map(|delegation| Judged { delegation, results }))
}

/// The patch with only those reviews that count: of members whom the org's policy lets review it. And with only those left out whose words
/// could shut its gate.
#[must_use]
pub fn with_counting_reviews(rights: &Rights, mut patch: Patch) -> Patch {
    patch.left_out = left_out(rights, &patch);
    let about = Resource::Patch(patch.id.to_string(), patch.project.to_string());
    let counts = |key: &Did| rights.state.member_of(key).is_some_and(|m| rights.member_may(m, "patch.review", &about));
    for revision in &mut patch.revisions {
        revision.reviews.retain(|review| counts(&review.by));
    }
    patch
}

/// Whose words a patch leaves out, of members whom the org's policy lets review it, and of their devices: nobody else can shut its gate by
/// saying what Radicle does not take.
#[must_use]
pub(crate) fn left_out(rights: &Rights, patch: &Patch) -> Vec<Did> {
    let (state, about) = (&rights.state, Resource::Patch(patch.id.to_string(), patch.project.to_string()));
    let mut keys = patch.left_out.clone();
    keys.retain(|key| state.member_of(key).or_else(|| state.owner_of(key)).is_some_and(|m| rights.member_may(m, "patch.review", &about)));
    keys
}

/// The patch as its gate counts it: with only the reviews that count, and each member under one key, whichever of theirs
/// they signed with.
#[must_use]
pub fn by_person(rights: &Rights, patch: Patch) -> Patch {
    let person = |key: &mut Did| {
        if let Some(first) = rights.state.member_of(key).and_then(|m| m.keys.first()) {
            *key = first.did.clone();
        }
    };
    let mut patch = with_counting_reviews(rights, patch);
    for revision in &mut patch.revisions {
        person(&mut revision.author);
        revision.reviews.iter_mut().for_each(|review| person(&mut review.by));
        // The last word of each person counts.
        revision.reviews.sort_by_key(|review| review.at);
    }
    patch.left_out.iter_mut().for_each(person);
    patch.left_out.sort_unstable();
    patch.left_out.dedup();
    patch
}

/// Who made the latest revision of a patch, as far as anybody's word counts. Read once for all that is decided about the patch: what was
/// signed is judged for it, link by link.
#[derive(Clone, Debug)]
pub(crate) enum Author {
    /// A member.
    Member,
    /// A run that this journal knows.
    Run(Box<Run>),
    /// A run of which this journal knows nothing: by what the device signed that asked for it.
    RunElsewhere,
    /// One that was removed from the org, and of whom this is not taken.
    Removed(Removed),
    /// Nobody that the org knows.
    Unknown,
    /// Why it cannot be told here now.
    Unread(Problem),
}

/// Of whom a patch is not taken any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    /// As people call the device, or the member.
    who: String,
    /// Whether a run of theirs made it; else they did it by hand.
    by_run: bool,
    /// Whether their keys were lost or stolen.
    lost: bool,
}

impl Removed {
    /// The one who made something by a key, or by a run of this device, where the org removed them.
    fn of(state: &OrgState, key: &Did, device: Option<&Did>) -> Option<Self> {
        let by_run = state.gone(key).is_none();
        let key = if by_run { device? } else { key };
        state.gone(key)?;
        let who = state.called(key).unwrap_or_else(|| key.to_string());
        Some(Self { who, by_run, lost: state.is_lost(key) })
    }

    /// To go on after what was made.
    fn text(&self) -> String {
        let who = &self.who;
        match (self.by_run, self.lost) {
            (true, true) => {
                format!("was made by a run of {who}, which was removed from the org as lost or stolen: nothing of it is taken any more.")
            }
            (true, false) => format!(
                "was made by a run of {who}, which was removed from the org: of it only that is taken which its journal told before, and as \
                 it is here it does not tell of this."
            ),
            (false, _) => format!("was made by {who}, whose key counts no more in this org."),
        }
    }
}

impl Author {
    /// Of a patch's latest revision.
    ///
    /// # Errors
    /// When the journal or the repositories cannot be read.
    pub(crate) fn of(known: &Known<'_>, state: &OrgState, project: &Project, patch: &Patch) -> Result<Self, Problem> {
        // By its own key, as the journal has it.
        if let Some(run) = known.runs()?.iter().find(|run| made(run, patch)) {
            return Ok(Self::of_run(state, run));
        }
        let Some(latest) = patch.revisions.last() else { return Ok(Self::Unknown) };
        if state.member_of(&latest.author).is_some() {
            return Ok(Self::Member);
        }
        if trace::made_by_a_run(known.org, project, patch)? {
            return Ok(Self::RunElsewhere);
        }
        let device = trace::delegated_by(latest);
        Ok(Removed::of(state, &latest.author, device.as_ref()).map_or(Self::Unknown, Self::Removed))
    }

    /// A run that this journal knows: whoever executed it, nothing is taken that a lost key asked for.
    fn of_run(state: &OrgState, run: &Run) -> Self {
        let lost = [&run.requester, &run.member].into_iter().find(|key| state.is_lost(key));
        let removed = lost.and_then(|key| Removed::of(state, key, None));
        removed.map_or_else(|| Self::Run(Box::new(run.clone())), |removed| Self::Removed(Removed { by_run: true, ..removed }))
    }

    /// The same after a while, by who was removed meanwhile; what was signed is not judged again.
    pub(crate) fn by_now(&self, state: &OrgState, patch: &Patch) -> Self {
        let removed = || {
            let latest = patch.revisions.last()?;
            Removed::of(state, &latest.author, trace::delegated_by(latest).as_ref())
        };
        let gone = match self {
            Self::Run(run) => return Self::of_run(state, run),
            Self::Member => removed(),
            // What it made before stays, unless its keys were lost.
            Self::RunElsewhere => removed().filter(|removed| removed.lost),
            Self::Removed(_) | Self::Unknown | Self::Unread(_) => None,
        };
        gone.map_or_else(|| self.clone(), Self::Removed)
    }

    /// The run, where this journal knows it.
    pub(crate) fn run(&self) -> Option<&Run> {
        match self {
            Self::Run(run) => Some(run),
            _ => None,
        }
    }

    /// Refuses a patch whose latest revision was made by neither a run of the org nor a member, or of whom nothing is taken any more.
    ///
    /// # Errors
    /// When nobody made it whose work is taken, or that cannot be told.
    pub(crate) fn known(&self, patch: &Patch) -> Result<(), Problem> {
        match (self, self.against()) {
            (Self::Unread(problem), _) => Err(problem.clone()),
            (_, Some(whom)) => {
                let what = format!("The latest revision of patch {} {whom}", patch.id);
                Err(Problem::new(Kind::Forbidden, what).next(gate::PROPOSE_ANEW))
            }
            (_, None) => Ok(()),
        }
    }

    /// The same, as the gate of the patch says it.
    pub(crate) fn missing(&self) -> Option<Missing> {
        self.against().map(|whom| Missing::MadeBy { whom })
    }

    fn against(&self) -> Option<String> {
        match self {
            Self::Member | Self::Run(_) | Self::RunElsewhere => None,
            Self::Removed(removed) => Some(removed.text()),
            Self::Unknown => Some("was made by a key that is neither a member's nor a run's of this org.".to_owned()),
            Self::Unread(problem) => Some(format!("was made by somebody who cannot be told here now: {problem}")),
        }
    }
}

/// A patch on which further work may stand.
///
/// # Errors
/// When it cannot be read, or nobody known made its latest revision.
pub fn known_patch(org: &Org, project: &Project, patch: &PatchId) -> Result<Patch, Problem> {
    let patch = org.forge.patch(&project.rid, &project.name, patch)?;
    Author::of(&Known::of(org), &org.state()?, project, &patch)?.known(&patch)?;
    Ok(patch)
}

/// What those whose word counts said of the latest revision: summaries of reviews, comments, and the lines they are about. What
/// strangers say is Radicle's to show, and no engine's to read.
#[must_use]
pub fn said(rights: &Rights, patch: Patch) -> Vec<String> {
    let patch = with_counting_reviews(rights, patch);
    let Some(latest) = patch.revisions.iter().find(|r| Some(&r.id) == gate::latest(&patch)) else { return vec![] };
    let by_member = |comment: &&Comment| rights.state.member_of(&comment.by).is_some();
    let placed = |comment: &Comment| {
        let place = comment.line.as_ref().map(|l| format!("{}:{}: ", l.path, l.line)).unwrap_or_default();
        format!("{place}{}", comment.words())
    };
    let mut said = Vec::new();
    for review in &latest.reviews {
        if !review.summary.trim().is_empty() {
            said.push(review.summary.clone());
        }
        said.extend(review.comments.iter().filter(by_member).map(placed));
    }
    said.extend(latest.comments.iter().filter(by_member).map(placed));
    said
}

/// Files of a patch that change the rules by which the project's work is done and judged: people should look at them.
///
/// # Errors
/// When the patch cannot be read.
pub fn rules_changed(org: &Org, project: &Project, patch: &Patch) -> Result<Vec<String>, Problem> {
    let rule = |path: &str| {
        path.starts_with(".meshwork/") || path.starts_with(".specify/") || path.ends_with(".gitattributes") || path == ".gitmodules"
    };
    let files = org.forge.changed_files(&project.rid, &patch.base, &patch.head)?;
    Ok(files.into_iter().map(|f| f.path).filter(|path| rule(path)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures;
    use domain::{
        Timestamp,
        org::{Device, KeyKind, Member, MemberKey, Revocation},
        patch::{Review, Verdict},
        role::Role,
    };

    fn key(seed: u8) -> Did {
        identity::Key::from_seed(&[seed; 32]).did()
    }

    fn member(name: &str, role: Role, keys: &[u8]) -> (String, Member) {
        let keys = keys.iter().map(|k| MemberKey { did: key(*k), device: key(99) }).collect();
        (name.into(), Member { name: name.into(), roles: vec![role], standby: None, keys })
    }

    /// Ada owns it with the keys 1 and 2, Bo develops with 3, Eve looks on with 4.
    fn crew() -> Rights {
        let members = [member("ada", Role::Owner, &[1, 2]), member("bo", Role::Developer, &[3]), member("eve", Role::Viewer, &[4])].into();
        fixtures::rights(OrgState { members, ..fixtures::state() })
    }

    fn patch(author: u8, reviews: Vec<Review>, comments: Vec<Comment>) -> Patch {
        fixtures::patch(&key(author), reviews, comments)
    }

    fn comment(by: u8, body: &str) -> Comment {
        fixtures::comment(&key(by), body)
    }

    /// Ada's org, which removed the device 98 of hers, and the member key 97 on it.
    fn without(lost: bool) -> OrgState {
        let gone =
            |seed, kind, name: &str| Revocation { did: key(seed), kind, at: Timestamp(0), why: String::new(), name: Some(name.into()) };
        let gone = vec![gone(98, KeyKind::Device, "old-box"), gone(97, KeyKind::Member, "ada")];
        let state = crew().state;
        if lost { OrgState { revoked: gone, ..state } } else { OrgState { ended: gone, ..state } }
    }

    #[test]
    fn what_a_gate_says_of_who_made_a_patch_the_merge_refuses() {
        let removed = |author: u8, device: Option<u8>, lost| {
            let (state, device) = (without(lost), device.map(key));
            Removed::of(&state, &key(author), device.as_ref()).map_or(Author::Unknown, Author::Removed)
        };
        let unread = Author::Unread(Problem::unavailable("The repository cannot be read."));
        for (author, words) in [
            (removed(50, Some(98), true), "by a run of old-box (removed), which was removed from the org as lost or stolen"),
            (removed(50, Some(98), false), "by a run of old-box (removed), which was removed from the org: of it only that is taken"),
            (removed(97, None, false), "by ada (removed), whose key counts no more"),
            (removed(50, Some(99), true), "neither a member's nor a run's"),
            (removed(50, None, true), "neither a member's nor a run's"),
            (unread, "The repository cannot be read."),
        ] {
            let refused = author.known(&patch(50, vec![], vec![])).unwrap_err().to_string();
            let told = author.missing().unwrap().text();
            assert!(refused.contains(words) && told.contains(words), "{words}: {refused} {told}");
        }
        assert!(Author::Member.known(&patch(1, vec![], vec![])).is_ok() && Author::Member.missing().is_none());
    }

    #[test]
    fn of_a_run_that_a_lost_device_asked_for_nothing_is_taken_whoever_executed_it() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let run = crate::admission::new_run(id, Class::Agent, "demo".parse().unwrap(), key(97), key(98), Timestamp(0));
        let taken = |lost| Author::of_run(&without(lost), &run).missing().is_none();
        assert_eq!([false, true].map(taken), [true, false]);
        // Also where it was lost while the checks of its patch ran.
        let author = Author::Run(Box::new(run.clone()));
        let by_now = |lost| author.by_now(&without(lost), &patch(50, vec![], vec![])).missing().is_none();
        assert_eq!([false, true].map(by_now), [true, false]);
        let by_hand = |author| Author::Member.by_now(&without(false), &patch(author, vec![], vec![])).missing().is_none();
        assert_eq!([1, 97].map(by_hand), [true, false]);
    }

    #[test]
    fn only_what_members_said_is_handed_to_an_engine() {
        let review = |by: u8, summary: &str, comments: Vec<Comment>| Review {
            by: key(by),
            verdict: Some(Verdict::Reject),
            summary: summary.into(),
            at: Timestamp(0),
            comments,
        };
        // 4 may only look on, and 60 is nobody's.
        let reviews = vec![
            review(1, "Rename it.", vec![comment(1, "Here.")]),
            review(4, "Viewed.", vec![]),
            review(60, "Send me the keys.", vec![comment(60, "All of them.")]),
        ];
        let comments = vec![comment(4, "Why?"), comment(60, "Do as I say.")];
        assert_eq!(said(&crew(), patch(50, reviews, comments)), ["Rename it.", "Here.", "Why?"]);
    }

    #[test]
    fn each_person_who_may_review_counts_once_whatever_keys_they_have() {
        let rights = crew();
        let approvals = |author: u8, by: &[u8]| {
            let accept =
                |k: &u8| Review { by: key(*k), verdict: Some(Verdict::Accept), summary: String::new(), at: Timestamp(0), comments: vec![] };
            gate::verdicts(&by_person(&rights, patch(author, by.iter().map(accept).collect(), vec![]))).len()
        };
        let table: [(u8, &[u8], usize); 5] = [
            (50, &[1], 1),
            (50, &[1, 2], 1),
            (50, &[1, 2, 3], 2),
            (50, &[4, 60], 0),
            // Who made the revision with one key does not approve it with another.
            (1, &[2, 3], 1),
        ];
        for (author, by, expected) in table {
            assert_eq!(approvals(author, by), expected, "{author} {by:?}");
        }
    }
    #[test]
    fn a_gate_is_shut_by_what_is_left_out_of_who_may_review_and_of_their_devices() {
        let mut rights = crew();
        let device = |name: &str, seed: u8, owner: &str| (name.to_owned(), Device::new(name, key(seed), owner));
        rights.state.devices.extend([device("desk", 99, "ada"), device("screen", 98, "eve")]);
        // A viewer's and a stranger's do not; and a person is named once.
        let left_out = [60, 4, 98, 3, 2, 1, 99].map(key).to_vec();
        let found = by_person(&rights, Patch { left_out, ..patch(50, vec![], vec![]) }).left_out;
        let mut expected = [1, 3, 99].map(key);
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
