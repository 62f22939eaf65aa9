//! The fast way to the best devices: all of them are looked at, as rows of the snapshot's index, and only the best are kept.

use super::{
    Avoid, Request, Snapshot,
    rows::Mask,
    score::{Asked, DATA_POINTS, OWN_POINTS, WARM_POINTS},
    snapshot::{Key, Row},
};
use crate::{
    Did,
    capacity::Resources,
    limits::{ASK_MAX, LOOKED_UP_MAX},
};
use std::collections::{BTreeMap, BTreeSet};

/// The best devices for a request, best first.
pub(super) fn best(request: &Request<'_>, snapshot: &Snapshot) -> Vec<Did> {
    if request.at > request.manifest.expires {
        return vec![];
    }
    let rows = Rows::of(request, snapshot);
    let late = Late::of(request);
    let found = rows.best(request, snapshot, |row| snapshot.candidate(row).is_some_and(|c| late.lets(&c.device)));
    found.into_iter().filter_map(|row| snapshot.candidate(row)).map(|candidate| candidate.device.clone()).collect()
}

/// Rows by what the request names.
struct Rows {
    /// Those that no filter by name excludes.
    possible: Mask,
    /// Those of the member's own devices.
    own: Mask,
    /// Those where the repository is.
    data: Mask,
    /// Those where it was used last.
    warm: Mask,
}

impl Rows {
    fn of(request: &Request<'_>, snapshot: &Snapshot) -> Self {
        let (manifest, repository) = (request.manifest, request.manifest.work.repository());
        let with = |key: Key| {
            let mut mask = Mask::none_like(snapshot.open());
            mask.or(snapshot.set(&key));
            mask
        };
        let own = with(Key::Owner(request.member.to_owned()));
        // What a class is lent for concerns guests; the owner's own runs need no leave.
        let mut accepts = own.clone();
        accepts.or(snapshot.set(&Key::Class(manifest.class)));
        let mut possible = snapshot.open().clone();
        possible.and_mask(&accepts);
        let runtime = manifest.runtime.map(Key::Runtime);
        let tags = manifest.tags.iter().map(|(tag, value)| Key::Tag(tag.clone(), value.clone()));
        let engine = request.engine.map(|engine| Key::Engine(engine.to_owned()));
        for key in runtime.into_iter().chain(tags).chain(engine) {
            possible.and(snapshot.set(&key));
        }
        exclude(&mut possible, request, snapshot);
        Self { possible, own, data: with(Key::Data(repository.clone())), warm: with(Key::Warm(repository.clone())) }
    }

    /// The best rows, best first. `lets` is asked only of rows that would be among them.
    fn best(&self, request: &Request<'_>, snapshot: &Snapshot, lets: impl Fn(usize) -> bool) -> Vec<usize> {
        let (wanted, asked, now) = (request.manifest.resources, Asked::of(request.manifest.resources), request.at.0);
        let (own, data, warm) = (self.own.words(), self.data.words(), self.warm.words());
        let mut best = Best::new();
        for (word, possible) in self.possible.words().iter().enumerate() {
            let mut rest = *possible;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                let at = word * u64::BITS as usize + bit as usize;
                let row = &snapshot.rows()[at];
                let flag = |words: &[u64]| u32::from((words[word] >> bit) & 1 == 1);
                let mine = flag(own);
                let fits = holds(row, wanted) & ((mine == 1) | (row.guests_from <= now));
                let of_names = flag(data) * DATA_POINTS + flag(warm) * WARM_POINTS + mine * OWN_POINTS;
                let key = key(row.standing + asked.fit(row.size) + of_names, row.rank);
                // One branch, which is hardly ever taken: others would be guessed wrong half of the time.
                if (fits & (key > best.least)) && lets(at) {
                    best.put(key, at);
                }
            }
        }
        best.rows()
    }
}

/// Whether the room suffices.
fn holds(row: &Row, wanted: Resources) -> bool {
    (row.room.cpu_milli >= wanted.cpu_milli)
        & (row.room.memory_bytes >= wanted.memory_bytes)
        & (row.room.disk_bytes >= wanted.disk_bytes)
        & (row.room.gpus >= wanted.gpus)
}

/// A number that is the larger the better: by points, and among equals by the devices' names.
fn key(points: u32, rank: u32) -> u64 {
    (u64::from(points) << 32) | u64::from(u32::MAX - rank)
}

/// The best rows until now, with their keys, best first.
struct Best {
    kept: Vec<(u64, usize)>,
    /// What a key must exceed to be among them.
    least: u64,
}

impl Best {
    fn new() -> Self {
        Self { kept: Vec::with_capacity(ASK_MAX + 1), least: 0 }
    }

    fn put(&mut self, key: u64, row: usize) {
        let place = self.kept.partition_point(|(there, _)| *there > key);
        self.kept.insert(place, (key, row));
        self.kept.truncate(ASK_MAX);
        if self.kept.len() == ASK_MAX {
            self.least = self.kept.last().map_or(0, |(key, _)| *key);
        }
    }

    fn rows(self) -> Vec<usize> {
        self.kept.into_iter().map(|(_, row)| row).collect()
    }
}

/// Takes out who may not read and who is to be avoided, as far as these are few.
fn exclude(possible: &mut Mask, request: &Request<'_>, snapshot: &Snapshot) {
    if let Some(readers) = request.readers.filter(|readers| readers.len() <= LOOKED_UP_MAX) {
        let mut may_read = Mask::none_like(possible);
        for row in readers.iter().filter_map(|device| snapshot.row_of(device)) {
            may_read.put(row);
        }
        possible.and_mask(&may_read);
    }
    if request.avoid.len() <= LOOKED_UP_MAX {
        for row in request.avoid.keys().filter_map(|device| snapshot.row_of(device)) {
            possible.remove(row);
        }
    }
}

/// What is tested late, of single devices, since going through it would take longer than all the rest.
struct Late<'a> {
    readers: Option<&'a BTreeSet<Did>>,
    avoid: Option<&'a BTreeMap<Did, Avoid>>,
}

impl<'a> Late<'a> {
    fn of(request: &Request<'a>) -> Self {
        Self {
            readers: request.readers.filter(|readers| readers.len() > LOOKED_UP_MAX),
            avoid: Some(request.avoid).filter(|avoid| avoid.len() > LOOKED_UP_MAX),
        }
    }

    fn lets(&self, device: &Did) -> bool {
        self.readers.is_none_or(|readers| readers.contains(device)) && self.avoid.is_none_or(|avoid| !avoid.contains_key(device))
    }
}
