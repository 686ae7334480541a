//! The connection of a mucp client: whole messages in, bytes out, everything bounded in time and size.

use crate::error::{Error, ErrorKind};
use crate::server::port::Shared;
use crate::transport::http::{Fault, Message, Reader, Side};
use bytes::BytesMut;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// How long a connection may lie idle between two requests. Go clients keep theirs for 60 s (WIRE §7).
pub(super) const IDLE: Duration = Duration::from_secs(90);
/// How long a body may take as a whole; between two of its pieces it has the patience of a header.
const BODY: Duration = Duration::from_secs(120);
/// How long a message may take to be written to a client that does not read.
const WRITE: Duration = Duration::from_secs(60);
/// How long, and how much, a closing connection goes on reading, so that the last reply is not lost in a reset.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 64 << 20);
/// The most that is reserved ahead of the bytes that have come: a client's word for a length costs nothing.
const AHEAD: usize = 64 << 10;
/// The least room for a read.
const ROOM: usize = 4 << 10;

/// Why nothing more comes.
pub(super) enum End {
    /// The client closed, or the connection was idle for long enough, or the server takes no more.
    Clean,
    /// The client sent only half a message in the time it had.
    Slow,
    /// It sent what is no message.
    Fault(Fault),
}

impl End {
    /// What a stream's handler is told; nothing for a clean end.
    pub(super) fn into_error(self) -> Option<Error> {
        match self {
            Self::Clean => None,
            Self::Slow => Some(Error::new(ErrorKind::Timeout, "the client sent half a message and stopped")),
            Self::Fault(fault) => Some(fault.into()),
        }
    }
}

/// The reading side: what came and was not used yet.
pub(super) struct Input {
    buffer: BytesMut,
    reader: Reader,
    patience: Duration,
    /// The client will send no more.
    ended: bool,
}

impl Input {
    pub(super) fn new(shared: &Shared) -> Self {
        let reader = Reader::new(Side::Request, shared.options.max_message);
        Self { buffer: BytesMut::new(), reader, patience: shared.options.patience, ended: false }
    }

    /// The next message; `idle` limits the time until its first byte (without: for ever).
    ///
    /// # Cancel safety
    /// Safe: what came is kept. The time for a message begins anew.
    pub(super) async fn message(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        idle: Option<Duration>,
    ) -> Result<Message, End> {
        let asked = Instant::now();
        let mut begun = None;
        loop {
            if let Some(message) = self.reader.next(&mut self.buffer, self.ended).map_err(End::Fault)? {
                return Ok(message);
            }
            if self.ended {
                return Err(End::Clean);
            }
            let silent = self.is_silent();
            let limit = match (silent, self.reader.is_between()) {
                (true, _) => idle.map(|idle| asked + idle),
                (false, true) => Some(*begun.get_or_insert_with(Instant::now) + self.patience),
                (false, false) => {
                    let whole = *begun.get_or_insert_with(Instant::now) + BODY;
                    Some(whole.min(Instant::now() + self.patience))
                }
            };
            let read = self.more(io);
            let read = match limit {
                Some(limit) => tokio::time::timeout_at(limit, read).await,
                None => Ok(read.await),
            };
            match read {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(End::Clean),
                Err(_) if silent => return Err(End::Clean),
                Err(_) => return Err(End::Slow),
            }
        }
    }

    /// Reads whatever comes while a handler runs; ends when the client is gone, or has sent so much that reading waits.
    pub(super) async fn watch(&mut self, io: &mut (impl AsyncRead + Unpin)) {
        while !self.ended {
            if self.buffer.len() >= AHEAD {
                std::future::pending::<()>().await;
            }
            if self.more(io).await.is_err() {
                self.ended = true;
            }
        }
    }

    /// Whether nothing of a next message has come.
    pub(super) fn is_silent(&self) -> bool {
        self.buffer.is_empty() && self.reader.is_between()
    }

    async fn more(&mut self, io: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        self.buffer.reserve(self.reader.wants(&self.buffer).clamp(ROOM, AHEAD));
        self.ended = io.read_buf(&mut self.buffer).await? == 0;
        Ok(())
    }
}

/// Writes one message whole.
pub(super) async fn write(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let write = async {
        io.write_all(bytes).await?;
        io.flush().await
    };
    tokio::time::timeout(WRITE, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Closes a connection whose client may still be sending: says so, and reads on for a moment.
pub(super) async fn close(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let (limit, most) = LINGER;
    let farewell = async {
        io.shutdown().await?;
        let mut left = most;
        let mut scratch = BytesMut::with_capacity(ROOM);
        while left > 0 {
            scratch.clear();
            match io.read_buf(&mut scratch).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // Whether the client still hears it or not, the connection closes now.
    let _ = tokio::time::timeout(limit, farewell).await;
}
