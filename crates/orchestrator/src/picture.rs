//! The picture of the whole org: what this device's own journal tells, joined with the copies of the others'. It is shown, and forbids
//! what is another's: who decides or writes anything else asks the own journal. Which word counts says `domain::picture`.

mod checked;
mod removed;

use crate::{
    lifecycle, limits,
    org::Org,
    provenance,
    remote::{self, Copied},
    rights::Rights,
    stops,
};
pub(crate) use checked::{halted_with_its_checks, halted_with_their_checks};
use domain::{
    Did, Hash, PatchId, Problem, ProjectName, RunId, TaskRef,
    event::{kind, spent_by_run},
    patch::{Patch, PatchState, Revision},
    picture::{self, ClaimIn, RunIn, Whose},
    run::{Reason, Run, RunState},
    task::Claim,
    usage::Usage,
};
use forge::OrgState;
use policy::Resource;
use removed::{as_radicle_shows, is_removed, without_removed};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex, PoisonError},
};
use store::{Point, Seq};

/// A run, and from whose journal it is known, where that is another device's.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) run: Run,
    pub(crate) whose: Option<Whose>,
}

/// Runs of the whole org, newest first; of each journal at most so many.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn runs(org: &Org, limit: usize) -> Result<Vec<Seen>, Problem> {
    let copies = org.journals.all();
    let own = in_own(org, org.store.list_numbered::<Run>(kind::RUN, limit)?);
    let order: Vec<RunId> = own.iter().map(|version| version.run.id.clone()).collect();
    let known: HashSet<&RunId> = order.iter().collect();
    let mut versions: BTreeMap<RunId, Vec<RunIn>> = BTreeMap::new();
    let further = copies.iter().flat_map(|copied| in_copy(copied, read(copied, |c| c.list_numbered::<Run>(kind::RUN, limit))));
    for version in own.into_iter().chain(further) {
        versions.entry(version.run.id.clone()).or_default().push(version);
    }
    let elsewhere: Vec<RunId> = versions.keys().filter(|id| !known.contains(id)).cloned().collect();
    let others = !elsewhere.is_empty();
    let mut seen: Vec<Seen> = order
        .iter()
        .chain(&elsewhere)
        .filter_map(|id| versions.get(id).and_then(|all| picture::run_at(&org.device, all)))
        .map(|version| marked(org, version))
        .collect();
    if others {
        // Those of this device keep their order among each other.
        seen.sort_by_key(|one| Reverse(one.run.queued_at));
    }
    Ok(seen)
}

/// The runs that a device executes by the copy of any other device's journal, however old; without those that are `known`. Of those that
/// wait there may be many, and each that is found is then looked up in every copy.
pub(crate) fn executed_elsewhere(copies: &[Arc<Copied>], known: &BTreeSet<&RunId>) -> BTreeSet<RunId> {
    let mut found = BTreeSet::new();
    for copied in copies {
        let further = active_in(copied, |id| !known.contains(id));
        found.extend(further.filter(|run| run.state.holds_slot()).map(|run| run.id));
    }
    found
}

/// Those of the `wanted` runs that have not ended by the copy of a device's journal.
fn active_in(copied: &Copied, wanted: impl Fn(&RunId) -> bool) -> impl Iterator<Item = Run> {
    let active = read(copied, |c| c.list_numbered::<RunId>(kind::ACTIVE, limits::RUNS_MAX));
    let run = move |id: RunId| read(copied, |c| c.get_numbered::<Run>(kind::RUN, id.as_str()));
    active.into_iter().map(|(_, id)| id).filter(move |id| wanted(id)).filter_map(run).map(|(_, run)| run)
}

/// A run of the org.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn run(org: &Org, id: &RunId) -> Result<Option<Seen>, Problem> {
    run_by(org, id, |copied| copied.get_numbered(kind::RUN, id.as_str()))
}

