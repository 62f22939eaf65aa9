//! Lines of signed refs between devices. Each signature of a key in a repository stands on the one before: they are its line. Radicle takes
//! only what goes on from the line that is here, and of the node's own key nothing at all; so a device whose disk or backup was put back
//! asks for what its keys had signed by `Mesh.Lines` and `Mesh.Line`. Here it is given and taken; `rejoin` says what becomes of it.

use super::{answered, client, client_read_slowly, signed};
use crate::{
    data_dir::{leaves, left_bytes},
    limits,
    org::Org,
};
use domain::{Did, Kind, Oid, Problem, Rid};
use futures::{Stream, StreamExt};
use mesh::{problem, spoken, status, understood};
use proto::mesh::{LinePart, LineRequest, LinesRequest};
use std::{pin::Pin, slice, sync::Arc, time::Instant};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

type Part = Result<LinePart, Status>;
type Out = Pin<Box<dyn Stream<Item = Part> + Send>>;

/// The newest signatures here of the keys that are asked for, in their order; nothing in a repository that the caller may not read.
///
/// # Errors
/// When too many are asked for, or what is asked for are no keys.
pub(super) async fn tell(org: &Arc<Org>, caller: Did, asked: LinesRequest) -> Result<Vec<String>, Problem> {
    at_most(asked.keys.len(), limits::LINE_KEYS_MAX, "keys")?;
    let keys = asked.keys.iter().map(|key| key.parse()).collect::<Result<Vec<Did>, Problem>>()?;
    org.blocking(move |org| {
        let Some(rid) = signed::readable(org, &caller, &asked.repository) else { return Ok(vec![String::new(); keys.len()]) };
        let tips = org.forge.line_tips(&rid, &keys)?;
        Ok(tips.into_iter().map(|tip| tip.map_or_else(String::new, String::from)).collect())
    })
    .await
}

fn at_most(asked: usize, max: usize, what: &str) -> Result<(), Problem> {
    if asked <= max {
        return Ok(());
    }
    Err(Problem::new(Kind::Limit, format!("{asked} {what} were named at once.")).because(format!("{max} are possible.")))
}

/// What is given.
struct Wanted {
    rid: Rid,
    key: Did,
    /// How far.
    tip: Oid,
    /// What whoever asks has of it.
    have: Vec<Oid>,
}

/// What the caller lacks of a key's line, as a git pack in pieces. A slow reader holds only its own stream back; one that takes nothing for
/// a while is given up.
///
/// # Errors
/// When it is not here, the caller may not have it, or too many are given now.
pub(super) async fn give(org: &Arc<Org>, caller: Did, asked: LineRequest) -> Result<Out, Problem> {
    let turn = org.remote.lines.given.turn(&caller);
    // Whoever may not have it takes no turn from others.
    let wanted = org.blocking(move |org| wanted(org, &caller, &asked)).await?;
    let busy = || Problem::unavailable("This device gives as many lines of signed refs as it can at once.").next("It is asked again.");
    let giving = org.remote.lines.giving.clone();
    // One device at a time, in its own turn first: one that asks for many waits for itself alone.
    let turns = async { (turn.lock_owned().await, giving.acquire_owned().await) };
    let (turn, permit) = tokio::time::timeout(limits::LINE_TURN, turns).await.map_err(|_| busy())?;
    let held = (turn, permit.map_err(|_| busy())?);
    let (told, stream) = mpsc::channel(limits::LINE_AHEAD_MAX);
    let (giving, runtime, begun) = (org.clone(), Handle::current(), Instant::now());
    drop(tokio::task::spawn_blocking(move || {
        let _held = held;
        let send = |part: Part| {
            // Who takes a little now and then would keep others from theirs.
            if part.is_ok() && begun.elapsed() > limits::LINE_TRANSFER {
                return Err(Problem::unavailable("A line of signed refs took too long to another device."));
            }
            let sent = runtime.block_on(async { tokio::time::timeout(limits::LINE_SILENCE, told.send(part)).await });
            sent.map_err(|_| Problem::unavailable("Nothing was taken of a line of signed refs for too long."))?
                .map_err(|_| Problem::unavailable("The device that asked for a line of signed refs is gone."))
        };
        if let Err(problem) = all(&giving, &wanted, &send) {
            tracing::warn!(rid = %wanted.rid, key = %wanted.key, %problem, "a line of signed refs could not be given whole");
            let _ = send(Err(status(problem)));
        }
    }));
    Ok(Box::pin(ReceiverStream::new(stream)))
}

fn wanted(org: &Org, caller: &Did, asked: &LineRequest) -> Result<Wanted, Problem> {
    at_most(asked.have.len(), limits::LINE_HAVE_MAX, "signatures")?;
    let key: Did = asked.key.parse()?;
    let have = asked.have.iter().map(|oid| oid.parse()).collect::<Result<Vec<Oid>, Problem>>()?;
    let none = || Problem::not_found("There is no such line of signed refs here.");
    if !org.remote.org().readers().contains(&key) {
        return Err(none());
    }
    let rid = signed::readable(org, caller, &asked.repository).ok_or_else(none)?;
    let tip = org.forge.line_tips(&rid, slice::from_ref(&key))?.pop().flatten().ok_or_else(none)?;
    Ok(Wanted { rid, key, tip, have })
}

