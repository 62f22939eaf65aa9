//! Whether other devices can be reached: what is known, and looking now.

use super::{called, client_of_any, devices, in_time, lock};
use crate::{clock, limits, org::Org};
use domain::{Did, Kind, Problem, Timestamp, lease::Reached};
use futures::future::join_all;
use mesh::{spoken, works_with};
use proto::mesh::{ProbeReply, ProbeRequest};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use tonic::Status;

/// How a device was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reach {
    /// Whether it answered the last time.
    pub reachable: bool,
    /// When it answered last, since this process began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// How far its clock is ahead of this one's, in milliseconds, give or take half the way there and back; below 0: behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// Why it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether it refused this device as one that the org does not list, and did not answer since.
    #[serde(skip)]
    pub(crate) refused: bool,
    /// Why the two do not work together, where its version is too old or too new: until it answers with one that fits.
    #[serde(skip)]
    pub(crate) apart: Option<Problem>,
}

impl Reach {
    /// A call of whatever kind came to this.
    fn came_to(&mut self, outcome: Result<(), &Problem>) {
        match outcome {
            Ok(()) => {
                let clock_ahead_ms = self.clock_ahead_ms;
                *self = Self { reachable: true, heard_at: Some(clock::now()), clock_ahead_ms, ..Self::default() };
            }
            Err(problem) => {
                (self.reachable, self.problem) = (false, Some(problem.to_string()));
                self.refused |= mesh::says_unlisted(problem);
            }
        }
    }

    /// Asking whether it is there came to this: how far its clock is ahead. Says whether it is news that the two do not work together.
    /// Only here that is believed: were it taken from refused calls, two devices that fit again would keep each other out for ever, each
    /// by the other's word.
    fn probed(&mut self, outcome: &Result<i64, Problem>) -> bool {
        self.came_to(outcome.as_ref().map(|_| ()));
        match outcome {
            Ok(ahead_ms) => self.clock_ahead_ms = Some(*ahead_ms),
            Err(problem) if mesh::says_apart(problem) => return self.apart.replace(problem.clone()).as_ref() != Some(problem),
            Err(_) => {}
        }
        false
    }
}

/// Notes whether a device was reached.
pub(crate) fn reached(org: &Org, device: &Did, outcome: Result<(), &Problem>) {
    lock(&org.remote.reach).entry(device.clone()).or_default().came_to(outcome);
}

/// What another device said to a call of a person's, as a problem: of one that does not answer, which that is, when it was there last, and
/// what to do.
pub(super) fn said(org: &Org, device: &Did, status: &Status) -> Problem {
    let said = mesh::problem(status);
    if !mesh::says_unanswered(&said) {
        return said;
    }
    away(&called(org, device), devices::seen(org, device), &said.why.unwrap_or_default())
}

/// What is said of a device that did not answer when it was asked whether it is there.
pub(super) fn silent(org: &Org, device: &Did) -> Problem {
    let why = lock(&org.remote.reach).get(device).and_then(|reach| reach.problem.clone());
    away(&called(org, device), devices::seen(org, device), &why.unwrap_or_default())
}

fn away(name: &str, seen: Option<Timestamp>, why: &str) -> Problem {
    let seen = seen.map_or_else(|| "It was never seen from here.".to_owned(), |at| format!("It was there last at {}.", at.minute()));
    Problem::unavailable(format!("The device {name} does not answer now."))
        .because(format!("{seen} {why}"))
        .next(format!("Start meshwork up on {name}, or try again when it is back: meshwork device list shows which devices answer."))
}

/// Why nothing is asked of a device and nothing taken from it: its version and ours do not work together, as far as is known.
pub(crate) fn apart(org: &Org, device: &Did) -> Option<Problem> {
    lock(&org.remote.reach).get(device).and_then(|reach| reach.apart.clone())
}

