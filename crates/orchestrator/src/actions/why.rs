//! Why a task runs where it does, or does not run yet: what placement says of each device, and what each said that was asked.

use super::task::{check_tags, named, the_agent, why as waits};
use crate::{
    admission, clock, dispatch, lifecycle, limits, names,
    org::Org,
    picture::{self, Claims},
    placing::{self, Looked},
    remote::devices::Known,
    stops,
    table::{Action, Context, Effect, action},
    tasks::Board,
};
use domain::{
    AgentName, Did, FeatureId, Kind, Problem, ProjectName, RunId, TaskId, TaskRef,
    capacity::Resources,
    manifest::{Class, Manifest},
    picture::{Rival, Whose, claim_at},
    placement::{Decision, Part, QueuePlace, Refusal},
    role::Permission,
    run::{Reason, Refused, Run, RunState},
    stop::Stop,
    task::{TaskState, TaskView},
};
use forge::OrgState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn actions() -> Vec<Action> {
    let summary = "Explain where a task runs, or would: what speaks for and against each device, who was asked, and what it said.";
    vec![action("task.why", Effect::Reads, Permission::View, summary, why)]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    project: Option<ProjectName>,
    #[serde(default)]
    feature: Option<FeatureId>,
    /// The task.
    task: TaskId,
    /// The agent, where the task has no run yet; the only one where nothing is said.
    #[serde(default)]
    agent: Option<AgentName>,
    /// Tags that the device must have, where the task has no run yet.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Where a task runs, and why there.
#[derive(Debug, Serialize, JsonSchema)]
struct Why {
    /// The task.
    task: TaskRef,
    /// Its run that waits or goes on, else its last; none: it has none, and this is what would become of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    /// Where that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<RunState>,
    /// The same in words.
    why: String,
    /// The device that has it, or that is asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Did>,
    /// That device, where it executes the run and is away: as of then its state is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    away: Option<Whose>,
    /// The device that a person wants it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<Did>,
    /// Tags that its device must have.
    tags: BTreeMap<String, String>,
    /// What it needs.
    resources: Resources,
    /// What the planner says of the devices now.
    decision: Decision,
    /// Every device of the org, this one first.
    devices: Vec<DeviceWhy>,
    /// Its patches, where several devices made one each: at most one is accepted.
    rivals: Vec<Rival>,
}

/// What there is to say of one device.
#[derive(Debug, Serialize, JsonSchema)]
struct DeviceWhy {
    /// The device.
    device: Did,
    /// What people call it.
    name: String,
    /// The member who owns it.
    owner: String,
    /// Whether it is this one.
    here: bool,
    /// The how manieth it would be asked now, from 1; none: it would not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<usize>,
    /// How well it suits, higher is better; 0 when it cannot take it.
    score: i64,
    /// What that is made of.
    parts: Vec<Part>,
    /// Why it cannot take it now.
    refusals: Vec<Refusal>,
    /// Where this very run stands in its queue, where others wait there too.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueuePlace>,
    /// What it said when it was asked for this very run.
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<Refused>,
    /// All of it in words.
    why: String,
}

async fn why(context: Context, input: Asked) -> Result<Why, Problem> {
    context.org()?.blocking(move |org| tell(org, &input)).await
}

fn tell(org: &Arc<Org>, input: &Asked) -> Result<Why, Problem> {
    let board = Board::seen(org, &org.project(input.project.as_ref())?)?;
    let view = board.task(named(&board, input.feature.as_ref())?.as_ref(), &input.task)?.clone();
    // One that does not exist is a mistake, also where a run says already which it is.
    if input.agent.is_some() {
        the_agent(org, input.agent.as_ref())?;
    }
    let claims = Claims::read(org).all(org, &view.at)?;
    let known = claim_at(&org.device, &claims)
        .and_then(|shown| shown.latest.clone())
        .map(|run| as_asked(org, picture::halted_with_its_checks(org, run)));
    let run = match &known {
        Some(run) => run.clone(),
        None => would_be(org, input, &view)?,
    };
    let (manifest, hindered) = manifest(org, &board, &run)?;
    // Of a device that nobody asked it is told too what would speak for it.
    let looked = placing::look(org, &Run { on: None, ..run.clone() }, &manifest)?;
    let state = org.state()?;
    let devices = looked.devices.iter().map(|device| of_device(&state, &looked, &run, device)).collect();
    let away = known.as_ref().and_then(|run| picture::away(org, run));
    let why = match &known {
        Some(run) => {
            let away = away.as_ref().map(|away| picture::away_text(&state, run, away)).unwrap_or_default();
            format!("{} {away}", of_run(&state, &board, &view, run))
        }
        None => of_none(&board, &view, &looked, stops::halting(org, &run).as_ref()),
    };
    let why = hindered.map_or_else(|| why.clone(), |problem| format!("{} A run could not begin now: {problem}", why.trim_end()));
    Ok(Why {
        rivals: view.rivals,
        task: view.at,
        run: known.as_ref().map(|run| run.id.clone()),
        state: known.as_ref().map(|run| run.state),
        why: names::within(&state, why.trim_end()),
        away,
        device: run.device.clone().or_else(|| run.asked.clone()),
        on: run.on.clone(),
        tags: manifest.tags,
        resources: manifest.resources,
        decision: looked.decision().clone(),
        devices,
    })
}

/// A run with how it came where it is, which only the device that asked for it tells.
fn as_asked(org: &Org, run: Run) -> Run {
    match picture::run_at_requester(org, &run.requester, &run.id) {
        Some(asked) => Run { on: asked.on, refused: asked.refused, tags: asked.tags, ..run },
        None => run,
    }
}

/// The run that there would be.
fn would_be(org: &Org, input: &Asked, view: &TaskView) -> Result<Run, Problem> {
    check_tags(&input.tags)?;
    let (id, project, at) = (clock::run_id(), view.at.project.clone(), clock::now());
    let run = admission::new_run(id, Class::Agent, project, org.member.clone(), org.device.clone(), at);
    let agent = the_agent(org, input.agent.as_ref())?;
    Ok(Run { task: Some(view.at.clone()), agent: Some(agent), tags: input.tags.clone(), ..run })
}

/// What was asked for, or would be, as if it were asked now; and why a run could not begin where it would have to, as on a patch that
/// nobody made whose work is taken.
fn manifest(org: &Org, board: &Board, run: &Run) -> Result<(Manifest, Option<Problem>), Problem> {
    let sent = run.envelope.is_some().then(|| lifecycle::manifest(org, run).ok()).flatten();
    let (manifest, hindered) = match sent {
        Some((manifest, _)) => (manifest, None),
        None => explained(dispatch::draft(org, board, run), || dispatch::draft_upon(org, board, run, || Ok(board.head.clone())))?,
    };
    let at = clock::now();
    Ok((Manifest { at, expires: at.plus_ms(limits::MANIFEST_VALID_MS), ..manifest }, hindered))
}

/// What was drafted; where that is refused, what is drafted `otherwise`, with what was said.
fn explained<T>(drafted: Result<T, Problem>, otherwise: impl FnOnce() -> Result<T, Problem>) -> Result<(T, Option<Problem>), Problem> {
    match drafted {
        Err(problem) if problem.kind == Kind::Forbidden => Ok((otherwise()?, Some(problem))),
        drafted => drafted.map(|drafted| (drafted, None)),
    }
}

fn of_device(state: &OrgState, looked: &Looked, run: &Run, known: &Known) -> DeviceWhy {
    let did = &known.device.did;
    let decision = looked.decision();
    let verdict = decision.verdicts.iter().find(|verdict| verdict.device == *did);
    let place = decision.order.iter().position(|device| device == did).map(|at| at + 1);
    let (refusals, said) = (looked.refusals(known), run.refused.iter().find(|said| said.device == *did).cloned());
    let (score, parts) = verdict.map_or_else(|| (0, vec![]), |verdict| (verdict.score, verdict.parts.clone()));
    let judged = match place {
        Some(place) => {
            let of: Vec<_> = parts.iter().filter(|p| p.points > 0).map(|p| format!("{} {}", p.what.text(), p.points)).collect();
            format!("It could take it now, as number {place}, with {score} points: {}.", of.join(", "))
        }
        None => Refusal::each(&refusals),
    };
    let role = role(run, did);
    let queue = Looked::place(known, &run.id).filter(|_| run.state.waits());
    let stands = queue.as_ref().map(|place| Refusal::Queue { place: place.clone() }.text()).unwrap_or_default();
    // What it said before it took the run holds no more.
    let before = said.as_ref().filter(|_| run.device.as_ref() != Some(did));
    let before = before.map(|said| format!("When it was asked, it said: {}", Refusal::each(&said.reasons))).unwrap_or_default();
    let why: Vec<&str> = [role, judged.as_str(), stands.as_str(), before.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
    DeviceWhy {
        device: did.clone(),
        name: known.device.name.clone(),
        owner: known.device.owner.clone(),
        here: known.here,
        place,
        score,
        why: names::within(state, &why.join(" ")),
        parts,
        refusals,
        queue,
        said,
    }
}

/// What a device has to do with a run.
fn role(run: &Run, did: &Did) -> &'static str {
    match (&run.device, &run.asked, &run.on) {
        (Some(device), _, _) if device == did && run.state.ended() => "It had it.",
        (Some(device), _, _) if device == did => "It has it.",
        // Where the run is over, no device is kept from the next one.
        _ if run.state.ended() => "",
        (None, Some(asked), _) if asked == did => "It is being asked.",
        (_, _, Some(on)) if on != did => "It is not asked: a person wants it on another device.",
        _ => "",
    }
}

/// Where the task's run is, and how it came there.
fn of_run(state: &OrgState, board: &Board, view: &TaskView, run: &Run) -> String {
    let said = waits(board, view, std::slice::from_ref(run));
    let Some(device) = &run.device else { return said };
    let name = state.called(device).unwrap_or_else(|| device.to_string());
    let how = match (&run.on, run.from.as_ref().filter(|from| from.device == *device)) {
        (Some(_), _) => "because a person wanted it there",
        (None, Some(_)) => "where the work that it goes on from was done",
        (None, None) if run.refused.is_empty() => "because that suited it best as things stood when it was placed",
        (None, None) => "because that suited it best of those that did not refuse it",
    };
    let over = run.state.ended() || matches!(run.reason, Some(Reason::EndUnwritten { .. }));
    let verb = if over { "ran" } else { "runs" };
    format!("Its run {verb} on {name}, {how}. {said}")
}

/// What would become of a run, where there is none, and there may be one; else where the task is.
fn of_none(board: &Board, view: &TaskView, looked: &Looked, halted: Option<&Stop>) -> String {
    if !matches!(view.state, TaskState::Ready | TaskState::Waiting { .. }) {
        return waits(board, view, &[]);
    }
    if let Some(stop) = halted {
        let what = stop.order.scope.text();
        return format!(
            "It has no run yet, and none begins until the stop order for {what} is lifted (meshwork stop list). {}",
            stops::why(stop)
        );
    }
    let name = |did: &Did| looked.devices.iter().find(|known| known.device.did == *did).map(|known| known.device.name.as_str());
    match looked.decision().order.first().and_then(name) {
        Some(first) => format!("It has no run yet. Started now, {first} would be asked first."),
        None => {
            let refusals = looked.decision().verdicts.iter().flat_map(|verdict| &verdict.refusals);
            Refusal::advised("It has no run yet, and no device could take one now.".into(), refusals)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::did;
    use domain::Timestamp;

    #[test]
    fn of_a_run_that_is_over_no_device_is_said_to_be_passed_over() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let new = admission::new_run(id, Class::Agent, project, did('B'), did('a'), Timestamp(0));
        let on_g = |state| Run { on: Some(did('g')), device: Some(did('g')), state, ..new.clone() };
        let said = |state| [role(&on_g(state), &did('a')), role(&on_g(state), &did('g'))];
        assert_eq!(said(RunState::Lost), ["", "It had it."]);
        assert_eq!(said(RunState::Working), ["It is not asked: a person wants it on another device.", "It has it."]);
    }

    #[test]
    fn a_patch_that_is_not_taken_is_a_reason_and_does_not_keep_the_explanation() {
        let refused = || Problem::new(Kind::Forbidden, "Nobody made it whose work is taken.");
        assert_eq!(explained(Err(refused()), || Ok(1)), Ok((1, Some(refused()))));
        assert_eq!(explained(Ok(2), || Ok(1)), Ok((2, None)));
        assert!(explained::<u8>(Err(Problem::not_found("There is no agent.")), || Ok(1)).is_err());
    }
}
