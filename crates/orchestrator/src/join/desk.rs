//! The issuer's desk: invitations are written, and those who knock are noted. The journal counts the uses, in the same step in
//! which it notes who used one, so that neither a crash nor two knocks at once let in one too many.

use super::knock;
use crate::{clock, limits, org::Org};
use domain::{
    Kind, Problem, Timestamp,
    actor::Actor,
    event::{Body, kind},
    join::{Admits, Answer, Invite, Joiner, JoinerState, Knock, Ticket, VERSION},
};
use identity::ticket;
use proto::join::KnockRequest;
use std::sync::Arc;
use store::Order;

/// Invites: notes it, opens the Join port, and gives the ticket as it is sent.
///
/// # Errors
/// When the port cannot be opened, or a part is not in order.
pub async fn invite(
    org: &Arc<Org>,
    by: Actor,
    admits: Admits,
    valid_ms: u64,
    uses: u32,
    at: Vec<String>,
) -> Result<(Ticket, String), Problem> {
    if invites(org)?.iter().filter(|i| is_open(i, clock::now())).count() >= limits::INVITES_OPEN_MAX {
        return Err(Problem::new(Kind::Limit, format!("There are {} open invitations already.", limits::INVITES_OPEN_MAX))
            .next("Take some back: meshwork org invites, meshwork org uninvite <id>."));
    }
    let listens = super::door::open(org).await?;
    crate::tailnet::open_doors(org).await;
    let expires = clock::now().plus_ms(valid_ms);
    let id = clock::run_id().to_string();
    let (headscale, key) = crate::tailnet::for_ticket(org, &id, expires, uses).await?.unzip();
    let ticket = Ticket {
        version: VERSION,
        id,
        org: org.name.clone(),
        rid: org.rid.clone(),
        admits,
        expires,
        uses,
        knock: if at.is_empty() { door_at(org, listens) } else { at },
        issuer: org.device.clone(),
        radicle: radicle(org)?,
        headscale,
    };
    let text = write(org, &ticket)?;
    // Told this once: nothing remembers the key.
    let text = key.flatten().map_or(text.clone(), |key| ticket::with_key(&text, &key));
    org.record(by, vec![Body::Invited { ticket: Box::new(ticket.clone()) }]).await?;
    Ok((ticket, text))
}

/// Where the Join port is reached: where it listens, if nothing better is known.
fn door_at(org: &Org, listens: std::net::SocketAddr) -> Vec<String> {
    let reached = org.tailnet.reached(|places| places.join, Some(listens));
    if reached.is_empty() { vec![listens.to_string()] } else { reached }
}

/// Where this device's Radicle node is reached.
fn radicle(org: &Org) -> Result<Vec<String>, Problem> {
    Ok(org.tailnet.reached(|places| places.radicle, org.node()?.listen_address()))
}

/// A ticket as it is sent, without a key for the tailnet. The same each time.
///
/// # Errors
/// When a part of it is not in order.
pub fn write(org: &Org, ticket: &Ticket) -> Result<String, Problem> {
    ticket::write(ticket, |message| org.forge.sign_as_device(message))
}

/// The invitations that this device made, the newest first.
///
/// # Errors
/// When the journal cannot be read.
pub fn invites(org: &Org) -> Result<Vec<Invite>, Problem> {
    org.store.list(kind::INVITE, Order::Newest, limits::INVITES_MAX)
}

/// Whether somebody may still come with it, or waits who came.
pub fn is_open(invite: &Invite, now: Timestamp) -> bool {
    let left = usize::try_from(invite.ticket.uses).is_ok_and(|uses| invite.used.len() < uses);
    !invite.withdrawn && invite.ticket.expires > now && left
}

/// Those who knocked here, the newest first.
///
/// # Errors
/// When the journal cannot be read.
pub fn joiners(org: &Org) -> Result<Vec<Joiner>, Problem> {
    org.store.list(kind::JOINER, Order::Newest, limits::INVITES_MAX)
}

/// The one who knocked and is meant: by the person's name, the device's, or the beginning of its key.
///
/// # Errors
/// When nobody or several are: then with each of them.
pub fn joiner(org: &Org, text: &str) -> Result<Joiner, Problem> {
    let waiting = |j: &Joiner| matches!(j.state, JoinerState::Waiting | JoinerState::Proposed { .. });
    only(joiners(org)?.into_iter().filter(|j| waiting(j) && j.is_meant(text)).collect(), text)
}

fn only(found: Vec<Joiner>, text: &str) -> Result<Joiner, Problem> {
    match <[Joiner; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(found) if found.is_empty() => Err(Problem::not_found(format!("Nobody who waits here is called “{}”.", domain::shown(text)))
            .next("meshwork org joiners lists who waits; those who knocked at another device wait there.")),
        Err(found) => {
            let each: Vec<String> = found.iter().map(|j| format!("{} ({})", j.text(), j.knock.device)).collect();
            Err(Problem::invalid(format!("Several who wait are called “{}”.", domain::shown(text)))
                .because(format!("There are: {}.", each.join(", ")))
                .next("Name the device or its key: meshwork org joiners shows both."))
        }
    }
}

