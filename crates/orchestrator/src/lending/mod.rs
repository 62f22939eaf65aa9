//! Owner first: what of this machine is lent to others now, and sending guests away when it is its owner's alone.
//!
//! Policy, click and sensors are of the machine: each org's process reads the same files and comes to the same. Nothing is decided here
//! but by `domain::lend::stance`.

mod click;
mod file;
pub(crate) mod guests;
mod keep;
mod sent_away;

use crate::{
    clock,
    data_dir::DataDir,
    org::Org,
    sensors::{Memory, Sensors},
};
use domain::{
    Problem, Timestamp,
    capacity::Gpu,
    lend::{self, Click, Condition, LendPolicy, PROMISED_TAGS, Reclaim},
};
pub(crate) use file::look_at;
pub(crate) use keep::keep;
use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// What this machine lends now, and why it does not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lending {
    /// The owner's policy; where it is broken, the one before it, which takes no guests then.
    pub(crate) policy: LendPolicy,
    /// What the sensors saw.
    pub(crate) condition: Condition,
    /// Why the machine is its owner's alone; none: guests are welcome.
    pub(crate) reclaimed: Option<Reclaim>,
    /// Since when it is, or they are.
    pub(crate) since: Timestamp,
    /// What the owner said by a click, while it counts.
    pub(crate) click: Option<Click>,
    /// The GPUs that there are.
    pub(crate) gpus: Vec<Gpu>,
    /// Why the policy cannot be read. Then no guests are taken; for those that are here the one before it counts, where this process read
    /// one, and their host's click.
    pub(crate) broken: Option<Problem>,
}

impl Lending {
    /// What the device says of itself. What the org promises about it is not in here.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.policy.tags.clone();
        tags.retain(|tag, _| !PROMISED_TAGS.contains(&tag.as_str()));
        if !self.gpus.is_empty() {
            tags.entry("gpu".into()).or_insert_with(|| "true".into());
        }
        tags
    }

    /// Why guests that are here must go; none: they stay. That the policy cannot be read sends nobody away.
    pub(crate) fn sends_away(&self) -> Option<&Reclaim> {
        self.reclaimed.as_ref().filter(|why| **why != Reclaim::Unread)
    }

    /// The same, once its owner took the machine back.
    fn taken_back(&self, click: Click) -> Self {
        let until = match click {
            Click::Reclaimed { until } => until,
            Click::Lent { .. } => None,
        };
        Self { reclaimed: Some(Reclaim::Asked { until }), click: Some(click), ..self.clone() }
    }

    /// Takes what is seen now; says whether anybody has to hear of that.
    fn becomes(&mut self, seen: Self) -> bool {
        let since = if seen.reclaimed == self.reclaimed { self.since } else { seen.since };
        let now = Self { since, ..seen };
        let differs = now.differs(self);
        *self = now;
        differs
    }

    /// Whether anybody has to hear of the change from `before`. That time goes by while nobody types is none.
    fn differs(&self, before: &Self) -> bool {
        let still = |lending: &Self| Self { condition: Condition { idle_s: None, ..lending.condition }, ..lending.clone() };
        let away = |lending: &Self| lending.condition.idle_s.map(|idle| idle >= lending.policy.away_after_s);
        away(self) != away(before) || still(self) != still(before)
    }
}

/// Watches policy, click and sensors of the machine.
#[derive(Debug)]
pub(crate) struct Lender {
    data: DataDir,
    sensors: Sensors,
    state: watch::Sender<Lending>,
    /// The last policy that could be read.
    last: Mutex<Option<LendPolicy>>,
    /// What its owner said and the disk did not take yet. Locked while it is judged what the sensors saw, and never while they are asked:
    /// what was judged before a click does not come after it, and no sensor holds a click up.
    unsaved: Mutex<Option<Unsaved>>,
    /// What its owner says this moment, until it is written down. Nothing is read or written while this is locked.
    saying: Mutex<Option<Click>>,
    /// Locked while the sensors are asked: what was seen before does not come after what was seen later.
    looking: Mutex<()>,
    /// Beside the state: it changes all the time, which is no news to anybody.
    memory: Mutex<Memory>,
    /// Runs that a person sent away.
    pub(crate) sent_away: sent_away::SentAway,
}

/// A click that the disk did not take.
#[derive(Debug)]
struct Unsaved {
    click: Click,
    /// What lay there instead.
    there: io::Result<Option<click::Lying>>,
}

