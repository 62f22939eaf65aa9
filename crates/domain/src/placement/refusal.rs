//! Why a device does not run a workload, in types and in words.

use crate::{
    Timestamp,
    capacity::{Lane, Runtime},
    lend::Reclaim,
    manifest::Class,
    placement::QueuePlace,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a device does not run a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// It does not run this class.
    Class {
        /// The class.
        class: Class,
    },
    /// It has no such runtime, or none that works.
    Runtime {
        /// What was asked for; none means any.
        wanted: Option<Runtime>,
    },
    /// A tag is missing or different.
    Tag {
        /// The tag.
        tag: String,
        /// The value asked for.
        wanted: String,
        /// The value there.
        has: Option<String>,
    },
    /// It will never have enough.
    TooSmall {
        /// Of what.
        resource: String,
        /// What it has in all.
        has: u64,
        /// What was asked.
        wanted: u64,
    },
    /// It has not enough free now.
    Busy {
        /// Of what.
        resource: String,
        /// What is free.
        free: u64,
        /// What was asked.
        wanted: u64,
    },
    /// All its slots are taken.
    NoSlot {
        /// How many it has.
        slots: u32,
    },
    /// Other orgs of the same machine use a part of what is not free.
    OtherOrgs {
        /// What they use.
        taken: Lane,
    },
    /// Others stand in front of it in the device's queue.
    Queue {
        /// Where it stands.
        place: QueuePlace,
    },
    /// Less important runs were asked to give way to it: their work is being saved.
    MakesRoom {
        /// How many.
        runs: usize,
    },
    /// It cannot say yet what is free.
    NotKnown {
        /// Why.
        message: String,
    },
    /// The manifest's time is over.
    Expired,
    /// The signature or the form of the manifest is not in order.
    Manifest {
        /// Why.
        message: String,
    },
    /// The org does not list the requester, or its role does not allow it.
    NotAllowed {
        /// Why.
        message: String,
    },
    /// A stop order halts it.
    Halted {
        /// Which, and why.
        message: String,
    },
    /// The engine that the agent drives is not installed there.
    Engine {
        /// Which.
        engine: String,
    },
    /// The device is being reclaimed or shut down.
    Closing,
    /// It is its owner's alone now, and the work is a guest's.
    Reclaimed {
        /// Why.
        why: Reclaim,
    },
    /// It sent this very work away, and takes other work.
    SentAway {
        /// Until when it does not take it again.
        until: Timestamp,
    },
    /// It was not heard of lately: nothing new goes there, and what runs there goes on.
    Suspected,
    /// It may not read the project's repository.
    NotShared,
    /// It refused this very work a while ago.
    RefusedBefore {
        /// What it said.
        message: String,
    },
    /// It leased this run before, by another request, whose answer was lost. A new run of the same task it may take.
    LeasedBefore,
    /// Another device is wanted, as for a review that is to be independent.
    AntiAffinity {
        /// From what it has to be apart.
        message: String,
    },
}

