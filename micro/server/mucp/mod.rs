//! mucp over HTTP/1.1, for the clients of every go-micro generation (WIRE §2, §13).
//!
//! The requests of a connection are answered one after the other, in their order, however many of them come at once.

mod line;
mod reply;
mod request;
mod stream;

use crate::error::{Error, ErrorKind, Status};
use crate::server::Context;
use crate::server::mucp::line::{End, Input};
use crate::server::mucp::request::{Asked, Call};
use crate::server::mucp::stream::After;
use crate::server::port::{Peer, Shared};
use crate::transport::http::{Fault, Message};
use bytes::Bytes;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Serves a connection until it closes.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(mut io: S, shared: Arc<Shared>, peer: Peer) {
    let mut connection = Connection {
        input: Input::new(&shared),
        out: Vec::new(),
        gone: shared.stop.child_token(),
        late: None,
        shared,
        peer,
    };
    connection.run(&mut io).await;
    connection.gone.cancel();
}

struct Connection {
    input: Input,
    /// What is being written; kept for its room.
    out: Vec<u8>,
    /// Fires when the client is gone.
    gone: CancellationToken,
    /// A stream that ended here, id and endpoint: what the client had already sent for it may still come.
    late: Option<(String, String)>,
    shared: Arc<Shared>,
    peer: Peer,
}

/// What becomes of the connection after a reply.
enum Next {
    /// It carries the next request.
    Keep,
    /// It closes.
    Close,
    /// It closes, and the client may still be sending: what it does not read in time must not cost it the reply.
    Linger,
}

impl Next {
    fn after(close: bool) -> Self {
        if close { Self::Close } else { Self::Keep }
    }
}

/// A buffer that a large reply has stretched is given back.
const KEPT: usize = 64 << 10;

impl Connection {
    async fn run(&mut self, io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
        let shared = Arc::clone(&self.shared);
        let (draining, mut drained) = (shared.drain.cancelled(), false);
        tokio::pin!(draining);
        loop {
            let message = tokio::select! {
                biased;
                message = self.input.message(io, Some(line::IDLE)) => message,
                () = &mut draining, if !drained => {
                    drained = true;
                    if self.input.is_silent() {
                        return;
                    }
                    continue;
                }
            };
            let next = match message {
                Ok(message) => self.answer(io, &message).await,
                Err(end) => self.refuse(end),
            };
            if line::write(io, &self.out).await.is_err() {
                return;
            }
            self.out.clear();
            self.out.shrink_to(KEPT);
            match next {
                Next::Keep => {}
                Next::Close => return,
                Next::Linger => return line::close(io).await,
            }
        }
    }

    /// Puts the reply to a message into `out`.
    async fn answer(&mut self, io: &mut (impl AsyncRead + AsyncWrite + Unpin), message: &Message) -> Next {
        let close = message.close || self.shared.drain.is_cancelled();
        match request::read(message) {
            Asked::Call(call) => return self.call(io, message, call, close).await,
            Asked::Event(form) => form.receipt(close, &mut self.out),
            Asked::Eos => self.late = None,
            Asked::Unsupported(content_type) => reply::unsupported(&content_type, close, &mut self.out),
            Asked::Malformed(form, error) => {
                let status = Status::new(&self.shared.options.name, 400, error.context());
                form.error(&status.to_text(), close, &mut self.out);
            }
        }
        Next::after(close)
    }

    async fn call(
        &mut self,
        io: &mut (impl AsyncRead + AsyncWrite + Unpin),
        message: &Message,
        call: Call<'_>,
        close: bool,
    ) -> Next {
        let Call { form, payload, within } = call;
        let is_late = |(stream, endpoint): &(String, String)| {
            form.stream.as_deref() == Some(stream) && form.endpoint.as_ref() == endpoint
        };
        if self.late.as_ref().is_some_and(is_late) {
            return Next::after(close);
        }
        let context = Context {
            endpoint: form.endpoint.as_ref().to_owned(),
            content_type: form.codec.payload().to_owned(),
            metadata: request::metadata(&message.header, &self.peer.local, &self.peer.remote),
            deadline: within.and_then(|within| Instant::now().into_std().checked_add(within)),
            stop: self.gone.clone(),
        };
        if self.shared.router.is_stream(&context.endpoint).unwrap_or(false) {
            let form = Arc::new(form.into_owned());
            let context = Context { stop: self.gone.child_token(), ..context };
            let after = stream::run(io, &mut self.input, &self.shared, &form, context).await;
            if after == After::Late {
                self.late = form.stream.as_deref().map(|stream| (stream.to_owned(), form.endpoint.to_string()));
            }
            return if close || after == After::Close { Next::Linger } else { Next::Keep };
        }
        let answer = self.unary(io, context, payload).await;
        let close = close || self.shared.drain.is_cancelled();
        let answer = answer.and_then(|body| form.answer(&body, close, &mut self.out));
        if let Err(error) = answer {
            form.error(&reply::text(&self.shared.router.owned(error)), close, &mut self.out);
        }
        Next::after(close)
    }

    /// Runs the handler, and looks whether the client is still there.
    async fn unary(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        context: Context,
        payload: Bytes,
    ) -> Result<Bytes, Error> {
        let shared = Arc::clone(&self.shared);
        let call = shared.router.call(context, payload);
        tokio::pin!(call);
        tokio::select! {
            biased;
            answer = &mut call => return answer,
            () = self.input.watch(io) => self.gone.cancel(),
        }
        // Only its sending side may be closed: the answer is still written.
        call.await
    }

    /// Answers what is no request; the connection closes after it.
    fn refuse(&mut self, end: End) -> Next {
        let (status, error) = match end {
            End::Clean | End::Fault(Fault::Cut) => return Next::Close,
            End::Slow => (408, Error::new(ErrorKind::Timeout, "the request did not come in time")),
            End::Fault(fault @ Fault::HeadTooLarge) => (431, fault.into()),
            End::Fault(fault @ Fault::TooLarge { .. }) => (413, fault.into()),
            End::Fault(fault) => (400, fault.into()),
        };
        tracing::debug!(remote = self.peer.remote, %error, "a request was refused");
        reply::refusal(status, error.context(), &mut self.out);
        Next::Linger
    }
}
