//! What the bot can do: a file a command.
