//! Gated projects: only the devices that are the gates move the default branch. What would move it elsewhere is refused here; merges go
//! to a gate (`remote/merge.rs`). Of three gates none moves it alone.

use crate::org::Org;
use domain::{Did, Kind, Problem, project::Project};

/// Refuses what moves the default branch other than by a merge, where another device is the project's gate, or several must sign.
///
/// # Errors
/// On every device but the only gate.
pub(crate) fn here(org: &Org, project: &Project) -> Result<(), Problem> {
    if project.gates_needed() > 1 {
        let what = format!("The project is gated: only merges move its default branch, and two of {} sign them.", names(org, project)?);
        return Err(refused(what, "Open a patch."));
    }
    if is_other(org, project) {
        let what = format!("The project is gated: only {} moves its default branch.", names(org, project)?);
        return Err(refused(what, "Do it there, or open a patch."));
    }
    Ok(())
}

/// Refuses what a delegate may do alone, where other devices are the project's gates.
///
/// # Errors
/// On every device but the gates.
pub(crate) fn signs(org: &Org, project: &Project) -> Result<(), Problem> {
    if is_other(org, project) {
        return Err(refused(format!("The project is gated: only {} signs this for it.", names(org, project)?), "Do it there."));
    }
    Ok(())
}

/// Refuses what delegates must agree on, where other devices are the project's gates, or there are several.
///
/// # Errors
/// On every device but the only gate.
pub(crate) fn alone(org: &Org, project: &Project) -> Result<(), Problem> {
    if project.gates_needed() > 1 {
        let what = format!("The project is gated: two of {} must sign this for it.", names(org, project)?);
        return Err(Problem::new(Kind::Forbidden, what)
            .because("Gates sign merges, and what the org's files say.")
            .next("Open the project, do it, and gate the project again: meshwork project gate --open."));
    }
    signs(org, project)
}

/// Refuses to bring a mirror up to date, where another device is the project's gate, or the first of several.
///
/// # Errors
/// On every device but that one.
pub(crate) fn mirrors(org: &Org, project: &Project) -> Result<(), Problem> {
    match project.gate() {
        Some(gate) if *gate != org.device => {
            Err(refused(format!("The project is gated: only {} keeps its mirror.", name(org, gate)?), "Do it there."))
        }
        _ => Ok(()),
    }
}

fn is_other(org: &Org, project: &Project) -> bool {
    !project.gates.is_empty() && !project.is_gate(&org.device)
}

fn refused(what: String, next: &str) -> Problem {
    Problem::new(Kind::Forbidden, what).next(next)
}

/// How people call the gates of a project.
fn names(org: &Org, project: &Project) -> Result<String, Problem> {
    let names = project.gates.iter().map(|gate| name(org, gate)).collect::<Result<Vec<_>, _>>()?;
    Ok(names.join(", "))
}

/// How people call a gate.
///
/// # Errors
/// When the org repository cannot be read.
pub(crate) fn name(org: &Org, gate: &Did) -> Result<String, Problem> {
    Ok(org.state()?.device_of(gate).map_or_else(|| gate.to_string(), |device| device.name.clone()))
}
