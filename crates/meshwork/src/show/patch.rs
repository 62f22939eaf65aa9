//! Patches, for people.

use super::{Names, as_of, known_from, run, task, typed, typed_at};
use crate::{
    output::at,
    paint::{Sheet, Tone, cell, paint, table, toned},
    text::{self, ago, clean, clean_lines},
};
use domain::{
    Problem,
    gate::PatchStanding,
    patch::{Comment, Patch, PatchState, Review, Revision, Verdict},
    picture::Rival,
};
use serde_json::Value;

/// A list of patches.
pub(crate) fn patches(value: &Value, names: &Names) -> Result<String, Problem> {
    let known = |item: &Value| Ok::<_, Problem>((typed::<Patch>(item)?, typed_at::<PatchStanding>(item, "standing")?, as_of(item, names)));
    let mut patches: Vec<(Patch, PatchStanding, String)> = value.as_array().into_iter().flatten().map(known).collect::<Result<_, _>>()?;
    patches.sort_by_key(|(p, ..)| std::cmp::Reverse(p.revisions.last().map(|r| r.at)));
    let now = text::now();
    let several = patches.iter().any(|(p, ..)| p.project != patches[0].0.project);
    let row = |(p, standing, known): &(Patch, PatchStanding, String)| {
        let task = p.trace.as_ref().map(|t| t.task.task.to_string()).unwrap_or_default();
        let task = if several { format!("{} {task}", p.project) } else { task };
        let changed = p.revisions.last().map(|r| ago(r.at, now)).unwrap_or_default();
        vec![
            cell(text::oid(p.id.as_str())),
            toned(tone(*standing), standing.label()),
            cell(task),
            cell(by(p, names)),
            cell(changed),
            cell(if known.is_empty() { clean(&p.title) } else { format!("{}; {known}", clean(&p.title)) }),
        ]
    };
    let rows: Vec<_> = patches.iter().map(row).collect();
    Ok(match rows.is_empty() {
        true => "There are no such patches.".into(),
        false => table(&["PATCH", "STATE", "TASK", "BY", "CHANGED", "TITLE"], &rows),
    })
}

