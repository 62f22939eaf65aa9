//! Hearing a fact of the executor: what it may tell is written into this device's journal, once, as told by it.

use super::{bring, checkpoint, client, device as listed, in_time};
use crate::{admission, clock, limits, org::Org};
use domain::{
    Did, Kind, Oid, PatchId, Problem, RevisionId, RunId,
    event::{self, Body, Event, Told, kind},
    fence,
    manifest::Class,
    org::Device,
    patch::Revision,
    run::{Reason, Run},
};
use mesh::spoken;
use proto::mesh::{Fact, ResultRequest};
use std::sync::Arc;
use store::Order;

/// Takes one fact about a run that `device` executes for us.
pub(super) async fn fact(org: &Arc<Org>, run: &RunId, device: &Did, fact: Fact) -> Result<(), Problem> {
    let mut event = match Event::read(fact.event_json.as_bytes()) {
        // It stays in its executor's journal. Here it is not kept: nobody could judge whether it is that device's to tell.
        Ok(Event { body: Body::Unknown(unknown), .. }) => {
            let kind = domain::shown(unknown.kind());
            tracing::warn!(%run, %device, %kind, "a fact that only a newer Meshwork understands was left out");
            return Ok(());
        }
        Ok(event) => event,
        Err(error) => {
            tracing::warn!(%run, %device, %error, "a fact that cannot be read was left out");
            return Ok(());
        }
    };
    let about = may_tell(org, run, device, &event.body)?;
    (event.actor, event.via) = (actor(org, device, &event.actor)?, None);
    // What is understood is written down in the form known here, whatever version told it.
    event.version = event::VERSION;
    event.told = Some(Told { device: device.clone(), seq: fact.seq, heard_at: clock::now() });
    // What was asked for is known here, and of no other device to tell.
    if let Body::RunLeased { asked, .. } = &mut event.body {
        *asked = None;
    }
    match &event.body {
        Body::ChecksEnded { signed: Some(signed), .. } if about == *run => results(org, run, device, signed.clone()).await?,
        Body::PatchPublished { patch, revision, commit, .. } => {
            let own = arrived(org, run, device, patch, revision, commit).await?;
            if !own {
                tracing::warn!(%run, %device, %patch, "a patch that is not the run's own is not its device's to tell; it was left out");
                return Ok(());
            }
        }
        _ => {}
    }
    let saved = about == *run && matches!(event.body, Body::RunCheckpointed { .. });
    let queued = matches!(event.body, Body::RunQueued { .. });
    if queued && checked_often(org, run).await? {
        tracing::warn!(%run, %device, "further checks on the work of a run were left out");
        return Ok(());
    }
    let (teller, deciding) = (device.clone(), org.clone());
    let decided = org.store.append_if(move |view| {
        let known: Option<Run> = view.get(kind::RUN, about.as_str())?;
        if !fence::is_news(known.as_ref(), &event.body, &teller, fact.seq) {
            return Ok(vec![]);
        }
        let came = matches!(event.body, Body::PatchPublished { .. });
        let goes_on = known.as_ref().filter(|_| came).and_then(goes_on).map(|body| deciding.event(&deciding.device, body));
        Ok([event].into_iter().chain(goes_on).collect())
    });
    decided.await?;
    if saved {
        brought(org, run).await;
    }
    Ok(())
}

/// Brings saved work over at once, before more is heard: its device may be gone in a moment. What does not come now is asked for again
/// when a run is to go on from it.
async fn brought(org: &Arc<Org>, id: &RunId) {
    let known = org.store.get::<Run>(kind::RUN, id.as_str());
    let brought = match known {
        Ok(Some(run)) if run.held != run.checkpoint => checkpoint::receive(org, &run).await,
        other => other.map(drop),
    };
    if let Err(problem) = brought {
        tracing::warn!(run = %id, %problem, "the saved work of a run could not be brought over yet");
    }
}

