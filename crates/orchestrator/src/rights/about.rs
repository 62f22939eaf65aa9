//! What an action is about: the things that its input can mean. Where several can be meant, all are judged, so that saying
//! less never opens more.

use crate::{actions, org::Org};
use forge::OrgState;
use policy::Resource;
use serde_json::Value;

/// The things that an action with this input is about; never none.
pub(crate) fn about(org: &Org, state: &OrgState, action: &str, input: &Value) -> Vec<Resource> {
    let text = |field: &str| input[field].as_str().filter(|text| !text.is_empty());
    let named = || text("name").or_else(|| text("credential")).or_else(|| text("member")).or_else(|| text("device"));
    match action.split('.').next().unwrap_or_default() {
        "agent" => vec![named().map_or(Resource::Org, |name| Resource::Agent(name.to_owned()))],
        "credential" => vec![named().map_or(Resource::Org, |name| Resource::Credential(name.to_owned()))],
        "member" => vec![named().map_or(Resource::Org, |name| Resource::Member(name.to_owned()))],
        "run" => match text("run").map(|run| actions::find_run(org, run)) {
            Some(Ok(run)) => {
                let owner = state.member_of(&run.member).map_or_else(|| run.member.to_string(), |m| m.name.clone());
                vec![Resource::Run(run.id.to_string(), run.project.to_string(), owner)]
            }
            _ => projects(state, text("project")).into_iter().map(Resource::Project).collect::<Vec<_>>().or_org(),
        },
        "task" | "feature" => in_projects(state, text("project"), &tasks(input), Resource::Task),
        "patch" => patches(org, state, text("project"), text("patch")),
        "project" | "trace" => {
            projects(state, text("project").or_else(|| text("name"))).into_iter().map(Resource::Project).collect::<Vec<_>>().or_org()
        }
        // These tell of the whole org: of every project.
        "journal" | "attention" => std::iter::once(Resource::Org).chain(projects(state, None).into_iter().map(Resource::Project)).collect(),
        _ => vec![Resource::Org],
    }
}

/// Whether an action can be asked about such a thing at all.
pub(super) fn fits(action: &str, resource: &Resource) -> bool {
    let of_org = ["agent.", "credential.", "device.", "member.", "org."].iter().any(|part| action.starts_with(part));
    matches!(resource, Resource::Org) || !of_org
}

/// The project that is named; else each that could be meant.
fn projects(state: &OrgState, named: Option<&str>) -> Vec<String> {
    match named {
        Some(name) => vec![name.to_owned()],
        None => state.projects.keys().cloned().collect(),
    }
}

/// Things of one kind in each project that could be meant; without any, the projects themselves.
fn in_projects(state: &OrgState, project: Option<&str>, ids: &[String], make: fn(String, String) -> Resource) -> Vec<Resource> {
    let projects = projects(state, project);
    let each = projects.iter().flat_map(|project| match ids {
        [] => vec![Resource::Project(project.clone())],
        ids => ids.iter().map(|id| make(id.clone(), project.clone())).collect(),
    });
    each.collect::<Vec<_>>().or_org()
}

fn tasks(input: &Value) -> Vec<String> {
    let many = input["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str);
    many.chain(input["task"].as_str()).map(str::to_owned).collect()
}

/// A patch by its whole id, however it was named; else whatever of this name there could be.
fn patches(org: &Org, state: &OrgState, project: Option<&str>, patch: Option<&str>) -> Vec<Resource> {
    let named = project.map(str::parse).transpose().ok();
    let found = named.zip(patch).and_then(|(project, patch)| actions::find_patch(org, project.as_ref(), patch).ok());
    match found {
        Some((project, patch)) => vec![Resource::Patch(patch.id.to_string(), project.name.to_string())],
        None => in_projects(state, project, &patch.map(str::to_owned).into_iter().collect::<Vec<_>>(), Resource::Patch),
    }
}

trait OrOrg {
    /// An org without projects: the org itself.
    fn or_org(self) -> Vec<Resource>;
}

impl OrOrg for Vec<Resource> {
    fn or_org(self) -> Vec<Resource> {
        if self.is_empty() { vec![Resource::Org] } else { self }
    }
}
