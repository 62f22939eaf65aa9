//! The journals of the other devices, as this one has them: a copy of each, and what is known of how whole it is. `tell` gives journals
//! to others, `hear` keeps the copies up to date as far as there is `room`, `fork` looks whether they end for others
//! as they do here, and `own` whether others hold more of this device's own journal than it does. `relay` is for devices that were removed.

mod fork;
mod hear;
mod own;
mod relay;
mod room;
mod summary;
mod tell;

pub(crate) use hear::keep;
pub(super) use tell::tell;

use super::lock;
use crate::{
    clock,
    data_dir::{OrgDir, write_private},
    limits,
    org::Org,
};
use domain::{Did, Problem, Timestamp, picture::Whose};
use forge::OrgState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};
use store::{Apart, JournalCopy, Point, Refused, Seq};
use summary::SummedUp;
use tokio::sync::watch;

/// The copies that this device holds.
#[derive(Debug)]
pub struct Journals {
    dir: PathBuf,
    all: Mutex<BTreeMap<Did, Arc<Copied>>>,
    /// Held while a copy is opened, one at a time: that may take minutes, and `all` is not held meanwhile.
    opening: Mutex<()>,
    /// Why journals cannot be copied here now: a copy that cannot be opened or written, or one too many.
    failing: Mutex<BTreeMap<Did, Problem>>,
    /// Counts whenever a copy tells something new.
    grown: watch::Sender<u64>,
    /// Held while it is fetched what others hold of this device's own journal: in how many turns less came than was told. And what that
    /// came to, where it is to be mended.
    own: tokio::sync::Mutex<u32>,
    apart: Mutex<Option<Apart>>,
}

/// The copy of one device's journal.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) journal: JournalCopy,
    known: Mutex<Known>,
    /// What the device says that its journal comes to, until the copy has come so far.
    summed_up: Mutex<Option<Arc<SummedUp>>>,
    /// Whether it is followed at the device itself now.
    live: AtomicBool,
    /// The incarnation in which the device said last that its journal is.
    told_incarnation: AtomicU64,
    /// Where `known` is kept, and when it was written last.
    file: PathBuf,
    noted: Mutex<Option<Instant>>,
}

/// What is known of a copy beside what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// As of then it was whole, by the clock here.
    #[serde(default)]
    as_of: Option<Timestamp>,
    /// The furthest place that anybody told of: incarnation, number.
    #[serde(default)]
    furthest: (u64, u64),
    /// Why it stands, where the device has two journals.
    #[serde(default)]
    forked: Option<String>,
    /// The incarnation in which the device signed two journals, as another device showed, and what is known of that. It stays until the
    /// device goes on as a later one: what itself tells is one of the two.
    #[serde(default)]
    shown_forked: Option<(u64, String)>,
    /// What was wrong with a summary that the device signed: the journal, which it signed too, leads elsewhere. It stays, since the copy
    /// goes on as if nothing were.
    #[serde(default)]
    summed_up_wrongly: Option<String>,
    /// Who sent what the device did not sign, and nothing good since; and what was wrong with it.
    #[serde(default)]
    altered: Option<(Did, String)>,
}

/// How the copy of a journal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CopyState {
    /// All of it that anybody told of is here, and every link and signature was verified.
    Verified,
    /// There is more of it, which has not come yet; what is here was verified.
    Behind,
    /// What was sent of it is not what the device signed. It was kept out.
    Altered,
    /// The device signed two journals. The copy stands at the last event before the second; where the other is only summed up, it goes on.
    Forked,
}

/// How a copy stands now, for people.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) state: CopyState,
    /// What is wrong, in words.
    pub(crate) why: Option<String>,
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) live: bool,
}

