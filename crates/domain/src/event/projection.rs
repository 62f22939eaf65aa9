//! What events change: the one place that says so. Pure, so that the projections can be rebuilt.

use super::{Body, Event, joining, kind, taken};
use crate::{
    AgentName, Did, Hash, PatchId, Problem, RevisionId, RunId, TaskRef,
    limits::{MESSAGES_KEPT_MAX, OTHERS_KEPT_MAX, PHASES_MAX, QUESTIONS_OPEN_MAX, VIOLATIONS_KEPT_MAX},
    manifest::Class,
    patch::Verdict,
    project::MirrorState,
    quota::Period,
    run::{Message, Phase, Reason, Refused, Run, RunState},
    stop::{Order, Stop},
    task::{Claim, Takeover},
    usage::{ModelCall, Usage},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::Arc};

/// One projected thing, as it is after an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Projected {
    /// Its kind: one of [`kind`].
    pub kind: &'static str,
    /// Its id within the kind.
    pub id: String,
    /// Itself, as JSON; none when it is no more.
    pub value: Option<Arc<str>>,
}

/// Reads a projected thing, as JSON, as it was before the event: `get(kind, id)`.
pub type Before<'a> = &'a mut dyn FnMut(&str, &str) -> Option<Arc<str>>;

/// Everything that an event changes. An event about something unknown changes nothing (its beginning may lie in a part
/// of the journal that is not here).
pub fn project(event: &Event, before: Before<'_>) -> Result<Vec<Projected>, Problem> {
    let mut out = Vec::new();
    match &event.body {
        Body::RunQueued { run } => {
            let was = read::<Run>(before, kind::RUN, run.id.as_str())?.and_then(|run| taken::by(&run));
            out.extend(taken::changed(before, was, taken::by(run))?);
            out.push(put(kind::RUN, run.id.as_str(), run)?);
            out.extend(begins(before, run, event)?);
        }
        Body::TaskTakenOver(Takeover { task, device, from, turn }) => {
            let own = read::<Claim>(before, kind::CLAIM, &task.to_string())?.filter(|claim| claim.device == *device);
            let mut claim = own.unwrap_or_else(|| new_claim(task, device));
            let new: Vec<Did> = from.iter().filter(|other| !claim.over.contains(other)).cloned().collect();
            claim.over.extend(new);
            claim.turn = *turn;
            out.push(put(kind::CLAIM, &task.to_string(), &claim)?);
        }
        Body::PatchPublished { run, patch, revision, .. } => {
            if let Some(run) = read::<Run>(before, kind::RUN, run.as_str())? {
                let given_up = event.told.is_some() && run.state == RunState::Lost;
                out.extend(claim(before, run.task.as_ref(), |c| {
                    // What comes after another was accepted is a rival of it, and what another asked for is not this claim's. That of a
                    // run that was given up is the task's only once the run is found done.
                    if given_up && c.device == run.requester {
                        rival(c, patch);
                    } else if !c.merged && c.device == run.requester {
                        published(c, patch, revision);
                    }
                })?);
            }
        }
        Body::RunMoved { run, to: RunState::Done, .. } if event.told.is_some() => {
            if let Some(run) = read::<Run>(before, kind::RUN, run.as_str())?.filter(|run| is_found_done(run, RunState::Done, event)) {
                // What was queued at its task since did not begin: this is the run by which the task stands.
                out.extend(claim(before, run.task.as_ref(), |c| {
                    let Some(at) = c.runs.iter().position(|id| *id == run.id) else { return };
                    c.runs[at..].rotate_left(1);
                    if let (Some(patch), Some(revision), false) = (&run.patch, &run.revision, c.merged) {
                        published(c, patch, revision);
                        c.others.retain(|other| other != patch);
                    }
                })?);
            }
        }
        Body::PatchRevised { patch, revision, task, .. } => out.extend(claim_with(before, task.as_ref(), patch, |c| {
            c.revision = Some(revision.clone());
            c.verdicts.clear();
        })?),
        Body::PatchCommented { patch, comment, .. } => out.push(put(kind::COMMENT, comment.as_str(), patch)?),
        Body::PatchReviewed { patch, verdict, task, .. } => {
            out.extend(claim_with(before, task.as_ref(), patch, |c| judge(c, &event.actor, *verdict))?);
        }
        Body::PatchMerged { patch, task, .. } => {
            out.extend(claim(before, task.as_ref(), |c| {
                // Where one of its rivals was picked, the two change places.
                if let Some(at) = c.others.iter().position(|other| other == patch) {
                    c.others.remove(at);
                    c.others.extend(c.patch.take());
                }
                (c.patch, c.merged, c.merged_by) = (Some(patch.clone()), true, Some(event.actor.clone()));
            })?);
        }
        Body::PatchClosed { patch, task, .. } => out.extend(claim_with(before, task.as_ref(), patch, |c| c.rejected = true)?),
        Body::PatchReopened { patch, task, .. } => out.extend(claim_with(before, task.as_ref(), patch, |c| c.rejected = false)?),
        Body::MirrorPushed { project, commit } | Body::MirrorPulled { project, commit } | Body::MirrorReached { project, commit } => {
            let state = MirrorState { commit: Some(commit.clone()), at: event.at, problem: None };
            out.push(put(kind::MIRROR, project.as_str(), &state)?);
        }
        Body::MirrorFailed { project, why } => {
            let commit = read::<MirrorState>(before, kind::MIRROR, project.as_str())?.and_then(|m| m.commit);
            let state = MirrorState { commit, at: event.at, problem: Some(why.clone()) };
            out.push(put(kind::MIRROR, project.as_str(), &state)?);
        }
        Body::Invited { .. } | Body::InviteWithdrawn { .. } | Body::Knocked { .. } | Body::JoinerDecided { .. } => {
            out.extend(joining::project(event, before)?);
        }
        Body::StopOrdered { order, by, envelope } => out.extend(stop(before, order, by, envelope)?),
        Body::LineRejoined(line) if !line.aside.is_empty() => {
            out.push(put(kind::ASIDE, &format!("{} {} {}", line.repository, line.key, line.ours), event)?);
        }
        Body::CredentialSet { name } | Body::CredentialRemoved { name } => out.push(put(kind::CREDENTIAL, name.as_str(), event)?),
        Body::SharesTaken { taken } => out.push(put(kind::SHARES, kind::OWN, taken)?),
        Body::CommandModelSet { settings } => out.push(put(kind::COMMAND, crate::command::SETTINGS, settings)?),
        Body::CommandModelCalled(call) => {
            let day = crate::command::day(call.admitted);
            let before_day = read::<Usage>(before, kind::COMMAND, &day)?.unwrap_or_default();
            out.push(put(kind::COMMAND, &day, &before_day.plus(call.usage))?);
            out.extend(spent(before, &["org".to_owned()], call)?);
        }
        Body::ModelCalled { run, call, standby: Some(whom), .. } => {
            let id = spent_by_run(run);
            let so_far = read::<Usage>(before, kind::SPENT, &id)?.unwrap_or_default();
            out.push(put(kind::SPENT, &id, &so_far.plus(call.usage))?);
            out.extend(spent(before, &whose(&whom.member, whom.agent.as_ref()), call)?);
        }
        Body::ModelCalled { run, call, .. } => {
            if let Some(run) = read::<Run>(before, kind::RUN, run.as_str())? {
                out.extend(spent(before, &whose(&run.member, run.agent.as_ref()), call)?);
            }
        }
        _ => {}
    }
    let mut known = event.body.run().map(|id| read::<Run>(before, kind::RUN, id.as_str())).transpose()?.flatten();
    if let (None, Body::RunLeased { asked: Some(run), run: id, .. }) = (&known, &event.body)
        && run.id == *id
        && run.state == RunState::Queued
        && run.device.is_none()
    {
        out.extend(begins(before, run, event)?);
        known = Some((**run).clone());
    }
    if let (Some(id), Some(mut run)) = (event.body.run(), known) {
        let (ended, took) = (run.state.ended(), taken::by(&run));
        change_run(&mut run, event);
        out.extend(taken::changed(before, took, taken::by(&run))?);
        out.push(put(kind::RUN, id.as_str(), &run)?);
        if run.state.ended() && !ended {
            out.push(Projected { kind: kind::ACTIVE, id: id.to_string(), value: None });
        }
    }
    Ok(out)
}

