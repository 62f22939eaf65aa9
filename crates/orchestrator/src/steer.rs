//! Steering a run: what a person wants of it is carried to the device that executes it, and carried out there.

use crate::{dispatch, fault::Fault, host::Live, lifecycle, limits, org::Org, remote, stops};
use domain::{
    Kind, Problem, RunId,
    actor::Actor,
    agent::EngineChoice,
    event::{Body, kind},
    limits::MESSAGE_BYTES_MAX,
    manifest::Class,
    run::{EndAsked, Order, PauseAsked, Question, Reason, Run, RunState, Wish},
    stop::Stop,
};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Carries out what somebody wants of a run, here or on the device that executes it for us. Says what came of it.
///
/// # Errors
/// When it has ended, does not listen, or that device cannot be reached.
pub(crate) async fn carry(org: &Arc<Org>, by: &Actor, run: Run, wish: Wish) -> Result<String, Problem> {
    // It waits here, wherever it is to be.
    if wish == Wish::Resume && run.state.waits() && run.paused_by.is_some() && run.requester == org.device {
        ask_pause(org, by, [run.id.clone()], false).await?;
        org.wake.notify_one();
        return Ok(match stops::halting(org, &run) {
            Some(stop) => taken_back(&stop),
            None => "It goes on from what is saved, as soon as there is room.".into(),
        });
    }
    let Some(device) = run.elsewhere(&org.device).filter(|_| !run.state.ended()).cloned() else {
        return here(org, by, run, wish).await;
    };
    match wish {
        // Journaled first: so it stands, however long the device is away.
        Wish::End { reason } => {
            let asked = lifecycle::ask_to_end(org, by, &run.id, reason.clone()).await?;
            let taken = remote::end_elsewhere(org, &run, &device, reason);
            let goes_on = matches!(asked, EndAsked::Ending | EndAsked::Publishing);
            if goes_on && let Some(kept) = not_taken(&remote::called(org, &device), taken).await {
                return Ok(kept);
            }
            Ok(ending(asked))
        }
        // Placed there, and nothing of it is known yet.
        Wish::Pause | Wish::Resume if run.device.is_none() => Err(nothing_computes(org, &run)),
        _ if run.device.is_none() => Err(not_working(&run)),
        wish => {
            if let Wish::Message { text } = &wish {
                check(text)?;
                let bytes = text.clone().into_bytes();
                org.blocking(move |org| org.store.blobs().put(&bytes)).await?;
            }
            remote::wish(org, &run, &device, &by.did, &wish).await
        }
    }
}

/// Carries it out on this device, which executes the run.
///
/// # Errors
/// When the run has ended, or does not listen.
pub(crate) async fn here(org: &Arc<Org>, by: &Actor, run: Run, wish: Wish) -> Result<String, Problem> {
    if run.state.ended() {
        return Err(Problem::conflict(format!("The run {} has ended: it is {}.", run.id, word(run.state)))
            .because("Nothing of it listens any more, and nothing that it asked is open.")
            .next(format!("meshwork run show {} says how it ended; meshwork task run starts a new one.", run.id)));
    }
    match wish {
        Wish::Message { text } => message(org, by, run, text).await,
        Wish::Answer { question, option } => answer(org, by, &run, question, &option).await,
        Wish::Pause => freeze(org, by, run, Order::Pause, "It is frozen.").await,
        Wish::Resume => freeze(org, by, run, Order::Resume, "It goes on.").await,
        Wish::End { reason } => lifecycle::ask_to_end(org, by, &run.id, reason).await.map(ending),
    }
}

fn ending(asked: EndAsked) -> String {
    match asked {
        EndAsked::Dequeued => "It was taken off the queue.",
        EndAsked::Waits => "It waits, and has no room to give back; it stays in the queue. meshwork run stop ends it.",
        EndAsked::Ending => "It is being ended; its work goes into a checkpoint.",
        EndAsked::Publishing => {
            "Its patch is being published, which is past stopping: it ends as done. Close the patch if you do not want it."
        }
    }
    .to_owned()
}