impl Journals {
    /// Opens the copies that there are. One that cannot be opened is told of in the log and by the doctor, and left alone.
    pub(crate) fn open(dir: &OrgDir) -> Self {
        let (own, apart) = (tokio::sync::Mutex::default(), Mutex::default());
        let (all, opening, failing) = (Mutex::default(), Mutex::default(), Mutex::default());
        let journals = Self { dir: dir.journals(), all, opening, failing, grown: watch::Sender::new(0), own, apart };
        let entries = fs::read_dir(&journals.dir).into_iter().flatten().flatten();
        for device in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<Did>().ok()) {
            if let Err(problem) = journals.copy(&device) {
                tracing::error!(%device, %problem, "the copy of a device's journal cannot be used");
            }
        }
        journals
    }

    /// The copy of a device's journal; begins one where there is none. Blocks while it is opened.
    ///
    /// # Errors
    /// When it cannot be opened, or there are too many.
    pub(crate) fn copy(&self, device: &Did) -> Result<Arc<Copied>, Problem> {
        if let Some(known) = self.get(device) {
            return Ok(known);
        }
        let _alone = lock(&self.opening);
        // Whoever was waited for may have opened this one.
        if let Some(known) = self.get(device) {
            return Ok(known);
        }
        let there = lock(&self.all).len();
        let opened = self.open_one(device, there).map(Arc::new);
        self.tried(device, opened.as_ref().err());
        if let Ok(copied) = &opened {
            lock(&self.all).insert(device.clone(), copied.clone());
        }
        opened
    }

    fn open_one(&self, device: &Did, there: usize) -> Result<Copied, Problem> {
        if there >= limits::JOURNALS_MAX {
            let what = format!("{} journals are copied, and no more.", limits::JOURNALS_MAX);
            let dir = self.dir.display();
            let next = format!("Stop meshwork up, move the copies of devices that are gone away from {dir}, and start it.");
            return Err(Problem::new(domain::Kind::Limit, what).next(next));
        }
        JournalCopy::open(&self.dir.join(device.as_str()), device).map(Copied::of)
    }

    /// Notes why a device's journal cannot be copied here now; none: it can.
    fn tried(&self, device: &Did, problem: Option<&Problem>) {
        let mut failing = lock(&self.failing);
        match problem {
            Some(problem) => failing.insert(device.clone(), problem.clone()),
            None => failing.remove(device),
        };
    }

    /// The devices of the org, also removed ones, whose journals cannot be copied here now, and why.
    pub(crate) fn failing(&self, state: &OrgState) -> Vec<(Did, Problem)> {
        let (failing, removed) = (lock(&self.failing), relay::removed(state));
        let listed = failing.iter().filter(|(device, _)| state.device_of(device).is_some() || removed.contains(*device));
        listed.map(|(device, problem)| (device.clone(), problem.clone())).collect()
    }

    /// The copy of a device's journal, if there is one.
    pub(crate) fn get(&self, device: &Did) -> Option<Arc<Copied>> {
        lock(&self.all).get(device).cloned()
    }

    /// Changes whenever a copy tells something new.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    fn grew(&self) {
        self.grown.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How this device's own journal and what others hold of it lie apart, where that was found and is not mended yet.
    pub(crate) fn apart(&self) -> Option<Apart> {
        *lock(&self.apart)
    }

    /// All copies, by device.
    pub(crate) fn all(&self) -> Vec<Arc<Copied>> {
        lock(&self.all).values().cloned().collect()
    }
}

impl Copied {
    /// A copy, and what is known of it by its file.
    fn of(journal: JournalCopy) -> Self {
        let file = journal.dir().join("known.json");
        let known = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let (known, live, told_incarnation) = (Mutex::new(known), AtomicBool::new(false), AtomicU64::default());
        Self { journal, known, summed_up: Mutex::default(), live, told_incarnation, file, noted: Mutex::default() }
    }

    /// Whose it is, and how far that can be relied on: what everything that is known from it is marked with.
    pub(crate) fn whose(&self) -> Whose {
        let as_of = lock(&self.known).as_of.or_else(|| self.summed_up().map(|told| told.heard_at));
        Whose::new(self.journal.device().clone(), as_of, self.live.load(Ordering::Relaxed))
    }

    /// Up to where it tells: the copy itself, and what its device summed up. What is read of it afterwards stays the same while this
    /// does.
    pub(crate) fn tells_up_to(&self) -> (Point, Option<Point>) {
        (self.journal.point(), self.summed_up().map(|told| told.at))
    }

