//! Clients that do not behave, and what they get.

use crate::error::Result;
use crate::server::handler::{json, stream};
use crate::server::tests::rig::{Routes, connect, exchange, greeter, options, served, streamed, unary};
use crate::server::{Context, Options, Server, shared};
use crate::transport::{Packet, Socket};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

const BIG: usize = 64 << 10;

/// A JSON call.
fn call(endpoint: &str, extra: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nContent-Type: application/json\r\nMicro-Endpoint: {endpoint}\r\n{extra}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// What came back, without the carriage returns.
async fn answers(request: &str) -> String {
    text(&exchange(&served(), request.as_bytes(), BIG).await)
}

/// Without carriage returns; what else cannot be shown is a dot.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    text.replace(|letter: char| letter.is_control() && letter != '\n' || letter == '\u{fffd}', ".")
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_an_error_of_its_own_call_alone() {
    let both = call("Say.Panic", "Micro-Id: 1\r\n", "{}") + &call("Say.Hello", "Micro-Id: 2\r\n", r#"{"name":"John"}"#);
    insta::assert_snapshot!(answers(&both).await, @r#"
        HTTP/1.1 200 OK
        Content-Length: 0
        Content-Type: application/json
        Micro-Id: 1
        Micro-Error: {"id":"go.micro.srv.greeter","code":500,"detail":"the handler of Say.Panic panicked","status":"Internal Server Error"}
        X-Micro-Error: {"id":"go.micro.srv.greeter","code":500,"detail":"the handler of Say.Panic panicked","status":"Internal Server Error"}

        HTTP/1.1 200 OK
        Content-Length: 20
        Content-Type: application/json
        Micro-Id: 2

        {"msg":"Hello John"}
        "#);
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_their_order() {
    let requests: String =
        (0..50).map(|id| call("Say.Hello", &format!("Micro-Id: {id}\r\n"), &format!(r#"{{"name":"{id}"}}"#))).collect();
    let answers = answers(&requests).await;
    let ids: Vec<_> = answers.lines().filter_map(|line| line.strip_prefix("Micro-Id: ")).collect();
    assert_eq!(ids, (0..50).map(|id| id.to_string()).collect::<Vec<_>>());
    assert_eq!(answers.matches("\"Hello ").count(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_callers_patience() {
    let begun = Instant::now();
    let mut client = connect(&served(), BIG);
    client.write_all(call("Say.Slow", "Timeout: 300000000\r\nConnection: close\r\n", "{}").as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(299) && begun.elapsed() < Duration::from_secs(1));
    insta::assert_snapshot!(text(&reply), @r#"
        HTTP/1.1 200 OK
        Content-Length: 0
        Content-Type: application/json
        Micro-Error: {"id":"go.micro.srv.greeter","code":408,"detail":"Say.Slow took longer than its caller waits","status":"Request Timeout"}
        X-Micro-Error: {"id":"go.micro.srv.greeter","code":408,"detail":"Say.Slow took longer than its caller waits","status":"Request Timeout"}
        Connection: close
        "#);
}

#[tokio::test(start_paused = true)]
async fn a_handler_learns_that_its_caller_is_gone() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut routes: Routes = greeter();
    routes.push((
        unary("Say.Wait"),
        Arc::new(json(move |context: Context, (): ()| {
            let tell = tell.clone();
            async move {
                tell.send("asked").unwrap();
                context.stop.cancelled().await;
                tell.send("gone").unwrap();
                Ok(())
            }
        })),
    ));
    let shared = shared(options(), routes);
    let mut client = connect(&shared, BIG);
    client.write_all(call("Say.Wait", "", "null").as_bytes()).await.unwrap();
    assert_eq!(told.recv().await, Some("asked"));
    drop(client);
    assert_eq!(told.recv().await, Some("gone"));
}

#[tokio::test(start_paused = true)]
async fn half_a_request_gets_five_seconds() {
    for half in [
        "POST / HTTP/1.1\r\nContent-Type: application/json\r\n",
        "POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ] {
        let (shared, begun) = (served(), Instant::now());
        let mut client = connect(&shared, BIG);
        client.write_all(half.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(8), "{half}");
        assert!(text(&reply).starts_with("HTTP/1.1 408 Request Timeout\n"), "{half}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_drips_is_cut_off() {
    let (shared, begun) = (served(), Instant::now());
    let (mut reading, mut writing) = tokio::io::split(connect(&shared, BIG));
    let drip = async {
        let head = "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n".to_owned() + &"x".repeat(999);
        for byte in head.bytes() {
            if writing.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let mut reply = Vec::new();
    tokio::select! {
        read = reading.read_to_end(&mut reply) => { read.unwrap(); }
        () = drip => panic!("it was let drip to its end"),
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(text(&reply).starts_with("HTTP/1.1 408 "));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_longer_than_go_keeps_it() {
    let shared = served();
    let mut client = connect(&shared, BIG);
    client.write_all(call("Say.Hello", "", "{}").as_bytes()).await.unwrap();
    client.read_u8().await.unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(begun.elapsed() > Duration::from_secs(60) && begun.elapsed() < Duration::from_secs(100));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_refused_by_name() {
    let max = Options { max_message: 1000, ..options() };
    let mut said = String::new();
    for request in [
        "POST / HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n".to_owned(),
        format!("POST / HTTP/1.1\r\nX: {}", "x".repeat(1 << 20)),
        format!("POST / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1000)),
    ] {
        let reply = exchange(&shared(max.clone(), greeter()), request.as_bytes(), BIG).await;
        said = said + &text(&reply) + "\n--\n";
    }
    insta::assert_snapshot!(said, @r#"
        HTTP/1.1 413 Payload Too Large
        Content-Length: 65
        Content-Type: text/plain
        Connection: close

        a message of 100000000000 bytes is larger than max_message = 1000
        --
        HTTP/1.1 413 Payload Too Large
        Content-Length: 51
        Content-Type: text/plain
        Connection: close

        the message is larger than max_message = 1000 bytes
        --
        HTTP/1.1 431 Request Header Fields Too Large
        Content-Length: 51
        Content-Type: text/plain
        Connection: close

        the header block is larger than 64 KiB or 256 lines
        --
        HTTP/1.1 431 Request Header Fields Too Large
        Content-Length: 51
        Content-Type: text/plain
        Connection: close

        the header block is larger than 64 KiB or 256 lines
        --
        "#);
}

#[tokio::test(start_paused = true)]
async fn garbage_is_refused_and_harms_nobody() {
    for garbage in [
        &b"\x00\xff\x00\xff\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\r\n\r\n\r\n",
    ] {
        let reply = text(&exchange(&served(), garbage, BIG).await);
        assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 400 Bad Request\n"), "{garbage:?}: {reply}");
    }
    // Every cut and every wrong byte of a good request ends in an answer or in a close.
    let good = call("Say.Hello", "", r#"{"name":"John"}"#).into_bytes();
    for at in 0..good.len() {
        exchange(&served(), &good[..at], BIG).await;
        for wrong in [0, b'\n', b':', 0xff] {
            let mut bent = good.clone();
            bent[at] = wrong;
            exchange(&served(), &bent, BIG).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_call_is_told_so() {
    let mut said = String::new();
    for request in [
        "GET /metrics HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Type: application/x-probe\r\nMicro-Endpoint: Say.Hello\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Type: application/json\r\nMicro-Topic: t\r\nMicro-Id: 5\r\nContent-Length: 2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"name\":\"John\"}",
        "POST / HTTP/1.1\r\nContent-Type: application/proto-rpc\r\nContent-Length: 3\r\n\r\nxyz",
    ] {
        said = said + &answers(request).await + "\n--\n";
    }
    insta::assert_snapshot!(said, @r#"
        HTTP/1.1 200 OK
        Content-Length: 30
        Content-Type: text/plain

        Unsupported Content-Type: none
        --
        HTTP/1.1 200 OK
        Content-Length: 45
        Content-Type: text/plain

        Unsupported Content-Type: application/x-probe
        --
        HTTP/1.1 200 OK
        Content-Length: 0
        Content-Type: application/json
        Micro-Id: 5


        --
        HTTP/1.1 200 OK
        Content-Length: 79
        Content-Type: application/json
        Micro-Error: rpc: service/endpoint request ill-formed: 
        X-Micro-Error: rpc: service/endpoint request ill-formed: 

        {"id":null,"result":null,"error":"rpc: service/endpoint request ill-formed: "}

        --
        HTTP/1.1 200 OK
        Content-Length: 143
        Content-Type: application/proto-rpc
        Micro-Error: {"id":"go.micro.srv.greeter","code":400,"detail":"no proto-rpc envelope (the envelope is cut off)","status":"Bad Request"}
        X-Micro-Error: {"id":"go.micro.srv.greeter","code":400,"detail":"no proto-rpc envelope (the envelope is cut off)","status":"Bad Request"}

        ....
        ...........z{"id":"go.micro.srv.greeter","code":400,"detail":"no proto-rpc envelope (the envelope is cut off)","status":"Bad Request"}....
        --
        "#);
}

/// A stream that says what it gets.
fn told_stream(tell: mpsc::UnboundedSender<String>) -> Routes {
    let talk = move |context: Context, (mut send, mut recv): Socket| {
        let tell = tell.clone();
        async move {
            tell.send("opened".to_owned()).unwrap();
            loop {
                tokio::select! {
                    () = context.stop.cancelled() => {
                        tell.send("stopped".to_owned()).unwrap();
                        return Ok(());
                    }
                    heard = recv.recv() => {
                        let Some(packet) = heard? else { return Ok(()) };
                        let body = String::from_utf8(packet.body.into()).unwrap();
                        tell.send(body.clone()).unwrap();
                        match body.as_str() {
                            "\"end\"" => return Ok(()),
                            "\"flood\"" => flood(&mut *send).await?,
                            _ => send.send(Packet { body: body.into(), ..Packet::default() }).await?,
                        }
                    }
                }
            }
        }
    };
    vec![(streamed("Say.Talk"), Arc::new(stream(talk)))]
}

async fn flood(send: &mut dyn crate::transport::SendHalf) -> Result<()> {
    let body = Bytes::from(format!("\"{}\"", "x".repeat(1 << 20)));
    loop {
        send.send(Packet { body: body.clone(), ..Packet::default() }).await?;
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_late_for_a_stream_opens_no_other() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let shared = shared(options(), told_stream(tell));
    let of = |body: &str, extra: &str| call("Say.Talk", &format!("Micro-Stream: 1\r\n{extra}"), body);
    let mut client = connect(&shared, BIG);
    client.write_all((of("{}", "") + &of("\"end\"", "")).as_bytes()).await.unwrap();
    let end = read_until(&mut client, "X-Micro-Error: EOS\r\n\r\n").await;
    assert!(end.contains("\r\nMicro-Error: EOS\r\n"));
    let late = [of("\"late\"", ""), of("", "Micro-Error: EOS\r\n"), of("{}", ""), of("\"new\"", "")];
    client.write_all(late.concat().as_bytes()).await.unwrap();
    assert!(read_until(&mut client, "\"new\"").await.starts_with("HTTP/1.1 200 OK"));
    for word in ["opened", "\"end\"", "opened", "\"new\""] {
        assert_eq!(told.recv().await.as_deref(), Some(word));
    }
}

async fn read_until(client: &mut (impl AsyncReadExt + Unpin), end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        read.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_stops_when_its_client_goes_on_to_something_else() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut routes = told_stream(tell);
    routes.extend(greeter());
    let shared = shared(options(), routes);
    let mut client = connect(&shared, BIG);
    client.write_all(call("Say.Talk", "Micro-Stream: 1\r\n", "{}").as_bytes()).await.unwrap();
    assert_eq!(told.recv().await.as_deref(), Some("opened"));
    client.write_all(call("Say.Hello", "Micro-Id: 2\r\n", "{}").as_bytes()).await.unwrap();
    let mut replies = Vec::new();
    client.read_to_end(&mut replies).await.unwrap();
    assert_eq!(text(&replies), "", "neither the end of the stream nor an answer");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_nothing_for_ever() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let shared = shared(options(), told_stream(tell));
    let mut client = connect(&shared, 1024);
    let opening = call("Say.Talk", "Micro-Stream: 1\r\n", "{}");
    let flood = call("Say.Talk", "Micro-Stream: 1\r\n", "\"flood\"");
    client.write_all(opening.as_bytes()).await.unwrap();
    client.write_all(flood.as_bytes()).await.unwrap();
    assert_eq!(told.recv().await.as_deref(), Some("opened"));
    assert_eq!(told.recv().await.as_deref(), Some("\"flood\""));
    shared.tasks.close();
    let begun = Instant::now();
    shared.tasks.wait().await;
    assert!(begun.elapsed() < Duration::from_secs(120));
    drop(client);
}

#[tokio::test]
async fn silence_and_tls_are_closed() {
    let options = Options { patience: Duration::from_millis(50), ..options() };
    let running = Server::new(options).start().await.unwrap();
    for first in [&b""[..], b"PR", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut client = TcpStream::connect(running.address()).await.unwrap();
        client.write_all(first).await.unwrap();
        let mut reply = Vec::new();
        // A reset is a close too.
        let _ = client.read_to_end(&mut reply).await;
        assert_eq!(reply, b"", "{first:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_until_there_is_room() {
    let running = Server::new(Options { max_connections: 3, ..options() }).start().await.unwrap();
    let hello = call("Debug.Health", "", "{}");
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(running.address()).await.unwrap();
        client.write_all(hello.as_bytes()).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'H');
        open.push(client);
    }
    for _ in 0..20 {
        let mut beyond = TcpStream::connect(running.address()).await.unwrap();
        let mut reply = Vec::new();
        let _ = beyond.write_all(hello.as_bytes()).await;
        let _ = beyond.read_to_end(&mut reply).await;
        assert_eq!(reply, b"");
    }
    open.pop();
    // The server learns of the close in its own time.
    loop {
        let mut client = TcpStream::connect(running.address()).await.unwrap();
        let _ = client.write_all(hello.as_bytes()).await;
        if client.read_u8().await.is_ok() {
            break;
        }
    }
    running.stop().await;
}
