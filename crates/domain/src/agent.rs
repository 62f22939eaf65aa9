//! Agents: a named worker of an org, its engine and its settings. Lives in the org repository as `agents/<name>.toml`.

use crate::{AgentName, CredentialName, Did, quota::Price, usage::Budget};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An agent of an org.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Its name within the org.
    pub name: AgentName,
    /// What drives it.
    pub engine: EngineChoice,
    /// The member who answers for it.
    pub answers: Did,
    /// Where its model is, unless its engine needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// What one run may cost.
    #[serde(default)]
    pub budget: Budget,
    /// Whether tool calls that its engine asks about are allowed at once, or wait for a person.
    #[serde(default)]
    pub permissions: PermissionMode,
}

/// The coding CLI that an agent drives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EngineChoice {
    /// An engine with a profile (`codex`, `copilot`, `opencode`, `claude`, `gemini`), over the Agent Client Protocol.
    Profile {
        /// The profile's name.
        name: String,
    },
    /// Any command that speaks the Agent Client Protocol on its standard input and output.
    Acp {
        /// Program and arguments, as seen in the sandbox.
        command: Vec<String>,
    },
    /// A plain shell command: a codemod, a formatter.
    Command {
        /// Given to `sh -c` in the worktree; the task's id is in `MESHWORK_TASK`, the prompt in the file `MESHWORK_PROMPT`.
        command: String,
    },
    /// Plays a recorded session: for the demo without a model key, and for tests. It says that it is a replay.
    Replay {
        /// The recording's path within the project's canonical branch; `{task}` stands for the task's id.
        recording: String,
    },
}

impl EngineChoice {
    /// The engine's name in lists.
    pub fn label(&self) -> &str {
        match self {
            Self::Profile { name } => name,
            Self::Acp { .. } => "acp",
            Self::Command { .. } => "command",
            Self::Replay { .. } => "replay",
        }
    }
}

/// Where a model is reached, and what is asked of it. The key itself is in the vault of the member's own machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The model's name as its provider says it.
    pub name: String,
    /// The provider's base address, up to and without `/chat/completions` and the like, as `https://api.openai.com/v1`.
    pub base_url: String,
    /// Which wire form it speaks.
    pub api: ModelApi,
    /// The credential in the vault that holds its key.
    pub credential: CredentialName,
    /// What it costs; where nothing is said, as the org's `quotas.toml` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// The wire form of a model provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelApi {
    /// OpenAI Responses.
    Responses,
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
    /// Google Gemini (`generateContent`).
    Gemini,
}

/// Who answers when an engine asks whether it may use a tool. Our sandbox is the boundary, so the default allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionMode {
    /// Allowed at once: the sandbox is the boundary.
    #[default]
    Sandbox,
    /// Every request waits for a person.
    Ask,
}
