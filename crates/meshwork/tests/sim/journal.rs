//! Journals in memory, on a simulated disk. Every link, signature and judgement is that of the crate `store`, every projection that of
//! `domain`: only the database is missing.

use domain::event::{self, Event};
use identity::Key;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, rc::Rc, sync::Arc};
use store::{Incarnation, Piece, Point, Refused, Seq, Tail, chain::Digest, link};
use testkit::{Random, sim::Disk};

/// What is projected: by kind and id, with the number of the event that changed it last.
pub type Picture = BTreeMap<(String, String), (u64, Arc<str>)>;

/// A journal as far as it is known somewhere.
#[derive(Debug)]
pub struct Known {
    pub tail: Tail,
    pub picture: Picture,
    /// Of each event the incarnation and the hash.
    links: BTreeMap<u64, (u64, Digest)>,
    pieces: Vec<Rc<Piece>>,
}

impl Known {
    pub fn empty(device: domain::Did) -> Self {
        Self { tail: Tail::empty(device), picture: Picture::new(), links: BTreeMap::new(), pieces: vec![] }
    }

    /// Takes a piece in, if the device signed it and it follows.
    pub fn take(&mut self, piece: &Rc<Piece>) -> Result<(), Refused> {
        for group in link::groups(std::slice::from_ref(&**piece))? {
            let here = |seq: Seq| Ok(self.links.get(&seq.0).map(|(_, hash)| hash.to_vec()));
            if let Some(to) = link::place(&self.tail, &group, here)? {
                self.go_back(to);
            }
        }
        self.add(piece);
        Ok(())
    }

    /// Another incarnation goes on from an earlier event.
    fn go_back(&mut self, to: Seq) {
        let pieces = std::mem::take(&mut self.pieces);
        *self = Self::empty(self.tail.device.clone());
        pieces.iter().filter(|piece| piece.end().seq <= to).for_each(|piece| self.add(piece));
    }

    fn add(&mut self, piece: &Rc<Piece>) {
        if piece.incarnation.number != self.tail.incarnation {
            self.tail.follow(piece);
        }
        for payload in &piece.payloads {
            self.tail.take(payload);
            self.links.insert(self.tail.seq.0, (self.tail.incarnation, self.tail.hash));
            project(&mut self.picture, &Event::read(payload).unwrap(), self.tail.seq.0);
        }
        self.pieces.push(piece.clone());
    }

    /// The incarnation and the hash of an event.
    pub fn link(&self, seq: u64) -> Option<(u64, Digest)> {
        self.links.get(&seq).copied()
    }

    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Option<T> {
        let (_, value) = self.picture.get(&(kind.to_owned(), id.to_owned()))?;
        Some(serde_json::from_str(value).unwrap())
    }

    pub fn list<T: DeserializeOwned>(&self, kind: &str) -> Vec<(u64, T)> {
        let from = (kind.to_owned(), String::new());
        let found = self.picture.range(from..).take_while(|((of, _), _)| of == kind);
        found.map(|(_, (seq, value))| (*seq, serde_json::from_str(value).unwrap())).collect()
    }
}

fn project(picture: &mut Picture, event: &Event, seq: u64) {
    let mut before = |kind: &str, id: &str| picture.get(&(kind.to_owned(), id.to_owned())).map(|(_, value)| value.clone());
    let changes = event::project(event, &mut before).unwrap();
    for change in changes {
        let key = (change.kind.to_owned(), change.id);
        match change.value {
            Some(value) => picture.insert(key, (seq, value)),
            None => picture.remove(&key),
        };
    }
}

/// A device's own journal.
#[derive(Debug)]
pub struct Journal {
    key: Rc<Key>,
    /// As the writer has it: with what is not on disk yet.
    pub known: Known,
    pub disk: Disk<Rc<Piece>>,
    /// The events that are on disk.
    pub events: Vec<(u64, Event)>,
    begun: Option<Incarnation>,
}

impl Journal {
    pub fn new(key: Rc<Key>, slowest_ms: u64) -> Self {
        Self { known: Known::empty(key.did()), key, disk: Disk::new(slowest_ms), events: vec![], begun: None }
    }

    /// Appends a group; says in how many milliseconds it will be on disk.
    pub fn append(&mut self, random: &mut Random, now_ms: u64, events: &[Event]) -> u64 {
        let piece = self.sign(now_ms, events);
        self.disk.write(random, now_ms, piece)
    }

    /// Appends a group, and waits until it is on disk.
    pub fn append_now(&mut self, now_ms: u64, events: &[Event]) -> Rc<Piece> {
        let piece = self.sign(now_ms, events);
        self.disk.write_now(piece.clone());
        self.keep(&piece);
        piece
    }

    fn sign(&mut self, now_ms: u64, events: &[Event]) -> Rc<Piece> {
        let incarnation = match &self.begun {
            Some(begun) => begun.clone(),
            None => self.begin(now_ms),
        };
        let (first, previous) = (Seq(self.known.tail.seq.0 + 1), self.known.tail.hash);
        let payloads: Vec<Vec<u8>> = events.iter().map(|event| identity::canonical(event).unwrap()).collect();
        let mut tail = self.known.tail.clone();
        payloads.iter().for_each(|payload| tail.take(payload));
        let piece = Rc::new(Piece { incarnation, first, previous, payloads, signature: self.key.sign(&tail.message()).to_vec() });
        self.known.add(&piece);
        piece
    }

    /// Begins the next incarnation. Its first group must be on disk before anything else happens.
    pub fn begin(&mut self, now_ms: u64) -> Incarnation {
        let begun = self.known.tail.begin(now_ms);
        self.begun = Some(begun.clone());
        begun
    }

    /// The oldest group that waits is on disk now.
    pub fn written(&mut self) -> Option<Rc<Piece>> {
        let piece = self.disk.done()?.clone();
        self.keep(&piece);
        Some(piece)
    }

    fn keep(&mut self, piece: &Piece) {
        let events = piece.payloads.iter().map(|payload| Event::read(payload).unwrap());
        self.events.extend((piece.first.0..).zip(events));
    }

    /// Reads everything anew from the disk, and checks it, as after a start.
    pub fn read(&mut self) -> Result<(), Refused> {
        let mut known = Known::empty(self.key.did());
        self.events.clear();
        let pieces = self.disk.written().to_vec();
        for piece in &pieces {
            known.take(piece)?;
            self.keep(piece);
        }
        self.begun = self.disk.written().last().map(|piece| piece.incarnation.clone());
        self.known = known;
        Ok(())
    }

    /// What is on disk after a place, for another device.
    pub fn after(&self, place: Point, pieces_max: usize) -> Vec<Rc<Piece>> {
        let written = self.disk.written();
        let there = written.iter().find(|piece| piece.first <= place.seq && place.seq <= piece.end().seq);
        let mut all: Vec<Incarnation> = written.iter().map(|piece| piece.incarnation.clone()).collect();
        all.dedup();
        let Some(begin) = link::goes_on(&all, place, there.map(|piece| piece.incarnation.number)) else { return vec![] };
        written.iter().filter(|piece| piece.first > begin).take(pieces_max).cloned().collect()
    }
}
