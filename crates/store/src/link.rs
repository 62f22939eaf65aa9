//! How a journal is judged by whoever gets it in pieces: what is signed, what follows, what was signed twice. Pure: what is here already
//! is passed in, so that the same rules hold for copies on disk and in the simulator.

use crate::{
    chain::{self, Digest, Head, Point, Seq, Tail},
    copy::Refused,
    limits,
    piece::{Incarnation, Piece},
};
use domain::{Did, Hash};

/// What is said of an event of which a device signed two.
const AGAIN: &str = "It was signed again with another content.";

/// Pieces that end with a signature.
#[derive(Debug)]
pub struct Group<'p> {
    pub(crate) pieces: &'p [Piece],
    /// The hash of its last event.
    hash: Digest,
}

impl Group<'_> {
    pub(crate) fn first(&self) -> &Piece {
        &self.pieces[0]
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.pieces.last().map_or(&[][..], |last| last.signature.as_slice())
    }

    pub(crate) fn end(&self) -> Point {
        self.pieces.last().map(Piece::end).unwrap_or_default()
    }

    /// Refuses what the device did not sign.
    fn signed_by(&self, device: &Did) -> Result<(), Refused> {
        let end = self.end();
        let message = chain::head_message(device, self.first().incarnation.number, end.seq, &self.hash);
        match identity::verify(device, &message, self.signature()) {
            true => Ok(()),
            false => Err(Refused::Forged(format!("the signature of event {} does not verify", end.seq))),
        }
    }

    /// Compares its end with the event that stands there in a copy: `here` is the hash of that.
    ///
    /// # Errors
    /// When the device signed both, or did not sign this one.
    pub(crate) fn compare(&self, device: &Did, here: Option<&Hash>) -> Result<(), Refused> {
        self.signed_by(device)?;
        let there = chain::shown(&self.hash)?;
        match here {
            Some(here) if *here != there => Err(forked(self.end().seq, AGAIN)),
            _ => Ok(()),
        }
    }

    /// Refuses events that no journal would have: too large ones, and such as are not in canonical form.
    ///
    /// # Errors
    /// When there is one.
    pub fn well_formed(&self) -> Result<(), Refused> {
        let fits = |payload: &Vec<u8>| payload.len() <= limits::EVENT_BYTES_MAX && identity::canonical::is_canonical(payload);
        match self.pieces.iter().flat_map(|piece| &piece.payloads).all(fits) {
            true => Ok(()),
            false => Err(Refused::Forged("an event is too large, or not canonical JSON".into())),
        }
    }
}

/// Takes pieces together that one signature covers. Their links within are checked; whose the signature is, is not yet.
///
/// # Errors
/// When pieces of a group are missing, or do not follow each other.
pub fn groups(pieces: &[Piece]) -> Result<Vec<Group<'_>>, Refused> {
    let mut all = vec![];
    for group in pieces.split_inclusive(|piece| !piece.signature.is_empty()) {
        let Some(first) = group.first() else { continue };
        if group.last().is_none_or(|last| last.signature.is_empty()) {
            return Err(Refused::OutOfPlace("a group is not whole".into()));
        }
        let (mut hash, mut seq) = (first.previous, first.first);
        for piece in group {
            let fits = piece.incarnation == first.incarnation && piece.first == seq && piece.previous == hash;
            if !fits || piece.payloads.is_empty() {
                return Err(Refused::OutOfPlace("the pieces of a group do not follow each other".into()));
            }
            for payload in &piece.payloads {
                hash = chain::event_hash(first.incarnation.number, seq, &hash, payload);
                seq = Seq(seq.0.saturating_add(1));
            }
        }
        all.push(Group { pieces: group, hash });
    }
    Ok(all)
}

/// Where a group goes in a copy that ends at `tail`: none where it follows the end, else the event to which the copy must go back first.
/// `here` gives the hash of an event of the copy.
///
/// # Errors
/// When it was not signed by the device, does not follow, or is another journal of that device.
pub fn place(tail: &Tail, group: &Group<'_>, here: impl FnOnce(Seq) -> Result<Option<Vec<u8>>, Refused>) -> Result<Option<Seq>, Refused> {
    let first = group.first();
    let begins = &first.incarnation;
    // First whether the device signed it at all: only then it can have two journals.
    group.signed_by(&tail.device)?;
    if begins.number == tail.incarnation {
        return match first.first.0 == tail.seq.0 + 1 {
            true if first.previous == tail.hash => Ok(None),
            true => Err(forked(tail.seq, AGAIN)),
            false => Err(Refused::OutOfPlace(format!("event {} came after event {}", first.first, tail.seq))),
        };
    }
    let genesis = chain::genesis(&tail.device, begins.number, begins.after, &begins.after_hash);
    if begins.number < tail.incarnation || first.first.0 != begins.after.0.saturating_add(1) || begins.after > tail.seq {
        return Err(Refused::OutOfPlace(format!("event {} of incarnation {} came after event {}", first.first, begins.number, tail.seq)));
    }
    if first.previous != genesis {
        return Err(Refused::Forged(format!("event {} does not begin the incarnation that it is said to", first.first)));
    }
    let known = match begins.after {
        Seq(0) => begins.after_hash == Digest::default(),
        after => here(after)?.is_some_and(|hash| hash[..] == begins.after_hash[..]),
    };
    match known {
        true if begins.after == tail.seq => Ok(None),
        true => Ok(Some(begins.after)),
        false => Err(forked(begins.after, "A new incarnation goes on from one that is not known here.")),
    }
}

fn forked(seq: Seq, why: &str) -> Refused {
    Refused::Forked { seq, why: why.to_owned() }
}

/// Whether a journal that ends at a place, with an event of this hash, counts over what is `here` of it, which may be another line: the
/// later end does, and of two at one place that with the greater hash. So whoever compares them comes to the same, and a line counts over
/// its parts.
pub fn counts_over(end: Point, hash: &str, here: Option<&Head>) -> bool {
    end.seq > Seq(0) && here.is_none_or(|here| (end, hash) > (here.point(), here.hash.as_str()))
}

/// The event after which a journal goes on for somebody who is at `after`; none where it has nothing for them. `there` is the
/// incarnation of the journal's event of that number, and `all` are its incarnations, in order.
pub fn goes_on(all: &[Incarnation], after: Point, there: Option<u64>) -> Option<Seq> {
    if there == Some(after.incarnation) || after.seq == Seq(0) {
        return Some(after.seq);
    }
    // Their end is not there any more: a backup was restored, and another incarnation goes on from an earlier event.
    all.iter().find(|one| one.number > after.incarnation).map(|next| next.after)
}
