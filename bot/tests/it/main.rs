//! The bot as its chats see it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod life;
mod lines;
mod loss;
mod rights;
