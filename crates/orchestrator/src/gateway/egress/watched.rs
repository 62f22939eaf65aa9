//! A connection that ends when it is idle for too long or carried too much.

use super::super::limits;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

/// Joins a tunnel's two ends until one is closed, or the limits are reached.
pub(super) async fn tunnel(inside: OnUpgrade, outside: TcpStream) {
    let Ok(Ok(inside)) = tokio::time::timeout(limits::CONNECT_TIMEOUT, inside).await else { return };
    let mut outside = Watched::new(outside, limits::EGRESS_IDLE, limits::EGRESS_BYTES_MAX);
    if let Err(e) = tokio::io::copy_bidirectional(&mut TokioIo::new(inside), &mut outside).await {
        tracing::debug!(why = %e.kind(), "an egress tunnel broke off");
    }
}

/// Watches every byte of one connection, both ways.
pub(super) struct Watched<S> {
    inner: S,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
    left_bytes: u64,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, idle: Duration, bytes_max: u64) -> Self {
        Self { inner, idle, deadline: Box::pin(tokio::time::sleep(idle)), left_bytes: bytes_max }
    }

    fn moved(&mut self, bytes: usize) -> io::Result<()> {
        self.deadline.as_mut().reset(Instant::now() + self.idle);
        let left = self.left_bytes.checked_sub(bytes as u64);
        self.left_bytes = left.ok_or_else(|| io::Error::new(io::ErrorKind::QuotaExceeded, "it carried too much"))?;
        Ok(())
    }

    /// Nothing moves now: an error once that is so for too long.
    fn waits<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        use std::future::Future as _;
        self.deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(self.moved(buf.filled().len() - before)),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => self.waits(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write(cx, buf) {
            Poll::Ready(Ok(n)) => Poll::Ready(self.moved(n).map(|()| n)),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => self.waits(cx),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_and_a_used_one_does_not() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut watched = Watched::new(near, Duration::from_secs(10), 1000);
        let mut byte = [0];
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(9)).await;
            far.write_all(b"x").await.unwrap();
            watched.read_exact(&mut byte).await.unwrap();
        }
        assert_eq!(watched.read(&mut byte).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_that_carried_too_much_ends() {
        let (_far, near) = tokio::io::duplex(64);
        let mut watched = Watched::new(near, Duration::from_secs(10), 5);
        watched.write_all(b"12345").await.unwrap();
        assert_eq!(watched.write_all(b"6").await.unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    }
}
