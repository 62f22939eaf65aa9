//! What can happen: one kind of fact each.

use crate::{
    AgentName, CredentialName, Did, Hash, LeaseId, Oid, OrgName, PatchId, ProjectName, RevisionId, Rid, RunId, TaskRef, Timestamp,
    run::{CheckResult, LeftOut, Placed, Question, Reason, Run, RunState},
};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// This device joined the org.
    OrgJoined {
        /// Its name.
        org: OrgName,
        /// Its repository.
        rid: Rid,
        /// The invitation.
        invite: String,
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
    /// A change of the org was signed here: it is in force, or proposed.
    OrgChanged {
        /// What it does, in words.
        what: String,
        /// The commit, where it is in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<Oid>,
        /// The proposal, where it waits for owners.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<PatchId>,
    },
    /// Another commit of the org repository is in force, by whomever.
    OrgMoved {
        /// The commit.
        commit: Oid,
    },
    /// A proposal was approved here.
    ProposalApproved {
        /// The proposal.
        proposal: PatchId,
        /// The commit, where that brought it into force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<Oid>,
    },
    /// A proposal was rejected here.
    ProposalRejected {
        /// The proposal.
        proposal: PatchId,
    },
    /// Somebody was invited.
    Invited {
        /// The ticket.
        ticket: Box<crate::join::Ticket>,
    },
    /// An invitation was taken back.
    InviteWithdrawn {
        /// Its id.
        invite: String,
    },
    /// A device knocked with a ticket, which is used up by one.
    Knocked {
        /// The invitation.
        invite: String,
        /// What it said.
        knock: Box<crate::join::Knock>,
    },
    /// It was decided about somebody who knocked.
    JoinerDecided {
        /// Their device.
        device: Did,
        /// How.
        state: crate::join::JoinerState,
    },
    /// A stop order was given, or lifted.
    StopOrdered {
        /// What was signed.
        order: Box<crate::stop::Order>,
        /// The member's key that signed.
        by: Did,
        /// The blob that holds the signed envelope.
        envelope: Hash,
    },
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
    /// Quotas of the org were changed.
    QuotasSet {
        /// The commit in the org repository.
        commit: Oid,
    },
    /// From now on this device spends of the org's quotas as a revision of the org divides them.
    SharesTaken {
        /// Which revision, and what the device holds.
        taken: crate::quota::Taken,
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
        role: crate::role::Role,
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
    /// A maintainer took a task over that other devices had claimed: from now on this device's claim counts.
    TaskTakenOver(crate::task::Takeover),
    /// A task was claimed by the actor's device for a run; a run was queued.
    RunQueued {
        /// The run.
        run: Box<Run>,
    },
    /// The requester's device made and signed the manifest of a run.
    RunPlaced {
        /// The run.
        run: RunId,
        /// What was signed, and what it begins from.
        #[serde(flatten)]
        placed: Placed,
    },
    /// A device refused a run.
    RunRefused {
        /// The run.
        run: RunId,
        /// The device.
        device: Did,
        /// Why.
        reasons: Vec<crate::placement::Refusal>,
    },
    /// A device leased a run, which starts with it.
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
        reserved: crate::capacity::Resources,
        /// The run, where this device hears of it with its lease: as it was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Box<Run>>,
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
    /// A person wants a run paused, or to go on.
    PauseAsked(crate::run::PauseAsked),
    /// A run was frozen, whoever wanted that, or goes on.
    RunPaused {
        /// The run.
        run: RunId,
        /// Whether it is frozen now.
        paused: bool,
    },
    /// The worktree of a run was saved on this device: made here, or brought from the one that executed it.
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
    /// The checkpoint of a guest will be removed from this device, unless it is brought away before.
    CheckpointGoes(crate::run::CheckpointGoes),
    /// A checkpoint was removed.
    CheckpointDropped(crate::run::CheckpointDropped),
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
        /// The call.
        #[serde(flatten)]
        call: crate::usage::ModelCall,
        /// The blobs of the request and the answer, where the org wants them kept.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        content: Vec<Hash>,
        /// At a standby device, whose journal does not know the run: for whom.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        standby: Option<crate::usage::ForWhom>,
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
        verdict: Option<crate::patch::Verdict>,
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
    CommandModelCalled(crate::usage::ModelCall),
    /// Keys and journal were saved.
    BackedUp,
    /// A backup was taken up: the journal goes on as a new incarnation.
    Restored,
    /// The disk had been put back by hand to an earlier moment: the journal goes on as a new incarnation, with what others held of it.
    JournalMended(super::Mended),
    /// What a key of this device signed since its disk, or a backup, was put back was joined with what others had of it.
    LineRejoined(super::LineRejoined),
    /// What a newer Meshwork wrote, and this one does not understand.
    #[serde(skip)]
    Unknown(super::Unknown),
}
