//! What waits for a person: questions of engines, patches to judge, work that failed.

use super::Nothing;
use crate::{
    lifecycle,
    merge::Gates,
    names,
    org::Org,
    picture,
    provenance::{self, Known},
    table::{Action, Context, Effect, action},
};
use domain::{
    AgentName, PatchId, Problem, ProjectName, RunId, TaskRef, Timestamp,
    gate::PatchStanding,
    patch::{Patch, PatchState},
    picture::Whose,
    project::Project,
    role::Permission,
    run::{Question, Run},
    task::{TaskState, TaskView},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) fn actions() -> Vec<Action> {
    vec![action("attention.list", Effect::Reads, Permission::View, "What waits for a person, the longest waiting first.", list)]
}

/// Something that waits for a person.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Item {
    /// Since when.
    pub(crate) since: Timestamp,
    /// What happened, in a few words, as above a notification.
    heading: String,
    /// In which project.
    pub(crate) project: ProjectName,
    /// The task that it is about.
    task: Option<TaskRef>,
    /// The task's or the patch's title.
    title: String,
    /// From whose journal it is known, where another device has claimed the task: it goes on there.
    #[serde(skip_serializing_if = "Option::is_none")]
    whose: Option<Whose>,
    /// What.
    #[serde(flatten)]
    what: What,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    /// An engine asks for permission.
    Question { run: RunId, agent: Option<AgentName>, question: Question },
    /// A patch waits for a review or a merge.
    Review { patch: PatchId, standing: PatchStanding },
    /// Changes were requested; a further run would make them.
    ChangesRequested { patch: PatchId },
    /// The last run at a task ended without a patch.
    Failed { run: RunId, why: String },
}

impl What {
    fn heading(&self) -> String {
        match self {
            Self::Question { .. } => "An agent asks".into(),
            Self::Review { standing, .. } => format!("A patch {}", standing.waits()),
            Self::ChangesRequested { .. } => "Changes were requested".into(),
            Self::Failed { .. } => "A run failed".into(),
        }
    }
}

impl Item {
    /// Tells it apart from all others, also from the same thing waiting again later.
    pub(crate) fn key(&self) -> String {
        let what = match &self.what {
            What::Question { run, question, .. } => format!("question {run} {}", question.id),
            What::Review { patch, standing } => format!("review {patch} {}", standing.label()),
            What::ChangesRequested { patch } => format!("changes {patch}"),
            What::Failed { run, .. } => format!("failed {run}"),
        };
        format!("{what} {}", self.since.0)
    }

    /// In one sentence.
    pub(crate) fn sentence(&self) -> String {
        let name = self.task.as_ref().map_or_else(String::new, |t| format!("{} ", t.task));
        let name = format!("{name}{} ({})", self.title, self.project);
        let heading = &self.heading;
        match &self.what {
            What::Question { question, .. } => format!("{heading}: {}. {name}", question.title),
            What::Review { .. } | What::ChangesRequested { .. } => format!("{heading}: {name}"),
            What::Failed { why, .. } => format!("{heading}: {name}: {why}"),
        }
    }
}

async fn list(context: Context, _: Nothing) -> Result<Vec<Item>, Problem> {
    Ok(context.org()?.blocking(items).await?.0)
}

/// What waits now, the longest waiting first; and the projects that cannot be read now, of which only questions are among it.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn items(org: &Arc<Org>) -> Result<(Vec<Item>, BTreeSet<ProjectName>), Problem> {
    let (mut items, mut unread) = (Vec::new(), BTreeSet::new());
    let (rights, known) = (org.rights()?, Known::of(org));
    let runs = known.runs()?;
    for project in org.state()?.projects.values() {
        // Read before the board: what was merged meanwhile stands on that.
        let patches = org.forge.patches(&project.rid, &project.name);
        let gates = Gates::of(&known, &rights, project);
        // A project that is not here yet, or has a mistake, hides nothing of the others.
        let (Ok(patches), Ok(board)) = (patches, gates.look()) else {
            // What an agent asks is in the journal, and waits for an answer all the same.
            items.extend(asked(org, runs, project, &BTreeMap::new()));
            unread.insert(project.name.clone());
            continue;
        };
        let titles: BTreeMap<&TaskRef, &str> = board.tasks.iter().map(|t| (&t.at, t.task.title.as_str())).collect();
        items.extend(asked(org, runs, project, &titles));
        for view in &board.tasks {
            items.extend(failed(org, view, runs)?);
        }
        for patch in patches {
            if patch.state == PatchState::Open {
                let view = board.tasks.iter().find(|view| patch_of(&view.state) == Some(&patch.id));
                let made = || runs.iter().find(|r| r.patch.as_ref() == Some(&patch.id)).and_then(|r| r.task.clone());
                let task = view.map(|view| view.at.clone()).or_else(made);
                let whose = view.and_then(|view| view.whose.clone());
                let standing = gates.standing(&patch);
                items.push(open(provenance::with_counting_reviews(&rights, patch), standing, task, whose));
            }
        }
    }
    items.sort_by_key(|i| i.since);
    let state = org.state()?;
    for item in &mut items {
        if let What::Failed { why, .. } = &mut item.what {
            *why = names::within(&state, why);
        }
    }
    Ok((items, unread))
}

