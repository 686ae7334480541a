//! The client as commands use it: over a registry, with everything that a call does.

use super::{Caller, Make};
use crate::bench::peer::HELLO;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use micro::client::request::Request;
use micro::client::{Client, Options};
use micro::registry::Registry;
use micro::registry::memory::Memory;
use micro::registry::service::{Node, Service};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The service that is called.
pub(super) const SERVICE: &str = "go.micro.srv.greeter";
/// What it is sent.
pub(super) const BODY: &[u8] = br#"{"name":"John"}"#;

struct Ours {
    client: Client,
    request: Request,
}

impl Caller for Ours {
    fn call(&mut self) -> BoxFuture<'_, Result<(), String>> {
        async {
            let response = self.client.call(self.request.clone()).await.map_err(|error| error.to_string())?;
            if response.body == br#"{"msg":"Hello John"}"#[..] { Ok(()) } else { Err(format!("{:?}", response.body)) }
        }
        .boxed()
    }
}

/// A client and one node at `address`; all callers share it. `server` is what the node says that it is: `rpc` lets its
/// connections be kept, `grpc` speaks gRPC.
pub(super) async fn make(address: &str, server: &str, pool_size: usize) -> Result<Make, String> {
    let client = client(address, server, pool_size).await?;
    Ok(Arc::new(move || {
        let client = client.clone();
        let request = Request::json(SERVICE, "Say.Hello", Bytes::from_static(BODY));
        async { Ok(Box::new(Ours { client, request }) as Box<dyn Caller>) }.boxed()
    }))
}

async fn client(address: &str, server: &str, pool_size: usize) -> Result<Client, String> {
    let protocol = if server == "grpc" { "grpc" } else { "mucp" };
    let metadata = [("protocol", protocol), ("server", server), ("transport", "http")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let node = Arc::new(Node { id: "greeter-1".to_owned(), address: address.to_owned(), metadata });
    let service =
        Service { name: SERVICE.to_owned(), version: "1.0.0".to_owned(), nodes: vec![node], ..Service::default() };
    let registry = Memory::new();
    registry.register(&service, None).await.map_err(|error| error.to_string())?;
    Ok(Client::new(Arc::new(registry), Options { pool_size, ..Options::default() }))
}

/// What the client writes for a call.
pub(super) async fn bytes(pool_size: usize) -> Result<Vec<u8>, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    let client = client(&address, "rpc", pool_size).await?;
    let call = client.call(Request::json(SERVICE, "Say.Hello", Bytes::from_static(BODY)));
    let hear = async {
        let (mut stream, _) = listener.accept().await?;
        let mut heard = Vec::new();
        while !heard.ends_with(b"}") && !heard.ends_with(b"}\n") {
            stream.read_buf(&mut heard).await?;
        }
        stream.write_all(HELLO).await?;
        Ok::<_, std::io::Error>(heard)
    };
    let (answered, heard) = tokio::join!(call, hear);
    answered.map_err(|error| error.to_string())?;
    heard.map_err(|error| error.to_string())
}
