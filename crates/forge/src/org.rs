//! The org repository: a private Radicle repository whose files say who and what belongs to the org.

use crate::{Forge, Visibility, convert::Told};
use domain::{
    Did, Oid, Problem, Rid, agent,
    org::{Device, Member, Org, VERSION},
    project::Project,
    role::Role,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// The branch of the org repository.
const BRANCH: &str = "main";
/// How many mistakes one answer names.
const MISTAKES_SHOWN: usize = 5;

/// What the org repository says at a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct OrgState {
    /// `org.toml`.
    pub org: Org,
    /// `members/`, by name.
    pub members: BTreeMap<String, Member>,
    /// `devices/`, by name.
    pub devices: BTreeMap<String, Device>,
    /// `agents/`, by name.
    pub agents: BTreeMap<String, agent::Agent>,
    /// `projects/`, by name.
    pub projects: BTreeMap<String, Project>,
    /// The commit that says so.
    pub commit: Oid,
}

impl OrgState {
    /// The member to whom a key belongs.
    pub fn member_of(&self, key: &Did) -> Option<&Member> {
        self.members.values().find(|member| member.keys.iter().any(|k| k.did == *key))
    }

    /// The device with this key.
    pub fn device_of(&self, key: &Did) -> Option<&Device> {
        self.devices.values().find(|device| device.did == *key)
    }
}

impl Forge {
    /// Makes the org repository: private, with the member as its delegate, and with the founder's member and device files.
    pub fn create_org(&self, org: &Org, founder: &Member, device: &Device) -> Result<Rid, Problem> {
        let files = BTreeMap::from([
            ("org.toml".to_owned(), write(org)?),
            (format!("members/{}.toml", founder.name), write(founder)?),
            (format!("devices/{}.toml", device.name), write(device)?),
        ]);
        validate(&files, None)?;
        // The description keeps it apart from a project of the same name, which would otherwise be the same document.
        let doc = self.document(
            org.name.as_str(),
            "The org: who belongs to it, and what is agreed.",
            BRANCH,
            &Visibility::Private { allow: vec![] },
        )?;
        let (rid, ..) = self.found(&doc, None, |repo, to| {
            let git = &repo.backend;
            let mut tree = git2::build::TreeUpdateBuilder::new();
            for (path, content) in &files {
                tree.upsert(path.as_str(), git.blob(content).told("The org's files could not be written.")?, git2::FileMode::Blob);
            }
            let empty = git.treebuilder(None).and_then(|builder| builder.write()).and_then(|oid| git.find_tree(oid));
            let empty = empty.told("The org's files could not be written.")?;
            let tree = tree.create_updated(git, &empty).and_then(|oid| git.find_tree(oid)).told("The org's files could not be written.")?;
            let author = self.author(self.member_key())?;
            git.commit(Some(to), &author, &author, "Found the org", &tree, &[]).told("The org's first commit could not be written.")
        })?;
        Ok(rid)
    }

    /// What the org repository says at its canonical head, checked.
    pub fn org_state(&self, rid: &Rid) -> Result<OrgState, Problem> {
        self.org_state_at(rid, self.head(rid)?)
    }

    /// What the org repository says at a commit, checked.
    pub fn org_state_at(&self, rid: &Rid, head: Oid) -> Result<OrgState, Problem> {
        let files = self.files(rid, &head, &["org.toml", "members/", "devices/", "agents/", "projects/"])?;
        validate(&files, Some(head))
    }

    /// Changes files of the org repository by a commit of the member, if the org stays whole with them. A value of none
    /// removes the file.
    pub fn change_org(&self, rid: &Rid, message: &str, changes: &[(String, Option<Vec<u8>>)]) -> Result<Oid, Problem> {
        let head = self.head(rid)?;
        let mut files = self.files(rid, &head, &[""])?;
        for (path, content) in changes {
            match content {
                Some(content) => files.insert(path.clone(), content.clone()),
                None => files.remove(path),
            };
        }
        validate(&files, Some(head.clone()))?;
        self.org_check.get().map_or(Ok(()), |check| check(&files))?;
        self.commit_files(rid, message, changes, Some(&head))
    }
}

/// A file of the org repository as TOML.
pub(crate) fn write(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    toml::to_string_pretty(value).map(String::into_bytes).map_err(Problem::internal)
}

