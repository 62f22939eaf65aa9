//! What events change of invitations and of those who knocked.

use super::{
    Body, Event, kind,
    projection::{Before, Projected, put, read},
};
use crate::{
    Problem,
    join::{Invite, Joiner, JoinerState},
};

pub(super) fn project(event: &Event, before: Before<'_>) -> Result<Vec<Projected>, Problem> {
    let mut out = Vec::new();
    match &event.body {
        Body::Invited { ticket } => {
            let ticket = ticket.as_ref().clone();
            let id = ticket.id.clone();
            let invite = Invite { ticket, by: event.actor.clone(), at: event.at, used: vec![], withdrawn: false };
            out.push(put(kind::INVITE, &id, &invite)?);
        }
        Body::InviteWithdrawn { invite } => {
            if let Some(mut found) = read::<Invite>(before, kind::INVITE, invite)? {
                found.withdrawn = true;
                out.push(put(kind::INVITE, invite, &found)?);
            }
        }
        Body::Knocked { invite, knock } => {
            let Some(mut found) = read::<Invite>(before, kind::INVITE, invite)? else { return Ok(out) };
            if !found.used.contains(&knock.device) {
                found.used.push(knock.device.clone());
            }
            let admits = found.ticket.admits.clone();
            out.push(put(kind::INVITE, invite, &found)?);
            let knock = knock.as_ref().clone();
            let device = knock.device.to_string();
            let joiner = Joiner { invite: invite.clone(), admits, knock, at: event.at, state: JoinerState::Waiting };
            out.push(put(kind::JOINER, &device, &joiner)?);
        }
        Body::JoinerDecided { device, state } => {
            if let Some(mut found) = read::<Joiner>(before, kind::JOINER, device.as_str())? {
                found.state = state.clone();
                out.push(put(kind::JOINER, device.as_str(), &found)?);
            }
        }
        _ => {}
    }
    Ok(out)
}
