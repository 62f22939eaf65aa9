//! Events: the facts of the journal, and what they change.
//!
//! An event carries facts and hashes; content (log text, prompts, messages, manifests) lies in blobs that can be erased.
//! [`project`] (`event/projection.rs`) is the one place that says what an event changes. It is pure, so that the projections can be rebuilt.

pub mod kind;
mod projection;

pub use projection::{Before, Projected, project};

use crate::{
    AgentName, CredentialName, Did, Hash, LeaseId, Oid, OrgName, PatchId, ProjectName, RevisionId, Rid, RunId, TaskRef, Timestamp,
    actor::Via,
    capacity::Resources,
    patch::Verdict,
    placement::Refusal,
    role::Role,
    run::{CheckResult, LeftOut, Question, Reason, Run, RunState},
    usage::Usage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of events that this build writes.
pub const VERSION: u16 = 1;

/// A fact: when, by whom, what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The format's version.
    pub version: u16,
    /// When.
    pub at: Timestamp,
    /// Who caused it: a member where a person acted, else the device itself.
    pub actor: Did,
    /// By which door they came in; none for what a device did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// The org was made.
    OrgCreated {
        /// Its name.
        org: OrgName,
        /// Its repository.
        rid: Rid,
        /// Its founder.
        owner: Did,
    },
    /// The orchestrator came up.
    DeviceStarted {
        /// Meshwork's version. In writing it is `meshwork`: `version` is the event's own.
        #[serde(rename = "meshwork")]
        version: String,
        /// Whether the demo acts as the member, without a person.
        #[serde(default)]
        demo: bool,
    },
    /// The orchestrator goes down in order.
    DeviceStopped,
    /// A project was added.
    ProjectAdded {
        /// Its name.
        project: ProjectName,
        /// Its repository.
        rid: Rid,
    },
    /// A node is asked for a repository that is to be cloned.
    ProjectFetching {
        /// The repository.
        rid: Rid,
        /// The node.
        from: Did,
    },
    /// The merged default branch was pushed to its mirror.
    MirrorPushed {
        /// The project.
        project: ProjectName,
        /// What was pushed.
        commit: Oid,
    },
    /// Changes made at the mirror came back.
    MirrorPulled {
        /// The project.
        project: ProjectName,
        /// What came.
        commit: Oid,
    },
    /// The mirror was reached, and has the default branch as it is here.
    MirrorReached {
        /// The project.
        project: ProjectName,
        /// Where it is.
        commit: Oid,
    },
    /// The mirror could not be brought up to date. It is tried again; the next failure is told only when it is another.
    MirrorFailed {
        /// The project.
        project: ProjectName,
        /// Why, in words.
        why: String,
    },
    /// A commit of the member changed tasks or features.
    TasksEdited {
        /// The project.
        project: ProjectName,
        /// The commit.
        commit: Oid,
    },
    /// An agent was added or changed.
    AgentSet {
        /// Its name.
        agent: AgentName,
        /// The commit in the org repository.
        commit: Oid,
    },
    /// A credential was set. Never its value.
    CredentialSet {
        /// Its name.
        name: CredentialName,
    },
    /// A credential was removed.
    CredentialRemoved {
        /// Its name.
        name: CredentialName,
    },
    /// A token was made.
    TokenCreated {
        /// Its public id.
        id: String,
        /// Its role.
        role: Role,
    },
    /// A token was revoked.
    TokenRevoked {
        /// Its public id.
        id: String,
    },
    /// A browser signed in.
    BrowserSignedIn {
        /// The public id of its session.
        id: String,
    },
    /// A browser was signed out.
    BrowserSignedOut {
        /// The public id of its session.
        id: String,
    },
    /// A task was claimed by the actor's device for a run; a run was queued.
    RunQueued {
        /// The run.
        run: Box<Run>,
    },
    /// The requester's device made and signed the manifest of a run.
    RunPlaced {
        /// The run.
        run: RunId,
        /// The manifest's hash.
        manifest: Hash,
        /// The blob that holds its envelope.
        envelope: Hash,
        /// The commit that it begins from.
        base: Oid,
        /// Hash of the spec that it works from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec_hash: Option<Hash>,
        /// The run whose saved work it begins with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<RunId>,
    },
    /// A device refused a run.
    RunRefused {
        /// The run.
        run: RunId,
        /// The device.
        device: Did,
        /// Why.
        reasons: Vec<Refusal>,
    },
    /// A device leased a run.
    RunLeased {
        /// The run.
        run: RunId,
        /// The lease.
        lease: LeaseId,
        /// The device.
        device: Did,
        /// The lease ends then, unless renewed.
        until: Timestamp,
        /// What of the device is reserved for it.
        reserved: Resources,
    },
    /// The runner was heard of: the lease goes on.
    LeaseRenewed {
        /// The run.
        run: RunId,
        /// It ends then, unless renewed.
        until: Timestamp,
    },
    /// A person, or the device's owner, asked for the end of a run; it ends once its work is saved.
    RunEndAsked {
        /// The run.
        run: RunId,
        /// Why.
        reason: Reason,
    },
    /// A run that had not ended, and that nothing drove any more, was taken up.
    RunRecovered {
        /// The run.
        run: RunId,
        /// What is known of how that came.
        message: String,
    },
    /// The runner reported its key, and the requester's device delegated to it.
    RunDelegated {
        /// The run.
        run: RunId,
        /// The run's key.
        key: Did,
        /// Hash of the delegation's envelope, which is a blob.
        delegation: Hash,
    },
    /// A run went on.
    RunMoved {
        /// The run.
        run: RunId,
        /// To this state.
        to: RunState,
        /// Why, where that says something.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A run was paused or goes on.
    RunPaused {
        /// The run.
        run: RunId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// The worktree of a run was saved.
    RunCheckpointed {
        /// The run.
        run: RunId,
        /// As this commit.
        commit: Oid,
    },
    /// A run's work was made a commit.
    RunCommitted {
        /// The run.
        run: RunId,
        /// The commit.
        commit: Oid,
        /// Its tree, which the runner verified.
        tree: Oid,
        /// What was left out of it, or is odd, in words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// A checkpoint was removed: its work is in a patch, or merged.
    CheckpointDropped {
        /// The run that it was of.
        run: RunId,
    },
    /// Files of a run are in neither commit nor checkpoint; its folder is kept aside.
    WorkKept {
        /// The run.
        run: RunId,
        /// What was left out.
        left_out: LeftOut,
    },
    /// A folder that was kept aside was removed.
    WorkDropped {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// A person sent a message to a running agent. Its text is a blob.
    MessageSent {
        /// The run.
        run: RunId,
        /// The order's number within the run.
        order: u64,
        /// The text.
        text: Hash,
    },
    /// The agent got a message.
    MessageDelivered {
        /// The run.
        run: RunId,
        /// The order's number within the run.
        order: u64,
    },
    /// The agent will not get a message.
    MessageRefused {
        /// The run.
        run: RunId,
        /// The order's number within the run.
        order: u64,
        /// Why.
        why: String,
    },
    /// The engine asks a person.
    QuestionAsked {
        /// The run.
        run: RunId,
        /// The question.
        question: Question,
    },
    /// A question was answered, withdrawn, or timed out.
    QuestionAnswered {
        /// The run.
        run: RunId,
        /// The question's id.
        question: String,
        /// The option chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        option: Option<String>,
    },
    /// The sandbox stopped something.
    SandboxStopped {
        /// The run.
        run: RunId,
        /// What.
        what: String,
    },
    /// A model was called through the gateway. Never its content.
    ModelCalled {
        /// The run.
        run: RunId,
        /// The model.
        model: String,
        /// The provider's HTTP status.
        status: u16,
        /// What it used, from the provider's own usage fields; calls that give none count as none.
        usage: Usage,
        /// How long it took.
        duration_ms: u64,
    },
    /// Counting checks ended.
    ChecksEnded {
        /// The run whose work they judged.
        run: RunId,
        /// Results.
        checks: Vec<CheckResult>,
        /// The blob that holds them as the `ci` run signed them; none where it did not come to an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signed: Option<Hash>,
    },
    /// A run opened a patch, or added a revision to it.
    PatchPublished {
        /// The run.
        run: RunId,
        /// The patch.
        patch: PatchId,
        /// The revision.
        revision: RevisionId,
        /// Its commit.
        commit: Oid,
    },
    /// A patch that a run opened got a revision by hand, by the actor.
    PatchRevised {
        /// The project.
        project: ProjectName,
        /// The patch.
        patch: PatchId,
        /// The revision.
        revision: RevisionId,
        /// Its commit.
        commit: Oid,
        /// The task that the patch is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskRef>,
    },
    /// The actor commented on a patch. The text is Radicle's.
    PatchCommented {
        /// The project.
        project: ProjectName,
        /// The patch.
        patch: PatchId,
        /// The comment's id.
        comment: Oid,
        /// The task that the patch is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskRef>,
    },
    /// The actor reviewed a patch.
    PatchReviewed {
        /// The project.
        project: ProjectName,
        /// The patch.
        patch: PatchId,
        /// What was said; none: what was said counts no more.
        verdict: Option<Verdict>,
        /// The task that the patch is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskRef>,
    },
    /// A patch was merged.
    PatchMerged {
        /// The project.
        project: ProjectName,
        /// The patch.
        patch: PatchId,
        /// The commit on the default branch.
        commit: Oid,
        /// The task that the patch is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskRef>,
    },
    /// A patch was closed without merging.
    PatchClosed {
        /// The project.
        project: ProjectName,
        /// The patch.
        patch: PatchId,
        /// The task that the patch is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskRef>,
    },
    /// A closed patch was opened again.
    PatchReopened {
        /// The project.
        project: ProjectName,
        /// The patch.
        patch: PatchId,
        /// The task that the patch is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskRef>,
    },
    /// The command bar's model was set, or taken away.
    CommandModelSet {
        /// The model and its budget. Never a key.
        settings: crate::command::Settings,
    },
    /// The command bar's model was called through the gateway. Never its content.
    CommandModelCalled {
        /// The model.
        model: String,
        /// The provider's HTTP status.
        status: u16,
        /// What it used.
        usage: Usage,
        /// How long it took.
        duration_ms: u64,
    },
    /// Keys and journal were saved.
    BackedUp,
    /// A backup was taken up: the journal goes on as a new incarnation.
    Restored,
}

impl Body {
    /// The run that an already queued run's event is about.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::RunPlaced { run, .. }
            | Self::RunRefused { run, .. }
            | Self::RunLeased { run, .. }
            | Self::LeaseRenewed { run, .. }
            | Self::RunEndAsked { run, .. }
            | Self::RunRecovered { run, .. }
            | Self::CheckpointDropped { run, .. }
            | Self::WorkKept { run, .. }
            | Self::WorkDropped { run, .. }
            | Self::MessageDelivered { run, .. }
            | Self::MessageRefused { run, .. }
            | Self::RunDelegated { run, .. }
            | Self::RunMoved { run, .. }
            | Self::RunPaused { run, .. }
            | Self::RunCheckpointed { run, .. }
            | Self::RunCommitted { run, .. }
            | Self::MessageSent { run, .. }
            | Self::QuestionAsked { run, .. }
            | Self::QuestionAnswered { run, .. }
            | Self::SandboxStopped { run, .. }
            | Self::ModelCalled { run, .. }
            | Self::ChecksEnded { run, .. }
            | Self::PatchPublished { run, .. } => Some(run),
            _ => None,
        }
    }
}
