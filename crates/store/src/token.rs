//! API tokens, and browsers that are signed in, which are tokens of a sort: only what is kept of them, never themselves. Changed
//! together with the events that say so.

use crate::{limits, problem, projector::Failure};
use domain::{Kind, Problem};
use identity::token::Record;
use sqlite::{Connection, State};

/// What a token is for; each sort has a table of its own, so that neither counts as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Scripts.
    Token,
    /// Browsers.
    Browser,
}

impl Sort {
    fn table(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Browser => "browser",
        }
    }

    fn max(self) -> usize {
        match self {
            Self::Token => limits::TOKENS_MAX,
            Self::Browser => limits::BROWSERS_MAX,
        }
    }
}

/// A change of a table.
#[derive(Clone, Debug)]
pub(crate) enum TokenChange {
    /// A token was made.
    Insert(Sort, Record),
    /// Tokens were revoked.
    Revoke(Sort, Vec<String>),
}

impl TokenChange {
    /// Whether it can be done.
    pub(crate) fn check(&self, connection: &Connection) -> Result<(), Failure> {
        match self {
            Self::Insert(sort, record) => {
                let noun = sort.table();
                if get(connection, *sort, &record.id)?.is_some() {
                    return Err(Failure::Append(Problem::conflict(format!("There is a {noun} {} already.", record.id))));
                }
                let counting = |text: &String| serde_json::from_str(text).is_ok_and(|kept: Record| !over(&kept, record));
                if list(connection, *sort)?.iter().filter(|text| counting(text)).count() >= sort.max() {
                    return Err(Failure::Append(
                        Problem::new(Kind::Limit, format!("There are {} {noun}s already.", sort.max())).next(if *sort == Sort::Token {
                            "Revoke some."
                        } else {
                            "Sign some out: Settings lists them."
                        }),
                    ));
                }
                Ok(())
            }
            Self::Revoke(sort, ids) => {
                for id in ids {
                    if get(connection, *sort, id)?.is_none() {
                        let problem = Problem::not_found(format!("There is no {} “{}”.", sort.table(), domain::shown(id)));
                        return Err(Failure::Append(problem));
                    }
                }
                Ok(())
            }
        }
    }

    /// Does it. What is over by the time that a new one is made is forgotten.
    pub(crate) fn apply(&self, connection: &Connection) -> sqlite::Result<()> {
        match self {
            Self::Insert(sort, record) => {
                let expired: Vec<Record> = list(connection, *sort)?.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
                for kept in expired.iter().filter(|kept| *sort == Sort::Browser && over(kept, record)) {
                    remove(connection, *sort, &kept.id)?;
                }
                let json = serde_json::to_string(record).map_err(|e| sqlite::Error { code: None, message: Some(e.to_string()) })?;
                let mut statement = connection.prepare(format!("INSERT INTO {}(id, record) VALUES(?, ?)", sort.table()))?;
                statement.bind((1, record.id.as_str()))?;
                statement.bind((2, json.as_str()))?;
                statement.next()?;
            }
            Self::Revoke(sort, ids) => {
                for id in ids {
                    remove(connection, *sort, id)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether one had ended when another was made.
fn over(kept: &Record, made: &Record) -> bool {
    kept.expires.is_some_and(|at| at <= made.created)
}

fn remove(connection: &Connection, sort: Sort, id: &str) -> sqlite::Result<()> {
    let mut statement = connection.prepare(format!("DELETE FROM {} WHERE id=?", sort.table()))?;
    statement.bind((1, id))?;
    statement.next().map(drop)
}

/// One record, as JSON text.
fn get(connection: &Connection, sort: Sort, id: &str) -> sqlite::Result<Option<String>> {
    let mut statement = connection.prepare(format!("SELECT record FROM {} WHERE id=?", sort.table()))?;
    statement.bind((1, id))?;
    match statement.next()? {
        State::Row => statement.read(0).map(Some),
        State::Done => Ok(None),
    }
}

fn list(connection: &Connection, sort: Sort) -> sqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(format!("SELECT record FROM {} ORDER BY rowid", sort.table()))?;
    let mut texts = vec![];
    while let State::Row = statement.next()? {
        texts.push(statement.read(0)?);
    }
    Ok(texts)
}

/// One record.
pub(crate) fn record(connection: &Connection, sort: Sort, id: &str) -> Result<Option<Record>, Problem> {
    let text = get(connection, sort, id).map_err(|e| problem::database(&e))?;
    text.map(|text| serde_json::from_str(&text).map_err(Problem::internal)).transpose()
}

/// All records, oldest first.
pub(crate) fn records(connection: &Connection, sort: Sort) -> Result<Vec<Record>, Problem> {
    let texts = list(connection, sort).map_err(|e| problem::database(&e))?;
    texts.iter().map(|text| serde_json::from_str(text).map_err(Problem::internal)).collect()
}
