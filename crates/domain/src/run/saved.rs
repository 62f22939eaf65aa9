//! Saved work: the checkpoint of a run, with which another one goes on, on whatever device.

use super::{LeftOut, Reason, Run, RunState};
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

/// Saved work that the next run does without. It stays where it is, as far as it is there still.
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
        format!("{begins} What run {run} {what} is left behind, as checkpoint {commit} of {device}: {}", self.why)
    }
}

/// Of a run that ended without its work done, or that a stop order halts: whether that is saved, and whether it goes on by itself, in
/// words. None: there is nothing to say.
pub(super) fn further(run: &Run) -> Option<String> {
    let undone = matches!(run.state, RunState::Failed | RunState::Cancelled | RunState::Lost | RunState::Evicted);
    let again = run.state == RunState::Evicted && run.task.is_some() && run.next_attempt(&run.requester).is_some();
    let when = match &run.reason {
        _ if !again => "",
        _ if run.paused_by.is_some() => " once a person lets it go on, because it was paused",
        Some(Reason::GaveWay { .. }) => " when there is room, in front of what is as important as it",
        _ => " when there is room",
    };
    let unsaved = run.kept.as_ref().filter(|_| undone).and_then(LeftOut::why_everything);
    let unsaved = unsaved.map(|why| {
        format!("What it had done at its end could not be saved: {why} Its files are kept on its device: meshwork run kept says where.")
    });
    let goes_on = match (undone && run.checkpoint.is_some(), again) {
        (true, _) if is_of_nobody(run) => Some("What it had done is in its checkpoint. No run goes on from that by itself.".to_owned()),
        (true, _) if unsaved.is_some() => {
            Some(format!("What it had done before is in its checkpoint, and a new run of the task begins with that{when}."))
        }
        (true, _) => Some(format!("What it had done is in its checkpoint, and a new run of the task begins with that{when}.")),
        (false, true) => Some(format!("A new run of the task begins{when}.")),
        (false, false) if run.checkpoint.is_some() && matches!(run.reason, Some(Reason::Halted { .. })) => {
            Some("Its work is saved.".into())
        }
        (false, false) => None,
    };
    let said: Vec<String> = unsaved.into_iter().chain(goes_on).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// Whether its device ended it because nobody takes what it makes: its requester, or that device itself, belongs to the org no more. An
/// end that is asked for has such a reason in this case alone.
fn is_of_nobody(run: &Run) -> bool {
    matches!(run.ending, Some(Reason::Hindered { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::RESUME_ATTEMPTS_MAX, manifest::Class};
    use serde_json::{Value, json};

    /// Why a run is where it is that ended so; none: it is no run.
    fn why(class: &str, state: &str, reason: Value, checkpoint: Option<String>, attempt: u32) -> Option<String> {
        let did = format!("did:key:z6Mk{}", "a".repeat(44));
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": class, "project": "demo", "member": did, "requester": did, "state": state,
            "task": {"project": "demo", "feature": "001-greeting", "task": "T001"}, "attempt": attempt,
            "reason": reason, "checkpoint": checkpoint, "queued_at": 0,
        });
        serde_json::from_value::<Run>(run).ok().and_then(|run| run.why())
    }

    #[test]
    fn what_becomes_of_the_work_is_told_as_it_is_and_nothing_where_nothing_is_known() {
        let (broke, evicted) = (json!({"code": "engine_failed", "message": "It broke."}), json!({"code": "evicted", "message": "Back."}));
        let gave_way = json!({"code": "gave_way", "to": "01ARZ3NDEKTSV4RRFFQ69G5FAA", "member": format!("did:key:z6Mk{}", "b".repeat(44))});
        let halted = json!({"code": "halted", "by": format!("did:key:z6Mk{}", "b".repeat(44)), "what": "all", "why": "Wait."});
        let saved = "What it had done is in its checkpoint, and a new run of the task begins with that";
        let (anew, room) = ("A new run of the task begins", " when there is room.");
        let front = " when there is room, in front of what is as important as it.";
        // With a checkpoint and without one, of the first attempt and of the last.
        let table = [
            ("agent", "failed", &broke, 1, format!("{saved}."), String::new()),
            ("agent", "evicted", &evicted, 1, format!("{saved}{room}"), format!("{anew}{room}")),
            ("agent", "evicted", &gave_way, 1, format!("{saved}{front}"), format!("{anew}{front}")),
            ("agent", "evicted", &evicted, RESUME_ATTEMPTS_MAX, format!("{saved}{room}"), format!("{anew}{room}")),
            ("ci", "evicted", &evicted, 1, format!("{saved}."), String::new()),
            ("agent", "working", &evicted, 1, String::new(), String::new()),
            ("agent", "working", &halted, 1, "Its work is saved.".into(), String::new()),
            ("agent", "queued", &halted, 1, "Its work is saved.".into(), String::new()),
        ];
        for (class, state, reason, attempt, with, without) in table {
            let bare = serde_json::from_value::<Reason>(reason.clone()).map(|reason| reason.text()).unwrap_or_default();
            for (checkpoint, further) in [(Some("1".repeat(40)), with), (None, without)] {
                let told = [bare.as_str(), further.as_str()].join(" ").trim_end().to_owned();
                assert_eq!(why(class, state, reason.clone(), checkpoint, attempt), Some(told), "{class} {state} {attempt}");
            }
        }
        assert_eq!(Reason::Evicted { message: "Back.".into() }.text(), "Evicted: Back.");
        assert!(why("agent", "queued", halted, None, 1).is_some_and(|told| told.contains("Wait.") && !told.contains("saved")));
    }

    #[test]
    fn that_work_was_not_saved_is_told_and_from_a_guests_of_nobody_nothing_goes_on() {
        let did = format!("did:key:z6Mk{}", "a".repeat(44));
        let stopped = json!({"code": "stopped", "by": did});
        let left = json!({"code": "hindered", "message": "Its device left."});
        let of = |reason: &Value, ending: &Value, kept: Value| {
            let run = json!({
                "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did, "requester": did,
                "state": "cancelled", "reason": reason, "ending": ending, "kept": kept, "checkpoint": "1".repeat(40), "queued_at": 0,
            });
            serde_json::from_value::<Run>(run).ok().and_then(|run| run.why()).unwrap_or_default()
        };
        let kept = |left_out| serde_json::to_value(left_out).unwrap_or_default();
        let unsaved = of(&stopped, &stopped, kept(LeftOut::everything("Full.")));
        assert!(unsaved.contains("could not be saved: Full. Its files are kept") && unsaved.contains("done before is in its"), "{unsaved}");
        let ignored = of(&stopped, &stopped, kept(LeftOut { files: vec!["build/".into()], more: 0 }));
        assert!(!ignored.contains("could not be saved") && ignored.contains("begins with that"), "{ignored}");
        let mut named = LeftOut::default();
        named.add("everything: gone".into());
        assert_eq!(named.why_everything(), None, "so may a file be called");
        let nobody = of(&left, &left, Value::Null);
        assert!(nobody.contains("in its checkpoint. No run goes on") && !nobody.contains("begins with that"), "{nobody}");
    }

    #[test]
    fn what_was_evicted_goes_on_always_and_what_was_lost_a_few_times() {
        use RunState as S;
        const LAST: u32 = RESUME_ATTEMPTS_MAX;
        let table = [
            (Class::Agent, S::Lost, 0, Some(1)),
            (Class::Agent, S::Lost, LAST - 1, Some(LAST)),
            (Class::Agent, S::Lost, LAST, None),
            (Class::Agent, S::Evicted, 0, Some(0)),
            (Class::Agent, S::Evicted, LAST, Some(LAST)),
            (Class::Agent, S::Failed, 0, None),
            (Class::Agent, S::Cancelled, 0, None),
            (Class::Agent, S::Working, 0, None),
            (Class::Ci, S::Evicted, 0, None),
        ];
        let did = |letter: &str| format!("did:key:z6Mk{}", letter.repeat(44)).parse::<Did>().unwrap_or_else(|p| unreachable!("{p}"));
        let (here, elsewhere) = (did("a"), did("b"));
        for (class, state, attempt, expected) in table {
            let run = json!({
                "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": class, "project": "demo", "member": here, "requester": here, "state": state,
                "attempt": attempt, "queued_at": 0,
            });
            let run: Run = serde_json::from_value(run).unwrap_or_else(|p| unreachable!("{p}"));
            assert_eq!(run.next_attempt(&here), expected, "{class:?} {state:?} {attempt}");
            assert_eq!(run.next_attempt(&elsewhere), None, "{class:?} {state:?} {attempt}, which another device asked for");
        }
    }

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
