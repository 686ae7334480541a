//! A call: one deadline over all tries, a shorter one for each, and the next node where the same request may be sent
//! again (DESIGN §5).

use crate::client::protocol::Protocol;
use crate::client::request::{Answer, Request, Response};
use crate::client::retry::may_repeat;
use crate::client::stream::Stream;
use crate::client::{Inner, LONGEST};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::Node;
use crate::selector::pick;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The time of a call.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Instant,
    /// All tries.
    within: Duration,
    /// One try.
    attempt: Duration,
}

/// One try: a call, or the opening of a stream.
type Try<T> = for<'a> fn(&'a dyn Protocol, &'a Arc<Node>, &'a Request, std::time::Instant) -> BoxFuture<'a, Result<T>>;

/// What the last try brought, and from whom.
struct Done<T> {
    brought: T,
    node: Arc<Node>,
    version: String,
    count: u32,
}

/// Calls the service, or the one node.
pub(super) async fn call(inner: &Inner, node: Option<&Arc<Node>>, request: &Request) -> Result<Response> {
    let clock = Clock::start(inner, request);
    let done = tries(inner, &clock, node, request, |way, node, request, until| way.call(node, request, until)).await?;
    let Done { brought: Answer { body, header }, node, version, count } = done;
    Ok(Response { body, header, node, version, took: clock.started.elapsed(), tries: count })
}

/// Opens a stream. Only the opening is timed and repeated.
pub(super) async fn open(inner: &Inner, request: &Request) -> Result<Stream> {
    let clock = Clock::start(inner, request);
    let done = tries(inner, &clock, None, request, |way, node, request, until| way.open(node, request, until)).await?;
    Ok(Stream { socket: done.brought, node: done.node, version: done.version })
}

async fn tries<T>(
    inner: &Inner,
    clock: &Clock,
    node: Option<&Arc<Node>>,
    request: &Request,
    one: Try<T>,
) -> Result<Done<T>> {
    let (mut tried, mut count) = (Vec::new(), 0);
    loop {
        let (node, version) = next(inner, clock, node, request, &tried).await?;
        count += 1;
        let until = clock.until();
        let attempt = async {
            let way = inner.dialect.of(&node, &request.service, until).await?;
            one(way, &node, request, until).await
        };
        let failed = match attempt.await {
            Ok(brought) => return Ok(Done { brought, node, version, count }),
            Err(error) => error,
        };
        inner.dialect.doubt(&node, &failed);
        if !clock.again(inner, request, &failed, count) {
            return Err(counted(failed, count));
        }
        tried.push(node);
    }
}

/// The node of the next try and the version it runs.
async fn next(
    inner: &Inner,
    clock: &Clock,
    node: Option<&Arc<Node>>,
    request: &Request,
    tried: &[Arc<Node>],
) -> Result<(Arc<Node>, String)> {
    if let Some(node) = node {
        return Ok((Arc::clone(node), String::new()));
    }
    let Ok(found) = timeout_at(clock.started + clock.within, inner.find(&request.service)).await else {
        let text = format!("the registry said nothing of {} within {:?}", request.service, clock.within);
        return Err(Error::new(ErrorKind::Unreachable, text));
    };
    let found = found?;
    let (node, version) = pick(&request.service, &found.services, &request.filter, &*inner.strategy, tried)?;
    Ok((Arc::clone(node), version.to_owned()))
}

impl Clock {
    fn start(inner: &Inner, request: &Request) -> Self {
        let options = &inner.options;
        let (within, attempt) = match request.within {
            Some(within) => (within.min(LONGEST), within.min(LONGEST)),
            None => (options.timeout, options.attempt.min(options.timeout)),
        };
        Self { started: Instant::now(), within, attempt }
    }

    /// When a try that starts now is over.
    fn until(&self) -> std::time::Instant {
        (Instant::now() + self.attempt).min(self.started + self.within).into_std()
    }

    fn again(&self, inner: &Inner, request: &Request, failed: &Error, count: u32) -> bool {
        count <= inner.options.retries && may_repeat(failed, request.idempotent) && self.started.elapsed() < self.within
    }
}

fn counted(error: Error, count: u32) -> Error {
    if count < 2 || error.kind() == ErrorKind::Service { error } else { error.at(format_args!("after {count} tries")) }
}
