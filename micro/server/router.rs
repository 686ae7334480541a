//! Which handler answers an endpoint; what every protocol does with it.

use crate::error::{Error, Result, Status};
use crate::registry::service::Endpoint;
use crate::server::{Context, Handler};
use crate::transport::Socket;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The handlers by endpoint.
pub(crate) struct Router {
    routes: BTreeMap<String, (Endpoint, Arc<dyn Handler>)>,
}

impl Router {
    pub(crate) fn new(routes: impl IntoIterator<Item = (Endpoint, Arc<dyn Handler>)>) -> Self {
        Self { routes: routes.into_iter().map(|route| (route.0.name.clone(), route)).collect() }
    }

    /// Whether the endpoint is a stream; an unknown one is an error in Go's words (WIRE §2.3).
    pub(crate) fn is_stream(&self, endpoint: &str) -> Result<bool> {
        self.route(endpoint).map(|(endpoint, _)| endpoint.is_stream())
    }

    /// Runs a unary handler; one that panics gives code 500.
    pub(crate) async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        let (_, handler) = self.route(&context.endpoint)?;
        handler.call(context, body).await
    }

    /// Runs a stream's handler; one that panics gives code 500.
    pub(crate) async fn stream(&self, context: Context, socket: Socket) -> Result<()> {
        let (_, handler) = self.route(&context.endpoint)?;
        handler.stream(context, socket).await
    }

    fn route(&self, endpoint: &str) -> Result<&(Endpoint, Arc<dyn Handler>)> {
        self.routes.get(endpoint).ok_or_else(|| {
            Error::service(Status { detail: format!("rpc: can't find service {endpoint}"), ..Status::default() })
        })
    }
}
