//! Projects, for people.

use super::{typed, typed_at};
use crate::{
    output::{at, notes},
    paint::{Sheet, Tone, cell, table, toned},
    text::{self, clean},
};
use domain::{
    Problem,
    project::{Check, MirrorState, ProjectView},
};
use serde_json::Value;

/// A list of projects.
pub(crate) fn projects(value: &Value) -> Result<String, Problem> {
    let projects: Vec<ProjectView> = typed(value)?;
    let row = |p: &ProjectView| {
        let known = |count: usize| cell(if p.head.is_some() { count.to_string() } else { String::new() });
        let features = match (&p.head, &p.problem) {
            (Some(_), _) => known(p.features),
            (None, Some(_)) => toned(Tone::Bad, "cannot be read"),
            (None, None) => toned(Tone::Waits, "not here yet"),
        };
        vec![
            cell(p.project.name.as_str()),
            cell(clean(&p.project.branch)),
            features,
            known(p.open_tasks),
            known(p.done_tasks),
            cell(p.project.rid.as_str()),
        ]
    };
    let rows: Vec<_> = projects.iter().map(row).collect();
    let why = |p: &ProjectView| match (&p.problem, &p.absent) {
        (Some(mistake), _) if p.head.is_some() => Some(format!("\n{}: {}", p.project.name, clean(mistake))),
        (Some(problem), _) => Some(format!("\n{} cannot be read. {}", p.project.name, clean(problem))),
        (None, absent) => Some(format!("\n{} is not here yet. {}", p.project.name, clean(absent.as_ref()?))),
    };
    let whys = projects.iter().filter_map(why);
    Ok(match rows.is_empty() {
        true => "There is no project yet: meshwork project add <folder>.".into(),
        false => table(&["PROJECT", "BRANCH", "FEATURES", "OPEN", "DONE", "REPOSITORY"], &rows) + &whys.collect::<String>(),
    })
}

/// Below a list of tasks or patches of all projects: which of them it leaves out, for they are not on this device yet, or cannot be read;
/// and of which no tasks can be listed, for their settings are not in order.
pub(crate) fn left_out(projects: &[ProjectView]) -> String {
    let away = projects.iter().filter(|p| p.head.is_none() && p.problem.is_none());
    let names: Vec<&str> = away.map(|p| p.project.name.as_str()).collect();
    let away = (!names.is_empty()).then(|| format!("\nnote: Not on this device yet, and so not listed: {}.", names.join(", ")));
    let unread = |p: &ProjectView| {
        let (name, problem) = (&p.project.name, clean(p.problem.as_ref()?));
        Some(match p.head {
            Some(_) => format!("\nnote: The tasks of {name} cannot be listed. {problem}"),
            None => format!("\nnote: {name} cannot be read whole. {problem}"),
        })
    };
    away.into_iter().chain(projects.iter().filter_map(unread)).collect()
}

/// One project.
pub(crate) fn project(value: &Value) -> Result<String, Problem> {
    let (project, head) = (typed_at::<domain::project::Project>(value, "project")?, at(value, &["head"]));
    let checks: Vec<Check> = typed_at(value, "checks")?;
    let features = value["features"].as_array().cloned().unwrap_or_default();
    let feature = |f: &Value| {
        let (done, all) = (f["done"].as_u64().unwrap_or(0), f["tasks"].as_u64().unwrap_or(0));
        let tone = if done == all { Tone::Good } else { Tone::Plain };
        vec![cell(clean(&at(f, &["id"]))), toned(tone, format!("{done} of {all}")), cell(clean(&at(f, &["title"])))]
    };
    let wrong = features.iter().flat_map(|f| {
        let id = clean(&at(f, &["id"]));
        f["problems"].as_array().into_iter().flatten().map(move |p| format!("{id}: {}", clean(&at(p, &[])))).collect::<Vec<_>>()
    });
    let check = |c: &Check| vec![cell(clean(&c.name)), cell(text::span(c.timeout_s * 1000)), cell(clean(&c.command))];
    let state: Option<MirrorState> = typed_at(value, "mirror")?;
    let reached = state.and_then(|s| s.commit.map(|c| format!(" at {}, {}", text::oid(c.as_str()), text::ago(s.at, text::now()))));
    let mirror = project.mirror.as_deref().map(|m| clean(m) + &reached.unwrap_or_default()).unwrap_or_default();
    let gate = &value["gate"];
    let devices: Vec<String> = gate["devices"].as_array().into_iter().flatten().map(|one| clean(&at(one, &["device"]))).collect();
    let gate = match (devices.as_slice(), gate["in_force"].as_bool()) {
        ([], _) => String::new(),
        ([one], Some(true)) => format!("only {one} moves the branch"),
        (all, Some(true)) => format!("only two of {} together move the branch", all.join(", ")),
        (all, _) => format!("{}, not in force yet", all.join(", ")),
    };
    let sheet = Sheet::new(format!("Project {}", project.name))
        .part("repository", project.rid.as_str())
        .part("branch", format!("{} at {}", clean(&project.branch), text::oid(&head)))
        .part("gate", gate)
        .part("mirror", mirror)
        .section("Features", table(&["FEATURE", "DONE", "TITLE"], &features.iter().map(feature).collect::<Vec<_>>()))
        .section("What is wrong with their files", wrong.collect::<Vec<_>>().join("\n"))
        .section("Checks", table(&["CHECK", "AT MOST", "COMMAND"], &checks.iter().map(check).collect::<Vec<_>>()));
    Ok(sheet.text() + &notes(&value["notices"]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_project_that_is_not_here_yet_no_numbers_are_told() {
        let rid = "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5";
        let mut view = json!({"project": {"name": "web", "rid": rid, "branch": "main"}, "features": 0, "open_tasks": 0, "done_tasks": 0});
        let away = projects(&json!([view])).unwrap();
        assert!(away.contains("not here yet") && !away.contains(" 0 "), "{away}");
        assert!(left_out(&typed::<Vec<ProjectView>>(&json!([view])).unwrap()).ends_with("so not listed: web."));
        view["absent"] = json!("From lap: It could not be fetched.");
        let why = projects(&json!([view])).unwrap();
        assert!(why.ends_with("\nweb is not here yet. From lap: It could not be fetched."), "{why}");
        view.as_object_mut().unwrap().remove("absent");
        view["problem"] = json!("The disk is gone.");
        let unread = projects(&json!([view])).unwrap();
        assert!(unread.ends_with("\nweb cannot be read. The disk is gone.") && !unread.contains("not here yet"), "{unread}");
        let left = left_out(&typed::<Vec<ProjectView>>(&json!([view])).unwrap());
        assert_eq!(left, "\nnote: web cannot be read whole. The disk is gone.");
        view.as_object_mut().unwrap().remove("problem");
        view["head"] = json!("0123456789abcdef0123456789abcdef01234567");
        view["problem"] = json!("Its settings are not in order.");
        assert!(projects(&json!([view])).unwrap().ends_with("\nweb: Its settings are not in order."));
        let left = left_out(&typed::<Vec<ProjectView>>(&json!([view])).unwrap());
        assert_eq!(left, "\nnote: The tasks of web cannot be listed. Its settings are not in order.");
        view.as_object_mut().unwrap().remove("problem");
        let here = projects(&json!([view])).unwrap();
        assert!(!here.contains("not here yet") && here.contains(" 0 "), "{here}");
        assert_eq!(left_out(&typed::<Vec<ProjectView>>(&json!([view])).unwrap()), "");
    }
}
