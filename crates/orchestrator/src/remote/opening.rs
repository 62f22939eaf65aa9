//! A device that opens for minutes, because the copies of other devices' journals are projected anew after an update, and says so: the
//! others wait for it, and count nothing as lost that runs here. Nothing is decided meanwhile: every call is refused. It says so for as
//! long as its runners wait for it; after that it counts as away.

use super::{Remote, lock, port};
use crate::{data_dir::OrgDir, limits, machine::Options, tailnet::Tailnet};
use axum::body::Body;
use domain::Problem;
use http::{Response, Uri};
use mesh::Network;
use std::{fs, sync::Arc, time::Duration};
use tokio::{net::TcpListener, runtime::Handle, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Status, service::Routes};

/// The end of the path of the call by which a run reaches its gateway.
const TUNNEL: &str = "/Tunnel";

/// While it lives, other devices are told that this one is only opening.
pub(crate) struct Opening {
    network: Arc<Network>,
    over: CancellationToken,
}

impl Drop for Opening {
    fn drop(&mut self) {
        end(&self.network, &self.over);
    }
}

fn end(network: &Network, over: &CancellationToken) {
    over.cancel();
    network.connections().cut_unless(|_| false);
}

/// Says it no longer than that: what hangs counts as away in the end, and so do the runs there.
async fn end_after(wait: Duration, network: Arc<Network>, over: CancellationToken) {
    if timeout(wait, over.cancelled()).await.is_err() {
        tracing::warn!("this device has been opening for too long: other devices are not told of it any more");
        end(&network, &over);
    }
}

/// Tells other devices that this one is only opening, where that takes longer. Called from a thread that may block. None: it does not, or
/// it cannot be told; then it only counts as away.
pub(crate) fn say_opening(remote: &Remote, dir: &OrgDir, options: &Options, tailnet: &Tailnet) -> Option<Opening> {
    let mut copies = fs::read_dir(dir.journals()).into_iter().flatten().flatten();
    if copies.all(|copy| store::opens_at_once(&copy.path())) {
        return None;
    }
    let said = Handle::try_current().map_err(Problem::internal).and_then(|runtime| runtime.block_on(say(remote, dir, options, tailnet)));
    said.inspect_err(|problem| tracing::warn!(%problem, "other devices are not told that this one is only opening")).ok()
}

async fn say(remote: &Remote, dir: &OrgDir, options: &Options, tailnet: &Tailnet) -> Result<Opening, Problem> {
    let listener = port::listen(dir, options.listens.mesh).await?.into_std().map_err(Problem::internal)?;
    // The port stays open from now on: whoever calls just when it is handed over is not turned away.
    *lock(&remote.early) = Some(listener.try_clone().map_err(Problem::internal)?);
    let listener = TcpListener::from_std(listener).map_err(Problem::internal)?;
    let door = tailnet.door_early(listener.local_addr().map_err(Problem::internal)?);
    let opening = Opening { network: remote.network.clone(), over: CancellationToken::new() };
    let (network, over) = (&opening.network, opening.over.clone());
    let routes = Routes::from(axum::Router::new().fallback(|uri: Uri| async move { refused(&uri) }));
    let (config, connections) = (network.server()?, network.connections().clone());
    tokio::spawn(mesh::serve(listener, config, network.clock(), connections, routes, async move { over.cancelled().await }));
    let ended = opening.over.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = door => {}
            () = ended.cancelled() => {}
        }
    });
    tokio::spawn(end_after(limits::HOST_OPENS_WAIT, network.clone(), opening.over.clone()));
    tracing::info!("other devices are told that this one is only opening");
    Ok(opening)
}

/// What every call is answered. To a run it looks as if nobody were there, so that its standby device gets its turn.
fn refused(uri: &Uri) -> Response<Body> {
    let problem = Problem::unavailable("The device is opening.")
        .because("It reads the journals of other devices anew, as after an update; long ones take minutes.")
        .next("Nothing is lost by that. Try again in a while.");
    let status = if uri.path().ends_with(TUNNEL) { Status::unavailable(problem.to_string()) } else { mesh::status(problem) };
    status.into_http()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{data_dir::DataDir, fixtures, machine::Listens};
    use domain::org::Device;
    use forge::OrgState;
    use futures::stream;
    use identity::Key;
    use proto::mesh::{ProbeRequest, TunnelChunk};
    use std::{net::SocketAddr, path::PathBuf};

    #[tokio::test]
    async fn whoever_asks_is_told_that_the_device_is_opening_and_its_port_stays() {
        let [ada, bob] = [1, 2].map(|seed| Key::from_seed(&[seed; 32]));
        let device = |name: &str, key: &Key| (name.to_owned(), Device::new(name, key.did(), name));
        let state = OrgState { devices: [device("ada", &ada), device("bob", &bob)].into(), ..fixtures::state() };
        let adas = ada.did();
        let remote = |key: Key| {
            let did = key.did();
            Remote::new(&state.org.name, &did, Arc::new(move |message: &[u8]| Ok(key.sign(message))), state.clone())
        };
        let (there, here) = (remote(ada), remote(bob));
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap().org(&state.org.name);
        fs::create_dir_all(&dir.root).unwrap();
        let listens = Listens { mesh: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..Listens::default() };
        let options = Options { executable: PathBuf::new(), listens, demo: false, slots: None, only: None };
        assert!(say_opening(&there, &dir, &options, &Tailnet::default()).is_none(), "it opens at once");

        let opening = say(&there, &dir, &options, &Tailnet::default()).await.unwrap();
        let address = lock(&there.early).as_ref().unwrap().local_addr().unwrap();
        let mut client = here.network.device(&adas, &[address.to_string()]).unwrap();
        let asked = client.probe(ProbeRequest { version: mesh::spoken(), without_radicle_session: false }).await;
        let problem = mesh::problem(&asked.unwrap_err());
        assert!(problem.passes() && problem.what == "The device is opening." && !mesh::says_unanswered(&problem), "{problem}");
        let tunnel = client.tunnel(stream::iter([TunnelChunk::default()])).await.map(drop).unwrap_err();
        assert!(tunnel.details().is_empty() && mesh::problem(&tunnel).passes(), "the standby device gets its turn");

        end_after(Duration::ZERO, opening.network.clone(), opening.over.clone()).await;
        assert!(opening.over.is_cancelled(), "it does not say so for ever");
        drop(opening);
        let kept = lock(&there.early).take().unwrap();
        assert_eq!(kept.local_addr().unwrap(), address);
    }
}
