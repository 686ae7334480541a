//! Which connections are kept (DESIGN §5), what is repeated, and which node comes next.

use super::fake::{Fake, Step, answers, good, reply, say};
use super::{NEW, OLD, client, node, patient, registry};
use crate::client::request::Request;
use crate::client::{Client, Options};
use crate::error::ErrorKind;
use crate::registry::service::MARKER;
use std::time::Duration;
use tokio::net::TcpListener;

fn hello() -> Request {
    Request::json("go.micro.srv.greeter", "Say.Hello", r#"{"name":"John"}"#)
}

/// A server that answers every known content type, and an unknown one in its generation's words.
async fn server(unsupported: &'static str) -> Fake {
    Fake::start(script(unsupported)).await
}

fn script(unsupported: &'static str) -> impl Fn(usize) -> Vec<Step> + Send + 'static {
    move |number| match number {
        // The second connection brings the question.
        1 => vec![Step::Ask, say(reply("text/plain", unsupported)), Step::Hold],
        _ => answers(50, good("{}")),
    }
}

#[tokio::test]
async fn a_node_before_v4_10_is_asked_once_and_then_kept() {
    let fake = server("Unsupported Content-Type: application/x-unknown").await;
    let (node, client) = (node(&fake.address, NEW), client());
    for _ in 0..5 {
        client.call_node(&node, hello()).await.unwrap();
    }
    assert_eq!(fake.asked(), [1, 1, 4]);
    assert_eq!(fake.headers(1, "Content-Type"), ["application/x-unknown"]);
    assert_eq!(fake.headers(1, "Micro-Endpoint"), ["Debug.Health"]);
    assert_eq!(fake.headers(0, "Connection"), ["close"]);
    assert_eq!(fake.headers(2, "Connection"), ["-"; 4]);
    assert_eq!(fake.headers(2, "Micro-Id"), ["0", "1", "2", "3"]);
    assert_eq!(fake.headers(2, "X-Micro-Id"), ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn a_node_since_v4_10_gets_a_connection_a_call() {
    for answer in ["unsupported content-type: application/x-unknown", "what?"] {
        let fake = server(answer).await;
        let (node, client) = (node(&fake.address, NEW), client());
        for _ in 0..4 {
            client.call_node(&node, hello()).await.unwrap();
        }
        assert_eq!(fake.asked(), [1; 5], "{answer}");
        assert_eq!(fake.headers(4, "Connection"), ["close"]);
    }
}

#[tokio::test]
async fn one_call_asks_nothing() {
    let fake = server("never asked").await;
    client().call_node(&node(&fake.address, NEW), hello()).await.unwrap();
    assert_eq!(fake.asked(), [1]);
}

#[tokio::test]
async fn our_own_nodes_are_kept_from_the_first_call() {
    let fake = Fake::same(answers(9, good("{}"))).await;
    let (node, client) = (node(&fake.address, &format!("{NEW} {}={}", MARKER.0, MARKER.1)), client());
    for _ in 0..3 {
        client.call_node(&node, hello()).await.unwrap();
    }
    assert_eq!(fake.asked(), [3]);
}

#[tokio::test]
async fn no_connection_outlives_an_error() {
    let bad = reply("application/json-rpc", r#"{"id":"","result":null,"error":"no"}"#);
    let fake = Fake::same(answers(9, bad)).await;
    let (node, client) = (node(&fake.address, OLD), client());
    for _ in 0..3 {
        assert_eq!(client.call_node(&node, hello()).await.unwrap_err().kind(), ErrorKind::Service);
    }
    assert_eq!(fake.asked(), [1, 1, 1]);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    let mut fake = Fake::same(vec![Step::Ask, say(good("{}"))]).await;
    let (node, client) = (node(&fake.address, OLD), client());
    for count in 1..=20 {
        client.call_node(&node, hello()).await.unwrap();
        fake.ended(count).await;
    }
    assert_eq!(fake.asked(), [1; 20]);
}

#[tokio::test]
async fn a_pool_of_none_keeps_none() {
    let fake = Fake::same(answers(9, good("{}"))).await;
    let (node, client) = (node(&fake.address, OLD), Client::at_with("x:1", Options { pool_size: 0, ..patient() }));
    for _ in 0..3 {
        client.call_node(&node, hello()).await.unwrap();
    }
    assert_eq!(fake.asked(), [1, 1, 1]);
}

#[tokio::test]
async fn the_next_node_is_tried_where_no_handler_can_have_run() {
    let dead = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string() };
    let fake = Fake::same(vec![Step::Ask, say(good("{}"))]).await;
    let nodes = [node(&dead, NEW), node(&fake.address, NEW)];
    let client = Client::new(registry(&nodes).await, patient());
    for _ in 0..10 {
        let response = client.call(hello()).await.unwrap();
        assert_eq!(response.node, nodes[1]);
        assert!(response.tries <= 2 && response.version == "1");
    }
}

#[tokio::test]
async fn what_may_have_run_is_not_repeated_unless_it_may_run_twice() {
    let fake = Fake::start(|number| match number {
        0 | 1 => vec![Step::Ask],
        _ => vec![Step::Ask, say(good("{}"))],
    })
    .await;
    let (node, client) = (node(&fake.address, NEW), client());
    assert_eq!(client.call_node(&node, hello()).await.unwrap_err().kind(), ErrorKind::Unsure);
    assert_eq!(fake.asked(), [1]);
    let request = Request { idempotent: true, ..Request::json("s", "Debug.Health", "{}") };
    let client = Client::at_with("x:1", patient());
    assert_eq!(client.call_node(&node, request).await.unwrap().tries, 2);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_told() {
    let client = Client::new(registry(&[]).await, patient());
    let error = client.call(hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NotFound, "service go.micro.srv.greeter: not found")
    );
}

#[tokio::test]
async fn the_request_is_what_the_recipe_says() {
    let fake = Fake::same(vec![Step::Ask, say(good("{}"))]).await;
    let client = Client::at_with("x:1", Options { name: "me".into(), ..patient() });
    client.call_node(&node(&fake.address, NEW), hello()).await.unwrap();
    let body = "{\"method\":\"Say.Hello\",\"params\":[{\"name\":\"John\"}],\"id\":\"0\"}\n";
    assert_eq!(fake.bodies(0), [body]);
    assert_eq!(fake.headers(0, "Host")[0], fake.address);
    assert_eq!(fake.headers(0, "X-Micro-From-Service"), ["me"]);
    let timeout: u64 = fake.headers(0, "Timeout")[0].parse().unwrap();
    assert!((1..=30_000_000_000).contains(&timeout));
}

#[tokio::test]
async fn a_node_that_says_nothing_is_asked_with_health_and_remembered() {
    let health = reply("application/json-rpc", r#"{"id":"","result":null,"error":"rpc: can't find service Debug"}"#);
    let fake = Fake::start(move |number| match number {
        0 => vec![Step::Ask, say(health.clone())],
        _ => vec![Step::Ask, say(good("{}"))],
    })
    .await;
    let client = Client::at_with(fake.address.clone(), patient());
    client.call(hello()).await.unwrap();
    assert_eq!(
        (fake.headers(0, "Micro-Endpoint"), fake.headers(1, "Micro-Endpoint")),
        (vec!["Debug.Health".into()], vec!["Say.Hello".into()])
    );
    client.call(hello()).await.unwrap();
    let asked: Vec<_> = (2..fake.asked().len()).flat_map(|number| fake.headers(number, "Content-Type")).collect();
    assert!(asked.contains(&"application/json-rpc".to_owned()));
}

#[tokio::test]
async fn a_node_that_answers_the_question_in_http2_gets_grpc() {
    let settings = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
    let fake = Fake::same(vec![Step::Ask, say(settings)]).await;
    let client = Client::at_with(fake.address.clone(), Options { retries: 0, ..patient() });
    assert!(client.call(hello()).await.is_err());
    assert_eq!(fake.headers(0, "Micro-Endpoint"), ["Debug.Health"]);
    assert_eq!(fake.asked(), [1, 0], "the second connection speaks no HTTP/1");
}

#[tokio::test]
async fn a_web_server_is_told_as_one() {
    let page = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno.";
    let fake = Fake::same(vec![Step::Ask, say(page)]).await;
    let error = Client::at_with(fake.address.clone(), patient()).call(hello()).await.unwrap_err();
    let text = error.to_string().replace(&fake.address, "ADDRESS");
    insta::assert_snapshot!(text, @"ADDRESS speaks plain HTTP, which this build does not support yet");
}

#[tokio::test]
async fn what_was_learned_of_a_node_is_forgotten_when_its_answer_does_not_fit() {
    let fake = Fake::start(|number| match number {
        2 => vec![Step::Ask, say(*b"\0\0\0\x04\0\0\0\0\0"), Step::Hold],
        _ => vec![Step::Ask, say(good("{}"))],
    })
    .await;
    let client = Client::at_with(&fake.address, Options { pool_size: 0, ..patient() });
    client.call(hello()).await.unwrap();
    assert_eq!(client.call(hello()).await.unwrap_err().kind(), ErrorKind::Malformed);
    client.call(hello()).await.unwrap();
    let asked: Vec<_> = (0..5).flat_map(|number| fake.headers(number, "Micro-Endpoint")).collect();
    assert_eq!(asked, ["Debug.Health", "Say.Hello", "Say.Hello", "Debug.Health", "Say.Hello"]);
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_its_time_is_up() {
    let mut fake = Fake::same(vec![Step::Ask, say(good("{}")), Step::Hold]).await;
    let client = Client::at_with("x:1", Options { pool_ttl: Duration::from_millis(20), ..patient() });
    client.call_node(&node(&fake.address, OLD), hello()).await.unwrap();
    fake.ended(1).await;
}

#[tokio::test]
async fn a_node_that_was_started_anew_is_asked_anew_whether_it_keeps_connections() {
    let first = server("Unsupported Content-Type: application/x-unknown").await;
    let (address, node, client) = (first.address.clone(), node(&first.address, NEW), client());
    for _ in 0..3 {
        client.call_node(&node, hello()).await.unwrap();
    }
    assert_eq!(first.asked(), [1, 1, 2], "the third connection is kept");
    first.end().await;
    let second = Fake::at(&address, script("unsupported content-type: application/x-unknown")).await;
    for _ in 0..3 {
        client.call_node(&node, hello()).await.unwrap();
    }
    assert_eq!(second.asked(), [1; 4]);
    assert_eq!(second.headers(1, "Content-Type"), ["application/x-unknown"]);
}