    /// One projected thing, with the number of the event that changed it last: as its device summed it up, while the copy has not come so
    /// far.
    ///
    /// # Errors
    /// When the copy cannot be read, or it is of another form than `T`.
    pub(crate) fn get_numbered<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<Option<(Seq, T)>, Problem> {
        let told = self.summed_up().and_then(|told| told.get(kind, id));
        told.map_or_else(|| self.journal.get_numbered(kind, id), |found| Ok(Some(found)))
    }

    /// Projected things of one kind, the newest first, in the same way.
    ///
    /// # Errors
    /// As [`Copied::get_numbered`].
    pub(crate) fn list_numbered<T: DeserializeOwned>(&self, kind: &str, limit: usize) -> Result<Vec<(Seq, T)>, Problem> {
        self.summed_up().map_or_else(|| self.journal.list_numbered(kind, limit), |told| Ok(told.list(kind, limit)))
    }

    fn summed_up(&self) -> Option<Arc<SummedUp>> {
        lock(&self.summed_up).clone()
    }

    /// Whether it helps to know what the journal comes to: it was never whole here.
    fn wants_summary(&self) -> bool {
        lock(&self.known).as_of.is_none()
    }

    /// Shows what the device says that its journal comes to, unless the copy has come so far.
    fn sum_up(&self, told: SummedUp) {
        if self.journal.point() < told.at {
            *lock(&self.summed_up) = Some(Arc::new(told));
        }
    }

    /// Where the copy has come as far as what was summed up, it takes the place of that.
    ///
    /// # Errors
    /// When the journal does not lead to the event that the device named: then it signed two.
    fn confirm(&self) -> Result<(), Refused> {
        let Some(told) = self.summed_up().filter(|told| told.at <= self.journal.point()) else { return Ok(()) };
        let found = self.journal.hash_at(told.at)?;
        *lock(&self.summed_up) = None;
        match found {
            Some(hash) if hash != told.hash => {
                let why = "The one to which its summary leads is not the one of its journal. The summary is not shown any more.";
                let forked = Refused::Forked { seq: told.at.seq, why: why.into() };
                lock(&self.known).summed_up_wrongly = Some(forked.to_string());
                Err(forked)
            }
            // None: it was restored since, and goes on from an earlier event.
            _ => Ok(()),
        }
    }