impl Unsaved {
    /// Whether something was said since, to another org's process: what lies there is not what lay there.
    fn is_older(&self, data: &DataDir) -> bool {
        matches!((&self.there, click::lies(data)), (Ok(there), Ok(now)) if *there != now)
    }
}

impl Lender {
    /// Looks for the first time.
    pub(crate) fn open(data: &DataDir) -> Self {
        let (sensors, last) = (Sensors::of_this_machine(), Mutex::default());
        let condition = sensors.condition(&read(data, &last).0);
        let state = watch::Sender::new(judged(data, condition, sensors.gpus(), None, &last));
        let memory = Mutex::new(sensors.memory());
        let (unsaved, saying, looking, sent_away) = Default::default();
        Self { data: data.clone(), sensors, state, last, unsaved, saying, looking, memory, sent_away }
    }

    /// As it was seen last: no longer ago than [`crate::limits::LEND_LOOK_EVERY`], beside what the sensors take to answer.
    pub(crate) fn now(&self) -> Lending {
        self.state.borrow().clone()
    }

    /// How much memory there is for runs, as it was seen last: admission asks far more often than anybody could look.
    pub(crate) fn memory(&self) -> Memory {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of what changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Lending> {
        self.state.subscribe()
    }

    /// Looks anew. Who waits hears of it where something is different.
    pub(crate) fn look(&self) -> Lending {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let (condition, gpus) = (self.sensors.condition(&read(&self.data, &self.last).0), self.sensors.gpus());
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = self.sensors.memory();
        let mut unsaved = self.unsaved();
        let settled = |unsaved: &Unsaved| unsaved.is_older(&self.data) || click::write(&self.data, Some(unsaved.click)).is_ok();
        if unsaved.as_ref().is_some_and(settled) {
            *unsaved = None;
        }
        self.judge(condition, gpus, unsaved.as_ref().map(|unsaved| unsaved.click));
        self.now()
    }

    /// Judges anew what the sensors saw last: something else was said. `unsaved` is locked meanwhile.
    fn judge_again(&self, unsaved: Option<Click>) {
        let Lending { condition, gpus, .. } = self.now();
        self.judge(condition, gpus, unsaved);
    }

    /// Judges what the sensors saw. `unsaved` is locked meanwhile.
    fn judge(&self, condition: Condition, gpus: Vec<Gpu>, unsaved: Option<Click>) {
        let seen = judged(&self.data, condition, gpus, unsaved, &self.last);
        // What is said this moment is newer than what was judged by.
        self.state.send_if_modified(|known| known.becomes(self.saying().map_or_else(|| seen.clone(), |click| seen.taken_back(click))));
    }

    fn saying(&self) -> MutexGuard<'_, Option<Click>> {
        self.saying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsaved(&self) -> MutexGuard<'_, Option<Unsaved>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says by a click whose the machine is, and looks anew; none: only policy and sensors count.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn say(&self, said: Option<Click>) -> Result<Lending, Problem> {
        {
            let mut unsaved = self.unsaved();
            click::write(&self.data, said)?;
            *unsaved = None;
            self.judge_again(None);
        }
        self.sent_away.forget();
        Ok(self.look())
    }

    /// Says by a click that the machine is its owner's alone. That counts at once, whatever the sensors and the disk are doing, and also
    /// where the disk does not take it: then it is returned why, and each look tries to write it, until something else lies there.
    pub(crate) fn take_back(&self, until: Option<Timestamp>) -> Option<Problem> {
        let click = Click::Reclaimed { until };
        // Before anybody is waited for who reads or writes.
        *self.saying() = Some(click);
        self.state.send_if_modified(|known| known.becomes(Lending { since: clock::now(), ..known.taken_back(click) }));
        let mut unsaved = self.unsaved();
        let problem = click::write(&self.data, Some(click)).err();
        *unsaved = problem.as_ref().map(|_| Unsaved { click, there: click::lies(&self.data) });
        let mut saying = self.saying();
        // Unless something else is being said meanwhile.
        if *saying == Some(click) {
            *saying = None;
        }
        problem
    }

