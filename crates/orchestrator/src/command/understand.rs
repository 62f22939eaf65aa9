//! A sentence becomes an answer: by the grammar, else by the model. Reads are carried out with the caller's own rights;
//! changes are proposed and held.

use super::{
    answer::{By, CommandAnswer, Looked, Proposal},
    conversation::Conversation,
    grammar::{Grasp, grasp},
    model,
    plan::Plan,
    propose::{Draft, propose},
    resolve::Trouble,
    words::Text,
    world::World,
};
use crate::{
    clock, limits,
    table::{self, Context},
};
use domain::{Kind, Problem};
use jiff::Zoned;
use serde_json::Value;

/// Who is to understand it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum With {
    /// The grammar alone.
    Grammar,
    /// The model, also where the grammar would do.
    Model,
}

/// Understands a sentence.
pub(crate) async fn understand(
    context: Context,
    conversation: Option<String>,
    said: &str,
    with: Option<With>,
) -> Result<CommandAnswer, Problem> {
    if said.len() > limits::SENTENCE_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("A sentence may have {} bytes.", limits::SENTENCE_BYTES_MAX)).next("Say it shorter."));
    }
    let org = context.org()?;
    let (id, shared) = org.desk.open(conversation.as_deref(), &context.caller, clock::now())?;
    let mut held = shared.lock().await;
    let world = World::read(&context).await;
    let text = Text::read(said);
    let mut answer = empty(id, &held);
    let grasped = if with == Some(With::Model) { Grasp::Nothing(vec![]) } else { grasp(&world, &held.memory, &text, &Zoned::now()) };
    let vague = match &grasped {
        Grasp::Nothing(_) => true,
        Grasp::Trouble(Trouble::Problem(problem)) => matches!(problem.kind, Kind::NotFound | Kind::Invalid),
        _ => false,
    };
    let settings = if vague && with != Some(With::Grammar) && !text.words.is_empty() { model::settings(&org)? } else { None };
    match settings {
        Some(settings) => {
            let told = model::talk(&context, &settings, &mut held, &world, said, &mut answer).await;
            if let Err(problem) = told {
                answer.problems.push(problem);
                fall_back(&context, &world, &mut held, grasped, &mut answer).await;
            }
        }
        None if with == Some(With::Model) => return Err(model::none_set()),
        None => fall_back(&context, &world, &mut held, grasped, &mut answer).await,
    }
    if answer.by == By::Grammar {
        held.remember(said, "(Answered without a model.)");
    }
    // What a model proposes after it read text of others is nothing that “it” may stand for.
    if answer.by != By::Model || !held.untrusted {
        held.memory.note(&answer.items);
    }
    answer.untrusted = held.untrusted;
    Ok(answer)
}

fn empty(conversation: String, held: &Conversation) -> CommandAnswer {
    CommandAnswer {
        conversation,
        by: By::Nobody,
        understood: None,
        text: String::new(),
        looked: vec![],
        items: vec![],
        proposals: vec![],
        problems: vec![],
        choices: vec![],
        examples: vec![],
        untrusted: held.untrusted,
    }
}

/// What the grammar alone makes of it.
async fn fall_back(context: &Context, world: &World, held: &mut Conversation, grasped: Grasp, answer: &mut CommandAnswer) {
    match grasped {
        Grasp::Plan(plan) => carry_plan(context, world, held, *plan, answer).await,
        Grasp::Trouble(Trouble::Problem(problem)) => {
            answer.by = By::Grammar;
            answer.problems.push(problem);
        }
        Grasp::Trouble(Trouble::Which(question, choices)) => {
            answer.by = By::Grammar;
            answer.text = question;
            answer.choices = choices;
        }
        Grasp::Nothing(examples) => answer.examples = examples,
    }
    // What could not be read explains what is missing.
    if answer.items.is_empty() && answer.proposals.is_empty() {
        answer.problems.extend(world.problems.iter().take(limits::CHOICES_MAX).cloned());
    }
}

async fn carry_plan(context: &Context, world: &World, held: &mut Conversation, plan: Plan, answer: &mut CommandAnswer) {
    answer.by = By::Grammar;
    answer.understood = Some(plan.said.clone());
    (answer.text, answer.items, answer.problems) = (plan.text, plan.items, plan.problems);
    if let Some((action, input)) = plan.looked {
        answer.looked.push(Looked { action: action.into(), input, sentence: plan.said.clone() });
    }
    if let Some(read) = plan.read {
        match call(context, read.action, read.input.clone()).await {
            Ok(value) => (answer.text, answer.items) = (read.tell)(world, &value),
            Err(problem) => answer.problems.push(problem),
        }
        answer.text = super::answer::plain(&answer.text);
        answer.looked.push(Looked { action: read.action.into(), input: read.input, sentence: read.sentence });
    }
    let mut changes = plan.changes;
    if plan.undo {
        match held.last_done() {
            Some(steps) => changes = steps.iter().map(|s| (s.action, s.input.clone())).collect(),
            None => answer.problems.push(
                Problem::conflict("Nothing was done in this conversation that could be undone.").next("Say what is to be changed instead."),
            ),
        }
    }
    for (action, input) in changes {
        match drafts(context, world, action, &input).await {
            Ok(drafts) => drafts.into_iter().for_each(|draft| offer(held, draft, false, answer)),
            Err(problem) if !answer.problems.contains(&problem) => answer.problems.push(problem),
            Err(_) => {}
        }
    }
    match answer.proposals.as_slice() {
        [] => {}
        [one] => answer.understood = Some(one.sentence.clone()),
        several => answer.understood = Some(format!("{} {}.", plan.said, super::answer::count(several.len(), "change"))),
    }
}

/// What an action would do, where the caller may do it.
pub(super) async fn drafts(context: &Context, world: &World, action: &str, input: &Value) -> Result<Vec<Draft>, Problem> {
    context.may(action, input).await?;
    propose(world, action, input)
}

/// Shows a change and holds it for a yes.
pub(super) fn offer(held: &mut Conversation, draft: Draft, untrusted: bool, answer: &mut CommandAnswer) {
    if answer.proposals.len() >= limits::PROPOSALS_MAX {
        let problem = Problem::new(Kind::Limit, format!("{} changes are proposed at once at most.", limits::PROPOSALS_MAX))
            .next("Say yes to these, and say it again for the rest.");
        if !answer.problems.contains(&problem) {
            answer.problems.push(problem);
        }
        return;
    }
    answer.items.extend(draft.items.iter().filter(|i| !answer.items.contains(i)).cloned().collect::<Vec<_>>());
    let shown: Proposal = held.hold(draft, untrusted, clock::now());
    answer.proposals.push(shown);
}

/// Calls an action with the caller's own rights.
pub(super) async fn call(context: &Context, action: &str, input: Value) -> Result<Value, Problem> {
    table::find(action)?.call(context.clone(), input).await
}
