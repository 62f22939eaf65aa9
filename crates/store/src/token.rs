//! API tokens: only what is kept of them, never themselves. Changed together with the event that says so.

use crate::{limits, problem, projector::Failure};
use domain::{Kind, Problem};
use identity::token::Record;
use sqlite::{Connection, State};

/// A change of the table.
#[derive(Clone, Debug)]
pub(crate) enum TokenChange {
    /// A token was made.
    Insert(Record),
    /// A token was revoked.
    Revoke(String),
}

impl TokenChange {
    /// Whether it can be done.
    pub(crate) fn check(&self, connection: &Connection) -> Result<(), Failure> {
        match self {
            Self::Insert(record) => {
                if get(connection, &record.id)?.is_some() {
                    return Err(Failure::Append(Problem::conflict(format!("There is a token {} already.", record.id))));
                }
                if list(connection)?.len() >= limits::TOKENS_MAX {
                    return Err(Failure::Append(
                        Problem::new(Kind::Limit, format!("There are {} tokens already.", limits::TOKENS_MAX)).next("Revoke some."),
                    ));
                }
                Ok(())
            }
            Self::Revoke(id) => match get(connection, id)? {
                Some(_) => Ok(()),
                None => Err(Failure::Append(Problem::not_found(format!("There is no token “{}”.", domain::shown(id))))),
            },
        }
    }

    /// Does it.
    pub(crate) fn apply(&self, connection: &Connection) -> sqlite::Result<()> {
        match self {
            Self::Insert(record) => {
                let json = serde_json::to_string(record).map_err(|e| sqlite::Error { code: None, message: Some(e.to_string()) })?;
                let mut statement = connection.prepare("INSERT INTO token(id, record) VALUES(?, ?)")?;
                statement.bind((1, record.id.as_str()))?;
                statement.bind((2, json.as_str()))?;
                statement.next()?;
            }
            Self::Revoke(id) => {
                let mut statement = connection.prepare("DELETE FROM token WHERE id=?")?;
                statement.bind((1, id.as_str()))?;
                statement.next()?;
            }
        }
        Ok(())
    }
}

/// One record, as JSON text.
fn get(connection: &Connection, id: &str) -> sqlite::Result<Option<String>> {
    let mut statement = connection.prepare("SELECT record FROM token WHERE id=?")?;
    statement.bind((1, id))?;
    match statement.next()? {
        State::Row => statement.read(0).map(Some),
        State::Done => Ok(None),
    }
}

fn list(connection: &Connection) -> sqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT record FROM token ORDER BY rowid")?;
    let mut texts = vec![];
    while let State::Row = statement.next()? {
        texts.push(statement.read(0)?);
    }
    Ok(texts)
}

/// One record.
pub(crate) fn record(connection: &Connection, id: &str) -> Result<Option<Record>, Problem> {
    let text = get(connection, id).map_err(|e| problem::database(&e))?;
    text.map(|text| serde_json::from_str(&text).map_err(Problem::internal)).transpose()
}

/// All records, oldest first.
pub(crate) fn records(connection: &Connection) -> Result<Vec<Record>, Problem> {
    let texts = list(connection).map_err(|e| problem::database(&e))?;
    texts.iter().map(|text| serde_json::from_str(text).map_err(Problem::internal)).collect()
}
