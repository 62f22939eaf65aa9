//! The manifest: a workload as its requester signed it. The body of `POST /schedule` is a signed envelope of this.
//!
//! The schema is made for many devices, pods and orgs: nothing in it is a path, an address or a key of the machine that
//! made it.

use crate::{
    AgentName, Did, Hash, Oid, OrgName, PatchId, ProjectName, Rid, RunId, TaskRef, Timestamp, capacity::Resources, capacity::Runtime,
    run::SavedWork, usage::Budget,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the schema that this build writes.
pub const VERSION: u16 = 1;
/// The DSSE payload type of a manifest.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.manifest.v1+json";

/// What is placed: who asks, for what, with which needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The schema's version.
    pub version: u16,
    /// The org.
    pub org: OrgName,
    /// The run that this makes. Chosen by the requester, so that a repeated request stays one run.
    pub run: RunId,
    /// The device that asks, and signs.
    pub requester: Did,
    /// The member for whom it asks.
    pub member: Did,
    /// When it was made.
    pub at: Timestamp,
    /// After this moment nobody may start it.
    pub expires: Timestamp,
    /// The class of workload.
    pub class: Class,
    /// What to do.
    pub work: Work,
    /// What it needs.
    pub resources: Resources,
    /// Tags that the device must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Where it must run, if that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// What it may reach.
    #[serde(default)]
    pub network: Network,
    /// How long it may take.
    pub limits: TimeLimits,
    /// What it may use of a model.
    #[serde(default)]
    pub budget: Budget,
    /// Higher goes first, and may displace lower.
    #[serde(default)]
    pub priority: i32,
}

/// The class of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A coding agent at a task.
    Agent,
    /// Checks on exactly one commit.
    Ci,
    /// A job that ends.
    Job,
    /// Documentation.
    Docs,
    /// A scan.
    Scan,
    /// Something that stays.
    Service,
}

/// What a workload does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// An agent works at a task of a project.
    Task {
        /// The repository.
        repository: Rid,
        /// The task.
        task: TaskRef,
        /// BLAKE3 over the feature's spec, plan and tasks and the constitution, as they stood.
        spec_hash: Hash,
        /// The commit of the canonical branch where they stood so.
        definitions: Oid,
        /// The agent.
        agent: AgentName,
        /// The commit to begin from.
        base: Oid,
        /// The run that this goes on from (after an eviction, a loss, a change request).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        continues: Option<RunId>,
        /// The saved work to begin with. It is had from the device that asks, by whom this is placed with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<SavedWork>,
        /// The patch that gets a further revision.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patch: Option<PatchId>,
    },
    /// The project's checks on exactly one commit, defined on the canonical branch.
    Checks {
        /// The repository.
        repository: Rid,
        /// The project.
        project: ProjectName,
        /// The commit to check.
        commit: Oid,
        /// The commit of the canonical branch whose definitions count.
        definitions: Oid,
        /// The run whose work is judged, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<RunId>,
    },
}

impl Work {
    /// The commit of the canonical branch whose files say what is to be done.
    pub fn definitions(&self) -> &Oid {
        match self {
            Self::Task { definitions, .. } | Self::Checks { definitions, .. } => definitions,
        }
    }

    /// The repository whose code it is about.
    pub fn repository(&self) -> &Rid {
        match self {
            Self::Task { repository, .. } | Self::Checks { repository, .. } => repository,
        }
    }

    /// The project that it belongs to.
    pub fn project(&self) -> &ProjectName {
        match self {
            Self::Task { task, .. } => &task.project,
            Self::Checks { project, .. } => project,
        }
    }
}

/// What a sandbox may reach beside its model. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Hosts that may be reached through the gateway, as `packages.example.org:443`; a leading `*.` matches any subdomain.
    pub allow: Vec<String>,
}

/// How long a workload may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeLimits {
    /// Wall time, in seconds.
    pub wall_s: u64,
    /// Silence (nothing from the engine), in seconds.
    pub silence_s: u64,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { wall_s: crate::limits::RUN_WALL_S, silence_s: crate::limits::RUN_SILENCE_S }
    }
}
