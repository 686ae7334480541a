//! `application/json-rpc`: JSON-RPC 1.0, the one JSON form that every go-micro understands (WIRE §2.5). The payload
//! passes through as it is, never decoded.

use crate::client::request::JSON;
use crate::codec::json::{EMPTY, checked};
use crate::codec::{Codec, Envelope, Kind};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The codec.
#[derive(Clone, Copy, Debug)]
pub struct JsonRpc;

impl Codec for JsonRpc {
    fn content_type(&self) -> &'static str {
        "application/json-rpc"
    }

    fn payload(&self) -> &'static str {
        JSON
    }

    fn encode(&self, kind: Kind, envelope: &Envelope<'_>, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match kind {
            Kind::Request => {
                let body = checked(body)?;
                out.reserve(body.len() + envelope.endpoint.len() + envelope.id.len() + 40);
                out.extend_from_slice(b"{\"method\":");
                quote(&envelope.endpoint, out);
                out.extend_from_slice(b",\"params\":[");
                out.extend_from_slice(body);
                out.extend_from_slice(b"],\"id\":");
                out.extend_from_slice(token(&envelope.id));
                out.extend_from_slice(b"}\n");
            }
            Kind::Response => {
                let body = if envelope.error.is_some() { b"null" } else { checked(body)? };
                out.reserve(body.len() + envelope.id.len() + 40);
                out.extend_from_slice(b"{\"id\":");
                out.extend_from_slice(token(&envelope.id));
                out.extend_from_slice(b",\"result\":");
                out.extend_from_slice(body);
                out.extend_from_slice(b",\"error\":");
                match &envelope.error {
                    Some(error) => quote(error, out),
                    None => out.extend_from_slice(b"null"),
                }
                out.extend_from_slice(b"}\n");
            }
            Kind::Event => out.extend_from_slice(checked(body)?),
        }
        Ok(())
    }

    fn decode<'a>(&self, kind: Kind, body: &'a Bytes) -> Result<(Envelope<'a>, Bytes)> {
        match kind {
            Kind::Request => decode_request(body),
            Kind::Response => decode_response(body),
            Kind::Event => Ok((Envelope::default(), body.clone())),
        }
    }
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<First<'a>>,
}

fn decode_request(body: &Bytes) -> Result<(Envelope<'_>, Bytes)> {
    let call: Call<'_> = serde_json::from_slice(body).map_err(malformed)?;
    let payload = match call.params.and_then(|params| params.0) {
        Some(first) => body.slice_ref(first.get().as_bytes()),
        None => Bytes::from_static(EMPTY),
    };
    Ok((Envelope { id: raw(call.id), endpoint: call.method, error: None }, payload))
}

/// `null` is present here: an answer may well be `null`, while an answer with neither `result` nor `error` is none.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn decode_response(body: &Bytes) -> Result<(Envelope<'_>, Bytes)> {
    let reply: Reply<'_> = serde_json::from_slice(body).map_err(malformed)?;
    if reply.result.is_none() && reply.error.is_none() {
        return Err(Error::new(ErrorKind::Malformed, "the JSON-RPC envelope has neither result nor error"));
    }
    let payload = match reply.result {
        Some(result) => body.slice_ref(result.get().as_bytes()),
        None => Bytes::from_static(EMPTY),
    };
    let error = reply.error.and_then(|error| text(error.get()));
    Ok((Envelope { id: raw(reply.id), endpoint: Cow::Borrowed(""), error }, payload))
}

/// The error's text: `null` and `""` are none; what is no string stands for itself.
fn text(token: &str) -> Option<Cow<'_, str>> {
    if token == "null" || token == "\"\"" {
        return None;
    }
    Some(serde_json::from_str::<String>(token).map_or(Cow::Borrowed(token), Cow::Owned))
}

/// The first of an array; anything but an array stands for itself, which spares people the brackets.
struct First<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let whole = <&RawValue>::deserialize(deserializer)?;
        if !whole.get().starts_with('[') {
            return Ok(Self((whole.get() != "null").then_some(whole)));
        }
        serde_json::Deserializer::from_str(whole.get())
            .deserialize_seq(FirstOf)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

struct FirstOf;

impl<'de> Visitor<'de> for FirstOf {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self::Value, A::Error> {
        let first = items.next_element()?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

fn raw(token: Option<&RawValue>) -> Cow<'_, str> {
    Cow::Borrowed(token.map_or("", RawValue::get))
}

fn token(id: &str) -> &[u8] {
    if id.is_empty() { b"null" } else { id.as_bytes() }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    let plain = text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        let quoted = serde_json::Value::String(text.to_owned()).to_string();
        out.extend_from_slice(quoted.as_bytes());
    }
}

