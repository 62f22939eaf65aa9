//! Which actions the model is offered: reads that the caller may do, and changes that can be shown exactly, as proposals.
//! Keys, tokens, the org itself, and the command bar's own actions are never among them.

use super::{super::propose::PROPOSABLE, wire::Tool};
use crate::{
    rights,
    table::{self, Action, Context, Effect},
};
use domain::{Problem, role::Permission};

/// Reads whose answers hold no text of others: figures of this machine.
const OWN_FIGURES: [&str; 3] = ["device.lending", "device.pods", "journal.verify"];

/// The actions that are offered to the model for this caller.
pub(super) async fn offered(context: &Context) -> Result<Vec<&'static Action>, Problem> {
    Ok(of(&rights::able(&context.machine, &context.caller).await?))
}

fn of(able: &[&str]) -> Vec<&'static Action> {
    table::table().iter().filter(|a| may_be_offered(a) && able.contains(&a.name)).collect()
}

fn may_be_offered(action: &Action) -> bool {
    use Permission as P;
    let kept_back = matches!(action.permission, P::ManageCredentials | P::ManageTokens | P::ManageOrg)
        || ["command.", "credential.", "token.", "backup."].iter().any(|part| action.name.starts_with(part));
    !kept_back && (action.effect == Effect::Reads || PROPOSABLE.contains(&action.name))
}

/// What an action is called in the talk: names there have no dots.
pub(super) fn wire_name(action: &Action) -> String {
    action.name.replace('.', "_")
}

/// An action as a tool.
pub(super) fn tool(action: &Action) -> Tool {
    let about = match action.effect {
        Effect::Reads => action.summary.to_owned(),
        Effect::Changes => format!("Proposes to the person: {} Nothing happens until the person says yes.", action.summary),
    };
    Tool { name: wire_name(action), about, schema: action.input_schema() }
}

/// Whether what an action tells may hold text of others: of repositories, logs, notes.
pub(super) fn tells_of_others(action: &Action) -> bool {
    !OWN_FIGURES.contains(&action.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::role::Role;

    fn names(role: Role) -> Vec<&'static str> {
        let able: Vec<_> = table::table().iter().filter(|a| role.allows(a.permission)).map(|a| a.name).collect();
        of(&able).iter().map(|a| a.name).collect()
    }

    #[test]
    fn keys_tokens_and_the_yes_itself_are_never_offered() {
        let all = names(Role::Owner);
        assert!(all.contains(&"patch.merge") && all.contains(&"run.logs"), "{all:?}");
        for name in &all {
            assert!(!["command", "credential", "token", "backup"].contains(&name.split('.').next().unwrap_or_default()), "{name}");
        }
        for never in ["agent.add", "project.mirror", "project.add", "device.schedule", "org.create", "journal.rebuild"] {
            assert!(!all.contains(&never), "{never}");
        }
    }

    #[test]
    fn a_viewer_is_offered_reads_alone() {
        let viewer = names(Role::Viewer);
        assert!(!viewer.is_empty());
        assert!(viewer.iter().all(|name| table::find(name).is_ok_and(|a| a.effect == Effect::Reads)), "{viewer:?}");
        assert!(!names(Role::Developer).contains(&"patch.merge"));
    }
}
