//! Merges that two of three gates must sign. The gate that a member asked makes the merge, checks it and signs it first; here it has the
//! others sign the very same commit. Each of them judges everything anew: the member's wish, the policy, reviews, the merge, the checks.
//!
//! Two that propose at once do not exclude each other for good: a gate that proposes itself signs only for those before it in the list,
//! and nobody signs what the one who proposed it has left.

use super::{
    client,
    merge::open,
    probe,
    turns::{self, About},
};
use crate::{
    gated, limits,
    merge::{Ready, make_again},
    org::Org,
    stops,
};
use domain::{
    Did, Kind, Oid, Problem,
    merge::{MergeWish, VALID_MS},
    project::Project,
};
use futures::stream::{FuturesUnordered, StreamExt};
use identity::Envelope;
use mesh::{problem, spoken};
use proto::mesh::CosignRequest;
use std::sync::Arc;

/// For how long a wish counts that another gate merges by, in milliseconds: its own checks went before.
const VALID_AFTER_CHECKS_MS: u64 = VALID_MS + limits::GATE_WAIT.as_secs() * 1000;

/// Looks which of the other gates are there, before any work is done, and takes what they have: all are to make the same merge. Gives
/// those that are there.
///
/// # Errors
/// When too few of them are there.
pub(crate) async fn meet(org: &Arc<Org>, project: &Project) -> Result<Vec<Did>, Problem> {
    let (mut there, mut away) = (Vec::new(), Vec::new());
    let others: Vec<&Did> = project.gates.iter().filter(|gate| **gate != org.device).collect();
    for gate in others {
        if !probe(org, gate).await.reachable {
            away.push(gated::name(org, gate)?);
            continue;
        }
        there.push(gate.clone());
        if let Err(problem) = take(org, project, gate).await {
            tracing::debug!(%problem, "the project was not fetched from another gate");
        }
    }
    let (all, need) = (project.gates.len(), project.gates_needed());
    if there.len() + 1 >= need {
        return Ok(there);
    }
    let what = format!("{} of the {all} gates of {} cannot be reached: {}. Nothing was merged.", away.len(), project.name, away.join(", "));
    Err(Problem::unavailable(what)
        .because(format!("{need} of them must sign a merge."))
        .next("Merge again when one of them is back: meshwork device list shows which devices answer."))
}

/// Takes what a gate has of the project. Its node may be at another fetch just now.
async fn take(org: &Arc<Org>, project: &Project, gate: &Did) -> Result<(), Problem> {
    let mut tried = 1;
    loop {
        let (rid, from) = (project.rid.clone(), gate.clone());
        match org.blocking(move |org| org.node()?.fetch(&rid, &from)).await {
            Err(_) if tried < limits::GATE_FETCH_TRIES => {}
            settled => return settled,
        }
        tried += 1;
        tokio::time::sleep(limits::GATE_FETCH_PAUSE).await;
    }
}

/// What became of asking a gate for its signature.
enum Asked {
    Signed,
    Refused(String),
    /// It may have signed, or may still.
    Unclear(String),
}

/// Signs a merge as the first of several gates, and waits until so many of those that are there have signed it that the default branch
/// can move.
///
/// # Errors
/// When too few sign, with why each did not. What was signed here is taken back then, unless another may have signed it too: the next
/// merge of the same makes the same commit.
pub(crate) async fn agree(org: &Arc<Org>, project: &Project, there: &[Did], ready: &Arc<Ready>, wish: &Envelope) -> Result<(), Problem> {
    let (named, first, sealed) = (project.clone(), ready.clone(), wish.clone());
    org.blocking(move |org| {
        first.judge_anew(org, &named, Some(&sealed))?;
        first.propose(org, &named)
    })
    .await?;
    let mut asked = FuturesUnordered::new();
    for gate in there {
        asked.push(ask(org, project, gate, &ready.commit, wish));
    }
    let (mut signed, mut why, mut unclear) = (1, Vec::new(), false);
    while let Some(answer) = asked.next().await {
        match answer {
            Asked::Signed => signed += 1,
            Asked::Refused(text) => why.push(text),
            Asked::Unclear(text) => {
                unclear = true;
                why.push(text);
            }
        }
        if signed >= project.gates_needed() {
            return Ok(());
        }
    }
    if !unclear {
        let rid = project.rid.clone();
        org.blocking(move |org| org.forge.withdraw_merge(&rid)).await?;
    }
    let (all, need) = (project.gates.len(), project.gates_needed());
    let what = format!("Too few gates of {} signed the merge: {signed} of {all}, where {need} must. Nothing was merged.", project.name);
    Err(Problem::conflict(what).because(why.join(" ")).next("Do what is missing, then merge again."))
}

