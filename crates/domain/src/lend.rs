//! What the owner of a device lends to the others of its orgs, and when the device is theirs alone. Pure: what the sensors saw is
//! passed in.

mod hours;
mod saved;

pub use hours::Hours;
pub use saved::{Due, Saved, due};

use crate::{
    Problem, Timestamp,
    limits::{
        LEND_AWAY_MAX_S, LEND_GRACE_MAX_S, LEND_HOURS_MAX, LEND_SAVED_DAYS_MAX, LEND_SAVED_GIB_MAX, LEND_SLOTS_MAX, LEND_TAG_BYTES_MAX,
        LEND_TAGS_MAX,
    },
    manifest::Class,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of `lend.toml` that this build writes.
pub const VERSION: u16 = 1;
/// How long a reclaimed device may take until guests' processors and memory are free, in seconds, where its owner says nothing.
pub const GRACE_S: u64 = 30;
/// Tags that promise something to others: they come from the org repository, never from the device.
pub const PROMISED_TAGS: [&str; 2] = ["region", "compliance"];

/// `<data>/lend.toml`: what this machine's owner lends. It holds for all orgs of the machine, and lies nowhere else.
///
/// A guest is a run whose member does not own the device. The owner's own runs are never sent away by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LendPolicy {
    /// The format's version.
    pub version: u16,
    /// Whether guests are taken at all.
    pub guests: bool,
    /// Classes that guests may run.
    pub classes: Vec<Class>,
    /// How many of guests' runs at once at most; none: all slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Whether guests run while the owner is at the machine.
    pub while_present: bool,
    /// How long nothing may have been typed until the owner counts as away, in seconds.
    pub away_after_s: u64,
    /// Whether guests run on battery.
    pub on_battery: bool,
    /// Whether guests run while the lid is closed.
    pub lid_closed: bool,
    /// When guests are taken, as `mon-fri 19:00-07:00` in the machine's own time; none given: always.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<String>,
    /// How long until guests' processors and memory are free after the owner wants the machine back, in seconds.
    pub grace_s: u64,
    /// For how many days the checkpoint of a guest is kept that the device which asked for the run does not bring away, after the end of
    /// the run, or after that device was heard last.
    pub saved_days: u32,
    /// How much all of them may have at most, in GiB; the oldest of whoever has most go first.
    pub saved_gib: u32,
    /// What this device says of itself, as `gpu = "true"`. `region` and `compliance` come from the org repository only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Default for LendPolicy {
    fn default() -> Self {
        Self {
            version: VERSION,
            guests: true,
            classes: vec![Class::Agent, Class::Ci],
            slots: None,
            while_present: true,
            away_after_s: 300,
            on_battery: false,
            lid_closed: false,
            hours: vec![],
            grace_s: GRACE_S,
            saved_days: 30,
            saved_gib: 10,
            tags: BTreeMap::new(),
        }
    }
}

/// What the sensors of a machine saw. None: nothing here can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Condition {
    /// For how long nobody typed or moved anything, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_s: Option<u64>,
    /// Whether it runs on battery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_battery: Option<bool>,
    /// How full the battery is, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// Whether its lid is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lid_closed: Option<bool>,
}

/// Why a device is its owner's alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reclaim {
    /// Its owner said so.
    Asked {
        /// Until when; none: until they lend it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// It takes no guests.
    Never,
    /// What its owner lends cannot be read: a mistake in its lend policy.
    Unread,
    /// Its owner is at it.
    Present,
    /// It runs on battery.
    Battery,
    /// Its lid is closed.
    Lid,
    /// Not at this hour.
    Hours,
}

impl Reclaim {
    /// Whether waiting can help.
    pub fn passes(&self) -> bool {
        *self != Self::Never
    }

    /// In words for a person, about the machine.
    pub fn text(&self) -> String {
        match self {
            Self::Asked { until: Some(until) } => format!("Its owner wants it for themselves until {}.", until.minute()),
            Self::Asked { until: None } => "Its owner wants it for themselves until they lend it again.".into(),
            Self::Never => "Its owner takes no guests.".into(),
            Self::Unread => "What its owner lends cannot be read.".into(),
            Self::Present => "Its owner is at it.".into(),
            Self::Battery => "It runs on battery.".into(),
            Self::Lid => "Its lid is closed.".into(),
            Self::Hours => "Its owner lends it at other hours.".into(),
        }
    }
}

