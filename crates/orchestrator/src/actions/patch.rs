//! Patches: listed, read, judged, merged.

pub(crate) mod revision;

use super::Done;
use crate::{
    gated,
    lifecycle::reconcile::tell,
    merge::{self, Gates},
    names,
    org::Org,
    picture::Claims,
    provenance::{self, Known},
    remote, rivals,
    table::{Action, Context, Effect, action},
    tasks::{Board, not_searched, of_each, to_list, to_search},
};
use domain::{
    Did, Kind, Oid, PatchId, Problem, ProjectName, RevisionId, Rid, TaskId, TaskRef, diff as lines,
    event::Body,
    gate::{self, PatchStanding},
    patch::{LineRef, Patch, PatchState, Side, Verdict},
    picture::{Rival, Whose},
    project::Project,
    role::{Permission, Role},
    task::{TaskState, TaskView},
};
use forge::Forge;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("patch.list", Reads, Permission::View, "List the patches of a project.", list),
        action("patch.show", Reads, Permission::View, "Show a patch: revisions, reviews, checks, and what a merge still needs.", show),
        action("patch.diff", Reads, Permission::View, "The diff of a patch: of a revision, or from one to another.", revision::diff),
        action(
            "patch.review",
            Changes,
            Permission::Review,
            "Review a patch: accept it, ask for changes, or comment, also on lines.",
            review,
        ),
        action("patch.comment", Changes, Permission::Review, "Comment on a patch, or answer a comment.", comment),
        action("patch.merge", Changes, Permission::Merge, "Merge a patch, once its gate is open.", merge_patch),
        action("patch.close", Changes, Permission::Merge, "Close a patch without merging it.", close),
        action("patch.reopen", Changes, Permission::Merge, "Open a closed patch again.", reopen),
    ]
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    /// Only those of this project.
    #[serde(default)]
    project: Option<ProjectName>,
    /// Only those in this state.
    #[serde(default)]
    state: Option<PatchState>,
}

/// A patch in a list.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    #[serde(flatten)]
    patch: Patch,
    /// Where it stands.
    standing: PatchStanding,
    /// Whose word it is, where that is another device's.
    #[serde(skip_serializing_if = "Option::is_none")]
    whose: Option<Whose>,
}

