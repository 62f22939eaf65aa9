//! What the command bar tells: its answers, proposals and results, as every door shows them. All texts are plain: nobody
//! reads links or marks out of them.

use domain::{AgentName, FeatureId, Problem, ProjectName, Timestamp, patch::Patch, run::Run, task::TaskView};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Who understood a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The grammar.
    Grammar,
    /// The model.
    Model,
    /// Nobody.
    Nobody,
}

/// What came of a sentence. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CommandAnswer {
    /// The conversation, for the next sentence.
    pub conversation: String,
    /// Who understood it.
    pub by: By,
    /// What was understood, in words.
    pub understood: Option<String>,
    /// The answer in words, perhaps several lines; empty where there is none.
    pub text: String,
    /// What was looked at for it.
    pub looked: Vec<Looked>,
    /// What the answer is about.
    pub items: Vec<CommandItem>,
    /// Changes that wait for a yes.
    pub proposals: Vec<Proposal>,
    /// What cannot be done, and why.
    pub problems: Vec<Problem>,
    /// Where several things fit: sentences to choose from.
    pub choices: Vec<Choice>,
    /// Where it was not understood: sentences that would be.
    pub examples: Vec<String>,
    /// Whether the model read text of repositories, logs or notes in this conversation.
    pub untrusted: bool,
}

/// A read that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Looked {
    /// The action.
    pub action: String,
    /// Its input.
    pub input: Value,
    /// In words.
    pub sentence: String,
}

/// A sentence to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Choice {
    /// The whole sentence.
    pub sentence: String,
    /// What it would be about.
    pub label: String,
}

/// A change that waits for a yes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Proposal {
    /// Its id in the conversation.
    pub id: String,
    /// The action.
    pub action: String,
    /// Its input, with nothing left open.
    pub input: Value,
    /// What it would do, in words.
    pub sentence: String,
    /// On what.
    pub effect: CommandEffect,
    /// How it could be undone, in words; none where it cannot.
    pub undo: Option<String>,
    /// Proposed by the model after it had read text of repositories, logs or notes: look twice.
    pub untrusted: bool,
    /// Until when a yes counts.
    pub until: Timestamp,
}

/// On what a change would act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommandEffect {
    /// How many.
    pub count: usize,
    /// Of what: `task`, `run`, `patch`.
    pub of: String,
    /// Which.
    pub names: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// What came of a yes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CommandResult {
    /// The proposal.
    pub proposal: String,
    /// The action.
    pub action: String,
    /// What was to be done, in words.
    pub sentence: String,
    /// Whether it was done.
    pub done: bool,
    /// What came of it, in words.
    pub text: String,
    /// Why it was not done.
    pub problem: Option<Problem>,
    /// What it is about.
    pub items: Vec<CommandItem>,
    /// The action's own output.
    pub output: Option<Value>,
    /// How it can be undone now, in words.
    pub undo: Option<String>,
}

/// What came of several.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CommandResults {
    /// In their order.
    pub results: Vec<CommandResult>,
}

/// Sorts of things that an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A run; its id is the whole id.
    Run,
    /// A task.
    Task,
    /// A patch; its id is the whole id.
    Patch,
    /// A feature.
    Feature,
    /// A project.
    Project,
    /// An agent.
    Agent,
    /// A device, by name.
    Device,
}

/// A thing that an answer is about, with what a link to it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommandItem {
    /// What it is.
    pub kind: ItemKind,
    /// Its id or name.
    pub id: String,
    /// Its project.
    pub project: Option<ProjectName>,
    /// Its feature.
    pub feature: Option<FeatureId>,
    /// What people call it.
    pub label: String,
    /// Where it stands, in a few words.
    pub detail: String,
}

/// What could come next while a sentence is written.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Completions {
    /// The best first.
    pub completions: Vec<Completion>,
    /// Things whose name or title holds the words so far.
    pub found: Vec<CommandItem>,
}

/// One completion. Positions count UTF-16 code units, as browsers do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Completion {
    /// What is replaced, from here …
    pub from: usize,
    /// … to here.
    pub to: usize,
    /// By this.
    pub insert: String,
    /// As it is shown.
    pub label: String,
    /// What it stands for.
    pub what: String,
    /// `sentence`, `word`, `task`, `feature`, `run`, `patch`, `agent`, `device`, `project`, `time`, `text`.
    pub kind: String,
}

impl CommandItem {
    pub(super) fn run(run: &Run) -> Self {
        let about = run.task.as_ref().map(|t| format!("{} of {}", t.task, t.feature)).unwrap_or_else(|| "checks".into());
        let by = run.agent.as_ref().map(|a| format!(" by {a}")).unwrap_or_default();
        // In a list each stands on one line.
        let why = run.why().filter(|_| run.state.ended()).map(|why| format!(": {}", why.replace('\n', " "))).unwrap_or_default();
        Self {
            kind: ItemKind::Run,
            id: run.id.to_string(),
            project: Some(run.project.clone()),
            feature: run.task.as_ref().map(|t| t.feature.clone()),
            label: format!("{} · {about}{by}", short_run(run)),
            detail: plain(&format!("{}{why}", state(run))),
        }
    }

    pub(super) fn task(view: &TaskView) -> Self {
        Self {
            kind: ItemKind::Task,
            id: view.at.task.to_string(),
            project: Some(view.at.project.clone()),
            feature: Some(view.at.feature.clone()),
            label: plain(&format!("{} · {}", view.at.task, domain::shown(&view.task.title))),
            detail: view.state.label().into(),
        }
    }

    pub(super) fn patch(patch: &Patch) -> Self {
        Self {
            kind: ItemKind::Patch,
            id: patch.id.to_string(),
            project: Some(patch.project.clone()),
            feature: patch.trace.as_ref().map(|t| t.task.feature.clone()),
            label: plain(&format!("{} · {}", short_patch(patch), domain::shown(&patch.title))),
            detail: format!("{:?}", patch.state).to_lowercase(),
        }
    }

    pub(super) fn named(kind: ItemKind, name: &str, detail: &str) -> Self {
        Self { kind, id: name.to_owned(), project: None, feature: None, label: plain(name), detail: plain(detail) }
    }

    pub(super) fn agent(name: &AgentName) -> Self {
        Self::named(ItemKind::Agent, name.as_str(), "agent")
    }

    pub(super) fn with_detail(mut self, detail: &str) -> Self {
        self.detail = plain(detail);
        self
    }
}

/// Where a run stands, in the word that lists have for it.
pub(super) fn state(run: &Run) -> String {
    format!("{:?}", run.stands()).to_lowercase()
}

/// The end of a run's id: what is told apart at a glance.
pub(super) fn short_run(run: &Run) -> &str {
    let id = run.id.as_str();
    &id[id.len().saturating_sub(6)..]
}

/// The beginning of a patch's id.
pub(super) fn short_patch(patch: &Patch) -> &str {
    &patch.id.as_str()[..8]
}

/// Text without what moves a cursor, turns letters around, or hides among them.
pub(super) fn plain(text: &str) -> String {
    let odd = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !odd(*c)).collect()
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => "nothing".into(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// A number with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {}", domain::plural(noun)),
        n => domain::counted(n, noun),
    }
}

/// The first letter made a capital.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
