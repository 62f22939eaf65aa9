//! One transaction after the other on the writer's connection: events into the chain, changes into projections, a signed
//! head at the end of each group.

use crate::{
    blob::{Blobs, Parked},
    chain::{self, Digest, Recorded, Seq, Tail},
    journal::Signer,
    limits, problem,
    projector::{Failure, Projector, Staged, View, signed},
    token::TokenChange,
};
use domain::{
    Problem,
    event::{Body, Event},
};
use sqlite::{Connection, Statement};
use std::sync::Arc;

/// An event that is ready to be written: its canonical JSON was made where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) event: Arc<Event>,
    pub(crate) payload: String,
}

/// Events that are ready to be written: what takes long and needs no look at the journal was done where they come from, and not on the
/// thread that writes for everybody.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    pub(crate) events: Vec<Prepared>,
    pub(crate) blobs: Vec<Parked>,
}

impl Ready {
    /// Of these events.
    ///
    /// # Errors
    /// When one is too large, or there are too many.
    pub fn new(events: Vec<Event>) -> Result<Self, Problem> {
        Ok(Self { events: prepare(events)?, blobs: vec![] })
    }

    /// With blobs that they name. These are kept with them, in the one transaction, and become files of their own later. They are to be
    /// small, as a manifest is.
    #[must_use]
    pub fn with_blobs(mut self, blobs: impl IntoIterator<Item = Parked>) -> Self {
        self.blobs.extend(blobs);
        self
    }
}

/// Makes events ready, and refuses what does not fit.
pub(crate) fn prepare(events: Vec<Event>) -> Result<Vec<Prepared>, Problem> {
    if events.len() > limits::APPEND_EVENTS_MAX {
        return Err(Problem::new(domain::Kind::Limit, format!("{} events at once are too many.", events.len()))
            .because(format!("{} are written together.", limits::APPEND_EVENTS_MAX)));
    }
    let prepared = events.into_iter().map(prepare_one).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = prepared.iter().map(|one| one.payload.len()).sum();
    if bytes > limits::APPEND_BYTES_MAX {
        return Err(Problem::new(domain::Kind::Limit, format!("Events of {bytes} bytes at once are too large."))
            .because(format!("{} fit; content belongs into blobs.", limits::APPEND_BYTES_MAX)));
    }
    Ok(prepared)
}

fn prepare_one(event: Event) -> Result<Prepared, Problem> {
    // What a newer build wrote is kept as it is.
    if event.version != domain::event::VERSION && !matches!(event.body, Body::Unknown(_)) {
        return Err(Problem::internal(format!("an event of version {} was to be written", event.version)));
    }
    let payload = String::from_utf8(identity::canonical(&event)?).map_err(Problem::internal)?;
    if payload.len() > limits::EVENT_BYTES_MAX {
        return Err(Problem::new(domain::Kind::Limit, format!("An event of {} bytes is too large.", payload.len()))
            .because(format!("{} fit; content belongs into blobs.", limits::EVENT_BYTES_MAX)));
    }
    Ok(Prepared { event: Arc::new(event), payload })
}

/// The writer's transactions.
pub(crate) struct Session<'c> {
    connection: &'c Connection,
    signer: &'c Signer,
    insert_event: Statement<'c>,
    insert_head: Statement<'c>,
    insert_parked: Statement<'c>,
    projector: Projector<'c>,
    /// The end of the journal, as the open transaction sees it.
    tail: Tail,
    /// As it is on disk.
    committed: Tail,
    /// What the open transaction wrote.
    recorded: Vec<(Seq, Digest, Arc<Event>)>,
    /// How large that is, in bytes.
    recorded_bytes: usize,
    /// The blobs that came with it, and where each lies.
    parked: Vec<(i64, Parked)>,
    /// Whether the open transaction changed anything at all.
    changed: bool,
}

