//! Where the bot lives: a file or a folder a chat.
