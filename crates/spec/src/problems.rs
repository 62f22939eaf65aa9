//! What is wrong with a feature's files, one sentence each, with file and line.

use crate::{
    depend::Edge,
    document::Document,
    limits::{LINES_NAMED_MAX, PROBLEMS_MAX},
};
use domain::{
    TaskId,
    task::{Task, cycle},
};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is wrong with a `tasks.md` at `path`.
pub(crate) fn of(path: &str, document: &Document, edges: &[Edge], tasks: &[Task]) -> Vec<String> {
    let mut told = Vec::new();
    if document.items.is_empty() {
        told.push(format!("{path} has no tasks; let Spec-Kit write them (`speckit-tasks`), or add one with `meshwork task add`."));
    }
    if let Some(line) = document.lines.not_utf8 {
        told.push(format!("{path}:{line} is not UTF-8; it is read as well as possible and kept as it is."));
    }
    told.extend(document.lines.complaints.iter().map(|(line, what)| format!("{path}:{line} {what}.")));
    told.extend(doubles(path, document));
    told.extend(marks(path, document));
    told.extend(no_ids(path, document));
    told.extend(unknown(path, document, edges));
    told.extend(circles(path, tasks));
    cut(told)
}

/// Keeps a bounded number, and says how many more there are.
fn cut(mut told: Vec<String>) -> Vec<String> {
    if told.len() > PROBLEMS_MAX {
        let more = told.len() - PROBLEMS_MAX;
        told.truncate(PROBLEMS_MAX);
        told.push(format!("There are {more} more problems."));
    }
    told
}

fn doubles(path: &str, document: &Document) -> Vec<String> {
    let mut lines: BTreeMap<&TaskId, Vec<usize>> = BTreeMap::new();
    for item in &document.items {
        lines.entry(&item.head.id).or_default().push(item.at + 1);
    }
    lines
        .into_iter()
        .filter(|(_, lines)| lines.len() > 1)
        .map(|(id, lines)| format!("{path}:{} has the task {id} more than once ({}); give each its own id.", lines[0], named(&lines)))
        .collect()
}

fn marks(path: &str, document: &Document) -> Vec<String> {
    let odd = document.items.iter().filter(|item| !item.mark.done() && !item.mark.open());
    odd.map(|item| {
        let (id, sign) = (&item.head.id, item.mark.sign);
        format!("{path}:{} marks {id} with “{sign}”, which is neither open nor done; it counts as open.", item.at + 1)
    })
    .collect()
}

fn no_ids(path: &str, document: &Document) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(first) = document.boxes_only.first() {
        told.push(match document.boxes_only.len() {
            1 => format!("{path}:{first} has a box but no task id as T012; it is left as it is."),
            count => format!(
                "{path}:{first} and other lines have a box but no task id as T012 ({count}: {}); they are left as they are.",
                named(&document.boxes_only)
            ),
        });
    }
    let known: BTreeSet<&TaskId> = document.items.iter().map(|item| &item.head.id).collect();
    // A list item that names a task which stands elsewhere is a remark about it.
    for (line, id) in document.ids_only.iter().filter(|(_, id)| !known.contains(id)) {
        told.push(format!("{path}:{line} looks like the task {id} but has no box “[ ]”; it is left as it is."));
    }
    for (line, id) in &document.no_bullets {
        told.push(format!("{path}:{line} looks like the task {id} but does not begin with “- ” before its box; it is left as it is."));
    }
    told
}

fn unknown(path: &str, document: &Document, edges: &[Edge]) -> Vec<String> {
    let known: BTreeSet<&TaskId> = document.items.iter().map(|item| &item.head.id).collect();
    let mut told = BTreeMap::new();
    for edge in edges {
        if !known.contains(&edge.task) {
            let said = format!("{path}:{} says what {} waits for, but there is no such task.", edge.line, edge.task);
            told.entry((edge.line, &edge.task)).or_insert(said);
        }
        if !known.contains(&edge.needs) {
            let said = format!("{path}:{} makes {} wait for {}, but there is no such task.", edge.line, edge.task, edge.needs);
            told.entry((edge.line, &edge.needs)).or_insert(said);
        }
    }
    told.into_values().collect()
}

/// Every circle once: found, told, and taken apart to find the next.
fn circles(path: &str, tasks: &[Task]) -> Vec<String> {
    let mut told = Vec::new();
    let mut rest = tasks.to_vec();
    for task in &mut rest {
        if task.depends_on.contains(&task.id) {
            told.push(format!("{path}:{} makes {} depend on itself.", task.line, task.id));
            let own = task.id.clone();
            task.depends_on.retain(|id| *id != own);
        }
    }
    while let Some(circle) = cycle(&rest) {
        let chain = circle.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ");
        let line = rest.iter().find(|t| circle.contains(&t.id)).map_or(1, |t| t.line);
        told.push(format!("{path}:{line} has tasks that wait for each other in a circle: {chain}."));
        let circle: BTreeSet<TaskId> = circle.into_iter().collect();
        for task in rest.iter_mut().filter(|t| circle.contains(&t.id)) {
            task.depends_on.retain(|id| !circle.contains(id));
        }
        if told.len() > PROBLEMS_MAX {
            break;
        }
    }
    told
}

/// “lines 3, 5 and 2 more”.
fn named(lines: &[usize]) -> String {
    let shown: Vec<String> = lines.iter().take(LINES_NAMED_MAX).map(ToString::to_string).collect();
    let more = lines.len().saturating_sub(LINES_NAMED_MAX);
    let word = if lines.len() == 1 { "line" } else { "lines" };
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{word} {}{tail}", shown.join(", "))
}
