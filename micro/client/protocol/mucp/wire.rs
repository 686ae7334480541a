//! One connection: writes a request, reads a reply.

use crate::client::protocol::mucp::lowat;
use crate::error::{Error, ErrorKind};
use crate::transport::http::{Fault, Message, Reader, Side};
use bytes::BytesMut;
use socket2::SockRef;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection and its buffers, which calls on it share.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    reader: Reader,
    input: BytesMut,
    pub(super) output: Output,
    /// How many requests were written: the next `Micro-Id`.
    pub(super) asked: u64,
    /// What the last reply was like.
    pub(super) size: Size,
}

/// How a reply arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// All its bytes.
    pub(super) bytes: usize,
    /// In so many reads.
    pub(super) reads: u32,
}

/// Where a request is put together.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) lines: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) message: Vec<u8>,
}

/// Why there is no reply. Whether a handler can have run is the question that matters.
#[derive(Debug)]
pub(super) enum Broken {
    /// The last byte was never written: no handler can have run.
    Unsent(io::Error),
    /// The connection broke after the request.
    Sent(io::Error),
    /// The peer closed without a byte: an undecodable request to v0.16.0 and before, else a crash.
    Silent,
    /// What came is no reply.
    Fault(Fault),
}

/// How much room a read has at least, and at most at once, in bytes.
const ROOM: usize = 4 << 10;
const MOST: usize = 1 << 20;

/// The longest that a reply is left to gather.
const GATHER: Duration = Duration::from_millis(2);

/// A buffer that grew beyond this is not kept, in bytes.
const KEPT: usize = 64 << 10;

impl Wire {
    pub(super) fn new(stream: TcpStream, max_message: usize) -> Self {
        Self {
            stream,
            reader: Reader::new(Side::Response, max_message),
            input: BytesMut::with_capacity(ROOM),
            output: Output { lines: Vec::with_capacity(1024), body: Vec::with_capacity(256), message: Vec::new() },
            asked: 0,
            size: Size::default(),
        }
    }

    /// Writes what was put together and waits for the reply, of which so many bytes are expected at once.
    ///
    /// # Cancel safety
    /// The connection is of no more use afterwards.
    pub(super) async fn exchange(&mut self, expected: Option<usize>) -> Result<Message, Broken> {
        let waits = expected.is_some_and(|expected| lowat::set(&self.stream, expected));
        self.stream.write_all(&self.output.message).await.map_err(Broken::Unsent)?;
        self.asked += 1;
        if waits {
            // What comes of it, the read says.
            let _ = timeout(GATHER, self.stream.readable()).await;
            lowat::set(&self.stream, 1);
        }
        self.size = Size::default();
        let message = receive(&mut self.stream, &mut self.reader, &mut self.input, &mut self.size).await;
        self.output.shrink();
        if matches!(&message, Ok(Some(message)) if message.body.len() > KEPT) && self.input.is_empty() {
            // It is the end of the allocation that held the body, and would keep all of it.
            self.input = BytesMut::new();
        }
        match message {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(Broken::Silent),
            Err(broken) => Err(broken),
        }
    }

    /// Whether nothing has come since the last reply, not even an end: asked of the socket itself, since the runtime may
    /// not have heard of it yet.
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = SockRef::from(&self.stream).peek(&mut byte);
        self.input.is_empty() && matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether nothing but the replies was read. What has come since shows when the connection is used again.
    pub(super) fn is_drained(&self) -> bool {
        self.input.is_empty()
    }

    /// Closes after a whole reply with a reset, whether or not the server has closed (v4.10.0 and later do): it leaves
    /// no port in `TIME_WAIT` on either side, where 470 calls/s would exhaust them (DESIGN §5), and costs less than
    /// farewells.
    pub(super) fn hang_up(self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// The connection itself and what was read ahead: a stream goes on with them.
    pub(super) fn into_parts(self) -> (TcpStream, Reader, BytesMut) {
        (self.stream, self.reader, self.input)
    }
}

impl Output {
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.body.clear();
        self.message.clear();
    }

    fn shrink(&mut self) {
        if self.body.capacity() > KEPT {
            *self = Self::default();
        }
    }
}

/// The next message; `None` if the peer closed between two.
///
/// # Cancel safety
/// Safe: what was read in part stays in `reader` and `input`.
pub(super) async fn receive(
    stream: &mut (impl AsyncReadExt + Unpin),
    reader: &mut Reader,
    input: &mut BytesMut,
    size: &mut Size,
) -> Result<Option<Message>, Broken> {
    loop {
        if let Some(message) = reader.next(input, false).map_err(Broken::Fault)? {
            return Ok(Some(message));
        }
        input.reserve(reader.wants(input).clamp(ROOM, MOST));
        match stream.read_buf(input).await {
            Ok(0) => return reader.next(input, true).map_err(Broken::Fault),
            Ok(count) => {
                size.bytes += count;
                size.reads += 1;
            }
            Err(error) => return Err(Broken::Sent(error)),
        }
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Unsent(error) => {
                Self::new(ErrorKind::Unreachable, "the connection broke before the call was sent").because(error)
            }
            Broken::Sent(error) => {
                Self::new(ErrorKind::Unsure, "the connection broke before the answer; the call may have run")
                    .because(error)
            }
            Broken::Silent => {
                Self::new(ErrorKind::Unsure, "the connection was closed without an answer; the call may have run")
            }
            Broken::Fault(Fault::Cut) => {
                Self::new(ErrorKind::Unsure, "half an answer, then the connection was closed; the call may have run")
                    .because(Fault::Cut)
            }
            Broken::Fault(fault) => Self::from(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_the_memory_of_a_large_answer() {
        const SIZE: usize = 4 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut wire = Wire::new(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap(), SIZE);
        let (mut server, _) = listener.accept().await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        let reply = [head.into_bytes(), vec![b'x'; SIZE]].concat();
        let (message, written) = tokio::join!(wire.exchange(None), server.write_all(&reply));
        written.unwrap();
        assert_eq!(message.unwrap().body.len(), SIZE);
        assert!(!wire.input.try_reclaim(SIZE / 2));
    }

    #[tokio::test]
    async fn a_reply_shorter_than_expected_is_read_all_the_same() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        let mut wire = Wire::new(client, 100);
        assert_eq!(wire.exchange(Some(100_000)).await.unwrap().body, "ok");
        assert_eq!(wire.size.bytes, 40);
    }

    #[tokio::test]
    async fn an_end_is_heard_whatever_is_expected() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        drop(listener.accept().await.unwrap());
        let mut wire = Wire::new(client, 100);
        assert!(matches!(wire.exchange(Some(100_000)).await, Err(Broken::Silent)));
    }
}
