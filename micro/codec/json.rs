//! `application/json` of v0.17.0 and later: a JSON value, no envelope (WIRE §3).

use crate::client::request::JSON;
use crate::codec::{Codec, Envelope, Kind};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use serde_json::value::RawValue;

/// The codec.
#[derive(Clone, Copy, Debug)]
pub struct Json;

/// What an absent JSON payload means.
pub(crate) const EMPTY: &[u8] = b"{}";

impl Codec for Json {
    fn content_type(&self) -> &'static str {
        JSON
    }

    fn payload(&self) -> &'static str {
        JSON
    }

    fn encode(&self, _kind: Kind, _envelope: &Envelope<'_>, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(checked(body)?);
        Ok(())
    }

    fn decode<'a>(&self, _kind: Kind, body: &'a Bytes) -> Result<(Envelope<'a>, Bytes)> {
        let payload = if body.is_empty() { Bytes::from_static(EMPTY) } else { body.clone() };
        Ok((Envelope::default(), payload))
    }
}

/// One JSON value, or `{}` for nothing: what may stand inside another JSON text.
pub(crate) fn checked(body: &[u8]) -> Result<&[u8]> {
    if body.trim_ascii().is_empty() {
        return Ok(EMPTY);
    }
    serde_json::from_slice::<&RawValue>(body)
        .map_err(|error| Error::new(ErrorKind::Malformed, "the body is no JSON").because(error))?;
    Ok(body)
}
