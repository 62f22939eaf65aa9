//! What all runs take of each device, kept with every event, so that admission needs not read the runs.

use super::{
    kind,
    projection::{Before, Projected, put, read},
};
use crate::{
    Did, Problem,
    capacity::{Lane, Taken},
    run::Run,
};

/// What a run takes, and of which device; none: nothing of any.
pub(super) fn by(run: &Run) -> Option<(Did, Taken)> {
    let taken = Taken::by([run]);
    let device = run.device.clone().filter(|_| taken != Taken::default())?;
    Some((device, taken))
}

/// What changes where a run took this and takes that.
pub(super) fn changed(before: Before<'_>, was: Option<(Did, Taken)>, now: Option<(Did, Taken)>) -> Result<Vec<Projected>, Problem> {
    if was == now {
        return Ok(vec![]);
    }
    let mut out = vec![];
    let mut left = was;
    if let Some((device, more)) = now {
        let less = left.take_if(|(other, _)| *other == device).map(|(_, less)| less).unwrap_or_default();
        let all = read::<Taken>(before, kind::TAKEN, device.as_str())?.unwrap_or_default();
        out.push(put(kind::TAKEN, device.as_str(), &minus(all, less).plus(more))?);
    }
    if let Some((device, less)) = left {
        let all = read::<Taken>(before, kind::TAKEN, device.as_str())?.unwrap_or_default();
        out.push(put(kind::TAKEN, device.as_str(), &minus(all, less))?);
    }
    Ok(out)
}

fn minus(all: Taken, less: Taken) -> Taken {
    let lane = |all: Lane, less: Lane| Lane { slots: all.slots.saturating_sub(less.slots), reserved: all.reserved.minus(less.reserved) };
    Taken { checks: lane(all.checks, less.checks), work: lane(all.work, less.work) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        RunId, Timestamp,
        capacity::Resources,
        event::{Body, Event, VERSION, project},
        run::RunState,
    };
    use proptest::prelude::*;
    use serde_json::json;
    use std::{collections::BTreeMap, sync::Arc};

    fn device(n: u8) -> Did {
        crate::placement::tests::did(n)
    }

    fn id(n: u8) -> RunId {
        format!("{n:026}").parse().unwrap_or_else(|problem| unreachable!("{problem}"))
    }

    fn queued(n: u8) -> Body {
        let class = if n.is_multiple_of(2) { "agent" } else { "ci" };
        let run = json!({
            "id": id(n), "class": class, "project": "demo", "member": device(1), "requester": device(1), "state": "queued", "queued_at": 0,
        });
        Body::RunQueued { run: serde_json::from_value(run).unwrap_or_else(|e| unreachable!("{e}")) }
    }

    fn leased(n: u8, on: u8, cpu_milli: u64) -> Body {
        Body::RunLeased {
            run: id(n),
            lease: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|problem| unreachable!("{problem}")),
            device: device(on),
            until: Timestamp(9),
            reserved: Resources { cpu_milli, memory_bytes: 7, ..Resources::default() },
            asked: None,
        }
    }

    /// Anything that can be said of a few runs, also what makes no sense.
    fn bodies() -> impl Strategy<Value = Vec<Body>> {
        let states = vec![RunState::Queued, RunState::Starting, RunState::Working, RunState::Verifying, RunState::Done, RunState::Lost];
        let moved = (0u8..6, prop::sample::select(states)).prop_map(|(n, to)| Body::RunMoved { run: id(n), to, reason: None });
        let one = prop_oneof![
            1 => (0u8..6).prop_map(queued),
            2 => (0u8..6, 0u8..3, 0u64..9).prop_map(|(n, on, cpu_milli)| leased(n, on, cpu_milli)),
            4 => moved,
        ];
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn it_is_always_what_the_runs_take_together(bodies in bodies()) {
            let mut all: BTreeMap<(String, String), Option<Arc<str>>> = BTreeMap::new();
            for body in bodies {
                let event = Event { version: VERSION, at: Timestamp(0), actor: device(1), via: None, told: None, body };
                let mut before = |kind: &str, id: &str| all.get(&(kind.to_owned(), id.to_owned())).cloned().flatten();
                let changes = project(&event, &mut before).unwrap_or_else(|problem| unreachable!("{problem}"));
                all.extend(changes.into_iter().map(|one| ((one.kind.to_owned(), one.id), one.value)));
            }
            let runs = all.iter().filter(|((kind, _), _)| kind == kind::RUN).filter_map(|(_, run)| run.as_deref());
            let runs: Vec<Run> = runs.map(|run| serde_json::from_str(run).unwrap_or_else(|e| unreachable!("{e}"))).collect();
            for on in (0..3).map(device) {
                let kept = all.get(&(kind::TAKEN.to_owned(), on.to_string())).cloned().flatten().unwrap_or_else(|| "{}".into());
                let kept: Taken = serde_json::from_str(&kept).unwrap_or_else(|e| unreachable!("{e}"));
                prop_assert_eq!(kept, Taken::by(runs.iter().filter(|run| run.device.as_ref() == Some(&on))));
            }
        }
    }
}
