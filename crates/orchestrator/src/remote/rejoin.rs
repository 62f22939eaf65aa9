//! Joins what the keys of this device signed since a backup, or an older disk, was put back with what they had signed before, which other
//! devices have (`forge/src/rejoin.rs` says how); and follows where another device did that, of which this one has the line that was left.
//! Looked at after every fetch, whatever came of that. It has no input, and may run again after any crash.

use super::{apart, called, line, lock, signed};
use crate::{clock, limits, org::Org};
use domain::{
    Did, Hash, Kind, Oid, PatchId, Problem, Rid, Timestamp,
    event::{Body, LineRejoined},
};
use forge::{Joined, Rejoined};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::sync::Semaphore;

/// A key in a repository.
type Of = (Rid, Did);

/// What is remembered of lines of signed refs, while the process lives.
#[derive(Debug)]
pub(crate) struct Lines {
    /// How many more may be given at once.
    pub(super) giving: Arc<Semaphore>,
    /// The devices that are given one: one at a time each.
    pub(super) given: OneByOne<Did>,
    /// Held while one is taken and joined.
    turns: OneByOne<Of>,
    /// When lines were joined lately with what a device sent. Of another the same key's are joined nonetheless: what one sends may be old.
    joined: Mutex<BTreeMap<(Of, Did), Vec<Instant>>>,
    /// Those that are not joined yet.
    stuck: Mutex<BTreeMap<Of, Stuck>>,
    /// What a device sent of a line that could not be taken as it was, when, and why.
    refused: Mutex<BTreeMap<(Of, Did), (Instant, Problem)>>,
    /// The patches of a repository that [`left_out`] told of, and the digest of what was signed there then.
    pub(super) left_out: Mutex<BTreeMap<Rid, (Hash, Vec<PatchId>)>>,
}

/// A line that could not be joined with what another device has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stuck {
    /// The device.
    pub(crate) at: Did,
    pub(crate) since: Timestamp,
    pub(crate) problem: Problem,
}

impl Default for Lines {
    fn default() -> Self {
        let giving = Arc::new(Semaphore::new(limits::LINES_AT_ONCE));
        let (given, turns) = (OneByOne::default(), OneByOne::default());
        let (joined, stuck, refused, left_out) = (Mutex::default(), Mutex::default(), Mutex::default(), Mutex::default());
        Self { giving, given, turns, joined, stuck, refused, left_out }
    }
}

/// What is done one by one for the same, and at once for others.
#[derive(Debug)]
pub(super) struct OneByOne<K>(Mutex<BTreeMap<K, Turn>>);

/// Held while it is done.
type Turn = Arc<tokio::sync::Mutex<()>>;

impl<K> Default for OneByOne<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> OneByOne<K> {
    pub(super) fn turn(&self, of: &K) -> Turn {
        let mut turns = lock(&self.0);
        // What nobody holds or waits for is forgotten.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(of.clone()).or_default().clone()
    }
}

impl Lines {
    /// The lines that could not be joined yet.
    pub(crate) fn stuck(&self) -> Vec<(Of, Stuck)> {
        lock(&self.stuck).iter().map(|(of, stuck)| (of.clone(), stuck.clone())).collect()
    }

    /// Whether a line was joined so often lately that it is not joined any more with what some device has.
    pub(crate) fn joined_too_often(&self, now: Instant) -> bool {
        let lately = |joined: &&Instant| now.saturating_duration_since(**joined) < limits::LINE_JOINS_WITHIN;
        lock(&self.joined).values().any(|times| times.iter().filter(lately).count() >= limits::LINE_JOINS_MAX)
    }

