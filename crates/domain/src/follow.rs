//! Following a run that another device executes: for how long it is waited for, and when nothing will come of it any more. Pure: who
//! follows a run says what came over each connection, by a clock that never goes back.

use crate::{
    Did,
    lease::{Reached, is_lost},
    run::{Reason, Run, RunState},
};

/// What a device told of a run over one connection, until that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// All: nothing more of it came for a while.
    All,
    /// What its journal has up to this number; there may be more.
    UpTo(u64),
    /// Nothing.
    Nothing,
}

/// Why nothing will come of a run any more, whatever its device still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// Its device does not belong to the org any more.
    Outside,
    /// Its device was not heard of for longer than a lease lasts, and cannot be reached.
    Silent {
        /// For how long, in milliseconds.
        silent_ms: u64,
    },
    /// Its device says for a while that it does not have it.
    Missing,
    /// It is over at its device, which has told all of it: its journal was put back to before a fact that was heard here, and the end has
    /// the number of an earlier one.
    EndUnheard,
}

impl GivenUp {
    /// In words for a person; `device` executed the run.
    pub fn text(self, device: &Did) -> String {
        match self {
            Self::Outside => format!("Its device {device} does not belong to the org any more."),
            Self::Silent { silent_ms } => {
                let silent_s = silent_ms / 1_000;
                format!("Its device {device} was not heard of for {silent_s} s, longer than its lease, and cannot be reached.")
            }
            Self::Missing => {
                format!("Its device {device} does not have it any more, as when a backup from before it began was put back there.")
            }
            Self::EndUnheard => {
                format!("It ended at its device {device}, which cannot tell how any more, as when a backup from before was put back there.")
            }
        }
    }

    /// How the run ends: as lost; or done, where its patch is here and only its end was not heard; or as a person wanted who stopped it,
    /// so that it is not taken up again.
    pub fn end(self, run: Run, device: &Did) -> (RunState, Reason) {
        match run.ending {
            _ if run.revision.is_some() => (RunState::Done, Reason::Completed),
            Some(stopped @ Reason::Stopped { .. }) => (RunState::Cancelled, stopped),
            _ => (RunState::Lost, Reason::Vanished { message: self.text(device) }),
        }
    }
}

/// What is known of a run elsewhere by following it. Times are in milliseconds, by the clock of who follows it.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// When its device was heard of last.
    heard_ms: u64,
    /// Since when its device says that it does not have it.
    missing_ms: Option<u64>,
    /// What came over the last connection; none where the run was not over at its device when that ended.
    over_there: Option<Came>,
}

impl Following {
    /// Follows a run whose device was heard of last at `heard_ms`.
    pub fn begin(heard_ms: u64) -> Self {
        Self { heard_ms, missing_ms: None, over_there: None }
    }

    /// Its device told something.
    pub fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// Whether its device said last that it does not have it.
    pub fn is_missing(&self) -> bool {
        self.missing_ms.is_some()
    }

    /// A connection ended over which this came, and the run goes on here: `over_there` says whether it is over at its device by then. It
    /// is given up once nothing more will be told of it. It was over before this connection began, if it was so after the one before: then
    /// all of it came, or both ended at the same fact, as where its end cannot be read here. A connection that ends earlier is of a device
    /// that is being closed.
    pub fn told(&mut self, came: Came, over_there: bool) -> Option<GivenUp> {
        self.missing_ms = None;
        let before = std::mem::replace(&mut self.over_there, over_there.then_some(came));
        let all = match (before, self.over_there) {
            (Some(_), Some(Came::All)) => true,
            (Some(before), Some(now @ Came::UpTo(_))) => before == now,
            _ => false,
        };
        all.then_some(GivenUp::EndUnheard)
    }

    /// Its device says that it does not have it. That is not taken at its first word, but once it says so for `missing_max_ms`: a disk
    /// that was put back is joined with what others hold of its journal, by which the run may come back.
    pub fn missing(&mut self, now_ms: u64, missing_max_ms: u64) -> Option<GivenUp> {
        let since_ms = *self.missing_ms.get_or_insert(now_ms);
        (now_ms.saturating_sub(since_ms) >= missing_max_ms).then_some(GivenUp::Missing)
    }

