//! What people type, and what is sent or said.

use crate::call::plan::{self, Heard, Sent};
use crate::call::{Call, Way, line};
use crate::json;
use crate::stream::Stream;
use crate::testing::{Shelf, args, asked, kit, service};
use bot::command::{Command, CommandError, Risk};
use bot::message::Args;
use bot::router::{Routed, Router};
use micro::registry::service::{Endpoint, Service, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use tokio::sync::watch;

fn value(name: &str, kind: &str, values: Vec<Value>) -> Value {
    Value { name: name.to_owned(), r#type: kind.to_owned(), values }
}

fn fields(fields: &[(&str, &str)]) -> Vec<Value> {
    fields.iter().map(|(name, kind)| value(name, kind, Vec::new())).collect()
}

fn endpoint(name: &str, request: Vec<Value>, metadata: &[(&str, &str)]) -> Endpoint {
    let metadata: BTreeMap<_, _> =
        metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Endpoint { name: name.to_owned(), request: Some(value("Request", "Request", request)), response: None, metadata }
}

/// `Say.Hello` is whole; `All.Types` has one field of each kind; `Cut.Off` has what Go does not show.
fn greeter() -> Vec<Service> {
    let mut types = fields(&[
        ("text", "string"),
        ("count", "int64"),
        ("small", "int8"),
        ("size", "uint32"),
        ("ok", "bool"),
        ("score", "float64"),
        ("tags", "[]string"),
        ("ids", "[]int64"),
        ("raw", "[]uint8"),
        ("user_name", "string"),
        ("mood", "Mood"),
    ]);
    types.push(value("address", "Address", fields(&[("street", "string"), ("zip", "string")])));
    types.push(value("items", "[]Item", vec![value("Item", "Item", fields(&[("id", "int64")]))]));
    let mut cut = fields(&[("name", "string"), ("labels", ""), ("deep", "Deep")]);
    cut.push(value("Base", "Base", fields(&[("id", "string")])));
    let mut one = service("go.micro.srv.greeter", "1.0.0", &["127.0.0.1:1001"]);
    one.endpoints = vec![
        endpoint("Say.Hello", fields(&[("name", "string")]), &[("stream", "false")]),
        endpoint("All.Types", types, &[]),
        endpoint("Cut.Off", cut, &[]),
        endpoint("Any.Thing", Vec::new(), &[]),
        endpoint("Tick.Er", fields(&[("to", "int64")]), &[("stream", "true")]),
        endpoint("Sub.Handle", Vec::new(), &[("subscriber", "true"), ("topic", "events")]),
    ];
    let mut two = service("go.micro.srv.greeter", "2.0.0", &["127.0.0.1:2001", "127.0.0.1:2002"]);
    two.endpoints = vec![endpoint("Say.Hello", fields(&[("name", "string"), ("title", "string")]), &[])];
    vec![one, two]
}

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let kit = kit(&Shelf::with([]));
    let commands: Vec<Arc<dyn Command>> = vec![Arc::new(Call::new(&kit)), Arc::new(Stream::new(&kit))];
    Router::new(commands, watch::channel(Arc::default()).1).unwrap()
});

/// Routes the line as the bot does, reads and resolves it.
fn line_of(text: &str) -> Result<Sent, CommandError> {
    let Routed::Found(command, args) = ROUTER.route(text) else { panic!("no form takes {text:?}") };
    let way = if command.spec().name == "call" { Way::Call } else { Way::Stream };
    let asked = asked(text);
    let heard = Heard::of(&asked, &args, way);
    match line::read(&heard.rest, way.options()) {
        Ok(line) => plan::resolve(&greeter(), way, &heard, line),
        Err(misread) => Err(plan::misread_error(&greeter(), way, &heard, &misread)),
    }
}

fn body(text: &str) -> String {
    let sent = line_of(text).unwrap_or_else(|error| panic!("{text:?}\n{error}"));
    String::from_utf8(sent.body.to_vec()).unwrap()
}

/// The body of a request to an endpoint of the greeter.
fn to(endpoint: &str, request: &str) -> String {
    body(&format!("call go.micro.srv.greeter {endpoint} {request}"))
}

fn refused(text: &str) -> String {
    match line_of(text) {
        Ok(sent) => panic!("{text:?} was sent: {:?}", sent.body),
        Err(error) => format!("{}: {}", error.kind.as_str(), error.text),
    }
}

