//! How a mucp reply is written, so that every generation of Go client reads it (WIRE §13.4). Pure.

use crate::client::request::JSON;
use crate::codec::{Codec, EOS, Envelope, Kind};
use crate::error::{Error, Result, Status};
use crate::transport::http::write_response;
use std::borrow::Cow;

/// In which form a request came, which is the form of its replies.
pub(super) struct Form<'a> {
    pub(super) codec: &'static dyn Codec,
    /// As the request has it.
    pub(super) content_type: Cow<'a, str>,
    /// `Struct.Method`.
    pub(super) endpoint: Cow<'a, str>,
    /// The envelope's id, echoed as it came.
    pub(super) token: Cow<'a, str>,
    /// `Micro-Id`.
    pub(super) id: Option<Cow<'a, str>>,
    /// `X-Micro-Id`.
    pub(super) old_id: Option<Cow<'a, str>>,
    /// `Micro-Stream`.
    pub(super) stream: Option<Cow<'a, str>>,
}

impl Form<'_> {
    /// The same, apart from the request.
    pub(super) fn into_owned(self) -> Form<'static> {
        let own = |text: Cow<'_, str>| Cow::<'static, str>::Owned(text.into_owned());
        Form {
            codec: self.codec,
            content_type: own(self.content_type),
            endpoint: own(self.endpoint),
            token: own(self.token),
            id: self.id.map(own),
            old_id: self.old_id.map(own),
            stream: self.stream.map(own),
        }
    }

    /// Appends an answer to `out`.
    ///
    /// # Errors
    /// `Malformed`: the handler gave a body that is not of the content type. Nothing was appended.
    pub(super) fn answer(&self, body: &[u8], close: bool, out: &mut Vec<u8>) -> Result<()> {
        let mut enveloped = Vec::new();
        self.codec.encode(Kind::Response, &self.envelope(None), body, &mut enveloped)?;
        write_response(out, 200, "OK", &self.lines(None, close), &enveloped);
        Ok(())
    }

    /// Appends an error to `out`: in both headers, and in the envelope where there is one.
    pub(super) fn error(&self, text: &str, close: bool, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        if self.codec.content_type().ends_with("-rpc") {
            // An error has no body that could be ill-formed; if it fails all the same, the headers say it.
            let _ = self.codec.encode(Kind::Response, &self.envelope(Some(text)), b"", &mut body);
        } else if self.codec.payload() == JSON && self.id.is_none() && self.old_id.is_some() {
            // What the servers of v0.20.0–v0.22.0 send to their clients; later ones send nothing (WIRE §2.3).
            body.extend_from_slice(b"{}");
        }
        write_response(out, 200, "OK", &self.lines(Some(text), close), &body);
    }

    /// Appends the end of a stream to `out`.
    pub(super) fn eos(&self, close: bool, out: &mut Vec<u8>) {
        self.error(EOS, close, out);
    }

    /// Appends the receipt of a publication to `out` (WIRE §9.5).
    pub(super) fn receipt(&self, close: bool, out: &mut Vec<u8>) {
        write_response(out, 200, "OK", &self.lines(None, close), b"");
    }

    fn envelope<'a>(&'a self, error: Option<&'a str>) -> Envelope<'a> {
        Envelope {
            id: Cow::Borrowed(&self.token),
            endpoint: Cow::Borrowed(&self.endpoint),
            error: error.map(Cow::Borrowed),
        }
    }

    fn lines(&self, error: Option<&str>, close: bool) -> Vec<u8> {
        let mut lines = Vec::with_capacity(128);
        line(&mut lines, "Content-Type", &self.content_type);
        for (name, value) in [("Micro-Id", &self.id), ("X-Micro-Id", &self.old_id), ("Micro-Stream", &self.stream)] {
            if let Some(value) = value {
                line(&mut lines, name, value);
            }
        }
        if let Some(error) = error {
            line(&mut lines, "Micro-Error", error);
            line(&mut lines, "X-Micro-Error", error);
        }
        if close {
            line(&mut lines, "Connection", "close");
        }
        lines
    }
}

