//! One round of asking: devices in the order in which they suit, one at a time, the next only once the one before refused.

use crate::{Did, limits::ASK_MAX};
use std::collections::VecDeque;

/// A round of asking for one run.
#[derive(Clone, Debug)]
pub struct Round {
    rest: VecDeque<Did>,
    asked: Option<Did>,
}

impl Round {
    /// Asks these devices, in this order; at most [`ASK_MAX`].
    pub fn new(order: Vec<Did>) -> Self {
        Self { rest: order.into_iter().take(ASK_MAX).collect(), asked: None }
    }

    /// The device to ask now. None while the answer of the one before is missing, and when nobody is left.
    pub fn ask(&mut self) -> Option<Did> {
        if self.asked.is_some() {
            return None;
        }
        self.asked = self.rest.pop_front();
        self.asked.clone()
    }

    /// The device that is asked now refused, or does not answer and was not sent anything yet.
    pub fn refused(&mut self) {
        self.asked = None;
    }

    /// The device that is asked now sends others away for this run: nobody else is asked, who might do the same for nothing.
    pub fn made_room(&mut self) {
        (self.asked, self.rest) = (None, VecDeque::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::tests::did;

    #[test]
    fn one_device_is_asked_at_a_time_and_no_more_than_the_limit() {
        let order: Vec<Did> = (0..10).map(did).collect();
        let mut round = Round::new(order.clone());
        for expected in order.iter().take(ASK_MAX) {
            assert_eq!(round.ask().as_ref(), Some(expected));
            assert_eq!(round.ask(), None, "its answer is missing");
            round.refused();
        }
        assert_eq!(round.ask(), None);
    }

    #[test]
    fn where_one_makes_room_no_other_is_asked_to() {
        let mut round = Round::new((0..3).map(did).collect());
        assert_eq!(round.ask(), Some(did(0)));
        round.made_room();
        assert_eq!(round.ask(), None);
    }
}
