//! What the verbs of the org's policy do.

use super::Outcome;
use crate::{
    cli,
    client::Client,
    output::{answer, at},
    text::{clean, clean_lines},
};
use domain::{Kind, Problem};
use serde_json::{Value, json};
use std::{fmt::Write, path::Path, process::ExitCode};

/// Carries out what was asked; the exit code of `explain` and `check` is the answer too.
pub(super) async fn policy(client: &Client, asked: cli::Policy, json: bool) -> Outcome {
    match asked {
        cli::Policy::Show => answer(&client.call("policy.show", json!({})).await?, json, shown),
        cli::Policy::Explain { who, action, what, project } => {
            let value = client.call("policy.explain", json!({"who": who, "action": action, "what": what, "project": project})).await?;
            answer(&value, json, explained);
            return Ok(if value["allowed"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        cli::Policy::Check { files, schema } => {
            let files: Vec<Value> =
                files.iter().map(|file| Ok(json!({"path": name(file), "text": read(file)?}))).collect::<Result<_, Problem>>()?;
            let value = client.call("policy.check", json!({ "files": files })).await?;
            answer(&value, json, |v| if schema { at(v, &["schema"]) } else { checked(v) });
            let well = value["mistakes"].as_array().is_some_and(Vec::is_empty);
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(Kind::Invalid.exit_code()) });
        }
        cli::Policy::Set { file, anyway } => {
            let value = client.call("policy.set", json!({"name": name(&file), "text": read(&file)?, "anyway": anyway})).await?;
            answer(&value, json, |v| at(v, &["message"]));
        }
        cli::Policy::Remove { name, anyway } => {
            answer(&client.call("policy.set", json!({"name": name, "anyway": anyway})).await?, json, |v| at(v, &["message"]));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(file: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(file).map_err(|error| {
        Problem::invalid(format!("{} cannot be read.", file.display())).because(error.to_string()).next("Name a file of policies.")
    })
}

fn explained(value: &Value) -> String {
    let verb = if value["allowed"] == true { "may" } else { "may NOT" };
    clean(&format!("{} {verb} {}. {}", at(value, &["who"]), at(value, &["action"]), at(value, &["why"])))
}

fn checked(value: &Value) -> String {
    let mistakes = mistakes(value);
    if mistakes.is_empty() { in_order(value) } else { mistakes }
}

fn in_order(value: &Value) -> String {
    let files = value["files"].as_u64().unwrap_or_default();
    let found = value["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let warnings: String = found.map(|warning| format!("\nWarning: {}", clean(warning))).collect();
    format!("{} {} in order.{warnings}", domain::counted(files, "file"), if files == 1 { "is" } else { "are" })
}

fn mistakes(value: &Value) -> String {
    let found = value["mistakes"].as_array().into_iter().flatten();
    let lines: Vec<_> = found.map(|m| clean(&format!("{}, line {}: {}", at(m, &["file"]), m["line"], at(m, &["message"])))).collect();
    lines.join("\n")
}

fn shown(value: &Value) -> String {
    let mut text = String::new();
    for (title, list) in [("Roles", "roles"), ("Members", "members")] {
        let _ = writeln!(text, "{title}:");
        for one in value[list].as_array().into_iter().flatten() {
            let may: Vec<_> = one["permissions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let _ =
                writeln!(text, "  {:14} {}", clean(&at(one, &["who"])), if may.is_empty() { "nothing".to_owned() } else { may.join(", ") });
        }
    }
    for file in value["files"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "\n{}\n{}", clean(&at(file, &["path"])), clean_lines(&at(file, &["text"])).trim_end());
    }
    if !mistakes(value).is_empty() {
        let _ = writeln!(text, "\nThese have mistakes; only the built-in rules count until they are mended:\n{}", mistakes(value));
    }
    text.trim_end().to_owned()
}
