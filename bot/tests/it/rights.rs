//! Policy, journal, the shell, and what adapters see of the commands.

use async_trait::async_trait;
use bot::bot::{Bot, Options, Parts};
use bot::command::{Command, CommandError, CommandErrorKind, Risk, Sink};
use bot::journal::{Claim, Journal};
use bot::message::{Args, Message};
use bot::policy::{Policy, Rule};
use bot::reply::Reply;
use bot::router::Word;
use bot::testing::{Fake, ROOM, Setup, message};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

fn commands() -> Vec<Arc<dyn Command>> {
    vec![
        Fake::new("list services", "list services").says("a").build(),
        Fake::new("call", "call (?P<rest>.+)")
            .usage("call SERVICE ENDPOINT", "call go.micro.srv.greeter Say.Hello")
            .risk(Risk::Call, "go.micro.srv.greeter", "Say.Hello")
            .says("called")
            .build(),
    ]
}

fn open_to(who: &str) -> Policy {
    let rule = Rule { rooms: vec![ROOM.into()], senders: vec![format!("U-{who}")], ..Rule::default() };
    Policy::new(vec![("ops".into(), rule)])
}

#[tokio::test(start_paused = true)]
async fn in_a_chat_everyone_reads_and_only_whom_a_rule_opens_it_calls() {
    let mut talk = Setup::new(commands()).policy(open_to("ann")).start();
    talk.say_as("bob", "list services").await;
    assert_eq!(talk.reply().await, "a");
    talk.say_as("ann", "call x").await;
    assert_eq!(talk.reply().await, "called");
    talk.say_as("bob", "call x").await;
    let post = talk.post().await;
    assert_eq!(post.reply.failed, Some(CommandErrorKind::Denied));
    insta::assert_snapshot!(post.reply.said(), @r#"
    error executing cmd: you may not `call go.micro.srv.greeter Say.Hello` here: no rule of the policy opens it in this room. Whoever keeps the bot's config can add:

    [policy.call]
    adapters = ["chat"]
    rooms = ["den"]
    commands = ["call"]
    services = ["go.micro.srv.greeter"]
    endpoints = ["Say.Hello"]
    "#);
}

#[tokio::test(start_paused = true)]
async fn whoami_tells_what_a_rule_would_need() {
    let mut talk = Setup::new(commands()).policy(open_to("ann")).start();
    let mut answers = Vec::new();
    for who in ["ann", "bob"] {
        talk.say_as(who, "whoami").await;
        answers.push(talk.reply().await);
    }
    let mut guest = talk.message("eve", "whoami");
    guest.from.id = None;
    guest.from.external = true;
    talk.deliver(guest).await;
    answers.push(talk.reply().await);
    answers.push(Setup::new(commands()).start().ask("whoami").await);
    insta::assert_snapshot!(answers.join("\n\n"), @r"
    adapter:  chat
    room:     den
    id:       U-ann
    name:     ann
    may:      read, and call and change what these rules open: ops

    adapter:  chat
    room:     den
    id:       U-bob
    name:     bob
    may:      read; no rule of the policy is for you here

    adapter:   chat
    room:      den
    id:        unproven
    name:      eve
    may:       read; this chat does not prove who you are
    external:  yes

    adapter:  chat
    room:     den
    id:       U-ann
    name:     ann
    may:      read, call and change everything
    ");
}

/// A journal that answers what its test says.
struct Script(Claim, Mutex<Vec<String>>);

#[async_trait]
impl Journal for Script {
    async fn claim(&self, key: &str, _message: &Message) -> Claim {
        self.1.lock().unwrap().push(format!("claim {key}"));
        self.0
    }

    async fn done(&self, key: &str) {
        self.1.lock().unwrap().push(format!("done {key}"));
    }

    async fn open(&self) -> Vec<Message> {
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_change_something_is_claimed_before_it_runs() {
    let script = Arc::new(Script(Claim::Mine, Mutex::default()));
    let mut talk = Setup::new(commands()).journal(script.clone()).start();
    talk.ask("list services").await;
    assert_eq!(talk.ask("call x").await, "called");
    assert_eq!(*script.1.lock().unwrap(), ["claim chat//den/2", "done chat//den/2"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_or_done_before_does_not_run_again() {
    let unsure = Arc::new(Script(Claim::Unsure, Mutex::default()));
    let done = Arc::new(Script(Claim::Done, Mutex::default()));
    let mut talk = Setup::new(commands()).journal(unsure.clone()).start();
    insta::assert_snapshot!(talk.ask("call x").await, @"error executing cmd: this was begun before I was restarted and may have run; look, then ask again");
    let mut talk = Setup::new(commands()).journal(done.clone()).start();
    insta::assert_snapshot!(talk.ask("call x").await, @"error executing cmd: this was asked and done before");
    assert_eq!(*done.1.lock().unwrap(), ["claim chat//den/1"]);
}

/// A sink that counts.
#[derive(Default)]
struct Heard(AtomicUsize);

#[async_trait]
impl Sink for Heard {
    async fn show(&self, _progress: Reply) {}

    async fn say(&self, _part: Reply) -> Result<(), CommandError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn parts(commands: Vec<Arc<dyn Command>>) -> Parts {
    let words = watch::channel(Arc::default()).1;
    Parts { adapters: Vec::new(), commands, words, policy: Policy::default(), journal: None }
}

#[tokio::test(start_paused = true)]
async fn the_shell_runs_one_line_without_adapter_and_queue() {
    let mut all = commands();
    all.push(
        Fake::new("parts", "parts")
            .runs(|call| async move {
                call.say(Reply::text("one")).await?;
                Ok(Reply::nothing())
            })
            .build(),
    );
    let bot = Bot::new(Options::default(), parts(all)).unwrap();
    let sink = Arc::new(Heard::default());
    let once = async |text: &str| bot.once(message(&"shell".into(), "root", text), sink.clone()).await;
    assert_eq!(once("call x").await.unwrap().said(), "called");
    assert!(once("parts").await.unwrap().is_nothing());
    assert_eq!(sink.0.load(Ordering::Relaxed), 1);
    let error = once("list").await.unwrap_err();
    assert_eq!(error.kind, CommandErrorKind::Usage);
    assert_eq!(error.text, "list what?\nlist services - Does list services");
    assert_eq!(once("lst services").await.unwrap_err().text, "did you mean `list services`?");
}

#[test]
fn a_bot_whose_parts_clash_is_refused_with_every_reason() {
    let (one, _) = bot::testing::Chat::new("chat", false, false);
    let (two, _) = bot::testing::Chat::new("chat", false, false);
    let mut parts = parts(vec![Fake::new("help", "help").build()]);
    parts.adapters = vec![one, two];
    let problems = Bot::new(Options::default(), parts).unwrap_err();
    insta::assert_snapshot!(problems.join("\n"), @r"
    adapter `chat`: two adapters have this name
    command `help`: 2 commands have this name
    ");
}

fn word(word: &str) -> Word {
    let mut fake = Fake::new("x", "x").says("x");
    fake.spec.name = word.to_owned().into();
    Word { word: word.into(), service: format!("go.micro.bot.{word}").into(), command: fake.build() }
}

#[tokio::test(start_paused = true)]
async fn adapters_see_the_commands_as_they_come_and_go_and_their_fields() {
    let (sender, words) = watch::channel(Arc::new(vec![word("slow")]));
    let mut talk = Setup::new(commands()).words(words).start();
    let inbox = talk.inbox().await;
    let mut catalogue = inbox.catalogue();
    let names = |specs: &[bot::command::Spec]| specs.iter().map(|spec| spec.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&catalogue.borrow_and_update()), ["call", "help", "list services", "stop", "whoami", "slow"]);
    sender.send_replace(Arc::new(vec![word("fast")]));
    catalogue.wait_for(|specs| names(specs).contains(&"fast".to_owned())).await.unwrap();
    let asked = talk.message("ann", "");
    let fields = async |command: &str, rest: &str| {
        let so_far = Args { rest: rest.into(), ..Args::default() };
        inbox.fields(command, &so_far, &asked.from, &asked.place.address).await
    };
    assert_eq!(fields("help", "").await[0].choices, ["call", "fast", "help", "list", "stop", "whoami"]);
    assert_eq!(fields("Help", "list ").await[0].choices, ["services"]);
    assert!(fields("nonsense", "").await.is_empty());
}
