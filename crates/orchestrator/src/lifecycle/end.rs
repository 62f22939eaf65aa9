//! The end of a run: its work is saved before anything goes, and what can go on is taken up again.

use super::{Drive, Over, checkpoints, kept, publish, runner_process};
use crate::{admission, clock, data_dir::storage, dispatch, limits, org::Org, remote, undelivered};
use domain::{
    Did, Kind, Oid, Problem, RunId,
    event::{Body, Event, kind},
    limits::START_TRIES_MAX,
    manifest::Class,
    run::{LeftOut, Order, Reason, Run, RunState},
    task::Claim,
};
use forge::{BaseTree, Ignore, ImportLimits, RunRepo, TooLarge};
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// How much of an engine's home is saved with its work.
const SESSION_BYTES_MAX: u64 = 64 << 20;

/// Ends a run that was driven.
pub(super) async fn end(drive: Drive, over: Over) {
    let org = drive.org.clone();
    if over.to == RunState::Done || drive.live.ended.borrow().is_some() {
        let mut connected = drive.live.connected.subscribe();
        let answered = drive.live.order(Order::Finish).1;
        // It answers, or is just gone: both will do.
        let gone = async {
            tokio::select! {
                _ = answered => {}
                _ = connected.wait_for(|c| !c) => {}
            }
        };
        let _ = tokio::time::timeout(crate::limits::ORDER_WAIT, gone).await;
    }
    org.hub.remove(&drive.id);
    drop(drive.live);
    finish(&org, &drive.id, over).await;
}

/// Ends a run whose runner never came up, or is gone.
pub(super) async fn end_unstarted(org: &Arc<Org>, run: &RunId, over: Over) {
    org.hub.remove(run);
    finish(org, run, over).await;
}

async fn finish(org: &Arc<Org>, run: &RunId, over: Over) {
    if let Err(problem) = settle(org, run, over.clone()).await {
        tracing::error!(%run, %problem, "the end of a run could not be written; it is tried again");
        let message = format!("Its end could not be written: {problem}");
        match org.store.get::<Run>(kind::RUN, run.as_str()) {
            Ok(Some(run)) => org.driven.later(&run, Some(over), message),
            // The journal cannot even be read: the run is found when it can be.
            _ => tracing::error!(%run, "a run cannot be read"),
        }
    }
}

/// Ends a run that could not be ended in order: as it is, with its files kept, and with a word of why.
pub(super) async fn give_up(org: &Arc<Org>, run: Run, message: &str) -> Result<(), Problem> {
    let folder = org.dir.run(&run.id);
    let laid = org.blocking(move |_| {
        runner_process::kill(&folder);
        Ok(is_laid(&folder))
    });
    let left_out = (laid.await? && run.class == Class::Agent).then(|| LeftOut::everything(message));
    let kept = left_out.map(|left_out| org.event(&org.device, Body::WorkKept { run: run.id.clone(), left_out }));
    write_end(org, &run.id, kept.into_iter().collect(), Over::given_up(message)).await?;
    org.driven.settled(&run.id);
    clean(org, &run.id).await;
    Ok(())
}

async fn settle(org: &Arc<Org>, id: &RunId, over: Over) -> Result<(), Problem> {
    let run: Run = org.store.get(kind::RUN, id.as_str())?.ok_or_else(|| Problem::internal("a run that ends is unknown"))?;
    let gone = id.clone();
    org.blocking(move |org| {
        runner_process::kill(&org.dir.run(&gone));
        sandbox::sweep();
        undelivered::take_in(org, &gone)
    })
    .await?;
    crate::fault::end_unwritten()?;
    let published = over.to != RunState::Done && publish::published_before(org, &run).await?;
    let over = if published { Over::done() } else { over };
    if over.passes && wait_again(org, &run, &over).await? {
        return Ok(());
    }
    let (worked, to) = (run.clone(), over.to);
    let saved = org.blocking(move |org| safe(org, &worked, to)).await?;
    if saved.checkpoint.is_some() && run.requester != org.device && remote::may_answer(org, &run.requester) {
        org.remote.moving.owe(&run.id);
    }
    let facts = saved.facts(&run.id).into_iter().map(|body| org.event(&org.device, body)).collect();
    tracing::info!(run = %run.id, to = ?over.to, why = over.reason.text(), "a run ends");
    write_end(org, &run.id, facts, over).await?;
    let logged = run.id.clone();
    org.blocking(move |org| org.store.run_log(&logged).map(|log| log.finish())).await?;
    clean(org, &run.id).await;
    checkpoints::prune(org, &run.id).await;
    if !*org.closing.borrow() {
        take_up_again(org, &run.id).await?;
    }
    Ok(())
}