/// The same by journals alone, and not by what a device summed up: for what is decided.
fn verified_run(org: &Org, id: &RunId) -> Result<Option<Seen>, Problem> {
    run_by(org, id, |copied| copied.journal.get_numbered(kind::RUN, id.as_str()))
}

fn run_by(org: &Org, id: &RunId, get: impl Fn(&Copied) -> Result<Option<(Seq, Run)>, Problem>) -> Result<Option<Seen>, Problem> {
    let own = org.store.get_numbered::<Run>(kind::RUN, id.as_str())?;
    let copies = org.journals.all();
    let further = copies.iter().flat_map(|copied| in_copy(copied, read(copied, &get)));
    let versions: Vec<RunIn> = in_own(org, own).into_iter().chain(further).collect();
    Ok(picture::run_at(&org.device, &versions).map(|version| marked(org, version)))
}

/// A copy that cannot be read shows nothing; its own standing says why.
fn read<C: Default>(copied: &Copied, read: impl FnOnce(&Copied) -> Result<C, Problem>) -> C {
    read(copied).unwrap_or_else(|problem| {
        tracing::warn!(device = %copied.journal.device(), %problem, "the copy of a device's journal cannot be read");
        C::default()
    })
}

fn in_own(org: &Org, found: impl IntoIterator<Item = (Seq, Run)>) -> Vec<RunIn> {
    found.into_iter().map(|(seq, run)| RunIn { journal: org.device.clone(), seq: seq.0, run }).collect()
}

fn in_copy(copied: &Copied, found: impl IntoIterator<Item = (Seq, Run)>) -> Vec<RunIn> {
    found.into_iter().map(|(seq, run)| RunIn { journal: copied.journal.device().clone(), seq: seq.0, run }).collect()
}

fn marked(org: &Org, version: &RunIn) -> Seen {
    let run = lifecycle::as_it_is(org, without_removed(&org.remote.org(), &org.device, version.run.clone()));
    Seen { run, whose: whose(org, &version.journal) }
}

/// From whose journal something is known; none for this device's own.
pub(crate) fn whose(org: &Org, journal: &Did) -> Option<Whose> {
    let whose = org.journals.get(journal).filter(|_| *journal != org.device)?.whose();
    let (removed, halted) = (is_removed(org, journal), stops::cut_off(org, journal));
    // Where this device is halted, the others tell it nothing more, whatever connection lasts for a moment yet.
    let reachable = whose.reachable && !removed && stops::halted_device(org, &org.device).is_none();
    Some(Whose { reachable, removed, halted, ..whose })
}

/// Whether a journal tells that a run made this revision. Of a device that was removed from the org nobody takes more of its journal from
/// itself: so it told that before, or to one who had not heard of the removal (decision 011).
///
/// # Errors
/// When the journal here cannot be read.
pub(crate) fn tells(org: &Org, id: &RunId, revision: &Revision) -> Result<bool, Problem> {
    Ok(verified_run(org, id)?.is_some_and(|seen| provenance::made_revision(&seen.run, revision)))
}

/// The other device that executes a run and is away: as of then it is known where the run is. None: it runs here, not at all, or on one whose
/// journal is followed; a run of a device that was removed is over.
pub(crate) fn away(org: &Org, run: &Run) -> Option<Whose> {
    let device = run.device.as_ref().filter(|_| run.state.holds_slot())?;
    let away = whose(org, device).filter(|whose| !whose.reachable)?;
    let until = remote::waited_until(org, &run.id, away.halted.is_some()).filter(|_| run.requester == org.device);
    Some(Whose { until, ..away })
}

