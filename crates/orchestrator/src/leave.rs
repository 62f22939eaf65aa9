//! Leaving an org: said to the others, then its folder is moved aside. Nothing is deleted: what was not published is still there.

use crate::{
    clock, data_dir,
    data_dir::storage,
    limits,
    machine::Machine,
    members::{self, Parting},
    org::Org,
    remote, removed, room,
    table::Context,
    tailnet,
};
use domain::{OrgName, Problem, ServerUrl, role::Role};
use forge::{Changed, NodeEvent, OrgState, Received};
use std::{fs, path::PathBuf, sync::Arc, time::Instant};

/// Leaves the org of this machine, or gives up joining one, where that is meant or there is no other. Answers in words.
pub(crate) async fn leave(context: &Context, joining: bool) -> Result<String, Problem> {
    let machine = &context.machine;
    let org = match context.org() {
        Ok(org) if !joining => org,
        _ => return give_up(machine),
    };
    let read = |org: &Arc<Org>| {
        let state = org.state()?;
        Ok((tailnet::served(org, &state)?, state))
    };
    let (server, state) = org.blocking(read).await?;
    remote::probe_all(&org).await;
    let removed = removed::known(&org);
    // One that is removed already can change nothing of it any more.
    if removed.is_none() {
        server_stays(server.as_ref(), &state)?;
    }
    let said = match (removed, farewell(&org, &state)?) {
        // Nobody would hear of it, and nothing is left to be asked for.
        (Some(removed), _) if removed.certain => removed.message.trim_end_matches('.').to_owned(),
        // They may only not have heard of this device yet.
        (Some(removed), _) => format!("{} Should the org still list it, ask an owner to remove it", removed.message),
        (None, None) => "Nobody else belongs to it".to_owned(),
        (None, Some(device_only)) => {
            let name = org.name.clone();
            let set = move |org: &Org, state: &OrgState| {
                let how = Parting::Ended("left".into());
                let device = state.device_of(&org.device).map(|d| d.name.clone()).unwrap_or_default();
                let member = state.member_of(&org.member).map(|m| m.name.clone()).unwrap_or_default();
                if device_only { members::remove_device(state, &device, &how) } else { members::remove_member(state, &member, &how) }
            };
            let changed = members::change(&org, &context.actor(&org), format!("Leave {name}"), set).await?;
            tell(&org, changed).await?
        }
    };
    machine.dismiss();
    org.close().await;
    let kept = aside(machine, &org.name);
    // Below a supervisor the org's process has nothing more to do.
    if machine.options.only.is_some() {
        machine.another.notify_one();
    }
    let kept = kept?;
    Ok(format!("This machine has left {}. {said}. What was here is kept in {}.", org.name, kept.display()))
}

/// Refuses to take the org's Headscale server along, which this device runs, while others need it.
fn server_stays(server: Option<&ServerUrl>, state: &OrgState) -> Result<(), Problem> {
    let Some(server) = server.filter(|_| state.devices.len() > 1) else { return Ok(()) };
    Err(Problem::conflict(format!("This device runs the org's Headscale server {server}, and the org has other devices."))
        .because("Without it nobody new gets in, and a device that starts anew, or comes to another network, does not find the others.")
        .next(
            "Name another server in tailnet.toml of the org repository first, or take that file out where the devices reach each other \
             without a tailnet; have each machine enter the new one, and leave then.",
        ))
}

/// Whether only this device leaves, where the member has others; none: there is nobody to tell.
fn farewell(org: &Org, state: &OrgState) -> Result<Option<bool>, Problem> {
    let Some(member) = state.member_of(&org.member) else { return Ok(None) };
    if state.devices.len() < 2 {
        return Ok(None);
    }
    let owners = state.members.values().filter(|m| m.roles.contains(&Role::Owner)).count();
    let alone = member.roles.contains(&Role::Owner) && owners == 1;
    if alone && member.keys.first().is_some_and(|key| key.did == org.member) {
        return Err(Problem::conflict("This is the key of the org's only owner: without it nobody could change the org any more.")
            .next("Make somebody else an owner first: meshwork org role <member> --give owner."));
    }
    Ok(Some(member.keys.len() > 1))
}

/// Waits a moment until another device has it.
async fn tell(org: &Arc<Org>, changed: Changed) -> Result<String, Problem> {
    let heard = org
        .blocking(|org| {
            let events = org.node()?.events();
            // An owner who leaves signs what follows from it too.
            if let Err(problem) = org.forge.keep_org_charter(&org.rid) {
                tracing::warn!(%problem, "the org's owners could not be brought in step");
            }
            org.announce(&org.rid, &[]);
            let end = Instant::now() + limits::FAREWELL_WAIT;
            while Instant::now() < end {
                match events.next(limits::FAREWELL_WAIT) {
                    Received::Event(NodeEvent::Synced { rid, .. }) if rid == org.rid => return Ok(true),
                    Received::Closed => break,
                    _ => {}
                }
            }
            Ok(false)
        })
        .await?;
    Ok(match (heard, changed) {
        (true, Changed::InForce(_)) => "The others know",
        (true, Changed::Proposed(_)) => "The owners know, and have to take the keys off the list",
        (false, _) => "No other device could be told; ask an owner to remove this one",
    }
    .to_owned())
}

fn give_up(machine: &Machine) -> Result<String, Problem> {
    let begun = machine.data.joining();
    if let (Some(org), Some(only)) = (&begun, &machine.options.only)
        && org != only
    {
        return Err(Problem::conflict(format!("The org {org} is joined by another process of this machine."))
            .next("Say it to the machine, and name no org: meshwork org leave --joining."));
    }
    let joining = machine.give_up();
    let Some(name) = begun.or_else(|| joining.map(|j| j.org.clone())) else {
        return Err(Problem::conflict("This machine is joining no org.").next("There is nothing to give up: meshwork org list."));
    };
    let kept = aside(machine, &name);
    if machine.options.only.is_some() {
        machine.another.notify_one();
    }
    let kept = kept?;
    Ok(format!("Joining {name} is given up. What was here is kept in {}.", kept.display()))
}

/// Moves an org's folder aside.
fn aside(machine: &Machine, name: &OrgName) -> Result<PathBuf, Problem> {
    let (from, left) = (machine.data.org(name).root, machine.data.left());
    data_dir::make_private(&left)?;
    let to = left.join(format!("{name}-{}", clock::run_id()));
    fs::rename(&from, &to).map_err(|e| storage(&from, &e))?;
    room::announce(&machine.data)?;
    Ok(to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{did, state};
    use domain::org::Device;

    #[test]
    fn whoever_runs_the_orgs_server_stays_while_there_are_others() {
        let (server, mut state) = ("http://10.0.0.5:8080".parse::<ServerUrl>().unwrap(), state());
        for (device, alone) in [('a', true), ('b', false)] {
            state.devices.insert(device.into(), Device::new(device, did(device), "ada"));
            assert!(server_stays(None, &state).is_ok());
            assert_eq!(server_stays(Some(&server), &state).is_ok(), alone);
        }
        let refused = server_stays(Some(&server), &state).unwrap_err();
        assert!(refused.what.contains("http://10.0.0.5:8080") && refused.why.is_some() && refused.next.unwrap().contains("tailnet.toml"));
    }
}