/// Reads and checks all files together, and names every mistake with file and line.
fn validate(files: &BTreeMap<String, Vec<u8>>, commit: Option<Oid>) -> Result<OrgState, Problem> {
    let mut wrong = Vec::new();
    let org: Option<Org> = match files.get("org.toml") {
        Some(content) => parse("org.toml", content, &mut wrong),
        None => {
            wrong.push("org.toml is missing.".to_owned());
            None
        }
    };
    let members = folder(files, "members", |m: &Member| m.name.clone(), &mut wrong);
    let devices = folder(files, "devices", |d: &Device| d.name.clone(), &mut wrong);
    let agents = folder(files, "agents", |a: &agent::Agent| a.name.to_string(), &mut wrong);
    let projects = folder(files, "projects", |p: &Project| p.name.to_string(), &mut wrong);
    if let Some(org) = &org
        && org.version > VERSION
    {
        return Err(Problem::conflict(format!("The org's files are of version {}, newer than this Meshwork.", org.version))
            .next("Install a newer Meshwork on this device."));
    }
    if let (Some(org), true) = (org, wrong.is_empty()) {
        let zero = "0".repeat(40).parse()?;
        let state = OrgState { org, members, devices, agents, projects, commit: commit.unwrap_or(zero) };
        relations(&state, &mut wrong);
        if wrong.is_empty() {
            return Ok(state);
        }
    }
    let more = wrong.len().saturating_sub(MISTAKES_SHOWN);
    wrong.truncate(MISTAKES_SHOWN);
    if more > 0 {
        wrong.push(format!("And {more} more."));
    }
    Err(Problem::invalid("The org repository has mistakes.").because(wrong.join(" ")).next("Mend these files; nothing was changed."))
}

/// All files of one folder: each is named after what it holds.
fn folder<T: DeserializeOwned>(
    files: &BTreeMap<String, Vec<u8>>,
    dir: &str,
    name: impl Fn(&T) -> String,
    wrong: &mut Vec<String>,
) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    for (path, content) in files {
        let Some(stem) = path.strip_prefix(dir).and_then(|p| p.strip_prefix('/')).and_then(|p| p.strip_suffix(".toml")) else { continue };
        let Some(value) = parse::<T>(path, content, wrong) else { continue };
        if name(&value) != stem {
            wrong.push(format!("{path} names “{}”; name and file must be the same.", domain::shown(&name(&value))));
        }
        found.insert(stem.to_owned(), value);
    }
    found
}

fn parse<T: DeserializeOwned>(path: &str, content: &[u8], wrong: &mut Vec<String>) -> Option<T> {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => {
            wrong.push(format!("{path}, line {}: it is not Unicode.", line_at(content, error.valid_up_to())));
            return None;
        }
    };
    match toml::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let line = error.span().map_or(1, |span| line_at(content, span.start));
            wrong.push(format!("{path}, line {line}: {}.", domain::shown(error.message().trim_end_matches('.'))));
            None
        }
    }
}

fn line_at(content: &[u8], at: usize) -> usize {
    content.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// What must hold between the files.
fn relations(state: &OrgState, wrong: &mut Vec<String>) {
    let devices: BTreeSet<&Did> = state.devices.values().map(|d| &d.did).collect();
    let mut keys = BTreeSet::new();
    for (name, member) in &state.members {
        for key in &member.keys {
            if !devices.contains(&key.device) {
                wrong.push(format!("members/{name}.toml: its key {} is on a device that is not listed.", key.did));
            }
            if devices.contains(&key.did) || !keys.insert(&key.did) {
                wrong.push(format!("members/{name}.toml: the key {} is listed twice.", key.did));
            }
        }
    }
    if devices.len() != state.devices.len() {
        wrong.push("devices/: two devices have one key.".to_owned());
    }
    for (name, device) in &state.devices {
        if !state.members.contains_key(&device.owner) {
            wrong.push(format!("devices/{name}.toml: its owner “{}” is not a member.", domain::shown(&device.owner)));
        }
    }
    for (name, agent) in &state.agents {
        if !keys.contains(&agent.answers) {
            wrong.push(format!("agents/{name}.toml: {} answers for it, but is no member's key.", agent.answers));
        }
    }
    let rids: BTreeSet<_> = state.projects.values().map(|p| &p.rid).collect();
    if rids.len() != state.projects.len() {
        wrong.push("projects/: two projects have one repository.".to_owned());
    }
    let owners = state.members.values().filter(|m| m.roles.contains(&Role::Owner)).count();
    let threshold = usize::try_from(state.org.threshold).unwrap_or(usize::MAX);
    if owners == 0 {
        wrong.push("members/: nobody is an owner.".to_owned());
    } else if threshold == 0 || threshold > owners {
        wrong.push(format!("org.toml: the threshold is {threshold}, and there are {owners} owners."));
    }
}
