//! The org's policy: shown, checked, changed, and asked which rule decides.

use super::{Nothing, member::Outcome};
use crate::{
    members,
    org::Org,
    rights::{self, Rights, about, lockout},
    table::{self, Action, Context, Effect, action},
};
use ::policy::{Decided, FOLDER, Mistake, Principal, Rules};
use domain::{
    Oid, Problem,
    role::{Permission, Role},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("policy.show", Reads, Permission::View, "Show the org's policy: its files, and who may what by it.", show),
        action("policy.explain", Reads, Permission::View, "Say whether somebody may do an action, and which rule decides.", explain),
        action("policy.check", Reads, Permission::View, "Check files of policies, or those of the org; nothing is changed.", check),
        action("policy.set", Changes, Permission::ManageOrg, "Set a file of the org's policy, or remove it.", set),
    ]
}

/// A file of the policy.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// Its path, as `policy/team.cedar`.
    path: String,
    /// What stands in it.
    text: String,
}

/// Who may what.
#[derive(Debug, Serialize, JsonSchema)]
struct May {
    /// A member's or a role's name.
    who: String,
    /// What they may in the org as a whole, and with the device here.
    permissions: Vec<Permission>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    /// The commit of the org repository.
    commit: Oid,
    files: Vec<File>,
    /// What is wrong with them; while there is something, only the built-in rules count.
    mistakes: Vec<Mistake>,
    /// What each role may.
    roles: Vec<May>,
    /// What each member may.
    members: Vec<May>,
}

async fn show(context: Context, _: Nothing) -> Result<Shown, Problem> {
    context.org()?.blocking(|org| shown(org, &*org.rights()?)).await
}

