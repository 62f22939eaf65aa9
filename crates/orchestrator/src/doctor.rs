//! What Meshwork needs of this machine, whether it is there, and how to mend it.

use crate::{data_dir::DataDir, lending, lifecycle, org::Org, remote, tailnet};
use domain::{Did, Problem, event::kind, run::Run};
use sandbox::Finding;
use std::{path::Path, process::Command};

/// Looks at everything.
pub fn look(data: &Path) -> Vec<Finding> {
    let mut found = sandbox::doctor(data);
    found.push(program("git", &["--version"], true, "Install it: apt-get install git."));
    found.push(program(
        "node",
        &["--version"],
        false,
        "Coding engines need Node 20 or newer; replays and plain commands do not: apt-get install nodejs npm.",
    ));
    found.push(program("npm", &["--version"], false, "`meshwork engine install` needs it: apt-get install npm."));
    found.push(match spec::specify::Specify::find() {
        Ok(found) => good("specify", found.program().display().to_string()),
        Err(problem) => Finding {
            what: "specify".into(),
            ok: true,
            detail: format!("not found; only `specify init` needs it. {problem}"),
            next: problem.next,
        },
    });
    found.push(lending::look_at(data));
    // A folder that is not there yet is not made by looking.
    let own = data.join("version").exists().then(|| DataDir::open(data).ok()).flatten();
    if own.is_some_and(|data| data.apart().iter().any(|org| data.org(org).has_own_tailscaled())) {
        found.push(tailnet::own_finding());
    }
    found
}

/// What is kept of runs: checkpoints until their work is published, and folders with files that are in no commit.
///
/// # Errors
/// When it cannot be read.
pub fn kept(org: &Org) -> Result<Finding, Problem> {
    let (mut checkpoints, mut going) = (0, vec![]);
    for project in org.state()?.projects.into_values() {
        for id in org.forge.checkpointed(&project.rid)? {
            checkpoints += 1;
            going.extend(org.store.get::<Run>(kind::RUN, id.as_str())?.and_then(|run| run.goes));
        }
    }
    let folders = lifecycle::kept::list(org);
    let mib = folders.iter().map(|f| f.bytes).sum::<u64>() >> 20;
    let mut detail = format!("{checkpoints} checkpoints, and {} folders of runs with {mib} MiB", folders.len());
    let mut next = vec![];
    if !folders.is_empty() {
        next.push("meshwork run kept lists the folders; meshwork run drop removes one.");
    }
    if let Some(first) = going.iter().min() {
        let (count, first) = (domain::counted(going.len() as u64, "checkpoint"), first.minute());
        detail.push_str(&format!("; {count} of guests will be removed, from {first} on, unless brought away"));
        next.push("meshwork lend --saved-days N --saved-gib N says for how long, and how much is kept of guests.");
    }
    let next = (!next.is_empty()).then(|| next.join(" "));
    Ok(Finding { what: "kept work".into(), ok: true, detail, next })
}

/// Devices that are kept out because their version and this one's do not work together: a finding for each.
///
/// # Errors
/// When the org cannot be read.
pub fn versions(org: &Org) -> Result<Vec<Finding>, Problem> {
    let apart = remote::all_apart(org);
    if apart.is_empty() {
        return Ok(vec![]);
    }
    let state = org.state()?;
    let name = |did: &Did| state.device_of(did).map_or_else(|| did.to_string(), |device| device.name.clone());
    let finding = |(did, why): (Did, Problem)| {
        let detail = format!("with {}: {}", name(&did), why.what);
        Finding { what: "versions".into(), ok: false, detail, next: why.next }
    };
    Ok(apart.into_iter().map(finding).collect())
}

/// The copies of other devices' journals that stand because something was kept out of them.
pub fn journals(org: &Org) -> Vec<Finding> {
    let finding = |copied: std::sync::Arc<crate::remote::Copied>| {
        let (why, device) = (copied.standing().why?, copied.journal.device());
        let next = format!(
            "Look at that device: meshwork journal verify there, and meshwork journal copies here. Once it is mended and the copy still \
             stands: stop meshwork up, remove {}, and start it; the journal is copied anew.",
            org.dir.journals().join(device.as_str()).display()
        );
        Some(Finding { what: format!("journal of {device}"), ok: false, detail: why, next: Some(next) })
    };
    org.journals.all().into_iter().filter_map(finding).collect()
}

fn good(what: &str, detail: String) -> Finding {
    Finding { what: what.into(), ok: true, detail, next: None }
}

fn program(name: &str, args: &[&str], needed: bool, next: &str) -> Finding {
    let output = Command::new(name).args(args).output();
    match output {
        Ok(output) if output.status.success() => good(name, String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        _ => Finding { what: name.into(), ok: !needed, detail: "not found".into(), next: Some(next.into()) },
    }
}