/// The devices of the org that are kept out for their version, and why.
pub(crate) fn all_apart(org: &Org) -> Vec<(Did, Problem)> {
    let others = others(org);
    let all = lock(&org.remote.reach);
    others.into_iter().filter_map(|did| all.get(&did)?.apart.clone().map(|why| (did, why))).collect()
}

/// The other devices whose clocks are far from this one's, and how far each is ahead, in milliseconds.
pub(crate) fn clocks_off(org: &Org) -> Vec<(Did, i64)> {
    let others = others(org);
    let all = lock(&org.remote.reach);
    let off = |did: Did| {
        let ahead_ms = all.get(&did)?.clock_ahead_ms?;
        (ahead_ms.unsigned_abs() >= limits::CLOCK_OFF_MS).then_some((did, ahead_ms))
    };
    others.into_iter().filter_map(off).collect()
}

/// Asks a device whether it is there, and speaks a version that works with ours.
pub(crate) async fn probe(org: &Arc<Org>, device: &Did) -> Reach {
    let outcome = ask(org, device).await;
    noted(org, device, &outcome)
}

/// Asks a device directly whether it is there, before what it does is given up. It answers also while a stop order halts this one.
pub(super) async fn directly(org: &Arc<Org>, device: &Did) -> Reached {
    let outcome = ask(org, device).await;
    noted(org, device, &outcome);
    came_of(&outcome)
}

/// Notes what came of asking a device whether it is there.
fn noted(org: &Org, device: &Did, outcome: &Result<i64, Problem>) -> Reach {
    let mut all = lock(&org.remote.reach);
    let reach = all.entry(device.clone()).or_default();
    if reach.probed(outcome) {
        tracing::warn!(%device, problem = reach.problem, "a device is kept out for its version");
    }
    reach.clone()
}

/// Only where nothing came, or nothing in time, a device was not reached: a refusal is an answer, and what fails here says nothing of it.
fn came_of<T>(outcome: &Result<T, Problem>) -> Reached {
    match outcome {
        Err(problem) if problem.kind == Kind::Timeout || mesh::says_unanswered(problem) => Reached::No,
        _ => Reached::Yes,
    }
}

/// Asks every other device of the org whether it is there, all at once.
pub(crate) async fn probe_all(org: &Arc<Org>) {
    join_all(others(org).iter().map(|did| probe(org, did))).await;
}

/// Asks one other device of the org, in each round another.
pub(super) async fn probe_next(org: &Arc<Org>, round: u32) {
    let others = others(org);
    let round = usize::try_from(round).unwrap_or_default();
    if let Some(did) = round.checked_rem(others.len()).and_then(|at| others.get(at)) {
        probe(org, did).await;
    }
}

pub(super) fn others(org: &Org) -> Vec<Did> {
    let state = org.remote.org();
    state.devices.values().map(|device| device.did.clone()).filter(|did| *did != org.device).collect()
}

/// The devices that refuse this one as not listed, where no other takes it.
pub(crate) fn refused_by(org: &Org) -> Vec<Did> {
    let (all, others) = (lock(&org.remote.reach), others(org));
    let known: Vec<(&Did, &Reach)> = all.iter().filter(|(did, _)| others.contains(did)).collect();
    let taken = known.iter().any(|(_, reach)| reach.reachable);
    known.into_iter().filter(|(_, reach)| !taken && reach.refused).map(|(did, _)| did.clone()).collect()
}

/// Tells a device that there is no session between the Radicle nodes.
///
/// # Errors
/// When it does not answer. A refusal is an answer: calling its node finds out.
pub(super) async fn without_session(org: &Arc<Org>, device: &Did) -> Result<(), Problem> {
    let request = ProbeRequest { version: spoken(), without_radicle_session: true };
    let outcome = asked(org, device, request).await;
    match (came_of(&outcome), outcome) {
        (Reached::No, Err(problem)) => Err(away(&called(org, device), devices::seen(org, device), &problem.why.unwrap_or(problem.what))),
        _ => Ok(()),
    }
}

