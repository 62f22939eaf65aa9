//! The bridge's connections: loopback ports inside, each carried to a unix socket of the host. One thread, no runtime: it
//! must start at once, and keep working when the sandbox has no process to spare.

use crate::limits;
use rustix::{
    event::{PollFd, PollFlags},
    fd::{AsFd, OwnedFd},
    io::Errno,
    net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, shutdown, socket_with},
};
use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

/// One direction of a connection.
struct Flow {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The reading side said that it is done.
    finished: bool,
    /// And the writing side was told.
    closed: bool,
}

impl Flow {
    fn new() -> Self {
        Self { buffer: vec![0; limits::RELAY_BYTES].into_boxed_slice(), start: 0, end: 0, finished: false, closed: false }
    }

    fn wants_read(&self) -> bool {
        !self.finished && self.start == self.end
    }

    fn wants_write(&self) -> bool {
        self.start < self.end
    }

    /// Moves what can be moved now. An error ends the connection.
    fn pump(&mut self, from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
        for _ in 0..limits::RELAY_ROUNDS {
            if self.wants_read() {
                match rustix::io::read(from, &mut self.buffer[..]) {
                    Ok(0) => self.finished = true,
                    Ok(n) => (self.start, self.end) = (0, n),
                    Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                    Err(why) => return Err(why),
                }
            }
            if self.wants_write() {
                match rustix::io::write(to, &self.buffer[self.start..self.end]) {
                    Ok(n) => self.start += n,
                    Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                    Err(why) => return Err(why),
                }
            } else if self.finished {
                if !self.closed {
                    self.closed = true;
                    // The other half may go on: a request is over before its answer comes.
                    let _ = shutdown(to, Shutdown::Write);
                }
                return Ok(());
            }
        }
        Ok(())
    }
}

struct Connection {
    inside: OwnedFd,
    host: OwnedFd,
    out: Flow,
    back: Flow,
}

impl Connection {
    fn new(inside: OwnedFd, host: OwnedFd) -> Self {
        Self { inside, host, out: Flow::new(), back: Flow::new() }
    }

    /// Whether it goes on.
    fn pump(&mut self) -> bool {
        let moved = self.out.pump(&self.inside, &self.host).and_then(|()| self.back.pump(&self.host, &self.inside));
        moved.is_ok() && !(self.out.closed && self.back.closed)
    }

    fn interest(read: &Flow, write: &Flow) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, read.wants_read());
        flags.set(PollFlags::OUT, write.wants_write());
        flags
    }
}

/// A connection that the host's socket had no room for yet.
struct Waiting {
    inside: OwnedFd,
    socket: usize,
    until: Instant,
}

/// All ports and connections of a bridge.
pub(crate) struct Relay {
    listeners: Vec<(TcpListener, String)>,
    connections: Vec<Connection>,
    waiting: Vec<Waiting>,
}

impl Relay {
    /// Binds the ports; when this returns, they accept.
    pub(crate) fn bind(forwards: &[(u16, String)]) -> io::Result<Self> {
        let bind = |(port, socket): &(u16, String)| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port))?;
            listener.set_nonblocking(true)?;
            Ok((listener, socket.clone()))
        };
        Ok(Self { listeners: forwards.iter().map(bind).collect::<io::Result<_>>()?, connections: vec![], waiting: vec![] })
    }

    /// What to poll for. A descriptor that nothing is wanted of is left out: its hang-up would be told again and again.
    pub(crate) fn interests<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        if self.connections.len() + self.waiting.len() < limits::CONNECTIONS_MAX {
            fds.extend(self.listeners.iter().map(|(l, _)| PollFd::from_borrowed_fd(l.as_fd(), PollFlags::IN)));
        }
        for c in &self.connections {
            for (fd, flags) in [(&c.inside, Connection::interest(&c.out, &c.back)), (&c.host, Connection::interest(&c.back, &c.out))] {
                if !flags.is_empty() {
                    fds.push(PollFd::from_borrowed_fd(fd.as_fd(), flags));
                }
            }
        }
    }

    /// How long to poll at most.
    pub(crate) fn patience(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(Duration::from_millis(5))
    }

    /// Accepts, connects and carries whatever can be now.
    pub(crate) fn turn(&mut self) {
        self.accept();
        let now = Instant::now();
        for waiting in std::mem::take(&mut self.waiting) {
            self.open(waiting, now);
        }
        self.connections.retain_mut(Connection::pump);
    }

    fn accept(&mut self) {
        for socket in 0..self.listeners.len() {
            while self.connections.len() + self.waiting.len() < limits::CONNECTIONS_MAX {
                let Ok((stream, _)) = self.listeners[socket].0.accept() else { break };
                // Small answers must not wait for each other's acknowledgement.
                let _ = stream.set_nodelay(true);
                if stream.set_nonblocking(true).is_ok() {
                    let until = Instant::now() + Duration::from_millis(limits::CONNECT_MS);
                    self.waiting.push(Waiting { inside: stream.into(), socket, until });
                }
            }
        }
    }

    fn open(&mut self, waiting: Waiting, now: Instant) {
        match reach(&self.listeners[waiting.socket].1) {
            Ok(host) => self.connections.push(Connection::new(waiting.inside, host)),
            // Its queue is full: the host is slow. Anything else ends the connection, which the other side sees.
            Err(Errno::AGAIN | Errno::INTR) if now < waiting.until => self.waiting.push(waiting),
            Err(_) => {}
        }
    }
}

fn reach(path: &str) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}