fn all(org: &Org, wanted: &Wanted, send: &dyn Fn(Part) -> Result<(), Problem>) -> Result<(), Problem> {
    let Wanted { rid, key, tip, have } = wanted;
    let part = |tip: String, pack: Vec<u8>| Ok(LinePart { version: spoken(), tip, pack });
    send(part(tip.to_string(), vec![]))?;
    org.forge.give_line(rid, key, tip, have, &mut |pack: &[u8]| send(part(String::new(), pack.to_vec())))
}

/// The newest signatures that another device has of these keys, in their order; none where it is too old to be asked.
///
/// # Errors
/// When it does not answer.
pub(super) async fn tips(org: &Arc<Org>, did: &Did, rid: &Rid, keys: &[Did]) -> Result<Option<Vec<Option<Oid>>>, Problem> {
    let mut client = client(org, did)?;
    let mut tips = Vec::with_capacity(keys.len());
    for keys in keys.chunks(limits::LINE_KEYS_MAX) {
        let names = keys.iter().map(ToString::to_string).collect();
        let request = LinesRequest { version: spoken(), repository: rid.to_string(), keys: names };
        let mut told = match answered(limits::SIGNED_WAIT, client.lines(request)).await? {
            Ok(reply) => reply.into_inner().tips,
            Err(status) if status.code() == Code::Unimplemented => return Ok(None),
            Err(status) => return Err(problem(&status)),
        };
        told.resize(keys.len(), String::new());
        tips.extend(told.iter().map(|tip| tip.parse().ok()));
    }
    Ok(Some(tips))
}

/// Takes what another device has of a key's line beyond what is here; it is kept beside that. Says whether there was anything.
///
/// # Errors
/// When it is not given whole, is not what the key signed, or is too much for this disk.
pub(super) async fn take(org: &Arc<Org>, did: &Did, rid: &Rid, key: &Did) -> Result<bool, Problem> {
    let (at, of) = (rid.clone(), key.clone());
    let have = org.blocking(move |org| org.forge.line_known(&at, &of)).await?;
    let have = have.iter().take(limits::LINE_HAVE_MAX).map(ToString::to_string).collect();
    let request = LineRequest { version: spoken(), repository: rid.to_string(), key: key.to_string(), have };
    let mut client = client_read_slowly(org, did)?;
    let answered = tokio::time::timeout(limits::LINE_SILENCE, client.line(request)).await.map_err(|_| silent())?;
    let mut coming = Coming { stream: answered.map_err(|status| problem(&status))?.into_inner(), begun: Instant::now() };
    let Some(first) = coming.part().await? else { return Ok(false) };
    let tip: Oid = first.tip.parse()?;
    let mut ahead = if first.pack.is_empty() { coming.piece().await? } else { Some(first.pack) };
    if ahead.is_none() {
        return Ok(false);
    }
    let (rid, key, runtime) = (rid.clone(), key.clone(), Handle::current());
    org.blocking(move |org| {
        let mut next = || {
            room_left(org)?;
            ahead.take().map_or_else(|| runtime.block_on(coming.piece()), |piece| Ok(Some(piece)))
        };
        org.forge.take_line(&rid, &key, &tip, &mut next)
    })
    .await?;
    Ok(true)
}

/// Whether the disk takes more.
fn room_left(org: &Org) -> Result<(), Problem> {
    if leaves(left_bytes(org.forge.rad_home()), 0) {
        return Ok(());
    }
    Err(Problem::unavailable("A line of signed refs was not taken: too little of this device's disk would be left free.")
        .next("Free some disk space; it is asked for again."))
}

fn silent() -> Problem {
    Problem::new(Kind::Timeout, format!("Nothing came of a line of signed refs for {} s.", limits::LINE_SILENCE.as_secs()))
}

/// A line that comes.
struct Coming {
    stream: Streaming<LinePart>,
    begun: Instant,
}

impl Coming {
    async fn part(&mut self) -> Result<Option<LinePart>, Problem> {
        // Parts in which nothing is would else come for ever.
        if self.begun.elapsed() > limits::LINE_TRANSFER {
            return Err(Problem::new(Kind::Limit, "A line of signed refs took too long from another device."));
        }
        let next = tokio::time::timeout(limits::LINE_SILENCE, self.stream.next()).await.map_err(|_| silent())?;
        let Some(part) = next else { return Ok(None) };
        let part = part.map_err(|status| problem(&status))?;
        understood(part.version)?;
        Ok(Some(part))
    }

    /// The next piece of its pack.
    async fn piece(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        while let Some(part) = self.part().await? {
            if !part.pack.is_empty() {
                return Ok(Some(part.pack));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn not_everything_is_asked_at_once() {
        assert!(at_most(2, 2, "keys").is_ok());
        assert_eq!(at_most(3, 2, "keys").unwrap_err().kind, Kind::Limit);
    }
}
