//! The next step of a turn: the tool of this very engine that carries a directive out, or the last words.

use super::{
    directive::Directive,
    request::{Asked, Tool},
};
use serde_json::{Map, Value, json};

/// What the model answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Words, which end the turn.
    Text {
        /// Which.
        text: String,
    },
    /// A call of a tool.
    Call {
        /// Which tool.
        tool: Tool,
        /// Its input: an object, or a string for tools that take free text.
        input: Value,
    },
}

/// Decides by how many tool results came since the user's last words.
pub(super) fn decide(asked: &Asked, directives: &[Directive], cwd: &str) -> Answer {
    let steps: Vec<_> = directives.iter().filter(|directive| directive.is_step()).collect();
    // Engines ask for titles and summaries on the side, without tools: those get words at once.
    let step = steps.get(asked.results).filter(|_| !asked.tools.is_empty());
    let Some(step) = step else { return Answer::Text { text: last_words(asked, directives) } };
    if let Directive::Call { name, input } = step {
        let tool = Tool { name: name.clone(), namespace: None, free_text: false, schema: Value::Null };
        return Answer::Call { tool, input: input.iter().map(|(name, text)| (name.clone(), json!(text))).collect::<Map<_, _>>().into() };
    }
    match call(asked, step, asked.cwd.as_deref().unwrap_or(cwd)) {
        Some((tool, input)) => Answer::Call { tool: tool.clone(), input: only_known(tool, input) },
        None => {
            let names: Vec<_> = asked.tools.iter().map(|tool| tool.name.as_str()).collect();
            Answer::Text { text: format!("NO TOOL for {step:?} among {}", names.join(", ")) }
        }
    }
}

fn last_words(asked: &Asked, directives: &[Directive]) -> String {
    let said = directives.iter().find_map(|directive| match directive {
        Directive::Say { text } => Some(text.clone()),
        _ => None,
    });
    said.unwrap_or_else(|| format!("All done: the scripted model finished after {} tool result(s).", asked.results))
}

fn call<'a>(asked: &'a Asked, step: &Directive, cwd: &str) -> Option<(&'a Tool, Value)> {
    if let Some(exec) = asked.tools.iter().find(|tool| tool.name == "exec" && tool.free_text) {
        return Some((exec, Value::String(script(step)?)));
    }
    match step {
        Directive::Write { file, text } => write(asked, file, text, cwd),
        Directive::Shell { command } => shell(asked, command),
        Directive::Plan => plan(asked),
        Directive::Mcp { name } => {
            let tool = asked.tools.iter().find(|tool| match &tool.namespace {
                Some(namespace) => format!("{namespace}{}", tool.name).contains(name.as_str()),
                None => tool.name.contains(name.as_str()),
            })?;
            Some((tool, filled(tool)))
        }
        _ => None,
    }
}

/// Codex's "code mode" has a single tool that runs JavaScript, from which the others are called.
fn script(step: &Directive) -> Option<String> {
    Some(match step {
        Directive::Write { file, text } => format!("text(await tools.apply_patch({}))", json!(patch(file, text))),
        Directive::Shell { command } => format!("text(await tools.exec_command({}))", json!({"cmd": command})),
        Directive::Plan => format!(
            "text(await tools.update_plan({}))",
            json!({"plan": [{"step": "make the file", "status": "in_progress"}, {"step": "report", "status": "pending"}]})
        ),
        Directive::Mcp { name } => format!(
            "const found = ALL_TOOLS.find(tool => tool.name.includes({})); text(found ? await tools[found.name]({{query: 'plan'}}) : 'no such tool')",
            json!(name)
        ),
        _ => return None,
    })
}

fn write<'a>(asked: &'a Asked, file: &str, text: &str, cwd: &str) -> Option<(&'a Tool, Value)> {
    let path = if file.starts_with('/') { file.to_owned() } else { format!("{cwd}/{file}") };
    let names = ["apply_patch", "create", "write", "Write", "write_file", "str_replace_editor"];
    let Some(tool) = asked.tool(&names) else {
        return shell(asked, &format!("printf %s {} > {}", quoted(text), quoted(file)));
    };
    let patch = patch(file, text);
    let input = match tool.name.as_str() {
        "apply_patch" if tool.free_text => Value::String(patch),
        "apply_patch" => json!({"input": patch, "patchText": patch, "patch": patch}),
        "str_replace_editor" => json!({"command": "create", "path": path, "file_text": text}),
        _ => json!({"path": path, "file_path": path, "filePath": path, "file_text": text, "content": text}),
    };
    Some((tool, input))
}

fn shell<'a>(asked: &'a Asked, command: &str) -> Option<(&'a Tool, Value)> {
    let tool = asked.tool(&["exec_command", "shell_command", "shell", "bash", "Bash", "run_shell_command"])?;
    let input = match tool.name.as_str() {
        "shell" => json!({"command": ["bash", "-c", command]}),
        _ => json!({"cmd": command, "command": command, "description": "A step of the script."}),
    };
    Some((tool, input))
}

fn plan(asked: &Asked) -> Option<(&Tool, Value)> {
    let tool = asked.tool(&["update_plan", "todowrite", "TodoWrite", "update_todo", "write_todos"])?;
    let steps = [("make the file", "in_progress"), ("report", "pending")];
    let each = |step: &dyn Fn(&str, &str) -> Value| Value::Array(steps.iter().map(|(text, status)| step(text, status)).collect());
    // Engines refuse fields that they do not know.
    let input = match tool.name.as_str() {
        "update_plan" => json!({"plan": each(&|text, status| json!({"step": text, "status": status}))}),
        "TodoWrite" => json!({"todos": each(&|text, status| json!({"content": text, "activeForm": text, "status": status}))}),
        "todowrite" => json!({"todos": each(&|text, status| json!({"content": text, "status": status, "priority": "high"}))}),
        "write_todos" => json!({"todos": each(&|text, status| json!({"description": text, "status": status}))}),
        _ => json!({"todos": "- [ ] make the file\n- [ ] report"}),
    };
    Some((tool, input))
}

fn patch(file: &str, text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("+{line}\n")).collect();
    format!("*** Begin Patch\n*** Add File: {file}\n{lines}*** End Patch\n")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Every required text parameter gets some words.
fn filled(tool: &Tool) -> Value {
    let required = tool.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let texts = required.filter(|name| tool.schema["properties"][*name]["type"] == "string");
    let mut input: Map<_, _> = texts.map(|name| (name.to_owned(), json!("what is the plan?"))).collect();
    if tool.parameters().contains(&"query") {
        input.insert("query".into(), json!("what is the plan?"));
    }
    Value::Object(input)
}

/// Engines refuse parameters that their tools do not have.
fn only_known(tool: &Tool, input: Value) -> Value {
    let known = tool.parameters();
    match input {
        Value::Object(fields) if !known.is_empty() => {
            Value::Object(fields.into_iter().filter(|(name, _)| known.contains(&name.as_str())).collect())
        }
        other => other,
    }
}
