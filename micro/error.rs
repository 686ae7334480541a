//! The error of the framework: a kind, a context, a source, and what the service itself said.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The source of an error, whatever it was.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong. One word wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: String,
    status: Option<Status>,
    source: Option<BoxError>,
}

/// Which kind of failure: what callers ask before they do anything else.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No such service, node, endpoint or subscriber.
    NotFound,
    /// The time was up. The handler may have run.
    Timeout,
    /// Nobody there: dial failed, no route, no name.
    Unreachable,
    /// The peer said no before a handler could run (connection refused, `REFUSED_STREAM`).
    Refused,
    /// What came back cannot be understood.
    Malformed,
    /// A message beyond `max_message`.
    TooLarge,
    /// TLS failed.
    Tls,
    /// The peer, or a registry, did not accept who we are.
    Auth,
    /// The caller stopped it.
    Cancelled,
    /// A known defect of the peer's generation made a right answer impossible.
    Defect,
    /// The request was written and then the connection broke: the handler may have run.
    Unsure,
    /// The service answered with an error of its own; `Error::status` has it.
    Service,
    /// The arguments, the config or the definition given make no sense.
    Invalid,
}

impl ErrorKind {
    /// The kind in snake case, as `--json` and logs show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Cancelled => "cancelled",
            Self::Defect => "defect",
            Self::Unsure => "unsure",
            Self::Service => "service",
            Self::Invalid => "invalid",
        }
    }
}

/// go-micro's error object (WIRE §2.4): `{"id","code","detail","status"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Who raised it: a service's name, or `go.micro.client` and the like.
    pub id: String,
    /// HTTP-like: 400, 404, 408, 500 …; 0 if the service gave plain text.
    pub code: i32,
    /// What people read.
    pub detail: String,
    /// Go's `http.StatusText(code)`.
    pub status: String,
}

impl Status {
    /// An error object with the standard text of its code, as Go's errors package makes it.
    pub fn new(id: impl Into<String>, code: u16, detail: impl Into<String>) -> Self {
        let status = http::StatusCode::from_u16(code).ok().and_then(|code| code.canonical_reason()).unwrap_or_default();
        Self { id: id.into(), code: code.into(), detail: detail.into(), status: status.to_owned() }
    }

    /// What goes over the wire: the object as JSON, or the bare detail if it has no code.
    pub fn to_text(&self) -> String {
        if self.code == 0 {
            return self.detail.clone();
        }
        // Strings and a number: writing them cannot fail.
        serde_json::to_string(self).unwrap_or_else(|_| self.detail.clone())
    }

    /// Reads the error's text as Go's `errors.Parse` does: the JSON object where it is one, else the text as `detail`
    /// with code 0 (WIRE §2.4).
    pub fn parse(text: &str) -> Self {
        serde_json::from_str::<Self>(text)
            .ok()
            .filter(|status| *status != Self::default())
            .unwrap_or_else(|| Self { detail: text.to_owned(), ..Self::default() })
    }
}

impl Error {
    /// An error without a source.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, context: context.into(), status: None, source: None }))
    }

    /// What the service itself answered.
    pub fn service(status: Status) -> Self {
        let context = if status.detail.is_empty() { status.status.clone() } else { status.detail.clone() };
        Self(Box::new(Inner { kind: ErrorKind::Service, context, status: Some(status), source: None }))
    }

    /// Adds what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the error object.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Puts words in front of the context: `dial 10.0.0.5:8080: refused`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.context = format!("{place}: {}", self.0.context);
        self
    }

    /// Which kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The text for people, without the source.
    pub fn context(&self) -> &str {
        &self.0.context
    }

    /// The service's own error object, if it sent one.
    pub fn status(&self) -> Option<&Status> {
        self.0.status.as_ref()
    }

    /// Whether no handler can have run, so that the same request may be sent again (DESIGN §5).
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unreachable | ErrorKind::Refused | ErrorKind::Tls)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.context)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("context", &self.0.context)
            .field("status", &self.0.status)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_object_is_read_and_any_other_text_kept() {
        let status = Status::parse(r#"{"id":"go.micro.srv.t","code":400,"detail":"bad bob","status":"Bad Request"}"#);
        assert_eq!((status.id.as_str(), status.code, status.detail.as_str()), ("go.micro.srv.t", 400, "bad bob"));
        for text in ["rpc: can't find method Nope", "{}", "[1]", "42", "{\"code\":\"x\"}", ""] {
            assert_eq!(Status::parse(text), Status { detail: text.to_owned(), ..Status::default() });
        }
    }
}
