//! Preparing: worktree, home, brief; then the runner is welcomed with what it is to do.

use super::{
    Drive, Over,
    handed::{Handed, earlier_session},
    messages, saved, start,
};
use crate::{data_dir::make_private, host::Welcome, org::Org, provenance, tasks::Board};
use domain::{
    Did, Kind, Oid, PatchId, Problem, Rid,
    agent::{Agent, EngineChoice},
    manifest::Manifest,
    patch::Patch,
    run::{AgentJob, Run, RunSpec, RunState, RunnerJob, Tick},
};
use forge::RunRepo;
use identity::Envelope;
use std::{fs, path::Path, sync::Arc};

impl Drive {
    /// Lays everything that the run needs, and tells the runner.
    pub(super) async fn prepare(&self) -> Result<(), Over> {
        let (run, board, live) = (self.run()?, self.board.clone(), self.live.clone());
        let welcome = self.org.blocking(move |org| {
            let (manifest, envelope) = start::manifest(org, &run)?;
            let folder = org.dir.run(&run.id);
            for name in ["home", "brief"] {
                make_private(&folder.join(name))?;
            }
            let job = match &run.task {
                Some(_) => task_job(org, &board, &run, &live)?,
                None => checks_job(org, &board, &run)?,
            };
            let spec = spec(org, &run, &manifest, job, &board)?;
            let delegation = run.delegation.as_ref().ok_or_else(|| Problem::internal("a run is prepared before its key is delegated"))?;
            let text = |envelope: &Envelope| serde_json::to_string(envelope).map_err(Problem::internal);
            let told = Welcome {
                spec_json: serde_json::to_string(&spec).map_err(Problem::internal)?,
                delegation_json: text(&start::sealed(org, delegation)?)?,
                manifest_json: text(&envelope)?,
            };
            crate::data_dir::write_private(&folder.join("welcome.json"), &serde_json::to_vec(&told).map_err(Problem::internal)?)?;
            Ok(told)
        });
        let welcome = welcome.await?;
        crate::fault::held(&self.org, RunState::Preparing).await;
        self.unless_asked()?;
        self.live.welcome.send_replace(Some(welcome));
        Ok(())
    }
}

fn spec(org: &Org, run: &Run, manifest: &Manifest, job: RunnerJob, board: &Board) -> Result<RunSpec, Problem> {
    let folder = org.dir.run(&run.id);
    Ok(RunSpec {
        run: run.id.clone(),
        class: run.class,
        task: run.task.clone(),
        work: folder.join("work"),
        home: folder.join("home"),
        brief: Some(folder.join("brief")),
        sockets: org.dir.sockets.clone(),
        tools: crate::tools::lay(&board.settings.toolchains, &manifest.network, &folder)?,
        dir: folder,
        job,
        resources: manifest.resources,
        limits: manifest.limits,
    })
}

fn checks_job(org: &Org, board: &Board, run: &Run) -> Result<RunnerJob, Problem> {
    let commit = run.base.as_ref().ok_or_else(|| Problem::internal("checks without a commit"))?;
    let work = org.dir.run(&run.id).join("work");
    // The commit of a run that is not published yet lies in that run's own git folder.
    let theirs = run.subject.as_ref().map(|subject| org.dir.run(subject).join("repo.git")).filter(|path| path.exists());
    match (org.forge.has_commit(&board.project.rid, commit)?, theirs) {
        (true, _) => org.forge.checkout(&board.project.rid, commit, &work)?,
        (false, Some(path)) => RunRepo::create(&path, &org.forge, &board.project.rid)?.checkout(commit, &work)?,
        // Nobody waits for these checks any more, and no waiting brings the commit back.
        (false, None) => {
            return Err(Problem::not_found(format!("The commit {commit} is not there any more: the run that made it has ended."))
                .next("The run that goes on from it has its own commit checked."));
        }
    }
    Ok(RunnerJob::Checks { checks: board.checks(org)? })
}

fn task_job(org: &Arc<Org>, board: &Board, run: &Run, live: &crate::host::Live) -> Result<RunnerJob, Problem> {
    let at = run.task.as_ref().ok_or_else(|| Problem::internal("a task's run without a task"))?;
    let name = run.agent.as_ref().ok_or_else(|| Problem::internal("a task's run without an agent"))?;
    let base = run.base.as_ref().ok_or_else(|| Problem::internal("a placed run without a base"))?;
    let (agent, folder) = (start::agent(org, name)?, org.dir.run(&run.id));
    let work = folder.join("work");
    let from = lay_worktree(org, board, run, base, &work)?;
    let asked = review_comments(org, board, run)?;
    let ask = spec::Ask { feature: &at.feature, task: &at.task, engine: agent.engine.label(), folder: "/brief", review: asked.as_deref() };
    let mut brief = spec::brief(&board.files, &ask)?;
    brief.prompt.push_str(&circumstances(run));
    let (handed, missed) = (Handed::kept(&folder), messages::handed_on(org, run)?);
    let (session, told) = match handed {
        Some(Handed { session, messages }) => (session, messages),
        None => (earlier_session(org, run)?, String::new()),
    };
    // Where this device executed the run before, it knows them itself, and has noted now where they went.
    brief.prompt.push_str(if missed.is_empty() { &told } else { &missed });
    for (path, bytes) in &brief.files {
        let file = folder.join("brief").join(path);
        if let Some(parent) = file.parent() {
            make_private(parent)?;
        }
        fs::write(&file, bytes).map_err(|e| crate::data_dir::storage(&file, &e))?;
    }
    live.context.set_brief(brief.prompt.clone());
    let path = format!("specs/{}/tasks.md", at.feature);
    // From git, never from the worktree: what an earlier engine left there may be a link.
    let before = org.forge.read(&board.project.rid, &from, &path)?.unwrap_or_default();
    Ok(RunnerJob::Agent(Box::new(AgentJob {
        engine: resolved(&agent, board, at, &folder)?,
        engines_dir: org.engines.clone(),
        model: agent.model.as_ref().map(|m| (m.name.clone(), m.api)),
        prompt: brief.prompt,
        env: brief.env,
        checks: board.checks(org)?,
        permissions: agent.permissions,
        session,
        tick: Tick { path, task: at.task.clone(), before: String::from_utf8_lossy(&before).into_owned() },
        base: base.clone(),
        from,
    })))
}

