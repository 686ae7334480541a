//! What is written to a pipe: answers gather in a buffer, a plain thread writes all that has gathered at once. So an
//! answer costs neither a write nor a switch of tasks of its own.

use super::form::{self, Form};
use super::frame::Bad;
use super::order::Order;
use bot::reply::Reply;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Bytes that may be unwritten before posts wait: 1 MiB.
pub(crate) const UNWRITTEN: usize = 1 << 20;

/// Bytes that are written without waiting for more.
const ENOUGH: usize = 1 << 16;

/// How long an answer may wait for its neighbours while more are on their way.
const LINGER: Duration = Duration::from_millis(1);

/// The writing half of a pipe. Everything is in the order of the calls.
#[derive(Debug)]
pub(crate) struct Out {
    state: Mutex<State>,
    form: Form,
    /// For the writer: there is something to write.
    wake: Condvar,
    /// Something was written.
    written: Notify,
    /// Something was answered.
    answered: Notify,
    /// Nobody reads any more.
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    order: Order,
    buffer: Vec<u8>,
    /// Bytes that the writer has taken and not yet written.
    taken: usize,
    /// Whether more input is at hand, so that more answers are on their way.
    more: bool,
    /// Whether the buffer is to be written now.
    now: bool,
    writer: Writer,
    /// Whether nobody posts any more.
    left: bool,
}

/// What the writing thread is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    #[default]
    Writes,
    /// Waits for anything to write.
    Sleeps,
    /// Waits for more, for [`LINGER`].
    Lingers,
}

impl State {
    fn unwritten(&self) -> usize {
        self.buffer.len() + self.taken
    }
}

impl Out {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(sink: impl Write + AsFd + Send + 'static, form: Form) -> io::Result<Poster> {
        let out = Arc::new(Self {
            state: Mutex::default(),
            form,
            wake: Condvar::new(),
            written: Notify::new(),
            answered: Notify::new(),
            gone: CancellationToken::new(),
        });
        let writer = Arc::clone(&out);
        thread::Builder::new().name("terminal-out".into()).spawn(move || writer.run(sink))?;
        Ok(Poster(out))
    }

    /// Enters a message that goes to the bot: its number.
    pub(crate) fn asked(&self) -> u64 {
        self.lock().order.asked()
    }

    /// Enters a line that is answered here, when all before it are done. Waits while too much is unwritten.
    pub(crate) async fn bad(&self, bad: Bad) {
        self.writable().await;
        self.settle(|order| order.bad(bad));
    }

    /// The bot is done with a message: all its answers are posted.
    pub(crate) fn done(&self, number: u64) {
        self.settle(|order| order.done(number));
    }

    /// No message will be done any more: bad lines need not wait for others.
    pub(crate) fn give_up(&self) {
        self.settle(Order::give_up);
    }

    /// Whether more input is at hand: if so, answers may wait a moment for their neighbours.
    pub(crate) fn expect(&self, more: bool) {
        let mut state = self.lock();
        state.more = more;
        self.rouse(&mut state);
    }

    /// Adds an answer to the message of this number; waits while [`UNWRITTEN`] bytes are unwritten. Where nobody reads any more it is dropped.
    ///
    /// # Cancel safety
    /// Nothing was added, or all.
    pub(crate) async fn post(&self, number: Option<u64>, reply: &Reply) {
        self.add(|into| self.form.add(number, reply, into)).await;
    }

    /// Adds bytes of another kind, as [`Out::post`] does.
    pub(crate) async fn add(&self, add: impl Fn(&mut Vec<u8>)) {
        self.writable().await;
        if !self.gone.is_cancelled() {
            let mut state = self.lock();
            add(&mut state.buffer);
            self.rouse(&mut state);
        }
    }

    /// Waits until at most `most` messages are unanswered, or nobody reads any more.
    pub(crate) async fn answered(&self, most: usize) {
        self.when(&self.answered, |state| state.order.len() <= most).await;
    }

    /// How many messages are unanswered.
    #[cfg(any(test, feature = "terminal"))]
    pub(crate) fn unanswered(&self) -> usize {
        self.lock().order.len()
    }

