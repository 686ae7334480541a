//! The bot as its chats see it.

mod lines;
