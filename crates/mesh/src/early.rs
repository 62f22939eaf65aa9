//! Ports at an address that this machine may get only later: a tailnet gives it when it likes. They are bound even so (`IP_FREEBIND`, ip(7)),
//! and reached from the moment at which the address is there.

use crate::limits;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
};
use tokio::net::{TcpListener, UdpSocket};

/// Accepts connections at an address, whether this machine has it now or not.
///
/// # Errors
/// When the port is taken, or the system refuses.
pub async fn accept_at(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {}
        bound => return bound,
    }
    let socket = freely(address, SocketType::STREAM)?;
    listen(&socket, limits::CONNECTIONS_WAITING)?;
    TcpListener::from_std(socket.into())
}

/// Hears datagrams at an address in the same way.
///
/// # Errors
/// As [`accept_at`].
pub(crate) async fn hear_at(address: SocketAddr) -> io::Result<UdpSocket> {
    match UdpSocket::bind(address).await {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {}
        bound => return bound,
    }
    UdpSocket::from_std(freely(address, SocketType::DGRAM)?.into())
}

/// Whether this machine has an address now.
pub fn is_here(ip: IpAddr) -> bool {
    !std::net::UdpSocket::bind((ip, 0)).is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable)
}

fn freely(address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    if address.is_ipv4() {
        sockopt::set_ip_freebind(&socket, true)?;
    } else {
        sockopt::set_ipv6_freebind(&socket, true)?;
    }
    if kind == SocketType::STREAM {
        // As of any listener: connections of an earlier start that are still closing are not in the way.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// For documentation alone (RFC 5737, RFC 3849): no machine has them.
    const NOBODYS: [&str; 2] = ["192.0.2.1:0", "[2001:db8::1]:0"];

    #[tokio::test]
    async fn a_port_is_bound_at_an_address_that_is_not_there_yet_once() {
        for nobodys in NOBODYS {
            let wanted: SocketAddr = nobodys.parse().unwrap();
            assert!(!is_here(wanted.ip()) && TcpListener::bind(wanted).await.is_err(), "{wanted}");
            let (listener, socket) = (accept_at(wanted).await.unwrap(), hear_at(wanted).await.unwrap());
            for bound in [listener.local_addr().unwrap(), socket.local_addr().unwrap()] {
                assert!(bound.ip() == wanted.ip() && bound.port() != 0, "{bound}");
            }
            assert!(accept_at(listener.local_addr().unwrap()).await.is_err_and(|e| e.kind() == ErrorKind::AddrInUse));
            assert!(hear_at(socket.local_addr().unwrap()).await.is_err_and(|e| e.kind() == ErrorKind::AddrInUse));
        }
        assert!(is_here("127.0.0.1".parse().unwrap()) && is_here("0.0.0.0".parse().unwrap()));
    }
}
