//! The header lines of a request (WIRE §2.2), written straight into a buffer: no header map stands in between.

use crate::client::request::Request;
use crate::header::is_token;
use crate::transport::http::decimal;
use std::time::Duration;

/// What the lines say besides what the request says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) request: &'a Request,
    /// The caller's name; empty: none.
    pub(super) from: &'a str,
    pub(super) content_type: &'a str,
    /// `Micro-Id`: never the same twice on one connection (WIRE §18 S11).
    pub(super) id: u64,
    /// When the caller stops waiting; `None` for streams.
    pub(super) timeout: Option<Duration>,
    /// `Micro-Stream`.
    pub(super) stream: Option<u64>,
    /// `Micro-Error`: `EOS` ends a stream.
    pub(super) error: Option<&'a str>,
    /// The connection is not kept.
    pub(super) close: bool,
}

impl Head<'_> {
    /// Appends the lines, each with its CRLF.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Self { request, .. } = self;
        text(out, "Accept: ", self.content_type);
        text(out, "Content-Type: ", self.content_type);
        for (plain, prefixed, value) in [
            ("Micro-Service: ", "X-Micro-Service: ", &request.service),
            ("Micro-Method: ", "X-Micro-Method: ", &request.endpoint),
            ("Micro-Endpoint: ", "X-Micro-Endpoint: ", &request.endpoint),
        ] {
            text(out, plain, value);
            text(out, prefixed, value);
        }
        number(out, "Micro-Id: ", u128::from(self.id));
        number(out, "X-Micro-Id: ", u128::from(self.id));
        if !self.from.is_empty() && is_value(self.from) {
            text(out, "Micro-From-Service: ", self.from);
            text(out, "X-Micro-From-Service: ", self.from);
        }
        // A value of 0 expires at once in old servers (WIRE §15.20).
        if let Some(timeout) = self.timeout {
            number(out, "Timeout: ", timeout.as_nanos().max(1));
        }
        if let Some(stream) = self.stream {
            number(out, "Micro-Stream: ", u128::from(stream));
        }
        if let Some(error) = self.error {
            text(out, "Micro-Error: ", error);
        }
        if self.close {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        for (name, value) in &request.metadata {
            if is_token(name) && is_value(value) && !self.is_ours(name) {
                out.extend_from_slice(name.as_bytes());
                text(out, ": ", value);
            }
        }
    }

    /// Whether metadata of this name would break the framing or contradict the call.
    fn is_ours(&self, name: &str) -> bool {
        let bare = match name.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("x-") => &name[2..],
            _ => name,
        };
        OURS.iter().any(|ours| ours.eq_ignore_ascii_case(bare) || ours.eq_ignore_ascii_case(name))
            || (!self.from.is_empty() && bare.eq_ignore_ascii_case("micro-from-service"))
    }
}

/// Names that metadata does not set. `Micro-Target` makes v0.22.0 and later take the request for an old one.
const OURS: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "accept",
    "expect",
    "te",
    "trailer",
    "upgrade",
    "timeout",
    "micro-service",
    "micro-method",
    "micro-endpoint",
    "micro-id",
    "micro-stream",
    "micro-error",
    "micro-topic",
    "micro-protocol",
    "micro-target",
];

/// Whether a value stays one line and passes Go's check (WIRE §15.24).
pub(super) fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn number(out: &mut Vec<u8>, name: &str, value: u128) {
    out.extend_from_slice(name.as_bytes());
    decimal(out, usize::try_from(value).unwrap_or(usize::MAX));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(metadata: &[(&str, &str)], from: &str) -> String {
        let mut request = Request::json("go.micro.srv.greeter", "Say.Hello", "{}");
        request.metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let timeout = Some(Duration::from_secs(5));
        let content_type = "application/json-rpc";
        let head =
            Head { request: &request, from, content_type, id: 7, timeout, stream: None, error: None, close: false };
        let mut out = Vec::new();
        head.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_says_everything_in_both_spellings() {
        insta::assert_snapshot!(lines(&[("X-Custom", "abc")], "me").replace('\r', ""), @r"
        Accept: application/json-rpc
        Content-Type: application/json-rpc
        Micro-Service: go.micro.srv.greeter
        X-Micro-Service: go.micro.srv.greeter
        Micro-Method: Say.Hello
        X-Micro-Method: Say.Hello
        Micro-Endpoint: Say.Hello
        X-Micro-Endpoint: Say.Hello
        Micro-Id: 7
        X-Micro-Id: 7
        Micro-From-Service: me
        X-Micro-From-Service: me
        Timeout: 5000000000
        X-Custom: abc
        ");
    }

    #[test]
    fn metadata_neither_breaks_the_framing_nor_contradicts_the_call() {
        let bad = [
            ("Content-Length", "9"),
            ("x-micro-target", "t"),
            ("Micro-Error", "e"),
            ("micro-from-service", "you"),
            ("a b", "c"),
            ("A", "b\r\nC: d"),
            ("B", "\u{7f}"),
        ];
        assert_eq!(lines(&bad, "me"), lines(&[], "me"));
        assert_eq!(lines(&[], "me\r\nMicro-Error: e"), lines(&[], ""));
        assert!(
            lines(&[("Micro-From-Service", "you"), ("Micro-Bot-Room", "é")], "")
                .ends_with("Micro-From-Service: you\r\nMicro-Bot-Room: é\r\n")
        );
    }
}
