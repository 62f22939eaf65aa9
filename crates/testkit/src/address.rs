//! Addresses of this machine that are looked up now and used later.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A harness fails its test.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// The first of the ports. All of them are below those that the system gives to connections and for port 0 (from 32768), so
/// that nobody gets one by chance between the look and its use, or while what listens there is down.
const FIRST: u32 = 10_000;
/// How many there are.
const PORTS: u32 = 22_000;
/// How far apart processes with neighbouring ids begin: more than any of them needs.
const APART: u32 = 61;

/// An address on loopback at which nobody listens now, and which no other test of this process gets.
pub fn free_address() -> SocketAddr {
    static LOOKED_AT: AtomicU32 = AtomicU32::new(0);
    let start = process::id() % PORTS * APART;
    let next = |_| {
        let port = FIRST + (start + LOOKED_AT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap()))
    };
    (0..PORTS).map(next).find(|address| TcpListener::bind(address).is_ok()).expect("a port is free")
}
