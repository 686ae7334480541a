//! What an h2 error means for the request that met it.

use crate::error::{Error, ErrorKind};
use h2::Reason;

/// The error of a request that was sent, or of a stream that runs.
///
/// `Refused` where the peer says that it did nothing: `REFUSED_STREAM`, or a GOAWAY below our stream (h2 gives the
/// peer's GOAWAY to those streams alone). `Malformed` where the peer broke the protocol, else `Unsure`.
pub(crate) fn of(error: h2::Error) -> Error {
    let reason = error.reason().unwrap_or(Reason::NO_ERROR);
    let (kind, context) = if error.is_go_away() && error.is_remote() {
        (ErrorKind::Refused, format!("the peer takes no more calls on this connection ({reason})"))
    } else if error.is_remote() && reason == Reason::REFUSED_STREAM {
        (ErrorKind::Refused, "the peer refused the call".to_owned())
    } else if error.is_remote() {
        (ErrorKind::Unsure, format!("the peer reset the stream ({reason})"))
    } else if error.is_io() {
        (ErrorKind::Unsure, "the connection was lost".to_owned())
    } else if error.is_library() {
        (ErrorKind::Malformed, format!("what came is no HTTP/2 ({reason})"))
    } else {
        (ErrorKind::Unsure, format!("the stream is closed ({reason})"))
    };
    Error::new(kind, context).because(error)
}
