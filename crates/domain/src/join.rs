//! Joining an org: tickets, knocks, and what the issuer remembers of both. A ticket lets somebody knock; only the owners let in.
//!
//! Both sides may be of different versions. Fields that are not known are left out of account: what a ticket allows is judged by the device
//! that wrote it, and what a knock says is looked at by the owners. What cannot be understood in part begins otherwise, or is of another
//! payload type.

use crate::{Did, Kind, OrgName, PatchId, Problem, Rid, ServerUrl, Timestamp, role::Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of tickets and knocks that this build writes.
pub const VERSION: u16 = 1;
/// The oldest version of them that this build understands.
pub const OLDEST: u16 = 1;
/// How many addresses a ticket or a knock names at most.
pub const ADDRESSES_MAX: usize = 16;
/// How much of a device's key names who knocked, at least.
const KEY_CHARS_MIN: usize = 6;

/// What somebody holds who was invited. Signed by the device that made it; see `identity::ticket` for its written form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ticket {
    /// The format's version.
    pub version: u16,
    /// Its id: a ULID.
    pub id: String,
    /// The org.
    pub org: OrgName,
    /// The org's repository.
    pub rid: Rid,
    /// As what it lets somebody join.
    pub admits: Admits,
    /// It counts until this moment.
    pub expires: Timestamp,
    /// How many devices may join with it.
    pub uses: u32,
    /// Where the issuer's Join port is, as `host:port`; the first that answers is taken.
    pub knock: Vec<String>,
    /// The issuing device's key: whoever answers at that port must have it.
    pub issuer: Did,
    /// Where the issuer's Radicle node is, as `host:port`.
    pub radicle: Vec<String>,
    /// The Headscale server of the tailnet in which all of these are, where the org has one. A key for it may stand behind the ticket; it
    /// is no part of what is signed and remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headscale: Option<ServerUrl>,
}

/// As what a ticket lets somebody join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Admits {
    /// As a new member.
    Member {
        /// In this role.
        role: Role,
    },
    /// As one more device of a member.
    Device {
        /// The member, by name.
        member: String,
    },
}

impl Admits {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Member { role } => format!("a new member, as {}", role.name()),
            Self::Device { member } => format!("a device of {member}"),
        }
    }
}

/// What somebody says who knocks. Signed by the device's key and by the member's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Knock {
    /// The format's version.
    pub version: u16,
    /// The ticket, as it was written.
    pub ticket: String,
    /// What the person wants to be called; of a device of a member it says nothing.
    pub name: String,
    /// What the device is called.
    pub device_name: String,
    /// The device's key; also its Radicle node's.
    pub device: Did,
    /// The member's key on that device.
    pub member: Did,
    /// Where its mesh port is reached, as `host:port`.
    pub addresses: Vec<String>,
    /// Where its Radicle node is reached, as `host:port`.
    pub radicle: Vec<String>,
    /// Where its gossip is reached, as `host:port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gossip: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// What the issuer answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The owners have to decide.
    Waits {
        /// What is waited for, in words.
        why: String,
    },
    /// The org lists the device: its repository can be fetched.
    Listed {
        /// The member, by name.
        member: String,
        /// The issuer's Radicle node, as `host:port`.
        radicle: Vec<String>,
    },
    /// It will not be let in.
    Refused {
        /// Why, and what to do.
        problem: Problem,
    },
}

/// An invitation, as its issuer remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invite {
    /// The ticket. What is written of it can be made again.
    pub ticket: Ticket,
    /// Who made it.
    pub by: Did,
    /// When.
    pub at: Timestamp,
    /// The devices that used it.
    pub used: Vec<Did>,
    /// Whether it was taken back.
    pub withdrawn: bool,
}

/// Somebody who knocked, as the issuer remembers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Joiner {
    /// The invitation.
    pub invite: String,
    /// As what it lets them join.
    pub admits: Admits,
    /// What they said.
    pub knock: Knock,
    /// When they knocked first.
    pub at: Timestamp,
    /// How it stands.
    pub state: JoinerState,
}

impl Joiner {
    /// What people call them: of one more device, its member's name, whatever its user is called there.
    pub fn called(&self) -> &str {
        match &self.admits {
            Admits::Member { .. } => &self.knock.name,
            Admits::Device { member } => member,
        }
    }

    /// Whether a text means them: what they are called or said that they are, their device's name, or the beginning of its key.
    pub fn is_meant(&self, text: &str) -> bool {
        let (key, did) = (text.trim_start_matches("did:key:"), self.knock.device.as_str().trim_start_matches("did:key:"));
        [self.called(), &self.knock.name, &self.knock.device_name].contains(&text) || (key.len() >= KEY_CHARS_MIN && did.starts_with(key))
    }

    /// Who is to be let in, in words: as `the device laptop of ada`, or `bob`.
    pub fn text(&self) -> String {
        match &self.admits {
            Admits::Member { .. } => self.knock.name.clone(),
            Admits::Device { member } => format!("the device {} of {member}", self.knock.device_name),
        }
    }
}

