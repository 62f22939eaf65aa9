//! Stop orders: given and lifted here, heard from others, carried to every device of the org until it has heard them, and looked at by
//! whoever starts, carries on, or answers for a run.

use crate::{clock, limits, org::Org, remote};
use domain::{
    Did, Hash, Kind, Oid, Problem,
    actor::Actor,
    event::{Body, kind},
    run::{Reason, Run},
    stop::{self, Scope, Stop},
};
use futures::future::join_all;
use identity::{Envelope, envelope};
use policy::Resource;
use serde_json::{Value, json};
use std::{collections::HashSet, sync::Arc};
use store::{Order, Seq};
use tokio::sync::watch;

/// The orders that count now; whoever is halted by one waits here for a change.
pub(crate) type InForce = watch::Sender<Vec<Stop>>;

/// Reads from the journal which orders count.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(store: &store::Store) -> Result<Vec<Stop>, Problem> {
    store.list(kind::HALT, Order::Newest, usize::MAX)
}

/// The orders that count, and the newest of those that are lifted.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn all(store: &store::Store) -> Result<Vec<Stop>, Problem> {
    let newest: Vec<Stop> = store.list(kind::STOP, Order::Newest, limits::STOPS_MAX)?;
    Ok(read(store)?.into_iter().chain(newest.into_iter().filter(|stop| !stop.in_force())).collect())
}

/// The order that halts a run.
pub(crate) fn halting(org: &Org, run: &Run) -> Option<Stop> {
    halting_on(org, run, run.place().unwrap_or(&org.device))
}

/// The order that halts a run where `executor` executes it, or would.
pub(crate) fn halting_on(org: &Org, run: &Run, executor: &Did) -> Option<Stop> {
    org.stops.borrow().iter().find(|stop| stop.order.scope.halts(run, executor)).cloned()
}

/// The order that halts the whole org.
pub(crate) fn halting_all(org: &Org) -> Option<Stop> {
    org.stops.borrow().iter().find(|stop| stop.order.scope == Scope::Org).cloned()
}

/// Why a run waits now, where a stop order halts it and not the one by which it is known to wait; none: that one halts it still.
pub(crate) fn halts_instead(org: &Org, run: &Run) -> Option<Reason> {
    let executor = run.place().unwrap_or(&org.device);
    let stops = org.stops.borrow();
    let mut halts = stops.iter().filter(|stop| stop.order.scope.halts(run, executor)).map(halt).peekable();
    let newest = halts.peek().cloned();
    let stands = halts.any(|reason| run.reason.as_ref() == Some(&reason));
    newest.filter(|_| !stands)
}

/// Why a run waits that a stop order halts.
pub(crate) fn halt(stop: &Stop) -> Reason {
    Reason::Halted { by: stop.by.clone(), what: stop.order.scope.text(), why: stop.order.why.clone() }
}

/// That an order is lifted, in words: what it halted goes on, or which other order halts that still.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn lifted(org: &Org, scope: &Scope) -> Result<String, Problem> {
    let (what, stops) = (scope.text(), org.stops.borrow().to_vec());
    let still = |stop: &Stop| format!("the stop order for {} (meshwork stop lift {})", stop.order.scope.text(), stop.order.id);
    if let Some(stop) = stops.iter().find(|stop| stop.order.scope == Scope::Org || stop.order.scope == *scope) {
        return Ok(format!("The stop order for {what} is lifted. What waited does not go on yet: {} halts it still.", still(stop)));
    }
    let halted = |run: &Run, scope: &Scope| scope.halts(run, run.place().unwrap_or(&org.device));
    let runs: Vec<Run> = org.active_runs()?.into_iter().filter(|run| halted(run, scope)).collect();
    Ok(match stops.iter().find(|stop| runs.iter().any(|run| halted(run, &stop.order.scope))) {
        Some(stop) => format!("The stop order for {what} is lifted; what waited goes on, but not what {} halts too.", still(stop)),
        None => format!("The stop order for {what} is lifted; what waited goes on."),
    })
}