/// The same in words for a person: since when nothing is heard of it, for how long it is waited for, and what comes then.
pub(crate) fn away_text(state: &OrgState, run: &Run, away: &Whose) -> String {
    let name = state.called(&away.device).unwrap_or_else(|| away.device.to_string());
    // Whoever is halted may well answer.
    let gone = away.halted.as_ref().map(|what| format!("cut off, because a stop order halts {what} (meshwork stop list)"));
    let gone = gone.unwrap_or_else(|| "away".to_owned());
    let known = match away.as_of {
        Some(at) => format!("{name} is {gone}, and was not heard of since {}: this is as of then.", at.minute()),
        None => format!("{name} is {gone}: what it does now is not known."),
    };
    let Some(until) = away.until else { return known };
    let again = Run { state: RunState::Lost, ..run.clone() }.next_attempt(&run.requester).is_some();
    // As `GivenUp::end` has it.
    let then = match (&run.ending, &run.on) {
        _ if run.revision.is_some() => "it counts as done, since its patch is published",
        (Some(Reason::Stopped { .. }), _) => "it counts as stopped",
        _ if !again => "it counts as lost",
        _ if run.paused_by.is_some() => "it counts as lost, and a new run waits until a person resumes it",
        (_, Some(on)) if *on == away.device => "it counts as lost, and a new run waits for that device, where a person wants it",
        _ => "it counts as lost, and a new run goes on elsewhere",
    };
    format!("{known} The run is waited for until {}; then {then}.", until.minute())
}

/// The claims of other devices, read once for a whole board.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(BTreeMap<String, Vec<(Did, Claim)>>);

impl Claims {
    /// All that the copies tell, and what devices summed up: to be shown.
    pub(crate) fn read(org: &Org) -> Self {
        Self::by(org, |copied| copied.list_numbered(kind::CLAIM, limits::RUNS_MAX))
    }

    /// What the copies tell, and nothing that a device summed up: for what is decided.
    pub(crate) fn verified(org: &Org) -> Self {
        Self::by(org, |copied| copied.journal.list_numbered(kind::CLAIM, limits::RUNS_MAX))
    }

    fn by(org: &Org, list: impl Fn(&Copied) -> Result<Vec<(Seq, Claim)>, Problem>) -> Self {
        let mut all: BTreeMap<String, Vec<(Did, Claim)>> = BTreeMap::new();
        for copied in org.journals.all() {
            let device = copied.journal.device();
            for (_, claim) in read(&copied, &list).into_iter().filter(|(_, claim)| claim.device == *device) {
                all.entry(claim.task.to_string()).or_default().push((device.clone(), claim));
            }
        }
        Self(all)
    }

    /// The claims of others on a task, each with its latest run.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn of(&self, org: &Org, task: &TaskRef) -> Result<Vec<ClaimIn>, Problem> {
        let claims = self.0.get(&task.to_string()).into_iter().flatten();
        claims.map(|(device, claim)| with_latest(org, device, claim.clone(), run)).collect()
    }

    /// All claims on a task, this device's own first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn all(&self, org: &Org, task: &TaskRef) -> Result<Vec<ClaimIn>, Problem> {
        Ok(own_claim(org, task, run)?.into_iter().chain(self.of(org, task)?).collect())
    }

    /// The claim on a task that is shown here: this device's own, or another's.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn shown(&self, org: &Org, task: &TaskRef) -> Result<Option<ClaimIn>, Problem> {
        Ok(picture::claim_at(&org.device, &self.all(org, task)?).cloned())
    }

    /// Whether another device claims to have made a patch for this task.
    pub(crate) fn name(&self, patch: &PatchId, task: &TaskRef) -> bool {
        let mut all = self.0.get(&task.to_string()).into_iter().flatten();
        all.any(|(_, claim)| claim.patches().any(|named| named == patch))
    }

    /// Whose word a patch is, where that is another device's: the one whose claim it is of; of one that a member made by hand, the one on
    /// which their key lives. None once it is merged: that nobody changes any more.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn whose(&self, org: &Org, state: &OrgState, patch: &Patch) -> Result<Option<Whose>, Problem> {
        if patch.state == PatchState::Merged {
            return Ok(None);
        }
        let told = |claim: &Claim| claim.patches().any(|named| *named == patch.id);
        let claimed = self.0.values().flatten().filter(|(_, claim)| told(claim)).max_by_key(|(_, claim)| claim.turn);
        let Some((device, claim)) = claimed else {
            let by_hand = state.members.values().flat_map(|member| &member.keys).find(|key| key.did == patch.author);
            return Ok(by_hand.and_then(|key| whose(org, &key.device)));
        };
        let own: Option<Claim> = org.store.get(kind::CLAIM, &claim.task.to_string())?;
        Ok(if own.as_ref().is_some_and(told) { None } else { whose(org, device) })
    }

    /// The tasks of a project of which a patch was accepted while one of another claim is open.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn half_settled(&self, org: &Org, project: &ProjectName) -> Result<Vec<TaskRef>, Problem> {
        let mut found = vec![];
        for claims in self.0.values() {
            let Some(task) = claims.first().map(|(_, claim)| &claim.task).filter(|task| task.project == *project) else { continue };
            let own: Option<Claim> = org.store.get(kind::CLAIM, &task.to_string())?;
            let all = || own.iter().chain(claims.iter().map(|(_, claim)| claim));
            if all().any(|claim| claim.merged) && all().any(|claim| claim.patch.is_some() && !claim.merged && !claim.rejected) {
                found.push(task.clone());
            }
        }
        Ok(found)
    }
}

