//! All ways by name: the one place that knows them. One row a way.

use crate::codec::{Codec, bytes::Octets, grpc, json::Json, jsonrpc::JsonRpc, proto::Proto, protorpc::ProtoRpc};
use crate::registry::{Registry, file, memory};
use crate::selector::strategy::{Random, RoundRobin, Strategy};
use section::{Problem, Section};
use std::fmt;
use std::sync::Arc;

/// A kind of registry: one row of [`REGISTRIES`].
pub struct RegistryKind {
    /// The name that `--registry`, node metadata and the config's section have.
    pub name: &'static str,
    /// Makes it from its section `[registry.<name>]` and the addresses of `--registry_address`; opens nothing.
    pub open: OpenRegistry,
}

/// Makes a registry; what is wrong with its config comes back as problems.
pub type OpenRegistry = fn(&Section, &[String]) -> (Option<Arc<dyn Registry>>, Vec<Problem>);

impl fmt::Debug for RegistryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryKind({})", self.name)
    }
}

/// Every registry this build knows.
pub const REGISTRIES: &[RegistryKind] = &[
    RegistryKind { name: "file", open: file::open },
    #[cfg(feature = "mdns")]
    RegistryKind { name: "mdns", open: crate::registry::mdns::open },
    RegistryKind { name: "memory", open: memory::open },
];

/// A content type of mucp: one row of [`CODECS`] (WIRE §3).
pub struct CodecKind {
    /// The content type as it stands in the header; parameters make it an unknown one.
    pub name: &'static str,
    /// What it means to v0.20.0 and later.
    pub codec: &'static dyn Codec,
    /// What it means in a request without any Micro header, and to v0.16.0 and before: always an envelope.
    pub legacy: &'static dyn Codec,
}

impl fmt::Debug for CodecKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodecKind({})", self.name)
    }
}

/// Every content type of mucp that this build knows.
pub const CODECS: &[CodecKind] = &[
    CodecKind { name: "application/json", codec: &Json, legacy: &JsonRpc },
    CodecKind { name: "application/json-rpc", codec: &JsonRpc, legacy: &JsonRpc },
    CodecKind { name: "application/protobuf", codec: &Proto, legacy: &ProtoRpc },
    CodecKind { name: "application/proto-rpc", codec: &ProtoRpc, legacy: &ProtoRpc },
    CodecKind { name: "application/octet-stream", codec: &Octets, legacy: &ProtoRpc },
    CodecKind { name: "application/grpc", codec: &grpc::BARE, legacy: &grpc::BARE },
    CodecKind { name: "application/grpc+json", codec: &grpc::WITH_JSON, legacy: &grpc::WITH_JSON },
    CodecKind { name: "application/grpc+proto", codec: &grpc::PROTO, legacy: &grpc::PROTO },
];

/// A way to choose among nodes: one row of [`STRATEGIES`].
pub struct StrategyKind {
    /// The name that `--selector` and the config have.
    pub name: &'static str,
    /// Makes it.
    pub open: fn() -> Box<dyn Strategy>,
}

impl fmt::Debug for StrategyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StrategyKind({})", self.name)
    }
}

/// Every strategy this build knows, the default first.
pub const STRATEGIES: &[StrategyKind] = &[
    StrategyKind { name: "random", open: || Box::new(Random) },
    StrategyKind { name: "roundrobin", open: || Box::<RoundRobin>::default() },
];
