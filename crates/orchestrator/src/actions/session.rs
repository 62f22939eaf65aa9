//! Who I am: what a page or a script needs to know of its caller before it shows anything.

use super::Nothing;
use crate::table::{Action, Context, Effect, action};
use domain::{
    Did, OrgName, Problem,
    role::{Permission, Role},
};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn actions() -> Vec<Action> {
    vec![action("session.show", Effect::Reads, Permission::View, "Who the caller is, and what they may do.", show)]
}

/// The caller, as this machine sees them.
#[derive(Debug, Serialize, JsonSchema)]
struct Session {
    /// The org that this machine serves; none before one is made.
    org: Option<OrgName>,
    /// This device's key.
    device: Option<Did>,
    /// The caller's key.
    member: Option<Did>,
    /// What people call them.
    name: Option<String>,
    /// What they are in the org.
    role: Role,
    /// What that allows.
    permissions: Vec<Permission>,
    /// Meshwork's version.
    version: String,
}

async fn show(context: Context, _: Nothing) -> Result<Session, Problem> {
    let (caller, org) = (context.caller.clone(), context.org().ok());
    let (member, role) = (caller.member.clone(), caller.role);
    let mut session = Session {
        org: org.as_ref().map(|o| o.name.clone()),
        device: org.as_ref().map(|o| o.device.clone()),
        name: None,
        role,
        permissions: Permission::ALL.into_iter().filter(|p| role.allows(*p)).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        member: member.clone(),
    };
    if let Some(org) = org {
        (session.role, session.permissions, session.name) = org
            .blocking(move |org| {
                let rights = org.rights()?;
                let name = member.and_then(|member| rights.state.member_of(&member).map(|m| m.name.clone()));
                Ok((rights.role(&caller), rights.permissions(&rights.principal(&caller)), name))
            })
            .await?;
    }
    Ok(session)
}