/// What is said where the device of this name, which is to end a run, does not take that for as long as a person waits; none: it took it.
/// That it was away a moment ago is no reason not to ask: it may be back.
async fn not_taken(name: &str, taken: JoinHandle<Result<(), Problem>>) -> Option<String> {
    let why = match tokio::time::timeout(limits::STOP_TAKEN_WAIT, taken).await {
        Ok(Ok(Ok(()))) => return None,
        Ok(Ok(Err(problem))) => problem.what,
        Ok(Err(_)) | Err(_) => format!("{name} did not say within {} s that it took it.", limits::STOP_TAKEN_WAIT.as_secs()),
    };
    Some(format!(
        "The order is kept. {why} What the run does there meanwhile is not known. {name} is told again when it is reached anew, and \
         meshwork run show says when the run has ended."
    ))
}

fn not_working(run: &Run) -> Problem {
    Problem::conflict(format!("The run {} is {} and has no engine that listens.", run.id, word(run.state)))
        .next("Try again once it is working: meshwork run show.")
}

fn check(text: &str) -> Result<(), Problem> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("A message may have {MESSAGE_BYTES_MAX} bytes."))
            .next("Shorten it, or put it in a file of the project."));
    }
    if text.trim().is_empty() {
        return Err(Problem::invalid("The message is empty.").next("Say what the agent is to know."));
    }
    Ok(())
}

async fn message(org: &Arc<Org>, by: &Actor, run: Run, text: String) -> Result<String, Problem> {
    check(&text)?;
    if run.state > RunState::Working {
        return Err(Problem::conflict(format!("It came too late: the work of run {} is {} already.", run.id, word(run.state)))
            .next("Say it in a review of its patch: meshwork patch review."));
    }
    let listens = run.state == RunState::Working && run.class == Class::Agent;
    let live = org.hub.get(&run.id).filter(|_| listens).ok_or_else(|| not_working(&run))?;
    let (name, bytes) = (run.agent.clone(), text.clone().into_bytes());
    let kept = org.blocking(move |org| {
        let agent = org.state()?.agents.into_values().find(|a| Some(&a.name) == name.as_ref());
        if agent.is_some_and(|a| matches!(a.engine, EngineChoice::Command { .. })) {
            return Err(crate::runner::no_reader());
        }
        org.store.blobs().put(&bytes)
    });
    // Journaled before it is given: should the orchestrator die in between, it is given after its restart.
    let (order, kept) = (live.number(), kept.await?);
    org.record(by, vec![Body::MessageSent { run: run.id.clone(), order, text: kept }]).await?;
    if Fault::asked() == Fault::MessageNotGiven {
        return Ok("It is journaled.".into());
    }
    match tokio::time::timeout(limits::ORDER_WAIT, live.order_as(order, Order::Message { text })).await {
        Ok(Ok(Ok(()))) => Ok("The agent gets it when its present turn ends.".into()),
        Ok(Ok(Err(problem))) => {
            let refused = Body::MessageRefused { run: run.id, order, why: problem.to_string() };
            org.record(&org.device, vec![refused]).await?;
            Err(problem)
        }
        _ => Ok("The runner is away; the agent gets the message when it is back, and meshwork run show says so if it never does.".into()),
    }
}

async fn answer(org: &Arc<Org>, by: &Actor, run: &Run, asked: Option<String>, option: &str) -> Result<String, Problem> {
    let question = asked_of(run, asked.as_deref())?;
    let live = org.hub.get(&run.id).ok_or_else(|| not_working(run))?;
    let chosen = question.options.iter().find(|o| o.id == option || (option == "allow" && o.allows) || (option == "deny" && !o.allows));
    let chosen = chosen.ok_or_else(|| {
        let ids: Vec<_> = question.options.iter().map(|o| domain::shown(&o.id)).collect();
        Problem::invalid(format!("“{}” is no answer to “{}”.", domain::shown(option), domain::shown(&question.title)))
            .next(format!("Answers are: {}; and allow or deny, where one of them says that.", ids.join(", ")))
    })?;
    // Journaled once, when the runner says that the engine has it.
    live.answer(by.clone(), question.id.clone(), chosen.id.clone()).await?;
    Ok(format!("Answered: {}.", chosen.label))
}

/// The question that is answered: the one that is named, or the only open one.
fn asked_of<'r>(run: &'r Run, named: Option<&str>) -> Result<&'r Question, Problem> {
    let about = |q: &Question| format!("{} (“{}”)", domain::shown(&q.id), domain::shown(&q.title));
    let open = || run.questions.iter().map(about).collect::<Vec<_>>().join(", ");
    match (named, run.questions.as_slice()) {
        (_, []) => Err(Problem::not_found(format!("The run {} asks nothing now: it is {}.", run.id, word(run.state)))
            .because("It never asked, or what it asked was answered already.")
            .next("meshwork run list shows which runs ask: there it says “asks you”.")),
        (None, [one]) => Ok(one),
        (None, _) => Err(Problem::invalid(format!("The run {} asks several things, and it is not said which is answered.", run.id))
            .next(format!("Say which with --question: {}.", open()))),
        (Some(id), all) => all.iter().find(|q| q.id == id).ok_or_else(|| {
            Problem::not_found(format!("The run {} has no open question “{}”.", run.id, domain::shown(id)))
                .because("It was answered already, or never asked.")
                .next(format!("Open are: {}.", open()))
        }),
    }
}

