//! Going over to another line of a journal: a device that signed two events under one number has two. One that was removed joins them no
//! more, and whoever has the one line is to come to the same as whoever has the other.

use super::{JournalCopy, Refused};
use crate::{
    chain::{Head, Point, Seq},
    limits, link, mend,
    piece::Piece,
    problem,
    projector::signed,
    read,
};
use domain::Problem;
use sqlite::Connection;
use std::sync::PoisonError;

impl JournalCopy {
    /// Goes over to another line of this journal, from the last event that both have, where that line counts ([`link::counts_over`]). What
    /// is here beyond is kept beside the copy. Says whether it went over.
    ///
    /// # Errors
    /// As [`JournalCopy::append`]; what was taken over until then stays.
    pub fn go_over(&self, other: &Self) -> Result<bool, Refused> {
        let here = self.head()?;
        let counts = |there: Head| link::counts_over(there.point(), there.hash.as_str(), here.as_ref());
        if !other.head()?.is_some_and(counts) {
            return Ok(false);
        }
        self.go_back_to_both(other)?;
        loop {
            let groups = other.groups_after(self.point())?;
            if groups.is_empty() {
                return Ok(true);
            }
            self.append(&groups)?;
        }
    }

    /// Goes back to the last event that the other has too, and with which a group ends here.
    fn go_back_to_both(&self, other: &Self) -> Result<(), Problem> {
        let connection = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let end = self.point().seq;
        let last = end.min(other.point().seq);
        let both = other.inner.readers.with(|there| mend::agreed(&connection, there, last).map_err(|e| problem::database(&e)))?;
        let back_to = group_end(&connection, both).map_err(|e| problem::database(&e))?;
        if back_to < end { self.go_back(&connection, back_to) } else { Ok(()) }
    }

    /// Some of what follows a place, in whole groups.
    fn groups_after(&self, mut at: Point) -> Result<Vec<Piece>, Problem> {
        let mut groups: Vec<Piece> = vec![];
        loop {
            let pieces = self.pieces(at, limits::LINE_BYTES)?;
            let Some(last) = pieces.last() else { return Ok(vec![]) };
            at = last.end();
            groups.extend(pieces);
            if let Some(signed) = groups.iter().rposition(|piece| !piece.signature.is_empty()) {
                groups.truncate(signed + 1);
                return Ok(groups);
            }
        }
    }
}

/// The last event up to a number with which a group of commits ends: it has a signature of its own.
fn group_end(connection: &Connection, up_to: Seq) -> sqlite::Result<Seq> {
    let mut rows = connection.prepare("SELECT coalesce(max(seq), 0) FROM head WHERE seq<=?")?;
    rows.bind((1, signed(up_to.0)))?;
    rows.next()?;
    Ok(Seq(read::unsigned(rows.read(0)?)))
}
