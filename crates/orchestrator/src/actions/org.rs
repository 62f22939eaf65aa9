//! The org: made, listed, shown, left.

use super::{Done, Nothing};
use crate::{
    machine::Joined,
    org::Org,
    profile::Profile,
    removed::{self, Removed},
    table::{Action, Context, Effect, action},
    tailnet,
};
use domain::{
    Did, OrgName, Problem, Rid,
    org::{Device, Member, Revocation},
    role::Permission,
};
use forge::Forge;
use identity::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

pub(super) fn actions() -> Vec<Action> {
    vec![
        action("org.create", Effect::Changes, Permission::ManageOrg, "Make an org, with this machine's member as its owner.", create),
        action("org.list", Effect::Reads, Permission::View, "The orgs of this machine, as far as the caller may know of them.", list),
        action("org.leave", Effect::Changes, Permission::ManageDevice, "Leave the org; its folder is kept aside.", leave),
        action("org.show", Effect::Reads, Permission::View, "Show the org: its members and devices.", show),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// The org's name.
    name: OrgName,
    /// What people call its founder; this machine's user name where nothing is said.
    #[serde(default)]
    member: Option<String>,
    /// The full path of a person's existing Radicle profile: its key, storage and node are used in place.
    #[serde(default)]
    rad_home: Option<PathBuf>,
    /// What the profile's key is protected by; `RAD_PASSPHRASE` of the orchestrator where nothing is said. It is kept
    /// encrypted.
    #[serde(default)]
    passphrase: Option<String>,
    /// The tailnet in which its devices reach each other: the address of a Headscale server, or `managed` for one that this device runs.
    /// None where nothing is said.
    #[serde(default)]
    headscale: Option<String>,
    /// Where a server that this device runs is reached by others, as `host:port`; this machine's address on the way out, and port 8080,
    /// where nothing is said.
    #[serde(default)]
    headscale_listen: Option<String>,
    /// The API key of a server that is there. It is kept encrypted.
    #[serde(default)]
    headscale_key: Option<String>,
    /// Enter the tailnet with a tailscaled of the org's own, which Meshwork runs as root in a network namespace of the org's own: for a machine
    /// that is in another tailnet already.
    #[serde(default)]
    own_tailscaled: bool,
}

/// An org.
#[derive(Debug, Serialize, JsonSchema)]
struct OrgView {
    name: OrgName,
    /// Its Radicle repository.
    rid: Rid,
    /// This device's key.
    device: Did,
    /// This member's key.
    member: Did,
    members: Vec<Member>,
    devices: Vec<Device>,
    /// Its Radicle node's id: this device's key, or that of the person's profile.
    node: Did,
    /// Where its Radicle node listens.
    radicle: Option<String>,
    /// `RAD_HOME` for the stock `rad`.
    rad_home: String,
    /// How many owners must sign a change of the org.
    threshold: u32,
    /// Keys that count no more: lost, stolen or misused.
    revoked: Vec<Revocation>,
    /// Keys that merely ended.
    ended: Vec<Revocation>,
    /// Why the newest commit of the org repository does not count, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Problem>,
    /// That the org does not list this device any more, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Removed>,
}

async fn create(context: Context, input: Create) -> Result<OrgView, Problem> {
    let member = input.member.unwrap_or_else(user_name);
    let profile = input.rad_home.map(|home| Profile { home, passphrase: input.passphrase.map(Secret::new) });
    let key = input.headscale_key.map(Secret::new);
    let tailscaled = tailnet::Tailscaled::asked(input.own_tailscaled)?;
    let server = match (input.headscale, input.headscale_listen) {
        (Some(server), listen) => Some(tailnet::asked(&server, listen.as_deref(), key, tailscaled)?),
        (None, None) if key.is_none() && !input.own_tailscaled => None,
        (None, _) => {
            return Err(Problem::invalid("It is not said which Headscale server is meant.")
                .next("Say it with --headscale: managed, or an address."));
        }
    };
    match context.machine.create(&input.name, &member, profile, server).await? {
        Some(_) => show(context, Nothing {}).await,
        // It gets a process of its own, which has its node.
        None => {
            let data = context.machine.data.clone();
            crate::org::blocking(move || {
                let (forge, rid) = Org::look(&data, &input.name)?;
                view(input.name, rid, &forge, None)
            })
            .await
        }
    }
}

/// What this machine's user is called.
pub(super) fn user_name() -> String {
    let user = std::env::var("USER").ok().filter(|u| !u.is_empty()).unwrap_or_else(|| "owner".into());
    crate::names::file_name(&user)
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Leave {
    /// Give up joining an org, and stay in this one.
    #[serde(default)]
    joining: bool,
}

async fn leave(context: Context, input: Leave) -> Result<Done, Problem> {
    crate::leave::leave(&context, input.joining).await.map(Done::new)
}

async fn show(context: Context, _: Nothing) -> Result<OrgView, Problem> {
    let org = context.org()?;
    let view = |org: &Arc<Org>| {
        let view = view(org.name.clone(), org.rid.clone(), &org.forge, org.node()?.listen_address())?;
        Ok(OrgView { removed: removed::known(org), ..view })
    };
    org.blocking(view).await
}

fn view(name: OrgName, rid: Rid, forge: &Forge, listens: Option<SocketAddr>) -> Result<OrgView, Problem> {
    let state = forge.org_state(&rid)?;
    Ok(OrgView {
        name,
        rid,
        device: forge.device(),
        member: forge.member(),
        members: state.members.into_values().collect(),
        devices: state.devices.into_values().collect(),
        threshold: state.org.threshold,
        revoked: state.revoked,
        ended: state.ended,
        refused: state.refused.map(|r| r.problem),
        removed: None,
        node: forge.node_id(),
        radicle: listens.map(|a| a.to_string()),
        rad_home: forge.rad_home().display().to_string(),
    })
}

/// The orgs that whoever asks may know of: this one. `meshwork up` with several answers for the machine by itself.
async fn list(context: Context, _: Nothing) -> Result<Vec<Joined>, Problem> {
    Ok(context.machine.joined())
}