    /// Whether a key's lines may be joined once more with what a device has.
    fn may_join(&self, of: &Of, at: &Did, now: Instant) -> Result<(), Problem> {
        let mut all = lock(&self.joined);
        all.retain(|_, times| {
            times.retain(|joined| now.saturating_duration_since(*joined) < limits::LINE_JOINS_WITHIN);
            !times.is_empty()
        });
        if all.get(&(of.clone(), at.clone())).is_none_or(|times| times.len() < limits::LINE_JOINS_MAX) {
            return Ok(());
        }
        let (times, minutes) = (limits::LINE_JOINS_MAX, limits::LINE_JOINS_WITHIN.as_secs() / 60);
        let why = "So it is where a copy of this device runs on another machine, and each signs for itself; or where that device hands out \
                   old signatures again and again.";
        let next = "Look whether a copy of this device's data folder, or its backup, runs on another machine too, and stop it there. Where \
                    none does, look at that device. With what other devices have it is joined meanwhile.";
        let what = format!("It was joined {times} times within {minutes} minutes with what that device has, and lies apart again.");
        Err(Problem::conflict(what).because(why).next(next))
    }

    /// Whether a line may be asked for at a device: what could not be taken as it was, or came too slowly, will not be other in a minute.
    fn may_take(&self, of: &Of, at: &Did, now: Instant) -> Result<(), Problem> {
        let mut all = lock(&self.refused);
        all.retain(|_, (when, _)| now.saturating_duration_since(*when) < limits::LINE_REFUSED_PAUSE);
        all.get(&(of.clone(), at.clone())).map_or(Ok(()), |(_, problem)| Err(problem.clone()))
    }

    fn note_taken(&self, of: &Of, at: &Did, taken: &Result<bool, Problem>, now: Instant) {
        if let Err(problem) = taken
            && matches!(problem.kind, Kind::Limit | Kind::Invalid)
        {
            lock(&self.refused).insert((of.clone(), at.clone()), (now, problem.clone()));
        }
    }

    fn note_joined(&self, of: &Of, at: &Did, now: Instant) {
        lock(&self.joined).entry((of.clone(), at.clone())).or_default().push(now);
    }

    /// Notes what came of looking at a key's line at a device; says whether that is worth a word. What it has of the line may be in order
    /// while another's is not.
    fn note(&self, of: &Of, at: &Did, outcome: &Result<bool, Problem>) -> bool {
        let mut all = lock(&self.stuck);
        let before = all.get(of);
        match outcome {
            Ok(joined) => {
                if *joined || before.is_some_and(|stuck| stuck.at == *at) {
                    all.remove(of);
                }
                false
            }
            Err(problem) => {
                let news = before.is_none_or(|stuck| stuck.problem != *problem);
                let since = before.map_or_else(clock::now, |stuck| stuck.since);
                all.insert(of.clone(), Stuck { at: at.clone(), since, problem: problem.clone() });
                news
            }
        }
    }
}

/// What looking came to.
#[derive(Default)]
pub(super) struct Looked {
    /// Something is other now than before: there may be something to be fetched that was not.
    pub(super) joined: bool,
    /// Why it is to be looked again.
    pub(super) failed: Option<Problem>,
}

impl Looked {
    fn add(&mut self, outcome: Result<bool, Problem>) {
        match outcome {
            Ok(joined) => self.joined |= joined,
            Err(problem) => self.failed = Some(problem),
        }
    }
}

/// Looks whether another device has lines of signed refs in a repository which lie apart from those here: those of this device's own keys
/// are joined, those that others joined are followed. Where the same is signed there as here (`alike`) none do; then, and where that is not
/// known, only what was begun before a crash is ended.
pub(super) async fn look(org: &Arc<Org>, did: &Did, rid: &Rid, alike: Result<bool, Problem>) -> Looked {
    let mut looked = Looked::default();
    if org.journals.apart().is_some() {
        looked.failed = Some(Problem::unavailable("The journal of this device is mended first."));
        return looked;
    }
    // They look again once both fit.
    if apart(org, did).is_some() {
        return looked;
    }
    let (own, others) = keys(org);
    let mut sound = vec![];
    for key in own {
        let of = (rid.clone(), key);
        let finished = finish(org, &of).await;
        if finished != Ok(false) {
            noted(org, &of, did, &finished);
        }
        if finished.is_ok() {
            sound.push(of.1);
        }
        looked.add(finished);
    }
    let compared = match alike {
        Ok(true) => {
            sound.into_iter().for_each(|key| noted(org, &(rid.clone(), key), did, &Ok(false)));
            Ok(())
        }
        Ok(false) => compare(org, did, rid, (sound, others), &mut looked).await,
        Err(problem) => Err(problem),
    };
    if let Err(problem) = compared {
        looked.failed = Some(problem);
    }
    looked
}

