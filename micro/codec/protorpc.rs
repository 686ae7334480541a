//! `application/proto-rpc`: two length-prefixed protobuf messages, envelope and payload; the one protobuf form that
//! every go-micro understands (WIRE §2.6).

use crate::client::request::PROTOBUF;
use crate::codec::{Codec, Envelope, Kind};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use prost::Message;
use std::borrow::Cow;

/// The codec.
#[derive(Clone, Copy, Debug)]
pub struct ProtoRpc;

// Every field is optional and always written: servers before v2.4.0 are proto2 and require all of them.
#[derive(Clone, PartialEq, Message)]
struct Call {
    #[prost(string, optional, tag = "1")]
    service_method: Option<String>,
    #[prost(fixed64, optional, tag = "2")]
    seq: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct Reply {
    #[prost(string, optional, tag = "1")]
    service_method: Option<String>,
    #[prost(fixed64, optional, tag = "2")]
    seq: Option<u64>,
    #[prost(string, optional, tag = "3")]
    error: Option<String>,
}

impl Codec for ProtoRpc {
    fn content_type(&self) -> &'static str {
        "application/proto-rpc"
    }

    fn payload(&self) -> &'static str {
        PROTOBUF
    }

    fn encode(&self, kind: Kind, envelope: &Envelope<'_>, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let (service_method, seq) = (Some(envelope.endpoint.to_string()), Some(number(&envelope.id)));
        match kind {
            Kind::Request => frame(&Call { service_method, seq }, body, out),
            Kind::Response => {
                let body = if envelope.error.is_some() { b"" } else { body };
                let error = Some(envelope.error.as_deref().unwrap_or_default().to_owned());
                frame(&Reply { service_method, seq, error }, body, out)
            }
            Kind::Event => {
                out.extend_from_slice(body);
                Ok(())
            }
        }
    }

    fn decode<'a>(&self, kind: Kind, body: &'a Bytes) -> Result<(Envelope<'a>, Bytes)> {
        if kind == Kind::Event {
            return Ok((Envelope::default(), body.clone()));
        }
        let (head, payload) = parts(body)?;
        let reply = Reply::decode(head).map_err(|error| malformed("the envelope is no protobuf").because(error))?;
        let envelope = Envelope {
            id: Cow::Owned(reply.seq.unwrap_or_default().to_string()),
            endpoint: Cow::Owned(reply.service_method.unwrap_or_default()),
            error: reply.error.filter(|error| !error.is_empty() && kind == Kind::Response).map(Cow::Owned),
        };
        Ok((envelope, payload))
    }
}

fn frame(envelope: &impl Message, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let length = u32::try_from(envelope.encoded_len());
    let (Ok(length), Ok(size)) = (length, u32::try_from(body.len())) else {
        return Err(Error::new(ErrorKind::TooLarge, "proto-rpc carries at most 4 GiB"));
    };
    out.reserve(envelope.encoded_len() + body.len() + 8);
    out.extend_from_slice(&length.to_be_bytes());
    // A Vec grows as it needs to: this encoding cannot fail.
    envelope.encode(out).map_err(|error| malformed("the envelope").because(error))?;
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

/// Envelope and payload. The payload's frame may be absent altogether; nothing may follow it.
fn parts(body: &Bytes) -> Result<(&[u8], Bytes)> {
    let (head, rest) = part(body).ok_or_else(|| malformed("the envelope is cut off"))?;
    if rest.is_empty() {
        return Ok((head, Bytes::new()));
    }
    match part(rest) {
        Some((payload, [])) => Ok((head, body.slice_ref(payload))),
        Some(_) => Err(malformed("something follows the payload")),
        None => Err(malformed("the payload is cut off")),
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

fn number(id: &str) -> u64 {
    id.trim_matches('"').parse().unwrap_or_default()
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("no proto-rpc envelope ({what})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_old_go_writes_it() {
        let mut out = Vec::new();
        let envelope = Envelope { id: "0".into(), endpoint: "Debug.Health".into(), error: None };
        ProtoRpc.encode(Kind::Request, &envelope, b"", &mut out).unwrap();
        assert_eq!(out, b"\0\0\0\x17\x0a\x0cDebug.Health\x11\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn an_answer_without_zero_fields_is_read() {
        let body = Bytes::from_static(b"\0\0\0\0\0\0\0\x04\x0a\x02ok");
        let (envelope, payload) = ProtoRpc.decode(Kind::Response, &body).unwrap();
        assert_eq!((envelope.error, payload.as_ref()), (None, b"\x0a\x02ok".as_ref()));
    }

    #[test]
    fn an_error_is_read_from_both_generations() {
        for body in [&b"\0\0\0\x10\x0a\0\x11\0\0\0\0\0\0\0\0\x1a\x03EOF\0\0\0\0"[..], b"\0\0\0\x05\x1a\x03EOF\0\0\0\0"]
        {
            let body = Bytes::copy_from_slice(body);
            assert_eq!(ProtoRpc.decode(Kind::Response, &body).unwrap().0.error.as_deref(), Some("EOF"));
        }
    }

    #[test]
    fn an_answer_is_written_with_all_fields() {
        let mut out = Vec::new();
        let envelope = Envelope { id: "\"7\"".into(), endpoint: "A.B".into(), error: None };
        ProtoRpc.encode(Kind::Response, &envelope, b"\x08\x01", &mut out).unwrap();
        assert_eq!(out, b"\0\0\0\x10\x0a\x03A.B\x11\x07\0\0\0\0\0\0\0\x1a\0\0\0\0\x02\x08\x01");
    }

    #[test]
    fn every_cut_and_every_tail_is_malformed() {
        let mut out = Vec::new();
        let envelope = Envelope { id: "1".into(), endpoint: "A.B".into(), error: None };
        ProtoRpc.encode(Kind::Request, &envelope, b"\x08\x01", &mut out).unwrap();
        let whole = Bytes::from(out);
        let head = whole.len() - 6;
        for end in (0..whole.len()).filter(|end| *end != head) {
            let error = ProtoRpc.decode(Kind::Request, &whole.slice(..end)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{end}");
        }
        let long = Bytes::from([whole.as_ref(), b"x"].concat());
        assert_eq!(ProtoRpc.decode(Kind::Request, &long).unwrap_err().kind(), ErrorKind::Malformed);
    }

    #[test]
    fn any_byte_may_be_wrong() {
        let mut out = Vec::new();
        let envelope = Envelope { id: "1".into(), endpoint: "A.B".into(), error: Some("e".into()) };
        ProtoRpc.encode(Kind::Response, &envelope, b"", &mut out).unwrap();
        for at in 0..out.len() {
            for value in 0..=255 {
                let mut bent = out.clone();
                bent[at] = value;
                let _ = ProtoRpc.decode(Kind::Response, &Bytes::from(bent));
            }
        }
    }
}
