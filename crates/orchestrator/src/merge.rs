//! Merging: the gate is judged on the result of the merge, with ticks applied anew; then the member's key moves the
//! branch, or that of the device which is the project's gate; of three gates two must sign (`remote/cosign.rs`). A conflict starts a
//! run that does the work anew on the present branch: on the device that asked for the work, and on no other.

use crate::{
    actions::{
        patch::revision::newest,
        task::{Wanted, queue},
    },
    dispatch, gated,
    lifecycle::{drop_merged, reconcile::tell},
    merging::Change,
    names,
    org::Org,
    provenance::{self, Author, Known},
    remote, rivals,
    tasks::Board,
    trace,
};
use domain::{
    Did, Kind, Oid, PatchId, Problem, RevisionId, RunId, TaskRef,
    actor::Actor,
    event::Body,
    gate::{self, Missing},
    merge::MergeWish,
    patch::{Patch, PatchState},
    project::Project,
    run::{CheckResult, Run, RunState},
    task::TaskState,
};
use forge::{MergeResult, OrgState};
use identity::Envelope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod gates;

pub(crate) use gates::Gates;

/// What became of a merge.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is in the default branch.
    Merged {
        /// The patch.
        patch: PatchId,
        /// The commit on the default branch.
        commit: Oid,
        /// Why its gate was open, in words.
        gate: String,
        /// The command that brings it into a working copy.
        pull: String,
        /// Rivals of it, of the same task, which were closed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        superseded: Vec<PatchId>,
    },
    /// It conflicts; a run does the work anew.
    Rebasing {
        /// The patch.
        patch: PatchId,
        /// Files that conflict.
        paths: Vec<String>,
        /// The run.
        run: RunId,
    },
}

/// A patch, and what its merge would be now, before any check.
struct Prepared {
    board: Board,
    patch: Patch,
    result: MergeResult,
    author: Author,
    task: Option<TaskRef>,
    approvals: u32,
}

/// A merge that was made and checked, and that this device has not signed yet.
pub(crate) struct Ready {
    board: Board,
    patch: Patch,
    author: Author,
    revision: RevisionId,
    /// The commit that the default branch is to get.
    pub(crate) commit: Oid,
    approvals: u32,
    checks: Vec<CheckResult>,
}

/// Merges a patch, if its gate is open; where a revision is expected, only while that is the latest. In a gated project `wish` is what
/// a member signed who wants it, which the patch carries from then on.
///
/// # Errors
/// When something is missing, with what to do about it.
pub async fn merge(
    org: &Arc<Org>,
    actor: &Actor,
    project: &Project,
    patch: &Patch,
    expected: Option<&str>,
    wish: Option<Envelope>,
) -> Result<Outcome, Problem> {
    let _one_at_a_time = org.merging.turn(&project.name, Change::Merge(patch.id.clone())).await;
    let by_several = project.gates_needed() > 1;
    let others = if by_several { remote::meet(org, project).await? } else { vec![] };
    let Prepared { board, patch, result, author, task, approvals } = prepare(org, project, &patch.id, expected).await?;
    let (commit, revision) = match result {
        MergeResult::AlreadyMerged => return Err(already(org, project, patch.id).await),
        MergeResult::Conflict { paths, .. } => {
            return rebase(org, actor, &board, &patch, &author, paths).await;
        }
        MergeResult::Ready { commit, revision, .. } => (commit, revision),
    };
    let checks = check(org, &board, author.run(), &commit).await?;
    let ready = Arc::new(Ready { board, patch, author, revision, commit, approvals, checks });
    if let Some(wish) = wish.as_ref().filter(|_| by_several) {
        remote::agree(org, project, &others, &ready, wish).await?;
    }
    let (named, last) = (project.clone(), ready.clone());
    let telling = org.telling.read().await;
    let (gate, pull, of_task) = org
        .blocking(move |org| {
            // What enough gates have signed is merged, whatever is said of it since.
            let patch = if by_several { last.patch.clone() } else { last.judge_anew(org, &named, wish.as_ref())? };
            let met = names::within(&org.state()?, &gate::met(&patch, last.approvals, Some(&last.checks)));
            let of_task = rivals::task_of(&Known::of(org), &patch, &last.author)?;
            last.sign(org, &named)?;
            Ok((format!("Its gate was open: {met} on the result of the merge."), pull(org, &named), of_task))
        })
        .await?;
    let (id, commit) = (ready.patch.id.clone(), ready.commit.clone());
    let merged = Body::PatchMerged { project: project.name.clone(), patch: id.clone(), commit: commit.clone(), task: task.clone() };
    tell(org, actor, merged).await?;
    drop(telling);
    if let Some(task) = &task {
        drop_merged(org, task).await;
    }
    let superseded = match &of_task {
        Some(task) => rivals::close(org, actor, project, task, &id).await,
        None => vec![],
    };
    org.announce(&project.rid, std::slice::from_ref(&org.member));
    org.wake.notify_one();
    org.mirrors.notify_one();
    Ok(Outcome::Merged { patch: id, commit, gate, pull, superseded })
}

