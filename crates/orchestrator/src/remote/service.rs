//! The service `Mesh`: parses, asks who calls, calls one function, renders.

use super::{
    authority, checkpoint, cosign, facts, gateway, journals, line, mandate, merge, signed, standby, take,
    turns::{self, About},
    wish,
};
use crate::{clock, org::Org, stops};
use domain::{Did, Kind, Problem, run::Wish};
use futures::Stream;
use mesh::{oldest, spoken, status, understood};
use proto::mesh::{
    CheckpointPart, CheckpointRequest, CosignReply, CosignRequest, DelegateReply, DelegateRequest, Fact, JournalEvents, JournalRequest,
    LinePart, LineRequest, LinesReply, LinesRequest, LogLines, LogRequest, MergeReply, MergeRequest, OrderReply, OrderRequest, ProbeReply,
    ProbeRequest, ResultReply, ResultRequest, ScheduleReply, ScheduleRequest, SignedReply, SignedRequest, StopReply, StopRequest,
    TunnelChunk, WatchRequest,
    mesh_server::{Mesh, MeshServer},
};
use std::{
    pin::Pin,
    sync::{Arc, Weak},
};
use tonic::{Request, Response, Status, Streaming};

/// The service of an org's device.
pub(super) fn server(org: &Arc<Org>) -> MeshServer<Service> {
    MeshServer::new(Service { org: Arc::downgrade(org) })
}

pub(super) struct Service {
    org: Weak<Org>,
}

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Answer<T> = Result<Response<T>, Status>;

impl Service {
    fn org(&self) -> Result<Arc<Org>, Status> {
        self.org.upgrade().ok_or_else(|| Status::unavailable("the device is closing"))
    }

    /// Who calls, and what is asked: by a device that nothing keeps out, in a version that is understood.
    fn asked<T>(&self, request: Request<T>, version: impl Fn(&T) -> u32) -> Result<(Arc<Org>, Did, T), Status> {
        let org = self.org()?;
        let caller = authority::device(&org, &request).map_err(status)?;
        let asked = request.into_inner();
        understood(version(&asked)).map_err(status)?;
        Ok((org, caller, asked))
    }
}

/// Ends the session with the caller's Radicle node, in which this one still believes.
async fn end_stale_session(org: &Arc<Org>, caller: Did) {
    if let Err(problem) = org.blocking(move |org| org.node()?.disconnect(&caller)).await {
        tracing::debug!(%problem, "a session from before could not be ended");
    }
}

fn answer<T>(done: Result<T, Problem>) -> Answer<T> {
    done.map(Response::new).map_err(status)
}

#[tonic::async_trait]
impl Mesh for Service {
    type WatchStream = Out<Fact>;
    type LogStream = Out<LogLines>;
    type JournalStream = Out<JournalEvents>;
    type CheckpointStream = Out<CheckpointPart>;
    type TunnelStream = Out<TunnelChunk>;
    type LineStream = Out<LinePart>;

    async fn probe(&self, request: Request<ProbeRequest>) -> Answer<ProbeReply> {
        let org = self.org()?;
        let caller = authority::even_halted(&org, &request).map_err(status)?;
        if request.into_inner().without_radicle_session {
            end_stale_session(&org, caller).await;
        }
        // Whoever is too old learns it from the answer.
        answer(Ok(ProbeReply { version: spoken(), oldest: oldest(), at_ms: clock::now().0 }))
    }

