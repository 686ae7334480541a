//! `stream`: a call whose answer is many messages, said one by one as they come.

use crate::call::plan::{self, Heard};
use crate::call::{Outgoing, Way, answer, complete};
use crate::kit::Kit;
use crate::{fault, json};
use async_trait::async_trait;
use bot::command::{Command, CommandError, CommandErrorKind, Field, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::{Block, Reply};
use bytes::Bytes;
use micro::client;
use micro::error::Error;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a stream is listened to if `--timeout` does not say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The messages that are said if `--count` does not say.
const MOST: u64 = 1_000;
/// The bytes that are said of one stream.
const LARGEST: usize = 16 << 20;

/// `stream[!] SERVICE ENDPOINT [OPTIONS] [REQUEST]`.
pub(crate) struct Stream {
    spec: Spec,
    kit: Kit,
}

impl Stream {
    pub(crate) fn new(kit: &Kit) -> Self {
        let examples = [
            "stream go.micro.srv.counter Stream.Count n=3",
            "stream go.micro.srv.counter Stream.Count {\"n\":3} --count 2 --timeout 10s",
        ];
        Self {
            spec: Way::Stream.spec("Calls a stream and shows its messages as they come", &examples),
            kit: kit.clone(),
        }
    }
}

#[async_trait]
impl Command for Stream {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        let heard = Heard::of(asked, args, Way::Stream);
        plan::sent(&self.kit, Way::Stream, &heard).await.map(|sent| sent.plan(Way::Stream))
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        complete::fields(&self.kit, Way::Stream, so_far).await
    }

    async fn example(&self) -> Option<String> {
        complete::example(&self.kit, Way::Stream).await
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let outgoing = Outgoing::of(&self.kit, Way::Stream, &call).await?;
        let mut listener = Listener {
            service: outgoing.request.service.clone(),
            endpoint: outgoing.request.endpoint.clone(),
            began: Instant::now(),
            limit: outgoing.timeout.unwrap_or(PATIENCE),
            raw: outgoing.raw,
            count: 0,
            bytes: 0,
        };
        let opened = self.kit.client.stream(outgoing.request);
        let opened = timeout_at(listener.began + listener.limit, opened).await;
        let mut stream = opened.map_err(|_| listener.late())?.map_err(|error| listener.fault(error))?;
        listener.listen(&mut stream, &call, outgoing.count).await?;
        Ok(if listener.count == 0 { nothing_came() } else { Reply::nothing() })
    }
}

/// Says what comes until the stream ends or a limit is met.
struct Listener {
    service: String,
    endpoint: String,
    began: Instant,
    limit: Duration,
    raw: bool,
    count: u64,
    bytes: usize,
}

impl Listener {
    async fn listen(
        &mut self,
        stream: &mut client::Stream,
        call: &Invocation,
        count: Option<u64>,
    ) -> Result<(), CommandError> {
        loop {
            let next = timeout_at(self.began + self.limit, stream.recv()).await.map_err(|_| self.late())?;
            let Some(body) = next.map_err(|error| self.fault(error))? else { return Ok(()) };
            self.bytes += body.len();
            if self.bytes > LARGEST {
                return Err(self.stopped(CommandErrorKind::TooLarge, &format!("after {} MiB", LARGEST >> 20), ""));
            }
            call.say(message(&body, self.raw)).await?;
            self.count += 1;
            if count == Some(self.count) {
                return Ok(());
            }
            if count.is_none() && self.count == MOST {
                return Err(self.stopped(CommandErrorKind::TooLarge, "", "; --count takes more"));
            }
        }
    }

    fn fault(&self, error: Error) -> CommandError {
        fault::calling(&self.service, &self.endpoint, error, self.began.elapsed())
    }

    fn late(&self) -> CommandError {
        self.stopped(
            CommandErrorKind::Timeout,
            &format!("after {}", fault::duration(self.limit)),
            "; --timeout gives it more time",
        )
    }

    fn stopped(&self, kind: CommandErrorKind, when: &str, advice: &str) -> CommandError {
        let came = match self.count {
            0 => "before a message came".to_owned(),
            1 => "after 1 message".to_owned(),
            count => format!("after {count} messages"),
        };
        let when = if when.is_empty() { came } else { format!("{when}, {came}") };
        CommandError::new(kind, format!("stream {}.{}: stopped {when}{advice}", self.service, self.endpoint))
    }
}

/// One message: one line of JSON for pipe and shell, the same re-indented for chats.
fn message(body: &Bytes, raw: bool) -> Reply {
    let mut reply = answer::message(body, raw);
    if !raw && let Some(data) = &reply.data {
        reply.text = Some(json::compact(data.get()));
    }
    reply
}

/// A stream of no message: an empty line on a pipe, which gets a reply to each line.
fn nothing_came() -> Reply {
    let block = Block::Text("the stream ended without a message".to_owned());
    Reply { blocks: vec![block], text: Some(String::new()), ..Reply::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_on_a_pipe_and_indented_in_a_chat() {
        let reply = message(&Bytes::from_static(b"{\"n\": 1,\n \"s\":\"a  b\"}"), false);
        assert_eq!(reply.text.as_deref(), Some("{\"n\":1,\"s\":\"a  b\"}"));
        assert!(
            matches!(&reply.blocks[..], [Block::Code { body, .. }] if body == "{\n\t\"n\": 1,\n\t\"s\": \"a  b\"\n}")
        );
        let reply = message(&Bytes::from_static(b"{\"n\": 1}"), true);
        assert_eq!(reply.text.as_deref(), Some("{\"n\": 1}"));
    }
}
