//! A stream as the handler's socket.

use super::ask::{Ask, head, trailers_only};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::frame::{Frame, Reader};
use crate::grpc::status;
use crate::header::Header;
use crate::server::port::Shared;
use crate::transport::{Packet, RecvHalf, SendHalf};
use async_trait::async_trait;
use bytes::Buf;
use futures_util::task::AtomicWaker;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Runs a stream to its end.
pub(super) async fn run(ask: Ask, body: RecvStream, respond: SendResponse<Frame>, shared: &Shared) {
    let Ask { context, content_type, .. } = ask;
    let stop = context.stop.clone();
    let out = Arc::new(Out { state: Mutex::new(State::Head(respond)), content_type, wakers: Arc::default() });
    let sender = Sender { out: out.clone(), finished: false };
    let receiver = Receiver { body, reader: Reader::new(shared.options.max_message), ended: false };
    let mut handler = pin!(shared.router.stream(context, (Box::new(sender), Box::new(receiver))));
    let end = poll_fn(|cx| match handler.as_mut().poll(cx) {
        Poll::Ready(end) => Poll::Ready(Some(end)),
        Poll::Pending => out.poll_reset(cx).map(|()| None),
    });
    match end.await {
        Some(Ok(())) => out.end(status::ok()),
        Some(Err(error)) => out.end(status::failed(&error, &shared.options.name)),
        None => {
            *out.state() = State::Ended;
            stop.cancel();
        }
    }
}

/// The outgoing side: the handler sends on it, we end it.
struct Out {
    state: Mutex<State>,
    content_type: HeaderValue,
    wakers: Arc<Wakers>,
}

enum State {
    /// Nothing was sent yet.
    Head(SendResponse<Frame>),
    Body(SendStream<Frame>),
    Ended,
}

impl Out {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when the client is gone.
    fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.wakers.watcher.register(cx.waker());
        let waker = Waker::from(self.wakers.clone());
        let cx = &mut Context::from_waker(&waker);
        match &mut *self.state() {
            State::Head(respond) => respond.poll_reset(cx).map(|_| ()),
            State::Body(stream) => stream.poll_reset(cx).map(|_| ()),
            State::Ended => Poll::Pending,
        }
    }

    /// Waits for room for a frame, and for the head before the first one.
    fn poll_room(&self, wanted: usize, reserved: &mut bool, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.wakers.sender.register(cx.waker());
        let waker = Waker::from(self.wakers.clone());
        let cx = &mut Context::from_waker(&waker);
        let mut state = self.state();
        if let State::Head(respond) = &mut *state {
            let Ok(stream) = respond.send_response(head(&self.content_type), false) else {
                return Poll::Ready(Err(gone()));
            };
            *state = State::Body(stream);
        }
        let State::Body(stream) = &mut *state else { return Poll::Ready(Err(gone())) };
        if !std::mem::replace(reserved, true) {
            stream.reserve_capacity(wanted);
        }
        while stream.capacity() == 0 {
            match stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(Err(gone())),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn send(&self, frame: Frame) -> Result<()> {
        match &mut *self.state() {
            State::Body(stream) => stream.send_data(frame, false).map_err(|error| gone().because(error)),
            _ => Err(gone()),
        }
    }

    /// Ends the stream. A client that went meanwhile misses nothing.
    fn end(&self, end: HeaderMap) {
        match std::mem::replace(&mut *self.state(), State::Ended) {
            State::Head(mut respond) => {
                let _ = respond.send_response(trailers_only(&self.content_type, end), true);
            }
            State::Body(mut stream) => {
                let _ = stream.send_trailers(end);
            }
            State::Ended => {}
        }
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Cancelled, "the caller has left the stream")
}

/// h2 knows one waker for "room" and "reset"; the sender may wait in another task than the one that watches.
#[derive(Default)]
struct Wakers {
    watcher: AtomicWaker,
    sender: AtomicWaker,
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.watcher.wake();
        self.sender.wake();
    }
}

struct Sender {
    out: Arc<Out>,
    finished: bool,
}

#[async_trait]
impl SendHalf for Sender {
    async fn send(&mut self, packet: Packet) -> Result<()> {
        if self.finished {
            return Err(Error::new(ErrorKind::Invalid, "this side of the stream is finished"));
        }
        let frame = Frame::new(packet.body)?;
        let (wanted, mut reserved) = (frame.remaining(), false);
        poll_fn(|cx| self.out.poll_room(wanted, &mut reserved, cx)).await?;
        self.out.send(frame)
    }

    /// The stream itself ends with the handler, which may still fail.
    async fn finish(&mut self) -> Result<()> {
        self.finished = true;
        Ok(())
    }
}

struct Receiver {
    body: RecvStream,
    reader: Reader,
    ended: bool,
}

#[async_trait]
impl RecvHalf for Receiver {
    async fn recv(&mut self) -> Result<Option<Packet>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            match self.reader.next() {
                Ok(Some(body)) => return Ok(Some(Packet { header: Header::default(), body })),
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
            match self.body.data().await {
                Some(Ok(piece)) => {
                    let _ = self.body.flow_control().release_capacity(piece.len());
                    self.reader.push(piece);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(gone().because(error));
                }
                None => {
                    self.ended = true;
                    if !self.reader.is_empty() {
                        return Err(Error::new(ErrorKind::Malformed, "the stream ended within a message"));
                    }
                }
            }
        }
    }
}
