//! What listens at the tailnet address and passes on to a port of this machine: the tailnet may come later than the ports, and go. What
//! goes through is encrypted end to end by who speaks there, so nothing is read here.

use crate::limits;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

/// The doors of an org.
#[derive(Debug, Default)]
pub(super) struct Doors(BTreeMap<&'static str, Door>);

#[derive(Debug)]
struct Door {
    ip: IpAddr,
    to: SocketAddr,
    at: SocketAddr,
    passing: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

impl Doors {
    /// Says where `to` is reached in the tailnet: at the usual port of its address, at any where that is taken, or where it listens
    /// itself. None: it does not listen, or nothing can listen there now.
    pub(super) async fn open(&mut self, name: &'static str, ip: IpAddr, port: u16, to: Option<SocketAddr>) -> Option<SocketAddr> {
        let to = to.filter(|to| to.port() != 0)?;
        if to.ip() == ip || (to.ip().is_unspecified() && to.is_ipv4() == ip.is_ipv4()) {
            self.0.remove(name);
            return Some(SocketAddr::new(ip, to.port()));
        }
        if let Some(open) = self.0.get(name).filter(|door| door.ip == ip && door.to == to && !door.passing.is_finished()) {
            return Some(open.at);
        }
        self.0.remove(name);
        let mut found = None;
        for port in [port, 0] {
            match TcpListener::bind(SocketAddr::new(ip, port)).await {
                Ok(listener) => {
                    found = Some(listener);
                    break;
                }
                Err(error) => tracing::debug!(name, %ip, port, %error, "this port of the tailnet address cannot be listened at"),
            }
        }
        let listener = found?;
        let at = listener.local_addr().ok()?;
        tracing::info!(name, %at, %to, "reached in the tailnet");
        self.0.insert(name, Door { ip, to, at, passing: tokio::spawn(pass(listener, to)) });
        Some(at)
    }

    /// Closes them all.
    pub(super) fn close(&mut self) {
        self.0.clear();
    }
}

async fn pass(listener: TcpListener, to: SocketAddr) {
    let room = Arc::new(Semaphore::new(limits::TAILNET_CONNECTIONS_MAX));
    while let Ok(place) = room.clone().acquire_owned().await {
        let Ok((mut outer, _)) = listener.accept().await else {
            // Too many open files, for instance: it passes.
            tokio::time::sleep(limits::RECONNECT_PAUSE).await;
            continue;
        };
        tokio::spawn(async move {
            let _place = place;
            let _ = outer.set_nodelay(true);
            if let Ok(mut inner) = TcpStream::connect(to).await {
                let _ = inner.set_nodelay(true);
                let _ = copy_bidirectional(&mut outer, &mut inner).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_is_said_at_a_door_is_heard_inside_and_a_closed_one_is_gone() {
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = inside.local_addr().unwrap();
        let (mut doors, ip) = (Doors::default(), "127.0.0.2".parse().unwrap());
        let at = doors.open("mesh", ip, 0, Some(to)).await.unwrap();
        assert_eq!((at.ip(), doors.open("mesh", ip, 0, Some(to)).await), (ip, Some(at)), "opened once");
        let mut outer = TcpStream::connect(at).await.unwrap();
        let (mut inner, _) = inside.accept().await.unwrap();
        outer.write_all(b"in").await.unwrap();
        inner.write_all(b"out").await.unwrap();
        let (mut said, mut heard) = ([0; 3], [0; 2]);
        inner.read_exact(&mut heard).await.unwrap();
        outer.read_exact(&mut said).await.unwrap();
        assert_eq!((&heard, &said), (b"in", b"out"));
        // What listens there by itself needs no door; what does not listen has no place.
        assert_eq!(doors.open("join", ip, 9, Some(SocketAddr::new(ip, 77))).await, Some(SocketAddr::new(ip, 77)));
        assert_eq!(doors.open("radicle", ip, 9, None).await, None);
        doors.close();
        let gone = tokio::time::timeout(std::time::Duration::from_secs(5), async {
            while TcpStream::connect(at).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        gone.await.unwrap();
    }
}
