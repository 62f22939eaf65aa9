//! The org's Radicle node, started where others find it.

use crate::{
    data_dir::{OrgDir, write_private},
    machine::Options,
};
use domain::Problem;
use forge::{Forge, Node};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

/// The port on which Radicle nodes usually listen.
const RADICLE_PORT: u16 = 8776;

/// Starts the node on the address asked for; where none was, on those of the person's profile, else on Radicle's usual port,
/// or any if that is taken. Where any port will do, it is the one of the last time, so that others find the node again.
pub(crate) fn start_node(forge: &Arc<Forge>, dir: &OrgDir, options: &Options) -> Result<Node, Problem> {
    if forge.in_profile() {
        return forge.start_node(options.listens.radicle, &forge.stock_socket());
    }
    let socket = dir.node_socket();
    let _ = fs::remove_file(&socket);
    let free = |address: &SocketAddr| std::net::TcpListener::bind(address).is_ok();
    let before: Option<SocketAddr> = fs::read_to_string(dir.radicle_address()).ok().and_then(|text| text.parse().ok());
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, RADICLE_PORT));
    let address = match options.listens.radicle {
        Some(asked) if asked.port() != 0 => asked,
        Some(asked) => before.filter(|b| b.ip() == asked.ip() && free(b)).unwrap_or(asked),
        None => before.filter(free).or(Some(usual).filter(free)).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
    };
    let node = forge.start_node(Some(address), &socket)?;
    if let Some(at) = node.listen_address() {
        write_private(&dir.radicle_address(), at.to_string().as_bytes())?;
    }
    Ok(node)
}
