//! gRPC over h2c, without generated code: one HTTP/2 connection a node, shared by all calls (WIRE §4).

mod connection;
mod head;
mod pool;
mod reply;
mod socket;
mod tap;

use crate::client::Options;
use crate::client::protocol::{Protocol, now, unanswered};
use crate::client::request::{Answer, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::frame::Frame;
use crate::registry::service::Node;
use crate::transport::Socket;
use async_trait::async_trait;
use bytes::Bytes;
use connection::{Begun, Lease};
use head::Head;
use pool::Pool;
use reply::{Fault, Read};
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;
use tokio::time::{Sleep, sleep_until};

/// The protocol. Dropping it lets no call begin; connections end with their last call.
pub struct Grpc {
    options: Arc<Options>,
    pool: Pool,
}

impl Grpc {
    /// A client of gRPC nodes; connects when called.
    pub fn new(options: Arc<Options>) -> Self {
        let pool = Pool::new(options.clone());
        Self { options, pool }
    }

    /// Begins a call. A connection that turns out to be closing is replaced once: nothing was sent on it.
    async fn begin(&self, address: &str, head: &Head<'_>, until: Option<Instant>) -> Result<(Lease, Begun)> {
        let mut replaced = false;
        loop {
            let lease = self.pool.lease(address).await?;
            let limit = until.map(|until| until.saturating_duration_since(Instant::now()));
            match lease.begin(head.request(lease.authority(), limit)?) {
                Ok(begun) => return Ok((lease, begun)),
                Err(error) if replaced => return Err(error.at(address)),
                Err(_) => replaced = true,
            }
        }
    }
}

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpc").field("options", &self.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl Protocol for Grpc {
    async fn call(&self, node: &Arc<Node>, request: &Request, until: Instant) -> Result<Answer> {
        let address = node.address.as_str();
        let limit = until.saturating_duration_since(now());
        let head = Head::new(node, request, &self.options.name)?;
        let frame = Frame::new(request.body.clone())?;
        let mut timer = pin!(sleep_until(until.into()));
        let (lease, begun) = before(timer.as_mut(), self.begin(address, &head, Some(until)))
            .await
            .unwrap_or_else(|| Err(undialled(address)))?;
        let answered = before(timer, exchange(begun, frame, self.options.max_message)).await;
        match answered {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(Fault::Answer(error))) if error.status().is_some() => Err(error),
            Some(Err(Fault::Answer(error))) => Err(error.at(address)),
            Some(Err(Fault::Http(error))) => Err(lease.failed(error).at(address)),
            None => {
                lease.timed_out();
                Err(unanswered(limit).at(address))
            }
        }
    }

    async fn open(&self, node: &Arc<Node>, request: &Request, until: Instant) -> Result<Socket> {
        let address = node.address.as_str();
        let head = Head::new(node, request, &self.options.name)?;
        let first = request.body.clone();
        let frame = if first.is_empty() { None } else { Some(Frame::new(first)?) };
        let timer = pin!(sleep_until(until.into()));
        let (lease, mut begun) =
            before(timer, self.begin(address, &head, None)).await.unwrap_or_else(|| Err(undialled(address)))?;
        if let Some(frame) = frame {
            begun.1.send_data(frame, false).map_err(|error| lease.failed(error).at(address))?;
        }
        Ok(socket::socket(begun, lease, address, self.options.max_message))
    }
}

/// Sends the one message and reads the answer. What stops the sending shows in the answer, or in its lack.
async fn exchange((response, mut stream): Begun, frame: Frame, max: usize) -> Read<Answer> {
    let _ = stream.send_data(frame, true);
    let (parts, body) = response.await?.into_parts();
    let body: Bytes = reply::unary(&parts, body, max).await?;
    Ok(Answer { body, header: reply::header(&parts.headers) })
}

/// A future's output, unless the timer fires first. The timer is not set up for what is there at once.
async fn before<T>(mut timer: Pin<&mut Sleep>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    tokio::select! {
        biased;
        output = &mut future => Some(output),
        () = timer.as_mut() => None,
    }
}

fn undialled(address: &str) -> Error {
    Error::new(ErrorKind::Unreachable, format!("{address}: nobody answers the dial in time"))
}
