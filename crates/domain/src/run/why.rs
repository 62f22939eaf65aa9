//! Why a run is where it is, in words for a person.

use super::{Reason, Run, RunState, saved};
use crate::manifest::Class;

impl Run {
    /// Why it is where it is, in words for a person: of one that a person stopped that it is not over yet, or was done before; of one that
    /// is done that checks failed, where some did; of one that ended without its work done also whether this is saved and goes on; of one that is
    /// frozen also for whom.
    pub fn why(&self) -> Option<String> {
        match (overtaken(self), self.by_itself()) {
            (Some(stop), Some(_)) if self.state == RunState::Done && self.failed().is_empty() => Some(stop),
            (Some(stop), Some(why)) => Some(format!("{stop} {why}")),
            (stop, why) => stop.or(why),
        }
    }

    /// Why it is where it is, whoever stopped it.
    fn by_itself(&self) -> Option<String> {
        let failed = self.failed();
        if self.state == RunState::Done && !failed.is_empty() {
            let whose = if self.class == Class::Agent { "Its checks failed" } else { "Checks failed" };
            return Some(format!("{whose}: {}.", failed.join(", ")));
        }
        let reason = self.reason.as_ref().map(Reason::text);
        let said = [reason.as_ref().and_then(|_| saved::further(self)), frozen(self)];
        reason.into_iter().chain(said.into_iter().flatten()).reduce(|why, more| format!("{why} {more}"))
    }

    /// The checks that failed, as they are said.
    fn failed(&self) -> Vec<String> {
        self.checks.iter().filter(|check| !check.passed).map(|check| format!("“{}”", check.name)).collect()
    }
}

/// That a run is frozen, in words, where its reason does not say it: a person paused it, be it beside what else holds it, or its device
/// wants its room. None: there is nothing to say.
fn frozen(run: &Run) -> Option<String> {
    match (&run.paused_by, &run.reason) {
        _ if run.state.ended() => None,
        (Some(by), None | Some(Reason::Halted { .. } | Reason::WaitsForGateway { .. })) => {
            Some(format!("Paused by {by}: it goes on when a person says so (meshwork run resume)."))
        }
        (None, None) if run.paused => {
            Some("Frozen, because its device wants its room: it is saved and leaves, or goes on by itself.".into())
        }
        _ => None,
    }
}

/// What became of a person's stop by which the run did not end: its device has not ended it yet, or it was done before. None: nobody
/// stopped it, it is past stopping, or its own end says it.
fn overtaken(run: &Run) -> Option<String> {
    let Some(stopped @ Reason::Stopped { .. }) = &run.ending else { return None };
    let elsewhere = run.place().is_some_and(|device| *device != run.requester);
    match run.state {
        RunState::Done if run.patch.is_some() => {
            Some("It was done before the stop reached it. Close its patch if you do not want it: meshwork patch close.".into())
        }
        RunState::Done => Some("It was done before the stop reached it.".into()),
        state if state.ended() || state == RunState::Publishing => None,
        _ if elsewhere => Some(format!("{} It ends, with its work saved, once its device has heard that.", stopped.text())),
        _ => Some(format!("{} It ends once its work is saved.", stopped.text())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Did;
    use serde_json::{Value, json};

    /// Why a run is where it is that Ada's device asked another for, and that she stopped.
    fn why(state: &str, more: Value) -> String {
        let did = |letter: &str| -> Did { format!("did:key:z6Mk{}", letter.repeat(44)).parse().unwrap() };
        let mut run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did("A"), "requester": did("a"),
            "device": did("b"), "state": state, "queued_at": 0, "ending": {"code": "stopped", "by": did("A")},
        });
        run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<Run>(run).unwrap().why().unwrap_or_default()
    }

    #[test]
    fn of_a_stop_it_is_said_that_it_is_to_come_and_that_it_came_too_late() {
        let waits = why("working", json!({}));
        assert!(waits.starts_with("Stopped by") && waits.ends_with("once its device has heard that."), "{waits}");
        let done = json!({"reason": {"code": "completed"}, "patch": "c".repeat(40)});
        let late = why("done", done.clone());
        assert!(late.starts_with("It was done before the stop reached it. Close its patch") && !late.contains("Done."), "{late}");
        let checks = json!([{"name": "fmt", "passed": false, "duration_ms": 1}]);
        let red = why("done", json!({"reason": done["reason"], "patch": done["patch"], "checks": checks}));
        assert!(red.contains("before the stop reached it") && red.ends_with("Its checks failed: “fmt”."), "{red}");
        let stopped = json!({"code": "stopped", "by": format!("did:key:z6Mk{}", "A".repeat(44))});
        assert_eq!(why("cancelled", json!({ "reason": stopped })).matches("Stopped by").count(), 1, "it ended by it");
        assert_eq!(why("publishing", json!({})), "", "that is past stopping");
    }
}
