//! Placement: a pure function from a request and a snapshot to a decision, with one verdict for each device.

use crate::{
    Did,
    capacity::{Capacity, Lane, Resources, Runtime},
    lend::Reclaim,
    manifest::{Class, Manifest},
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
    /// The device is its owner's alone now, and takes no guests.
    Reclaimed {
        /// Why.
        why: Reclaim,
    },
    /// The device is being reclaimed or shut down.
    Closing,
}

impl Refusal {
    /// Whether waiting can help.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::NoSlot { .. } | Self::OtherOrgs { .. } | Self::NotKnown { .. } | Self::Halted { .. } | Self::Closing
        ) || matches!(self, Self::Reclaimed { why } if why.passes())
    }

    /// In words for a person.
    pub fn text(&self) -> String {
        match self {
            Self::Class { class } => format!("It does not accept {class:?} workloads; its owner decides that in the lend policy."),
            Self::Runtime { wanted: Some(runtime) } => {
                format!("It has no working {runtime:?} runtime; `meshwork doctor` there says how to mend that.")
            }
            Self::Runtime { wanted: None } => "It has no working runtime; `meshwork doctor` there says how to mend that.".into(),
            Self::Tag { tag, wanted, has: Some(has) } => format!("Its tag {tag} is {has}, and {wanted} was asked for."),
            Self::Tag { tag, wanted, has: None } => format!("It has no tag {tag}:{wanted}."),
            Self::TooSmall { resource, has, wanted } => {
                let (has, wanted) = (amount(resource, *has), amount(resource, *wanted));
                format!(
                    "It has {has} in all, and {wanted} were asked for: it will never fit. Ask for less with `resources` in .meshwork/project.toml."
                )
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
            Self::Expired => "The request's time is over; ask again.".into(),
            Self::Manifest { message } => format!("The signed manifest is not in order: {message}"),
            Self::NotAllowed { message } | Self::NotKnown { message } | Self::Halted { message } => message.clone(),
            Self::Engine { engine } => {
                format!("The engine {engine} is not installed there; `meshwork engine install {engine}` on that device fetches it.")
            }
            Self::Reclaimed { why } => format!("It takes no runs of others now: {}", why.text()),
            Self::Closing => "It is being shut down or reclaimed by its owner.".into(),
        }
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

/// A device as the planner knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The device.
    pub device: Did,
    /// What it announced.
    pub capacity: Capacity,
    /// Whether the repository is in its storage already.
    pub has_data: bool,
}

/// What the planner says of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The device.
    pub device: Did,
    /// Why not; empty when it could.
    pub refusals: Vec<Refusal>,
    /// How well it fits, higher is better; 0 when it cannot.
    pub score: i64,
}

/// The planner's decision: every device's verdict, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Devices to ask, in this order.
    pub order: Vec<Did>,
    /// All verdicts.
    pub verdicts: Vec<Verdict>,
}

/// Judges every device and says whom to ask, best first.
pub fn plan(manifest: &Manifest, candidates: &[Candidate]) -> Decision {
    let mut verdicts: Vec<Verdict> = candidates.iter().map(|c| judge(manifest, c)).collect();
    verdicts.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.device.cmp(&b.device)));
    let order = verdicts.iter().filter(|v| v.refusals.is_empty()).map(|v| v.device.clone()).collect();
    Decision { order, verdicts }
}

fn judge(manifest: &Manifest, candidate: &Candidate) -> Verdict {
    let refusals = refusals(manifest, &candidate.capacity);
    let score = if refusals.is_empty() { score(&manifest.resources, candidate) } else { 0 };
    Verdict { device: candidate.device.clone(), refusals, score }
}

/// All reasons for which a device with this capacity cannot take the workload. Also what its own admission asks.
pub fn refusals(manifest: &Manifest, capacity: &Capacity) -> Vec<Refusal> {
    let mut found = Vec::new();
    if !capacity.classes.contains(&manifest.class) {
        found.push(Refusal::Class { class: manifest.class });
    }
    let runs = manifest.runtime.map_or(!capacity.runtimes.is_empty(), |wanted| capacity.runtimes.contains(&wanted));
    if !runs {
        found.push(Refusal::Runtime { wanted: manifest.runtime });
    }
    for (tag, wanted) in &manifest.tags {
        let has = capacity.tags.get(tag);
        if has != Some(wanted) {
            found.push(Refusal::Tag { tag: tag.clone(), wanted: wanted.clone(), has: has.cloned() });
        }
    }
    if let Some((resource, has, wanted)) = capacity.total.lacks(manifest.resources) {
        found.push(Refusal::TooSmall { resource: resource.into(), has, wanted });
    } else if let Some((resource, free, wanted)) = capacity.free.lacks(manifest.resources) {
        found.push(Refusal::Busy { resource: resource.into(), free, wanted });
    }
    if capacity.slots_free == 0 {
        found.push(Refusal::NoSlot { slots: capacity.slots });
    }
    let full = found.iter().any(|r| matches!(r, Refusal::Busy { .. } | Refusal::NoSlot { .. }));
    if full && !capacity.others.is_empty() {
        found.push(Refusal::OtherOrgs { taken: capacity.others });
    }
    found
}

