//! Merges of gated projects. A member signs what they want merged; a gate opens that, asks the policy about them, judges the patch, and
//! merges with its own key, or has other gates sign the same (`cosign`).

use super::{
    apart, client, probe,
    turns::{self, About},
};
use crate::{
    actions::patch::revision::newest,
    clock, gated, limits,
    merge::{self, Outcome},
    org::Org,
    stops,
};
use domain::{
    Did, Kind, Problem,
    actor::Actor,
    merge::{MergeWish, PAYLOAD_TYPE, VALID_MS},
    patch::Patch,
    project::Project,
};
use identity::{Envelope, envelope, limits::CLOCKS_DIFFER_MS};
use mesh::{problem, spoken};
use policy::Resource;
use proto::mesh::MergeRequest;
use std::sync::Arc;

/// Has a gate of a project merge a patch, as the member here wants; the gate may be this device. Of several the first is asked that is
/// there, in the order of the project's file, so that one of them proposes at a time.
///
/// # Errors
/// When something is missing, or no gate can be reached.
pub(crate) async fn merge(
    org: &Arc<Org>,
    actor: &Actor,
    project: &Project,
    patch: &Patch,
    expected: Option<&str>,
) -> Result<Outcome, Problem> {
    let wish = seal(org, project, patch, expected)?;
    let mut away = Vec::new();
    for gate in &project.gates {
        if *gate == org.device {
            return merge::merge(org, actor, project, patch, expected, Some(wish)).await;
        }
        match ask(org, project, gate, wish.to_json()?).await {
            Ok(Asked::Answered(outcome)) => {
                take(org, project, gate).await;
                return Ok(outcome);
            }
            Ok(Asked::Away(gate)) => away.push(gate),
            Err(refused) if refused.kind == Kind::Conflict => {
                // No gate has the work of others done anew: each device does that with its own.
                take(org, project, gate).await;
                return merge::anew(org, actor, project, &patch.id, expected).await?.ok_or(refused);
            }
            Err(refused) => return Err(refused),
        }
    }
    Err(none_there(project, &away))
}

/// Takes what a gate has of a project. It would come by itself; so whoever asked sees it at once.
async fn take(org: &Arc<Org>, project: &Project, gate: &Did) {
    let (rid, from) = (project.rid.clone(), gate.clone());
    if let Err(problem) = org.blocking(move |org| org.node()?.fetch(&rid, &from)).await {
        tracing::debug!(%problem, "what the gate has comes later");
    }
}

/// What became of asking one gate.
enum Asked {
    Answered(Outcome),
    /// It cannot be reached; so another may be asked.
    Away(Away),
}

/// A gate that cannot be reached.
struct Away {
    /// How it is called.
    name: String,
    why: Problem,
    /// It may have heard the wish: the connection broke only then.
    heard: bool,
}

fn none_there(project: &Project, away: &[Away]) -> Problem {
    let names: Vec<&str> = away.iter().map(|gate| gate.name.as_str()).collect();
    let heard = away.iter().any(|gate| gate.heard);
    let merged = if heard { "The patch may be merged all the same." } else { "Nothing was merged." };
    let what = match names.as_slice() {
        [one] => format!("{one}, the gate of {}, cannot be reached. {merged}", project.name),
        _ => format!("None of the gates of {} can be reached: {}. {merged}", project.name, names.join(", ")),
    };
    let why: Vec<String> = away.iter().map(|gate| format!("{}: {}", gate.name, gate.why)).collect();
    let next = match heard {
        true => "meshwork patch show says what became of it, once a gate is back: meshwork device list shows which devices answer.",
        false => "Merge again when it is back: meshwork device list shows which devices answer.",
    };
    Problem::unavailable(what).because(why.join(" ")).next(next)
}

fn seal(org: &Org, project: &Project, patch: &Patch, expected: Option<&str>) -> Result<Envelope, Problem> {
    let wish = MergeWish {
        version: domain::merge::VERSION,
        id: clock::run_id().to_string(),
        org: org.name.clone(),
        project: project.name.clone(),
        patch: patch.id.clone(),
        revision: newest(patch, expected)?.clone(),
        at: clock::now(),
    };
    envelope::seal(&wish, PAYLOAD_TYPE, &org.member, |message| Ok(org.forge.sign_as_member(message)))
}

async fn ask(org: &Arc<Org>, project: &Project, gate: &Did, envelope_json: Vec<u8>) -> Result<Asked, Problem> {
    let name = gated::name(org, gate)?;
    let mut client = match client(org, gate) {
        Err(why) if why.kind == Kind::Unavailable => return Ok(Asked::Away(Away { name, why, heard: false })),
        client => client?,
    };
    // One that takes the connection and says nothing is away too, and known to be within seconds.
    let reach = probe(org, gate).await;
    if !reach.reachable {
        let why = reach.problem.unwrap_or_else(|| "It did not answer.".to_owned());
        let away = Away { name, why: Problem::unavailable(why), heard: false };
        return apart(org, gate).map_or(Ok(Asked::Away(away)), Err);
    }
    match tokio::time::timeout(limits::GATE_WAIT, client.merge(MergeRequest { version: spoken(), envelope_json })).await {
        Ok(Ok(reply)) => {
            let mut outcome: Outcome = serde_json::from_str(&reply.into_inner().outcome_json).map_err(Problem::internal)?;
            // It is fetched from the storage of this device, not from the gate's.
            if let Outcome::Merged { pull, .. } = &mut outcome {
                *pull = merge::pull(org, project);
            }
            Ok(Asked::Answered(outcome))
        }
        Ok(Err(refused)) => {
            let why = problem(&refused);
            // What the gate itself says comes with its problem whole.
            if refused.details().is_empty() && why.kind == Kind::Unavailable {
                Ok(Asked::Away(Away { name, why, heard: true }))
            } else {
                Err(why)
            }
        }
        Err(_) => Err(Problem::new(Kind::Timeout, format!("{name}, a gate of {}, did not answer in time.", project.name))
            .next("It may merge all the same: meshwork patch show says what became of the patch.")),
    }
}

