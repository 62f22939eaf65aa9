//! A network that delays, loses, and parts.

use crate::Random;
use std::collections::BTreeMap;

/// A network between places that are numbered from 0. A place always reaches itself.
#[derive(Debug)]
pub struct Network {
    /// How many of a hundred messages are lost.
    pub lost_percent: u64,
    /// Messages take up to so long, in milliseconds.
    pub slowest_ms: u64,
    /// On which side of a partition each place is; empty where there is none.
    sides: Vec<bool>,
    /// Pairs that do not reach each other before a moment.
    cut: BTreeMap<(usize, usize), u64>,
}

impl Network {
    /// One that loses nothing.
    pub fn new(slowest_ms: u64) -> Self {
        Self { lost_percent: 0, slowest_ms, sides: vec![], cut: BTreeMap::new() }
    }

    /// Parts so many places in two.
    pub fn part(&mut self, places: usize, random: &mut Random) {
        self.sides = (0..places).map(|_| random.below(2) == 0).collect();
    }

    /// Whether it is parted.
    pub fn is_parted(&self) -> bool {
        !self.sides.is_empty()
    }

    /// Joins what was parted.
    pub fn join(&mut self) {
        self.sides.clear();
    }

    /// Keeps two places from each other until a moment.
    pub fn cut(&mut self, a: usize, b: usize, until_ms: u64) {
        self.cut.insert((a.min(b), a.max(b)), until_ms);
    }

    /// Nothing is lost, parted or cut any more.
    pub fn heal(&mut self) {
        self.lost_percent = 0;
        self.sides.clear();
        self.cut.clear();
    }

    /// Whether two places are neither parted nor cut off from each other.
    pub fn reaches(&self, now_ms: u64, a: usize, b: usize) -> bool {
        let cut = self.cut.get(&(a.min(b), a.max(b))).is_some_and(|until_ms| now_ms < *until_ms);
        a == b || (self.sides.get(a) == self.sides.get(b) && !cut)
    }

    /// How long a message takes, in milliseconds; none: it is lost.
    pub fn carry(&mut self, random: &mut Random, now_ms: u64, from: usize, to: usize) -> Option<u64> {
        if from == to {
            return Some(0);
        }
        let delay_ms = 1 + random.below(self.slowest_ms.max(1));
        let lost = random.below(100) < self.lost_percent;
        (!lost && self.reaches(now_ms, from, to)).then_some(delay_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parted_or_cut_is_reached_again_once_it_is_whole() {
        let (mut network, mut random) = (Network::new(10), Random::of(7, "SEED=7"));
        let mut reaches = |network: &mut Network, now_ms, to| network.carry(&mut random, now_ms, 0, to).is_some();
        network.cut(1, 0, 50);
        assert!(!reaches(&mut network, 49, 1) && reaches(&mut network, 50, 1) && reaches(&mut network, 0, 2));
        network.lost_percent = 100;
        assert!(!reaches(&mut network, 60, 1) && reaches(&mut network, 60, 0));
        network.cut(0, 1, 99);
        network.heal();
        assert!(reaches(&mut network, 60, 1) && !network.is_parted());
    }
}