/// Reads a patch and makes its merge, if nothing is missing that can be said without checks.
async fn prepare(org: &Arc<Org>, project: &Project, patch: &PatchId, expected: Option<&str>) -> Result<Prepared, Problem> {
    let (named, id, expected) = (project.clone(), patch.clone(), expected.map(str::to_owned));
    org.blocking(move |org| {
        let (board, known) = (Board::read(org, &named)?, Known::of(org));
        // Read anew: it may have changed while another merge went on.
        let state = org.state()?;
        let patch = org.forge.patch(&named.rid, &named.name, &id)?;
        newest(&patch, expected.as_deref())?;
        if patch.state == PatchState::Open
            && let Some(divided) = gated::divided(org, &named)?
        {
            return Err(divided);
        }
        let author = Author::of(&known, &state, &named, &patch)?;
        author.known(&patch)?;
        let (task, of_task) = (known.task_of(&patch)?, rivals::task_of(&known, &patch, &author)?);
        let patch = provenance::by_person(&*org.rights()?, patch);
        // What needs no checks is said before any work is done.
        let approvals = approvals(org, &named, &board, &patch)?;
        refuse(&state, &patch, &missing(&known, &board, &patch, of_task.as_ref(), approvals, &[], &author)?)?;
        let result = org.forge.merge_result(&named.rid, &patch.id, gate::latest(&patch), &reapply_ticks)?;
        // Before the checks, which may take an hour. A conflict is worked at from any device.
        if matches!(result, MergeResult::Ready { .. }) {
            gated::merges_here(org, &named)?;
        }
        Ok(Prepared { board, patch, result, author, task, approvals })
    })
    .await
}

/// Makes and checks the merge that another gate of the project has made, by what this device itself knows.
///
/// # Errors
/// When something is missing, or the merge is another here.
pub(crate) async fn make_again(org: &Arc<Org>, project: &Project, wish: &MergeWish, commit: &Oid) -> Result<Ready, Problem> {
    let Prepared { board, patch, result, author, approvals, .. } = prepare(org, project, &wish.patch, Some(wish.revision.as_str())).await?;
    let revision = match result {
        MergeResult::Ready { commit: made, revision, .. } if made == *commit => revision,
        _ => {
            return Err(Problem::conflict("Merging this patch gives something else here.")
                .because("The default branch is not at the same commit on both devices, or their versions of Meshwork differ.")
                .next("Merge again; if it is refused again, see that both have the same version."));
        }
    };
    let checks = check(org, &board, author.run(), commit).await?;
    Ok(Ready { board, patch, author, revision, commit: commit.clone(), approvals, checks })
}