fn asked(org: &Org, runs: &[Run], project: &Project, titles: &BTreeMap<&TaskRef, &str>) -> Vec<Item> {
    let asking = runs.iter().filter(|r| r.project == project.name && !r.state.ended() && !r.questions.is_empty());
    // Where nothing of it runs any more, nobody can be answered.
    asking.flat_map(|r| questions(&lifecycle::as_it_is(org, r.clone()), titles)).collect()
}

fn questions(run: &Run, titles: &BTreeMap<&TaskRef, &str>) -> Vec<Item> {
    let title = run.task.as_ref().and_then(|t| titles.get(t)).copied().unwrap_or_default();
    let item = |question: &Question| {
        let what = What::Question { run: run.id.clone(), agent: run.agent.clone(), question: question.clone() };
        Item {
            since: run.started_at.unwrap_or(run.queued_at),
            heading: what.heading(),
            project: run.project.clone(),
            task: run.task.clone(),
            title: title.to_owned(),
            whose: None,
            what,
        }
    };
    run.questions.iter().map(item).collect()
}

fn failed(org: &Org, TaskView { at, task, state, whose, .. }: &TaskView, runs: &[Run]) -> Result<Option<Item>, Problem> {
    let TaskState::Failed { run: id, reason } = state else { return Ok(None) };
    // Who stopped it knows.
    if state.stopped() {
        return Ok(None);
    }
    let run = match runs.iter().find(|r| r.id == *id) {
        Some(run) => Some(run.clone()),
        None => picture::run(org, id)?.map(|seen| seen.run),
    };
    let since = run.as_ref().map(|r| r.ended_at.unwrap_or(r.queued_at)).unwrap_or_default();
    let why = run.as_ref().and_then(Run::why).unwrap_or_else(|| reason.text());
    let what = What::Failed { run: id.clone(), why };
    let (project, title) = (at.project.clone(), task.title.clone());
    Ok(Some(Item { since, heading: what.heading(), project, task: Some(at.clone()), title, whose: whose.clone(), what }))
}

/// The patch of a task that waits for somebody.
fn patch_of(state: &TaskState) -> Option<&PatchId> {
    match state {
        TaskState::InReview { patch } | TaskState::ChangesRequested { patch } => Some(patch),
        _ => None,
    }
}

fn open(patch: Patch, standing: PatchStanding, task: Option<TaskRef>, whose: Option<Whose>) -> Item {
    let reviews = patch.revisions.last().into_iter().flat_map(|r| &r.reviews).map(|r| r.at);
    let since = patch.revisions.last().map(|r| r.at).into_iter().chain(reviews).max().unwrap_or_default();
    let what = match standing {
        PatchStanding::ChangesRequested => What::ChangesRequested { patch: patch.id },
        standing => What::Review { patch: patch.id, standing },
    };
    Item { since, heading: what.heading(), project: patch.project, task, title: patch.title, whose, what }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{admission::new_run, clock, fixtures::Opened};
    use domain::{manifest::Class, run::RunState};

    #[tokio::test]
    async fn what_a_run_asked_waits_for_nobody_once_nothing_of_it_runs() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let rid = org.rid.clone();
        let project = Project { name: "demo".parse().unwrap(), rid, branch: "main".into(), mirror: None, gates: vec![] };
        let new = new_run(clock::run_id(), Class::Agent, project.name.clone(), org.member.clone(), org.device.clone(), clock::now());
        let question = Question { id: "1".into(), title: "May I?".into(), options: vec![] };
        let run = Run { state: RunState::Working, device: Some(org.device.clone()), questions: vec![question], ..new };
        let waiting = || asked(org, std::slice::from_ref(&run), &project, &BTreeMap::new()).len();
        assert_eq!(waiting(), 1);
        org.driven.later(&run, Some(Problem::unavailable("The disk is full.").into()), "The disk is full.".to_owned());
        assert_eq!(waiting(), 0);
    }
}
