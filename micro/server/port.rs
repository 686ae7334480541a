//! The port: one TCP listener for every protocol. Who speaks what is told by the first bytes.

use crate::server::Options;
use crate::server::grpc;
use crate::server::mucp;
use crate::server::router::Router;
use crate::transport::keepalive::keep_alive;
use bytes::{Bytes, BytesMut};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all connections of a server share.
pub(crate) struct Shared {
    /// Answers the calls.
    pub(crate) router: Router,
    /// The bounds.
    pub(crate) options: Options,
    /// Fires when no more calls are taken: running ones go on, idle connections close.
    pub(crate) drain: CancellationToken,
    /// Fires when everything ends at once.
    pub(crate) stop: CancellationToken,
    /// Every task of the server; drained when it is empty.
    pub(crate) tasks: TaskTracker,
}

/// Both ends of a connection, `ip:port`.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) local: String,
    pub(crate) remote: String,
}

const BACKOFF: Duration = Duration::from_millis(5);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// Accepts until the drain; then the port is closed.
///
/// Beyond `max_connections` a connection is accepted and closed at once: its caller learns it now and may try another node,
/// where a full backlog would let it wait.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(shared.options.max_connections));
    let mut backoff = BACKOFF;
    let mut full = false;
    loop {
        let accepted = tokio::select! {
            () = shared.drain.cancelled() => return,
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that broke before it was accepted: the listener itself is sound.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
                continue;
            }
        };
        backoff = BACKOFF;
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            if !full {
                tracing::warn!(limit = shared.options.max_connections, %remote, "too many connections, new ones are closed");
            }
            full = true;
            continue;
        };
        full = false;
        let shared_too = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            tokio::select! {
                () = shared_too.stop.cancelled() => {}
                () = connection(stream, &shared_too) => {}
            }
            drop(permit);
        });
    }
}

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Grpc,
    Mucp,
    Tls,
    Undecided,
}

fn speech(first: &[u8]) -> Speech {
    const HTTP2: &[u8] = b"PRI ";
    match first {
        [] => Speech::Undecided,
        [0x16, ..] => Speech::Tls,
        _ if first.starts_with(HTTP2) => Speech::Grpc,
        _ if HTTP2.starts_with(first) => Speech::Undecided,
        _ => Speech::Mucp,
    }
}

async fn connection(mut stream: TcpStream, shared: &Arc<Shared>) {
    let Ok(peer) = tune(&stream) else { return };
    let mut prefix = BytesMut::with_capacity(4096);
    let sniffed = tokio::select! {
        () = shared.drain.cancelled() => return,
        sniffed = tokio::time::timeout(shared.options.patience, sniff(&mut stream, &mut prefix)) => sniffed,
    };
    let io = Prefixed { prefix: prefix.freeze(), io: stream };
    match sniffed {
        Ok(Ok(Speech::Grpc)) => grpc::serve(io, shared).await,
        Ok(Ok(Speech::Mucp)) => mucp::serve(io, Arc::clone(shared), peer).await,
        Ok(Ok(Speech::Tls)) => {
            tracing::warn!(remote = peer.remote, "TLS came in, this port speaks plain mucp and gRPC");
        }
        Ok(Ok(Speech::Undecided)) => tracing::debug!(remote = peer.remote, "closed before it said anything"),
        Ok(Err(error)) => tracing::debug!(remote = peer.remote, %error, "broken before it said anything"),
        Err(_) => tracing::debug!(remote = peer.remote, "silent for too long"),
    }
}

fn tune(stream: &TcpStream) -> io::Result<Peer> {
    stream.set_nodelay(true)?;
    keep_alive(stream)?;
    Ok(Peer { local: stream.local_addr()?.to_string(), remote: stream.peer_addr()?.to_string() })
}

/// Reads until the protocol is decided; `Undecided` at an early end.
async fn sniff(stream: &mut (impl AsyncRead + Unpin), prefix: &mut BytesMut) -> io::Result<Speech> {
    loop {
        if stream.read_buf(prefix).await? == 0 {
            return Ok(Speech::Undecided);
        }
        match speech(prefix) {
            Speech::Undecided => {}
            decided => return Ok(decided),
        }
    }
}

/// A connection of which some bytes were read already; they are read again first.
#[derive(Debug)]
pub(crate) struct Prefixed<S> {
    prefix: Bytes,
    io: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(Pin::new(&mut self.io).poll_shutdown(cx)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        for (first, speech_of) in [
            (&b""[..], Speech::Undecided),
            (b"P", Speech::Undecided),
            (b"PRI", Speech::Undecided),
            (b"PRI ", Speech::Grpc),
            (b"PRI * HTTP/2.0\r\n", Speech::Grpc),
            (b"PO", Speech::Mucp),
            (b"POST / HTTP/1.1\r\n", Speech::Mucp),
            (b"G", Speech::Mucp),
            (b"\x16\x03\x01", Speech::Tls),
            (b"\0", Speech::Mucp),
        ] {
            assert_eq!(speech(first), speech_of, "{first:?}");
        }
    }

    #[tokio::test]
    async fn what_was_sniffed_is_read_again() {
        let mut wire: &[u8] = b"POST / HTTP/1.1\r\n";
        let mut prefix = BytesMut::with_capacity(3);
        assert_eq!(sniff(&mut wire, &mut prefix).await.unwrap(), Speech::Mucp);
        let mut whole = String::new();
        Prefixed { prefix: prefix.freeze(), io: wire }.read_to_string(&mut whole).await.unwrap();
        assert_eq!(whole, "POST / HTTP/1.1\r\n");
    }
}