/// What an error says on the wire: the service's own object, else the bare text.
pub(super) fn text(error: &Error) -> String {
    error.status().map_or_else(|| error.context().to_owned(), Status::to_text)
}

/// Appends what Go answers to a content type without a codec. The spelling is that of servers whose connections may be
/// kept (DESIGN §5).
pub(super) fn unsupported(content_type: &str, close: bool, out: &mut Vec<u8>) {
    plain(200, "OK", &format!("Unsupported Content-Type: {content_type}"), close, out);
}

/// Appends an answer to what is no request of mucp; the connection closes after it.
pub(super) fn refusal(status: u16, text: &str, out: &mut Vec<u8>) {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    plain(status, reason.unwrap_or_default(), text, true, out);
}

fn plain(status: u16, reason: &str, text: &str, close: bool, out: &mut Vec<u8>) {
    let mut lines = Vec::with_capacity(64);
    line(&mut lines, "Content-Type", "text/plain");
    if close {
        line(&mut lines, "Connection", "close");
    }
    write_response(out, status, reason, &lines, text.as_bytes());
}

/// One header line. Whatever would break it becomes a blank, as Go writes it (WIRE §18 S6).
fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte < b' ' && byte != b'\t' || byte == 0x7f { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::Json;
    use crate::codec::jsonrpc::JsonRpc;

    fn form(codec: &'static dyn Codec) -> Form<'static> {
        Form {
            codec,
            content_type: codec.content_type().into(),
            endpoint: "Say.Hello".into(),
            token: "7".into(),
            id: Some("7".into()),
            old_id: None,
            stream: None,
        }
    }

    fn said(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap().replace("\r\n", "\n")
    }

    #[test]
    fn an_answer_carries_its_id_and_nothing_of_the_request() {
        insta::assert_snapshot!(said(|out| form(&JsonRpc).answer(b"{\"msg\":\"Hello\"}", false, out).unwrap()), @r#"
        HTTP/1.1 200 OK
        Content-Length: 47
        Content-Type: application/json-rpc
        Micro-Id: 7

        {"id":7,"result":{"msg":"Hello"},"error":null}
        "#);
    }

    #[test]
    fn an_error_stands_in_both_headers_and_in_the_envelope() {
        insta::assert_snapshot!(said(|out| form(&JsonRpc).error("one\r\ntwo \"é\"", true, out)), @r#"
        HTTP/1.1 200 OK
        Content-Length: 51
        Content-Type: application/json-rpc
        Micro-Id: 7
        Micro-Error: one  two "é"
        X-Micro-Error: one  two "é"
        Connection: close

        {"id":7,"result":null,"error":"one\r\ntwo \"é\""}
        "#);
        insta::assert_snapshot!(said(|out| form(&Json).error("one\r\ntwo \"é\"", false, out)), @r#"
        HTTP/1.1 200 OK
        Content-Length: 0
        Content-Type: application/json
        Micro-Id: 7
        Micro-Error: one  two "é"
        X-Micro-Error: one  two "é"
        "#);
    }

    #[test]
    fn a_body_that_is_no_json_is_not_sent_as_json() {
        let mut out = Vec::new();
        assert!(form(&Json).answer(b"{", false, &mut out).is_err());
        assert!(out.is_empty());
    }

    #[test]
    fn what_is_no_request_is_told_so() {
        insta::assert_snapshot!(said(|out| unsupported("application/x", false, out)), @r#"
        HTTP/1.1 200 OK
        Content-Length: 39
        Content-Type: text/plain

        Unsupported Content-Type: application/x
        "#);
        insta::assert_snapshot!(said(|out| refusal(413, "too large", out)), @r#"
        HTTP/1.1 413 Payload Too Large
        Content-Length: 9
        Content-Type: text/plain
        Connection: close

        too large
        "#);
    }
}
