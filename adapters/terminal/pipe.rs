//! The terminal on a pipe: what scripts and benchmarks use. A message in, its answers out, in order.

use super::Us;
use super::form::{Form, number};
use super::frame::{Framer, Heard};
use super::out::{Out, Poster, ready};
use async_trait::async_trait;
use bot::adapter::{Adapter, AdapterError, Delivered, Inbox, Posted, State};
use bot::message::{Message, Place};
use bot::reply::Reply;
use nix::poll::PollFlags;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;

/// Bytes of one read.
const CHUNK: usize = 1 << 16;

/// Chunks that wait for the bot.
const WAITING: usize = 2;

/// Messages and bad lines that may be unanswered; more are not read.
const UNANSWERED: usize = 4096;

/// How long the last answers may take to be read once the bot hangs up.
const FLUSH: Duration = Duration::from_secs(5);

/// The terminal on a pipe.
pub(crate) struct Pipe {
    us: Us,
    out: Poster,
    input: Mutex<Option<Box<dyn Input>>>,
}

/// Where messages are read from.
pub(crate) trait Input: Read + AsFd + Send + 'static {}

impl<T: Read + AsFd + Send + 'static> Input for T {}

impl Pipe {
    /// Starts to write, not yet to read.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn new(
        us: Us,
        form: Form,
        input: impl Input,
        output: impl Write + AsFd + Send + 'static,
    ) -> io::Result<Self> {
        Ok(Self { us, out: Out::start(output, form)?, input: Mutex::new(Some(Box::new(input))) })
    }

    /// Delivers until the input ends; false if the bot closed before, or nobody reads the answers any more.
    async fn hear(&self, inbox: &Inbox, mut chunks: mpsc::Receiver<Vec<u8>>) -> bool {
        let mut framer = Framer::default();
        let mut over = pin!(async {
            tokio::select! {
                () = inbox.closed() => {}
                () = self.out.gone() => {}
            }
        });
        loop {
            self.out.expect(!chunks.is_empty());
            let chunk = tokio::select! {
                biased;
                () = &mut over => return false,
                chunk = chunks.recv() => chunk,
            };
            let Some(chunk) = chunk else { break };
            self.out.expect(true);
            let mut rest = chunk.as_slice();
            while let Some(heard) = framer.take(&mut rest) {
                if !self.hand_over(inbox, heard, over.as_mut()).await {
                    return false;
                }
            }
        }
        match framer.finish() {
            Some(heard) => self.hand_over(inbox, heard, over).await,
            None => true,
        }
    }

    /// Hands over one message, when there is room for it; false if it is over before.
    async fn hand_over(&self, inbox: &Inbox, heard: Heard, mut over: Pin<&mut impl Future<Output = ()>>) -> bool {
        let mut message = match heard {
            Heard::Said(text) => Box::new(self.us.message(self.out.asked(), text)),
            Heard::Bad(bad) => {
                let told = async {
                    self.out.answered(UNANSWERED).await;
                    self.out.bad(bad).await;
                };
                return tokio::select! {
                    () = told => true,
                    () = over => false,
                };
            }
        };
        loop {
            message = match inbox.deliver(*message).await {
                Delivered::Queued => return true,
                Delivered::Full(message) => message,
            };
            tokio::select! {
                biased;
                () = &mut over => return false,
                () = inbox.room() => {}
            }
        }
    }
}

#[async_trait]
impl Adapter for Pipe {
    fn name(&self) -> &Arc<str> {
        &self.us.name
    }

    async fn listen(&self, inbox: Inbox) -> Result<(), AdapterError> {
        let input = self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It never fails, so it is asked once only.
        let Some(input) = input else { return Ok(()) };
        let ended = self.hear(&inbox, read(input)?).await;
        self.out.expect(false);
        if ended {
            tokio::select! {
                () = self.out.answered(0) => {}
                () = inbox.hang_up() => {}
            }
        } else {
            tokio::select! {
                () = self.out.gone() => return Ok(()),
                () = inbox.hang_up() => {}
            }
        }
        self.out.give_up();
        let hung_up = async {
            inbox.hang_up().await;
            tokio::time::sleep(FLUSH).await;
        };
        tokio::select! {
            () = self.out.flushed() => {}
            () = hung_up => tracing::warn!("nobody read the last answers"),
        }
        Ok(())
    }