/// What is said of a patch that is in the default branch. Where several sign, the merge of another gate may have been cut short.
async fn already(org: &Arc<Org>, project: &Project, patch: PatchId) -> Problem {
    let said = Problem::conflict(format!("The patch {patch} is in the default branch already."))
        .next("Nothing is left to be merged: meshwork patch close closes it.");
    let rid = project.rid.clone();
    if project.gates_needed() > 1
        && let Err(problem) = org.blocking(move |org| org.forge.mark_merged(&rid, &patch)).await
    {
        return said.because(problem.to_string());
    }
    said
}

/// The command that brings the default branch into a working copy, with git alone.
pub(crate) fn pull(org: &Org, project: &Project) -> String {
    let storage = org.forge.rad_home().join("storage").join(project.rid.as_str().trim_start_matches("rad:"));
    format!("git pull {} {}", shell_words::quote(&storage.to_string_lossy()), shell_words::quote(&project.branch))
}

impl Ready {
    /// The patch as it stands after its checks, which may have taken an hour: meanwhile somebody may have asked for changes, made a
    /// further revision, or halted who wants it merged; and a claim may have come that says which task it is for. From here on it carries
    /// who asked a gate to merge it.
    ///
    /// # Errors
    /// When it may not be merged any more.
    pub(crate) fn judge_anew(&self, org: &Org, project: &Project, wish: Option<&Envelope>) -> Result<Patch, Problem> {
        let now = org.forge.patch(&project.rid, &project.name, &self.patch.id)?;
        if gate::latest(&now) != gate::latest(&self.patch) {
            return Err(Problem::conflict("A newer revision has come while this one was checked. Nothing was merged.")
                .next("Look at it, and merge again."));
        }
        let (known, state) = (Known::of(org), org.state()?);
        let author = self.author.by_now(&state, &now);
        author.known(&now)?;
        let of_task = rivals::task_of(&known, &now, &author)?;
        let now = provenance::by_person(&*org.rights()?, now);
        let missing = missing(&known, &self.board, &now, of_task.as_ref(), self.approvals, &self.checks, &author)?;
        refuse(&state, &now, &missing)?;
        if let Some(wish) = wish {
            remote::still_wished(org, wish)?;
            trace::carry_wish(org, project, &now, &self.revision, wish)?;
        }
        Ok(now)
    }

    /// Signs it as the first of several gates: the default branch does not move yet.
    ///
    /// # Errors
    /// When the default branch has moved on.
    pub(crate) fn propose(&self, org: &Org, project: &Project) -> Result<(), Problem> {
        org.forge.propose_merge(&project.rid, &self.patch.id, &self.revision, &self.commit)
    }

    /// Signs it, which moves the default branch, and writes into the patch what the checks said.
    ///
    /// # Errors
    /// When the default branch has moved on, or others must sign first.
    pub(crate) fn sign(&self, org: &Org, project: &Project) -> Result<(), Problem> {
        org.forge.merge(&project.rid, &self.patch.id, &self.revision, &self.commit)?;
        trace::carry_checks(org, project, &self.patch, &self.revision, &self.commit);
        Ok(())
    }
}

/// Everything that is missing: what the patch itself tells, whether it brings along what nobody judged, whether the task that it is for is
/// another's, and whether nobody made it whose work is taken.
fn missing(
    known: &Known<'_>,
    board: &Board,
    patch: &Patch,
    of_task: Option<&TaskRef>,
    approvals: u32,
    checks: &[CheckResult],
    author: &Author,
) -> Result<Vec<Missing>, Problem> {
    let mut found = gate::missing(patch, approvals, Some(checks));
    if let Some(made_by) = author.run().filter(|_| checks.iter().any(|check| !check.passed)) {
        let failed = |run: &&Run| run.subject.as_ref() == Some(&made_by.id) && run.checks.iter().any(|c| !c.passed);
        let judge = known.runs()?.iter().find(failed);
        for one in &mut found {
            if let Missing::CheckFailed { run, .. } = one {
                *run = judge.map(|judge| judge.id.clone());
            }
        }
    }
    if !known.org.forge.contains(&board.project.rid, &board.head, &patch.base)? {
        found.insert(0, Missing::Unmerged);
    }
    if let Some(task) = of_task
        && let Some(settled) = rivals::against(known.org, board, patch, task)?
    {
        found.insert(0, settled);
    }
    if let Some(by_nobody) = author.missing() {
        found.insert(0, by_nobody);
    }
    Ok(found)
}

