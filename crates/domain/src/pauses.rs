//! Pauses between the tries of what fails: each is twice as long as the one before, up to a longest.

use std::time::Duration;

/// Such pauses, and how many of them were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    made: u32,
}

impl Pauses {
    /// They begin with the first, and none is longer than the longest.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, made: 0 }
    }

    /// The pause after so many others.
    pub fn after(&self, others: u32) -> Duration {
        self.first.saturating_mul(2u32.saturating_pow(others)).min(self.longest)
    }

    /// The pause to make now, after another failure.
    pub fn another(&mut self) -> Duration {
        let pause = self.after(self.made);
        self.made = self.made.saturating_add(1);
        pause
    }

    /// Begins with the first again: it did not fail.
    pub fn anew(&mut self) {
        self.made = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_longest_and_begin_anew() {
        let mut pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(60));
        let made: Vec<u64> = (0..8).map(|_| pauses.another().as_secs()).collect();
        assert_eq!(made, [1, 2, 4, 8, 16, 32, 60, 60]);
        pauses.anew();
        assert_eq!([pauses.another(), pauses.another()].map(|pause| pause.as_secs()), [1, 2]);
        assert_eq!([3, 40, u32::MAX].map(|others| pauses.after(others).as_secs()), [8, 60, 60]);
    }
}
