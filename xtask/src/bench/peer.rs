//! Who answers: a process of its own, so that what it costs is not counted. Its answers are fixed bytes.

use crate::bench::probe::pin;
use bytes::{Buf, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a real service of v4.11.0 answered to `Say.Hello`.
pub(crate) const HELLO: &[u8] = include_bytes!("../../../tests/wire/v4.11.0/hello_jsonrpc.s2c.bin");
/// What the gRPC service answers: a frame of five bytes before the payload.
pub(crate) const FRAME: &[u8] = b"\0\0\0\0\x14{\"msg\":\"Hello John\"}";

const WELL: &str = r#"{"id":"0","result":{"status":"ok"},"error":null}"#;
/// An empty envelope, then usage and description of a command; the latter are the result and no error of another.
const HELP: &[u8] = b"\0\0\0\0\0\0\0\x09\x0a\x04word\x12\x01d";
const DONE: &[u8] = b"\0\0\0\0\0\0\0\x06\x0a\x04done";

/// The running process. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    /// Answers mucp: `Say.Hello`, `Debug.Health`, `Command.Help`, `Command.Exec`.
    pub(crate) mucp: String,
    /// Takes connections and says nothing.
    pub(crate) deaf: String,
    /// Answers gRPC.
    pub(crate) grpc: String,
}

impl Peer {
    /// Starts this program once more, as the peer. One that is `awake` never sleeps, for as long as it lives: else who
    /// sends to it pays for waking it, and the slower that side is, the more often.
    pub(crate) fn start(awake: bool) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(this);
        command.arg("peer").args(awake.then_some("awake")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start the peer: {error}"))?;
        let mut line = String::new();
        let said = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let mut words = line.split_whitespace().map(str::to_owned);
        match (said, words.next(), words.next(), words.next()) {
            (Some(Ok(_)), Some(mucp), Some(deaf), Some(grpc)) => Ok(Self { child, mucp, deaf, grpc }),
            _ => Err("the peer did not say where it is".to_owned()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The peer's side: says where it listens, serves until its stdin ends.
pub(crate) fn serve(awake: bool) -> Result<(), String> {
    pin(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    std::thread::spawn(|| {
        _ = std::io::stdin().read_to_end(&mut Vec::new());
        // Nothing that it serves is worth an end in order.
        #[expect(clippy::disallowed_methods, reason = "a measured process of its own, which nothing waits for")]
        std::process::abort();
    });
    let text = |error: std::io::Error| error.to_string();
    runtime.block_on(async {
        let mucp = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let deaf = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let grpc = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let [first, second, third] = [&mucp, &deaf, &grpc].map(|one| one.local_addr().map_err(text));
        crate::run::say(&format!("{} {} {}", first?, second?, third?));
        let mut tasks = JoinSet::new();
        let mut held = Vec::new();
        if awake {
            tasks.spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        loop {
            tokio::select! {
                taken = mucp.accept() => {
                    let (stream, _) = taken.map_err(text)?;
                    tasks.spawn(async move { _ = answer(stream).await });
                }
                taken = grpc.accept() => {
                    let (stream, _) = taken.map_err(text)?;
                    tasks.spawn(async move { _ = answer_h2(stream).await });
                }
                taken = deaf.accept() => held.push(taken.map_err(text)?),
                Some(_) = tasks.join_next() => {}
            }
        }
    })
}

/// Answers requests on one connection in their order; closes it where asked, as v4.10 and later do.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BytesMut::with_capacity(4096);
    loop {
        while let Some(asked) = asked(&input).filter(|asked| input.len() >= asked.length) {
            input.advance(asked.length);
            stream.write_all(&asked.reply).await?;
            if asked.close {
                return Ok(());
            }
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// A request.
struct Asked {
    /// Head and body, in bytes.
    length: usize,
    /// The connection is to be closed after it.
    close: bool,
    reply: Bytes,
}

fn asked(input: &[u8]) -> Option<Asked> {
    let mut lines = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut lines);
    let httparse::Status::Complete(head) = parsed.parse(input).ok()? else { return None };
    let mut asked = Asked { length: head, close: false, reply: Bytes::new() };
    for line in parsed.headers {
        match line.name {
            "Content-Length" => asked.length += std::str::from_utf8(line.value).ok()?.parse::<usize>().ok()?,
            "Connection" => asked.close = line.value == b"close",
            "Micro-Endpoint" => asked.reply = reply(line.value),
            _ => {}
        }
    }
    Some(asked)
}

fn reply(endpoint: &[u8]) -> Bytes {
    let whole = |content_type: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/{content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat().into()
    };
    match endpoint {
        b"Say.Hello" => Bytes::from_static(HELLO),
        b"Command.Help" => whole("proto-rpc", HELP),
        b"Command.Exec" => whole("proto-rpc", DONE),
        _ => whole("json-rpc", WELL.as_bytes()),
    }
}

async fn answer_h2(stream: TcpStream) -> Result<(), h2::Error> {
    _ = stream.set_nodelay(true);
    let mut connection = h2::server::handshake(stream).await?;
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            taken = connection.accept() => match taken {
                Some(taken) => {
                    let (request, respond) = taken?;
                    calls.spawn(async move { _ = answer_call(request.into_body(), respond).await });
                }
                None => return Ok(()),
            },
            Some(_) = calls.join_next() => {}
        }
    }
}

async fn answer_call(mut body: h2::RecvStream, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc+json"));
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(Bytes::from_static(FRAME), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