    async fn post(&self, to: &Place, reply: &Reply) -> Result<Posted, AdapterError> {
        self.out.post(number(to), reply).await;
        Ok(Posted { place: to.clone(), ids: Vec::new() })
    }

    async fn working(&self, on: &Message, state: State) {
        if matches!(state, State::Done | State::Failed)
            && let Some(number) = number(&on.place)
        {
            self.out.done(number);
        }
    }

    fn trusted(&self) -> bool {
        true
    }

    fn in_turn(&self) -> bool {
        true
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("out", &*self.out).finish_non_exhaustive()
    }
}

/// Starts the thread that reads. It ends with the input, or at the first read after nobody listens; one that is blocked
/// keeps no process alive.
fn read(mut input: Box<dyn Input>) -> Result<mpsc::Receiver<Vec<u8>>, AdapterError> {
    let (chunks, receiver) = mpsc::channel(WAITING);
    let reading = move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) if chunks.blocking_send(buffer[..count].to_vec()).is_ok() => {}
                Ok(_) => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if ready(input.as_fd(), PollFlags::POLLIN).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot read stdin");
                    return;
                }
            }
        }
    };
    thread::Builder::new().name("terminal-in".into()).spawn(reading).map_err(super::no_thread)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use bot::command::CommandErrorKind;
    use std::os::unix::net::UnixStream;
    use tokio::task::JoinHandle;

    /// A pipe in a bot, seen from both sides.
    struct Scene {
        fake: Arc<Fake>,
        heard: mpsc::Receiver<Message>,
        pipe: Arc<Pipe>,
        listens: JoinHandle<Result<(), AdapterError>>,
        stdin: Option<UnixStream>,
        stdout: Option<UnixStream>,
    }

    impl Scene {
        #[expect(clippy::disallowed_methods, reason = "the test waits for the handle")]
        fn new(room: usize, form: Form) -> Self {
            let (stdin, input) = UnixStream::pair().unwrap();
            let (stdout, output) = UnixStream::pair().unwrap();
            let us = Us { name: "terminal".into(), user: "ann".into() };
            let pipe = Arc::new(Pipe::new(us, form, input, output).unwrap());
            let (fake, heard, inbox) = Fake::new(room);
            let listener = pipe.clone();
            let listens = tokio::spawn(async move { listener.listen(inbox).await });
            Self { fake, heard, pipe, listens, stdin: Some(stdin), stdout: Some(stdout) }
        }

        fn write(&mut self, input: impl AsRef<[u8]>) {
            self.stdin.as_mut().unwrap().write_all(input.as_ref()).unwrap();
        }

        fn end(&mut self) {
            self.stdin = None;
        }

        async fn next(&mut self) -> Message {
            self.heard.recv().await.unwrap()
        }

        async fn post(&self, to: &Message, text: &str) {
            self.pipe.post(&to.place, &Reply::text(text)).await.unwrap();
        }

        async fn answer(&self, to: &Message, text: &str) {
            self.post(to, text).await;
            self.pipe.working(to, State::Done).await;
        }

        /// Answers the next message with its own text.
        async fn echo(&mut self) -> String {
            let message = self.next().await;
            self.answer(&message, message.text()).await;
            message.text().to_owned()
        }

        /// Some bytes of the output.
        async fn read(&mut self, count: usize) -> String {
            let mut stdout = self.stdout.take().unwrap();
            let (stdout, read) = tokio::task::spawn_blocking(move || {
                let mut read = vec![0; count];
                stdout.read_exact(&mut read).unwrap();
                (stdout, String::from_utf8(read).unwrap())
            })
            .await
            .unwrap();
            self.stdout = Some(stdout);
            read
        }

        /// Waits until it listens no more; the rest of the output.
        async fn rest(mut self) -> String {
            self.listens.await.unwrap().unwrap();
            drop(self.pipe);
            let mut stdout = self.stdout.take().unwrap();
            let read = move || {
                let mut rest = String::new();
                stdout.read_to_string(&mut rest).unwrap();
                rest
            };
            tokio::task::spawn_blocking(read).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_line_is_a_message_of_the_user_and_its_answer_a_line() {
        let mut scene = Scene::new(8, Form::Bytes);
        scene.write("ping\n");
        let message = scene.next().await;
        assert!(message.direct && message.id.is_none());
        assert_eq!((message.text(), message.from.id.as_deref()), ("ping", Some("ann")));
        assert_eq!(message.place.under.as_deref(), Some("1"));
        scene.answer(&message, "pong").await;
        assert_eq!(scene.read(5).await, "pong\n", "it is written while the input is open");
        scene.end();
        assert_eq!(scene.rest().await, "");
    }

    #[tokio::test]
    async fn the_input_may_end_before_its_answers() {
        let mut scene = Scene::new(8, Form::Bytes);
        scene.write("one\ntwo");
        scene.end();
        let (one, two) = (scene.next().await, scene.next().await);
        scene.post(&one, "a").await;
        scene.answer(&one, "b\n").await;
        assert!(!scene.listens.is_finished());
        scene.answer(&two, "").await;
        assert_eq!(scene.rest().await, "a\nb\n\n\n");
    }

    #[tokio::test]
    async fn bad_lines_are_answered_in_their_turn() {
        let mut scene = Scene::new(8, Form::Json);
        scene.write(b"\xff\none\n\xff\xfe\ntwo\n```\n");
        scene.end();
        let (one, two) = (scene.next().await, scene.next().await);
        assert_eq!(two.place.under.as_deref(), Some("4"));
        scene.answer(&one, "1").await;
        scene.pipe.working(&two, State::Working).await;
        scene.answer(&two, "2").await;
        insta::assert_snapshot!(scene.rest().await, @r#"
        {"n":1,"ok":false,"kind":"malformed","text":"error executing cmd: malformed: byte 1 of the message is not UTF-8","data":null}
        {"n":2,"ok":true,"kind":"ok","text":"1","data":null}
        {"n":3,"ok":false,"kind":"malformed","text":"error executing cmd: malformed: byte 1 of the message is not UTF-8","data":null}
        {"n":4,"ok":true,"kind":"ok","text":"2","data":null}
        {"n":5,"ok":false,"kind":"malformed","text":"error executing cmd: malformed: the input ended inside a block; a line with ``` closes what a line with ``` opened","data":null}
        "#);
    }

    #[tokio::test]
    async fn a_message_without_an_answer_holds_nothing_up() {
        let mut scene = Scene::new(8, Form::Bytes);
        scene.write(b"one\n\xff\n");
        scene.end();
        let one = scene.next().await;
        scene.pipe.working(&one, State::Failed).await;
        insta::assert_snapshot!(scene.rest().await, @"error executing cmd: malformed: byte 1 of the message is not UTF-8");
    }

    #[tokio::test]
    async fn a_full_bot_stops_the_reading_and_loses_nothing() {
        let mut scene = Scene::new(1, Form::Bytes);
        let lines: Vec<String> = (0..500).map(|n| format!("line {n}\n")).collect();
        let lines = lines.concat();
        scene.write(&lines);
        scene.end();
        scene.fake.waits.notified().await;
        for n in 0..500 {
            assert_eq!(scene.echo().await, format!("line {n}"));
        }
        assert_eq!(scene.rest().await, lines);
    }

    #[tokio::test]
    async fn a_bot_that_closes_takes_no_more_and_says_what_it_owes() {
        let mut scene = Scene::new(2, Form::Bytes);
        scene.write("one\ntwo\nthree\nfour\n");
        scene.fake.waits.notified().await;
        scene.fake.closed.cancel();
        let one = scene.next().await;
        scene.answer(&one, "1").await;
        let two = scene.next().await;
        assert!(!scene.listens.is_finished());
        scene.answer(&two, "2").await;
        scene.fake.hang_up.cancel();
        assert!(scene.stdin.is_some(), "the reader is blocked and holds nobody up");
        scene.listens.await.unwrap().unwrap();
        assert!(scene.heard.try_recv().is_err(), "three is not delivered after the bot closed");
        let mut stdout = scene.stdout.take().unwrap();
        drop((scene.pipe, scene.stdin));
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "1\n2\n");
    }

    #[tokio::test]
    async fn nobody_who_reads_ends_the_listening_quietly() {
        let mut scene = Scene::new(8, Form::Bytes);
        scene.write("one\ntwo\n");
        let (one, two) = (scene.next().await, scene.next().await);
        scene.stdout = None;
        scene.answer(&one, "1").await;
        scene.pipe.out.gone().await;
        scene.answer(&two, "2").await;
        assert!(scene.listens.await.unwrap().is_ok(), "with its input still open");
        assert_eq!(scene.pipe.out.answered(0).await, ());
    }

    #[tokio::test]
    async fn posts_wait_while_nobody_reads_and_then_come_whole() {
        let mut scene = Scene::new(8, Form::Bytes);
        scene.write("one\n");
        scene.end();
        let one = scene.next().await;
        let long = "x".repeat(super::super::out::UNWRITTEN);
        scene.post(&one, &long).await;
        let reply = Reply::text("last");
        let mut last = scene.pipe.post(&one.place, &reply);
        assert!(futures_util::poll!(&mut last).is_pending());
        let pipe = scene.pipe.clone();
        let mut stdout = scene.stdout.take().unwrap();
        let reads = tokio::task::spawn_blocking(move || {
            let mut all = String::new();
            stdout.read_to_string(&mut all).unwrap();
            all
        });
        last.await.unwrap();
        pipe.working(&one, State::Done).await;
        scene.listens.await.unwrap().unwrap();
        drop((pipe, scene.pipe));
        assert!(reads.await.unwrap() == format!("{long}\nlast\n"));
    }

    #[tokio::test]
    async fn a_flood_of_bad_lines_is_bounded_and_answered() {
        let mut scene = Scene::new(8, Form::Bytes);
        scene.write("one\n");
        let one = scene.next().await;
        let mut stdin = scene.stdin.take().unwrap();
        let flood = tokio::task::spawn_blocking(move || stdin.write_all(&b"\xff\n".repeat(200_000)));
        while scene.pipe.out.unanswered() <= UNANSWERED {
            tokio::task::yield_now().await;
        }
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(scene.pipe.out.unanswered(), UNANSWERED + 1, "no more is taken while one message is unanswered");
        scene.answer(&one, "1").await;
        let mut stdout = scene.stdout.take().unwrap();
        let reads = tokio::task::spawn_blocking(move || {
            let mut all = String::new();
            stdout.read_to_string(&mut all).unwrap();
            all
        });
        flood.await.unwrap().unwrap();
        scene.listens.await.unwrap().unwrap();
        drop(scene.pipe);
        let all = reads.await.unwrap();
        assert_eq!(all.lines().count(), 200_001);
        assert!(all.starts_with("1\nerror executing cmd: malformed: "));
    }

    #[tokio::test]
    async fn json_names_the_message_and_the_kind() {
        let mut scene = Scene::new(8, Form::Json);
        scene.write("\none\ntwo\n");
        scene.end();
        let one = scene.next().await;
        scene.post(&one, "part").await;
        scene.answer(&one, "end").await;
        let two = scene.next().await;
        let failed = Reply { failed: Some(CommandErrorKind::Timeout), ..Reply::text("late") };
        scene.pipe.post(&two.place, &failed).await.unwrap();
        scene.pipe.working(&two, State::Failed).await;
        insta::assert_snapshot!(scene.rest().await, @r#"
        {"n":1,"ok":true,"kind":"ok","text":"part","data":null}
        {"n":1,"ok":true,"kind":"ok","text":"end","data":null}
        {"n":2,"ok":false,"kind":"timeout","text":"late","data":null}
        "#);
    }

    #[tokio::test]
    async fn a_non_blocking_descriptor_is_waited_for() {
        let (mut stdin, input) = UnixStream::pair().unwrap();
        let (mut stdout, output) = UnixStream::pair().unwrap();
        input.set_nonblocking(true).unwrap();
        output.set_nonblocking(true).unwrap();
        let us = Us { name: "terminal".into(), user: "ann".into() };
        let pipe = Arc::new(Pipe::new(us, Form::Bytes, input, output).unwrap());
        let (_fake, mut heard, inbox) = Fake::new(8);
        let listens = pipe.listen(inbox);
        let bot = async {
            stdin.write_all(b"one\n").unwrap();
            let one = heard.recv().await.unwrap();
            let long = "x".repeat(1 << 20);
            pipe.post(&one.place, &Reply::text(long)).await.unwrap();
            drop(stdin);
            let reads = tokio::task::spawn_blocking(move || {
                let mut read = vec![0; (1 << 20) + 1];
                stdout.read_exact(&mut read).unwrap();
            });
            pipe.working(&one, State::Done).await;
            reads.await.unwrap();
        };
        let (listened, ()) = tokio::join!(listens, bot);
        listened.unwrap();
    }
}
