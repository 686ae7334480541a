//! The contract of command services (TOOLKIT 1.8, WIRE §11): `Command.Help` and `Command.Exec`, in protobuf as the original
//! bot asked, or in JSON for services that were never generated from the proto.

use micro::codec::protojson;
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
    #[serde(with = "protojson::bytes")]
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
}
