//! Services from JSON as people and go-micro of every generation write it (WIRE §1.0, §6): keys of any case, `null` for
//! whatever is empty, an old `port` beside the address, unknown keys, and schemas deeper than anyone needs.

use super::service::{Endpoint, MAX_DEPTH, Metadata, Node, Service, Value};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// An object whose keys are known in lower case.
trait Record: Sized {
    /// What it is, for errors.
    const WHAT: &'static str;

    /// Reads the value of `key` (lower case); `false`, and nothing read, if there is no such key.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// Reads a [`Record`] on top of the one it begins with.
struct Object<R>(R);

impl<'de, R: Record> Visitor<'de> for Object<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<R, A::Error> {
        while let Some(mut key) = map.next_key::<String>()? {
            key.make_ascii_lowercase();
            if !self.0.read(&key, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(self.0)
    }
}

impl Record for Service {
    const WHAT: &'static str = "a service: an object with name, version and nodes";

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = or_default(map)?,
            "version" => self.version = or_default(map)?,
            "metadata" => self.metadata = metadata(map)?,
            "endpoints" => self.endpoints = or_default(map)?,
            "nodes" => self.nodes = or_default::<Vec<Node>, _>(map)?.into_iter().map(Arc::new).collect(),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object(Self::default()))
    }
}

/// A node and the port that go-micro until v1.7.0 kept beside the address.
#[derive(Default)]
struct OldNode {
    node: Node,
    port: Port,
}

impl Record for OldNode {
    const WHAT: &'static str = "a node: an object with id and address";

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "id" => self.node.id = or_default(map)?,
            "address" => self.node.address = or_default(map)?,
            "metadata" => self.node.metadata = metadata(map)?,
            "port" => self.port = or_default(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut old = deserializer.deserialize_map(Object(OldNode::default()))?;
        if old.port.0 > 0 && !has_port(&old.node.address) {
            old.node.address = join(&old.node.address, old.port.0);
        }
        Ok(old.node)
    }
}

impl Record for Endpoint {
    const WHAT: &'static str = "an endpoint: an object with name, request and response";

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = or_default(map)?,
            "request" => self.request = map.next_value()?,
            "response" => self.response = map.next_value()?,
            "metadata" => self.metadata = metadata(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object(Self::default()))
    }
}

/// A [`Value`] with the levels that may still lie below it.
struct Below {
    levels: usize,
    value: Value,
}

impl Record for Below {
    const WHAT: &'static str = "a schema: an object with name, type and values";

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.value.name = or_default(map)?,
            "type" => self.value.r#type = or_default(map)?,
            "values" if self.levels > 1 => self.value.values = map.next_value_seed(Values(self.levels - 1))?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OneValue(MAX_DEPTH).deserialize(deserializer)
    }
}

/// Reads one value with so many levels, its own included.
struct OneValue(usize);

impl<'de> DeserializeSeed<'de> for OneValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let below = Object(Below { levels: self.0, value: Value::default() });
        deserializer.deserialize_map(below).map(|below| below.value)
    }
}

/// Reads a list of values, or `null`, with so many levels.
struct Values(usize);

impl<'de> DeserializeSeed<'de> for Values {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Value>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Values {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of schemas")
    }

    fn visit_none<E: de::Error>(self) -> Result<Vec<Value>, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<Value>, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Value>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Value>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(OneValue(self.0))? {
            values.push(value);
        }
        Ok(values)
    }
}

/// A port: a number, or one in quotes. 0 is none.
#[derive(Default)]
struct Port(u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits(PhantomData<()>);

        impl Visitor<'_> for Digits {
            type Value = Port;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port from 0 to 65535")
            }

            fn visit_u64<E: de::Error>(self, port: u64) -> Result<Port, E> {
                u16::try_from(port).map(Port).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(port), &self))
            }

            fn visit_i64<E: de::Error>(self, port: i64) -> Result<Port, E> {
                u16::try_from(port).map(Port).map_err(|_| E::invalid_value(de::Unexpected::Signed(port), &self))
            }

            fn visit_str<E: de::Error>(self, port: &str) -> Result<Port, E> {
                port.parse().map(Port).map_err(|_| E::invalid_value(de::Unexpected::Str(port), &self))
            }
        }

        deserializer.deserialize_any(Digits(PhantomData))
    }
}

fn or_default<'de, T: Default + Deserialize<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value::<Option<T>>().map(Option::unwrap_or_default)
}

