//! A question to the rules, and its answer with the rule that decided.

use crate::{
    limits,
    rules::{Rules, Set},
};
use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use domain::{Problem, role::Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A person.
    Member {
        /// Their name.
        name: String,
        /// Their roles.
        roles: Vec<Role>,
    },
    /// A token: it may what both its role and its member may.
    Token {
        /// Its public id.
        id: String,
        /// The role that it was made with.
        role: Role,
        /// For whom it acts.
        member: String,
        /// Their roles.
        roles: Vec<Role>,
    },
    /// An agent.
    Agent {
        /// Its name.
        name: String,
        /// The member who answers for it.
        answers: String,
    },
    /// A device.
    Device {
        /// Its name.
        name: String,
        /// The member who owns it.
        owner: String,
    },
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The org.
    Org,
    /// A project.
    Project(String),
    /// A task, of a project.
    Task(String, String),
    /// A run, of a project, for a member.
    Run(String, String, String),
    /// A patch, of a project.
    Patch(String, String),
    /// A member.
    Member(String),
    /// An agent.
    Agent(String),
    /// A device, of a member.
    Device(String, String),
    /// A credential, on a device, of a member.
    Credential(String, String, String),
}

impl Resource {
    /// What it is, in the schema's words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Org => "Org",
            Self::Project(_) => "Project",
            Self::Task(..) => "Task",
            Self::Run(..) => "Run",
            Self::Patch(..) => "Patch",
            Self::Member(_) => "Member",
            Self::Agent(_) => "Agent",
            Self::Device(..) => "Device",
            Self::Credential(..) => "Credential",
        }
    }
}

/// What was answered before, by what was asked (see [`Rules::one_for_all`]). Rules never change, so their answers do not either.
#[derive(Debug, Default)]
pub(crate) struct Answered(Mutex<HashMap<Asked, Decided>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    principal: Principal,
    action: String,
    resource: Resource,
    org: String,
}

impl Answered {
    /// The answer of before, or the one that is made now. Where there are too many, all are forgotten.
    fn or(&self, asked: Asked, answer: impl FnOnce() -> Result<Decided, Problem>) -> Result<Decided, Problem> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known().get(&asked) {
            return Ok(before.clone());
        }
        // Nothing is held while it is decided: two who ask the same at once decide it twice.
        let decided = answer()?;
        let mut known = known();
        if known.len() >= limits::ANSWERS_MAX {
            known.clear();
        }
        known.insert(asked, decided.clone());
        Ok(decided)
    }
}

/// A question: may this principal do this to that.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// An action's name.
    pub action: &'a str,
    /// To what.
    pub resource: &'a Resource,
    /// The org's name.
    pub org: &'a str,
}

/// A rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// The file that it stands in, or `built in`.
    pub file: String,
    /// Its `@id`, or its place in the file.
    pub id: String,
    /// Its `@says`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The rules that decided; none where no rule allows it.
    pub rules: Vec<Rule>,
    /// In words.
    pub why: String,
}

impl Rules {
    /// Decides. A token is asked about twice: as what its role may, and as its member.
    ///
    /// # Errors
    /// When the question cannot be put: an action that is not in the table.
    pub fn decide(&self, ask: &Ask<'_>) -> Result<Decided, Problem> {
        let resource = self.one_for_all(ask.resource);
        let asked = Asked { principal: ask.principal.clone(), action: ask.action.to_owned(), resource, org: ask.org.to_owned() };
        self.answered.or(asked, || self.decide_anew(ask))
    }

    /// The same for all that rules cannot tell apart: of tasks, runs and patches there are many, and hardly a rule names one.
    fn one_for_all(&self, resource: &Resource) -> Resource {
        // A quote stands for all of them: no rule can name that without an escape, and beside escapes each stands for itself.
        let id = |id: &String| if self.names(id) { id.clone() } else { "\"".to_owned() };
        match resource {
            Resource::Task(task, project) => Resource::Task(id(task), project.clone()),
            Resource::Run(run, project, member) => Resource::Run(id(run), project.clone(), member.clone()),
            Resource::Patch(patch, project) => Resource::Patch(id(patch), project.clone()),
            other => other.clone(),
        }
    }

