//! Where a run stands, as lists show it: its state, or what keeps it from going on within that.

use super::{Reason, Run, RunState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a run stands: its state, or what keeps it from going on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// Waits for room or for its turn.
    Queued,
    /// A device is being chosen and asked.
    Placing,
    /// Leased; the runner is being started.
    Starting,
    /// Worktree and brief are being laid.
    Preparing,
    /// The engine works.
    Working,
    /// Checks run on the commit.
    Verifying,
    /// Commit and patch are being signed and announced.
    Publishing,
    /// Its work is published.
    Done,
    /// It ended without a result that counts.
    Failed,
    /// A person ended it.
    Cancelled,
    /// Its device sent it away: its work is saved.
    Evicted,
    /// The device or the runner vanished.
    Lost,
    /// A stop order halts it.
    Halted,
    /// A person paused it.
    Paused,
    /// It is frozen, and no person paused it: its device wants its room, or its gateway is away.
    Frozen,
    /// Nothing of it runs any more, and its end could not be written yet.
    Ending,
}

impl From<RunState> for Stands {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Queued => Self::Queued,
            RunState::Placing => Self::Placing,
            RunState::Starting => Self::Starting,
            RunState::Preparing => Self::Preparing,
            RunState::Working => Self::Working,
            RunState::Verifying => Self::Verifying,
            RunState::Publishing => Self::Publishing,
            RunState::Done => Self::Done,
            RunState::Failed => Self::Failed,
            RunState::Cancelled => Self::Cancelled,
            RunState::Evicted => Self::Evicted,
            RunState::Lost => Self::Lost,
        }
    }
}

/// A run with where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunView {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// Where it stands: as its state, or what keeps it from going on there.
    pub stands: Stands,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self { stands: run.stands(), run }
    }
}

impl Run {
    /// Where it stands. A stop order comes before a pause: while it is in force the run goes on in no case.
    pub fn stands(&self) -> Stands {
        match &self.reason {
            Some(Reason::Halted { .. }) => Stands::Halted,
            Some(Reason::EndUnwritten { .. }) => Stands::Ending,
            // Of a run that is verified its checks are frozen, and nothing of itself.
            _ if self.paused_by.is_some() && (self.paused || self.state == RunState::Verifying) => Stands::Paused,
            _ if self.paused && self.state.waits() => Stands::Paused,
            _ if self.paused => Stands::Frozen,
            _ => self.state.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A run of ada's that is in this state.
    fn run(state: &str, reason: &Value, paused: bool, by_a_person: bool) -> Run {
        let did = format!("did:key:z6Mk{}", "a".repeat(44));
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did, "requester": did, "state": state,
            "reason": reason, "paused": paused, "paused_by": by_a_person.then_some(&did), "queued_at": 0,
        });
        serde_json::from_value(run).unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[test]
    fn what_a_person_paused_is_told_from_what_is_frozen_or_halted() {
        let halted = json!({"code": "halted", "by": format!("did:key:z6Mk{}", "b".repeat(44)), "what": "the agent slow", "why": "Wait."});
        let none = Value::Null;
        let table = [
            (run("working", &none, false, false), Stands::Working, [false, false]),
            (run("working", &none, true, true), Stands::Paused, [true, false]),
            (run("queued", &none, true, true), Stands::Paused, [true, false]),
            (run("verifying", &none, false, true), Stands::Paused, [true, false]),
            (run("working", &none, true, false), Stands::Frozen, [false, true]),
            (run("working", &halted, true, false), Stands::Halted, [false, false]),
            (run("working", &halted, true, true), Stands::Halted, [true, false]),
            (run("evicted", &none, false, true), Stands::Evicted, [false, false]),
        ];
        for (run, stands, told) in table {
            let why = run.why().unwrap_or_default();
            let said = ["meshwork run resume", "its device wants its room"].map(|words| why.contains(words));
            assert_eq!((run.stands(), said), (stands, told), "{run:?}: {why}");
            assert_eq!(why.contains("stop order"), stands == Stands::Halted, "{why}");
        }
    }

    #[test]
    fn what_nothing_keeps_stands_where_its_state_says() {
        for state in ["queued", "placing", "starting", "preparing", "working", "verifying", "publishing", "done", "failed", "cancelled"] {
            let told = serde_json::to_value(RunView::from(run(state, &Value::Null, false, false))).unwrap_or_default();
            assert_eq!((&told["stands"], &told["state"]), (&json!(state), &json!(state)), "both beside each other: {told}");
        }
    }
}
