//! Places a run that is ready: looks at the org's devices, and asks them, best first, until one leases. This one is asked by its own
//! admission, another over the mesh.
//!
//! Which device is asked is in the journal before it is asked. While its answer is missing, and the manifest could have been admitted
//! there, no other is asked; and only the one that was asked last gets the delegation of the run's key, without which no engine starts.

mod looked;

pub(crate) use looked::{Looked, look};

use crate::{
    admission::{self, Asked},
    clock,
    dispatch::{self, Draft, move_waiting},
    fault, gathering, lifecycle, limits,
    org::Org,
    remote::{self, Asking, devices::Known},
    removed,
};
use domain::{
    Did, Problem, RunId,
    event::{Body, kind},
    lease::Admission,
    manifest::Manifest,
    placement::{Refusal, Round, Untaken},
    run::{Placed, Reason, Run, RunState},
};
use std::{
    mem::discriminant,
    sync::{Arc, atomic::Ordering},
};
use tokio::task::JoinHandle;

/// Places a run that was drafted.
pub(crate) async fn place(org: &Arc<Org>, run: &Run, draft: Draft) -> Result<(), Problem> {
    let (wanted, manifest) = (run.clone(), draft.manifest.clone());
    let there = run.on.as_ref().filter(|on| **on != org.device).cloned();
    if let Some(apart) = there.as_ref().and_then(|there| remote::apart(org, there)) {
        return dispatch::wait(org, &run.id, Reason::WaitsForDevice { message: apart.to_string() }).await;
    }
    if !gathering::gathered(org, run).await? {
        return Ok(());
    }
    let (looked, saved) = org.blocking(move |org| Ok((look(org, &wanted, &manifest)?, lifecycle::saved_somewhere(org, &wanted)?))).await?;
    // What is here goes anywhere.
    let saved = saved.filter(|earlier| earlier.held != earlier.checkpoint);
    let begins_alike = saved.is_none();
    let saved = saved.and_then(|earlier| earlier.device);
    let order = match there {
        // It said no, and nothing new of itself since.
        Some(there) if looked.said_no.contains_key(&there) => vec![],
        // Whoever was named answers for itself, whatever is known of it.
        Some(there) => vec![there],
        None => {
            let order = looked.order(saved.as_ref());
            if order.is_empty() { looked.could_make_room(org, &draft.manifest, saved.as_ref()) } else { order }
        }
    };
    let turn = Turn { org: org.clone(), run: run.clone(), draft, looked, begins_alike };
    let (mut said, mut round) = (vec![], Round::new(run, &org.device, order));
    if round.next() == Some(&org.device)
        && let Some(here) = round.ask()
    {
        match turn.one(&here, &mut vec![]).await? {
            Answer::Refused(reasons) => {
                round.refused(&reasons);
                said.push((here, reasons));
            }
            Answer::Lost(_) | Answer::Over => {
                org.remote.refusals.forget(&run.id);
                return Ok(());
            }
        }
    }
    if round.next().is_none() {
        return turn.nobody(said, vec![]).await;
    }
    // In the background: one that is far away holds up nobody else.
    in_background(org, run, |_| async move { turn.ask(round, said).await });
    Ok(())
}

/// Sends a device that did not answer the very same again: it may have had it.
pub(crate) fn again(org: &Arc<Org>, run: &Run, device: Did, sealed: identity::Envelope) {
    let asked = run.clone();
    in_background(org, run, |org| async move {
        let run = asked;
        match remote::schedule(&org, &device, &sealed, &run.id).await {
            Ok((Admission::Leased { .. }, after)) => {
                remote::follow(&org, &run.id, &device, after);
                Ok(())
            }
            Ok((Admission::Refused { reasons }, _)) if run.on.is_some() => {
                let (message, said) = (Refusal::texts(&reasons), vec![(device, reasons)]);
                let untaken = Untaken::of(&run, &org.device, &said, |_| true);
                dispatch::untaken(&org, &run.id, untaken, said, message).await
            }
            Ok((Admission::Refused { reasons }, _)) => others_next(&org, &run, device, reasons).await,
            Err(problem) if problem.passes() || run.on.is_some() => dispatch::unanswered(&org, &run.id, &problem).await,
            Err(problem) => others_next(&org, &run, device, vec![Refusal::NotAllowed { message: problem.to_string() }]).await,
        }
    });
}

/// A device refused after all: the run is planned anew, at once.
async fn others_next(org: &Arc<Org>, run: &Run, device: Did, reasons: Vec<Refusal>) -> Result<(), Problem> {
    let message = Refusal::texts(&reasons);
    let bodies = refusal(org, run, &device, reasons).await?;
    move_waiting(org, &run.id, bodies, RunState::Queued, Some(Reason::WaitsForRoom { message })).await?;
    org.wake.notify_one();
    Ok(())
}