    fn decide_anew(&self, ask: &Ask<'_>) -> Result<Decided, Problem> {
        let Principal::Token { member, roles, .. } = ask.principal else { return self.one(ask) };
        let by_role = self.one(ask)?;
        if !by_role.allowed {
            return Ok(Decided { why: format!("The token: {}", by_role.why), ..by_role });
        }
        let person = Principal::Member { name: member.clone(), roles: roles.clone() };
        let by_member = self.one(&Ask { principal: &person, ..ask.clone() })?;
        match by_member.allowed {
            true => Ok(by_role),
            false => Ok(Decided { why: format!("The member for whom the token acts: {}", by_member.why), ..by_member }),
        }
    }

    fn one(&self, ask: &Ask<'_>) -> Result<Decided, Problem> {
        let asked = self.put(ask)?;
        let built_in = asked.of(&self.built_in);
        if let Outcome::Decided(decision, rules) = built_in {
            return Ok(decided(decision == Decision::Allow, rules));
        }
        Ok(match asked.of(&self.own) {
            Outcome::Decided(decision, rules) => decided(decision == Decision::Allow, rules),
            Outcome::Failed(rule, error) => Decided {
                allowed: false,
                why: format!("{} cannot be decided: {error}. What cannot be decided is refused.", named(&rule)),
                rules: vec![rule],
            },
            Outcome::Silent => Decided { allowed: false, rules: vec![], why: self.silent() },
        })
    }

    fn silent(&self) -> String {
        match self.mistakes.first() {
            Some(mistake) => format!("The org's policy has mistakes, so that only the built-in rules count: {mistake}"),
            None => "No rule allows it.".to_owned(),
        }
    }

    fn put(&self, ask: &Ask<'_>) -> Result<Put, Problem> {
        let mut entities = Vec::new();
        let principal = principal(ask.principal, ask.org, &mut entities)?;
        let resource = resource(ask.resource, ask.org, &mut entities)?;
        // A thing that is both who asks and what is asked about is told once.
        let mut seen = HashSet::new();
        entities.retain(|entity: &Entity| seen.insert(entity.uid()));
        let action = uid("Action", ask.action)?;
        // Of the actions only this one, which knows its groups: Cedar follows all that it is given.
        entities.extend(self.scheme.actions.get(&action).cloned());
        let entities = Entities::from_entities(entities, None).map_err(Problem::internal)?;
        let request = Request::new(principal, action, resource, Context::empty(), Some(&self.scheme.schema));
        let request = request.map_err(|error| {
            Problem::invalid(format!("Nobody can be asked about “{}”.", domain::shown(ask.action))).because(error.to_string())
        })?;
        Ok(Put { request, entities })
    }
}

struct Put {
    request: Request,
    entities: Entities,
}

enum Outcome {
    Decided(Decision, Vec<Rule>),
    Failed(Rule, String),
    Silent,
}

impl Put {
    fn of(&self, set: &Set) -> Outcome {
        let response = Authorizer::new().is_authorized(&self.request, &set.policies, &self.entities);
        let told = |id: &cedar_policy::PolicyId| {
            let (file, id, says) = set.told.get(id).cloned().unwrap_or_else(|| ("unknown".to_owned(), id.to_string(), None));
            Rule { file, id, says }
        };
        // Cedar leaves out what it cannot evaluate; a `forbid` that is left out would open something.
        if let Some(error) = response.diagnostics().errors().next() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(failed) = error;
            return Outcome::Failed(told(failed.policy_id()), domain::shown(&error.to_string()));
        }
        let mut rules: Vec<Rule> = response.diagnostics().reason().map(told).collect();
        rules.sort_by(|a, b| (&a.file, &a.id).cmp(&(&b.file, &b.id)));
        if rules.is_empty() { Outcome::Silent } else { Outcome::Decided(response.decision(), rules) }
    }
}

fn decided(allowed: bool, rules: Vec<Rule>) -> Decided {
    let names: Vec<_> = rules.iter().map(named).collect();
    let verb = if allowed { "allows" } else { "forbids" };
    Decided { allowed, why: format!("{} {verb} it.", names.join(" and ")), rules }
}

fn named(rule: &Rule) -> String {
    let says = rule.says.as_ref().map(|says| format!(" (“{}”)", domain::shown(says))).unwrap_or_default();
    format!("The rule “{}” in {}{says}", domain::shown(&rule.id), domain::shown(&rule.file))
}

fn uid(kind: &'static str, id: &str) -> Result<EntityUid, Problem> {
    Ok(EntityUid::from_type_name_and_id(type_name(kind)?, EntityId::new(id)))
}

