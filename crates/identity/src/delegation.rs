//! Delegations: the requester's device lets a run's key act for an agent at a task, for some time, with some scopes.
//!
//! The delegation travels with every patch that the run opens, so that anyone can trace: patch -> run -> agent -> member ->
//! task -> manifest (and by it the hash of the spec).

use crate::{Envelope, envelope};
use domain::{AgentName, Did, Hash, Kind, OrgName, Problem, RunId, TaskRef, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the schema that this build writes.
pub const VERSION: u16 = 1;
/// The DSSE payload type of a delegation.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.delegation.v1+json";

/// The statement: this key acts for this agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The schema's version.
    pub version: u16,
    /// The org.
    pub org: OrgName,
    /// The run.
    pub run: RunId,
    /// The run's key, born in its runner.
    pub key: Did,
    /// The agent that it acts for.
    pub agent: AgentName,
    /// The member who answers for what it does.
    pub member: Did,
    /// The requester's device, which signs.
    pub device: Did,
    /// The task.
    pub task: TaskRef,
    /// The manifest that the run executes.
    pub manifest: Hash,
    /// What the key may do; nothing else.
    pub scopes: Vec<Scope>,
    /// From this moment.
    pub from: Timestamp,
    /// Until this moment, which is not part of it.
    pub until: Timestamp,
}

/// One thing that a run's key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sign commits, and open or continue the task's patch.
    Publish,
    /// Call the agent's model through the gateway.
    Model,
    /// Read the group's context.
    Context,
    /// Reach the hosts of the manifest's allow-list through the gateway.
    Egress,
}

impl Delegation {
    /// Signs it by the requester's device.
    pub fn seal(&self, sign: impl FnOnce(&[u8]) -> Result<[u8; 64], Problem>) -> Result<Envelope, Problem> {
        self.check_form()?;
        envelope::seal(self, PAYLOAD_TYPE, &self.device, sign)
    }

    /// Reads a delegation that holds at the moment `at`, signed by the very device that it names; `listed` says whether
    /// that device is one of the org.
    pub fn open(envelope: &Envelope, at: Timestamp, listed: impl Fn(&Did) -> bool) -> Result<Self, Problem> {
        let delegation = Self::read(envelope, listed)?;
        if at < delegation.from || at >= delegation.until {
            return Err(Problem::new(Kind::Forbidden, format!("The delegation of run {} does not hold at this time.", delegation.run))
                .because(format!("It holds from {} until {}.", delegation.from.rfc3339(), delegation.until.rfc3339())));
        }
        Ok(delegation)
    }

    /// Reads a delegation at whatever time it holds: for tracing what was done long ago.
    pub fn read(envelope: &Envelope, listed: impl Fn(&Did) -> bool) -> Result<Self, Problem> {
        let (delegation, signer) = envelope::open::<Self>(envelope, PAYLOAD_TYPE, listed)?;
        if signer != delegation.device {
            return Err(Problem::new(Kind::Forbidden, "A device may delegate only in its own name.")
                .because(format!("{signer} signed a delegation of {}.", delegation.device)));
        }
        delegation.check_form()?;
        Ok(delegation)
    }

    /// Whether the key may do this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    fn check_form(&self) -> Result<(), Problem> {
        if self.version != VERSION {
            return Err(Problem::invalid(format!("A delegation of version {} is not understood here.", self.version))
                .next("It may come from a newer Meshwork: update this machine."));
        }
        if self.from >= self.until {
            return Err(Problem::invalid("A delegation must end after it begins."));
        }
        if self.key == self.device || self.key == self.member {
            return Err(Problem::invalid("A run must have a key of its own."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Key;

    fn key(n: u8) -> Key {
        Key::from_seed(&[n; 32])
    }

    fn delegation() -> Delegation {
        Delegation {
            version: VERSION,
            org: "acme".parse().unwrap(),
            run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
            key: key(3).did(),
            agent: "coder".parse().unwrap(),
            member: key(2).did(),
            device: key(1).did(),
            task: TaskRef { project: "demo".parse().unwrap(), feature: "001-hello".parse().unwrap(), task: "T001".parse().unwrap() },
            manifest: envelope::hash_bytes(b"manifest"),
            scopes: vec![Scope::Publish, Scope::Model],
            from: Timestamp(1_000),
            until: Timestamp(2_000),
        }
    }

    fn sealed(delegation: &Delegation) -> Envelope {
        delegation.seal(|bytes| Ok(key(1).sign(bytes))).unwrap()
    }

    #[test]
    fn it_holds_in_its_time_and_for_listed_devices_only() {
        let envelope = sealed(&delegation());
        let listed = |did: &Did| *did == key(1).did();
        for (at, holds) in [(999, false), (1_000, true), (1_999, true), (2_000, false)] {
            assert_eq!(Delegation::open(&envelope, Timestamp(at), listed).is_ok(), holds, "{at}");
        }
        assert_eq!(Delegation::read(&envelope, listed).unwrap(), delegation());
        assert!(Delegation::read(&envelope, |_| false).is_err());
        assert!(delegation().allows(Scope::Publish) && !delegation().allows(Scope::Egress));
    }

    #[test]
    fn a_listed_device_cannot_delegate_in_the_name_of_another() {
        let envelope = envelope::seal(&delegation(), PAYLOAD_TYPE, &key(4).did(), |bytes| Ok(key(4).sign(bytes))).unwrap();
        assert_eq!(Delegation::read(&envelope, |_| true).unwrap_err().kind, Kind::Forbidden);
    }

    #[test]
    fn malformed_ones_are_neither_signed_nor_read() {
        let forms: [fn(&mut Delegation); 4] =
            [|d| d.version = 2, |d| d.until = d.from, |d| d.key = d.device.clone(), |d| d.key = d.member.clone()];
        for spoil in forms {
            let mut bad = delegation();
            spoil(&mut bad);
            assert!(bad.seal(|bytes| Ok(key(1).sign(bytes))).is_err());
            let envelope = envelope::seal(&bad, PAYLOAD_TYPE, &key(1).did(), |bytes| Ok(key(1).sign(bytes))).unwrap();
            assert!(Delegation::read(&envelope, |_| true).is_err());
        }
    }
}
