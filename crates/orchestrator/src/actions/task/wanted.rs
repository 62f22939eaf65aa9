//! Where the tasks that are given to an agent may be executed.

use super::RunTasks;
use crate::{actions::find_run, org::Org};
use domain::{
    Did, Problem,
    lend::check_tag,
    manifest::{Apart, Priority},
    run::Run,
};
use std::collections::BTreeMap;

/// How many tags a run can ask for.
const TAGS_MAX: usize = 32;

/// Where runs are to be executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// On this device alone.
    pub(crate) on: Option<Did>,
    /// On devices with these tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// How important they are.
    pub(crate) priority: Priority,
    /// Not on the device of this run.
    pub(crate) apart: Option<Apart>,
}

impl Wanted {
    /// As it was wanted of a run before.
    pub(crate) fn of(run: &Run) -> Self {
        Self { on: run.on.clone(), tags: run.tags.clone(), priority: run.priority, apart: run.apart.clone() }
    }
}

/// Where the tasks are to be executed.
pub(super) fn wanted(org: &Org, input: &RunTasks) -> Result<Wanted, Problem> {
    let on = match (&input.on, input.here) {
        (Some(_), true) => return Err(Problem::invalid("A device is named, and this one is asked for.").next("Give --on, or --here.")),
        (None, true) => Some(org.device.clone()),
        (on, false) => on.as_deref().map(|text| super::device(org, text)).transpose()?,
    };
    check_tags(&input.tags)?;
    let apart = input.apart_from.as_deref().map(|text| apart(org, text)).transpose()?;
    if let Some(apart) = apart.as_ref().filter(|apart| on.as_ref() == Some(&apart.device)) {
        return Err(Problem::invalid(format!("The run {} is or was on that very device.", apart.run))
            .next("Name another device with --on, or leave out --apart-from."));
    }
    Ok(Wanted { on, tags: input.tags.clone(), priority: input.priority, apart })
}

/// Refuses tags that no device can have.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Problem> {
    if tags.len() > TAGS_MAX {
        return Err(Problem::invalid(format!("{} tags are asked for, and a run has {TAGS_MAX} at most.", tags.len()))
            .next("Ask for fewer, as --tag gpu=true."));
    }
    tags.iter().try_for_each(|(tag, value)| check_tag(tag, value))
}

/// The run from whose device others are to stay apart.
fn apart(org: &Org, text: &str) -> Result<Apart, Problem> {
    let run = find_run(org, text)?.run;
    let Some(device) = run.device else {
        return Err(Problem::conflict(format!("The run {} has no device yet, so nothing can be kept apart from it.", run.id))
            .next("Wait until it was placed: meshwork run show says where it is."));
    };
    Ok(Apart { run: run.id, device })
}