/// All claims on a task, this device's own first; read by itself, for one task. By journals alone: it is decided by these.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn claims(org: &Org, task: &TaskRef) -> Result<Vec<ClaimIn>, Problem> {
    let mut all: Vec<ClaimIn> = own_claim(org, task, verified_run)?.into_iter().collect();
    for copied in org.journals.all() {
        let found: Option<(Seq, Claim)> = read(&copied, |c| c.journal.get_numbered(kind::CLAIM, &task.to_string()));
        let device = copied.journal.device();
        if let Some((_, claim)) = found.filter(|(_, claim)| claim.device == *device) {
            all.push(with_latest(org, device, claim, verified_run)?);
        }
    }
    Ok(all)
}

/// How a run is looked up.
type Find = fn(&Org, &RunId) -> Result<Option<Seen>, Problem>;

fn own_claim(org: &Org, task: &TaskRef, find: Find) -> Result<Option<ClaimIn>, Problem> {
    let own: Option<Claim> = org.store.get(kind::CLAIM, &task.to_string())?;
    own.map(|claim| with_latest(org, &org.device, claim, find)).transpose()
}

fn with_latest(org: &Org, journal: &Did, claim: Claim, find: Find) -> Result<ClaimIn, Problem> {
    let latest = claim.runs.last().map(|id| find(org, id)).transpose()?.flatten().map(|seen| seen.run);
    // What a person paused keeps nobody else from the task.
    let waits = latest.as_ref().filter(|run| run.state.waits() && run.paused_by.is_none());
    let known = |id: &RunId| Ok(find(org, id)?.map(|seen| seen.run));
    let saved = waits.map(|run| lifecycle::saved_in(run, known, |_| Ok(true))).transpose()?.flatten().is_some();
    let (removed, claim) = (is_removed(org, journal), as_far_as_it_may(org, claim)?);
    let claim = if removed { as_radicle_shows(org, claim) } else { claim };
    Ok(ClaimIn { journal: journal.clone(), claim, latest, saved, removed })
}

/// A claim without what its device may not write: it takes a task over only where a member who has a key on it may.
fn as_far_as_it_may(org: &Org, claim: Claim) -> Result<Claim, Problem> {
    let takes_over = claim.turn > 0 || !claim.over.is_empty();
    if takes_over && !may_take_over(&*org.rights()?, &claim) {
        return Ok(Claim { over: vec![], turn: 0, ..claim });
    }
    Ok(claim)
}

fn may_take_over(rights: &Rights, claim: &Claim) -> bool {
    let about = Resource::Task(claim.task.task.to_string(), claim.task.project.to_string());
    let mut here = rights.state.members.values().filter(|member| member.has_key_on(&claim.device));
    here.any(|member| rights.member_may(member, "task.takeover", &about))
}

