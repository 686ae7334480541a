//! What a service answered, as a reply.

use crate::{fault, json, lookup};
use bot::reply::{Block, Reply};
use bytes::Bytes;
use micro::client::request::Response;
use serde_json::value::RawValue;

/// The answer: its exact bytes re-indented for pipe and shell (`raw`: as they came), code and a line about the node for
/// chats.
pub(crate) fn reply(response: &Response, raw: bool, notes: &[String]) -> Reply {
    let mut reply = message(&response.body, raw);
    let mut said = vec![response.node.id.clone(), response.version.clone(), fault::duration(response.took)];
    if response.tries > 1 {
        said.push(format!("{} tries", response.tries));
    }
    said.retain(|part| !part.is_empty());
    reply.blocks.extend(notes.iter().cloned().map(Block::Text));
    reply.blocks.push(Block::Text(said.join(" · ")));
    reply
}

/// One message by itself.
pub(crate) fn message(body: &Bytes, raw: bool) -> Reply {
    let text = if raw { String::from_utf8_lossy(body).into_owned() } else { json::pretty(body).into_owned() };
    let data = std::str::from_utf8(body).ok().filter(|body| json::is_valid(body)).map(|body| body.trim().to_owned());
    let block = match &data {
        _ if text.is_empty() => Block::Text("an empty answer".to_owned()),
        Some(_) => Block::Code { lang: "json".to_owned(), body: text.clone() },
        None => Block::Code { lang: String::new(), body: text.clone() },
    };
    Reply {
        blocks: vec![block],
        text: Some(text),
        data: data.and_then(|data| RawValue::from_string(data).ok()),
        ..Reply::default()
    }
}

/// What is said of fields that an incomplete schema lacks.
pub(crate) fn note(endpoint: &str, unknown: &[String]) -> Option<String> {
    let names: Vec<String> = unknown.iter().take(8).map(|name| format!("`{}`", lookup::brief(name))).collect();
    let more = if unknown.len() > names.len() { ", …" } else { "" };
    (!names.is_empty())
        .then(|| format!("sent along, though the schema of {endpoint} does not show it: {}{more}", names.join(", ")))
}
