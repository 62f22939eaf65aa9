//! What Meshwork needs of this machine, whether it is there, and how to mend it.

mod open;

use crate::{clock, data_dir::DataDir, doubled, lending, lifecycle, limits, names, org::Org, remote, removed, tailnet};
use domain::{
    Did, PatchId, Problem, Rid, RunId, Timestamp,
    event::{Body, Event, kind},
    org::KeyKind,
    run::Run,
};
use forge::{OrgState, Undone};
use sandbox::Finding;
use std::{path::Path, process::Command};
use store::Order;

/// The oldest git with which the Radicle node starts.
const GIT_LEAST: (u32, u32) = (2, 34);
/// The oldest Node on which the coding engines run.
const NODE_LEAST: (u32, u32) = (20, 0);

/// Looks at everything.
pub fn look(data: &Path) -> Vec<Finding> {
    let mut found = sandbox::doctor(data);
    found.push(program("git", GIT_LEAST, true, "Install it, version 2.34 or newer: apt-get install git."));
    found.push(program(
        "node",
        NODE_LEAST,
        false,
        "Coding engines need Node 20 or newer; replays and plain commands do not: apt-get install nodejs npm.",
    ));
    found.push(program("npm", (0, 0), false, "`meshwork engine install` needs it: apt-get install npm."));
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
    found.extend(open::finding(data));
    // A folder that is not there yet is not made by looking.
    let own = data.join("version").exists().then(|| DataDir::open(data).ok()).flatten();
    if own.is_some_and(|data| data.apart().iter().any(|org| data.org(org).has_own_tailscaled())) {
        found.push(tailnet::own_finding());
    }
    found
}

/// What is kept of runs: checkpoints until their work is published, and folders with files that are in no commit; and what is amiss with
/// checkpoints that the journal names.
///
/// # Errors
/// When it cannot be read.
pub fn kept(org: &Org) -> Result<Finding, Problem> {
    let (mut checkpoints, mut going) = (0_u64, vec![]);
    for project in org.state()?.projects.into_values() {
        for id in org.forge.checkpointed(&project.rid)? {
            checkpoints += 1;
            going.extend(org.store.get::<Run>(kind::RUN, id.as_str())?.and_then(|run| run.goes));
        }
    }
    let mut folders = lifecycle::kept::list(org);
    folders.extend(lifecycle::kept::not_moved(org)?);
    let mib = folders.iter().map(|f| f.bytes).sum::<u64>() >> 20;
    let mut detail = format!(
        "{}, and {} of runs with {mib} MiB",
        domain::counted(checkpoints, "checkpoint"),
        domain::counted(folders.len() as u64, "folder")
    );
    let mut next = vec![];
    if !folders.is_empty() {
        next.push("meshwork run kept lists the folders; meshwork run drop removes one.");
    }
    if let Some(first) = going.iter().min() {
        let (count, first) = (domain::counted(going.len() as u64, "checkpoint"), first.minute());
        detail.push_str(&format!("; {count} of guests will be removed, from {first} on, unless brought away"));
        next.push("meshwork lend --saved-days N --saved-gib N says for how long, and how much is kept of guests.");
    }
    for (said, what_next) in lifecycle::amiss(org)? {
        detail.push_str(&format!("; {said}"));
        next.push(what_next);
    }
    let next = (!next.is_empty()).then(|| next.join(" "));
    Ok(Finding { what: "kept work".into(), ok: true, detail, next })
}

