//! The paths that every message and every call takes, without I/O: `cargo bench`.

use bot::bot::{Bot, Options, Parts};
use bot::policy::Policy;
use bot::router::Word;
use bot::testing::Fake;
use bytes::Bytes;
use commands::Kit;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use micro::client::Client;
use micro::codec::jsonrpc::JsonRpc;
use micro::codec::protorpc::ProtoRpc;
use micro::codec::{Codec, Envelope, Kind};
use micro::header::Header;
use micro::registry::memory::Memory;
use std::hint::black_box;
use std::sync::Arc;
use tokio::sync::watch;

/// What a service of v4.11.0 answered.
const REPLY: &[u8] = include_bytes!("../tests/wire/v4.11.0/hello_jsonrpc.s2c.bin");

/// A bot of all built-ins and this many command services.
fn bot(words: usize) -> Bot {
    let registry = Arc::new(Memory::new());
    let client = Client::new(registry.clone(), micro::client::Options::default());
    let kit = Kit { client, registry, version: "0", namespace: "go.micro.bot".to_owned() };
    let command = Fake::new("word", "word").build();
    let word = |at: usize| Word {
        word: format!("word{at}").into(),
        service: format!("go.micro.bot.word{at}").into(),
        command: command.clone(),
    };
    let parts = Parts {
        adapters: Vec::new(),
        commands: commands::table(&kit),
        words: watch::channel(Arc::new((0..words).map(word).collect())).1,
        policy: Policy::default(),
        journal: None,
    };
    match Bot::new(Options::default(), parts) {
        Ok(bot) => bot,
        Err(problems) => panic!("the bot cannot be put together: {problems:?}"),
    }
}

fn router(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("router");
    for words in [10, 1_000] {
        let bot = bot(words);
        let last = format!("word{} with arguments", words - 1);
        for (name, line) in [
            ("ping", "ping"),
            ("call", r#"call go.micro.srv.greeter Say.Hello {"name":"John"}"#),
            ("word", &*last),
            ("unknown", "nobody knows this"),
        ] {
            group.bench_function(format!("{name} among {words} words"), |bencher| {
                bencher.iter(|| bot.router().route(black_box(line)));
            });
        }
        group.bench_function(format!("hint among {words} words"), |bencher| {
            bencher.iter(|| bot.router().hint(black_box("wrd9 with arguments")));
        });
    }
}

fn json(criterion: &mut Criterion) {
    let row = r#"{"id":1234567890123456789,"name":"a \"quoted\" name","tags":["a","b"],"price":1.50,"on":true},"#;
    let text = format!("[{}null]", row.repeat(1_000));
    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("check", |bencher| bencher.iter(|| commands::json::is_valid(black_box(&text))));
    group.bench_function("indent", |bencher| bencher.iter(|| commands::json::pretty(black_box(text.as_bytes())).len()));
    group.bench_function("compact", |bencher| bencher.iter(|| commands::json::compact(black_box(&text))));
}

fn mucp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mucp");
    let envelope = Envelope { id: "\"7\"".into(), endpoint: "Say.Hello".into(), error: None };
    for (name, codec, body) in [
        ("json-rpc", &JsonRpc as &dyn Codec, &br#"{"name":"John"}"#[..]),
        ("proto-rpc", &ProtoRpc, &b"\x0a\x04John"[..]),
    ] {
        let mut out = Vec::new();
        group.bench_function(format!("{name}: encode a request"), |bencher| {
            bencher.iter(|| {
                out.clear();
                codec.encode(Kind::Request, &envelope, black_box(body), &mut out)
            });
        });
        let mut reply = Vec::new();
        assert!(codec.encode(Kind::Response, &envelope, body, &mut reply).is_ok(), "{name}");
        let reply = Bytes::from(reply);
        group.bench_function(format!("{name}: decode a response"), |bencher| {
            bencher.iter(|| codec.decode(Kind::Response, black_box(&reply)).map(|(_, body)| body));
        });
    }
}

fn header(criterion: &mut Criterion) {
    let text = String::from_utf8_lossy(REPLY);
    let lines = text.split_once("\r\n").and_then(|(_, rest)| rest.split_once("\r\n\r\n")).map(|(lines, _)| lines);
    let lines = format!("{}\r\n", lines.unwrap_or_default());
    let header = Header::from_lines(Bytes::from(lines));
    assert_eq!(header.get("content-type"), Some("application/json-rpc"));
    let mut group = criterion.benchmark_group("header");
    group.bench_function("a name that is there", |bencher| {
        bencher.iter(|| header.get(black_box("content-type")).map(str::len));
    });
    group.bench_function("a name that is not", |bencher| {
        bencher.iter(|| header.get(black_box("micro-error")).map(str::len));
    });
    group.bench_function("all pairs", |bencher| {
        bencher.iter(|| header.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>());
    });
}

criterion_group!(hot, router, json, mucp, header);
criterion_main!(hot);
