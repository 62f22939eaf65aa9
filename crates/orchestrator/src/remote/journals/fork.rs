//! Whether a journal ends for others as it does here. Of two events under one number the device signed both, or whoever tells of the other
//! one lies: its signature decides.

use super::{Copied, hear};
use crate::org::Org;
use domain::Did;
use std::sync::Arc;
use store::{Point, Refused, Seq};

/// What becomes of a copy by the end that somebody told of its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing stands there here that is not theirs.
    Same,
    /// Another event stands there here.
    Other,
}

/// Compares the end that a device told of a journal with the copy. An end without a hash says nothing.
///
/// # Errors
/// When the journal's device itself ends it with another event than it gave.
pub(super) fn compare(copied: &Copied, from: &Did, end: Point, hash: &str) -> Result<End, Refused> {
    if hash.is_empty() || copied.journal.hash_at(end)?.is_none_or(|here| here.as_str() == hash) {
        return Ok(End::Same);
    }
    if from != copied.journal.device() {
        return Ok(End::Other);
    }
    // Of one that ends earlier than what it signed it is told that it lost some.
    if end < copied.journal.point() {
        return Ok(End::Same);
    }
    Err(Refused::Forked { seq: end.seq, why: "The one with which its journal ends now is not the one that it gave before.".into() })
}

/// Asks a device for the event with which it says that a journal ends, where another one is here.
///
/// # Errors
/// What is wrong with one of the two; that it does not show its one, too.
pub(super) async fn shown(org: &Arc<Org>, copied: &Arc<Copied>, from: &Did, end: Point) -> Result<(), hear::Stop> {
    let mut pieces = vec![];
    for after in before(end) {
        pieces = hear::first_of(org, from, copied.journal.device(), after).await?.pieces;
        if !pieces.is_empty() {
            break;
        }
    }
    let groups = hear::Waiting::default().take(pieces)?;
    let copied = copied.clone();
    org.blocking(move |_| Ok(copied.journal.compare(&groups))).await??;
    Err(Refused::OutOfPlace(format!("it is said to have another event {}, which is not shown", end.seq)).into())
}

/// The places to ask after, one after the other, so that the event at `end` is the first that comes. Where it begins its incarnation,
/// nothing follows the first place, and that incarnation the second.
fn before(end: Point) -> [Point; 2] {
    let seq = Seq(end.seq.0.saturating_sub(1));
    [end.incarnation, end.incarnation.saturating_sub(1)].map(|incarnation| Point { incarnation, seq })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::remote::journals::{
        own::tests::{append, own},
        place,
    };
    use identity::Key;
    use store::{JournalCopy, Signer, Store};

    #[test]
    fn a_device_whose_journal_ends_with_another_event_than_it_gave_has_two_and_what_others_say_of_that_is_to_be_shown() {
        let dir = tempfile::tempdir().unwrap();
        let store = own(&dir, 2);
        // The same journal once more, which goes on otherwise.
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        store.snapshot(&other.join("journal.db")).unwrap();
        let key = Key::from_seed(&[1; 32]);
        let other = Store::open(&other, Signer { device: key.did(), sign: Arc::new(move |bytes| Ok(key.sign(bytes))) }).unwrap();
        append(&store, "here");
        append(&other, "there");
        let copied = Copied::of(JournalCopy::open(&dir.path().join("copy"), store.device()).unwrap());
        copied.journal.append(&store.pieces(Point::default(), 1 << 20).unwrap()).unwrap();

        let (device, third) = (store.device(), Key::from_seed(&[2; 32]).did());
        let (here, there) = (store.head().unwrap(), other.head().unwrap());
        assert!(here.point() == there.point() && here.point() == copied.journal.point() && here.hash != there.hash);
        let look = |from: &Did, end: Point, hash: &str| compare(&copied, from, end, hash);
        for from in [device, &third] {
            assert_eq!(look(from, here.point(), here.hash.as_str()), Ok(End::Same));
            assert_eq!(look(from, here.point(), ""), Ok(End::Same), "it says nothing");
            let further = Point { seq: Seq(4), ..here.point() };
            assert_eq!(look(from, further, there.hash.as_str()), Ok(End::Same), "that has not come yet");
        }
        let forked = look(device, there.point(), there.hash.as_str()).unwrap_err();
        assert!(matches!(forked, Refused::Forked { seq: Seq(3), .. }), "{forked}");
        assert_eq!(look(&third, there.point(), there.hash.as_str()), Ok(End::Other));
        // A shorter one is lost, and told so.
        let before = place(there.incarnation, 2);
        assert_eq!(look(device, before, there.hash.as_str()), Ok(End::Same));
        assert_eq!(look(&third, before, there.hash.as_str()), Ok(End::Other));
    }

    #[test]
    fn the_event_with_which_a_journal_ends_is_shown_first_though_it_begins_an_incarnation() {
        let dir = tempfile::tempdir().unwrap();
        drop(own(&dir, 2));
        store::mark_restored(&dir.path().join("own")).unwrap();
        let store = own(&dir, 1);
        let ends: Vec<Point> =
            store.events(Seq(0), 9).unwrap().iter().map(|event| Point { incarnation: event.incarnation, seq: event.seq }).collect();
        assert!(ends.len() == 4 && ends[1].incarnation < ends[2].incarnation, "{ends:?}");
        for end in ends {
            let shown = before(end).into_iter().map(|after| store.pieces(after, 1).unwrap()).find(|pieces| !pieces.is_empty());
            assert_eq!(shown.unwrap()[0].end(), end);
        }
    }
}
