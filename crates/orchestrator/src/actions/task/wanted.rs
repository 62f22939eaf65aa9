//! Where the tasks that are given to an agent may be executed.

use super::RunTasks;
use crate::org::Org;
use domain::{Did, Problem};
use std::collections::BTreeMap;

/// How many tags a run can ask for.
const TAGS_MAX: usize = 32;
/// The longest name and the longest value of a tag, in bytes.
const TAG_BYTES_MAX: usize = 64;

/// Where runs are to be executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// On this device alone.
    pub(crate) on: Option<Did>,
    /// On devices with these tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// Where the tasks are to be executed.
pub(super) fn wanted(org: &Org, input: &RunTasks) -> Result<Wanted, Problem> {
    let on = match (&input.on, input.here) {
        (Some(_), true) => return Err(Problem::invalid("A device is named, and this one is asked for.").next("Give --on, or --here.")),
        (None, true) => Some(org.device.clone()),
        (on, false) => on.as_deref().map(|text| super::device(org, text)).transpose()?,
    };
    let good = |(tag, value): (&String, &String)| [tag, value].iter().all(|text| (1..=TAG_BYTES_MAX).contains(&text.len()));
    if input.tags.len() > TAGS_MAX || !input.tags.iter().all(good) {
        return Err(Problem::invalid(format!("At most {TAGS_MAX} tags may be asked for, each with a name and a value."))
            .next("Write one as gpu=true: up to 64 bytes for either."));
    }
    Ok(Wanted { on, tags: input.tags.clone() })
}