/// Puts a run back into the queue that something passing kept from being begun; says whether it did.
async fn wait_again(org: &Arc<Org>, run: &Run, over: &Over) -> Result<bool, Problem> {
    let begun = !matches!(run.state, RunState::Starting | RunState::Preparing);
    if begun || run.requester != org.device || run.tries >= START_TRIES_MAX || *org.closing.borrow() {
        return Ok(false);
    }
    let message = match &over.reason {
        Reason::Internal { message } => message.clone(),
        other => other.text(),
    };
    clean(org, &run.id).await;
    let reason = dispatch::tries_again(run, message);
    let back = org.event(&org.device, Body::RunMoved { run: run.id.clone(), to: RunState::Queued, reason: Some(reason) });
    let (id, moved) = (run.id.clone(), Arc::new(AtomicBool::new(false)));
    let found = moved.clone();
    let decided = org.store.append_if(move |view| {
        // Whoever wants its end meanwhile gets it.
        let goes_on = view.get::<Run>(kind::RUN, id.as_str())?.is_some_and(|r| r.ending.is_none());
        found.store(goes_on, Ordering::Relaxed);
        Ok(if goes_on { vec![back] } else { vec![] })
    });
    decided.await?;
    Ok(moved.load(Ordering::Relaxed))
}

/// Writes the end of a run. What was asked for while its work was being saved still counts: a run that a person stopped is
/// cancelled, unless it was done; one that was lost while it was evicted is evicted.
async fn write_end(org: &Arc<Org>, id: &RunId, mut events: Vec<Event>, over: Over) -> Result<(), Problem> {
    let (run, id) = (id.clone(), id.clone());
    let mut last = org.event(&org.device, Body::RunMoved { run: id.clone(), to: over.to, reason: Some(over.reason) });
    let decided = org.store.append_if(move |view| {
        let Some(now) = view.get::<Run>(kind::RUN, id.as_str())?.filter(|r| !r.state.ended()) else { return Ok(vec![]) };
        let asked = now.ending.map(Over::because).filter(|asked| match asked.to {
            RunState::Cancelled => over.to != RunState::Done,
            _ => over.to == RunState::Lost,
        });
        if let Some(asked) = asked {
            last.body = Body::RunMoved { run, to: asked.to, reason: Some(asked.reason) };
        }
        events.push(last);
        Ok(events)
    });
    decided.await.map(|_| ())
}

/// What was made of a run's files.
#[derive(Default)]
pub(super) struct Saved {
    pub(super) checkpoint: Option<Oid>,
    left_out: LeftOut,
}

impl Saved {
    fn facts(self, run: &RunId) -> Vec<Body> {
        let checkpointed = self.checkpoint.map(|commit| Body::RunCheckpointed { run: run.clone(), commit });
        let kept = (!self.left_out.is_empty()).then(|| Body::WorkKept { run: run.clone(), left_out: self.left_out });
        checkpointed.into_iter().chain(kept).collect()
    }
}