/// What a stop order halts goes on when that is lifted, and not before; that a person wants it paused too is taken back at once.
async fn resume_halted(org: &Arc<Org>, by: &Actor, run: &Run, asked: Option<&[RunId]>, stop: &Stop) -> Result<String, Problem> {
    let Some(paused) = asked else {
        return Err(Problem::conflict(format!("A stop order halts {}.", stop.order.scope.text()))
            .because(stops::why(stop))
            .next("It goes on by itself when the order is lifted: meshwork stop list shows it."));
    };
    let live: Vec<Arc<Live>> = paused.iter().filter_map(|id| org.hub.get(id)).collect();
    let stayed: Vec<bool> = live.iter().map(|live| live.note_stays_paused(false)).collect();
    if let Err(problem) = ask_pause(org, by, paused.iter().cloned(), false).await {
        for (live, stayed) in live.iter().zip(stayed) {
            live.note_stays_paused(stayed);
        }
        return Err(problem);
    }
    if stops::halting(org, run).is_none() {
        // The order was lifted meanwhile, maybe while it was still to stay paused.
        lifecycle::let_go(org, paused.iter());
    }
    Ok(taken_back(stop))
}

/// That a run is not paused any more, and goes on when this order is lifted.
fn taken_back(stop: &Stop) -> String {
    let what = stop.order.scope.text();
    format!("It is not paused any more. A stop order halts {what}: it goes on when that is lifted (meshwork stop list shows it).")
}

/// Notes that a person wants these runs paused, or to go on.
async fn ask_pause(org: &Arc<Org>, by: &Actor, runs: impl IntoIterator<Item = RunId>, paused: bool) -> Result<(), Problem> {
    org.record(by, runs.into_iter().map(|run| Body::PauseAsked(PauseAsked { run, paused })).collect()).await
}

async fn freeze(org: &Arc<Org>, by: &Actor, run: Run, order: Order, said: &str) -> Result<String, Problem> {
    let (mut run, mut live): (Run, Option<Arc<Live>>) = (run.clone(), org.hub.get(&run.id));
    let (mut meant, mut asked, mut stop) = (vec![run.id.clone()], run.paused_by.is_some(), stops::halting(org, &run));
    if run.state == RunState::Verifying
        && let Some(commit) = &run.commit
        && let Some(checks) = dispatch::going_checks(org, Some(&run.id), &run.project, commit)?
        && let Some(judging) = org.store.get::<Run>(kind::RUN, checks.as_str())?
    {
        // Its engine has ended; what computes is its checks.
        meant.push(judging.id.clone());
        // Checks that were begun anew since know nothing of a pause.
        asked |= judging.paused_by.is_some();
        stop = stop.or_else(|| stops::halting(org, &judging));
        (live, run) = (org.hub.get(&judging.id), judging);
    }
    if order == Order::Resume
        && let Some(stop) = stop
    {
        return resume_halted(org, by, &run, asked.then_some(&meant[..]), &stop).await;
    }
    let live = live.filter(|_| run.state == RunState::Working).ok_or_else(|| nothing_computes(org, &run))?;
    let (pauses, went_on) = (order == Order::Pause, order == Order::Resume && !live.paused());
    let stayed = live.note_stays_paused(pauses);
    let done = async {
        live.order_and_wait(order).await?;
        // What was never paused is not said to go on.
        if went_on && !asked { Ok(()) } else { ask_pause(org, by, meant, pauses).await }
    };
    let done = done.await;
    // One that came meanwhile may have frozen it before it was told to go on; one that comes from now on freezes it after that.
    let came = stops::halting(org, &run).filter(|_| !pauses);
    if came.is_some() {
        drop(live.order(Order::Pause));
    }
    if let Err(problem) = done {
        live.note_stays_paused(stayed);
        return Err(problem);
    }
    if let Some(stop) = came {
        return Ok(taken_back(&stop));
    }
    Ok(if went_on { "It was not paused: it goes on as before." } else { said }.to_owned())
}

