//! Checkpoints that the journal names and that the disk lost: gone, as where an older copy of it was put back, or damaged, so that nothing
//! can go on from them. What is to go on looks first: what is lost for good is written down, and what is left of a damaged one kept aside.
//! Of what cannot be read just now nothing is written down: whatever needs it waits, or fails, and says so.

use super::kept;
use crate::{clock, limits, org::Org};
use domain::{
    Did, Oid, Problem, RunId,
    event::{Body, Event, Told, kind},
    run::{CheckpointDropped, Run},
};
use forge::{Look, OnDisk};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use store::{Order, Seq};

/// Why nothing goes on from a checkpoint that the journal alone has.
const GONE: &str = "It is not on that device's disk any more, as where an older copy of the disk was put back.";

/// A fact to be written down, and who told it.
type Fact = (Body, Option<Told>);

/// What the disk has of the checkpoint of a run that is this one by the journal.
fn on_disk(org: &Org, run: &Run, held: &Oid, look: Look) -> Result<OnDisk, Problem> {
    let rid = org.project(Some(&run.project))?.rid;
    org.forge.look_at_checkpoint(&rid, &run.id, held, look)
}

/// Whether the disk has all of this checkpoint of a run.
///
/// # Errors
/// When that cannot be told just now.
pub(super) fn is_whole(org: &Org, run: &Run, held: &Oid) -> Result<bool, Problem> {
    Ok(on_disk(org, run, held, Look::Through)? == OnDisk::Whole(held.clone()))
}

/// What is amiss with the checkpoints of runs that are over, as far as is seen without reading all of them: each in words, with what to do.
/// Of a run that works a new one may be on the disk a moment before the journal says so.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn amiss(org: &Org) -> Result<Vec<(String, &'static str)>, Problem> {
    let runs: Vec<Run> = org.store.list(kind::RUN, Order::Newest, limits::RUNS_MAX)?;
    let (mut gone, mut damaged, mut unread) = (vec![], vec![], vec![]);
    for run in runs.into_iter().filter(|run| run.state.ended()) {
        let Some(held) = &run.held else { continue };
        match on_disk(org, &run, held, Look::Over) {
            Ok(OnDisk::Whole(_)) => {}
            Ok(OnDisk::Nothing) => gone.push(run.id.to_string()),
            Ok(OnDisk::Damaged(flaw)) => damaged.push(format!("{} ({flaw})", run.id)),
            // One of a project that left the org is of no use here.
            Err(problem) if !problem.passes() => {}
            Err(problem) => unread.push(format!("{} ({})", run.id, problem.why.unwrap_or(problem.what))),
        }
    }
    let aside = kept::list(org).into_iter().filter(|kept| kept.has_remains).map(|kept| kept.run.to_string()).collect::<Vec<_>>();
    Ok(in_words(&gone, &damaged, &unread, &aside))
}

fn in_words(gone: &[String], damaged: &[String], unread: &[String], aside: &[String]) -> Vec<(String, &'static str)> {
    let named = |what: &str, runs: &[String]| {
        let more = if runs.len() > limits::GONE_NAMED_MAX { ", and more" } else { "" };
        let first: Vec<&str> = runs.iter().take(limits::GONE_NAMED_MAX).map(String::as_str).collect();
        (!runs.is_empty()).then(|| format!("{what} of run {}{more}", first.join(", ")))
    };
    let table = [
        (
            named("not on the disk, though the journal names it: what was saved", gone),
            "Where a newer copy of the data folder is left, put that back; else a new run of such a task begins without that work.",
        ),
        (
            named("damaged: what was saved", damaged),
            "Where a whole copy of the data folder is left, put that back; else a new run of such a task begins without that work, and \
             what is left of it is kept for you.",
        ),
        (
            named("not to be read now: what was saved", unread),
            "Nothing is given up: a new run of such a task waits, or fails, until it can be read. See to the disk, or to the project's \
             storage.",
        ),
        (
            named("set aside: what is left of the damaged checkpoint", aside),
            "Nothing goes on from it. Take out of it what you need (meshwork run kept says where it is), and meshwork run drop removes it.",
        ),
    ];
    table.into_iter().filter_map(|(said, next)| Some((said?, next))).collect()
}

/// After a start: has the checkpoints of these runs that lost their names get them again, before anything is removed that has none.
pub(super) fn name_again(org: &Org, runs: &[(Run, Oid)]) {
    for (run, held) in runs {
        let named = org.project(Some(&run.project)).and_then(|project| org.forge.name_checkpoint(&project.rid, &run.id, held));
        if let Err(problem) = named
            && problem.passes()
        {
            tracing::warn!(run = %run.id, %problem, "whether what is saved of a run has its name cannot be seen now");
        }
    }
}

