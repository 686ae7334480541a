//! What is asked, and what comes back.

use crate::header::Header;
use crate::registry::service::{Metadata, Node};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// The content type of JSON payloads.
pub const JSON: &str = "application/json";
/// The content type of protobuf payloads.
pub const PROTOBUF: &str = "application/protobuf";

/// A call, or the opening of a stream.
#[derive(Clone, Debug)]
pub struct Request {
    /// The service's full name.
    pub service: String,
    /// `Struct.Method`.
    pub endpoint: String,
    /// The payload, without any envelope.
    pub body: Bytes,
    /// What the payload is: [`JSON`] or [`PROTOBUF`]. Which envelope or gRPC form carries it, the dialect decides.
    pub content_type: String,
    /// Sent along as headers.
    pub metadata: Vec<(String, String)>,
    /// One limit over all tries; `None` takes the client's.
    pub within: Option<Duration>,
    /// It may run twice (`Debug.*`, `Command.Help`): repeated on any network failure.
    pub idempotent: bool,
    /// Which nodes may get it.
    pub filter: Filter,
}

/// Which nodes may get a call. An empty part lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this version.
    pub version: Option<String>,
    /// Only the node of this id, or at this address.
    pub node: Option<String>,
    /// Only nodes whose metadata has all of these.
    pub labels: Metadata,
}

impl Request {
    /// A JSON call.
    pub fn json(service: impl Into<String>, endpoint: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            service: service.into(),
            endpoint: endpoint.into(),
            body: body.into(),
            content_type: JSON.to_owned(),
            metadata: Vec::new(),
            within: None,
            idempotent: false,
            filter: Filter::default(),
        }
    }

    /// A protobuf call.
    pub fn protobuf(service: impl Into<String>, endpoint: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { content_type: PROTOBUF.to_owned(), ..Self::json(service, endpoint, body) }
    }
}

/// What one exchange brought.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The payload, without any envelope.
    pub body: Bytes,
    /// The reply's header. Go servers echo the first request's in it (WIRE §2.1).
    pub header: Header,
}

/// What a call brought.
#[derive(Clone, Debug)]
pub struct Response {
    /// The payload.
    pub body: Bytes,
    /// The reply's header.
    pub header: Header,
    /// Who answered.
    pub node: Arc<Node>,
    /// Its version.
    pub version: String,
    /// From the call to the answer, all tries included.
    pub took: Duration,
    /// How many tries, from 1.
    pub tries: u32,
}