fn malformed(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Malformed, format!("no JSON-RPC envelope ({error})")).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::EOS;

    fn reply(body: &'static str) -> Result<(Envelope<'static>, Bytes)> {
        let body = Box::leak(Box::new(Bytes::from_static(body.as_bytes())));
        JsonRpc.decode(Kind::Response, body)
    }

    fn call(body: &'static str) -> Result<(Envelope<'static>, Bytes)> {
        let body = Box::leak(Box::new(Bytes::from_static(body.as_bytes())));
        JsonRpc.decode(Kind::Request, body)
    }

    #[test]
    fn a_request_is_written_as_go_writes_it() {
        let mut out = Vec::new();
        let envelope = Envelope { id: "\"0\"".into(), endpoint: "Say.Hello".into(), error: None };
        JsonRpc.encode(Kind::Request, &envelope, br#"{"name":"John"}"#, &mut out).unwrap();
        assert_eq!(out, b"{\"method\":\"Say.Hello\",\"params\":[{\"name\":\"John\"}],\"id\":\"0\"}\n");
    }

    #[test]
    fn the_id_is_echoed_as_it_came() {
        for token in ["0", "\"0\"", "18446744073709551615", "null", "\"\""] {
            let body = Bytes::from(format!(r#"{{"id":{token},"params":[{{}}],"method":"A.B"}}"#));
            let (envelope, _) = JsonRpc.decode(Kind::Request, &body).unwrap();
            let mut out = Vec::new();
            JsonRpc.encode(Kind::Response, &envelope, b"{}", &mut out).unwrap();
            assert_eq!(out, format!("{{\"id\":{token},\"result\":{{}},\"error\":null}}\n").as_bytes());
        }
    }

    #[test]
    fn a_payload_passes_through_byte_for_byte() {
        let (envelope, payload) =
            call(r#"{"params":[ {"n":9007199254740993, "s":"é\u0000"} , 2],"method":"A.B"}"#).unwrap();
        assert_eq!(envelope.endpoint, "A.B");
        assert_eq!(payload, r#"{"n":9007199254740993, "s":"é\u0000"}"#);
        let (_, payload) = reply(r#"{"error":null,"result":{"b":1, "a":2},"id":7}"#).unwrap();
        assert_eq!(payload, r#"{"b":1, "a":2}"#);
    }

    #[test]
    fn params_may_be_bare_or_absent() {
        assert_eq!(call(r#"{"method":"A.B","params":{"a":1}}"#).unwrap().1, r#"{"a":1}"#);
        assert_eq!(call(r#"{"method":"A.B"}"#).unwrap().1, "{}");
        assert_eq!(call(r#"{"method":"A.B","params":[]}"#).unwrap().1, "{}");
    }

    #[test]
    fn an_error_is_text_unless_it_is_null_or_empty() {
        assert_eq!(reply(r#"{"id":"","result":null,"error":"EOS"}"#).unwrap().0.error.as_deref(), Some(EOS));
        assert_eq!(reply(r#"{"result":{},"error":""}"#).unwrap().0.error, None);
        assert_eq!(reply(r#"{"result":{},"error":null}"#).unwrap().0.error, None);
        assert_eq!(reply(r#"{"error":"a\n\"b\" é"}"#).unwrap().0.error.as_deref(), Some("a\n\"b\" é"));
        assert_eq!(reply(r#"{"error":{"code":1}}"#).unwrap().0.error.as_deref(), Some(r#"{"code":1}"#));
    }

    #[test]
    fn an_error_with_quotes_and_lines_comes_back_whole() {
        let text = "line one\nline two\r\n\tline: \"three\" \\ é";
        let mut out = Vec::new();
        let envelope = Envelope { error: Some(text.into()), ..Envelope::default() };
        JsonRpc.encode(Kind::Response, &envelope, b"", &mut out).unwrap();
        let out = Bytes::from(out);
        assert_eq!(JsonRpc.decode(Kind::Response, &out).unwrap().0.error.as_deref(), Some(text));
    }

    #[test]
    fn what_is_no_envelope_is_malformed() {
        for body in
            ["", "x", "{}", "[]", "null", r#"{"result":1"#, "{\"id\":\"\",\"result\":null,\"error\":\"EOS\"}\num\":0}"]
        {
            assert_eq!(reply(body).unwrap_err().kind(), ErrorKind::Malformed, "{body}");
        }
        assert_eq!(call("\u{0}").unwrap_err().kind(), ErrorKind::Malformed);
    }

    #[test]
    fn a_body_cannot_break_out_of_its_envelope() {
        let mut out = Vec::new();
        let error = JsonRpc.encode(Kind::Request, &Envelope::default(), br#"{}],"id":1} {"#, &mut out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(out.is_empty());
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let mut out = Vec::new();
        JsonRpc.encode(Kind::Request, &Envelope::default(), deep.as_bytes(), &mut out).unwrap();
        let out = Bytes::from(out);
        assert_eq!(JsonRpc.decode(Kind::Request, &out).unwrap().1, deep);
    }
}
