//! Gated projects: only the devices that are the gates move the default branch. What would move it elsewhere is refused here; merges go
//! to a gate (`remote/merge.rs`). Of three gates none moves it alone. And of a project that is not gated: whether it can be merged at all.

use crate::org::Org;
use domain::{Did, Kind, Problem, ProjectName, patch::Patch, project::Project};
use forge::OrgState;

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
fn signs(org: &Org, project: &Project) -> Result<(), Problem> {
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

/// Refuses to sign a merge where no key of this device is a delegate of a project that is not gated, and names the devices that can.
///
/// # Errors
/// Then, or when the repository cannot be read.
pub(crate) fn merges_here(org: &Org, project: &Project) -> Result<(), Problem> {
    if !project.gates.is_empty() {
        return Ok(());
    }
    let delegates = org.forge.delegates(&project.rid)?;
    if has_one(org, &delegates) {
        return Ok(());
    }
    Err(elsewhere(&project.name, &with_key(&org.state()?, &delegates)))
}

/// Refuses to close a patch, or to open it again, where Radicle does not heed any key of this device, and names the devices that can.
///
/// # Errors
/// Then, or when the repository cannot be read.
pub(crate) fn decides_here(org: &Org, project: &Project, patch: &Patch) -> Result<(), Problem> {
    if patch.author == org.member {
        return Ok(());
    }
    signs(org, project)?;
    let mut heeded = org.forge.delegates(&project.rid)?;
    if has_one(org, &heeded) {
        return Ok(());
    }
    heeded.push(patch.author.clone());
    Err(undecided(patch, &with_key(&org.state()?, &heeded)))
}

fn undecided(patch: &Patch, able: &[String]) -> Problem {
    let next = match able {
        [] => "No device of the org has such a key: ask a delegate to make a member one: rad id update --delegate.".to_owned(),
        able => format!("Ask there for it: {}.", able.join(", ")),
    };
    Problem::new(Kind::Forbidden, format!("Patch {} is neither closed nor opened again from this device.", patch.id))
        .because("Only its author and the delegates of its repository may do that, and none of them has their key here.")
        .next(next)
}

/// Whether one of these keys is this device's, or its member's here.
fn has_one(org: &Org, keys: &[Did]) -> bool {
    keys.contains(&org.member) || keys.contains(&org.device)
}

/// The devices on which one of these keys lives, as people call them, each with its id and its owner.
fn with_key(state: &OrgState, wanted: &[Did]) -> Vec<String> {
    let keys: Vec<_> = state.members.values().flat_map(|member| &member.keys).collect();
    let signs = |device: &Did| wanted.contains(device) || keys.iter().any(|key| key.device == *device && wanted.contains(&key.did));
    let able = state.devices.values().filter(|device| signs(&device.did));
    able.map(|device| format!("{} of {} ({})", device.name, device.owner, device.did)).collect()
}

fn elsewhere(name: &ProjectName, able: &[String]) -> Problem {
    let why = "It is not gated, so that only a device on which a delegate of its repository has their key can merge.";
    let gate = "or let an owner gate the project, so that it is merged from every device: meshwork project gate.";
    let next = match able {
        [] => "No device of the org is one: ask a delegate to make a member one: rad id update --delegate.".to_owned(),
        [one] => format!("Merge it on {one}, {gate}"),
        several => format!("Merge it on one of these: {}; {gate}", several.join(", ")),
    };
    Problem::new(Kind::Forbidden, format!("Patches of {name} are not merged from this device.")).because(why).next(next)
}

/// Why nothing is merged in a project: it is not gated, and some of its delegates can move its default branch without the others. None: its
/// delegates cannot do so.
///
/// # Errors
/// When the repository cannot be read.
pub(crate) fn divided(org: &Org, project: &Project) -> Result<Option<Problem>, Problem> {
    if !project.gates.is_empty() {
        return Ok(None);
    }
    Ok(part(&project.name, org.forge.delegates(&project.rid)?.len(), org.forge.threshold(&project.rid)?))
}

/// The same of so many delegates, of whom so many must sign: only of more than half any two sets have one in common.
fn part(name: &ProjectName, delegates: usize, needed: usize) -> Option<Problem> {
    if needed > delegates / 2 {
        return None;
    }
    let what =
        format!("Nothing is merged in {name}: {needed} of its {delegates} delegates can move its default branch without the others.");
    Some(
        Problem::conflict(what)
            .because("Where they cannot hear of each other, each could accept another patch of one task, and the branch would part.")
            .next(
                "An owner gates it: meshwork project gate. Or its delegates leave one of them, or have more than half sign: rad id update \
                 --rescind, --threshold.",
            ),
    )
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{did, member, patch, state};
    use domain::{org::Device, role::Role};

    #[test]
    fn where_a_project_is_not_merged_it_is_said_which_devices_can() {
        let mut crew = state();
        crew.members.extend([member("ada", Role::Owner, &['d', 'e']), member("bob", Role::Developer, &['f'])]);
        let devices = [("desk", 'd', "ada"), ("lap", 'e', "ada"), ("box", 'f', "bob")];
        crew.devices.extend(devices.map(|(name, letter, owner)| (name.to_owned(), Device::new(name, did(letter), owner))));
        let said = |delegates: &[char]| {
            let delegates: Vec<_> = delegates.iter().map(|letter| did(*letter)).collect();
            elsewhere(&"demo".parse().unwrap(), &with_key(&crew, &delegates)).to_string()
        };
        let one = said(&['D']);
        assert!(one.contains(&format!("Merge it on desk of ada ({})", did('d'))) && !one.contains("lap") && !one.contains("box"), "{one}");
        // A member's key on one device, and another device by itself.
        let two = said(&['D', 'f']);
        assert!(two.contains("desk of ada") && two.contains("box of bob") && !two.contains("lap"), "{two}");
        assert!(said(&['Z']).contains("No device of the org"));
    }

    #[test]
    fn where_a_patch_is_not_closed_it_is_said_who_may_and_where() {
        let mut crew = state();
        crew.members.extend([member("ada", Role::Owner, &['d'])]);
        crew.devices.insert("desk".to_owned(), Device::new("desk".to_owned(), did('d'), "ada"));
        let (one, able) = (patch(&did('r'), vec![], vec![]), with_key(&crew, &[did('D'), did('r')]));
        let told = undecided(&one, &able);
        assert_eq!(told.kind, Kind::Forbidden);
        assert!(told.to_string().contains(&format!("Ask there for it: desk of ada ({})", did('d'))), "{told}");
        assert!(undecided(&one, &with_key(&crew, &[did('r')])).to_string().contains("No device of the org"));
    }

    #[test]
    fn nothing_is_merged_where_delegates_can_move_the_branch_without_each_other() {
        let parts = |delegates, needed| part(&"demo".parse().unwrap(), delegates, needed);
        for (delegates, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            assert_eq!(parts(delegates, needed), None, "{needed} of {delegates}");
        }
        for (delegates, needed) in [(2, 1), (3, 1), (4, 2), (5, 2)] {
            let said = parts(delegates, needed).map(|problem| problem.to_string()).unwrap_or_default();
            assert!(said.contains(&format!("{needed} of its {delegates} delegates")), "{said}");
            assert!(said.contains("meshwork project gate"), "{said}");
        }
    }
}