/// Compares lines of these keys of this device, and of those of others, with what another device has of them, and does what is to be done.
async fn compare(org: &Arc<Org>, did: &Did, rid: &Rid, keys: (Vec<Did>, Vec<Did>), looked: &mut Looked) -> Result<(), Problem> {
    let (own, others) = keys;
    let all: Vec<Did> = own.iter().chain(&others).cloned().collect();
    let Some(mut tips) = line::tips(org, did, rid, &all).await? else { return Ok(()) };
    let theirs = tips.split_off(own.len());
    for (key, tip) in own.into_iter().zip(tips) {
        let of = (rid.clone(), key);
        let met = meet(org, did, &of, tip).await;
        noted(org, &of, did, &met);
        looked.add(met);
    }
    let theirs = others.into_iter().zip(theirs).filter_map(|(key, tip)| Some((key, tip?))).collect();
    follow(org, rid, theirs).await?.into_iter().for_each(|followed| looked.add(followed));
    Ok(())
}

/// The keys of this device, and all others of the org's members and devices.
fn keys(org: &Org) -> (Vec<Did>, Vec<Did>) {
    let own = BTreeSet::from([org.member.clone(), org.device.clone()]);
    let others: BTreeSet<Did> = org.remote.org().readers().into_iter().filter(|key| !own.contains(key)).collect();
    (own.into_iter().collect(), others.into_iter().collect())
}

fn noted(org: &Org, of: &Of, did: &Did, outcome: &Result<bool, Problem>) {
    let news = org.remote.lines.note(of, did, outcome);
    if let (Err(problem), true) = (outcome, news) {
        let (rid, key) = of;
        tracing::warn!(%rid, %key, device = %called(org, did), %problem, "two lines of signed refs of this device are not joined yet");
    }
}

/// Ends what was begun before a crash, unless that is just being done.
async fn finish(org: &Arc<Org>, of: &Of) -> Result<bool, Problem> {
    let turn = org.remote.lines.turns.turn(of);
    let Ok(_turn) = turn.try_lock() else { return Ok(false) };
    rejoin(org, of, None).await
}

/// Joins an own key's line with what another device has of it, where that is not in it.
async fn meet(org: &Arc<Org>, did: &Did, of: &Of, tip: Option<Oid>) -> Result<bool, Problem> {
    let Some(tip) = tip else { return Ok(false) };
    if !is_other(org, of, &tip).await? {
        return Ok(false);
    }
    let turn = org.remote.lines.turns.turn(of);
    // Another device may give it slowly: what this one has is looked at again.
    let busy = |_| Problem::unavailable("It is being joined with what another device has of it.");
    let _turn = tokio::time::timeout(limits::LINE_TURN, turn.lock()).await.map_err(busy)?;
    // It may have come from another device meanwhile.
    if !is_other(org, of, &tip).await? {
        return Ok(true);
    }
    org.remote.lines.may_join(of, did, Instant::now())?;
    org.remote.lines.may_take(of, did, Instant::now())?;
    let (rid, key) = of;
    let taken = line::take(org, did, rid, key).await;
    org.remote.lines.note_taken(of, did, &taken, Instant::now());
    Ok(taken? && rejoin(org, of, Some(did)).await?)
}

async fn is_other(org: &Arc<Org>, of: &Of, tip: &Oid) -> Result<bool, Problem> {
    let ((rid, key), tip) = (of.clone(), tip.clone());
    org.blocking(move |org| org.forge.is_other_line(&rid, &key, &tip)).await
}

