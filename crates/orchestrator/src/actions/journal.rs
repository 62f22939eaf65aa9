//! The journal: read, verified, rebuilt, saved.

use super::{Done, Nothing, at_most};
use crate::{
    clock,
    data_dir::storage,
    limits,
    org::Org,
    table::{Action, Context, Effect, action},
    tailnet,
};
use domain::{
    Did, Hash, Problem,
    event::{Body, Event, Mended},
    role::Permission,
};
use identity::{
    Secret,
    backup::{self, Source, To},
};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

mod copies;
mod sources;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action("journal.list", Reads, Permission::View, "A page of this device's journal, or of the copy of another's.", list),
        action(
            "journal.search",
            Reads,
            Permission::View,
            "Find events in this device's journal, or in the copy of another's, newest first.",
            search,
        ),
        action("journal.copies", Reads, Permission::View, "The journals of all devices, as far as this one has them.", copies::copies),
        action("journal.hash", Reads, Permission::View, "A hash of all runs and claims of the org, as they are known here.", copies::hash),
        action("journal.verify", Reads, Permission::View, "Check every link, hash and signature of the journals, and the blobs.", verify),
        action("journal.rebuild", Changes, Permission::ManageDevice, "Make what is shown anew from the journal.", rebuild),
        action("backup.create", Changes, Permission::ManageOrg, "Save keys and journal into an encrypted file.", create_backup),
    ]
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    /// Only events after this number; the newest where nothing is said.
    #[serde(default)]
    after: Option<u64>,
    /// How many at most.
    #[serde(default)]
    limit: Option<usize>,
    /// Whose journal, by the device's name or key; this device's where nothing is said.
    #[serde(default)]
    device: Option<String>,
}

/// An event as it stands in the journal.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    seq: u64,
    incarnation: u64,
    hash: Hash,
    event: Event,
}

async fn list(context: Context, input: List) -> Result<Vec<Entry>, Problem> {
    let limit = at_most(input.limit, limits::LIST_DEFAULT)?.min(limits::PAGE_MAX);
    let list = move |org: &Arc<Org>| {
        let journal = copies::Journal::of(org, input.device.as_deref())?;
        let newest = || journal.end().map(|end| end.saturating_sub(limit as u64));
        let events = journal.events(input.after.map_or_else(newest, Ok)?, limit)?;
        Ok(events.into_iter().map(Entry::from).collect())
    };
    context.org()?.blocking(list).await
}

impl From<store::Recorded> for Entry {
    fn from(r: store::Recorded) -> Self {
        Self { seq: r.seq.0, incarnation: r.incarnation, hash: r.hash, event: (*r.event).clone() }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Words that all stand in the event, in either case; every event where nothing is said.
    #[serde(default)]
    text: String,
    /// Only events before this number; from the end where nothing is said.
    #[serde(default)]
    before: Option<u64>,
    /// How many at most.
    #[serde(default)]
    limit: Option<usize>,
    /// Whose journal, by the device's name or key; this device's where nothing is said.
    #[serde(default)]
    device: Option<String>,
}

/// What a search found, newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Finds {
    entries: Vec<Entry>,
    /// Say this as `before` to go on with older events; nothing where the beginning was reached.
    older: Option<u64>,
}

async fn search(context: Context, input: Search) -> Result<Finds, Problem> {
    let words: Vec<String> = input.text.split_whitespace().map(str::to_lowercase).collect();
    let limit = at_most(input.limit, limits::LIST_DEFAULT)?.min(limits::PAGE_MAX);
    let find = move |org: &Arc<Org>| {
        let journal = copies::Journal::of(org, input.device.as_deref())?;
        let mut before = input.before.unwrap_or(u64::MAX).min(journal.end()? + 1);
        let stop = before.saturating_sub(limits::JOURNAL_SEARCHED_MAX);
        let mut entries = vec![];
        while before > 1 && before > stop {
            let after = before.saturating_sub(limits::JOURNAL_SEARCH_STEP).max(1) - 1;
            let span = usize::try_from(before - 1 - after).unwrap_or(usize::MAX);
            for recorded in journal.events(after, span)?.into_iter().rev() {
                before = recorded.seq.0;
                if holds(&recorded.event, &words)? {
                    entries.push(Entry::from(recorded));
                }
                if entries.len() == limit {
                    return Ok(Finds { entries, older: (before > 1).then_some(before) });
                }
            }
            // A copy may have gone back to an earlier event meanwhile.
            before = after + 1;
        }
        Ok(Finds { entries, older: (before > 1).then_some(before) })
    };
    context.org()?.blocking(find).await
}

