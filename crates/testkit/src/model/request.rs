//! What a call asks, read alike from the three APIs: the last words of the user, the tools, and how far the turn is.

use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// The wire form of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI Responses.
    Responses,
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
}

impl Api {
    /// By the path that was called.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        [("/responses", Self::Responses), ("/chat/completions", Self::Chat), ("/messages", Self::Messages)]
            .into_iter()
            .find_map(|(end, api)| path.ends_with(end).then_some(api))
    }
}

/// A tool that the engine offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The group that it is in, where the engine groups its tools (Codex does so with MCP servers).
    pub namespace: Option<String>,
    /// Whether its input is free text rather than JSON.
    pub free_text: bool,
    /// The JSON schema of its input.
    pub schema: Value,
}

impl Tool {
    /// The names of its parameters; empty when it says nothing of them.
    pub(super) fn parameters(&self) -> Vec<&str> {
        self.schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }
}

/// A call in its essentials.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The wire form.
    pub api: Api,
    /// The model's name.
    pub model: String,
    /// Whether the answer is streamed.
    pub streaming: bool,
    /// The last words of the user, without what engines put in between in the user's name.
    pub prompt: String,
    /// How many results of tools came after them.
    pub results: usize,
    /// The last result of a tool, as text.
    pub last_result: String,
    /// All results since the user's last words.
    pub all_results: String,
    /// All texts of the call, instructions and earlier turns among them.
    pub texts: String,
    /// The tools.
    pub tools: Vec<Tool>,
    /// Where the engine says that it works.
    pub cwd: Option<String>,
}

impl Asked {
    /// Reads a body; none when it is not JSON of this form.
    pub(super) fn read(api: Api, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        body.as_object()?;
        let items = &body[if api == Api::Responses { "input" } else { "messages" }];
        let progress = progress(items);
        Some(Self {
            api,
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streaming: body["stream"].as_bool().unwrap_or_default(),
            prompt: progress.prompt,
            results: progress.results,
            last_result: progress.last_result,
            all_results: progress.all_results,
            texts: texts(&body),
            tools: tools(&body),
            cwd: cwd(&body),
        })
    }

    /// The first tool of these names, in the order of the names.
    pub(super) fn tool(&self, names: &[&str]) -> Option<&Tool> {
        names.iter().find_map(|name| self.tools.iter().find(|tool| tool.name == *name))
    }
}

#[derive(Default)]
struct Progress {
    prompt: String,
    results: usize,
    last_result: String,
    all_results: String,
}

fn progress(items: &Value) -> Progress {
    if let Some(text) = items.as_str() {
        return Progress { prompt: text.to_owned(), ..Progress::default() };
    }
    let mut progress = Progress::default();
    for item in items.as_array().into_iter().flatten() {
        if let Some(result) = result_of(item) {
            progress.results += 1;
            progress.all_results.push_str(&result);
            progress.last_result = result;
        } else if item["role"] == "user" {
            let text = text_of(&item["content"]);
            if progress.prompt.is_empty() || !is_context(&text) {
                progress = Progress { prompt: text, ..Progress::default() };
            }
        }
    }
    progress
}

/// The result of a tool, where an item is one.
fn result_of(item: &Value) -> Option<String> {
    if let Some("function_call_output" | "custom_tool_call_output" | "local_shell_call_output") = item["type"].as_str() {
        return Some(text_of(&item["output"]));
    }
    if item["role"] == "tool" {
        return Some(text_of(&item["content"]));
    }
    let parts = item["content"].as_array()?;
    let result = parts.iter().find(|part| part["type"] == "tool_result")?;
    Some(text_of(&result["content"]))
}

/// Engines put these before or between the person's words.
fn is_context(text: &str) -> bool {
    ["<environment_context>", "<system-reminder>", "<user_instructions>"].iter().any(|mark| text.trim_start().starts_with(mark))
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        Value::Object(_) => content["text"].as_str().or_else(|| content["output"].as_str()).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

fn tools(body: &Value) -> Vec<Tool> {
    let mut found = Vec::new();
    gather(&body["tools"], None, &mut found);
    // Newer Codex hands some tools over as an item of the input.
    for item in body["input"].as_array().into_iter().flatten() {
        if matches!(item["type"].as_str(), Some("additional_tools" | "tool_search_output")) {
            gather(&item["tools"], None, &mut found);
        }
    }
    found
}

fn gather(list: &Value, namespace: Option<&str>, found: &mut Vec<Tool>) {
    for tool in list.as_array().into_iter().flatten() {
        if tool["type"] == "namespace" {
            gather(&tool["tools"], tool["name"].as_str(), found);
            continue;
        }
        let nested = ["function", "custom"].iter().map(|key| &tool[*key]).find(|inner| inner.is_object());
        let inner = nested.unwrap_or(tool);
        let Some(name) = inner["name"].as_str() else { continue };
        let schema = ["parameters", "input_schema"].iter().map(|key| &inner[*key]).find(|schema| schema.is_object());
        found.push(Tool {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            free_text: tool["type"] == "custom" && !inner["input_schema"].is_object(),
            schema: schema.cloned().unwrap_or_default(),
        });
    }
}

fn texts(body: &Value) -> String {
    let mut all = String::new();
    for key in ["instructions", "system", "input", "messages"] {
        visit_texts(&body[key], &mut |text| {
            all.push_str(text);
            all.push('\n');
        });
    }
    all
}

fn cwd(body: &Value) -> Option<String> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"<cwd>([^<]+)</cwd>|(?i:working directory): *([^\s\\<]+)").ok());
    let mut last = None;
    visit_texts(body, &mut |text| {
        for found in FORM.as_ref().into_iter().flat_map(|form| form.captures_iter(text)) {
            last = found
                .get(1)
                .or_else(|| found.get(2))
                .map(|m| m.as_str().trim().to_owned())
                .filter(|path| path.starts_with('/'))
                .or(last.take());
        }
    });
    last
}

fn visit_texts(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| visit_texts(item, visit)),
        Value::Object(fields) => fields.values().for_each(|item| visit_texts(item, visit)),
        _ => {}
    }
}