/// Answers somebody who knocks.
pub(super) fn answer(org: &Org, request: &KnockRequest) -> Result<Answer, Problem> {
    let said = match knock::open(request).and_then(|said| known(org, &said).map(|ticket| (said, ticket))) {
        Ok(known) => known,
        Err(problem) => return Ok(Answer::Refused { problem }),
    };
    let (knock, ticket) = said;
    let state = org.state()?;
    if state.is_gone(&knock.device) || state.is_gone(&knock.member) {
        let problem = Problem::new(Kind::Forbidden, "This device was removed from the org.").next("Join with a new ticket and new keys.");
        return Ok(Answer::Refused { problem });
    }
    if state.device_of(&knock.device).is_some()
        && let Some(member) = state.member_of(&knock.member)
    {
        // Its machine is let in to the rest of the tailnet at once, and not at the next look.
        org.tailnet.wake.notify_one();
        return Ok(Answer::Listed { member: member.name.clone(), radicle: radicle(org)? });
    }
    if let Admits::Member { .. } = ticket.admits
        && state.members.contains_key(&knock.name)
    {
        let problem = Problem::conflict(format!("The org has a member “{}” already.", knock.name))
            .next("Take another name: meshwork join --name <name>.");
        return Ok(Answer::Refused { problem });
    }
    if let Admits::Device { member } = &ticket.admits
        && !state.members.contains_key(member)
    {
        let problem = Problem::conflict(format!("The ticket is for a device of “{member}”, and no member has that name any more."))
            .next("Ask for another ticket, or make one: meshwork org invite --device.");
        return Ok(Answer::Refused { problem });
    }
    match note(org, &knock, &ticket) {
        Ok(()) => {}
        Err(problem) if problem.passes() => return Err(problem),
        Err(problem) => return Ok(Answer::Refused { problem }),
    }
    let joiner = org.store.get::<Joiner>(kind::JOINER, knock.device.as_str())?;
    Ok(match joiner.map(|j| j.state) {
        Some(JoinerState::Declined { why }) => {
            let problem = Problem::new(Kind::Forbidden, "The owners declined.").because(why).next("Ask them, and for another ticket.");
            Answer::Refused { problem }
        }
        Some(JoinerState::Proposed { .. }) => Answer::Waits { why: "It waits for more owners to approve.".into() },
        _ => Answer::Waits { why: "It waits for an owner to approve.".into() },
    })
}

/// The ticket, if this device made it for this org.
fn known(org: &Org, knock: &Knock) -> Result<Ticket, Problem> {
    let ticket = ticket::read(&knock.ticket)?;
    if ticket.issuer != org.device || ticket.rid != org.rid {
        return Err(Problem::new(Kind::Forbidden, "This ticket was not made here.").next("Knock at the device that made it."));
    }
    Ok(ticket)
}

/// Notes a knock, and uses the ticket up by one, in one step. The same device again changes nothing.
fn note(org: &Org, knock: &Knock, ticket: &Ticket) -> Result<(), Problem> {
    let now = clock::now();
    let event = org.event(&org.device, Body::Knocked { invite: ticket.id.clone(), knock: Box::new(knock.clone()) });
    let (knock, ticket) = (knock.clone(), ticket.clone());
    let decide = move |view: &mut store::View<'_>| {
        let invite: Option<Invite> = view.get(kind::INVITE, &ticket.id)?;
        let invite = invite.filter(|invite| invite.ticket == ticket);
        let unknown = || Problem::new(Kind::Forbidden, "This ticket is not known here any more.").next("Ask for another one.");
        invite.ok_or_else(unknown)?.admits(&knock.device, now)?;
        match view.get::<Joiner>(kind::JOINER, knock.device.as_str())? {
            Some(known) if known.invite == ticket.id && known.knock.member == knock.member => Ok(vec![]),
            Some(known) if known.knock.member != knock.member => {
                Err(Problem::new(Kind::Forbidden, "This device knocked before with another member's key.").next("Join with new keys."))
            }
            _ => Ok(vec![event]),
        }
    };
    org.store.append_if_blocking(decide).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{Did, role::Role};

    fn knocked(key: &str, name: &str, device_name: &str, admits: Admits) -> Joiner {
        let device: Did = key.parse().unwrap();
        let knock = Knock {
            version: VERSION,
            ticket: String::new(),
            name: name.into(),
            device_name: device_name.into(),
            member: device.clone(),
            device,
            addresses: vec![],
            radicle: vec![],
            gossip: vec![],
            at: Timestamp(0),
        };
        Joiner { invite: "1".into(), admits, knock, at: Timestamp(0), state: JoinerState::Waiting }
    }

    #[test]
    fn who_waits_is_found_by_the_name_that_is_shown_by_device_and_by_key() {
        let keys = ["did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi"];
        let further = knocked(keys[0], "root", "desktop", Admits::Device { member: "ada".into() });
        let new = knocked(keys[1], "bob", "laptop", Admits::Member { role: Role::Developer });
        let find = |text: &str| only([&further, &new].into_iter().filter(|j| j.is_meant(text)).cloned().collect(), text);
        for text in ["ada", "root", "desktop", keys[0], &keys[0][8..20]] {
            assert_eq!(find(text).unwrap(), further, "{text}");
        }
        assert_eq!(find("bob").unwrap(), new);
        assert_eq!((further.text().as_str(), new.text().as_str()), ("the device desktop of ada", "bob"));
        for text in ["z6M", "zoe"] {
            assert_eq!(find(text).unwrap_err().kind, Kind::NotFound, "{text}");
        }
        let both = only(vec![further, new], "laptop").unwrap_err().to_string();
        assert!(both.contains("the device desktop of ada") && both.contains(keys[1]), "{both}");
    }
}
