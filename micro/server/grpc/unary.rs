//! A unary call: one message in, one out.

use super::ask::{Ask, head, trailers_only};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::frame::{Frame, Reader};
use crate::grpc::status::{self, code};
use crate::server::port::Shared;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a request may take to come, if its caller does not wait less.
const BODY: Duration = Duration::from_secs(120);

/// Runs a call to its answer.
pub(super) async fn run(ask: Ask, mut body: RecvStream, mut respond: SendResponse<Frame>, shared: &Shared) {
    let Ask { context, content_type, .. } = ask;
    let stop = context.stop.clone();
    let limit = context.deadline.map_or(BODY, |deadline| deadline.saturating_duration_since(Instant::now()).min(BODY));
    let Ok(message) = timeout(limit, first(&mut body, shared.options.max_message)).await else {
        stop.cancel();
        let text = "the request did not come in time";
        return refuse(respond, &content_type, status::plain(code::DEADLINE_EXCEEDED, text));
    };
    let message = match message {
        Some(Ok(message)) => message,
        Some(Err(error)) => {
            let code = if error.kind() == ErrorKind::TooLarge { code::RESOURCE_EXHAUSTED } else { code::INTERNAL };
            return refuse(respond, &content_type, status::plain(code, error.context()));
        }
        None => return stop.cancel(),
    };
    match while_awaited(shared.router.call(context, message), &mut respond).await {
        Some(Ok(answer)) => send(respond, &content_type, answer),
        Some(Err(error)) => refuse(respond, &content_type, status::failed(&error, &shared.options.name)),
        None => stop.cancel(),
    }
}

/// The first message of a body; `None`: the client is gone.
async fn first(body: &mut RecvStream, max: usize) -> Option<Result<Bytes>> {
    let mut reader = Reader::new(max);
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        body.flow_control().release_capacity(piece.len()).ok()?;
        reader.push(piece);
        if let Some(message) = reader.next().transpose() {
            return Some(message);
        }
    }
    Some(Err(Error::new(ErrorKind::Malformed, "the request has no whole message")))
}

/// Runs a handler while the client waits; `None`: it does not any more.
async fn while_awaited<T>(handler: impl Future<Output = T>, respond: &mut SendResponse<Frame>) -> Option<T> {
    let mut handler = pin!(handler);
    poll_fn(|cx| match handler.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => respond.poll_reset(cx).map(|_| None),
    })
    .await
}

// A client that went meanwhile misses nothing, so errors of sending are none.

fn send(mut respond: SendResponse<Frame>, content_type: &HeaderValue, answer: Bytes) {
    let frame = match Frame::new(answer) {
        Ok(frame) => frame,
        Err(error) => return refuse(respond, content_type, status::plain(code::INTERNAL, error.context())),
    };
    if let Ok(mut stream) = respond.send_response(head(content_type), false) {
        let _ = stream.send_data(frame, false);
        let _ = stream.send_trailers(status::ok());
    }
}

fn refuse(mut respond: SendResponse<Frame>, content_type: &HeaderValue, end: HeaderMap) {
    let _ = respond.send_response(trailers_only(content_type, end), true);
}
