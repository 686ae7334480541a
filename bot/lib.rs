//! What a bot is: message, reply, command, adapter, router, policy, turns. No I/O: it knows no chat, no wire, no file.

pub mod adapter;
pub mod bot;
pub mod command;
pub mod journal;
pub mod message;
pub mod policy;
pub mod reply;
pub mod router;
pub mod suggest;
