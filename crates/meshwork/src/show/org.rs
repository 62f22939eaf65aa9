//! The org, for people.

use super::typed_at;
use crate::{
    output::at,
    paint::{Sheet, cell, table},
    text::clean,
};
use domain::{
    Problem,
    org::{Device, Member},
};
use serde_json::Value;

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
