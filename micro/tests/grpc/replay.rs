//! Recorded go-micro of three generations: its clients' bytes to our server, its servers' bytes to our client.

use crate::greeter::{Args, Name, Number, SERVICE, Text, bad_request, client, later, node, proto, serve};
use bytes::Bytes;
use http::Request;
use micro::client::protocol::Protocol;
use micro::client::request::Request as Call;
use micro::error::{Error, ErrorKind};
use micro::server::Options;
use micro::transport::Packet;
use prost::Message;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const TAGS: [&str; 3] = ["v1.18.0", "v2.9.1", "v6.10.0"];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const PREFACE: usize = 24;

fn recorded(tag: &str, case: &str, direction: &str) -> Vec<u8> {
    let path = format!("{}/../tests/wire/{tag}/grpc_{case}.{direction}.bin", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One HTTP/2 frame, head included.
struct Frame<'a> {
    kind: u8,
    stream: u32,
    bytes: &'a [u8],
}

fn frames(mut bytes: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, _, s @ ..] = bytes {
        let length = 9 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let stream = u32::from_be_bytes([s[0], s[1], s[2], s[3]]);
        frames.push(Frame { kind: *kind, stream, bytes: &bytes[..length] });
        bytes = &bytes[length..];
    }
    frames
}

/// What our server's answers are decoded with: an h2 client whose own bytes go nowhere, since recorded ones are sent.
struct Deaf(OwnedReadHalf);

