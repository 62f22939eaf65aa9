//! The yes: proposals are carried out as they were shown, one after the other, by the actions of the table and with the
//! caller's own rights. And the way back.

use super::{
    answer::{CommandItem, CommandResult, CommandResults, count, plain},
    conversation::Knowingly,
    propose::Pin,
    understand::call,
    undo::told,
};
use crate::{clock, limits, table::Context};
use domain::{Problem, run::Run};
use serde_json::{Value, json};

/// Carries out what was said yes to.
pub(crate) async fn run(context: Context, conversation: &str, ids: &[String], knowingly: Knowingly) -> Result<CommandResults, Problem> {
    let org = context.org()?;
    let shared = org.desk.find(conversation, &context.caller, clock::now())?;
    let drafts = shared.lock().await.take(ids, knowingly, clock::now())?;
    let mut results = Vec::new();
    for (id, draft) in drafts {
        let outcome = match unchanged(&context, &draft.pin).await {
            Ok(()) => call(&context, draft.action.name, draft.input.clone()).await,
            Err(problem) => Err(problem),
        };
        let mut result = result(&context, &id, draft.action.name, draft.sentence.clone(), outcome).await;
        let steps = result.output.as_ref().map(|output| draft.back.steps(output)).unwrap_or_default();
        result.undo = told(&steps);
        if result.items.is_empty() {
            result.items.clone_from(&draft.items);
        }
        let mut held = shared.lock().await;
        held.memory.note(&result.items);
        if result.done {
            held.done(&id, steps);
        }
        results.push(result);
    }
    org.desk.forget();
    Ok(CommandResults { results })
}

/// Takes back what was done.
pub(crate) async fn undo(context: Context, conversation: &str, id: &str) -> Result<CommandResults, Problem> {
    let org = context.org()?;
    let shared = org.desk.find(conversation, &context.caller, clock::now())?;
    let steps = shared.lock().await.take_back(id)?;
    let (mut results, mut left) = (Vec::new(), Vec::new());
    for step in steps {
        let outcome = call(&context, step.action, step.input.clone()).await;
        let result = result(&context, id, step.action, step.sentence.clone(), outcome).await;
        if !result.done {
            left.push(step);
        }
        results.push(result);
    }
    org.desk.forget();
    if !left.is_empty() {
        // What did not work may be tried again.
        shared.lock().await.done(id, left);
    }
    Ok(CommandResults { results })
}

/// Whether what was shown is still so.
async fn unchanged(context: &Context, pin: &Pin) -> Result<(), Problem> {
    match pin {
        Pin::Nothing => Ok(()),
        Pin::Patch { id, head } => {
            let now = call(context, "patch.show", json!({"patch": id})).await?;
            if now["head"] == json!(head) {
                return Ok(());
            }
            Err(Problem::conflict("The patch got another commit since it was shown.").next("Look at it, and say it again."))
        }
        Pin::Task { at, title } => {
            let now = call(context, "task.show", json!({"project": at.project, "feature": at.feature, "task": at.task})).await?;
            if now["task"]["title"] == json!(title) {
                return Ok(());
            }
            Err(Problem::conflict(format!("{} says something else since it was shown.", at.task)).next("Look at it, and say it again."))
        }
    }
}

async fn result(context: &Context, id: &str, action: &str, sentence: String, outcome: Result<Value, Problem>) -> CommandResult {
    let (text, items) = match &outcome {
        Ok(output) => (words(action, output), started(context, output).await),
        Err(problem) => (problem.to_string(), vec![]),
    };
    CommandResult {
        proposal: id.to_owned(),
        action: action.to_owned(),
        sentence,
        done: outcome.is_ok(),
        text: plain(&text),
        problem: outcome.as_ref().err().cloned(),
        items,
        output: outcome.ok(),
        undo: None,
    }
}

/// What came of an action, in words.
fn words(action: &str, output: &Value) -> String {
    let text = |name: &str| output[name].as_str().unwrap_or_default();
    match action {
        "task.run" => {
            let queued = output["runs"].as_array().map_or(0, Vec::len);
            let skipped = output["skipped"].as_array().into_iter().flatten();
            let skipped: String = skipped
                .map(|s| format!("\n{} was left out: {}", s["task"].as_str().unwrap_or_default(), s["why"].as_str().unwrap_or_default()))
                .collect();
            let notices: String =
                output["notices"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|n| format!("\n{n}")).collect();
            format!(
                "{} {} queued.{skipped}{notices}",
                super::answer::capital(&count(queued, "run")),
                if queued == 1 { "is" } else { "are" }
            )
        }
        "task.add" | "task.edit" => format!("{} is written, in commit {}.", text("task"), text("commit")),
        "patch.merge" if text("outcome") == "merged" => {
            format!("Merged, as commit {}. A working copy gets it with: {}", text("commit"), text("pull"))
        }
        "patch.merge" => format!("It conflicts; the run {} does the work anew on the present branch.", text("run")),
        "stop.order" => format!("The agent {} is halted.", output["order"]["scope"]["name"].as_str().unwrap_or_default()),
        _ => text("message").to_owned(),
    }
}

/// The runs that an action started.
async fn started(context: &Context, output: &Value) -> Vec<CommandItem> {
    let mut items = Vec::new();
    for run in output["runs"].as_array().into_iter().flatten().take(limits::LINES_TOLD_MAX) {
        let shown = call(context, "run.show", json!({"run": run["run"]})).await.unwrap_or_default();
        items.extend(serde_json::from_value::<Run>(shown).ok().as_ref().map(CommandItem::run));
    }
    items
}