/// Checks the result of the merge in a fresh sandbox.
async fn check(org: &Arc<Org>, board: &Board, made_by: Option<&Run>, commit: &Oid) -> Result<Vec<CheckResult>, Problem> {
    if let Some(checks) = made_by.and_then(|run| checked_here(run, commit, &org.device)) {
        return Ok(checks.to_vec());
    }
    let judged = dispatch::check(org, made_by.map(|run| &run.id), &board.project.name, commit).await?;
    if judged.state != RunState::Done {
        let why = judged.reason.map(|r| r.text()).unwrap_or_default();
        return Err(Problem::conflict("The checks on the result of the merge did not end.").because(why).next("Try the merge again."));
    }
    Ok(judged.checks)
}

/// What the checks on a run's work said, where that counts at this device for this commit: of several that checked one commit each counts
/// for the device alone that had it checked. A fast-forward's result is the very commit that was checked, by definitions that are no older
/// than its base. What another device says that its checks said is that device's word, and what was red may be green by now: then they are
/// made anew.
fn checked_here<'r>(run: &'r Run, commit: &Oid, here: &Did) -> Option<&'r [CheckResult]> {
    let own = run.told.is_none() && run.device.as_ref() == Some(here);
    (own && run.commit.as_ref() == Some(commit) && run.checks.iter().all(|check| check.passed)).then_some(run.checks.as_slice())
}

/// How many approvals a patch needs. One that changes how the project itself is checked and run needs at least one, and so does each
/// of a gated project.
///
/// # Errors
/// When the patch cannot be read.
pub fn approvals(org: &Org, project: &Project, board: &Board, patch: &Patch) -> Result<u32, Problem> {
    let mut rules = provenance::rules_changed(org, project, patch)?;
    // A revision says itself where it begins. What a merge brings in begins where the two histories part.
    if let Some(base) = org.forge.parts_at(&project.rid, &board.head, &patch.head)?.filter(|base| *base != patch.base) {
        rules.extend(provenance::rules_changed(org, project, &Patch { base, ..patch.clone() })?);
    }
    let at_least = u32::from(!rules.is_empty() || project.gate().is_some());
    Ok(board.settings.approvals.max(at_least))
}

fn refuse(state: &OrgState, patch: &Patch, missing: &[Missing]) -> Result<(), Problem> {
    if patch.state != PatchState::Open {
        return Err(not_open(patch));
    }
    if missing.is_empty() {
        return Ok(());
    }
    if let Some((what, next)) = missing.iter().find_map(Missing::settled) {
        return Err(Problem::conflict(names::within(state, &what)).next(next.replace("<patch>", patch.id.as_str())));
    }
    let words: Vec<_> = missing.iter().map(|one| names::within(state, &one.text())).collect();
    Err(Problem::new(Kind::Conflict, "The patch cannot be merged yet.")
        .because(words.join(" "))
        .next("Do what is missing, then merge again; meshwork patch show lists it."))
}

/// What is said of a patch that is not open, and so neither reviewed nor merged.
pub(crate) fn not_open(patch: &Patch) -> Problem {
    let id = &patch.id;
    match patch.state {
        PatchState::Merged => Problem::conflict(format!("The patch {id} is merged already."))
            .next("Nothing is left to do with it; what is to be changed after it is a task of its own: meshwork task add."),
        PatchState::Archived => {
            Problem::conflict(format!("The patch {id} is closed.")).next(format!("Open it again first: meshwork patch reopen {id}."))
        }
        PatchState::Draft | PatchState::Open => Problem::conflict(format!("The patch {id} is a draft."))
            .next(format!("Its author must say that it is ready: rad patch ready {id}.")),
    }
}