/// Does something for a run that waits, unless something is being done for it already.
pub(crate) fn in_background<F>(org: &Arc<Org>, run: &Run, work: impl FnOnce(Arc<Org>) -> F) -> Option<JoinHandle<()>>
where
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let asking = Asking::begin(org, &run.id)?;
    let (work, placing, run) = (work(org.clone()), org.clone(), run.clone());
    Some(org.tasks.spawn(async move {
        let mut closing = placing.closing.subscribe();
        let done = tokio::select! {
            done = work => done,
            _ = closing.wait_for(|c| *c) => Ok(()),
        };
        if let Err(problem) = done
            && let Err(problem) = dispatch::could_not(&placing, &run, problem).await
        {
            tracing::error!(run = %run.id, %problem, "that a run could not be placed could not be noted; it is tried again");
        }
        drop(asking);
    }))
}

/// What came of asking one device.
enum Answer {
    /// It leases; or the run waits no more, or for what the device is asked first.
    Over,
    Refused(Vec<Refusal>),
    /// It may have it.
    Lost(Problem),
}

/// One round of asking for a run.
struct Turn {
    org: Arc<Org>,
    run: Run,
    draft: Draft,
    looked: Looked,
    /// Whether it begins with the same wherever it is: there is no saved work that only one device has.
    begins_alike: bool,
}

impl Turn {
    /// Asks others, after what was said before.
    async fn ask(self, mut round: Round, mut said: Vec<(Did, Vec<Refusal>)>) -> Result<(), Problem> {
        let mut untold = Vec::new();
        while let Some(device) = round.ask() {
            match self.one(&device, &mut untold).await? {
                Answer::Over => {
                    self.org.remote.refusals.forget(&self.run.id);
                    return Ok(());
                }
                Answer::Lost(problem) => return dispatch::unanswered(&self.org, &self.run.id, &problem).await,
                Answer::Refused(reasons) => {
                    tracing::info!(run = %self.run.id, %device, "refused");
                    round.refused(&reasons);
                    said.push((device, reasons));
                }
            }
        }
        self.nobody(said, untold).await
    }

    /// Asks one device. `untold` are refusals of those before, which go into the journal with the next step.
    async fn one(&self, device: &Did, untold: &mut Vec<Body>) -> Result<Answer, Problem> {
        let (org, id) = (&self.org, &self.run.id);
        let (here, named) = (*device == org.device, self.run.on.is_some());
        if !here
            && !named
            && let Err(problem) = remote::answers(org, device).await
        {
            let reasons = vec![Refusal::NotKnown { message: problem.to_string() }];
            note(org, id, device, &reasons);
            return Ok(Answer::Refused(reasons));
        }
        if gathering::asks_first(org, &self.run, device).await? {
            return Ok(Answer::Over);
        }
        let Some(asked) = self.placed(device, here || named, untold).await? else { return Ok(Answer::Over) };
        fault::held(org, RunState::Placing).await;
        if here {
            return Ok(match admission::admit(org, &asked).await? {
                Admission::Leased { .. } => {
                    lifecycle::drive(org, id.clone());
                    Answer::Over
                }
                Admission::Refused { reasons } => {
                    org.queue.said(id, device, &reasons);
                    Answer::Refused(reasons)
                }
            });
        }
        let reasons = match remote::schedule(org, device, &asked.envelope, id).await {
            Ok((Admission::Leased { .. }, after)) => {
                remote::follow(org, id, device, after);
                return Ok(Answer::Over);
            }
            Ok((Admission::Refused { reasons }, _)) => reasons,
            // What was sent may have arrived; and whoever was named is not passed over.
            Err(problem) if problem.passes() || named => return Ok(Answer::Lost(problem)),
            Err(problem) => vec![Refusal::NotAllowed { message: problem.to_string() }],
        };
        untold.extend(refusal(org, &self.run, device, reasons.clone()).await?);
        Ok(Answer::Refused(reasons))
    }

