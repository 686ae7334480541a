//! Two senders and one bot: how long one waits for a reply while a command of the other runs.

use bot::testing::{Fake, Setup, Talk};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// How long each `ping` took.
#[derive(Debug)]
pub struct Waits {
    /// With nothing else to do.
    pub alone: Vec<Duration>,
    /// While another sender's command ran.
    pub beside: Vec<Duration>,
}

/// Pings by turns of a hundred, alone and beside a command that runs all the while.
///
/// # Errors
/// No runtime can be started.
pub fn measure(pings: usize) -> Result<Waits, String> {
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let slow = Fake::new("slow", "slow").runs(|call| async move {
            call.stop.cancelled().await;
            Err(bot::command::CommandError::new(bot::command::CommandErrorKind::Cancelled, "stopped"))
        });
        let mut quiet = Setup::new(vec![ping()]).start();
        let mut busy = Setup::new(vec![ping(), slow.build()]).start();
        busy.say_as("bob", "slow").await;
        let mut waits = Waits { alone: Vec::with_capacity(pings), beside: Vec::with_capacity(pings) };
        while waits.beside.len() < pings {
            some(&mut quiet, &mut waits.alone).await?;
            some(&mut busy, &mut waits.beside).await?;
        }
        if busy.posted().is_empty() { Ok(waits) } else { Err("the slow command ended".to_owned()) }
    })
}

fn ping() -> std::sync::Arc<dyn bot::command::Command> {
    Fake::new("ping", "ping").says("pong").build()
}

async fn some(talk: &mut Talk, waits: &mut Vec<Duration>) -> Result<(), String> {
    for _ in 0..100 {
        let started = Instant::now();
        let answer = talk.ask("ping").await;
        waits.push(started.elapsed());
        if answer != "pong" {
            return Err(format!("ping was answered with {answer:?}"));
        }
    }
    Ok(())
}