/// The run that a fact is about, if it is one that the executor may tell of.
fn may_tell(org: &Org, run: &RunId, device: &Did, body: &Body) -> Result<RunId, Problem> {
    let refused = || Problem::new(Kind::Forbidden, format!("The device {device} told what is not its to tell."));
    // Else what it executes would count as executed elsewhere.
    if matches!(body, Body::RunLeased { device: there, .. } if there != device) {
        return Err(refused());
    }
    if let Body::RunQueued { run: checks } = body {
        let subject: Option<Run> = org.store.get(kind::RUN, run.as_str())?;
        let own = subject.is_some_and(|subject| just_queued(checks, &subject, device));
        return if own { Ok(checks.id.clone()) } else { Err(refused()) };
    }
    let about = body.run().ok_or_else(refused)?;
    if about == run {
        return if body.of_executor() && !gives_back(body) { Ok(about.clone()) } else { Err(refused()) };
    }
    // Checks on its work, which the executor asks itself for.
    let checks: Option<Run> = org.store.get(kind::RUN, about.as_str())?;
    let own = checks.is_none_or(|c| c.subject.as_ref() == Some(run) && c.requester == *device) && body.of_checks();
    if own { Ok(about.clone()) } else { Err(refused()) }
}

/// Whether a run would wait again by this. That is its requester's to say, who would place it anew while it may go on where it was.
fn gives_back(body: &Body) -> bool {
    matches!(body, Body::RunMoved { to, .. } if to.waits())
}

/// Whether these are checks that `device` has just asked itself for, on the work of `subject`, and nothing more is said of them yet.
fn just_queued(checks: &Run, subject: &Run, device: &Did) -> bool {
    let (project, member) = (subject.project.clone(), checks.member.clone());
    let plain = admission::new_run(checks.id.clone(), Class::Ci, project, member, device.clone(), checks.queued_at);
    *checks == Run { subject: Some(subject.id.clone()), base: checks.base.clone(), attempt: checks.attempt, ..plain }
}

/// Whether as many checks on the work of a run are known as one believes an executor.
async fn checked_often(org: &Arc<Org>, run: &RunId) -> Result<bool, Problem> {
    let run = run.clone();
    org.blocking(move |org| {
        let all: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
        Ok(all.iter().filter(|known| known.subject.as_ref() == Some(&run)).count() >= limits::TOLD_CHECKS_MAX)
    })
    .await
}

/// Who did it, as far as the org knows them; else the device that tells.
fn actor(org: &Org, device: &Did, said: &Did) -> Result<Did, Problem> {
    let state = org.state()?;
    let known = state.member_of(said).is_some() || state.device_of(said).is_some();
    Ok(if known { said.clone() } else { device.clone() })
}

/// Fetches the signed results of the checks, and the delegation by which they count.
async fn results(org: &Arc<Org>, run: &RunId, device: &Did, signed: domain::Hash) -> Result<(), Problem> {
    let request = ResultRequest { version: spoken(), run: run.to_string() };
    let mut client = client(org, device)?;
    let reply = in_time(limits::WISH_WAIT, client.result(request)).await?.into_inner();
    org.blocking(move |org| {
        if reply.checked_json.is_empty() {
            return Ok(());
        }
        if identity::envelope::hash_bytes(&reply.checked_json) != signed {
            return Err(Problem::invalid("The device sent other results than those that it told of."));
        }
        org.store.blobs().put(&reply.checked_json)?;
        org.store.blobs().put(&reply.checked_delegation_json).map(drop)
    })
    .await
}

