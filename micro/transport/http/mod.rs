//! HTTP/1.1 as mucp frames it, for both sides: a message is a start line, a header block and a body (WIRE §2.1). Pure:
//! bytes in, messages out.
//!
//! Messages of a stream are no request/response pairs, which is why no HTTP library does this. The header block is kept
//! as it came; only what frames the body is read here.

mod chunked;
mod fault;
mod framing;
mod read;
mod write;

pub(crate) use fault::Fault;
pub(crate) use read::{Message, Reader, Side};
pub(crate) use write::{decimal, write_request, write_response};

/// The longest start line and header block, in bytes.
pub(crate) const MAX_HEAD: usize = 64 << 10;

/// The most header lines.
pub(crate) const MAX_LINES: usize = 256;
