//! How an error is written and read: `grpc-status`, `grpc-message`, `grpc-status-details-bin` (WIRE §4.3).

use crate::codec::base64;
use crate::error::{Error, ErrorKind, Result, Status};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};
use prost::Message;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What `grpc-message` cannot hold as it is; what is not ASCII never can.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The longest error text that is sent, in bytes: peers bound their header blocks, and lose the whole answer beyond.
const MAX_TEXT: usize = 4096;
/// The longest text that is sent a second time, in the details.
const MAX_DETAILS: usize = 1024;

/// `OUT_OF_RANGE`, into which Go maps `io.EOF`.
const OUT_OF_RANGE: &[u8] = b"11";

const ERROR_TYPE: &str = "type.googleapis.com/errors.Error";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// go-micro's `errors.Error`.
#[derive(Clone, PartialEq, Message)]
struct MicroError {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int32, tag = "2")]
    code: i32,
    #[prost(string, tag = "3")]
    detail: String,
    #[prost(string, tag = "4")]
    status: String,
}

/// gRPC's codes, those that are named here.
pub(crate) mod code {
    pub(crate) const OK: i32 = 0;
    pub(crate) const CANCELLED: i32 = 1;
    pub(crate) const UNKNOWN: i32 = 2;
    pub(crate) const DEADLINE_EXCEEDED: i32 = 4;
    pub(crate) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(crate) const UNIMPLEMENTED: i32 = 12;
    pub(crate) const INTERNAL: i32 = 13;
}

/// go-micro's codes and gRPC's.
const CODES: &[(u16, i32)] = &[
    (200, code::OK),
    (400, 3),
    (401, 16),
    (403, 7),
    (404, 5),
    (408, code::DEADLINE_EXCEEDED),
    (409, 6),
    (412, 9),
    (500, code::INTERNAL),
    (501, code::UNIMPLEMENTED),
    (503, 14),
];

/// The end of an answer that went well.
pub(crate) fn ok() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(STATUS, HeaderValue::from_static("0"));
    headers.insert(MESSAGE, HeaderValue::from_static(""));
    headers
}

/// The end of an answer with a code of gRPC's own and a plain text.
pub(crate) fn plain(code: i32, text: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(STATUS, HeaderValue::from(code));
    let text = percent_encode(cut(text).as_bytes(), ESCAPED).to_string();
    headers.insert(MESSAGE, HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("")));
    headers
}

/// The end of an answer that failed, from the service `name`.
pub(crate) fn failed(error: &Error, name: &str) -> HeaderMap {
    let status = match error.status() {
        Some(status) if status.code == 0 => return plain(code::UNKNOWN, &status.detail),
        Some(status) => Status { detail: cut(&status.detail).to_owned(), ..status.clone() },
        None => Status::new(name, 500, cut(error.context())),
    };
    let code = to_grpc(status.code);
    let message = status.to_text();
    let mut headers = plain(code, &message);
    if message.len() <= MAX_DETAILS
        && let Ok(details) = HeaderValue::try_from(base64::encode(&details(code, message, status)))
    {
        headers.insert(DETAILS, details);
    }
    headers
}

fn details(code: i32, message: String, Status { id, code: micro, detail, status }: Status) -> Vec<u8> {
    let value = MicroError { id, code: micro, detail, status }.encode_to_vec();
    RpcStatus { code, message, details: vec![Any { type_url: ERROR_TYPE.to_owned(), value }] }.encode_to_vec()
}

/// What the end of an answer says; `None`: it has no status at all.
///
/// # Errors
/// Inside: `Service` with the service's own error; `Timeout` for a deadline passed, `Cancelled` and `TooLarge` where the
/// peer's framework said so, all with its status; `Malformed` for a status that is no number.
pub(crate) fn read(headers: &HeaderMap) -> Option<Result<()>> {
    let value = headers.get(STATUS)?;
    if value.as_bytes() == b"0" {
        return Some(Ok(()));
    }
    let Some(code) = value.to_str().ok().and_then(|text| text.parse().ok()) else {
        return Some(Err(Error::new(ErrorKind::Malformed, format!("grpc-status {value:?} is no number"))));
    };
    let message = headers.get(MESSAGE).map(|value| percent_decode(value.as_bytes()).decode_utf8_lossy());
    let message = message.unwrap_or_default();
    Some(if code == code::OK { Ok(()) } else { Err(raised(code, &message, headers)) })
}