/// The order by which a device is cut off.
pub(crate) fn halted_device(org: &Org, did: &Did) -> Option<Stop> {
    let halted = |stop: &&Stop| matches!(&stop.order.scope, Scope::Device { device, .. } if device == did);
    org.stops.borrow().iter().find(halted).cloned()
}

/// What the order halts, in words, by which this device and another are cut off from each other: that one, or this one itself. None: no
/// order does.
pub(crate) fn cut_off(org: &Org, other: &Did) -> Option<String> {
    let stop = halted_device(org, other).or_else(|| halted_device(org, &org.device))?;
    Some(stop.order.scope.text())
}

/// Refuses what a halted member, or a halted device, would change here.
///
/// # Errors
/// When there is such an order.
pub(crate) fn refuse_halted(org: &Org, member: &Did) -> Result<(), Problem> {
    let halted =
        |stop: &&Stop| halts_member(stop, member) || matches!(&stop.order.scope, Scope::Device { device, .. } if *device == org.device);
    org.stops.borrow().iter().find(halted).map_or(Ok(()), |stop| Err(refused(stop)))
}

/// The same of an action on this device; but whoever owns the device takes it back all the same. That gives nobody anything.
///
/// # Errors
/// When there is such an order.
pub(crate) fn refuse_action(org: &Org, member: &Did, action: &str, input: &Value) -> Result<(), Problem> {
    let takes_back = match action {
        "device.reclaim" | "device.evict" => true,
        "device.lend" => *input == json!({"guests": false}),
        _ => false,
    };
    let owns = || org.remote.org().owner_of(&org.device).is_some_and(|owner| owner.keys.iter().any(|key| key.did == *member));
    if takes_back && owns() { Ok(()) } else { refuse_halted(org, member) }
}

fn halts_member(stop: &Stop, member: &Did) -> bool {
    matches!(&stop.order.scope, Scope::Member { keys, .. } if keys.contains(member))
}

fn refused(stop: &Stop) -> Problem {
    Problem::new(Kind::Forbidden, format!("A stop order halts {}.", stop.order.scope.text()))
        .because(why(stop))
        .next(format!("Who may give such an order lifts it: meshwork stop lift {}.", stop.order.id))
}

/// Refuses an order of somebody who is halted themselves, or who has given as many as they may. What this device is told while it is
/// halted itself, it hears.
fn refuse_more(org: &Org, state: &forge::OrgState, by: &Did) -> Result<(), Problem> {
    let stops = org.stops.borrow();
    if let Some(stop) = stops.iter().find(|stop| halts_member(stop, by)) {
        return Err(refused(stop));
    }
    if stops.iter().filter(|stop| same_member(state, &stop.by, by)).count() < limits::STOPS_OF_ONE_MAX {
        return Ok(());
    }
    Err(Problem::conflict(format!("Of one member at most {} stop orders are in force at once.", limits::STOPS_OF_ONE_MAX))
        .next("Lift those that are needed no more: meshwork stop list."))
}

/// Whether two keys are of the same member.
fn same_member(state: &forge::OrgState, one: &Did, other: &Did) -> bool {
    let name = |key: &Did| state.member_of(key).map(|member| member.name.clone());
    one == other || name(one).is_some_and(|known| Some(known) == name(other))
}

/// Why, in words.
pub(crate) fn why(stop: &Stop) -> String {
    format!("{} ordered it: {}", stop.by, domain::as_sentence(&stop.order.why))
}

/// Gives an order.
///
/// # Errors
/// When it cannot be journaled.
pub(crate) async fn give(org: &Arc<Org>, by: &Actor, scope: Scope, why: String) -> Result<Stop, Problem> {
    org.blocking(|org| refuse_more(org, &org.state()?, &org.member)).await?;
    let (id, at, giver) = (clock::run_id().to_string(), clock::now(), Some(org.member.clone()));
    sign(org, by, stop::Order { version: stop::VERSION, id, org: org.name.clone(), by: giver, scope, why, at, lifts: false }).await
}

/// Lifts an order.
///
/// # Errors
/// When there is none of this id that counts.
pub(crate) async fn lift(org: &Arc<Org>, by: &Actor, id: &str) -> Result<Stop, Problem> {
    let known = find(org, id)?;
    sign(org, by, stop::Order { at: clock::now(), lifts: true, ..known.order }).await
}