async fn ask(org: &Arc<Org>, project: &Project, gate: &Did, commit: &Oid, wish: &Envelope) -> Asked {
    let name = gated::name(org, gate).unwrap_or_else(|_| gate.to_string());
    let (mut client, envelope_json) = match client(org, gate).and_then(|client| Ok((client, wish.to_json()?))) {
        Ok(both) => both,
        Err(problem) => return Asked::Refused(format!("{name}: {problem}")),
    };
    let request = CosignRequest { version: spoken(), envelope_json, commit: commit.to_string() };
    match tokio::time::timeout(limits::GATE_WAIT, client.cosign(request)).await {
        // Its signature is what counts, not its word.
        Ok(Ok(_)) => match take(org, project, gate).await {
            Ok(()) => Asked::Signed,
            Err(problem) => Asked::Unclear(format!("{name} signed, and that has not come here: {problem}")),
        },
        Ok(Err(refused)) => {
            let text = format!("{name}: {}", problem(&refused));
            // What the gate itself says comes with its problem whole.
            if refused.details().is_empty() { Asked::Unclear(text) } else { Asked::Refused(text) }
        }
        Err(_) => Asked::Unclear(format!("{name} did not answer in time.")),
    }
}

/// Hears another gate that wants a merge signed, which it signed first; judges it, and signs it too.
///
/// # Errors
/// When the caller is no other gate, the wish is no good, something is missing, or the merge is another here.
pub(super) async fn hear(org: &Arc<Org>, caller: Did, bytes: &[u8], commit: &str) -> Result<(), Problem> {
    let (sealed, commit) = (Envelope::from_json(bytes)?, commit.parse::<Oid>()?);
    let (opening, from) = (sealed.clone(), caller.clone());
    let (wish, by, project) = org
        .blocking(move |org| {
            let (wish, by, project) = open(org, &opening, VALID_AFTER_CHECKS_MS)?;
            if from == org.device || !project.is_gate(&from) || project.gates_needed() < 2 {
                return Err(Problem::new(Kind::Forbidden, "Only another gate of the project has a merge signed here."));
            }
            Ok((wish, by, project))
        })
        .await?;
    stops::refuse_halted(org, &by)?;
    // Before it waits for its turn, which might wait for this very answer.
    give_way(org, &project, &caller)?;
    let signing = move |org: Arc<Org>, from: Did| async move {
        take(&org, &project, &from).await?;
        sign(&org, from, project, wish, sealed, commit).await
    };
    turns::work(org, caller, About::Cosigned, signing).await
}

/// Two that propose at once must not wait for each other.
fn give_way(org: &Org, project: &Project, caller: &Did) -> Result<(), Problem> {
    let place = |did: &Did| project.gates.iter().position(|gate| gate == did);
    if org.merging.busy(&project.name) && place(&org.device) < place(caller) {
        return Err(Problem::conflict("It is having another merge signed itself.").next("Merge again."));
    }
    Ok(())
}

async fn sign(org: &Arc<Org>, from: Did, project: Project, wish: MergeWish, sealed: Envelope, commit: Oid) -> Result<(), Problem> {
    if merged_already(org, &project, &wish, &commit).await? {
        return Ok(());
    }
    let ready = make_again(org, &project, &wish, &commit).await?;
    give_way(org, &project, &from)?;
    // Checks may have taken an hour.
    take(org, &project, &from).await?;
    org.blocking(move |org| {
        if !signed_by(org, &project, &commit, &from)? {
            return Err(Problem::conflict("The gate that asked has not signed this merge, or has taken it back.").next("Merge again."));
        }
        ready.judge_anew(org, &project, Some(&sealed))?;
        ready.sign(org, &project)
    })
    .await
}

/// Whether enough gates have signed a commit by now; then this one follows them.
async fn merged_already(org: &Arc<Org>, project: &Project, wish: &MergeWish, commit: &Oid) -> Result<bool, Problem> {
    let (rid, patch, revision, commit) = (project.rid.clone(), wish.patch.clone(), wish.revision.clone(), commit.clone());
    org.blocking(move |org| {
        let there = org.forge.contains(&rid, &org.forge.head(&rid)?, &commit)?;
        if there {
            org.forge.merge(&rid, &patch, &revision, &commit)?;
        }
        Ok(there)
    })
    .await
}

/// Whether a gate's own branch has a commit, by what it signed.
fn signed_by(org: &Org, project: &Project, commit: &Oid, gate: &Did) -> Result<bool, Problem> {
    Ok(org.forge.vouchers(&project.rid, commit)?.0.iter().any(|voucher| voucher.by == *gate))
}
