//! Messages of chitchat as bytes, and back.
//!
//! chitchat lets others write transports, but keeps the form of its messages to itself: only its own UDP socket reads and
//! writes it (0.13: `ChitchatEnvelope::serialize` and `Digest` are private to the crate). So a message goes through that socket, over
//! loopback, and never further: to a second socket of ours, which is connected to it and takes nothing from anyone else. Of what comes out of
//! chitchat's, only what ours put in counts.
//!
//! What goes in over loopback comes out at once, and in order. Where nothing does, a mark is put in, a message of ours with a number: so one
//! that chitchat cannot read is told from one that takes long. After anything that did not come out, all up to the next mark is
//! thrown away, so that nothing is taken for something else.

use crate::limits;
use anyhow::Context;
use chitchat::{
    ChitchatEnvelope, ChitchatMessage,
    transport::{Socket, UdpSocket as Chitchats},
};
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};
use tokio::time::{Instant, sleep, timeout_at};

/// What a mark begins with, where others have the name of their cluster. No org's name has spaces.
const MARK: &str = "meshwork mark ";

/// One at a time: a message is read or written, then the next.
pub(super) struct Codec {
    chitchats: Chitchats,
    /// Never waited for: loopback takes and gives at once.
    ours: UdpSocket,
    address: SocketAddr,
    buffer: Vec<u8>,
    /// Whether something that was written has not come yet, and may come late.
    owed: bool,
    marks: u64,
    reading: Reading,
    until: Instant,
}

/// How far the reading of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It was put in, and nothing else is.
    Clean,
    /// A mark was put in before it: what comes before that mark is late.
    AfterMark,
    /// A mark was put in after it, since it did not come.
    BeforeMark,
    /// Neither it nor the mark came.
    Lost,
}

impl Codec {
    pub(super) async fn new() -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let chitchats = Chitchats::open(any).await?;
        let ours = UdpSocket::bind(any).context("no socket on loopback")?;
        ours.set_nonblocking(true)?;
        ours.connect(chitchats.local_addr()?)?;
        let address = ours.local_addr()?;
        let buffer = vec![0; limits::MESSAGE_BYTES_MAX];
        Ok(Self { chitchats, ours, address, buffer, owed: false, marks: 0, reading: Reading::Clean, until: Instant::now() })
    }

    /// A message as bytes; none where the system lost it, as it may lose any datagram.
    pub(super) async fn encode(&mut self, message: ChitchatEnvelope) -> anyhow::Result<Option<&[u8]>> {
        while self.owed && self.ours.recv(&mut self.buffer).is_ok() {}
        self.owed = true;
        self.chitchats.send(self.address, message).await?;
        let until = Instant::now() + limits::CODEC;
        loop {
            match self.ours.recv(&mut self.buffer) {
                Ok(length) => {
                    self.owed = false;
                    return Ok(self.buffer.get(..length));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => sleep(limits::CODEC_PAUSE).await,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Begins to read a message; false where it cannot be.
    pub(super) fn begin(&mut self, message: &[u8]) -> bool {
        let clean = self.reading == Reading::Clean;
        self.reading = if clean { Reading::Clean } else { Reading::AfterMark };
        self.until = Instant::now() + if clean { limits::CODEC_ASK } else { limits::CODEC };
        let begun = (clean || self.mark()) && self.ours.send(message).is_ok();
        if !begun {
            self.reading = Reading::Lost;
        }
        begun
    }

    /// The message that was begun; none where it is not one of chitchat. May be dropped and called again.
    pub(super) async fn finish(&mut self) -> anyhow::Result<Option<ChitchatEnvelope>> {
        loop {
            let Ok(came) = timeout_at(self.until, self.chitchats.recv()).await else {
                let asked = self.reading == Reading::Clean && self.mark();
                self.reading = if asked { Reading::BeforeMark } else { Reading::Lost };
                self.until = Instant::now() + limits::CODEC;
                if asked {
                    continue;
                }
                return Ok(None);
            };
            let came = came?;
            if came.from_addr != self.address {
                continue;
            }
            match (marked(&came.envelope), self.reading) {
                (None, Reading::AfterMark) => {}
                // With a mark behind it, that is thrown away before the next.
                (None, _) => return Ok(Some(came.envelope)),
                (Some(number), Reading::AfterMark) if number == self.marks => {
                    self.reading = Reading::Clean;
                    self.until = Instant::now() + limits::CODEC_ASK;
                }
                (Some(number), Reading::BeforeMark) if number == self.marks => {
                    self.reading = Reading::Clean;
                    return Ok(None);
                }
                // Of a message whose time was over.
                (Some(_), _) => {}
            }
        }
    }

    /// Puts a new mark in; false where it cannot be.
    fn mark(&mut self) -> bool {
        self.marks += 1;
        self.ours.send(&mark(self.marks)).is_ok()
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
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let bytes = codec.encode(ChitchatEnvelope { version: chitchat::ProtocolVersion::V1, message: ChitchatMessage::BadCluster });
        let bytes = bytes.await.unwrap().unwrap().to_vec();
        other.send_to(&bytes, codec.chitchats.local_addr().unwrap()).unwrap();
        other.send_to(&bytes, codec.address).unwrap();
        assert!(codec.begin(b"junk"));
        assert_eq!(codec.finish().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_comes_late_is_never_taken_for_something_else() {
        let mut codec = Codec::new().await.unwrap();
        let of = |version| ChitchatEnvelope { version, message: ChitchatMessage::BadCluster };
        let [first, second] = [chitchat::ProtocolVersion::V0, chitchat::ProtocolVersion::V1];
        let late = codec.encode(of(first)).await.unwrap().unwrap().to_vec();
        let next = codec.encode(of(second)).await.unwrap().unwrap().to_vec();
        // As after a pause in which neither the message nor the mark came.
        assert!(codec.begin(&late));
        codec.reading = Reading::Lost;
        assert!(codec.begin(&next));
        assert_eq!(codec.finish().await.unwrap(), Some(of(second)));
        // One that is read after its mark was put in leaves that mark to be thrown away.
        assert!(codec.begin(&late) && codec.mark());
        codec.reading = Reading::BeforeMark;
        assert_eq!(codec.finish().await.unwrap(), Some(of(first)));
        assert!(codec.begin(b"junk"));
        assert_eq!(codec.finish().await.unwrap(), None);
        assert!(codec.begin(&next));
        assert_eq!(codec.finish().await.unwrap(), Some(of(second)));
    }
}