/// How far its clock is ahead, where it answers.
async fn ask(org: &Arc<Org>, device: &Did) -> Result<i64, Problem> {
    let began = clock::now();
    let reply = asked(org, device, ProbeRequest { version: spoken(), without_radicle_session: false }).await?;
    works_with(reply.version, reply.oldest)?;
    Ok(ahead_ms(reply.at_ms, began, clock::now()))
}

async fn asked(org: &Arc<Org>, device: &Did, request: ProbeRequest) -> Result<ProbeReply, Problem> {
    // Whatever was known before: it may have another version by now.
    let mut client = client_of_any(org, device)?;
    Ok(in_time(limits::PROBE_WAIT, client.probe(request)).await?.into_inner())
}

/// How far a clock is ahead that told a moment between two of this one: measured from the middle of these, as NTP does (RFC 5905, 8).
fn ahead_ms(told_ms: i64, asked: Timestamp, answered: Timestamp) -> i64 {
    told_ms.saturating_sub(asked.0 + (answered.0 - asked.0) / 2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_clock_is_compared_with_the_middle_of_question_and_answer() {
        for (told_ms, ahead) in [(1_050, 0), (61_050, 60_000), (50, -1_000), (i64::MAX, i64::MAX - 1_050), (i64::MIN, i64::MIN)] {
            assert_eq!(ahead_ms(told_ms, Timestamp(1_000), Timestamp(1_100)), ahead, "{told_ms}");
        }
    }

    #[test]
    fn two_devices_that_fit_again_do_not_keep_each_other_out_by_each_others_word() {
        let (mut adas, mut bobs) = (Reach::default(), Reach::default());
        let apart = works_with(0, 0).map(|()| 0);
        assert!(adas.probed(&apart) && !adas.probed(&apart), "said once");
        // Bob has a version that fits by now, and calls: Ada's device refuses him for what it knew of him.
        let refusal = mesh::problem(&mesh::status(adas.apart.clone().unwrap()));
        bobs.came_to(Err(&refusal));
        assert!(!bobs.reachable && bobs.apart.is_none(), "{bobs:?}");
        assert!(!adas.probed(&Ok(5)));
        assert_eq!((adas.reachable, adas.apart, adas.clock_ahead_ms), (true, None, Some(5)));
    }

    #[test]
    fn a_device_that_refuses_was_reached_and_so_was_one_of_which_only_this_one_could_not_write() {
        let answer = |problem: Problem| Err(mesh::problem(&mesh::status(problem)));
        let unlisted = std::io::Error::other("received fatal alert: AccessDenied");
        let reached = [
            Ok(0),
            answer(Problem::unavailable("A stop order halts the device adas-box.")),
            answer(Problem::unavailable("The journal cannot be written: the disk is full.")),
            answer(Problem::internal("something")),
            works_with(0, 0).map(|()| 0),
            Err(mesh::problem(&Status::from_error(Box::new(unlisted)))),
            Err(Problem::unavailable("Cannot read config.toml.")),
        ];
        for outcome in &reached {
            assert_eq!(came_of(outcome), Reached::Yes, "{outcome:?}");
        }
        let away: Result<(), Problem> = Err(mesh::problem(&Status::unavailable("connection refused")));
        for outcome in [away, Err(Problem::new(Kind::Timeout, "It did not answer in time."))] {
            assert_eq!(came_of(&outcome), Reached::No, "{outcome:?}");
        }
    }

    #[test]
    fn of_a_device_that_does_not_answer_it_is_said_which_since_when_and_what_to_do() {
        let problem = away("bobs-box", Some(Timestamp(1_795_737_600_000)), "Connection refused.").to_string();
        for words in ["bobs-box does not answer now", "last at 2026-11-27 00:00 UTC. Connection refused.", "meshwork up on bobs-box"] {
            assert!(problem.contains(words), "“{words}” in {problem}");
        }
        assert!(away("bobs-box", None, "").to_string().contains("never seen"));
    }
}