/// Two patches that tick neighbouring lines do not merge as text: what the patch ticked is ticked anew in the file as it
/// stands. Where it changed more than ticks there, git decides.
pub(crate) fn reapply_ticks(path: &str, base: Option<&[u8]>, ours: Option<&[u8]>, theirs: Option<&[u8]>) -> Option<Vec<u8>> {
    let (base, ours, theirs) = path.ends_with("/tasks.md").then_some((base?, ours?, theirs?))?;
    let ticked = spec::ticked(base, theirs);
    let only_ticks = spec::reapply(base, &ticked).text == theirs;
    only_ticks.then(|| spec::reapply(ours, &ticked).text)
}

/// The device that does a patch's work anew where it conflicts: the one that asked for the run which made it, and no other, since each side
/// of a cut may find the conflict. None: no run of the org made it.
fn anew_by(author: &Author, patch: &Patch) -> Option<Did> {
    match author {
        Author::Run(run) => Some(run.requester.clone()),
        Author::RunElsewhere => patch.revisions.last().and_then(trace::delegated_by),
        Author::Member | Author::Removed(_) | Author::Unknown | Author::Unread(_) => None,
    }
}

/// What is to be done with a patch that conflicts, where its work is not done anew from here.
fn not_anew_here(state: &OrgState, here: &Did, patch: &PatchId, by: Option<&Did>) -> String {
    let close = format!("close it (meshwork patch close {patch}), and run its task again");
    match by.map(|did| state.device_of(did)) {
        None => "Its author must bring it up to date.".to_owned(),
        Some(None) => format!("The device that asked for its work is not in the org any more: {close}."),
        Some(Some(device)) if device.did == *here => {
            format!("Its work was asked for here by another member, or is not known here any more: {close}.")
        }
        Some(Some(device)) => {
            let there = format!("{} of {}", device.name, device.owner);
            format!(
                "Merge it on {there}, which asked for its work: a run begins there that does it anew, once it has what is new. Or {close}."
            )
        }
    }
}