    /// Changes the policy, and looks anew.
    ///
    /// # Errors
    /// When the policy as it stands is broken, the new one is not in order, or the disk does not take it.
    pub(crate) fn set(&self, change: impl FnOnce(&mut LendPolicy)) -> Result<Lending, Problem> {
        let mut policy = file::read(&self.data)?;
        change(&mut policy);
        file::write(&self.data, &policy)?;
        {
            let unsaved = self.unsaved();
            self.judge_again(unsaved.as_ref().map(|unsaved| unsaved.click));
        }
        Ok(self.look())
    }
}

/// What this machine lends now: what it announces, and what its admission asks.
pub(crate) fn now(org: &Org) -> Lending {
    org.lending.now()
}

/// What comes of what the sensors saw, by policy and click as they are now. A click that the disk did not take is newer than what lies
/// there; a policy that cannot be read leaves guests that are here to the last one that could be.
fn judged(data: &DataDir, condition: Condition, gpus: Vec<Gpu>, unsaved: Option<Click>, last: &Mutex<Option<LendPolicy>>) -> Lending {
    let ((policy, broken), now) = (read(data, last), clock::now());
    let click = unsaved.or_else(|| click::read(data)).filter(|click| click.holds(now));
    let reclaimed = match lend::stance(&policy, &condition, click.as_ref(), clock::local_time()) {
        // Neither is a word of its owner's on new guests: who asks for room is told that the policy has to be mended.
        None | Some(Reclaim::Never) if broken.is_some() => Some(Reclaim::Unread),
        stance => stance,
    };
    let policy = LendPolicy { guests: policy.guests && broken.is_none(), ..policy };
    Lending { policy, condition, reclaimed, since: now, click, gpus, broken }
}

