//! What listens at the tailnet address and passes on to a port of this machine: the tailnet may come later than the ports, and go. What
//! goes through is encrypted end to end by who speaks there, so nothing is read here.

use crate::limits;
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::timeout,
};

/// The doors of an org.
#[derive(Debug, Default)]
pub(super) struct Doors(BTreeMap<&'static str, Door>);

/// What a door lets through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// How many connections at once.
    places: usize,
    /// How long one lasts at the most.
    lasts: Duration,
    /// How long the outside is still heard once the inside has closed.
    grace: Duration,
}

impl Room {
    /// For devices of the org, whose connections stay as long as both sides want.
    pub(super) const DEVICES: Self =
        Self { places: limits::TAILNET_CONNECTIONS_MAX, lasts: Duration::MAX, grace: limits::TAILNET_DOOR_GRACE };
    /// For whoever holds a ticket: as many as the Join port takes, and none outlasts what it gives them.
    pub(super) const STRANGERS: Self =
        Self { places: limits::JOIN_CONNECTIONS_MAX, lasts: limits::TAILNET_STRANGER_LASTS, grace: limits::TAILNET_DOOR_GRACE };
}

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
    pub(super) async fn open(
        &mut self,
        name: &'static str,
        ip: IpAddr,
        port: u16,
        to: Option<SocketAddr>,
        room: Room,
    ) -> Option<SocketAddr> {
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
        self.0.insert(name, Door { ip, to, at, passing: tokio::spawn(pass(listener, to, room)) });
        Some(at)
    }

    /// Closes them all.
    pub(super) fn close(&mut self) {
        self.0.clear();
    }
}

async fn pass(listener: TcpListener, to: SocketAddr, room: Room) {
    let places = Arc::new(Semaphore::new(room.places));
    while let Ok(place) = places.clone().acquire_owned().await {
        let Ok((outer, _)) = listener.accept().await else {
            // Too many open files, for instance: it passes.
            tokio::time::sleep(limits::RECONNECT_PAUSE).await;
            continue;
        };
        tokio::spawn(async move {
            let _place = place;
            let _ = timeout(room.lasts, between(outer, to, room.grace)).await;
        });
    }
}

/// Passes on until both sides have closed, or one fails. Where the inside has closed, an outside that keeps its side open and says nothing
/// is not waited for: its place would never be free again.
async fn between(mut outer: TcpStream, to: SocketAddr, grace: Duration) -> io::Result<()> {
    let mut inner = TcpStream::connect(to).await?;
    for side in [&outer, &inner] {
        let _ = side.set_nodelay(true);
    }
    let (mut from_outer, mut to_outer) = outer.split();
    let (mut from_inner, mut to_inner) = inner.split();
    let inward = async {
        copy(&mut from_outer, &mut to_inner).await?;
        to_inner.shutdown().await
    };
    let outward = async {
        copy(&mut from_inner, &mut to_outer).await?;
        to_outer.shutdown().await
    };
    tokio::pin!(inward, outward);
    tokio::select! {
        done = &mut inward => {
            done?;
            outward.await
        }
        done = &mut outward => {
            done?;
            timeout(grace, inward).await?
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn what_is_said_at_a_door_is_heard_inside_and_a_closed_one_is_gone() {
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = inside.local_addr().unwrap();
        let (mut doors, ip) = (Doors::default(), "127.0.0.2".parse().unwrap());
        let at = doors.open("mesh", ip, 0, Some(to), Room::DEVICES).await.unwrap();
        assert_eq!((at.ip(), doors.open("mesh", ip, 0, Some(to), Room::DEVICES).await), (ip, Some(at)), "opened once");
        let mut outer = TcpStream::connect(at).await.unwrap();
        let (mut inner, _) = inside.accept().await.unwrap();
        outer.write_all(b"in").await.unwrap();
        inner.write_all(b"out").await.unwrap();
        let (mut said, mut heard) = ([0; 3], [0; 2]);
        inner.read_exact(&mut heard).await.unwrap();
        outer.read_exact(&mut said).await.unwrap();
        assert_eq!((&heard, &said), (b"in", b"out"));
        // What listens there by itself needs no door; what does not listen has no place.
        assert_eq!(doors.open("join", ip, 9, Some(SocketAddr::new(ip, 77)), Room::STRANGERS).await, Some(SocketAddr::new(ip, 77)));
        assert_eq!(doors.open("radicle", ip, 9, None, Room::DEVICES).await, None);
        doors.close();
        let gone = tokio::time::timeout(std::time::Duration::from_secs(5), async {
            while TcpStream::connect(at).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        gone.await.unwrap();
    }

    /// A door with one place, at which somebody came who says nothing; what came of it inside, and where the door is.
    async fn taken(room: Room) -> (Doors, TcpListener, TcpStream, TcpStream, SocketAddr) {
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut doors, to) = (Doors::default(), inside.local_addr().unwrap());
        let at = doors.open("join", "127.0.0.2".parse().unwrap(), 0, Some(to), room).await.unwrap();
        let silent = TcpStream::connect(at).await.unwrap();
        let (inner, _) = inside.accept().await.unwrap();
        (doors, inside, silent, inner, at)
    }

    async fn is_free(inside: &TcpListener, at: SocketAddr) {
        let _next = TcpStream::connect(at).await.unwrap();
        timeout(Duration::from_secs(5), inside.accept()).await.expect("the place is free again").unwrap();
    }

    #[tokio::test]
    async fn who_keeps_their_side_open_and_says_nothing_holds_no_place_once_the_inside_has_closed() {
        let room = Room { places: 1, lasts: Duration::MAX, grace: Duration::from_millis(1) };
        let (_doors, inside, _silent, inner, at) = taken(room).await;
        drop(inner);
        is_free(&inside, at).await;
    }

    #[tokio::test]
    async fn who_is_a_stranger_holds_a_place_for_a_while_whatever_the_inside_does() {
        let room = Room { places: 1, lasts: Duration::from_millis(1), grace: Duration::MAX };
        let (_doors, inside, _silent, _inner, at) = taken(room).await;
        is_free(&inside, at).await;
    }

    #[tokio::test]
    async fn what_the_outside_had_to_say_is_heard_after_it_closed_and_answered() {
        let (_doors, _inside, mut outer, mut inner, _) = taken(Room::STRANGERS).await;
        outer.write_all(b"in").await.unwrap();
        outer.shutdown().await.unwrap();
        let (mut heard, mut said) = (vec![], vec![]);
        inner.read_to_end(&mut heard).await.unwrap();
        inner.write_all(b"out").await.unwrap();
        drop(inner);
        outer.read_to_end(&mut said).await.unwrap();
        assert_eq!((heard, said), (b"in".to_vec(), b"out".to_vec()));
    }
}