/// What the owner said last by a click, beside their policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Click {
    /// It is theirs alone.
    Reclaimed {
        /// Until when; none: until they lend it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// It is lent, also on battery, with its lid closed, at other hours, or while they are at it.
    Lent {
        /// Until when.
        until: Timestamp,
    },
}

impl Click {
    /// Whether it still counts.
    pub fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::Reclaimed { until: None } => true,
            Self::Reclaimed { until: Some(until) } | Self::Lent { until } => now < *until,
        }
    }
}

/// A moment of the week by the machine's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The day: 0 is Monday, 6 is Sunday.
    pub weekday: u8,
    /// The minute of the day.
    pub minute: u16,
}

/// Why the device is its owner's alone now; none: guests are welcome. `click` is what the owner said and still counts. What no sensor
/// can tell keeps nobody away.
pub fn stance(policy: &LendPolicy, condition: &Condition, click: Option<&Click>, local: LocalTime) -> Option<Reclaim> {
    match click {
        Some(Click::Reclaimed { until }) => return Some(Reclaim::Asked { until: *until }),
        _ if !policy.guests => return Some(Reclaim::Never),
        Some(Click::Lent { .. }) => return None,
        None => {}
    }
    let present = condition.idle_s.is_some_and(|idle| idle < policy.away_after_s);
    let within = |hours: &String| hours.parse::<Hours>().is_ok_and(|hours| hours.contains(local));
    let reasons = [
        (!policy.on_battery && condition.on_battery == Some(true), Reclaim::Battery),
        (!policy.lid_closed && condition.lid_closed == Some(true), Reclaim::Lid),
        (!policy.while_present && present, Reclaim::Present),
        (!policy.hours.is_empty() && !policy.hours.iter().any(within), Reclaim::Hours),
    ];
    reasons.into_iter().find_map(|(holds, why)| holds.then_some(why))
}

/// What is not in order in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The words that are wrong, as they stand in the policy.
    pub at: String,
    /// What is wrong with them.
    pub problem: Problem,
}

impl LendPolicy {
    /// Checks what its types do not.
    ///
    /// # Errors
    /// The first mistake.
    pub fn check(&self) -> Result<(), Mistake> {
        let wrong = |at: &str, problem: Problem| Err(Mistake { at: at.to_owned(), problem });
        if self.version > VERSION {
            let what = format!("It was written by a newer Meshwork (version {}; this one knows {VERSION}).", self.version);
            return wrong("version", Problem::conflict(what).next("Install that version, or write the policy anew with meshwork lend."));
        }
        if self.grace_s == 0 || self.grace_s > LEND_GRACE_MAX_S {
            return wrong(
                "grace_s",
                Problem::invalid(format!("The grace is between 1 s and {LEND_GRACE_MAX_S} s.")).next("Give such a number."),
            );
        }
        if let Some(slots) = self.slots.filter(|slots| !(1..=LEND_SLOTS_MAX).contains(slots)) {
            return wrong(
                "slots",
                Problem::invalid(format!("Guests may have between 1 and {LEND_SLOTS_MAX} runs at once, and not {slots}."))
                    .because("No machine runs more, and one that is to take no guests says so.")
                    .next("Give such a number; meshwork lend --slots 0 lends all slots, and --guests off takes no guests."),
            );
        }
        if !(1..=LEND_AWAY_MAX_S).contains(&self.away_after_s) {
            return wrong(
                "away_after_s",
                Problem::invalid(format!("You count as away after 1 s to {LEND_AWAY_MAX_S} s, and not after {} s.", self.away_after_s))
                    .because("With 0 s nobody was ever at the machine, and with more than a day nobody was ever away from it.")
                    .next("Give such a number, as 300; whether guests run while you are there says --while-present."),
            );
        }
        if self.saved_days == 0 || self.saved_days > LEND_SAVED_DAYS_MAX {
            return wrong(
                "saved_days",
                Problem::invalid(format!("What guests saved is kept for 1 to {LEND_SAVED_DAYS_MAX} days.")).next("Give such a number."),
            );
        }
        if self.saved_gib == 0 || self.saved_gib > LEND_SAVED_GIB_MAX {
            return wrong(
                "saved_gib",
                Problem::invalid(format!("What guests saved may have 1 to {LEND_SAVED_GIB_MAX} GiB.")).next("Give such a number."),
            );
        }
        if self.hours.len() > LEND_HOURS_MAX {
            return wrong("hours", Problem::invalid(format!("There are at most {LEND_HOURS_MAX} lines of hours.")).next("Give fewer."));
        }
        if let Some((at, problem)) = self.hours.iter().find_map(|hours| Some((hours, hours.parse::<Hours>().err()?))) {
            return wrong(at, problem);
        }
        if self.tags.len() > LEND_TAGS_MAX {
            return wrong("tags", Problem::invalid(format!("There are at most {LEND_TAGS_MAX} tags.")).next("Give fewer."));
        }
        match self.tags.iter().find_map(|(tag, value)| Some((tag, wrong_tag(tag, value)?))) {
            Some((at, problem)) => wrong(at, problem),
            None => Ok(()),
        }
    }
}

