//! Publishing: the patch, signed by the run's key, with the trace of who did it, for what, and what the checks said.

use super::{Drive, Over, commit::Remote};
use crate::{org::Org, provenance, tasks::Board};
use domain::{
    Oid, Problem, TaskRef,
    event::Body,
    patch::Patch,
    run::{Reason, Run, RunState},
};
use forge::{Publication, Published, RunRepo};
use std::sync::Arc;

/// The longest title of a commit or patch.
const TITLE_CHARS_MAX: usize = 72;

impl Drive {
    /// Opens the patch, or adds a revision to the one that is continued.
    pub(super) async fn publish(&self, commit: Oid) -> Result<(), Over> {
        crate::fault::held(&self.org, RunState::Publishing).await;
        let (run, board, live, made) = (self.run()?, self.board.clone(), self.live.clone(), commit.clone());
        let published = self.org.blocking(move |org| open(org, &board, &run, &made, &Remote(live)));
        let published = published.await.map_err(|p| Over::failed(Reason::Forge { message: p.to_string() }))?;
        let body = Body::PatchPublished { run: self.id.clone(), patch: published.patch, revision: published.revision, commit };
        Ok(self.record(body).await?)
    }
}

/// Whether the patch of a run whose runner is gone was published all the same; one that the journal does not know yet is
/// noted. What the run's key began to write and did not sign can never be finished, so it is removed.
pub(super) async fn published_before(org: &Arc<Org>, run: &Run) -> Result<bool, Problem> {
    if run.revision.is_some() || run.state != RunState::Publishing {
        return Ok(run.revision.is_some());
    }
    let wanted = run.clone();
    let found = org
        .blocking(move |org| {
            let project = org.project(Some(&wanted.project))?;
            let Some(key) = &wanted.key else { return Ok(None) };
            if org.forge.signed_refs(&project.rid, key)?.is_none() {
                if org.forge.forget_unsigned(&project.rid, key)? {
                    tracing::warn!(run = %wanted.id, "it was lost in the midst of publishing; what it had not signed was removed");
                }
                return Ok(None);
            }
            let patches = org.forge.patches(&project.rid, &project.name)?;
            let own = |p: Patch| {
                p.revisions.iter().find(|r| Some(&r.author) == wanted.key.as_ref()).map(|r| (p.id.clone(), r.id.clone(), r.head.clone()))
            };
            Ok(patches.into_iter().find_map(own))
        })
        .await?;
    let Some((patch, revision, commit)) = found else { return Ok(false) };
    org.record(&org.device, vec![Body::PatchPublished { run: run.id.clone(), patch, revision, commit }]).await?;
    Ok(true)
}

fn open(org: &Org, board: &Board, run: &Run, commit: &Oid, signer: &Remote) -> Result<Published, Problem> {
    let at = run.task.as_ref().ok_or_else(|| Problem::internal("a patch without a task"))?;
    let base = run.base.as_ref().ok_or_else(|| Problem::internal("a patch without a base"))?;
    let repo = RunRepo::create(&org.dir.run(&run.id).join("repo.git"), &org.forge, &board.project.rid)?;
    let title = title(at, &board.task(Some(&at.feature), &at.task)?.task.title);
    let description = forge::describe(&words(run), Some(&provenance::trace(org, run)?))?;
    let publication = Publication { repo: &repo, commit, base, title: &title, description: &description, existing: run.patch.as_ref() };
    org.forge.publish(&board.project.rid, signer, &publication)
}

fn words(run: &Run) -> String {
    let failed: Vec<_> = run.checks.iter().filter(|c| !c.passed).map(|c| c.name.as_str()).collect();
    let checks = match (run.checks.len(), failed.as_slice()) {
        (0, _) => "The project has no checks.".to_owned(),
        (n, []) => format!("Checks: {n} passed."),
        (n, failed) => format!("Checks: {} of {n} failed: {}.", failed.len(), failed.join(", ")),
    };
    let list = |heading: &str, lines: &[String], more: u64| match (lines, more) {
        ([], _) => String::new(),
        (lines, 0) => format!("\n\n{heading}:\n- {}", lines.join("\n- ")),
        (lines, more) => format!("\n\n{heading}:\n- {}\n- and {more} more", lines.join("\n- ")),
    };
    let stopped = list("The sandbox stopped", &run.violations, run.violations_more);
    let odd = list("Left out of the commit, or odd in it", &run.notes, 0);
    let agent = run.agent.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("Made by the agent {agent} in run {}. {checks}{stopped}{odd}", run.id)
}

fn title(at: &TaskRef, title: &str) -> String {
    let line = format!("{}: {title}", at.task);
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= TITLE_CHARS_MAX { clean } else { clean.chars().take(TITLE_CHARS_MAX - 1).chain(['…']).collect() }
}

/// The message of a run's commit.
pub(super) fn commit_message(at: &TaskRef, text: &str, notes: &[String]) -> String {
    let mut message = format!("{}\n\n{text}\n\nTask: {at}\n", title(at, text));
    for note in notes {
        message.push_str(&format!("\nLeft out or odd: {note}"));
    }
    message
}
