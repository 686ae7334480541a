//! The terminal for people on a real pseudo terminal: this test binary runs itself there, as `child`.

#![cfg(feature = "terminal")]

use super::fake::Fake;
use super::open;
use bot::adapter::{Adapter, State};
use bot::command::{Risk, Spec, Turn};
use bot::message::Message;
use bot::reply::{Block, Cell, Mark, Reply};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use section::{Place, Section};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use toml::Value;

/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child on a terminal, and the person before it.
struct Desk {
    child: Child,
    keys: File,
    slave: OwnedFd,
    mode: Termios,
    /// What the child is told to do beside its terminal.
    control: UnixStream,
    folder: TempDir,
    seen: String,
}

impl Desk {
    /// At its first prompt.
    fn new() -> Self {
        let mut desk = Self::start();
        desk.until("micro> ");
        desk
    }

    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        let mode = tcgetattr(&slave).unwrap();
        let control = UnixListener::bind(folder.path().join("control")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "terminal::pty::child", "--nocapture"])
            .current_dir(&folder)
            .env("TERM", "xterm")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (control, _) = control.accept().unwrap();
        Self { child, keys: master.into(), slave, mode, control, folder, seen: String::new() }
    }

    fn types(&mut self, keys: impl AsRef<[u8]>) {
        self.keys.write_all(keys.as_ref()).unwrap();
    }

    fn tells(&mut self, what: u8) {
        self.control.write_all(&[what]).unwrap();
    }

    /// Types a line; at its answer, the bot is done with it.
    fn asks(&mut self, line: &str) {
        self.types(format!("{line}\r"));
        self.until(&format!("you said {line}\r\n"));
        self.tells(b'd');
        self.control.read_exact(&mut [0]).unwrap();
    }

    /// Asks what is not answered until something else happens; it is with the bot then.
    fn asks_slowly(&mut self) {
        self.types("slow\r");
        self.until("this takes a while\r\n");
        self.until("micro> ");
    }

    /// Types this once a second until the child ends.
    fn types_until_it_ends(&mut self, keys: &str) {
        self.control.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let began = Instant::now();
        loop {
            self.types(keys);
            match self.control.read(&mut [0]) {
                Ok(count) => return assert_eq!(count, 0),
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
        }
    }

    /// Waits until the screen has shown this text since it showed the last one that was waited for.
    fn until(&mut self, text: &str) {
        let began = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            assert!(began.elapsed() < PATIENCE && self.read(), "{text:?} is not in {:?}", self.seen);
        }
    }

    /// Reads some of what is shown; false if nothing is shown any more.
    fn read(&mut self) -> bool {
        let mut waits = [PollFd::new(self.keys.as_fd(), PollFlags::POLLIN)];
        let limit = PollTimeout::try_from(PATIENCE).unwrap();
        if poll(&mut waits, limit).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        let count = self.keys.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }

    /// Waits until the child has ended; the terminal must be as it was found.
    fn ends(&mut self) -> ExitStatus {
        self.control.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(self.control.read(&mut [0]).unwrap(), 0, "the child lets go of it at its end");
        let status = self.child.wait().unwrap();
        assert_eq!(tcgetattr(&self.slave).unwrap(), self.mode, "the mode is put back");
        status
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_line_is_answered_and_ctrl_d_leaves() {
    let mut desk = Desk::new();
    assert_ne!(tcgetattr(&desk.slave).unwrap(), desk.mode, "the line is edited");
    desk.types("ping\r");
    desk.until("you said ping\r\n");
    desk.until("micro> ");
    desk.types(" secret\r");
    desk.until("you said  secret\r\n");
    desk.types("\x04");
    assert!(desk.ends().success());
    let history = desk.folder.path().join("state/history");
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(history.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let kept = fs::read_to_string(&history).unwrap();
    assert!(kept.contains("ping") && !kept.contains("secret"), "{kept}");
}

#[test]
fn the_greeting_has_three_lines_worth_typing() {
    let mut desk = Desk::start();
    desk.until("Three lines worth typing:\r\n  list services\r\n  health go.micro.srv.greeter\r\n");
    desk.until("  call go.micro.srv.greeter Say.Hello name=John\r\n");
    desk.until("micro> ");
}

#[test]
fn an_answer_comes_above_the_line_that_is_edited() {
    let mut desk = Desk::new();
    desk.asks_slowly();
    desk.types("half");
    desk.until("half");
    desk.tells(b'a');
    desk.until("late answer\r\n");
    desk.until("micro> half");
    desk.types(" done\r");
    desk.until("you said half done\r\n");
}

#[test]
fn ctrl_c_clears_a_line_stops_what_runs_and_twice_leaves() {
    let mut desk = Desk::new();
    desk.types("nonsense");
    desk.until("nonsense");
    desk.types("\x03");
    desk.until("micro> ");
    desk.asks_slowly();
    desk.types("\x03");
    desk.until("stopped slow\r\n");
    desk.asks("ping");
    desk.types("\x03");
    desk.until("Ctrl-C again leaves");
    desk.types_until_it_ends("\x03");
    assert!(desk.ends().success());
}

#[test]
fn the_mode_is_put_back_when_the_bot_closes_while_a_line_is_edited() {
    let mut desk = Desk::new();
    desk.types("half");
    desk.until("half");
    desk.tells(b'c');
    assert!(desk.ends().success());
}

#[test]
fn the_mode_is_put_back_after_a_panic() {
    let mut desk = Desk::new();
    desk.types("half");
    desk.until("half");
    desk.tells(b'p');
    assert!(!desk.ends().success());
}

#[test]
fn tab_completes_commands_services_endpoints_and_fields() {
    let mut desk = Desk::new();
    desk.types("ca\t");
    desk.until("call ");
    desk.types("go.micro.srv.\t");
    desk.until("go.micro.srv.greeter ");
    desk.types("S\t");
    desk.until("Say.Hello ");
    desk.types("n\t");
    desk.until("name=");
    desk.types("x\r");
    desk.until("you said call go.micro.srv.greeter Say.Hello name=x\r\n");
}

#[test]
fn a_block_goes_on_until_its_fence_closes_and_pasted_lines_are_a_message_each() {
    let mut desk = Desk::new();
    desk.types("call a ```\r{}\r```\r");
    desk.until("you said call a ```\r\n{}\r\n```\r\n");
    desk.types("\x1b[200~one\rtwo\x1b[201~\r");
    desk.until("you said one\r\n");
    desk.until("you said two\r\n");
}

#[test]
fn keys_typed_ahead_are_not_lost_and_keys_that_are_no_text_are_told() {
    let mut desk = Desk::new();
    desk.types("one\rtwo\rthr");
    desk.until("you said one\r\n");
    desk.until("you said two\r\n");
    desk.until("thr");
    desk.types("ee\r");
    desk.until("you said three\r\n");
    desk.types(b"\xff\xfe\r");
    desk.until("malformed: ");
    desk.asks("ping");
}

#[test]
fn lines_typed_ahead_are_answered_in_order_also_where_the_input_ends() {
    let mut desk = Desk::new();
    let lines: Vec<String> = (0..30).map(|n| format!("line {n}\r")).collect();
    desk.types(lines.concat() + "\x04");
    for n in 0..30 {
        desk.until(&format!("you said line {n}\r\n"));
    }
    assert!(desk.ends().success());
}

#[test]
fn answers_are_for_people_and_cannot_steer_the_terminal() {
    let mut desk = Desk::new();
    desk.types("table\r");
    desk.until("\x1b[1mnode\x1b[0m       \x1b[1mstate\x1b[0m\r\n");
    desk.until("greeter-1  \x1b[32mok\x1b[0m\r\n");
    desk.types("evil\r");
    desk.until("␛[2Jevil\r\n");
}

/// The other end: the adapter on a bot that answers by rote. It tests nothing unless a [`Desk`] started it.
#[test]
fn child() {
    if !fs::exists("control").unwrap() {
        return;
    }
    assert!(io::stdin().is_terminal());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let control = tokio::net::UnixStream::connect("control").await.unwrap();
        let mut section = Section::default();
        section.set("history", Value::String("state/history".into()), Place::Default);
        let (adapter, problems) = open(&section);
        assert_eq!(problems, []);
        serve(adapter.unwrap(), control).await;
    });
    runtime.shutdown_timeout(Duration::ZERO);
}