/// Hears a wish at the gate, which `caller` brings, and merges as whoever signed it. Answers with the outcome as JSON.
///
/// # Errors
/// When they may not, the wish is no good, or something is missing.
pub(super) async fn hear(org: &Arc<Org>, caller: Did, bytes: &[u8]) -> Result<String, Problem> {
    let sealed = Envelope::from_json(bytes)?;
    let opening = sealed.clone();
    // Before it waits for its turn, in which a wish would grow too old.
    let (wish, by, project) = org.blocking(move |org| open(org, &opening, VALID_MS)).await?;
    stops::refuse_halted(org, &by)?;
    let merging = move |org: Arc<Org>, from: Did| async move {
        let patch = wished(&org, from, &project, &wish).await?;
        let actor = Actor::from(&by);
        let outcome = merge::merge(&org, &actor, &project, &patch, Some(wish.revision.as_str()), Some(sealed)).await?;
        serde_json::to_string(&outcome).map_err(Problem::internal)
    };
    turns::work(org, caller, About::Merges, merging).await
}

/// The patch that is to be merged. It, or a review of it, may be news here.
async fn wished(org: &Arc<Org>, from: Did, project: &Project, wish: &MergeWish) -> Result<Patch, Problem> {
    let (rid, name, id) = (project.rid.clone(), project.name.clone(), wish.patch.clone());
    org.blocking(move |org| {
        if let Err(problem) = org.node().and_then(|node| node.fetch(&rid, &from)) {
            tracing::debug!(%problem, "the project was not fetched from the device that asks for a merge");
        }
        org.forge.patch(&rid, &name, &id)
    })
    .await
}

/// The wish, who signed it, and the project, where all of it counts here and now; a wish counts for so many milliseconds.
///
/// # Errors
/// When it does not count, or this device is no gate of the project.
pub(super) fn open(org: &Org, sealed: &Envelope, valid_ms: u64) -> Result<(MergeWish, Did, Project), Problem> {
    let rights = org.rights()?;
    let (wish, by) = envelope::open::<MergeWish>(sealed, PAYLOAD_TYPE, |key| rights.state.member_of(key).is_some())?;
    if wish.version != domain::merge::VERSION {
        return Err(Problem::conflict(format!("A wish of version {} to merge is not understood here.", wish.version))
            .next("Update the older of the two devices."));
    }
    if wish.org != org.name {
        return Err(Problem::new(Kind::Forbidden, "This wish to merge is for another org."));
    }
    if !wish.counts_at(clock::now(), valid_ms, CLOCKS_DIFFER_MS) {
        return Err(Problem::new(Kind::Forbidden, "This wish to merge was not signed just now.")
            .because("A wish counts for ten minutes, and clocks may differ by two.")
            .next("Merge again; if it is refused again, set the clocks of both devices."));
    }
    let about = Resource::Patch(wish.patch.to_string(), wish.project.to_string());
    if !rights.state.member_of(&by).is_some_and(|member| rights.member_may(member, "patch.merge", &about)) {
        return Err(Problem::new(Kind::Forbidden, "Who signed this wish may not merge this patch.")
            .next("`meshwork policy explain me patch.merge` says which rule decides."));
    }
    let project = org.project(Some(&wish.project))?;
    if !project.is_gate(&org.device) {
        return Err(Problem::conflict(format!("This device is no gate of {}.", project.name))
            .next("Merge again when both devices know the same of the org."));
    }
    Ok((wish, by, project))
}

/// Looks once more whether who signed a wish may have it merged: checks may have taken an hour, in which they were halted, or lost that right.
///
/// # Errors
/// When they may not any more, or this device is no gate of the project any more.
pub(crate) fn still_wished(org: &Org, sealed: &Envelope) -> Result<(), Problem> {
    let (_, by, _) = open(org, sealed, u64::MAX)?;
    stops::refuse_halted(org, &by)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn of_a_gate_that_may_have_heard_the_wish_it_is_not_said_that_nothing_was_merged() {
        let rid = "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap();
        let project = Project { name: "demo".parse().unwrap(), rid, branch: "main".into(), mirror: None, gates: vec![] };
        let away = |name: &str, heard| Away { name: name.into(), why: Problem::unavailable("The connection broke."), heard };
        let said = |all: &[Away]| none_there(&project, all).to_string();
        assert!(said(&[away("desk", false)]).contains("desk, the gate of demo, cannot be reached. Nothing was merged."));
        let unsure = said(&[away("desk", false), away("box", true)]);
        assert!(unsure.contains("desk, box") && unsure.contains("may be merged all the same") && !unsure.contains("Nothing"), "{unsure}");
    }
}
