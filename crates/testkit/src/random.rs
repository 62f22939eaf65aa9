//! Random numbers from a printed seed (SplitMix64), so that a failure can be played again.
#![allow(clippy::unwrap_used)] // A harness fails its test.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

/// Where random numbers come from.
#[derive(Debug)]
pub struct Random {
    state: u64,
    seed: String,
}

impl Random {
    /// From the seed in this variable of the environment, else from a new one, which is printed.
    pub fn seeded(variable: &str) -> Self {
        let given = std::env::var(variable).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let named = format!("{variable}={seed}");
        println!("{named}");
        Self { state: seed, seed: named }
    }

    /// From this seed; `named` says how the same numbers are had again.
    pub fn of(seed: u64, named: impl Into<String>) -> Self {
        Self { state: seed, seed: named.into() }
    }

    /// The seed as it was printed: a variable of the environment that gives the same numbers again.
    pub fn seed(&self) -> String {
        self.seed.clone()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// A time below `end` milliseconds.
    pub fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }

    /// One of these; none of none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(usize::try_from(self.below(all.len() as u64)).unwrap()) }
    }
}
