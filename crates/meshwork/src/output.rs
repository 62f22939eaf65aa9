//! How the command line speaks: tables and sentences for people, JSON for scripts.

use crate::text::clean;
use domain::Problem;
use serde_json::Value;
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::OnceLock,
};
use tracing_subscriber::EnvFilter;

/// Sends our own log to standard error.
pub(crate) fn log(json: bool) {
    let filter = EnvFilter::try_from_env("MESHWORK_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,orchestrator=info,server=info,meshwork=info,store=info,forge=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Else it complains there, with a panic, that a line could not be written: what logs on a full disk would end by that.
    let builder = builder.log_internal_errors(false);
    if json { builder.json().init() } else { builder.with_ansi(std::io::stderr().is_terminal()).init() }
}

/// Says what went wrong; the exit code says the kind.
pub(crate) fn fail(problem: &Problem, json: bool) -> ExitCode {
    if json {
        say(&serde_json::json!({ "error": problem }).to_string());
    }
    if !json || unwritten().is_some() {
        aside(&format!("meshwork: {}", clean(&problem.what)));
        for (mark, text) in [("  why:  ", &problem.why), ("  next: ", &problem.next)] {
            if let Some(text) = text {
                aside(&format!("{mark}{}", clean(text)));
            }
        }
    }
    ExitCode::from(problem.kind.exit_code())
}

/// Prints an answer: as JSON, or as `people` renders it.
pub(crate) fn answer(value: &Value, json: bool, people: impl FnOnce(&Value) -> String) {
    let text = if json { value.to_string() } else { people(value) };
    say(&text);
}

/// As [`answer`], where an answer may not be what was expected.
///
/// # Errors
/// Those of `people`.
pub(crate) fn show(value: &Value, json: bool, people: impl FnOnce(&Value) -> Result<String, Problem>) -> Result<(), Problem> {
    say(&if json { value.to_string() } else { people(value)? });
    Ok(())
}

/// Why standard output took no more, where that was so.
static AMISS: OnceLock<io::Error> = OnceLock::new();

/// Prints a text. That it could not be written is kept for [`is_amiss`] and [`unwritten`]: what was asked for is done all the same.
pub(crate) fn say(text: &str) {
    wrote(writeln!(io::stdout(), "{}", text.trim_end()));
}

/// Notes whether something came to standard output, and sends on what still waits for that.
pub(crate) fn wrote(done: io::Result<()>) {
    if let Err(error) = done.and_then(|()| io::stdout().flush()) {
        let _ = AMISS.set(error);
    }
}

/// Tells a person a line beside the answer, on standard error. Where that takes nothing, there is nowhere else to say so.
pub(crate) fn aside(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether standard output takes no more: nobody needs what follows.
pub(crate) fn is_amiss() -> bool {
    AMISS.get().is_some()
}

/// That something which was said is lost.
pub(crate) fn unwritten() -> Option<Problem> {
    AMISS.get().and_then(lost)
}

/// What is lost by an error of standard output; nothing where its reader had enough.
fn lost(error: &io::Error) -> Option<Problem> {
    (error.kind() != io::ErrorKind::BrokenPipe).then(|| {
        Problem::unavailable("The answer could not be written to standard output; what was asked for is done.")
            .because(format!("{error}."))
            .next("Make room there, or send it elsewhere. Before you repeat a command that changes something, look at what it did.")
    })
}

/// What a person should know besides, one note a line: sentences, or tasks with theirs.
pub(crate) fn notes(value: &Value) -> String {
    let note = |n: &Value| match n.as_str() {
        Some(text) => format!("\nnote: {}", clean(text)),
        None => format!("\nnote: {}: {}", clean(&at(n, &["task"])), clean(&at(n, &["why"]))),
    };
    value.as_array().into_iter().flatten().map(note).collect()
}

/// The value at a path of keys, as text.
pub(crate) fn at(value: &Value, path: &[&str]) -> String {
    match path.iter().fold(value, |v, key| &v[*key]) {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(thing) if thing.contains_key("id") => at(&thing["id"], &[]),
        Value::Array(items) => items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reader_who_had_enough_is_no_loss() {
        assert!(lost(&io::Error::from(io::ErrorKind::BrokenPipe)).is_none());
        let full = lost(&io::Error::from(io::ErrorKind::StorageFull));
        assert!(full.is_some_and(|problem| problem.kind == domain::Kind::Unavailable && problem.next.is_some()));
    }
}
