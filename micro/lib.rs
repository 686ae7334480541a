//! The go-micro framework in Rust: registry, selector, transport, codec, client and server.
//!
//! It speaks to services of every go-micro generation, because it decides per node how to speak
//! (`client/dialect.rs`), and every go-micro client can speak to its servers.

pub mod client;
pub mod codec;
pub mod error;
mod grpc;
pub mod header;
pub mod open;
pub mod registry;
pub mod selector;
pub mod server;
pub mod testing;
pub mod transport;
