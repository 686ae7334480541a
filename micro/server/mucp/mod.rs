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
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
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

/// A buffer that a large reply has stretched is given back.
const KEPT: usize = 64 << 10;

impl Connection {
    async fn run(&mut self, io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
        let shared = Arc::clone(&self.shared);
        let draining = shared.drain.cancelled();
        tokio::pin!(draining);
        loop {
            let message = tokio::select! {
                biased;
                message = self.input.message(io, Some(line::IDLE)) => message,
                () = &mut draining, if self.input.is_silent() => return line::close(io).await,
            };
            let close = match message {
                Ok(message) => {
                    let close = message.close || shared.drain.is_cancelled();
                    self.answer(io, &message, close).await
                }
                Err(end) => self.refuse(end),
            };
            if line::write(io, &self.out).await.is_err() {
                return;
            }
            self.out.clear();
            self.out.shrink_to(KEPT);
            if close {
                return line::close(io).await;
            }
        }
    }

    /// Puts the reply to a message into `out`; says whether the connection closes then.
    async fn answer(&mut self, io: &mut (impl AsyncRead + AsyncWrite + Unpin), message: &Message, close: bool) -> bool {
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
        close
    }

    async fn call(
        &mut self,
        io: &mut (impl AsyncRead + AsyncWrite + Unpin),
        message: &Message,
        call: Call<'_>,
        close: bool,
    ) -> bool {
        let Call { form, payload, within } = call;
        let is_late = |(stream, endpoint): &(String, String)| {
            form.stream.as_deref() == Some(stream) && form.endpoint.as_ref() == endpoint
        };
        if self.late.as_ref().is_some_and(is_late) {
            return close;
        }
        let context = Context {
            endpoint: form.endpoint.as_ref().to_owned(),
            content_type: form.codec.payload().to_owned(),
            metadata: request::metadata(&message.header, &self.peer.local, &self.peer.remote),
            deadline: within.and_then(|within| Instant::now().checked_add(within)),
            stop: self.gone.clone(),
        };
        if self.shared.router.is_stream(&context.endpoint).unwrap_or(false) {
            let form = Arc::new(form.into_owned());
            let context = Context { stop: self.gone.child_token(), ..context };
            let after = stream::run(io, &mut self.input, &self.shared, &form, context).await;
            if after == After::Late {
                self.late = form.stream.as_deref().map(|stream| (stream.to_owned(), form.endpoint.to_string()));
            }
            return close || after == After::Close;
        }
        let answer = self.unary(io, context, payload).await;
        let answer = answer.and_then(|body| form.answer(&body, close, &mut self.out));
        if let Err(error) = answer {
            form.error(&reply::text(&self.shared.router.owned(error)), close, &mut self.out);
        }
        close
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
    fn refuse(&mut self, end: End) -> bool {
        let (status, error) = match end {
            End::Clean | End::Fault(Fault::Cut) => return true,
            End::Slow => (408, Error::new(ErrorKind::Timeout, "the request did not come in time")),
            End::Fault(fault @ Fault::HeadTooLarge) => (431, fault.into()),
            End::Fault(fault @ Fault::TooLarge { .. }) => (413, fault.into()),
            End::Fault(fault) => (400, fault.into()),
        };
        tracing::debug!(remote = self.peer.remote, %error, "a request was refused");
        reply::refusal(status, error.context(), &mut self.out);
        true
    }
}
