//! How what was done is taken back: by actions of the same table.

use super::answer::count;
use serde_json::{Value, json};

/// The way back from a change.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Back {
    /// There is none.
    None,
    /// Stop the runs that it started.
    StopRuns,
    /// Let the run go on again.
    Resume { input: Value },
    /// Pause the run again.
    Pause { input: Value },
    /// Give the task to the agent again; it goes on from the checkpoint.
    RunAgain { input: Value, task: String },
    /// Lift the stop order that it gave.
    Lift,
    /// Lend the machine again.
    Lend,
    /// Take the machine back.
    Reclaim,
    /// Write what the task said before.
    Write { input: Value, task: String },
}

/// One step of the way back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) action: &'static str,
    pub(super) input: Value,
    pub(super) sentence: String,
}

impl Back {
    /// In words, before anything was done.
    pub(super) fn words(&self) -> Option<String> {
        Some(match self {
            Self::None => return None,
            Self::StopRuns => "End the runs that it starts.".into(),
            Self::Resume { .. } => "Let it go on again.".into(),
            Self::Pause { .. } => "Pause it again.".into(),
            Self::Lift => "Lift the stop order.".into(),
            Self::Lend => "Lend it again.".into(),
            Self::Reclaim => "Take it back.".into(),
            Self::RunAgain { task, .. } => format!("Run {task} again, from the checkpoint."),
            Self::Write { task, .. } => format!("Write what {task} said before."),
        })
    }

    /// The steps, given what the change answered.
    pub(super) fn steps(&self, output: &Value) -> Vec<Step> {
        let one = |action, input: &Value| vec![Step { action, input: input.clone(), sentence: self.words().unwrap_or_default() }];
        match self {
            Self::None => vec![],
            Self::StopRuns => {
                let runs = output["runs"].as_array().into_iter().flatten();
                let step = |r: &Value| Step {
                    action: "run.stop",
                    input: json!({"run": r["run"]}),
                    sentence: format!("End the run at {}.", r["task"].as_str().unwrap_or_default()),
                };
                runs.map(step).collect()
            }
            Self::Resume { input } => one("run.resume", input),
            Self::Pause { input } => one("run.pause", input),
            Self::Lift => one("stop.lift", &json!({"id": output["order"]["id"]})),
            Self::Lend => one("device.release", &json!({})),
            Self::Reclaim => one("device.reclaim", &json!({})),
            Self::RunAgain { input, .. } => one("task.run", input),
            Self::Write { input, .. } => one("task.edit", input),
        }
    }
}

/// The steps in words; none where there are none.
pub(super) fn told(steps: &[Step]) -> Option<String> {
    match steps {
        [] => None,
        [one] => Some(one.sentence.clone()),
        several => Some(format!("End the {} that it started.", count(several.len(), "run"))),
    }
}
