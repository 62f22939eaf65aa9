//! The verbs about the org: who belongs to it, who is invited, what waits for its owners.

use super::{Outcome, profile_passphrase, work::tags_of};
use crate::{
    cli,
    client::Client,
    output::{self, answer, at, say},
    show,
};
use domain::{Kind, Problem, ServerUrl};
use identity::Secret;
use serde_json::{Value, json};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// How often it is asked how joining stands.
const LOOK_EVERY: Duration = Duration::from_millis(300);

pub(super) async fn orgs(client: &Client, org: cli::Org, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match org {
        cli::Org::Create { name, member, rad_home, headscale, headscale_listen, own_tailscaled } => {
            let rad_home = rad_home.map(std::path::absolute).transpose().map_err(Problem::internal)?;
            let passphrase = rad_home.as_deref().map(profile_passphrase).transpose()?.flatten();
            let secret = passphrase.as_ref().map(Secret::expose);
            let key = headscale.as_deref().filter(|server| *server != "managed").map(|_| super::tailnet::api_key()).transpose()?.flatten();
            let input = json!({"name": name, "member": member, "rad_home": rad_home, "passphrase": secret, "headscale": headscale,
                "headscale_listen": headscale_listen, "headscale_key": key.as_ref().map(Secret::expose), "own_tailscaled": own_tailscaled});
            output::show(&client.call("org.create", input).await?, json, show::org)?;
            let server = headscale.filter(|_| key.is_some()).and_then(|server| server.parse::<ServerUrl>().ok());
            if let Some(clear) = server.as_ref().and_then(orchestrator::tailnet::in_the_clear) {
                output::aside(&format!("note: {clear}."));
            }
        }
        cli::Org::Show => output::show(&client.call("org.show", json!({})).await?, json, show::org)?,
        cli::Org::List => output::show(&client.call("org.list", json!({})).await?, json, show::orgs)?,
        cli::Org::Leave { joining } => answer(&client.call("org.leave", json!({ "joining": joining })).await?, json, done),
        cli::Org::Invite(args) => {
            let member = args.member.or_else(|| args.device.then(|| "me".into()));
            let input = json!({"role": args.role, "member": member, "hours": args.hours, "uses": args.uses, "at": args.at});
            answer(&client.call("org.invite", input).await?, json, show::ticket);
        }
        cli::Org::Invites => answer(&client.call("org.invites", json!({})).await?, json, show::invites),
        cli::Org::Uninvite { invite } => answer(&client.call("org.uninvite", json!({ "invite": invite })).await?, json, done),
        cli::Org::Joiners => answer(&client.call("org.joiners", json!({})).await?, json, show::joiners),
        cli::Org::Proposals => answer(&client.call("org.proposals", json!({})).await?, json, show::proposals),
        cli::Org::Approve { what, revision } => {
            answer(&client.call("org.approve", json!({"what": what, "revision": revision})).await?, json, done);
        }
        cli::Org::Reject { what, why } => answer(&client.call("org.reject", json!({"what": what, "why": why})).await?, json, done),
        cli::Org::Threshold { owners } => answer(&client.call("org.threshold", json!({ "owners": owners })).await?, json, done),
        cli::Org::Role { member, roles } => {
            answer(&client.call("member.roles", json!({"member": member, "give": roles.give, "take": roles.take})).await?, json, done);
        }
        cli::Org::Rename { name, to, device: true } => {
            answer(&client.call("device.change", json!({"device": name, "name": to})).await?, json, done);
        }
        cli::Org::Rename { name, to, device: false } => {
            answer(&client.call("member.rename", json!({"member": name, "name": to})).await?, json, done);
        }
        cli::Org::Standby { device, member } => {
            let member = match member {
                Some(member) => member,
                None => own_name(client).await?,
            };
            let device = (device != "none").then_some(device);
            answer(&client.call("member.standby", json!({"member": member, "device": device})).await?, json, done);
        }
        cli::Org::Remove { name, device, lost, why } => {
            let action = if device { "device.remove" } else { "member.remove" };
            answer(&client.call(action, json!({"name": name, "lost": lost, "why": why})).await?, json, done);
        }
        cli::Org::Device { name, addresses, radicle, gossip, tags } => {
            let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
            let tags = tags_of(&tags)?;
            if addresses.is_empty() && radicle.is_empty() && gossip.is_empty() && tags.is_empty() {
                return shown_device(client, &name, json).await;
            }
            let (addresses, radicle, gossip) = (some(addresses), some(radicle), some(gossip));
            let input = json!({"device": name, "addresses": addresses, "radicle": radicle, "gossip": gossip, "tags": tags});
            answer(&client.call("device.change", input).await?, json, done);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what the org says of a device.
async fn shown_device(client: &Client, name: &str, json: bool) -> Outcome {
    let org = client.call("org.show", json!({})).await?;
    let devices = org["devices"].as_array();
    let found = devices.into_iter().flatten().find(|device| device["name"] == name).ok_or_else(|| {
        Problem::not_found(format!("There is no device “{}”.", domain::shown(name))).next("meshwork org show lists them.")
    })?;
    output::show(found, json, show::org_device)?;
    Ok(ExitCode::SUCCESS)
}

/// What the member here is called in the org.
async fn own_name(client: &Client) -> Result<String, Problem> {
    let org = client.call("org.show", json!({})).await?;
    let own = |member: &&Value| member["keys"].as_array().into_iter().flatten().any(|key| key["did"] == org["member"]);
    let found = org["members"].as_array().into_iter().flatten().find(own);
    found.map(|member| at(member, &["name"])).ok_or_else(|| {
        Problem::not_found("The org does not list the member of this device.").next("Name one with --member; meshwork org show lists them.")
    })
}

/// Joins an org, and waits until it is open here; without a ticket it shows how that stands.
pub(super) async fn join(client: &Client, args: cli::Join, json: bool) -> Outcome {
    let waits = args.waits();
    let mut value = match args.ticket {
        Some(ticket) => {
            let input = json!({"ticket": ticket, "name": args.name, "device": args.device, "own_tailscaled": args.own_tailscaled});
            client.call("org.join", input).await?
        }
        None => client.call("org.joining", json!({})).await?,
    };
    let (mut said, begun) = (String::new(), Instant::now());
    loop {
        let text = show::joining(&value);
        if !json && text != said {
            say(&text);
        }
        said = text;
        match value["state"].as_str().unwrap_or_default() {
            "refused" => {
                let problem = serde_json::from_value(value["problem"].clone());
                return Err(problem.unwrap_or_else(|_| {
                    Problem::new(Kind::Forbidden, "Joining was refused.").next("Ask who invited you, or for another ticket.")
                }));
            }
            // The issuer is given a moment to answer, so that what is printed says more than that it was asked.
            "knocking" if !waits && begun.elapsed() < Duration::from_secs(3) => {}
            "joined" => break,
            _ if !waits => break,
            _ => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
        value = client.call("org.joining", json!({})).await?;
    }
    if json {
        say(&value.to_string());
    }
    Ok(ExitCode::SUCCESS)
}