async fn list(context: Context, input: List) -> Result<Vec<Listed>, Problem> {
    let list = move |org: &Arc<Org>| {
        let (claims, state, rights, known) = (Claims::read(org), org.state()?, org.rights()?, Known::of(org));
        of_each(&to_list(org, input.project.as_ref())?, |project| {
            let patches = org.forge.patches(&project.rid, &project.name)?;
            let gates = Gates::of(&known, &rights, project);
            let listed = |patch: Patch| -> Result<Listed, Problem> {
                let standing = gates.standing(&patch);
                let patch = Patch { left_out: provenance::left_out(&rights, &patch), ..patch };
                Ok(Listed { whose: claims.whose(org, &state, &patch)?, standing, patch })
            };
            patches.into_iter().filter(|patch| input.state.is_none_or(|state| patch.state == state)).map(listed).collect()
        })
    };
    context.org()?.blocking(list).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct One {
    #[serde(default)]
    project: Option<ProjectName>,
    /// The patch; the beginning of its id, or its task's id, will do where only one fits.
    patch: String,
}

/// How many letters a part of an id needs.
const PART_MIN: usize = 4;

/// Finds a patch by its id, the beginning of it, or its task; of several that fit, the only open one.
pub(crate) fn find(org: &Org, project: Option<&ProjectName>, text: &str) -> Result<(Project, Patch), Problem> {
    let mut found = Vec::new();
    for project in to_search(org, project)? {
        for patch in org.forge.patches(&project.rid, &project.name)? {
            let of_task = patch.trace.as_ref().is_some_and(|t| t.task.task.as_str() == text);
            if of_task || (text.len() >= PART_MIN && patch.id.as_str().starts_with(text)) {
                found.push((project.clone(), patch));
            }
        }
    }
    found.sort_by_key(|(_, p)| p.state != PatchState::Open);
    let open = found.iter().filter(|(_, p)| p.state == PatchState::Open).count();
    match (found.len(), open) {
        (1, _) | (_, 1) => Ok(found.remove(0)),
        (0, _) => Err(none(org, project, text)?),
        (count, _) => {
            let about =
                |(project, p): &(Project, Patch)| format!("{} ({}, {}, {:?})", p.id, project.name, domain::shown(&p.title), p.state);
            let some: Vec<_> = found.iter().take(NAMED_MAX).map(about).collect();
            Err(Problem::invalid(format!("{count} patches fit “{}”.", domain::shown(text)))
                .next(format!("Give more of an id, or --project: {}.", some.join("; "))))
        }
    }
}

/// What is said where no patch fits; of a task that has none where the task is, and what to do.
fn none(org: &Org, project: Option<&ProjectName>, text: &str) -> Result<Problem, Problem> {
    let none = Problem::not_found(format!("There is no patch “{}”.", domain::shown(text))).next("meshwork patch list shows them.");
    let none = Problem { why: not_searched(org, project)?, ..none };
    let Ok(task) = text.parse::<TaskId>() else { return Ok(none) };
    let claims = Claims::read(org);
    for project in org.state()?.projects.values().filter(|known| project.is_none_or(|name| known.name == *name)) {
        // What cannot be read has nothing to tell of the task.
        let Ok(board) = Board::seen(org, project) else { continue };
        if let Some(view) = board.tasks.iter().find(|view| view.at.task == task) {
            let latest = claims.shown(org, &view.at)?.and_then(|claim| claim.latest);
            let why = names::within(&org.state()?, &super::task::why(&board, view, latest.as_slice()));
            return Ok(without_patch(view, why));
        }
    }
    Ok(none)
}

/// Why a task has no patch here, and what comes next.
fn without_patch(view: &TaskView, why: String) -> Problem {
    let (task, state) = (&view.at.task, view.state.label());
    let (what, next) = match &view.state {
        TaskState::InReview { patch } | TaskState::ChangesRequested { patch } | TaskState::Merged { patch } => (
            format!("The patch of {task} ({patch}) is not on this device yet."),
            "It comes with the project's repository: meshwork device list shows whether the devices that have it answer.".to_owned(),
        ),
        TaskState::Done => (
            format!("{task} has no patch: it is done without one."),
            "There is nothing to merge; for more work write a new task: meshwork task add.".to_owned(),
        ),
        TaskState::Running { .. } => (
            format!("{task} has no patch yet: it is {state}."),
            format!("Its patch comes when its run is done: meshwork task show {task} says where it is."),
        ),
        _ => (format!("{task} has no patch: it is {state}."), format!("A run makes one: meshwork task run {task}.")),
    };
    Problem::not_found(what).because(why).next(next)
}

#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    #[serde(flatten)]
    patch: Patch,
    /// Where it stands.
    standing: PatchStanding,
    /// The command that brings what was merged into a working copy on this device; none for a patch that is not merged.
    pull: Option<String>,
    /// What a merge still needs, in words; the checks on its result run when it is merged.
    missing: Vec<String>,
    /// The state of its gate in words; none for a patch that is not open.
    gate: Vec<String>,
    /// Whose approvals count, while it is open: a key of each.
    approved_by: Vec<Did>,
    /// Where its merge is, while somebody merges it.
    merging: Option<String>,
    /// Files that change the rules by which the project is checked and run: look at them.
    rules_changed: Vec<String>,
    /// Files that it changes.
    files: Vec<FileChange>,
    /// The patches of its task, itself among them, where several devices made one each: at most one is accepted.
    rivals: Vec<Rival>,
    /// Whose word it is, where that is another device's.
    #[serde(skip_serializing_if = "Option::is_none")]
    whose: Option<Whose>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FileChange {
    path: String,
    added: usize,
    removed: usize,
}

async fn show(context: Context, input: One) -> Result<Shown, Problem> {
    let show = move |org: &Arc<Org>| {
        let (project, patch) = find(org, input.project.as_ref(), &input.patch)?;
        let rights = org.rights()?;
        let gate = Gates::of(&Known::of(org), &rights, &project).gate(&patch)?;
        let patch = Patch { left_out: provenance::left_out(&rights, &patch), ..patch };
        let files = org.forge.changed_files(&project.rid, &patch.base, &patch.head)?;
        let files = files.into_iter().map(|f| FileChange { path: f.path, added: f.added, removed: f.removed }).collect();
        let state = org.state()?;
        Ok(Shown {
            missing: gate.missing.iter().map(|one| names::within(&state, &one.text())).collect(),
            gate: gate.words,
            approved_by: gate.approved_by,
            standing: gate.standing,
            pull: (patch.state == PatchState::Merged).then(|| merge::pull(org, &project)),
            merging: org.merging.state(&project.name, &patch.id),
            rules_changed: provenance::rules_changed(org, &project, &patch)?,
            rivals: gate.task.as_ref().map_or(Ok(vec![]), |task| rivals::of_patch(org, &project, &patch, task))?,
            whose: Claims::read(org).whose(org, &state, &patch)?,
            patch,
            files,
        })
    };
    context.org()?.blocking(show).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReviewInput {
    #[serde(default)]
    project: Option<ProjectName>,
    patch: String,
    /// The revision that was looked at: its number from 1, its id, or the beginning of it. Refused when a newer one has come.
    #[serde(default)]
    revision: Option<String>,
    /// What is said.
    verdict: Verdict,
    /// In words.
    #[serde(default)]
    summary: String,
    /// Comments on lines.
    #[serde(default)]
    comments: Vec<LineComment>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LineComment {
    path: String,
    /// From 1.
    line: u32,
    /// Which side of the diff.
    #[serde(default)]
    side: Side,
    text: String,
}

async fn review(context: Context, input: ReviewInput) -> Result<Done, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    if input.verdict != Verdict::Accept && input.summary.trim().is_empty() && input.comments.is_empty() {
        return Err(
            Problem::invalid("A review without a word helps nobody.").next("Say what is to change: --message, or --line FILE:LINE:TEXT.")
        );
    }
    let verdict = input.verdict;
    in_own_name(&context, verdict == Verdict::Accept)?;
    let _telling = org.telling.read().await;
    let (project, patch, task, gate) = org
        .blocking(move |org| {
            let (project, patch) = find(org, input.project.as_ref(), &input.patch)?;
            if patch.state != PatchState::Open {
                return Err(merge::not_open(&patch));
            }
            let comments: Vec<(LineRef, String)> =
                input.comments.iter().map(|c| (LineRef { path: c.path.clone(), line: c.line, side: c.side }, c.text.clone())).collect();
            in_patch(org, &project, &patch, &comments)?;
            let latest = revision::newest(&patch, input.revision.as_deref())?;
            org.forge.review(&project.rid, &patch.id, latest, input.verdict, &input.summary, &comments)?;
            let known = Known::of(org);
            let task = known.task_of(&patch)?;
            let reviewed = org.forge.patch(&project.rid, &project.name, &patch.id)?;
            let gate = Gates::of(&known, &*org.rights()?, &project).gate(&reviewed)?.words.join(" ");
            Ok((project, patch, task, gate))
        })
        .await?;
    let again = task.as_ref().map_or_else(String::new, |at| format!(" {}", at.task));
    tell(&org, &actor, Body::PatchReviewed { project: project.name, patch: patch.id.clone(), verdict: Some(verdict), task }).await?;
    org.announce(&project.rid, std::slice::from_ref(&org.member));
    Ok(Done::new(match verdict {
        Verdict::Accept => format!("Patch {} is accepted. {gate}", patch.id),
        Verdict::Reject => format!("Changes of patch {} are requested. meshwork task run{again} starts the next revision.", patch.id),
        Verdict::Comment => format!("Commented on patch {}. {gate}", patch.id),
    }))
}

/// What is said is signed by the member's own key: a bot's token says nothing in that name, and only a token that is as good as its member
/// accepts a patch, since that means that the member looked at it.
fn in_own_name(context: &Context, accepts: bool) -> Result<(), Problem> {
    let role = context.caller.role;
    let bots = matches!(role, Role::ReviewerBot | Role::Agent);
    if context.caller.via.token.is_none() || role == Role::Owner || !bots && !accepts {
        return Ok(());
    }
    let what =
        format!("This would be signed by the member's own key, and a token of the role {} does not stand for the member.", role.name());
    let next = match bots {
        true => "Do it in the dashboard, or with a person's token, as of the role developer; bots get keys of their own later.",
        false => {
            "Accept it in the dashboard, with the command line, or with a token of the role owner; comment, or ask for changes, with this one."
        }
    };
    Err(Problem::new(Kind::Forbidden, what).next(next))
}

/// Comments on lines must be about lines that the patch's diff shows: elsewhere nobody would see them.
fn in_patch(org: &Org, project: &Project, patch: &Patch, comments: &[(LineRef, String)]) -> Result<(), Problem> {
    if comments.is_empty() {
        return Ok(());
    }
    let files = org.forge.changed_files(&project.rid, &patch.base, &patch.head)?;
    let text = org.forge.diff(&project.rid, &patch.base, &patch.head)?;
    for (at, _) in comments {
        if !files.iter().any(|f| f.path == at.path || f.from.as_ref() == Some(&at.path)) {
            let names: Vec<_> = files.iter().take(NAMED_MAX).map(|f| f.path.as_str()).collect();
            return Err(Problem::invalid(format!("The patch does not change the file “{}”.", domain::shown(&at.path)))
                .next(format!("It changes {}: meshwork patch diff shows all.", names.join(", "))));
        }
        if !lines::shows(&text, at) {
            return Err(Problem::invalid(format!("Line {} of {} is not in the patch.", at.line, domain::shown(&at.path)))
                .next("Comment on a line that meshwork patch diff shows, or put it into --message."));
        }
    }
    Ok(())
}

/// How many files or patches a refusal names.
const NAMED_MAX: usize = 10;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommentInput {
    #[serde(default)]
    project: Option<ProjectName>,
    patch: String,
    /// What you say.
    body: String,
    /// The comment that it answers: its id, as patch.show gives it, or the beginning.
    #[serde(default)]
    reply_to: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Commented {
    patch: PatchId,
    /// The comment's id.
    comment: Oid,
}

async fn comment(context: Context, input: CommentInput) -> Result<Commented, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    in_own_name(&context, false)?;
    let _telling = org.telling.read().await;
    let (project, patch, id, task) = org
        .blocking(move |org| {
            let (project, patch) = find(org, input.project.as_ref(), &input.patch)?;
            let answered = input.reply_to.as_deref().map(|text| find_comment(&patch, text)).transpose()?;
            // An answer stands where the comment is, also when the patch went on.
            let (revision, reply_to) = match &answered {
                Some((revision, comment)) => (revision, Some(comment)),
                None => (gate::latest(&patch).ok_or_else(|| Problem::internal("a patch without a revision"))?, None),
            };
            let id = org.forge.comment(&project.rid, &patch.id, revision, &input.body, reply_to)?;
            let task = Known::of(org).task_of(&patch)?;
            Ok((project, patch, id, task))
        })
        .await?;
    let body = Body::PatchCommented { project: project.name, patch: patch.id.clone(), comment: id.clone(), task };
    tell(&org, &actor, body).await?;
    org.announce(&project.rid, std::slice::from_ref(&org.member));
    Ok(Commented { patch: patch.id, comment: id })
}

/// A comment of a patch by its id, or the beginning of it.
fn find_comment(patch: &Patch, text: &str) -> Result<(RevisionId, Oid), Problem> {
    let all = patch.revisions.iter().flat_map(|r| r.comments.iter().map(move |c| (&r.id, &c.id)));
    let found: Vec<_> = all.filter(|(_, id)| text.len() >= 4 && id.as_str().starts_with(text)).collect();
    match found.as_slice() {
        [(revision, id)] => Ok(((*revision).clone(), (*id).clone())),
        [] => Err(Problem::not_found(format!("The patch {} has no comment “{}”.", patch.id, domain::shown(text)))
            .next("meshwork patch show lists the comments with their ids.")),
        _ => Err(Problem::invalid(format!("Several comments fit “{}”.", domain::shown(text))).next("Give more of its id.")),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MergeInput {
    #[serde(default)]
    project: Option<ProjectName>,
    patch: String,
    /// The revision that was looked at: its number from 1, its id, or the beginning of it. Refused when a newer one has come.
    #[serde(default)]
    revision: Option<String>,
}

async fn merge_patch(context: Context, input: MergeInput) -> Result<merge::Outcome, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let (project, patch) = org.blocking(move |org| find(org, input.project.as_ref(), &input.patch)).await?;
    match project.gate() {
        Some(_) => remote::merge(&org, &actor, &project, &patch, input.revision.as_deref()).await,
        None => merge::merge(&org, &actor, &project, &patch, input.revision.as_deref(), None).await,
    }
}

async fn close(context: Context, input: One) -> Result<Done, Problem> {
    let closed = |project, patch, task| Body::PatchClosed { project, patch, task };
    let patch = set_state(context, input, Forge::close, closed).await?;
    Ok(Done::new(format!("Patch {patch} is closed. Its commits stay in the repository.")))
}

async fn reopen(context: Context, input: One) -> Result<Done, Problem> {
    let reopened = |project, patch, task| Body::PatchReopened { project, patch, task };
    let patch = set_state(context, input, Forge::reopen, reopened).await?;
    Ok(Done::new(format!("Patch {patch} is open again.")))
}

/// Closes a patch or opens it again, as `set` does it, and tells that.
async fn set_state(
    context: Context,
    input: One,
    set: fn(&Forge, &Rid, &PatchId) -> Result<(), Problem>,
    told: fn(ProjectName, PatchId, Option<TaskRef>) -> Body,
) -> Result<PatchId, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let _telling = org.telling.read().await;
    let (project, patch, task) = org
        .blocking(move |org| {
            let (project, patch) = find(org, input.project.as_ref(), &input.patch)?;
            gated::decides_here(org, &project, &patch)?;
            set(&org.forge, &project.rid, &patch.id)?;
            let task = Known::of(org).task_of(&patch)?;
            Ok((project, patch, task))
        })
        .await?;
    tell(&org, &actor, told(project.name, patch.id.clone(), task)).await?;
    org.announce(&project.rid, std::slice::from_ref(&org.member));
    Ok(patch.id)
}
