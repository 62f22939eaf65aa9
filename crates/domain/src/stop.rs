//! Stop orders: what everything that an agent, a member, a device or the whole org does is halted by, everywhere, until it is lifted.
//! An order is signed by the member who gives it; every device checks the signature and the right by itself.

use crate::{AgentName, Did, OrgName, Timestamp, run::Run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of orders that this build writes.
pub const VERSION: u16 = 1;
/// The media type under which an order, or its lifting, is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.stop.v1+json";
/// How long the reason of an order may be, in bytes.
pub const WHY_BYTES_MAX: usize = 400;
/// How much of the hash of what an order halts stands in its key: 128 bits.
const KEY_HASH_CHARS: usize = 32;

/// What an order halts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// The runs of an agent.
    Agent {
        /// Its name.
        name: AgentName,
    },
    /// The runs that a member asked for.
    Member {
        /// Their name when it was ordered.
        name: String,
        /// Their keys then: these are what counts.
        keys: Vec<Did>,
    },
    /// What a device executes, and what it asks others for.
    Device {
        /// Its name when it was ordered.
        name: String,
        /// Its key: that is what counts.
        device: Did,
    },
    /// Everything.
    Org,
}

impl Scope {
    /// Whether a run is halted by it, which is executed, or to be, on `executor`.
    pub fn halts(&self, run: &Run, executor: &Did) -> bool {
        match self {
            Self::Agent { name } => run.agent.as_ref() == Some(name),
            Self::Member { keys, .. } => keys.contains(&run.member),
            Self::Device { device, .. } => run.requester == *device || executor == device,
            Self::Org => true,
        }
    }

    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Agent { name } => format!("the agent {name}"),
            Self::Member { name, .. } => format!("the member {name}"),
            Self::Device { name, .. } => format!("the device {name}"),
            Self::Org => "the whole org".to_owned(),
        }
    }
}

/// What is signed: an order, or that it is lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The format's version.
    pub version: u16,
    /// The order's id: a ULID. Its lifting has the same.
    pub id: String,
    /// The org.
    pub org: OrgName,
    /// The member's key that gives the order. Its lifting has the same, whoever lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Did>,
    /// What it halts.
    pub scope: Scope,
    /// Why, in words of who gave it.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// Whether this lifts it.
    pub lifts: bool,
}

impl Order {
    /// What an order and its lifting are known by: the id, and what the order halts and who gave it, so that nobody takes the place of
    /// another's order by using its id.
    pub fn key(&self) -> String {
        // Only maps with other keys than texts cannot be written as JSON; there are none here.
        let bound = serde_json::to_vec(&(&self.scope, &self.by)).unwrap_or_default();
        let hash = blake3::hash(&bound).to_hex();
        format!("{}.{}", self.id, hash.as_str().get(..KEY_HASH_CHARS).unwrap_or_default())
    }
}

/// An order, as a device knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// The order.
    pub order: Order,
    /// The member's key that signed it.
    pub by: Did,
    /// The blob that holds the signed envelope which counts now: of the order, or of its lifting.
    pub envelope: crate::Hash,
    /// The member's key that lifted it, once it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<Did>,
    /// When it was lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<Timestamp>,
}

impl Stop {
    /// Whether it counts.
    pub fn in_force(&self) -> bool {
        self.lifted_by.is_none()
    }
}
