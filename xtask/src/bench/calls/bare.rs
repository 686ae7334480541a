//! The bare loops: the least that has to be done for a call.

use super::ours::{BODY, SERVICE};
use super::{Caller, Make};
use crate::bench::peer::{FRAME, HELLO};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use h2::client::SendRequest;
use http::{HeaderValue, Method, Request, Version};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Dials, writes the same bytes, reads as many as the answer has, resets.
struct Dialling {
    address: String,
    bytes: Arc<[u8]>,
    input: Vec<u8>,
}

impl Caller for Dialling {
    fn call(&mut self) -> BoxFuture<'_, Result<(), String>> {
        async {
            let mut stream = TcpStream::connect(&self.address).await.map_err(text)?;
            stream.write_all(&self.bytes).await.map_err(text)?;
            self.input.clear();
            while self.input.len() < HELLO.len() {
                if stream.read_buf(&mut self.input).await.map_err(text)? == 0 {
                    return Err("the peer closed".to_owned());
                }
            }
            // Else the ports run out: each would be kept for a minute.
            stream.set_zero_linger().map_err(text)
        }
        .boxed()
    }
}

pub(super) fn dialling(address: &str, bytes: Vec<u8>) -> Make {
    let (address, bytes) = (address.to_owned(), Arc::from(bytes));
    Arc::new(move || {
        let caller = Dialling { address: address.clone(), bytes: Arc::clone(&bytes), input: Vec::with_capacity(4096) };
        async { Ok(Box::new(caller) as Box<dyn Caller>) }.boxed()
    })
}

/// Writes the same header lines one by one on a kept connection, has a deadline, parses the answer's header.
struct Keeping {
    stream: TcpStream,
    lines: Arc<[(String, String)]>,
    body: Arc<[u8]>,
    asked: u64,
    output: Vec<u8>,
    input: BytesMut,
}

impl Keeping {
    async fn exchange(&mut self) -> Result<(), String> {
        self.output.clear();
        self.output.extend_from_slice(b"POST / HTTP/1.1\r\n");
        for (name, value) in &*self.lines {
            self.output.extend_from_slice(name.as_bytes());
            self.output.extend_from_slice(b": ");
            if name.ends_with("Micro-Id") {
                write!(self.output, "{}", self.asked).map_err(text)?;
            } else {
                self.output.extend_from_slice(value.as_bytes());
            }
            self.output.extend_from_slice(b"\r\n");
        }
        self.output.extend_from_slice(b"\r\n");
        self.output.extend_from_slice(&self.body);
        self.asked += 1;
        self.stream.write_all(&self.output).await.map_err(text)?;
        loop {
            if let Some(length) = whole(&self.input)? {
                self.input.advance(length);
                return Ok(());
            }
            self.input.reserve(4096);
            if self.stream.read_buf(&mut self.input).await.map_err(text)? == 0 {
                return Err("the peer closed".to_owned());
            }
        }
    }
}

/// How long the answer is, if all of it is there.
fn whole(input: &[u8]) -> Result<Option<usize>, String> {
    let mut lines = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut lines);
    let httparse::Status::Complete(head) = parsed.parse(input).map_err(text)? else { return Ok(None) };
    let length = parsed.headers.iter().find(|line| line.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|line| std::str::from_utf8(line.value).ok()?.parse::<usize>().ok());
    let whole = head + length.ok_or("no length")?;
    Ok((input.len() >= whole).then_some(whole))
}

impl Caller for Keeping {
    fn call(&mut self) -> BoxFuture<'_, Result<(), String>> {
        let until = Instant::now() + Duration::from_secs(5);
        async move { timeout_at(until, self.exchange()).await.map_err(text)? }.boxed()
    }
}

pub(super) fn keeping(address: &str, bytes: &[u8]) -> Result<Make, String> {
    let message = std::str::from_utf8(bytes).map_err(text)?;
    let (head, body) = message.split_once("\r\n\r\n").ok_or("no head")?;
    let lines: Arc<[(String, String)]> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (address, body) = (address.to_owned(), Arc::<[u8]>::from(body.as_bytes()));
    Ok(Arc::new(move || {
        let (address, lines, body) = (address.clone(), Arc::clone(&lines), Arc::clone(&body));
        async move {
            let stream = TcpStream::connect(&address).await.map_err(text)?;
            stream.set_nodelay(true).map_err(text)?;
            let caller = Keeping { stream, lines, body, asked: 0, output: Vec::new(), input: BytesMut::new() };
            Ok(Box::new(caller) as Box<dyn Caller>)
        }
        .boxed()
    }))
}

/// Sends the same headers and the same frame over one h2 connection.
struct H2 {
    send: SendRequest<Bytes>,
    uri: http::Uri,
    frame: Bytes,
}

impl Caller for H2 {
    fn call(&mut self) -> BoxFuture<'_, Result<(), String>> {
        async {
            let mut request = Request::new(());
            *request.method_mut() = Method::POST;
            *request.version_mut() = Version::HTTP_2;
            *request.uri_mut() = self.uri.clone();
            let headers = request.headers_mut();
            for (name, value) in HEADERS {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            let (response, mut stream) = self.send.send_request(request, false).map_err(text)?;
            stream.send_data(self.frame.clone(), true).map_err(text)?;
            let mut body = response.await.map_err(text)?.into_body();
            let mut length = 0;
            while let Some(data) = body.data().await {
                let data = data.map_err(text)?;
                length += data.len();
                body.flow_control().release_capacity(data.len()).map_err(text)?;
            }
            let trailers = body.trailers().await.map_err(text)?.ok_or("no trailers")?;
            let good = trailers.get("grpc-status").is_some_and(|status| status == "0");
            if good && length == FRAME.len() { Ok(()) } else { Err(format!("{trailers:?}")) }
        }
        .boxed()
    }
}

const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/grpc+json"),
    ("x-content-type", "application/grpc+json"),
    ("te", "trailers"),
    ("user-agent", "micro/0.1.0"),
    ("timeout", "5000000000"),
    ("grpc-timeout", "5000m"),
];

/// The task that drives the one connection, and the connection.
pub(super) type Shared = Arc<Mutex<(JoinSet<()>, Option<SendRequest<Bytes>>)>>;

pub(super) fn h2(address: &str, shared: &Shared) -> Make {
    let (address, shared) = (address.to_owned(), Arc::clone(shared));
    Arc::new(move || {
        let (address, shared) = (address.clone(), Arc::clone(&shared));
        async move {
            let known = shared.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
            let send = match known {
                Some(send) => send,
                None => open(&address, &shared).await?,
            };
            let uri = format!("http://{address}/{SERVICE}.Say/Hello").parse().map_err(text)?;
            let length = u8::try_from(BODY.len()).map_err(text)?;
            let frame = Bytes::from([&[0, 0, 0, 0, length], BODY].concat());
            Ok(Box::new(H2 { send, uri, frame }) as Box<dyn Caller>)
        }
        .boxed()
    })
}

async fn open(address: &str, shared: &Shared) -> Result<SendRequest<Bytes>, String> {
    let stream = TcpStream::connect(address).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let (send, driver) = h2::client::handshake(stream).await.map_err(text)?;
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.0.spawn(async move { _ = driver.await });
    shared.1 = Some(send.clone());
    Ok(send)
}
