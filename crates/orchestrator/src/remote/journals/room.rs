//! Whether there is room for what comes of another device's journal. A device writes into its own as much as it likes: of the disks of the
//! others that takes neither the last bytes, nor more than a copy may have.

use crate::{data_dir::leaves, limits};
use domain::{Kind, Problem};
use store::{JournalCopy, Piece, Refused};

/// Takes groups into a copy, where so much of the disk is left that there is room for them.
///
/// # Errors
/// When there is not, and as [`JournalCopy::append`].
pub(super) fn append(journal: &JournalCopy, groups: &[Piece], left_bytes: u64) -> Result<(), Refused> {
    let comes_bytes: u64 = groups.iter().map(|piece| piece.bytes() as u64).sum();
    let there_bytes = journal.bytes();
    fits(there_bytes, comes_bytes)?;
    // What is laid beside the copy where it goes back is as large as that.
    let turns = turns(journal.point().incarnation, groups).min(journal.places_aside());
    let aside_bytes = there_bytes.saturating_mul(turns as u64);
    enough_left(left_bytes, aside_bytes.saturating_add(comes_bytes))?;
    journal.append(groups)?;
    Ok(())
}

/// Has a copy go over to another line of its journal, where so much of the disk is left that there is room for both.
///
/// # Errors
/// When there is not, and as [`JournalCopy::go_over`].
pub(super) fn go_over(journal: &JournalCopy, line: &JournalCopy, left_bytes: u64) -> Result<bool, Refused> {
    enough_left(left_bytes, journal.bytes().saturating_add(line.bytes()))?;
    journal.go_over(line)
}

/// How often the copy may go back for these groups: with each new incarnation but the first, before which it is empty.
fn turns(mut incarnation: u64, groups: &[Piece]) -> usize {
    let goes_back = |piece: &&Piece| {
        let before = std::mem::replace(&mut incarnation, piece.incarnation.number);
        before != 0 && before != incarnation
    };
    groups.iter().filter(goes_back).count()
}

fn fits(there_bytes: u64, comes_bytes: u64) -> Result<(), Problem> {
    let max = limits::JOURNAL_COPY_BYTES_MAX;
    if there_bytes.saturating_add(comes_bytes) <= max {
        return Ok(());
    }
    Err(Problem::new(Kind::Limit, format!("The copy of a journal may have {} GiB, and it would have more.", max >> 30))
        .because("What its device writes would else take the disk of every other one.")
        .next("See what that device writes so much: meshwork journal list --device NAME. What was copied stays."))
}

fn enough_left(left_bytes: u64, wanted_bytes: u64) -> Result<(), Problem> {
    if leaves(left_bytes, wanted_bytes) {
        return Ok(());
    }
    let floor = limits::COPIES_DISK_LEFT_BYTES;
    Err(Problem::unavailable("Too little of this device's disk would be left free.")
        .because(format!("Copies of other devices' journals leave {} MiB of it: this device needs them for its own work.", floor >> 20))
        .next("Free some disk space; the copy goes on by itself."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::remote::journals::own;
    use store::{Point, Seq};

    #[test]
    fn a_copy_leaves_some_of_the_disk_free_and_goes_on_when_there_is_more() {
        let dir = tempfile::tempdir().unwrap();
        let store = own::tests::own(&dir, 3);
        let journal = JournalCopy::open(&dir.path().join("copy"), store.device()).unwrap();
        let groups = store.pieces(Point::default(), 1 << 20).unwrap();
        append(&journal, &groups[..1], u64::MAX).unwrap();
        let floor = limits::COPIES_DISK_LEFT_BYTES;
        for left_bytes in [0, floor - 1, floor] {
            let refused = append(&journal, &groups[1..], left_bytes).unwrap_err();
            assert!(matches!(&refused, Refused::Disk(problem) if problem.passes() && problem.next.is_some()), "{left_bytes}: {refused}");
            assert_eq!(journal.point().seq, Seq(1), "nothing was written");
        }
        append(&journal, &groups[1..], floor + (1 << 20)).unwrap();
        assert_eq!(journal.point().seq, Seq(3));
    }

    #[test]
    fn what_is_laid_aside_where_a_copy_goes_back_needs_room_too() {
        let dir = tempfile::tempdir().unwrap();
        let store = own::tests::own(&dir, 1);
        let piece = store.pieces(Point::default(), 1 << 20).unwrap().remove(0);
        let of = |number: u64| {
            let mut piece = piece.clone();
            piece.incarnation.number = number;
            piece
        };
        assert_eq!(turns(7, &[of(7), of(7)]), 0);
        assert_eq!(turns(7, &[of(7), of(8), of(8), of(9)]), 2);
        assert_eq!((turns(0, &[of(7), of(7)]), turns(0, &[of(7), of(8)])), (0, 1), "an empty copy is not laid aside");
        let open = || JournalCopy::open(&dir.path().join("copy"), store.device()).unwrap();
        open().append(std::slice::from_ref(&piece)).unwrap();
        let (journal, other) = (open(), of(piece.incarnation.number + 1));
        assert!(journal.bytes() > 0);
        let little = limits::COPIES_DISK_LEFT_BYTES + piece.bytes() as u64;
        let offered = |left_bytes| append(&journal, std::slice::from_ref(&other), left_bytes).unwrap_err();
        assert!(matches!(offered(little), Refused::Disk(_)));
        // Then it is looked at, and nobody signed it.
        assert!(matches!(offered(little + journal.bytes()), Refused::Forged(_)));
        (0..store::limits::COPIES_ASIDE_MAX).for_each(|n| std::fs::write(journal.dir().join(format!("replaced-{n}.db")), "").unwrap());
        assert!(matches!(offered(little), Refused::Forged(_)), "no more are kept");
    }

    #[test]
    fn one_copy_has_a_bound_of_its_own() {
        let max = limits::JOURNAL_COPY_BYTES_MAX;
        assert!(fits(0, 0).is_ok() && fits(max - 7, 7).is_ok());
        for (there, comes) in [(max, 1), (max - 6, 7), (u64::MAX, u64::MAX)] {
            assert!(fits(there, comes).is_err_and(|problem| problem.next.is_some()), "{there} {comes}");
        }
    }
}
