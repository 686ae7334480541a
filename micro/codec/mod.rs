//! How a message's envelope is written. Pure: bytes in, bytes out.
//!
//! A codec knows the body alone. What stands in headers (`Micro-*`), the protocols read and write.

pub(crate) mod base64;
pub mod bytes;
pub mod grpc;
pub mod json;
pub mod jsonrpc;
pub mod proto;
pub mod protojson;
pub mod protorpc;

use crate::error::Result;
use ::bytes::Bytes;
use std::borrow::Cow;

/// What a message is: JSON-RPC and proto-rpc differ by direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call, or a client's message in a stream.
    Request,
    /// An answer, or a server's message in a stream; its end is one whose error is [`EOS`].
    Response,
    /// A publication: the bare payload.
    Event,
}

/// The error text that ends a stream (WIRE §2.7).
pub const EOS: &str = "EOS";

/// What stands around a payload. The plain codecs carry none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The raw JSON token, echoed as it came: a number or a text in quotes (WIRE §2.5); proto-rpc knows decimal
    /// numbers only. Empty: none.
    pub id: Cow<'a, str>,
    /// `Struct.Method`.
    pub endpoint: Cow<'a, str>,
    /// The error's text; `None` for an answer.
    pub error: Option<Cow<'a, str>>,
}

/// One content type of mucp.
pub trait Codec: Send + Sync + 'static {
    /// Its content type.
    fn content_type(&self) -> &'static str;

    /// The content type of the payload inside: `application/json` or `application/protobuf`.
    fn payload(&self) -> &'static str;

    /// Appends a body in its envelope to `out`; nothing is appended on an error.
    ///
    /// # Errors
    /// `Malformed`: the body is not of this codec (JSON expected).
    fn encode(&self, kind: Kind, envelope: &Envelope<'_>, body: &[u8], out: &mut Vec<u8>) -> Result<()>;

    /// Takes the envelope off; the payload is a part of `body`, not a copy.
    ///
    /// # Errors
    /// `Malformed`: it is no such envelope.
    fn decode<'a>(&self, kind: Kind, body: &'a Bytes) -> Result<(Envelope<'a>, Bytes)>;
}
