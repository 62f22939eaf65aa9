//! The gate of a project: chosen, taken away, shown.

use crate::{actions::member::Outcome, gated, members, org::Org, table::Context};
use domain::{Did, Problem, ProjectName, project::Project};
use forge::OrgState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of `device` and `open` must be said: nothing said changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Gate {
    /// The project; the only one where nothing is said.
    #[serde(default)]
    project: Option<ProjectName>,
    /// The device that alone is to move the default branch, by its name.
    #[serde(default)]
    device: Option<String>,
    /// `true` instead of a device: the project's people move it again.
    #[serde(default)]
    open: bool,
}

/// The device that is to be the gate; none where the project is to be open.
fn wanted(device: Option<String>, open: bool) -> Result<Option<String>, Problem> {
    if device.is_some() != open {
        return Ok(device);
    }
    let what = if open { "A project is gated by a device, or open." } else { "It is not said what the gate is to be." };
    Err(Problem::invalid(what)
        .because("Nothing was changed.")
        .next("Give either device, the name of one (meshwork org show lists them), or open: true, which opens the project again."))
}

/// The gate of a project, as people see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GateView {
    /// How the device is called.
    device: String,
    /// Its key.
    did: Did,
    /// Whether the repository itself lets nobody else move the default branch by now.
    in_force: bool,
}

pub(super) async fn set(context: Context, input: Gate) -> Result<Outcome, Problem> {
    let (org, Gate { project: named, device, open }) = (context.org()?, input);
    let device = wanted(device, open)?;
    let actor = context.actor(&org);
    let name = org.blocking(move |org| Ok(org.project(named.as_ref())?.name)).await?;
    let (what, done) = match &device {
        Some(device) => (
            format!("Gate project {name} by {device}"),
            format!("{name} is gated: soon only {device} moves its default branch; meshwork project show says when."),
        ),
        None => (format!("Open project {name}"), format!("{name} is gated no more.")),
    };
    let files = move |org: &Org, state: &OrgState| {
        let project = changed(org, state, &name, device.as_deref())?;
        let text = toml::to_string_pretty(&project).map_err(Problem::internal)?;
        Ok(vec![(format!("projects/{name}.toml"), Some(text.into_bytes()))])
    };
    Ok(Outcome::of(members::change(&org, &actor, what, files).await?, done))
}

/// The project with this gate, or none.
fn changed(org: &Org, state: &OrgState, name: &ProjectName, device: Option<&str>) -> Result<Project, Problem> {
    let project = org.project(Some(name))?;
    let Some(device) = device else { return Ok(Project { gates: vec![], ..project }) };
    let gate = members::device_of(state, device)?.did.clone();
    can_follow(org, state, &project)?;
    Ok(Project { gates: vec![gate], ..project })
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

/// The gate of a project; none where it has none.
///
/// # Errors
/// When the repository cannot be read.
pub(super) fn view(org: &Org, project: &Project) -> Result<Option<GateView>, Problem> {
    let Some(did) = project.gate().cloned() else { return Ok(None) };
    let in_force = org.forge.delegates(&project.rid)? == [did.clone()];
    Ok(Some(GateView { device: gated::name(org, &did)?, did, in_force }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_gate_is_to_be_must_be_said() {
        let read = |input: serde_json::Value| {
            let Gate { device, open, .. } = serde_json::from_value(input).unwrap();
            wanted(device, open)
        };
        for unclear in [json!({}), json!({"project": "demo"}), json!({"device": null}), json!({"device": "desk", "open": true})] {
            let problem = read(unclear).unwrap_err();
            assert!(problem.next.unwrap().contains("open: true"));
        }
        assert_eq!(read(json!({"device": "desk"})).unwrap().as_deref(), Some("desk"));
        assert_eq!(read(json!({"project": "demo", "open": true})).unwrap(), None);
    }
}
