//! What is typed, and what is answered.

use bot::command::{Command, Risk};
use bot::reply::Reply;
use bot::router::{Routed, Router, Word};
use bot::testing::{Fake, Setup, Talk, misrouted};
use std::sync::Arc;
use tokio::sync::watch;

/// A table like the real one.
fn table() -> Vec<Arc<dyn Command>> {
    vec![
        Fake::new("ping", "ping").says("pong").build(),
        Fake::new("echo", "echo(?: (?P<rest>.*))?").usage("echo TEXT", "echo hi").build(),
        Fake::new("list services", "list services").says("a\nb").build(),
        Fake::new("list nodes", "list nodes (?P<service>\\S+)").usage("list nodes SERVICE", "list nodes a.b").build(),
        Fake::new("get service", r"get service (?P<service>\S+)")
            .usage("get service NAME", "get service go.micro.srv.greeter")
            .details("options:\n  --raw  as it came")
            .runs(|call| async move { Ok(Reply::text(call.args.named["service"].clone())) })
            .build(),
        Fake::new("three laws", "(the )?three laws( of robotics)?").says("1. 2. 3.").build(),
        Fake::new("call", r"call(?P<force>!)? (?P<rest>\S+ \S+.*)")
            .usage("call SERVICE ENDPOINT [REQUEST]", "call a.b Say.Hello name=John")
            .risk(Risk::Call, "a.b", "Say.Hello")
            .runs(|call| async move {
                let force = call.args.named.contains_key("force");
                Ok(Reply::text(format!("{force} {:?}", call.args.rest)))
            })
            .build(),
    ]
}

fn word(word: &str, summary: &'static str) -> Word {
    let mut fake = Fake::new("x", "x").runs(|call| async move { Ok(Reply::text(format!("{:?}", call.args.rest))) });
    fake.spec.name = word.to_owned().into();
    fake.spec.usage = if summary.is_empty() { "".into() } else { format!("{word} [x]").into() };
    fake.spec.summary = summary.into();
    Word { word: word.into(), service: format!("go.micro.bot.{word}").into(), command: fake.build() }
}

fn words(words: Vec<Word>) -> watch::Receiver<Arc<Vec<Word>>> {
    watch::channel(Arc::new(words)).1
}

fn talk() -> Talk {
    let services = vec![word("slow", "probe"), word("ping", "hides"), word("Deploy", ""), word("list", "lists")];
    Setup::new(table()).words(words(services)).start()
}

