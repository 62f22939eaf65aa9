//! Who may do what here: the org's policy, asked for a caller, a member, an agent. Every door comes by.

mod about;
pub(crate) mod lockout;

pub(crate) use about::{about, here};

use crate::{
    caller::Caller,
    machine::Machine,
    org::Org,
    removed,
    table::{self, Action},
};
use domain::{
    Did, Kind, Problem,
    org::Member,
    role::{Permission, Role},
};
use forge::OrgState;
use policy::{Ask, Decided, Named, Principal, Resource, Rules, Scheme};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// The action that ends a run.
const STOP: &str = "run.stop";

/// What the table of actions lets policies speak of.
///
/// # Errors
/// When the table has a name that cannot be an action's, or an action of which nobody said what it is about.
pub fn scheme() -> Result<Arc<Scheme>, Problem> {
    static SCHEME: OnceLock<Arc<Scheme>> = OnceLock::new();
    if let Some(known) = SCHEME.get() {
        return Ok(known.clone());
    }
    let named = |action: &Action| -> Result<Named, Problem> {
        let about = about::subject(action.name);
        let about = about.ok_or_else(|| Problem::internal(format!("nobody said what {} is about", action.name)))?;
        Ok(Named { name: action.name, permission: action.permission, about })
    };
    let named = table::table().iter().map(named).collect::<Result<Vec<_>, Problem>>()?;
    let made = Arc::new(Scheme::new(&named)?);
    Ok(SCHEME.get_or_init(|| made).clone())
}

/// Refuses files of an org whose policy has mistakes.
///
/// # Errors
/// Each mistake, with file and line.
pub fn check_files(files: &BTreeMap<String, Vec<u8>>) -> Result<(), Problem> {
    Rules::refuse(&Rules::check(&*scheme()?, files))
}

/// The rights in an org, as of one commit of its repository.
#[derive(Clone, Debug)]
pub struct Rights {
    /// What the org repository says.
    pub state: OrgState,
    /// Its policy.
    pub rules: Arc<Rules>,
}

impl Rights {
    /// Those that the org repository gave in a state of it; with the rules that are known, where its files of policies are still the same.
    pub(crate) fn at(org: &Org, state: OrgState, known: Option<&Arc<Rules>>) -> Result<Self, Problem> {
        let files = org.forge.files(&org.rid, &state.commit, &[policy::FOLDER])?;
        let rules = match known.filter(|known| known.are_of(&files)) {
            Some(known) => known.clone(),
            None => Arc::new(Rules::new(scheme()?, &files)?),
        };
        Ok(Self { state, rules })
    }

