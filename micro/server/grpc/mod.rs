//! gRPC on a connection that `server/port.rs` recognised: accepts calls and runs them until the connection ends
//! (WIRE §4).
//!
//! The calls of a connection run within its own task: no task a call, and a connection that ends takes them with it.

mod ask;
mod gate;
mod stream;
mod unary;

use crate::grpc::MAX_HEADER;
use crate::grpc::frame::Frame;
use crate::server::port::Shared;
use ask::{Ask, Refusal};
use futures_util::stream::{FuturesUnordered, StreamExt};
use gate::Gate;
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The most calls of a connection at once; more wait at the client.
const MAX_STREAMS: u16 = 250;
/// How much a client may send ahead of the handler of a stream.
const STREAM_WINDOW: u32 = 64 << 10;
/// How much on a whole connection: enough for all streams, so that a slow handler does not stop the others.
const CONNECTION_WINDOW: u32 = MAX_STREAMS as u32 * STREAM_WINDOW;
/// How long a connection may be without a call.
const IDLE: Duration = Duration::from_secs(300);

/// Serves a connection from its first byte until the client goes, or until the calls that run at the drain have ended.
///
/// # Cancel safety
/// Dropping it closes the connection and drops the handlers.
pub(crate) async fn serve<T>(io: T, shared: &Shared)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(Ok(connection)) = timeout(shared.options.patience, builder().handshake(io)).await else { return };
    let gone = shared.stop.child_token();
    let _fires_at_the_end = gone.clone().drop_guard();
    run(connection, shared, &gone).await;
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER)
        .max_concurrent_streams(MAX_STREAMS.into())
        .max_pending_accept_reset_streams(MAX_STREAMS.into());
    builder
}

async fn run<T>(mut connection: Connection<T, Frame>, shared: &Shared, gone: &CancellationToken)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let gate = Gate::new();
    let mut calls = FuturesUnordered::new();
    let mut drain = pin!(shared.drain.cancelled());
    let mut idle = pin!(sleep(IDLE));
    let (mut closing, mut accepted) = (false, false);
    loop {
        // All calls that came are begun, all that are ready are run, and what they answer goes out in one write.
        let mut turn = |cx: &mut Context<'_>| {
            while let Poll::Ready(next) = connection.poll_accept(cx) {
                let Some(Ok((request, respond))) = next else { return Poll::Ready(next.and_then(Result::err)) };
                accepted = true;
                calls.push(answer(request, respond, shared, gone));
            }
            while let Poll::Ready(Some(())) = calls.poll_next_unpin(cx) {}
            Poll::Pending
        };
        tokio::select! {
            biased;
            () = &mut drain, if !closing => {
                closing = true;
                connection.graceful_shutdown();
            }
            ended = poll_fn(|cx| gate.poll(cx, &mut turn)) => {
                if let Some(error) = ended {
                    tracing::debug!(%error, "gRPC connection ended");
                }
                return;
            }
            () = &mut idle => {
                let unused = !std::mem::take(&mut accepted) && calls.is_empty();
                if unused && closing {
                    // All was answered long ago, and the client does not read it.
                    return;
                }
                if unused {
                    closing = true;
                    connection.graceful_shutdown();
                }
                idle.as_mut().reset(Instant::now() + IDLE);
            }
        }
    }
}

/// Answers one call. Whatever happens, the client gets an answer, unless it is gone.
async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Frame>,
    shared: &Shared,
    gone: &CancellationToken,
) {
    let (parts, body) = request.into_parts();
    match Ask::new(&parts, &shared.router, gone) {
        Ok(ask) if ask.is_stream => stream::run(ask, body, respond, shared).await,
        Ok(ask) => unary::run(ask, body, respond, shared).await,
        Err(Refusal(head)) => {
            let _ = respond.send_response(head, true);
        }
    }
}
