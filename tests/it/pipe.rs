//! The bot on a pipe: what scripts rely on.

use crate::MICRO;
use serde_json::Value;
use support::process::{Output, run};

fn demo(input: impl AsRef<[u8]>) -> Output {
    let output = run(MICRO, ["bot", "--demo"], input.as_ref()).unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    output
}

fn objects(input: impl AsRef<[u8]>) -> Vec<Value> {
    let output = run(MICRO, ["bot", "--demo", "--json"], input.as_ref()).unwrap();
    assert_eq!(output.code, 0);
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_message_has_its_reply_in_order_and_one_newline() {
    let output = demo("ping\necho \necho  two  blanks \nPING\nhep\n");
    assert_eq!(output.stdout, "pong\n\n two  blanks \npong\ndid you mean `help`?\n");
}

#[test]
fn every_spelling_of_a_request_greets_john() {
    let spellings = [
        r#"{"name":"John"}"#,
        r#"<"name":"John">"#,
        r#"<{"name":"John"}>"#,
        r#"'{"name":"John"}'"#,
        r#"`{"name":"John"}`"#,
        "```{\"name\":\"John\"}```",
        "```json\n{\n  \"name\": \"John\"\n}\n```",
        "name=John",
        "name='John'",
        "{\u{201c}name\u{201d}:\u{a0}\u{201c}John\u{201d}}",
        "--timeout 5s name=John",
        "--version 1.0.0 {\"name\":\"John\"}",
    ];
    let input: String =
        spellings.iter().fold(String::new(), |all, one| all + "call go.micro.srv.greeter Say.Hello " + one + "\n");
    let input = input + "```\ncall go.micro.srv.greeter Say.Hello {\"name\":\"John\"}\n```\n";
    let output = demo(&input);
    assert_eq!(output.stdout, "{\n\t\"msg\": \"Hello John\"\n}\n".repeat(spellings.len() + 1));
}

#[test]
fn a_reply_as_json_has_its_number_kind_text_and_data() {
    let replies = objects("ping\nlist services\ncall nope A.B {}\nhealth\n");
    let kinds: Vec<_> = replies.iter().map(|reply| reply["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ok", "ok", "not_found", "usage"]);
    let numbers: Vec<_> = replies.iter().map(|reply| reply["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(
        replies[1]["data"],
        serde_json::json!(["go.micro.bot.demo", "go.micro.srv.counter", "go.micro.srv.greeter"])
    );
    assert_eq!((&replies[0]["ok"], &replies[2]["ok"]), (&Value::Bool(true), &Value::Bool(false)));
}

#[test]
fn what_nobody_could_mean_is_answered_too() {
    let mut input = b"ping\n\xff\xfe not text\n".to_vec();
    input.extend_from_slice(&vec![b'x'; 2 << 20]);
    input.extend_from_slice(b"\necho \x1b[31m\x07\x01 red\n");
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    input.extend_from_slice(format!("call go.micro.srv.greeter Say.Hello {{\"name\":{deep}}}\n").as_bytes());
    input.extend_from_slice("health \"a b/c\u{1f600}'\nping\n".as_bytes());
    input.extend_from_slice(b"call go.micro.srv.greeter Say.Hello ```\n{\"name\":\"never closed\"}\n");
    let replies = objects(&input);
    let kinds: Vec<_> = replies.iter().map(|reply| reply["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 8, "{replies:?}");
    assert_eq!([kinds[0], kinds[1], kinds[2], kinds[3], kinds[6]], ["ok", "malformed", "too_large", "ok", "ok"]);
    assert_eq!((kinds[5], kinds[7]), ("not_found", "malformed"));
    assert!(
        replies.iter().all(|reply| reply["ok"] == Value::Bool(true) || !reply["text"].as_str().unwrap().is_empty())
    );
}

#[test]
fn the_demo_makes_a_node_ill_and_well_again() {
    let output = demo("demo ill\nhealth go.micro.srv.greeter\ndemo well\nhealth go.micro.srv.greeter\n");
    let rows: Vec<_> = output.stdout.lines().filter(|line| line.starts_with("go.micro.srv.greeter-")).collect();
    assert_eq!(rows.len(), 6, "{}", output.stdout);
    let ill = rows.iter().filter(|row| !row.ends_with("\t\tok")).collect::<Vec<_>>();
    assert_eq!(ill.len(), 1);
    assert!(ill[0].starts_with("go.micro.srv.greeter-2\t") && ill[0].contains("ill"), "{}", ill[0]);
}

#[test]
fn a_command_that_is_a_service_is_there_from_the_first_line() {
    for _ in 0..10 {
        let output = demo("demo\nhelp\n");
        assert!(output.stdout.starts_with("node 2 of go.micro.srv.greeter is well"), "{}", output.stdout);
        assert!(output.stdout.lines().any(|line| line.starts_with("demo ")), "{}", output.stdout);
    }
}

#[test]
fn a_stream_prints_its_messages_as_they_come() {
    let output = demo("stream go.micro.srv.counter Stream.Count n=3\nping\n");
    let numbers: Vec<_> = output.stdout.lines().filter_map(|line| line.find("\"n\"").map(|_| line)).collect();
    assert_eq!(numbers.len(), 3, "{}", output.stdout);
    assert!(output.stdout.ends_with("pong\n"));
}

#[test]
fn the_demo_reads_and_writes_json_as_go_does() {
    let output = demo(
        "call go.micro.bot.demo Command.Exec --raw {\"args\":[\"demo\",\"well\"]}\nstream go.micro.srv.counter Stream.Count {\"n\":\"2\"}\n",
    );
    let mut lines = output.stdout.lines();
    let said = lines.next().unwrap();
    assert!(said.starts_with(r#"{"result":"bm9kZSAyIG9mI"#), "base64 of \"node 2 of \": {said}");
    assert_eq!(lines.collect::<Vec<_>>(), [r#"{"n":1}"#, r#"{"n":2}"#]);
}

#[test]
fn help_of_call_tells_its_fields_options_and_spellings_once_each() {
    let help = demo("help call\n").stdout;
    for part in
        ["  service (text, required): ", "  name=John ", "  <\"name\":\"John\"> ", "  --metadata k=v ", "for example: "]
    {
        assert_eq!(help.matches(part).count(), 1, "{part}: {help}");
    }
    assert!(!help.contains("node (text)"), "{help}");
}

#[test]
fn a_wrong_call_says_what_is_wrong_and_what_to_type() {
    let replies = objects(
        "call go.micro.srv.greeter Say.Hello nmae=John\ncall go.micro.srv.greeter Say.Helo {}\ncall go.micro.srv.greter Say.Hello {}\n",
    );
    let texts: Vec<_> = replies.iter().map(|reply| reply["text"].as_str().unwrap()).collect();
    for (text, near) in
        texts.iter().zip(["did you mean `name`?", "did you mean `Say.Hello`?", "did you mean `go.micro.srv.greeter`?"])
    {
        assert!(text.contains(near), "{text} does not name {near}");
    }
}

#[test]
fn ten_thousand_lines_are_answered_without_loss() {
    let lines = |word: &str| (0..10_000).map(|number| format!("{word}{number}\n")).collect::<Vec<_>>().concat();
    let output = demo(lines("echo "));
    assert!(output.stdout == lines(""), "{} bytes came", output.stdout.len());
}