/// Sees whether the disk has the checkpoint of a run that lies here by the journal, whole. Where it does not, this is written down, and why
/// is given: what is known of the run has to be read anew. Then it has what is on the disk, or none; what another device made of it is
/// there still, as far as is known. What is left of a damaged one is copied aside before.
///
/// # Errors
/// When it cannot be read just now, what is left not be copied, or the journal not be written.
pub(crate) async fn forget_gone(org: &Arc<Org>, run: &Run) -> Result<Option<String>, Problem> {
    let Some(held) = run.held.clone() else { return Ok(None) };
    let (wanted, commit) = (run.clone(), held.clone());
    let looked = org.blocking(move |org| {
        let found = on_disk(org, &wanted, &commit, Look::Through)?;
        if matches!(found, OnDisk::Damaged(_)) {
            kept::set_aside(org, &wanted, &commit)?;
        }
        Ok(found)
    });
    let there = looked.await?;
    let why = match &there {
        OnDisk::Whole(found) if *found == held => return Ok(None),
        OnDisk::Damaged(flaw) => damaged(&run.id, flaw),
        _ => GONE.to_owned(),
    };
    tracing::warn!(run = %run.id, checkpoint = %held, %why, "nothing goes on from a checkpoint that the journal names");
    let (id, commit, found, said) = (run.id.clone(), held.clone(), there.clone(), why.clone());
    let written = write(org, &run.id, move |now| corrected(now, &commit, &found, &said)).await?;
    if written && matches!(there, OnDisk::Damaged(_)) {
        let project = run.project.clone();
        let forgotten = org.blocking(move |org| org.forge.forget_damaged(&org.project(Some(&project))?.rid, &id, &held)).await;
        if let Err(problem) = forgotten {
            tracing::warn!(run = %run.id, %problem, "a damaged checkpoint that was copied aside keeps its name until the next start");
        }
    }
    Ok(Some(why))
}

fn damaged(run: &RunId, flaw: &str) -> String {
    format!("It is damaged on that device's disk: {flaw}. What is left of it is kept there; meshwork run show {run} says where.")
}

/// What is said where a checkpoint could not be read: whether the disk lost it, and what to do.
pub(crate) fn unread(org: &Org, run: &Run, commit: &Oid, problem: Problem) -> Problem {
    if run.held.as_ref() != Some(commit) {
        return problem;
    }
    org.forge.look_again(commit);
    match on_disk(org, run, commit, Look::Through) {
        Ok(found) => lost_words(run, commit, &found).unwrap_or(problem),
        Err(_) => problem,
    }
}

/// What is said of a checkpoint that the disk here lost; none: it has it.
fn lost_words(run: &Run, commit: &Oid, found: &OnDisk) -> Option<Problem> {
    let why = match found {
        OnDisk::Whole(_) => return None,
        OnDisk::Damaged(flaw) => format!("It is damaged on this device's disk: {flaw}."),
        OnDisk::Nothing => "It is not on this device's disk any more, as where an older copy of the disk was put back.".to_owned(),
    };
    let again = run.task.as_ref().map_or_else(|| "meshwork task run".to_owned(), |at| format!("meshwork task run {}", at.task));
    Some(Problem::not_found(format!("The checkpoint {commit} of run {} cannot be read any more.", run.id)).because(why).next(format!(
        "Run its task again ({again}): it begins with what can be had of that work elsewhere, or anew, and what is left here is kept \
             aside (meshwork run kept). meshwork doctor says what else the disk lost."
    )))
}

/// What is to be written down of a run whose checkpoint `held` is not on the disk, which has `there` instead: facts of this device, and one
/// that another told. Nothing where the run has another one by now.
fn corrected(now: &Run, held: &Oid, there: &OnDisk, why: &str) -> Vec<Fact> {
    let saved = |commit: &Oid| Body::RunCheckpointed { run: now.id.clone(), commit: commit.clone() };
    if now.held.as_ref() != Some(held) {
        return vec![];
    }
    if let OnDisk::Whole(commit) = there {
        return vec![(saved(commit), None)];
    }
    let aside = match there {
        OnDisk::Damaged(flaw) => {
            let mut left_out = now.kept.clone().unwrap_or_default();
            left_out.add(format!("what is left of checkpoint {held}: {flaw}"));
            Some(Body::WorkKept { run: now.id.clone(), left_out })
        }
        _ => None,
    };
    let dropped = Body::CheckpointDropped(CheckpointDropped { run: now.id.clone(), why: why.to_owned() });
    // Its executor is asked for it again.
    let again = now.checkpoint.as_ref().zip(now.told.clone()).map(|(commit, told)| (saved(commit), Some(told)));
    aside.into_iter().chain([dropped]).map(|body| (body, None)).chain(again).collect()
}

