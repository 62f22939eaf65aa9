//! Owner first: what this machine lends to others, taking it back, and lending it again.

use super::{Done, Nothing};
use crate::{
    clock,
    lending::{Lending, guests},
    limits,
    org::Org,
    table::{Action, Context, Effect, action},
};
use domain::{
    OrgName, Problem, Timestamp,
    capacity::Gpu,
    lend::{Click, Condition, LendPolicy, Reclaim},
    manifest::Class,
    role::Permission,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::timeout;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    use Permission::{ManageDevice, View};
    vec![
        action("device.lending", Reads, View, "What this machine's owner lends to others, and why it takes no guests now.", show),
        action("device.lend", Changes, ManageDevice, "Say what this machine lends to others; what is not said stays.", lend),
        action("device.reclaim", Changes, ManageDevice, "Take this machine back: guests are frozen, saved and sent away.", reclaim),
        action("device.release", Changes, ManageDevice, "Lend this machine again that was taken back.", release),
    ]
}

/// What a machine lends now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LendingView {
    /// What its owner lends; the usual where they said nothing. The same for all orgs of the machine.
    pub policy: LendPolicy,
    /// What its sensors see.
    pub condition: Condition,
    /// Why it takes no guests now; none: it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaimed: Option<Reclaim>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when it takes guests, or takes none.
    pub since: Timestamp,
    /// What its owner said by a click, while it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click: Option<Click>,
    /// The GPUs that there are.
    pub gpus: Vec<Gpu>,
    /// How many guests of this org run here, with checks on their work.
    pub guests: usize,
    /// Why the policy cannot be read. Then no guests are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Problem>,
}

fn view(org: &Org, lending: Lending) -> Result<LendingView, Problem> {
    let guests = guests::running(org)?.len();
    let Lending { policy, condition, reclaimed, since, click, gpus, broken } = lending;
    let why = reclaimed.as_ref().map(Reclaim::text);
    Ok(LendingView { policy, condition, reclaimed, why, since, click, gpus, guests, broken })
}

async fn show(context: Context, _: Nothing) -> Result<LendingView, Problem> {
    context.org()?.blocking(|org| view(org, org.lending.look())).await
}

/// What is to be otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Lend {
    /// Whether guests are taken at all.
    #[serde(default)]
    guests: Option<bool>,
    /// Classes that guests may run.
    #[serde(default)]
    classes: Option<Vec<Class>>,
    /// How many of guests' runs at once at most; 0: all slots.
    #[serde(default)]
    slots: Option<u32>,
    /// Whether guests run while the owner is at the machine.
    #[serde(default)]
    while_present: Option<bool>,
    /// How long nothing may have been typed until the owner counts as away, in seconds.
    #[serde(default)]
    away_after_s: Option<u64>,
    /// Whether guests run on battery.
    #[serde(default)]
    on_battery: Option<bool>,
    /// Whether guests run while the lid is closed.
    #[serde(default)]
    lid_closed: Option<bool>,
    /// When guests are taken, as `mon-fri 19:00-07:00` in the machine's own time; an empty list: always.
    #[serde(default)]
    hours: Option<Vec<String>>,
    /// How long until guests' processors and memory are free after the owner wants the machine back, in seconds.
    #[serde(default)]
    grace_s: Option<u64>,
    /// For how many days the checkpoint of a guest is kept that nobody brings away.
    #[serde(default)]
    saved_days: Option<u32>,
    /// How much all of them may have at most, in GiB; the oldest of whoever has most go first.
    #[serde(default)]
    saved_gib: Option<u32>,
    /// What this device says of itself, as `gpu: "true"`, beside what it says already; an empty value takes a tag away.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Lend {
    fn change(self, policy: &mut LendPolicy) {
        fn set<T>(field: &mut T, wanted: Option<T>) {
            if let Some(wanted) = wanted {
                *field = wanted;
            }
        }
        set(&mut policy.guests, self.guests);
        set(&mut policy.classes, self.classes);
        set(&mut policy.slots, self.slots.map(|slots| Some(slots).filter(|slots| *slots > 0)));
        set(&mut policy.while_present, self.while_present);
        set(&mut policy.away_after_s, self.away_after_s);
        set(&mut policy.on_battery, self.on_battery);
        set(&mut policy.lid_closed, self.lid_closed);
        set(&mut policy.hours, self.hours);
        set(&mut policy.grace_s, self.grace_s);
        set(&mut policy.saved_days, self.saved_days);
        set(&mut policy.saved_gib, self.saved_gib);
        for (tag, value) in self.tags {
            match value.is_empty() {
                true => drop(policy.tags.remove(&tag)),
                false => drop(policy.tags.insert(tag, value)),
            }
        }
    }
}

