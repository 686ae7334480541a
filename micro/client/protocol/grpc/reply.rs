//! Reads what a node answers: head, messages, status.

use crate::error::{Error, ErrorKind, Result};
use crate::grpc::frame::Reader;
use crate::grpc::{content, status};
use crate::header::Header;
use bytes::Bytes;
use h2::RecvStream;
use http::response::Parts;
use http::{HeaderMap, StatusCode, header};

/// What stopped the reading: HTTP/2, whose meaning the connection knows, or the answer itself.
pub(super) enum Fault {
    Http(h2::Error),
    Answer(Error),
}

/// What reading brings.
pub(super) type Read<T> = std::result::Result<T, Fault>;

impl From<h2::Error> for Fault {
    fn from(error: h2::Error) -> Self {
        Self::Http(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}

/// Checks the head of an answer.
///
/// # Errors
/// It is no gRPC, or the status of a call that ended with its head.
pub(super) fn head(parts: &Parts, ended: bool) -> Result<()> {
    if parts.status != StatusCode::OK {
        return Err(no_grpc(parts.status));
    }
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content::is_grpc(content_type) {
        let context = format!("the answer is {content_type:?}, no gRPC");
        return Err(Error::new(ErrorKind::Malformed, context));
    }
    if ended { end(Some(&parts.headers)) } else { Ok(()) }
}

/// What the end of an answer says.
///
/// # Errors
/// The service's error; `Unsure`: the answer broke off without a status.
pub(super) fn end(headers: Option<&HeaderMap>) -> Result<()> {
    headers
        .and_then(status::read)
        .unwrap_or_else(|| Err(Error::new(ErrorKind::Unsure, "the answer broke off: it has no gRPC status")))
}

/// The next message of a body; `None` at its end.
pub(super) async fn message(body: &mut RecvStream, reader: &mut Reader) -> Read<Option<Bytes>> {
    loop {
        if let Some(message) = reader.next()? {
            return Ok(Some(message));
        }
        let Some(piece) = body.data().await else { break };
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        reader.push(piece);
    }
    if reader.is_empty() {
        return Ok(None);
    }
    Err(Error::new(ErrorKind::Unsure, "the answer broke off within a message").into())
}

/// The one message of a unary answer.
pub(super) async fn unary(parts: &Parts, mut body: RecvStream, max: usize) -> Read<Bytes> {
    let ended = body.is_end_stream();
    head(parts, ended)?;
    let mut reader = Reader::new(max);
    let first = message(&mut body, &mut reader).await?;
    if first.is_some() && message(&mut body, &mut reader).await?.is_some() {
        return Err(Error::new(ErrorKind::Malformed, "the answer has more than one message").into());
    }
    if !ended {
        end(body.trailers().await?.as_ref())?;
    }
    first.ok_or_else(|| Error::new(ErrorKind::Malformed, "the answer has a good status and no message").into())
}

/// The headers of an answer as callers see them.
pub(super) fn header(headers: &HeaderMap) -> Header {
    Header::from_pairs(headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))))
}

fn no_grpc(status: StatusCode) -> Error {
    let (kind, what) = match status.as_u16() {
        401 | 403 => (ErrorKind::Auth, "access was refused"),
        429 | 502..=504 => (ErrorKind::Unsure, "a gateway in between did not reach the node"),
        _ => (ErrorKind::Malformed, "the node does not speak gRPC"),
    };
    Error::new(kind, format!("{what} (HTTP status {})", status.as_u16()))
}
