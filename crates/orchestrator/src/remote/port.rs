//! The port at which this device accepts the others of its org.

use super::service;
use crate::org::Org;
use domain::{Kind, Problem};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::TcpListener;

/// The port on which devices usually accept each other.
const PORT: u16 = 7421;

/// Starts to accept other devices: at the address that was asked for, else at the usual port of loopback, or any if that is taken.
///
/// # Errors
/// When the address that was asked for cannot be used.
pub(crate) async fn open(org: &Arc<Org>) -> Result<(), Problem> {
    let listener = listener(org.options.mesh_listen).await?;
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

async fn listener(asked: Option<SocketAddr>) -> Result<TcpListener, Problem> {
    if let Some(address) = asked {
        return TcpListener::bind(address).await.map_err(|e| {
            Problem::new(Kind::Conflict, format!("Other devices cannot be accepted at {address}: {e}."))
                .next("Give another address of this machine with --mesh-listen (port 0 takes a free one).")
        });
    }
    if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await {
        return Ok(listener);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Problem::internal)
}
