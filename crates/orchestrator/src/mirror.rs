//! Mirrors: the merged default branch goes to an ordinary git host, and changes made there come back.

use crate::org::Org;
use domain::{Oid, Problem, event::Body, project::Project};
use std::sync::Arc;

/// Takes what is new at the mirror, then pushes the default branch there. Returns what was done, in words.
///
/// # Errors
/// When the remote cannot be reached, or both sides changed the same lines.
pub async fn sync(org: &Arc<Org>, project: &Project) -> Result<String, Problem> {
    let Some(remote) = project.mirror.clone() else {
        return Err(Problem::conflict(format!("{} has no mirror.", project.name)).next("Set one: meshwork project mirror <git remote>."));
    };
    let _one_at_a_time = org.merging.lock().await;
    let rid = project.rid.clone();
    let (pulled, head): (Option<Oid>, Oid) = org
        .blocking(move |org| {
            let pulled = org.forge.mirror_fetch(&rid, &remote)?;
            Ok((pulled, org.forge.mirror_push(&rid, &remote)?))
        })
        .await?;
    let name = project.name.clone();
    if let Some(commit) = pulled.clone() {
        org.record(&org.member, vec![Body::MirrorPulled { project: name.clone(), commit }]).await?;
        org.announce(&project.rid, std::slice::from_ref(&org.member));
        org.wake.notify_one();
    }
    org.record(&org.member, vec![Body::MirrorPushed { project: name.clone(), commit: head.clone() }]).await?;
    Ok(match pulled {
        Some(commit) => format!("{name}: {commit} came from the mirror; both are at {head}."),
        None => format!("{name}: the mirror is at {head}."),
    })
}