/// That the work of runs could not be saved at their end, as long as their files are kept aside: a finding, or none.
///
/// # Errors
/// When the journal cannot be read.
pub fn unsaved(org: &Org) -> Result<Vec<Finding>, Problem> {
    let runs = lifecycle::kept::unsaved(org)?;
    if runs.is_empty() {
        return Ok(vec![]);
    }
    let named: Vec<&str> = runs.iter().rev().take(limits::GONE_NAMED_MAX).map(RunId::as_str).collect();
    let more = if runs.len() > named.len() { ", and more" } else { "" };
    let of = domain::counted(runs.len() as u64, "run");
    let detail =
        format!("What {of} had done at the end could not be saved; the files are kept on this device: {}{more}.", named.join(", "));
    let next =
        "meshwork run show says why, and meshwork run kept where they are. Take out of them what you need; meshwork run drop removes them.";
    Ok(vec![Finding { what: "unsaved work".into(), ok: false, detail, next: Some(next.into()) }])
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

/// Devices whose clocks are far from this one's: a finding for each.
///
/// # Errors
/// When the org cannot be read.
pub fn clocks(org: &Org) -> Result<Vec<Finding>, Problem> {
    let off = remote::clocks_off(org);
    if off.is_empty() {
        return Ok(vec![]);
    }
    let state = org.state()?;
    let finding = |(did, ahead_ms): (Did, i64)| {
        let name = state.device_of(&did).map_or_else(|| did.to_string(), |device| device.name.clone());
        let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
        let detail = format!("that of {name} is {} s {side} this one", ahead_ms.unsigned_abs() / 1000);
        let next = "Set the clocks of both machines (timedatectl set-ntp true): from 2 minutes on they do not hear each other.".to_owned();
        Finding { what: "clock".into(), ok: false, detail, next: Some(next) }
    };
    Ok(off.into_iter().map(finding).collect())
}

/// That this device's disk was put back to an earlier moment, and its journal is not mended yet.
pub fn put_back(org: &Org) -> Option<Finding> {
    let (apart, unmended) = (org.journals.apart(), org.store.unmended());
    if apart.is_none() && unmended.is_none() {
        return None;
    }
    let how = apart.map(|apart| {
        let (there, here) = (domain::counted(apart.there, "event"), domain::counted(apart.here, "event"));
        let after = apart.after;
        format!(", event {after} of its journal: other devices hold {there} beyond that, which are not here, and {here} were written here")
    });
    let next = match unmended {
        Some(problem) => {
            let dir = org.store.dir();
            let (branch, mark) = (dir.join("branch"), dir.join("mend"));
            format!(
                "The last start could not mend it: {problem} Nothing is lost: what others hold was fetched, and the next start that can \
                 joins both. Where it is what was fetched that cannot be read, stop meshwork up, move {} and {} away, and start it: it is \
                 fetched anew.",
                branch.display(),
                mark.display()
            )
        }
        None => "Nothing is lost: it was fetched, and the next start of meshwork up joins both. It starts anew by itself; where it does \
                 not, stop it and start it. meshwork journal verify says afterwards what was done."
            .to_owned(),
    };
    let detail = format!("The disk of this device was put back to an earlier moment{}", how.unwrap_or_default());
    Some(Finding { what: "journal".into(), ok: false, detail, next: Some(next) })
}

/// Keys of this device whose signed refs lie apart from what another device has of them, and are not joined yet: a finding for each.
pub fn lines(org: &Org) -> Vec<Finding> {
    let state = org.remote.org();
    let finding = |((rid, key), stuck): ((Rid, Did), remote::Stuck)| {
        // One that left the org is not asked any more.
        let device = &state.device_of(&stuck.at)?.name;
        let whose = if key == org.member { "the member's key" } else { "the device's key" };
        // So is one of a project that left it.
        let place = place(org, &state, &rid)?;
        let (since, Problem { what, why, next, .. }) = (stuck.since.minute(), stuck.problem);
        let detail = format!(
            "What {whose} signs here in {place} does not follow from what {device} has of it, as where a disk or a backup was put back; it \
             is not joined since {since}: {what} {}",
            why.unwrap_or_default()
        );
        let next = next.unwrap_or_else(|| {
            format!("Nothing is lost, but others do not see what is signed here until then. It is tried again while {device} is connected.")
        });
        Some(Finding { what: "signed refs".into(), ok: false, detail: detail.trim_end().to_owned(), next: Some(next) })
    };
    org.remote.lines.stuck().into_iter().filter_map(finding).collect()
}

/// A repository in words; none: it is not the org's any more.
fn place(org: &Org, state: &OrgState, rid: &Rid) -> Option<String> {
    let project = || state.projects.values().find(|project| project.rid == *rid);
    if org.rid == *rid { Some("the org's repository".to_owned()) } else { project().map(|project| format!("the project {}", project.name)) }
}

/// Changes of the org, or on a project's default branch, that do not count since a line was joined: a finding for each line, for some days;
/// where a device or member belongs to the org again so, for as long as that is so.
///
/// # Errors
/// When the journal cannot be read.
pub fn aside(org: &Org) -> Result<Vec<Finding>, Problem> {
    let joined: Vec<Event> = org.store.list(kind::ASIDE, Order::Newest, limits::ASIDE_LINES_MAX)?;
    let (state, now) = (org.remote.org(), clock::now());
    let finding = |event: Event| {
        let Body::LineRejoined(line) = event.body else { return None };
        let (until, place) = (told_until(event.at), place(org, &state, &line.repository)?);
        let (rid, key, aside) = (&line.repository, &line.key, &line.aside);
        let of_org = *rid == org.rid;
        let undone = if of_org { org.forge.undone_removals(rid, key, aside, &state) } else { Ok(vec![]) };
        let changes = if now < until { org.forge.left_aside(rid, key, aside, limits::ASIDE_NAMED_MAX + 1) } else { Ok(vec![]) };
        let left = undone.and_then(|undone| Ok((undone, changes?)));
        let next = if of_org { changes_again(until) } else { merges_again(until) };
        not_counted(&place, event.at, next, left)
    };
    Ok(joined.into_iter().filter_map(finding).collect())
}

fn told_until(joined: Timestamp) -> Timestamp {
    joined.plus_ms(limits::ASIDE_TOLD_DAYS * 24 * 60 * 60 * 1000)
}

/// What to do about changes of the org.
fn changes_again(until: Timestamp) -> String {
    format!(
        "Look whether they are still wanted, and make these changes again, removals first. Whether others were made again cannot be seen: \
         they are told until {}, removals until they are made.",
        until.minute()
    )
}

/// What to do about changes on a project's default branch.
fn merges_again(until: Timestamp) -> String {
    format!(
        "Look whether they are still wanted, and merge them again. They are told until they are on the default branch again, or until {}.",
        until.minute()
    )
}

/// That these changes do not count: whom they removed, all of them, and what they were, of which there may be more than are named. None
/// where there are none.
fn not_counted(place: &str, since: Timestamp, next: String, left: Result<(Vec<Undone>, Vec<String>), Problem>) -> Option<Finding> {
    let (removals, named) = match left {
        Ok((undone, changes)) if undone.is_empty() && changes.is_empty() => return None,
        Ok((undone, changes)) => {
            let named: Vec<String> = changes.iter().take(limits::ASIDE_NAMED_MAX).map(|title| format!("“{title}”")).collect();
            let more = if changes.len() > named.len() { ", and more" } else { "" };
            let named =
                if named.is_empty() { String::new() } else { format!(" It is as if these had not been made: {}{more}.", named.join(", ")) };
            (belong_again(&undone), named)
        }
        Err(problem) => (String::new(), format!(" Which ones cannot be read: {} {}", problem.what, problem.why.unwrap_or_default())),
    };
    let detail = format!(
        "{removals}Changes of {place} that were made here after the disk of this device, or a backup, was put back do not count since {}: \
         others had changed it too, and theirs count.{named}",
        since.minute()
    );
    Some(Finding { what: "changes that do not count".into(), ok: false, detail: detail.trim_end().to_owned(), next: Some(next) })
}

/// Patches in which what was said here does not count any more, since two lines of some key were joined: a finding for each repository that
/// can be read. `anew`: whatever is known of that.
pub fn left_out(org: &Org, anew: bool) -> Vec<Finding> {
    let state = org.remote.org();
    let finding = |rid: &Rid| {
        if anew {
            org.remote.signed_changed(rid);
        }
        let patches = remote::left_out(org, rid);
        let patches = patches.inspect_err(|problem| tracing::debug!(%rid, %problem, "whether what was said there counts cannot be read"));
        let show = if *rid == org.rid { "meshwork org proposals" } else { "meshwork patch show ID" };
        not_heard(&place(org, &state, rid)?, show, &patches.ok()?)
    };
    let here = state.projects.values().map(|project| &project.rid).chain([&org.rid]).filter(|rid| org.forge.has(rid));
    here.filter_map(finding).collect()
}

/// That what was said in these patches does not count, which `show` lists; none where there are none.
fn not_heard(place: &str, show: &str, patches: &[PatchId]) -> Option<Finding> {
    if patches.is_empty() {
        return None;
    }
    let named: Vec<&str> = patches.iter().take(limits::ASIDE_NAMED_MAX).map(|patch| &patch.as_str()[..8]).collect();
    let more = if patches.len() > named.len() { ", and more" } else { "" };
    let what = format!(
        "{} of {place} in which what you said does not count any more: {}{more}",
        domain::counted(patches.len() as u64, "patch"),
        named.join(", ")
    );
    let detail = format!("{what}. It followed what gave way when two lines of a key were joined.");
    let next = format!("Say it again there: {show} shows what counts.");
    Some(Finding { what: "words that do not count".into(), ok: false, detail, next: Some(next) })
}

/// Whose removals do not count, each with what makes it again; nothing where there are none.
fn belong_again(undone: &[Undone]) -> String {
    let one = |undone: &Undone| {
        let (name, lost) = (domain::shown(&undone.name), if undone.lost { " --lost" } else { "" });
        let (who, device) = if undone.of == KeyKind::Device { ("the device", " --device") } else { ("the member", "") };
        let was = if undone.lost { ", removed as lost or stolen" } else { "" };
        format!("{who} {name}{was} (again: meshwork org remove {name}{device}{lost})")
    };
    let all: Vec<String> = undone.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!("Removed here, and in the org again: {}. ", all.join("; ")) }
}

