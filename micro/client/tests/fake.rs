//! A server that does what its script says.

use crate::transport::http::{Message, Reader, Side};
use bytes::BytesMut;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// One thing to do on a connection.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Wait for a whole request.
    Ask,
    /// Write, in pieces of so many bytes.
    Say(Vec<u8>, usize),
    /// Write the same for ever.
    Endless(Vec<u8>),
    /// Close with a reset.
    Reset,
    /// Wait until the peer closes.
    Hold,
}

/// What each connection was asked, in the order of the connections.
type Seen = Arc<Mutex<Vec<Vec<Message>>>>;

/// The server; it ends with the test.
#[derive(Debug)]
pub(super) struct Fake {
    pub(super) address: String,
    seen: Seen,
    ended: watch::Receiver<usize>,
    serving: JoinSet<()>,
}

impl Fake {
    /// Serves; `script` gives the steps of each connection, counted from 0. Its end closes the connection.
    pub(super) async fn start(script: impl Fn(usize) -> Vec<Step> + Send + 'static) -> Self {
        Self::at("127.0.0.1:0", script).await
    }

    /// The same at an address that was another's.
    pub(super) async fn at(address: &str, script: impl Fn(usize) -> Vec<Step> + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (seen, mut serving) = (Seen::default(), JoinSet::new());
        let log = Arc::clone(&seen);
        let (end, ended) = watch::channel(0);
        serving.spawn(async move {
            let mut open = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                log.lock().unwrap().push(Vec::new());
                let (steps, log, end) = (script(number), Arc::clone(&log), end.clone());
                open.spawn(async move {
                    serve(stream, steps, log, number).await;
                    end.send_modify(|count| *count += 1);
                });
            }
        });
        Self { address, seen, ended, serving }
    }

    /// The same script for every connection.
    pub(super) async fn same(steps: Vec<Step>) -> Self {
        Self::start(move |_| steps.clone()).await
    }

    /// Ends it, and all its connections.
    pub(super) async fn end(mut self) {
        self.serving.shutdown().await;
        // Each connection's task, which goes with the one that holds it, lets go of its sender.
        while self.ended.changed().await.is_ok() {}
    }

    /// Waits until so many connections were closed by their scripts.
    pub(super) async fn ended(&mut self, count: usize) {
        self.ended.wait_for(|ended| *ended >= count).await.unwrap();
    }

    /// How many requests each connection brought.
    pub(super) fn asked(&self) -> Vec<usize> {
        self.seen.lock().unwrap().iter().map(Vec::len).collect()
    }

    /// A header of each request of one connection.
    pub(super) fn headers(&self, connection: usize, name: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen[connection].iter().map(|message| message.header.get(name).unwrap_or("-").to_owned()).collect()
    }

    /// The bodies of one connection.
    pub(super) fn bodies(&self, connection: usize) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen[connection].iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
    }
}

async fn serve(mut stream: TcpStream, steps: Vec<Step>, seen: Seen, number: usize) {
    let (mut reader, mut input) = (Reader::new(Side::Request, 1 << 30), BytesMut::new());
    for step in steps {
        match step {
            Step::Ask => {
                let message = loop {
                    match reader.next(&mut input, false) {
                        Ok(Some(message)) => break message,
                        Ok(None) => {}
                        Err(_) => return,
                    }
                    if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
                        return;
                    }
                };
                seen.lock().unwrap()[number].push(message);
            }
            Step::Say(bytes, piece) => {
                for piece in bytes.chunks(piece) {
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                }
            }
            Step::Endless(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Step::Reset => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
            Step::Hold => while matches!(stream.read_buf(&mut input).await, Ok(1..)) {},
        }
    }
}

/// A whole reply with a JSON-RPC envelope around the result.
pub(super) fn good(result: &str) -> Vec<u8> {
    reply("application/json-rpc", &format!("{{\"id\":\"0\",\"result\":{result},\"error\":null}}\n"))
}

/// A whole reply.
pub(super) fn reply(content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nContent-Type: {content_type}\r\n\r\n{body}").into_bytes()
}

/// A step that says all at once.
pub(super) fn say(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Say(bytes.into(), usize::MAX)
}

/// So many requests, each with this reply.
pub(super) fn answers(count: usize, reply: Vec<u8>) -> Vec<Step> {
    std::iter::repeat_n([Step::Ask, say(reply)], count).flatten().collect()
}
