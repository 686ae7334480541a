//! Connections that are lost, and posts that fail.

use bot::adapter::{AdapterErrorKind, Outbox};
use bot::command::Command;
use bot::reply::Reply;
use bot::testing::{Chat, Fake, Setup, Talk};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

fn commands() -> Vec<Arc<dyn Command>> {
    let ping = Fake::new("ping", "ping").says("pong");
    let post = Fake::new("post", "post").runs(|call| async move {
        let Outbox(adapters) = &call.outbox;
        Ok(Reply::text(adapters.iter().map(|adapter| adapter.name().to_string()).collect::<Vec<_>>().join(" ")))
    });
    vec![ping.build(), post.build()]
}

fn talk() -> Talk {
    Setup::new(commands()).start()
}

#[tokio::test(start_paused = true)]
async fn it_listens_again_when_the_connection_was_lost() {
    let mut talk = talk();
    assert_eq!(talk.ask("ping").await, "pong");
    for losses in 0..4 {
        talk.hang(Some(AdapterErrorKind::Lost { again: None }));
        let began = Instant::now();
        talk.inbox().await;
        let longest = Duration::from_secs(1 << losses) + Duration::from_millis(10);
        assert!(began.elapsed() >= Duration::from_secs(1).min(longest) && began.elapsed() <= longest, "{losses}");
    }
    assert_eq!(talk.ask("ping").await, "pong");
    assert_eq!(talk.chat.listened(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_says_when_to_come_back_and_an_absent_one_is_tried_every_second() {
    let talk = talk();
    talk.inbox().await;
    talk.hang(Some(AdapterErrorKind::Lost { again: Some(Duration::from_secs(42)) }));
    let began = Instant::now();
    talk.inbox().await;
    assert_eq!(began.elapsed().as_secs(), 42);
    for _ in 0..20 {
        talk.hang(Some(AdapterErrorKind::Absent));
        let began = Instant::now();
        talk.inbox().await;
        assert!(began.elapsed() <= Duration::from_millis(1510), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_is_not_allowed_in_is_not_tried_again_and_the_others_go_on() {
    let (other, _posts) = Chat::new("other", false, false);
    let mut talk = Setup::new(commands()).beside(other.clone()).start();
    assert_eq!(talk.ask("post").await, "chat other");
    other.hang(Some(AdapterErrorKind::Forbidden));
    assert_eq!(talk.ask("ping").await, "pong");
    talk.hang(None);
    talk.ended().await;
    assert_eq!(other.listened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_waits_to_listen_again_closes_at_once() {
    let mut talk = talk();
    talk.inbox().await;
    talk.hang(Some(AdapterErrorKind::Lost { again: Some(Duration::from_secs(600)) }));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    talk.closed.cancel();
    talk.ended().await;
    assert_eq!(began.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_post_is_tried_again_where_that_is_safe() {
    let mut talk = talk();
    talk.chat.refuse([AdapterErrorKind::Limited(Duration::from_secs(7)), AdapterErrorKind::Absent]);
    let began = Instant::now();
    assert_eq!(talk.ask("ping").await, "pong");
    assert_eq!(began.elapsed().as_secs(), 8);
    assert_eq!(talk.counters().unposted.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_may_stand_there_already_is_given_up_and_counted() {
    let mut talk = talk();
    talk.chat.refuse([AdapterErrorKind::Unsure, AdapterErrorKind::Refused]);
    talk.say_as("ann", "ping").await;
    talk.say_as("ann", "ping").await;
    talk.say_as("ann", "post").await;
    assert_eq!(talk.reply().await, "chat");
    talk.hang(None);
    talk.ended().await;
    assert_eq!(talk.posted(), Vec::<String>::new());
    assert_eq!(talk.counters().unposted.load(Ordering::Relaxed), 2);
    assert_eq!(talk.counters().posted.load(Ordering::Relaxed), 1);
    assert_eq!(talk.chat.listened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_post_is_not_tried_for_ever() {
    let mut talk = talk();
    talk.chat.refuse(std::iter::repeat_n(AdapterErrorKind::Absent, 5));
    talk.say_as("ann", "ping").await;
    talk.say_as("ann", "post").await;
    assert_eq!(talk.reply().await, "chat");
}