/// The policy that counts, and why that is not the one which lies there.
fn read(data: &DataDir, last: &Mutex<Option<LendPolicy>>) -> (LendPolicy, Option<Problem>) {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    match file::read(data) {
        Ok(policy) => (last.insert(policy).clone(), None),
        Err(problem) => {
            let nobody = || LendPolicy { guests: false, ..LendPolicy::default() };
            (last.clone().unwrap_or_else(nobody), Some(problem))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{
        fs::File,
        os::unix::fs::OpenOptionsExt,
        path::Path,
        sync::mpsc,
        thread,
        time::{Duration, Instant},
    };

    fn lender() -> (tempfile::TempDir, Lender) {
        with(Sensors::of_this_machine())
    }

    fn with(sensors: Sensors) -> (tempfile::TempDir, Lender) {
        let folder = tempfile::tempdir().unwrap();
        let (data, state) = (DataDir::open(folder.path()).unwrap(), watch::Sender::new(quiet()));
        let (memory, last) = (Mutex::new(sensors.memory()), Mutex::default());
        let (unsaved, saying, looking, sent_away) = Default::default();
        let lender = Lender { data, sensors, state, last, unsaved, saying, looking, memory, sent_away };
        (folder, lender)
    }

    /// Waits until a pipe is read, and holds its reader up for as long as what is given stays.
    fn held_up(pipe: &Path) -> File {
        let begun = Instant::now();
        loop {
            // Without a reader it cannot be opened so.
            match File::options().write(true).custom_flags(libc::O_NONBLOCK).open(pipe) {
                Ok(held) => return held,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "nobody reads it: {error}"),
            }
            thread::yield_now();
        }
    }

    fn quiet() -> Lending {
        let policy = LendPolicy::default();
        let (condition, click, broken) = (Condition::default(), None, None);
        Lending { policy, condition, reclaimed: None, since: Timestamp(0), click, gpus: vec![], broken }
    }

    fn gpus(count: usize) -> Vec<Gpu> {
        vec![Gpu { name: "NVIDIA A100".into(), memory_bytes: None }; count]
    }

    #[test]
    fn what_the_owner_says_counts_at_once_and_over_a_restart() {
        let (_folder, lender) = lender();
        let said = lender.say(Some(Click::Reclaimed { until: None })).unwrap();
        assert_eq!(said.reclaimed, Some(Reclaim::Asked { until: None }));
        assert_eq!(Lender::open(&lender.data).now().reclaimed, said.reclaimed);
        // One that is over is forgotten.
        let over = lender.say(Some(Click::Reclaimed { until: Some(Timestamp(1)) })).unwrap();
        assert_eq!((over.click, matches!(over.reclaimed, Some(Reclaim::Asked { .. }))), (None, false));
        assert_eq!(lender.say(None).unwrap().click, None);
    }

    #[test]
    fn a_click_waits_for_no_sensor_and_what_was_being_looked_at_meanwhile_does_not_undo_it() {
        let root = tempfile::tempdir().unwrap();
        let lid = root.path().join("proc/acpi/button/lid/LID0/state");
        std::fs::create_dir_all(lid.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&lid).status();
        assert!(made.is_ok_and(|status| status.success()));
        let (_folder, lender) = with(Sensors::below(root.path()));
        let (lender, asked) = (&lender, Some(Reclaim::Asked { until: None }));
        thread::scope(|scope| {
            let look = scope.spawn(move || lender.look());
            let held = held_up(&lid);
            let (tell, told) = mpsc::channel();
            scope.spawn(move || tell.send(lender.take_back(None)));
            let (taken, reclaimed) = (told.recv_timeout(Duration::from_secs(10)), lender.now().reclaimed);
            let looks = !look.is_finished();
            // Nothing is waited for any more, whatever came of it.
            drop(held);
            let seen = look.join().unwrap();
            assert_eq!((taken, reclaimed, looks), (Ok(None), asked.clone(), true));
            assert_eq!(seen.reclaimed, asked);
        });
    }

    #[test]
    fn a_click_waits_for_nothing_that_is_being_read_or_written() {
        let (_folder, lender) = lender();
        let (lender, asked) = (&lender, Some(Reclaim::Asked { until: None }));
        thread::scope(|scope| {
            let (held, begun) = (lender.unsaved(), Instant::now());
            let said = scope.spawn(move || lender.take_back(None));
            while lender.now().reclaimed != asked && begun.elapsed() < Duration::from_secs(10) {
                thread::yield_now();
            }
            // As one who looked before does.
            lender.judge(Condition::default(), vec![], None);
            let (reclaimed, waits) = (lender.now().reclaimed, !said.is_finished());
            drop(held);
            assert_eq!((said.join().unwrap(), reclaimed, waits), (None, asked.clone(), true));
        });
        assert_eq!((lender.look().reclaimed, *lender.saying()), (asked, None), "it lies on the disk now");
    }

    #[test]
    fn a_machine_is_taken_back_also_where_the_disk_does_not_take_it_and_it_is_written_as_soon_as_it_can_be() {
        let (_folder, lender) = lender();
        let (path, asked) = (lender.data.lend_click(), Some(Reclaim::Asked { until: None }));
        std::fs::create_dir(&path).unwrap();
        assert!(lender.take_back(None).is_some(), "it is told");
        assert_eq!(lender.look().reclaimed, asked);
        std::fs::remove_dir(&path).unwrap();
        assert_eq!(lender.look().reclaimed, asked);
        assert_eq!(Lender::open(&lender.data).now().reclaimed, asked, "it lies on the disk now");
        assert_eq!((lender.say(None).unwrap().click, lender.look().click), (None, None), "what was lent again stays so");
    }

    #[test]
    fn what_another_orgs_process_was_told_since_counts_over_a_click_that_the_disk_did_not_take() {
        let (_folder, lender) = lender();
        let (path, until) = (lender.data.lend_click(), Timestamp(clock::now().0 + 3_600_000));
        let lent = Click::Lent { until };
        lender.say(Some(lent)).unwrap();
        // It can be read, and not be written.
        let in_its_way = path.with_extension("new");
        std::fs::create_dir(&in_its_way).unwrap();
        assert!(lender.take_back(None).is_some());
        assert_eq!(lender.look().reclaimed, Some(Reclaim::Asked { until: None }));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(lender.look().click, None);
        std::fs::remove_dir(&in_its_way).unwrap();
        assert_eq!((lender.look().click, path.exists()), (None, false), "and it is not written over");
    }

    #[test]
    fn a_release_by_another_orgs_process_counts_also_where_nothing_lay_on_the_disk_or_another_release() {
        let (_folder, lender) = lender();
        let in_its_way = lender.data.lend_click().with_extension("new");
        for before in ["nothing", "a release"] {
            std::fs::create_dir(&in_its_way).unwrap();
            assert!(lender.take_back(None).is_some());
            assert_eq!(lender.look().reclaimed, Some(Reclaim::Asked { until: None }), "{before} lies there");
            std::fs::remove_dir(&in_its_way).unwrap();
            click::write(&lender.data, None).unwrap();
            assert_eq!((lender.look().click, click::read(&lender.data)), (None, None), "{before} lay there");
        }
        // What says nothing is no obstacle to who says something.
        lender.say(Some(Click::Reclaimed { until: None })).unwrap();
        assert_eq!(Lender::open(&lender.data).now().reclaimed, Some(Reclaim::Asked { until: None }));
    }

    #[test]
    fn a_broken_policy_takes_nobody_until_it_is_mended() {
        let (_folder, lender) = lender();
        let path = lender.data.lend_policy();
        std::fs::write(&path, "guests = true\nhours = [\"at night\"]\n").unwrap();
        let seen = lender.look();
        let problem = seen.broken.clone().unwrap();
        assert!(problem.why.as_ref().unwrap().contains("Line 2"), "{problem}");
        assert_eq!((&seen.reclaimed, seen.sends_away()), (&Some(Reclaim::Unread), None), "who is here stays");
        let asked = Reclaim::Asked { until: None };
        assert_eq!(lender.say(Some(Click::Reclaimed { until: None })).unwrap().sends_away(), Some(&asked), "its owner's word counts");
        assert_eq!(lender.say(None).unwrap().sends_away(), None);
        assert!(lender.set(|policy| policy.guests = true).is_err(), "what cannot be read is not written over");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(lender.set(|policy| policy.slots = Some(1)).unwrap().policy.slots, Some(1));
        assert_eq!(Lender::open(&lender.data).now().policy.slots, Some(1));
        assert!(lender.set(|policy| policy.hours = vec!["never".into()]).is_err());
        assert_eq!(lender.look().broken, None);
    }

    #[test]
    fn a_policy_that_is_a_pipe_is_not_waited_for() {
        let (_folder, lender) = lender();
        let made = std::process::Command::new("mkfifo").arg(lender.data.lend_policy()).status();
        assert!(made.is_ok_and(|status| status.success()));
        assert!(lender.look().broken.is_some_and(|problem| problem.to_string().contains("no file that can be read")));
    }

    #[test]
    fn while_a_policy_is_broken_the_one_before_it_says_whether_those_that_are_here_leave() {
        let (_folder, lender) = lender();
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let another_day = days[(usize::from(clock::local_time().weekday) + 3) % 7];
        let change = |policy: &mut LendPolicy| {
            let hours = vec![format!("{another_day} 00:00-24:00")];
            *policy = LendPolicy { hours, grace_s: 7, on_battery: true, lid_closed: true, ..LendPolicy::default() };
        };
        assert_eq!(lender.set(change).unwrap().sends_away(), Some(&Reclaim::Hours));
        std::fs::write(lender.data.lend_policy(), "guests = true\nhours = [\"at night\"]\n").unwrap();
        let seen = lender.look();
        assert!(seen.broken.is_some());
        assert_eq!((seen.sends_away(), seen.policy.grace_s, seen.policy.guests), (Some(&Reclaim::Hours), 7, false));
        let lent = Click::Lent { until: Timestamp(clock::now().0 + 3_600_000) };
        let seen = lender.say(Some(lent)).unwrap();
        assert_eq!((seen.sends_away(), seen.reclaimed.as_ref()), (None, Some(&Reclaim::Unread)), "nobody new, and who is here stays");
        lender.say(None).unwrap();
        assert_eq!(Lender::open(&lender.data).now().sends_away(), None, "whoever begins now knows of none before it");
    }

    #[test]
    fn that_nobody_types_is_no_news_until_its_owner_counts_as_away() {
        let idle = |idle_s| Lending { condition: Condition { idle_s, ..Condition::default() }, ..quiet() };
        assert!(!idle(Some(2)).differs(&idle(Some(1))));
        assert!(idle(Some(300)).differs(&idle(Some(299))));
        assert!(idle(None).differs(&idle(Some(299))));
        assert!(Lending { gpus: gpus(1), ..quiet() }.differs(&quiet()));
    }

    #[test]
    fn a_gpu_is_said_unless_its_owner_said_otherwise_and_the_orgs_promises_never() {
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let with = |tags: Vec<(String, String)>, gpus| {
            let policy = LendPolicy { tags: tags.into_iter().collect(), ..LendPolicy::default() };
            Lending { policy, gpus: self::gpus(gpus), ..quiet() }.tags()
        };
        assert_eq!(with(vec![], 0), BTreeMap::new());
        assert_eq!(with(vec![], 2), [tag("gpu", "true")].into());
        assert_eq!(with(vec![tag("gpu", "false"), tag("region", "eu")], 2), [tag("gpu", "false")].into());
    }
}
