//! What there is to speak of: everything that the caller may see, read through the table of actions like by anybody else.

use crate::{
    limits::{LIST_DEFAULT, RUNS_SPOKEN_OF_MAX},
    table::{self, Context},
};
use domain::{
    AgentName, Did, FeatureId, PatchId, Problem, ProjectName, RunId, TaskId, TaskRef,
    gate::PatchStanding,
    lend::Click,
    org::{Device, Member},
    patch::Patch,
    run::Run,
    task::{TaskState, TaskView},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What there is.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) projects: Vec<ProjectName>,
    pub(super) features: Vec<(ProjectName, FeatureId, String)>,
    pub(super) tasks: Vec<TaskView>,
    /// Newest first.
    pub(super) runs: Vec<Run>,
    pub(super) patches: Vec<Patch>,
    /// Where each stands.
    pub(super) standings: BTreeMap<PatchId, PatchStanding>,
    pub(super) agents: Vec<AgentName>,
    pub(super) devices: Vec<Device>,
    pub(super) members: Vec<Member>,
    /// The device that answers.
    pub(super) here: Option<Did>,
    /// What its owner said of it last by a click, while that counts.
    pub(super) click: Option<Click>,
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
}

impl World {
    /// Reads it. What cannot be read is told in `problems`, and the rest is there all the same.
    pub(super) async fn read(context: &Context) -> Self {
        let mut world = Self::default();
        let org = world.ask(context, "org.show", json!({})).await;
        world.devices = part(&org["devices"]);
        world.members = part(&org["members"]);
        world.here = part(&org["device"]);
        world.click = part(&world.ask(context, "device.lending", json!({})).await["click"]);
        let agents = world.ask(context, "agent.list", json!({})).await;
        world.agents = agents.as_array().into_iter().flatten().filter_map(|a| part::<Option<AgentName>>(&a["name"])).collect();
        world.runs = part(&world.ask(context, "run.list", json!({"limit": RUNS_SPOKEN_OF_MAX})).await);
        let projects = world.ask(context, "project.list", json!({})).await;
        world.projects =
            projects.as_array().into_iter().flatten().filter_map(|p| part::<Option<ProjectName>>(&p["project"]["name"])).collect();
        for project in world.projects.clone() {
            let shown = world.ask(context, "project.show", json!({"project": project})).await;
            for feature in shown["features"].as_array().into_iter().flatten() {
                if let Some(id) = part::<Option<FeatureId>>(&feature["id"]) {
                    world.features.push((project.clone(), id, feature["title"].as_str().unwrap_or_default().to_owned()));
                }
            }
            let tasks = world.ask(context, "task.list", json!({"project": project})).await;
            world.tasks.extend(part::<Vec<TaskView>>(&tasks));
            let patches = world.ask(context, "patch.list", json!({"project": project})).await;
            for patch in patches.as_array().into_iter().flatten() {
                if let (Some(id), Some(standing)) = (part(&patch["id"]), part(&patch["standing"])) {
                    world.standings.insert(id, standing);
                }
            }
            world.patches.extend(part::<Vec<Patch>>(&patches));
        }
        world
    }

    async fn ask(&mut self, context: &Context, action: &str, input: Value) -> Value {
        let answer = match table::find(action) {
            Ok(action) => action.call(context.clone(), input).await,
            Err(problem) => Err(problem),
        };
        answer.unwrap_or_else(|problem| {
            if !self.problems.contains(&problem) && self.problems.len() < LIST_DEFAULT {
                self.problems.push(problem);
            }
            Value::Null
        })
    }

    pub(super) fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.iter().find(|r| r.id == *id)
    }

    pub(super) fn task(&self, at: &TaskRef) -> Option<&TaskView> {
        self.tasks.iter().find(|t| t.at == *at)
    }

    /// Runs that have not ended, newest first.
    pub(super) fn live(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|r| !r.state.ended())
    }

    /// What a device is called.
    pub(super) fn device_name(&self, did: &Did) -> String {
        self.devices.iter().find(|d| d.did == *did).map_or_else(|| did.to_string(), |d| d.name.clone())
    }

    /// The first task that may be given to an agent, and the last of its feature where that is another.
    pub(super) fn open_span(&self) -> (Option<&TaskId>, Option<&TaskId>) {
        let mut open = self.tasks.iter().filter(|t| Self::may_run(t));
        let Some(first) = open.next() else { return (None, None) };
        let last = open.rfind(|t| t.at.project == first.at.project && t.at.feature == first.at.feature);
        (Some(&first.at.task), last.map(|t| &t.at.task))
    }

    /// An agent that works at something; else the first.
    pub(super) fn busy_agent(&self) -> Option<&AgentName> {
        let busy = self.live().find_map(|r| self.agents.iter().find(|a| r.agent.as_ref() == Some(*a)));
        busy.or(self.agents.first())
    }

    /// What names the first feature in short: its number, and its project with it where another has that number too.
    pub(super) fn first_feature(&self) -> Option<String> {
        let number = |id: &FeatureId| id.as_str().split('-').next().unwrap_or_default().to_owned();
        let (project, first, _) = self.features.first()?;
        let alone = self.features.iter().filter(|(_, id, _)| number(id) == number(first)).count() == 1;
        Some(if alone { number(first) } else { format!("{project}/{first}") })
    }

    /// A task that waits for others; else one that may start.
    pub(super) fn waiting_task(&self) -> Option<&TaskId> {
        let waits = self.tasks.iter().find(|t| matches!(t.state, TaskState::Waiting { .. }));
        waits.map(|t| &t.at.task).or(self.open_span().0)
    }

    /// What names a feature: with its project, where another project has one of this name too.
    pub(super) fn feature_name(&self, project: &ProjectName, feature: &FeatureId) -> String {
        let elsewhere = self.features.iter().any(|(p, id, _)| p != project && id == feature);
        if elsewhere { format!("{project}/{feature}") } else { feature.to_string() }
    }

    /// Patches that are to be reviewed.
    pub(super) fn waiting_patches(&self) -> impl Iterator<Item = &Patch> {
        self.patches.iter().filter(|p| self.standings.get(&p.id) == Some(&PatchStanding::ToReview))
    }

    /// Whether a task may be given to an agent.
    pub(super) fn may_run(view: &TaskView) -> bool {
        use TaskState as S;
        matches!(view.state, S::Ready | S::Waiting { .. } | S::Failed { .. } | S::ChangesRequested { .. } | S::Rejected { .. })
    }
}

/// A part of an answer; nothing where it is absent or of another form.
fn part<T: DeserializeOwned + Default>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_default()
}
