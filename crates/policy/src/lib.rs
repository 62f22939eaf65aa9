//! Who may do what, decided by Cedar: the files `policy/*.cedar` of an org, read and checked against a schema that is made
//! from the table of actions; and the built-in rules that no file takes away or goes round.
//!
//! It knows neither the table nor where files come from: both are handed in. It reads nothing and knows no time.

mod ask;
mod defaults;
mod limits;
mod rules;
mod schema;

pub use ask::{Ask, Decided, Principal, Resource, Rule};
pub use defaults::{FOLDER, files};
pub use rules::{Mistake, Rules};
pub use schema::{Named, Scheme, Subject};

#[cfg(test)]
mod tests;
