//! Our client against peers that behave badly: each failure has its kind, and none hangs.

use crate::greeter::{call, client, hello, json, later, node};
use bytes::Bytes;
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http::{HeaderMap, Request, Response};
use micro::client::protocol::Protocol;
use micro::error::{Error, ErrorKind};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A peer that does with each connection what it is told.
struct Peer {
    address: String,
    _task: JoinSet<()>,
}

async fn peer<W: Future<Output = ()> + Send + 'static>(behave: impl Fn(TcpStream) -> W + Send + 'static) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(behave(stream));
        }
    });
    Peer { address, _task: task }
}

type H2 = Connection<TcpStream, Bytes>;
type Call = (Request<h2::RecvStream>, SendResponse<Bytes>);

/// A peer that speaks HTTP/2 and answers each call as it is told.
async fn h2_peer(answer: impl Fn(Call) + Clone + Send + Sync + 'static) -> Peer {
    peer(move |stream| {
        let answer = answer.clone();
        async move {
            let mut connection: H2 = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok(call)) = connection.accept().await {
                answer(call);
            }
        }
    })
    .await
}

async fn failure(peer: &Peer) -> Error {
    let error = hello(&client(), &peer.address).await.unwrap_err();
    assert!(error.context().starts_with(&peer.address), "{error}");
    error
}

fn text(error: &Error) -> &str {
    error.context().split_once(": ").unwrap().1
}

fn grpc() -> Response<()> {
    Response::builder().header("content-type", "application/grpc+json").body(()).unwrap()
}

fn trailers(status: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static(status))])
}

