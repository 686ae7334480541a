//! Handlers made of closures.

use crate::client::request::{JSON, PROTOBUF};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::server::{Context, Handler};
use crate::transport::Socket;
use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// A handler of a unary endpoint that speaks JSON alone: `json(|context, name: Name| async { Ok(greeting) })`. Callers that
/// come with protobuf get code 415.
///
/// go-micro v5.14 and later write camelCase names, and 64-bit numbers as strings, into JSON (WIRE §18 S9): the request's
/// type has to accept both forms where they differ: `#[serde(alias)]`, and [`protojson`](crate::codec::protojson).
pub fn json<Q, A, F, W>(answer: F) -> impl Handler
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Context, Q) -> W + Send + Sync + 'static,
    W: Future<Output = Result<A>> + Send + 'static,
{
    Unary { answer, decode: json_only::<Q>, encode: to_json::<A>, types: PhantomData::<fn(Q) -> (A, W)> }
}

/// A handler of a unary endpoint whose messages are both serde and prost types: it answers JSON with JSON and protobuf with
/// protobuf. The note at [`json`] holds for its JSON.
pub fn message<Q, A, F, W>(answer: F) -> impl Handler
where
    Q: DeserializeOwned + prost::Message + Default + Send + 'static,
    A: Serialize + prost::Message + Send + 'static,
    F: Fn(Context, Q) -> W + Send + Sync + 'static,
    W: Future<Output = Result<A>> + Send + 'static,
{
    Unary { answer, decode: decode::<Q>, encode: encode::<A>, types: PhantomData::<fn(Q) -> (A, W)> }
}

/// A handler of a stream: packets carry bare payloads, which [`decode`] and [`encode`] turn into messages.
pub fn stream<F, W>(serve: F) -> impl Handler
where
    F: Fn(Context, Socket) -> W + Send + Sync + 'static,
    W: Future<Output = Result<()>> + Send + 'static,
{
    Streamed { serve }
}

/// Reads a message as the content type says.
///
/// # Errors
/// `Service`, code 400: it is no such message.
pub fn decode<Q: DeserializeOwned + prost::Message + Default>(content_type: &str, body: &Bytes) -> Result<Q> {
    if content_type == PROTOBUF {
        return Q::decode(body.as_ref()).map_err(|error| bad_request(&error));
    }
    from_json(body)
}

/// Writes a message as the content type says.
///
/// # Errors
/// `Malformed`: serde refuses to write it.
pub fn encode<A: Serialize + prost::Message>(content_type: &str, message: &A) -> Result<Bytes> {
    if content_type == PROTOBUF { Ok(message.encode_to_vec().into()) } else { to_json(content_type, message) }
}

struct Unary<F, D, E, T> {
    answer: F,
    decode: D,
    encode: E,
    types: PhantomData<T>,
}

#[async_trait]
impl<Q, A, F, W, D, E> Handler for Unary<F, D, E, fn(Q) -> (A, W)>
where
    Q: Send + 'static,
    A: Send + 'static,
    F: Fn(Context, Q) -> W + Send + Sync + 'static,
    W: Future<Output = Result<A>> + Send + 'static,
    D: Fn(&str, &Bytes) -> Result<Q> + Send + Sync + 'static,
    E: Fn(&str, &A) -> Result<Bytes> + Send + Sync + 'static,
{
    async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        let request = (self.decode)(&context.content_type, &body)?;
        let content_type = context.content_type.clone();
        let answer = (self.answer)(context, request).await?;
        (self.encode)(&content_type, &answer)
    }
}

struct Streamed<F> {
    serve: F,
}

#[async_trait]
impl<F, W> Handler for Streamed<F>
where
    F: Fn(Context, Socket) -> W + Send + Sync + 'static,
    W: Future<Output = Result<()>> + Send + 'static,
{
    async fn call(&self, context: Context, _body: Bytes) -> Result<Bytes> {
        Err(Error::new(ErrorKind::Invalid, format!("{} is a stream", context.endpoint)))
    }

    async fn stream(&self, context: Context, socket: Socket) -> Result<()> {
        (self.serve)(context, socket).await
    }
}

fn json_only<Q: DeserializeOwned>(content_type: &str, body: &Bytes) -> Result<Q> {
    if content_type != JSON {
        return Err(Error::service(Status::new("", 415, format!("this endpoint speaks {JSON}, not {content_type}"))));
    }
    from_json(body)
}

fn from_json<Q: DeserializeOwned>(body: &Bytes) -> Result<Q> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| bad_request(&error))
}

fn to_json<A: Serialize>(_content_type: &str, answer: &A) -> Result<Bytes> {
    let body = serde_json::to_vec(answer)
        .map_err(|error| Error::new(ErrorKind::Malformed, "the answer cannot be written as JSON").because(error))?;
    Ok(body.into())
}

fn bad_request(error: &dyn std::error::Error) -> Error {
    Error::service(Status::new("", 400, format!("the request cannot be read: {error}")))
}
