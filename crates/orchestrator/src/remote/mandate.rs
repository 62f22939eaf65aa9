//! The delegation of a run's key, across devices: the executor reports the key, the requester's device signs.

use super::{client, in_time};
use crate::{clock, lifecycle, limits, org::Org};
use domain::{
    Did, Hash, Kind, Problem,
    event::{Body, kind},
    fence,
    run::Run,
};
use identity::{Delegation, Envelope};
use mesh::spoken;
use proto::mesh::{DelegateRequest, mesh_client::MeshClient};
use std::{sync::Arc, time::Instant};
use tonic::transport::Channel;

/// Gets the delegation of a run's key from the device that asked for the run, checks it, and keeps it as a blob.
///
/// # Errors
/// When that device refuses, or cannot be reached for a while.
pub(crate) async fn delegation(org: &Arc<Org>, run: &Run, key: &Did) -> Result<Hash, Problem> {
    let begun = Instant::now();
    let bytes = loop {
        match asked(org, run, key).await {
            Ok(bytes) => break bytes,
            Err(problem) if problem.passes() && begun.elapsed() < limits::DELEGATION_WAIT => {
                tokio::time::sleep(limits::REMOTE_PAUSE).await;
            }
            Err(problem) => return Err(problem),
        }
    };
    let (run, key) = (run.clone(), key.clone());
    org.blocking(move |org| {
        let (_, asked) = lifecycle::manifest(org, &run)?;
        let sealed = Envelope::from_json(&bytes)?;
        Delegation::accept(&sealed, &asked, &run.id, &key, clock::now())?;
        org.store.blobs().put(&sealed.to_json()?)
    })
    .await
}

async fn asked(org: &Org, run: &Run, key: &Did) -> Result<Vec<u8>, Problem> {
    let request = DelegateRequest { version: spoken(), run: run.id.to_string(), key: key.to_string() };
    ask(client(org, &run.requester)?, request).await
}

/// Asks once: what is signed for a run's key is the same each time.
async fn ask(mut client: MeshClient<Channel>, request: DelegateRequest) -> Result<Vec<u8>, Problem> {
    Ok(in_time(limits::DELEGATION_ANSWER_WAIT, client.delegate(request)).await?.into_inner().delegation_json)
}

/// Signs the delegation of a run's key, once: a run has one key.
pub(super) async fn delegate(org: &Arc<Org>, run: Run, key: &str) -> Result<Vec<u8>, Problem> {
    let key: Did = key.parse()?;
    identity::public_key(&key)?;
    let over = || Problem::new(Kind::Forbidden, format!("The run {} is over, or has another key.", run.id));
    let kept = match fence::key(&run, &key) {
        fence::Key::Over => return Err(over()),
        fence::Key::Signed(delegation) => delegation,
        fence::Key::New => {
            let (own, wanted) = (run.clone(), key.clone());
            let delegation = org.blocking(move |org| lifecycle::delegated(org, &own, wanted)).await?;
            let event = org.event(&org.device, Body::RunDelegated { run: run.id.clone(), key, delegation: delegation.clone() });
            let refusal = over();
            let decided = org.store.append_if(move |view| {
                let now: Option<Run> = view.get(kind::RUN, run.id.as_str())?;
                if fence::still_asked(now.as_ref(), &run) { Ok(vec![event]) } else { Err(refusal) }
            });
            decided.await?;
            delegation
        }
    };
    let bytes = org.blocking(move |org| org.store.blobs().get(&kept)).await?;
    bytes.ok_or_else(|| Problem::not_found("The delegation was erased."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_device_that_takes_the_call_and_says_nothing_is_asked_again_soon() {
        let request = DelegateRequest { version: spoken(), ..DelegateRequest::default() };
        let begun = Instant::now();
        let asked = timeout(limits::DELEGATION_ANSWER_WAIT * 2, ask(fixtures::silent(), request)).await;
        let problem = asked.ok().and_then(Result::err);
        assert!(problem.is_some_and(|problem| problem.kind == Kind::Timeout && problem.passes()));
        assert!(begun.elapsed() >= limits::DELEGATION_ANSWER_WAIT, "it took the call");
    }
}
