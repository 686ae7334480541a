//! What was heard: plain data, made valid once, serializable, since the journal and the audit keep it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// Where a conversation is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// An adapter instance's name: two Slack workspaces are two adapters of one kind.
    pub adapter: Arc<str>,
    /// Team, guild, server; "" where there is none.
    pub space: String,
    /// Channel, room, or the person of a direct message.
    pub room: String,
    /// The thread, where the chat has threads.
    pub thread: Option<String>,
}

/// Where one reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The conversation.
    pub address: Address,
    /// Ephemeral: seen by this person alone.
    pub only: Option<String>,
    /// The message that it answers.
    pub under: Option<String>,
    /// An interaction's token, while it lives.
    pub via: Option<String>,
}

/// Who said it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sender {
    /// Immutable; `None` = unproven (an XMPP nick): such a sender is nobody to the policy.
    pub id: Option<String>,
    /// For people's eyes only.
    pub name: String,
    /// Roles that the chat itself vouches for.
    pub roles: Vec<String>,
    /// From outside the organisation (Slack Connect and the like).
    pub external: bool,
}

/// One thing that was said to the bot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The chat's own, for at-most-once.
    pub id: Option<String>,
    /// When the chat says it was said.
    pub at: SystemTime,
    /// Who.
    pub from: Sender,
    /// Where, and where the answer goes.
    pub place: Place,
    /// Clearly addressed to the bot: a direct message, a mention, a prefix, the terminal.
    pub direct: bool,
    /// What.
    pub body: Body,
    /// Files that came along, by the chat's own reference.
    pub files: Vec<Arc<str>>,
}

impl Message {
    /// What was typed; "" for a form and a button.
    pub fn text(&self) -> &str {
        match &self.body {
            Body::Text { text, .. } => text,
            Body::Form { .. } | Body::Press { .. } => "",
        }
    }
}

/// A sentence, a form that was filled in, or a button.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Body {
    /// A sentence.
    Text {
        /// Mention and prefix off, chat markup undone.
        text: String,
        /// As it came.
        raw: String,
    },
    /// Slash command, modal, XEP-0050.
    Form {
        /// The command's name.
        command: String,
        /// What was filled in.
        args: Args,
    },
    /// A button.
    Press {
        /// Opaque, resolved by the bot, never by the chat.
        token: String,
        /// What was filled in beside it.
        fields: Args,
    },
}

/// The arguments of a command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Args {
    /// Named groups of the command's pattern, and the fields of a form.
    pub named: BTreeMap<String, String>,
    /// The rest of the line, byte for byte.
    pub rest: String,
}