    /// Those that other files of policies would give.
    ///
    /// # Errors
    /// When the built-in rules do not fit the table of actions.
    pub(crate) fn with(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Problem> {
        Ok(Self { rules: Arc::new(Rules::new(scheme()?, files)?), state: self.state.clone() })
    }

    /// Decides about one thing.
    ///
    /// # Errors
    /// When there is no such action.
    pub fn decide(&self, principal: &Principal, action: &str, resource: &Resource) -> Result<Decided, Problem> {
        self.rules.decide(&Ask { principal, action, resource, org: self.state.org.name.as_str() })
    }

    /// Decides about several things that may all be meant: only what is allowed for each is allowed.
    ///
    /// # Errors
    /// When there is no such action.
    pub fn decide_all(&self, principal: &Principal, action: &str, resources: &[Resource]) -> Result<Decided, Problem> {
        let mut last = None;
        for resource in resources {
            let decided = self.decide(principal, action, resource)?;
            if !decided.allowed {
                return Ok(decided);
            }
            last = Some(decided);
        }
        last.ok_or_else(|| Problem::internal("a question about nothing"))
    }

    /// Whether a listed member may.
    #[must_use]
    pub fn member_may(&self, member: &Member, action: &str, resource: &Resource) -> bool {
        self.decide(&person(member), action, resource).is_ok_and(|decided| decided.allowed)
    }

    /// Whoever has this key, as policies see them. Who sits at the machine sees what lies on its disk, also where the org
    /// does not list them, not yet or no more.
    fn who(&self, key: Option<&Did>) -> (String, Vec<Role>) {
        match key.and_then(|key| self.state.member_of(key)) {
            Some(member) => (member.name.clone(), member.roles.clone()),
            None => (key.map_or_else(|| "nobody".to_owned(), Did::to_string), vec![Role::Viewer]),
        }
    }

    /// A caller, as policies see them.
    #[must_use]
    pub fn principal(&self, caller: &Caller) -> Principal {
        let (name, roles) = self.who(caller.member.as_ref());
        match &caller.via.token {
            Some(id) => Principal::Token { id: id.clone(), role: caller.role, member: name, roles },
            None => Principal::Member { name, roles },
        }
    }

    /// A caller's most powerful role.
    #[must_use]
    pub fn role(&self, caller: &Caller) -> Role {
        let (_, roles) = self.who(caller.member.as_ref());
        let first = roles.into_iter().min().unwrap_or(Role::Viewer);
        if caller.via.token.is_some() { first.max(caller.role) } else { first }
    }

    /// What a principal may in the org as a whole, and with the device here: a permission counts where an action of it is allowed in
    /// the org, or where all of it is about the device and allowed there.
    #[must_use]
    pub fn permissions(&self, org: &Org, principal: &Principal) -> Vec<Permission> {
        let here = here(org, &self.state);
        let may = |name: &str, what: &Resource| about::fits(name, what) && self.decide(principal, name, what).is_ok_and(|d| d.allowed);
        let counts = |permission: &Permission| {
            let permission = *permission;
            let of_it = || table::table().iter().filter(move |a| a.permission == permission).map(|a| a.name);
            of_it().any(|name| may(name, &Resource::Org)) || of_it().all(|name| may(name, &here))
        };
        Permission::ALL.into_iter().filter(counts).collect()
    }

    /// Whether somebody ends what is left on a device that was removed from the org: whoever may send away what runs here.
    fn clears_up(&self, org: &Org, principal: &Principal) -> bool {
        let may_evict = || self.decide(principal, "device.evict", &here(org, &self.state)).is_ok_and(|decided| decided.allowed);
        self.state.is_gone(&org.device) && may_evict()
    }

    /// Refuses what a caller may not do with this input.
    ///
    /// # Errors
    /// When they may not, with the rule that says so.
    pub fn check(&self, org: &Org, caller: &Caller, action: &Action, input: &Value) -> Result<(), Problem> {
        let (principal, resources) = (self.principal(caller), about(org, &self.state, action.name, input));
        let decided = self.decide_all(&principal, action.name, &resources)?;
        if decided.allowed || (action.name == STOP && self.clears_up(org, &principal)) {
            return Ok(());
        }
        // Who is listed still is refused for what their role may not do, as everywhere.
        let listed = caller.member.as_ref().is_some_and(|key| self.state.member_of(key).is_some());
        let gone = removed::by_state(&self.state, &org.device).filter(|_| !listed && self.clears_up(org, &principal));
        if let Some(gone) = gone {
            return Err(Problem::new(Kind::Forbidden, format!("{} is not possible here any more. {}", action.name, gone.message))
                .because("What is on its disk can be looked at, and what it asked for, or runs here, can be ended.")
                .next("meshwork run stop ends one run, meshwork evict all that run here; meshwork org leave takes this device out."));
        }
        let role = self.role(caller);
        let whose = match &caller.via.token {
            Some(_) if role == caller.role => "This token's role",
            Some(_) => "The role of the member for whom this token acts",
            None => "Your role",
        };
        let able = |role: &Role| {
            let somebody = Principal::Member { name: "somebody".into(), roles: vec![*role] };
            self.decide_all(&somebody, action.name, &resources).is_ok_and(|d| d.allowed)
        };
        // Nobody can ask a bot.
        let people = Role::ALL.iter().filter(|role| !matches!(role, Role::ReviewerBot | Role::Agent));
        let able: Vec<_> = people.filter(|role| able(role)).map(|role| role.name()).collect();
        let ask = if able.is_empty() { String::new() } else { format!("Ask somebody who is {}. ", able.join(" or ")) };
        Err(Problem::new(Kind::Forbidden, format!("{whose} ({}) may not do this: {}.", role.name(), action.name))
            .because(decided.why)
            .next(format!("{ask}`meshwork policy explain me {}` says which rule decides.", action.name)))
    }
}

/// A listed member, as policies see them.
#[must_use]
pub fn person(member: &Member) -> Principal {
    Principal::Member { name: member.name.clone(), roles: member.roles.clone() }
}

impl Org {
    /// The rights as the org repository has them now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rights(&self) -> Result<Arc<Rights>, Problem> {
        let state = self.state()?;
        let mut known = self.rights.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(rights) = known.as_ref().filter(|rights| rights.state == state) {
            return Ok(rights.clone());
        }
        let read = Arc::new(Rights::at(self, state, known.as_ref().map(|before| &before.rules))?);
        *known = Some(read.clone());
        Ok(read)
    }

