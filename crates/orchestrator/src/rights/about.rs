//! What an action is about: the things that its input can mean. Where several can be meant, all are judged, so that saying
//! less never opens more.

use crate::{actions, org::Org, picture::Seen, stops};
use forge::OrgState;
use policy::{Resource, Subject};
use serde_json::Value;

/// What an action of the table is about. None: nobody has said it yet, and nothing is decided until somebody does.
pub(super) fn subject(action: &str) -> Option<Subject> {
    Some(match action {
        // These tell of the whole org: of every project.
        "attention.list" | "journal.copies" | "journal.hash" | "journal.list" | "journal.search" => Subject::Everything,
        "device.list" | "org.approve" | "org.invite" | "org.invites" | "org.joiners" | "org.proposals" | "org.reject" | "org.show"
        | "org.threshold" | "org.uninvite" | "policy.check" | "policy.explain" | "policy.set" | "policy.show" | "quota.price"
        | "quota.rules" | "quota.set" | "quota.show" | "stop.list" | "tailnet.status" | "tailnet.who" => Subject::Org,
        // What lies on this machine or runs here, who is let in to it, and which orgs it belongs to. The command bar sees and does
        // nothing but by other actions, each of which is asked about by itself.
        "backup.create" | "command.complete" | "command.model" | "command.run" | "command.settings" | "command.undo"
        | "command.understand" | "device.capacity" | "device.change" | "device.doctor" | "device.evict" | "device.lend"
        | "device.lending" | "device.pods" | "device.reclaim" | "device.release" | "device.remove" | "device.schedule"
        | "engine.install" | "engine.list" | "journal.rebuild" | "journal.verify" | "org.create" | "org.join" | "org.joining"
        | "org.leave" | "org.list" | "session.end" | "session.end_all" | "session.list" | "session.show" | "token.create"
        | "token.list" | "token.revoke" | "webhook.set" | "webhook.show" | "webhook.test" => Subject::Device,
        "credential.list" | "credential.protect" | "credential.remove" | "credential.set" | "credential.test" => Subject::Credential,
        "agent.add" | "agent.list" | "agent.remove" => Subject::Agent,
        "stop.order" | "stop.lift" => Subject::Stop,
        "member.remove" | "member.rename" | "member.roles" | "member.standby" => Subject::Member,
        "project.add" | "project.gate" | "project.list" | "project.mirror" | "project.pull" | "project.share" | "project.show"
        | "project.sync" | "trace.show" => Subject::Project,
        "feature.new" | "task.add" | "task.edit" | "task.list" | "task.run" | "task.show" | "task.takeover" | "task.why" => Subject::Task,
        "run.answer" | "run.diff" | "run.drop" | "run.kept" | "run.list" | "run.logs" | "run.pause" | "run.resume" | "run.send"
        | "run.show" | "run.stop" => Subject::Run,
        "patch.close" | "patch.comment" | "patch.diff" | "patch.list" | "patch.merge" | "patch.reopen" | "patch.review" | "patch.show" => {
            Subject::Patch
        }
        _ => return None,
    })
}

/// Whether an action can be asked about such a thing at all.
pub(super) fn fits(action: &str, resource: &Resource) -> bool {
    subject(action).is_some_and(|subject| subject.fits(resource))
}