async fn serve(adapter: Arc<dyn Adapter>, mut control: tokio::net::UnixStream) {
    let (fake, mut heard, inbox) = Fake::new(64);
    fake.catalogue.send_replace([spec("call"), spec("health"), spec("list services")].into());
    *fake.choices.lock().unwrap() = vec![
        ("health", "", vec!["go.micro.srv.greeter"]),
        ("call", "", vec!["go.micro.srv.greeter"]),
        ("call", "go.micro.srv.greeter", vec!["Say.Hello"]),
        ("call", "go.micro.srv.greeter Say.Hello", vec!["name="]),
    ];
    let mut slow: Option<Message> = None;
    let mut listens = adapter.listen(inbox);
    loop {
        tokio::select! {
            listened = &mut listens => return listened.unwrap(),
            Some(message) = heard.recv() => match message.text() {
                "slow" => {
                    adapter.post(&message.place, &Reply::text("this takes a while")).await.unwrap();
                    slow = Some(message);
                }
                "stop" => {
                    answer(&*adapter, &slow.take().unwrap(), Reply::text("stopped slow")).await;
                    answer(&*adapter, &message, Reply::text("stopping")).await;
                }
                "table" => answer(&*adapter, &message, table()).await,
                "evil" => answer(&*adapter, &message, Reply::text("\x1b[2Jevil")).await,
                text => {
                    let reply = Reply::text(format!("you said {text}"));
                    answer(&*adapter, &message, reply).await;
                }
            },
            Ok(order) = control.read_u8() => match order {
                b'a' => answer(&*adapter, &slow.take().unwrap(), Reply::text("late answer")).await,
                b'd' => control.write_u8(b'd').await.unwrap(),
                b'c' => {
                    fake.closed.cancel();
                    fake.hang_up.cancel();
                }
                _ => panic!("as told"),
            },
        }
    }
}

async fn answer(adapter: &dyn Adapter, to: &Message, reply: Reply) {
    adapter.post(&to.place, &reply).await.unwrap();
    adapter.working(to, State::Done).await;
}

fn table() -> Reply {
    let cell = |text: &str, mark| Cell { text: text.to_owned(), mark };
    let rows = vec![vec![cell("greeter-1", Mark::Plain), cell("ok", Mark::Good)]];
    let head = vec!["node".to_owned(), "state".to_owned()];
    Reply { blocks: vec![Block::Table { head, rows }], ..Reply::default() }
}

fn spec(name: &'static str) -> Spec {
    Spec {
        pattern: name.into(),
        name: name.into(),
        usage: name.into(),
        summary: "".into(),
        details: "".into(),
        examples: Vec::new(),
        risk: Risk::Read,
        turn: Turn::Queued,
    }
}
