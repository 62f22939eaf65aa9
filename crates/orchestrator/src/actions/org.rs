//! The org: made, shown.

use super::Nothing;
use crate::{
    profile::Profile,
    table::{Action, Context, Effect, action},
};
use domain::{
    Did, OrgName, Problem, Rid,
    org::{Device, Member},
    role::Permission,
};
use identity::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub(super) fn actions() -> Vec<Action> {
    vec![
        action("org.create", Effect::Changes, Permission::ManageOrg, "Make an org, with this machine's member as its owner.", create),
        action("org.show", Effect::Reads, Permission::View, "Show the org: its members and devices.", show),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
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
}

async fn create(context: Context, input: Create) -> Result<OrgView, Problem> {
    let user = std::env::var("USER").ok().filter(|u| !u.is_empty()).unwrap_or_else(|| "owner".into());
    let member = input.member.unwrap_or_else(|| crate::org::file_name(&user));
    let profile = input.rad_home.map(|home| Profile { home, passphrase: input.passphrase.map(Secret::new) });
    context.machine.create(&input.name, &member, profile).await?;
    show(context, Nothing {}).await
}

async fn show(context: Context, _: Nothing) -> Result<OrgView, Problem> {
    let org = context.org()?;
    org.blocking(|org| {
        let state = org.state()?;
        Ok(OrgView {
            name: org.name.clone(),
            rid: org.rid.clone(),
            device: org.device.clone(),
            member: org.member.clone(),
            members: state.members.into_values().collect(),
            devices: state.devices.into_values().collect(),
            node: org.forge.node_id(),
            radicle: org.node()?.listen_address().map(|a| a.to_string()),
            rad_home: org.forge.rad_home().display().to_string(),
        })
    })
    .await
}
