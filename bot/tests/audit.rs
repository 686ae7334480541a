//! What the audit hears. A process of its own: tracing may take a callsite that another thread registers just while the
//! subscriber is set for one that nobody wants.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bot::command::{CommandError, CommandErrorKind, Risk};
use bot::testing::{Fake, Setup};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the events of target `audit`, up to a level, as lines.
struct Lines(Arc<Mutex<Vec<String>>>, Level);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if !["ms", "digest"].contains(&field.name()) {
            write!(self.0, "{}={value:?} ", field.name()).unwrap();
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "audit" && *metadata.level() <= self.1
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0.trim_end().to_owned());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What the audit hears of these lines, up to this level.
async fn heard(level: Level, typed: &[&str]) -> String {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let _guard = tracing::subscriber::set_default(Lines(lines.clone(), level));
    let login = Fake::new("login", "login (?P<rest>.*)").risk(Risk::Call, "go.micro.srv.door", "Door.Open").says("ok");
    let fail = Fake::new("fail", "fail").runs(|_| async {
        Err(CommandError::new(CommandErrorKind::Unreachable, "nobody there").because("connection refused"))
    });
    let mut talk = Setup::new(vec![login.build(), fail.build()]).start();
    for line in typed {
        talk.ask(line).await;
    }
    lines.lock().unwrap().join("\n")
}

#[tokio::test(start_paused = true)]
async fn every_command_is_one_event_and_its_request_is_told_at_debug_alone() {
    insta::assert_snapshot!(heard(Level::INFO, &["login secret", "fail", "nonsense"]).await, @r#"
    adapter="chat" space="" room="den" id="1" sender="U-ann" name="ann" command="login" service="go.micro.srv.door" endpoint="Door.Open" risk=Call outcome="ok"
    adapter="chat" space="" room="den" id="2" sender="U-ann" name="ann" command="fail" risk=Read outcome="unreachable"
    "#);
    insta::assert_snapshot!(heard(Level::DEBUG, &["login secret"]).await, @r#"
    adapter="chat" space="" room="den" id="1" sender="U-ann" name="ann" command="login" service="go.micro.srv.door" endpoint="Door.Open" risk=Call outcome="ok"
    id="1" what="login secret"
    "#);
}
