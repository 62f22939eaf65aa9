//! Joining: invitations and those who knocked, at the issuer; knocking, at the one who joins.

use super::{Done, Nothing};
use crate::{
    clock,
    join::{JoiningView, desk},
    limits, members,
    org::Org,
    table::{Action, Context, Effect, action},
    tailnet::{self, Tailscaled},
};
use domain::{
    Did, Kind, Problem, Timestamp,
    event::Body,
    join::{Admits, Joiner, JoinerState},
    role::{Permission, Role},
};
use forge::Changed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("org.invite", Changes, Permission::ManageOrg, "Invite somebody, or one more device: makes a ticket.", invite),
        action("org.invites", Reads, Permission::ManageOrg, "List the invitations that this device made.", invites),
        action("org.uninvite", Changes, Permission::ManageOrg, "Take an invitation back; it counts no more.", uninvite),
        action("org.joiners", Reads, Permission::View, "List those who knocked at this device.", joiners),
        action("org.join", Changes, Permission::ManageOrg, "Join an org with a ticket: knocks, and waits for its owners.", join),
        action("org.joining", Reads, Permission::View, "Show how it stands with joining.", joining),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InviteInput {
    /// The role of a new member; developer where nothing is said.
    #[serde(default)]
    role: Option<Role>,
    /// Instead of a new member: one more device of this one; `me` for the member here.
    #[serde(default)]
    member: Option<String>,
    /// Hours until the ticket counts no more, from 1 to 720 (30 days); three days where nothing is said.
    #[serde(default)]
    hours: Option<u32>,
    /// How many devices may join with it; one where nothing is said.
    #[serde(default)]
    uses: Option<u32>,
    /// Where the Join port of this device is reached, as `host:port`; where it listens, where nothing is said.
    #[serde(default)]
    at: Vec<String>,
}

/// An invitation.
#[derive(Debug, Serialize, JsonSchema)]
struct InviteView {
    /// Its id.
    id: String,
    /// The ticket: hand it to the one who is to join, and to nobody else.
    ticket: String,
    /// As what it lets somebody join.
    admits: Admits,
    /// It counts until then.
    expires: Timestamp,
    /// How many may join with it.
    uses: u32,
    /// The devices that used it.
    used: Vec<Did>,
    /// Whether somebody may still come with it.
    open: bool,
    /// Where they knock.
    knock: Vec<String>,
}

async fn invite(context: Context, input: InviteInput) -> Result<InviteView, Problem> {
    let org = context.org()?;
    let valid = valid_ms(input.hours)?;
    in_order(input.uses, &input.at)?;
    let admits = match (input.role, input.member) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("A device of a member has the member's roles.").next("Give either a role or a member."));
        }
        (role, None) => Admits::Member { role: role.unwrap_or(Role::Developer) },
        (None, Some(member)) => Admits::Device { member: org.blocking(move |org| person(org, &member)).await? },
    };
    let (ticket, text) = desk::invite(&org, context.actor(&org), admits, valid, input.uses.unwrap_or(1), input.at).await?;
    Ok(InviteView {
        id: ticket.id,
        ticket: text,
        admits: ticket.admits,
        expires: ticket.expires,
        uses: ticket.uses,
        used: vec![],
        open: true,
        knock: ticket.knock,
    })
}

/// For how long a ticket counts, in milliseconds.
fn valid_ms(hours: Option<u32>) -> Result<u64, Problem> {
    match hours {
        None => Ok(limits::INVITE_VALID_MS),
        Some(hours @ 1..=limits::INVITE_HOURS_MAX) => Ok(u64::from(hours) * 60 * 60 * 1000),
        Some(hours) => {
            let (hours, days) = (domain::counted(hours, "hour"), limits::INVITE_HOURS_MAX / 24);
            Err(Problem::invalid(format!("An invitation cannot count for {hours}."))
                .because(format!("It counts for one hour at the least, and {} ({days} days) at the most.", limits::INVITE_HOURS_MAX))
                .next("Give a number of hours in between, or none for three days; meshwork org uninvite ends an invitation sooner."))
        }
    }
}

