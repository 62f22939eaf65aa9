//! A clock that stands still until it is told to go on, and what is due at which moment.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// A clock with what is due. Of two things that are due at one moment the one that was put in first comes first.
#[derive(Debug)]
pub struct Clock<E> {
    now_ms: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<Due<E>>>,
}

#[derive(Debug)]
struct Due<E> {
    at_ms: u64,
    sequence: u64,
    event: E,
}

impl<E> Due<E> {
    fn order(&self) -> (u64, u64) {
        (self.at_ms, self.sequence)
    }
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<E> Eq for Due<E> {}

impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Due<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl<E> Clock<E> {
    /// At this moment, in milliseconds since 1970; nothing is due.
    pub fn new(now_ms: u64) -> Self {
        Self { now_ms, sequence: 0, queue: BinaryHeap::new() }
    }

    /// Now, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Has something happen so many milliseconds from now.
    pub fn after(&mut self, ms: u64, event: E) {
        self.sequence += 1;
        self.queue.push(Reverse(Due { at_ms: self.now_ms.saturating_add(ms), sequence: self.sequence, event }));
    }

    /// Goes on to what is due next. None: nothing ever is.
    pub fn next_due(&mut self) -> Option<E> {
        let Reverse(due) = self.queue.pop()?;
        self.now_ms = due.at_ms;
        Some(due.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_its_order_and_of_one_moment_as_it_was_put_in() {
        let mut clock = Clock::new(100);
        for (ms, name) in [(5, "c"), (0, "a"), (5, "d"), (1, "b")] {
            clock.after(ms, name);
        }
        let all: Vec<_> = std::iter::from_fn(|| clock.next_due().map(|name| (clock.now_ms(), name))).collect();
        assert_eq!(all, [(100, "a"), (101, "b"), (105, "c"), (105, "d")]);
    }
}