/// The order of this id, or the only one whose id begins so, that counts. Somebody may have used the id of another's order: then the
/// key tells them apart.
///
/// # Errors
/// When there is none, or several.
pub(crate) fn find(org: &Org, id: &str) -> Result<Stop, Problem> {
    let found: Vec<Stop> = org.stops.borrow().iter().filter(|s| !id.is_empty() && s.order.key().starts_with(id)).cloned().collect();
    match <[Stop; 1]>::try_from(found) {
        Ok([stop]) => Ok(stop),
        Err(found) if found.is_empty() => Err(Problem::not_found(format!("No stop order “{}” is in force.", domain::shown(id)))
            .next("meshwork stop list shows those that are.")),
        Err(found) => {
            let each: Vec<String> = found.iter().map(|stop| format!("{} ({})", stop.order.key(), stop.order.scope.text())).collect();
            Err(Problem::invalid("Several stop orders begin so.").next(format!("Give one of these whole: {}.", each.join(", "))))
        }
    }
}

async fn sign(org: &Arc<Org>, by: &Actor, order: stop::Order) -> Result<Stop, Problem> {
    let signing = org.forge.clone();
    let sealed = envelope::seal(&order, stop::PAYLOAD_TYPE, &org.member, move |message| Ok(signing.sign_as_member(message)))?;
    take(org, by, order, org.member.clone(), &sealed).await
}

/// Hears an order, or its lifting, that another device brings: whoever signed it must be a member who may.
///
/// # Errors
/// When they may not, or it is none.
pub(crate) async fn hear(org: &Arc<Org>, bytes: &[u8]) -> Result<(), Problem> {
    let sealed = Envelope::from_json(bytes)?;
    let opening = sealed.clone();
    let (order, by) = org.blocking(move |org| open(org, &opening)).await?;
    take(org, &Actor::from(&by), order, by.clone(), &sealed).await.map(drop)
}

fn open(org: &Org, sealed: &Envelope) -> Result<(stop::Order, Did), Problem> {
    let rights = org.rights()?;
    let (order, by) = envelope::open::<stop::Order>(sealed, stop::PAYLOAD_TYPE, |key| rights.state.member_of(key).is_some())?;
    if order.version != stop::VERSION {
        return Err(Problem::conflict(format!("A stop order of version {} is not understood here.", order.version))
            .next("Update the older of the two devices."));
    }
    let elsewhere = || Problem::new(Kind::Forbidden, "This stop order is of another org, or not whole.");
    let whole = order.org == org.name && order.why.len() <= stop::WHY_BYTES_MAX && order.id.len() <= limits::STOP_ID_BYTES_MAX;
    let as_another = !order.lifts && order.by.as_ref().is_some_and(|giver| *giver != by);
    if !whole || as_another {
        return Err(elsewhere());
    }
    let known: Option<Stop> = org.store.get(kind::STOP, &order.key())?;
    if !order.lifts && known.is_none() {
        refuse_more(org, &rights.state, &by)?;
    }
    let (action, about) = match order.lifts {
        true => ("stop.lift", lifting(&rights.state, &order, &by)),
        false => ("stop.order", resource(&rights.state, &order.scope)),
    };
    let may = rights.state.member_of(&by).is_some_and(|member| rights.member_may(member, action, &about));
    if may { Ok((order, by)) } else { Err(Problem::new(Kind::Forbidden, "Who signed this stop order may not give it.")) }
}

/// What an order is about, as policies see it.
pub(crate) fn resource(state: &forge::OrgState, scope: &Scope) -> Resource {
    match scope {
        Scope::Agent { name } => Resource::Agent(name.to_string()),
        Scope::Member { name, .. } => Resource::Member(name.clone()),
        Scope::Device { name, device } => match state.device_of(device) {
            Some(listed) => Resource::Device(listed.name.clone(), listed.owner.clone()),
            None => Resource::Device(name.clone(), String::new()),
        },
        Scope::Org => Resource::Org,
    }
}

