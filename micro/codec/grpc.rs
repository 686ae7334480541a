//! gRPC's message frame inside an HTTP/1.1 body: `application/grpc`, `+json`, `+proto` of v0.20.0 and later (WIRE §3).

use crate::client::request::{JSON, PROTOBUF};
use crate::codec::{Codec, Envelope, Kind};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;

/// The codec of one of the three types.
#[derive(Clone, Copy, Debug)]
pub struct Framed {
    content_type: &'static str,
    payload: &'static str,
}

/// `application/grpc`: protobuf.
pub const BARE: Framed = Framed { content_type: "application/grpc", payload: PROTOBUF };
/// `application/grpc+proto`.
pub const PROTO: Framed = Framed { content_type: "application/grpc+proto", payload: PROTOBUF };
/// `application/grpc+json`.
pub const WITH_JSON: Framed = Framed { content_type: "application/grpc+json", payload: JSON };

/// One byte "compressed", four bytes length.
const HEAD: usize = 5;

impl Codec for Framed {
    fn content_type(&self) -> &'static str {
        self.content_type
    }

    fn payload(&self) -> &'static str {
        self.payload
    }

    fn encode(&self, _kind: Kind, _envelope: &Envelope<'_>, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let size = u32::try_from(body.len())
            .map_err(|_| Error::new(ErrorKind::TooLarge, "a gRPC frame carries at most 4 GiB"))?;
        out.reserve(HEAD + body.len());
        out.push(0);
        out.extend_from_slice(&size.to_be_bytes());
        out.extend_from_slice(body);
        Ok(())
    }

    fn decode<'a>(&self, _kind: Kind, body: &'a Bytes) -> Result<(Envelope<'a>, Bytes)> {
        if body.is_empty() {
            return Ok((Envelope::default(), Bytes::new()));
        }
        match body.split_first_chunk::<HEAD>() {
            Some(([0, a, b, c, d], rest)) if rest.len() == u32::from_be_bytes([*a, *b, *c, *d]) as usize => {
                Ok((Envelope::default(), body.slice(HEAD..)))
            }
            Some(([compressed, ..], _)) if *compressed != 0 => {
                Err(Error::new(ErrorKind::Malformed, "the gRPC frame is compressed"))
            }
            _ => Err(Error::new(ErrorKind::Malformed, "the body is not one gRPC frame")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_put_on_and_taken_off() {
        let mut out = Vec::new();
        PROTO.encode(Kind::Request, &Envelope::default(), b"\x0a\x04John", &mut out).unwrap();
        assert_eq!(out, b"\0\0\0\0\x06\x0a\x04John");
        assert_eq!(PROTO.decode(Kind::Request, &out.into()).unwrap().1, b"\x0a\x04John"[..]);
        assert_eq!(PROTO.decode(Kind::Request, &Bytes::new()).unwrap().1, b""[..]);
    }

    #[test]
    fn every_other_body_is_malformed() {
        for body in [&b"\0"[..], b"\0\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\x01ab", b"\x01\0\0\0\x01a", b"{\"a\":1}"] {
            let error = BARE.decode(Kind::Request, &Bytes::from_static(body)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{body:?}");
        }
    }
}
