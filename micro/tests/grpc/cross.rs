//! Our client against our server.

use crate::greeter::{
    Msg, Name, Number, Text, bad_request, call, client, hello, json, later, node, proto, serve, with,
};
use bytes::Bytes;
use micro::client::Options as ClientOptions;
use micro::client::protocol::Protocol;
use micro::client::request::Request;
use micro::error::ErrorKind;
use micro::server::Options;
use micro::transport::Packet;
use prost::Message;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn packet(message: &impl Message) -> Packet {
    Packet { body: message.encode_to_vec().into(), ..Packet::default() }
}

#[tokio::test]
async fn a_call_is_answered_in_its_own_encoding() {
    let (server, _) = serve(Options::default()).await;
    let client = client();
    assert_eq!(hello(&client, server.address()).await.unwrap(), r#"{"msg":"Hello John"}"#);
    let request = proto("Say.Hello", &Name { name: "John".to_owned() });
    let answer = call(&client, server.address(), request).await.unwrap();
    assert_eq!(Msg::decode(answer.body).unwrap().msg, "Hello John");
    assert_eq!(answer.header.get("content-type"), Some("application/grpc+proto"));
}

#[tokio::test]
async fn an_empty_message_goes_both_ways() {
    let (server, _) = serve(Options::default()).await;
    let answer = call(&client(), server.address(), proto("Say.Same", &Name::default())).await.unwrap();
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn errors_arrive_as_they_were_raised() {
    let (server, _) = serve(Options::default()).await;
    let client = client();
    let error = async |endpoint| call(&client, server.address(), json(endpoint, "{}")).await.unwrap_err();
    let failed = error("Say.Fail").await;
    assert_eq!((failed.kind(), failed.status()), (ErrorKind::Service, Some(&bad_request("no name"))));
    let plain = error("Say.Plain").await;
    assert_eq!((plain.kind(), plain.context()), (ErrorKind::Service, "plain trouble: 100% \"bad\" é"));
    assert_eq!(error("Say.Multi").await.context(), "line one\nline two\r\n\tline: three");
    let panicked = error("Say.Panic").await;
    assert_eq!((panicked.kind(), panicked.status().unwrap().code), (ErrorKind::Service, 500));
    for (endpoint, text) in [
        ("Say.Nope", "unknown service Say.Nope"),
        ("Nope.Hello", "unknown service Nope"),
        ("Sa.Hello", "unknown service Sa"),
    ] {
        let unknown = error(endpoint).await;
        assert_eq!((unknown.context(), unknown.status().unwrap().code), (text, 501));
    }
}

#[tokio::test]
async fn metadata_and_the_callers_name_arrive() {
    let (server, _) = serve(Options::default()).await;
    let client = with(ClientOptions { name: "go.micro.bot".to_owned(), ..ClientOptions::default() });
    let mut request = json("Say.Meta", "{}");
    request.metadata = vec![("X-Custom".to_owned(), "abc é".to_owned()), ("bad name".to_owned(), "x".to_owned())];
    let answer = call(&client, server.address(), request).await.unwrap();
    let text = std::str::from_utf8(&answer.body).unwrap();
    for line in ["x-custom=abc é", "micro-from-service=go.micro.bot", "x-content-type=application/grpc+json"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("bad name") && !text.contains("grpc-timeout"), "{text}");
}

#[tokio::test]
async fn five_mebibytes_go_both_ways() {
    let (server, _) = serve(Options::default()).await;
    let client = client();
    let body = Bytes::from((0..5 << 20).map(|byte: u32| byte.to_le_bytes()[1]).collect::<Vec<_>>());
    let request = Request::protobuf("go.micro.srv.greeter", "Say.Same", body.clone());
    let answer = call(&client, server.address(), request).await.unwrap();
    assert!(answer.body == body, "the same bytes");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_by_either_side() {
    let (server, _) = serve(Options { max_message: 100, ..Options::default() }).await;
    let small = with(ClientOptions { max_message: 1 << 20, ..ClientOptions::default() });
    let error = call(&small, server.address(), json("Say.Big", "{}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.context().ends_with("a message of 5242880 bytes is larger than max_message allows (1048576)"),
        "{error}"
    );
    let error = call(&small, server.address(), json("Say.Same", vec![b' '; 101])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    assert_eq!(hello(&small, server.address()).await.unwrap(), r#"{"msg":"Hello John"}"#);
}

#[tokio::test]
async fn sixty_four_calls_share_one_connection() {
    let (server, _) = serve(Options { max_connections: 1, ..Options::default() }).await;
    let client = client();
    let mut calls = JoinSet::new();
    for number in 0..64 {
        let (client, address) = (client.clone(), server.address().to_owned());
        calls.spawn(async move {
            let answer = call(&client, &address, json("Say.Together", format!("{number}"))).await.unwrap();
            assert_eq!(answer.body, number.to_string());
        });
    }
    assert_eq!(calls.join_all().await.len(), 64);
}

#[tokio::test]
async fn a_call_that_is_given_up_stops_its_handler() {
    let (server, signals) = serve(Options::default()).await;
    let client = client();
    tokio::select! {
        answer = call(&client, server.address(), json("Say.Slow", "{}")) => panic!("{answer:?}"),
        () = signals.started.notified() => {}
    }
    signals.dropped.notified().await;
    signals.stopped.notified().await;
    assert!(hello(&client, server.address()).await.is_ok());
}

#[tokio::test]
async fn a_deadline_ends_a_call_on_both_sides() {
    let (server, signals) = serve(Options::default()).await;
    let client = client();
    let until = Instant::now() + Duration::from_millis(50);
    let error = client.call(&node(server.address()), &json("Say.Slow", "{}"), until).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    signals.dropped.notified().await;
    assert!(hello(&client, server.address()).await.is_ok());
}

#[tokio::test]
async fn a_server_that_stops_ends_its_calls_first() {
    let (server, signals) = serve(Options::default()).await;
    let (client, address) = (client(), server.address().to_owned());
    let mut tasks = JoinSet::new();
    let (caller, to) = (client.clone(), address.clone());
    tasks.spawn(async move { call(&caller, &to, json("Say.Slow", "\"last\"")).await.unwrap().body });
    signals.started.notified().await;
    let stopped = tokio::task::LocalSet::new();
    let stopped = stopped.run_until(async {
        let stop = tokio::task::spawn_local(server.stop());
        loop {
            match hello(&client, &address).await {
                // Calls that begin before the server has said that it goes are still answered.
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => {
                    assert!(error.is_retryable(), "{error:?}");
                    break;
                }
            }
        }
        assert!(!stop.is_finished());
        signals.release.notify_one();
        stop.await.unwrap();
    });
    stopped.await;
    assert_eq!(tasks.join_next().await.unwrap().unwrap(), "\"last\"");
}

#[tokio::test]
async fn a_server_that_came_back_is_called_again() {
    let (server, _) = serve(Options::default()).await;
    let (client, address) = (client(), server.address().to_owned());
    hello(&client, &address).await.unwrap();
    server.stop().await;
    let (_server, _) = serve(Options { address: address.clone(), ..Options::default() }).await;
    // What the old connection may still say is at most that nothing was done.
    if let Err(error) = hello(&client, &address).await {
        assert!(error.is_retryable(), "{error:?}");
        hello(&client, &address).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_stream_gets_its_request_and_ends() {
    let (server, _) = serve(Options::default()).await;
    let client = client();
    let (_send, mut recv) =
        client.open(&node(server.address()), &proto("Stream.Count", &Number { num: 3 }), later()).await.unwrap();
    for num in 0..3 {
        assert_eq!(Number::decode(recv.recv().await.unwrap().unwrap().body).unwrap().num, num);
    }
    assert!(recv.recv().await.unwrap().is_none());
    assert!(recv.recv().await.unwrap().is_none());
}

#[tokio::test]
async fn a_bidi_stream_answers_while_it_is_sent_to() {
    let (server, _) = serve(Options::default()).await;
    let client = client();
    let request = proto("Stream.Echo", &Text::default());
    let (mut send, mut recv) = client.open(&node(server.address()), &request, later()).await.unwrap();
    for word in ["one", "two"] {
        send.send(packet(&Text { text: word.to_owned() })).await.unwrap();
        let answer = recv.recv().await.unwrap().unwrap();
        assert_eq!(Text::decode(answer.body).unwrap().text, format!("re: {word}"));
    }
    send.finish().await.unwrap();
    send.finish().await.unwrap();
    assert_eq!(send.send(packet(&Text::default())).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(recv.recv().await.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_that_fails_says_why() {
    let (server, _) = serve(Options::default()).await;
    let client = client();
    let request = proto("Stream.Echo", &Text { text: "one".to_owned() });
    let (mut send, mut recv) = client.open(&node(server.address()), &request, later()).await.unwrap();
    assert!(recv.recv().await.unwrap().is_some());
    send.send(packet(&Text { text: "bad".to_owned() })).await.unwrap();
    let error = recv.recv().await.unwrap_err();
    assert_eq!(error.status(), Some(&bad_request("bad text")));
    assert!(recv.recv().await.unwrap().is_none());
    while send.send(packet(&Text::default())).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let (_send, mut recv) = client.open(&node(server.address()), &json("Stream.Nope", "{}"), later()).await.unwrap();
    assert_eq!(recv.recv().await.unwrap_err().context(), "unknown service Stream.Nope");
}

#[tokio::test]
async fn a_stream_that_is_dropped_stops_its_handler() {
    let (server, signals) = serve(Options::default()).await;
    let client = client();
    let socket = client.open(&node(server.address()), &json("Stream.Wait", "{}"), later()).await.unwrap();
    signals.started.notified().await;
    drop(socket);
    signals.dropped.notified().await;
    signals.stopped.notified().await;
}

#[tokio::test]
async fn streams_that_nobody_reads_hold_up_no_call() {
    let (server, signals) = serve(Options { max_connections: 1, ..Options::default() }).await;
    let client = client();
    let mut unread = Vec::new();
    for _ in 0..64 {
        let (send, mut recv) =
            client.open(&node(server.address()), &json("Stream.Endless", "{}"), later()).await.unwrap();
        signals.started.notified().await;
        assert_eq!(recv.recv().await.unwrap().unwrap().body.len(), 64 << 10);
        unread.push((send, recv));
        assert!(hello(&client, server.address()).await.is_ok());
    }
}

#[tokio::test]
async fn a_client_without_pool_keeps_no_connection() {
    let (server, _) = serve(Options { max_connections: 1, ..Options::default() }).await;
    let client = with(ClientOptions { pool_size: 0, ..ClientOptions::default() });
    hello(&client, server.address()).await.unwrap();
    // The server frees the place once it has seen the end of the first connection.
    while let Err(error) = hello(&client, server.address()).await {
        assert!(error.is_retryable(), "{error:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_let_go() {
    let (server, _) = serve(Options { max_connections: 1, ..Options::default() }).await;
    let client = with(ClientOptions { pool_ttl: Duration::from_millis(1), ..ClientOptions::default() });
    hello(&client, server.address()).await.unwrap();
    // Another client finds room only when the first one's connection has gone.
    let other = self::client();
    while hello(&other, server.address()).await.is_err() {
        tokio::task::yield_now().await;
    }
}