    /// The rights as they were read last, where that is the org by which calls of others are judged too ([`Remote::org`]): without
    /// looking at the org repository, which takes longer than all else that is asked of a request.
    ///
    /// [`Remote::org`]: crate::remote::Remote::org
    pub(crate) fn rights_known(&self) -> Option<Arc<Rights>> {
        let known = self.rights.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()?;
        (known.state.commit == self.remote.org().commit).then_some(known)
    }
}

/// Refuses what a caller may not do, by the policy of the org that this process serves: a request comes only to the process of the
/// org that it is for. What is about the machine and no org, as making another, is about its device, which its owner keeps.
///
/// # Errors
/// When they may not, or the org repository cannot be read.
pub async fn check(machine: &Machine, caller: &Caller, action: &'static Action, input: &Value) -> Result<(), Problem> {
    let Ok(org) = machine.org() else { return without_org(caller, action) };
    let (caller, input) = (caller.clone(), input.clone());
    org.blocking(move |org| org.rights()?.check(org, &caller, action, &input)).await
}

/// The same by an action's name, about the org as a whole: for doors that are no actions themselves.
///
/// # Errors
/// As [`check`].
pub async fn check_named(machine: &Machine, caller: &Caller, action: &str) -> Result<(), Problem> {
    check(machine, caller, table::find(action)?, &Value::Null).await
}

/// The names of those actions that a caller may do at all: for lists that show no others.
///
/// # Errors
/// When the org repository cannot be read.
pub async fn able(machine: &Machine, caller: &Caller) -> Result<Vec<&'static str>, Problem> {
    let Ok(org) = machine.org() else {
        return Ok(table::table().iter().filter(|a| without_org(caller, a).is_ok()).map(|a| a.name).collect());
    };
    let caller = caller.clone();
    org.blocking(move |org| {
        let rights = org.rights()?;
        let principal = rights.principal(&caller);
        let everywhere: Vec<_> = [Resource::Org, here(org, &rights.state)]
            .into_iter()
            .chain(rights.state.projects.keys().cloned().map(Resource::Project))
            .collect();
        let may =
            |name: &str| everywhere.iter().any(|r| about::fits(name, r) && rights.decide(&principal, name, r).is_ok_and(|d| d.allowed));
        Ok(table::table().iter().map(|a| a.name).filter(|name| may(name)).collect())
    })
    .await
}

/// Before there is an org, its founder-to-be is the only one who is let in.
fn without_org(caller: &Caller, action: &Action) -> Result<(), Problem> {
    if caller.role.allows(action.permission) {
        return Ok(());
    }
    Err(Problem::new(Kind::Forbidden, "This machine belongs to no org yet.").next("Make one: meshwork org create <name>."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{self, Opened};
    use domain::{
        Timestamp,
        actor::{Door, Via},
        org::{KeyKind, Revocation},
    };

    #[tokio::test]
    async fn on_a_removed_device_its_person_ends_runs_and_is_told_why_all_else_is_refused() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let gone = Revocation { did: org.device.clone(), kind: KeyKind::Device, at: Timestamp(0), why: "sold".into(), name: None };
        let (removed, unlisted) = (OrgState { ended: vec![gone], ..fixtures::state() }, fixtures::state());
        let via = Via { door: Door::Cli, token: None };
        let person = Caller { member: Some(org.member.clone()), role: Role::Owner, via, browser: None };
        let stranger = Caller { member: Some(fixtures::did('X')), ..person.clone() };
        let check = |state: &OrgState, caller: &Caller, action: &str| {
            fixtures::rights(state.clone()).check(org, caller, table::find(action).unwrap(), &Value::Null)
        };
        assert!(check(&removed, &person, STOP).is_ok());
        assert!(check(&unlisted, &person, STOP).is_err());
        let refused = check(&removed, &stranger, STOP).unwrap_err().to_string();
        assert!(!refused.contains("meshwork run stop"), "nobody is sent to what they may not do: {refused}");
        let refused = check(&removed, &person, "task.run").unwrap_err().to_string();
        for words in ["task.run", "This device was removed from the org crew", "meshwork run stop", "meshwork evict"] {
            assert!(refused.contains(words), "{refused}");
        }
    }
}
