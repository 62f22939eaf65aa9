//! The org, for people.

use super::typed_at;
use crate::{
    output::at,
    paint::{Sheet, Tone, cell, table, toned},
    text::{ago, clean, clean_lines, now, until},
};
use domain::{
    Problem, Timestamp, counted,
    join::Admits,
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
        let (state, tone) = org.removed.as_ref().map_or((state, tone), |removed| (clean(removed), Tone::Bad));
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
        let standby = m.standby.as_ref().and_then(|did| devices.iter().find(|d| d.did == *did));
        let standby = standby.map(|d| clean(&d.name)).unwrap_or_default();
        vec![cell(clean(&m.name)), cell(roles.join(", ")), cell(standby), cell(keys.join(", "))]
    };
    let device = |d: &Device| vec![cell(clean(&d.name)), cell(clean(&d.owner)), cell(d.did.as_str()), cell(tags(d))];
    let sheet = Sheet::new(format!("Org {}", at(value, &["name"])))
        .part("repository", at(value, &["rid"]))
        .part("node", at(value, &["radicle"]))
        .part("RAD_HOME", at(value, &["rad_home"]))
        .section("Members", table(&["NAME", "ROLES", "STANDBY", "KEYS"], &members.iter().map(member).collect::<Vec<_>>()))
        .section("Devices", table(&["NAME", "OWNER", "KEY", "TAGS"], &devices.iter().map(device).collect::<Vec<_>>()));
    let refused = value["refused"].is_object().then(|| {
        format!(
            "\nThe newest commit of the org repository does not count, the one before is in force.\n{} {}",
            at(value, &["refused", "what"]),
            at(value, &["refused", "why"])
        )
    });
    let removed = value["removed"].is_object().then(|| {
        format!("\n{} What is shown is as of before. meshwork org leave keeps what is here aside.", at(value, &["removed", "message"]))
    });
    let notes: String = refused.into_iter().chain(removed).map(|text| clean_lines(&text)).collect();
    Ok(format!("{}{notes}", sheet.text()))
}

/// What the org says of one device.
pub(crate) fn org_device(value: &Value) -> Result<String, Problem> {
    let device: Device = super::typed(value)?;
    let list = |all: &[String]| all.iter().map(|one| clean(one)).collect::<Vec<_>>().join(", ");
    Ok(Sheet::new(format!("Device {}", clean(&device.name)))
        .part("owner", clean(&device.owner))
        .part("key", device.did.as_str())
        .part("address", list(&device.addresses))
        .part("radicle", list(&device.radicle))
        .part("gossip", list(&device.gossip))
        .part("tags", tags(&device))
        .text())
}

/// What the org promises about a device.
fn tags(device: &Device) -> String {
    device.tags.iter().map(|(name, value)| format!("{}:{}", clean(name), clean(value))).collect::<Vec<_>>().join(" ")
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn admits(value: &Value) -> String {
    serde_json::from_value::<Admits>(value["admits"].clone()).map(|a| clean(&a.text())).unwrap_or_default()
}

fn when(value: &Value) -> String {
    ago(Timestamp(value["at"].as_i64().unwrap_or_default()), now())
}

fn list(items: &Value) -> String {
    rows(items).filter_map(Value::as_str).map(clean).collect::<Vec<_>>().join(", ")
}

/// A ticket that was just made.
pub(crate) fn ticket(value: &Value) -> String {
    let until = until(Timestamp(value["expires"].as_i64().unwrap_or_default()), now());
    format!(
        "This ticket lets {} join as {}, until {until}. Whoever has it can knock at {}; an owner still has to approve.\n\n{}\n\nOn the other machine: meshwork up, then meshwork join <ticket>.",
        counted(value["uses"].as_u64().unwrap_or_default(), "device"),
        admits(value),
        list(&value["knock"]),
        at(value, &["ticket"])
    )
}

/// The invitations.
pub(crate) fn invites(value: &Value) -> String {
    let line = |i: &Value| {
        let used = format!("{} of {}", rows(&i["used"]).count(), i["uses"]);
        let open = if i["open"] == true { toned(Tone::Good, "open") } else { cell("closed") };
        let until = until(Timestamp(i["expires"].as_i64().unwrap_or_default()), now());
        vec![cell(at(i, &["id"])), open, cell(admits(i)), cell(used), cell(until)]
    };
    let lines: Vec<_> = rows(value).map(line).collect();
    match lines.is_empty() {
        true => "Nobody was invited from here: meshwork org invite.".into(),
        false => table(&["INVITATION", "STATE", "AS", "USED", "UNTIL"], &lines),
    }
}

/// Those who knocked.
pub(crate) fn joiners(value: &Value) -> String {
    let line = |j: &Value| {
        let state = match at(j, &["state"]).as_str() {
            "waiting" => toned(Tone::Waits, "waits for an owner"),
            "proposed" => toned(Tone::Waits, "waits for more owners"),
            "approved" => toned(Tone::Good, "let in"),
            _ => cell("declined"),
        };
        let names = [cell(clean(&at(j, &["name"]))), cell(clean(&at(j, &["device_name"])))];
        names.into_iter().chain([state, cell(admits(j)), cell(when(j)), cell(at(j, &["device"]))]).collect::<Vec<_>>()
    };
    let lines: Vec<_> = rows(value).map(line).collect();
    match lines.is_empty() {
        true => "Nobody has knocked here.".into(),
        false => table(&["WHO", "DEVICE", "STATE", "AS", "KNOCKED", "KEY"], &lines),
    }
}

/// What waits for owners.
pub(crate) fn proposals(value: &Value) -> String {
    let line = |p: &Value| {
        let id: String = at(p, &["id"]).chars().take(10).collect();
        let approved = format!("{} of {}: {}", rows(&p["approved"]).count(), p["needed"], list(&p["approved"]));
        let note = match (p["problem"].as_str(), p["yours"] == true) {
            (Some(problem), _) => toned(Tone::Bad, clean(problem)),
            (None, true) => toned(Tone::Waits, "waits for you"),
            (None, false) => cell(""),
        };
        // Whole, for it is named so; the first is what the id means.
        let revision = p["revision"].as_str().filter(|revision| p["id"] != *revision).unwrap_or_default();
        let what = [id, clean(&at(p, &["title"])), clean(&at(p, &["by"])), approved, when(p), clean(revision)];
        what.into_iter().map(cell).chain([note]).collect::<Vec<_>>()
    };
    let lines: Vec<_> = rows(value).map(line).collect();
    match lines.is_empty() {
        true => "Nothing waits for the owners.".into(),
        false => table(&["PROPOSAL", "WHAT", "BY", "APPROVED", "CHANGED", "REVISION", "NOTE"], &lines),
    }
}

/// How it stands with joining.
pub(crate) fn joining(value: &Value) -> String {
    let org = at(value, &["org"]);
    let parts = ["what", "why", "next"].map(|part| at(value, &["problem", part]));
    let problem: String = parts.iter().filter(|part| !part.is_empty()).map(|part| format!(" {}", clean(part))).collect();
    match at(value, &["state"]).as_str() {
        "knocking" => format!("Knocking at {org}.{problem}"),
        "waiting" => {
            format!("Waiting for the owners of {org}. {} This device's key: {}.", clean(&at(value, &["why"])), at(value, &["device"]))
        }
        "fetching" => format!("The owners approved. Fetching the org's repository.{problem}"),
        "joined" => format!("This machine belongs to {org} now."),
        _ => format!("Joining {org} was refused."),
    }
}
