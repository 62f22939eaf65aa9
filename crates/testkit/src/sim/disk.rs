//! A disk that takes its time, and forgets at a crash what it had not written yet.

use crate::Random;
use std::collections::VecDeque;

/// A disk onto which things are written one after the other.
#[derive(Debug)]
pub struct Disk<T> {
    /// A thing takes up to so long, in milliseconds.
    pub slowest_ms: u64,
    written: Vec<T>,
    waiting: VecDeque<T>,
    busy_until_ms: u64,
}

impl<T> Disk<T> {
    /// An empty one.
    pub fn new(slowest_ms: u64) -> Self {
        Self { slowest_ms, written: vec![], waiting: VecDeque::new(), busy_until_ms: 0 }
    }

    /// Has something written; says in how many milliseconds it will be.
    pub fn write(&mut self, random: &mut Random, now_ms: u64, one: T) -> u64 {
        self.waiting.push_back(one);
        self.busy_until_ms = self.busy_until_ms.max(now_ms) + 1 + random.below(self.slowest_ms.max(1));
        self.busy_until_ms - now_ms
    }

    /// Writes something, and waits for it.
    pub fn write_now(&mut self, one: T) {
        self.written.push(one);
    }

    /// The oldest that waits is written.
    pub fn done(&mut self) -> Option<&T> {
        self.written.push(self.waiting.pop_front()?);
        self.written.last()
    }

    /// What is written, oldest first.
    pub fn written(&self) -> &[T] {
        &self.written
    }

    /// How many things wait to be written.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What waits is lost, but for the first so many, which were written a moment before.
    pub fn crash(&mut self, kept: usize) {
        let kept = kept.min(self.waiting.len());
        self.written.extend(self.waiting.drain(..kept));
        self.waiting.clear();
        self.busy_until_ms = 0;
    }

    /// An older copy is put in its place, which has only the first so many.
    pub fn restore(&mut self, kept: usize) {
        self.waiting.clear();
        self.written.truncate(kept);
        self.busy_until_ms = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_costs_what_was_not_written_yet() {
        let (mut disk, mut random) = (Disk::new(5), Random::of(7, "SEED=7"));
        disk.write_now('a');
        let times: Vec<u64> = ['b', 'c', 'd'].map(|one| disk.write(&mut random, 100, one)).to_vec();
        assert!(times.is_sorted() && times[0] >= 1 && times[2] <= 15, "{times:?}");
        assert_eq!(disk.done(), Some(&'b'));
        disk.crash(1);
        assert_eq!(disk.done(), None);
        assert_eq!((disk.written(), disk.waiting()), (['a', 'b', 'c'].as_slice(), 0));
        disk.restore(1);
        assert_eq!(disk.written(), ['a']);
    }
}