/// That no guests are taken, since what the owner lends cannot be read.
fn unread_policy(org: &Org) -> Option<Finding> {
    let problem = lending::now(org).broken?;
    let detail = format!("{} {} No guests are taken.", problem.what, problem.why.unwrap_or_default());
    Some(Finding { what: "lend policy".into(), ok: false, detail, next: problem.next })
}

/// What a person has to hear of this device without asking, as the doctor tells it, who also says what to do. A part that cannot be read
/// is told as that, and hides no other.
pub fn warnings(org: &Org) -> Vec<String> {
    let found = put_back(org).into_iter().chain(or_unread("clock", clocks(org))).chain(or_unread("versions", versions(org)));
    let found = found.chain(removed::finding(org)).chain(doubled::findings(org)).chain(lines(org));
    let found = found.chain(or_unread("changes that do not count", aside(org))).chain(left_out(org, false));
    let found = found.chain(or_unread("unsaved work", unsaved(org)));
    let found = found.chain(tailnet::finding(org)).chain(tailnet::amiss(org)).chain(remote::not_here(org)).chain(unread_policy(org));
    let state = org.remote.org();
    let text = |finding: Finding| names::within(&state, &format!("{}: {}", finding.what, finding.detail));
    found.filter(|finding| !finding.ok).map(text).collect()
}