/// What changes beside a run that was not there before: it is active, and of a claim.
fn begins(before: Before<'_>, run: &Run, event: &Event) -> Result<Vec<Projected>, Problem> {
    let mut out = vec![put(kind::ACTIVE, run.id.as_str(), &run.id)?];
    if let (Class::Agent, Some(task)) = (run.class, &run.task)
        && let Some(mut claim) = claim_of(read(before, kind::CLAIM, &task.to_string())?, task, run, event)
    {
        claim.runs.push(run.id.clone());
        out.push(put(kind::CLAIM, &task.to_string(), &claim)?);
    }
    Ok(out)
}

/// An order counts until it is lifted, once and for all; whichever of the two is heard first.
fn stop(before: Before<'_>, order: &Order, by: &Did, envelope: &Hash) -> Result<Vec<Projected>, Problem> {
    let key = order.key();
    let known = read::<Stop>(before, kind::STOP, &key)?;
    if known.as_ref().is_some_and(|stop| !stop.in_force() || !order.lifts) {
        return Ok(vec![]);
    }
    let given = || Stop { order: order.clone(), by: by.clone(), envelope: envelope.clone(), lifted_by: None, lifted_at: None };
    let mut stop = known.unwrap_or_else(given);
    if order.lifts {
        (stop.envelope, stop.lifted_by, stop.lifted_at) = (envelope.clone(), Some(by.clone()), Some(order.at));
        let no_more = Projected { kind: kind::HALT, id: key.clone(), value: None };
        return Ok(vec![put(kind::STOP, &key, &stop)?, no_more]);
    }
    Ok(vec![put(kind::STOP, &key, &stop)?, put(kind::HALT, &key, &stop)?])
}

/// The id of what somebody used in a period: `whose` is `org`, `member/<did>` or `agent/<name>`, the period as it is written.
pub fn spent_id(whose: &str, period: &str) -> String {
    format!("{whose}/{period}")
}

/// The id of what a run used through this device as its member's standby device, whenever that was.
pub fn spent_by_run(run: &RunId) -> String {
    format!("run/{run}")
}

/// Whose budgets a run's call counts in.
fn whose(member: &Did, agent: Option<&AgentName>) -> Vec<String> {
    let agent = agent.map(|agent| format!("agent/{agent}"));
    ["org".to_owned(), format!("member/{member}")].into_iter().chain(agent).collect()
}

/// Adds a call to what each used in the day and the month in which it was let through.
fn spent(before: Before<'_>, whose: &[String], call: &ModelCall) -> Result<Vec<Projected>, Problem> {
    let mut out = vec![];
    for id in whose.iter().flat_map(|who| Period::ALL.map(|period| spent_id(who, &period.key(call.admitted)))) {
        let so_far = read::<Usage>(before, kind::SPENT, &id)?.unwrap_or_default();
        out.push(put(kind::SPENT, &id, &so_far.plus(call.usage))?);
    }
    Ok(out)
}

