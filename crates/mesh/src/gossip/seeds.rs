//! Addresses of the other devices, resolved again from time to time.

use crate::limits;
use std::net::SocketAddr;
use tokio::{
    net::lookup_host,
    sync::watch,
    time::{sleep, timeout},
};

/// Resolves `named` into `found`, again whenever it changes, until nobody can change it any more.
pub(super) async fn resolve(mut named: watch::Receiver<Vec<String>>, found: watch::Sender<Vec<SocketAddr>>) {
    loop {
        let mut names = named.borrow_and_update().clone();
        names.truncate(limits::SEEDS_MAX);
        let mut addresses: Vec<SocketAddr> = names.iter().filter_map(|name| name.parse().ok()).collect();
        names.retain(|name| name.parse::<SocketAddr>().is_err());
        // What needs no resolver does not wait for it.
        found.send_replace(addresses.clone());
        for name in &names {
            match timeout(limits::RESOLVE, lookup_host(name)).await {
                Ok(Ok(all)) => addresses.extend(all),
                Ok(Err(error)) => tracing::debug!(%error, "{name} could not be resolved"),
                Err(_) => tracing::debug!("{name} was not resolved in time"),
            }
        }
        if !names.is_empty() {
            found.send_replace(addresses);
        }
        tokio::select! {
            changed = named.changed() => if changed.is_err() { return },
            () = sleep(limits::RESOLVE_AGAIN), if !names.is_empty() => {}
        }
    }
}
