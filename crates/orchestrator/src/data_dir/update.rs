//! Brings the data folder of an older Meshwork forward, step by step, before `meshwork up` opens anything in it.
//!
//! Before a step changes a file it lays a copy of it below `<data>/backups/version-<n>/`, at the same place as in the data folder;
//! copies stay until a person removes them. Each file is changed whole or not at all, the folder's own version is written last, and
//! every step passes over what it did already: so an update that was cut off goes on at the next start, with the copies of before.

use super::{DataDir, Lock, VERSION, make_private, write_private};
use domain::{OrgName, Problem};
use std::path::{Path, PathBuf};

/// What brings a data folder from one version to the next.
struct Step {
    /// What it does, as the end of a sentence.
    what: &'static str,
    /// Does it, with copies of what it changes below this folder.
    change: fn(&DataDir, &Path) -> Result<(), Problem>,
}

/// The step from version n to n + 1 stands at place n - 1.
const STEPS: &[Step] =
    &[Step { what: "the journals list the stop orders that count and the runs that go on by themselves", change: journals }];

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// From this version of the data folder.
    pub from: u32,
    /// What is different now, as the end of a sentence.
    pub what: &'static str,
    /// Where what was changed lies as it was; none where nothing had to be.
    pub backup: Option<PathBuf>,
}

impl Updated {
    /// What a person is told.
    pub fn text(&self) -> String {
        let kept = match &self.backup {
            Some(folder) => format!("What was changed is kept as it was in {}: remove it when all is well.", folder.display()),
            None => "There was nothing to change yet.".to_owned(),
        };
        format!("The data folder was brought from version {} to {}: {}. {kept}", self.from, self.from + 1, self.what)
    }
}

impl DataDir {
    /// Brings the folder to the version of this build, and says which steps that took: none where it was.
    ///
    /// # Errors
    /// When a step cannot be taken; then the folder keeps its version, and the next start goes on with that step.
    pub fn update(&self, _held: &Lock) -> Result<Vec<Updated>, Problem> {
        let found = self.version()?;
        let mut taken = vec![];
        for (step, from) in STEPS.iter().zip(1..VERSION).filter(|(_, from)| *from >= found) {
            tracing::info!(folder = %self.root.display(), from, "the data folder is brought to the next version");
            let backup = self.backups().join(format!("version-{from}"));
            (step.change)(self, &backup)?;
            write_private(&self.root.join("version"), (from + 1).to_string().as_bytes())?;
            let updated = Updated { from, what: step.what, backup: backup.exists().then_some(backup) };
            tracing::info!("{}", updated.text());
            taken.push(updated);
        }
        Ok(taken)
    }

    /// Copies of what updates changed.
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }
}

/// Brings the journal of every org to the present form.
///
/// One that cannot be keeps no other org from starting: it is tried again when it is opened.
fn journals(data: &DataDir, backup: &Path) -> Result<(), Problem> {
    // Those that are still ending are waited for. All are held until the last is done: so the runners of each see that it is being opened.
    let held: Vec<_> = data.orgs().into_iter().map(|name| (data.org(&name).lock(), name)).collect();
    let (mut failed, mut done) = (None, 0);
    for (lock, name) in &held {
        match lock.as_ref().map_err(Problem::clone).and_then(|_held| journal(data, name, backup)) {
            Ok(()) => done += 1,
            Err(problem) => {
                tracing::error!(org = %name, %problem, "its journal could not be brought to the present form");
                failed = Some(problem);
            }
        }
    }
    failed.filter(|_| done == 0).map_or(Ok(()), Err)
}

