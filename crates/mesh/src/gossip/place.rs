//! Where a device gossips: the port that is bound, and the address at which others reach it. It may move while the gossip goes on: a tailnet
//! gives this machine its address when it likes.

use crate::{early, limits};
use domain::Problem;
use std::{io, net::SocketAddr};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
};

/// Where a device gossips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bound here.
    pub address: SocketAddr,
    /// Where others reach it.
    pub advertised: SocketAddr,
}

/// A way to another place.
pub(super) struct Move {
    /// None: the port that is bound stays.
    pub(super) socket: Option<UdpSocket>,
    pub(super) place: Place,
}

/// Moves the gossip of a device to another place, while it goes on.
#[derive(Clone, Debug)]
pub struct Mover {
    moves: mpsc::Sender<Move>,
    place: watch::Sender<Place>,
}

impl Mover {
    pub(super) fn new(place: Place) -> (Self, mpsc::Receiver<Move>) {
        let (moves, to_make) = mpsc::channel(limits::MOVES_WAITING);
        (Self { moves, place: watch::Sender::new(place) }, to_make)
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        *self.place.borrow()
    }

    /// Has it listen at an address from now on, at which others reach it unless another is named. The others hear of that by what it
    /// gossips. Two of these at once must not be.
    ///
    /// # Errors
    /// When the port cannot be bound, or the gossip has ended: then it stays where it is.
    pub async fn move_to(&self, listen: SocketAddr, advertised: Option<SocketAddr>) -> Result<Place, Problem> {
        let before = self.place();
        let (socket, address) = if listen == before.address {
            (None, listen)
        } else {
            let (socket, address) = bind(listen).await?;
            (Some(socket), address)
        };
        let place = reached(address, advertised)?;
        if place == before {
            return Ok(place);
        }
        let ended = |_| Problem::unavailable("Gossip between devices has ended, and cannot move.").next("Start meshwork up again.");
        self.moves.send(Move { socket, place }).await.map_err(ended)?;
        self.place.send_replace(place);
        Ok(place)
    }
}

/// Binds a port.
///
/// # Errors
/// When that cannot be.
pub(super) async fn bind(listen: SocketAddr) -> Result<(UdpSocket, SocketAddr), Problem> {
    named(UdpSocket::bind(listen).await, listen)
}

/// The same, whether this machine has the address now or not.
///
/// # Errors
/// When that cannot be.
pub(super) async fn bind_early(listen: SocketAddr) -> Result<(UdpSocket, SocketAddr), Problem> {
    named(early::hear_at(listen).await, listen)
}

fn named(bound: io::Result<UdpSocket>, listen: SocketAddr) -> Result<(UdpSocket, SocketAddr), Problem> {
    let socket = bound.map_err(|error| not_bound(listen, &error))?;
    let address = socket.local_addr().map_err(Problem::internal)?;
    Ok((socket, address))
}

/// The place of a bound port.
///
/// # Errors
/// When nobody could reach it.
pub(super) fn reached(address: SocketAddr, advertised: Option<SocketAddr>) -> Result<Place, Problem> {
    let advertised = advertised.unwrap_or(address);
    if advertised.ip().is_unspecified() {
        return Err(Problem::invalid(format!("Other devices cannot gossip to {advertised}."))
            .because("It stands for all addresses of this machine.")
            .next("Say at which address others reach this machine."));
    }
    Ok(Place { address, advertised })
}

fn not_bound(listen: SocketAddr, error: &io::Error) -> Problem {
    Problem::unavailable(format!("Gossip between devices cannot listen on {listen} (UDP)."))
        .because(format!("{error}."))
        .next("Stop what uses that address, or give gossip another one.")
}
