//! The port at which this device accepts the others of its org.

use super::{lock, service};
use crate::{
    data_dir::{OrgDir, write_private},
    machine::Listens,
    org::Org,
};
use domain::{Kind, Problem};
use sandbox::Finding;
use std::{
    fs,
    io::{self, ErrorKind},
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
    let early = lock(&org.remote.early).take();
    let listener = match early {
        Some(listener) => TcpListener::from_std(listener).map_err(Problem::internal)?,
        None => listen(&org.dir, org.options.listens.mesh).await?,
    };
    let address = listener.local_addr().map_err(Problem::internal)?;
    if !mesh::is_here(address.ip()) {
        tracing::warn!(%address, "this machine does not have the address at which it is to accept other devices; they reach it once it does");
    }
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

/// Listens where this device accepts others.
///
/// # Errors
/// When the address cannot be used.
pub(super) async fn listen(dir: &OrgDir, asked: Option<SocketAddr>) -> Result<TcpListener, Problem> {
    let dir = dir.clone();
    let wanted = crate::org::blocking(move || choose(&dir, asked)).await?;
    mesh::accept_at(wanted).await.map_err(|e| refused(wanted, &e))
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
    unless_taken(address, std::net::TcpListener::bind(address).and_then(|listener| listener.local_addr()))
}

/// The same for datagrams.
fn free_for_datagrams(address: SocketAddr) -> Option<SocketAddr> {
    unless_taken(address, std::net::UdpSocket::bind(address).and_then(|socket| socket.local_addr()))
}

/// Nobody listens at an address that this machine does not have yet.
fn unless_taken(address: SocketAddr, bound: io::Result<SocketAddr>) -> Option<SocketAddr> {
    match bound {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable && address.port() != 0 => Some(address),
        bound => bound.ok(),
    }
}

/// That this machine does not have an address at which other devices are to reach it, as a finding of the doctor.
pub(crate) fn not_here(org: &Org) -> Option<Finding> {
    // Where it is just being opened, that says so itself.
    let join = org.join_port.try_lock().ok().and_then(|at| *at);
    absent([org.remote.address(), org.remote.gossip_address(), join].into_iter().flatten())
}

fn absent(addresses: impl Iterator<Item = SocketAddr>) -> Option<Finding> {
    let absent: Vec<String> = addresses.filter(|at| !mesh::is_here(at.ip())).map(|at| at.to_string()).collect();
    if absent.is_empty() {
        return None;
    }
    let at = absent.join(" and ");
    let detail = format!("Others are to reach this device at {at}, and this machine does not have that address now: none gets in there.");
    let next = "It goes on by itself once the machine has it, as when a tailscaled that starts late connects (tailscale status). Where it \
                never will, start meshwork up with another address for --mesh-listen, --gossip-listen or --join-listen.";
    Some(Finding { what: "address".into(), ok: false, detail, next: Some(next.into()) })
}

fn refused(address: SocketAddr, error: &io::Error) -> Problem {
    Problem::new(Kind::Conflict, format!("Other devices cannot be accepted at {address}: {error}."))
        .next("Give another address of this machine with --mesh-listen (port 0 takes a free one).")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// For documentation alone (RFC 5737): no machine has it.
    const NOBODYS: [u8; 4] = [192, 0, 2, 1];

    #[test]
    fn an_address_that_the_machine_gets_later_is_chosen_with_the_port_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let dir = crate::data_dir::DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        fs::create_dir_all(&dir.root).unwrap();
        let at = |port| SocketAddr::from((NOBODYS, port));
        assert_eq!(choose(&dir, Some(at(7000))).unwrap(), at(7000));
        assert_eq!(choose(&dir, Some(at(0))).unwrap(), at(7000));
        let gossip = choose_gossip(&dir, Listens { mesh: Some(at(7000)), ..Listens::default() });
        assert_eq!(gossip.unwrap(), at(GOSSIP_PORT));
    }

    #[test]
    fn the_doctor_says_which_address_the_machine_does_not_have() {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        assert!(absent([here, SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT))].into_iter()).is_none());
        let found = absent([here, SocketAddr::from((NOBODYS, PORT))].into_iter()).unwrap();
        assert!(!found.ok && found.next.is_some() && found.detail.contains("192.0.2.1:7421"), "{found:?}");
        assert!(!found.detail.contains("127.0.0.1"), "{found:?}");
    }
}