/// What the lifting of an order is about. Whoever owns a device lifts of its orders only their own: what somebody else ordered against
/// it is lifted by who may lift what halts the org.
pub(crate) fn lifting(state: &forge::OrgState, order: &stop::Order, by: &Did) -> Resource {
    let own = order.by.as_ref().is_some_and(|giver| same_member(state, giver, by));
    match &order.scope {
        Scope::Device { .. } if !own => Resource::Org,
        scope => resource(state, scope),
    }
}

/// Journals what was signed, and acts by it.
async fn take(org: &Arc<Org>, actor: &Actor, order: stop::Order, by: Did, sealed: &Envelope) -> Result<Stop, Problem> {
    let (bytes, key) = (sealed.to_json()?, order.key());
    let envelope = org.blocking(move |org| org.store.blobs().put(&bytes)).await?;
    let event = org.event(actor, Body::StopOrdered { order: Box::new(order.clone()), by, envelope });
    let known = key.clone();
    let decided = org.store.append_if(move |view| {
        let before: Option<Stop> = view.get(kind::STOP, &known)?;
        let heard = before.is_some_and(|stop| !stop.in_force() || !order.lifts);
        Ok(if heard { vec![] } else { vec![event] })
    });
    decided.await?;
    look(org)?;
    let stop: Option<Stop> = org.store.get(kind::STOP, &key)?;
    stop.ok_or_else(|| Problem::internal("a stop order vanished"))
}

/// Has everybody who waits see which orders count, and cuts off whom they halt.
fn look(org: &Arc<Org>) -> Result<(), Problem> {
    let now = read(&org.store)?;
    org.stops.send_if_modified(|known| {
        let changed = *known != now;
        *known = now;
        changed
    });
    remote::cut_halted(org);
    org.wake.notify_one();
    Ok(())
}

