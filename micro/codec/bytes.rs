//! `application/octet-stream` of v0.20.0 and later: any bytes, no envelope (WIRE §3).

use crate::client::request::PROTOBUF;
use crate::codec::{Codec, Envelope, Kind};
use crate::error::Result;
use bytes::Bytes;

/// The codec.
#[derive(Clone, Copy, Debug)]
pub struct Octets;

impl Codec for Octets {
    fn content_type(&self) -> &'static str {
        "application/octet-stream"
    }

    fn payload(&self) -> &'static str {
        PROTOBUF
    }

    fn encode(&self, _kind: Kind, _envelope: &Envelope<'_>, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(body);
        Ok(())
    }

    fn decode<'a>(&self, _kind: Kind, body: &'a Bytes) -> Result<(Envelope<'a>, Bytes)> {
        Ok((Envelope::default(), body.clone()))
    }
}
