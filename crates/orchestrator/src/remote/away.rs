//! The gateway of a run that this device executes for another: at the device that asked for it or, while that cannot be reached, at
//! the standby device that its member named.

use super::{answered, lock};
use crate::{lifecycle, limits, org::Org};
use domain::{Did, Problem, RunId, event::kind, org::Device, run::Run};
use mesh::{RunChannel, problem, spoken};
use proto::mesh::{TunnelChunk, mesh_client::MeshClient};
use std::{
    sync::{Arc, Mutex, Weak},
    time::Instant,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

/// Both ends of one stream.
pub(super) type Both = (mpsc::Sender<TunnelChunk>, Streaming<TunnelChunk>);

/// The way to a device, as the org listed it last.
type Way = Mutex<Option<(Device, Arc<RunChannel>)>>;

/// The gateway of a run that this device executes for another.
#[derive(Debug)]
pub struct Away {
    org: Weak<Org>,
    run: RunId,
    member: Did,
    requester: Did,
    /// The way to the device that asked.
    first: Way,
    /// Whether it could not be reached when it was needed last, nor its standby device.
    missing: watch::Sender<bool>,
    absence: Mutex<Absence>,
    /// The way to the standby device that was named last.
    standby: Way,
}

/// How long the requester's device has not answered.
#[derive(Debug, Default)]
struct Absence {
    /// Since it was first looked for in vain; none: it answered last.
    since: Option<Instant>,
    /// When the standby device did not take a stream.
    refused: Option<Instant>,
}

/// Why a stream was not opened.
struct Refused {
    problem: Problem,
    /// Whether the device itself said so: then it is there.
    answered: bool,
}

impl Away {
    /// The gateway of the device that asked for a run.
    ///
    /// # Errors
    /// When the org does not list that device any more.
    pub(crate) fn new(org: &Arc<Org>, run: &Run) -> Result<Arc<Self>, Problem> {
        let device = super::device(org, &run.requester)?;
        let away = Self {
            org: Arc::downgrade(org),
            run: run.id.clone(),
            member: run.member.clone(),
            requester: run.requester.clone(),
            first: Mutex::default(),
            missing: watch::Sender::new(false),
            absence: Mutex::default(),
            standby: Mutex::default(),
        };
        away.way(org, &away.first, device);
        Ok(Arc::new(away))
    }

    /// Tells whether it cannot be reached, although something waits for it.
    pub(crate) fn missing(&self) -> watch::Receiver<bool> {
        self.missing.subscribe()
    }

    /// Opens a stream to the requester's gateway, else to that of the standby device; while neither takes it, waits.
    ///
    /// # Errors
    /// When the requester's device refuses.
    pub(super) async fn open(&self, target: &str) -> Result<Both, Problem> {
        let first = TunnelChunk { version: spoken(), target: target.to_owned(), ..TunnelChunk::default() };
        let mut channel = self.known().ok_or_else(closing)?;
        loop {
            match ask(&channel, first.clone()).await {
                Ok(both) => {
                    *lock(&self.absence) = Absence::default();
                    self.found();
                    return Ok(both);
                }
                Err(Refused { problem, answered: true }) => {
                    // A certificate that grew too old on this connection: the next one is new.
                    if !problem.passes() {
                        return Err(problem);
                    }
                    // It is there and does not let the run through for now: nothing goes round it.
                    *lock(&self.absence) = Absence::default();
                    self.lost();
                }
                Err(Refused { answered: false, problem }) => {
                    if !problem.passes() {
                        return Err(problem);
                    }
                    if let Some(both) = self.instead(&first).await {
                        return Ok(both);
                    }
                    // It may be somewhere else by now.
                    channel = self.first().unwrap_or(channel);
                }
            }
            tokio::time::sleep(limits::REMOTE_PAUSE).await;
        }
    }

    /// A stream through the standby device, where one is named and the requester's was away for a while.
    async fn instead(&self, first: &TunnelChunk) -> Option<Both> {
        let Some(standby) = self.standby() else {
            self.lost();
            return None;
        };
        if !self.due() {
            return None;
        }
        match self.through(&standby, first).await {
            Ok(both) => {
                self.found();
                Some(both)
            }
            Err(problem) => {
                tracing::warn!(run = %self.run, %problem, "the standby device does not take the run's traffic; it waits for the other");
                lock(&self.absence).refused = Some(Instant::now());
                self.lost();
                None
            }
        }
    }

    /// The way to the device that asked for the run, as it was known last.
    fn known(&self) -> Option<Arc<RunChannel>> {
        lock(&self.first).as_ref().map(|(_, channel)| channel.clone())
    }

    /// The way to the device that asked for the run, where the org lists it now.
    fn first(&self) -> Option<Arc<RunChannel>> {
        let org = self.org.upgrade()?;
        let device = super::device(&org, &self.requester).ok()?;
        Some(self.way(&org, &self.first, device))
    }

    /// The way to a device; a new one where the org lists it otherwise than before.
    fn way(&self, org: &Org, known: &Way, device: Device) -> Arc<RunChannel> {
        let mut known = lock(known);
        if let Some((_, channel)) = known.as_ref().filter(|(of, _)| *of == device) {
            return channel.clone();
        }
        let channel = Arc::new(org.remote.network.run(&self.run, &device.did, device.addresses.clone()));
        *known = Some((device, channel.clone()));
        channel
    }

    /// The way to the standby device that the member names now.
    fn standby(&self) -> Option<Arc<RunChannel>> {
        let org = self.org.upgrade()?;
        let state = org.state().ok()?;
        let named = state.member_of(&self.member)?.standby.as_ref().filter(|did| **did != self.requester)?;
        let device = state.device_of(named)?.clone();
        Some(self.way(&org, &self.standby, device))
    }

    /// Whether it is time to try the standby device.
    fn due(&self) -> bool {
        let mut absence = lock(&self.absence);
        let since = *absence.since.get_or_insert_with(Instant::now);
        let rested = absence.refused.is_none_or(|at| at.elapsed() >= limits::STANDBY_PAUSE);
        since.elapsed() >= limits::GATEWAY_GRACE && rested
    }

    async fn through(&self, standby: &RunChannel, first: &TunnelChunk) -> Result<Both, Problem> {
        let (manifest_json, delegation_json) = self.papers().await?;
        let first = TunnelChunk { manifest_json, delegation_json, ..first.clone() };
        ask(standby, first).await.map_err(|refused| refused.problem)
    }

    /// What was signed for the run, for a device that does not know it: manifest and delegation.
    async fn papers(&self) -> Result<(Vec<u8>, Vec<u8>), Problem> {
        let org = self.org.upgrade().ok_or_else(closing)?;
        let id = self.run.clone();
        org.blocking(move |org| {
            let run: Option<Run> = org.store.get(kind::RUN, id.as_str())?;
            let signed = run.and_then(|run| Some((run.envelope?, run.delegation?)));
            let (manifest, delegation) = signed.ok_or_else(|| Problem::conflict("Nothing was delegated to this run yet."))?;
            Ok((lifecycle::sealed(org, &manifest)?.to_json()?, lifecycle::sealed(org, &delegation)?.to_json()?))
        })
        .await
    }

    fn found(&self) {
        self.missing.send_if_modified(|missing| std::mem::replace(missing, false));
    }

    fn lost(&self) {
        self.missing.send_if_modified(|missing| !std::mem::replace(missing, true));
    }
}

fn closing() -> Problem {
    Problem::unavailable("The orchestrator is closing.")
}

/// Asks a device to take one stream.
async fn ask(channel: &RunChannel, first: TunnelChunk) -> Result<Both, Refused> {
    begin(channel.client().map_err(unasked)?, first).await
}

async fn begin(mut client: MeshClient<Channel>, first: TunnelChunk) -> Result<Both, Refused> {
    let (sender, receiver) = mpsc::channel(limits::TUNNEL_CHUNKS_AHEAD);
    sender.try_send(first).map_err(|error| unasked(Problem::internal(error)))?;
    let call = client.tunnel(ReceiverStream::new(receiver));
    match answered(limits::GATEWAY_ANSWER_WAIT, call).await.map_err(unasked)? {
        Ok(answer) => Ok((sender, answer.into_inner())),
        // A device that answers says why in the details (`mesh::status`); a connection that cannot be made has none.
        Err(status) => Err(Refused { problem: problem(&status), answered: !status.details().is_empty() }),
    }
}

fn unasked(problem: Problem) -> Refused {
    Refused { problem, answered: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_device_that_takes_a_stream_and_says_nothing_counts_as_away() {
        let first = TunnelChunk { version: spoken(), target: "model".into(), ..TunnelChunk::default() };
        let begun = Instant::now();
        let asked = timeout(limits::GATEWAY_ANSWER_WAIT * 2, begin(fixtures::silent(), first)).await;
        let refused = asked.ok().and_then(Result::err);
        assert!(refused.is_some_and(|refused| refused.problem.passes() && !refused.answered), "the standby device gets its turn");
        assert!(begun.elapsed() >= limits::GATEWAY_ANSWER_WAIT, "it took the call");
    }
}
