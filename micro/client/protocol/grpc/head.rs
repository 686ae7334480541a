//! The head of a call (WIRE §4.2).

use crate::client::request::Request;
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::content::Payload;
use crate::grpc::{path, timeout};
use crate::registry::service::Node;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use std::time::Duration;

const X_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-content-type");
const TIMEOUT: HeaderName = HeaderName::from_static("timeout");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const FROM: HeaderName = HeaderName::from_static("micro-from-service");

const AGENT: &str = concat!("micro/", env!("CARGO_PKG_VERSION"));

/// What a call's head is made of, checked before anybody is dialled.
pub(super) struct Head<'a> {
    path: PathAndQuery,
    content_type: &'static str,
    from: &'a str,
    metadata: &'a [(String, String)],
}

impl<'a> Head<'a> {
    /// Checks the names and the content type.
    ///
    /// # Errors
    /// `Invalid`.
    pub(super) fn new(node: &Node, request: &'a Request, from: &'a str) -> Result<Self> {
        let path = path::of(&request.service, &request.endpoint, &node.metadata)?;
        let payload = Payload::named(&request.content_type).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("gRPC carries JSON and protobuf, not {:?}", request.content_type))
        })?;
        Ok(Self { path, content_type: payload.content_type(), from, metadata: &request.metadata })
    }

    /// The request for a connection. Streams have no time limit: v1.x servers would end them with it (WIRE §18 S3).
    pub(super) fn request(&self, authority: &Authority, limit: Option<Duration>) -> Result<http::Request<()>> {
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(authority.clone());
        parts.path_and_query = Some(self.path.clone());
        let uri =
            Uri::from_parts(parts).map_err(|error| Error::new(ErrorKind::Invalid, "no such address").because(error))?;
        let mut request = http::Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers(limit);
        Ok(request)
    }

    fn headers(&self, limit: Option<Duration>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8 + self.metadata.len());
        let content_type = HeaderValue::from_static(self.content_type);
        headers.insert(header::CONTENT_TYPE, content_type.clone());
        headers.insert(X_CONTENT_TYPE, content_type);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(limit) = limit {
            let (nanos, units) = timeout::encode(limit);
            headers.insert(TIMEOUT, HeaderValue::from(nanos));
            headers.extend(HeaderValue::try_from(units).ok().map(|units| (GRPC_TIMEOUT, units)));
        }
        if !self.from.is_empty() {
            headers.extend(HeaderValue::from_str(self.from).ok().map(|from| (FROM, from)));
        }
        for (name, value) in self.metadata {
            let name = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| self.is_free(name));
            let value = HeaderValue::from_bytes(value.as_bytes()).ok();
            if let Some((name, value)) = name.zip(value) {
                headers.append(name, value);
            }
        }
        headers
    }

    /// Whether metadata may use a name: not those that we write, and not those that HTTP/2 forbids.
    fn is_free(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        let ours = matches!(name, "content-type" | "x-content-type" | "te" | "user-agent" | "timeout" | "host")
            || name.starts_with("grpc-")
            || (name == FROM.as_str() && !self.from.is_empty());
        let hop = matches!(
            name,
            "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" | "content-length"
        );
        !ours && !hop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(request: &Request, from: &str, limit: Option<Duration>) -> String {
        let node = Node::default();
        let head = Head::new(&node, request, from).unwrap();
        let request = head.request(&Authority::from_static("10.0.0.5:8080"), limit).unwrap();
        let lines = request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")));
        format!("{}\n{}", request.uri(), lines.collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn a_head_has_what_every_generation_needs() {
        let mut request = Request::json("go.micro.srv.greeter", "Say.Hello", "{}");
        request.metadata = vec![("X-Custom".to_owned(), "abc".to_owned())];
        insta::assert_snapshot!(shown(&request, "go.micro.bot", Some(Duration::from_secs(3))), @"
        http://10.0.0.5:8080/go.micro.srv.greeter.Say/Hello
        content-type: application/grpc+json
        x-content-type: application/grpc+json
        te: trailers
        user-agent: micro/0.1.0
        timeout: 3000000000
        grpc-timeout: 3000m
        micro-from-service: go.micro.bot
        x-custom: abc
        ");
    }

    #[test]
    fn metadata_cannot_override_what_is_ours_nor_break_the_head() {
        let mut request = Request::protobuf("a", "Say.Hello", "");
        request.metadata = [
            ("Content-Type", "text/html"),
            ("TE", "x"),
            ("grpc-status", "0"),
            ("Connection", "close"),
            (":path", "/x"),
            ("a b", "c"),
            ("ok", "one\r\ntwo"),
            ("Micro-From-Service", "other"),
            ("timeout", "1"),
            ("Fine", "é"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        insta::assert_snapshot!(shown(&request, "me", None), @"
        http://10.0.0.5:8080/a.Say/Hello
        content-type: application/grpc+proto
        x-content-type: application/grpc+proto
        te: trailers
        user-agent: micro/0.1.0
        micro-from-service: me
        fine: ?
        ");
    }

    #[test]
    fn a_content_type_that_grpc_cannot_carry_is_refused() {
        let request = Request { content_type: "text/plain".to_owned(), ..Request::json("a", "Say.Hello", "") };
        let error = Head::new(&Node::default(), &request, "").err().unwrap();
        insta::assert_snapshot!(error, @r#"gRPC carries JSON and protobuf, not "text/plain""#);
    }
}