/// Writes down that a device has this checkpoint of a run no more, by its own word; an older one that is here stays. `asked` is the run as
/// it was known when that device was asked: where more was heard of it since, nothing is written, and it is asked again.
///
/// # Errors
/// When the journal cannot be written.
pub(crate) async fn gone_there(org: &Arc<Org>, asked: &Run, commit: Oid, device: &Did, why: String) -> Result<(), Problem> {
    let (then, device) = (asked.clone(), device.clone());
    write(org, &asked.id, move |now| not_there(now, &then, &commit, &device, why).into_iter().collect()).await.map(drop)
}

fn not_there(now: &Run, asked: &Run, commit: &Oid, device: &Did, why: String) -> Option<Fact> {
    let heard = |run: &Run| run.told.as_ref().map(|told| (told.device.clone(), told.seq));
    // What was heard since may be that it has this one again.
    if now.checkpoint.as_ref() != Some(commit) || heard(now) != heard(asked) {
        return None;
    }
    // As of the fact that was heard last: what followed there was not told.
    let told = Told { device: device.clone(), seq: asked.told.as_ref().map_or(0, |told| told.seq), heard_at: clock::now() };
    Some((Body::CheckpointDropped(CheckpointDropped { run: now.id.clone(), why }), Some(told)))
}

/// Writes down what follows from a run as the journal has it then; says whether there was something.
async fn write(org: &Arc<Org>, run: &RunId, facts: impl FnOnce(&Run) -> Vec<Fact> + Send + 'static) -> Result<bool, Problem> {
    let (id, writing, written) = (run.clone(), org.clone(), Arc::new(AtomicBool::new(false)));
    let noted = written.clone();
    let decided = org.store.append_if(move |view| {
        let facts = view.get::<Run>(kind::RUN, id.as_str())?.map(|now| facts(&now)).unwrap_or_default();
        noted.store(!facts.is_empty(), Ordering::Relaxed);
        let event = |(body, told): Fact| {
            let plain = writing.event(told.as_ref().map_or(&writing.device, |told| &told.device), body);
            Event { told, ..plain }
        };
        Ok(facts.into_iter().map(event).collect())
    });
    decided.await?;
    Ok(written.load(Ordering::Relaxed))
}

/// Takes up a checkpoint that was written down as gone and is there again, as where its disk had been away; says whether it is to stay.
/// What was dropped for another reason is not taken up.
///
/// # Errors
/// When the journal cannot be read or written.
pub(super) fn take_up(org: &Org, run: &Run) -> Result<bool, Problem> {
    if last_dropped(org, &run.id)?.as_deref() != Some(GONE) {
        return Ok(false);
    }
    let rid = org.project(Some(&run.project))?.rid;
    let found = match org.forge.checkpoint_of(&rid, &run.id) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(false),
        Err(problem) => {
            tracing::warn!(run = %run.id, %problem, "a checkpoint that was gone is there again, and cannot be read; it is left as it is");
            return Ok(true);
        }
    };
    tracing::warn!(run = %run.id, checkpoint = %found.commit, "a checkpoint that was gone is on the disk again");
    let event =
        |(body, told): Fact| Event { told: told.clone(), ..org.event(told.as_ref().map_or(&org.device, |told| &told.device), body) };
    let events: Vec<Event> = there_again(run, &found.commit).into_iter().map(event).collect();
    let id = run.id.clone();
    let decided = org.store.append_if_blocking(move |view| {
        let dropped = view.get::<Run>(kind::RUN, id.as_str())?.is_some_and(|now| now.held.is_none());
        Ok(if dropped { events } else { vec![] })
    });
    decided.map(|_| true)
}

/// What is to be written down of a run whose checkpoint is here again, and nowhere else as far as is known: a fact of this device, and,
/// where another executed the run, one that it told. Else nothing would go on from what is only a copy.
fn there_again(run: &Run, commit: &Oid) -> Vec<Fact> {
    let saved = || Body::RunCheckpointed { run: run.id.clone(), commit: commit.clone() };
    let there = run.told.clone().map(|told| (saved(), Some(told)));
    [(saved(), None)].into_iter().chain(there).collect()
}