/// One patch.
pub(crate) fn patch(value: &Value, names: &Names) -> Result<String, Problem> {
    let patch: Patch = typed(value)?;
    let now = text::now();
    let words = |key: &str| value[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(clean).collect::<Vec<_>>();
    let files = value["files"].as_array().into_iter().flatten().map(|f| {
        let count = |key: &str, mark: &str| format!("{mark}{}", f[key]);
        vec![cell(clean(&at(f, &["path"]))), toned(Tone::Good, count("added", "+")), toned(Tone::Bad, count("removed", "-"))]
    });
    let trace = patch.trace.as_ref();
    let merge: Vec<String> = match patch.state {
        PatchState::Open => words("gate").into_iter().map(|w| names.within(&w)).collect(),
        _ => vec![],
    };
    let standing: PatchStanding = typed_at(value, "standing")?;
    let revisions: Vec<String> = patch.revisions.iter().enumerate().flat_map(|(n, r)| revision(n + 1, r, names)).collect();
    let sheet = Sheet::new(clean(&patch.title))
        .part("state", paint(tone(standing), standing.label()))
        .part("patch", patch.id.as_str())
        .part("project", patch.project.as_str())
        .part("task", trace.map(|t| t.task.to_string()).unwrap_or_default())
        .part("by", by(&patch, names))
        .part("known from", known_from(value, names)?)
        .part("run", trace.map(|t| text::run(t.run.as_str())).unwrap_or_default())
        .part("commit", format!("{} on {}", text::oid(patch.head.as_str()), text::oid(patch.base.as_str())))
        .part("merged as", patch.merged_as.as_ref().map(|o| text::oid(o.as_str())).unwrap_or_default())
        .part("not counted", unheard(&patch, names))
        .part("changed", patch.revisions.last().map(|r| ago(r.at, now)).unwrap_or_default())
        .section("Description", clean_lines(&patch.description))
        .section("Files", table(&["FILE", "CAME", "WENT"], &files.collect::<Vec<_>>()))
        .section("Look at these: they change how the project is checked and run", words("rules_changed").join("\n"))
        .section("Checks on its commit", trace.map(|t| run::checks(&t.checks)).unwrap_or_default())
        .section("Reviews", revisions.join("\n"))
        .section("Rivals: at most one of these patches is accepted", task::rivals(&typed_at::<Vec<Rival>>(value, "rivals")?, names))
        .section("Merging", merge.join("\n"))
        .section("Into a working copy it comes with", clean(value["pull"].as_str().unwrap_or_default()));
    Ok(sheet.text())
}

/// How a new commit of the default branch comes into a working copy.
pub(crate) fn into_working_copy(value: &Value) -> String {
    format!("\nInto a working copy it comes with: {}", clean(&at(value, &["pull"])))
}

/// What became of a task that was written.
pub(crate) fn written(value: &Value) -> String {
    format!("Task {} is written, in commit {}.{}", at(value, &["task"]), at(value, &["commit"]), into_working_copy(value))
}

/// What a merge did.
pub(crate) fn merged(value: &Value, names: &Names) -> String {
    match at(value, &["outcome"]).as_str() {
        "merged" => format!(
            "Merged, as commit {}. {}{}{}",
            text::oid(&at(value, &["commit"])),
            names.within(&clean(&at(value, &["gate"]))),
            superseded(value),
            into_working_copy(value)
        ),
        _ => format!(
            "It conflicts in {}. The run {} does the work anew on the present branch; merge it when that is done.",
            clean(&at(value, &["paths"])),
            text::run(&at(value, &["run"]))
        ),
    }
}

/// Which rivals were closed because this one was picked.
fn superseded(value: &Value) -> String {
    let closed: Vec<_> = value["superseded"].as_array().into_iter().flatten().filter_map(Value::as_str).map(text::oid).collect();
    if closed.is_empty() { String::new() } else { format!("\nClosed as rivals of it: {}.", closed.join(", ")) }
}

/// What was said about a revision.
fn revision(number: usize, revision: &Revision, names: &Names) -> Vec<String> {
    let now = text::now();
    let said = |c: &Comment| {
        let place = c.line.as_ref().map(|l| format!("{}:{}: ", clean(&l.path), l.line)).unwrap_or_default();
        let id = paint(Tone::Quiet, &format!("{} ", text::oid(c.id.as_str())));
        format!("    {id}{}{}", paint(Tone::Busy, &place), clean_lines(&c.words()).replace('\n', "\n    "))
    };
    let review = |r: &Review| {
        let (verdict, tone) = match r.verdict {
            Some(Verdict::Accept) => ("accepts it", Tone::Good),
            Some(Verdict::Reject) => ("asks for changes", Tone::Bad),
            _ => ("comments", Tone::Plain),
        };
        let mut lines = vec![format!("{} {} ({}, revision {number})", names.of(&r.by), paint(tone, verdict), ago(r.at, now))];
        if !r.summary.trim().is_empty() {
            lines.push(format!("    {}", clean_lines(&r.summary).replace('\n', "\n    ")));
        }
        lines.extend(r.comments.iter().map(said));
        lines
    };
    let comment = |c: &Comment| vec![format!("{} ({}, revision {number})", names.of(&c.by), ago(c.at, now)), said(c)];
    revision.reviews.iter().flat_map(review).chain(revision.comments.iter().flat_map(comment)).collect()
}

/// Whose newest words do not count.
fn unheard(patch: &Patch, names: &Names) -> String {
    let by: Vec<_> = patch.left_out.iter().map(|key| names.of(key)).collect();
    if by.is_empty() { String::new() } else { format!("what {} said last", by.join(", ")) }
}

fn by(patch: &Patch, names: &Names) -> String {
    match &patch.trace {
        Some(trace) => format!("{} for {}", trace.agent, names.of(&trace.member)),
        None => names.of(&patch.author),
    }
}

/// As the dashboard colours it.
pub(super) fn tone(standing: PatchStanding) -> Tone {
    match standing {
        PatchStanding::ToMerge | PatchStanding::Merged => Tone::Good,
        PatchStanding::ToReview | PatchStanding::ChangesRequested | PatchStanding::GateShut => Tone::Waits,
        PatchStanding::ChecksFailed => Tone::Bad,
        PatchStanding::Draft | PatchStanding::Closed => Tone::Quiet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_of_an_open_patch_says_where_it_stands() {
        assert_eq!(tone(PatchStanding::ToMerge), Tone::Good);
        assert_eq!(tone(PatchStanding::ToReview), Tone::Waits);
        assert_eq!(tone(PatchStanding::ChecksFailed), Tone::Bad);
    }
}