/// A kind in Cedar's words. Cedar parses them as it does rules, which takes long beside all else that a question needs.
fn type_name(kind: &'static str) -> Result<EntityTypeName, Problem> {
    static KNOWN: Mutex<BTreeMap<&str, EntityTypeName>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = known.get(kind) {
        return Ok(name.clone());
    }
    let name: EntityTypeName = kind.parse().map_err(Problem::internal)?;
    Ok(known.entry(kind).or_insert(name).clone())
}

type Attributes<'a> = [(&'a str, EntityUid)];

fn entity(uid: &EntityUid, attributes: &Attributes<'_>, parents: Vec<EntityUid>, into: &mut Vec<Entity>) -> Result<(), Problem> {
    let attributes: HashMap<String, RestrictedExpression> =
        attributes.iter().map(|(name, to)| ((*name).to_owned(), RestrictedExpression::new_entity_uid(to.clone()))).collect();
    into.push(Entity::new(uid.clone(), attributes, parents.into_iter().collect()).map_err(Problem::internal)?);
    Ok(())
}

fn roles(of: &[Role]) -> Result<Vec<EntityUid>, Problem> {
    of.iter().map(|role| uid("Role", role.name())).collect()
}

fn principal(who: &Principal, org: &str, into: &mut Vec<Entity>) -> Result<EntityUid, Problem> {
    let org = uid("Org", org)?;
    match who {
        Principal::Member { name, roles: of } => {
            let me = uid("Member", name)?;
            entity(&me, &[], [roles(of)?, vec![org]].concat(), into)?;
            Ok(me)
        }
        Principal::Token { id, role, member, roles: of } => {
            let (me, person) = (uid("Token", id)?, uid("Member", member)?);
            entity(&me, &[("member", person.clone())], roles(&[*role])?, into)?;
            entity(&person, &[], [roles(of)?, vec![org]].concat(), into)?;
            Ok(me)
        }
        Principal::Agent { name, answers } => {
            let (me, person) = (uid("Agent", name)?, uid("Member", answers)?);
            entity(&me, &[("answers", person)], [roles(&[Role::Agent])?, vec![org]].concat(), into)?;
            Ok(me)
        }
        Principal::Device { name, owner } => {
            let (me, person) = (uid("Device", name)?, uid("Member", owner)?);
            entity(&me, &[("owner", person)], vec![org], into)?;
            Ok(me)
        }
    }
}

fn resource(what: &Resource, org: &str, into: &mut Vec<Entity>) -> Result<EntityUid, Problem> {
    let org = uid("Org", org)?;
    let of_org = |kind: &'static str, id: &str, into: &mut Vec<Entity>| -> Result<EntityUid, Problem> {
        let me = uid(kind, id)?;
        entity(&me, &[], vec![org.clone()], into)?;
        Ok(me)
    };
    let in_project = |kind: &'static str, id: &str, project: &str, attributes: &Attributes<'_>, into: &mut Vec<Entity>| {
        let (me, project) = (uid(kind, id)?, of_org("Project", project, into)?);
        entity(&me, attributes, vec![project], into)?;
        Ok::<_, Problem>(me)
    };
    let device = |name: &str, owner: &str, into: &mut Vec<Entity>| {
        let (me, owner) = (uid("Device", name)?, uid("Member", owner)?);
        entity(&me, &[("owner", owner.clone())], vec![org.clone()], into)?;
        Ok::<_, Problem>((me, owner))
    };
    match what {
        Resource::Org => {
            entity(&org, &[], vec![], into)?;
            Ok(org.clone())
        }
        Resource::Project(name) => of_org("Project", name, into),
        Resource::Task(id, project) => in_project("Task", id, project, &[], into),
        Resource::Run(id, project, member) => in_project("Run", id, project, &[("member", uid("Member", member)?)], into),
        Resource::Patch(id, project) => in_project("Patch", id, project, &[], into),
        Resource::Member(name) => of_org("Member", name, into),
        Resource::Agent(name) => of_org("Agent", name, into),
        Resource::Device(name, owner) => device(name, owner, into).map(|(me, _)| me),
        Resource::Credential(name, on, owner) => {
            let (me, (on, owner)) = (uid("Credential", name)?, device(on, owner, into)?);
            entity(&me, &[("owner", owner)], vec![on], into)?;
            Ok(me)
        }
    }
}
