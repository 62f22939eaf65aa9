//! The egress port: an HTTP proxy that reaches exactly the hosts that the run's manifest allows.
//!
//! It takes `CONNECT host:port` and requests with a whole address (`GET http://host/…`). Names are looked up here, outside
//! the sandbox, and the address that was checked is the one that is connected to, so that a name cannot lead into the
//! member's own network. What happens within a tunnel it does not see:
//! entries with a method or a path are for plain requests only. A name is looked up only once the list allows it, so that no
//! look-up carries anything out.

mod address;
mod allow;
mod forward;
mod watched;

use super::{
    limits,
    model::server,
    refusal::{Body, Refusal},
    route::Route,
};
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, Uri, uri::Authority};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

pub(super) use address::is_public;
pub(super) use allow::Allow;
use allow::Target;

/// Looks a name up: host and port to addresses.
pub type Resolver = Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The machine's own way to look names up.
pub fn system_resolver() -> Resolver {
    Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect()) }))
}

/// The tunnel into which a connection turned, if it did. Ends with whoever holds it.
type Tunnel = Arc<Mutex<Option<AbortOnDropHandle<()>>>>;

/// Serves one connection of a run to the world outside, until either side ends it or this future is dropped.
pub async fn serve_egress<IO>(io: IO, route: Arc<Route>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(_place) = route.connection() else {
        tracing::warn!(run = %route.run(), "the run has too many connections; one more was closed");
        return;
    };
    let tunnel = Tunnel::default();
    let service = service_fn(|request| {
        let (route, tunnel) = (Arc::clone(&route), Arc::clone(&tunnel));
        async move { Ok::<_, Infallible>(answer(request, &route, &tunnel).await) }
    });
    if server().serve_connection(TokioIo::new(io), service).with_upgrades().await.is_err() {
        tracing::debug!(run = %route.run(), "an egress connection broke off");
    }
    let open = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(open) = open {
        // Its end is the connection's end, whichever way it came.
        let _ = open.await;
    }
}

async fn answer(request: Request<Incoming>, route: &Arc<Route>, tunnel: &Tunnel) -> Response<Body> {
    handle(request, route, tunnel).await.unwrap_or_else(|refusal| refusal.plain())
}

async fn handle(request: Request<Incoming>, route: &Arc<Route>, tunnel: &Tunnel) -> Result<Response<Body>, Refusal> {
    if request.method() == Method::CONNECT {
        let target = target(request.uri(), None)?;
        let stream = connect(route, &target, route.allow.allows(&target)).await?;
        let carried = tokio::spawn(watched::tunnel(hyper::upgrade::on(request), stream));
        *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(AbortOnDropHandle::new(carried));
        return Ok(Response::new(super::refusal::full("")));
    }
    match request.uri().scheme_str() {
        Some("http") => {
            let target = target(request.uri(), Some(80))?;
            let allowed = route.allow.allows_asking(&target, request.method(), request.uri());
            let stream = connect(route, &target, allowed).await?;
            forward::forward(request, stream).await
        }
        Some(_) => Err(Refusal::bad_request("The egress proxy takes https only as a tunnel (CONNECT).")),
        None => Err(Refusal::bad_request("This is the run's egress proxy: ask it with CONNECT or a whole http address.")),
    }
}

/// Host and port of a request.
fn target(uri: &Uri, default_port: Option<u16>) -> Result<Target, Refusal> {
    let plain = |a: &&Authority| !a.as_str().contains('@');
    let authority = uri.authority().filter(plain).ok_or_else(|| Refusal::bad_request("The address has no host, or a user in it."))?;
    let port = authority.port_u16().or(default_port.filter(|_| authority.port().is_none()));
    let port = port.ok_or_else(|| Refusal::bad_request("The address has no port."))?;
    Target::new(authority.host(), port).ok_or_else(|| Refusal::bad_request("The address's host is not well formed."))
}

/// Checks the name, then the addresses that it leads to, and connects to one that was checked.
async fn connect(route: &Route, target: &Target, allowed: bool) -> Result<TcpStream, Refusal> {
    let deny = |why: &str| {
        route.report(&target.to_string(), why);
        Refusal::new(StatusCode::FORBIDDEN, "not_allowed", format!("{target} was refused: {why}"))
    };
    if !allowed && route.allow.knows(target) {
        return Err(deny("the run's list (network.allow of the project) lets it be asked for other things only, over plain http."));
    }
    if !allowed {
        return Err(deny("it is not on the run's list of allowed hosts (network.allow of the project)."));
    }
    let addresses = match target.literal() {
        // Named itself, address and port: whoever wrote the list meant it.
        Some(address) => vec![SocketAddr::new(address, target.port)],
        None => {
            let found = look_up(route, target).await?;
            let public: Vec<_> = found.into_iter().filter(|a| is_public(a.ip())).collect();
            if public.is_empty() {
                return Err(deny("its name leads to an address that is not public."));
            }
            public
        }
    };
    let failed = |why: String| Refusal::new(StatusCode::BAD_GATEWAY, "unreachable", format!("{target} cannot be reached: {why}."));
    match timeout(limits::CONNECT_TIMEOUT, connect_any(&addresses)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(e)) => Err(failed(e.kind().to_string())),
        Err(_) => Err(failed("it did not answer in time".into())),
    }
}

async fn look_up(route: &Route, target: &Target) -> Result<Vec<SocketAddr>, Refusal> {
    let failed = |why: &str| Refusal::new(StatusCode::BAD_GATEWAY, "unknown_host", format!("{target} cannot be looked up: {why}."));
    match timeout(limits::RESOLVE_TIMEOUT, (route.resolver)(target.host.clone(), target.port)).await {
        // The port is the one that was checked, whatever came back.
        Ok(Ok(found)) if !found.is_empty() => Ok(found.into_iter().map(|a| SocketAddr::new(a.ip(), target.port)).collect()),
        Ok(_) => Err(failed("there is no such name")),
        Err(_) => Err(failed("it took too long")),
    }
}

async fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addresses).await?;
    // A redirect of the machine's own firewall is its owner's; another peer than the checked one cannot be otherwise.
    let peer: IpAddr = stream.peer_addr()?.ip();
    if addresses.iter().any(|a| a.ip() == peer) { Ok(stream) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}