#[tokio::test]
async fn nobody_listens() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    assert_eq!(hello(&client(), &address).await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn an_http1_server_is_recognised() {
    let peer = peer(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let error = failure(&peer).await;
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(text(&error), "the node answers in HTTP/1, it does not speak gRPC");
}

#[tokio::test]
async fn garbage_is_malformed() {
    let peer = peer(|mut stream| async move {
        let _ = stream.write_all(&[0xFF; 64]).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert_eq!(failure(&peer).await.kind(), ErrorKind::Malformed);
}

#[tokio::test]
async fn a_peer_that_closes_at_once_did_nothing() {
    let peer = peer(|mut stream| async move {
        let _ = stream.read(&mut [0; 24]).await;
    })
    .await;
    let error = failure(&peer).await;
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(text(&error), "the node closed the connection without a greeting; does it speak gRPC?");
}

#[tokio::test]
async fn a_silent_peer_costs_the_time_limit_and_the_next_call_dials_anew() {
    let (dialled, mut dials) = tokio::sync::mpsc::unbounded_channel();
    let peer = peer(move |mut stream| {
        dialled.send(()).unwrap();
        async move {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let client = client();
    for _ in 0..2 {
        let until = Instant::now() + Duration::from_millis(20);
        let error = client.call(&node(&peer.address), &json("Say.Hello", "{}"), until).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let said = text(&error);
        assert!(said.starts_with("no answer within ") && said.ends_with("ms; the call may have run"), "{said}");
        dials.recv().await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_stream_may_be_sent_again() {
    let peer = h2_peer(|(_, mut respond)| respond.send_reset(Reason::REFUSED_STREAM)).await;
    let error = failure(&peer).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn any_other_reset_leaves_a_doubt() {
    let peer = h2_peer(|(_, mut respond)| respond.send_reset(Reason::INTERNAL_ERROR)).await;
    assert_eq!(failure(&peer).await.kind(), ErrorKind::Unsure);
}

#[tokio::test]
async fn a_goaway_below_our_stream_may_be_sent_again() {
    let peer = peer(|mut stream| async move {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        // SETTINGS, then GOAWAY with last stream 0.
        stream
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let error = failure(&peer).await;
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_a_doubt() {
    let peer = peer(|stream| async move {
        let mut connection: H2 = h2::server::handshake(stream).await.unwrap();
        let _call = connection.accept().await;
    })
    .await;
    assert_eq!(failure(&peer).await.kind(), ErrorKind::Unsure);
}

#[tokio::test]
async fn an_answer_without_status_leaves_a_doubt() {
    let peer = h2_peer(|(_, mut respond)| {
        let mut stream = respond.send_response(grpc(), false).unwrap();
        stream.send_data(Bytes::from_static(b"\0\0\0\0\x02{}"), true).unwrap();
    })
    .await;
    let error = failure(&peer).await;
    assert_eq!((error.kind(), text(&error)), (ErrorKind::Unsure, "the answer broke off: it has no gRPC status"));
}

#[tokio::test]
async fn half_a_message_and_two_messages_are_no_answer() {
    for (body, kind) in [
        (&b"\0\0\0\0\x05{}"[..], ErrorKind::Unsure),
        (b"\0\0\0\0\x02{}\0\0\0\0\x02{}", ErrorKind::Malformed),
        (b"", ErrorKind::Malformed),
        (b"\x01\0\0\0\x02{}", ErrorKind::Malformed),
        (b"\0\xFF\xFF\xFF\xFF", ErrorKind::TooLarge),
    ] {
        let peer = h2_peer(move |(_, mut respond)| {
            let mut stream = respond.send_response(grpc(), false).unwrap();
            stream.send_data(Bytes::from_static(body), false).unwrap();
            stream.send_trailers(trailers("0")).unwrap();
        })
        .await;
        assert_eq!(failure(&peer).await.kind(), kind, "{body:?}");
    }
}

#[tokio::test]
async fn what_is_no_grpc_is_said() {
    for (status, content_type, kind, said) in [
        (200, "text/html", ErrorKind::Malformed, r#"the answer is "text/html", no gRPC"#),
        (404, "text/html", ErrorKind::Malformed, "the node does not speak gRPC (HTTP status 404)"),
        (403, "text/html", ErrorKind::Auth, "access was refused (HTTP status 403)"),
        (503, "text/html", ErrorKind::Unsure, "a gateway in between did not reach the node (HTTP status 503)"),
    ] {
        let peer = h2_peer(move |(_, mut respond)| {
            let head = Response::builder().status(status).header("content-type", content_type).body(()).unwrap();
            respond.send_response(head, true).unwrap();
        })
        .await;
        let error = failure(&peer).await;
        assert_eq!((error.kind(), text(&error)), (kind, said));
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_limit() {
    let peer = peer(|stream| async move {
        let mut connection: H2 = h2::server::handshake(stream).await.unwrap();
        let Some(Ok((_, mut respond))) = connection.accept().await else { return };
        let mut stream = respond.send_response(grpc(), false).unwrap();
        stream.send_data(Bytes::from_static(b"\0\x7F\xFF\xFF\xFF"), false).unwrap();
        while let Some(Ok(_)) = connection.accept().await {}
    })
    .await;
    assert_eq!(failure(&peer).await.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_full_connection_gets_a_sister() {
    let (dialled, mut dials) = tokio::sync::mpsc::unbounded_channel();
    let peer = peer(move |stream| {
        dialled.send(()).unwrap();
        async move {
            let mut connection: H2 =
                h2::server::Builder::new().max_concurrent_streams(1).handshake(stream).await.unwrap();
            let mut held = Vec::new();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                if request.uri().path().ends_with("Hello") {
                    let mut stream = respond.send_response(grpc(), false).unwrap();
                    stream.send_data(Bytes::from_static(b"\0\0\0\0\x02{}"), false).unwrap();
                    stream.send_trailers(trailers("0")).unwrap();
                } else {
                    held.push((request, respond));
                }
            }
        }
    })
    .await;
    let client = client();
    hello(&client, &peer.address).await.unwrap();
    let _held = client.open(&node(&peer.address), &json("Stream.Wait", "{}"), later()).await.unwrap();
    assert_eq!(hello(&client, &peer.address).await.unwrap(), "{}");
    assert_eq!(hello(&client, &peer.address).await.unwrap(), "{}");
    assert_eq!((dials.recv().await, dials.recv().await), (Some(()), Some(())));
    assert!(dials.try_recv().is_err(), "two connections are enough");
}

#[tokio::test]
async fn names_that_no_path_can_have_are_refused_before_anybody_is_dialled() {
    for endpoint in ["Hello", "Say Hello.x", "Say.\"", "🙂.x", ".", "a.", "/Say/Hello"] {
        let error = call(&client(), "127.0.0.1:1", json(endpoint, "{}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{endpoint}");
    }
}
