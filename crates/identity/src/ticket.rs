//! Tickets in writing: one word that can be sent in a chat, `mwt1.<ticket>.<signature>`. Signed by the device that issued it, whose key
//! it names: who has it knows whom to trust at the other end, and the issuer knows its own again. A key for the org's tailnet may stand
//! behind it, as a fourth part: for the machine that joins alone, so whoever passes the ticket on leaves it away.

use crate::{Secret, canonical::is_canonical, envelope::pre_authentication, key, limits};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Kind, Problem, join::Ticket};

/// What every ticket begins with.
pub const PREFIX: &str = "mwt1";
/// Keeps these signatures apart from all others.
const TYPE: &str = "application/vnd.meshwork.ticket.v1+json";

/// Writes a ticket; `sign` signs with the issuer's key.
///
/// # Errors
/// When its parts are not in order, or the signature is not the issuer's.
pub fn write(ticket: &Ticket, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<String, Problem> {
    ticket.check()?;
    let payload = crate::canonical(ticket)?;
    let message = pre_authentication(TYPE, &payload);
    let signature = sign(&message);
    if !key::verify(&ticket.issuer, &message, &signature) {
        return Err(Problem::internal(format!("the ticket was not signed by {}", ticket.issuer)));
    }
    Ok(format!("{PREFIX}.{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature)))
}

/// Reads a ticket that its issuer signed.
///
/// # Errors
/// When it is none, was changed, or its parts are not in order.
pub fn read(text: &str) -> Result<Ticket, Problem> {
    let broken = |why: &str| {
        Problem::invalid("This is not a ticket.").because(why.to_owned()).next("Copy the whole word that `meshwork org invite` printed.")
    };
    let text = text.trim();
    if text.len() > limits::TICKET_BYTES_MAX {
        return Err(broken("It is too long."));
    }
    let mut parts = text.split('.');
    let (Some(prefix), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(broken("It does not have three parts."));
    };
    if parts.count() > 1 {
        return Err(broken("It has too many parts."));
    }
    if prefix != PREFIX {
        return Err(if prefix.starts_with("mwt") { newer() } else { broken("It begins differently.") });
    }
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| broken("It has characters that no ticket has."));
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    let ticket: Ticket = serde_json::from_slice(&payload).map_err(|_| cut())?;
    if !is_canonical(&payload) {
        return Err(broken("It is written in another form than ours."));
    }
    if !key::verify(&ticket.issuer, &pre_authentication(TYPE, &payload), &signature) {
        return Err(Problem::new(Kind::Forbidden, "The ticket's signature does not fit what it says.")
            .because("It was changed, or copied with a mistake.")
            .next("Ask for another one."));
    }
    ticket.check()?;
    Ok(ticket)
}

/// A ticket with a key for the tailnet behind it.
pub fn with_key(text: &str, key: &Secret) -> String {
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(key.expose()))
}

/// A ticket as it was signed, and the key behind it, where there is one that can be read.
pub fn split_key(text: &str) -> (String, Option<Secret>) {
    let text = text.trim();
    match text.match_indices('.').nth(2) {
        Some((at, _)) => {
            let key = URL_SAFE_NO_PAD.decode(text.get(at + 1..).unwrap_or_default()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            (text.get(..at).unwrap_or_default().to_owned(), key.filter(|k| !k.is_empty()).map(Secret::new))
        }
        None => (text.to_owned(), None),
    }
}

fn cut() -> Problem {
    Problem::invalid("This is not a whole ticket.")
        .because("Parts of what every ticket says are missing, or were changed.")
        .next("Copy the whole word that `meshwork org invite` printed, or ask for another one.")
}

fn newer() -> Problem {
    Problem::conflict("This ticket is of another version of Meshwork.")
        .next("Install the newest Meshwork here and where you were invited, and ask for another ticket.")
}

#[cfg(test)]
mod tests;
