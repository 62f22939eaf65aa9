//! What events change: projections, kept in a table, with the last ones in the writer's memory.

use crate::{limits, problem, read::Order};
use domain::{
    Problem,
    event::{self, Event, Projected},
};
use serde::de::DeserializeOwned;
use sqlite::{Connection, State, Statement};
use std::{collections::HashMap, sync::Arc};

/// Projects events into a table of one connection. Changes stay in memory until [`Projector::flush`].
pub(crate) struct Projector<'c> {
    connection: &'c Connection,
    table: &'static str,
    select: Statement<'c>,
    upsert: Statement<'c>,
    delete: Statement<'c>,
    cache: HashMap<String, Entry>,
    /// What of it is not in the table yet, in the order in which it changed.
    changed: Vec<String>,
}

/// A projected thing in memory.
#[derive(Clone, Debug)]
struct Entry {
    /// As JSON; none when there is no such thing.
    value: Option<Arc<str>>,
    /// What the table does not know yet; none where it is as it is there.
    change: Option<Change>,
}

/// What became of a projected thing since it was written into the table.
#[derive(Clone, Debug)]
struct Change {
    kind: &'static str,
    id: String,
    /// The event that changed it first, and the last one.
    first: u64,
    last: u64,
}

/// What an append that is not yet counted changes.
#[derive(Default)]
pub(crate) struct Staged(HashMap<String, Entry>);

/// What can go wrong while projecting: something that concerns one append only, or the database itself.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The append cannot be done; others can.
    Append(Problem),
    /// The database refused.
    Database(sqlite::Error),
}

impl From<sqlite::Error> for Failure {
    fn from(error: sqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Append(problem) => problem,
            Failure::Database(error) => problem::database(&error),
        }
    }
}

impl<'c> Projector<'c> {
    /// A projector over this table (`projected`, or the one that a rebuild makes).
    pub(crate) fn new(connection: &'c Connection, table: &'static str) -> sqlite::Result<Self> {
        Ok(Self {
            connection,
            table,
            select: connection.prepare(format!("SELECT value FROM {table} WHERE kind=? AND id=?"))?,
            upsert: connection.prepare(format!(
                "INSERT INTO {table}(kind, id, value, first_seq, last_seq) VALUES(?, ?, ?, ?, ?)
                 ON CONFLICT(kind, id) DO UPDATE SET value=excluded.value, last_seq=excluded.last_seq"
            ))?,
            delete: connection.prepare(format!("DELETE FROM {table} WHERE kind=? AND id=?"))?,
            cache: HashMap::new(),
            changed: vec![],
        })
    }

