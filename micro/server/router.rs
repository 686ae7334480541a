//! Which handler answers an endpoint, and what every protocol does with it: count, limit in time, survive a panic.

use crate::error::{Error, ErrorKind, Result, Status};
use crate::registry::service::Endpoint;
use crate::server::debug::Stats;
use crate::server::{Context, Handler};
use crate::transport::Socket;
use bytes::Bytes;
use futures_util::FutureExt;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

/// The handlers by endpoint.
///
/// Every error that comes out of it has a [`Status`]: the handler's own, code 500 for what is no service error, 408 for a
/// deadline passed. An endpoint that is not there is of kind `NotFound` with Go's bare text (code 0).
pub(crate) struct Router {
    service: String,
    routes: BTreeMap<String, (Endpoint, Arc<dyn Handler>)>,
    stats: Arc<Stats>,
}

/// The longest detail of an error, in bytes: clients limit headers, in which it travels, to 16 KiB and more.
const DETAIL: usize = 4 << 10;

impl Router {
    /// The routes of a service. Of two handlers for one endpoint the first stays.
    pub(crate) fn new(
        service: impl Into<String>,
        routes: impl IntoIterator<Item = (Endpoint, Arc<dyn Handler>)>,
        stats: Arc<Stats>,
    ) -> Self {
        let mut table = BTreeMap::new();
        for route in routes {
            table.entry(route.0.name.clone()).or_insert(route);
        }
        Self { service: service.into(), routes: table, stats }
    }

    /// Whether the endpoint is a stream; an unknown one is an error in Go's words (WIRE §2.3).
    pub(crate) fn is_stream(&self, endpoint: &str) -> Result<bool> {
        self.route(endpoint).map(|(endpoint, _)| endpoint.is_stream())
    }

    /// Whether any endpoint is `name.<Method>`.
    pub(crate) fn has_struct(&self, name: &str) -> bool {
        let mut from = self.routes.range(format!("{name}.")..);
        from.next().is_some_and(|(route, _)| route.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Runs a unary handler; one that panics gives code 500, one that outlives the deadline is dropped and gives 408.
    pub(crate) async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        let (endpoint, handler) = self.counted(&context.endpoint)?;
        let deadline = context.deadline;
        self.guard(&endpoint.name, deadline, handler.call(context, body)).await
    }

    /// Runs a stream's handler; one that panics gives code 500. The deadline is told to the handler and not enforced: go-micro
    /// until v2.4.0 sends the time limit of a unary call along with every stream (WIRE §2.2).
    pub(crate) async fn stream(&self, context: Context, socket: Socket) -> Result<()> {
        let (endpoint, handler) = self.counted(&context.endpoint)?;
        self.guard(&endpoint.name, None, handler.stream(context, socket)).await
    }

    async fn guard<T>(
        &self,
        endpoint: &str,
        deadline: Option<Instant>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let work = AssertUnwindSafe(work).catch_unwind();
        let done = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), work).await,
            None => Ok(work.await),
        };
        let outcome = match done {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(error))) => self.owned(error),
            Ok(Err(panic)) => self.panicked(endpoint, panic.as_ref()),
            Err(_) => {
                let status = Status::new(&self.service, 408, format!("{endpoint} took longer than its caller waits"));
                Error::new(ErrorKind::Timeout, status.detail.clone()).with_status(status)
            }
        };
        self.stats.failed();
        Err(outcome)
    }

    /// What the caller gets of an error: signed if it has a code, of code 500 if it has no status, and no longer than a
    /// header can carry.
    pub(crate) fn owned(&self, error: Error) -> Error {
        let Some(status) = error.status() else {
            let status = Status::new(&self.service, 500, cut(error.context()));
            return error.with_status(status);
        };
        let unsigned = status.code != 0 && status.id.is_empty();
        if !unsigned && status.detail.len() <= DETAIL {
            return error;
        }
        let id = if unsigned { self.service.clone() } else { status.id.clone() };
        let status = Status { id, detail: cut(&status.detail).to_owned(), ..status.clone() };
        error.with_status(status)
    }

    fn panicked(&self, endpoint: &str, panic: &(dyn Any + Send)) -> Error {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(endpoint, panic = text.unwrap_or("no text"), "handler panicked");
        Error::service(Status::new(&self.service, 500, format!("the handler of {endpoint} panicked")))
    }

    fn counted(&self, endpoint: &str) -> Result<&(Endpoint, Arc<dyn Handler>)> {
        self.stats.asked();
        self.route(endpoint).inspect_err(|_| self.stats.failed())
    }

    fn route(&self, endpoint: &str) -> Result<&(Endpoint, Arc<dyn Handler>)> {
        self.routes.get(endpoint).ok_or_else(|| self.unknown(endpoint))
    }

    fn unknown(&self, endpoint: &str) -> Error {
        let detail = match endpoint.split_once('.') {
            Some((service, method)) if !method.contains('.') => {
                if self.has_struct(service) {
                    format!("rpc: can't find method {method}")
                } else {
                    format!("rpc: can't find service {service}")
                }
            }
            _ => format!("rpc: service/endpoint request ill-formed: {endpoint}"),
        };
        Error::new(ErrorKind::NotFound, detail.clone()).with_status(Status { detail, ..Status::default() })
    }
}

