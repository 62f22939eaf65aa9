//! The policies that an org begins with, one file a role, and the built-in rules beneath every org's own.

use crate::schema::group;
use domain::role::{Permission, Role};
use std::collections::BTreeMap;

/// The folder of policies in the org repository.
pub const FOLDER: &str = "policy/";

/// Beneath every org's own rules. A built-in `permit` is taken away by no file, so that a broken policy never locks the
/// owners out; a built-in `forbid` is opened by none.
pub(crate) const BUILT_IN: &str = r#"@id("owners-keep-the-keys")
@says("Owners may always see the org, and change its members, devices and policy.")
permit (principal is Member in Role::"owner", action in [Action::"view", Action::"manage_org"], resource);

@id("agents-change-no-rules")
@says("Agents change neither the org nor its credentials and tokens, and merge nothing: people do.")
forbid (
  principal is Agent,
  action in [Action::"manage_org", Action::"manage_credentials", Action::"manage_tokens", Action::"manage_projects", Action::"manage_agents", Action::"manage_device", Action::"merge"],
  resource
);
"#;

/// The files that an org begins with, by path. They count too where an org has no file of policies.
#[must_use]
pub fn files() -> BTreeMap<String, String> {
    Role::ALL.into_iter().map(|role| (format!("{FOLDER}{}.cedar", role.name()), file(role))).collect()
}

fn file(role: Role) -> String {
    let (name, says) = (role.name(), says(role));
    let head = format!("// {says}\n// `meshwork policy check` checks this file; `meshwork policy explain` says which rule decides.\n");
    let all = Permission::ALL.into_iter().all(|p| role.allows(p));
    let groups = Permission::ALL.into_iter().filter(|p| role.allows(*p)).map(|p| format!("Action::\"{}\"", group(p)));
    let action = if all { "action".to_owned() } else { format!("action in [{}]", groups.collect::<Vec<_>>().join(", ")) };
    format!("{head}@id(\"{name}\")\n@says(\"{says}\")\npermit (principal in Role::\"{name}\", {action}, resource);\n")
}

fn says(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owners may do everything.",
        Role::Maintainer => "Maintainers keep projects: agents, merging, this machine; not the org, credentials and tokens.",
        Role::Developer => "Developers run tasks, steer runs, write tasks and review.",
        Role::Viewer => "Viewers see.",
        Role::ReviewerBot => "Reviewer bots see and review.",
        Role::Agent => "Agents see what their task needs.",
    }
}
