//! Tasks of Spec-Kit features, which may start, and why one waits. Reading the files is the crate `spec`'s.

use crate::{
    Did, FeatureId, PatchId, RevisionId, RunId, TaskId, TaskRef,
    patch::Verdict,
    picture::{Rival, Whose},
    run::{Reason, Run, RunState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A task as its `tasks.md` says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// What is to be done: the line without marks, wrapped lines joined.
    pub title: String,
    /// Nested bullets and paragraphs below it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// Whether it is ticked.
    pub done: bool,
    /// Marked `[P]`: may go beside others of its phase.
    pub parallel: bool,
    /// Its user story, as `US1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<String>,
    /// Further tags in brackets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Heading of its phase; empty when it stands before any.
    pub phase: String,
    /// The phase's number in the file, from 0.
    pub phase_index: usize,
    /// What must be done before it: from phases, order, and explicit dependency sections.
    pub depends_on: Vec<TaskId>,
    /// Its line in the file, from 1.
    pub line: usize,
}

/// A feature with its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    /// Its folder's name.
    pub id: FeatureId,
    /// Its title, from `spec.md`, else its id.
    pub title: String,
    /// Its tasks, in the order of the file.
    pub tasks: Vec<Task>,
    /// What is wrong with its files, one sentence each; such tasks do not start.
    pub problems: Vec<String>,
}

/// Where a task is: from its tick, its claim, its runs and its patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TaskState {
    /// May start.
    Ready,
    /// Waits for other tasks.
    Waiting {
        /// For these.
        on: Vec<TaskId>,
    },
    /// Claimed; its run is not finished.
    Running {
        /// The run.
        run: RunId,
        /// Why its run is in the queue, and cannot start yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits: Option<Reason>,
    },
    /// Its last run ended without a patch; where the reason is `stopped`, a person ended it, and it is shown as stopped.
    Failed {
        /// The run.
        run: RunId,
        /// Why.
        reason: Reason,
    },
    /// Its patch waits for judgement.
    InReview {
        /// The patch.
        patch: PatchId,
    },
    /// A review asked for changes.
    ChangesRequested {
        /// The patch.
        patch: PatchId,
    },
    /// In the default branch, by a patch of ours.
    Merged {
        /// The patch.
        patch: PatchId,
    },
    /// Ticked by other ways.
    Done,
    /// Its patch was closed without merging.
    Rejected {
        /// The patch.
        patch: PatchId,
    },
}

impl TaskState {
    /// Whether others that depend on it may start.
    pub fn satisfied(&self, stacked: bool) -> bool {
        match self {
            Self::Merged { .. } | Self::Done => true,
            Self::InReview { .. } => stacked,
            _ => false,
        }
    }

    /// Whether a person stopped its last run: it failed by nobody's fault.
    pub fn stopped(&self) -> bool {
        matches!(self, Self::Failed { reason: Reason::Stopped { .. }, .. })
    }

    /// One word for lists.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting { .. } => "waiting",
            Self::Running { waits: Some(_), .. } => "queued",
            Self::Running { .. } => "running",
            Self::Failed { .. } if self.stopped() => "stopped",
            Self::Failed { .. } => "failed",
            Self::InReview { .. } => "in review",
            Self::ChangesRequested { .. } => "changes requested",
            Self::Merged { .. } => "merged",
            Self::Done => "done",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// A task with where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskView {
    /// Its full name.
    pub at: TaskRef,
    /// What its file says.
    pub task: Task,
    /// Where it is.
    pub state: TaskState,
    /// From whose journal that is known, where another device claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whose: Option<Whose>,
    /// Its patches, where several devices made one each: at most one is accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<Rival>,
}

/// A claim: the device that dispatches a task owns it; only that device changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// The task.
    pub task: TaskRef,
    /// The device that owns the claim.
    pub device: Did,
    /// The runs at it, oldest first; one that was given up, and found done before a later one began, stands last.
    pub runs: Vec<RunId>,
    /// The patch, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<PatchId>,
    /// Patches of runs that were given up and had ended with one, as became known only after a later run had begun: rivals of the patch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<PatchId>,
    /// Whether the patch was merged by us.
    #[serde(default)]
    pub merged: bool,
    /// Who had it merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_by: Option<Did>,
    /// Whether the patch was closed without merging.
    #[serde(default)]
    pub rejected: bool,
    /// The patch's latest revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
    /// What the reviewers whose word counts say of that revision.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verdicts: BTreeMap<Did, Verdict>,
    /// Devices whose claims on the task were taken over by this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<Did>,
    /// How often the task was taken over up to this claim's last takeover, as far as its device knew: of two claims that took each other
    /// over the one with more counts. 0: it took over none.
    #[serde(default)]
    pub turn: u64,
}

/// A claim that was taken over from other devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)] // So that the API's document has the event's type beside it.
pub struct Takeover {
    /// The task.
    pub task: TaskRef,
    /// The device that has the claim from now on.
    pub device: Did,
    /// The devices that had claimed it.
    pub from: Vec<Did>,
    /// One more than the highest [`Claim::turn`] on the task that this device knew.
    pub turn: u64,
}

impl Claim {
    /// Its patch, and those that are rivals of it.
    pub fn patches(&self) -> impl Iterator<Item = &PatchId> {
        self.patch.iter().chain(&self.others)
    }

    /// Whether a reviewer asked for changes of the latest revision.
    pub fn changes_requested(&self) -> bool {
        self.verdicts.values().any(|verdict| *verdict == Verdict::Reject)
    }
}