/// The patch must be here before the task is said to be in review. The executor's node announces it, and ours fetches it by
/// itself; what was lost of that is fetched whole. Says whether it is the run's own.
pub(super) async fn arrived(
    org: &Arc<Org>,
    run: &RunId,
    device: &Did,
    patch: &PatchId,
    revision: &RevisionId,
    commit: &Oid,
) -> Result<bool, Problem> {
    let Some(known) = org.store.get::<Run>(kind::RUN, run.as_str())? else { return Ok(false) };
    let (device, name) = (device.clone(), known.project.clone());
    let (from, project) = org.blocking(move |org| Ok((listed(org, &device)?, org.project(Some(&name))?))).await?;
    let mut last = Problem::unavailable("The patch that the device published has not come yet.");
    let mut noted = false;
    for _ in 0..limits::PATCH_LOOKS {
        let (project, patch, revision) = (project.clone(), patch.clone(), revision.clone());
        let rid = project.rid.clone();
        let here = move |org: &Arc<Org>| {
            let found = org.forge.patch(&project.rid, &project.name, &patch);
            Ok(found.ok().and_then(|patch| patch.revisions.into_iter().find(|r| r.id == revision)))
        };
        if let Some(found) = org.blocking(here).await? {
            return Ok(is_own(&found, &known, commit));
        }
        if let Err(problem) = bring::fetch_once(org, &rid, &from).await {
            last = last.because(problem.to_string());
            if !noted {
                note_held_up(org, run, &from, &last).await?;
                noted = true;
            }
        }
        tokio::time::sleep(limits::REMOTE_PAUSE).await;
    }
    note_held_up(org, run, &from, &last).await?;
    Err(last)
}

/// Writes down why a run that is done at its device stays as it is here, once.
async fn note_held_up(org: &Arc<Org>, run: &RunId, from: &Device, problem: &Problem) -> Result<(), Problem> {
    let message = format!("{problem} It is fetched again until it comes. See that the Radicle port of {} can be reached.", from.name);
    let (run, noting) = (run.clone(), org.clone());
    let decided = org.store.append_if(move |view| {
        let now: Option<Run> = view.get(kind::RUN, run.as_str())?;
        let body = now.and_then(|now| held_up(&now, message));
        Ok(body.map(|body| noting.event(&noting.device, body)).into_iter().collect())
    });
    decided.await.map(drop)
}

/// What is to be journaled of a run whose patch does not come; none: it is known, or the run is over here.
fn held_up(now: &Run, message: String) -> Option<Body> {
    let reason = Some(Reason::WaitsForDevice { message });
    (now.state.holds_slot() && !is_held_up(now)).then(|| Body::RunMoved { run: now.id.clone(), to: now.state, reason })
}

/// What is to be journaled of a run whose patch came; none: nothing was said of its not coming.
fn goes_on(now: &Run) -> Option<Body> {
    is_held_up(now).then(|| Body::RunMoved { run: now.id.clone(), to: now.state, reason: None })
}

/// Whether it is known of a run that its patch does not come: nothing else keeps one waiting for a device that has it.
fn is_held_up(run: &Run) -> bool {
    run.state.holds_slot() && matches!(run.reason, Some(Reason::WaitsForDevice { .. }))
}