    /// Waits until all is written, or nobody reads any more.
    pub(crate) async fn flushed(&self) {
        self.when(&self.written, |state| state.unwritten() == 0).await;
    }

    /// Waits until nobody reads any more.
    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    async fn writable(&self) {
        self.when(&self.written, |state| state.unwritten() < UNWRITTEN).await;
    }

    /// Waits until the state is so, looking again at each notice.
    async fn when(&self, notice: &Notify, so: impl Fn(&State) -> bool) {
        let so = || so(&self.lock()) || self.gone.is_cancelled();
        while !so() {
            let mut noticed = pin!(notice.notified());
            noticed.as_mut().enable();
            if so() {
                return;
            }
            tokio::select! {
                () = noticed => {}
                () = self.gone.cancelled() => return,
            }
        }
    }

    /// Changes the order, answers what is due then, and tells those who wait for it.
    fn settle(&self, change: impl FnOnce(&mut Order)) {
        let mut state = self.lock();
        change(&mut state.order);
        while let Some((number, bad)) = state.order.due() {
            if !self.gone.is_cancelled() {
                self.form.add(Some(number), &form::bad(bad), &mut state.buffer);
            }
        }
        self.rouse(&mut state);
        drop(state);
        self.answered.notify_waiters();
    }

    /// Wakes the writer where that is due: at once if nothing else is on its way or enough has gathered, else so that it
    /// writes after [`LINGER`].
    fn rouse(&self, state: &mut State) {
        if state.buffer.is_empty() {
            return;
        }
        state.now |= state.buffer.len() >= ENOUGH || (!state.more && state.order.len() <= 1);
        let due = match state.writer {
            Writer::Writes => false,
            Writer::Sleeps => true,
            Writer::Lingers => state.now,
        };
        if due {
            // It is woken once, however many answers come before it looks.
            state.writer = Writer::Writes;
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut sink: impl Write + AsFd) {
        let mut chunk = Vec::new();
        while self.next(&mut chunk) {
            if let Err(error) = write(&mut sink, &chunk) {
                if error.kind() != ErrorKind::BrokenPipe {
                    tracing::error!(%error, "cannot write to stdout");
                }
                self.gone.cancel();
                let mut state = self.lock();
                (state.buffer, state.taken) = (Vec::new(), 0);
                return;
            }
        }
    }

    /// The last chunk is written; waits for the next. False: there is none.
    fn next(&self, chunk: &mut Vec<u8>) -> bool {
        chunk.clear();
        // A long answer must not keep its memory for ever.
        chunk.shrink_to(2 * ENOUGH);
        let mut state = self.lock();
        if state.taken > 0 {
            state.taken = 0;
            self.written.notify_waiters();
        }
        while state.buffer.is_empty() && !state.left {
            state.writer = Writer::Sleeps;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.writer = Writer::Writes;
        }
        if !state.now && !state.left {
            state.writer = Writer::Lingers;
            let waited = self.wake.wait_timeout_while(state, LINGER, |state| !state.now && !state.left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.writer = Writer::Writes;
        }
        mem::swap(&mut state.buffer, chunk);
        (state.taken, state.now) = (chunk.len(), false);
        !chunk.is_empty()
    }
}

/// The way to an [`Out`]; the thread ends when it is dropped and all is written.
#[derive(Debug)]
pub(crate) struct Poster(Arc<Out>);

impl Poster {
    /// The same [`Out`], for a thread that does not keep it open.
    #[cfg(feature = "terminal")]
    pub(crate) fn share(&self) -> Arc<Out> {
        self.0.clone()
    }
}

impl std::ops::Deref for Poster {
    type Target = Out;

    fn deref(&self) -> &Out {
        &self.0
    }
}

impl Drop for Poster {
    fn drop(&mut self) {
        self.0.lock().left = true;
        self.0.wake.notify_one();
    }
}

/// Writes all, also to a pipe that whoever gave it to us made non-blocking.
fn write(sink: &mut (impl Write + AsFd), mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => ready(sink.as_fd(), PollFlags::POLLOUT)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until a descriptor is ready; the thread's own wait, no task's.
pub(crate) fn ready(fd: BorrowedFd<'_>, how: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::new(fd, how)], PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