/// What the other devices used under an id of the projection, as far as their journals are here.
pub(crate) fn spent_elsewhere(org: &Org, id: &str) -> Usage {
    let of = |copied: &Arc<Copied>| read(copied, |c| c.get_numbered::<Usage>(kind::SPENT, id)).map(|(_, used)| used);
    org.journals.all().iter().filter_map(of).fold(Usage::default(), Usage::plus)
}

/// What a run used through the gateways of other devices, as far as their journals are here: of the device that asked for it, and of those
/// that stood in for that one. It is asked for again and again: a copy is read anew only once it tells something new.
#[derive(Debug)]
pub(crate) struct UsedElsewhere {
    /// Who asked for it, where that is another device.
    requester: Option<Did>,
    id: RunId,
    /// What each copy told last, and how far it was before.
    told: Mutex<BTreeMap<Did, (UpTo, Usage)>>,
}

/// How far a copy tells.
type UpTo = (Point, Option<Point>);

impl UsedElsewhere {
    /// Of this run.
    pub(crate) fn of(org: &Org, run: &Run) -> Self {
        let requester = Some(&run.requester).filter(|device| **device != org.device).cloned();
        Self { requester, id: run.id.clone(), told: Mutex::default() }
    }

    /// As far as it is known now. May block.
    pub(crate) fn now(&self, org: &Org) -> Usage {
        self.among(&org.journals.all())
    }

    fn among(&self, copies: &[Arc<Copied>]) -> Usage {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for copied in copies {
            let (device, up_to) = (copied.journal.device(), copied.tells_up_to());
            if told.get(device).is_some_and(|(before, _)| *before == up_to) {
                continue;
            }
            // Of a copy that cannot be read now, what it told before counts on.
            if let Some(used) = read(copied, |copied| self.by(copied).map(Some)) {
                told.insert(device.clone(), (up_to, used));
            }
        }
        told.values().fold(Usage::default(), |sum, (_, used)| sum.plus(*used))
    }

    fn by(&self, copied: &Copied) -> Result<Usage, Problem> {
        let stood_in: Option<(Seq, Usage)> = copied.get_numbered(kind::SPENT, &spent_by_run(&self.id))?;
        let asked = self.requester.as_ref().is_some_and(|device| device == copied.journal.device());
        let run: Option<(Seq, Run)> = if asked { copied.get_numbered(kind::RUN, self.id.as_str())? } else { None };
        let (stood_in, asked) = (stood_in.map(|(_, used)| used), run.map(|(_, run)| run.usage));
        Ok(stood_in.unwrap_or_default().plus(asked.unwrap_or_default()))
    }
}

/// A run as the journal of the device that asked for it has it, as far as that journal is here.
pub(crate) fn run_at_requester(org: &Org, requester: &Did, id: &RunId) -> Option<Run> {
    let copied = org.journals.get(requester)?;
    let found = read(&copied, |c| c.journal.get_numbered::<Run>(kind::RUN, id.as_str()));
    found.map(|(_, run)| run).filter(|run| run.requester == *requester)
}

/// A run that this device asked another one for, as that one's journal has it, as far as it is here.
pub(crate) fn run_at_executor(org: &Org, executor: &Did, id: &RunId) -> Option<(Seq, Run)> {
    let copied = org.journals.get(executor)?;
    let found = read(&copied, |c| c.journal.get_numbered::<Run>(kind::RUN, id.as_str()));
    found.filter(|(_, run)| run.requester == org.device && run.device.as_ref() == Some(executor))
}

/// A device's claim on a task, as far as its journal is here.
pub(crate) fn claim_at_requester(org: &Org, requester: &Did, task: &TaskRef) -> Option<Claim> {
    let copied = org.journals.get(requester)?;
    let found = read(&copied, |c| c.journal.get_numbered::<Claim>(kind::CLAIM, &task.to_string()));
    found.map(|(_, claim)| claim).filter(|claim| claim.device == *requester)
}

