//! Where Spec-Kit puts its `implement` command for each engine, and how that is called in the engine's prompt.

use crate::Files;

/// The constitution's path.
pub(crate) const CONSTITUTION: &str = ".specify/memory/constitution.md";
/// The script that the `implement` command starts with.
pub(crate) const PREREQUISITES: &str = ".specify/scripts/bash/check-prerequisites.sh";

/// One form of the command: for which engine, where it lies, and how it is called (none where the engine cannot call it).
struct Command {
    engine: &'static str,
    path: &'static str,
    call: Option<&'static str>,
}

const fn command(engine: &'static str, path: &'static str, call: Option<&'static str>) -> Command {
    Command { engine, path, call }
}

/// As `specify init --integration …` of 1.2 writes them; behind them the places of earlier versions.
const COMMANDS: [Command; 13] = [
    command("codex", ".agents/skills/speckit-implement/SKILL.md", Some("$speckit-implement")),
    command("copilot", ".github/skills/speckit-implement/SKILL.md", Some("/speckit-implement")),
    command("opencode", ".opencode/commands/speckit.implement.md", Some("/speckit.implement")),
    command("claude", ".claude/skills/speckit-implement/SKILL.md", Some("/speckit-implement")),
    command("gemini", ".gemini/commands/speckit.implement.toml", Some("/speckit.implement")),
    command("opencode", ".opencode/command/speckit.implement.md", Some("/speckit.implement")),
    command("claude", ".claude/commands/speckit.implement.md", Some("/speckit.implement")),
    command("copilot", ".github/agents/speckit.implement.agent.md", None),
    command("copilot", ".github/prompts/speckit.implement.prompt.md", None),
    // Codex reads custom prompts from its home folder only.
    command("codex", ".codex/prompts/speckit.implement.md", None),
    command("codex", ".codex/skills/speckit-implement/SKILL.md", Some("$speckit-implement")),
    command("copilot", ".copilot/skills/speckit-implement/SKILL.md", None),
    command("gemini", ".gemini/skills/speckit-implement/SKILL.md", None),
];

/// How an engine is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its own command, which lies at `path`.
    Call { call: &'static str, path: &'static str },
    /// By following the instructions at `path`, written for another engine or one that cannot be called.
    Follow { path: &'static str },
    /// In plain words: the repository has no such command, or it could not work here.
    Plain,
}

/// All paths of commands.
pub(crate) fn all_paths() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|c| c.path)
}

/// How this engine is asked in this repository. `ready` says whether the command can get through its first step.
pub(crate) fn way(files: &Files, engine: &str, ready: bool) -> Way {
    if !ready {
        return Way::Plain;
    }
    let there = || COMMANDS.iter().filter(|c| files.contains_key(c.path));
    let own = there().find_map(|c| c.call.filter(|_| c.engine == engine).map(|call| Way::Call { call, path: c.path }));
    let follow = || there().min_by_key(|c| c.engine != engine).map(|c| Way::Follow { path: c.path });
    own.or_else(follow).unwrap_or(Way::Plain)
}