/// Joins what was taken, from this device where that is known; nothing where nothing was.
async fn rejoin(org: &Arc<Org>, of: &Of, from: Option<&Did>) -> Result<bool, Problem> {
    let (rid, key) = of.clone();
    let Some(rejoined) = org.blocking(move |org| org.forge.rejoin(&rid, &key)).await? else { return Ok(false) };
    let (rid, key) = of;
    org.remote.signed_changed(rid);
    match rejoined {
        Rejoined::Forward => tracing::info!(%rid, %key, "signed refs of this device were brought forward to what others have of them"),
        Rejoined::Joined(joined) => {
            if let Some(from) = from {
                org.remote.lines.note_joined(of, from, Instant::now());
            }
            tracing::warn!(
                %rid, %key, theirs = %joined.theirs, ours = %joined.ours,
                "two lines of signed refs of this device were joined: a disk or backup had been put back. {}", left_to_do(&joined)
            );
            org.record(&org.device, vec![told(rid, key, joined)]).await?;
            let (rid, key) = of.clone();
            // Only now: after a crash before that it is joined, and told, once more.
            org.blocking(move |org| org.forge.joined_told(&rid, &key)).await?;
        }
    }
    // What both lines said of patches moves tasks.
    org.wake.notify_one();
    org.kept.notify_one();
    Ok(true)
}

/// What is left to a person after two lines were joined.
fn left_to_do(joined: &Joined) -> String {
    let again: Vec<_> = joined.review_again.iter().map(|patch| patch.as_str()).collect();
    let parts = [("Branches that are kept aside", joined.aside.join(", ")), ("Patches to be reviewed again", again.join(", "))];
    let parts: Vec<_> = parts.into_iter().filter(|(_, which)| !which.is_empty()).map(|(what, which)| format!("{what}: {which}.")).collect();
    if parts.is_empty() { "Nothing is left to do.".to_owned() } else { parts.join(" ") }
}

fn told(rid: &Rid, key: &Did, joined: Joined) -> Body {
    let Joined { ours, theirs, kept_under, aside, review_again } = joined;
    Body::LineRejoined(LineRejoined { repository: rid.clone(), key: key.clone(), theirs, ours, kept_under, aside, review_again })
}

/// The open patches of a repository in which the newest that a key of this device said does not count, since two lines of some key were
/// joined. It is looked anew once something else is signed there.
///
/// # Errors
/// When the repository cannot be read.
pub(crate) fn left_out(org: &Org, rid: &Rid) -> Result<Vec<PatchId>, Problem> {
    let (digest, known) = (signed::digest(org, rid)?, &org.remote.lines.left_out);
    if let Some((_, patches)) = lock(known).get(rid).filter(|(then, _)| *then == digest) {
        return Ok(patches.clone());
    }
    let patches = org.forge.left_out(rid)?;
    lock(known).insert(rid.clone(), (digest, patches.clone()));
    Ok(patches)
}

