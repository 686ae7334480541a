//! The contract of command services (TOOLKIT 1.8, WIRE §11): `Command.Help` and `Command.Exec`, in protobuf as the original
//! bot asked, or in JSON for services that were never generated from the proto.

use prost::Message;
use serde::{Deserialize, Serialize};

/// The endpoint that tells what a command is.
pub(super) const HELP: &str = "Command.Help";
/// The endpoint that runs it.
pub(super) const EXEC: &str = "Command.Exec";

/// What a service's payloads are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// What the original bot sent: every service that served it understands this.
    #[default]
    Protobuf,
    /// Handlers of plain structs, which no protobuf codec can fill.
    Json,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
pub(super) struct HelpRequest {}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HelpResponse {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub(super) usage: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub(super) description: String,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
pub(super) struct ExecRequest {
    #[prost(string, repeated, tag = "1")]
    pub(super) args: Vec<String>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ExecResponse {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(with = "base64")]
    pub(super) result: Vec<u8>,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub(super) error: String,
}

impl Form {
    /// A message's payload.
    pub(super) fn encode<M: Message + Serialize>(self, message: &M) -> Vec<u8> {
        match self {
            Self::Protobuf => message.encode_to_vec(),
            // Strings and lists of them have no form that fails.
            Self::Json => serde_json::to_vec(message).unwrap_or_default(),
        }
    }

    /// The message of a payload; `None` if it is none.
    pub(super) fn decode<M: Message + Default + for<'de> Deserialize<'de>>(self, body: &[u8]) -> Option<M> {
        match self {
            Self::Protobuf => M::decode(body).ok(),
            Self::Json if body.is_empty() => Some(M::default()),
            Self::Json => serde_json::from_slice(body).ok(),
        }
    }
}

/// Go writes an empty slice as `null`.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Bytes in JSON as Go writes them.
mod base64 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for chunk in bytes.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for at in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
            }
        }
        to.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = Option::<String>::deserialize(from)?.unwrap_or_default();
        decode(text.trim_end_matches('=')).ok_or_else(|| D::Error::custom("no base64"))
    }

    fn decode(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
        for chunk in text.as_bytes().chunks(4) {
            let mut bits = 0_u32;
            for letter in chunk {
                bits = bits << 6 | u32::try_from(LETTERS.iter().position(|known| known == letter)?).ok()?;
            }
            let [_, first, second, third] = (bits << (6 * (4 - chunk.len()))).to_be_bytes();
            bytes.extend_from_slice([first, second, third].get(..chunk.len().checked_sub(1)?)?);
            if chunk.len() == 1 {
                return None;
            }
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protobuf_has_the_numbers_of_the_original() {
        let exec = ExecRequest { args: vec!["slow".to_owned(), String::new()] };
        assert_eq!(Form::Protobuf.encode(&exec), b"\x0a\x04slow\x0a\x00");
        let response = ExecResponse { result: b"ok".to_vec(), error: "no".to_owned() };
        assert_eq!(Form::Protobuf.encode(&response), b"\x0a\x02ok\x12\x02no");
        assert_eq!(Form::Protobuf.decode::<ExecResponse>(b"\x0a\x02ok\x12\x02no"), Some(response));
        assert_eq!(Form::Protobuf.decode::<HelpResponse>(b""), Some(HelpResponse::default()));
        assert_eq!(Form::Protobuf.decode::<ExecResponse>(b"{}"), None);
    }

    #[test]
    fn json_is_what_go_writes() {
        let exec = ExecRequest { args: vec!["slow".to_owned(), "a b".to_owned()] };
        assert_eq!(Form::Json.encode(&exec), br#"{"args":["slow","a b"]}"#);
        for (json, result) in [
            (r#"{"result":"aGk=","error":""}"#, "hi"),
            (r#"{"result":"aGkh"}"#, "hi!"),
            (r#"{"result":"aA=="}"#, "h"),
            (r#"{"result":null,"error":null}"#, ""),
            ("{}", ""),
            ("", ""),
        ] {
            assert_eq!(Form::Json.decode::<ExecResponse>(json.as_bytes()).unwrap().result, result.as_bytes(), "{json}");
        }
        for json in [r#"{"result":"a"}"#, r#"{"result":"ä==="}"#, r#"{"result":[1]}"#, "[", "7"] {
            assert_eq!(Form::Json.decode::<ExecResponse>(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn bytes_survive_json() {
        for length in 0..=256 {
            let result: Vec<u8> = (0..length).map(|at| u8::try_from(at % 256).unwrap()).collect();
            let response = ExecResponse { result, error: String::new() };
            assert_eq!(Form::Json.decode(&Form::Json.encode(&response)), Some(response));
        }
    }
}
