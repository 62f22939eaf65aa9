//! The actions, one file a resource. Each parses nothing and renders nothing: typed input in, typed output out.

mod agent;
pub(crate) mod attention;
mod command;
mod credential;
mod device;
mod engine;
mod join;
mod journal;
mod lending;
mod member;
mod org;
pub(crate) mod patch;
mod policy;
mod project;
mod quota;
mod run;
mod session;
mod stop;
mod tailnet;
pub(crate) mod task;
mod token;
mod trace;
mod webhook;
mod why;

pub use device::{Device, Pod, Standing};
pub use run::LogPage;
pub(crate) use {patch::find as find_patch, run::find_seen as find_run};

use crate::table::Action;
use domain::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every action.
pub(crate) fn all() -> Vec<Action> {
    let mut all = Vec::new();
    for part in [
        session::actions,
        attention::actions,
        org::actions,
        join::actions,
        member::actions,
        project::actions,
        task::actions,
        why::actions,
        run::actions,
        patch::actions,
        agent::actions,
        engine::actions,
        credential::actions,
        quota::actions,
        stop::actions,
        token::actions,
        policy::actions,
        trace::actions,
        webhook::actions,
        journal::actions,
        device::actions,
        lending::actions,
        tailnet::actions,
        command::actions,
    ] {
        all.extend(part());
    }
    all
}

/// How many of a list are told at most: as many as were asked for.
///
/// # Errors
/// When that is none: it would look as if there were nothing.
fn at_most(asked: Option<usize>, usual: usize) -> Result<usize, Problem> {
    match asked {
        Some(0) => Err(Problem::invalid("A list of at most 0 tells nothing.").next("Give 1 or more as --limit, or leave it out.")),
        asked => Ok(asked.unwrap_or(usual)),
    }
}

/// No input.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Done, with a sentence for the person.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// What was done.
    pub message: String,
}

impl Done {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