/// Whether this is how Go's handlers end a stream when they return the `io.EOF` of their last receive.
pub(crate) fn is_eof(headers: &HeaderMap) -> bool {
    let value = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    value(STATUS) == Some(OUT_OF_RANGE) && value(MESSAGE) == Some(b"EOF")
}

fn raised(code: i32, message: &str, headers: &HeaderMap) -> Error {
    if let Some(status) = detailed(headers).or_else(|| structured(message)) {
        let detail = status.detail.clone();
        return match code {
            code::DEADLINE_EXCEEDED => Error::new(ErrorKind::Timeout, detail).with_status(status),
            _ => Error::service(status),
        };
    }
    let status = Status::new("go.micro.client", from_grpc(code), message);
    let kind = match code {
        code::CANCELLED => ErrorKind::Cancelled,
        code::DEADLINE_EXCEEDED => ErrorKind::Timeout,
        code::RESOURCE_EXHAUSTED if message.contains("larger than max") => ErrorKind::TooLarge,
        _ => return Error::service(status),
    };
    Error::new(kind, message).with_status(status)
}

fn detailed(headers: &HeaderMap) -> Option<Status> {
    let bytes = base64::decode(headers.get(DETAILS)?.as_bytes())?;
    let status = RpcStatus::decode(&*bytes).ok()?;
    let any = status.details.first().filter(|any| any.type_url == ERROR_TYPE)?;
    let MicroError { id, code, detail, status } = MicroError::decode(&*any.value).ok()?;
    Some(Status { id, code, detail, status })
}

fn structured(message: &str) -> Option<Status> {
    if !message.starts_with('{') {
        return None;
    }
    serde_json::from_str(message).ok().filter(|status: &Status| status.code > 0)
}

fn to_grpc(micro: i32) -> i32 {
    CODES.iter().find(|(code, _)| i32::from(*code) == micro).map_or(code::UNKNOWN, |(_, grpc)| *grpc)
}

fn from_grpc(grpc: i32) -> u16 {
    CODES.iter().find(|(_, code)| *code == grpc).map_or(500, |(micro, _)| *micro)
}

