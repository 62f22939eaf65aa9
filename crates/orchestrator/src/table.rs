//! The table of actions: everything that a person can do, each with its permission and the schema of its input and
//! output. HTTP, command line, MCP tools and the command bar are four doors to this table.

mod hints;

pub use hints::command;

use crate::{actions, caller::Caller, machine::Machine, names, org::Org, rights, stops};
use domain::{Problem, actor::Actor, role::Permission};
use futures::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

/// Whether an action changes something. Those that do are asked before in the command bar, and are `POST` in HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only tells.
    Reads,
    /// It changes something.
    Changes,
}

/// What an action gets: the machine, and who asks.
#[derive(Clone)]
pub struct Context {
    /// The machine.
    pub machine: Arc<Machine>,
    /// Who asks.
    pub caller: Caller,
}

impl Context {
    /// The org of this machine.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn org(&self) -> Result<Arc<Org>, Problem> {
        self.machine.org()
    }

    /// Refuses what the caller may not do, by an action's name.
    ///
    /// # Errors
    /// When they may not.
    pub async fn may(&self, action: &str, input: &Value) -> Result<(), Problem> {
        rights::check(&self.machine, &self.caller, find(action)?, input).await
    }

    /// Who is recorded as the one who acted.
    pub fn actor(&self, org: &Org) -> Actor {
        Actor { did: self.caller.member.clone().unwrap_or_else(|| org.member.clone()), via: Some(self.caller.via.clone()) }
    }
}

type Run = Box<dyn Fn(Context, Value) -> BoxFuture<'static, Result<Value, Problem>> + Send + Sync>;
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One action.
pub struct Action {
    /// Its name, as `task.run`.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What it needs.
    pub permission: Permission,
    /// Whether it changes something.
    pub effect: Effect,
    /// The schema of its input.
    pub input: SchemaOf,
    /// The schema of its output.
    pub output: SchemaOf,
    run: Run,
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Action {
    /// Checks the caller's right, reads the input and carries the action out.
    ///
    /// # Errors
    /// When the caller may not, the input is not in order, or the action's own.
    pub async fn call(&'static self, context: Context, input: Value) -> Result<Value, Problem> {
        rights::check(&context.machine, &context.caller, self, &input).await?;
        let machine = context.machine.clone();
        let named = |problem: Problem| match machine.org() {
            Ok(org) => names::within_problem(&org.remote.org(), problem),
            Err(_) => problem,
        };
        self.unless_halted(&context, &input).map_err(named)?;
        without_nul(&input)?;
        let by_hand = context.caller.by_hand();
        // On its own: a caller that goes away does not stop it half-way.
        let done = tokio::spawn((self.run)(context, input)).await.map_err(Problem::internal)?;
        done.map_err(named).map_err(|problem| if by_hand { problem } else { hints::for_scripts(problem, &self.input_schema()) })
    }

    /// A member whom a stop order halts changes nothing, but may see, lift it where they may, and take their own machine back.
    fn unless_halted(&self, context: &Context, input: &Value) -> Result<(), Problem> {
        match (context.machine.org(), &context.caller.member) {
            (Ok(org), Some(member)) if self.effect == Effect::Changes && self.name != "stop.lift" => {
                stops::refuse_action(&org, member, self.name, input)
            }
            _ => Ok(()),
        }
    }

    /// The input's schema by itself.
    pub fn input_schema(&self) -> Value {
        let mut generator = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator();
        (self.input)(&mut generator).to_value()
    }
}

/// Refuses input with the character NUL in a text: git, files and terminals cut or refuse such a text.
fn without_nul(input: &Value) -> Result<(), Problem> {
    fn has_nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(has_nul),
            Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
            _ => false,
        }
    }
    let Some((field, _)) = input.as_object().into_iter().flatten().find(|(_, value)| has_nul(value)) else { return Ok(()) };
    Err(Problem::invalid(format!("“{}” has the character NUL (U+0000) in it.", domain::shown(field)))
        .because("A text with it can be neither kept nor shown whole.")
        .next("Leave that character out."))
}

/// Makes an action from a typed function.
pub(crate) fn action<I, O, F, R>(name: &'static str, effect: Effect, permission: Permission, summary: &'static str, run: F) -> Action
where
    I: DeserializeOwned + JsonSchema + Send + 'static,
    O: Serialize + JsonSchema,
    F: Fn(Context, I) -> R + Send + Sync + Copy + 'static,
    R: Future<Output = Result<O, Problem>> + Send + 'static,
{
    let run: Run = Box::new(move |context, input| {
        Box::pin(async move {
            let by_hand = context.caller.by_hand();
            let input = serde_json::from_value(input).map_err(|e| hints::not_in_order(name, by_hand, &e))?;
            serde_json::to_value(run(context, input).await?).map_err(Problem::internal)
        })
    });
    Action { name, summary, permission, effect, input: |g| g.subschema_for::<I>(), output: |g| g.subschema_for::<O>(), run }
}

/// All actions, in the order of the documentation.
pub fn table() -> &'static [Action] {
    static TABLE: OnceLock<Vec<Action>> = OnceLock::new();
    TABLE.get_or_init(actions::all)
}

/// The action of this name.
///
/// # Errors
/// When there is none.
pub fn find(name: &str) -> Result<&'static Action, Problem> {
    table().iter().find(|a| a.name == name).ok_or_else(|| {
        let of = name.split('.').next().unwrap_or_default();
        let same: Vec<_> = table().iter().map(|a| a.name).filter(|n| n.split('.').next() == Some(of)).collect();
        let mut resources: Vec<_> = table().iter().filter_map(|a| a.name.split('.').next()).collect();
        // The actions of one may stand in several places.
        resources.sort_unstable();
        resources.dedup();
        let next = match same.is_empty() {
            true => format!("Actions are of: {}; as task.run.", resources.join(", ")),
            false => format!("There are: {}.", same.join(", ")),
        };
        Problem::not_found(format!("There is no action “{}”.", domain::shown(name))).next(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_with_nul_is_refused_by_the_name_of_its_field() {
        for input in [json!({"name": "a\0b"}), json!({"name": ["a", {"b": "\0"}]}), json!({"name": {"a\0": 1}})] {
            let told = without_nul(&input).err().map(|problem| problem.what).unwrap_or_default();
            assert!(told.starts_with("“name” has the character NUL"), "{input}: {told}");
        }
        assert_eq!(without_nul(&json!({"name": "a\nb", "limit": 1, "tags": {"a": "b"}})), Ok(()));
        assert_eq!(without_nul(&Value::Null), Ok(()));
    }

    #[test]
    fn who_names_no_action_is_told_each_resource_once() {
        let next = find("nothing.at_all").err().and_then(|problem| problem.next).unwrap_or_default();
        let listed = next.strip_prefix("Actions are of: ").and_then(|rest| rest.split_once(';')).map(|(all, _)| all).unwrap_or_default();
        let named = |resource: &str| listed.split(", ").filter(|one| *one == resource).count();
        for action in table() {
            let resource = action.name.split('.').next().unwrap_or_default();
            assert_eq!(named(resource), 1, "{resource}: {next}");
        }
    }
}