    /// Writes down which device is asked, and with what. None: the run waits no more, or was begun already.
    async fn placed(&self, device: &Did, waits_long: bool, untold: &mut Vec<Body>) -> Result<Option<Asked>, Problem> {
        let run = Run { asked: Some(device.clone()), ..self.run.clone() };
        let (draft, reuse, id) = (self.draft.clone(), self.begins_alike, run.id.clone());
        let drafted = move |org: &Arc<Org>| if reuse { Ok(draft.manifest) } else { dispatch::draft(org, &draft.board, &run) };
        let manifest = self.org.blocking(drafted).await?;
        let (at, valid_ms) = (clock::now(), if waits_long { limits::MANIFEST_VALID_MS } else { limits::ASKED_VALID_MS });
        let asked = Asked::sign(&self.org, Manifest { at, expires: at.plus_ms(valid_ms), ..manifest })?;
        let bytes = asked.envelope.to_json()?;
        let blob = self.org.blocking(move |org| org.store.blobs().put(&bytes)).await?;
        let mut placed = Placed::of(&asked.manifest.work, asked.hash.clone(), blob, device.clone());
        let without = self.org.remote.moving.left(&id).map(|(left, _)| left);
        placed.left = without.filter(|left| placed.from.as_ref().is_none_or(|from| from.commit != left.work.commit));
        let mut bodies = std::mem::take(untold);
        bodies.push(Body::RunPlaced { run: self.run.id.clone(), placed });
        let waits = move_waiting(&self.org, &self.run.id, bodies, RunState::Placing, None).await?;
        Ok(waits.then_some(asked))
    }

    /// Nobody takes it: it waits where that can help for one device at least, and else is over.
    async fn nobody(&self, said: Vec<(Did, Vec<Refusal>)>, untold: Vec<Body>) -> Result<(), Problem> {
        let (org, id) = (&self.org, &self.run.id);
        let reasons = |known: &Known| {
            let said = said.iter().find(|(device, _)| *device == known.device.did);
            let mut reasons = said.map_or_else(|| self.looked.refusals(known), |(_, reasons)| reasons.clone());
            if waits_for_room(&reasons) && !reasons.iter().any(|reason| matches!(reason, Refusal::Queue { .. })) {
                reasons.extend(Looked::place(known, id).map(|place| Refusal::Queue { place }));
            }
            reasons
        };
        let mut each: Vec<(Did, Vec<Refusal>)> = self.looked.devices.iter().map(|k| (k.device.did.clone(), reasons(k))).collect();
        // A device that was named, and that the org does not list.
        each.extend(said.iter().filter(|(did, _)| self.looked.known(did).is_none()).cloned());
        // What it said in a round before is its own word as well, as long as that counts.
        let asked = |did: &Did| said.iter().any(|(device, _)| device == did) || self.looked.said_no.contains_key(did);
        let untaken = Untaken::of(&self.run, &org.device, &each, asked);
        let at = each.iter().filter(|(_, refusals)| waits_for_room(refusals)).map(|(did, _)| did.clone());
        org.queue.waits(&self.run, &self.draft.manifest, at.collect());
        let message = self.words(&each);
        if untaken == Untaken::Waits {
            org.remote.hungry.store(true, Ordering::Relaxed);
            if !untold.is_empty() {
                org.record(&org.device, untold).await?;
            }
        }
        dispatch::untaken(org, id, untaken, each, message).await
    }

    /// What devices said: where there are several, with which said what.
    fn words(&self, each: &[(Did, Vec<Refusal>)]) -> String {
        let name = |did: &Did| self.looked.known(did).map_or_else(|| did.to_string(), |known| known.device.name.clone());
        match each {
            [] => removed::no_device(removed::known(&self.org)),
            [(_, refusals)] => Refusal::texts(refusals),
            several => {
                // Of whoever could take it, and was not asked, there is nothing to say.
                let some = several.iter().filter(|(_, refusals)| !refusals.is_empty());
                let said: Vec<_> = some.map(|(did, refusals)| format!("{}: {}", name(did), Refusal::each(refusals))).collect();
                Refusal::advised(said.join(" "), several.iter().flat_map(|(_, refusals)| refusals))
            }
        }
    }
}

/// Whether a device lacks nothing but room.
fn waits_for_room(refusals: &[Refusal]) -> bool {
    !refusals.is_empty() && refusals.iter().all(Refusal::of_room)
}

/// Remembers a refusal, so that it is not asked for again at once.
fn note(org: &Org, run: &RunId, device: &Did, reasons: &[Refusal]) {
    org.queue.said(run, device, reasons);
    org.remote.refusals.note(run, device, reasons, clock::now(), org.remote.announced(device));
}

/// Remembers a refusal; gives what the journal is to say of it, unless it says the same already.
async fn refusal(org: &Arc<Org>, run: &Run, device: &Did, reasons: Vec<Refusal>) -> Result<Vec<Body>, Problem> {
    note(org, &run.id, device, &reasons);
    let now: Option<Run> = org.store.get(kind::RUN, run.id.as_str())?;
    let codes = |reasons: &[Refusal]| reasons.iter().map(discriminant).collect::<Vec<_>>();
    let known = now.is_some_and(|now| now.refused.iter().any(|said| said.device == *device && codes(&said.reasons) == codes(&reasons)));
    let body = Body::RunRefused { run: run.id.clone(), device: device.clone(), reasons };
    Ok(if known { vec![] } else { vec![body] })
}
