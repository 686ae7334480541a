//! The TXT record of a node: JSON, zlib, lower-case hex, cut into strings of 255 bytes (WIRE §1.2).

use crate::registry::service::{Endpoint, Metadata, Node, Service};
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde::{Deserialize, Deserializer, Serialize};
use std::io::{self, Read};

/// What a text inflates to at most, in bytes.
pub(super) const INFLATED: usize = 1 << 20;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written<'a> {
    service: &'a str,
    version: &'a str,
    endpoints: &'a [Endpoint],
    metadata: &'a Metadata,
}

/// What a node says of itself beside its id and its address. The service's own metadata is not among it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Text {
    pub(super) service: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) version: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) endpoints: Vec<Endpoint>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) metadata: Metadata,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The hex text of one node of a service.
///
/// # Errors
/// The JSON is larger than anyone would inflate.
pub(super) fn encode(service: &Service, node: &Node) -> io::Result<String> {
    let json = serde_json::to_vec(&Written {
        service: &service.name,
        version: &service.version,
        endpoints: &service.endpoints,
        metadata: &node.metadata,
    })?;
    if json.len() > INFLATED {
        return Err(io::Error::other(format!("{} bytes of endpoints and metadata", json.len())));
    }
    let mut packed = Vec::new();
    ZlibEncoder::new(&json[..], Compression::default()).read_to_end(&mut packed)?;
    Ok(hex(&packed))
}

/// A node's text, if it is one.
pub(super) fn decode(text: &[u8]) -> Option<Text> {
    let packed = unhex(text)?;
    let mut json = Vec::new();
    ZlibDecoder::new(&packed[..]).take(INFLATED as u64 + 1).read_to_end(&mut json).ok()?;
    if json.len() > INFLATED {
        return None;
    }
    serde_json::from_slice(&json).ok()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;
    use std::io::Write;

    #[test]
    fn a_text_comes_back() {
        let service = service("go.micro.srv.greeter", "1.2.3", &["n1"]);
        let text = encode(&service, &service.nodes[0]).unwrap();
        assert!(text.starts_with("789c"), "zlib of the default level, as Go writes it: {text}");
        let back = decode(text.as_bytes()).unwrap();
        assert_eq!(back.service, service.name);
        assert_eq!(back.version, service.version);
        assert_eq!(back.endpoints, service.endpoints);
        assert_eq!(back.metadata, service.nodes[0].metadata);
    }

    fn packed(json: &[u8]) -> String {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
        packer.write_all(json).unwrap();
        hex(&packer.finish().unwrap())
    }

    #[test]
    fn go_writes_null_for_what_is_empty() {
        let text = packed(br#"{"Metadata":null,"Service":"a","Version":"latest","Endpoints":null}"#);
        let back = decode(text.to_uppercase().as_bytes()).unwrap();
        assert_eq!((back.service.as_str(), back.version.as_str(), back.endpoints.len()), ("a", "latest", 0));
    }

    #[test]
    fn what_is_no_text_is_nothing() {
        for text in ["", "7", "zz", "789c", "00", &packed(b"[]"), &packed(b"{}")] {
            assert!(decode(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let mut bomb = br#"{"Service":"a","Version":""#.to_vec();
        bomb.resize(64 << 20, b' ');
        let text = packed(&bomb);
        assert!(text.len() < 200_000);
        assert!(decode(text.as_bytes()).is_none());
    }
}