async fn lend(context: Context, input: Lend) -> Result<LendingView, Problem> {
    context.org()?.blocking(move |org| view(org, org.lending.set(|policy| input.change(policy))?)).await
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Span {
    /// For how many minutes.
    #[serde(default)]
    minutes: Option<u64>,
}

impl Span {
    /// The moment at which it ends.
    fn until(&self) -> Result<Option<Timestamp>, Problem> {
        match self.minutes {
            None => Ok(None),
            Some(minutes) if (1..=limits::CLICK_MINUTES_MAX).contains(&minutes) => Ok(Some(clock::now().plus_ms(minutes * 60_000))),
            Some(_) => Err(Problem::invalid(format!("The time is between a minute and {} days.", limits::CLICK_MINUTES_MAX / (24 * 60)))
                .next("Give such a time, or none.")),
        }
    }
}

async fn reclaim(context: Context, input: Span) -> Result<Done, Problem> {
    let until = input.until()?;
    let org = context.org()?;
    let unsaved = org.blocking(move |org| Ok(org.lending.take_back(until))).await?;
    // It counts already: who waits for the answer waits for no slow journal.
    let counted = timeout(limits::END_ASK_WAIT, org.blocking(|org| Ok(guests::running(org)?.len()))).await;
    let guests = match counted {
        Ok(Ok(counted)) => counted,
        Ok(Err(_)) | Err(_) => guests::live(&org).len(),
    };
    Ok(Done::new(taken_back(&org.name, until, guests, unsaved.as_ref())))
}

/// What came of taking it back; `unwritten` says why that is not on the disk yet, which then may not take what guests save either.
fn taken_back(org: &OrgName, until: Option<Timestamp>, guests: usize, unwritten: Option<&Problem>) -> String {
    let end = until.map_or_else(|| "until you lend it again".to_owned(), |until| format!("until {}", until.minute()));
    let how = if unwritten.is_none() { "frozen, saved and sent away" } else { "frozen and sent away" };
    let away = match guests {
        0 => "No guest runs here.".to_owned(),
        1 => format!("One guest is {how}."),
        more => format!("{more} guests are {how}."),
    };
    let unwritten = unwritten.map_or_else(String::new, |problem| {
        format!(
            " That you took it back could not be written down, and is tried again; until then it counts for the org {org} alone, and over \
             no restart. {problem}"
        )
    });
    format!("This machine is yours alone {end}. {away}{unwritten}")
}

async fn release(context: Context, input: Span) -> Result<Done, Problem> {
    let until = input.until()?;
    let give = move |org: &Arc<Org>| {
        let before = org.lending.look().click;
        let lending = org.lending.say(until.map(|until| Click::Lent { until }))?;
        Ok(Done::new(released(&lending, before, until)))
    };
    context.org()?.blocking(give).await
}

/// What came of lending it again, given what its owner had said before. Of one that was not taken back nothing is pretended.
fn released(now: &Lending, before: Option<Click>, until: Option<Timestamp>) -> String {
    let begun = match (before, until) {
        (_, Some(until)) => format!("You lend it until {}", until.minute()),
        (Some(Click::Reclaimed { .. }), None) => "You lend it again".to_owned(),
        _ => "This machine was not taken back".to_owned(),
    };
    match (&now.broken, &now.reclaimed) {
        (Some(problem), _) => format!("{begun}, but no guests are taken: {problem}"),
        (None, Some(Reclaim::Never)) => format!("{begun}, but your lend policy takes no guests: meshwork lend --guests on changes that."),
        (None, Some(why)) => {
            format!("{begun}, but it takes no guests now: {} With a time (--for 2h) it is lent all the same.", why.text())
        }
        (None, None) => format!("{begun}: it takes guests."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_machine_that_was_not_taken_back_it_is_not_said_that_it_is_lent_again() {
        let (policy, condition, since) = (LendPolicy::default(), Condition::default(), Timestamp(0));
        let free = Lending { policy, condition, reclaimed: None, since, click: None, gpus: vec![], broken: None };
        let battery = Lending { reclaimed: Some(Reclaim::Battery), ..free.clone() };
        let taken = Some(Click::Reclaimed { until: None });
        assert_eq!(released(&free, taken, None), "You lend it again: it takes guests.");
        assert_eq!(released(&free, None, None), "This machine was not taken back: it takes guests.");
        let said = released(&battery, None, None);
        assert!(said.starts_with("This machine was not taken back, but it takes no guests now: It runs on battery."), "{said}");
        assert!(released(&battery, taken, None).starts_with("You lend it again, but"));
        assert!(released(&free, None, Some(Timestamp(0))).starts_with("You lend it until 1970-01-01 00:00 UTC"));
    }

    #[test]
    fn what_could_not_be_written_down_is_not_said_of_guests_that_are_saved() {
        let org: OrgName = "acme".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let well = taken_back(&org, Some(Timestamp(0)), 1, None);
        assert_eq!(well, "This machine is yours alone until 1970-01-01 00:00 UTC. One guest is frozen, saved and sent away.");
        let full = Problem::unavailable("The disk is full.");
        let told = taken_back(&org, None, 2, Some(&full));
        assert!(told.starts_with("This machine is yours alone until you lend it again. 2 guests are frozen and sent away."), "{told}");
        assert!(told.contains("could not be written down") && told.ends_with("The disk is full."), "{told}");
    }
}