/// Makes the work of a run that ends safe. Where files of it are in no commit, it says which.
fn safe(org: &Org, run: &Run, to: RunState) -> Result<Saved, Problem> {
    if run.class != Class::Agent {
        return Ok(Saved::default());
    }
    if to == RunState::Done {
        return Ok(Saved { checkpoint: None, left_out: kept::noted(&org.dir.run(&run.id)) });
    }
    match save(org, run) {
        // What waiting does not mend, or did not: the files are kept as they are.
        Err(problem) if !problem.passes() || run.recovered >= limits::RECOVERIES_MAX => {
            Ok(Saved { checkpoint: None, left_out: LeftOut::everything(&problem.to_string()) })
        }
        saved => saved,
    }
}

/// Whether a run's worktree was laid whole. Else it is no work: what is missing there was deleted by nobody.
fn is_laid(folder: &Path) -> bool {
    folder.join("welcome.json").exists() && folder.join("work").exists()
}

/// Saves the worktree of a run as a checkpoint, which outlives the run's folder.
pub(super) fn save(org: &Org, run: &Run) -> Result<Saved, Problem> {
    let folder = org.dir.run(&run.id);
    let Some(base) = run.base.as_ref().filter(|_| is_laid(&folder)) else { return Ok(Saved::default()) };
    let rid = org.project(Some(&run.project))?.rid;
    let repo = RunRepo::create(&folder.join("repo.git"), &org.forge, &rid)?;
    let limits = ImportLimits { too_large: TooLarge::LeaveOut, ..ImportLimits::default() };
    let work = repo.import(&folder.join("work"), &repo.base_tree(base)?, &limits)?;
    let mut left_out = kept::left_out(&repo, &folder.join("work"), &work)?;
    if !work.changed {
        return Ok(Saved { checkpoint: None, left_out });
    }
    let session = repo.import(
        &folder.join("home"),
        &BaseTree::empty()?,
        &ImportLimits { new_bytes: SESSION_BYTES_MAX, ignore: Ignore::Not, ..limits },
    );
    // The engine's own session helps, but the work is what counts.
    let session = session.map_err(|problem| left_out.add(format!("the engine's own session: {problem}"))).ok();
    let checkpoint = org.forge.checkpoint(&rid, &run.id, &repo, base, &work.tree, session.map(|s| s.tree).as_ref())?;
    Ok(Saved { checkpoint: Some(checkpoint), left_out })
}

/// The worktree and home are in the patch or the checkpoint now; what the run said stays in its log.
async fn clean(org: &Arc<Org>, run: &RunId) {
    let kept = match kept::wanted(org, run) {
        Ok(true) => kept::keep(org, run).await,
        other => other.map(drop),
    };
    if let Err(problem) = kept {
        return tracing::error!(%run, %problem, "a run's folder could not be kept aside; it stays where it is until the next start");
    }
    let run = run.clone();
    let cleaned = org.blocking(move |org| {
        for name in ["m", "c", "e"] {
            let _ = fs::remove_file(org.dir.run_socket(&run, name));
        }
        remove(&org.dir.run(&run))
    });
    if let Err(problem) = cleaned.await {
        tracing::warn!(%problem, "a run's folder could not be removed; the next start tries again");
    }
}

/// How a folder is called that is being removed: half of one must never be taken for somebody's work.
const GONE: &str = "gone";
/// How the names of folders begin in which an action lets a project's own script work.
const SCRATCH: &str = "scratch-";
/// The folder of a backup that is being made.
const BACKUP: &str = "backup";

/// Removes a folder of a run, whole or not at all.
pub(super) fn remove(folder: &Path) -> Result<(), Problem> {
    let gone = folder.with_extension(GONE);
    remove_all(&gone)?;
    match fs::rename(folder, &gone) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(storage(folder, &error)),
        Ok(()) => remove_all(&gone),
    }
}

/// Goes on with removing what a killed orchestrator was removing, and removes what only it had a use for. To be called before
/// anything new is begun.
pub(super) fn remove_the_rest(org: &Org) {
    let folders = [org.dir.runs(), org.dir.kept()].into_iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    for entry in folders {
        if is_rest(&entry.path())
            && let Err(problem) = remove_all(&entry.path())
        {
            tracing::warn!(%problem, "a folder could not be removed; the next start tries again");
        }
    }
}

