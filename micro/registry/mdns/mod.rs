//! The registry without a server: services tell of themselves by multicast DNS, as go-micro's default registry does
//! (WIRE §1.2), in the domains of all its generations. No settings, no entry that outlives its process.
//!
//! A `ttl` means nothing here: whoever does not answer is not there.

mod engine;
mod net;
mod packet;
mod presence;
mod txt;
mod watch;
mod zone;

use super::service::Service;
use super::{Event, Registry, Scope, check};
use crate::error::Result;
use async_trait::async_trait;
use engine::Engine;
use futures_util::stream::{self, BoxStream, StreamExt};
use net::{PORT, Place};
use section::{Place as Origin, Problem, Section};
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use watch::{RHYTHM, Rhythm, Watch};
use zone::Entry;

/// The mdns registry. Cheap to clone; all clones share its sockets, which open at the first use.
///
/// # Cancel safety
/// All methods are safe: what was registered stays, what was asked is heard by nobody.
#[derive(Clone, Debug)]
pub struct Mdns {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    rhythm: Rhythm,
    engine: Mutex<Option<Arc<Engine>>>,
}

/// `[registry.mdns]`: nothing to set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The row of `micro/open.rs`: the address picks interface and port.
pub(crate) fn open(section: &Section, addresses: &[String]) -> (Option<Arc<dyn Registry>>, Vec<Problem>) {
    let (Config {}, mut problems) = section.read::<Config>();
    let place = match addresses {
        [] => Some(Place { interface: None, port: PORT }),
        [one] => place(one),
        _ => None,
    };
    let Some(place) = place else {
        problems.push(Problem {
            place: Origin::Default,
            key: "registry_address".into(),
            text: format!("mdns does not understand {:?}", addresses.join(",")),
            cure: "name one interface by its IPv4 address, with a port if it is not 5353: 127.0.0.1:5454".into(),
        });
        return (None, problems);
    };
    (Some(Arc::new(Mdns::at(place))), problems)
}

/// `127.0.0.1`, `127.0.0.1:5454`, or `:5454` for every interface.
fn place(address: &str) -> Option<Place> {
    let (host, port) = match address.trim().split_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
        None => (address.trim(), PORT),
    };
    let interface = match host {
        "" => None,
        host => Some(host.parse::<Ipv4Addr>().ok()?).filter(|address| !address.is_unspecified()),
    };
    Some(Place { interface, port })
}

impl Mdns {
    /// On every interface, loopback included, and port 5353.
    pub fn new() -> Self {
        Self::at(Place { interface: None, port: PORT })
    }

    /// On the interface with this address and on this port only: `127.0.0.1` keeps everything on this machine.
    pub fn on(interface: Ipv4Addr, port: u16) -> Self {
        Self::at(Place { interface: Some(interface), port })
    }

    fn at(place: Place) -> Self {
        Self { inner: Arc::new(Inner { place, rhythm: RHYTHM, engine: Mutex::default() }) }
    }
}

impl Default for Mdns {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    /// The running registry; begins to run with the first question.
    fn engine(&self) -> Result<Arc<Engine>> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(Arc::clone(engine));
        }
        let started = Arc::new(Engine::start(self.place)?);
        *engine = Some(Arc::clone(&started));
        Ok(started)
    }
}

#[async_trait]
impl Registry for Mdns {
    fn name(&self) -> &'static str {
        "mdns"
    }

    async fn register(&self, service: &Service, _ttl: Option<Duration>) -> Result<()> {
        check(service)?;
        let entries = service.nodes.iter().map(|node| Entry::new(service, node)).collect::<Result<Vec<_>>>()?;
        self.inner.engine()?.tell(entries)
    }

    async fn deregister(&self, service: &Service) -> Result<()> {
        self.inner.engine()?.forget(service);
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Vec<Service>> {
        if packet::name(name).is_err() {
            // Nobody can have such a name, so nobody needs to be asked.
            return Ok(Vec::new());
        }
        watch::look(&*self.inner.engine()?, Scope::Service(name.to_owned())).await
    }

    async fn list(&self) -> Result<Vec<String>> {
        let services = watch::look(&*self.inner.engine()?, Scope::Names).await?;
        Ok(services.into_iter().map(|service| service.name).collect())
    }

    fn watch(&self, scope: Scope) -> BoxStream<'static, Event> {
        let watch = Watch::new(Arc::clone(&self.inner), scope);
        stream::unfold(watch, |mut watch| async move { Some((watch.next().await, watch)) }).boxed()
    }

    fn outlives(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
