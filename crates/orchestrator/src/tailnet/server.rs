//! The org's Headscale server, where this device runs it: how it is to be, and what of it a backup has.

use crate::{data_dir::OrgDir, limits, org::Org};
use domain::{Problem, ServerUrl};
use identity::backup::Source;
use mesh::tailnet::managed::{self, HeadscaleConfig, Relay};
use std::{net::SocketAddr, path::Path};

/// The program; also its folder beside the settings of the tailnet, and its socket.
const NAME: &str = "headscale";
/// Names the program.
const PROGRAM_VARIABLE: &str = "MESHWORK_HEADSCALE";
/// The port at which it answers STUN.
const STUN: u16 = 3478;

/// How it is to be.
///
/// # Errors
/// When its program is not on this machine.
pub(super) fn config(org: &Org, url: &ServerUrl, listen: SocketAddr) -> Result<HeadscaleConfig, Problem> {
    Ok(HeadscaleConfig {
        program: managed::find(NAME, PROGRAM_VARIABLE)?,
        dir: org.dir.tailnet().join(NAME),
        socket: org.dir.sockets.join(NAME),
        url: url.clone(),
        listen,
        relay: Relay::Embedded { stun: SocketAddr::new(listen.ip(), STUN) },
        domain: format!("{}.mesh", org.name.as_str().replace(['_', '.'], "-")),
        key_lasts: limits::TAILNET_API_KEY,
    })
}

/// What a backup has of it, copied into a folder: its keys and its database, so that a restored device runs the same server. Nothing where
/// this device runs none. It may run meanwhile.
///
/// # Errors
/// When something cannot be read or written.
pub(crate) fn saved(dir: &OrgDir, scratch: &Path) -> Result<Vec<Source>, Problem> {
    let (from, place) = (dir.tailnet().join(NAME), format!("tailnet/{NAME}"));
    if !from.exists() {
        return Ok(vec![]);
    }
    let to = scratch.join(&place);
    let copied = managed::copy_server(&from, &to)?;
    Ok(copied.into_iter().map(|name| Source { path: format!("{place}/{name}"), file: to.join(name) }).collect())
}
