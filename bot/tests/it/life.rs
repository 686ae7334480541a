//! Order, limits, stopping and shutdown.

use bot::adapter::{Delivered, State};
use bot::bot::Options;
use bot::command::{Command, CommandError, CommandErrorKind, Risk, Turn};
use bot::message::{Args, Body};
use bot::reply::Reply;
use bot::testing::{Fake, Setup, Talk};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// `wait N` takes N seconds; `hold` ends when the test lets it.
fn commands(gate: &Arc<Semaphore>) -> Vec<Arc<dyn Command>> {
    let gate = gate.clone();
    vec![
        Fake::new("ping", "ping").says("pong").build(),
        Fake::new("echo", "echo (?P<rest>.*)").usage("echo TEXT", "echo x").build(),
        Fake::new("wait", "wait (?P<rest>\\d+)")
            .usage("wait SECONDS", "wait 5")
            .runs(|call| async move {
                tokio::time::sleep(Duration::from_secs(call.args.rest.parse().unwrap())).await;
                Ok(Reply::text(format!("waited {}", call.args.rest)))
            })
            .build(),
        Fake::new("hold", "hold (?P<rest>.*)")
            .usage("hold TEXT", "hold x")
            .runs(move |call| {
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(Reply::text(call.args.rest))
                }
            })
            .build(),
        Fake::new("change", "change (?P<rest>\\d+)")
            .usage("change SECONDS", "change 5")
            .risk(Risk::Change, "s", "e")
            .runs(|call| async move {
                tokio::time::sleep(Duration::from_secs(call.args.rest.parse().unwrap())).await;
                Ok(Reply::text("changed"))
            })
            .build(),
        Fake::new("break", "break").runs(|_| async { panic!("it broke") }).build(),
    ]
}

fn closed() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

fn talk() -> Talk {
    Setup::new(commands(&closed())).start()
}

#[tokio::test(start_paused = true)]
async fn a_slow_command_holds_up_only_its_asker() {
    let gate = closed();
    let mut talk = Setup::new(commands(&gate)).start();
    talk.say_as("ann", "hold first").await;
    talk.say_as("ann", "echo second").await;
    talk.say_as("bob", "ping").await;
    assert_eq!(talk.reply().await, "pong");
    let mut elsewhere = talk.message("ann", "ping");
    elsewhere.place.address.thread = Some("t1".into());
    talk.deliver(elsewhere).await;
    assert_eq!(talk.reply().await, "pong");
    gate.add_permits(1);
    assert_eq!(talk.reply().await, "first");
    assert_eq!(talk.reply().await, "second");
}