/// Why a run cannot be frozen, or go on, of which nothing computes here.
fn nothing_computes(org: &Org, run: &Run) -> Problem {
    let (id, looked) = (&run.id, format!("meshwork run show {} says how it ended, or where it is.", run.id));
    if let Some(unended) = org.driven.unended(id) {
        return Problem::conflict(format!("Nothing of the run {id} computes any more.")).because(unended).next(looked);
    }
    if run.state == RunState::Working {
        return Problem::conflict(format!("Nothing of the run {id} computes now that could be frozen."))
            .because("Its work has ended and is being saved, or its device began anew and takes it up.")
            .next(format!("Wait a moment: {looked}"));
    }
    Problem::conflict(format!("The run {id} is {}: nothing of it computes that could be frozen.", word(run.state)))
        .next("meshwork run stop ends it; pause it once it is working.")
}

/// A state as it is called everywhere.
fn word(state: RunState) -> String {
    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Why a person who stops a run does so.
pub(crate) fn stopped(by: &Actor) -> Reason {
    Reason::Stopped { by: by.did.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{Did, Timestamp, run::Choice};

    fn asking(ids: &[&str]) -> Run {
        let did: Did = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi".parse().unwrap();
        let id = "01JZZZZZZZZZZZZZZZZZASK002".parse().unwrap();
        let mut run = crate::admission::new_run(id, Class::Agent, "demo".parse().unwrap(), did.clone(), did, Timestamp(0));
        run.state = RunState::Working;
        let option = || Choice { id: "yes".into(), label: "Yes".into(), allows: true };
        run.questions = ids.iter().map(|id| Question { id: (*id).into(), title: format!("may {id}"), options: vec![option()] }).collect();
        run
    }

    #[tokio::test]
    async fn what_waits_paused_goes_on_when_a_person_says_so_wherever_it_is_to_be() {
        let opened = crate::fixtures::Opened::new().await;
        let org = &opened.org;
        let (by, id, there) = (Actor::from(&org.member), crate::clock::run_id(), crate::fixtures::did('g'));
        let new =
            crate::admission::new_run(id, Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        let run = Run { paused: true, paused_by: Some(org.member.clone()), on: Some(there), ..new };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        let said = carry(org, &by, run.clone(), Wish::Resume).await.unwrap();
        let now: Run = org.store.get(kind::RUN, run.id.as_str()).unwrap().unwrap();
        assert!(said.starts_with("It goes on") && !now.paused && now.paused_by.is_none(), "{said}: {now:?}");
        assert_eq!(carry(org, &by, now, Wish::Resume).await.unwrap_err().kind, Kind::Conflict, "nothing is paused any more");
    }

    #[tokio::test]
    async fn whoever_lets_a_run_go_on_takes_its_pause_back_though_its_checks_were_begun_anew() {
        let opened = crate::fixtures::Opened::new().await;
        let (org, by) = (&opened.org, Actor::from(&opened.org.member));
        let new = |class| {
            let id = crate::clock::run_id();
            crate::admission::new_run(id, class, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0))
        };
        let commit: domain::Oid = "1".repeat(40).parse().unwrap();
        let state = RunState::Verifying;
        let run = Run { state, commit: Some(commit.clone()), paused_by: Some(org.member.clone()), ..new(Class::Agent) };
        let checks = Run { state: RunState::Working, subject: Some(run.id.clone()), base: Some(commit), ..new(Class::Ci) };
        let queued = [&run, &checks].map(|run| Body::RunQueued { run: Box::new(run.clone()) });
        org.record(&org.device, queued.to_vec()).await.unwrap();
        let live = crate::fixtures::live(org, &checks.id, &org.member);
        let mut told = crate::fixtures::attached(&live);
        let runner = async {
            while let Some(message) = told.recv().await {
                if let Some(proto::run::host_message::Kind::Order(order)) = message.kind {
                    live.replied(order.id, String::new());
                }
            }
        };
        let said = tokio::select! {
            said = here(org, &by, run.clone(), Wish::Resume) => said.unwrap(),
            () = runner => unreachable!("it is connected"),
        };
        let now: Run = org.store.get(kind::RUN, run.id.as_str()).unwrap().unwrap();
        assert!(now.paused_by.is_none(), "{said}");
    }

    /// A run that works here, and that a person paused.
    async fn paused(org: &Arc<Org>) -> Run {
        let (id, project) = (crate::clock::run_id(), "demo".parse().unwrap());
        let new = crate::admission::new_run(id, Class::Agent, project, org.member.clone(), org.device.clone(), Timestamp(0));
        let run = Run { state: RunState::Working, paused: true, paused_by: Some(org.member.clone()), ..new };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        run
    }

    #[tokio::test]
    async fn the_pause_of_what_a_stop_order_halts_is_taken_back_and_the_order_stays() {
        let opened = crate::fixtures::Opened::new().await;
        let (org, by) = (&opened.org, Actor::from(&opened.org.member));
        let run = paused(org).await;
        let live = crate::fixtures::live(org, &run.id, &org.member);
        live.note_stays_paused(true);
        stops::give(org, &by, domain::stop::Scope::Org, "Wait.".into()).await.unwrap();

        let said = here(org, &by, run.clone(), Wish::Resume).await.unwrap();
        assert!(said.starts_with("It is not paused any more.") && said.contains("halts the whole org"), "{said}");
        let now: Run = org.store.get(kind::RUN, run.id.as_str()).unwrap().unwrap();
        assert!(now.paused_by.is_none() && now.paused && !live.stays_paused(), "it is frozen by the order alone: {now:?}");
        let problem = here(org, &by, now, Wish::Resume).await.unwrap_err();
        assert!(problem.to_string().contains("goes on by itself when the order is lifted"), "{problem}");
    }

    #[tokio::test]
    async fn what_a_stop_order_halts_while_a_person_lets_it_go_on_is_frozen_again() {
        let opened = crate::fixtures::Opened::new().await;
        let (org, by) = (&opened.org, Actor::from(&opened.org.member));
        let run = paused(org).await;
        let live = crate::fixtures::live(org, &run.id, &org.member);
        let mut told = crate::fixtures::attached(&live);
        let runner = async {
            while let Some(message) = told.recv().await {
                if let Some(proto::run::host_message::Kind::Order(order)) = message.kind {
                    stops::give(org, &by, domain::stop::Scope::Org, "Wait.".into()).await.unwrap();
                    live.replied(order.id, String::new());
                }
            }
        };
        let said = tokio::select! {
            said = here(org, &by, run.clone(), Wish::Resume) => said.unwrap(),
            () = runner => unreachable!("it is connected"),
        };
        assert!(said.contains("A stop order halts the whole org"), "{said}");
        assert_eq!(crate::fixtures::orders(&mut told), [Order::Pause]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_device_that_does_not_take_the_end_of_a_run_nothing_is_promised() {
        assert_eq!(not_taken("box", tokio::spawn(async { Ok(()) })).await, None);
        let away =
            not_taken("box", tokio::spawn(async { Err(Problem::unavailable("The device box does not answer now.")) })).await.unwrap();
        assert!(away.starts_with("The order is kept. The device box does not answer now. What the run does"), "{away}");
        let refused = not_taken("box", tokio::spawn(async { Err(Problem::new(Kind::Forbidden, "The member may not.")) })).await.unwrap();
        assert!(refused.contains("The member may not.") && !refused.contains("answer"), "{refused}");
        let began = tokio::time::Instant::now();
        let silent = not_taken("box", tokio::spawn(std::future::pending())).await.unwrap();
        assert!(silent.contains("box did not say within 2 s") && began.elapsed() < limits::STOP_TAKEN_WAIT * 2, "{silent}");
    }

    #[test]
    fn the_question_that_is_answered_is_found_or_it_is_said_what_is_open() {
        assert_eq!(asked_of(&asking(&["q1"]), None).unwrap().id, "q1");
        assert_eq!(asked_of(&asking(&["q1", "q2"]), Some("q2")).unwrap().id, "q2");
        let table: [(&[&str], Option<&str>, Kind, &str); 4] = [
            (&[], None, Kind::NotFound, "asks nothing now: it is working"),
            (&[], Some("q1"), Kind::NotFound, "asks nothing now"),
            (&["q1", "q2"], None, Kind::Invalid, "--question: q1 (“may q1”), q2 (“may q2”)"),
            (&["q1"], Some("q7"), Kind::NotFound, "no open question “q7”"),
        ];
        for (open, named, kind, words) in table {
            let problem = asked_of(&asking(open), named).unwrap_err();
            assert!(problem.kind == kind && problem.to_string().contains(words) && problem.next.is_some(), "{open:?}: {problem}");
        }
    }
}
