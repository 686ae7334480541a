//! The registry in this process: what the demo and tests stand on.

use super::feed::{Feed, Watcher};
use super::service::Service;
use super::{Event, Registry, Scope, check};
use crate::error::Result;
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use section::{Problem, Section};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A registry that lives and dies with the process. Cheap to clone; all clones share it.
#[derive(Clone, Debug)]
pub struct Memory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    feed: Arc<Feed>,
    leases: Mutex<Leases>,
    /// The next lease ends earlier than it did.
    sooner: Notify,
}

/// Name, version, node id.
type Key = (String, String, String);

/// When nodes expire. Who asks or watches takes the expired ones out, so that no task is needed.
#[derive(Debug, Default)]
struct Leases {
    ends: BTreeMap<Key, Instant>,
    /// No lease ends before; `None` if none ends at all.
    next: Option<Instant>,
}

impl Memory {
    /// An empty registry.
    pub fn new() -> Self {
        let inner = Inner { feed: Feed::new(true), leases: Mutex::default(), sooner: Notify::new() };
        Self { inner: Arc::new(inner) }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// The row of `micro/open.rs`: no settings, and addresses mean nothing.
pub(crate) fn open(section: &Section, _addresses: &[String]) -> (Option<Arc<dyn Registry>>, Vec<Problem>) {
    let (Config {}, problems) = section.read::<Config>();
    (Some(Arc::new(Memory::new())), problems)
}

/// `[registry.memory]`: nothing to set.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

#[async_trait]
impl Registry for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn register(&self, service: &Service, ttl: Option<Duration>) -> Result<()> {
        check(service)?;
        self.inner.lease(service, ttl);
        self.inner.feed.put(service.clone());
        Ok(())
    }

    async fn deregister(&self, service: &Service) -> Result<()> {
        let mut leases = self.inner.leases();
        for node in &service.nodes {
            leases.ends.remove(&key(service, &node.id));
        }
        drop(leases);
        if !service.nodes.is_empty() {
            self.inner.feed.gone(service.clone());
        }
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Vec<Service>> {
        self.inner.expire();
        Ok(self.inner.feed.read(|state| state.versions(name).cloned().collect()))
    }

    async fn list(&self) -> Result<Vec<String>> {
        self.inner.expire();
        Ok(self.inner.feed.read(|state| state.names().map(str::to_owned).collect()))
    }

    fn watch(&self, scope: Scope) -> BoxStream<'static, Event> {
        self.inner.expire();
        let watcher = self.inner.feed.watch(scope);
        stream::unfold((Arc::clone(&self.inner), watcher), |(inner, mut watcher)| async move {
            let event = inner.next(&mut watcher).await;
            Some((event, (inner, watcher)))
        })
        .boxed()
    }

    fn outlives(&self) -> bool {
        false
    }
}

impl Inner {
    fn lease(&self, service: &Service, ttl: Option<Duration>) {
        let mut leases = self.leases();
        let end = ttl.and_then(|ttl| Instant::now().checked_add(ttl));
        for node in &service.nodes {
            let key = key(service, &node.id);
            match end {
                Some(end) => leases.ends.insert(key, end),
                None => leases.ends.remove(&key),
            };
        }
        if let Some(end) = end
            && leases.next.is_none_or(|next| end < next)
        {
            leases.next = Some(end);
            self.sooner.notify_waiters();
        }
    }

    async fn next(&self, watcher: &mut Watcher) -> Event {
        loop {
            tokio::select! {
                biased;
                () = self.lease_end() => self.expire(),
                event = watcher.next() => return event,
            }
        }
    }

    /// Returns when a lease may have ended.
    async fn lease_end(&self) {
        loop {
            let sooner = self.sooner.notified();
            let next = self.leases().next;
            let Some(next) = next else {
                sooner.await;
                continue;
            };
            tokio::select! {
                () = sleep_until(next) => return,
                () = sooner => {}
            }
        }
    }

    fn expire(&self) {
        let now = Instant::now();
        let mut leases = self.leases();
        if leases.next.is_none_or(|next| next > now) {
            return;
        }
        let ended: Vec<Key> = leases.ends.iter().filter(|(_, end)| **end <= now).map(|(key, _)| key.clone()).collect();
        for key in &ended {
            leases.ends.remove(key);
        }
        leases.next = leases.ends.values().min().copied();
        drop(leases);
        for (name, version, id) in ended {
            let node = self.feed.read(|state| {
                let service = state.versions(&name).find(|service| service.version == version)?;
                service.nodes.iter().find(|node| node.id == id).map(|node| service.with_nodes(vec![Arc::clone(node)]))
            });
            if let Some(node) = node {
                self.feed.gone(node);
            }
        }
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(service: &Service, id: &str) -> Key {
    (service.name.clone(), service.version.clone(), id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, RegistryTraits};

    #[tokio::test(start_paused = true)]
    async fn it_is_a_registry() {
        let memory = Memory::new();
        let traits = RegistryTraits { expires: true, ..RegistryTraits::default() };
        testing::registry(Arc::new(memory.clone()), Arc::new(memory), traits).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_renewed_does_not_end_and_one_without_end_stays() {
        let memory = Memory::new();
        let short = testing::service("short", "1", &["n1"]);
        let long = testing::service("long", "1", &["n1"]);
        memory.register(&short, Some(Duration::from_secs(10))).await.unwrap();
        memory.register(&long, None).await.unwrap();
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(8)).await;
            memory.register(&short, Some(Duration::from_secs(10))).await.unwrap();
        }
        assert_eq!(memory.list().await.unwrap(), ["long", "short"]);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(memory.list().await.unwrap(), ["long"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_hears_an_end_that_came_before_the_one_it_slept_for() {
        let memory = Memory::new();
        memory.register(&testing::service("long", "1", &["n1"]), Some(Duration::from_secs(600))).await.unwrap();
        let mut names = memory.watch(Scope::Names);
        assert!(matches!(names.next().await, Some(Event::Snapshot(_))));
        let start = Instant::now();
        let other = memory.clone();
        let (event, ()) = tokio::join!(
            async {
                loop {
                    if let Some(Event::Gone(gone)) = names.next().await {
                        return gone;
                    }
                }
            },
            async {
                tokio::task::yield_now().await;
                let short = testing::service("short", "1", &["n1"]);
                other.register(&short, Some(Duration::from_secs(3))).await.unwrap();
            }
        );
        assert_eq!((event.name.as_str(), event.nodes.len()), ("short", 1));
        assert!(start.elapsed() < Duration::from_secs(4));
    }
}