/// Whether a folder is half removed, or belonged to an action of an orchestrator that is gone.
fn is_rest(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    folder.extension().is_some_and(|end| end == GONE) || name.starts_with(SCRATCH) || name == BACKUP
}

/// A git command of an orchestrator that was killed may still write there for a moment.
fn remove_all(folder: &Path) -> Result<(), Problem> {
    for _ in 1..limits::REMOVE_TRIES {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => std::thread::sleep(limits::RUNNER_LOOK_EVERY),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                open_up(folder);
                return fs::remove_dir_all(folder).map_err(|e| storage(folder, &e));
            }
            removed => return removed.map_err(|e| storage(folder, &e)),
        }
    }
    fs::remove_dir_all(folder).map_err(|e| storage(folder, &e))
}

/// Lets us into every folder below: what an engine made may have any mode. Nothing of it runs any more, so that no folder
/// becomes a link meanwhile; links that it left are not followed.
fn open_up(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(found) = fs::symlink_metadata(&folder) else { continue };
        if !found.is_dir() {
            continue;
        }
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(found.permissions().mode() | 0o700));
        folders.extend(fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
}

/// Clears away what an ended run left because the orchestrator died after writing its end; work that could not be saved then
/// is saved now, or stays.
pub(super) async fn clear_leftover(org: &Arc<Org>, run: &Run) -> Result<(), Problem> {
    if !org.dir.run(&run.id).exists() {
        return Ok(());
    }
    let worked = run.clone();
    let saved = org
        .blocking(move |org| {
            runner_process::kill(&org.dir.run(&worked.id));
            let known = worked.state == RunState::Done || worked.checkpoint.is_some() || worked.kept.is_some();
            if known { Ok(Saved::default()) } else { safe(org, &worked, worked.state) }
        })
        .await?;
    let facts = saved.facts(&run.id);
    if !facts.is_empty() {
        org.record(&org.device, facts).await?;
    }
    clean(org, &run.id).await;
    Ok(())
}

/// A run that was lost or evicted goes on as a new one with a new key, from its last checkpoint; one that was lost a few times at most.
pub(crate) async fn take_up_again(org: &Arc<Org>, id: &RunId) -> Result<(), Problem> {
    let Some(run) = org.store.get::<Run>(kind::RUN, id.as_str())? else { return Ok(()) };
    let Some((task, attempt)) = run.task.clone().zip(run.next_attempt(&org.device)) else { return Ok(()) };
    let mut next =
        admission::new_run(clock::run_id(), Class::Agent, run.project.clone(), run.member.clone(), run.requester.clone(), clock::now());
    next.task = Some(task.clone());
    next.agent.clone_from(&run.agent);
    next.on = run.on.clone().filter(|on| !is_removed(org, on));
    next.tags.clone_from(&run.tags);
    next.priority = run.priority;
    next.gave_way = run.gave_way + u32::from(matches!(run.reason, Some(Reason::GaveWay { .. })));
    next.apart.clone_from(&run.apart);
    next.patch.clone_from(&run.patch);
    next.rebase = run.rebase;
    next.continues = Some(run.id.clone());
    next.attempt = attempt;
    // What a person paused is not placed until a person lets it go on; a freeze for anything else ended with its cause.
    (next.paused, next.paused_by) = (run.paused_by.is_some(), run.paused_by.clone());
    if was_not_begun_there(&run, &org.device) {
        let why = run.reason.as_ref().map(Reason::text).unwrap_or_default();
        (next.reason, next.tries) = (Some(dispatch::tries_again(&run, why)), run.tries + 1);
    }
    let (event, last) = (org.event(&org.device, Body::RunQueued { run: Box::new(next) }), run.id.clone());
    let decided = org.store.append_if(move |view| {
        let claim: Option<Claim> = view.get(kind::CLAIM, &task.to_string())?;
        // Somebody started a newer one meanwhile.
        let newest = claim.as_ref().and_then(|c| c.runs.last()) == Some(&last);
        Ok(if newest { vec![event] } else { vec![] })
    });
    decided.await?;
    org.wake.notify_one();
    Ok(())
}