/// How it stands with somebody who knocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JoinerState {
    /// They wait for an owner here.
    Waiting,
    /// They were approved here, and wait for other owners.
    Proposed {
        /// The proposal.
        proposal: PatchId,
    },
    /// The org lists them.
    Approved,
    /// They were declined.
    Declined {
        /// Why.
        why: String,
    },
}

impl Ticket {
    /// Whether its parts are in order, whoever signed it.
    ///
    /// # Errors
    /// When one is not.
    pub fn check(&self) -> Result<(), Problem> {
        let wrong = |why: &str| Err(Problem::invalid("The ticket is not in order.").because(why).next("Ask for another one."));
        match self {
            Self { version, .. } if *version < OLDEST => {
                Err(Problem::conflict(format!("The ticket is of version {version}; this Meshwork understands {OLDEST} and newer."))
                    .next("Ask whoever invites to install a newer Meshwork, and for another ticket."))
            }
            Self { uses: 0, .. } => wrong("Nobody may use it."),
            Self { knock, .. } if knock.is_empty() => wrong("It does not say where to knock."),
            Self { knock, radicle, .. } if knock.len().max(radicle.len()) > ADDRESSES_MAX => wrong("It names too many addresses."),
            Self { knock, radicle, .. } if !knock.iter().chain(radicle).all(|a| is_address(a)) => wrong("An address in it is none."),
            Self { admits: Admits::Member { role: Role::Agent | Role::ReviewerBot }, .. } => {
                wrong("Its role is for agents, not for people.")
            }
            _ => Ok(()),
        }
    }
}

impl Knock {
    /// Whether its parts are in order.
    ///
    /// # Errors
    /// When one is not.
    pub fn check(&self) -> Result<(), Problem> {
        let wrong = |why: &str| Err(Problem::invalid("The knock is not in order.").because(why));
        match self {
            Self { version, .. } if *version < OLDEST => {
                Err(Problem::conflict(format!("The knock is of version {version}; this Meshwork understands {OLDEST} and newer."))
                    .next("Install a newer Meshwork on the machine that joins."))
            }
            Self { name, device_name, .. } if !is_name(name) || !is_name(device_name) => {
                wrong("Names have lower-case letters, digits, “-” and “_”, 32 at most.")
            }
            Self { device, member, .. } if device == member => wrong("Device and member have one key."),
            Self { addresses, radicle, gossip, .. } if [addresses, radicle, gossip].iter().any(|list| list.len() > ADDRESSES_MAX) => {
                wrong("It names too many addresses.")
            }
            Self { addresses, radicle, gossip, .. } if !addresses.iter().chain(radicle).chain(gossip).all(|a| is_address(a)) => {
                wrong("An address in it is none.")
            }
            _ => Ok(()),
        }
    }
}

impl Invite {
    /// Whether a device may use it now: one that used it before may always, so that nothing is lost when an answer is.
    ///
    /// # Errors
    /// When it may not, with the reason.
    pub fn admits(&self, device: &Did, now: Timestamp) -> Result<(), Problem> {
        let refused = |what: &str| Problem::new(Kind::Forbidden, what).next("Ask for another ticket.");
        match self {
            Self { withdrawn: true, .. } => Err(refused("The ticket was taken back.")),
            _ if self.used.contains(device) => Ok(()),
            _ if self.ticket.expires <= now => Err(refused("The ticket has expired.")),
            _ if self.used.len() >= usize::try_from(self.ticket.uses).unwrap_or(usize::MAX) => {
                Err(refused("The ticket was used as often as it may be."))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a text can name a member or a device: it becomes a file's name.
pub fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

/// Whether a text is `host:port`.
pub fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    !host.is_empty() && text.len() <= 255 && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|p| p > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_ticket_that_has_expired_lets_in_only_who_used_it_before() {
        let did = |letter: &str| -> Did { format!("did:key:z6Mk{}", letter.repeat(44)).parse().unwrap() };
        let ticket = Ticket {
            version: VERSION,
            id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            org: "crew".parse().unwrap(),
            rid: "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap(),
            admits: Admits::Device { member: "ada".into() },
            expires: Timestamp(1_000),
            uses: 2,
            knock: vec!["127.0.0.1:7423".into()],
            issuer: did("i"),
            radicle: vec![],
            headscale: None,
        };
        let invite = Invite { ticket, by: did("m"), at: Timestamp(0), used: vec![did("a")], withdrawn: false };
        assert_eq!(invite.admits(&did("b"), Timestamp(999)), Ok(()));
        let problem = invite.admits(&did("b"), Timestamp(1_000)).unwrap_err();
        assert!(problem.what.contains("expired"), "{problem}");
        assert_eq!(invite.admits(&did("a"), Timestamp(1_000)), Ok(()));
    }

    #[test]
    fn addresses_and_names() {
        for good in ["127.0.0.1:7423", "[::1]:1", "laptop-3.tail.example:65535"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", ":1", "host", "host:0", "host:x", "a b:1", "host:70000", "h/x:1"] {
            assert!(!is_address(bad), "{bad}");
        }
        assert!(is_name("bob-2_x") && !is_name("Bob") && !is_name("") && !is_name("../x") && !is_name(&"x".repeat(33)));
    }
}
