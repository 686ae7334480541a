//! gRPC as go-micro writes it, without I/O: what client and server share (WIRE §4).

pub(crate) mod content;
pub(crate) mod failure;
pub(crate) mod frame;
pub(crate) mod path;
pub(crate) mod status;
pub(crate) mod timeout;

/// The most bytes of a header block that we take from a peer.
pub(crate) const MAX_HEADER: u32 = 64 << 10;