/// Whether a run was lost on another device before its runner had a key there, as where the work that it goes on from did not come: at once
/// that would end no better.
fn was_not_begun_there(run: &Run, here: &Did) -> bool {
    run.state == RunState::Lost && run.key.is_none() && run.device.as_ref().is_some_and(|device| device != here)
}

/// Whether a device belongs to the org no more: then nothing waits for it.
fn is_removed(org: &Org, device: &Did) -> bool {
    remote::device(org, device).is_err_and(|problem| problem.kind == Kind::Forbidden)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{self, Opened};
    use domain::Timestamp;

    /// A run of this device at a task, which was lost.
    fn lost(org: &Org) -> Run {
        let (id, project) = (clock::run_id(), "demo".parse().unwrap());
        let new = admission::new_run(id, Class::Agent, project, org.member.clone(), org.device.clone(), Timestamp(0));
        let task = serde_json::json!({"project": "demo", "feature": "001-work", "task": "T001"});
        Run { task: Some(serde_json::from_value(task).unwrap()), state: RunState::Lost, ..new }
    }

    /// The run that takes this one up again.
    async fn after(org: &Arc<Org>, run: Run) -> Run {
        let id = run.id.clone();
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run) }]).await.unwrap();
        take_up_again(org, &id).await.unwrap();
        let runs: Vec<Run> = org.store.list(kind::RUN, store::Order::Newest, limits::RUNS_MAX).unwrap();
        runs.into_iter().find(|next| next.continues.as_ref() == Some(&id)).unwrap()
    }

    #[tokio::test]
    async fn what_could_not_begin_on_another_device_is_taken_up_after_a_pause_that_grows() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let there = || Run { device: Some(fixtures::did('g')), ..lost(org) };
        let first = after(org, there()).await;
        assert!(matches!(first.reason, Some(Reason::TriesAgain { tries: 1, at, .. }) if at > first.queued_at), "{first:?}");
        let second = after(org, Run { tries: first.tries, ..there() }).await;
        assert!(matches!(second.reason, Some(Reason::TriesAgain { tries: 2, .. })), "{second:?}");
        assert_eq!(after(org, Run { key: Some(fixtures::did('r')), ..there() }).await.reason, None, "it had begun");
        assert_eq!(after(org, Run { device: Some(org.device.clone()), ..lost(org) }).await.reason, None);
    }

    #[tokio::test]
    async fn what_a_person_paused_stays_so_wherever_it_goes_on() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let by = Some(org.member.clone());
        let next = after(org, Run { paused_by: by.clone(), state: RunState::Evicted, ..lost(org) }).await;
        assert_eq!((next.paused, next.paused_by), (true, by));
        let next = after(org, Run { paused: true, state: RunState::Evicted, ..lost(org) }).await;
        assert_eq!((next.paused, next.paused_by), (false, None), "it was frozen for the machine's owner");
    }

    #[tokio::test]
    async fn what_goes_on_waits_for_the_device_that_was_named_unless_that_was_removed() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let here = Some(org.device.clone());
        assert_eq!(after(org, Run { on: here.clone(), ..lost(org) }).await.on, here);
        assert_eq!(after(org, Run { on: Some(fixtures::did('g')), ..lost(org) }).await.on, None);
    }

    #[tokio::test]
    async fn what_could_not_be_saved_of_a_stopped_run_is_kept_and_told() {
        let opened = Opened::new().await;
        let (org, id) = (&opened.org, clock::run_id());
        let new =
            admission::new_run(id.clone(), Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        let stopped = Some(Reason::Stopped { by: org.member.clone() });
        let run = Run { state: RunState::Working, device: Some(org.device.clone()), ending: stopped.clone(), ..new };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run.clone()) }]).await.unwrap();
        let folder = org.dir.run(&id);
        fs::create_dir_all(folder.join("work")).unwrap();
        fs::write(folder.join("welcome.json"), "{}").unwrap();
        fs::write(folder.join("work/made.txt"), "made").unwrap();

        give_up(org, run, "Not a directory.").await.unwrap();
        let ended: Run = org.store.get(kind::RUN, id.as_str()).unwrap().unwrap();
        assert_eq!((ended.state, &ended.reason), (RunState::Cancelled, &stopped), "a person's word stands");
        let why = ended.why().unwrap();
        assert!(why.contains("could not be saved: Not a directory.") && why.contains("meshwork run kept"), "{why}");
        let kept: Vec<_> = kept::list(org).into_iter().map(|one| (one.run, one.path)).collect();
        assert_eq!(kept, [(id, kept::place(org, &ended).unwrap())]);
        assert_eq!(fs::read_to_string(kept[0].1.join("work/made.txt")).unwrap(), "made");
        let told = || crate::doctor::warnings(org).into_iter().filter(|said| said.starts_with("unsaved work: ")).collect::<Vec<_>>();
        assert!(told().len() == 1 && told()[0].contains(ended.id.as_str()), "{:?}", told());
        kept::drop_kept(org, &domain::actor::Actor::from(&org.device), &ended.id, "Looked at.".into()).await.unwrap();
        assert!(told().is_empty());
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_folder_that_could_not_be_moved_aside_is_listed_where_it_is_and_removed_on_demand() {
        let opened = Opened::new().await;
        let (org, id) = (&opened.org, clock::run_id());
        let new =
            admission::new_run(id.clone(), Class::Agent, "demo".parse().unwrap(), org.member.clone(), org.device.clone(), Timestamp(0));
        let run = Run { state: RunState::Cancelled, kept: Some(LeftOut::everything("Full.")), ..new };
        org.record(&org.device, vec![Body::RunQueued { run: Box::new(run) }]).await.unwrap();
        let folder = org.dir.run(&id);
        fs::create_dir_all(folder.join("work")).unwrap();
        let listed = || kept::not_moved(org).unwrap().into_iter().map(|one| one.path).collect::<Vec<_>>();
        assert_eq!(listed(), std::slice::from_ref(&folder));
        // Where it was to be moved to was made, and no more than that.
        let aside = org.dir.kept().join(id.as_str());
        fs::create_dir_all(&aside).unwrap();
        assert!(listed() == std::slice::from_ref(&folder) && kept::list(org).is_empty());
        kept::drop_kept(org, &domain::actor::Actor::from(&org.device), &id, "Not needed.".into()).await.unwrap();
        assert!(listed().is_empty() && !folder.exists() && !aside.exists());
    }

    /// To root every mode is as good as another.
    #[test]
    fn folders_of_any_mode_are_removed_and_links_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, outside) = (dir.path().join("run"), dir.path().join("outside"));
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o500)).unwrap();
        let mut made = vec![];
        for (name, mode) in [("closed", 0), ("readable", 0o555), ("hidden", 0o300)] {
            let inner = folder.join(name).join("inner");
            fs::create_dir_all(&inner).unwrap();
            fs::write(inner.join("file"), name).unwrap();
            std::os::unix::fs::symlink(&outside, inner.join("link")).unwrap();
            made.extend([(inner, mode), (folder.join(name), mode)]);
        }
        for (path, mode) in made {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        remove(&folder).unwrap();
        assert!(!folder.exists() && !folder.with_extension(GONE).exists());
        assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o777, 0o500);
    }

    #[test]
    fn what_a_killed_orchestrator_left_is_told_from_the_folders_of_runs() {
        for name in ["01J00000000000000000000000.gone", "scratch-01J00000000000000000000000", "backup"] {
            assert!(is_rest(Path::new("runs").join(name).as_path()), "{name}");
        }
        assert!(!is_rest(Path::new("runs/01J00000000000000000000000")));
    }
}
