//! Tokens for scripts: each with a role; only a hash is kept.

use super::{Done, Nothing};
use crate::{
    clock,
    table::{Action, Context, Effect, action},
};
use domain::{
    Problem, Timestamp,
    event::Body,
    role::{Permission, Role},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("token.create", Changes, Permission::ManageTokens, "Make a token for scripts; it is shown once.", create),
        action("token.list", Reads, Permission::ManageTokens, "List the tokens, without their secrets.", list),
        action("token.revoke", Changes, Permission::ManageTokens, "Revoke a token; it counts no more at once.", revoke),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// What it may do.
    role: Role,
    /// What it is for.
    #[serde(default)]
    label: String,
    /// Days until it counts no more; for ever where nothing is said.
    #[serde(default)]
    days: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Created {
    /// Its public id.
    id: String,
    /// The token: keep it now, it is not shown again.
    token: String,
    role: Role,
}

async fn create(context: Context, input: Create) -> Result<Created, Problem> {
    let org = context.org()?;
    let now = clock::now();
    let expires = input.days.map(|d| now.plus_ms(u64::from(d) * 24 * 60 * 60 * 1000));
    let (secret, record) = identity::token::create(input.role, &input.label, now, expires)?;
    let event = org.event(context.actor(&org), Body::TokenCreated { id: record.id.clone(), role: record.role });
    let id = record.id.clone();
    org.store.insert_token(record, event).await?;
    Ok(Created { id, token: secret.expose().to_owned(), role: input.role })
}

#[derive(Debug, Serialize, JsonSchema)]
struct TokenView {
    id: String,
    role: Role,
    label: String,
    created: Timestamp,
    expires: Option<Timestamp>,
}

async fn list(context: Context, _: Nothing) -> Result<Vec<TokenView>, Problem> {
    let records = context.org()?.blocking(|org| org.store.tokens()).await?;
    Ok(records.into_iter().map(|r| TokenView { id: r.id, role: r.role, label: r.label, created: r.created, expires: r.expires }).collect())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// Its public id.
    id: String,
}

async fn revoke(context: Context, input: Revoke) -> Result<Done, Problem> {
    let org = context.org()?;
    let event = org.event(context.actor(&org), Body::TokenRevoked { id: input.id.clone() });
    org.store.revoke_token(&input.id, event).await?;
    org.shut_out.send_replace(());
    Ok(Done::new(format!("The token {} is revoked.", input.id)))
}
