//! Why no message can be read.

use crate::error::{Error, ErrorKind};
use crate::transport::http::{MAX_HEAD, MAX_LINES};
use bytes::Bytes;
use std::fmt;

/// Why no message can be read. The connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A response was expected, but this is no HTTP/1: its first bytes.
    NotHttp(Bytes),
    /// It is HTTP, but ill-formed.
    Malformed(String),
    /// The head is longer than [`MAX_HEAD`] or has more than [`MAX_LINES`] lines.
    HeadTooLarge,
    /// The body is larger than allowed.
    TooLarge {
        /// What it says of itself, in bytes; `None` for chunks and bodies without a length.
        size: Option<u64>,
        /// What is allowed, in bytes.
        max: usize,
    },
    /// The connection ended in the middle of a message.
    Cut,
}

impl Fault {
    pub(crate) fn malformed(what: impl fmt::Display) -> Self {
        Self::Malformed(what.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp(bytes) => write!(f, "this is no HTTP/1: it begins with \"{}\"", bytes.escape_ascii()),
            Self::Malformed(what) => write!(f, "ill-formed HTTP: {what}"),
            Self::HeadTooLarge => {
                write!(f, "the header block is larger than {} KiB or {MAX_LINES} lines", MAX_HEAD >> 10)
            }
            Self::TooLarge { size: Some(size), max } => {
                write!(f, "a message of {size} bytes is larger than max_message = {max}")
            }
            Self::TooLarge { size: None, max } => write!(f, "the message is larger than max_message = {max} bytes"),
            Self::Cut => f.write_str("the connection closed in the middle of a message"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::NotHttp(_) | Fault::Malformed(_) => ErrorKind::Malformed,
            Fault::HeadTooLarge | Fault::TooLarge { .. } => ErrorKind::TooLarge,
            Fault::Cut => ErrorKind::Unsure,
        };
        Self::new(kind, fault.to_string()).because(fault)
    }
}