fn journal(data: &DataDir, name: &OrgName, backup: &Path) -> Result<(), Problem> {
    let org = data.org(name);
    make_private(&data.backups())?;
    let copy = backup.join("orgs").join(name.as_str()).join("store/journal.db");
    if store::bring_up_to_date(&org.store(), &copy)? {
        tracing::info!(org = %name, copy = %copy.display(), "its journal was brought to the present form");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::{
        Timestamp,
        event::{self, Body, Event, kind},
        stop::{self, Scope, Stop},
    };
    use std::{fs, sync::Arc};
    use store::{Order, Signer, Store};
    use testkit::age_journal;

    /// Where SQLite keeps what `PRAGMA user_version` says in a database's file (<https://www.sqlite.org/fileformat.html>, 1.3).
    const FORM_AT: std::ops::Range<usize> = 60..64;

    fn form(file: &Path) -> [u8; 4] {
        fs::read(file).unwrap()[FORM_AT].try_into().unwrap()
    }

    fn signer() -> Signer {
        let key = identity::Key::from_seed(&[1; 32]);
        Signer { device: key.did(), sign: Arc::new(move |bytes| Ok(key.sign(bytes))) }
    }

    /// The org is halted.
    fn halt(store: &Store, org: &OrgName) {
        let (id, why) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV".into(), "An incident.".into());
        let at = Timestamp(0);
        let order = stop::Order { version: stop::VERSION, id, org: org.clone(), by: None, scope: Scope::Org, why, at, lifts: false };
        let (by, envelope) = (signer().device, store.blobs().put(b"signed").unwrap());
        let body = Body::StopOrdered { order: Box::new(order), by: by.clone(), envelope };
        store.append_blocking(vec![Event { version: event::VERSION, at, actor: by, via: None, told: None, body }]).unwrap();
    }

    /// The stop orders that count.
    fn halts(store: &Store) -> usize {
        store.list::<Stop>(kind::HALT, Order::Newest, 9).unwrap().len()
    }

    /// A data folder of version 1 with these orgs, which are halted, and whose journals have the form of then.
    fn old(root: &Path, orgs: &[&str]) -> DataDir {
        let data = DataDir::open(root).unwrap();
        for org in orgs {
            let name = org.parse().unwrap();
            let dir = data.org(&name);
            make_private(&dir.root).unwrap();
            halt(&Store::open(&dir.store(), signer()).unwrap(), &name);
            fs::write(dir.record(), "{}").unwrap();
            age_journal(&dir.store().join("journal.db"));
        }
        fs::write(root.join("version"), "1").unwrap();
        data
    }

    fn journal(root: &Path, org: &str) -> PathBuf {
        root.join("orgs").join(org).join("store/journal.db")
    }

    #[test]
    fn every_version_but_the_last_has_a_step() {
        assert_eq!(STEPS.len() + 1, VERSION as usize);
    }

    #[test]
    fn a_new_folder_has_nothing_to_update() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        assert_eq!(data.update(&data.lock().unwrap()).unwrap(), vec![]);
        assert!(!data.backups().exists());
    }

    #[test]
    fn an_older_folder_is_brought_forward_once_and_what_was_changed_is_kept_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let data = old(folder.path(), &["crew", "club"]);
        let lock = data.lock().unwrap();
        let taken = data.update(&lock).unwrap();
        assert_eq!(taken.len(), 1);
        let backup = taken[0].backup.clone().unwrap();
        assert!(taken[0].text().contains(backup.to_str().unwrap()), "{}", taken[0].text());
        for org in ["crew", "club"] {
            assert_eq!(form(&journal(&backup, org)), 2_u32.to_be_bytes());
            assert_ne!(form(&journal(data.root(), org)), 2_u32.to_be_bytes());
            let store = Store::open(&data.org(&org.parse().unwrap()).store(), signer()).unwrap();
            assert!(store.verify().unwrap().is_sound());
            assert_eq!(halts(&store), 1, "{org}: what was halted still is");
        }
        assert_eq!(fs::read_to_string(folder.path().join("version")).unwrap(), VERSION.to_string());
        assert_eq!(data.update(&lock).unwrap(), vec![]);
    }

    #[test]
    fn an_update_that_was_cut_off_goes_on_and_keeps_the_copies_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let data = old(folder.path(), &["crew", "club"]);
        let backup = data.backups().join("version-1");
        // Cut off behind the first journal, in the midst of the second one's copy.
        store::bring_up_to_date(&data.org(&"club".parse().unwrap()).store(), &journal(&backup, "club")).unwrap();
        fs::create_dir_all(journal(&backup, "crew").parent().unwrap()).unwrap();
        fs::write(journal(&backup, "crew"), "half").unwrap();
        assert_eq!(data.update(&data.lock().unwrap()).unwrap().len(), 1);
        for org in ["crew", "club"] {
            assert_eq!(form(&journal(&backup, org)), 2_u32.to_be_bytes(), "{org}: as it was before");
        }
    }

    #[test]
    fn a_step_that_cannot_be_taken_leaves_the_version_and_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = old(folder.path(), &["crew"]);
        let whole = fs::read(journal(data.root(), "crew")).unwrap();
        fs::write(journal(data.root(), "crew"), "this is no database, and long enough to be looked at as if it were one").unwrap();
        assert!(data.update(&data.lock().unwrap()).unwrap_err().next.is_some());
        assert_eq!(fs::read_to_string(folder.path().join("version")).unwrap(), "1");
        fs::write(journal(data.root(), "crew"), whole).unwrap();
        assert_eq!(data.update(&data.lock().unwrap()).unwrap().len(), 1);
    }
}