fn cut(text: &str) -> &str {
    if text.len() <= MAX_TEXT {
        return text;
    }
    let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad_request() -> Status {
        Status {
            id: "go.micro.srv.greeter".to_owned(),
            code: 400,
            detail: "no name".to_owned(),
            status: "Bad Request".to_owned(),
        }
    }

    fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
        headers[name].to_str().unwrap()
    }

    /// `grpc-status-details-bin` of v2.9.1 and v6.10.0, recorded.
    const RECORDED: &str = "CAMSUnsiaWQiOiJnby5taWNyby5zcnYuZ3JlZXRlciIsImNvZGUiOjQwMCwiZGV0YWlsIjoibm8gbmFtZSIsInN0YXR1cyI6\
        IkJhZCBSZXF1ZXN0In0aUwogdHlwZS5nb29nbGVhcGlzLmNvbS9lcnJvcnMuRXJyb3ISLwoUZ28ubWljcm8uc3J2LmdyZWV0ZXIQkAMaB25vIG5hbWUi\
        C0JhZCBSZXF1ZXN0";

    #[test]
    fn an_error_is_written_byte_for_byte_as_go_writes_it() {
        let headers = failed(&Error::service(bad_request()), "other");
        assert_eq!(text(&headers, "grpc-status"), "3");
        assert_eq!(
            text(&headers, "grpc-message"),
            r#"{"id":"go.micro.srv.greeter","code":400,"detail":"no name","status":"Bad Request"}"#
        );
        assert_eq!(text(&headers, "grpc-status-details-bin"), RECORDED);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for code in [400, 401, 403, 404, 409, 412, 418, 500, 501, 503] {
            let detail = "100% \"bad\"\nsecond é 🙂".to_owned();
            let status = Status { id: "a.b".to_owned(), code, detail, status: "X".to_owned() };
            let mut headers = failed(&Error::service(status.clone()), "");
            let error = read(&headers).unwrap().unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Service, Some(&status)));
            headers.remove("grpc-status-details-bin");
            assert_eq!(read(&headers).unwrap().unwrap_err().status(), Some(&status));
        }
    }

    #[test]
    fn the_details_win_over_the_message() {
        let mut headers = plain(2, "something else");
        headers.insert("grpc-status-details-bin", HeaderValue::from_static(RECORDED));
        assert_eq!(read(&headers).unwrap().unwrap_err().status(), Some(&bad_request()));
        headers.insert("grpc-status-details-bin", HeaderValue::from_static("!!"));
        assert_eq!(read(&headers).unwrap().unwrap_err().context(), "something else");
    }

    #[test]
    fn a_plain_text_is_escaped_as_go_escapes_it() {
        let status = Status { detail: "plain trouble: 100% \"bad\" é\r\n\tx".to_owned(), ..Status::default() };
        let headers = failed(&Error::service(status), "");
        assert_eq!(text(&headers, "grpc-status"), "2");
        assert_eq!(text(&headers, "grpc-message"), "plain trouble: 100%25 \"bad\" %C3%A9%0D%0A%09x");
        let error = read(&headers).unwrap().unwrap_err();
        assert_eq!(error.context(), "plain trouble: 100% \"bad\" é\r\n\tx");
        assert_eq!(error.status().unwrap().code, 500);
    }

    #[test]
    fn an_error_without_status_is_code_500_of_the_service() {
        let headers = failed(&Error::new(ErrorKind::Timeout, "database is slow"), "go.micro.srv.greeter");
        assert_eq!(text(&headers, "grpc-status"), "13");
        assert_eq!(
            text(&headers, "grpc-message"),
            r#"{"id":"go.micro.srv.greeter","code":500,"detail":"database is slow","status":"Internal Server Error"}"#
        );
    }

    #[test]
    fn a_long_text_is_cut_on_a_character_and_not_sent_twice() {
        let status = Status { code: 400, detail: "é".repeat(5000), ..Status::default() };
        let headers = failed(&Error::service(status), "");
        assert!(!headers.contains_key("grpc-status-details-bin"));
        assert!(text(&headers, "grpc-message").len() < 3 * MAX_TEXT + 100);
        assert!(read(&headers).unwrap().is_err());
    }

    #[test]
    fn what_the_framework_said_has_a_kind() {
        let kind = |code, text: &str| read(&plain(code, text)).unwrap().unwrap_err().kind();
        assert_eq!(kind(1, "context canceled"), ErrorKind::Cancelled);
        assert_eq!(kind(4, "context deadline exceeded"), ErrorKind::Timeout);
        assert_eq!(kind(8, "grpc: received message larger than max (5 vs. 4)"), ErrorKind::TooLarge);
        assert_eq!(kind(12, "unknown service Nope"), ErrorKind::Service);
        assert_eq!(read(&plain(12, "x")).unwrap().unwrap_err().status().unwrap().code, 501);
        assert!(read(&ok()).unwrap().is_ok());
        assert!(read(&HeaderMap::new()).is_none());
        let mut odd = ok();
        odd.insert("grpc-status", HeaderValue::from_static("fine"));
        assert_eq!(read(&odd).unwrap().unwrap_err().kind(), ErrorKind::Malformed);
    }

    #[test]
    fn eof_is_an_end() {
        assert!(is_eof(&plain(11, "EOF")));
        assert!(!is_eof(&plain(11, "out of range")));
        assert!(!is_eof(&ok()));
    }
}