/// Follows where others joined lines of theirs.
async fn follow(org: &Arc<Org>, rid: &Rid, theirs: Vec<(Did, Oid)>) -> Result<Vec<Result<bool, Problem>>, Problem> {
    let rid = rid.clone();
    org.blocking(move |org| {
        let keys: Vec<Did> = theirs.iter().map(|(key, _)| key.clone()).collect();
        let ours = org.forge.line_tips(&rid, &keys)?;
        let mut all = vec![];
        for ((key, tip), ours) in theirs.iter().zip(ours) {
            if ours.is_none_or(|ours| ours == *tip) {
                continue;
            }
            let followed = org.forge.follow_joined(&rid, key, tip);
            if followed == Ok(true) {
                tracing::info!(%rid, %key, "signed refs were set back to where their owner joined two lines of them");
                org.remote.signed_changed(&rid);
            }
            all.push(followed);
        }
        Ok(all)
    })
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(key: &str) -> Of {
        ("rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap(), did(key))
    }

    fn did(letter: &str) -> Did {
        format!("did:key:z6Mk{}", letter.repeat(44)).parse().unwrap()
    }

    #[test]
    fn a_line_is_not_joined_for_ever_with_what_one_device_sends() {
        let (lines, of, other, start) = (Lines::default(), of("a"), of("b"), Instant::now());
        let (here, there) = (did("c"), did("d"));
        for _ in 0..limits::LINE_JOINS_MAX {
            assert!(!lines.joined_too_often(start));
            assert!(lines.may_join(&of, &here, start).is_ok());
            lines.note_joined(&of, &here, start);
        }
        let problem = lines.may_join(&of, &here, start).unwrap_err();
        assert!(lines.joined_too_often(start) && !lines.joined_too_often(start + limits::LINE_JOINS_WITHIN));
        assert!(problem.kind == Kind::Conflict && problem.next.is_some(), "{problem}");
        assert!(lines.may_join(&other, &here, start).is_ok(), "another key is none of it");
        assert!(lines.may_join(&of, &there, start).is_ok(), "what one device repeats keeps nothing of another's away");
        assert!(lines.may_join(&of, &here, start + limits::LINE_JOINS_WITHIN).is_ok(), "a disk may be put back again");
    }

    #[test]
    fn of_one_line_one_is_joined_at_a_time_and_another_does_not_wait_for_it() {
        let turns = OneByOne::default();
        let held = turns.turn(&of("a")).try_lock_owned().unwrap();
        assert!(turns.turn(&of("a")).try_lock().is_err());
        assert!(turns.turn(&of("b")).try_lock().is_ok());
        drop(held);
        assert!(turns.turn(&of("a")).try_lock().is_ok());
        assert_eq!(lock(&turns.0).len(), 1, "what nobody waits for is forgotten");
    }

    #[test]
    fn what_could_not_be_taken_as_it_was_is_not_sent_again_at_once() {
        let (lines, of, here, there, start) = (Lines::default(), of("a"), did("c"), did("d"), Instant::now());
        lines.note_taken(&of, &here, &Err(Problem::unavailable("Away.")), start);
        assert!(lines.may_take(&of, &here, start).is_ok(), "it may come back");
        let bad = Problem::invalid("Not whole.");
        lines.note_taken(&of, &here, &Err(bad.clone()), start);
        assert_eq!(lines.may_take(&of, &here, start), Err(bad));
        assert!(lines.may_take(&of, &there, start).is_ok(), "another device may have it whole");
        assert!(lines.may_take(&of, &here, start + limits::LINE_REFUSED_PAUSE).is_ok());
    }

    #[test]
    fn what_is_not_joined_is_told_until_it_is_or_its_device_has_it_no_more() {
        let (lines, of, here, there) = (Lines::default(), of("a"), did("c"), did("d"));
        let failed = || Err(Problem::unavailable("Away."));
        assert!(lines.note(&of, &here, &failed()) && !lines.note(&of, &here, &failed()), "the same is worth a word once");
        let since = lines.stuck()[0].1.since;
        assert!(lines.note(&of, &here, &Err(Problem::unavailable("No room."))));
        assert_eq!(lines.stuck()[0].1, Stuck { at: here.clone(), since, problem: Problem::unavailable("No room.") });
        lines.note(&of, &there, &Ok(false));
        assert_eq!(lines.stuck().len(), 1, "another device has nothing else");
        lines.note(&of, &here, &Ok(false));
        assert!(lines.stuck().is_empty());
        lines.note(&of, &here, &failed());
        lines.note(&of, &there, &Ok(true));
        assert!(lines.stuck().is_empty(), "it was joined by way of another");
    }

    #[test]
    fn what_failed_is_looked_at_again_though_something_else_was_joined() {
        let mut looked = Looked::default();
        looked.add(Ok(true));
        looked.add(Ok(false));
        assert!(looked.joined);
        looked.add(Err(Problem::unavailable("Away.")));
        looked.add(Ok(true));
        assert!(looked.failed.is_some() && looked.joined, "and that is fetched at once");
    }
}
