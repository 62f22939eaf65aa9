//! `meshwork ask`: a sentence is understood, shown, and after a yes carried out.

use super::Outcome;
use crate::{
    cli,
    client::Client,
    output::{at, say},
    text::clean,
};
use domain::{Kind, Problem};
use serde_json::{Value, json};
use std::{
    io::{BufRead, IsTerminal, Write},
    process::ExitCode,
};

pub(super) async fn ask(client: &Client, ask: cli::Ask, json: bool) -> Outcome {
    let with = ask.no_model.then_some("grammar");
    let answer =
        client.call("command.understand", json!({"text": ask.words.join(" "), "with": with, "conversation": ask.conversation})).await?;
    if !json {
        tell(&answer);
    }
    let mut results = Vec::new();
    for proposal in answer["proposals"].as_array().into_iter().flatten() {
        let knowingly = proposal["untrusted"] == true;
        let yes = if ask.yes && !knowingly { true } else { !json && asks(proposal) };
        if yes {
            let input = json!({"conversation": answer["conversation"], "proposals": [proposal["id"]], "knowingly": knowingly});
            let done = client.call("command.run", input).await?;
            results.extend(done["results"].as_array().cloned().unwrap_or_default());
            if let (false, Some(last)) = (json, results.last()) {
                lines(&at(last, &["text"]));
                if last["undo"].is_string() {
                    lines(&format!("To undo it: meshwork ask --conversation {} undo", at(&answer, &["conversation"])));
                }
            }
        }
    }
    let code = code(&answer, &results);
    if json {
        let mut all = answer;
        all["results"] = Value::Array(results);
        say(&all.to_string());
    }
    Ok(code)
}

/// What was understood, and what is told.
fn tell(answer: &Value) {
    if let Some(understood) = answer["understood"].as_str() {
        lines(understood);
    } else if answer["by"] == "nobody" {
        say("This was not understood.");
    }
    lines(&at(answer, &["text"]));
    for problem in answer["problems"].as_array().into_iter().flatten() {
        for (mark, part) in [("", "what"), ("  why:  ", "why"), ("  next: ", "next")] {
            if let Some(text) = problem[part].as_str() {
                lines(&format!("{mark}{text}"));
            }
        }
    }
    for choice in answer["choices"].as_array().into_iter().flatten() {
        lines(&format!("  meshwork ask \"{}\"   ({})", at(choice, &["sentence"]), at(choice, &["label"])));
    }
    for example in answer["examples"].as_array().into_iter().flatten() {
        lines(&format!("  it could be: {}", at(example, &[])));
    }
}

/// Prints text without what would move the cursor.
fn lines(text: &str) {
    text.lines().for_each(|line| say(&clean(line)));
}

/// Shows a proposal and asks; where nobody can answer, it is a no.
fn asks(proposal: &Value) -> bool {
    if !std::io::stdin().is_terminal() {
        say("Nobody is there to say yes: nothing was done. With --yes it is.");
        return false;
    }
    lines(&at(proposal, &["sentence"]));
    for note in proposal["effect"]["notes"].as_array().into_iter().flatten() {
        lines(&format!("  {}", at(note, &[])));
    }
    lines(&match proposal["undo"].as_str() {
        Some(undo) => format!("  To undo it: {undo}"),
        None => "  It cannot be undone.".into(),
    });
    if proposal["untrusted"] == true {
        say("  CAUTION: this was proposed after text of a repository, a log or a note was read, which may have asked for it.");
    }
    yes("Do it?")
}

/// Asks a person at the terminal; what is not a yes is a no.
pub(super) fn yes(question: &str) -> bool {
    let mut out = std::io::stdout();
    let _ = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

/// 0 where it was answered or done; else what the first problem says.
fn code(answer: &Value, results: &[Value]) -> ExitCode {
    let kind = |p: &Value| serde_json::from_value::<Problem>(p.clone()).map_or(Kind::Internal, |p| p.kind);
    let failed = results.iter().map(|r| &r["problem"]).find(|p| !p.is_null());
    if let Some(problem) = failed.or_else(|| answer["problems"].get(0)) {
        return ExitCode::from(kind(problem).exit_code());
    }
    let open = answer["by"] == "nobody" || answer["choices"].get(0).is_some();
    ExitCode::from(if open { Kind::Invalid.exit_code() } else { 0 })
}
