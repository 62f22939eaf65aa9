//! Stop orders: halting an agent, a member, a device or the whole org everywhere, until the order is lifted.

use super::{Done, Nothing};
use crate::{
    org::Org,
    stops,
    table::{Action, Context, Effect, action},
};
use domain::{
    AgentName, Problem,
    role::Permission,
    stop::{Scope, Stop, WHY_BYTES_MAX},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    use Permission::{ManageOrg, View};
    vec![
        action("stop.list", Reads, View, "List stop orders, the newest first.", list),
        action(
            "stop.order",
            Changes,
            ManageOrg,
            "Halt an agent, a member, a device or the whole org everywhere, until that is lifted.",
            order,
        ),
        action("stop.lift", Changes, ManageOrg, "Lift a stop order: what it halted goes on.", lift),
    ]
}

/// What is halted: one of the four.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// An agent's runs.
    #[serde(default)]
    agent: Option<AgentName>,
    /// A member's runs, by name.
    #[serde(default)]
    member: Option<String>,
    /// A device, by name: what it executes and what it asks for.
    #[serde(default)]
    device: Option<String>,
    /// The whole org.
    #[serde(default)]
    org: bool,
    /// Why: everybody who waits is shown it.
    why: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The order's id, or its beginning.
    id: String,
}

async fn list(context: Context, _: Nothing) -> Result<Vec<Stop>, Problem> {
    context.org()?.blocking(|org| stops::all(&org.store)).await
}

async fn order(context: Context, wanted: Wanted) -> Result<Stop, Problem> {
    let org = context.org()?;
    let why = wanted.why.trim().to_owned();
    if why.is_empty() || why.len() > WHY_BYTES_MAX {
        return Err(
            Problem::invalid(format!("A stop order says why, in at most {WHY_BYTES_MAX} bytes.")).next("Give a short reason: --why.")
        );
    }
    let scope = org.blocking(move |org| scope(org, &wanted)).await?;
    stops::give(&org, &context.actor(&org), scope, why).await
}

async fn lift(context: Context, which: Which) -> Result<Done, Problem> {
    let org = context.org()?;
    let stop = stops::lift(&org, &context.actor(&org), &which.id).await?;
    let said = org.blocking(move |org| stops::lifted(org, &stop.order.scope)).await?;
    Ok(Done::new(said))
}

fn scope(org: &Arc<Org>, wanted: &Wanted) -> Result<Scope, Problem> {
    let state = org.state()?;
    let missing = |what: &str, name: &str, verb: &str| {
        Problem::not_found(format!("There is no {what} “{}”.", domain::shown(name))).next(format!("meshwork {verb} shows those there are."))
    };
    match (&wanted.agent, &wanted.member, &wanted.device, wanted.org) {
        (Some(name), None, None, false) => match state.agents.values().any(|agent| agent.name == *name) {
            true => Ok(Scope::Agent { name: name.clone() }),
            false => Err(missing("agent", name.as_str(), "agent list")),
        },
        (None, Some(name), None, false) => {
            let member = state.members.get(name).ok_or_else(|| missing("member", name, "org show"))?;
            Ok(Scope::Member { name: name.clone(), keys: member.keys.iter().map(|key| key.did.clone()).collect() })
        }
        (None, None, Some(name), false) => {
            let device = state.devices.values().find(|device| device.name == *name || device.did.as_str() == name);
            let device = device.ok_or_else(|| missing("device", name, "device list"))?;
            Ok(Scope::Device { name: device.name.clone(), device: device.did.clone() })
        }
        (None, None, None, true) => Ok(Scope::Org),
        _ => Err(Problem::invalid("A stop order halts one thing.").next("Say which: --agent, --member, --device or --everything.")),
    }
}
