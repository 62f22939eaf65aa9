//! The end of a run that somebody asks for, in whatever state it is.

use super::{Reason, Run, RunState};
use crate::manifest::Class;

/// What becomes of the wish that a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndAsked {
    /// It waited, and is off the queue.
    Dequeued,
    /// It is wanted away for its room alone, and is back in the queue by itself: there it stays.
    Waits,
    /// It is being ended; its work is saved.
    Ending,
    /// Its work is being published, which is past stopping.
    Publishing,
}

impl EndAsked {
    /// What becomes of the wish that a run ends for this reason; none: it has ended already.
    pub fn of(run: &Run, reason: &Reason) -> Option<Self> {
        match run.state {
            state if state.ended() => None,
            state if state.waits() && stays_queued(run, reason) => Some(Self::Waits),
            state if state.waits() => Some(Self::Dequeued),
            RunState::Publishing => Some(Self::Publishing),
            _ => Some(Self::Ending),
        }
    }
}

/// Whether a run that waits is left alone by who wants it away for this reason: work has no room that it could give back, and once ended
/// nobody would take it up again. Checks end with the work that they judge.
fn stays_queued(run: &Run, reason: &Reason) -> bool {
    run.class != Class::Ci && matches!(reason, Reason::Evicted { .. } | Reason::GaveWay { .. })
}

impl Reason {
    /// How a run ends for which somebody wants that for this reason.
    pub fn ends_as(&self) -> RunState {
        match self {
            Self::Stopped { .. } => RunState::Cancelled,
            Self::Evicted { .. } | Self::GaveWay { .. } => RunState::Evicted,
            Self::RunnerSilent { .. } => RunState::Lost,
            _ => RunState::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Did;
    use serde_json::json;

    fn did() -> Did {
        format!("did:key:z6Mk{}", "a".repeat(44)).parse().unwrap()
    }

    fn run(class: Class, state: RunState) -> Run {
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": class, "project": "demo", "member": did(), "requester": did(),
            "state": state, "queued_at": 0,
        });
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn work_that_waits_again_gives_no_room_back_and_a_person_may_still_end_it() {
        let (evicted, stopped) = (Reason::Evicted { message: String::new() }, Reason::Stopped { by: did() });
        let gave_way = Reason::GaveWay { to: "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().unwrap(), member: did() };
        for state in [RunState::Queued, RunState::Placing] {
            let of = |class, reason: &Reason| EndAsked::of(&run(class, state), reason);
            assert_eq!([&evicted, &gave_way].map(|reason| of(Class::Agent, reason)), [Some(EndAsked::Waits); 2]);
            assert_eq!(of(Class::Agent, &stopped), Some(EndAsked::Dequeued));
            assert_eq!(of(Class::Ci, &evicted), Some(EndAsked::Dequeued));
        }
        assert_eq!(
            [evicted, gave_way, stopped].map(|reason| reason.ends_as()),
            [RunState::Evicted, RunState::Evicted, RunState::Cancelled]
        );
    }

    #[test]
    fn what_runs_is_ended_until_its_work_is_being_published() {
        let evicted = Reason::Evicted { message: String::new() };
        let of = |state| EndAsked::of(&run(Class::Agent, state), &evicted);
        for state in [RunState::Starting, RunState::Preparing, RunState::Working, RunState::Verifying] {
            assert_eq!(of(state), Some(EndAsked::Ending), "{state:?}");
        }
        assert_eq!((of(RunState::Publishing), of(RunState::Done), of(RunState::Evicted)), (Some(EndAsked::Publishing), None, None));
    }
}
