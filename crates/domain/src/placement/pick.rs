//! The fast way to the best devices. Those that the request itself speaks for (the member's own, and where the repository is) are all
//! looked at; of the others, those with the most points first, until what is left cannot be among the best.

use super::{
    Avoid, Request, Snapshot,
    rows::Mask,
    score::{Asked, DATA_POINTS, FIT_POINTS_MAX, OWN_POINTS, WARM_POINTS},
    snapshot::{Key, Row},
};
use crate::{
    Did,
    capacity::Resources,
    limits::{ASK_MAX, LOOKED_UP_MAX},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// The best devices for a request, best first.
pub(super) fn best(request: &Request<'_>, snapshot: &Snapshot) -> Vec<Did> {
    if request.at > request.manifest.expires {
        return vec![];
    }
    let rows = Rows::of(request, snapshot);
    let mut search = Search::new(&rows, request, snapshot);
    for (word, bits) in rows.named.words().iter().enumerate() {
        search.look(word, *bits);
    }
    search.settle();
    let others = rows.others.words();
    for (standing, level) in snapshot.levels() {
        if search.best.is_beyond(standing + FIT_POINTS_MAX) {
            break;
        }
        for (word, bits) in level.words() {
            search.look(word, bits & others[word]);
        }
        search.settle();
    }
    let found = search.best.rows().filter_map(|row| snapshot.candidate(row));
    found.map(|candidate| candidate.device.clone()).collect()
}

/// Rows by what the request names.
struct Rows {
    /// Of those that no filter by name excludes: the member's own devices and those where the repository is.
    named: Mask,
    /// The rest of them: their points are those of their level and those for their size.
    others: Mask,
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
        let (data, warm) = (with(Key::Data(repository.clone())), with(Key::Warm(repository.clone())));
        let mut named = own.clone();
        named.or_mask(&data);
        named.and_mask(&possible);
        let mut others = possible;
        others.and_not(&named);
        Self { named, others, own, data, warm }
    }
}

/// The best rows until now, and what is asked.
struct Search<'a> {
    rows: &'a [Row],
    snapshot: &'a Snapshot,
    own: &'a [u64],
    data: &'a [u64],
    warm: &'a [u64],
    wanted: Resources,
    asked: Asked,
    now: i64,
    late: Late<'a>,
    /// Rows with their keys that may be among the best.
    found: Vec<(u64, usize)>,
    best: Best,
}

impl<'a> Search<'a> {
    fn new(rows: &'a Rows, request: &Request<'a>, snapshot: &'a Snapshot) -> Self {
        let wanted = request.manifest.resources;
        Self {
            rows: snapshot.rows(),
            snapshot,
            own: rows.own.words(),
            data: rows.data.words(),
            warm: rows.warm.words(),
            wanted,
            asked: Asked::of(wanted),
            now: request.at.0,
            late: Late::of(request),
            found: vec![],
            best: Best::new(),
        }
    }

    /// Finds those of some rows of a word that have room, and would be among the best.
    fn look(&mut self, word: usize, bits: u64) {
        if bits == 0 {
            return;
        }
        let (own, data, warm) = (self.own[word], self.data[word], self.warm[word]);
        let mut rest = bits;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            let at = word * u64::BITS as usize + bit as usize;
            let row = &self.rows[at];
            let flag = |flags: u64| u32::from((flags >> bit) & 1 == 1);
            let mine = flag(own);
            let fits = holds(row, self.wanted) & ((mine == 1) | (row.guests_from <= self.now));
            let of_names = flag(data) * DATA_POINTS + flag(warm) * WARM_POINTS + mine * OWN_POINTS;
            let key = key(row.standing + self.asked.fit(row.size) + of_names, row.rank);
            if fits & (key > self.best.least) {
                self.found.push((key, at));
            }
        }
    }

    /// Takes the best of what was found. What is tested late is tested best first, of as few as can be.
    fn settle(&mut self) {
        self.found.sort_unstable_by_key(|(key, _)| Reverse(*key));
        for (key, row) in self.found.drain(..) {
            if key <= self.best.least {
                break;
            }
            if self.snapshot.candidate(row).is_some_and(|candidate| self.late.lets(&candidate.device)) {
                self.best.put(key, row);
            }
        }
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

    /// Whether nothing with so many points at most can be among them.
    fn is_beyond(&self, points: u32) -> bool {
        key(points, 0) < self.least
    }

    fn rows(self) -> impl Iterator<Item = usize> {
        self.kept.into_iter().map(|(_, row)| row)
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
