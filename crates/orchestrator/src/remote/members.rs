//! Follows the org repository for what concerns connections: who does not belong to the org any more is cut off, and this device's own
//! addresses are kept in its file.

use super::reach::probe_next;
use crate::{
    doubled, fault, limits,
    org::Org,
    removed::{self, Removed},
};
use domain::{Oid, Problem, org::Device};
use sandbox::Finding;
use std::{net::SocketAddr, sync::Arc};

/// Follows the org repository until the org closes.
pub(crate) async fn keep(org: Arc<Org>) {
    let (mut closing, mut moved) = (org.closing.subscribe(), org.head.subscribe());
    let (mut head, mut said) = (None, None);
    loop {
        moved.mark_unchanged();
        match look(&org, head.clone()).await {
            Ok((now, None)) => (head, said) = (Some(now), None),
            // The head stays the one of before: it is looked at, and published, again.
            Ok((_, Some(problem))) => {
                let text = problem.to_string();
                if said.as_ref() != Some(&text) {
                    tracing::warn!(%problem, "this device's addresses could not be written into the org repository; it is tried again");
                }
                said = Some(text);
            }
            Err(problem) => tracing::error!(%problem, "who belongs to the org cannot be read; those known last stay"),
        }
        tokio::select! {
            _ = moved.changed() => {}
            () = tokio::time::sleep(limits::MEMBERS_LOOK_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

/// Asks the other devices in turn whether they take this one, until the org closes: where it is removed, they may be all that tells.
pub(crate) async fn keep_asking(org: Arc<Org>) {
    let mut closing = org.closing.subscribe();
    let mut said = None;
    for round in 0_u32.. {
        tokio::select! {
            () = probe_next(&org, round) => said = say_removed(&org, said),
            _ = closing.wait_for(|c| *c) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(limits::ASKED_NEXT_EVERY) => {}
            _ = closing.wait_for(|c| *c) => return,
        }
    }
}

/// Says in the log, once, that the org does not list this device any more.
fn say_removed(org: &Org, said: Option<Removed>) -> Option<Removed> {
    let now = removed::known(org);
    if let Some(removed) = now.as_ref().filter(|_| now != said) {
        tracing::warn!("{}", removed.message);
    }
    now
}

/// Acts on the org repository, where its head moved since; gives its head, and why this device's addresses could not be published.
async fn look(org: &Arc<Org>, before: Option<Oid>) -> Result<(Oid, Option<Problem>), Problem> {
    org.blocking(move |org| {
        let head = org.forge.org_head(&org.rid)?;
        if before.as_ref() == Some(&head) {
            return Ok((head, None));
        }
        let state = Arc::new(org.state()?);
        let listed = org.remote.learn(state.clone());
        let cut = org.remote.network.connections().cut_unless(|subject| listed.contains(subject.device()));
        if cut > 0 {
            tracing::warn!(cut, "connections of devices that do not belong to the org any more were cut");
        }
        // Where one owner's signature is enough; else every restart would make a proposal.
        let alone = state.org.threshold == 1;
        let published = if alone { publish(org, state.device_of(&org.device), listed.len()) } else { Ok(()) };
        Ok((head, published.err()))
    })
    .await
}

/// Writes this device's addresses into its file where they are others now, though the org is the same.
pub(crate) async fn publish_again(org: &Arc<Org>) -> Result<(), Problem> {
    let write = |org: &Arc<Org>| {
        let state = org.state()?;
        if state.org.threshold == 1 { publish(org, state.device_of(&org.device), state.devices.len()) } else { Ok(()) }
    };
    org.blocking(write).await
}

/// Keeps this device's addresses in its file, where there are others to read them and its member may change the org.
fn publish(org: &Org, own: Option<&Device>, devices: usize) -> Result<(), Problem> {
    let Some(own) = own.filter(|_| devices > 1) else { return Ok(()) };
    let now = at_present(org, own)?;
    if now == *own || !org.forge.delegates(&org.rid)?.contains(&org.member) {
        return Ok(());
    }
    if doubled::here(org) {
        // Each of the two would write its own over the other's without end.
        return Err(Problem::conflict("A copy of this device runs on another machine.").next("meshwork doctor says what to do."));
    }
    let text = toml::to_string_pretty(&now).map_err(Problem::internal)?;
    let file = (format!("devices/{}.toml", now.name), Some(fault::written(text).into_bytes()));
    org.forge.change_org(&org.rid, &format!("Addresses of {}", now.name), &[file])?;
    org.announce(&org.rid, std::slice::from_ref(&org.member));
    Ok(())
}

/// This device with the addresses that it has now; with those of before where it has none, or waits for its tailnet.
fn at_present(org: &Org, own: &Device) -> Result<Device, Problem> {
    let or_before = |now: Vec<String>, before: &Vec<String>| if now.is_empty() || org.tailnet.waits() { before.clone() } else { now };
    Ok(Device {
        addresses: or_before(org.tailnet.reached(|places| places.mesh, org.remote.address()), &own.addresses),
        radicle: or_before(org.tailnet.reached(|places| places.radicle, org.node()?.listen_address()), &own.radicle),
        gossip: or_before(org.tailnet.reached(|places| places.gossip, org.remote.gossip_address()), &own.gossip),
        ..own.clone()
    })
}

/// That this device is not where the org says, as a finding of the doctor: what it may not publish by itself an owner must. Not
/// while a copy of it runs elsewhere: who follows this would hand the device over to the copy.
pub(crate) fn moved(org: &Org) -> Option<Finding> {
    if doubled::here(org) {
        return None;
    }
    let state = org.remote.org();
    let own = state.device_of(&org.device).filter(|_| state.devices.len() > 1)?;
    let now = at_present(org, own).ok()?;
    let lists =
        [("--address", &own.addresses, &now.addresses), ("--radicle", &own.radicle, &now.radicle), ("--gossip", &own.gossip, &now.gossip)];
    let (mut details, mut words) = (vec![], format!("meshwork org device {}", own.name));
    for (option, said, now) in lists.into_iter().filter(|(_, said, now)| is_elsewhere(said, now)) {
        let said = if said.is_empty() { "nothing".to_owned() } else { said.join(", ") };
        details.push(format!("the org says {said}, and this device is at {}", now.join(", ")));
        for at in now {
            words.push_str(&format!(" {option} {at}"));
        }
    }
    (!details.is_empty()).then(|| Finding {
        what: "addresses".into(),
        ok: false,
        detail: format!("{}: the others look for it where it is not", details.join("; ")),
        next: Some(format!("Ask an owner to say where it is: {words}")),
    })
}

/// Whether a device is first reached where the org does not say that it is. At loopback it is reached by whatever leads others there, which
/// the org alone knows.
fn is_elsewhere(said: &[String], now: &[String]) -> bool {
    let loopback = |at: &String| at.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback());
    now.first().is_some_and(|at| !said.contains(at) && (!loopback(at) || said.iter().any(loopback)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_elsewhere_where_the_org_does_not_say_its_first_address() {
        let table: [(&[&str], &[&str], bool); 6] = [
            (&["100.64.0.1:7421"], &["100.64.0.1:7421", "10.0.0.2:7421"], false),
            (&["10.0.0.2:7421"], &["100.64.0.1:7421", "10.0.0.2:7421"], true),
            (&[], &["10.0.0.2:7421"], true),
            (&["10.0.0.2:7421"], &[], false),
            // What leads to loopback from elsewhere, a person said.
            (&["gate.example:7421"], &["127.0.0.1:7421"], false),
            (&["127.0.0.1:9"], &["127.0.0.1:7421"], true),
        ];
        for (said, now, expected) in table {
            let owned = |list: &[&str]| list.iter().map(|&at| at.to_owned()).collect::<Vec<String>>();
            assert_eq!(is_elsewhere(&owned(said), &owned(now)), expected, "{said:?} {now:?}");
        }
    }
}
