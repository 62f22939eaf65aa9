//! Which run an event is about.

use super::Body;
use crate::RunId;

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