#[tokio::test]
async fn replies_come_in_the_order_of_each_askers_messages() {
    let mut talk = talk();
    for n in 0..50 {
        talk.say_as("ann", &format!("echo ann {n}")).await;
        talk.say_as("bob", &format!("echo bob {n}")).await;
    }
    let mut next = std::collections::HashMap::from([("ann".to_owned(), 0), ("bob".to_owned(), 0)]);
    for _ in 0..100 {
        let reply = talk.reply().await;
        let (who, n) = reply.split_once(' ').unwrap();
        let expected = next.get_mut(who).unwrap();
        assert_eq!(n, expected.to_string(), "{reply}");
        *expected += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_loses_nothing_and_keeps_the_order() {
    const LINES: usize = 5000;
    let options = Options { waiting: 4, ..Options::default() };
    let mut talk = Setup::new(commands(&closed())).options(options).in_turn().start();
    let inbox = talk.inbox().await;
    let mut full = 0;
    for n in 0..LINES {
        let mut message = talk.message("ann", &format!("echo {n}"));
        while let Delivered::Full(back) = inbox.deliver(message).await {
            full += 1;
            inbox.room().await;
            message = *back;
        }
    }
    talk.hang(None);
    for n in 0..LINES {
        assert_eq!(talk.reply().await, n.to_string());
    }
    talk.ended().await;
    assert!(full > 0, "the queue was never full");
}

#[tokio::test(start_paused = true)]
async fn too_much_of_one_asker_is_given_back_and_there_is_room_when_half_is_done() {
    let gate = closed();
    let options = Options { waiting: 4, ..Options::default() };
    let mut talk = Setup::new(commands(&gate)).options(options).start();
    let inbox = talk.inbox().await;
    for n in 0..5 {
        talk.say_as("ann", &format!("hold {n}")).await;
    }
    let extra = talk.message("ann", "hold 5");
    let Delivered::Full(extra) = inbox.deliver(extra).await else { panic!("a fifth message waits") };
    talk.say_as("bob", "ping").await;
    assert_eq!(talk.reply().await, "pong");
    let mut room = std::pin::pin!(inbox.room());
    gate.add_permits(1);
    assert_eq!(talk.reply().await, "0");
    assert!(futures_util::poll!(room.as_mut()).is_pending());
    gate.add_permits(1);
    room.await;
    assert!(matches!(inbox.deliver(*extra).await, Delivered::Queued));
    gate.add_permits(9);
    for n in 1..6 {
        assert_eq!(talk.reply().await, n.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_all_is_bounded() {
    let options = Options { waiting_total: 2, ..Options::default() };
    let mut talk = Setup::new(commands(&closed())).options(options).start();
    for who in ["ann", "ann", "bob", "bob"] {
        talk.say_as(who, "hold x").await;
    }
    let more = talk.message("bob", "ping");
    assert!(matches!(talk.deliver(more).await, Delivered::Full(_)));
    let third = talk.message("eve", "ping");
    assert!(matches!(talk.deliver(third).await, Delivered::Full(_)));
}

#[tokio::test(start_paused = true)]
async fn a_new_asker_finds_room_when_an_old_one_is_answered() {
    let gate = closed();
    let options = Options { waiting_total: 1, ..Options::default() };
    let mut talk = Setup::new(commands(&gate)).options(options).start();
    let inbox = talk.inbox().await;
    talk.say_as("ann", "hold x").await;
    let message = talk.message("bob", "ping");
    let Delivered::Full(message) = inbox.deliver(message).await else { panic!("two are awake") };
    let mut room = std::pin::pin!(inbox.room());
    assert!(futures_util::poll!(room.as_mut()).is_pending());
    gate.add_permits(1);
    room.await;
    assert!(matches!(inbox.deliver(*message).await, Delivered::Queued));
    assert_eq!(talk.reply().await, "x");
    assert_eq!(talk.reply().await, "pong");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_answered_once_however_often_it_comes() {
    let mut talk = talk();
    let message = talk.message("ann", "ping");
    for _ in 0..3 {
        assert!(matches!(talk.deliver(message.clone()).await, Delivered::Queued));
    }
    let mut elsewhere = message.clone();
    elsewhere.place.address.room = "attic".into();
    talk.deliver(elsewhere).await;
    assert_eq!(talk.reply().await, "pong");
    assert_eq!(talk.reply().await, "pong");
    talk.hang(None);
    talk.ended().await;
    assert_eq!(talk.posted(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_panics_is_answered_and_the_next_one_too() {
    let mut talk = talk();
    talk.say_as("ann", "break").await;
    let post = talk.post().await;
    assert_eq!(post.reply.failed, Some(CommandErrorKind::Failed));
    insta::assert_snapshot!(post.reply.said(), @"error executing cmd: the command broke; this is a defect of the bot, its log says more");
    assert_eq!(talk.ask("ping").await, "pong");
}

#[tokio::test(start_paused = true)]
async fn a_command_has_the_bots_time_or_its_plans() {
    let mut all = commands(&closed());
    let long = Fake::new("long", "long").within(Duration::from_secs(90)).runs(|_| async {
        tokio::time::sleep(Duration::from_secs(80)).await;
        Ok(Reply::text("done"))
    });
    all.push(long.build());
    let mut talk = Setup::new(all).start();
    let began = Instant::now();
    assert_eq!(talk.ask("wait 31").await, "error executing cmd: no answer within 30s");
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(talk.ask("long").await, "done");
    assert_eq!(talk.ask("change 31").await, "error executing cmd: no answer within 30s; it may have run");
}

#[tokio::test(start_paused = true)]
async fn stop_ends_the_askers_command_at_once_and_nobody_elses() {
    let mut talk = talk();
    talk.say_as("ann", "hold `a\nb").await;
    talk.say_as("ann", "ping").await;
    talk.say_as("bob", "stop").await;
    assert_eq!(talk.reply().await, "nothing of yours is running here");
    talk.say_as("ann", "STOP").await;
    let mut replies = [talk.post().await, talk.post().await, talk.post().await];
    replies.sort_by_key(|post| post.place.under.clone());
    let replies: Vec<_> = replies.iter().map(|post| post.reply.said().into_owned()).collect();
    insta::assert_snapshot!(replies.join("\n"), @r"
    error executing cmd: stopped
    pong
    stopping `hold a…`; 1 more of yours come next
    ");
}

#[tokio::test(start_paused = true)]
async fn on_a_pipe_stop_takes_its_turn() {
    let mut talk = Setup::new(commands(&closed())).in_turn().start();
    talk.say_as("ann", "wait 5").await;
    talk.say_as("ann", "stop").await;
    assert_eq!(talk.reply().await, "waited 5");
    assert_eq!(talk.reply().await, "nothing of yours is running here");
}

#[tokio::test(start_paused = true)]
async fn more_than_may_run_at_once_is_told_that_the_bot_is_busy() {
    let options = Options { running: 1, ..Options::default() };
    let mut talk = Setup::new(commands(&closed())).options(options).start();
    talk.say_as("ann", "hold x").await;
    talk.say_as("bob", "ping").await;
    let post = talk.post().await;
    assert_eq!(post.reply.failed, Some(CommandErrorKind::Busy));
    assert_eq!(post.reply.said(), "error executing cmd: I am busy; ask again in a moment");
}

#[tokio::test(start_paused = true)]
async fn parts_are_posted_in_order_and_nothing_after_them_is_no_post() {
    let parts = Fake::new("parts", "parts").runs(|call| async move {
        call.say(Reply::text("one")).await?;
        call.say(Reply::text("two")).await?;
        Ok(Reply::nothing())
    });
    let nothing = Fake::new("nothing", "nothing").runs(|_| async { Ok(Reply::nothing()) });
    let mut talk = Setup::new(vec![parts.build(), nothing.build()]).start();
    talk.say_as("ann", "parts").await;
    talk.say_as("ann", "nothing").await;
    talk.hang(None);
    talk.ended().await;
    assert_eq!(talk.posted(), ["one", "two", ""]);
}

#[tokio::test(start_paused = true)]
async fn progress_is_one_post_that_becomes_the_answer_and_a_pipe_shows_none() {
    let busy = || {
        let busy = Fake::new("busy", "busy").runs(|call| async move {
            for n in 0..30 {
                call.show(Reply::text(format!("{n} of 30"))).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok(Reply::text("all"))
        });
        vec![busy.build()]
    };
    let mut talk = Setup::new(busy()).start();
    talk.say_as("ann", "busy").await;
    let mut posts = Vec::new();
    for _ in 0..4 {
        let post = talk.post().await;
        posts.push(format!("{} {:?}", post.reply.said(), post.instead));
    }
    insta::assert_snapshot!(posts.join("\n"), @r#"
    0 of 30 None
    10 of 30 Some("0")
    20 of 30 Some("1")
    all Some("2")
    "#);
    let mut pipe = Setup::new(busy()).in_turn().start();
    assert_eq!(pipe.ask("busy").await, "all");
}

#[tokio::test(start_paused = true)]
async fn a_chat_shows_what_happens_to_a_message() {
    let mut talk = talk();
    talk.ask("ping").await;
    talk.ask("break").await;
    talk.ask("pong").await;
    talk.hang(None);
    talk.ended().await;
    assert_eq!(talk.chat.states(), [State::Working, State::Done, State::Working, State::Failed, State::Failed]);
}

#[tokio::test(start_paused = true)]
async fn a_form_is_its_command_and_an_unknown_button_is_answered() {
    let mut talk = talk();
    let mut form = talk.message("ann", "");
    form.body = Body::Form { command: "Echo".into(), args: Args { rest: "hi".into(), ..Args::default() } };
    talk.deliver(form).await;
    assert_eq!(talk.reply().await, "hi");
    let mut press = talk.message("ann", "");
    press.body = Body::Press { token: "x".into(), fields: Args::default() };
    talk.deliver(press).await;
    assert_eq!(talk.reply().await, "this button is no longer known; ask again");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_input_everything_asked_is_answered_each_within_its_own_limit() {
    let mut talk = talk();
    for _ in 0..3 {
        talk.say_as("ann", "wait 29").await;
    }
    talk.say_as("bob", "wait 31").await;
    talk.hang(None);
    talk.ended().await;
    let late = "error executing cmd: no answer within 30s";
    assert_eq!(talk.posted(), ["waited 29", late, "waited 29", "waited 29"]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_bot_answers_what_was_delivered() {
    let mut talk = talk();
    talk.say_as("ann", "wait 4").await;
    talk.say_as("ann", "wait 5").await;
    talk.closed.cancel();
    talk.ended().await;
    assert_eq!(talk.posted(), ["waited 4", "waited 5"]);
}

#[tokio::test(start_paused = true)]
async fn what_exceeds_the_drain_limit_is_stopped_and_told_so() {
    let mut talk = talk();
    let began = Instant::now();
    talk.say_as("ann", "wait 25").await;
    talk.say_as("ann", "ping").await;
    talk.say_as("bob", "change 25").await;
    talk.closed.cancel();
    talk.ended().await;
    assert_eq!(began.elapsed().as_secs(), 10);
    let mut posted = talk.posted();
    posted.sort();
    insta::assert_snapshot!(posted.join("\n"), @r"
    error executing cmd: I am shutting down; this was not run
    error executing cmd: stopped, I am shutting down
    error executing cmd: stopped, I am shutting down; it may have run
    ");
}

#[tokio::test(start_paused = true)]
async fn a_command_may_answer_its_own_stop() {
    let kind = Fake::new("kind", "kind").runs(|call| async move {
        call.stop.cancelled().await;
        Err(CommandError::new(CommandErrorKind::Cancelled, "two of five were done"))
    });
    let mut talk = Setup::new(vec![kind.build()]).start();
    talk.say_as("ann", "kind").await;
    talk.closed.cancel();
    talk.ended().await;
    assert_eq!(talk.posted(), ["error executing cmd: two of five were done"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_bot_leaves_its_commands_at_once() {
    let gate = closed();
    let mut talk = Setup::new(commands(&gate)).start();
    talk.say_as("ann", "hold x").await;
    talk.say_as("bob", "ping").await;
    assert_eq!(talk.reply().await, "pong");
    talk.drop_bot().await;
    gate.add_permits(1);
    tokio::task::yield_now().await;
    assert_eq!(talk.posted(), Vec::<String>::new());
    assert_eq!(gate.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_at_once_does_not_wait_for_its_turn() {
    let mut all = commands(&closed());
    all.push(Fake::new("now", "now").says("here").turn(Turn::AtOnce).build());
    let mut talk = Setup::new(all).start();
    talk.say_as("ann", "hold x").await;
    talk.say_as("ann", "now").await;
    assert_eq!(talk.reply().await, "here");
}
