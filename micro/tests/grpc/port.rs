//! Our server against clients that are not ours, over bare HTTP/2.

use crate::greeter::serve;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use micro::server::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

struct Raw {
    send: h2::client::SendRequest<Bytes>,
    _driver: JoinSet<()>,
}

async fn connect(address: &str) -> Raw {
    let stream = TcpStream::connect(address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        let _ = connection.await;
    });
    Raw { send, _driver: driver }
}

/// The answer's head, body and trailers.
async fn ask(
    raw: &mut Raw,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static [u8],
) -> (Response<()>, Bytes, HeaderMap) {
    let mut request = Request::builder().method(Method::POST).uri(format!("http://host{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (response, mut stream) = raw.send.send_request(request.body(()).unwrap(), false).unwrap();
    stream.send_data(Bytes::from_static(body), true).unwrap();
    let (parts, mut answer) = response.await.unwrap().into_parts();
    let mut whole = Vec::new();
    while let Some(piece) = answer.data().await {
        whole.extend_from_slice(&piece.unwrap());
    }
    let trailers = answer.trailers().await.unwrap().unwrap_or_default();
    (Response::from_parts(parts, ()), whole.into(), trailers)
}

const MESSAGE: &[u8] = b"\0\0\0\0\x02{}";
const JSON: (&str, &str) = ("content-type", "application/grpc+json");

#[tokio::test]
async fn the_codec_is_told_by_either_content_type() {
    let (server, _) = serve(Options::default()).await;
    let mut raw = connect(server.address()).await;
    for headers in [
        &[("content-type", "application/grpc"), ("x-content-type", "application/grpc+json")][..],
        &[JSON, ("x-content-type", "application/grpc+json")],
        &[JSON],
    ] {
        let (head, body, trailers) = ask(&mut raw, "/x.Say/Hello", headers, MESSAGE).await;
        assert_eq!(&body[5..], br#"{"msg":"Hello "}"#);
        assert_eq!(head.headers()["content-type"], headers[0].1);
        assert_eq!(trailers["grpc-status"], "0");
    }
    let (_, body, _) = ask(&mut raw, "/Say/Hello", &[("content-type", "application/grpc")], b"\0\0\0\0\0").await;
    assert_eq!(&body[5..], b"\x0A\x06Hello ");
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_a_reason() {
    let (server, _) = serve(Options::default()).await;
    let mut raw = connect(server.address()).await;
    for (path, content_type, body, status, message) in [
        ("/Say/Hello", "application/grpc+bytes", MESSAGE, "13", "Unsupported Content-Type: application/grpc+bytes"),
        ("/Say/Nope", "application/grpc+json", MESSAGE, "12", "unknown service Say.Nope"),
        ("/a.b.Nope/Hello", "application/grpc+json", MESSAGE, "12", "unknown service Nope"),
        ("/Hello", "application/grpc+json", MESSAGE, "12", "malformed method name: \"/Hello\""),
        ("/Say/Hello", "application/grpc+json", b"", "13", "the request has no whole message"),
        ("/Say/Hello", "application/grpc+json", b"\0\0\0\0\x05{}", "13", "the request has no whole message"),
        (
            "/Say/Hello",
            "application/grpc+json",
            b"\x01\0\0\0\x02{}",
            "13",
            "a gRPC message came compressed, though nobody asked for that",
        ),
        (
            "/Say/Hello",
            "application/grpc+json",
            b"\0\xFF\0\0\0",
            "8",
            "a message of 4278190080 bytes is larger than max_message allows (16777216)",
        ),
    ] {
        let (head, answer, _) = ask(&mut raw, path, &[("content-type", content_type)], body).await;
        assert_eq!((head.status(), answer.len()), (StatusCode::OK, 0));
        assert_eq!(head.headers()["grpc-status"], status, "{path} {content_type}");
        assert_eq!(head.headers()["grpc-message"], message, "{path} {content_type}");
    }
    let (head, ..) = ask(&mut raw, "/Say/Hello", &[("content-type", "application/json")], b"{}").await;
    assert_eq!(head.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_preface_that_breaks_off_or_goes_wrong_ends_the_connection() {
    let (server, _) = serve(Options { patience: std::time::Duration::from_millis(20), ..Options::default() }).await;
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM"[..],
        b"PRI * HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

#[tokio::test]
async fn a_request_that_does_not_come_is_not_waited_for_longer_than_its_caller_waits() {
    let (server, _) = serve(Options::default()).await;
    let mut raw = connect(server.address()).await;
    let request = Request::builder().method(Method::POST).uri("http://host/x.Say/Hello");
    let request = request.header(JSON.0, JSON.1).header("grpc-timeout", "20m").body(()).unwrap();
    let (response, _half) = raw.send.send_request(request, false).unwrap();
    let head = response.await.unwrap();
    assert_eq!(head.headers()["grpc-status"], "4");
    assert_eq!(head.headers()["grpc-message"], "the request did not come in time");
}
