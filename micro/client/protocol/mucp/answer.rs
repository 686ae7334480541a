//! What a reply means (WIRE §2.3, §2.4, §14). Pure.

use crate::client::request::Answer;
use crate::codec::{Codec, EOS, Kind};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::header::Header;
use crate::open::CODECS;
use crate::transport::http::Message;
use std::fmt;

/// The source of errors that say: this is an HTTP server, but no go-micro service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotMicro {
    /// Its status.
    pub(crate) status: u16,
}

impl fmt::Display for NotMicro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)
    }
}

impl std::error::Error for NotMicro {}

/// The answer in a reply to a request that was sent with `codec`; `None` is the end of a stream.
///
/// # Errors
/// `Service`: the service's own error. `Refused`: the server knows no such content type, so no handler ran.
/// `Malformed`: anything else that is no answer.
pub(super) fn read(message: &Message, codec: &dyn Codec) -> Result<Option<Answer>> {
    if message.status != 200 {
        return Err(status(message));
    }
    let content_type = content_type(&message.header);
    if content_type == "text/plain" && is_unsupported(&message.body) {
        let text = format!("the server does not take {}", codec.content_type());
        return Err(Error::new(ErrorKind::Refused, text).because(excerpt(&message.body)));
    }
    let Some(codec) = codec_of(content_type, codec) else {
        return from_header(&message.header).unwrap_or_else(|| Err(foreign(content_type, message)));
    };
    let (envelope, body) = match codec.decode(Kind::Response, &message.body) {
        Ok(decoded) => decoded,
        Err(error) => return from_header(&message.header).unwrap_or(Err(error)),
    };
    if let Some(error) = envelope.error {
        return failure(&error);
    }
    // Where the envelope says that all is well and has a result, an error in the header is an old one of this
    // connection (v0.20.0–v0.22.0, v1.9.0–v1.17.0) or the caller's own, echoed. Where it has none, the header counts.
    let says_nothing = body.is_empty() || body == "null" || !codec.content_type().ends_with("-rpc");
    if says_nothing && let Some(failure) = from_header(&message.header) {
        return failure;
    }
    Ok(Some(Answer { body, header: message.header.clone() }))
}

/// Whether the server says that it knows no such content type: `Unsupported …` before v4.10, `unsupported …` after.
pub(super) fn is_unsupported(body: &[u8]) -> bool {
    const TEXT: &[u8] = b"unsupported content-type";
    body.get(..TEXT.len()).is_some_and(|start| start.eq_ignore_ascii_case(TEXT))
}

/// The reply's content type without parameters; empty if it has none.
pub(super) fn content_type(header: &Header) -> &str {
    header.get("content-type").and_then(|value| value.split(';').next()).unwrap_or_default().trim()
}

fn codec_of<'a>(content_type: &str, asked: &'a dyn Codec) -> Option<&'a dyn Codec> {
    if content_type.is_empty() || content_type == asked.content_type() {
        return Some(asked);
    }
    let row = CODECS.iter().find(|row| row.name == content_type)?;
    (row.codec.payload() == asked.payload()).then_some(row.codec)
}

/// The error in the header, in either spelling. An envelope's text is better where both are: Go makes each CR and LF of
/// a header's value a blank (WIRE §18 S6).
fn from_header(header: &Header) -> Option<Result<Option<Answer>>> {
    let error = header.get("micro-error").or_else(|| header.get("x-micro-error"))?;
    (!error.is_empty()).then(|| failure(error))
}

fn failure(error: &str) -> Result<Option<Answer>> {
    if error == EOS { Ok(None) } else { Err(Error::service(Status::parse(error))) }
}

fn status(message: &Message) -> Error {
    let line = String::from_utf8_lossy(&message.line);
    let said = line.split_once(' ').map_or("", |(_, status)| status.trim());
    let mut text = format!("no go-micro service: it answers {said}");
    let excerpt = excerpt(&message.body);
    if !excerpt.is_empty() {
        text = format!("{text}: {excerpt}");
    }
    Error::new(ErrorKind::Malformed, text).because(NotMicro { status: message.status })
}