fn shown(org: &Org, rights: &Rights) -> Result<Shown, Problem> {
    let files = org.forge.files(&org.rid, &rights.state.commit, &[FOLDER])?;
    let may = |who: &str, principal: Principal| May { who: who.to_owned(), permissions: rights.permissions(org, &principal) };
    let anybody = |role: Role| Principal::Member { name: "somebody".into(), roles: vec![role] };
    Ok(Shown {
        commit: rights.state.commit.clone(),
        files: files.into_iter().map(|(path, text)| File { path, text: String::from_utf8_lossy(&text).into_owned() }).collect(),
        mistakes: rights.rules.mistakes.clone(),
        roles: Role::ALL.into_iter().map(|role| may(role.name(), anybody(role))).collect(),
        members: rights.state.members.values().map(|member| may(&member.name, rights::person(member))).collect(),
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Explain {
    /// Who: `me`, a member's name, `agent:NAME`, `device:NAME`, or `role:NAME` for anybody in that role.
    who: String,
    /// The action, as `patch.merge`.
    action: String,
    /// What: a project's name; the org where nothing is said.
    #[serde(default)]
    project: Option<String>,
    /// A task, patch, run, credential or agent that it is about; of stop orders `agent:NAME`, `member:NAME`, `device:NAME` or an id.
    #[serde(default)]
    what: Option<String>,
}

/// Whether somebody may, and why.
#[derive(Debug, Serialize, JsonSchema)]
struct Explained {
    who: String,
    action: String,
    /// The permission that the action is in the group of.
    permission: Permission,
    #[serde(flatten)]
    decided: Decided,
}

async fn explain(context: Context, input: Explain) -> Result<Explained, Problem> {
    let caller = context.caller.clone();
    let answer = move |org: &Arc<Org>| {
        let (rights, action) = (org.rights()?, table::find(&input.action)?);
        let principal = match input.who.as_str() {
            crate::names::ME => rights.principal(&caller),
            who => named(&rights, who)?,
        };
        // One that is to be added need not exist.
        if let Some(project) = input.project.as_deref().filter(|name| !name.is_empty() && action.name != "project.add") {
            org.projects(Some(&project.parse::<domain::ProjectName>()?))?;
        }
        let resource = action.name.split('.').next().unwrap_or_default();
        let (field, what) = match (resource, input.what.as_deref()) {
            ("task" | "run" | "patch", what) => (resource, what),
            ("stop", Some(what)) => what.split_once(':').map_or(("id", Some(what)), |(field, name)| (field, Some(name))),
            (_, what) => ("name", what),
        };
        let asked = json!({"project": input.project, field: what});
        let decided = rights.decide_all(&principal, action.name, &about(org, &rights.state, action.name, &asked))?;
        Ok(Explained { who: input.who, action: input.action, permission: action.permission, decided })
    };
    context.org()?.blocking(answer).await
}

/// Somebody by name, as policies see them.
fn named(rights: &Rights, who: &str) -> Result<Principal, Problem> {
    let none = || {
        let names: Vec<_> = rights.state.members.keys().map(String::as_str).collect();
        Problem::not_found(format!("There is nobody “{}”.", domain::shown(who)))
            .next(format!("Say me, one of {}, agent:NAME, device:NAME or role:NAME.", names.join(", ")))
    };
    match who.split_once(':') {
        Some(("role", role)) => Ok(Principal::Member { name: "somebody".into(), roles: vec![role.parse()?] }),
        Some(("agent", name)) => {
            let agent = rights.state.agents.get(name).ok_or_else(none)?;
            let answers = rights.state.member_of(&agent.answers).map(|m| m.name.clone()).unwrap_or_default();
            Ok(Principal::Agent { name: name.to_owned(), answers })
        }
        Some(("device", name)) => {
            let device = rights.state.devices.get(name).ok_or_else(none)?;
            Ok(Principal::Device { name: name.to_owned(), owner: device.owner.clone() })
        }
        _ => rights.state.members.get(who).map(rights::person).ok_or_else(none),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Check {
    /// The files; those of the org where there are none.
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Checked {
    /// How many files were looked at.
    files: usize,
    /// What is wrong, with file and line.
    mistakes: Vec<Mistake>,
    /// What is in order, and hardly meant: what nobody could do any more with these files beside the org's others.
    warnings: Vec<String>,
    /// What policies may speak of, in Cedar's own form.
    schema: String,
}

async fn check(context: Context, input: Check) -> Result<Checked, Problem> {
    let check = move |org: &Arc<Org>| {
        let now = org.rights()?;
        let ours = org.forge.files(&org.rid, &now.state.commit, &[FOLDER])?;
        let given = given(input.files)?;
        let files = if given.is_empty() { ours.clone() } else { given };
        let scheme = rights::scheme()?;
        let (count, mistakes) = (files.len(), Rules::check(&scheme, &files));
        let together: BTreeMap<String, Vec<u8>> = ours.into_iter().chain(files).collect();
        let warnings = lockout::words(&lockout::locked(&now.with(&together)?)).into_iter().collect();
        Ok(Checked { files: count, mistakes, warnings, schema: scheme.text.clone() })
    };
    context.org()?.blocking(check).await
}

/// Files that are to be checked, by where they would stand in the org repository.
fn given(files: Vec<File>) -> Result<BTreeMap<String, Vec<u8>>, Problem> {
    let mut given = BTreeMap::new();
    for file in files {
        let path = inside(&file.path);
        named_well(path.trim_start_matches(FOLDER))?;
        if given.insert(path.clone(), file.text.into_bytes()).is_some() {
            return Err(Problem::invalid(format!("Two files would be {path}."))
                .because("A file's name alone is its name in the org.")
                .next("Rename one, or check them one after the other."));
        }
    }
    Ok(given)
}

/// Where a file would stand in the org repository.
fn inside(path: &str) -> String {
    format!("{FOLDER}{}", path.rsplit('/').next().unwrap_or(path))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    /// The file's name, as `team.cedar`.
    name: String,
    /// What is to stand in it; nothing removes it.
    #[serde(default)]
    text: Option<String>,
    /// Set it also where nobody could do any more what somebody may now.
    #[serde(default)]
    anyway: bool,
}

/// Refuses names that no file of policies has: nobody would read what stands in it.
fn named_well(name: &str) -> Result<(), Problem> {
    let stem = name.strip_suffix(".cedar").unwrap_or_default();
    let plain = !stem.is_empty() && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let refused = || {
        Problem::invalid(format!("“{}” cannot be the name of a file of policies.", domain::shown(name)))
            .next("Use letters, digits, - and _, and end it with .cedar.")
    };
    if plain { Ok(()) } else { Err(refused()) }
}

async fn set(context: Context, input: Set) -> Result<Outcome, Problem> {
    named_well(&input.name)?;
    let (org, path) = (context.org()?, inside(&input.name));
    let (verb, done) = if input.text.is_some() { ("Set", "set") } else { ("Remove", "removed") };
    let (what, done) = (format!("{verb} {path}"), format!("{path} is {done}."));
    let files = move |org: &Org, state: &forge::OrgState| {
        let text = input.text.map(String::into_bytes);
        if !input.anyway {
            unless_locked_out(org, state, &path, text.as_ref())?;
        }
        Ok(vec![(path, text)])
    };
    Ok(Outcome::of(members::change(&org, &context.actor(&org), what, files).await?, done))
}

/// Refuses a file with which the org's policy would lock everybody out.
fn unless_locked_out(org: &Org, state: &forge::OrgState, path: &str, text: Option<&Vec<u8>>) -> Result<(), Problem> {
    let now = Rights::at(org, state.clone(), Some(&org.rights()?.rules))?;
    let mut files = org.forge.files(&org.rid, &state.commit, &[FOLDER])?;
    match text {
        Some(text) => files.insert(path.to_owned(), text.clone()),
        None => files.remove(path),
    };
    lockout::refuse(&now, &now.with(&files)?)
}
