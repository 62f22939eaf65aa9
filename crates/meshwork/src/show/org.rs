//! The org, for people.

use super::typed_at;
use crate::{
    output::at,
    paint::{Sheet, Tone, cell, table, toned},
    text::clean,
};
use domain::{
    Problem,
    org::{Device, Member},
};
use orchestrator::machine::{Joined, State};
use serde_json::Value;

/// The orgs of the machine.
pub(crate) fn orgs(value: &Value) -> Result<String, Problem> {
    let orgs: Vec<Joined> = serde_json::from_value(value.clone()).map_err(Problem::internal)?;
    if orgs.is_empty() {
        return Ok("This machine is in no org yet: meshwork org create <name>.".into());
    }
    let line = |org: &Joined| {
        let (state, tone) = match &org.state {
            State::Starting => ("starting".to_owned(), Tone::Busy),
            State::Up => ("up".to_owned(), Tone::Good),
            State::Down { why, tries, pause_s } => {
                (format!("down: {}; {tries} times in a row, again within {pause_s} s", clean(why)), Tone::Bad)
            }
        };
        vec![cell(org.name.as_str()), toned(tone, state), cell(org.url.clone().unwrap_or_default())]
    };
    Ok(table(&["NAME", "STATE", "ADDRESS"], &orgs.iter().map(line).collect::<Vec<_>>()))
}

/// The org with its members and devices.
pub(crate) fn org(value: &Value) -> Result<String, Problem> {
    let (members, devices): (Vec<Member>, Vec<Device>) = (typed_at(value, "members")?, typed_at(value, "devices")?);
    let member = |m: &Member| {
        let roles: Vec<_> = m.roles.iter().map(|r| r.name()).collect();
        let keys: Vec<_> = m.keys.iter().map(|k| k.did.as_str()).collect();
        vec![cell(clean(&m.name)), cell(roles.join(", ")), cell(keys.join(", "))]
    };
    let device = |d: &Device| vec![cell(clean(&d.name)), cell(clean(&d.owner)), cell(d.did.as_str())];
    let sheet = Sheet::new(format!("Org {}", at(value, &["name"])))
        .part("repository", at(value, &["rid"]))
        .part("node", at(value, &["radicle"]))
        .part("RAD_HOME", at(value, &["rad_home"]))
        .section("Members", table(&["NAME", "ROLES", "KEYS"], &members.iter().map(member).collect::<Vec<_>>()))
        .section("Devices", table(&["NAME", "OWNER", "KEY"], &devices.iter().map(device).collect::<Vec<_>>()));
    Ok(sheet.text())
}
