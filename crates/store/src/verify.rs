//! Checks the journal: every link, every hash, every signature, over all incarnations; and the blobs beside it that events name.
//!
//! What this finds: any changed, removed, added or moved event, head or incarnation, down to one bit. What a journal alone
//! cannot show is that its whole end was cut off at an earlier signed head; its remembered head shows that, but for the last
//! moments, and so do the copies that other devices hold.

use crate::{
    blob::{Blobs, Look},
    chain::{self, Digest, Seq},
    limits, problem,
    read::{Row, unsigned},
    remembered::Remembered,
};
use domain::{
    Did, Hash, Problem,
    event::{Body, Event, Mended},
};
use serde::Serialize;
use sqlite::{Connection, State, Statement};

/// What was checked, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Events that were checked and are sound.
    pub events: u64,
    /// How many of them a newer Meshwork wrote, and this one does not understand.
    pub unknown: u64,
    /// Signed heads that were checked.
    pub signatures: u64,
    /// Incarnations.
    pub incarnations: u64,
    /// The first thing that is wrong.
    pub bad: Option<Bad>,
    /// The events by which it was mended after its disk had been put back, and what they say.
    pub mends: Vec<(Seq, Mended)>,
    /// Blobs that are as the events say which name them.
    pub blobs: u64,
    /// Blobs that were lost when the disk was put back, as is known since the journal was mended.
    pub lost_blobs: u64,
    /// Blobs that are not, and were not erased; at most [`limits::BAD_BLOBS_MAX`].
    pub bad_blobs: Vec<BadBlob>,
    /// How many more.
    pub more_bad_blobs: u64,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.bad.is_none() && self.bad_blobs.is_empty()
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// At this event.
    pub seq: Seq,
    /// What, in words.
    pub why: String,
}

/// A blob that is missing or altered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadBlob {
    /// Its name.
    pub hash: Hash,
    /// The event that names it.
    pub seq: Seq,
    /// What is wrong, in words.
    pub why: String,
}

/// What stops a check.
enum Stop {
    Bad(Bad),
    Database(sqlite::Error),
}

impl From<sqlite::Error> for Stop {
    fn from(error: sqlite::Error) -> Self {
        Self::Database(error)
    }
}

fn bad<T>(seq: Seq, why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad(Bad { seq, why: why.into() }))
}

/// Checks the whole journal of this device, and its blobs. The remembered head must have been read before.
pub(crate) fn verify(
    connection: &Connection,
    device: &Did,
    remembered: Option<&Remembered>,
    blobs: &Blobs,
) -> Result<VerifyReport, Problem> {
    in_transaction(connection, device, Some(blobs), remembered)
}

/// Checks the copy of another device's journal. Blobs are not copied; and what a newer Meshwork wrote is sound though it cannot be read.
pub(crate) fn verify_copy(connection: &Connection, device: &Did) -> Result<VerifyReport, Problem> {
    in_transaction(connection, device, None, None)
}

fn in_transaction(
    connection: &Connection,
    device: &Did,
    blobs: Option<&Blobs>,
    remembered: Option<&Remembered>,
) -> Result<VerifyReport, Problem> {
    let mut report = VerifyReport::default();
    // One transaction, so that events, heads and incarnations are of one moment.
    connection.execute("BEGIN").map_err(|e| problem::database(&e))?;
    let checked = Check::new(connection, device, blobs).and_then(|mut check| check.run(&mut report));
    let lost = remembered.map_or(Ok(None), |head| head.lost(connection));
    let ended = connection.execute("ROLLBACK");
    match checked {
        Err(Stop::Bad(bad)) => report.bad = Some(bad),
        Err(Stop::Database(error)) => return Err(problem::database(&error)),
        Ok(()) => report.bad = lost?.map(|lost| Bad { seq: lost.at(), why: lost.text() }),
    }
    ended.map_err(|e| problem::database(&e))?;
    Ok(report)
}

struct Incarnation {
    number: u64,
    device: String,
    after: Seq,
    after_hash: Vec<u8>,
}

struct Check<'c> {
    device: &'c Did,
    /// Those beside the journal; none for a copy.
    blobs: Option<&'c Blobs>,
    events: Statement<'c>,
    heads: Statement<'c>,
    /// Those that have not begun yet, the next one last.
    incarnations: Vec<Incarnation>,
    current: u64,
    seq: Seq,
    hash: Digest,
    /// The last head that was passed.
    signed: Seq,
}

impl<'c> Check<'c> {
    fn new(connection: &'c Connection, device: &'c Did, blobs: Option<&'c Blobs>) -> Result<Self, Stop> {
        let mut rows = connection.prepare("SELECT number, device, after_seq, after_hash FROM incarnation ORDER BY number DESC")?;
        let mut incarnations = vec![];
        while let State::Row = rows.next()? {
            let after = Seq(unsigned(rows.read(2)?));
            incarnations.push(Incarnation { number: unsigned(rows.read(0)?), device: text(&rows, 1)?, after, after_hash: rows.read(3)? });
        }
        Ok(Self {
            device,
            blobs,
            events: connection.prepare("SELECT seq, incarnation, previous, hash, payload FROM event ORDER BY seq")?,
            heads: connection.prepare("SELECT seq, signature FROM head ORDER BY seq")?,
            incarnations,
            current: 0,
            seq: Seq(0),
            hash: Digest::default(),
            signed: Seq(0),
        })
    }