/// Whether the uses and the addresses of an invitation can be in a ticket.
fn in_order(uses: Option<u32>, at: &[String]) -> Result<(), Problem> {
    if uses == Some(0) {
        return Err(Problem::invalid("An invitation that nobody may use lets nobody join.")
            .next("Give --uses a number from 1 on, or leave it out for one use."));
    }
    if let Some(wrong) = at.iter().find(|at| !domain::join::is_address(at)) {
        return Err(Problem::invalid(format!("--at: “{}” is not an address.", domain::shown(wrong)))
            .next("Write it as host:port: where this device's Join port is reached."));
    }
    if at.len() > domain::join::ADDRESSES_MAX {
        return Err(Problem::new(Kind::Limit, format!("--at was given {} times.", at.len()))
            .next(format!("A ticket has {} addresses at the most.", domain::join::ADDRESSES_MAX)));
    }
    Ok(())
}

/// A member by name; `me` is the one here.
fn person(org: &Org, name: &str) -> Result<String, Problem> {
    let state = org.state()?;
    if name == crate::names::ME {
        let me = state.member_of(&org.member).map(|m| m.name.clone());
        return me.ok_or_else(|| {
            Problem::not_found("The member on this device is not listed in the org.")
                .next("meshwork org show lists the members: name one of them.")
        });
    }
    members::member_of(&state, name).map(|m| m.name.clone())
}

