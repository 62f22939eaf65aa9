//! The gates of a project: chosen, taken away, shown.

use crate::{
    actions::member::Outcome,
    gated, members,
    org::Org,
    remote::{self, devices},
    table::Context,
};
use domain::{
    Did, Problem, ProjectName,
    project::{GATES_MAX, Project},
};
use forge::OrgState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// One of `devices` and `open` must be said: nothing said changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Gate {
    /// The project; the only one where nothing is said.
    #[serde(default)]
    project: Option<ProjectName>,
    /// The devices that alone are to move the default branch, by their names: one, or three, of which two must sign. Merges are brought
    /// to the first that is there.
    #[serde(default)]
    devices: Vec<String>,
    /// `true` instead of devices: the project's people move it again.
    #[serde(default)]
    open: bool,
}

/// The devices that are to be the gates; none where the project is to be open.
fn wanted(devices: Vec<String>, open: bool) -> Result<Vec<String>, Problem> {
    if devices.is_empty() != open {
        let what = if open { "A project is gated by devices, or open." } else { "It is not said what the gate is to be." };
        return Err(Problem::invalid(what).because("Nothing was changed.").next(
            "Give either devices, the names of one or three (meshwork org show lists them), or open: true, which opens the project again.",
        ));
    }
    let different: BTreeSet<&String> = devices.iter().collect();
    if !matches!(devices.len(), 0 | 1 | GATES_MAX) || different.len() < devices.len() {
        return Err(Problem::invalid(format!("A project is gated by one device, or by {GATES_MAX} different ones."))
            .because("With two, one that is away would stop all merges.")
            .next("Name one device, or three."));
    }
    Ok(devices)
}

/// The gates of a project, as people see them.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GateView {
    /// The devices, in the order in which they are asked to merge.
    devices: Vec<GateDevice>,
    /// How many of them must sign a merge.
    needed: usize,
    /// Whether the repository itself lets nobody else move the default branch by now.
    in_force: bool,
}

/// A device that is a gate.
#[derive(Debug, Serialize, JsonSchema)]
struct GateDevice {
    /// How it is called.
    device: String,
    /// Its key.
    did: Did,
}

pub(super) async fn set(context: Context, input: Gate) -> Result<Outcome, Problem> {
    let (org, Gate { project: named, devices, open }) = (context.org()?, input);
    let devices = wanted(devices, open)?;
    let actor = context.actor(&org);
    let before = org.blocking(move |org| org.project(named.as_ref())).await?;
    let name = before.name.clone();
    let missing = if open { missing(&org, &before).await? } else { String::new() };
    let all = devices.join(", ");
    let (what, done) = match devices.len() {
        0 => (format!("Open project {name}"), format!("{name} is gated no more.{missing}")),
        1 => (
            format!("Gate project {name} by {all}"),
            format!("{name} is gated: soon only {all} moves its default branch; meshwork project show says when."),
        ),
        _ => (
            format!("Gate project {name} by {all}"),
            format!("{name} is gated: soon only merges that two of {all} signed move its branch; meshwork project show says when."),
        ),
    };
    let files = move |org: &Org, state: &OrgState| {
        let project = changed(org, state, &name, &devices)?;
        let text = toml::to_string_pretty(&project).map_err(Problem::internal)?;
        Ok(vec![(format!("projects/{name}.toml"), Some(text.into_bytes()))])
    };
    Ok(Outcome::of(members::change(&org, &actor, what, files).await?, done))
}

/// What is to be said when a project is opened whose gates cannot sign that now, because too many of them are away: whose signatures are
/// missing, and what to do.
async fn missing(org: &Arc<Org>, before: &Project) -> Result<String, Problem> {
    let mut away = vec![];
    for gate in before.gates.iter().filter(|gate| **gate != org.device) {
        if !remote::probe(org, gate).await.reachable {
            let seen =
                devices::seen(org, gate).map_or_else(|| "never seen from here".to_owned(), |at| format!("last seen {}", at.minute()));
            away.push(format!("{} ({seen})", gated::name(org, gate)?));
        }
    }
    let there = before.gates.len() - away.len();
    Ok(match before.gates_needed().saturating_sub(there) {
        0 => String::new(),
        short => format!(
            " Its repository follows once its gates have signed that, and {} missing: {} cannot be reached. Start meshwork up there. \
             Until then nobody else moves its default branch; meshwork project show says how it stands.",
            if short == 1 { "one signature is".to_owned() } else { format!("{short} signatures are") },
            away.join(", ")
        ),
    })
}

