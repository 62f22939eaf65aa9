//! Who I am: what a page or a script needs to know of its caller before it shows anything. And the browsers that are signed in.

use super::{Done, Nothing};
use crate::{
    clock,
    table::{Action, Context, Effect, action},
};
use domain::{
    Did, OrgName, Problem, Timestamp,
    role::{Permission, Role},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("session.show", Reads, Permission::View, "Who the caller is, and what they may do.", show),
        action("session.list", Reads, Permission::ManageTokens, "List the browsers that are signed in.", list),
        action("session.end", Changes, Permission::ManageTokens, "Sign a browser out.", end),
        action("session.end_all", Changes, Permission::ManageTokens, "Sign every browser out.", end_all),
    ]
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
    let (member, role) = (caller.member, caller.role);
    let mut session = Session {
        org: org.as_ref().map(|o| o.name.clone()),
        device: org.as_ref().map(|o| o.device.clone()),
        name: None,
        role,
        permissions: Permission::ALL.into_iter().filter(|p| role.allows(*p)).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        member: member.clone(),
    };
    if let (Some(org), Some(member)) = (org, member) {
        session.name = org.blocking(move |org| Ok(org.state()?.member_of(&member).map(|m| m.name.clone()))).await?;
    }
    Ok(session)
}

/// A browser that is signed in.
#[derive(Debug, Serialize, JsonSchema)]
struct Browser {
    /// The public id of its session.
    id: String,
    /// What it calls itself.
    label: String,
    /// When it signed in.
    since: Timestamp,
    /// Until when it stays signed in.
    until: Option<Timestamp>,
    /// Whether it is the one that asks.
    this: bool,
}

async fn list(context: Context, _: Nothing) -> Result<Vec<Browser>, Problem> {
    let (own, now) = (context.caller.browser.clone(), clock::now());
    let records = context.org()?.blocking(|org| org.store.browsers()).await?;
    let counting = records.into_iter().filter(|r| r.expires.is_none_or(|at| now < at));
    let browser = |r: identity::token::Record| Browser {
        this: own.as_ref() == Some(&r.id),
        id: r.id,
        label: r.label,
        since: r.created,
        until: r.expires,
    };
    Ok(counting.map(browser).collect())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct End {
    /// The public id of its session.
    id: String,
}

async fn end(context: Context, input: End) -> Result<Done, Problem> {
    let org = context.org()?;
    org.sign_out(&context.actor(&org), vec![input.id]).await?;
    Ok(Done::new("The browser is signed out."))
}

async fn end_all(context: Context, _: Nothing) -> Result<Done, Problem> {
    let org = context.org()?;
    let ids: Vec<String> = org.blocking(|org| org.store.browsers()).await?.into_iter().map(|r| r.id).collect();
    let count = ids.len();
    org.sign_out(&context.actor(&org), ids).await?;
    Ok(Done::new(match count {
        1 => "1 browser is signed out.".into(),
        count => format!("{count} browsers are signed out."),
    }))
}
