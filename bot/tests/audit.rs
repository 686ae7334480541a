//! What the audit hears. A process of its own: tracing may take a callsite that another thread registers just while the
//! subscriber is set for one that nobody wants.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bot::command::{CommandError, CommandErrorKind};
use bot::testing::{Fake, Setup};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the events of target `audit` as lines.
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() != "ms" {
            write!(self.0, "{}={value:?} ", field.name()).unwrap();
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "audit"
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

#[tokio::test(start_paused = true)]
async fn every_command_is_one_event_and_what_was_typed_is_in_none() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let _guard = tracing::subscriber::set_default(Lines(lines.clone()));
    let login = Fake::new("login", "login .*").says("ok");
    let fail = Fake::new("fail", "fail").runs(|_| async {
        Err(CommandError::new(CommandErrorKind::Unreachable, "nobody there").because("connection refused"))
    });
    let mut talk = Setup::new(vec![login.build(), fail.build()]).start();
    talk.ask("login secret").await;
    talk.ask("fail").await;
    talk.ask("nonsense").await;
    insta::assert_snapshot!(lines.lock().unwrap().join("\n"), @r#"
    adapter="chat" space="" room="den" message="1" sender="U-ann" name="ann" command="login" what="login" risk=Read outcome="ok"
    adapter="chat" space="" room="den" message="2" sender="U-ann" name="ann" command="fail" what="fail" risk=Read outcome="unreachable"
    "#);
}
