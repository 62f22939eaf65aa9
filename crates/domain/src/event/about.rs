//! Which run an event is about, which blobs it names, and who may tell it.

use super::Body;
use crate::{
    Hash, RunId,
    run::{CheckpointDropped, CheckpointGoes, PauseAsked},
};

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
            | Self::CheckpointGoes(CheckpointGoes { run, .. })
            | Self::CheckpointDropped(CheckpointDropped { run, .. })
            | Self::WorkKept { run, .. }
            | Self::WorkDropped { run, .. }
            | Self::MessageDelivered { run, .. }
            | Self::MessageRefused { run, .. }
            | Self::RunDelegated { run, .. }
            | Self::RunMoved { run, .. }
            | Self::PauseAsked(PauseAsked { run, .. })
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

    /// The blobs beside the journal that this event names.
    pub fn blobs(&self) -> Vec<&Hash> {
        match self {
            Self::RunPlaced { placed, .. } => vec![&placed.envelope],
            Self::RunLeased { asked, .. } => asked.iter().filter_map(|run| run.envelope.as_ref()).collect(),
            Self::StopOrdered { envelope, .. } => vec![envelope],
            Self::RunDelegated { delegation, .. } => vec![delegation],
            Self::MessageSent { text, .. } => vec![text],
            Self::ModelCalled { content, .. } => content.iter().collect(),
            Self::ChecksEnded { signed, .. } => signed.iter().collect(),
            _ => vec![],
        }
    }

    /// Whether the device that executes a run may tell this of it to the one that asked for it. What the requester decides itself
    /// (that it is queued and placed, which key it delegates to, what its gateway counts) is none of it.
    pub fn of_executor(&self) -> bool {
        matches!(
            self,
            Self::RunLeased { .. }
                | Self::LeaseRenewed { .. }
                | Self::RunEndAsked { .. }
                | Self::RunRecovered { .. }
                | Self::RunMoved { .. }
                | Self::PauseAsked { .. }
                | Self::RunPaused { .. }
                | Self::RunCheckpointed { .. }
                | Self::CheckpointDropped { .. }
                | Self::RunCommitted { .. }
                | Self::WorkKept { .. }
                | Self::WorkDropped { .. }
                | Self::MessageSent { .. }
                | Self::MessageDelivered { .. }
                | Self::MessageRefused { .. }
                | Self::QuestionAsked { .. }
                | Self::QuestionAnswered { .. }
                | Self::SandboxStopped { .. }
                | Self::ChecksEnded { .. }
                | Self::PatchPublished { .. }
        )
    }

    /// Whether it is about a run of checks that the executor itself asks for, on the work of the run that it executes. Such a run
    /// makes no work of its own.
    pub fn of_checks(&self) -> bool {
        let own_work = matches!(self, Self::RunCommitted { .. } | Self::PatchPublished { .. });
        (self.of_executor() && !own_work) || matches!(self, Self::RunQueued { .. } | Self::RunPlaced { .. } | Self::RunDelegated { .. })
    }
}