fn metadata<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Metadata, A::Error> {
    let read: BTreeMap<String, Option<String>> = or_default(map)?;
    Ok(read.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

/// Whether an address ends with a port: `host:80`, `[::1]:80`, but not `::1`.
fn has_port(address: &str) -> bool {
    match address.rsplit_once(':') {
        Some((host, port)) => {
            (host.ends_with(']') || !host.contains(':')) && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
        }
        None => false,
    }
}

/// `host:port`, with brackets around an IPv6 host that has none.
fn join(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Service {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn null_absent_and_empty_mean_the_same() {
        let bare = read(r#"{"name":"a"}"#);
        assert_eq!(bare, Service::named("a"));
        assert_eq!(bare, read(r#"{"name":"a","version":null,"metadata":null,"endpoints":null,"nodes":null}"#));
        assert_eq!(bare, read(r#"{"name":"a","version":"","metadata":{},"endpoints":[],"nodes":[]}"#));
        let endpoint = read(r#"{"name":"a","endpoints":[{"name":"E","request":null,"metadata":null}]}"#);
        assert_eq!(endpoint.endpoints[0], Endpoint { name: "E".into(), ..Endpoint::default() });
    }

    #[test]
    fn keys_have_any_case_and_unknown_ones_are_ignored() {
        let service = read(
            r#"{"Name":"a","VERSION":"1","Extra":{"deep":[1,{}]},"Metadata":{"Key":"Kept","none":null},
                "Nodes":[{"Id":"n","Address":"h:1","Metadata":{"Server":"mucp"},"zone":7}],
                "endpoints":[{"NAME":"E","Request":{"Name":"R","Type":"R","Values":[{"name":"f","type":"string","values":null}]}}]}"#,
        );
        assert_eq!(service.version, "1");
        assert_eq!(service.metadata["Key"], "Kept");
        assert_eq!(service.metadata["none"], "");
        assert_eq!(service.nodes[0].metadata["Server"], "mucp");
        assert_eq!(service.endpoints[0].request.as_ref().unwrap().values[0].name, "f");
    }

    #[test]
    fn an_old_port_is_joined_into_the_address() {
        let address = |node: &str| serde_json::from_str::<Node>(node).unwrap().address;
        assert_eq!(address(r#"{"id":"n","address":"10.0.0.5","port":8080}"#), "10.0.0.5:8080");
        assert_eq!(address(r#"{"id":"n","address":"fd00::5","port":8080}"#), "[fd00::5]:8080");
        assert_eq!(address(r#"{"id":"n","address":"[fd00::5]","port":8080}"#), "[fd00::5]:8080");
        assert_eq!(address(r#"{"id":"n","address":"10.0.0.5:9","port":8080}"#), "10.0.0.5:9");
        assert_eq!(address(r#"{"id":"n","address":"[::1]:9","port":8080}"#), "[::1]:9");
        assert_eq!(address(r#"{"Address":"db","Port":"53"}"#), "db:53");
        assert_eq!(address(r#"{"address":"_INBOX.abc","port":0}"#), "_INBOX.abc");
        assert_eq!(address(r#"{"address":"q","port":null}"#), "q");
        assert!(serde_json::from_str::<Node>(r#"{"address":"h","port":70000}"#).is_err());
    }

    #[test]
    fn a_service_is_written_without_a_port_and_reads_back() {
        let service = read(
            r#"{"name":"a","version":"1","metadata":{"k":"v"},"nodes":[{"id":"n","address":"h","port":1}],
                "endpoints":[{"name":"E","metadata":{"stream":"true"},"response":{"name":"R","type":"R","values":null}}]}"#,
        );
        let written = serde_json::to_string(&service).unwrap();
        insta::assert_snapshot!(written, @r#"{"name":"a","version":"1","metadata":{"k":"v"},"endpoints":[{"name":"E","request":null,"response":{"name":"R","type":"R","values":[]},"metadata":{"stream":"true"}}],"nodes":[{"id":"n","address":"h:1","metadata":{}}]}"#);
        assert_eq!(read(&written), service);
    }

    #[test]
    fn what_every_generation_registered_is_read_and_written_without_loss() {
        let recorded = [
            ("v0.16", include_str!("../../tests/wire/v0.16.0/registration.json")),
            ("v0.20", include_str!("../../tests/wire/v0.20.0/registration.json")),
            ("v1.18", include_str!("../../tests/wire/v1.18.0/registration.json")),
            ("v2.9", include_str!("../../tests/wire/v2.9.1/registration.json")),
            ("v4.11", include_str!("../../tests/wire/v4.11.0/registration.json")),
            ("v6.10", include_str!("../../tests/wire/v6.10.0/registration.json")),
        ];
        for (which, json) in recorded {
            let services: Vec<Service> = serde_json::from_str(json).unwrap();
            let greeter = services.iter().find(|s| s.name == "go.micro.srv.greeter").unwrap();
            let node = &greeter.nodes[0];
            assert!(node.address.parse::<std::net::SocketAddr>().is_ok(), "{which}: {}", node.address);
            assert!(node.id.starts_with("go.micro.srv.greeter-"), "{which}: {}", node.id);
            assert!(node.metadata.contains_key("server"), "{which}");
            let hello = greeter.endpoints.iter().find(|e| e.name.ends_with(".Hello")).unwrap();
            assert!(hello.request.as_ref().unwrap().values.iter().any(|v| v.r#type == "string"), "{which}");
            assert!(greeter.endpoints.iter().any(Endpoint::is_stream), "{which}");
            let again: Vec<Service> = serde_json::from_str(&serde_json::to_string(&services).unwrap()).unwrap();
            assert_eq!(again, services, "{which}");
        }
    }

    fn depth(value: &Value) -> usize {
        1 + value.values.iter().map(depth).max().unwrap_or(0)
    }

    #[test]
    fn a_schema_is_cut_at_its_depth_instead_of_filling_the_stack() {
        let nested = |levels: usize| {
            let open = r#"{"name":"v","type":"T","values":["#.repeat(levels);
            format!(r#"{{"name":"E","request":{open}{}}}"#, "]}".repeat(levels))
        };
        for levels in [MAX_DEPTH, MAX_DEPTH + 1, 100_000] {
            let endpoint: Endpoint = serde_json::from_str(&nested(levels)).unwrap();
            assert_eq!(depth(&endpoint.request.unwrap()), MAX_DEPTH, "{levels}");
        }
    }

    #[test]
    fn what_is_no_service_is_an_error_with_its_place() {
        let error = |json: &str| serde_json::from_str::<Vec<Service>>(json).unwrap_err().to_string();
        insta::assert_snapshot!(error(r#"[{"name":"a","nodes":[{"id":7}]}]"#), @"invalid type: integer `7`, expected a string at line 1 column 29");
        insta::assert_snapshot!(error("[\n 3]"), @"invalid type: integer `3`, expected a service: an object with name, version and nodes at line 2 column 2");
    }
}
