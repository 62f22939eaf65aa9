//! The words between the host and its bridge: one packet each, on a socket pair that only the two of them hold.

use crate::limits;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Errno, IoSlice, IoSliceMut},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketFlags, SocketType, recvmsg, sendmsg, socketpair, sockopt,
    },
    process::Pid,
};
use std::{io, mem::MaybeUninit};
use tokio::io::{Interest, unix::AsyncFd};

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Bridge: its ports accept. A descriptor of its process comes with this.
    Ready,
    /// Bridge: refused system calls are told on the descriptor that comes with this.
    Listener,
    /// Bridge: refused system calls cannot be told on this kernel; they are refused all the same.
    Unwatched,
    /// Bridge: the command runs.
    Started,
    /// Bridge: the command cannot be run, or the bridge cannot work.
    Failed(String),
    /// Bridge: processes were still there after the end.
    Left {
        count: usize,
        names: String,
    },
    /// Bridge: the command ended with this code, or by this signal.
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
    },
    /// Host: stop everything but yourself; and let it go on. The bridge says the same when it is done.
    Stop,
    Go,
}

impl Word {
    fn encode(&self) -> String {
        let text = match self {
            Self::Ready => "ready".into(),
            Self::Listener => "listener".into(),
            Self::Unwatched => "unwatched".into(),
            Self::Started => "started".into(),
            Self::Failed(why) => format!("failed {why}"),
            Self::Left { count, names } => format!("left {count} {names}"),
            Self::Ended { code: Some(code), .. } => format!("code {code}"),
            Self::Ended { signal, .. } => format!("signal {}", signal.unwrap_or(0)),
            Self::Stop => "stop".into(),
            Self::Go => "go".into(),
        };
        text.chars().take(limits::CONTROL_BYTES_MAX / 4).collect()
    }

    fn decode(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        Some(match verb {
            "ready" => Self::Ready,
            "listener" => Self::Listener,
            "unwatched" => Self::Unwatched,
            "started" => Self::Started,
            "failed" => Self::Failed(rest.to_owned()),
            "left" => {
                let (count, names) = rest.split_once(' ')?;
                Self::Left { count: count.parse().ok()?, names: names.to_owned() }
            }
            "code" => Self::Ended { code: Some(rest.parse().ok()?), signal: None },
            "signal" => Self::Ended { code: None, signal: Some(rest.parse().ok()?) },
            "stop" => Self::Stop,
            "go" => Self::Go,
            _ => return None,
        })
    }
}

/// A word with what came along.
pub(crate) struct Heard {
    pub word: Word,
    pub fd: Option<OwnedFd>,
    /// Who said it, as a process of the reader's namespace.
    pub pid: Option<Pid>,
}

/// The two ends: the host's (non-blocking) and the bridge's.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (host, bridge) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_passcred(&host, true)?;
    Ok((host, bridge))
}

/// Says a word, with a descriptor where there is one.
pub(crate) fn say(socket: impl AsFd, word: &Word, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let text = word.encode();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<BorrowedFd<'_>> = fd.into_iter().collect();
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    }
    sendmsg(socket, &[IoSlice::new(text.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next word; none when the other end is closed. `WouldBlock` when nothing is there.
pub(crate) fn hear(socket: impl AsFd) -> io::Result<Option<Heard>> {
    let mut buffer = [0; limits::CONTROL_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1), ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut buffer)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    if got.bytes == 0 {
        return Ok(None);
    }
    let (mut fd, mut pid) = (None, None);
    for message in ancillary.drain() {
        match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fd = fds.next(),
            RecvAncillaryMessage::ScmCredentials(who) => pid = Some(who.pid),
            _ => {}
        }
    }
    let word = std::str::from_utf8(&buffer[..got.bytes]).ok().and_then(Word::decode);
    let word = word.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown word on the control socket"))?;
    Ok(Some(Heard { word, fd, pid }))
}

/// Lets the runtime tell when a descriptor can be read.
#[allow(unsafe_code)]
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, and stays the same descriptor, for as long as it is owned.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// The host's end, in its runtime.
#[derive(Debug)]
pub(crate) struct Control(AsyncFd<OwnedFd>);

impl Control {
    /// Takes the host's end of [`pair`].
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        watched(fd).map(Self)
    }

    /// Waits for the next word; none when the bridge is gone.
    pub(crate) async fn hear(&self) -> io::Result<Option<Heard>> {
        self.0.async_io(Interest::READABLE, |fd| hear(fd)).await
    }

    /// The next word that is already there.
    pub(crate) fn hear_now(&self) -> Option<Heard> {
        hear(self.0.get_ref()).ok().flatten()
    }

    /// Says a word to the bridge.
    pub(crate) fn say(&self, word: &Word) -> io::Result<()> {
        say(self.0.get_ref(), word, None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_word_arrives_as_it_was_said() {
        let (host, bridge) = pair().unwrap();
        let words = [
            Word::Ready,
            Word::Unwatched,
            Word::Started,
            Word::Failed("no such file".into()),
            Word::Left { count: 2, names: "sleep, sh".into() },
            Word::Ended { code: Some(3), signal: None },
            Word::Ended { code: None, signal: Some(9) },
            Word::Stop,
            Word::Go,
        ];
        for word in words {
            say(&bridge, &word, None).unwrap();
            let heard = hear(&host).unwrap().unwrap();
            assert_eq!(heard.word, word);
            assert_eq!(heard.pid, Some(rustix::process::getpid()));
        }
        say(&bridge, &Word::Listener, Some(host.as_fd())).unwrap();
        assert!(hear(&host).unwrap().unwrap().fd.is_some());
        drop(bridge);
        // What another test starts meanwhile may hold a copy of it for a moment.
        let mut end = [rustix::event::PollFd::new(&host, rustix::event::PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut end, None).unwrap(), 1);
        assert!(hear(&host).unwrap().is_none());
    }
}