fn change_run(run: &mut Run, event: &Event) {
    if event.told.is_some() {
        run.told.clone_from(&event.told);
    }
    match &event.body {
        Body::RunPlaced { placed, .. } => {
            run.from.clone_from(&placed.from);
            run.left.clone_from(&placed.left);
            run.manifest = Some(placed.manifest.clone());
            run.envelope = Some(placed.envelope.clone());
            run.base = Some(placed.base.clone());
            run.spec_hash.clone_from(&placed.spec_hash);
            run.asked.clone_from(&placed.device);
        }
        Body::RunRefused { device, reasons, .. } => {
            run.note_refusal(Refused { device: device.clone(), reasons: reasons.clone(), at: event.at });
        }
        Body::RunLeased { lease, device, until, reserved, .. } => {
            run.lease = Some(lease.clone());
            run.lease_until = Some(*until);
            run.reserved = Some(*reserved);
            run.device = Some(device.clone());
            run.started_at = Some(event.at);
            move_to(run, RunState::Starting, event);
        }
        Body::LeaseRenewed { until, .. } => run.lease_until = Some(*until),
        // A person's word stands, whatever the device wants later.
        Body::RunEndAsked { reason, .. } if !matches!(run.ending, Some(Reason::Stopped { .. })) => run.ending = Some(reason.clone()),
        Body::RunRecovered { .. } => run.recovered += 1,
        Body::RunDelegated { key, delegation, .. } => {
            run.key = Some(key.clone());
            run.delegation = Some(delegation.clone());
        }
        Body::RunMoved { to, reason, .. } => moved(run, *to, reason.as_ref(), event),
        Body::PauseAsked(asked) => {
            run.paused_by = asked.paused.then(|| event.actor.clone());
            // Of what waits nothing is frozen: it is placed, or not.
            if run.state.waits() {
                (run.paused, run.reason) = (asked.paused, None);
            }
        }
        Body::RunPaused { paused, .. } => run.paused = *paused,
        Body::RunCheckpointed { commit, .. } => {
            // What is told lies there; what is not told lies here. Of a run elsewhere that is a copy, and maybe not of the latest.
            if event.told.is_some() || run.told.is_none() {
                run.checkpoint = Some(commit.clone());
            }
            if event.told.is_none() {
                (run.held, run.goes) = (Some(commit.clone()), None);
            }
        }
        Body::CheckpointGoes(goes) => run.goes = Some(goes.goes_at),
        Body::CheckpointDropped(_) => {
            run.goes = None;
            if event.told.is_none() {
                run.held = None;
            }
            run.checkpoint.clone_from(&run.held);
        }
        Body::RunCommitted { commit, notes, .. } => {
            run.commit = Some(commit.clone());
            run.notes.clone_from(notes);
        }
        Body::WorkKept { left_out, .. } => run.kept = Some(left_out.clone()),
        Body::WorkDropped { .. } => run.kept = None,
        // A device whose disk was put back tells what it told before once more, under other numbers.
        Body::MessageSent { order, text, .. } if !run.messages.iter().any(|m| m.order == *order && m.text == *text) => {
            let message = Message { order: *order, by: event.actor.clone(), at: event.at, text: text.clone(), why: None };
            push(&mut run.messages, message, MESSAGES_KEPT_MAX, &mut run.messages_more);
        }
        Body::MessageDelivered { order, .. } => run.messages.retain(|m| m.order != *order),
        Body::MessageRefused { order, why, .. } => {
            run.messages.iter_mut().filter(|m| m.order == *order).for_each(|m| m.why = Some(why.clone()));
        }
        Body::QuestionAsked { question, .. } if !run.questions.contains(question) => {
            push(&mut run.questions, question.clone(), QUESTIONS_OPEN_MAX, &mut run.questions_more);
        }
        Body::QuestionAnswered { question, .. } => run.questions.retain(|q| q.id != *question),
        Body::SandboxStopped { what, .. } => push(&mut run.violations, what.clone(), VIOLATIONS_KEPT_MAX, &mut run.violations_more),
        Body::ModelCalled { call, .. } => run.usage = run.usage.plus(call.usage),
        Body::ChecksEnded { checks, signed, .. } => {
            run.checks.clone_from(checks);
            run.checked.clone_from(signed);
        }
        Body::PatchPublished { patch, revision, commit, .. } => {
            run.patch = Some(patch.clone());
            run.revision = Some(revision.clone());
            run.commit = Some(commit.clone());
        }
        _ => {}
    }
}

/// Moves a run, where it may go there. One that a person stopped never ends so that another goes on in its place: its device may end it
/// before it hears of that, and it is cancelled all the same.
fn moved(run: &mut Run, to: RunState, reason: Option<&Reason>, event: &Event) {
    let goes_on = matches!(to, RunState::Lost | RunState::Evicted);
    let stopped = run.ending.clone().filter(|ending| goes_on && matches!(ending, Reason::Stopped { .. }));
    let (to, reason) = match stopped {
        Some(stopped) => (RunState::Cancelled, Some(stopped)),
        None => (to, reason.cloned()),
    };
    if !move_to(run, to, event) {
        return;
    }
    if to == RunState::Queued {
        run.tries += u32::from(matches!(reason, Some(Reason::TriesAgain { .. })));
        (run.lease, run.lease_until, run.reserved, run.device, run.key, run.started_at) = (None, None, None, None, None, None);
        (run.told, run.asked) = (None, None);
    }
    if to.ended() {
        run.ended_at = Some(event.at);
        run.paused = false;
        run.questions.clear();
    }
    run.reason = reason;
}

/// Moves a run to a state; false: that does not follow its own.
fn move_to(run: &mut Run, to: RunState, event: &Event) -> bool {
    let may = run.state.may_become(to) || is_found_done(run, to, event);
    if may {
        if run.state != to && run.phases.len() < PHASES_MAX {
            run.phases.push(Phase { state: to, at: event.at });
        }
        (run.state, run.reason) = (to, None);
    }
    may
}

