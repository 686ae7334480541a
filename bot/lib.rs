//! What a bot is: message, reply, command, adapter, router, policy, turns. No I/O: it knows no chat, no wire, no file.

pub mod adapter;
mod asked;
mod audit;
pub mod bot;
pub mod command;
mod engine;
mod front;
mod glob;
mod hint;
pub mod journal;
pub mod message;
mod own;
mod pattern;
pub mod policy;
pub mod reply;
pub mod router;
mod seen;
pub mod suggest;
mod supervisor;
pub mod testing;
mod turns;
