//! A gRPC stream as the client's socket.

use super::connection::{Begun, Lease};
use super::reply::{self, Fault, Read};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::frame::{Frame, Reader};
use crate::grpc::status;
use crate::header::Header;
use crate::transport::{Packet, RecvHalf, SendHalf, Socket};
use async_trait::async_trait;
use bytes::{Buf, Bytes};
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use std::future::poll_fn;
use std::sync::Arc;

/// The two halves of a stream that was begun. The address goes in front of errors.
pub(super) fn socket((response, stream): Begun, lease: Lease, address: &str, max: usize) -> Socket {
    let place = Arc::new(Place { lease, address: address.to_owned() });
    let sender = Sender { stream, place: place.clone(), finished: false };
    let receiver = Receiver { state: State::Waiting(response), reader: Reader::new(max), place };
    (Box::new(sender), Box::new(receiver))
}

struct Place {
    lease: Lease,
    address: String,
}

impl Place {
    fn failed(&self, fault: Fault) -> Error {
        match fault {
            Fault::Http(error) => self.lease.failed(error).at(&self.address),
            Fault::Answer(error) if error.kind() == ErrorKind::Service => error,
            Fault::Answer(error) => error.at(&self.address),
        }
    }
}

struct Sender {
    stream: SendStream<Frame>,
    place: Arc<Place>,
    finished: bool,
}

impl Sender {
    fn ended(&self) -> Error {
        Error::new(ErrorKind::Unsure, "the node ended the stream").at(&self.place.address)
    }

    /// Waits until the peer's window and our buffer take more. What is buffered is at most one message beyond them.
    async fn room(&mut self, wanted: usize) -> Result<()> {
        self.stream.reserve_capacity(wanted);
        while self.stream.capacity() == 0 {
            match poll_fn(|cx| self.stream.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.place.failed(error.into())),
                None => return Err(self.ended()),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl SendHalf for Sender {
    async fn send(&mut self, packet: Packet) -> Result<()> {
        if self.finished {
            return Err(Error::new(ErrorKind::Invalid, "this side of the stream is finished"));
        }
        let frame = Frame::new(packet.body)?;
        self.room(frame.remaining()).await?;
        self.stream.send_data(frame, false).map_err(|_| self.ended())
    }

    async fn finish(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.stream.send_data(Frame::none(), true).map_err(|_| self.ended())
    }
}

enum State {
    Waiting(ResponseFuture),
    Open(RecvStream),
    Ended,
}

struct Receiver {
    state: State,
    reader: Reader,
    place: Arc<Place>,
}

impl Receiver {
    async fn next(&mut self) -> Read<Option<Bytes>> {
        loop {
            match &mut self.state {
                State::Waiting(response) => {
                    let (parts, body) = response.await?.into_parts();
                    let ended = body.is_end_stream();
                    self.state = State::Open(body);
                    if ended && status::is_eof(&parts.headers) {
                        return Ok(None);
                    }
                    reply::head(&parts, ended)?;
                    if ended {
                        return Ok(None);
                    }
                }
                State::Open(body) => {
                    if let Some(message) = reply::message(body, &mut self.reader).await? {
                        return Ok(Some(message));
                    }
                    let trailers = body.trailers().await?;
                    if !trailers.as_ref().is_some_and(status::is_eof) {
                        reply::end(trailers.as_ref())?;
                    }
                    return Ok(None);
                }
                State::Ended => return Ok(None),
            }
        }
    }
}

#[async_trait]
impl RecvHalf for Receiver {
    async fn recv(&mut self) -> Result<Option<Packet>> {
        let next = self.next().await;
        if !matches!(next, Ok(Some(_))) {
            self.state = State::Ended;
        }
        let body = next.map_err(|fault| self.place.failed(fault))?;
        Ok(body.map(|body| Packet { header: Header::default(), body }))
    }
}
