//! Roles of an org, and what each may do. Every action of the table names one permission.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a member, a token or an agent is in an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Decides about the org itself; a delegate of the org repository.
    Owner,
    /// Keeps projects: agents, merging, taking tasks over.
    Maintainer,
    /// Runs tasks, reviews.
    Developer,
    /// Sees.
    Viewer,
    /// An agent that reviews.
    ReviewerBot,
    /// An agent that works on tasks.
    Agent,
}

impl Role {
    /// Every role, most powerful first.
    pub const ALL: [Self; 6] = [Self::Owner, Self::Maintainer, Self::Developer, Self::Viewer, Self::ReviewerBot, Self::Agent];

    /// Its name, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Maintainer => "maintainer",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
            Self::ReviewerBot => "reviewer-bot",
            Self::Agent => "agent",
        }
    }

    /// Whether this role carries the permission.
    pub fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Owner => true,
            Self::Maintainer => !matches!(permission, P::ManageOrg | P::ManageCredentials | P::ManageTokens),
            Self::Developer => matches!(permission, P::View | P::RunTasks | P::SteerRuns | P::Review | P::EditTasks),
            Self::Viewer => matches!(permission, P::View),
            Self::ReviewerBot => matches!(permission, P::View | P::Review),
            Self::Agent => matches!(permission, P::View),
        }
    }
}

impl std::str::FromStr for Role {
    type Err = crate::Problem;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            crate::Problem::invalid(format!("“{}” is not a role.", crate::shown(text)))
                .next("Roles are owner, maintainer, developer, viewer, reviewer-bot and agent.")
        })
    }
}

/// What an action needs. One word a sort of action, so that policies stay readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See projects, tasks, runs, patches, the journal.
    View,
    /// Start runs.
    RunTasks,
    /// Message, pause, resume, stop runs; answer permission requests.
    SteerRuns,
    /// Comment on and review patches.
    Review,
    /// Merge or reject patches; act against what a gate says is missing.
    Merge,
    /// Write tasks and features.
    EditTasks,
    /// Add projects and mirrors.
    ManageProjects,
    /// Add agents and engines.
    ManageAgents,
    /// Change the org: members, devices, policy.
    ManageOrg,
    /// Set and remove credentials.
    ManageCredentials,
    /// Make and revoke tokens.
    ManageTokens,
    /// Evict, reclaim, back up, rebuild: this machine's own affairs.
    ManageDevice,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 12] = [
        Self::View,
        Self::RunTasks,
        Self::SteerRuns,
        Self::Review,
        Self::Merge,
        Self::EditTasks,
        Self::ManageProjects,
        Self::ManageAgents,
        Self::ManageOrg,
        Self::ManageCredentials,
        Self::ManageTokens,
        Self::ManageDevice,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_carry_what_their_names_promise() {
        let table = [
            (Role::Owner, Permission::ManageOrg, true),
            (Role::Maintainer, Permission::Merge, true),
            (Role::Maintainer, Permission::ManageCredentials, false),
            (Role::Developer, Permission::RunTasks, true),
            (Role::Developer, Permission::Merge, false),
            (Role::Viewer, Permission::View, true),
            (Role::Viewer, Permission::SteerRuns, false),
            (Role::ReviewerBot, Permission::Review, true),
            (Role::ReviewerBot, Permission::Merge, false),
            (Role::Agent, Permission::RunTasks, false),
        ];
        for (role, permission, expected) in table {
            assert_eq!(role.allows(permission), expected, "{role:?} {permission:?}");
        }
        for role in Role::ALL {
            assert_eq!((role.name().parse(), serde_json::to_value(role).ok()), (Ok(role), Some(role.name().into())));
        }
        assert!("admin".parse::<Role>().is_err());
    }
}
