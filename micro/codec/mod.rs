//! How a message's envelope is written. Pure: packets in, packets out.

use crate::error::Result;
use crate::transport::Packet;
use bytes::Bytes;

/// What a message is: JSON-RPC and proto-rpc differ by direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call, or a client's message in a stream.
    Request,
    /// An answer, or a server's message in a stream.
    Response,
    /// A publication: the bare payload.
    Event,
    /// The end of a stream.
    Eos,
}

/// What stands around a payload.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The raw JSON token, echoed as it came: a number or a text in quotes (WIRE §2.5).
    pub id: Bytes,
    /// `Micro-Stream`.
    pub stream: Option<String>,
    /// The service.
    pub target: String,
    /// `Struct.Method`.
    pub endpoint: String,
    /// The error's text.
    pub error: Option<String>,
    /// The caller's metadata.
    pub metadata: Vec<(String, String)>,
}

/// One content type of mucp.
pub trait Codec: Send + Sync + 'static {
    /// Its content type.
    fn content_type(&self) -> &'static str;

    /// Writes an envelope around a body.
    ///
    /// # Errors
    /// `Malformed`: the body is not of this codec (JSON expected).
    fn encode(&self, kind: Kind, envelope: &Envelope, body: Bytes) -> Result<Packet>;

    /// Takes the envelope off.
    ///
    /// # Errors
    /// `Malformed`: it is no such envelope.
    fn decode(&self, kind: Kind, packet: Packet) -> Result<(Envelope, Bytes)>;
}
