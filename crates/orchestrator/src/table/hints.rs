//! What a refusal tells its caller to do, by the door they came in: at the command line there are commands and options, for
//! scripts and pages the action's input has fields.

use domain::Problem;
use serde_json::Value;

/// Actions whose command is called otherwise.
const OTHERWISE: [(&str, &str); 19] = [
    ("backup.create", "backup"),
    ("command.run", "ask"),
    ("command.understand", "ask"),
    ("device.capacity", "capacity"),
    ("device.change", "org device"),
    ("device.doctor", "doctor"),
    ("device.evict", "evict"),
    ("device.lend", "lend"),
    ("device.lending", "lend"),
    ("device.pods", "pods"),
    ("device.reclaim", "reclaim"),
    ("device.release", "release"),
    ("device.remove", "org remove"),
    ("member.remove", "org remove"),
    ("member.rename", "org rename"),
    ("member.roles", "org role"),
    ("org.join", "join"),
    ("org.joining", "join"),
    ("trace.show", "trace"),
];

/// Resources whose actions have no commands.
const WITHOUT: [&str; 5] = ["attention", "command", "member", "session", "webhook"];
/// Actions that have no command, though others of their resource do.
const ALONE: [&str; 3] = ["device.schedule", "journal.search", "run.diff"];

/// Options that are called otherwise than the field of the input that they fill.
const FIELDS: [(&str, &str); 4] = [("message", "summary"), ("message", "body"), ("line", "comments"), ("seed", "seeds")];

/// The words after `meshwork` that carry an action out; none where the command line has none.
pub fn command(action: &str) -> Option<String> {
    if let Some((_, words)) = OTHERWISE.iter().find(|(name, _)| *name == action) {
        return Some((*words).to_owned());
    }
    let (resource, _) = action.split_once('.')?;
    let without = WITHOUT.contains(&resource) || ALONE.contains(&action);
    (!without).then(|| action.replacen('.', " ", 1))
}

/// What is said when an action's input cannot be read.
pub(super) fn not_in_order(action: &str, by_hand: bool, error: &serde_json::Error) -> Problem {
    let next = match command(action).filter(|_| by_hand) {
        Some(words) => format!("meshwork {words} --help says what it takes."),
        None => format!("GET /openapi.json says what {action} takes."),
    };
    // What was not well formed often says so in sentences of its own.
    let why = error.to_string();
    Problem::invalid(format!("The input of {action} is not in order: {}.", why.trim_end_matches('.'))).next(next)
}

/// The problem for who does not type: options that stand for a field of the input are called by the field's name.
pub(super) fn for_scripts(mut problem: Problem, schema: &Value) -> Problem {
    problem.what = with_fields(&problem.what, schema);
    problem.next = problem.next.map(|next| with_fields(&next, schema));
    problem
}

fn with_fields(text: &str, schema: &Value) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = text;
    while let Some(at) = left.find("--") {
        let (before, option) = left.split_at(at);
        let name = &option[2..];
        let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(name.len());
        out.push_str(before);
        // A whole command stays as it is typed.
        match field(&name[..end], schema).filter(|_| !out.contains("meshwork ")) {
            Some(field) => out.push_str(&format!("“{field}”")),
            None => out.push_str(&option[..2 + end]),
        }
        left = &name[end..];
    }
    out.push_str(left);
    out
}

/// The field of the input that an option fills.
fn field(option: &str, schema: &Value) -> Option<String> {
    let otherwise = FIELDS.iter().filter(|(name, _)| *name == option).map(|(_, field)| (*field).to_owned());
    std::iter::once(option.replace('-', "_")).chain(otherwise).find(|name| schema["properties"].get(name.as_str()).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_are_named_where_there_are_some() {
        for (action, words) in
            [("task.run", Some("task run")), ("device.evict", Some("evict")), ("device.schedule", None), ("session.end", None)]
        {
            assert_eq!(command(action).as_deref(), words, "{action}");
        }
        let error = || serde_json::from_str::<u8>("x").unwrap_err();
        assert!(not_in_order("device.schedule", true, &error()).next.unwrap().contains("/openapi.json"));
        assert!(not_in_order("task.run", true, &error()).next.unwrap().contains("meshwork task run --help"));
        assert!(not_in_order("task.run", false, &error()).next.unwrap().contains("/openapi.json"));
    }

    #[test]
    fn scripts_are_told_of_fields_and_not_of_options() {
        let schema = json!({"properties": {"agent": {}, "base_url": {}, "summary": {}, "comments": {}}});
        for (text, told) in [
            ("Say which with --agent: a, b.", "Say which with “agent”: a, b."),
            ("Give --base-url.", "Give “base_url”."),
            ("Say it: --message, or --line FILE.", "Say it: “summary”, or “comments” FILE."),
            ("Make one: meshwork agent add x --agent y.", "Make one: meshwork agent add x --agent y."),
            ("Give --data-dir -- or not --", "Give --data-dir -- or not --"),
        ] {
            let told_so = for_scripts(Problem::invalid("No.").next(text), &schema);
            assert_eq!(told_so.next.as_deref(), Some(told));
        }
    }
}
