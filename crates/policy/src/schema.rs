//! The schema of policies, made from the table of actions: each action is in the group of its permission.

use cedar_policy::{Entities, Schema};
use domain::{Problem, role::Permission};
use std::fmt::Write;

/// An action, as far as policies speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name, as `task.run`.
    pub name: &'static str,
    /// What it needs; the group that it is in.
    pub permission: Permission,
}

/// What policies may speak of.
#[derive(Debug)]
pub struct Scheme {
    /// As people read it.
    pub text: String,
    pub(crate) schema: Schema,
    /// The actions with their groups.
    pub(crate) actions: Entities,
}

/// Who asks and what is asked about. Ids are names, so that policies stay readable.
const THINGS: &str = r"// What policies of this org may speak of.
entity Org;
entity Role;
entity Member in [Org, Role];
// A token acts for its member, and is in the role that it was made with.
entity Token in [Role] = { member: Member };
entity Agent in [Org, Role] = { answers: Member };
entity Device in [Org] = { owner: Member };
entity Project in [Org];
entity Task in [Project];
entity Run in [Project] = { member: Member };
entity Patch in [Project];
entity Credential in [Org];
";

impl Scheme {
    /// The schema for these actions.
    ///
    /// # Errors
    /// When a name cannot be an action's.
    pub fn new(actions: &[Named]) -> Result<Self, Problem> {
        let mut text = THINGS.to_owned();
        for permission in Permission::ALL {
            let _ = writeln!(text, "action \"{}\";", group(permission));
        }
        for action in actions {
            let (of, resources) = (group(action.permission), about(action.name));
            let _ = writeln!(
                text,
                "action \"{}\" in [\"{of}\"] appliesTo {{ principal: [Member, Token, Agent, Device], resource: [{resources}] }};",
                action.name
            );
        }
        let (schema, _) = Schema::from_cedarschema_str(&text).map_err(Problem::internal)?;
        let actions = schema.action_entities().map_err(Problem::internal)?;
        Ok(Self { text, schema, actions })
    }
}

/// What an action can be asked about.
fn about(action: &str) -> &'static str {
    match action.split('.').next().unwrap_or_default() {
        "task" | "feature" => "Org, Project, Task",
        "run" => "Org, Project, Run",
        "patch" => "Org, Project, Patch",
        "agent" => "Org, Agent",
        "credential" => "Org, Credential",
        "device" => "Org, Device",
        "member" | "org" => "Org, Member",
        _ => "Org, Project",
    }
}

/// A permission as policies name it.
pub(crate) fn group(permission: Permission) -> &'static str {
    use Permission as P;
    match permission {
        P::View => "view",
        P::RunTasks => "run_tasks",
        P::SteerRuns => "steer_runs",
        P::Review => "review",
        P::Merge => "merge",
        P::EditTasks => "edit_tasks",
        P::ManageProjects => "manage_projects",
        P::ManageAgents => "manage_agents",
        P::ManageOrg => "manage_org",
        P::ManageCredentials => "manage_credentials",
        P::ManageTokens => "manage_tokens",
        P::ManageDevice => "manage_device",
    }
}