impl<'c> Session<'c> {
    pub(crate) fn new(connection: &'c Connection, signer: &'c Signer, tail: Tail) -> sqlite::Result<Self> {
        Ok(Self {
            connection,
            signer,
            insert_event: connection.prepare("INSERT INTO event(seq, incarnation, previous, hash, payload) VALUES(?, ?, ?, ?, ?)")?,
            insert_head: connection.prepare("INSERT INTO head(seq, signature) VALUES(?, ?)")?,
            insert_parked: connection.prepare("INSERT INTO parked(hash, content) VALUES(?, ?) RETURNING id")?,
            projector: Projector::new(connection, "projected")?,
            committed: tail.clone(),
            tail,
            recorded: vec![],
            recorded_bytes: 0,
            parked: vec![],
            changed: false,
        })
    }

    pub(crate) fn begin(&mut self) -> sqlite::Result<()> {
        self.connection.execute("BEGIN IMMEDIATE")
    }

    /// Appends in the open transaction. After a [`Failure::Append`] nothing of it is there, and others can follow.
    pub(crate) fn append(&mut self, events: &[Prepared]) -> Result<Seq, Failure> {
        let mut staged = Staged::default();
        for (seq, prepared) in (self.tail.seq.0 + 1..).zip(events) {
            self.projector.project(&prepared.event, seq, &mut staged)?;
        }
        for prepared in events {
            self.insert(prepared)?;
        }
        self.projector.take(staged);
        self.changed |= !events.is_empty();
        Ok(self.tail.seq)
    }