/// Does a patch's work anew that another device, a gate, refused to merge; none: it does not conflict, as far as is known here, or the work
/// is another's.
///
/// # Errors
/// When no run can be queued.
pub(crate) async fn anew(
    org: &Arc<Org>,
    actor: &Actor,
    project: &Project,
    patch: &PatchId,
    expected: Option<&str>,
) -> Result<Option<Outcome>, Problem> {
    let prepared = prepare(org, project, patch, expected).await;
    let prepared =
        prepared.inspect_err(|problem| tracing::warn!(%patch, %problem, "it cannot be looked at whether its work is to be done anew"));
    let Ok(Prepared { board, patch, result, author, .. }) = prepared else { return Ok(None) };
    match result {
        MergeResult::Conflict { paths, .. } if anew_by(&author, &patch).as_ref() == Some(&org.device) => {
            rebase(org, actor, &board, &patch, &author, paths).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// Queues a run that does the patch's work anew, where this device asked for that work and its member wants it merged.
async fn rebase(
    org: &Arc<Org>,
    actor: &Actor,
    board: &Board,
    patch: &Patch,
    author: &Author,
    paths: Vec<String>,
) -> Result<Outcome, Problem> {
    let conflict = Problem::conflict(format!("The patch {} conflicts with the default branch in {}.", patch.id, paths.join(", ")));
    let by = anew_by(author, patch);
    let own = author.run().filter(|_| by.as_ref() == Some(&org.device) && actor.did == org.member);
    let Some((made_by, task, agent)) = own.and_then(|run| Some((run, run.task.as_ref()?, run.agent.as_ref()?))) else {
        return Err(conflict.next(not_anew_here(&org.remote.org(), &org.device, &patch.id, by.as_ref())));
    };
    let mut view = board.task(Some(&task.feature), &task.task)?.clone();
    view.state = TaskState::InReview { patch: patch.id.clone() };
    let run = queue(org, actor, &view, agent, &Wanted::of(made_by), true)
        .await
        .map_err(|p| conflict.because(p.what).next(p.next.unwrap_or_else(|| "Mend that, then merge again.".into())))?;
    org.wake.notify_one();
    Ok(Outcome::Rebasing { patch: patch.id.clone(), paths, run })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        admission::new_run,
        fixtures::{self, did},
    };
    use domain::{Timestamp, event::Told, manifest::Class, org::Device};

    /// A run that `a` asked for and `b` executed, as `b` knows it.
    fn made() -> Run {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let new = new_run(id, Class::Agent, "demo".parse().unwrap(), did('A'), did('a'), Timestamp(0));
        let checks = vec![CheckResult { name: "t".into(), passed: true, exit_code: Some(0), duration_ms: 1, tail: String::new() }];
        Run { device: Some(did('b')), state: RunState::Done, commit: Some(commit('1')), checks, ..new }
    }

    /// The same as `a` knows it.
    fn told() -> Run {
        Run { told: Some(Told { device: did('b'), seq: 7, heard_at: Timestamp(0) }), ..made() }
    }

    fn commit(digit: char) -> Oid {
        digit.to_string().repeat(40).parse().unwrap()
    }

    #[test]
    fn whichever_side_of_a_cut_finds_that_a_patch_conflicts_one_device_does_its_work_anew() {
        let patch = fixtures::patch(&did('r'), vec![], vec![]);
        for known in [made(), told()] {
            assert_eq!(anew_by(&Author::Run(Box::new(known)), &patch), Some(did('a')), "never the executor, whose journal has it too");
        }
        for by_hand in [Author::Member, Author::RunElsewhere, Author::Unknown] {
            assert_eq!(anew_by(&by_hand, &patch), None, "nothing that was signed says who asked for it");
        }
    }

    #[test]
    fn who_may_not_do_a_patchs_work_anew_is_told_where_that_is_done() {
        let mut crew = fixtures::state();
        crew.devices.insert("desk".to_owned(), Device::new("desk", did('a'), "ada"));
        let patch = fixtures::patch(&did('r'), vec![], vec![]).id;
        let said_at = |here: char, by: Option<char>| not_anew_here(&crew, &did(here), &patch, by.map(did).as_ref());
        let said = |by: Option<char>| said_at('b', by);
        let elsewhere = said(Some('a'));
        assert!(
            elsewhere.contains("Merge it on desk of ada") && elsewhere.contains(&format!("meshwork patch close {patch}")),
            "{elsewhere}"
        );
        let at_home = said_at('a', Some('a'));
        assert!(at_home.contains("asked for here by another member") && !at_home.contains("Merge it on"), "{at_home}");
        assert!(said(Some('x')).contains("not in the org any more: close it"), "{}", said(Some('x')));
        assert!(said(None).contains("Its author"), "{}", said(None));
    }

    #[test]
    fn of_two_devices_that_checked_one_commit_each_counts_its_own_results() {
        let counts = |run: &Run, commit: &Oid, here: char| checked_here(run, commit, &did(here)).is_some();
        assert!(counts(&made(), &commit('1'), 'b'), "it had the commit checked itself");
        assert!(!counts(&told(), &commit('1'), 'a') && !counts(&told(), &commit('1'), 'b'), "what another says of its checks");
        assert!(!counts(&made(), &commit('2'), 'b'), "the checks of another commit");
        let mut red = made();
        red.checks[0].passed = false;
        assert!(!counts(&red, &commit('1'), 'b'), "they are made anew");
    }
}