impl Refusal {
    /// Whether waiting can help.
    pub fn passes(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::NoSlot { .. } | Self::OtherOrgs { .. } | Self::NotKnown { .. } | Self::Halted { .. } => true,
            Self::Closing | Self::Suspected | Self::SentAway { .. } | Self::RefusedBefore { .. } => true,
            Self::Queue { .. } | Self::MakesRoom { .. } => true,
            // One that is made now counts again.
            Self::Expired => true,
            Self::Reclaimed { why } => why.passes(),
            Self::Class { .. } | Self::Runtime { .. } | Self::Tag { .. } | Self::TooSmall { .. } | Self::Engine { .. } => false,
            Self::Manifest { .. } | Self::NotAllowed { .. } | Self::NotShared | Self::LeasedBefore | Self::AntiAffinity { .. } => false,
        }
    }

    /// Whether a device that was asked may take the same later: when it has room, or when it knows the org, or we know it, better. What it
    /// announces itself was in order when it was asked, so a refusal for that is news that one of the two has not heard.
    pub fn may_take_later(reasons: &[Self]) -> bool {
        let announced = |refusal: &Self| {
            matches!(
                refusal,
                Self::Class { .. }
                    | Self::Runtime { .. }
                    | Self::Tag { .. }
                    | Self::TooSmall { .. }
                    | Self::Engine { .. }
                    | Self::Reclaimed { .. }
            )
        };
        reasons.iter().all(|refusal| refusal.passes() || announced(refusal))
    }

    /// Whether it is about room alone, which is had by waiting for one's turn or by displacing others.
    pub fn of_room(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::NoSlot { .. } | Self::OtherOrgs { .. } | Self::Queue { .. } | Self::MakesRoom { .. })
    }

    /// Whether a device that says this sends others away for the run: it is waited for there.
    pub fn makes_room(reasons: &[Self]) -> bool {
        reasons.iter().any(|refusal| matches!(refusal, Self::MakesRoom { .. }))
    }

    /// Several of them in words, with what to do where something will never fit.
    pub fn texts(refusals: &[Self]) -> String {
        Self::advised(Self::each(refusals), refusals)
    }

    /// What was said of one device or several, with what to do where something will never fit: once for all of them.
    pub fn advised<'a>(said: String, refusals: impl IntoIterator<Item = &'a Self>) -> String {
        let never = refusals.into_iter().any(|refusal| matches!(refusal, Self::TooSmall { .. }));
        if never { format!("{said} Ask for less with `resources` in .meshwork/project.toml.") } else { said }
    }

    /// Several of them in words, and nothing more.
    pub fn each(refusals: &[Self]) -> String {
        refusals.iter().map(Self::text).collect::<Vec<_>>().join(" ")
    }

    /// In words for a person.
    pub fn text(&self) -> String {
        match self {
            Self::Class { class } => {
                let class = format!("{class:?}").to_lowercase();
                format!("It does not accept workloads of class {class}; its owner decides that in the lend policy.")
            }
            Self::Runtime { wanted: Some(runtime) } => {
                format!("It has no working {runtime:?} runtime; `meshwork doctor` there says how to mend that.")
            }
            Self::Runtime { wanted: None } => "It has no working runtime; `meshwork doctor` there says how to mend that.".into(),
            Self::Tag { tag, wanted, has: Some(has) } => format!("Its tag {tag} is {has}, and {wanted} was asked for."),
            Self::Tag { tag, wanted, has: None } => format!("It has no tag {tag}:{wanted}."),
            Self::TooSmall { resource, has, wanted } => {
                let (has, wanted) = (amount(resource, *has), amount(resource, *wanted));
                format!("It has {has} in all, and {wanted} were asked for: it will never fit.")
            }
            Self::Busy { resource, free, wanted } => {
                format!("{} are free, and {} were asked for.", amount(resource, *free), amount(resource, *wanted))
            }
            Self::NoSlot { slots } => format!("All its {slots} slots are taken."),
            Self::OtherOrgs { taken: Lane { slots, reserved } } => format!(
                "Of what is taken, another org of this machine uses {slots} slots, {} and {}.",
                amount("cpu_milli", reserved.cpu_milli),
                amount("memory_bytes", reserved.memory_bytes)
            ),
            Self::Queue { place } => format!("The run is {}.", place.text()),
            Self::MakesRoom { runs } => {
                format!("It makes room by saving and sending away {} of less importance.", crate::counted(*runs, "run"))
            }
            Self::Expired => "The request's time is over; ask again.".into(),
            Self::Manifest { message } => format!("The signed manifest is not in order: {message}"),
            Self::NotAllowed { message } | Self::NotKnown { message } | Self::Halted { message } => message.clone(),
            Self::Engine { engine } => {
                format!("The engine {engine} is not installed there; `meshwork engine install {engine}` on that device fetches it.")
            }
            Self::Closing => "It is being shut down or reclaimed by its owner.".into(),
            Self::Reclaimed { why } => reclaimed(why),
            Self::SentAway { until } => format!("It sent this work away, and takes it again from {} on.", until.minute()),
            Self::Suspected => {
                "It was not heard of lately, and gets nothing new until it is; see whether it is on and connected, or wait.".into()
            }
            Self::NotShared => "It may not read the project's repository; `meshwork project share` with this device's key lets it.".into(),
            Self::RefusedBefore { message } => format!("It refused this a while ago, and is asked again later: {message}"),
            Self::LeasedBefore => "It leased this run before, and takes no other request for it, but a new run of its task.".into(),
            Self::AntiAffinity { message } => format!("Another device has to do this: {message}"),
        }
    }
}

/// Why it takes no guests, and when it will.
fn reclaimed(why: &Reclaim) -> String {
    match why {
        Reclaim::Asked { until: Some(until) } => {
            format!("Its owner wants it for themselves until {}; it takes guests again then.", until.minute())
        }
        Reclaim::Asked { until: None } => "Its owner wants it for themselves until they lend it again; ask them, or wait.".into(),
        Reclaim::Never => "It takes no guests; its owner decides that by `guests` in its lend.toml.".into(),
        Reclaim::Unread => "Its lend.toml has a mistake, and it takes no guests until its owner mends that; tell them.".into(),
        Reclaim::Present => {
            "Its owner is at it; it takes guests when they are away (or always, by `while_present` in its lend.toml).".into()
        }
        Reclaim::Battery => "It runs on battery; it takes guests on mains (or always, by `on_battery` in its lend.toml).".into(),
        Reclaim::Lid => "Its lid is closed; it takes guests when it is open (or always, by `lid_closed` in its lend.toml).".into(),
        Reclaim::Hours => "It takes no guests at this hour; `hours` in its lend.toml say when.".into(),
    }
}