/// Data that is there already weighs most; then room that stays free.
fn score(asked: &Resources, candidate: &Candidate) -> i64 {
    let left = candidate.capacity.free.minus(*asked);
    let share = |left: u64, total: u64| i64::try_from(left.saturating_mul(100) / total.max(1)).unwrap_or(100);
    let total = candidate.capacity.total;
    1 + share(left.cpu_milli, total.cpu_milli) + share(left.memory_bytes, total.memory_bytes) + if candidate.has_data { 200 } else { 0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::manifest::{Network, TimeLimits, VERSION, Work};
    use crate::{Timestamp, usage::Budget};

    #[test]
    fn amounts_have_a_unit_that_suits_them() {
        let words = [("disk_bytes", 60 << 20), ("memory_bytes", 3 << 29), ("cpu_milli", 1500)].map(|(name, value)| amount(name, value));
        assert_eq!(words, ["60 MiB of disk", "1.5 GiB of memory", "1.5 cores"]);
    }

    pub(crate) fn did(n: u8) -> Did {
        let tail = "A".repeat(43) + &char::from(b'A' + n).to_string();
        format!("did:key:z6Mk{tail}").parse().unwrap_or_else(|p| unreachable!("{p}"))
    }

    fn parse<T: std::str::FromStr<Err = crate::Problem>>(text: &str) -> T {
        text.parse().unwrap_or_else(|p| unreachable!("{p}"))
    }

    fn manifest(cpu_milli: u64) -> Manifest {
        Manifest {
            version: VERSION,
            org: parse("acme"),
            run: parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            requester: did(0),
            member: did(1),
            at: Timestamp(0),
            expires: Timestamp(1),
            class: Class::Ci,
            work: Work::Checks {
                repository: parse("rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5"),
                project: parse("demo"),
                commit: parse(&"a".repeat(40)),
                definitions: parse(&"a".repeat(40)),
                subject: None,
            },
            resources: Resources { cpu_milli, ..Resources::default() },
            tags: [("gpu".to_owned(), "true".to_owned())].into(),
            runtime: None,
            network: Network::default(),
            limits: TimeLimits::default(),
            budget: Budget::default(),
            priority: 0,
        }
    }

    fn device(n: u8, cpu: u64, free: u64, gpu: bool) -> Candidate {
        let tags = if gpu { [("gpu".to_owned(), "true".to_owned())].into() } else { Default::default() };
        let amount = |cpu_milli| Resources { cpu_milli, memory_bytes: 1, ..Resources::default() };
        let capacity = Capacity {
            total: amount(cpu),
            free: amount(free),
            tags,
            runtimes: vec![Runtime::Local],
            classes: vec![Class::Ci],
            slots: 1,
            slots_free: 1,
            others: Lane::default(),
        };
        Candidate { device: did(n), capacity, has_data: false }
    }

    #[test]
    fn every_device_gets_a_verdict_and_the_best_comes_first() {
        let near = Candidate { has_data: true, ..device(3, 8000, 4000, true) };
        let decision = plan(
            &manifest(2000),
            &[device(1, 8000, 8000, true), device(2, 8000, 1000, true), near, device(4, 8000, 8000, false), device(5, 1000, 1000, true)],
        );
        assert_eq!(decision.order, [did(3), did(1)]);
        let reasons = |n| decision.verdicts.iter().find(|v| v.device == did(n)).map(|v| v.refusals.clone()).unwrap_or_default();
        assert!(matches!(reasons(2).as_slice(), [Refusal::Busy { free: 1000, .. }]));
        assert!(matches!(reasons(4).as_slice(), [Refusal::Tag { has: None, .. }]));
        assert!(matches!(reasons(5).as_slice(), [Refusal::TooSmall { has: 1000, .. }]));
    }
}
