//! Where the tasks that are given to an agent may be executed.

use super::{RunTasks, words::for_reviews};
use crate::{actions::find_run, org::Org, remote::devices, tasks::Board};
use domain::{
    Did, Problem,
    lend::{PROMISED_TAGS, check_tag},
    manifest::{Apart, Class, Priority},
    run::Run,
    task::TaskView,
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
            .next("Ask for fewer, as --tag gpu:true."));
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

/// What is to be said where no device has the tags that the tasks' runs need, as far as that is known here now.
///
/// # Errors
/// When placing would refuse one of them a moment later; or when the org or the journal cannot be read.
pub(super) fn untagged(org: &Org, board: &Board, wanted: &Wanted, tasks: &[TaskView]) -> Result<Option<String>, Problem> {
    let tags: BTreeMap<String, String> =
        board.settings.tags.iter().chain(&wanted.tags).map(|(tag, value)| (tag.clone(), value.clone())).collect();
    if tags.is_empty() || tasks.is_empty() {
        return Ok(None);
    }
    let mut devices = devices::all(org, &org.state()?, Class::Agent)?;
    devices.retain(|known| wanted.on.as_ref().is_none_or(|on| known.device.did == *on));
    let known: Vec<Tagged<'_>> =
        devices.iter().map(|known| (known.device.name.as_str(), known.told.as_ref().map(|told| &told.capacity.tags))).collect();
    let Some(missing) = missing(&tags, &known) else { return Ok(None) };
    // Another device that was named is asked, whatever is known of it here; and what waits for other tasks or reviews is placed later.
    let asked = wanted.on.as_ref().is_some_and(|on| *on != org.device);
    let at_once = tasks.iter().any(|view| board.waits(view).is_none() && for_reviews(board, view).is_none());
    match missing.waits_for {
        Some(unheard) => Ok(Some(format!(
            "{} Nothing was heard yet of {unheard}: its run waits for that, and fails if no device has it then.",
            missing.what
        ))),
        None if at_once && !asked => {
            Err(Problem::conflict(missing.what).because("Each device would refuse the run.").next(gives(&tags, &known)))
        }
        None => Ok(Some(format!("{} Its run fails unless a device has that when it is placed: meshwork capacity.", missing.what))),
    }
}

/// Who gives a device the tags that none has: some promise something to others, and are the org's to give.
fn gives(tags: &BTreeMap<String, String>, devices: &[Tagged<'_>]) -> String {
    let nobodys = |tag: &String, value: &String| !devices.iter().any(|(_, has)| has.is_some_and(|has| has.get(tag) == Some(value)));
    let promised = tags.iter().find(|&(tag, value)| PROMISED_TAGS.contains(&tag.as_str()) && nobodys(tag, value));
    let how = match promised {
        Some((tag, value)) => format!("the org alone gives this one: meshwork org device NAME --tag {tag}:{value}."),
        None => "meshwork lend --tag NAME:VALUE, given on a device, adds one to it.".to_owned(),
    };
    format!("meshwork capacity shows the tags of each device; {how}")
}

/// A device's name and its tags; none: nothing was heard of it yet.
type Tagged<'a> = (&'a str, Option<&'a BTreeMap<String, String>>);

/// Tags that no device has.
struct Missing {
    what: String,
    /// The devices that may have them, by their names.
    waits_for: Option<String>,
}

fn missing(tags: &BTreeMap<String, String>, devices: &[Tagged<'_>]) -> Option<Missing> {
    let has_all = |has: &BTreeMap<String, String>| tags.iter().all(|(tag, value)| has.get(tag) == Some(value));
    if devices.iter().any(|(_, has)| has.is_some_and(has_all)) {
        return None;
    }
    let words: Vec<String> = tags.iter().map(|(tag, value)| format!("{tag}:{value}")).collect();
    let which = if words.len() == 1 { "the tag" } else { "all the tags" };
    let who = if let [(one, _)] = devices { format!("The device {one} does not have") } else { "No device of the org has".to_owned() };
    let unheard: Vec<&str> = devices.iter().filter(|(_, has)| has.is_none()).map(|(name, _)| *name).collect();
    Some(Missing { what: format!("{who} {which} {} now.", words.join(", ")), waits_for: (!unheard.is_empty()).then(|| unheard.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_tags_that_no_device_has_it_is_said_who_may_have_them() {
        let tags =
            |all: &[(&str, &str)]| all.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>();
        let (plain, fast, wanted) = (tags(&[]), tags(&[("fast", "yes"), ("gpu", "true")]), tags(&[("gpu", "true")]));
        assert!(missing(&wanted, &[("desk", Some(&plain)), ("box", Some(&fast))]).is_none());
        assert!(gives(&wanted, &[("desk", Some(&plain))]).contains("meshwork lend --tag"));
        let promised = tags(&[("gpu", "true"), ("region", "eu")]);
        assert!(gives(&promised, &[("desk", Some(&plain))]).ends_with("meshwork org device NAME --tag region:eu."));
        assert!(gives(&promised, &[("desk", Some(&tags(&[("region", "eu")])))]).contains("meshwork lend --tag"));
        let none = missing(&wanted, &[("desk", Some(&plain)), ("lap", Some(&plain))]);
        let none = none.map(|missing| (missing.what, missing.waits_for));
        assert_eq!(none, Some(("No device of the org has the tag gpu:true now.".to_owned(), None)));
        let unheard = missing(&tags(&[("fast", "no"), ("gpu", "true")]), &[("desk", Some(&fast)), ("box", None)]);
        let unheard = unheard.map(|missing| (missing.what, missing.waits_for));
        assert_eq!(unheard, Some(("No device of the org has all the tags fast:no, gpu:true now.".to_owned(), Some("box".to_owned()))));
    }
}