/// The copies of other devices' journals that stand: something was kept out of them, or they cannot be opened or written here.
pub fn journals(org: &Org) -> Vec<Finding> {
    let finding = |copied: std::sync::Arc<crate::remote::Copied>| {
        let (why, device) = (copied.standing().why?, copied.journal.device());
        let next = format!(
            "Look at that device: meshwork doctor and meshwork journal verify there. Where its disk was put back, it mends its journal by \
             itself once it reaches this device, and the copy goes on; leave {} where it is until then: it may hold alone what was lost \
             there. If the copy stands even so: stop meshwork up, move that folder away, and start it; the journal is copied anew.",
            org.dir.journals().join(device.as_str()).display()
        );
        Some(Finding { what: format!("journal of {}", remote::called(org, device)), ok: false, detail: why, next: Some(next) })
    };
    let failing = org.journals.failing(&org.remote.org()).into_iter().map(|(device, problem)| {
        let detail = format!("It is not copied here: {} {}", problem.what, problem.why.unwrap_or_default());
        let what = format!("journal of {}", remote::called(org, &device));
        Finding { what, ok: false, detail: detail.trim_end().to_owned(), next: problem.next }
    });
    org.journals.all().into_iter().filter_map(finding).chain(failing).collect()
}

/// What was found in a part; where that cannot be read, this as a finding.
pub(crate) fn or_unread(what: &str, found: Result<Vec<Finding>, Problem>) -> Vec<Finding> {
    found.unwrap_or_else(|problem| {
        let detail = format!("It cannot be read: {} {}", problem.what, problem.why.unwrap_or_default());
        let next = problem.next.unwrap_or_else(|| "Look after the data folder and its disk, then ask again.".into());
        vec![Finding { what: what.into(), ok: false, detail: detail.trim_end().to_owned(), next: Some(next) }]
    })
}