/// A hash over all runs, with their leases, and all claims of the org as the journals here tell them: the same on devices that have the
/// same journals, whoever looks.
///
/// # Errors
/// When a journal cannot be read.
pub(crate) fn hash(org: &Org) -> Result<(Hash, usize), Problem> {
    let own_runs = in_own(org, org.store.list_numbered::<Run>(kind::RUN, limits::RUNS_MAX)?);
    let (mut runs, mut claims) = (own_runs, vec![]);
    let claimed = |by: &Did, found: Vec<(Seq, Claim)>| found.into_iter().map(|(_, claim)| (by.clone(), claim)).collect::<Vec<_>>();
    claims.extend(claimed(&org.device, org.store.list_numbered(kind::CLAIM, limits::RUNS_MAX)?));
    for copied in org.journals.all() {
        runs.extend(in_copy(&copied, copied.journal.list_numbered::<Run>(kind::RUN, limits::RUNS_MAX)?));
        claims.extend(claimed(copied.journal.device(), copied.journal.list_numbered(kind::CLAIM, limits::RUNS_MAX)?));
    }
    let whole = picture::Whole::new(runs, claims);
    Ok((Hash::from_bytes(*blake3::hash(&identity::canonical(&whole)?).as_bytes()), whole.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        data_dir::DataDir,
        fixtures::{self, did, member},
        remote::Journals,
    };
    use domain::{
        Timestamp,
        event::{self, Body, Event},
        manifest::Class,
        role::Role,
        usage::{ForWhom, ModelCall},
    };
    use identity::Key;
    use serde_json::json;
    use store::{Signer, Store};

    /// The journal of another device, and the copies that are here, one of it.
    fn elsewhere(dir: &tempfile::TempDir) -> (Store, Journals, Arc<Copied>) {
        let key = Key::from_seed(&[1; 32]);
        let signer = Signer { device: key.did(), sign: Arc::new(move |bytes| Ok(key.sign(bytes))) };
        let store = Store::open(&dir.path().join("own"), signer).unwrap();
        let journals = Journals::open(&DataDir::open(&dir.path().join("ours")).unwrap().org(&"crew".parse().unwrap()));
        let copied = journals.copy(store.device()).unwrap();
        (store, journals, copied)
    }

    /// Journals something there, and has the copy follow.
    fn told(store: &Store, copied: &Copied, body: Body) {
        let actor = store.device().clone();
        store.append_blocking(vec![Event { version: event::VERSION, at: Timestamp(1), actor, via: None, told: None, body }]).unwrap();
        copied.journal.append(&store.pieces(copied.journal.point(), 1 << 20).unwrap()).unwrap();
    }

    #[test]
    fn of_a_run_on_a_device_that_is_away_it_is_said_until_when_it_is_waited_for_and_what_comes_then() {
        let state = fixtures::state();
        let id = "01JZZZZZZZZZZZZZZZZZWRK001".parse().unwrap();
        let new = new_run(id, Class::Agent, "demo".parse().unwrap(), did('A'), did('a'), Timestamp(0));
        let run = Run { state: RunState::Working, device: Some(did('b')), ..new };
        let away = Whose::new(did('b'), Some(Timestamp(60_000)), false);
        let said = |run: &Run, away: &Whose| away_text(&state, run, away);
        let none = said(&run, &away);
        assert!(none.contains("was not heard of since 1970-01-01 00:01 UTC: this is as of then.") && !none.contains("waited"), "{none}");
        let waited = Whose { until: Some(Timestamp(1_860_000)), ..away.clone() };
        let stopped = Run { ending: Some(Reason::Stopped { by: did('A') }), ..run.clone() };
        let table = [
            (run.clone(), "a new run goes on elsewhere."),
            (Run { paused_by: Some(did('A')), ..run.clone() }, "a new run waits until a person resumes it."),
            (Run { on: Some(did('b')), ..run.clone() }, "a new run waits for that device"),
            (Run { attempt: domain::limits::RESUME_ATTEMPTS_MAX, ..run.clone() }, "then it counts as lost."),
            (stopped.clone(), "then it counts as stopped."),
            (Run { revision: Some("1".repeat(40).parse().unwrap()), ..stopped }, "then it counts as done, since"),
        ];
        for (run, words) in table {
            let said = said(&run, &waited);
            assert!(said.contains("waited for until 1970-01-01 00:31 UTC; then") && said.contains(words), "{said}");
        }
        let halted = said(&run, &Whose { halted: Some("the device box".into()), ..away });
        assert!(halted.contains("is cut off, because a stop order halts the device box"), "{halted}");
    }

    #[test]
    fn what_a_run_used_elsewhere_is_read_once_until_a_copy_tells_more() {
        let dir = tempfile::tempdir().unwrap();
        let (store, journals, copied) = elsewhere(&dir);
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let called = |calls| {
            let usage = Usage { calls, ..Usage::default() };
            let call = ModelCall { model: "m".into(), status: 200, usage, duration_ms: 0, admitted: Timestamp(1) };
            let standby = Some(ForWhom { member: did('B'), agent: None });
            told(&store, &copied, Body::ModelCalled { run: id.clone(), call, content: vec![], standby });
        };
        let used = UsedElsewhere { requester: None, id: id.clone(), told: Mutex::default() };
        let calls = || used.among(&journals.all()).calls;
        assert_eq!(calls(), 0);
        called(3);
        assert_eq!(calls(), 3);
        // As if it had told something else.
        let remembered = (copied.tells_up_to(), Usage { calls: 5, ..Usage::default() });
        used.told.lock().unwrap().insert(store.device().clone(), remembered);
        assert_eq!(calls(), 5, "it is not read again");
        called(4);
        assert_eq!(calls(), 7);
    }

    #[test]
    fn runs_of_other_devices_that_go_on_are_known_however_many_are_newer() {
        let dir = tempfile::tempdir().unwrap();
        let (store, journals, copied) = elsewhere(&dir);
        let ids: Vec<RunId> = (1..=9).map(|n| format!("{n:026}").parse().unwrap()).collect();
        for id in &ids {
            let new = new_run(id.clone(), Class::Agent, "demo".parse().unwrap(), did('B'), store.device().clone(), Timestamp(0));
            told(&store, &copied, Body::RunQueued { run: Box::new(new) });
        }
        // One goes on, one waits, and the others are over.
        for (n, id) in ids.iter().enumerate().filter(|(n, _)| *n != 1) {
            let to = if n == 0 { RunState::Working } else { RunState::Cancelled };
            told(&store, &copied, Body::RunMoved { run: id.clone(), to, reason: None });
        }
        assert_eq!(executed_elsewhere(&journals.all(), &BTreeSet::new()), BTreeSet::from([ids[0].clone()]));
        assert_eq!(executed_elsewhere(&journals.all(), &BTreeSet::from([&ids[0]])), BTreeSet::new());
    }

    /// Ada maintains with a key on the device `a`, and Bob develops with one on `b`.
    fn rights() -> Rights {
        let members = [member("ada", Role::Maintainer, &['a']), member("bob", Role::Developer, &['b'])].into();
        fixtures::rights(OrgState { members, ..fixtures::state() })
    }

    #[test]
    fn only_where_a_maintainer_has_a_key_a_device_takes_tasks_over() {
        let claim = |by: char| -> Claim {
            let task = json!({"project": "demo", "feature": "001-hello", "task": "T001"});
            let claim = json!({"task": task, "device": did(by), "runs": [], "over": [did('v')], "turn": 9});
            serde_json::from_value(claim).unwrap()
        };
        let may = ['a', 'b', 'c'].map(|device| may_take_over(&rights(), &claim(device)));
        assert_eq!(may, [true, false, false], "a developer's device, or one of nobody, hinders no other by writing that it took over");
    }
}