    /// The furthest place that the device signed, as far as is known here. What it summed up beyond the end that it tells now leads nowhere,
    /// and is not shown any more.
    fn signed_up_to(&self, end: Point) -> Point {
        let mut summed_up = lock(&self.summed_up);
        let beyond = summed_up.as_ref().map(|told| told.at).filter(|at| *at > end);
        if beyond.is_some() {
            *summed_up = None;
        }
        self.journal.point().max(beyond.unwrap_or_default())
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> Standing {
        let (known, at) = (lock(&self.known).clone(), self.journal.point());
        let shown = known.shown_forked.filter(|(incarnation, _)| *incarnation >= at.incarnation).map(|(_, why)| why);
        let (state, why) = match (known.forked.or(shown).or(known.summed_up_wrongly), known.altered) {
            (Some(why), _) => (CopyState::Forked, Some(why)),
            (None, Some((by, why))) => (CopyState::Altered, Some(format!("It came from {by}. {why}"))),
            _ if known.as_of.is_none() || (at.incarnation, at.seq.0) < known.furthest => (CopyState::Behind, None),
            _ => (CopyState::Verified, None),
        };
        Standing { state, why, as_of: known.as_of, live: self.live.load(Ordering::Relaxed) }
    }

    /// Notes that it was told where the journal ends, and how long ago that was so; what came until there was taken in.
    fn heard(&self, from: &Did, end: Point, age_ms: u64) {
        let at = self.journal.point();
        let (whole, own) = (at >= end, from == self.journal.device());
        let signed = if own { self.signed_up_to(end) } else { at };
        let (changed, first) = {
            let mut known = lock(&self.known);
            let before = known.clone();
            // Only the device itself knows that its journal was longer once; what others tell may be forgotten by it after a restore.
            known.furthest = if own { pair(end) } else { known.furthest.max(pair(end)) };
            if whole && known.altered.as_ref().is_some_and(|(by, _)| by == from || own) {
                known.altered = None;
            }
            if own {
                // It never signs more than it has, unless it lost something.
                known.forked = (end < signed).then(|| lost(end, signed));
            }
            if whole {
                // Of what was never known whole it is not told how old it is.
                let as_of = i64::try_from(age_ms).ok().map(|age| Timestamp(clock::now().0.saturating_sub(age)));
                known.as_of = known.as_of.max(as_of);
            }
            ((&before.forked, &before.altered) != (&known.forked, &known.altered), before.as_of.is_none() && known.as_of.is_some())
        };
        if changed && end < signed && own {
            tracing::error!(device = %from, at = signed.seq.0, end = end.seq.0, "a device says that its journal is shorter than what it signed");
        }
        self.note(if changed || first { When::Now } else { When::Due });
    }

    /// Notes why something was kept out, and says so in the log, once.
    fn refused(&self, from: &Did, why: &Refused) {
        let device = self.journal.device();
        let changed = {
            let mut known = lock(&self.known);
            let before = known.clone();
            match why {
                Refused::Forked { .. } if from == device => known.forked = Some(why.to_string()),
                Refused::Forked { .. } => known.shown_forked = Some((self.journal.point().incarnation, why.to_string())),
                Refused::Forged(_) => known.altered = Some((from.clone(), why.to_string())),
                Refused::OutOfPlace(_) | Refused::Disk(_) => {}
            }
            *known != before
        };
        if changed {
            tracing::error!(%device, %from, why = %why, "a device's journal is not copied any further");
            self.note(When::Now);
        } else {
            tracing::warn!(%device, %from, why = %why, "what was sent of a device's journal was kept out");
        }
    }

    fn live(&self, live: bool) {
        self.live.store(live, Ordering::Relaxed);
    }

    /// Keeps what is known for the next start. Lost, it is only less: until the device is heard of again.
    fn note(&self, when: When) {
        let mut noted = lock(&self.noted);
        if when == When::Due && noted.is_some_and(|at| at.elapsed() < limits::JOURNAL_NOTED_EVERY) {
            return;
        }
        *noted = Some(Instant::now());
        let known = lock(&self.known).clone();
        let written = serde_json::to_vec(&known).map_err(Problem::internal).and_then(|bytes| write_private(&self.file, &bytes));
        if let Err(problem) = written {
            tracing::warn!(%problem, "as of when a journal is known could not be written");
        }
    }
}

/// When something is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    /// Unless it was a short while ago.
    Due,
}

/// What is said of a device that does not know what it signed.
fn lost(end: Point, at: Point) -> String {
    format!(
        "It says that its journal ends with event {}, and it had signed events up to {}: it lost some, and goes on under their numbers.",
        end.seq, at.seq
    )
}

fn pair(point: Point) -> (u64, u64) {
    (point.incarnation, point.seq.0)
}

/// A place as it is told.
fn place(incarnation: u64, seq: u64) -> Point {
    Point { incarnation, seq: Seq(seq) }
}

