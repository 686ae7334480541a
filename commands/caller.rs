//! Who asked, as a service learns it: metadata that goes along with every call.

use bot::message::Message;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is: RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The longest value before it is encoded, in bytes: a header stays small whatever a chat lets people call themselves.
const LONGEST: usize = 256;

/// `Micro-Bot-Adapter`, `-Room`, `-User-Id` and `-User-Name`, percent-encoded UTF-8. What is empty is left out, and so is
/// the id of a sender whom the chat does not vouch for. A value longer than 256 bytes is cut at a character.
pub fn metadata(asked: &Message) -> Vec<(String, String)> {
    let address = &asked.place.address;
    [
        ("Micro-Bot-Adapter", &*address.adapter),
        ("Micro-Bot-Room", address.room.as_str()),
        ("Micro-Bot-User-Id", asked.from.id.as_deref().unwrap_or_default()),
        ("Micro-Bot-User-Name", asked.from.name.as_str()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), utf8_percent_encode(cut(value), ENCODED).to_string()))
    .collect()
}

fn cut(value: &str) -> &str {
    if value.len() <= LONGEST {
        return value;
    }
    let end = (0..=LONGEST).rev().find(|end| value.is_char_boundary(*end)).unwrap_or_default();
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use bot::message::{Address, Body, Place, Sender};
    use std::time::SystemTime;

    fn asked(id: Option<&str>, name: &str, room: &str) -> Message {
        Message {
            id: None,
            at: SystemTime::UNIX_EPOCH,
            from: Sender { id: id.map(str::to_owned), name: name.to_owned(), roles: Vec::new(), external: false },
            place: Place {
                address: Address {
                    adapter: "slack.eu".into(),
                    space: "T1".to_owned(),
                    room: room.to_owned(),
                    thread: None,
                },
                only: None,
                under: None,
                via: None,
            },
            direct: true,
            body: Body::Text { text: String::new(), raw: String::new() },
            files: Vec::new(),
        }
    }

    fn said(message: &Message) -> Vec<String> {
        metadata(message).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn everything_known_goes_along_percent_encoded() {
        assert_eq!(
            said(&asked(Some("U7"), "José\r\nMicro-Id: 1", "#ops room")),
            [
                "Micro-Bot-Adapter: slack.eu",
                "Micro-Bot-Room: %23ops%20room",
                "Micro-Bot-User-Id: U7",
                "Micro-Bot-User-Name: Jos%C3%A9%0D%0AMicro-Id%3A%201",
            ]
        );
    }

    #[test]
    fn an_unproven_sender_has_no_id() {
        assert_eq!(said(&asked(None, "", "")), ["Micro-Bot-Adapter: slack.eu"]);
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        let name = metadata(&asked(None, &format!("x{}", "é".repeat(500)), "")).pop().unwrap().1;
        assert_eq!(name, format!("x{}", "%C3%A9".repeat(127)));
    }
}