/// Several refusals, the first line of each.
fn reasons(endpoint: &str, requests: &[&str]) -> String {
    let reason = |request: &&str| {
        let said = refused(&format!("call g {endpoint} {request}"));
        format!("{request:<28} {}", said.lines().next().unwrap_or_default())
    };
    requests.iter().map(reason).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_spelling_of_john_is_the_same_request() {
    let requests = [
        r#"{"name":"John"}"#,
        r#"<"name":"John">"#,
        r#"<{"name":"John"}>"#,
        r#""name":"John""#,
        r#"'{"name":"John"}'"#,
        r#"`{"name":"John"}`"#,
        r#"``{"name":"John"}``"#,
        r#"```{"name":"John"}```"#,
        "```\n{\"name\":\"John\"}\n```",
        "```json\n{\"name\":\"John\"}\n```",
        "```json {\"name\":\"John\"}```",
        "\n```\n{\"name\":\"John\"}```\n",
        "```\nname=John\n```",
        "‘{\"name\":\"John\"}’",
        "{“name”:“John”}",
        "{„name“:“John„}",
        "{‟name‟:”John”}",
        "{“name\":\"John”}",
        "{\"name”:“John\"}",
        "<“name”:“John”>",
        "<{“name”:“John”}>",
        "“name”:“John”",
        "'{“name”:“John”}'",
        "```\n{“name”:“John”}\n```",
        "{\u{a0}“name”\u{202f}:\u{200b}“John”\u{feff}}",
        "\u{200b}{\"name\":\"John\"}\u{200b}",
        "name=John",
        "name=\"John\"",
        "name='John'",
        "name=“John”",
        "name=‘John’",
        "\"name\"=John",
        "\u{200b}name=John\u{200b}",
        "'name=John'",
        "`name=John`",
        "<name=John>",
        "NAME=John",
    ];
    for request in requests {
        let sent = to("Say.Hello", request);
        let sent = if request.contains("{\u{a0}") { json::compact(&sent) } else { sent };
        assert_eq!(sent, r#"{"name":"John"}"#, "{request:?}");
    }
    for line in [
        "```\ncall go.micro.srv.greeter Say.Hello {\"name\":\"John\"}\n```",
        "```sh\ncall go.micro.srv.greeter Say.Hello {\"name\":\"John\"}\n```",
        "```call go.micro.srv.greeter Say.Hello {\"name\":\"John\"}```",
        "`call go.micro.srv.greeter Say.Hello name=John`",
        "```\ncall go.micro.srv.greeter Say.Hello\nname=John\n```\n",
        "  CALL \t go.micro.srv.greeter \n Say.Hello\u{a0}name=John  ",
        "Call! go.micro.srv.greeter Say.Hello name=John",
        "call go.micro.srv.greeter Say.Hello{\"name\":\"John\"}",
        "call go.micro.srv.greeter Say.Hello<\"name\":\"John\">",
        "call \"go.micro.srv.greeter\" 'Say.Hello' name=John",
        "call --version 1.0.0 go.micro.srv.greeter --raw Say.Hello {\"name\":\"John\"} --timeout 1s",
        "call go.micro.srv.greeter Say.Hello --node 127.0.0.1:2001 <\"name\":\"John\"> ––version 2.0.0",
        "call go.micro.srv.greeter Say.Hello name=John —raw",
        "call go.micro.srv.greeter Say.Hello '{\"name\":\"John\"}' --raw",
        "call go.micro.srv.greeter Say.Hello ```\n{\"name\":\"John\"}\n``` --raw",
    ] {
        assert_eq!(body(line), r#"{"name":"John"}"#, "{line:?}");
    }
}

#[test]
fn nothing_is_an_empty_object() {
    for request in ["", " ", "{}", "<>", "<{}>", "''", "``", "``````", "```\n```", "```json\n```", "--raw"] {
        assert_eq!(to("Say.Hello", request), "{}", "{request:?}");
    }
}

#[test]
fn a_string_arrives_byte_for_byte() {
    for inside in [
        "a   b",
        "“curly”",
        "„low‟",
        "\u{a0}\u{202f}",
        "–1 — ––node",
        "\u{200b}\u{feff}\u{200d}",
        "👩‍👩‍👧 👍🏽",
        "O'Hara",
        "`x` ```",
        "<b> > <",
        "{}[]:,",
        " --node x --raw",
        "--timeout",
        "a=b",
        "\\u00e9\\n\\t\\\"\\\\\\/",
        "\u{7f}",
        "&lt;&amp;",
        "//",
    ] {
        let json = format!("{{\"name\":\"{inside}\"}}");
        for request in [
            json.clone(),
            format!("<{json}>"),
            format!("'{json}'"),
            format!("`{json}`"),
            format!("```json\n{json}\n```"),
            format!("<\"name\":\"{inside}\">"),
            format!("{json} --raw"),
        ] {
            assert_eq!(to("Say.Hello", &request), json, "{request:?}");
        }
        let repaired = format!("{{“name”:\u{a0}\"{inside}\"}}");
        assert_eq!(to("Say.Hello", &repaired), format!("{{\"name\": \"{inside}\"}}"), "{repaired:?}");
    }
    assert_eq!(
        to("Say.Hello", "{“name”:“a\u{a0}–“b” and \"c\" ‘d’ 👩‍👩‍👧\\n”}"),
        "{\"name\":\"a\u{a0}–“b” and \\\"c\\\" ‘d’ 👩‍👩‍👧\\n\"}"
    );
}

#[test]
fn valid_json_is_sent_as_it_was_typed() {
    for json in [
        "{ \"name\" :\n\t\"John\" , \"title\":null}",
        "{\"name\":123456789012345678901234567890.10e-400}",
        "{\"name\":-0,\"name\":1E5}",
        "{\"name\":[[],{\"x\":[1,2]}]}",
    ] {
        assert_eq!(to("Say.Hello", json), json);
    }
}

#[test]
fn random_json_is_sent_as_it_was_typed_in_every_wrapper() {
    let mut rng = fastrand::Rng::with_seed(3);
    let letters = [
        "a", "é", "👍", " ", "  ", "“", "”", "„", "\u{a0}", "–", "—", "\u{200b}", "'", "`", "<", ">", "{", "}", "[",
        "]", ",", ":", "=", "--node", "\\\"", "\\\\", "\\u12aB", "```",
    ];
    for _ in 0..300 {
        let mut json = "{".to_owned();
        for index in 0..rng.usize(..4) {
            let text: String = (0..rng.usize(..8)).map(|_| letters[rng.usize(..letters.len())]).collect();
            let value = ["1e400", "-0.50", "true", "null", "[1, [ ]]", "{\"x\" : 1}"]
                .get(rng.usize(..12))
                .map_or_else(|| format!("\"{text}\""), |value| (*value).to_owned());
            let blank = ["", " ", "\n", "\t"][rng.usize(..4)];
            let _ = write!(
                json,
                "{}{blank}\"k{index} {text}\"{blank}:{blank}{value}{blank}",
                if index > 0 { "," } else { "" }
            );
        }
        json.push('}');
        for request in [
            json.clone(),
            format!("<{json}>"),
            format!("'{json}'"),
            format!("``` \n{json} ```"),
            format!("{json}\n––raw"),
        ] {
            assert_eq!(to("Any.Thing", &request), json, "{request:?}");
        }
    }
}

#[test]
fn random_noise_is_answered_and_never_panics() {
    let mut rng = fastrand::Rng::with_seed(4);
    let parts = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        "“",
        "”",
        "'",
        "‘",
        "`",
        "```",
        "<",
        ">",
        ":",
        ",",
        "=",
        "name",
        "1",
        "-",
        "–",
        "—",
        "--node",
        "--timeout 1s",
        "--metadata",
        "a=b",
        ".",
        "\\",
        "\\u",
        "\n",
        " ",
        "\u{a0}",
        "\u{200b}",
        "é",
        "👍",
        "\u{1}",
        "\0",
        "true",
        "null",
    ];
    for _ in 0..20_000 {
        let request: String = (0..rng.usize(..12)).map(|_| parts[rng.usize(..parts.len())]).collect();
        let asked = asked("");
        let args = Args { rest: format!("g All.Types {request}"), ..Args::default() };
        let heard = Heard::of(&asked, &args, Way::Call);
        let result = match line::read(&heard.rest, Way::Call.options()) {
            Ok(line) => plan::resolve(&greeter(), Way::Call, &heard, line),
            Err(misread) => Err(plan::misread_error(&greeter(), Way::Call, &heard, &misread)),
        };
        match result {
            Ok(sent) => {
                assert!(json::is_valid(std::str::from_utf8(&sent.body).unwrap()), "{request:?} made {:?}", sent.body);
            }
            Err(error) => assert!(!error.text.is_empty()),
        }
    }
}

#[test]
fn ten_thousand_levels_and_a_mebibyte_go_as_they_came() {
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(to("Say.Hello", &deep), deep);
    let objects = format!("{}1{}", "{\"name\":".repeat(10_000), "}".repeat(10_000));
    assert_eq!(to("Any.Thing", &objects), objects);
    let long = format!("{{\"name\":\"{}\"}}", "é".repeat(1 << 19));
    assert_eq!(to("Say.Hello", &long), long);
    let curly = format!("{{“name”:\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(to("Say.Hello", &curly).len(), (1 << 20) + 11);
    let open = refused(&format!("call g Say.Hello {}", "{\"a\":".repeat(10_000)));
    assert!(open.contains("a value is missing (column 50018)"), "{open}");
    assert!(open.lines().all(|line| line.chars().count() <= 80), "{open}");
    assert!(refused(&format!("call g Say.Hello {}", "a=1 ".repeat(300_000))).contains("more than 1000 pairs"));
    let word = "x".repeat(1 << 20);
    for line in [
        "g {}",
        "g Say.Hello {}",
        "g Say.Hello {}=1",
        "g Say.Hello {\"{}\":1}",
        "g Say.Hello --{}",
        "g Say.Hello --node {}",
        "g Say.Hello --metadata Micro-{}=1",
    ] {
        let said = refused(&format!("call {}", line.replace("{}", &word)));
        assert!(said.len() < 1_000, "{line}: {} bytes", said.len());
    }
}

#[test]
fn pairs_take_their_types_from_the_schema() {
    for (pairs, json) in [
        ("text=0123", r#"{"text":"0123"}"#),
        ("text=true count=7", r#"{"text":"true","count":7}"#),
        ("text=\"a   b\"", r#"{"text":"a   b"}"#),
        ("text=", r#"{"text":""}"#),
        ("text=a=b", r#"{"text":"a=b"}"#),
        ("text='say \"hi\"'", r#"{"text":"say \"hi\""}"#),
        ("text=\"say \\\"hi\\\"\\n\"", r#"{"text":"say \"hi\"\n"}"#),
        ("text='O'Hara'", r#"{"text":"O'Hara"}"#),
        ("text=‘O’Hara’", "{\"text\":\"O’Hara\"}"),
        ("text=👩‍👩‍👧", "{\"text\":\"👩‍👩‍👧\"}"),
        ("text={\"a\":1}", r#"{"text":"{\"a\":1}"}"#),
        ("count=9007199254740993", r#"{"count":9007199254740993}"#),
        ("count=–5", r#"{"count":-5}"#),
        ("count=\"5\"", r#"{"count":5}"#),
        ("ok=TRUE ok2=1", ""),
        ("ok=TRUE", r#"{"ok":true}"#),
        ("score=1.50", r#"{"score":1.50}"#),
        ("tags=a", r#"{"tags":["a"]}"#),
        ("tags=a,b", r#"{"tags":["a","b"]}"#),
        ("tags=a tags=\"b,c\"", r#"{"tags":["a","b,c"]}"#),
        ("tags=[\"x\", \"y\"] tags=z", r#"{"tags":["x","y","z"]}"#),
        ("tags=", r#"{"tags":[]}"#),
        ("ids=1,2 ids=3", r#"{"ids":[1,2,3]}"#),
        ("raw=aGk=", r#"{"raw":"aGk="}"#),
        ("userName=bob", r#"{"user_name":"bob"}"#),
        ("user_name=bob", r#"{"user_name":"bob"}"#),
        ("mood=HAPPY", r#"{"mood":"HAPPY"}"#),
        ("mood=2", r#"{"mood":2}"#),
        (
            "address.street=\"Main St\" address.zip=0123 count=1",
            r#"{"address":{"street":"Main St","zip":"0123"},"count":1}"#,
        ),
        ("address={\"street\":\"x\"}", r#"{"address":{"street":"x"}}"#),
        ("items=[{“id”:1}]", r#"{"items":[{"id":1}]}"#),
        ("text=x --raw count=1", r#"{"text":"x","count":1}"#),
    ] {
        if !json.is_empty() {
            assert_eq!(to("All.Types", pairs), json, "{pairs}");
        }
    }
}

#[test]
fn pairs_without_a_schema_are_what_they_look_like() {
    for (pairs, json) in [
        (
            "a=1 b=-2.50 c=true d=null e=text f=01 g=\"1\" h=1x",
            r#"{"a":1,"b":-2.50,"c":true,"d":null,"e":"text","f":"01","g":"1","h":"1x"}"#,
        ),
        ("a=[1,2] b={\"x\":[]}", r#"{"a":[1,2],"b":{"x":[]}}"#),
        ("a=1 a=x a=2", r#"{"a":[1,"x",2]}"#),
        ("a.b.c=1 a.b.d=2 a.e=3", r#"{"a":{"b":{"c":1,"d":2},"e":3}}"#),
        ("\"a.b\"=1 'c d'=2", r#"{"a.b":1,"c d":2}"#),
    ] {
        assert_eq!(to("Debug.Any", pairs), json, "{pairs}");
    }
    assert_eq!(to("Cut.Off", "labels.a=x labels.b=1 deep.q=true"), r#"{"labels":{"a":"x","b":1},"deep":{"q":true}}"#);
}

#[test]
fn a_pair_of_the_wrong_type_is_refused_with_field_and_type() {
    insta::assert_snapshot!(reasons("All.Types", &[
        "count=x", "count=1.5", "count=9223372036854775808", "small=128", "size=-1", "ok=yes", "score=.5", "score=NaN", "count={\"a\":1}", "ids=1,x", "tags={\"a\":1}",
        "text=a text=b", "text.x=1", "tags.x=1", "address.street=x address=y", "address={} address.zip=1", "nmae=x", "address.stret=x", "a..b=1", "=x", "John", "name John", "name = John", "name: John",
        "text=\"x", "text=\"a\"b", "a:b=1", "tags=[1", "5", "\"x\"", "[1]",
    ]), @r#"
    count=x                      usage: `count` is int64: a whole number (column 24)
    count=1.5                    usage: `count` is int64: a whole number (column 24)
    count=9223372036854775808    usage: `count` is int64: from -9223372036854775808 to 9223372036854775807 (column 24)
    small=128                    usage: `small` is int8: from -128 to 127 (column 24)
    size=-1                      usage: `size` is uint32: from 0 to 4294967295 (column 23)
    ok=yes                       usage: `ok` is bool: true or false (column 21)
    score=.5                     usage: `score` is float64: a number like 1.5 (column 24)
    score=NaN                    usage: `score` is float64: a number like 1.5 (column 24)
    count={"a":1}                usage: `count` is int64, no object or list (column 24)
    ids=1,x                      usage: `ids` is []int64; int64: a whole number (column 22)
    tags={"a":1}                 usage: `tags` is []string; give a,b or ["a","b"] (column 23)
    text=a text=b                usage: `text` is given twice (column 25)
    text.x=1                     usage: `text` is string and has no fields (column 18)
    tags.x=1                     usage: `tags` is a list; give it as JSON (column 18)
    address.street=x address=y   usage: `address` is given twice (column 35)
    address={} address.zip=1     usage: `zip` cannot stand inside a plain value that is given too (column 29)
    nmae=x                       usage: no field `nmae` (column 18)
    address.stret=x              usage: no field `address.stret`; did you mean `address.street`? (column 18)
    a..b=1                       usage: no field's name; a key is like name or address.street (column 18)
    =x                           usage: no pair; a pair is name=value, and a value with blanks stands in quotes (column 18)
    John                         usage: no pair; a pair is name=value, and a value with blanks stands in quotes (column 18)
    name John                    usage: no pair; a pair is name=value, and a value with blanks stands in quotes (column 18)
    name = John                  usage: no blanks stand around the `=` of a pair (column 18)
    name: John                   usage: neither JSON nor pairs; a pair is name=value, and JSON begins with `{` (column 18)
    text="x                      usage: the quote that opens here is never closed (column 23)
    text="a"b                    usage: a blank belongs behind this value (column 26)
    a:b=1                        usage: no field's name; a key is like name or address.street (column 18)
    tags=[1                      usage: `]` is missing (column 25)
    5                            usage: a request is an object: {"name":"John"}; --raw sends any JSON (column 18)
    "x"                          usage: a request is an object: {"name":"John"}; --raw sends any JSON (column 18)
    [1]                          usage: a request is an object: {"name":"John"}; --raw sends any JSON (column 18)
    "#);
    assert_eq!(body("call! g All.Types count=x nope=1 text.y=2"), r#"{"count":"x","nope":1,"text":{"y":2}}"#);
}

#[test]
fn what_is_no_json_is_shown_with_a_caret_the_schema_and_a_line_to_copy() {
    insta::assert_snapshot!(refused("call go.micro.srv.greeter Say.Hello {name:\"John\"}"), @r#"
    usage: a key in double quotes belongs here (column 38)
      call go.micro.srv.greeter Say.Hello {name:"John"}
                                           ^
    Say.Hello takes: name (string), title (string)
    try: call go.micro.srv.greeter Say.Hello name=John title=text
    "#);
    insta::assert_snapshot!(refused("Call  go.micro.srv.greeter All.Types {“count”: 1 “ok”: true}"), @r"
    usage: `,` or `}` is missing (column 50)
      Call  go.micro.srv.greeter All.Types {“count”: 1 “ok”: true}
                                                       ^
    All.Types takes: text (string), count (int64), small (int8), size (uint32), ok (bool), score (float64), tags ([]string), ids ([]int64), raw ([]uint8), user_name (string), mood (Mood), address.street (string), address.zip (string), items ([]Item)
    try: call go.micro.srv.greeter All.Types text=text count=1 small=1
    ");
    insta::assert_snapshot!(refused("```\ncall go.micro.srv.greeter Say.Hello {\n\t\"name\": 'John'\n}\n```"), @r#"
    usage: text stands in double quotes, not in single ones (line 3, column 10)
       "name": 'John'
               ^
    Say.Hello takes: name (string), title (string)
    try: call go.micro.srv.greeter Say.Hello name=John title=text
    "#);
    insta::assert_snapshot!(refused(&format!("call g Say.Hello {{\"name\":\"{}\",\"title\":oops,\"x\":\"{}\"}}", "a".repeat(300), "b".repeat(300))), @r#"
    usage: no JSON value; text stands in double quotes (column 337)
      …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","title":oops,"x":"bbbbbbbbbbbbbbb…
                                                        ^
    Say.Hello takes: name (string), title (string)
    try: call g Say.Hello name=John title=text
    "#);
    insta::assert_snapshot!(refused("call g Any.Thing {\"a\":1} {\"b\":2}"), @r#"
    usage: this stands behind the end of the request (column 26)
      call g Any.Thing {"a":1} {"b":2}
                               ^
    try: call g Any.Thing {}
    "#);
    insta::assert_snapshot!(refused("call g Say.Hello <\"name\":\"John\""), @r#"
    usage: what opens here is never closed: `>` is missing (column 18)
      call g Say.Hello <"name":"John"
                       ^
    Say.Hello takes: name (string), title (string)
    try: call g Say.Hello name=John title=text
    "#);
    insta::assert_snapshot!(refused("call g Say.Hello '{\"name\":\"John\"} --raw'"), @r#"
    usage: options stand outside the quotes (column 35)
      call g Say.Hello '{"name":"John"} --raw'
                                        ^
    Say.Hello takes: name (string), title (string)
    try: call g Say.Hello name=John title=text
    "#);
    insta::assert_snapshot!(refused("call g Say.Hello {\"name\":\"a\tb\"}"), @r#"
    usage: a tab in a string is written \t (column 28)
      call g Say.Hello {"name":"a b"}
                                 ^
    Say.Hello takes: name (string), title (string)
    try: call g Say.Hello name=John title=text
    "#);
    insta::assert_snapshot!(refused("call g Say.Hello --tiemout 5s"), @r"
    usage: no option --tiemout; did you mean `--timeout`? (column 18)
      call g Say.Hello --tiemout 5s
                       ^
    Say.Hello takes: name (string), title (string)
    try: call g Say.Hello name=John title=text
    ");
    insta::assert_snapshot!(refused("call g Say.Hello --metadata Micro-Bot-User-Id=root"), @r"
    usage: `Micro-Bot-User-Id` says who is calling; only the bot sets it (column 29)
      call g Say.Hello --metadata Micro-Bot-User-Id=root
                                  ^
    Say.Hello takes: name (string), title (string)
    try: call g Say.Hello name=John title=text
    ");
}

#[test]
fn an_unknown_field_is_refused_where_the_schema_is_whole() {
    insta::assert_snapshot!(refused("call go.micro.srv.greeter Say.Hello {\"nmae\":\"John\"}"), @r#"
    usage: no field `nmae`; did you mean `name`? (column 38)
      call go.micro.srv.greeter Say.Hello {"nmae":"John"}
                                           ^
    Say.Hello takes: name (string), title (string)
    try: call go.micro.srv.greeter Say.Hello name=John title=text
    call! sends it as it is
    "#);
    insta::assert_snapshot!(refused("call g All.Types {\"address\":{\"street\":\"x\", “planet”:1}}"), @r#"
    usage: no field `address.planet` (column 44)
      call g All.Types {"address":{"street":"x", “planet”:1}}
                                                 ^
    All.Types takes: text (string), count (int64), small (int8), size (uint32), ok (bool), score (float64), tags ([]string), ids ([]int64), raw ([]uint8), user_name (string), mood (Mood), address.street (string), address.zip (string), items ([]Item)
    try: call g All.Types text=text count=1 small=1
    call! sends it as it is
    "#);
    insta::assert_snapshot!(refused("call g All.Types {\"items\":[{\"id\":1},{\"di\":2}]}"), @r#"
    usage: no field `items.di`; did you mean `items.id`? (column 38)
      call g All.Types {"items":[{"id":1},{"di":2}]}
                                           ^
    All.Types takes: text (string), count (int64), small (int8), size (uint32), ok (bool), score (float64), tags ([]string), ids ([]int64), raw ([]uint8), user_name (string), mood (Mood), address.street (string), address.zip (string), items ([]Item)
    try: call g All.Types text=text count=1 small=1
    call! sends it as it is
    "#);
    assert_eq!(body("call! g Say.Hello {\"nmae\":1}"), "{\"nmae\":1}");
}

#[test]
fn a_field_is_known_in_any_version_and_any_of_its_spellings() {
    assert_eq!(to("Say.Hello", "{\"title\":1}"), "{\"title\":1}");
    assert!(refused("call g Say.Hello --version 1.0.0 {\"title\":1}").contains("no field `title`"));
    assert!(refused("call g Say.Hello --node 127.0.0.1:1001 title=x").contains("no field `title`"));
    for name in ["user_name", "userName", "UserName", "USER_NAME", "user\\u005fname"] {
        to("All.Types", &format!("{{\"{name}\":1}}"));
    }
    assert!(refused("call g All.Types {\"user-name\":1}").contains("did you mean `user_name`?"));
}

#[test]
fn a_field_is_sent_where_the_schema_is_not_whole() {
    for json in ["{\"labels\":{\"any\":{\"x\":1}}}", "{\"deep\":{\"any\":1}}", "{\"id\":\"embedded\"}"] {
        assert_eq!(to("Cut.Off", json), json);
    }
    assert_eq!(to("Any.Thing", "{\"any\":1}"), "{\"any\":1}");
    assert!(refused("call g Cut.Off {\"lables\":1}").contains("did you mean `labels`?"));
}

#[test]
fn other_json_than_an_object_needs_raw() {
    for json in ["[1,2]", "\"x\"", "5", "true", "-1.50"] {
        assert!(refused(&format!("call g Say.Hello {json}")).contains("a request is an object"), "{json}");
        assert_eq!(body(&format!("call g Say.Hello --raw {json}")), json);
    }
}

#[test]
fn an_endpoint_is_called_as_what_it_is() {
    let lines = [
        "call g Say.Helo name=John",
        "call g Nope.Nothing",
        "call g Sub.Handle {}",
        "call g Tick.Er to=3",
        "stream g Say.Hello name=John",
        "stream g Tick.Err",
        "call g",
        "stream g",
        "call g Say.Hello --version 3",
        "call g Say.Hello --node nope",
        "call g Say.Hello --version 1.0.0 --node 127.0.0.1:2001",
        "call g \u{1}",
        "call g say.hello",
    ];
    let said: Vec<String> = lines.iter().map(|line| format!("> {}\n{}", line.escape_debug(), refused(line))).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    > call g Say.Helo name=John
    not_found: no endpoint Say.Helo in go.micro.srv.greeter; did you mean `Say.Hello`?
    try: call go.micro.srv.greeter Say.Hello name=John title=text
    > call g Nope.Nothing
    not_found: no endpoint Nope.Nothing in go.micro.srv.greeter; there are: All.Types, Any.Thing, Cut.Off, Say.Hello
    > call g Sub.Handle {}
    usage: Sub.Handle of go.micro.srv.greeter is a subscriber: it takes what is published on the topic events and cannot be called
    > call g Tick.Er to=3
    usage: Tick.Er of go.micro.srv.greeter is a stream; type: stream go.micro.srv.greeter Tick.Er to=1
    > stream g Say.Hello name=John
    usage: Say.Hello of go.micro.srv.greeter is no stream; type: call go.micro.srv.greeter Say.Hello name=John title=text
    > stream g Tick.Err
    not_found: no endpoint Tick.Err in go.micro.srv.greeter; did you mean `Tick.Er`?
    try: stream go.micro.srv.greeter Tick.Er to=1
    > call g
    usage: require service and endpoint; go.micro.srv.greeter has: All.Types, Any.Thing, Cut.Off, Say.Hello
    try: call go.micro.srv.greeter All.Types text=text count=1 small=1
    > stream g
    usage: require service and endpoint; go.micro.srv.greeter has: Tick.Er
    try: stream go.micro.srv.greeter Tick.Er to=1
    > call g Say.Hello --version 3
    not_found: no version 3 of go.micro.srv.greeter; there are: 1.0.0, 2.0.0
    > call g Say.Hello --node nope
    not_found: no node nope of go.micro.srv.greeter; there are: go.micro.srv.greeter-1, go.micro.srv.greeter-1, go.micro.srv.greeter-2
    > call g Say.Hello --version 1.0.0 --node 127.0.0.1:2001
    not_found: no node 127.0.0.1:2001 of go.micro.srv.greeter; there are: go.micro.srv.greeter-1
    > call g \u{1}
    usage: no name of a service or an endpoint (column 8)
      call g ·
             ^
    > call g say.hello
    not_found: no endpoint say.hello in go.micro.srv.greeter; did you mean `Say.Hello`?
    try: call go.micro.srv.greeter Say.Hello name=John title=text
    ");
    for line in [
        "call g Debug.Health",
        "call! g Nope.Nothing",
        "call! g Sub.Handle",
        "call! g Tick.Er",
        "stream g Tick.Er to=3 --count 2",
    ] {
        line_of(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn equal_requests_have_equal_plans() {
    let plan = |line: &str| line_of(line).unwrap().plan(if line.contains("stream") { Way::Stream } else { Way::Call });
    let lines = [
        "call g Say.Hello name=John",
        "```\nCALL! g  Say.Hello <“name”\u{a0}: “John”>\n```",
        "call g Say.Hello { \"name\" : \"John\" } --timeout 5s --raw",
    ];
    for line in lines {
        let plan = plan(line);
        assert_eq!(plan.canonical, "call g Say.Hello {\"name\":\"John\"}", "{line}");
        assert_eq!(
            (plan.risk, plan.service.as_deref(), plan.endpoint.as_deref()),
            (Risk::Call, Some("g"), Some("Say.Hello"))
        );
    }
    assert_eq!(plan(lines[2]).within, Some(std::time::Duration::from_secs(6)));
    assert_eq!(plan(lines[0]).within, None);
    assert_eq!(
        plan("call g Say.Hello --metadata b=2 --metadata a=\"1 2\" --node 127.0.0.1:2001 --version 2.0.0").canonical,
        "call g Say.Hello --node 127.0.0.1:2001 --version 2.0.0 --metadata \"a=1 2\" --metadata b=2 {}"
    );
    let debug = plan("call g Debug.Stats");
    assert_eq!((debug.risk, debug.canonical.as_str()), (Risk::Read, "call g Debug.Stats {}"));
    assert_eq!(plan("stream g Tick.Er to=3").canonical, "stream g Tick.Er {\"to\":3}");
}

#[test]
fn a_form_is_the_line_that_it_stands_for() {
    let fields = [
        ("service", "g"),
        ("endpoint", "Say.Hello"),
        ("timeout", "5s"),
        ("node", ""),
        ("raw", "true"),
        ("metadata", "a=1\nb=2"),
        ("request", "name=John"),
    ];
    let (args, asked) = (args(&fields, ""), asked(""));
    let heard = Heard::of(&asked, &args, Way::Call);
    assert_eq!(heard.rest, "g Say.Hello --timeout 5s --metadata a=1 --metadata b=2 --raw name=John");
}
