//! mucp over HTTP/1.1 by the recipe that every go-micro understands (WIRE §0, §14.5): the payload in its envelope and
//! all headers in both spellings.

mod answer;
mod head;
mod lowat;
mod pool;
mod stream;
mod wire;

use crate::client::Options;
use crate::client::protocol::{Protocol, now, unanswered};
use crate::client::request::{Answer, JSON, PROTOBUF, Request};
use crate::codec::jsonrpc::JsonRpc;
use crate::codec::protorpc::ProtoRpc;
use crate::codec::{Codec, Envelope, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::Node;
use crate::transport::Socket;
use crate::transport::dial::dial;
use crate::transport::http::{Message, write_request};
use async_trait::async_trait;
use head::{Head, is_value};
use pool::{Lease, Pool};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use wire::{Broken, Wire};

pub(crate) use answer::NotMicro;

/// The protocol, with the connections that it keeps and what it learned of nodes.
#[derive(Debug)]
pub(crate) struct Mucp {
    options: Arc<Options>,
    pool: Pool,
}

/// The longest that the question whether connections may be kept holds up the call that asks it.
const PROBE: Duration = Duration::from_secs(1);

/// A content type that no server knows.
const UNKNOWN: &str = "application/x-unknown";

impl Mucp {
    pub(crate) fn new(options: Arc<Options>) -> Self {
        let pool = Pool::new(options.pool_size, options.pool_ttl);
        Self { options, pool }
    }

    async fn exchange(&self, node: &Arc<Node>, request: &Request, until: Instant) -> Result<Answer> {
        let codec = codec(request)?;
        let (kept, keep) = match self.pool.take(node) {
            Lease::Kept(wire) => (Some(wire), true),
            Lease::Dial { keep } => (None, keep),
            Lease::Probe => (None, self.probe(node, request, until).await),
        };
        if let Some(mut wire) = kept {
            self.prepare(&mut wire, node, request, codec, until, true)?;
            match self.ask(&mut wire, node, request).await {
                // The peer closed it meanwhile and has not seen the whole request: no handler can have run.
                Err(Broken::Unsent(_)) => self.pool.drop_idle(node),
                reply => return self.conclude(node, wire, codec, reply, true),
            }
        }
        self.alone(node, request, codec, until, keep).await
    }

    /// `Debug.Health` of a node that may speak something else, on a connection of its own. It does not count as a call
    /// to the node, so that a single call costs no further question.
    pub(crate) async fn health(&self, node: &Arc<Node>, service: &str, until: Instant) -> Result<Answer> {
        let question = Request::json(service, "Debug.Health", "{}");
        within(until, self.alone(node, &question, &JsonRpc, until, false)).await.map_err(|error| located(node, error))
    }

    async fn alone(
        &self,
        node: &Node,
        request: &Request,
        codec: &dyn Codec,
        until: Instant,
        keep: bool,
    ) -> Result<Answer> {
        let mut wire = self.dial(node, until).await?;
        self.prepare(&mut wire, node, request, codec, until, keep)?;
        let reply = self.ask(&mut wire, node, request).await;
        self.conclude(node, wire, codec, reply, keep)
    }

    async fn ask(&self, wire: &mut Wire, node: &Node, request: &Request) -> std::result::Result<Message, Broken> {
        let expected = self.pool.expected(node, &request.endpoint);
        let message = wire.exchange(expected).await?;
        self.pool.arrived(node, &request.endpoint, wire.size, expected.is_some());
        Ok(message)
    }

    async fn dial(&self, node: &Node, until: Instant) -> Result<Box<Wire>> {
        let limit = now() + self.options.dial;
        let stream = dial(&node.address, until.min(limit)).await?;
        Ok(Box::new(Wire::new(stream, self.options.max_message)))
    }

    /// Puts the request together in the connection's buffers.
    fn prepare(
        &self,
        wire: &mut Wire,
        node: &Node,
        request: &Request,
        codec: &dyn Codec,
        until: Instant,
        keep: bool,
    ) -> Result<()> {
        let id = wire.asked;
        wire.output.clear();
        let head = Head {
            request,
            from: &self.options.name,
            content_type: codec.content_type(),
            id,
            timeout: Some(until.saturating_duration_since(now())),
            stream: None,
            error: None,
            close: !keep,
        };
        head.write(&mut wire.output.lines);
        let envelope =
            Envelope { id: format!("\"{id}\"").into(), endpoint: request.endpoint.as_str().into(), error: None };
        codec.encode(Kind::Request, &envelope, &request.body, &mut wire.output.body).map_err(|error| {
            let text = format!("the request of {} is no {}", request.endpoint, codec.payload());
            Error::new(ErrorKind::Invalid, text).because(error)
        })?;
        write_request(&mut wire.output.message, &node.address, &wire.output.lines, &wire.output.body);
        Ok(())
    }

    /// Reads the reply, and keeps the connection if all is well with it. After any error it is closed: what follows on
    /// it could not be believed (WIRE §2.3).
    fn conclude(
        &self,
        node: &Node,
        wire: Box<Wire>,
        codec: &dyn Codec,
        reply: std::result::Result<Message, Broken>,
        keep: bool,
    ) -> Result<Answer> {
        let message = reply?;
        let answer = answer::read(&message, codec)?
            .ok_or_else(|| Error::new(ErrorKind::Malformed, "the answer is the end of a stream that nobody opened"))?;
        if keep && !message.close && wire.is_drained() {
            self.pool.give(node, wire);
        } else {
            wire.hang_up();
        }
        Ok(answer)
    }

    /// Asks the node whether its connections may be kept, with a content type that it cannot know: before v4.10.0 the
    /// answer begins `Unsupported`, after it `unsupported` (DESIGN §5). No handler runs.
    async fn probe(&self, node: &Arc<Node>, request: &Request, until: Instant) -> bool {
        let asked = async {
            let mut wire = self.dial(node, until).await.ok()?;
            let question = Request::json(request.service.as_str(), "Debug.Health", "{}");
            self.prepare(&mut wire, node, &question, &JsonRpc, until, false).ok()?;
            wire.output.message.clear();
            let lines = String::from_utf8_lossy(&wire.output.lines).replace(JsonRpc.content_type(), UNKNOWN);
            write_request(&mut wire.output.message, &node.address, lines.as_bytes(), b"{}");
            wire.exchange(None).await.ok()
        };
        let limit = now() + PROBE.min(until.saturating_duration_since(now()) / 2);
        let Ok(Some(reply)) = timeout_at(limit.into(), asked).await else { return false };
        let old = answer::is_unsupported(&reply.body) && reply.body.starts_with(b"U");
        if old {
            self.pool.learned(node);
        }
        old
    }
}

#[async_trait]
impl Protocol for Mucp {
    async fn call(&self, node: &Arc<Node>, request: &Request, until: Instant) -> Result<Answer> {
        within(until, self.exchange(node, request, until)).await.map_err(|error| located(node, error))
    }

    async fn open(&self, node: &Arc<Node>, request: &Request, until: Instant) -> Result<Socket> {
        let codec = codec(request)?;
        let opened = async {
            let wire = self.dial(node, until).await?;
            stream::open(*wire, node, request, &self.options.name, codec).await
        };
        within(until, opened).await.map_err(|error| located(node, error))
    }
}

/// The envelope that carries the payload. Plain `application/protobuf` is never sent: v2.1.1–v3.5.x do not answer its
/// errors (WIRE §18 S1).
fn codec(request: &Request) -> Result<&'static dyn Codec> {
    if !is_value(&request.endpoint) || !is_value(&request.service) {
        let text = format!("no endpoint can be called {:?} {:?}", request.service, request.endpoint);
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    match request.content_type.as_str() {
        JSON => Ok(&JsonRpc),
        PROTOBUF => Ok(&ProtoRpc),
        other => Err(Error::new(ErrorKind::Invalid, format!("a payload is {JSON} or {PROTOBUF}, not {other}"))),
    }
}

/// What comes in time: the one timer of a call. A dial that takes all of it says so itself.
async fn within<T>(until: Instant, work: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = until.saturating_duration_since(now());
    let Ok(done) = timeout_at(until.into(), work).await else {
        return Err(unanswered(limit));
    };
    done
}

/// Says where it went wrong. What the service itself said stays as it is; a dial has said it already.
fn located(node: &Node, error: Error) -> Error {
    if error.kind() == ErrorKind::Service || error.context().starts_with(&node.address) {
        return error;
    }
    error.at(&node.address)
}