    async fn schedule(&self, request: Request<ScheduleRequest>) -> Answer<ScheduleReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let take = |org: Arc<Org>, caller: Did| async move { take::take(&org, &caller, &asked.manifest_json).await };
        answer(turns::work(&org, caller, About::Runs, take).await)
    }

    async fn delegate(&self, request: Request<DelegateRequest>) -> Answer<DelegateReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let run = authority::asked_of(&org, &asked.run, &caller).map_err(status)?;
        let delegation_json = mandate::delegate(&org, run, &asked.key).await;
        answer(delegation_json.map(|delegation_json| DelegateReply { version: spoken(), delegation_json }))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let run = authority::executed_for(&org, &asked.run, &caller).map_err(status)?;
        Ok(Response::new(facts::watch(&org, run.id, asked.after_seq)))
    }

    async fn log(&self, request: Request<LogRequest>) -> Answer<Self::LogStream> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let run = authority::whose_log(&org, &asked.run, &caller).await.map_err(status)?;
        facts::log(&org, run.id, asked.after_seq).await.map(Response::new).map_err(status)
    }

    async fn order(&self, request: Request<OrderRequest>) -> Answer<OrderReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let run = authority::executed_for(&org, &asked.run, &caller).map_err(status)?;
        let wish: Wish = serde_json::from_str(&asked.wish_json)
            .map_err(|e| status(Problem::invalid("The order is not understood here.").because(format!("{e}."))))?;
        let said = wish::take(&org, &caller, &asked.by, run, wish).await;
        answer(said.map(|said| OrderReply { version: spoken(), said }))
    }

    async fn merge(&self, request: Request<MergeRequest>) -> Answer<MergeReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let outcome_json = merge::hear(&org, caller, &asked.envelope_json).await;
        answer(outcome_json.map(|outcome_json| MergeReply { version: spoken(), outcome_json }))
    }

    async fn cosign(&self, request: Request<CosignRequest>) -> Answer<CosignReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        answer(cosign::hear(&org, caller, &asked.envelope_json, &asked.commit).await.map(|()| CosignReply { version: spoken() }))
    }

    async fn stop(&self, request: Request<StopRequest>) -> Answer<StopReply> {
        let org = self.org()?;
        let caller = authority::even_halted(&org, &request).map_err(status)?;
        let asked = request.into_inner();
        understood(asked.version).map_err(status)?;
        let hear = |org: Arc<Org>, _| async move { stops::hear(&org, &asked.envelope_json).await };
        answer(turns::work(&org, caller, About::Stops, hear).await.map(|()| StopReply { version: spoken() }))
    }

    async fn tunnel(&self, request: Request<Streaming<TunnelChunk>>) -> Answer<Self::TunnelStream> {
        let org = self.org()?;
        let (run, device) = authority::run(&org, &request).map_err(status)?;
        let mut incoming = request.into_inner();
        let first = gateway::first(&mut incoming).await?;
        let route = match authority::asked_of(&org, run.as_str(), &device) {
            Ok(run) => gateway::route(&org, &run).await,
            // Not one that was asked for here: one whose member named this as the standby device shows what was signed for it.
            Err(unknown) if unknown.kind == Kind::NotFound && !first.manifest_json.is_empty() => {
                standby::route(&org, run, device, &first).await
            }
            Err(problem) => Err(problem),
        };
        gateway::inward(&org, route.map_err(status)?, first, incoming).map(Response::new)
    }

    async fn result(&self, request: Request<ResultRequest>) -> Answer<ResultReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let run = authority::executed_for(&org, &asked.run, &caller).map_err(status)?;
        answer(facts::result(&org, run).await)
    }

    async fn checkpoint(&self, request: Request<CheckpointRequest>) -> Answer<Self::CheckpointStream> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        answer(checkpoint::give(&org, &caller, &asked).await)
    }

    async fn journal(&self, request: Request<JournalRequest>) -> Answer<Self::JournalStream> {
        let (org, _, asked) = self.asked(request, |asked| asked.version)?;
        answer(journals::tell(&org, &asked))
    }

    async fn signed(&self, request: Request<SignedRequest>) -> Answer<SignedReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let tell = |org: Arc<Org>, caller: Did| async move { signed::tell(&org, caller, asked.repositories).await };
        let signed = turns::work(&org, caller, About::Signed, tell).await;
        answer(signed.map(|signed| SignedReply { version: spoken(), signed }))
    }

    async fn lines(&self, request: Request<LinesRequest>) -> Answer<LinesReply> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        let tell = |org: Arc<Org>, caller: Did| async move { line::tell(&org, caller, asked).await };
        let tips = turns::work(&org, caller, About::Signed, tell).await;
        answer(tips.map(|tips| LinesReply { version: spoken(), tips }))
    }

    async fn line(&self, request: Request<LineRequest>) -> Answer<Self::LineStream> {
        let (org, caller, asked) = self.asked(request, |asked| asked.version)?;
        answer(line::give(&org, caller, asked).await)
    }
}
