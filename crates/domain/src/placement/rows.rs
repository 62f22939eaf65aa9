//! Sets of rows of the planner's index: sparse ones, which are kept, and dense ones, which live for one decision.

const BITS: usize = u64::BITS as usize;

fn place(row: usize) -> (usize, u64) {
    (row / BITS, 1 << (row % BITS))
}

/// A set of rows as words of 64, only those that are not empty, in order: a tag that one device has costs 16 bytes, and one that all
/// have is read at the speed of a dense set.
#[derive(Clone, Debug, Default)]
pub(super) struct RowSet(Vec<(usize, u64)>);

impl RowSet {
    pub(super) fn put(&mut self, row: usize) {
        let (word, bit) = place(row);
        match self.0.binary_search_by_key(&word, |entry| entry.0) {
            Ok(at) => self.0[at].1 |= bit,
            Err(at) => self.0.insert(at, (word, bit)),
        }
    }

    pub(super) fn remove(&mut self, row: usize) {
        let (word, bit) = place(row);
        if let Ok(at) = self.0.binary_search_by_key(&word, |entry| entry.0) {
            self.0[at].1 &= !bit;
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words that are not empty, each with its place and for 64 rows.
    pub(super) fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        self.0.iter().copied()
    }
}

/// A set of rows, a bit for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Mask(Vec<u64>);

impl Mask {
    /// With room for so many rows as another, and empty.
    pub(super) fn none_like(other: &Self) -> Self {
        Self(vec![0; other.0.len()])
    }

    /// Makes room for so many rows.
    pub(super) fn reach(&mut self, rows: usize) {
        let words = rows.div_ceil(BITS);
        if words > self.0.len() {
            self.0.resize(words, 0);
        }
    }

    pub(super) fn put(&mut self, row: usize) {
        let (word, bit) = place(row);
        self.0[word] |= bit;
    }

    pub(super) fn remove(&mut self, row: usize) {
        let (word, bit) = place(row);
        self.0[word] &= !bit;
    }

    /// Adds the rows of a set.
    pub(super) fn or(&mut self, set: Option<&RowSet>) {
        for (word, bits) in set.into_iter().flat_map(|set| &set.0) {
            self.0[*word] |= bits;
        }
    }

    /// Keeps those that are in a set; none of them where there is no set.
    pub(super) fn and(&mut self, set: Option<&RowSet>) {
        let mut next = 0;
        for (word, bits) in set.into_iter().flat_map(|set| &set.0) {
            self.0[next..*word].fill(0);
            self.0[*word] &= bits;
            next = *word + 1;
        }
        self.0[next..].fill(0);
    }

    /// Adds the rows of another mask.
    pub(super) fn or_mask(&mut self, other: &Self) {
        for (word, bits) in self.0.iter_mut().zip(&other.0) {
            *word |= bits;
        }
    }

    /// Takes out those that are in another mask.
    pub(super) fn and_not(&mut self, other: &Self) {
        for (word, bits) in self.0.iter_mut().zip(&other.0) {
            *word &= !bits;
        }
    }

    /// Keeps those that are in another mask.
    pub(super) fn and_mask(&mut self, other: &Self) {
        for (word, bits) in self.0.iter_mut().zip(&other.0) {
            *word &= bits;
        }
    }

    /// The words, each for 64 rows.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }
}