/// The beginning of a text, at most [`DETAIL`] bytes.
fn cut(text: &str) -> &str {
    let end = (0..=DETAIL.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::handler::json;
    use std::fmt::Write;
    use std::time::Duration;
    use tokio_util::sync::CancellationToken;

    fn router() -> Router {
        let endpoint = |name: &str| Endpoint { name: name.to_owned(), ..Endpoint::default() };
        let routes: [(Endpoint, Arc<dyn Handler>); 5] = [
            (endpoint("Say.Hello"), Arc::new(json(async |_, name: String| Ok(format!("Hello {name}"))))),
            (endpoint("Say.Panic"), Arc::new(json(async |_, (): ()| -> Result<()> { panic!("at the disco") }))),
            (
                endpoint("Say.Plain"),
                Arc::new(json(async |_, (): ()| -> Result<()> { Err(Error::new(ErrorKind::Invalid, "no name")) })),
            ),
            (
                endpoint("Say.Fail"),
                Arc::new(json(async |_, (): ()| -> Result<()> {
                    Err(Error::service(Status::new("", 400, "no name")))
                })),
            ),
            (endpoint("Say.Slow"), Arc::new(json(async |_, (): ()| -> Result<()> { std::future::pending().await }))),
        ];
        Router::new("go.micro.srv.greeter", routes, Arc::default())
    }

    async fn ask(endpoint: &str, body: &'static str) -> std::result::Result<String, String> {
        let context = Context {
            endpoint: endpoint.to_owned(),
            content_type: "application/json".to_owned(),
            metadata: Vec::new(),
            deadline: Some(Instant::now() + Duration::from_secs(5)),
            stop: CancellationToken::new(),
        };
        match router().call(context, Bytes::from_static(body.as_bytes())).await {
            Ok(body) => Ok(String::from_utf8(body.into()).unwrap()),
            Err(error) => Err(error.status().expect("a status").to_text()),
        }
    }

    #[test]
    fn an_error_fits_into_a_header() {
        let long = "é".repeat(5_000);
        let plain = Error::service(Status { detail: long.clone(), ..Status::default() });
        let coded = Error::service(Status::new("", 400, long.as_str()));
        for error in [plain, coded, Error::new(ErrorKind::Invalid, long)] {
            let status = router().owned(error).status().cloned().unwrap();
            assert_eq!(status.detail.len(), 4096);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_failure_is_said_as_go_says_it() {
        let mut said = String::new();
        for (endpoint, body) in [
            ("Say.Hello", "\"John\""),
            ("Say.Hello", "{"),
            ("Say.Nope", "{}"),
            ("Nope.Hello", "{}"),
            ("Hello", "{}"),
            ("a.b.c", "{}"),
            ("", "{}"),
            ("Say.Panic", "null"),
            ("Say.Plain", "null"),
            ("Say.Fail", "null"),
            ("Say.Slow", "null"),
        ] {
            let answer = ask(endpoint, body).await.unwrap_or_else(|error| format!("ERR {error}"));
            writeln!(said, "{endpoint} {body} -> {answer}").unwrap();
        }
        insta::assert_snapshot!(said, @r#"
        Say.Hello "John" -> "Hello John"
        Say.Hello { -> ERR {"id":"go.micro.srv.greeter","code":400,"detail":"the request cannot be read: invalid type: map, expected a string at line 1 column 0","status":"Bad Request"}
        Say.Nope {} -> ERR rpc: can't find method Nope
        Nope.Hello {} -> ERR rpc: can't find service Nope
        Hello {} -> ERR rpc: service/endpoint request ill-formed: Hello
        a.b.c {} -> ERR rpc: service/endpoint request ill-formed: a.b.c
         {} -> ERR rpc: service/endpoint request ill-formed: 
        Say.Panic null -> ERR {"id":"go.micro.srv.greeter","code":500,"detail":"the handler of Say.Panic panicked","status":"Internal Server Error"}
        Say.Plain null -> ERR {"id":"go.micro.srv.greeter","code":500,"detail":"no name","status":"Internal Server Error"}
        Say.Fail null -> ERR {"id":"go.micro.srv.greeter","code":400,"detail":"no name","status":"Bad Request"}
        Say.Slow null -> ERR {"id":"go.micro.srv.greeter","code":408,"detail":"Say.Slow took longer than its caller waits","status":"Request Timeout"}
        "#);
    }
}
