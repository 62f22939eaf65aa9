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
///
/// Fields that are not known are refused, not left out of account: one may be a limit that the device which runs it would not keep. The
/// requester then tries another device. So a build that adds a field leaves it away where it says nothing, and writes the version before
/// then: such work is taken by older devices too.
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
    /// How important it is: higher goes first, and displaces lower.
    #[serde(default)]
    pub priority: Priority,
    /// How often it gave way to more important work already: see [`Priority::after`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gave_way: u32,
    /// The run on whose device it must not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
}

impl Manifest {
    /// Its standing among others that want the same room, before what it gains by waiting.
    pub fn standing(&self) -> i32 {
        self.priority.after(self.gave_way)
    }

    /// Why the device `here` does not take it, whatever its room and the org's policy are: its class is not that of its work, or these are
    /// checks and another device asks for them. Checks stand beside the queue and are a part of the work that they judge, guest or not, so
    /// a device takes only its own. None: nothing is odd.
    pub fn odd(&self, here: &Did) -> Option<&'static str> {
        let checks = matches!(self.work, Work::Checks { .. });
        if checks != (self.class == Class::Ci) {
            return Some("Its class is not that of its work: checks are of class ci, and nothing else is. Ask anew with the right one.");
        }
        (checks && self.requester != *here)
            .then_some("A device makes no checks for another: they are made where the work is. Have them made on the device that asks.")
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How important a workload is, against others that want the same room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// It can wait, and gives way to everything else.
    Low,
    /// As most work.
    #[default]
    Normal,
    /// It displaces other work, where the policy lets its member do that.
    High,
}

impl Priority {
    /// In steps of the queue's ranks: of two levels the higher has one more.
    pub fn steps(self) -> i32 {
        match self {
            Self::Low => -1,
            Self::Normal => 0,
            Self::High => 1,
        }
    }

    /// The same for work that gave way so often: one step more for each time, up to where nothing displaces it any more. So it waits in
    /// front of what is as important, and gives way twice at the most.
    pub fn after(self, gave_way: u32) -> i32 {
        let most = Self::High.steps() - Self::Low.steps();
        self.steps() + i32::try_from(gave_way).map_or(most, |times| times.min(most))
    }

    /// Whether it is as most work.
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
    pub fn is_normal(&self) -> bool {
        *self == Self::Normal
    }

    /// In words for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// A run on whose device another must not be, as for a review that is to be independent, or a second attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApartFrom")]
pub struct Apart {
    /// The run.
    pub run: RunId,
    /// The device that has it, or had it.
    pub device: Did,
}

impl Apart {
    /// Why its device is not taken, in words that follow "Another device has to do this:".
    pub fn text(&self) -> String {
        format!("it is to be apart from the run {}, which this one has or had.", self.run)
    }
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
        /// Whether the patch's work is done anew on top of `base`, because it no longer merges.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rebase: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::tests::did;
    use serde_json::json;

    #[test]
    fn a_device_takes_no_checks_of_another_and_nothing_of_a_class_that_is_not_its_own() {
        let (commit, hash) = ("a".repeat(40), "b".repeat(64));
        let (rid, project) = ("rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "demo");
        let checks = json!({"kind": "checks", "repository": rid, "project": project, "commit": commit, "definitions": commit});
        let task = json!({"kind": "task", "repository": rid, "task": {"project": project, "feature": "001-work", "task": "T001"},
            "spec_hash": hash, "definitions": commit, "agent": "coder", "base": commit});
        let manifest = |class: &str, work: &serde_json::Value| {
            let manifest = json!({"version": 1, "org": "acme", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "requester": did(1), "member": did(2),
                "at": 0, "expires": 1, "class": class, "work": work, "resources": {}, "limits": {}});
            serde_json::from_value::<Manifest>(manifest).unwrap_or_else(|e| unreachable!("{e}"))
        };
        let table = [
            ("ci", &checks, 1, false),
            ("ci", &checks, 2, true),
            ("agent", &checks, 1, true),
            ("agent", &task, 1, false),
            ("agent", &task, 2, false),
            ("ci", &task, 1, true),
        ];
        for (class, work, here, odd) in table {
            assert_eq!(manifest(class, work).odd(&did(here)).is_some(), odd, "{class} {work} {here}");
        }
    }

    #[test]
    fn what_gave_way_stands_one_step_higher_until_nothing_displaces_it() {
        use Priority::{High, Low, Normal};
        let table = [(Low, 0, -1), (Low, 1, 0), (Low, 2, 1), (Low, u32::MAX, 1), (Normal, 0, 0), (Normal, 1, 1), (High, 0, 1)];
        for (priority, gave_way, expected) in table {
            assert_eq!(priority.after(gave_way), expected, "{priority:?} {gave_way}");
        }
        assert_eq!(serde_json::to_string(&High).ok().as_deref(), Some("\"high\""));
    }
}