    /// Appends what `decide` wants, given how everything is at this moment.
    pub(crate) fn decide(&mut self, decide: impl FnOnce(&mut View<'_>) -> Result<Ready, Problem>) -> Result<Seq, Failure> {
        let mut view = View::new(&mut self.projector);
        let decided = decide(&mut view);
        // It may have given up the transaction: what follows would be written alone.
        if let Some(error) = view.failed.take() {
            return Err(Failure::Database(error));
        }
        let decided = decided.map_err(Failure::Append)?;
        let seq = self.append(&decided.events)?;
        for blob in decided.blobs {
            self.insert_parked.bind((1, blob.hash.as_str()))?;
            self.insert_parked.bind((2, &*blob.bytes))?;
            self.insert_parked.next()?;
            self.parked.push((self.insert_parked.read::<i64, _>(0)?, blob));
            // Done with: a statement that has a row to give keeps the transaction from ending.
            self.insert_parked.reset()?;
        }
        Ok(seq)
    }

    /// Changes the table of tokens, together with the events that say so.
    pub(crate) fn change_tokens(&mut self, change: &TokenChange, events: &[Prepared]) -> Result<Seq, Failure> {
        change.check(self.connection)?;
        let seq = self.append(events)?;
        change.apply(self.connection)?;
        self.changed = true;
        Ok(seq)
    }

    /// All of a commit that can be done before it: projections, and the signed head.
    pub(crate) fn prepare_commit(&mut self) -> Result<(), Problem> {
        self.projector.flush().map_err(|e| problem::database(&e))?;
        if self.tail.seq > self.committed.seq {
            let signature = (self.signer.sign)(&self.tail.message())?;
            self.insert_head(&signature).map_err(|e| problem::database(&e))?;
        }
        Ok(())
    }

    /// The commit itself. After an error the connection is not to be used any more.
    pub(crate) fn finish_commit(&mut self) -> Result<(), Problem> {
        let end = if self.changed { "COMMIT" } else { "ROLLBACK" };
        self.connection.execute(end).map_err(|e| problem::database(&e))?;
        self.projector.settled();
        self.committed = self.tail.clone();
        self.changed = false;
        Ok(())
    }

    /// Has the blobs that come with the next commit found, before anybody can see it.
    pub(crate) fn park(&mut self, blobs: &Blobs) {
        blobs.park(self.parked.drain(..));
    }

    /// What the last commit brought, for subscribers.
    pub(crate) fn take_recorded(&mut self) -> impl Iterator<Item = Result<Recorded, Problem>> {
        let incarnation = self.tail.incarnation;
        self.recorded_bytes = 0;
        let recorded = std::mem::take(&mut self.recorded).into_iter();
        recorded.map(move |(seq, hash, event)| Ok(Recorded { seq, incarnation, hash: chain::shown(&hash)?, event }))
    }

    /// The end of the journal, as it is on disk.
    pub(crate) fn committed(&self) -> &Tail {
        &self.committed
    }

    /// The end of the journal, as the open transaction sees it.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Whether the open transaction has as many events as are committed together.
    pub(crate) fn is_full(&self) -> bool {
        self.recorded.len() >= limits::GROUP_EVENTS_MAX || self.recorded_bytes >= limits::GROUP_BYTES_MAX
    }

    /// Ends a group within the open transaction: its head is signed, and it is forgotten in memory. No event may be told of it.
    pub(crate) fn end_group(&mut self) -> Result<(), Problem> {
        self.prepare_commit()?;
        drop(self.take_recorded());
        self.projector.forget();
        Ok(())
    }

    /// Gives up the open transaction.
    pub(crate) fn rollback(&mut self) -> sqlite::Result<()> {
        self.tail = self.committed.clone();
        self.recorded.clear();
        self.recorded_bytes = 0;
        self.parked.clear();
        self.changed = false;
        self.projector.forget();
        self.connection.execute("ROLLBACK")
    }

    /// Forgets what is in memory of projections, because the table was changed otherwise.
    pub(crate) fn forget_projections(&mut self) {
        self.projector.forget();
    }

    /// Begins the first incarnation, or the next one after a restore.
    pub(crate) fn begin_incarnation(connection: &Connection, before: Option<&Tail>, signer: &Signer) -> Result<Tail, Problem> {
        let mut tail = before.cloned().unwrap_or_else(|| Tail::empty(signer.device.clone()));
        let begun = tail.begin(u64::try_from(chain::now().0).unwrap_or(0));
        let insert = || -> sqlite::Result<()> {
            let mut statement = connection.prepare("INSERT INTO incarnation(number, device, after_seq, after_hash) VALUES(?, ?, ?, ?)")?;
            statement.bind((1, signed(begun.number)))?;
            statement.bind((2, signer.device.as_str()))?;
            statement.bind((3, signed(begun.after.0)))?;
            statement.bind((4, &begun.after_hash[..]))?;
            statement.next().map(|_| ())
        };
        insert().map_err(|e| problem::database(&e))?;
        Ok(tail)
    }

    fn insert(&mut self, prepared: &Prepared) -> sqlite::Result<()> {
        let previous = self.tail.hash;
        self.tail.take(prepared.payload.as_bytes());
        self.insert_event.reset()?;
        self.insert_event.bind((1, signed(self.tail.seq.0)))?;
        self.insert_event.bind((2, signed(self.tail.incarnation)))?;
        self.insert_event.bind((3, &previous[..]))?;
        self.insert_event.bind((4, &self.tail.hash[..]))?;
        self.insert_event.bind((5, prepared.payload.as_str()))?;
        self.insert_event.next()?;
        self.recorded.push((self.tail.seq, self.tail.hash, prepared.event.clone()));
        self.recorded_bytes += prepared.payload.len();
        Ok(())
    }

    fn insert_head(&mut self, signature: &[u8; 64]) -> sqlite::Result<()> {
        self.insert_head.reset()?;
        self.insert_head.bind((1, signed(self.tail.seq.0)))?;
        self.insert_head.bind((2, &signature[..]))?;
        self.insert_head.next().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fault::Fault, migrate};
    use identity::Key;

    #[test]
    fn a_condition_to_which_the_database_refuses_something_ends_the_group() {
        let (dir, key) = (tempfile::tempdir().unwrap(), Key::from_seed(&[1; 32]));
        let signer = Signer { device: key.did(), sign: Arc::new(move |bytes: &[u8]| Ok(key.sign(bytes))) };
        let connection = migrate::open_writer(dir.path(), Fault::None).unwrap();
        let mut session = Session::new(&connection, &signer, Tail::empty(signer.device.clone())).unwrap();
        connection.execute("DROP TABLE projected").unwrap();
        let unheard = |view: &mut View<'_>| {
            assert!(view.get::<String>("run", "one").is_err());
            Ok(Ready::default())
        };
        assert!(matches!(session.decide(unheard), Err(Failure::Database(_))), "whatever the condition makes of that");
        let refused = session.decide(|_: &mut View<'_>| Err(Problem::invalid("No.")));
        assert!(matches!(refused, Err(Failure::Append(_))));
    }
}
