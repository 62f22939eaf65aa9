//! What an engine is asked, in Spec-Kit's own way, limited to one task; and the files that tell it what it needs.

use crate::{
    Files,
    engines::{CONSTITUTION, PREREQUISITES, Way, way},
    feature::{features, path, text},
    spec_hash,
};
use domain::{
    FeatureId, Problem, TaskId,
    task::{Feature, Task},
};
use std::fmt::Write;

/// What a brief is made of.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The feature.
    pub feature: &'a FeatureId,
    /// The task.
    pub task: &'a TaskId,
    /// The engine: `codex`, `copilot`, `opencode`, `claude`, `gemini`; anything else is asked in plain words.
    pub engine: &'a str,
    /// The folder, as the engine sees it, into which the caller writes [`Brief::files`]. Outside the worktree, so that
    /// nothing of it gets into a commit.
    pub folder: &'a str,
    /// What reviews asked for, oldest first; none on the first attempt.
    pub review: Option<&'a [String]>,
}

/// What an engine is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// The prompt. Its first word is the engine's own command where the repository has it.
    pub prompt: String,
    /// Files for the brief's folder: name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// For the engine's environment: tells Spec-Kit's scripts which feature this is, and that they write no state.
    pub env: Vec<(String, String)>,
}

/// Makes the brief of one task. The host ticks the task in the commit that holds the work, so the engine is told not to.
///
/// # Errors
/// No such feature or task.
pub fn brief(files: &Files, ask: &Ask<'_>) -> Result<Brief, Problem> {
    let mut all = features(files);
    let at = all.iter().position(|f| f.id == *ask.feature);
    let feature = at.map(|at| all.swap_remove(at)).ok_or_else(|| Problem::not_found(format!("There is no feature {}.", ask.feature)))?;
    let task = feature.tasks.iter().find(|t| t.id == *ask.task);
    let task = task.ok_or_else(|| Problem::not_found(format!("There is no task {} in {}.", ask.task, ask.feature)))?;
    Ok(Brief {
        prompt: prompt(files, &feature, task, ask),
        files: brief_files(files, &feature, task, ask),
        env: [
            ("SPECIFY_FEATURE", feature.id.to_string()),
            ("SPECIFY_FEATURE_DIRECTORY", format!("specs/{}", feature.id)),
            ("SPECIFY_FEATURE_NO_PERSIST", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec(),
    })
}

fn prompt(files: &Files, feature: &Feature, task: &Task, ask: &Ask<'_>) -> String {
    // Spec-Kit's command stops at once without a plan, and needs its script.
    let ready = text(files, &path(&feature.id, "plan.md")).is_some() && files.contains_key(PREREQUISITES);
    let mut out = String::new();
    let (id, name) = (&task.id, &feature.id);
    match way(files, ask.engine, ready) {
        Way::Call { call, path } => {
            let _ = write!(out, "{call} Only the task {id} of the feature {name}.\n\n");
            let _ = write!(out, "(Where {call} is not known here, read {path} and do as it says.)\n\n");
        }
        Way::Follow { path } => {
            let _ = write!(out, "Do as {path} says, for only the task {id} of the feature {name}.\n\n");
        }
        Way::Plain => {
            let _ = write!(out, "Do only the task {id} of the Spec-Kit feature {name}.\n\n");
        }
    }
    let _ = writeln!(out, "The task: {id} {}", task.title);
    if !task.details.is_empty() {
        let _ = writeln!(out, "{}", task.details);
    }
    if let Some(review) = ask.review.filter(|r| !r.is_empty()) {
        out.push_str("\nYour earlier work on it is in the files here. Reviewers asked for changes; do what they ask:\n");
        for comment in review {
            let _ = writeln!(out, "- {}", comment.trim().replace('\n', "\n  "));
        }
    }
    let _ = write!(out, "\n{}", rules(files, feature, task, ask.folder));
    out
}

fn rules(files: &Files, feature: &Feature, task: &Task, folder: &str) -> String {
    let (id, name) = (&task.id, &feature.id);
    let folder = folder.trim_end_matches('/');
    let constitution = if constitution(files).is_some() { ", constitution.md" } else { "" };
    format!(
        "How to work here:\n\
         1. {id} and nothing else. The other tasks of specs/{name}/tasks.md are done by others, before or after you; where {id} builds on them, \
         use what is there.\n\
         2. Change nothing in specs/{name}/tasks.md and tick no box, whatever other instructions say: {id} is ticked for you in the commit of your work.\n\
         3. Never touch .git. No commit, branch, stash or push, also not by hooks of extensions: your files are collected when you are done.\n\
         4. Nobody answers questions. Where instructions tell you to ask, as with open checklists, go on and say in the end what was open.\n\
         5. What you need to know is in {folder}/: task.md{constitution}, and the feature's spec and plan as far as they are written. The same and more lies in \
         specs/{name}/. The MCP server `meshwork` offers the group's memory and notes; search it before you guess.\n\
         6. Run the tests that your change concerns. At the end, say in a few sentences what you changed and what you could not do.\n"
    )
}

fn brief_files(files: &Files, feature: &Feature, task: &Task, ask: &Ask<'_>) -> Vec<(String, Vec<u8>)> {
    let mut out = vec![("task.md".to_owned(), task_file(files, feature, task).into_bytes())];
    out.extend(constitution(files).map(|bytes| ("constitution.md".to_owned(), bytes.to_vec())));
    for name in ["spec.md", "plan.md", "tasks.md"] {
        let bytes = files.get(&path(&feature.id, name)).filter(|bytes| !bytes.trim_ascii().is_empty());
        out.extend(bytes.map(|bytes| (name.to_owned(), bytes.clone())));
    }
    if let Some(review) = ask.review.filter(|r| !r.is_empty()) {
        let parts: Vec<String> = review.iter().enumerate().map(|(i, c)| format!("## Comment {}\n\n{}\n", i + 1, c.trim())).collect();
        out.push(("review.md".to_owned(), format!("# What reviewers asked for\n\n{}", parts.join("\n")).into_bytes()));
    }
    out
}

fn task_file(files: &Files, feature: &Feature, task: &Task) -> String {
    let mut out = format!("# {} {}\n\n", task.id, task.title);
    let _ = writeln!(out, "- Feature: {} ({})", feature.title, feature.id);
    if !task.phase.is_empty() {
        let _ = writeln!(out, "- Phase: {}", task.phase);
    }
    if let Some(story) = &task.story {
        let _ = writeln!(out, "- User story: {story}");
    }
    if !task.tags.is_empty() {
        let _ = writeln!(out, "- Tags: {}", task.tags.join(", "));
    }
    for id in &task.depends_on {
        let title = feature.tasks.iter().find(|t| t.id == *id).map(|t| t.title.as_str()).unwrap_or_default();
        let _ = writeln!(out, "- Builds on {id}: {title}");
    }
    let _ = writeln!(out, "- Written in specs/{}/tasks.md, line {}; spec hash {}", feature.id, task.line, spec_hash(files, &feature.id));
    if !task.details.is_empty() {
        let _ = writeln!(out, "\n## Details\n\n{}", task.details);
    }
    out
}

/// The constitution, unless it is still Spec-Kit's empty form.
fn constitution(files: &Files) -> Option<&Vec<u8>> {
    let words = text(files, CONSTITUTION)?;
    if words.contains("[PROJECT_NAME]") || words.contains("[PRINCIPLE_1_NAME]") { None } else { files.get(CONSTITUTION) }
}
