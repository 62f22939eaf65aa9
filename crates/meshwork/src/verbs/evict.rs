//! `meshwork evict`: ends what runs here. Where no run is named that is all of it: then it is shown, and asked about.

use super::{Outcome, ask, both};
use crate::{
    cli,
    client::Client,
    output::{answer, at, say},
    show,
    text::{self, clean},
};
use domain::Problem;
use serde_json::{Value, json};
use std::{io::IsTerminal, process::ExitCode};

/// Ends a run here, or all after a yes.
pub(super) async fn evict(client: &Client, asked: cli::Evict, json: bool) -> Outcome {
    if asked.run.is_none() && !asked.yes {
        let (pods, names) = both(client, "device.pods", json!({}), json).await?;
        if !none(&pods) {
            if json || !std::io::stdin().is_terminal() {
                return Err(unsaid(&pods));
            }
            say(&show::pods(&pods, &names)?);
            if !ask::yes("Evict all of them? They are frozen and saved, and go on later.") {
                say("Nothing was evicted.");
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let input = json!({"run": asked.run, "grace_ms": asked.grace.saturating_mul(1000)});
    answer(&client.call("device.evict", input).await?, json, |v| at(v, &["message"]));
    Ok(ExitCode::SUCCESS)
}

fn none(pods: &Value) -> bool {
    pods.as_array().is_none_or(Vec::is_empty)
}

/// What is said where nobody is there to be asked.
fn unsaid(pods: &Value) -> Problem {
    let about = |pod: &Value| match at(pod, &["task", "task"]) {
        task if task.is_empty() => format!("{} (checks)", text::run(&at(pod, &["run"]))),
        task => format!("{} ({})", text::run(&at(pod, &["run"])), clean(&task)),
    };
    let all: Vec<String> = pods.as_array().into_iter().flatten().map(about).collect();
    Problem::invalid("It is not said which run: that would evict all that run here, and nobody is there to be asked. Nothing was evicted.")
        .because(format!("Here run: {}.", all.join(", ")))
        .next("Name a run, as meshwork evict RUN, or say yes to all of them: meshwork evict --yes.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_no_run_is_told_what_would_be_evicted() {
        let pods = json!([
            {"run": "01JZZZZZZZZZZZZZZZZZWRK001", "task": {"project": "demo", "feature": "001-a", "task": "T001"}},
            {"run": "01JZZZZZZZZZZZZZZZZZCHK002", "task": null},
        ]);
        let problem = unsaid(&pods).to_string();
        for words in ["ZZWRK001 (T001)", "ZZCHK002 (checks)", "meshwork evict --yes"] {
            assert!(problem.contains(words), "“{words}” in {problem}");
        }
        assert!(none(&json!([])) && !none(&pods));
    }
}
