//! A stream: it owns its connection, and its messages are no request/response pairs (WIRE §2.7).

use crate::client::protocol::mucp::answer;
use crate::client::protocol::mucp::head::Head;
use crate::client::protocol::mucp::wire::{Broken, Output, Size, Wire, receive};
use crate::client::request::Request;
use crate::codec::{Codec, EOS, Envelope, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::{MARKER, Node};
use crate::transport::http::{Reader, write_request};
use crate::transport::keepalive::keep_alive;
use crate::transport::{Packet, RecvHalf, SendHalf, Socket};
use async_trait::async_trait;
use bytes::BytesMut;
use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The id of the only stream of a connection: of `Micro-Stream`, of each message's `Micro-Id` and of its envelope.
const ID: u64 = 0;

/// Opens a stream on a fresh connection: a message whose body Go servers throw away, then the body as the first
/// message if there is one.
///
/// # Errors
/// The connection broke; the body is not of the codec.
pub(super) async fn open(
    wire: Wire,
    node: &Arc<Node>,
    request: &Request,
    from: &str,
    codec: &'static dyn Codec,
) -> Result<Socket> {
    let (stream, reader, input) = wire.into_parts();
    // A stream may be silent for ever, so only TCP can tell that the node is gone. If it cannot, the first write tells.
    let _ = keep_alive(&stream);
    let (read, write) = stream.into_split();
    let finished = Arc::new(AtomicBool::new(false));
    let mut sender = Sender {
        write,
        node: Arc::clone(node),
        request: request.clone(),
        from: from.to_owned(),
        codec,
        output: Output::default(),
        written: 0,
        finished: Arc::clone(&finished),
    };
    sender.put(&request.body, None)?;
    if !request.body.is_empty() {
        sender.put(&request.body, None)?;
    }
    sender.flush().await?;
    Ok((
        Box::new(sender),
        Box::new(Receiver { read, reader, input, node: Arc::clone(node), codec, finished, over: false }),
    ))
}

/// Whether the node is of v1.6.0 or before: such a server knows no end by the client but the connection's, and from
/// v0.25.0 to v1.2.0 announces its own no other way either.
fn is_old(node: &Node) -> bool {
    node.metadata.get("server").is_some_and(|server| server == "rpc")
}

struct Sender {
    write: OwnedWriteHalf,
    node: Arc<Node>,
    request: Request,
    from: String,
    codec: &'static dyn Codec,
    output: Output,
    /// How much of the output the connection has.
    written: usize,
    finished: Arc<AtomicBool>,
}

impl Sender {
    /// Puts one message together behind those that wait.
    fn put(&mut self, body: &[u8], error: Option<&str>) -> Result<()> {
        let Output { lines, body: enveloped, message } = &mut self.output;
        lines.clear();
        enveloped.clear();
        let content_type = self.codec.content_type();
        let head = Head {
            request: &self.request,
            from: &self.from,
            content_type,
            id: ID,
            timeout: None,
            stream: Some(ID),
            error,
            close: false,
        };
        head.write(lines);
        // The end of a stream has an empty body, as Go writes it from v2.9.1 on (WIRE §18 S5).
        if error.is_none() {
            let envelope =
                Envelope { id: "\"0\"".into(), endpoint: self.request.endpoint.as_str().into(), error: None };
            self.codec.encode(Kind::Request, &envelope, body, enveloped)?;
        }
        write_request(message, &self.node.address, lines, enveloped);
        Ok(())
    }

    /// Writes what waits. What a dropped future has begun, the next one ends: half a message would garble the stream.
    async fn flush(&mut self) -> Result<()> {
        while let Some(rest) = self.output.message.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.write.write(rest).await {
                Ok(written @ 1..) => self.written += written,
                Ok(_) => return Err(self.broke(io::ErrorKind::WriteZero.into())),
                Err(error) => return Err(self.broke(error)),
            }
        }
        self.written = 0;
        self.output.clear();
        Ok(())
    }

    fn broke(&self, error: io::Error) -> Error {
        let text = format!("{}: the stream's connection broke; what was sent may have arrived", self.node.address);
        Error::new(ErrorKind::Unsure, text).because(error)
    }
}

#[async_trait]
impl SendHalf for Sender {
    async fn send(&mut self, packet: Packet) -> Result<()> {
        if self.finished.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Invalid, "this side of the stream is finished"));
        }
        self.flush().await?;
        self.put(&packet.body, None)?;
        self.flush().await
    }

    async fn finish(&mut self) -> Result<()> {
        self.flush().await?;
        if self.finished.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        if is_old(&self.node) {
            // Half closed: what the server still says is read.
            let _ = self.write.shutdown().await;
            return Ok(());
        }
        self.put(b"", Some(EOS))?;
        self.flush().await
    }
}

struct Receiver {
    read: OwnedReadHalf,
    reader: Reader,
    input: BytesMut,
    node: Arc<Node>,
    codec: &'static dyn Codec,
    /// We have said that no more will be sent.
    finished: Arc<AtomicBool>,
    over: bool,
}

#[async_trait]
impl RecvHalf for Receiver {
    async fn recv(&mut self) -> Result<Option<Packet>> {
        if self.over {
            return Ok(None);
        }
        let message = match receive(&mut self.read, &mut self.reader, &mut self.input, &mut Size::default()).await {
            Ok(Some(message)) => message,
            broken => {
                self.over = true;
                return self.closed(broken.err());
            }
        };
        match answer::read(&message, self.codec) {
            Ok(Some(answer)) => Ok(Some(Packet { header: answer.header, body: answer.body })),
            Ok(None) => {
                self.over = true;
                Ok(None)
            }
            Err(error) if self.is_overwritten(&error) => Err(overwritten(&self.node, error)),
            Err(error) => {
                self.over = true;
                Err(if error.kind() == ErrorKind::Service { error } else { error.at(&self.node.address) })
            }
        }
    }
}

impl Receiver {
    /// What it means that the connection is gone.
    fn closed(&self, broken: Option<Broken>) -> Result<Option<Packet>> {
        match broken {
            None if is_old(&self.node) || self.finished.load(Ordering::Relaxed) => Ok(None),
            None | Some(Broken::Silent) => {
                let text = format!("{}: the stream broke off: closed without its end", self.node.address);
                Err(Error::new(ErrorKind::Unsure, text))
            }
            Some(broken) => Err(Error::from(broken).at(&self.node.address)),
        }
    }

    /// An ill-formed envelope from a node that may be v2.6.0–v6.10.0 (WIRE §2.7, §18 S7).
    fn is_overwritten(&self, error: &Error) -> bool {
        let foreign = error.source().is_some_and(<dyn std::error::Error>::is::<answer::NotMicro>);
        let ours = self.node.metadata.get(MARKER.0).is_some_and(|value| value == MARKER.1);
        error.kind() == ErrorKind::Malformed && !foreign && !ours && !is_old(&self.node)
    }
}

fn overwritten(node: &Node, error: Error) -> Error {
    let text = format!(
        "{}: a message of the stream is lost: go-micro v2.6.0–v6.10.0 overwrites a message when the next is sent quickly",
        node.address
    );
    Error::new(ErrorKind::Defect, text).because(error)
}
