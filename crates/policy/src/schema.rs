//! The schema of policies, made from the table of actions: each action is in the group of its permission.

use crate::ask::Resource;
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
    /// What it is about.
    pub about: Subject,
}

/// What an action is about, beside the org as a whole, which any can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The org alone.
    Org,
    /// Every project.
    Everything,
    /// A project, or several.
    Project,
    /// Tasks of a project.
    Task,
    /// A run.
    Run,
    /// A patch.
    Patch,
    /// A member.
    Member,
    /// An agent.
    Agent,
    /// A device.
    Device,
    /// A credential of a device.
    Credential,
    /// An agent, a member or a device that is halted.
    Stop,
}

impl Subject {
    /// The things that such an action can be asked about, in the schema's words.
    fn things(self) -> &'static [&'static str] {
        match self {
            Self::Org => &["Org"],
            Self::Everything | Self::Project => &["Org", "Project"],
            Self::Task => &["Org", "Project", "Task"],
            Self::Run => &["Org", "Project", "Run"],
            Self::Patch => &["Org", "Project", "Patch"],
            Self::Member => &["Org", "Member"],
            Self::Agent => &["Org", "Agent"],
            Self::Device => &["Org", "Device"],
            Self::Credential => &["Org", "Device", "Credential"],
            Self::Stop => &["Org", "Agent", "Member", "Device"],
        }
    }

    /// Whether such an action can be asked about this.
    #[must_use]
    pub fn fits(self, resource: &Resource) -> bool {
        self.things().contains(&resource.kind())
    }
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
// It lies on a device, whose owner's it is.
entity Credential in [Device] = { owner: Member };
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
            let (of, resources) = (group(action.permission), action.about.things().join(", "));
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