/// Why this device's checkpoint of a run was dropped last. Looked for from the end: it is seldom needed, and seldom long ago.
fn last_dropped(org: &Org, run: &RunId) -> Result<Option<String>, Problem> {
    let mut before = org.store.last().0;
    while before > 0 {
        let after = before.saturating_sub(limits::DROPPED_LOOKED_AT);
        let count = usize::try_from(before - after).unwrap_or(usize::MAX);
        let why = org.store.events(Seq(after), count)?.into_iter().rev().find_map(|recorded| match &recorded.event.body {
            Body::CheckpointDropped(dropped) if dropped.run == *run && recorded.event.told.is_none() => Some(dropped.why.clone()),
            _ => None,
        });
        if why.is_some() {
            return Ok(why);
        }
        before = after;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, event, manifest::Class, run::RunState};

    fn did(seed: u8) -> Did {
        identity::Key::from_seed(&[seed; 32]).did()
    }

    fn oid(digit: &str) -> Oid {
        digit.repeat(40).parse().unwrap_or_else(|p| unreachable!("{p}"))
    }

    fn told(device: u8, seq: u64) -> Option<Told> {
        Some(Told { device: did(device), seq, heard_at: Timestamp(0) })
    }

    /// A run that was executed here, and evicted, with this checkpoint.
    fn evicted(checkpoint: &Oid) -> Run {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let project = "demo".parse().unwrap_or_else(|p| unreachable!("{p}"));
        let plain = crate::admission::new_run(id, Class::Agent, project, did(9), did(1), Timestamp(0));
        Run { state: RunState::Evicted, checkpoint: Some(checkpoint.clone()), held: Some(checkpoint.clone()), ..plain }
    }

    /// A run as it is after these facts.
    fn after(run: &Run, facts: impl IntoIterator<Item = Fact>) -> Run {
        facts.into_iter().fold(run.clone(), |run, (body, told)| {
            let event = Event { version: event::VERSION, at: Timestamp(1), actor: run.requester.clone(), via: None, told, body };
            let json: Arc<str> = serde_json::to_string(&run).unwrap_or_else(|e| unreachable!("{e}")).into();
            let mut before = |of: &str, id: &str| (of == kind::RUN && id == run.id.as_str()).then(|| json.clone());
            let changes = event::project(&event, &mut before).unwrap_or_else(|p| unreachable!("{p}"));
            let changed = changes.into_iter().find(|one| one.kind == kind::RUN).and_then(|one| one.value);
            changed.and_then(|value| serde_json::from_str(&value).ok()).unwrap_or_else(|| unreachable!("the run changes"))
        })
    }

    #[test]
    fn a_checkpoint_that_is_on_no_disk_is_not_gone_on_from_and_its_maker_is_asked_again() {
        let (older, last) = (oid("1"), oid("2"));
        let own = evicted(&last);
        let elsewhere = Run { told: told(2, 7), ..own.clone() };
        let older_there = OnDisk::Whole(older.clone());
        let now = |run: &Run, there: &OnDisk| {
            let run = after(run, corrected(run, &last, there, GONE));
            (run.checkpoint, run.held)
        };
        assert_eq!(now(&own, &OnDisk::Nothing), (None, None), "nobody has it");
        assert_eq!(now(&own, &older_there), (Some(older.clone()), Some(older.clone())), "an older one is better than none");
        assert_eq!(now(&elsewhere, &OnDisk::Nothing), (Some(last.clone()), None), "it may be there");
        assert_eq!(now(&elsewhere, &older_there), (Some(last.clone()), Some(older)), "it may be there");
    }

    #[test]
    fn who_wants_to_see_a_checkpoint_that_the_disk_lost_is_told_what_to_do() {
        let last = oid("2");
        let run = evicted(&last);
        let told = |found: &OnDisk| lost_words(&run, &last, found).map(|problem| problem.to_string());
        assert_eq!(told(&OnDisk::Whole(last.clone())), None);
        for (found, words) in [(OnDisk::Damaged("half.txt is missing".into()), "half.txt is missing."), (OnDisk::Nothing, "put back")] {
            let told = told(&found).unwrap_or_default();
            assert!(told.contains(words) && told.contains("meshwork task run") && told.contains(last.as_str()), "{told}");
        }
    }

    #[test]
    fn a_checkpoint_that_is_on_the_disk_again_is_gone_on_from_wherever_it_was_made() {
        let last = oid("2");
        let own = Run { checkpoint: None, held: None, ..evicted(&last) };
        let elsewhere = Run { told: told(2, 7), ..own.clone() };
        for run in [own, elsewhere] {
            let now = after(&run, there_again(&run, &last));
            assert_eq!((now.checkpoint, now.held), (Some(last.clone()), Some(last.clone())));
            assert_eq!(now.told, run.told);
        }
    }

    #[test]
    fn what_is_left_of_a_damaged_checkpoint_is_told_beside_what_was_kept_before() {
        let last = oid("2");
        let mut run = evicted(&last);
        let mut before = domain::run::LeftOut::default();
        before.add("build/".into());
        run.kept = Some(before);
        let flaw = "work/half.txt is missing";
        let facts = corrected(&run, &last, &OnDisk::Damaged(flaw.into()), &damaged(&run.id, flaw));
        let why = facts.iter().find_map(|(body, _)| if let Body::CheckpointDropped(dropped) = body { Some(&dropped.why) } else { None });
        assert!(why.is_some_and(|why| why.contains(flaw) && why.contains(run.id.as_str())), "{facts:?}");
        let now = after(&run, facts);
        assert_eq!((now.checkpoint, now.held), (None, None));
        let kept = now.kept.unwrap_or_default().files;
        assert!(kept.len() == 2 && kept[0] == "build/" && kept[1].contains(flaw) && kept[1].contains(last.as_str()), "{kept:?}");
    }

    #[test]
    fn what_came_while_the_disk_was_looked_at_is_not_lost_nor_set_back() {
        let (older, last) = (oid("1"), oid("2"));
        let brought = Run { held: Some(last.clone()), ..evicted(&last) };
        for there in [OnDisk::Nothing, OnDisk::Damaged("all of it".into()), OnDisk::Whole(oid("3"))] {
            assert!(corrected(&brought, &older, &there, GONE).is_empty(), "another one lies here now: {there:?}");
        }
        // The next one was told meanwhile, and did not come yet.
        let next = Run { held: Some(older.clone()), told: told(2, 9), ..evicted(&last) };
        let now = after(&next, corrected(&next, &older, &OnDisk::Nothing, GONE));
        assert_eq!((now.checkpoint, now.held, now.told.map(|told| told.seq)), (Some(last), None, Some(9)));
    }

    #[test]
    fn a_device_is_believed_about_what_it_was_asked_and_nothing_that_it_told_since() {
        let (asked_for, newer) = (oid("1"), oid("2"));
        let asked = Run { held: None, told: told(2, 7), ..evicted(&asked_for) };
        let gone = |now: &Run| not_there(now, &asked, &asked_for, &did(2), "It is gone.".into());
        let written = after(&asked, gone(&asked));
        assert_eq!((written.checkpoint, written.told.map(|told| (told.device, told.seq))), (None, Some((did(2), 7))));
        let saved = |commit: &Oid| Body::RunCheckpointed { run: asked.id.clone(), commit: commit.clone() };
        let newer_told = after(&asked, [(saved(&newer), told(2, 8))]);
        assert_eq!(gone(&newer_told), None, "a newer one was told while it was asked");
        let told_again = after(&asked, [(saved(&asked_for), told(2, 8))]);
        assert_eq!(gone(&told_again), None, "it was told again, as by a device whose disk was put back");
        let elsewhere = Run { told: told(3, 7), ..asked.clone() };
        assert_eq!(gone(&elsewhere), None, "another device told it");
    }

    #[test]
    fn what_is_amiss_is_told_apart_with_what_to_do() {
        let runs = |count: usize| -> Vec<String> { (0..count).map(|n| format!("R{n}")).collect() };
        assert!(in_words(&[], &[], &[], &[]).is_empty());
        let all = in_words(&runs(1), &runs(limits::GONE_NAMED_MAX + 1), &runs(2), &runs(1));
        let said: Vec<&str> = all.iter().map(|(said, _)| said.as_str()).collect();
        assert_eq!(said[0], "not on the disk, though the journal names it: what was saved of run R0");
        assert!(said[1].starts_with("damaged: ") && said[1].ends_with("R4, and more"), "{said:?}");
        assert!(
            said[2].contains("not to be read now") && said[2].ends_with("R0, R1") && all[2].1.contains("Nothing is given up"),
            "{all:?}"
        );
        assert!(said[3].contains("set aside") && all[3].1.contains("meshwork run kept"), "{all:?}");
    }
}
