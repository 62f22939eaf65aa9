//! Messages of chitchat as bytes, and back.
//!
//! chitchat lets others write transports, but keeps the form of its messages to itself: only its own UDP socket reads and
//! writes it (0.13: `ChitchatEnvelope::serialize` and `Digest` are private to the crate). So a message goes through that socket, over
//! loopback, and never further: to a second socket of ours, which is connected to it and takes nothing from anyone else. Of what comes out of
//! chitchat's, only what ours put in counts.
//!
//! Each message that is read is followed by a mark, a message of ours with a number. So one that chitchat cannot read is told
//! from one that takes long, and nothing is taken for the answer to something else.

use crate::limits;
use anyhow::Context;
use chitchat::{
    ChitchatEnvelope, ChitchatMessage,
    transport::{Socket, UdpSocket as Chitchats},
};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout, timeout_at},
};

/// What a mark begins with, where others have the name of their cluster. No org's name has spaces.
const MARK: &str = "meshwork mark ";

/// One at a time: a message is read or written, then the next.
pub(super) struct Codec {
    chitchats: Chitchats,
    ours: UdpSocket,
    /// The same socket as `ours`, without waiting: loopback takes at once.
    feed: std::net::UdpSocket,
    address: SocketAddr,
    buffer: Vec<u8>,
    marks: u64,
    read: Option<ChitchatEnvelope>,
    until: Instant,
}

impl Codec {
    pub(super) async fn new() -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let chitchats = Chitchats::open(any).await?;
        let feed = std::net::UdpSocket::bind(any).context("no socket on loopback")?;
        feed.set_nonblocking(true)?;
        feed.connect(chitchats.local_addr()?)?;
        let address = feed.local_addr()?;
        let ours = UdpSocket::from_std(feed.try_clone()?)?;
        let buffer = vec![0; limits::MESSAGE_BYTES_MAX];
        Ok(Self { chitchats, ours, feed, address, buffer, marks: 0, read: None, until: Instant::now() })
    }

    /// A message as bytes; none where the system lost it, as it may lose any datagram.
    pub(super) async fn encode(&mut self, message: ChitchatEnvelope) -> anyhow::Result<Option<&[u8]>> {
        // What came late, after its time was over.
        while self.ours.try_recv(&mut self.buffer).is_ok() {}
        self.chitchats.send(self.address, message).await?;
        let Ok(length) = timeout(limits::CODEC, self.ours.recv(&mut self.buffer)).await else { return Ok(None) };
        Ok(self.buffer.get(..length?))
    }

    /// Begins to read a message; false where it cannot be.
    pub(super) fn begin(&mut self, message: &[u8]) -> bool {
        self.marks += 1;
        self.read = None;
        self.until = Instant::now() + limits::CODEC;
        self.feed.send(message).is_ok() && self.feed.send(&mark(self.marks)).is_ok()
    }

    /// The message that was begun; none where it is not one of chitchat. May be dropped and called again.
    pub(super) async fn finish(&mut self) -> anyhow::Result<Option<ChitchatEnvelope>> {
        loop {
            let Ok(came) = timeout_at(self.until, self.chitchats.recv()).await else { return Ok(None) };
            let came = came?;
            if came.from_addr != self.address {
                continue;
            }
            match marked(&came.envelope) {
                Some(number) if number == self.marks => return Ok(self.read.take()),
                // Of a message whose time was over.
                Some(_) => self.read = None,
                None => self.read = Some(came.envelope),
            }
        }
    }
}

/// A message of chitchat's version 0: a Syn with an empty digest, for a cluster of that name.
fn mark(number: u64) -> Vec<u8> {
    let name = format!("{MARK}{number}");
    let mut bytes = 45_139_u16.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0, 0, 0, 0]);
    bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

fn marked(envelope: &ChitchatEnvelope) -> Option<u64> {
    let ChitchatMessage::Syn { cluster_id, .. } = &envelope.message else { return None };
    cluster_id.strip_prefix(MARK)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_message_comes_back_as_it_went_and_what_is_none_is_told() {
        let (mut from, mut to) = (Codec::new().await.unwrap(), Codec::new().await.unwrap());
        let message = || ChitchatEnvelope { version: chitchat::ProtocolVersion::V1, message: ChitchatMessage::BadCluster };
        let bytes = from.encode(message()).await.unwrap().unwrap().to_vec();
        for _ in 0..3 {
            assert!(to.begin(b"junk"));
            assert_eq!(to.finish().await.unwrap(), None);
            assert!(to.begin(&bytes));
            assert_eq!(to.finish().await.unwrap(), Some(message()));
        }
    }

    #[tokio::test]
    async fn what_another_program_sends_to_the_inner_sockets_does_not_count() {
        let mut codec = Codec::new().await.unwrap();
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let bytes = codec.encode(ChitchatEnvelope { version: chitchat::ProtocolVersion::V1, message: ChitchatMessage::BadCluster });
        let bytes = bytes.await.unwrap().unwrap().to_vec();
        other.send_to(&bytes, codec.chitchats.local_addr().unwrap()).unwrap();
        other.send_to(&bytes, codec.address).unwrap();
        assert!(codec.begin(b"junk"));
        assert_eq!(codec.finish().await.unwrap(), None);
    }
}
