//! One HTTP/2 connection, shared by many calls.

use super::tap::{Seen, Tap};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::frame::Frame;
use crate::grpc::{MAX_HEADER, failure};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use http::uri::Authority;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How much a node may send ahead of the reader of a stream.
const STREAM_WINDOW: u32 = 256 << 10;
/// How much on a whole connection: enough for 256 streams, so that those that nobody reads do not stop the others.
const CONNECTION_WINDOW: u32 = 256 * STREAM_WINDOW;

/// What drives a connection; it ends with it.
pub(super) type Driver = h2::client::Connection<Tap, Frame>;

/// A connection to a node.
pub(super) struct Connection {
    send: SendRequest<Frame>,
    authority: Authority,
    life: Arc<Life>,
}

/// What the connection's users and its driver both know.
pub(super) struct Life {
    seen: Arc<Seen>,
    born: Instant,
    active: AtomicUsize,
    /// When the last call ended, in milliseconds since `born`.
    used: AtomicU64,
    retired: AtomicBool,
}

impl Life {
    /// Whether no call may begin on it.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Lets no further call begin; those that run go on.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    fn idle(&self) -> Option<Duration> {
        if self.active.load(Ordering::Acquire) > 0 {
            return None;
        }
        Some(self.born.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Acquire))))
    }
}

impl Connection {
    /// Greets the peer; what it answers is seen by the first call.
    pub(super) async fn open(stream: TcpStream, address: &str) -> Result<(Self, Driver)> {
        let seen = Arc::new(Seen::default());
        let (send, driver) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER)
            .enable_push(false)
            .handshake(Tap::new(stream, seen.clone()))
            .await
            .map_err(|error| failure::of(error).at(address))?;
        let authority = address.parse().unwrap_or(Authority::from_static("localhost"));
        let life = Life {
            seen,
            born: Instant::now(),
            active: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            retired: AtomicBool::new(false),
        };
        Ok((Self { send, authority, life: Arc::new(life) }, driver))
    }

    pub(super) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// Calls that run.
    pub(super) fn active(&self) -> usize {
        self.life.active.load(Ordering::Acquire)
    }

    /// Whether the peer takes one more call now.
    pub(super) fn has_room(&self) -> bool {
        self.active() < self.send.current_max_send_streams()
    }
}

/// The right to one call on a connection.
pub(super) struct Lease {
    connection: Arc<Connection>,
    read: u64,
    written: u64,
}

/// A call that was begun: what will come, and what carries our messages.
pub(super) type Begun = (ResponseFuture, SendStream<Frame>);

impl Lease {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        connection.life.active.fetch_add(1, Ordering::AcqRel);
        let seen = &connection.life.seen;
        let (read, written) = (seen.read(), seen.written());
        Self { connection, read, written }
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.connection.authority
    }

    /// Sends the head of a call.
    ///
    /// # Errors
    /// `Refused`: the connection takes no more, nothing was sent. `Malformed`: it showed that it speaks no HTTP/2.
    pub(super) fn begin(&self, head: Request<()>) -> Result<Begun> {
        self.connection.send.clone().send_request(head, false).map_err(|error| {
            self.retire();
            match self.failed(error) {
                unsure if unsure.kind() == ErrorKind::Unsure => {
                    Error::new(ErrorKind::Refused, "the connection takes no more calls").because(unsure)
                }
                error => error,
            }
        })
    }

    /// Lets no further call begin on the connection.
    pub(super) fn retire(&self) {
        self.connection.life.retire();
    }

    /// The time was up. A peer from which nothing at all came meanwhile may be gone: the next call dials anew.
    pub(super) fn timed_out(&self) {
        if self.connection.life.seen.read() == self.read {
            self.retire();
        }
    }

    /// What an error of HTTP/2 means for this call.
    pub(super) fn failed(&self, error: h2::Error) -> Error {
        let seen = &self.connection.life.seen;
        if seen.is_http1() {
            self.retire();
            return Error::new(ErrorKind::Malformed, "the node answers in HTTP/1, it does not speak gRPC")
                .because(error);
        }
        let lost = error.is_io();
        if lost && seen.read() == 0 {
            let context = "the node closed the connection without a greeting; does it speak gRPC?";
            return Error::new(ErrorKind::Refused, context).because(error);
        }
        if lost && seen.written() == self.written {
            return Error::new(ErrorKind::Refused, "the connection was lost before the call was sent").because(error);
        }
        failure::of(error)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let life = &self.connection.life;
        life.used.store(u64::try_from(life.born.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        life.active.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs a connection until it ends. One that nobody used for `ttl` is retired: h2 ends it when the last user lets go.
/// One that then does not end within `ttl` is dropped.
pub(super) async fn drive(driver: Driver, life: Arc<Life>, ttl: Duration, retired: impl Fn(&Arc<Life>)) {
    let (mut driver, mut idle) = (pin!(driver), pin!(sleep(ttl)));
    loop {
        tokio::select! {
            biased;
            result = &mut driver => {
                if let Err(error) = result {
                    tracing::debug!(%error, "gRPC connection ended");
                }
                break;
            }
            () = &mut idle => {
                let rest = life.idle().map_or(ttl, |unused| ttl.saturating_sub(unused));
                if rest.is_zero() {
                    if life.is_retired() {
                        break;
                    }
                    retired(&life);
                }
                let rest = if rest.is_zero() { ttl } else { rest };
                idle.as_mut().reset(tokio::time::Instant::now() + rest);
            }
        }
    }
    retired(&life);
}
