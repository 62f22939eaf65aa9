//! Gated projects: only the device that is the gate moves the default branch. What would move it elsewhere is refused here; merges go
//! to the gate (`remote/merge.rs`).

use crate::org::Org;
use domain::{Did, Kind, Problem, project::Project};

/// Refuses what moves the default branch, where another device is the project's gate.
///
/// # Errors
/// On every device but the gate.
pub(crate) fn here(org: &Org, project: &Project) -> Result<(), Problem> {
    let moves = |gate: &str| format!("The project is gated: only {gate} moves its default branch.");
    refuse(org, project, moves, "Do it there, or open a patch.")
}

/// Refuses what only a delegate may do, where another device is the project's gate.
///
/// # Errors
/// On every device but the gate.
pub(crate) fn signs(org: &Org, project: &Project) -> Result<(), Problem> {
    refuse(org, project, |gate| format!("The project is gated: only {gate} signs this for it."), "Do it there.")
}

fn refuse(org: &Org, project: &Project, what: impl FnOnce(&str) -> String, next: &str) -> Result<(), Problem> {
    match project.gate() {
        Some(gate) if *gate != org.device => Err(Problem::new(Kind::Forbidden, what(&name(org, gate)?)).next(next)),
        _ => Ok(()),
    }
}

/// How people call a gate.
///
/// # Errors
/// When the org repository cannot be read.
pub(crate) fn name(org: &Org, gate: &Did) -> Result<String, Problem> {
    Ok(org.state()?.device_of(gate).map_or_else(|| gate.to_string(), |device| device.name.clone()))
}