impl AsyncRead for Deaf {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Sends what a recorded client sent, resets and farewells last, and gives what our server answered to each of its
/// streams: `messages… -> status message`.
async fn ask_our_server(tag: &str, case: &str, streams: usize) -> Vec<String> {
    let (server, _) = serve(Options::default()).await;
    let (read, mut write) = TcpStream::connect(server.address()).await.unwrap().into_split();
    let (mut send, connection) = h2::client::handshake(Deaf(read)).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let responses: Vec<_> = (0..streams)
        .map(|_| send.send_request(Request::post("http://host/x.Y/Z").body(()).unwrap(), true).unwrap().0)
        .collect();
    let bytes = recorded(tag, case, "c2s");
    write.write_all(&bytes[..PREFACE]).await.unwrap();
    for frame in frames(&bytes[PREFACE..]) {
        if frame.kind != RST_STREAM && frame.kind != GOAWAY {
            write.write_all(frame.bytes).await.unwrap();
        }
    }
    let mut answers = Vec::new();
    for response in responses {
        let (parts, mut body) = response.await.unwrap().into_parts();
        let mut shown = Vec::new();
        while let Some(piece) = body.data().await {
            shown.push(String::from_utf8_lossy(&piece.unwrap()[5..]).into_owned());
        }
        let trailers = body.trailers().await.unwrap().unwrap_or(parts.headers);
        let value = |name: &str| trailers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        answers.push(format!("{} -> {} {}", shown.join(" "), value("grpc-status"), value("grpc-message")));
    }
    answers
}

#[tokio::test]
async fn recorded_clients_get_what_go_answers() {
    let fail = "3 {\"id\":\"go.micro.srv.greeter\",\"code\":400,\"detail\":\"no name\",\"status\":\"Bad Request\"}";
    for tag in TAGS {
        for (case, expected) in [
            ("hello_json", "{\"msg\":\"Hello John\"} -> 0 ".to_owned()),
            ("hello_proto", "\n\nHello John -> 0 ".to_owned()),
            ("empty_proto", "\n\u{6}Hello  -> 0 ".to_owned()),
            ("fail_json", format!(" -> {fail}")),
            ("fail_proto", format!(" -> {fail}")),
            ("plainerror_proto", " -> 2 plain trouble: 100%25 \"bad\" %C3%A9".to_owned()),
            ("plainerror_multiline_proto", " -> 2 line one%0Aline two%0D%0A%09line: three".to_owned()),
            ("nomethod_proto", " -> 12 unknown service Say.Nope".to_owned()),
            ("nohandler_proto", " -> 12 unknown service Nope".to_owned()),
            ("serverstream_proto", " \u{8}\u{1} \u{8}\u{2} -> 0 ".to_owned()),
            ("serverstream_json", "{} {\"num\":\"1\"} {\"num\":\"2\"} -> 0 ".to_owned()),
            ("bot_exec_proto", "\n\u{11}hello greeter,a,b -> 0 ".to_owned()),
            ("bot_exec_json", "{\"result\":\"hello greeter,a,b\"} -> 0 ".to_owned()),
        ] {
            assert_eq!(ask_our_server(tag, case, 1).await, [expected], "{tag} {case}");
        }
        let hello = "\n\nHello John -> 0 ";
        assert_eq!(ask_our_server(tag, "two_calls_proto", 2).await, [hello, hello], "{tag}");
    }
}

#[tokio::test]
async fn recorded_bidi_clients_get_every_answer() {
    let bad = "{\"id\":\"go.micro.srv.greeter\",\"code\":400,\"detail\":\"bad text\",\"status\":\"Bad Request\"}";
    for tag in TAGS {
        let answers = ask_our_server(tag, "bidistream_error_proto", 1).await;
        assert_eq!(answers, [format!("\n\u{7}re: one -> 3 {bad}")], "{tag}");
    }
    // v6.10.0 resets its stream instead of ending it.
    for tag in &TAGS[..2] {
        let answers = ask_our_server(tag, "bidistream_proto", 1).await;
        assert_eq!(answers, ["\n\u{7}re: one \n\u{7}re: two -> 0 "], "{tag}");
    }
}

#[tokio::test]
async fn recorded_clients_that_stop_waiting_end_their_call() {
    for tag in TAGS {
        let answers = ask_our_server(tag, "timeout_proto", 1).await;
        assert!(answers[0].starts_with(" -> 4 "), "{tag} {answers:?}");
    }
}

#[tokio::test]
async fn a_recorded_reset_drops_the_handler() {
    for tag in ["v2.9.1", "v6.10.0"] {
        let (server, signals) = serve(Options::default()).await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let bytes = recorded(tag, "timeout_proto", "c2s");
        let all = frames(&bytes[PREFACE..]);
        let (before, after): (Vec<_>, Vec<_>) =
            all.iter().partition(|frame| frame.kind != RST_STREAM && frame.kind != GOAWAY);
        stream.write_all(&bytes[..PREFACE]).await.unwrap();
        for frame in before {
            stream.write_all(frame.bytes).await.unwrap();
        }
        signals.started.notified().await;
        for frame in after {
            stream.write_all(frame.bytes).await.unwrap();
        }
        signals.dropped.notified().await;
        signals.stopped.notified().await;
    }
}

/// A server that says what was recorded: each frame once the client has opened its stream and sent a message on it.
async fn recorded_server(tag: &str, case: &str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let bytes = recorded(tag, case, "s2c");
    let mut task = JoinSet::new();
    task.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut preface = [0; PREFACE];
        stream.read_exact(&mut preface).await.unwrap();
        let mut heard = 0;
        for frame in frames(&bytes) {
            // What concerns the whole connection waits for the first call too: the recorded server acknowledges it.
            while heard < frame.stream.max(1) {
                let mut start = [0; 9];
                if stream.read_exact(&mut start).await.is_err() {
                    return;
                }
                let [a, b, c, kind, _, s @ ..] = start;
                let mut rest = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
                stream.read_exact(&mut rest).await.unwrap();
                if kind == DATA {
                    heard = u32::from_be_bytes(s);
                }
                assert!(kind != HEADERS || u32::from_be_bytes(s) % 2 == 1);
            }
            stream.write_all(frame.bytes).await.unwrap();
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    (address, task)
}

async fn ask_recorded_server(tag: &str, case: &str, request: &Call) -> Result<Bytes, Error> {
    let (address, _task) = recorded_server(tag, case).await;
    client().call(&node(&address), request, later()).await.map(|answer| answer.body)
}

#[tokio::test]
async fn recorded_servers_answer_our_client() {
    let named = Name { name: "John".to_owned() };
    let args = Args { args: ["greeter", "a", "b"].map(str::to_owned).to_vec() };
    for tag in TAGS {
        for (case, request, expected) in [
            ("hello_json", Call::json(SERVICE, "Say.Hello", r#"{"name":"John"}"#), &b"{\"msg\":\"Hello John\"}"[..]),
            ("hello_proto", proto("Say.Hello", &named), b"\n\nHello John"),
            ("empty_proto", proto("Say.Hello", &Name::default()), b"\n\x06Hello "),
            ("bot_exec_proto", proto("Command.Exec", &args), b"\n\x11hello greeter,a,b"),
            (
                "bot_exec_json",
                Call::json(SERVICE, "Command.Exec", r#"{"args":["greeter","a","b"]}"#),
                b"{\"result\":\"aGVsbG8gZ3JlZXRlcixhLGI=\"}",
            ),
        ] {
            assert_eq!(ask_recorded_server(tag, case, &request).await.unwrap(), expected, "{tag} {case}");
        }
    }
}

#[tokio::test]
async fn recorded_errors_are_read_as_they_were_meant() {
    let request = proto("Say.Any", &Name::default());
    for tag in TAGS {
        for case in ["fail_json", "fail_proto"] {
            let error = ask_recorded_server(tag, case, &request).await.unwrap_err();
            assert_eq!(error.status(), Some(&bad_request("no name")), "{tag} {case}");
        }
        for (case, code, text) in [
            ("plainerror_proto", 500, "plain trouble: 100% \"bad\" é"),
            ("plainerror_multiline_proto", 500, "line one\nline two\r\n\tline: three"),
            ("nomethod_proto", 501, "unknown service Say.Nope"),
            ("nohandler_proto", 501, "unknown service Nope"),
        ] {
            let error = ask_recorded_server(tag, case, &request).await.unwrap_err();
            assert_eq!((error.kind(), error.context()), (ErrorKind::Service, text), "{tag} {case}");
            assert_eq!(error.status().unwrap().code, code, "{tag} {case}");
        }
    }
}

#[tokio::test]
async fn two_calls_go_over_one_recorded_connection() {
    for tag in TAGS {
        let (address, _task) = recorded_server(tag, "two_calls_proto").await;
        let client = client();
        for _ in 0..2 {
            let request = proto("Say.Hello", &Name { name: "John".to_owned() });
            let answer = client.call(&node(&address), &request, later()).await.unwrap();
            assert_eq!(answer.body, &b"\n\nHello John"[..], "{tag}");
        }
    }
}

#[tokio::test]
async fn a_recorded_server_that_is_too_slow_costs_the_time_limit() {
    for tag in TAGS {
        let (address, _task) = recorded_server(tag, "timeout_proto").await;
        let until = Instant::now() + Duration::from_millis(20);
        let error = client().call(&node(&address), &proto("Say.Slow", &Name::default()), until).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{tag}");
    }
}

#[tokio::test]
async fn recorded_server_streams_are_read_to_their_end() {
    for tag in TAGS {
        let (address, _task) = recorded_server(tag, "serverstream_proto").await;
        let request = proto("Stream.Count", &Number { num: 3 });
        let (_send, mut recv) = client().open(&node(&address), &request, later()).await.unwrap();
        for expected in 0..3 {
            let packet = recv.recv().await.unwrap().unwrap();
            assert_eq!(Number::decode(packet.body).unwrap().num, expected, "{tag}");
        }
        assert!(recv.recv().await.unwrap().is_none(), "{tag}");
    }
    for tag in &TAGS[1..] {
        let (address, _task) = recorded_server(tag, "serverstream_json").await;
        let request = Call::json(SERVICE, "Stream.Count", r#"{"n":"3"}"#);
        let (_send, mut recv) = client().open(&node(&address), &request, later()).await.unwrap();
        for expected in ["{}", r#"{"num":"1"}"#, r#"{"num":"2"}"#] {
            assert_eq!(recv.recv().await.unwrap().unwrap().body, expected, "{tag}");
        }
        assert!(recv.recv().await.unwrap().is_none(), "{tag}");
    }
}

#[tokio::test]
async fn recorded_bidi_streams_are_read_to_their_end() {
    for tag in TAGS {
        let text = |word: &str| Text { text: word.to_owned() };
        for case in ["bidistream_proto", "bidistream_error_proto"] {
            let (address, _task) = recorded_server(tag, case).await;
            let request = proto("Stream.Echo", &text("one"));
            let (mut send, mut recv) = client().open(&node(&address), &request, later()).await.unwrap();
            let answer = recv.recv().await.unwrap().unwrap();
            assert_eq!(Text::decode(answer.body).unwrap().text, "re: one", "{tag}");
            if case == "bidistream_error_proto" {
                assert_eq!(recv.recv().await.unwrap_err().status(), Some(&bad_request("bad text")), "{tag}");
                continue;
            }
            send.send(Packet { body: text("two").encode_to_vec().into(), ..Packet::default() }).await.unwrap();
            let answer = recv.recv().await.unwrap().unwrap();
            assert_eq!(Text::decode(answer.body).unwrap().text, "re: two", "{tag}");
            if tag != "v6.10.0" {
                // Go's handler returned the io.EOF of its last receive: status 11, and no error.
                assert!(recv.recv().await.unwrap().is_none(), "{tag}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_go_cannot_decode_ends_with_its_error() {
    let (address, _task) = recorded_server("v1.18.0", "serverstream_json").await;
    let request = Call::json(SERVICE, "Stream.Count", r#"{"n":"3"}"#);
    let (_send, mut recv) = client().open(&node(&address), &request, later()).await.unwrap();
    let error = recv.recv().await.unwrap_err();
    assert_eq!(error.context(), "grpc: failed to unmarshal the received message unexpected EOF");
}