/// What this run has that a first one has not.
fn circumstances(run: &Run) -> String {
    let mut text = String::new();
    if run.rebase {
        text.push_str("\n\nThe work was done before, but no longer merges with the default branch. The worktree is the present default branch; /brief/previous.diff is the earlier work. Do the task again on top of what is there now.");
    }
    if run.from.is_some() {
        text.push_str("\n\nAn earlier run of this task ended before it was done. The worktree holds what it left: look at it first, and go on from there.");
    }
    text
}

/// A replay's recording comes from the canonical branch, never from the worktree: it is laid beside the brief.
fn resolved(agent: &Agent, board: &Board, at: &domain::TaskRef, folder: &Path) -> Result<EngineChoice, Problem> {
    let EngineChoice::Replay { recording } = &agent.engine else { return Ok(agent.engine.clone()) };
    let path = recording.replace("{task}", at.task.as_str());
    let bytes = board.files.get(&path).ok_or_else(|| {
        Problem::not_found(format!("There is no recording {path} on the default branch."))
            .next("Commit one in a working copy and take it in (meshwork project pull), or give the task to another agent.")
    })?;
    fs::write(folder.join("brief").join("recording.jsonl"), bytes).map_err(Problem::internal)?;
    Ok(EngineChoice::Replay { recording: "/brief/recording.jsonl".into() })
}

/// The worktree: the checkpoint that the run goes on from, the patch that gets a further revision, or the base.
fn lay_worktree(org: &Org, board: &Board, run: &Run, base: &Oid, work: &Path) -> Result<Oid, Problem> {
    let rid = &board.project.rid;
    if let Some(saved) = &run.from {
        lay_saved(org, rid, run, &saved.commit, work)?;
        return Ok(base.clone());
    }
    let from = match (&run.patch, run.rebase) {
        (Some(patch), false) => continued(org, board, run, patch)?.head,
        (Some(patch), true) => {
            let earlier = continued(org, board, run, patch)?;
            let diff = org.forge.diff(rid, &earlier.base, &earlier.head)?;
            fs::write(org.dir.run(&run.id).join("brief").join("previous.diff"), diff).map_err(Problem::internal)?;
            base.clone()
        }
        (None, _) => base.clone(),
    };
    org.forge.checkout(rid, &from, work)?;
    Ok(from)
}

/// Lays saved work, from this device's own checkpoints or from what was brought for this run alone.
fn lay_saved(org: &Org, rid: &Rid, run: &Run, commit: &Oid, work: &Path) -> Result<(), Problem> {
    let folder = org.dir.run(&run.id);
    let (session, brought) = (folder.join("home"), folder.join(saved::BROUGHT));
    if saved::lies_here(org, run)? {
        let laid = org.forge.restore(rid, commit, work, Some(&session)).map(drop);
        // It was whole a moment ago: when the run is placed again, all of it is looked at.
        return laid.map_err(|problem| Problem { kind: Kind::Unavailable, ..problem });
    }
    if !brought.exists() {
        return Err(not_here(run, &org.device, commit));
    }
    org.forge.restore_received(rid, &brought, commit, work, Some(&session))?;
    // It lies in the worktree now, and where it came from.
    let _ = fs::remove_dir_all(&brought);
    Ok(())
}

/// What is said where saved work that was to be laid is here no more. It was whole a moment ago: the device that asked for the run places
/// it again, by what can be had then.
fn not_here(run: &Run, here: &Did, commit: &Oid) -> Problem {
    let what = format!("The checkpoint {commit}, with which this run was to begin, is not on this device any more, or is damaged.");
    match run.requester == *here {
        true => Problem::unavailable(what),
        false => Problem::not_found(what).next("Run its task again (meshwork task run): what can be had is looked for anew."),
    }
}

/// The patch that a run continues. Who made it is judged where the run was asked for: only that device knows its own runs.
fn continued(org: &Org, board: &Board, run: &Run, patch: &PatchId) -> Result<Patch, Problem> {
    match run.requester == org.device {
        true => provenance::known_patch(org, &board.project, patch),
        false => org.forge.patch(&board.project.rid, &board.project.name, patch),
    }
}

/// What members said of the latest revision, where they asked for changes.
fn review_comments(org: &Org, board: &Board, run: &Run) -> Result<Option<Vec<String>>, Problem> {
    let Some(patch) = &run.patch else { return Ok(None) };
    let patch = org.forge.patch(&board.project.rid, &board.project.name, patch)?;
    let said = provenance::said(&*org.rights()?, patch);
    Ok((!said.is_empty()).then_some(said))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission::new_run, fixtures::did};
    use domain::{Timestamp, manifest::Class};

    #[test]
    fn a_run_whose_saved_work_went_before_it_was_laid_is_placed_again_by_its_requester() {
        let (id, commit) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), "1".repeat(40).parse().unwrap());
        let run = new_run(id, Class::Agent, "demo".parse().unwrap(), did('A'), did('a'), Timestamp(0));
        assert!(not_here(&run, &did('a'), &commit).passes());
        assert!(!not_here(&run, &did('b'), &commit).passes());
    }
}