/// Whether a run that was given up was done all the same: its executor told so, after the patch that it published. Nothing else leaves an
/// end.
fn is_found_done(run: &Run, to: RunState, event: &Event) -> bool {
    event.told.is_some() && run.state == RunState::Lost && to == RunState::Done && run.revision.is_some()
}

/// Adds to a list that has a bound; what is beyond it is counted.
fn push<T>(list: &mut Vec<T>, one: T, max: usize, more: &mut u64) {
    if list.len() < max { list.push(one) } else { *more += 1 }
}

/// The claim to which a run belongs that was queued; none: the device has a claim of its own on the task, and the run is another's,
/// which it executes. Of a task that it has not claimed itself a device has the claim of whoever asked for the run.
fn claim_of(known: Option<Claim>, task: &TaskRef, run: &Run, event: &Event) -> Option<Claim> {
    let own = event.via.is_some() || event.actor == run.requester || event.actor == run.member;
    match known {
        Some(claim) if claim.device == run.requester => Some(claim),
        Some(_) if !own => None,
        _ => Some(new_claim(task, &run.requester)),
    }
}

fn new_claim(task: &TaskRef, device: &Did) -> Claim {
    Claim {
        task: task.clone(),
        device: device.clone(),
        runs: vec![],
        patch: None,
        others: vec![],
        merged: false,
        merged_by: None,
        rejected: false,
        revision: None,
        verdicts: BTreeMap::new(),
        over: vec![],
        turn: 0,
    }
}

/// The task has this patch from now on.
fn published(claim: &mut Claim, patch: &PatchId, revision: &RevisionId) {
    (claim.patch, claim.revision, claim.rejected) = (Some(patch.clone()), Some(revision.clone()), false);
    claim.verdicts.clear();
}

/// The task has this patch beside its own.
fn rival(claim: &mut Claim, patch: &PatchId) {
    if claim.others.len() < OTHERS_KEPT_MAX && claim.patches().all(|known| known != patch) {
        claim.others.push(patch.clone());
    }
}

fn judge(claim: &mut Claim, by: &Did, verdict: Option<Verdict>) {
    match verdict {
        None => {
            claim.verdicts.remove(by);
        }
        // A comment takes no verdict back.
        Some(Verdict::Comment) => {
            claim.verdicts.entry(by.clone()).or_insert(Verdict::Comment);
        }
        Some(verdict) => {
            claim.verdicts.insert(by.clone(), verdict);
        }
    }
}

fn claim(before: Before<'_>, task: Option<&TaskRef>, change: impl FnOnce(&mut Claim)) -> Result<Option<Projected>, Problem> {
    let Some(task) = task else { return Ok(None) };
    let Some(mut claim) = read::<Claim>(before, kind::CLAIM, &task.to_string())? else { return Ok(None) };
    change(&mut claim);
    put(kind::CLAIM, &task.to_string(), &claim).map(Some)
}

/// As [`claim`], where this is the claim's patch: of an earlier one nothing counts any more.
fn claim_with(
    before: Before<'_>,
    task: Option<&TaskRef>,
    patch: &PatchId,
    change: impl FnOnce(&mut Claim),
) -> Result<Option<Projected>, Problem> {
    claim(before, task, |claim| {
        if claim.patch.as_ref() == Some(patch) {
            change(claim);
        }
    })
}

pub(super) fn read<T: DeserializeOwned>(
    before: &mut dyn FnMut(&str, &str) -> Option<Arc<str>>,
    kind: &str,
    id: &str,
) -> Result<Option<T>, Problem> {
    before(kind, id).map(|text| serde_json::from_str(&text).map_err(Problem::internal)).transpose()
}