    /// A connection broke, or none came about; `reached` says what came of reaching the device directly then.
    pub fn broke(&mut self, now_ms: u64, lease_ms: u64, reached: Reached) -> Option<GivenUp> {
        let silent_ms = now_ms.saturating_sub(self.heard_ms);
        if reached == Reached::Yes {
            self.heard(now_ms);
        }
        is_lost(silent_ms, lease_ms, reached).then_some(GivenUp::Silent { silent_ms })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn did() -> Did {
        "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp".parse().unwrap()
    }

    #[test]
    fn a_run_that_a_person_stopped_while_its_device_was_away_is_not_lost() {
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did(), "requester": did(),
            "state": "working", "queued_at": 0,
        });
        let plain: Run = serde_json::from_value(run).unwrap();
        let stopped = Run { ending: Some(Reason::Stopped { by: did() }), ..plain.clone() };
        let evicted = Run { ending: Some(Reason::Evicted { message: String::new() }), ..plain.clone() };
        let published = Run { revision: Some("1".repeat(40).parse().unwrap()), ..stopped.clone() };
        let end = |run: &Run| GivenUp::Outside.end(run.clone(), &did()).0;
        assert_eq!([&plain, &evicted].map(end), [RunState::Lost; 2]);
        assert_eq!([&stopped, &published].map(end), [RunState::Cancelled, RunState::Done]);
    }

    #[test]
    fn a_device_that_is_away_is_waited_for_until_the_lease_is_over() {
        let mut following = Following::begin(1_000);
        assert_eq!(following.broke(1_100, 100, Reached::No), None);
        let silent = following.broke(3_101, 100, Reached::No).unwrap();
        assert_eq!(silent, GivenUp::Silent { silent_ms: 2_101 });
        assert!(silent.text(&did()).contains("for 2 s"), "{}", silent.text(&did()));
        assert_eq!(following.broke(3_200, 100, Reached::Yes), None, "it is there");
        assert_eq!(following.broke(3_300, 100, Reached::No), None, "it was there a moment ago");
        following.heard(3_390);
        assert_eq!(following.broke(3_490, 100, Reached::No), None, "it was heard of since");
        assert_eq!(following.broke(3_491, 100, Reached::No), Some(GivenUp::Silent { silent_ms: 101 }));
    }

    #[test]
    fn a_device_that_does_not_have_a_run_is_asked_for_a_while_before_the_run_is_given_up() {
        let mut following = Following::begin(0);
        assert_eq!(following.missing(500, 100), None, "it may come back with what others hold");
        assert_eq!(following.missing(599, 100), None);
        assert_eq!(following.broke(599, 1_000, Reached::No), None);
        assert!(following.is_missing(), "a connection that breaks says nothing else");
        assert_eq!(following.missing(600, 100), Some(GivenUp::Missing));
        assert_eq!(following.told(Came::Nothing, false), None);
        assert!(!following.is_missing(), "it has come back");
        assert_eq!(following.missing(700, 100), None, "a while begins anew");
        let said = GivenUp::Missing.text(&did());
        assert!(said.contains(did().as_str()) && said.contains("does not have it any more"), "{said}");
    }

    #[test]
    fn a_run_that_is_over_at_its_device_is_given_up_only_once_all_of_it_was_told() {
        let given_up = |before: (Came, bool), now: (Came, bool)| {
            let mut following = Following::begin(0);
            assert_eq!(following.told(before.0, before.1), None, "it may have ended meanwhile");
            following.told(now.0, now.1).is_some()
        };
        let (all, nothing) = (Came::All, Came::Nothing);
        for before in [all, nothing, Came::UpTo(7)] {
            assert!(given_up((before, true), (all, true)), "{before:?}");
            assert!(!given_up((before, false), (all, true)), "{before:?}: it may have ended meanwhile");
            assert!(!given_up((before, true), (all, false)), "{before:?}: it goes on there");
            assert!(!given_up((before, true), (nothing, true)), "{before:?}: cut off");
            assert!(!given_up((before, true), (Came::UpTo(8), true)), "{before:?}: cut off");
        }
        assert!(given_up((Came::UpTo(7), true), (Came::UpTo(7), true)), "its end cannot be read");
        assert!(!given_up((Came::UpTo(7), false), (Came::UpTo(7), true)));
    }
}
