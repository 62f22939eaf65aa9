//! The mesh as the planner sees it, with an index that makes [`super::plan`] fast.
//!
//! Each device has a row. What a request names (class, runtime, tag, engine, owner, repository) is a set of rows, so that all filters
//! by name are a few hundred operations on bits for thousands of devices; what is compared by amount lies in compact rows beside each
//! other. Devices with the same points are a set too, so that the best are looked at first. The index is kept when a device is put or
//! removed, and never when something is asked.

use super::{
    Candidate,
    rows::{Mask, RowSet},
    score::{self, Size},
    until,
};
use crate::{
    Did, Rid,
    capacity::{Resources, Runtime},
    manifest::Class,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasherDefault, DefaultHasher},
};

/// What devices can be told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Lends to guests for this class.
    Class(Class),
    /// Has this runtime.
    Runtime(Runtime),
    /// Has this tag with this value.
    Tag(String, String),
    /// Has this engine.
    Engine(String),
    /// Belongs to this member.
    Owner(String),
    /// Has this repository.
    Data(Rid),
    /// Used this repository last.
    Warm(Rid),
    /// Has so many points whatever is asked.
    Standing(u32),
}

/// What of a device is compared by amount.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    /// What is free, and never more than it has.
    pub(super) room: Resources,
    /// It takes no guests before this moment, in milliseconds since 1970.
    pub(super) guests_from: i64,
    /// Points that it has whatever is asked.
    pub(super) standing: u32,
    /// Its place among all devices, by their names.
    pub(super) rank: u32,
    /// How large it is in all.
    pub(super) size: Size,
}

impl Row {
    fn of(candidate: &Candidate, rank: u32) -> Self {
        let (free, total) = (candidate.capacity.free, candidate.capacity.total);
        Self {
            room: Resources {
                cpu_milli: free.cpu_milli.min(total.cpu_milli),
                memory_bytes: free.memory_bytes.min(total.memory_bytes),
                disk_bytes: free.disk_bytes.min(total.disk_bytes),
                gpus: free.gpus.min(total.gpus),
            },
            guests_from: candidate.reclaimed.as_ref().map_or(i64::MIN, |why| until(why).0),
            standing: score::standing(candidate),
            rank,
            size: Size::of(total),
        }
    }
}

/// All devices of the mesh, as they are known now.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By row; none where a device was removed.
    candidates: Vec<Option<Candidate>>,
    rows: Vec<Row>,
    /// Rows that are free again.
    left: Vec<usize>,
    /// Rows, in the order of their devices' names.
    sorted: Vec<usize>,
    /// Where a device is. Hashed without random keys, and never gone through: nothing depends on chance.
    places: HashMap<Did, usize, BuildHasherDefault<DefaultHasher>>,
    /// Rows of devices that may take something at all: with a runtime and a free slot, and heard of.
    open: Mask,
    sets: BTreeMap<Key, RowSet>,
}

impl Snapshot {
    /// Without any device.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a device in, or what is known of it now in place of what was.
    pub fn put(&mut self, candidate: Candidate) {
        let row = match self.places.get(&candidate.device) {
            Some(row) => *row,
            None => self.enter(&candidate.device),
        };
        let (before, now) = (self.candidates[row].as_ref().map(keys).unwrap_or_default(), keys(&candidate));
        for key in before.difference(&now) {
            self.leave(key, row);
        }
        for key in now.difference(&before) {
            self.sets.entry(key.clone()).or_default().put(row);
        }
        if opens(&candidate) {
            self.open.put(row);
        } else {
            self.open.remove(row);
        }
        self.rows[row] = Row::of(&candidate, self.rows[row].rank);
        self.candidates[row] = Some(candidate);
    }

    /// Forgets a device.
    pub fn remove(&mut self, device: &Did) {
        let Some(row) = self.places.remove(device) else { return };
        for key in self.candidates[row].take().as_ref().map(keys).unwrap_or_default() {
            self.leave(&key, row);
        }
        self.open.remove(row);
        if let Some(place) = self.sorted.iter().position(|there| *there == row) {
            self.sorted.remove(place);
            self.number(place);
        }
        self.left.push(row);
    }

    /// What is known of a device.
    pub fn get(&self, device: &Did) -> Option<&Candidate> {
        self.candidate(*self.places.get(device)?)
    }

    /// How many devices there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// All devices, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.sorted.iter().filter_map(|row| self.candidate(*row))
    }

    /// What all devices lend together: of this [`super::order`] counts shares.
    pub fn total(&self) -> Resources {
        self.iter().fold(Resources::default(), |sum, candidate| sum.plus(candidate.capacity.total))
    }

    pub(super) fn candidate(&self, row: usize) -> Option<&Candidate> {
        self.candidates.get(row)?.as_ref()
    }

    pub(super) fn row_of(&self, device: &Did) -> Option<usize> {
        self.places.get(device).copied()
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn open(&self) -> &Mask {
        &self.open
    }

    pub(super) fn set(&self, key: &Key) -> Option<&RowSet> {
        self.sets.get(key)
    }

    /// Devices with equal standing points, those with the most first.
    pub(super) fn levels(&self) -> impl Iterator<Item = (u32, &RowSet)> {
        let all = self.sets.range(Key::Standing(0)..=Key::Standing(u32::MAX)).rev();
        all.filter_map(|(key, set)| match key {
            Key::Standing(points) => Some((*points, set)),
            _ => None,
        })
    }

    /// A row for a device that is not there yet.
    fn enter(&mut self, device: &Did) -> usize {
        let row = self.left.pop().unwrap_or(self.rows.len());
        if row == self.rows.len() {
            self.rows.push(Row::default());
            self.candidates.push(None);
            self.open.reach(self.rows.len());
        }
        let before = |row: &usize| self.candidate(*row).is_some_and(|candidate| candidate.device < *device);
        let place = self.sorted.partition_point(before);
        self.sorted.insert(place, row);
        self.number(place);
        self.places.insert(device.clone(), row);
        row
    }

    /// Numbers the devices anew, from a place on.
    fn number(&mut self, from: usize) {
        for (rank, row) in self.sorted.iter().enumerate().skip(from) {
            self.rows[*row].rank = u32::try_from(rank).unwrap_or(u32::MAX);
        }
    }

    fn leave(&mut self, key: &Key, row: usize) {
        if let Some(set) = self.sets.get_mut(key) {
            set.remove(row);
            if set.is_empty() {
                self.sets.remove(key);
            }
        }
    }
}

fn opens(candidate: &Candidate) -> bool {
    !candidate.suspected && candidate.capacity.slots_free > 0 && !candidate.capacity.runtimes.is_empty()
}

fn keys(candidate: &Candidate) -> BTreeSet<Key> {
    let capacity = &candidate.capacity;
    let mut keys = BTreeSet::from([Key::Owner(candidate.owner.clone()), Key::Standing(score::standing(candidate))]);
    keys.extend(capacity.classes.iter().copied().map(Key::Class));
    keys.extend(capacity.runtimes.iter().copied().map(Key::Runtime));
    keys.extend(capacity.tags.iter().map(|(tag, value)| Key::Tag(tag.clone(), value.clone())));
    keys.extend(candidate.engines.iter().cloned().map(Key::Engine));
    keys.extend(candidate.repositories.iter().cloned().map(Key::Data));
    keys.extend(candidate.warm().iter().cloned().map(Key::Warm));
    keys
}
