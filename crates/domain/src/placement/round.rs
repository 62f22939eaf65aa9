//! One round of asking: devices in the order in which they suit, one at a time, the next only once the one before refused.

use super::Refusal;
use crate::{
    Did,
    limits::ASK_MAX,
    run::{Run, RunState},
};
use std::collections::VecDeque;

/// A round of asking for one run.
#[derive(Clone, Debug)]
pub struct Round {
    rest: VecDeque<Did>,
    asked: Option<Did>,
}

impl Round {
    /// Asks these devices for a run of `here`, in this order; at most [`ASK_MAX`]. Who was asked before, and did not answer for as long as
    /// what it was sent counted, comes last.
    pub fn new(run: &Run, here: &Did, mut order: Vec<Did>) -> Self {
        if let Some(silent) = run.elsewhere(here).filter(|_| run.state == RunState::Placing) {
            // The sort keeps the rest as it is.
            order.sort_by_key(|did| did == silent);
        }
        Self { rest: order.into_iter().take(ASK_MAX).collect(), asked: None }
    }

    /// Who is to be asked next; none: nobody is left.
    pub fn next(&self) -> Option<&Did> {
        self.rest.front()
    }

    /// The device to ask now. None while the answer of the one before is missing, and when nobody is left.
    pub fn ask(&mut self) -> Option<Did> {
        if self.asked.is_some() {
            return None;
        }
        self.asked = self.rest.pop_front();
        self.asked.clone()
    }

    /// The device that is asked now refused with these reasons, or does not answer and was not sent anything yet. Where it sends others
    /// away for the run nobody else is asked, who might do the same for nothing.
    pub fn refused(&mut self, reasons: &[Refusal]) {
        self.asked = None;
        if Refusal::makes_room(reasons) {
            self.rest.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::placement::tests::did;
    use serde_json::json;

    /// A run that device 0 asks for, and asked device 1 for last.
    fn run(state: &str) -> Run {
        let run = json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "class": "agent", "project": "demo", "member": did(9), "requester": did(0), "asked": did(1),
            "state": state, "queued_at": 0,
        });
        serde_json::from_value(run).unwrap()
    }

    fn round(state: &str, devices: u8) -> Round {
        Round::new(&run(state), &did(0), (0..devices).map(did).collect())
    }

    #[test]
    fn one_device_is_asked_at_a_time_and_no_more_than_the_limit() {
        let mut round = round("queued", 10);
        for expected in (0..10).map(did).take(ASK_MAX) {
            assert_eq!(round.next(), Some(&expected));
            assert_eq!(round.ask(), Some(expected));
            assert_eq!(round.ask(), None, "its answer is missing");
            round.refused(&[Refusal::NoSlot { slots: 1 }]);
        }
        assert_eq!((round.next(), round.clone().ask()), (None, None));
    }

    #[test]
    fn who_did_not_answer_is_asked_last() {
        let order = |mut round: Round| -> Vec<Did> {
            let next = || {
                round.refused(&[]);
                round.ask()
            };
            std::iter::from_fn(next).collect()
        };
        assert_eq!(order(round("placing", 3)), [0, 2, 1].map(did));
        assert_eq!(order(round("queued", 3)), [0, 1, 2].map(did), "it refused, and its word counts as any");
    }

    #[test]
    fn where_one_makes_room_no_other_is_asked_to() {
        let mut round = round("queued", 3);
        assert_eq!(round.ask(), Some(did(0)));
        round.refused(&[Refusal::NoSlot { slots: 1 }, Refusal::MakesRoom { runs: 1 }]);
        assert_eq!((round.next(), round.clone().ask()), (None, None));
    }
}