pub(super) fn put(kind: &'static str, id: &str, value: &impl Serialize) -> Result<Projected, Problem> {
    let text = serde_json::to_string(value).map_err(Problem::internal)?;
    Ok(Projected { kind, id: id.to_owned(), value: Some(text.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_of_a_run_have_a_bound_and_count_what_is_beyond() {
        let did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp";
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did, "requester": did,
            "state": "working", "queued_at": 0,
        });
        let mut run: Run = serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}"));
        let event = |body| Event { version: 1, at: crate::Timestamp(0), actor: run.member.clone(), via: None, told: None, body };
        let id = run.id.clone();
        let events: Vec<Event> = (0..VIOLATIONS_KEPT_MAX + 5)
            .map(|n| event(Body::SandboxStopped { run: id.clone(), what: n.to_string() }))
            .chain((0..QUESTIONS_OPEN_MAX + 1).map(|n| {
                let question = crate::run::Question { id: n.to_string(), title: String::new(), options: vec![] };
                event(Body::QuestionAsked { run: id.clone(), question })
            }))
            .collect();
        events.iter().for_each(|event| change_run(&mut run, event));
        assert_eq!((run.violations.len(), run.violations_more), (VIOLATIONS_KEPT_MAX, 5));
        assert_eq!((run.questions.len(), run.questions_more), (QUESTIONS_OPEN_MAX, 1));
    }

    #[test]
    fn what_a_person_stopped_is_cancelled_also_where_its_device_lost_or_evicted_it_before_it_heard_of_that() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let run = json!({
            "id": id, "class": "agent", "project": "demo", "member": did, "requester": did, "state": "working", "queued_at": 0,
            "task": {"project": "demo", "feature": "001-work", "task": "T001"},
        });
        let run: Run = serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}"));
        let told = || Some(crate::event::Told { device: did.clone(), seq: 7, heard_at: crate::Timestamp(0) });
        let event = |told, body| Event { version: 1, at: crate::Timestamp(0), actor: did.clone(), via: None, told, body };
        let stopped = Reason::Stopped { by: did.clone() };
        let evicted = Reason::Evicted { message: String::new() };
        let ends = |asked: &Reason, to: RunState| {
            let (mut run, gone) = (run.clone(), Reason::Vanished { message: "Its runner was gone.".into() });
            change_run(&mut run, &event(None, Body::RunEndAsked { run: id.clone(), reason: asked.clone() }));
            change_run(&mut run, &event(told(), Body::RunMoved { run: id.clone(), to, reason: Some(gone) }));
            (run.state, run.reason.as_ref() == Some(&stopped), run.next_attempt(&did).is_some(), run.ended_at.is_some())
        };
        for to in [RunState::Lost, RunState::Evicted] {
            assert_eq!(ends(&stopped, to), (RunState::Cancelled, true, false, true), "{to:?}");
            assert_eq!(ends(&evicted, to), (to, false, true, true), "{to:?}: only a person ends it for good");
        }
        for to in [RunState::Done, RunState::Failed] {
            assert_eq!(ends(&stopped, to), (to, false, false, true), "{to:?}: its device's word stands");
        }
    }

    #[test]
    fn a_persons_pause_outlasts_an_eviction_and_a_loss_and_a_freeze_for_anything_else_does_not() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let run = |state: &str| -> Run {
            let run = json!({
                "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did, "requester": did,
                "state": state, "queued_at": 0,
            });
            serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}"))
        };
        let id = run("working").id;
        let happens = |run: &mut Run, body| {
            change_run(run, &Event { version: 1, at: crate::Timestamp(0), actor: did.clone(), via: None, told: None, body });
        };
        let asks = |paused| Body::PauseAsked(crate::run::PauseAsked { run: id.clone(), paused });
        let frozen = || Body::RunPaused { run: id.clone(), paused: true };
        for to in [RunState::Evicted, RunState::Lost] {
            let ends = || Body::RunMoved { run: id.clone(), to, reason: None };
            let after = |bodies: Vec<Body>| {
                let mut run = run("working");
                bodies.into_iter().for_each(|body| happens(&mut run, body));
                (run.paused, run.paused_by)
            };
            assert_eq!(after(vec![frozen(), asks(true), ends()]), (false, Some(did.clone())), "{to:?}");
            assert_eq!(after(vec![frozen(), ends()]), (false, None), "{to:?}: the machine's owner froze it");
            assert_eq!(after(vec![frozen(), asks(true), asks(false), ends()]), (false, None), "{to:?}: a person let it go on");
        }
        let mut next = Run { paused: true, paused_by: Some(did.clone()), ..run("queued") };
        happens(&mut next, asks(false));
        assert_eq!((next.paused, next.paused_by), (false, None), "nothing of it is frozen");
    }

    #[test]
    fn what_an_executor_tells_once_more_is_shown_once() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let run = json!({
            "id": id, "class": "agent", "project": "demo", "member": did, "requester": did, "state": "working", "queued_at": 0,
        });
        let mut run: Run = serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}"));
        let sent = |text: u8| Body::MessageSent { run: id.clone(), order: 3, text: Hash::from_bytes([text; 32]) };
        let question = crate::run::Question { id: "q".into(), title: String::new(), options: vec![] };
        let asked = || Body::QuestionAsked { run: id.clone(), question: question.clone() };
        for (seq, body) in [(1, sent(1)), (2, asked()), (7, sent(1)), (8, asked()), (9, sent(2))] {
            let told = Some(crate::event::Told { device: did.clone(), seq, heard_at: crate::Timestamp(0) });
            change_run(&mut run, &Event { version: 1, at: crate::Timestamp(0), actor: did.clone(), via: None, told, body });
        }
        assert_eq!((run.messages.len(), run.questions.len(), run.questions_more), (2, 1, 0), "another text is another message");
    }

    #[test]
    fn a_lease_that_brings_its_run_is_as_the_run_and_then_its_lease() {
        let did: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let task = json!({"project": "demo", "feature": "001-hello", "task": "T001"});
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "task": task, "member": did, "requester": did,
            "state": "queued", "queued_at": 0,
        });
        let leased = |asked: Option<&serde_json::Value>| {
            json!({
                "type": "run_leased", "run": run["id"], "lease": "01ARZ3NDEKTSV4RRFFQ69G5FAW", "device": did, "until": 9, "asked": asked,
                "reserved": {"cpu_milli": 1, "memory_bytes": 2, "disk_bytes": 3, "gpus": 0},
            })
        };
        let after = |bodies: Vec<serde_json::Value>| {
            let mut all: BTreeMap<(String, String), Option<Arc<str>>> = BTreeMap::new();
            for body in bodies {
                let body = serde_json::from_value(body).unwrap_or_else(|e| unreachable!("{e}"));
                let event = Event { version: 1, at: crate::Timestamp(5), actor: did.clone(), via: None, told: None, body };
                let mut before = |kind: &str, id: &str| all.get(&(kind.to_owned(), id.to_owned())).cloned().flatten();
                let changed = project(&event, &mut before).unwrap_or_else(|p| unreachable!("{p}"));
                all.extend(changed.into_iter().map(|one| ((one.kind.to_owned(), one.id), one.value)));
            }
            all
        };
        let queued = || json!({"type": "run_queued", "run": run});
        let two = after(vec![queued(), leased(None)]);
        assert_eq!(two.len(), 4, "run, active, claim, taken: {two:?}");
        assert_eq!(after(vec![leased(Some(&run))]), two);
        let mut other = run.clone();
        other["project"] = json!("other");
        assert_eq!(after(vec![queued(), leased(Some(&other))]), two, "what is known stands");
        assert!(after(vec![leased(None)]).is_empty());
    }

    #[test]
    fn a_call_counts_in_the_day_in_which_it_was_let_through() {
        let device: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let (admitted, ended) = (crate::Timestamp(86_399_000), crate::Timestamp(86_401_000));
        let usage = Usage { calls: 1, input_tokens: 7, ..Usage::default() };
        let call = ModelCall { model: "m".into(), status: 200, usage, duration_ms: 2_000, admitted };
        let body = Body::CommandModelCalled(call);
        let event = Event { version: 1, at: ended, actor: device, via: None, told: None, body };
        let changes = project(&event, &mut |_, _| None).unwrap_or_else(|p| unreachable!("{p}"));
        let of_day = |at| changes.iter().any(|change| change.kind == kind::SPENT && change.id == spent_id("org", &Period::Day.key(at)));
        assert!(of_day(admitted) && !of_day(ended), "{changes:?}");
        assert!(changes.iter().any(|change| change.kind == kind::COMMAND && change.id == crate::command::day(admitted)), "{changes:?}");
    }

    #[test]
    fn a_joined_line_is_remembered_where_branches_were_kept_aside() {
        let did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp";
        for aside in [vec![], vec!["aside/0123456789ab/main"]] {
            let event = json!({
                "version": 1, "at": 7, "actor": did, "type": "line_rejoined", "repository": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5",
                "key": did, "theirs": "a".repeat(40), "ours": "b".repeat(40), "aside": aside,
            });
            let event: Event = serde_json::from_value(event).unwrap_or_else(|e| unreachable!("{e}"));
            let changes = project(&event, &mut |_, _| None).unwrap_or_else(|p| unreachable!("{p}"));
            assert_eq!(changes.len(), aside.len());
            for change in changes {
                let kept: Event = serde_json::from_str(change.value.as_deref().unwrap_or_default()).unwrap_or_else(|e| unreachable!("{e}"));
                assert_eq!((change.kind, kept), (kind::ASIDE, event.clone()));
            }
        }
    }

    #[test]
    fn a_checkpoint_lies_where_it_was_made_until_it_arrives() {
        let did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp";
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did, "requester": did,
            "state": "working", "queued_at": 0,
        });
        let run: Run = serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}"));
        let (id, device) = (run.id.clone(), run.member.clone());
        let oid = |digit: &str| digit.repeat(40).parse::<crate::Oid>().unwrap_or_else(|p| unreachable!("{p}"));
        let told = |seq| crate::event::Told { device: device.clone(), seq, heard_at: crate::Timestamp(0) };
        let event = |body, told| Event { version: 1, at: crate::Timestamp(0), actor: device.clone(), via: None, told, body };
        let saved = |digit: &str| Body::RunCheckpointed { run: id.clone(), commit: oid(digit) };
        let dropped = || Body::CheckpointDropped(crate::run::CheckpointDropped { run: id.clone(), why: String::new() });
        let gone = crate::run::CheckpointGoes { run: id.clone(), goes_at: crate::Timestamp(7), why: "Too old.".into() };

        let mut own = run.clone();
        change_run(&mut own, &event(saved("1"), None));
        assert_eq!((own.checkpoint.clone(), own.held.clone()), (Some(oid("1")), Some(oid("1"))));
        let goes = event(Body::CheckpointGoes(gone), None);
        let json = serde_json::to_vec(&goes).unwrap_or_default();
        assert_eq!(Event::read(&json).ok(), Some(goes.clone()), "its own moment is not the event's");
        change_run(&mut own, &goes);
        assert_eq!(own.goes, Some(crate::Timestamp(7)));
        change_run(&mut own, &event(dropped(), None));
        assert_eq!((own.checkpoint, own.held, own.goes), (None, None, None));

        let mut elsewhere = run;
        change_run(&mut elsewhere, &event(saved("1"), Some(told(1))));
        assert_eq!((elsewhere.checkpoint.clone(), elsewhere.held.clone()), (Some(oid("1")), None));
        change_run(&mut elsewhere, &event(saved("1"), None));
        change_run(&mut elsewhere, &event(saved("2"), Some(told(2))));
        let there = (elsewhere.checkpoint.clone(), elsewhere.held.clone());
        assert_eq!(there, (Some(oid("2")), Some(oid("1"))), "the later one has not arrived");
        change_run(&mut elsewhere, &event(dropped(), Some(told(3))));
        assert_eq!(elsewhere.checkpoint, Some(oid("1")), "what arrived is here still");
        change_run(&mut elsewhere, &event(dropped(), None));
        assert_eq!((elsewhere.checkpoint, elsewhere.held), (None, None));
    }

    #[test]
    fn a_devices_own_claim_is_changed_by_its_own_runs_alone_and_by_no_rival_of_what_was_accepted() {
        let did = |letter: char| -> Did {
            format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap_or_else(|p| unreachable!("{p}"))
        };
        let task = json!({"project": "demo", "feature": "001-hello", "task": "T001"});
        let queued = |id: &str, requester: char| -> Body {
            let run = json!({
                "id": id, "class": "agent", "project": "demo", "task": task, "member": did('m'), "requester": did(requester),
                "state": "queued", "queued_at": 0,
            });
            Body::RunQueued { run: Box::new(serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}"))) }
        };
        let published = |id: &str, letter: &str| -> Body {
            let oid = letter.repeat(40);
            let body = json!({"type": "patch_published", "run": id, "patch": oid, "revision": oid, "commit": oid});
            serde_json::from_value(body).unwrap_or_else(|e| unreachable!("{e}"))
        };
        let (first, second, other) = ("01ARZ3NDEKTSV4RRFFQ69G5FA1", "01ARZ3NDEKTSV4RRFFQ69G5FA2", "01ARZ3NDEKTSV4RRFFQ69G5FA3");
        let mut all: BTreeMap<(String, String), Option<Arc<str>>> = BTreeMap::new();
        // In the journal of `a`.
        let mut happens = |body: Body| -> Claim {
            let event = Event { version: 1, at: crate::Timestamp(0), actor: did('a'), via: None, told: None, body };
            let mut before = |kind: &str, id: &str| all.get(&(kind.to_owned(), id.to_owned())).cloned().flatten();
            let changed = project(&event, &mut before).unwrap_or_else(|p| unreachable!("{p}"));
            all.extend(changed.into_iter().map(|one| ((one.kind.to_owned(), one.id), one.value)));
            let claim = all.get(&(kind::CLAIM.to_owned(), "demo/001-hello/T001".to_owned())).cloned();
            serde_json::from_str(&claim.flatten().unwrap_or_default()).unwrap_or_else(|e| unreachable!("{e}"))
        };
        let shown = |claim: &Claim| (claim.device.clone(), claim.runs.len(), claim.patch.as_ref().map(|p| p.as_str()[..1].to_owned()));
        assert_eq!(shown(&happens(queued(other, 'b'))), (did('b'), 1, None), "it executes it for another");
        assert_eq!(shown(&happens(queued(first, 'a'))), (did('a'), 1, None), "and begins at it itself");
        assert_eq!(shown(&happens(queued("01ARZ3NDEKTSV4RRFFQ69G5FA4", 'b'))), (did('a'), 1, None));
        assert_eq!(shown(&happens(published(other, "b"))), (did('a'), 1, None));
        assert_eq!(shown(&happens(published(first, "c"))), (did('a'), 1, Some("c".into())));
        happens(queued(second, 'a'));
        let merged = json!({"type": "patch_merged", "project": "demo", "patch": "c".repeat(40), "commit": "d".repeat(40), "task": task});
        let merged: Body = serde_json::from_value(merged).unwrap_or_else(|e| unreachable!("{e}"));
        assert!(happens(merged).merged);
        assert_eq!(shown(&happens(published(second, "e"))), (did('a'), 2, Some("c".into())));
    }

    #[test]
    fn a_run_that_was_given_up_is_done_once_its_executor_told_so_and_its_task_stands_by_it() {
        let did = |letter: char| -> Did {
            format!("did:key:z6Mk{}", letter.to_string().repeat(44)).parse().unwrap_or_else(|p| unreachable!("{p}"))
        };
        let (first, second) = ("01ARZ3NDEKTSV4RRFFQ69G5FA1", "01ARZ3NDEKTSV4RRFFQ69G5FA2");
        let queued = |id: &str| {
            let run = json!({
                "id": id, "class": "agent", "project": "demo", "task": {"project": "demo", "feature": "001-hello", "task": "T001"},
                "member": did('m'), "requester": did('a'), "state": "queued", "queued_at": 0,
            });
            json!({"type": "run_queued", "run": run})
        };
        let moved = |id: &str, to: &str| json!({"type": "run_moved", "run": id, "to": to});
        let mut all: BTreeMap<(String, String), Option<Arc<str>>> = BTreeMap::new();
        // Gives the first run's state and the claim's last run, how many are active, and the task's own patch with how many beside it.
        let mut happens = |body: serde_json::Value, told: bool| {
            let body: Body = serde_json::from_value(body).unwrap_or_else(|e| unreachable!("{e}"));
            let told = told.then(|| crate::event::Told { device: did('b'), seq: 7, heard_at: crate::Timestamp(0) });
            let event = Event { version: 1, at: crate::Timestamp(0), actor: did('a'), via: None, told, body };
            let mut before = |kind: &str, id: &str| all.get(&(kind.to_owned(), id.to_owned())).cloned().flatten();
            let changed = project(&event, &mut before).unwrap_or_else(|p| unreachable!("{p}"));
            all.extend(changed.into_iter().map(|one| ((one.kind.to_owned(), one.id), one.value)));
            let text = |kind: &str, id: &str| all.get(&(kind.to_owned(), id.to_owned())).cloned().flatten().unwrap_or_default();
            let run: Run = serde_json::from_str(&text(kind::RUN, first)).unwrap_or_else(|e| unreachable!("{e}"));
            let claim: Claim = serde_json::from_str(&text(kind::CLAIM, "demo/001-hello/T001")).unwrap_or_else(|e| unreachable!("{e}"));
            let active = all.iter().filter(|((kind, _), value)| kind == kind::ACTIVE && value.is_some()).count();
            let last = claim.runs.last().map(ToString::to_string);
            ((run.state, last), active, (claim.patch.map(|patch| patch.as_str()[..1].to_owned()), claim.others.len()))
        };
        let by = |state, run: &str| (state, Some(run.to_owned()));
        let published = |run: &str, letter: &str| {
            let oid = letter.repeat(40);
            json!({"type": "patch_published", "run": run, "patch": oid, "revision": oid, "commit": oid})
        };
        happens(queued(first), false);
        happens(moved(first, "working"), true);
        let none = || (None, 0);
        assert_eq!(happens(moved(first, "lost"), false), (by(RunState::Lost, first), 0, none()));
        assert_eq!(happens(queued(second), false), (by(RunState::Lost, second), 1, none()));
        assert_eq!(happens(moved(first, "done"), true), (by(RunState::Lost, second), 1, none()), "no patch of it is known");
        let beside = happens(published(first, "c"), true);
        assert_eq!(beside, (by(RunState::Lost, second), 1, (None, 1)), "it is not the task's yet");
        assert_eq!(happens(moved(first, "working"), true).0, by(RunState::Lost, second), "it goes nowhere else");
        assert_eq!(happens(moved(first, "done"), false).0, by(RunState::Lost, second), "that is its executor's to tell");
        happens(moved(second, "cancelled"), false);
        assert_eq!(happens(moved(first, "done"), true), (by(RunState::Done, first), 0, (Some("c".into()), 0)));
    }

    #[test]
    fn of_two_patches_of_a_claim_the_one_that_is_merged_is_the_tasks() {
        let oid = |letter: &str| letter.repeat(40).parse::<PatchId>().unwrap_or_else(|p| unreachable!("{p}"));
        let device: Did = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let task = json!({"project": "demo", "feature": "001-hello", "task": "T001"});
        let at: TaskRef = serde_json::from_value(task.clone()).unwrap_or_else(|e| unreachable!("{e}"));
        let mut both = new_claim(&at, &device);
        both.patch = Some(oid("a"));
        rival(&mut both, &oid("a"));
        rival(&mut both, &oid("b"));
        rival(&mut both, &oid("b"));
        assert_eq!(both.patches().cloned().collect::<Vec<_>>(), [oid("a"), oid("b")]);
        let merged = json!({"type": "patch_merged", "project": "demo", "patch": oid("b"), "commit": oid("c"), "task": task});
        let body: Body = serde_json::from_value(merged).unwrap_or_else(|e| unreachable!("{e}"));
        let event = Event { version: 1, at: crate::Timestamp(0), actor: device, via: None, told: None, body };
        let was: Arc<str> = serde_json::to_string(&both).unwrap_or_default().into();
        let changed = project(&event, &mut |_, _| Some(was.clone())).unwrap_or_else(|p| unreachable!("{p}"));
        let after = changed.first().and_then(|one| one.value.clone()).unwrap_or_default();
        let after: Claim = serde_json::from_str(&after).unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!((after.patch, after.others, after.merged), (Some(oid("b")), vec![oid("a")], true));
    }

    #[test]
    fn a_lifting_under_an_orders_id_lifts_only_the_order_that_it_names() {
        use crate::stop::Scope;
        let did = |text: &str| text.parse::<Did>().unwrap_or_else(|p| unreachable!("{p}"));
        let (ada, bob) = (
            did("did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp"),
            did("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
        );
        let halt = Order {
            version: crate::stop::VERSION,
            id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            org: "crew".parse().unwrap_or_else(|p| unreachable!("{p}")),
            by: Some(ada.clone()),
            scope: Scope::Org,
            why: "It spends too much.".into(),
            at: crate::Timestamp(0),
            lifts: false,
        };
        let envelope: Hash = "0".repeat(64).parse().unwrap_or_else(|p| unreachable!("{p}"));
        let mut all: BTreeMap<(String, String), Option<Arc<str>>> = BTreeMap::new();
        let mut hear = |order: Order, by: &Did| -> usize {
            let mut before = |kind: &str, id: &str| all.get(&(kind.to_owned(), id.to_owned())).cloned().flatten();
            let changed = stop(&mut before, &order, by, &envelope).unwrap_or_else(|p| unreachable!("{p}"));
            all.extend(changed.into_iter().map(|one| ((one.kind.to_owned(), one.id), one.value)));
            all.iter().filter(|((kind, _), value)| kind == kind::HALT && value.is_some()).count()
        };
        // Bob uses the order's id before it is heard: for something else, and as if it were his.
        let device = Scope::Device { name: "bobs-box".into(), device: bob.clone() };
        assert_eq!(hear(Order { scope: device, by: Some(bob.clone()), lifts: true, ..halt.clone() }, &bob), 0);
        assert_eq!(hear(Order { by: Some(bob.clone()), lifts: true, ..halt.clone() }, &bob), 0);
        assert_eq!(hear(halt.clone(), &ada), 1, "it counts all the same");
        assert_eq!(hear(Order { lifts: true, ..halt.clone() }, &ada), 0);
        assert_eq!(hear(halt, &ada), 0, "lifted once and for all");
    }

    #[test]
    fn a_takeover_is_counted_and_a_merge_says_who_wanted_it() {
        fn of<T: std::str::FromStr<Err = Problem>>(text: &str) -> T {
            text.parse().unwrap_or_else(|p| unreachable!("{p}"))
        }
        let (here, other): (Did, Did) = (
            of("did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp"),
            of("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
        );
        let task = TaskRef { project: of("demo"), feature: of("001-hello"), task: of("T001") };
        let patch: PatchId = of(&"a".repeat(40));
        let takeover = |turn| Body::TaskTakenOver(Takeover { task: task.clone(), device: here.clone(), from: vec![other.clone()], turn });
        let merged = Body::PatchMerged { project: of("demo"), patch: patch.clone(), commit: of(&"b".repeat(40)), task: Some(task.clone()) };
        let mut all: BTreeMap<(String, String), Option<Arc<str>>> = BTreeMap::new();
        for body in [takeover(1), takeover(3), merged] {
            let event = Event { version: 1, at: crate::Timestamp(0), actor: other.clone(), via: None, told: None, body };
            let mut before = |kind: &str, id: &str| all.get(&(kind.to_owned(), id.to_owned())).cloned().flatten();
            let changed = project(&event, &mut before).unwrap_or_else(|p| unreachable!("{p}"));
            all.extend(changed.into_iter().map(|one| ((one.kind.to_owned(), one.id), one.value)));
        }
        let claim = all.remove(&(kind::CLAIM.to_owned(), task.to_string())).unwrap_or_default();
        let claim: Claim = serde_json::from_str(&claim.unwrap_or_default()).unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!((&claim.device, &claim.over, claim.turn), (&here, &vec![other.clone()], 3));
        assert_eq!((&claim.patch, claim.merged, &claim.merged_by), (&Some(patch), true, &Some(other)));
    }
}
