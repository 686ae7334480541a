//! A TCP connection that notes what went through it: enough to say what a broken connection means.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What went through a connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    read: AtomicU64,
    written: AtomicU64,
    http1: AtomicBool,
}

impl Seen {
    /// Bytes that came.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Bytes that the kernel took.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Whether the peer's first words were HTTP/1's.
    pub(super) fn is_http1(&self) -> bool {
        self.http1.load(Relaxed)
    }

    fn note(&self, bytes: &[u8]) {
        if self.read.fetch_add(bytes.len() as u64, Relaxed) == 0 && bytes.starts_with(b"HTTP/1.") {
            self.http1.store(true, Relaxed);
        }
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Tap {
    io: TcpStream,
    seen: Arc<Seen>,
}

impl Tap {
    pub(super) fn new(io: TcpStream, seen: Arc<Seen>) -> Self {
        Self { io, seen }
    }

    fn wrote(&self, written: usize) -> Poll<io::Result<usize>> {
        self.seen.written.fetch_add(written as u64, Relaxed);
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.seen.note(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, parts))?;
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
