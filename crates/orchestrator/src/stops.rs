//! Stop orders: given and lifted here, heard from others, carried to every device of the org until it has heard them, and looked at by
//! whoever starts, carries on, or answers for a run.

use crate::{clock, limits, org::Org, remote};
use domain::{
    Did, Hash, Kind, Problem,
    actor::Actor,
    event::{Body, kind},
    run::Run,
    stop::{self, Scope, Stop},
};
use futures::future::join_all;
use identity::{Envelope, envelope};
use policy::Resource;
use std::{collections::HashSet, sync::Arc};
use store::Order;
use tokio::sync::watch;

/// The orders that count now; whoever is halted by one waits here for a change.
pub(crate) type InForce = watch::Sender<Vec<Stop>>;

/// Reads from the journal which orders count.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(store: &store::Store) -> Result<Vec<Stop>, Problem> {
    Ok(all(store)?.into_iter().filter(Stop::in_force).collect())
}

/// The newest orders, lifted ones among them.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn all(store: &store::Store) -> Result<Vec<Stop>, Problem> {
    store.list(kind::STOP, Order::Newest, limits::STOPS_MAX)
}

/// The order that halts a run.
pub(crate) fn halting(org: &Org, run: &Run) -> Option<Stop> {
    let executor = run.device.as_ref().or(run.on.as_ref()).unwrap_or(&org.device);
    org.stops.borrow().iter().find(|stop| stop.order.scope.halts(run, executor)).cloned()
}

/// The order by which a device is cut off.
pub(crate) fn halted_device(org: &Org, did: &Did) -> Option<Stop> {
    let halted = |stop: &&Stop| matches!(&stop.order.scope, Scope::Device { device, .. } if device == did);
    org.stops.borrow().iter().find(halted).cloned()
}

/// Refuses what a halted member, or a halted device, would change here.
///
/// # Errors
/// When there is such an order.
pub(crate) fn refuse_halted(org: &Org, member: &Did) -> Result<(), Problem> {
    let halted = |stop: &&Stop| match &stop.order.scope {
        Scope::Member { keys, .. } => keys.contains(member),
        Scope::Device { device, .. } => *device == org.device,
        Scope::Agent { .. } | Scope::Org => false,
    };
    let Some(stop) = org.stops.borrow().iter().find(halted).cloned() else { return Ok(()) };
    Err(Problem::new(Kind::Forbidden, format!("A stop order halts {}.", stop.order.scope.text()))
        .because(why(&stop))
        .next(format!("Who may give such an order lifts it: meshwork stop lift {}.", stop.order.id)))
}

/// Why, in words.
pub(crate) fn why(stop: &Stop) -> String {
    format!("{} ordered it: {}", stop.by, stop.order.why)
}

/// Gives an order.
///
/// # Errors
/// When it cannot be journaled.
pub(crate) async fn give(org: &Arc<Org>, by: &Actor, scope: Scope, why: String) -> Result<Stop, Problem> {
    let (id, at) = (clock::run_id().to_string(), clock::now());
    sign(org, by, stop::Order { version: stop::VERSION, id, org: org.name.clone(), scope, why, at, lifts: false }).await
}

/// Lifts an order.
///
/// # Errors
/// When there is none of this id that counts.
pub(crate) async fn lift(org: &Arc<Org>, by: &Actor, id: &str) -> Result<Stop, Problem> {
    let known = find(org, id)?;
    sign(org, by, stop::Order { at: clock::now(), lifts: true, ..known.order }).await
}

/// The order of this id, or the only one whose id begins so, that counts.
///
/// # Errors
/// When there is none, or several.
pub(crate) fn find(org: &Org, id: &str) -> Result<Stop, Problem> {
    let found: Vec<Stop> = org.stops.borrow().iter().filter(|s| !id.is_empty() && s.order.id.starts_with(id)).cloned().collect();
    match <[Stop; 1]>::try_from(found) {
        Ok([stop]) => Ok(stop),
        Err(found) if found.is_empty() => Err(Problem::not_found(format!("No stop order “{}” is in force.", domain::shown(id)))
            .next("meshwork stop list shows those that are.")),
        Err(_) => Err(Problem::invalid("Several stop orders begin so.").next("Give the whole id: meshwork stop list.")),
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
    if !whole {
        return Err(elsewhere());
    }
    let known: Option<Stop> = org.store.get(kind::STOP, &order.id)?;
    if known.is_some_and(|stop| stop.order.scope != order.scope) {
        return Err(elsewhere());
    }
    let action = if order.lifts { "stop.lift" } else { "stop.order" };
    let may = rights.state.member_of(&by).is_some_and(|member| rights.member_may(member, action, &resource(&rights.state, &order.scope)));
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

/// Journals what was signed, and acts by it.
async fn take(org: &Arc<Org>, actor: &Actor, order: stop::Order, by: Did, sealed: &Envelope) -> Result<Stop, Problem> {
    let (bytes, id) = (sealed.to_json()?, order.id.clone());
    let envelope = org.blocking(move |org| org.store.blobs().put(&bytes)).await?;
    let event = org.event(actor, Body::StopOrdered { order: Box::new(order.clone()), by, envelope });
    let known = id.clone();
    let decided = org.store.append_if(move |view| {
        let before: Option<Stop> = view.get(kind::STOP, &known)?;
        let heard = before.is_some_and(|stop| !stop.in_force() || !order.lifts);
        Ok(if heard { vec![] } else { vec![event] })
    });
    decided.await?;
    look(org)?;
    let stop: Option<Stop> = org.store.get(kind::STOP, &id)?;
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
    let mut heard = HashSet::new();
    loop {
        changed.mark_unchanged();
        if let Err(problem) = tell_all(&org, &mut heard).await {
            tracing::warn!(%problem, "stop orders could not be carried to the other devices yet");
        }
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(limits::STOPS_AGAIN) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

async fn tell_all(org: &Arc<Org>, heard: &mut HashSet<(Did, Hash)>) -> Result<(), Problem> {
    let (stops, devices) = org.blocking(|org| Ok((all(&org.store)?, org.state()?.devices))).await?;
    let others = devices.into_values().map(|device| device.did).filter(|did| *did != org.device);
    let due: Vec<(Did, Hash)> = others
        .flat_map(|did| stops.iter().map(move |stop| (did.clone(), stop.envelope.clone())))
        .filter(|one| !heard.contains(one))
        .collect();
    let told = due.into_iter().map(|(did, envelope)| async move {
        let done = tell(org, &did, &envelope).await;
        (did, envelope, done)
    });
    for (device, envelope, done) in join_all(told).await {
        match done {
            Err(problem) if problem.passes() => tracing::debug!(%device, %problem, "a stop order waits for a device"),
            Err(problem) => {
                tracing::warn!(%device, %problem, "a device does not take a stop order");
            }
            Ok(()) => drop(heard.insert((device, envelope))),
        }
    }
    Ok(())
}

async fn tell(org: &Arc<Org>, device: &Did, envelope: &Hash) -> Result<(), Problem> {
    let wanted = envelope.clone();
    let bytes = org.blocking(move |org| org.store.blobs().get(&wanted)).await?;
    let Some(bytes) = bytes else { return Err(Problem::internal("the envelope of a stop order was erased")) };
    remote::tell_stop(org, device, bytes).await
}

/// The orders that count when an org is opened.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn begin(store: &store::Store) -> Result<InForce, Problem> {
    Ok(watch::Sender::new(read(store)?))
}