/// Whose signatures are missing of a project that the org opened, while its repository lets only devices move its default branch still.
///
/// # Errors
/// When the repository cannot be read.
pub(super) fn still_gated(org: &Org, project: &Project) -> Result<Option<String>, Problem> {
    if !project.gates.is_empty() {
        return Ok(None);
    }
    let (state, delegates) = (org.state()?, org.forge.delegates(&project.rid)?);
    let gates: Vec<&str> = delegates.iter().filter_map(|did| Some(state.device_of(did)?.name.as_str())).collect();
    let who = match gates.as_slice() {
        [] => return Ok(None),
        [one] => (*one).to_owned(),
        several => format!("{} of {}", several.len() / 2 + 1, several.join(", ")),
    };
    Ok(Some(format!(
        "{} is open, but its repository is not yet: {who} must sign that. meshwork device list shows which devices answer; start meshwork up \
         on those that do not.",
        project.name
    )))
}

/// The project with these gates, or none.
fn changed(org: &Org, state: &OrgState, name: &ProjectName, devices: &[String]) -> Result<Project, Problem> {
    let project = org.project(Some(name))?;
    let gates = devices.iter().map(|device| Ok(members::device_of(state, device)?.did.clone())).collect::<Result<Vec<_>, Problem>>()?;
    if !gates.is_empty() {
        can_follow(org, state, &project)?;
    }
    Ok(Project { gates, ..project })
}

/// The repository follows only when those sign who move its branch now.
fn can_follow(org: &Org, state: &OrgState, project: &Project) -> Result<(), Problem> {
    let ours = |did: &Did| state.member_of(did).is_some() || state.device_of(did).is_some();
    if org.forge.delegates(&project.rid)?.iter().any(ours) {
        return Ok(());
    }
    Err(Problem::conflict(format!("The delegates of {} do not belong to the org.", project.name))
        .because("They would have to sign that the gate takes their place.")
        .next("Ask them to make a member of the org a delegate: rad id update --delegate."))
}

/// The gates of a project; none where it has none.
///
/// # Errors
/// When the repository cannot be read.
pub(super) fn view(org: &Org, project: &Project) -> Result<Option<GateView>, Problem> {
    if project.gates.is_empty() {
        return Ok(None);
    }
    let sign: BTreeSet<Did> = org.forge.delegates(&project.rid)?.into_iter().collect();
    let in_force = sign.iter().eq(project.gates.iter().collect::<BTreeSet<_>>());
    let device = |did: &Did| Ok(GateDevice { device: gated::name(org, did)?, did: did.clone() });
    let devices = project.gates.iter().map(device).collect::<Result<_, Problem>>()?;
    Ok(Some(GateView { devices, needed: project.gates_needed(), in_force }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_gate_is_to_be_must_be_said() {
        let read = |input: serde_json::Value| {
            let Gate { devices, open, .. } = serde_json::from_value(input).unwrap();
            wanted(devices, open)
        };
        for unclear in [json!({}), json!({"project": "demo"}), json!({"devices": []}), json!({"devices": ["desk"], "open": true})] {
            let problem = read(unclear).unwrap_err();
            assert!(problem.next.unwrap().contains("open: true"));
        }
        assert_eq!(read(json!({"devices": ["desk"]})).unwrap(), ["desk"]);
        assert_eq!(read(json!({"devices": ["desk", "box", "attic"]})).unwrap(), ["desk", "box", "attic"]);
        assert!(read(json!({"project": "demo", "open": true})).unwrap().is_empty());
        for odd in [json!(["desk", "box"]), json!(["desk", "box", "desk"]), json!(["a", "b", "c", "d"])] {
            assert!(read(json!({"devices": odd})).unwrap_err().what.contains("one device, or by 3"), "{odd}");
        }
    }
}