/// What is wrong with a tag.
fn wrong_tag(tag: &str, value: &str) -> Option<Problem> {
    if PROMISED_TAGS.contains(&tag) {
        let what = format!("The tag {tag} promises something to others: no device gives it to itself.");
        return Some(Problem::invalid(what).next(format!("The org gives it: meshwork org device NAME --tag {tag}=…")));
    }
    check_tag(tag, value).err()
}

/// Refuses what does not look like a tag, whoever says it of a device or asks for it.
///
/// # Errors
/// With what a tag looks like.
pub fn check_tag(tag: &str, value: &str) -> Result<(), Problem> {
    let plain = |text: &str, more: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !text.is_empty() && text.len() <= LEND_TAG_BYTES_MAX && text.chars().all(fits)
    };
    if plain(tag, "._-") && plain(value, "._-/+@") {
        return Ok(());
    }
    let next =
        format!("A tag is a name and a value of letters, digits, dots and dashes, as gpu:true; each has {LEND_TAG_BYTES_MAX} at most.");
    Err(Problem::invalid(format!("“{}:{}” is no tag.", crate::shown(tag), crate::shown(value))).next(next))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOON: LocalTime = LocalTime { weekday: 2, minute: 12 * 60 };

    fn plain() -> LendPolicy {
        LendPolicy::default()
    }

    fn battery() -> Condition {
        Condition { on_battery: Some(true), ..Condition::default() }
    }

    #[test]
    fn a_machine_is_its_owners_by_click_policy_and_condition() {
        let asked = |until| Some(Click::Reclaimed { until });
        let lent = Some(Click::Lent { until: Timestamp(9) });
        let (lid, typing) =
            (Condition { lid_closed: Some(true), ..Condition::default() }, Condition { idle_s: Some(299), ..Condition::default() });
        let away = Condition { idle_s: Some(300), ..Condition::default() };
        let absent = LendPolicy { while_present: false, ..plain() };
        let nights = LendPolicy { hours: vec!["mon-fri 19:00-07:00".into(), "sat,sun 00:00-24:00".into()], ..plain() };
        let none = LendPolicy { guests: false, ..plain() };
        let table = [
            (plain(), Condition::default(), None, None),
            (absent.clone(), Condition::default(), None, None),
            (plain(), battery(), None, Some(Reclaim::Battery)),
            (LendPolicy { on_battery: true, ..plain() }, battery(), None, None),
            (plain(), lid, None, Some(Reclaim::Lid)),
            (LendPolicy { lid_closed: true, ..plain() }, lid, None, None),
            (plain(), typing, None, None),
            (absent.clone(), typing, None, Some(Reclaim::Present)),
            (absent, away, None, None),
            (nights.clone(), Condition::default(), None, Some(Reclaim::Hours)),
            (LendPolicy { hours: vec!["wed 11:00-13:00".into()], ..plain() }, Condition::default(), None, None),
            (LendPolicy { hours: vec!["nonsense".into()], ..plain() }, Condition::default(), None, Some(Reclaim::Hours)),
            (none.clone(), Condition::default(), None, Some(Reclaim::Never)),
            (none.clone(), Condition::default(), lent, Some(Reclaim::Never)),
            (none, Condition::default(), asked(None), Some(Reclaim::Asked { until: None })),
            (plain(), battery(), lent, None),
            (nights, battery(), lent, None),
            (plain(), Condition::default(), asked(Some(Timestamp(7))), Some(Reclaim::Asked { until: Some(Timestamp(7)) })),
        ];
        for (policy, condition, click, expected) in table {
            assert_eq!(stance(&policy, &condition, click.as_ref(), NOON), expected, "{policy:?} {condition:?} {click:?}");
        }
    }

    #[test]
    fn a_click_counts_until_its_end() {
        let table = [
            (Click::Reclaimed { until: None }, i64::MAX, true),
            (Click::Reclaimed { until: Some(Timestamp(5)) }, 4, true),
            (Click::Reclaimed { until: Some(Timestamp(5)) }, 5, false),
            (Click::Lent { until: Timestamp(5) }, 4, true),
            (Click::Lent { until: Timestamp(5) }, 5, false),
        ];
        for (click, now, holds) in table {
            assert_eq!(click.holds(Timestamp(now)), holds, "{click:?} {now}");
        }
    }

    #[test]
    fn a_policy_with_a_mistake_says_where() {
        let tag = |tag: &str, value: &str| LendPolicy { tags: [(tag.to_owned(), value.to_owned())].into(), ..plain() };
        let table = [
            (LendPolicy { version: VERSION + 1, ..plain() }, "version"),
            (LendPolicy { grace_s: 0, ..plain() }, "grace_s"),
            (LendPolicy { slots: Some(999_999_999), ..plain() }, "slots"),
            (LendPolicy { slots: Some(0), ..plain() }, "slots"),
            (LendPolicy { away_after_s: 0, ..plain() }, "away_after_s"),
            (LendPolicy { away_after_s: LEND_AWAY_MAX_S + 1, ..plain() }, "away_after_s"),
            (LendPolicy { saved_days: 0, ..plain() }, "saved_days"),
            (LendPolicy { saved_gib: 0, ..plain() }, "saved_gib"),
            (LendPolicy { hours: vec!["22:00-06:00".into(), "never".into()], ..plain() }, "never"),
            (tag("region", "eu"), "region"),
            (tag("compliance", "restricted"), "compliance"),
            (tag("two words", "x"), "two words"),
            (tag("gpu", ""), "gpu"),
        ];
        for (policy, at) in table {
            let mistake = policy.check().unwrap_err();
            assert_eq!(mistake.at, at);
            assert!(mistake.problem.next.is_some());
        }
        assert_eq!(tag("gpu", "false").check(), Ok(()));
        // What the org promises may be asked for.
        assert_eq!(check_tag("region", "ap-southeast-2"), Ok(()));
        for (name, value) in [("", "x"), ("gpu", ""), ("two words", "x"), ("gpu", "a=b"), ("gpu", "a\nb")] {
            let problem = check_tag(name, value).unwrap_err();
            assert!(problem.next.is_some_and(|next| next.contains("gpu:true")), "{name:?} {value:?}");
        }
        assert_eq!(plain().check(), Ok(()));
    }

    #[test]
    fn a_policy_of_a_few_lines_has_usual_values_for_the_rest() {
        let policy: LendPolicy = toml::from_str("guests = true\non_battery = true\n[tags]\ngpu = \"a100\"\n").unwrap();
        let expected = LendPolicy { on_battery: true, tags: [("gpu".to_owned(), "a100".to_owned())].into(), ..plain() };
        assert_eq!(policy, expected);
        assert_eq!(toml::from_str::<LendPolicy>(&toml::to_string(&expected).unwrap()).unwrap(), expected);
        assert!(toml::from_str::<LendPolicy>("gests = true").is_err());
    }
}