/// Whether all words stand in the event as it is written.
fn holds(event: &Event, words: &[String]) -> Result<bool, Problem> {
    if words.is_empty() {
        return Ok(true);
    }
    let text = serde_json::to_string(event).map_err(Problem::internal)?.to_lowercase();
    Ok(words.iter().all(|word| text.contains(word)))
}

/// What a check of the journal found.
#[derive(Debug, Serialize, JsonSchema)]
struct Verified {
    /// Whether all is sound.
    sound: bool,
    device: Did,
    events: u64,
    /// How many of the events a newer Meshwork wrote: they are kept as they are, and not understood here.
    unknown: u64,
    signatures: u64,
    incarnations: u64,
    /// The first event that is wrong, and why.
    bad: Option<BadEvent>,
    /// Where it was mended, because its disk had been put back to an earlier moment.
    mends: Vec<Mend>,
    /// How many blobs beside the journal are as the events say that name them.
    blobs: u64,
    /// How many went with a disk that was put back: they are named by events that came back from others.
    lost_blobs: u64,
    /// The first blobs that are missing or altered, and were not erased.
    bad_blobs: Vec<BadBlob>,
    /// How many more.
    more_bad_blobs: u64,
    /// The copies of other devices' journals. That one is not sound makes this device's own no worse.
    copies: Vec<copies::VerifiedCopy>,
}