/// Where a task is, from its tick, its claim and its latest run; without regard to what it depends on.
pub fn state(task: &Task, claim: Option<&Claim>, latest: Option<&Run>) -> TaskState {
    let Some(claim) = claim else { return if task.done { TaskState::Done } else { TaskState::Ready } };
    match (&claim.patch, latest) {
        (Some(patch), _) if claim.merged => TaskState::Merged { patch: patch.clone() },
        _ if task.done => TaskState::Done,
        (_, Some(run)) if !run.state.ended() => {
            TaskState::Running { run: run.id.clone(), waits: run.reason.clone().filter(|_| run.state.waits()) }
        }
        (_, Some(run)) if run.state != RunState::Done => {
            TaskState::Failed { run: run.id.clone(), reason: run.reason.clone().unwrap_or(Reason::Completed) }
        }
        (Some(patch), _) if claim.rejected => TaskState::Rejected { patch: patch.clone() },
        (Some(patch), _) if claim.changes_requested() => TaskState::ChangesRequested { patch: patch.clone() },
        (Some(patch), _) => TaskState::InReview { patch: patch.clone() },
        (None, Some(run)) => TaskState::Failed { run: run.id.clone(), reason: run.reason.clone().unwrap_or(Reason::Completed) },
        (None, None) => TaskState::Ready,
    }
}

/// The dependencies of a task that are not done yet. With `stacked`, a dependency whose patch is in review will do.
pub fn waits_for(task: &Task, states: &BTreeMap<TaskId, TaskState>, stacked: bool) -> Vec<TaskId> {
    let open = |id: &&TaskId| states.get(*id).is_some_and(|s| !s.satisfied(stacked));
    task.depends_on.iter().filter(open).cloned().collect()
}

/// How many tasks a sentence or a line of a table names.
const NAMED_MAX: usize = 6;

/// Tasks in a sentence: by their ids, or where there are many, how many.
pub fn named(ids: &[TaskId]) -> String {
    if ids.len() > NAMED_MAX {
        return format!("{} tasks", ids.len());
    }
    ids.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ")
}

/// Finds a circle among dependencies, as the ids along it; a task that depends on itself is one too.
pub fn cycle(tasks: &[Task]) -> Option<Vec<TaskId>> {
    let edges: BTreeMap<&TaskId, &[TaskId]> = tasks.iter().map(|t| (&t.id, t.depends_on.as_slice())).collect();
    let mut settled = BTreeSet::new();
    tasks.iter().find_map(|start| walk(&start.id, &edges, &mut Vec::new(), &mut settled))
}

fn walk<'a>(
    at: &'a TaskId,
    edges: &BTreeMap<&'a TaskId, &'a [TaskId]>,
    path: &mut Vec<&'a TaskId>,
    settled: &mut BTreeSet<&'a TaskId>,
) -> Option<Vec<TaskId>> {
    if let Some(from) = path.iter().position(|seen| *seen == at) {
        return Some(path[from..].iter().map(|id| (*id).clone()).chain([at.clone()]).collect());
    }
    if !settled.insert(at) {
        return None;
    }
    path.push(at);
    let found = edges.get(at).and_then(|next| next.iter().find_map(|id| walk(id, edges, path, settled)));
    path.pop();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> TaskId {
        text.parse().unwrap_or_else(|problem| unreachable!("{problem}"))
    }

    fn task(name: &str, on: &[&str]) -> Task {
        Task {
            id: id(name),
            title: String::new(),
            details: String::new(),
            done: false,
            parallel: false,
            story: None,
            tags: vec![],
            phase: String::new(),
            phase_index: 0,
            depends_on: on.iter().map(|t| id(t)).collect(),
            line: 1,
        }
    }

    #[test]
    fn many_tasks_are_named_by_their_number() {
        let ids: Vec<TaskId> = (1..=60).map(|n| id(&format!("T{n:03}"))).collect();
        assert_eq!((named(&ids[..2]).as_str(), named(&ids).as_str()), ("T001, T002", "60 tasks"));
    }

    #[test]
    fn a_task_whose_run_cannot_start_yet_is_queued_and_not_running() {
        let did = crate::placement::tests::did(0);
        let at = serde_json::json!({"project": "demo", "feature": "001-work", "task": "T001"});
        let claim = serde_json::json!({"task": at, "device": did, "runs": []});
        let claim: Claim = serde_json::from_value(claim).unwrap_or_else(|e| unreachable!("{e}"));
        for (state, label) in [(RunState::Queued, "queued"), (RunState::Working, "running")] {
            let run = serde_json::json!({
                "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "class": crate::manifest::Class::Agent,
                "project": "demo",
                "member": did,
                "requester": did,
                "state": state,
                "reason": Reason::ReviewLimit { waiting: 20 },
                "queued_at": crate::Timestamp(0),
            });
            let run: Run = serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}"));
            assert_eq!(super::state(&task("T001", &[]), Some(&claim), Some(&run)).label(), label);
        }
    }

    #[test]
    fn a_task_whose_run_a_person_stopped_is_stopped_and_not_failed() {
        let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p: crate::Problem| unreachable!("{p}"));
        let by = crate::placement::tests::did(0);
        let ended = |reason| TaskState::Failed { run: run.clone(), reason }.label();
        assert_eq!((ended(Reason::Stopped { by }), ended(Reason::Silent { seconds: 9 })), ("stopped", "failed"));
    }

    #[test]
    fn circles_are_found_and_chains_are_not() {
        assert_eq!(cycle(&[task("T1", &[]), task("T2", &["T1"]), task("T3", &["T1", "T2"])]), None);
        assert_eq!(cycle(&[task("T1", &["T1"])]), Some(vec![id("T1"), id("T1")]));
        let circle = cycle(&[task("T1", &["T3"]), task("T2", &["T1"]), task("T3", &["T2"])]);
        assert_eq!(circle.map(|c| c.len()), Some(4));
    }
}
