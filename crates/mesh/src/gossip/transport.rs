//! chitchat's transport over UDP, with datagrams that are sealed and checked.

use super::{
    codec::Codec,
    datagram::{self, Opener, Sealer},
    dropped::{Counters, Reason},
};
use crate::limits;
use async_trait::async_trait;
use chitchat::{
    ChitchatEnvelope, ChitchatMessage,
    transport::{RecvOutcome, SendOutcome, Socket, Transport},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::UdpSocket;

/// A bound port, and what it takes to send and receive there. Outlives the gossip that uses it, which may be started again.
#[derive(Clone)]
pub(super) struct Authenticated {
    socket: Arc<UdpSocket>,
    sealer: Arc<Sealer>,
    opener: Arc<Mutex<Opener>>,
    counters: Arc<Counters>,
}

impl Authenticated {
    pub(super) fn new(socket: UdpSocket, sealer: Sealer, opener: Opener, counters: Arc<Counters>) -> Self {
        Self { socket: Arc::new(socket), sealer: Arc::new(sealer), opener: Arc::new(Mutex::new(opener)), counters }
    }

    /// Takes another port; what was opened before keeps the one that it has.
    pub(super) fn bind(&mut self, socket: UdpSocket) {
        self.socket = Arc::new(socket);
    }
}

#[async_trait]
impl Transport for Authenticated {
    /// The address was bound before.
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let codec = Codec::new().await?;
        // One byte more than counts, so that what is too large is seen to be.
        let buffer = vec![0; datagram::BYTES_MAX + 1];
        Ok(Box::new(Opened { shared: self.clone(), codec, buffer, reading: None, asked: None, failures: 0 }))
    }
}

/// The port while a gossip uses it.
struct Opened {
    shared: Authenticated,
    codec: Codec,
    buffer: Vec<u8>,
    /// The message that is being read. Kept here, since receiving may be dropped halfway.
    reading: Option<Reading>,
    /// Who asked last, and with what: chitchat answers before it does anything else.
    asked: Option<(SocketAddr, u64)>,
    failures: u32,
}

/// A message on its way from the port to chitchat.
#[derive(Clone, Copy)]
struct Reading {
    from: SocketAddr,
    /// As it was on the way.
    bytes: usize,
    stamp: u64,
}

impl Opened {
    /// The next datagram. Its message may be begun to be read then.
    async fn datagram(&mut self) -> anyhow::Result<()> {
        let (length, from) = match self.shared.socket.recv_from(&mut self.buffer).await {
            Ok(came) => came,
            Err(error) => {
                self.failures += 1;
                anyhow::ensure!(self.failures < limits::RECEIVE_FAILURES_MAX, "receiving gossip failed: {error}");
                tokio::time::sleep(limits::RECEIVE_PAUSE).await;
                return Ok(());
            }
        };
        self.failures = 0;
        let opened = self.shared.opener.lock().unwrap_or_else(PoisonError::into_inner).open(from, &self.buffer[..length]);
        match opened {
            Ok(Some(came)) if self.codec.begin(&came.message) => {
                self.reading = Some(Reading { from, bytes: length, stamp: came.stamp });
            }
            Ok(_) => {}
            Err(reason) => self.drop_it(reason, from),
        }
        Ok(())
    }

    fn drop_it(&self, reason: Reason, from: SocketAddr) {
        tracing::debug!(?reason, %from, "a gossip datagram was dropped");
        self.shared.counters.count(reason);
    }
}

#[async_trait]
impl Socket for Opened {
    fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.shared.socket.local_addr()?)
    }

    /// That one address cannot be reached now is no fault of the port.
    async fn send(&mut self, to: SocketAddr, envelope: ChitchatEnvelope) -> anyhow::Result<SendOutcome> {
        let mut num_bytes_sent = 0;
        let asked = self.asked.take().filter(|(from, _)| *from == to && matches!(envelope.message, ChitchatMessage::SynAck { .. }));
        let answers = asked.map_or(0, |(_, stamp)| stamp);
        let Some(message) = self.codec.encode(envelope).await? else { return Ok(SendOutcome { num_bytes_sent }) };
        match self.shared.sealer.seal(to, answers, message) {
            Ok(datagrams) => {
                for datagram in datagrams {
                    match self.shared.socket.send_to(&datagram, to).await {
                        Ok(sent) => num_bytes_sent += sent,
                        Err(error) => tracing::debug!(%error, %to, "gossip could not be sent"),
                    }
                }
            }
            Err(problem) => tracing::warn!(%problem, "gossip could not be sealed"),
        }
        Ok(SendOutcome { num_bytes_sent })
    }

    async fn recv(&mut self) -> anyhow::Result<RecvOutcome> {
        loop {
            let Some(Reading { from, bytes, stamp }) = self.reading else {
                self.datagram().await?;
                continue;
            };
            let read = self.codec.finish().await?;
            self.reading = None;
            match read {
                Some(envelope) => {
                    self.asked = matches!(envelope.message, ChitchatMessage::Syn { .. }).then_some((from, stamp));
                    return Ok(RecvOutcome { from_addr: from, envelope, num_bytes_received: bytes });
                }
                None => self.drop_it(Reason::Malformed, from),
            }
        }
    }
}
