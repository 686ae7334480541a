//! What a call asks for, read from its head.

use crate::grpc::content::{self, Asked};
use crate::grpc::status::{self, code};
use crate::grpc::{path, timeout};
use crate::server::Context;
use crate::server::router::Router;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// A call that there is a handler for.
pub(super) struct Ask {
    pub(super) context: Context,
    pub(super) is_stream: bool,
    /// The content type of the answer: the request's own.
    pub(super) content_type: HeaderValue,
}

/// The whole answer to a call that there is no handler for.
pub(super) struct Refusal(pub(super) Response<()>);

impl Ask {
    /// Reads the head of a call.
    pub(super) fn new(parts: &Parts, router: &Router, gone: &CancellationToken) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        let content_type = headers.get(header::CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(""));
        let asked = content::asked(content_type.to_str().unwrap_or_default(), text(headers, "x-content-type"));
        let refuse = |code, context: &str| Refusal(trailers_only(&content_type, status::plain(code, context)));
        let payload = match asked {
            Asked::Grpc(payload) => payload,
            Asked::Unknown => {
                let named = content_type.to_str().unwrap_or_default();
                return Err(refuse(code::INTERNAL, &format!("Unsupported Content-Type: {named}")));
            }
            Asked::Foreign => return Err(foreign()),
        };
        let path = parts.uri.path();
        let Some((name, method)) = path::target(path) else {
            return Err(refuse(code::UNIMPLEMENTED, &format!("malformed method name: {path:?}")));
        };
        let endpoint = format!("{name}.{method}");
        let Ok(is_stream) = router.is_stream(&endpoint) else {
            let unknown = if router.has_struct(name) { &endpoint } else { name };
            return Err(refuse(code::UNIMPLEMENTED, &format!("unknown service {unknown}")));
        };
        let limit = timeout::decode(Some(text(headers, "timeout")), Some(text(headers, "grpc-timeout")));
        let context = Context {
            endpoint,
            content_type: payload.plain().to_owned(),
            metadata: metadata(headers),
            deadline: limit.and_then(|limit| Instant::now().checked_add(limit)),
            stop: gone.child_token(),
        };
        Ok(Self { context, is_stream, content_type })
    }
}

/// The head of an answer that has a body.
pub(super) fn head(content_type: &HeaderValue) -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
    response
}

/// An answer that ends with its head.
pub(super) fn trailers_only(content_type: &HeaderValue, end: HeaderMap) -> Response<()> {
    let mut response = head(content_type);
    response.headers_mut().extend(end);
    response
}

/// What a request gets that is no gRPC.
fn foreign() -> Refusal {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Refusal(response)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The headers as handlers see them; what is not UTF-8, and what is the protocol's own, is left out.
fn metadata(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = headers.iter().filter(|(name, _)| !name.as_str().starts_with("grpc-") && *name != header::TE);
    shown
        .filter_map(|(name, value)| {
            let value = std::str::from_utf8(value.as_bytes()).ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        })
        .collect()
}
