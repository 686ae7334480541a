//! A stream over mucp: messages both ways, not paired, on a connection that it has for itself while it lasts (WIRE §2.7).

use crate::error::{Error, ErrorKind, Result};
use crate::header::Header;
use crate::server::Context;
use crate::server::mucp::line::{self, Input};
use crate::server::mucp::reply::{Form, text};
use crate::server::mucp::request::{Part, part};
use crate::server::port::Shared;
use crate::transport::{Packet, RecvHalf, SendHalf};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many messages wait between handler and connection, each way.
const QUEUE: usize = 4;

/// What becomes of the connection after a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It may carry other requests; the client ended the stream too.
    Keep,
    /// It may carry other requests, after what the client still sends for this stream.
    Late,
    /// It is to be closed.
    Close,
}

/// Runs a stream's handler until it returns, and says so to the client. The opening message's body is discarded, as Go
/// servers do.
pub(super) async fn run(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    input: &mut Input,
    shared: &Shared,
    form: &Arc<Form<'static>>,
    context: Context,
) -> After {
    let (from_client, incoming) = mpsc::channel(QUEUE);
    let (outgoing, to_client) = mpsc::channel(QUEUE);
    let sender = Sender { form: Arc::clone(form), outgoing: Some(outgoing) };
    let socket = (Box::new(sender) as Box<dyn SendHalf>, Box::new(Receiver { incoming }) as Box<dyn RecvHalf>);

    let stop = context.stop.clone();
    let over = CancellationToken::new();
    let mut pulled = Pulled::Open;
    let (mut reading, mut writing) = tokio::io::split(io);
    let handler = async {
        let outcome = shared.router.stream(context, socket).await;
        over.cancel();
        outcome
    };
    let done = {
        let work = async { tokio::join!(handler, push(&mut writing, to_client, &over, &stop)) };
        let watch = async {
            let pulled = pull(&mut reading, input, form, from_client, &mut pulled).await;
            stop.cancel();
            if pulled == Pulled::Foreign {
                return;
            }
            // A client that is gone, or broke the framing, may still hear what the handler has to say.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            (outcome, sent) = work => sent.then_some(outcome),
            () = watch => None,
        }
    };
    // A client that went on to something else would take the end of this for the answer to that; and after half a message
    // nothing can follow.
    let Some(outcome) = done else { return After::Close };

    let close = form.stream.is_none() || pulled == Pulled::Gone || shared.drain.is_cancelled();
    let mut out = Vec::new();
    match outcome {
        Ok(()) => form.eos(close, &mut out),
        Err(error) => form.error(&text(&error), close, &mut out),
    }
    match line::write(&mut writing, &out).await {
        Ok(()) if close => After::Close,
        Ok(()) if pulled == Pulled::Eos => After::Keep,
        Ok(()) => After::Late,
        Err(_) => After::Close,
    }
}

/// What the client of a stream did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pulled {
    /// It may send more.
    Open,
    /// It said that it will send no more.
    Eos,
    /// It closed, or sent what cannot be read.
    Gone,
    /// It went on to another request.
    Foreign,
}

/// Hands the client's messages to the handler. Returns when nothing more can come; `state` says what was so far.
async fn pull(
    io: &mut (impl AsyncRead + Unpin),
    input: &mut Input,
    form: &Form<'_>,
    handler: mpsc::Sender<Result<Bytes>>,
    state: &mut Pulled,
) -> Pulled {
    let mut handler = Some(handler);
    loop {
        let payload = match input.message(io, None).await {
            Ok(message) => match part(&message, form) {
                Part::Payload(payload) => payload,
                Part::Eos => {
                    handler = None;
                    *state = Pulled::Eos;
                    continue;
                }
                Part::Foreign => {
                    *state = Pulled::Foreign;
                    return *state;
                }
            },
            Err(end) => {
                *state = Pulled::Gone;
                if let (Some(handler), Some(error)) = (handler, end.into_error()) {
                    // A handler that listens no more has no use for it.
                    let _ = handler.send(Err(error)).await;
                }
                return *state;
            }
        };
        if let Some(sender) = &handler
            && sender.send(payload).await.is_err()
        {
            handler = None;
        }
    }
}

/// Writes the handler's messages until it has returned and the queue is empty; false if the client could not be reached,
/// which stops the handler.
async fn push(
    io: &mut (impl AsyncWrite + Unpin),
    mut queue: mpsc::Receiver<Vec<u8>>,
    over: &CancellationToken,
    stop: &CancellationToken,
) -> bool {
    loop {
        let message = tokio::select! {
            biased;
            message = queue.recv() => message,
            () = over.cancelled(), if !queue.is_closed() => {
                // A sender that outlives its handler is cut off.
                queue.close();
                continue;
            }
        };
        let Some(message) = message else { return true };
        if line::write(io, &message).await.is_err() {
            stop.cancel();
            return false;
        }
    }
}

/// The handler's half that sends.
struct Sender {
    form: Arc<Form<'static>>,
    outgoing: Option<mpsc::Sender<Vec<u8>>>,
}

#[async_trait]
impl SendHalf for Sender {
    async fn send(&mut self, packet: Packet) -> Result<()> {
        let Some(outgoing) = &self.outgoing else {
            return Err(Error::new(ErrorKind::Invalid, "sent after the end of the stream"));
        };
        let mut out = Vec::new();
        self.form.answer(&packet.body, false, &mut out)?;
        outgoing.send(out).await.map_err(|_| Error::new(ErrorKind::Cancelled, "the caller is gone"))
    }

    /// The client hears of the end when the handler returns, with its error if there is one.
    async fn finish(&mut self) -> Result<()> {
        self.outgoing = None;
        Ok(())
    }
}

/// The handler's half that receives.
struct Receiver {
    incoming: mpsc::Receiver<Result<Bytes>>,
}

#[async_trait]
impl RecvHalf for Receiver {
    async fn recv(&mut self) -> Result<Option<Packet>> {
        let body = self.incoming.recv().await.transpose()?;
        Ok(body.map(|body| Packet { header: Header::default(), body }))
    }
}