/// Carries orders to every other device of the org until each has heard all of them, until the org closes. Whoever knows an order
/// carries it on: the device where it was given may be gone.
pub(crate) async fn carry(org: Arc<Org>) {
    let (mut closing, mut changed) = (org.closing.subscribe(), org.stops.subscribe());
    let (mut heard, mut quiet) = (HashSet::new(), None);
    loop {
        changed.mark_unchanged();
        quiet = match tell_changed(&org, &mut heard, quiet).await {
            Ok(quiet) => quiet,
            Err(problem) => {
                tracing::warn!(%problem, "stop orders could not be carried to the other devices yet");
                None
            }
        };
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(limits::STOPS_AGAIN) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

/// As of which event of the journal and which state of the org nothing was due to be told: while both stay, nothing is.
type Quiet = Option<(Seq, Oid)>;

/// Tells everybody what is due, unless nothing was due and nothing has changed since.
async fn tell_changed(org: &Arc<Org>, heard: &mut HashSet<(Did, Hash)>, quiet: Quiet) -> Result<Quiet, Problem> {
    let state = org.remote.org();
    let now = (org.store.last(), state.commit.clone());
    if quiet.as_ref() == Some(&now) {
        return Ok(quiet);
    }
    Ok(tell_all(org, &state, heard).await?.then_some(now))
}

/// Tells everybody what they have not heard. Answers whether there was nothing to tell.
async fn tell_all(org: &Arc<Org>, state: &forge::OrgState, heard: &mut HashSet<(Did, Hash)>) -> Result<bool, Problem> {
    let stops = org.blocking(|org| all(&org.store)).await?;
    let others = state.devices.values().map(|device| device.did.clone()).filter(|did| *did != org.device);
    let due = others.map(|did| {
        let unheard = stops.iter().map(|stop| stop.envelope.clone()).filter(|envelope| !heard.contains(&(did.clone(), envelope.clone())));
        (did.clone(), unheard.collect::<Vec<Hash>>())
    });
    let due: Vec<(Did, Vec<Hash>)> = due.filter(|(_, unheard)| !unheard.is_empty()).collect();
    if due.is_empty() {
        return Ok(true);
    }
    let told = due.into_iter().map(|(device, due)| async move {
        let done = tell_one(org, &device, due).await;
        (device, done)
    });
    for (device, done) in join_all(told).await {
        heard.extend(done.into_iter().map(|envelope| (device.clone(), envelope)));
    }
    Ok(false)
}

/// Tells one device what it has not heard, one order after the other, until it cannot be reached. Answers what it heard.
async fn tell_one(org: &Arc<Org>, device: &Did, due: Vec<Hash>) -> Vec<Hash> {
    let mut heard = vec![];
    for envelope in due {
        match tell(org, device, &envelope).await {
            Ok(()) => heard.push(envelope),
            Err(problem) if problem.passes() => {
                tracing::debug!(%device, %problem, "a stop order waits for a device");
                break;
            }
            Err(problem) => tracing::warn!(%device, %problem, "a device does not take a stop order"),
        }
    }
    heard
}

async fn tell(org: &Arc<Org>, device: &Did, envelope: &Hash) -> Result<(), Problem> {
    let wanted = envelope.clone();
    let bytes = org.blocking(move |org| org.store.blobs().get(&wanted)).await?;
    let Some(bytes) = bytes else { return Err(Problem::internal("the envelope of a stop order was erased")) };
    remote::tell_stop(org, device, bytes).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission, fixtures::Opened};
    use domain::{manifest::Class, run::RunState};

    #[tokio::test]
    async fn whoever_owns_a_halted_device_takes_it_back_and_changes_nothing_else() {
        let opened = Opened::new().await;
        let (org, stranger) = (&opened.org, crate::fixtures::did('B'));
        let device = Scope::Device { name: "box".into(), device: org.device.clone() };
        give(org, &Actor::from(&org.member), device, "It was lost.".into()).await.unwrap();
        let table = [
            ("device.reclaim", json!({"minutes": 60}), true),
            ("device.evict", json!({}), true),
            ("device.lend", json!({"guests": false}), true),
            ("device.lend", json!({"guests": true}), false),
            ("device.lend", json!({"guests": false, "on_battery": true}), false),
            ("device.release", json!({}), false),
            ("task.run", json!({}), false),
        ];
        for (action, input, may) in table {
            assert_eq!(refuse_action(org, &org.member, action, &input).is_ok(), may, "{action} {input}");
            assert!(refuse_action(org, &stranger, action, &input).is_err(), "{action}: it is not theirs");
        }
    }

    #[tokio::test]
    async fn once_one_of_two_orders_is_lifted_the_other_is_named() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let by = Actor::from(&org.member);
        let (project, now) = ("demo".parse().unwrap(), clock::now());
        let new = admission::new_run(clock::run_id(), Class::Agent, project, org.member.clone(), org.device.clone(), now);
        let slow = Scope::Agent { name: "slow".parse().unwrap() };
        let device = Scope::Device { name: "box".into(), device: org.device.clone() };
        let agent = Some("slow".parse().unwrap());
        let one = give(org, &by, slow.clone(), "One.".into()).await.unwrap();
        let run = Run { agent, state: RunState::Working, reason: Some(halt(&one)), ..new };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        assert_eq!(halts_instead(org, &run), None);
        let two = give(org, &by, Scope::Org, "Two.".into()).await.unwrap();
        assert_eq!(halts_instead(org, &run), None, "the first halts it still");

        lift(org, &by, &one.order.id).await.unwrap();
        assert_eq!(halts_instead(org, &run), Some(halt(&two)));
        let said = lifted(org, &slow).unwrap();
        assert!(said.contains("does not go on yet: the stop order for the whole org") && said.contains(&two.order.id), "{said}");
        let other = crate::fixtures::did('g');
        assert_eq!(cut_off(org, &other), None);
        give(org, &by, device, "Three.".into()).await.unwrap();
        assert_eq!(cut_off(org, &other).as_deref(), Some("the device box"), "nobody tells it anything");
        lift(org, &by, &two.order.id).await.unwrap();
        let said = lifted(org, &slow).unwrap();
        assert!(said.contains("but not what the stop order for the device box ("), "{said}");
        let fast = Scope::Agent { name: "fast".parse().unwrap() };
        assert_eq!(lifted(org, &fast).unwrap(), "The stop order for the agent fast is lifted; what waited goes on.");
        assert!(matches!(halts_instead(org, &run), Some(Reason::Halted { what, .. }) if what == "the device box"));
    }
}