/// Whether a revision is what a run is said to have published: its own key made it, with this commit. Else the patch of another task would
/// stand for its.
fn is_own(revision: &Revision, run: &Run, commit: &Oid) -> bool {
    run.key.as_ref() == Some(&revision.author) && revision.head == *commit
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, run::RunState};

    fn did(of: &str) -> Did {
        of.parse().unwrap_or_else(|p| unreachable!("{p}"))
    }

    #[test]
    fn an_executor_does_not_put_a_run_back_into_its_requesters_queue() {
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let moved = |to| Body::RunMoved { run: id.clone(), to, reason: None };
        assert!(gives_back(&moved(RunState::Queued)) && gives_back(&moved(RunState::Placing)));
        assert!([RunState::Starting, RunState::Working, RunState::Lost].into_iter().all(|to| !gives_back(&moved(to))));
    }

    #[test]
    fn a_run_published_only_what_its_own_key_made() {
        let [key, other] = [3, 4].map(|seed| identity::Key::from_seed(&[seed; 32]).did());
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let plain = admission::new_run(id, Class::Agent, project, other.clone(), other.clone(), Timestamp(0));
        let run = Run { key: Some(key.clone()), ..plain.clone() };
        let oid = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap_or_else(|p| unreachable!("{p}"));
        let made = |author: &Did| Revision {
            id: "3".repeat(40).parse().unwrap_or_else(|p| unreachable!("{p}")),
            author: author.clone(),
            head: oid("1"),
            base: oid("2"),
            at: Timestamp(0),
            description: String::new(),
            reviews: vec![],
            comments: vec![],
        };
        assert!(is_own(&made(&key), &run, &oid("1")));
        assert!(!is_own(&made(&key), &run, &oid("2")), "it has another commit than was told");
        assert!(!is_own(&made(&other), &run, &oid("1")), "another run made it");
        assert!(!is_own(&made(&key), &plain, &oid("1")), "the run has no key");
    }

    /// A run as it is after an event.
    fn after(run: &Run, body: Body) -> Run {
        let event = Event { version: event::VERSION, at: Timestamp(1), actor: run.requester.clone(), via: None, told: None, body };
        let json: Arc<str> = serde_json::to_string(run).unwrap_or_else(|e| unreachable!("{e}")).into();
        let mut before = |of: &str, id: &str| (of == kind::RUN && id == run.id.as_str()).then(|| json.clone());
        let changes = event::project(&event, &mut before).unwrap_or_else(|p| unreachable!("{p}"));
        let changed = changes.into_iter().find(|one| one.kind == kind::RUN).and_then(|one| one.value);
        changed.and_then(|value| serde_json::from_str(&value).ok()).unwrap_or_else(|| unreachable!("the run changes"))
    }

    #[test]
    fn people_see_why_a_patch_does_not_come_until_it_came() {
        let ada = did("did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp");
        let id: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let plain = admission::new_run(id, Class::Agent, project, ada.clone(), ada, Timestamp(0));
        let publishing = Run { state: RunState::Publishing, ..plain.clone() };
        let said = |run: &Run| held_up(run, "The port is closed.".into());
        let waits = said(&publishing).map_or_else(|| unreachable!("nothing was said"), |body| after(&publishing, body));
        assert_eq!(waits.state, RunState::Publishing);
        assert!(waits.why().is_some_and(|why| why.contains("The port is closed.")));
        assert!(said(&waits).is_none(), "it was said");
        let came = goes_on(&waits).map_or_else(|| unreachable!("nothing was said"), |body| after(&waits, body));
        assert_eq!((came.state, came.reason), (RunState::Publishing, None));
        assert!(goes_on(&publishing).is_none(), "it came at once");
        assert!(said(&Run { state: RunState::Lost, ..plain }).is_none(), "it is over here");
    }

    #[test]
    fn checks_are_told_as_they_were_queued_and_with_nothing_more() {
        let (ada, eve) = (did("did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp"), identity::Key::from_seed(&[2; 32]).did());
        let run = |id: &str, class, project: &str, requester: &Did| {
            let (id, project) =
                (id.parse().unwrap_or_else(|p| unreachable!("{p}")), project.parse().unwrap_or_else(|p| unreachable!("{p}")));
            admission::new_run(id, class, project, eve.clone(), requester.clone(), Timestamp(7))
        };
        let subject = run("01ARZ3NDEKTSV4RRFFQ69G5FAV", Class::Agent, "demo", &ada);
        let ci = |project: &str, requester: &Did| {
            let plain = run("01ARZ3NDEKTSV4RRFFQ69G5FAW", Class::Ci, project, requester);
            let base = format!("{:040}", 1).parse().unwrap_or_else(|p| unreachable!("{p}"));
            Run { subject: Some(subject.id.clone()), base: Some(base), attempt: 1, ..plain }
        };
        let honest = ci("demo", &eve);
        assert!(just_queued(&honest, &subject, &eve));
        for other in [
            ci("other", &eve),
            ci("demo", &ada),
            Run { state: RunState::Working, ..honest.clone() },
            Run { reserved: Some(domain::capacity::Resources::default()), ..honest.clone() },
            Run { device: Some(ada.clone()), ..honest.clone() },
            Run { subject: None, ..honest.clone() },
            Run { class: Class::Agent, ..honest },
        ] {
            assert!(!just_queued(&other, &subject, &eve), "{other:?}");
        }
    }
}
