//! Delegations: the requester's device lets a run's key do one manifest's work, for some time, with some scopes.
//!
//! The delegation travels with every patch that the run opens, so that anyone can trace: patch -> run -> agent -> member ->
//! task -> manifest (and by it the hash of the spec). Who starts the work checks it first: see [`Delegation::accept`].

use crate::{Envelope, envelope, manifest};
use domain::{
    AgentName, Did, Hash, Kind, Oid, OrgName, Problem, ProjectName, RunId, TaskRef, Timestamp,
    manifest::{Manifest, Work},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the schema that this build writes.
pub const VERSION: u16 = 1;
/// The DSSE payload type of a delegation.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.delegation.v1+json";

/// The statement: this key does this work.
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
    /// The member who answers for what it does.
    pub member: Did,
    /// The requester's device, which signs.
    pub device: Did,
    /// The device that executes it, where that is another: the one that a standby device answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<Did>,
    /// What it acts for.
    pub purpose: Purpose,
    /// The manifest that the run executes.
    pub manifest: Hash,
    /// What the key may do; nothing else.
    pub scopes: Vec<Scope>,
    /// From this moment.
    pub from: Timestamp,
    /// Until this moment, which is not part of it.
    pub until: Timestamp,
}

/// What a run's key acts for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// An agent, at a task.
    Task {
        /// The agent.
        agent: AgentName,
        /// The task.
        task: TaskRef,
    },
    /// The checks of a project, on one commit.
    Checks {
        /// The project.
        project: ProjectName,
        /// The commit.
        commit: Oid,
    },
}

impl Purpose {
    /// What a manifest's work is for.
    pub fn of(work: &Work) -> Self {
        match work {
            Work::Task { agent, task, .. } => Self::Task { agent: agent.clone(), task: task.clone() },
            Work::Checks { project, commit, .. } => Self::Checks { project: project.clone(), commit: commit.clone() },
        }
    }

    /// What a key needs for it, and no more.
    pub fn scopes(&self) -> Vec<Scope> {
        match self {
            Self::Task { .. } => vec![Scope::Publish, Scope::Model, Scope::Context, Scope::Egress],
            Self::Checks { .. } => vec![Scope::Attest, Scope::Egress],
        }
    }
}

/// One thing that a run's key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sign commits, and open or continue the task's patch.
    Publish,
    /// Sign what the checks said.
    Attest,
    /// Call the agent's model through the gateway.
    Model,
    /// Read the group's context.
    Context,
    /// Reach the hosts of the manifest's allow-list through the gateway.
    Egress,
}

impl Delegation {
    /// Lets `key` do the work of a manifest, with just the scopes that this work needs, on the requester's own device.
    pub fn of(manifest: &Manifest, hash: Hash, key: Did, from: Timestamp, until: Timestamp) -> Self {
        let purpose = Purpose::of(&manifest.work);
        Self {
            version: VERSION,
            org: manifest.org.clone(),
            run: manifest.run.clone(),
            key,
            member: manifest.member.clone(),
            device: manifest.requester.clone(),
            executor: None,
            scopes: purpose.scopes(),
            purpose,
            manifest: hash,
            from,
            until,
        }
    }

    /// What a runner checks before anything starts: that the device that asked for the work signed both, and that they are
    /// for exactly this run, this key and this moment. Whether the org lists that device is checked at admission.
    pub fn accept(delegation: &Envelope, asked: &Envelope, run: &RunId, key: &Did, at: Timestamp) -> Result<(Self, Manifest), Problem> {
        let (manifest, device) = manifest::open(asked, |_| true)?;
        let delegation = Self::open(delegation, at, |signer| *signer == device)?;
        delegation.fits(&manifest, &envelope::hash(asked))?;
        for (what, own) in [("run", delegation.run == *run), ("key", delegation.key == *key)] {
            if !own {
                return Err(other(what));
            }
        }
        if let Some(scope) = delegation.purpose.scopes().into_iter().find(|scope| !delegation.allows(*scope)) {
            return Err(Problem::new(Kind::Forbidden, format!("The delegation lacks the scope {scope:?}, which the work needs.")));
        }
        Ok((delegation, manifest))
    }

    /// Refuses a manifest that is not the one for which this was signed.
    pub fn fits(&self, manifest: &Manifest, hash: &Hash) -> Result<(), Problem> {
        let same = [
            ("manifest", self.manifest == *hash),
            ("org", self.org == manifest.org),
            ("run", self.run == manifest.run),
            ("member", self.member == manifest.member),
            ("device", self.device == manifest.requester),
            ("work", self.purpose == Purpose::of(&manifest.work)),
        ];
        same.into_iter().find(|(_, same)| !same).map_or(Ok(()), |(what, _)| Err(other(what)))
    }

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

fn other(what: &str) -> Problem {
    Problem::new(Kind::Forbidden, format!("The delegation is for another {what}."))
}

#[cfg(test)]
mod tests;