fn good(what: &str, detail: String) -> Finding {
    Finding { what: what.into(), ok: true, detail, next: None }
}

/// Whether a program is there, of this version or a newer one.
fn program(name: &str, least: (u32, u32), needed: bool, next: &str) -> Finding {
    let output = Command::new(name).arg("--version").output().ok().filter(|output| output.status.success());
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let detail = match said {
        Some(said) if version(&said).is_none_or(|there| there >= least) => return good(name, said),
        Some(said) => format!("{said} is too old"),
        None => "not found".to_owned(),
    };
    Finding { what: name.into(), ok: !needed, detail, next: Some(next.into()) }
}

/// The first two numbers of what a program says of its version: 2 and 39 of “git version 2.39.5”.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.trim_start_matches(|c: char| !c.is_ascii_digit()).split('.').map_while(|part| part.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_program_that_is_missing_or_too_old_is_told_with_what_to_do() {
        let found = |name: &str, least, needed| program(name, least, needed, "Install it.");
        let there = found("git", GIT_LEAST, true);
        assert!(there.ok && there.next.is_none() && there.detail.starts_with("git version"), "{there:?}");
        let old = found("git", (999, 0), true);
        assert!(!old.ok && old.detail.ends_with("is too old") && old.next.as_deref() == Some("Install it."), "{old:?}");
        let none = found("no-such-program-anywhere", (0, 0), true);
        assert_eq!((none.ok, none.detail.as_str(), none.next.as_deref()), (false, "not found", Some("Install it.")));
        let unneeded = found("no-such-program-anywhere", (0, 0), false);
        assert!(unneeded.ok && unneeded.next.is_some(), "what can be done without is no fault: {unneeded:?}");
    }

    #[test]
    fn a_part_that_cannot_be_read_is_one_finding() {
        assert!(or_unread("kept work", Ok(vec![])).is_empty());
        let found =
            or_unread("kept work", Err(Problem::unavailable("The checkpoints cannot be opened.").because("It is a file."))).remove(0);
        assert_eq!((found.what.as_str(), found.ok), ("kept work", false));
        assert_eq!(found.detail, "It cannot be read: The checkpoints cannot be opened. It is a file.");
        assert!(found.next.is_some());
    }

    #[test]
    fn changes_that_do_not_count_are_named_with_what_to_do_for_some_days() {
        let since = Timestamp(0);
        let until = told_until(since);
        assert_eq!(until.minute(), "1970-01-08 00:00 UTC");
        let told = |left| not_counted("the org's repository", since, changes_again(until), left);
        let titles = |count: usize| Ok((vec![], (0..count).map(|n| format!("Change {n}")).collect()));
        assert!(told(titles(0)).is_none());
        let few = told(titles(2)).unwrap();
        assert!(few.detail.starts_with("Changes of the org's repository"), "{few:?}");
        assert!(!few.ok && few.detail.ends_with("“Change 0”, “Change 1”."), "{few:?}");
        assert!(few.detail.contains("since 1970-01-01 00:00") && few.next.is_some_and(|next| next.contains("make these changes again")));
        let many = told(titles(limits::ASIDE_NAMED_MAX + 1)).unwrap();
        assert!(many.detail.ends_with("“Change 2”, and more."), "{many:?}");
        let unread = told(Err(Problem::unavailable("The disk is gone."))).unwrap();
        assert!(unread.detail.ends_with("cannot be read: The disk is gone."), "{unread:?}");
        let project = merges_again(until);
        assert!(!project.contains("remov") && !project.contains("cannot be seen") && project.contains("1970-01-08"), "{project}");
    }

    #[test]
    fn whose_removal_does_not_count_is_named_first_with_what_removes_them_again_however_many_they_are() {
        let one = |n: usize| Undone { name: format!("box{n}"), of: KeyKind::Device, lost: true };
        let mut undone: Vec<Undone> = (0..=limits::ASIDE_NAMED_MAX).map(one).collect();
        undone.push(Undone { name: "cara".into(), of: KeyKind::Member, lost: false });
        let titles = vec!["Set the agent one".to_owned(); limits::ASIDE_NAMED_MAX + 1];
        let told = |undone, titles| not_counted("the org's repository", Timestamp(0), String::new(), Ok((undone, titles))).unwrap();
        let all = told(undone.clone(), titles).detail;
        assert!(all.starts_with("Removed here, and in the org again: the device box0, removed as lost or stolen (again: "), "{all}");
        for n in 0..=limits::ASIDE_NAMED_MAX {
            assert!(all.contains(&format!("meshwork org remove box{n} --device --lost)")), "{all}");
        }
        assert!(all.contains("the member cara (again: meshwork org remove cara). Changes of"), "{all}");
        assert!(all.ends_with("and more."), "{all}");
        let later = told(undone, vec![]).detail;
        assert!(later.contains("box0 --device --lost") && later.ends_with("theirs count."), "{later}");
    }

    #[test]
    fn patches_in_which_words_do_not_count_are_named_with_what_to_do() {
        let patches: Vec<PatchId> = ["a", "b", "c", "d"].map(|digit| digit.repeat(40).parse().unwrap()).to_vec();
        let told = |count: usize| not_heard("the project web", "meshwork patch show ID", &patches[..count]);
        assert!(told(0).is_none());
        let one = told(1).unwrap();
        let words = "1 patch of the project web in which what you said does not count any more: aaaaaaaa. It followed what gave way when \
                     two lines of a key were joined.";
        assert_eq!((one.ok, one.detail.as_str()), (false, words));
        assert_eq!(one.next.as_deref(), Some("Say it again there: meshwork patch show ID shows what counts."));
        assert!(told(4).unwrap().detail.contains("4 patches of the project web"));
        assert!(told(4).unwrap().detail.contains(": aaaaaaaa, bbbbbbbb, cccccccc, and more. "), "{:?}", told(4));
    }

    #[test]
    fn versions_are_read_as_programs_say_them() {
        let table = [("git version 2.39.5", Some((2, 39))), ("v22.20.0", Some((22, 20))), ("10.8.2", Some((10, 8)))];
        for (said, expected) in table.into_iter().chain([("git version unknown", None), ("", None)]) {
            assert_eq!(version(said), expected, "{said}");
        }
    }
}