/// How the journal was mended, and the event that says so.
#[derive(Debug, Serialize, JsonSchema)]
struct Mend {
    seq: u64,
    mended: Mended,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BadEvent {
    seq: u64,
    why: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BadBlob {
    hash: Hash,
    /// The event that names it.
    seq: u64,
    why: String,
}

async fn verify(context: Context, _: Nothing) -> Result<Verified, Problem> {
    let verify = |org: &Arc<Org>| {
        let report = org.store.verify()?;
        let sound = report.is_sound();
        let bad = report.bad.map(|b| BadEvent { seq: b.seq.0, why: b.why });
        Ok(Verified {
            sound,
            device: org.device.clone(),
            events: report.events,
            unknown: report.unknown,
            signatures: report.signatures,
            incarnations: report.incarnations,
            bad,
            mends: report.mends.into_iter().map(|(seq, mended)| Mend { seq: seq.0, mended }).collect(),
            blobs: report.blobs,
            lost_blobs: report.lost_blobs,
            bad_blobs: report.bad_blobs.into_iter().map(|b| BadBlob { hash: b.hash, seq: b.seq.0, why: b.why }).collect(),
            more_bad_blobs: report.more_bad_blobs,
            copies: copies::verify(org)?,
        })
    };
    context.org()?.blocking(verify).await
}

#[derive(Debug, Serialize, JsonSchema)]
struct Rebuilt {
    events: u64,
    /// How many of the events a newer Meshwork wrote: they changed nothing here.
    unknown: u64,
    /// How many things were not as the journal says.
    differences: u64,
}

async fn rebuild(context: Context, _: Nothing) -> Result<Rebuilt, Problem> {
    let org = context.org()?;
    let report = org.store.rebuild().await?;
    let in_copies = org.blocking(copies::rebuild).await?;
    Ok(Rebuilt { events: report.events, unknown: report.unknown, differences: report.differences + in_copies })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// The file to write, on this machine. It must not exist.
    path: PathBuf,
    /// What opens it again.
    passphrase: String,
}

async fn create_backup(context: Context, input: Create) -> Result<Done, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    // Before the copy, so that the backup itself says when it was made.
    org.record(&actor, vec![Body::BackedUp]).await?;
    let bytes = org.blocking(move |org| save(org, &input)).await?;
    let outside = if org.forge.in_profile() {
        format!(" Your Radicle profile {} is not in it: save that too.", org.forge.rad_home().display())
    } else {
        String::new()
    };
    Ok(Done::new(format!(
        "Saved {bytes} bytes of keys, journal and repositories, encrypted. Keep the passphrase apart from the file.{outside}"
    )))
}

fn save(org: &Org, input: &Create) -> Result<u64, Problem> {
    if !input.path.is_absolute() {
        return Err(Problem::invalid("The backup's path is not a full one.").next("Give it from the root on, as /home/me/org.backup."));
    }
    // One at a time: they share the folder for the copy of the journal.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.try_lock().map_err(|_| Problem::conflict("Another backup is being made.").next("Try again when it is done."))?;
    let scratch = org.dir.runs().join("backup");
    crate::data_dir::fresh_folder(&scratch)?;
    let result = seal(org, input, &scratch);
    let _ = fs::remove_dir_all(&scratch);
    result
}

/// All that a backup has; what may change meanwhile is copied into `scratch`.
fn gathered(org: &Org, scratch: &Path) -> Result<Vec<Source>, Problem> {
    let journal = scratch.join("journal.db");
    org.store.snapshot(&journal)?;
    let mut sources = vec![Source { path: "store/journal.db".into(), file: journal }];
    sources.extend(sources::gather(&org.dir.root, scratch)?);
    sources.extend(tailnet::saved(&org.dir, scratch)?);
    Ok(sources)
}

fn seal(org: &Org, input: &Create, scratch: &Path) -> Result<u64, Problem> {
    let sources = gathered(org, scratch)?;
    if input.path.exists() {
        return Err(Problem::conflict(format!("{} exists already.", input.path.display())).next("Give another name."));
    }
    // A name of our own, made anew: nothing that a person has there is touched.
    let mut part = input.path.clone().into_os_string();
    part.push(format!(".{}.part", clock::run_id()));
    let part = PathBuf::from(part);
    let out = File::options().write(true).create_new(true).mode(0o600).open(&part).map_err(|e| storage(&input.path, &e))?;
    let sealed = backup::seal(&out, &To::Passphrase(Secret::new(input.passphrase.clone())), &sources)
        .and_then(|bytes| out.sync_all().and_then(|()| put(&part, &input.path)).map(|()| bytes).map_err(|e| storage(&input.path, &e)));
    if sealed.is_err() {
        let _ = fs::remove_file(&part);
    }
    sealed
}

/// Gives a file its name, unless something came to be there meanwhile. File systems that cannot promise that take it as it is.
fn put(part: &Path, path: &Path) -> std::io::Result<()> {
    match renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !path.exists() => fs::rename(part, path),
        done => done.map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{data_dir::make_private, fixtures::Opened};

    #[tokio::test]
    async fn a_backup_has_what_a_server_that_this_device_runs_needs_to_run_elsewhere() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let has = |path: &str| {
            let scratch = tempfile::tempdir().unwrap();
            let found = gathered(org, scratch.path()).unwrap().into_iter().find(|source| source.path == path);
            found.map(|source| (source.file.starts_with(scratch.path()), fs::read(source.file).unwrap()))
        };
        assert_eq!(has("tailnet/headscale/db.sqlite"), None);

        let server = org.dir.tailnet().join("headscale");
        make_private(&server).unwrap();
        fs::write(server.join("noise.key"), "key").unwrap();
        // A database like any other.
        org.store.snapshot(&server.join("db.sqlite")).unwrap();
        fs::write(org.dir.tailnet().join("managed.json"), "{}").unwrap();
        assert_eq!(has("tailnet/headscale/noise.key"), Some((true, b"key".to_vec())));
        assert_eq!(has("tailnet/managed.json"), Some((true, b"{}".to_vec())));
        let (copied, database) = has("tailnet/headscale/db.sqlite").unwrap();
        assert!(copied && database.starts_with(b"SQLite format 3"), "it is not the one that changes");
    }
}