    /// Projects one event; its changes go into `staged`.
    pub(crate) fn project(&mut self, event: &Event, seq: u64, staged: &mut Staged) -> Result<(), Failure> {
        let mut failed = None;
        let changes = event::project(event, &mut |kind, id| match self.staged_value(staged, kind, id) {
            Ok(value) => value,
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        if let Some(error) = failed {
            return Err(Failure::Database(error));
        }
        for change in changes.map_err(Failure::Append)? {
            let key = key(change.kind, &change.id);
            let Projected { kind, id, value } = change;
            staged.put(key, Entry { value, change: Some(Change { kind, id, first: seq, last: seq }) });
        }
        Ok(())
    }

    /// Counts what was staged.
    pub(crate) fn take(&mut self, staged: Staged) {
        for (key, entry) in staged.0 {
            if !put(&mut self.cache, key.clone(), entry) {
                self.changed.push(key);
            }
        }
    }

    /// Writes what changed into the table. After an error nothing more may be written in this transaction: the database may have given it
    /// up.
    pub(crate) fn flush(&mut self) -> sqlite::Result<()> {
        for key in &self.changed {
            let Some(entry) = self.cache.get_mut(key) else { continue };
            let Some(change) = &entry.change else { continue };
            match &entry.value {
                None => {
                    self.delete.reset()?;
                    self.delete.bind((1, change.kind))?;
                    self.delete.bind((2, change.id.as_str()))?;
                    self.delete.next()?;
                }
                Some(value) => {
                    self.upsert.reset()?;
                    self.upsert.bind((1, change.kind))?;
                    self.upsert.bind((2, change.id.as_str()))?;
                    self.upsert.bind((3, &**value))?;
                    self.upsert.bind((4, signed(change.first)))?;
                    self.upsert.bind((5, signed(change.last)))?;
                    self.upsert.next()?;
                }
            }
            entry.change = None;
        }
        self.changed.clear();
        // A statement that is not reset keeps its transaction open.
        self.delete.reset()?;
        self.upsert.reset()
    }

    /// After a commit: keeps what is in memory for the next group, within its bound.
    pub(crate) fn settled(&mut self) {
        if self.cache.len() > limits::PROJECTED_CACHE_MAX {
            self.cache.clear();
        }
    }

    /// After a rollback: forgets what did not happen.
    pub(crate) fn forget(&mut self) {
        self.cache.clear();
        self.changed.clear();
    }

    fn staged_value(&mut self, staged: &Staged, kind: &str, id: &str) -> sqlite::Result<Option<Arc<str>>> {
        match staged.0.get(&key(kind, id)) {
            Some(entry) => Ok(entry.value.clone()),
            None => self.value(kind, id),
        }
    }

    /// From memory or the table. What was not in memory is from then on, also that it is not there: who decides looks, and what it decided
    /// is projected from the same.
    fn value(&mut self, kind: &str, id: &str) -> sqlite::Result<Option<Arc<str>>> {
        let key = key(kind, id);
        if let Some(entry) = self.cache.get(&key) {
            return Ok(entry.value.clone());
        }
        self.select.reset()?;
        self.select.bind((1, kind))?;
        self.select.bind((2, id))?;
        let found: Option<Arc<str>> = match self.select.next()? {
            State::Row => Some(self.select.read::<String, _>(0)?.into()),
            State::Done => None,
        };
        self.select.reset()?;
        self.cache.insert(key, Entry { value: found.clone(), change: None });
        Ok(found)
    }
}

impl Staged {
    fn put(&mut self, key: String, entry: Entry) {
        put(&mut self.0, key, entry);
    }
}

/// Puts it in the place of what was there; says whether that had changed already.
fn put(map: &mut HashMap<String, Entry>, key: String, mut entry: Entry) -> bool {
    let before = map.get(&key).and_then(|before| before.change.as_ref());
    if let (Some(before), Some(change)) = (before, &mut entry.change) {
        change.first = before.first;
    }
    let again = before.is_some();
    map.insert(key, entry);
    again
}

/// What an append's condition sees: everything projected, as it is at that very moment. Nobody else writes meanwhile.
pub struct View<'a> {
    projector: &'a mut dyn Lookup,
    /// Why the database refused, whatever the condition makes of that.
    pub(crate) failed: Option<sqlite::Error>,
}

/// Hides the projector's lifetime from callers.
trait Lookup {
    fn value(&mut self, kind: &str, id: &str) -> sqlite::Result<Option<Arc<str>>>;
    fn list(&mut self, kind: &str, order: Order, limit: usize) -> sqlite::Result<Vec<String>>;
}

impl Lookup for Projector<'_> {
    fn value(&mut self, kind: &str, id: &str) -> sqlite::Result<Option<Arc<str>>> {
        Projector::value(self, kind, id)
    }

    fn list(&mut self, kind: &str, order: Order, limit: usize) -> sqlite::Result<Vec<String>> {
        self.flush()?;
        crate::read::list_texts(self.connection, self.table, kind, order, limit)
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(projector: &'a mut Projector<'_>) -> Self {
        Self { projector, failed: None }
    }

    /// A projected thing.
    ///
    /// # Errors
    /// When the database refuses, or it is of another form than `T`.
    pub fn get<T: DeserializeOwned>(&mut self, kind: &str, id: &str) -> Result<Option<T>, Problem> {
        let found = self.projector.value(kind, id);
        self.noted(found)?.map(|text| serde_json::from_str(&text).map_err(Problem::internal)).transpose()
    }

    /// Projected things of one kind.
    ///
    /// # Errors
    /// When the database refuses, or one is of another form than `T`.
    pub fn list<T: DeserializeOwned>(&mut self, kind: &str, order: Order, limit: usize) -> Result<Vec<T>, Problem> {
        let found = self.projector.list(kind, order, limit);
        self.noted(found)?.iter().map(|text| serde_json::from_str(text).map_err(Problem::internal)).collect()
    }

    fn noted<T>(&mut self, found: sqlite::Result<T>) -> Result<T, Problem> {
        found.map_err(|error| {
            let problem = problem::database(&error);
            self.failed = Some(error);
            problem
        })
    }
}

/// SQLite's integers are signed; numbers of events never come near their end.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn key(kind: &str, id: &str) -> String {
    format!("{kind}\0{id}")
}