/// The things that an action with this input is about; never none.
pub(crate) fn about(org: &Org, state: &OrgState, action: &str, input: &Value) -> Vec<Resource> {
    let text = |field: &str| input[field].as_str().filter(|text| !text.is_empty());
    let in_all = |named: Option<&str>| projects(state, named).into_iter().map(Resource::Project).collect::<Vec<_>>();
    let or_org = |found: Option<Resource>| vec![found.unwrap_or(Resource::Org)];
    match subject(action).unwrap_or(Subject::Org) {
        Subject::Org => vec![Resource::Org],
        Subject::Everything => std::iter::once(Resource::Org).chain(in_all(None)).collect(),
        // What is to change is named; all else is about the device here, whatever the input says.
        Subject::Device if matches!(action, "device.change" | "device.remove") => {
            or_org(text("device").or_else(|| text("name")).and_then(|name| device(state, name)))
        }
        Subject::Device => vec![here(org, state)],
        Subject::Credential => match (here(org, state), text("name")) {
            (Resource::Device(on, owner), Some(name)) => vec![Resource::Credential(name.to_owned(), on, owner)],
            (here, _) => vec![here],
        },
        Subject::Stop => vec![stop(org, state, input)],
        Subject::Agent => or_org(text("name").map(|name| Resource::Agent(name.to_owned()))),
        Subject::Member => or_org(text("member").or_else(|| text("name")).map(|name| Resource::Member(name.to_owned()))),
        Subject::Run => match text("run").map(|run| actions::find_run(org, run)) {
            Some(Ok(Seen { run, .. })) => {
                let owner = state.member_of(&run.member).map_or_else(|| run.member.to_string(), |m| m.name.clone());
                vec![Resource::Run(run.id.to_string(), run.project.to_string(), owner)]
            }
            _ => in_all(text("project")).or_org(),
        },
        Subject::Task => in_projects(state, text("project"), &tasks(input), Resource::Task),
        Subject::Patch => patches(org, state, text("project"), text("patch")),
        Subject::Project => in_all(text("project").or_else(|| text("name"))).or_org(),
    }
}

/// What a stop order halts that is given or lifted; where that is not known, the org.
fn stop(org: &Org, state: &OrgState, input: &Value) -> Resource {
    let text = |field: &str| input[field].as_str().filter(|text| !text.is_empty());
    let known = text("id").and_then(|id| stops::find(org, id).ok()).map(|stop| stops::lifting(state, &stop.order, &org.member));
    let agent = || text("agent").map(|name| Resource::Agent(name.to_owned()));
    let member = || text("member").map(|name| Resource::Member(name.to_owned()));
    let device = || text("device").and_then(|name| device(state, name));
    known.or_else(agent).or_else(member).or_else(device).unwrap_or(Resource::Org)
}

/// The device here. Where the org does not list it, not yet or no more, it is still that of whoever sits at it.
pub(crate) fn here(org: &Org, state: &OrgState) -> Resource {
    let unlisted = || {
        let owner = state.member_of(&org.member).map_or_else(|| org.member.to_string(), |member| member.name.clone());
        Resource::Device(org.device.to_string(), owner)
    };
    state.device_of(&org.device).map_or_else(unlisted, |device| Resource::Device(device.name.clone(), device.owner.clone()))
}

/// A device of the org, by name.
fn device(state: &OrgState, name: &str) -> Option<Resource> {
    state.devices.get(name).map(|device| Resource::Device(device.name.clone(), device.owner.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn every_action_of_the_table_says_what_it_is_about() {
        let silent: Vec<_> = table::table().iter().map(|a| a.name).filter(|name| subject(name).is_none()).collect();
        assert!(silent.is_empty(), "say in `subject` what these are about: {silent:?}");
    }

    #[test]
    fn every_action_can_be_asked_about_and_the_usual_policy_gives_roles_what_their_permissions_say() {
        use domain::role::Role;
        let scheme = crate::rights::scheme().unwrap_or_else(|p| unreachable!("{p}"));
        let rules = policy::Rules::new(scheme, &std::collections::BTreeMap::new()).unwrap_or_else(|p| unreachable!("{p}"));
        for role in Role::ALL {
            let principal = policy::Principal::Member { name: "somebody".into(), roles: vec![role] };
            for action in table::table() {
                let ask = policy::Ask { principal: &principal, action: action.name, resource: &Resource::Org, org: "crew" };
                let decided = rules.decide(&ask).unwrap_or_else(|p| unreachable!("{}: {p}", action.name));
                assert_eq!(decided.allowed, role.allows(action.permission), "{role:?} {}: {}", action.name, decided.why);
            }
        }
    }
}
