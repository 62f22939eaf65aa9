//! Saved work: the checkpoint of a run, with which another one goes on, on whatever device.

use crate::{Did, Oid, RunId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The saved work of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedWork {
    /// Whose work it is.
    pub run: RunId,
    /// The device that executed that run, and saved it.
    pub device: Did,
    /// The checkpoint: a commit beside the project's storage, whose parent is the one that the run began from.
    pub commit: Oid,
}

/// Saved work that the next run does without. It stays where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftBehind {
    /// What.
    pub work: SavedWork,
    /// Why it could not be had, in words.
    pub why: String,
}

/// That the checkpoint of a guest will be removed from the device that executed it, unless it is brought away before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)] // So that the API's document has the event's type beside it.
pub struct CheckpointGoes {
    /// The run that it is of.
    pub run: RunId,
    /// From when on. In writing it is not `at`, which is the event's own.
    pub goes_at: Timestamp,
    /// Why, in words.
    pub why: String,
}

/// That a checkpoint was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)] // So that the API's document has the event's type beside it.
pub struct CheckpointDropped {
    /// The run that it was of.
    pub run: RunId,
    /// Why, in words; older journals do not say it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl LeftBehind {
    /// In words for a person. `from` is what the next run begins with instead.
    pub fn text(&self, from: Option<&SavedWork>) -> String {
        let SavedWork { run, device, commit } = &self.work;
        let (begins, what) = match from {
            None => ("It begins anew.", "had done"),
            Some(_) => ("It goes on from an older checkpoint.", "had done since"),
        };
        format!("{begins} What run {run} {what} stays on {device} as checkpoint {commit}: {}", self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_told_with_where_it_lies() {
        let work = SavedWork {
            run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}")),
            device: "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap_or_else(|p| unreachable!("{p}")),
            commit: "1".repeat(40).parse().unwrap_or_else(|p| unreachable!("{p}")),
        };
        let left = LeftBehind { work: work.clone(), why: "It cannot be reached.".into() };
        let text = left.text(None);
        for part in [work.run.as_str(), work.device.as_str(), work.commit.as_str(), "It cannot be reached."] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.starts_with("It begins anew.") && !left.text(Some(&left.work)).contains("anew"));
        let json = serde_json::to_string(&left).unwrap_or_default();
        assert_eq!(serde_json::from_str::<LeftBehind>(&json).ok(), Some(left));
    }
}