fn foreign(content_type: &str, message: &Message) -> Error {
    let text = format!("the answer is {content_type}: {}", excerpt(&message.body));
    Error::new(ErrorKind::Malformed, text).because(NotMicro { status: message.status })
}

/// The beginning of a body in one line, for people.
fn excerpt(body: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * LONGEST)]);
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::Json;
    use crate::codec::jsonrpc::JsonRpc;
    use bytes::Bytes;

    fn message(lines: &'static str, body: &'static str) -> Message {
        Message {
            line: Bytes::from_static(b"HTTP/1.1 200 OK"),
            status: 200,
            header: Header::from_lines(Bytes::from_static(lines.as_bytes())),
            body: Bytes::from_static(body.as_bytes()),
            close: false,
        }
    }

    fn reply(lines: &'static str, body: &'static str) -> Result<Option<Bytes>> {
        read(&message(lines, body), &JsonRpc).map(|answer| answer.map(|answer| answer.body))
    }

    #[test]
    fn an_envelope_with_a_result_is_a_success_whatever_the_header_echoes() {
        let body = r#"{"id":"1","result":{"msg":"hi"},"error":null}"#;
        assert_eq!(reply("Micro-Error: old\r\nX-Micro-Error: old\r\n", body).unwrap().unwrap(), r#"{"msg":"hi"}"#);
    }

    #[test]
    fn the_envelope_keeps_what_the_header_lost() {
        let error = reply("Micro-Error: one  two\r\n", r#"{"id":"","result":null,"error":"one\r\ntwo"}"#).unwrap_err();
        assert_eq!(error.to_string(), "one\r\ntwo");
    }

    #[test]
    fn an_error_only_in_the_header_is_one() {
        for body in ["", "null", r#"{"id":"","result":null,"error":null}"#, "garbage"] {
            let error = reply("X-Micro-Error: {\"id\":\"x\",\"code\":400,\"detail\":\"bad\"}\r\n", body).unwrap_err();
            assert_eq!((error.kind(), error.status().unwrap().code), (ErrorKind::Service, 400), "{body}");
        }
        let plain = message("Content-Type: application/json\r\nX-Micro-Error: bad\r\n", "{}");
        assert_eq!(read(&plain, &JsonRpc).unwrap_err().kind(), ErrorKind::Service);
        assert_eq!(read(&plain, &Json).unwrap_err().kind(), ErrorKind::Service);
    }

    #[test]
    fn eos_ends_in_header_or_envelope() {
        assert_eq!(reply("", r#"{"id":0,"result":{},"error":"EOS"}"#).unwrap(), None);
        assert_eq!(reply("Micro-Error: EOS\r\n", "").unwrap(), None);
    }

    #[test]
    fn a_plain_answer_is_taken_too() {
        let body = reply("Content-Type: application/json; charset=utf-8\r\n", r#"{"a":1}"#).unwrap().unwrap();
        assert_eq!(body, r#"{"a":1}"#);
    }

    #[test]
    fn an_unknown_content_type_is_refused_before_a_handler() {
        for text in ["Unsupported Content-Type: application/json-rpc", "unsupported content-type: application/json-rpc"]
        {
            let error = reply("Content-Type: text/plain\r\n", text).unwrap_err();
            assert!(error.kind() == ErrorKind::Refused && error.is_retryable(), "{text}");
        }
    }

    #[test]
    fn another_http_server_is_told_by_what_it_says() {
        let mut page = message("Content-Type: text/html\r\n", "<h1>\n  Not\tFound</h1>");
        assert_eq!(read(&page, &JsonRpc).unwrap_err().to_string(), "the answer is text/html: <h1> Not Found</h1>");
        page.status = 404;
        page.line = Bytes::from_static(b"HTTP/1.1 404 Not Found");
        let text = read(&page, &JsonRpc).unwrap_err().to_string();
        assert_eq!(text, "no go-micro service: it answers 404 Not Found: <h1> Not Found</h1>");
    }
}