async fn invites(context: Context, _: Nothing) -> Result<Vec<InviteView>, Problem> {
    let now = clock::now();
    let tell = move |org: &Arc<Org>| {
        desk::invites(org)?
            .into_iter()
            .map(|invite| {
                Ok(InviteView {
                    open: desk::is_open(&invite, now),
                    ticket: desk::write(org, &invite.ticket)?,
                    id: invite.ticket.id,
                    admits: invite.ticket.admits,
                    expires: invite.ticket.expires,
                    uses: invite.ticket.uses,
                    used: invite.used,
                    knock: invite.ticket.knock,
                })
            })
            .collect::<Result<Vec<_>, Problem>>()
    };
    context.org()?.blocking(tell).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Uninvite {
    /// Its id, or the end of it.
    invite: String,
}

async fn uninvite(context: Context, input: Uninvite) -> Result<Done, Problem> {
    let org = context.org()?;
    let wanted = input.invite.to_uppercase();
    let all = org.blocking(|org| desk::invites(org)).await?;
    let mut found = all.into_iter().filter(|i| wanted.len() >= 4 && i.ticket.id.ends_with(&wanted));
    let (Some(invite), None) = (found.next(), found.next()) else {
        return Err(Problem::not_found(format!("“{}” names no invitation, or several.", domain::shown(&input.invite)))
            .next("meshwork org invites lists them."));
    };
    org.record(context.actor(&org), vec![Body::InviteWithdrawn { invite: invite.ticket.id.clone() }]).await?;
    let mut told = "The invitation counts no more; those who knocked with it still wait.".to_owned();
    if let Err(problem) = tailnet::take_back(&org).await {
        told.push_str(&format!(
            " Not every key behind a ticket that counts no more could be taken back at the Headscale server: {} With it a machine reaches \
             the Join port alone, which refuses it, until the ticket expires ({}). It is tried again.",
            problem.what,
            invite.ticket.expires.minute()
        ));
    }
    Ok(Done::new(told))
}

/// Somebody who knocked.
#[derive(Debug, Serialize, JsonSchema)]
struct JoinerView {
    /// The person's name, or the member's whose device it is.
    name: String,
    device_name: String,
    /// The device's key.
    device: Did,
    /// The member's key on it.
    member: Did,
    /// As what they want to join.
    admits: Admits,
    /// When they knocked first.
    at: Timestamp,
    /// How it stands.
    #[serde(flatten)]
    state: JoinerState,
}

async fn joiners(context: Context, _: Nothing) -> Result<Vec<JoinerView>, Problem> {
    let tell = |org: &Arc<Org>| {
        let state = org.state()?;
        let view = |j: Joiner| JoinerView {
            name: j.called().to_owned(),
            // Other owners may have brought it into force.
            state: if state.device_of(&j.knock.device).is_some() { JoinerState::Approved } else { j.state },
            device_name: j.knock.device_name,
            device: j.knock.device,
            member: j.knock.member,
            admits: j.admits,
            at: j.at,
        };
        Ok(desk::joiners(org)?.into_iter().map(view).collect())
    };
    context.org()?.blocking(tell).await
}

/// Approves somebody who knocked here.
pub(super) async fn approve(context: &Context, joiner: Joiner) -> Result<Changed, Problem> {
    let org = context.org()?;
    let what = format!("Take in {} on {}: {}", joiner.called(), joiner.knock.device_name, joiner.admits.text());
    let (device, actor) = (joiner.knock.device.clone(), context.actor(&org));
    let changed = members::change(&org, &actor, what, move |_, state| members::admit(state, &joiner)).await?;
    let state = match &changed {
        Changed::InForce(_) => JoinerState::Approved,
        Changed::Proposed(proposal) => JoinerState::Proposed { proposal: proposal.clone() },
    };
    org.record(&actor, vec![Body::JoinerDecided { device, state }]).await?;
    Ok(changed)
}

/// Declines somebody who knocked here.
pub(super) async fn decline(context: &Context, joiner: Joiner, why: Option<String>) -> Result<Done, Problem> {
    let org = context.org()?;
    let why = domain::shown(&why.unwrap_or_else(|| "No reason was given.".into()));
    let told = match &joiner.admits {
        Admits::Member { .. } => format!("{} is told that they are not let in.", joiner.knock.name),
        Admits::Device { .. } => format!("It is told that {} is not let in.", joiner.text()),
    };
    let body = Body::JoinerDecided { device: joiner.knock.device, state: JoinerState::Declined { why } };
    org.record(context.actor(&org), vec![body]).await?;
    Ok(Done::new(told))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Join {
    /// The ticket.
    ticket: String,
    /// What people are to call the one who joins; this machine's user name where nothing is said.
    #[serde(default)]
    name: Option<String>,
    /// What people are to call this device; its host name where nothing is said.
    #[serde(default)]
    device: Option<String>,
    /// Enter the org's tailnet with a tailscaled of the org's own, which Meshwork runs as root in a network namespace of the org's own: for a
    /// machine that is in another tailnet already.
    #[serde(default)]
    own_tailscaled: bool,
}

async fn join(context: Context, input: Join) -> Result<JoiningView, Problem> {
    let name = input.name.unwrap_or_else(super::org::user_name);
    let device = input.device.unwrap_or_else(crate::names::host_name);
    let tailscaled = Tailscaled::asked(input.own_tailscaled)?;
    let joining = context.machine.join(&input.ticket, &name, &device, tailscaled).await?;
    Ok(joining.view())
}

async fn joining(context: Context, _: Nothing) -> Result<JoiningView, Problem> {
    if let Some(joining) = context.machine.joining() {
        return Ok(joining.view());
    }
    let org = context.org()?;
    Ok(JoiningView::joined(org.name.clone(), org.device.clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_wrong_with_an_invitation_names_the_option() {
        let many = vec!["host:1".to_owned(); domain::join::ADDRESSES_MAX + 1];
        assert_eq!(in_order(None, &[]), Ok(()));
        assert_eq!(in_order(Some(1), &many[1..]), Ok(()));
        assert!(in_order(Some(0), &[]).unwrap_err().next.unwrap().contains("--uses"));
        for at in [vec!["foo".to_owned()], many] {
            assert!(in_order(None, &at).unwrap_err().what.contains("--at"));
        }
    }

    #[test]
    fn an_invitation_counts_for_an_hour_at_the_least_and_thirty_days_at_the_most() {
        for (hours, ms) in [(None, 259_200_000), (Some(1), 3_600_000), (Some(720), 2_592_000_000)] {
            assert_eq!(valid_ms(hours).unwrap(), ms);
        }
        for hours in [0, 721, u32::MAX] {
            let problem = valid_ms(Some(hours)).unwrap_err();
            assert!(problem.to_string().contains("An invitation cannot count") && problem.why.unwrap().contains("720 (30 days)"));
        }
    }
}