#[test]
fn every_example_is_its_command_and_no_other() {
    assert_eq!(misrouted(&table()), Vec::<String>::new());
    let twofold = vec![Fake::new("a b", "a .*").build(), Fake::new("a", "a( .*)?").usage("a", "a b").build()];
    insta::assert_snapshot!(misrouted(&twofold).join("\n"), @r#"
    `a b` should be `a` alone and is ["a b", "a"]
    `a b` should be `a b` alone and is ["a b", "a"]
    "#);
}

#[tokio::test(start_paused = true)]
async fn words_are_known_in_any_case_and_with_any_blanks() {
    let mut talk = talk();
    for line in ["list services", "LIST  \t Services", " list\nservices ", "list\u{a0}services\n"] {
        assert_eq!(talk.ask(line).await, "a\nb", "{line:?}");
    }
    assert_eq!(talk.ask("The Three Laws").await, "1. 2. 3.");
    assert_eq!(talk.ask("get service Go.Micro").await, "Go.Micro");
}

#[tokio::test(start_paused = true)]
async fn the_rest_arrives_byte_for_byte() {
    let mut talk = talk();
    assert_eq!(talk.ask("echo hi  there \n\n x\t ").await, "hi  there \n\n x\t ");
    assert_eq!(talk.ask("echo").await, "");
    let line = "CALL! a.b Say.Hello\n```\n{\"name\": \"a   B\"}\n```\n";
    assert_eq!(talk.ask(line).await, format!("true {:?}", &line[6..]));
    assert_eq!(talk.ask("call s m").await, "false \"s m\"");
}

#[tokio::test(start_paused = true)]
async fn a_service_word_gets_what_no_complete_form_takes() {
    let mut talk = talk();
    assert_eq!(talk.ask("ping").await, "pong");
    assert_eq!(talk.ask("ping a  b ").await, "\"a  b \"");
    assert_eq!(talk.ask("SLOW\tx").await, "\"x\"");
    assert_eq!(talk.ask("go.micro.bot.ping").await, "\"\"");
    assert_eq!(talk.ask("list of things").await, "\"of things\"");
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_not_complete_is_answered_with_its_usage() {
    let mut talk = Setup::new(table()).start();
    let mut answers = Vec::new();
    for line in ["get service", "Call", "call!", "list", "list foo", "list servces", "ping pong"] {
        talk.say_as("ann", line).await;
        let post = talk.post().await;
        answers.push(format!("> {line}\n{} [{}]", post.reply.said(), post.reply.failed.unwrap().as_str()));
    }
    insta::assert_snapshot!(answers.join("\n"), @r"
    > get service
    `get service` is typed like this: get service NAME
    for example: get service go.micro.srv.greeter [usage]
    > Call
    `call` is typed like this: call SERVICE ENDPOINT [REQUEST]
    for example: call a.b Say.Hello name=John [usage]
    > call!
    `call` is typed like this: call SERVICE ENDPOINT [REQUEST]
    for example: call a.b Say.Hello name=John [usage]
    > list
    list what?
    list nodes SERVICE - Does list nodes
    list services - Does list services [usage]
    > list foo
    list what? These are known:
    list nodes SERVICE - Does list nodes
    list services - Does list services [usage]
    > list servces
    did you mean `list services`? [not_found]
    > ping pong
    `ping` is typed like this: ping [usage]
    ");
}

#[tokio::test(start_paused = true)]
async fn what_is_nearly_right_is_asked_about() {
    let mut talk = talk();
    let mut answers = Vec::new();
    let long = "x".repeat(100_000);
    for line in
        ["hep", "hep me", "lst services", "get servce x", "slwo", "deplyo now", "weather `today`", "ping?", "", &long]
    {
        talk.say_as("ann", line).await;
        let post = talk.post().await;
        let line = line.chars().take(20).collect::<String>();
        answers.push(format!("> {line}\n{} [{}]", post.reply.said(), post.reply.failed.unwrap().as_str()));
    }
    insta::assert_snapshot!(answers.join("\n"), @r"
    > hep
    did you mean `help`? [not_found]
    > hep me
    did you mean `help`? [not_found]
    > lst services
    did you mean `list services`? [not_found]
    > get servce x
    did you mean `get service`? [not_found]
    > slwo
    did you mean `slow`? [not_found]
    > deplyo now
    did you mean `Deploy`? [not_found]
    > weather `today`
    I do not know `weather`; `help` lists what I can do [not_found]
    > ping?
    did you mean `ping`? [not_found]
    > 
    I am here; `help` lists what I can do [usage]
    > xxxxxxxxxxxxxxxxxxxx
    I do not know `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`; `help` lists what I can do [not_found]
    ");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_meant_for_the_bot_is_met_with_silence() {
    let mut talk = talk();
    for line in ["hep", "get well soon", "weather"] {
        let mut message = talk.message("bob", line);
        message.direct = false;
        talk.deliver(message).await;
    }
    let mut message = talk.message("bob", "ping");
    message.direct = false;
    talk.deliver(message).await;
    assert_eq!(talk.reply().await, "pong");
    assert_eq!(talk.posted(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn help_lists_the_built_ins_and_then_the_services() {
    insta::assert_snapshot!(talk().ask("help").await, @r"
    call SERVICE ENDPOINT [REQUEST] - Does call
    echo TEXT - Does echo
    get service NAME - Does get service
    help [command] - Displays help for all known commands, or for one
    list nodes SERVICE - Does list nodes
    list services - Does list services
    ping - Does ping
    stop - Stops your running command
    three laws - Does three laws
    whoami - Returns who you are to the bot, and what you may do

    Deploy - no help yet
    list [x] - lists
    go.micro.bot.ping - hides
    slow [x] - probe
    ");
}

#[tokio::test(start_paused = true)]
async fn help_explains_one_command() {
    let mut talk = talk();
    let mut answers = Vec::new();
    for line in [
        "help get service",
        "HELP  Three Laws",
        "help slow",
        "help deploy",
        "help go.micro.bot.ping",
        "help lst services",
        "help get",
        "help nonsense",
        "help help",
    ] {
        answers.push(format!("> {line}\n{}", talk.ask(line).await));
    }
    insta::assert_snapshot!(answers.join("\n"), @r"
    > help get service
    get service NAME
    Does get service
    options:
      --raw  as it came
    for example: get service go.micro.srv.greeter
    > HELP  Three Laws
    three laws
    Does three laws
    for example: three laws
    > help slow
    slow [x]
    probe
    for example: x
    > help deploy
    Deploy
    no help yet
    for example: x
    > help go.micro.bot.ping
    ping [x]
    hides
    for example: x
    > help lst services
    error executing cmd: did you mean `list services`?
    > help get
    get service NAME - Does get service
    > help nonsense
    error executing cmd: I do not know `nonsense`; `help` lists what I can do
    > help help
    help [command]
    Displays help for all known commands, or for one
      command (text): Deploy, call, echo, get, help, list, ping, slow, …
    for example: help
    ");
}

#[test]
fn equal_names_and_broken_patterns_are_refused_with_a_line_each() {
    let commands = vec![
        Fake::new("a b", "a b").build(),
        Fake::new("a b", "a b c").build(),
        Fake::new("Big", "big").build(),
        Fake::new("open", "open (").build(),
        Fake::new("sly", "a)|(b").build(),
    ];
    let problems = Router::new(commands, words(Vec::new())).unwrap_err();
    let first_lines: Vec<&str> = problems.iter().map(|problem| problem.lines().next().unwrap()).collect();
    insta::assert_snapshot!(first_lines.join("\n"), @r"
    command `Big`: a name is lower case words, one blank between
    command `a b`: 2 commands have this name
    command `open`: its pattern does not compile: regex parse error:
    command `sly`: its pattern does not compile: regex parse error:
    ");
}

#[test]
fn the_words_are_those_of_the_last_list() {
    let (sender, receiver) = watch::channel(Arc::new(vec![word("slow", "")]));
    let router = Router::new(table(), receiver).unwrap();
    assert!(matches!(router.route("slow x"), Routed::Found(..)));
    sender.send_replace(Arc::new(vec![word("fast", "")]));
    assert!(matches!(router.route("slow x"), Routed::Unknown));
    assert!(matches!(router.route("go.micro.bot.FAST x"), Routed::Found(..)));
}

#[test]
fn the_more_exact_form_wins() {
    let commands = vec![Fake::new("a", "a .*").build(), Fake::new("a b", "a b.*").build()];
    let router = Router::new(commands, words(Vec::new())).unwrap();
    let Routed::Found(command, _) = router.route("a b c") else { panic!() };
    assert_eq!(command.spec().name, "a b");
}