/// The devices of the org but for this one.
fn others(org: &Org) -> Vec<Did> {
    let state = org.remote.org();
    state.devices.values().map(|device| device.did.clone()).filter(|did| *did != org.device).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::org::Device;
    use identity::Key;

    fn copied(dir: &tempfile::TempDir, device: &Did) -> Copied {
        Copied::of(JournalCopy::open(dir.path(), device).unwrap())
    }

    #[test]
    fn what_was_summed_up_beyond_the_end_that_its_device_tells_is_not_shown_any_more() {
        let (dir, device) = (tempfile::tempdir().unwrap(), Key::from_seed(&[1; 32]).did());
        let copied = copied(&dir, &device);
        copied.sum_up(summary::tests::told(place(2, 9)));
        // What another device says of the end counts nothing.
        copied.heard(&Key::from_seed(&[2; 32]).did(), place(2, 3), 0);
        copied.heard(&device, place(2, 9), 0);
        assert!(copied.summed_up().is_some());
        assert_eq!(copied.standing().state, CopyState::Behind);
        copied.heard(&device, place(2, 8), 0);
        assert!(copied.summed_up().is_none());
        let standing = copied.standing();
        assert!(standing.state == CopyState::Forked && standing.why.is_some_and(|why| why.contains("up to 9")));
    }

    #[test]
    fn a_copy_that_cannot_be_opened_is_told_until_it_can() {
        let (folder, device) = (tempfile::tempdir().unwrap(), Key::from_seed(&[1; 32]).did());
        let dir = crate::data_dir::DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        let in_its_way = dir.journals().join(device.as_str());
        fs::create_dir_all(dir.journals()).unwrap();
        fs::write(&in_its_way, "").unwrap();
        let journals = Journals::open(&dir);
        let (name, did, owner, tags) = ("box".to_owned(), device.clone(), "ada".to_owned(), BTreeMap::new());
        let listed = Device { name, did, owner, addresses: vec![], radicle: vec![], gossip: vec![], tags };
        let without = crate::fixtures::state();
        let with = OrgState { devices: [("box".to_owned(), listed)].into(), ..without.clone() };
        assert!(matches!(journals.failing(&with).as_slice(), [(failing, _)] if *failing == device), "{:?}", journals.failing(&with));
        assert!(journals.failing(&without).is_empty(), "it is none of the org");
        assert!(journals.copy(&device).is_err() && journals.get(&device).is_none());
        fs::remove_file(&in_its_way).unwrap();
        let opening = lock(&journals.opening);
        std::thread::scope(|scope| {
            let (asked, other) = (scope.spawn(|| journals.copy(&device)), scope.spawn(|| journals.copy(&device)));
            // While one is being opened, what is there is told all the same.
            assert!(journals.get(&device).is_none() && journals.all().is_empty());
            drop(opening);
            let [one, same] = [asked, other].map(|opened| opened.join().unwrap().unwrap());
            assert!(Arc::ptr_eq(&one, &same), "it is opened once");
        });
        assert!(journals.failing(&with).is_empty() && journals.get(&device).is_some());
        // What the disk does not take is told in the same way.
        journals.tried(&device, Some(&Problem::unavailable("The disk is full.")));
        assert_eq!(journals.failing(&with).len(), 1);
    }

    #[test]
    fn that_another_device_showed_two_journals_stays_told_until_a_later_incarnation() {
        let dir = tempfile::tempdir().unwrap();
        let store = own::tests::own(&dir, 1);
        let copied = Copied::of(JournalCopy::open(&dir.path().join("copy"), store.device()).unwrap());
        copied.journal.append(&store.pieces(Point::default(), 1 << 20).unwrap()).unwrap();
        let (at, other) = (copied.journal.point(), Key::from_seed(&[2; 32]).did());
        copied.refused(&other, &Refused::Forked { seq: at.seq, why: "It was shown.".into() });
        // The device itself tells of one of them alone.
        copied.heard(store.device(), at, 0);
        let standing = copied.standing();
        assert!(standing.state == CopyState::Forked && standing.why.is_some_and(|why| why.contains("It was shown.")));
        lock(&copied.known).shown_forked = Some((at.incarnation - 1, "It was mended since.".into()));
        assert_eq!((copied.standing().state, copied.standing().why), (CopyState::Verified, None));
    }

    #[test]
    fn a_summary_that_the_journal_belied_stays_told_though_the_copy_goes_on() {
        let (dir, device) = (tempfile::tempdir().unwrap(), Key::from_seed(&[1; 32]).did());
        let copied = copied(&dir, &device);
        lock(&copied.known).summed_up_wrongly = Some("It was wrong.".into());
        copied.heard(&device, place(0, 0), 0);
        let standing = copied.standing();
        assert_eq!((standing.state, standing.why.as_deref()), (CopyState::Forked, Some("It was wrong.")));
        let kept: Known = serde_json::from_slice(&fs::read(&copied.file).unwrap()).unwrap();
        assert_eq!(kept.summed_up_wrongly.as_deref(), Some("It was wrong."));
    }
}