/// An amount in words: `2.0 GiB of memory`, `60 MiB of disk`, `1.5 cores`.
#[allow(clippy::cast_precision_loss)]
fn amount(resource: &str, value: u64) -> String {
    match resource {
        "cpu_milli" => format!("{:.1} cores", value as f64 / 1000.0),
        "memory_bytes" => format!("{} of memory", size(value)),
        "disk_bytes" => format!("{} of disk", size(value)),
        other => format!("{value} {other}"),
    }
}

/// Bytes with a unit that suits them.
#[allow(clippy::cast_precision_loss)]
fn size(bytes: u64) -> String {
    if bytes < 1 << 30 { format!("{} MiB", bytes >> 20) } else { format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)) }
}

/// Why a device is not to be asked for one workload, whatever it announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Avoid {
    /// It refused this very work lately.
    RefusedBefore {
        /// What it said.
        message: String,
    },
    /// Another device is wanted, as for a review that is to be independent.
    AntiAffinity {
        /// From what it has to be apart.
        message: String,
    },
}

impl Avoid {
    /// As the refusal that people see.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::RefusedBefore { message } => Refusal::RefusedBefore { message: message.clone() },
            Self::AntiAffinity { message } => Refusal::AntiAffinity { message: message.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_a_unit_that_suits_them() {
        let words = [("disk_bytes", 60 << 20), ("memory_bytes", 3 << 29), ("cpu_milli", 1500)].map(|(name, value)| amount(name, value));
        assert_eq!(words, ["60 MiB of disk", "1.5 GiB of memory", "1.5 cores"]);
    }

    #[test]
    fn what_to_do_where_nothing_will_ever_fit_is_said_once() {
        let small = |resource: &str| Refusal::TooSmall { resource: resource.into(), has: 1, wanted: 2 };
        let both = [small("cpu_milli"), small("gpus")];
        let advices = |text: &str| text.matches("Ask for less with `resources`").count();
        assert_eq!(
            [Refusal::texts(&both), Refusal::each(&both), Refusal::texts(&[Refusal::Expired])].map(|text| advices(&text)),
            [1, 0, 0]
        );
    }

    #[test]
    fn a_refusal_says_what_to_do_and_whether_waiting_helps() {
        let message = || "the reviewer's own".to_owned();
        for (refusal, passes, word) in [
            (Refusal::Reclaimed { why: Reclaim::Asked { until: Some(Timestamp(0)) } }, true, "1970-01-01"),
            (Refusal::Reclaimed { why: Reclaim::Asked { until: None } }, true, "ask them"),
            (Refusal::Reclaimed { why: Reclaim::Never }, false, "`guests`"),
            (Refusal::Reclaimed { why: Reclaim::Unread }, true, "has a mistake"),
            (Refusal::Reclaimed { why: Reclaim::Present }, true, "`while_present`"),
            (Refusal::Reclaimed { why: Reclaim::Battery }, true, "`on_battery`"),
            (Refusal::Reclaimed { why: Reclaim::Lid }, true, "`lid_closed`"),
            (Refusal::Reclaimed { why: Reclaim::Hours }, true, "`hours`"),
            (Refusal::Class { class: Class::Agent }, false, "of class agent;"),
            (Refusal::SentAway { until: Timestamp(0) }, true, "takes it again from 1970-01-01"),
            (Refusal::Suspected, true, "connected"),
            (Refusal::NotShared, false, "`meshwork project share`"),
            (Refusal::Expired, true, "ask again"),
            (Refusal::LeasedBefore, false, "a new run of its task"),
            (Refusal::Queue { place: QueuePlace { place: 3, of: 5, behind: None } }, true, "3rd of 5 in its queue"),
            (Refusal::MakesRoom { runs: 2 }, true, "2 runs"),
            (Avoid::RefusedBefore { message: message() }.refusal(), true, "the reviewer's own"),
            (Avoid::AntiAffinity { message: message() }.refusal(), false, "the reviewer's own"),
        ] {
            assert!(refusal.text().contains(word), "{refusal:?}: {}", refusal.text());
            assert_eq!(refusal.passes(), passes, "{refusal:?}");
        }
    }
}
