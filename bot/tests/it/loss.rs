//! Connections that are lost, and posts that fail.

use async_trait::async_trait;
use bot::adapter::{Adapter, AdapterError, AdapterErrorKind, Inbox, Outbox, Posted, State};
use bot::command::Command;
use bot::message::{Message, Place};
use bot::reply::Reply;
use bot::testing::{Chat, Fake, Setup, Talk, message};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
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

/// An adapter that goes wrong in one way.
struct Odd {
    name: Arc<str>,
    way: Way,
    listened: AtomicUsize,
    posts: mpsc::UnboundedSender<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// The first `listen` panics.
    PanicsAtFirst,
    /// `post` panics at the first message.
    PanicsInPost,
    /// `listen` never returns, and hears nothing of closing.
    Deaf,
    /// It takes long to show what happens.
    Dawdles,
}

impl Odd {
    fn new(way: Way) -> (Arc<Self>, mpsc::UnboundedReceiver<String>) {
        let (posts, posted) = mpsc::unbounded_channel();
        (Arc::new(Self { name: "odd".into(), way, listened: AtomicUsize::new(0), posts }), posted)
    }
}

#[async_trait]
impl Adapter for Odd {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    async fn listen(&self, inbox: Inbox) -> Result<(), AdapterError> {
        let times = self.listened.fetch_add(1, Ordering::SeqCst);
        assert!(self.way != Way::PanicsAtFirst || times > 0, "the first time");
        for _ in 0..2 {
            inbox.deliver(message(&self.name, "ann", "ping")).await;
        }
        if self.way == Way::Deaf {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn post(&self, to: &Place, reply: &Reply) -> Result<Posted, AdapterError> {
        self.posts.send(reply.said().into_owned()).unwrap();
        assert!(self.way != Way::PanicsInPost, "a post");
        Ok(Posted { place: to.clone(), ids: Vec::new() })
    }

    async fn working(&self, _on: &Message, state: State) {
        if self.way == Way::Dawdles {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        if state == State::Failed {
            self.posts.send("failed".to_owned()).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics_is_listened_to_again() {
    let (odd, mut posts) = Odd::new(Way::PanicsAtFirst);
    let talk = Setup::new(commands()).beside(odd.clone()).start();
    assert_eq!(posts.recv().await.unwrap(), "pong");
    assert_eq!(odd.listened.load(Ordering::SeqCst), 2);
    drop(talk);
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics_in_a_post_hears_the_end_and_gets_the_next_answer() {
    let (odd, mut posts) = Odd::new(Way::PanicsInPost);
    let talk = Setup::new(commands()).beside(odd).start();
    for expected in ["pong", "failed", "pong", "failed"] {
        assert_eq!(posts.recv().await.unwrap(), expected);
    }
    drop(talk);
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_does_not_hang_up_holds_the_bot_for_a_bounded_time() {
    let (odd, _posts) = Odd::new(Way::Deaf);
    let mut talk = Setup::new(commands()).beside(odd).start();
    assert_eq!(talk.ask("ping").await, "pong");
    let began = Instant::now();
    talk.closed.cancel();
    talk.ended().await;
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_chat_that_is_slow_to_show_what_happens_does_not_hold_up_the_answer() {
    let (odd, mut posts) = Odd::new(Way::Dawdles);
    let talk = Setup::new(commands()).beside(odd).start();
    let began = Instant::now();
    assert_eq!(posts.recv().await.unwrap(), "pong");
    assert_eq!(began.elapsed().as_secs(), 0);
    drop(talk);
}
