//! The port at which this device accepts the others of its org.

use super::service;
use crate::{
    data_dir::{OrgDir, write_private},
    machine::Listens,
    org::Org,
};
use domain::{Kind, Problem};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};
use tokio::net::TcpListener;

/// The port on which devices usually accept each other.
const PORT: u16 = 7421;
/// The port on which they usually hear each other's gossip.
const GOSSIP_PORT: u16 = 7422;

/// Starts to accept other devices.
///
/// # Errors
/// When the address cannot be used.
pub(crate) async fn open(org: &Arc<Org>) -> Result<(), Problem> {
    let (dir, asked) = (org.dir.clone(), org.options.listens.mesh);
    let wanted = crate::org::blocking(move || choose(&dir, asked)).await?;
    let listener = TcpListener::bind(wanted).await.map_err(|e| refused(wanted, &e))?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    let _ = org.remote.address.set(address);
    let remote = &org.remote;
    let (network, over) = (remote.network.clone(), remote.over.clone());
    let routes = tonic::service::Routes::new(service::server(org));
    let config = network.server()?;
    let ended = over.clone();
    let serving =
        mesh::serve(listener, config, network.clock(), network.connections().clone(), routes, async move { ended.cancelled().await });
    tokio::spawn(serving);
    tokio::spawn(async move {
        over.cancelled().await;
        network.connections().cut_unless(|_| false);
    });
    Ok(())
}

/// The address at which this device accepts others: the one that was asked for, else that of the last time, else the usual port of
/// loopback, else any. It is kept, so that others find the device there after a restart, and one who joins can tell it beforehand.
///
/// # Errors
/// When it cannot be kept.
pub(crate) fn choose(dir: &OrgDir, asked: Option<SocketAddr>) -> Result<SocketAddr, Problem> {
    let file = dir.mesh_address();
    let address = chosen(last(&file), asked, SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)), free);
    keep(&file, address)
}

/// The same for gossip; where nothing was asked, on the address of the mesh port.
///
/// # Errors
/// When it cannot be kept.
pub(crate) fn choose_gossip(dir: &OrgDir, listens: Listens) -> Result<SocketAddr, Problem> {
    let ip = listens.mesh.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |mesh| mesh.ip());
    let file = dir.gossip_address();
    let before = last(&file).filter(|at| listens.mesh.is_none() || at.ip() == ip);
    let address = chosen(before, listens.gossip, SocketAddr::new(ip, GOSSIP_PORT), free_for_datagrams);
    keep(&file, address)
}

/// The address of the last time.
fn last(file: &Path) -> Option<SocketAddr> {
    fs::read_to_string(file).ok().and_then(|text| text.parse().ok())
}

fn keep(file: &Path, address: SocketAddr) -> Result<SocketAddr, Problem> {
    if last(file) != Some(address) && address.port() != 0 {
        write_private(file, address.to_string().as_bytes())?;
    }
    Ok(address)
}

fn chosen(
    before: Option<SocketAddr>,
    asked: Option<SocketAddr>,
    usual: SocketAddr,
    free: fn(SocketAddr) -> Option<SocketAddr>,
) -> SocketAddr {
    match asked {
        Some(address) if address.port() != 0 => address,
        Some(any) => before.filter(|at| at.ip() == any.ip()).and_then(free).or_else(|| free(any)).unwrap_or(any),
        None => {
            let any = SocketAddr::new(usual.ip(), 0);
            before.and_then(free).or_else(|| free(usual)).or_else(|| free(any)).unwrap_or(any)
        }
    }
}

/// The address, with a port, if nobody listens there.
fn free(address: SocketAddr) -> Option<SocketAddr> {
    std::net::TcpListener::bind(address).ok()?.local_addr().ok()
}

/// The same for datagrams.
fn free_for_datagrams(address: SocketAddr) -> Option<SocketAddr> {
    std::net::UdpSocket::bind(address).ok()?.local_addr().ok()
}

fn refused(address: SocketAddr, error: &std::io::Error) -> Problem {
    Problem::new(Kind::Conflict, format!("Other devices cannot be accepted at {address}: {error}."))
        .next("Give another address of this machine with --mesh-listen (port 0 takes a free one).")
}