    fn run(&mut self, report: &mut VerifyReport) -> Result<(), Stop> {
        let mut head = self.next_head()?;
        self.begin_incarnations(report)?;
        while let State::Row = self.events.next()? {
            let row = Row::read(&self.events)?;
            if let Some(event) = self.event(&row)? {
                report.unknown += u64::from(matches!(event.body, Body::Unknown(_)));
                self.look_at_blobs(&event, report);
                if let Body::JournalMended(mended) = event.body {
                    report.mends.push((self.seq, mended));
                }
            }
            if let Some((at, signature)) = &head {
                if *at < self.seq {
                    return bad(*at, "a head is signed for an event that is not there");
                }
                if *at == self.seq {
                    self.head(signature)?;
                    report.signatures += 1;
                    head = self.next_head()?;
                }
            }
            report.events += 1;
            self.begin_incarnations(report)?;
        }
        if let Some((at, _)) = head {
            return bad(at, "a head is signed for an event that is not there");
        }
        if self.signed < self.seq {
            return bad(self.seq, "the end of the journal is not signed");
        }
        match self.incarnations.last() {
            Some(next) => bad(Seq(next.after.0 + 1), format!("incarnation {} goes on from events that are not there", next.number)),
            None => Ok(()),
        }
    }

    /// Begins those incarnations that go on from where we are.
    fn begin_incarnations(&mut self, report: &mut VerifyReport) -> Result<(), Stop> {
        while let Some(next) = self.incarnations.pop_if(|next| next.after == self.seq) {
            let at = Seq(next.after.0 + 1);
            if next.device != self.device.as_str() {
                return bad(at, format!("incarnation {} belongs to another device, {}", next.number, domain::shown(&next.device)));
            }
            if self.signed < self.seq {
                return bad(self.seq, "the end of an incarnation is not signed");
            }
            if next.number <= self.current {
                return bad(at, format!("incarnation {} does not follow {}", next.number, self.current));
            }
            if next.after_hash != self.hash {
                return bad(at, format!("incarnation {} goes on from another event {}", next.number, self.seq));
            }
            self.current = next.number;
            self.hash = chain::genesis(self.device, next.number, self.seq, &self.hash);
            report.incarnations += 1;
        }
        Ok(())
    }

    /// Looks at the blobs that the event just passed names. What is wrong with one does not end the check.
    fn look_at_blobs(&self, event: &Event, report: &mut VerifyReport) {
        let Some(blobs) = self.blobs else { return };
        for hash in event.body.blobs() {
            let why = match blobs.look(hash) {
                Look::Whole => {
                    report.blobs += 1;
                    continue;
                }
                Look::Erased => continue,
                Look::Lost => {
                    report.lost_blobs += 1;
                    continue;
                }
                // What another device told of may lie there alone.
                Look::Missing if event.told.is_some() => continue,
                Look::Missing => "It is missing.".to_owned(),
                Look::Altered(why) => why,
            };
            if report.bad_blobs.len() < limits::BAD_BLOBS_MAX {
                report.bad_blobs.push(BadBlob { hash: hash.clone(), seq: self.seq, why });
            } else {
                report.more_bad_blobs += 1;
            }
        }
    }

    /// The event of a row that is sound; none where it is of a form that only the device knows whose journal it is.
    fn event(&mut self, row: &Row) -> Result<Option<Event>, Stop> {
        let expected = Seq(self.seq.0 + 1);
        if row.seq != expected {
            return bad(expected, format!("it is missing; the next event is {}", row.seq));
        }
        if row.incarnation != self.current {
            return bad(row.seq, format!("it claims incarnation {}, and stands in {}", row.incarnation, self.current));
        }
        if row.previous != self.hash {
            return bad(row.seq, "it does not follow the event before it");
        }
        if chain::event_hash(row.incarnation, row.seq, &self.hash, &row.payload)[..] != row.hash[..] {
            return bad(row.seq, "its content does not fit its hash");
        }
        if !identity::canonical::is_canonical(&row.payload) {
            return bad(row.seq, "its content is not canonical JSON");
        }
        let event = match Event::read(&row.payload) {
            Ok(event) => Some(event),
            Err(_) if self.blobs.is_none() => None,
            Err(error) => return bad(row.seq, format!("it cannot be read: {error}")),
        };
        self.seq = row.seq;
        self.hash.copy_from_slice(&row.hash);
        Ok(event)
    }

    fn head(&mut self, signature: &[u8]) -> Result<(), Stop> {
        let message = chain::head_message(self.device, self.current, self.seq, &self.hash);
        if !identity::verify(self.device, &message, signature) {
            return bad(self.seq, "the device's signature of it does not verify");
        }
        self.signed = self.seq;
        Ok(())
    }

    fn next_head(&mut self) -> sqlite::Result<Option<(Seq, Vec<u8>)>> {
        Ok(match self.heads.next()? {
            State::Row => Some((Seq(unsigned(self.heads.read(0)?)), self.heads.read(1)?)),
            State::Done => None,
        })
    }
}

/// Reads text that may be damaged.
fn text(statement: &Statement<'_>, column: usize) -> sqlite::Result<String> {
    let bytes: Vec<u8> = statement.read(column)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
