use super::*;
use crate::error::ErrorKind;
use crate::registry::memory::Memory;
use crate::testing::service;
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use std::sync::atomic::AtomicUsize;
use tokio::sync::mpsc;
use tokio::time::{advance, timeout};

fn lost() -> Event {
    Event::Lost(Arc::new(Error::new(ErrorKind::Unreachable, "registry away")))
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn found(known: Option<Known>) -> Arc<Found> {
    match known {
        Some(Known::Found(found)) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revision_grows_with_a_change_and_with_nothing_else() {
    let mut reducer = Reducer::new(Arc::default());
    let first = found(reducer.apply(Event::Snapshot(vec![service("a", "1", &["x"])]), at(1)));
    let same = found(reducer.apply(Event::Put(service("a", "1", &["x"])), at(2)));
    assert_eq!((same.revision, same.as_of), (first.revision, at(2)));
    let gone = found(reducer.apply(Event::Gone(service("a", "1", &["x"])), at(3)));
    assert!(gone.revision > first.revision && gone.services.is_empty());
}

#[test]
fn what_was_known_stays_as_stale_while_the_registry_is_away() {
    let mut reducer = Reducer::new(Arc::default());
    let first = found(reducer.apply(Event::Snapshot(vec![service("a", "1", &["x"])]), at(1)));
    let stale = found(reducer.apply(lost(), at(5)));
    assert!(stale.stale && !first.stale);
    assert_eq!((&stale.services, stale.as_of, stale.revision), (&first.services, at(1), first.revision));
    assert!(reducer.apply(lost(), at(6)).is_none());
    let back = found(reducer.apply(Event::Snapshot(vec![service("a", "1", &["x"])]), at(9)));
    assert_eq!((back.stale, back.as_of, back.revision), (false, at(9), first.revision));
}

#[test]
fn a_registry_that_never_said_anything_is_an_error_and_changes_before_a_snapshot_are_nothing() {
    let mut reducer = Reducer::new(Arc::default());
    assert!(matches!(reducer.apply(lost(), at(1)), Some(Known::Lost(_))));
    assert!(reducer.apply(Event::Put(service("a", "1", &["x"])), at(2)).is_none());
    assert!(found(reducer.apply(Event::Snapshot(Vec::new()), at(3))).services.is_empty());
}

/// A registry whose watches the test feeds, and counts.
#[derive(Default)]
struct Scripted {
    watches: AtomicUsize,
    alive: Arc<AtomicUsize>,
    scripts: Mutex<Vec<mpsc::UnboundedSender<Event>>>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scripted {
    fn say(&self, watch: usize, event: Event) {
        self.scripts.lock().unwrap()[watch].send(event).unwrap();
    }
}

#[async_trait]
impl Registry for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }
    async fn register(&self, _: &Service, _: Option<Duration>) -> Result<()> {
        Ok(())
    }
    async fn deregister(&self, _: &Service) -> Result<()> {
        Ok(())
    }
    async fn get(&self, _: &str) -> Result<Vec<Service>> {
        panic!("the cache asks by watching only")
    }
    async fn list(&self) -> Result<Vec<String>> {
        panic!("the cache asks by watching only")
    }
    fn watch(&self, _: Scope) -> BoxStream<'static, Event> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        self.alive.fetch_add(1, Ordering::SeqCst);
        let alive = Alive(Arc::clone(&self.alive));
        let (sender, receiver) = mpsc::unbounded_channel();
        self.scripts.lock().unwrap().push(sender);
        stream::unfold((receiver, alive), |(mut receiver, alive)| async move {
            let event = receiver.recv().await?;
            Some((event, (receiver, alive)))
        })
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_question_waits_and_many_share_one_watch() {
    let registry = Arc::new(Scripted::default());
    let cache = Cache::new(Arc::clone(&registry) as Arc<dyn Registry>);
    let ask = || {
        let cache = cache.clone();
        async move { cache.get("a").await.unwrap() }
    };
    let (one, two, ()) = tokio::join!(ask(), ask(), async {
        tokio::task::yield_now().await;
        registry.say(0, Event::Snapshot(vec![service("a", "1", &["x"])]));
    });
    assert!(Arc::ptr_eq(&one, &two));
    assert!(Arc::ptr_eq(&one, &cache.get("a").await.unwrap()), "no new answer without a new event");
    assert_eq!(registry.watches.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_at_the_first_question_is_an_error_until_the_registry_is_back() {
    let registry = Arc::new(Scripted::default());
    let cache = Cache::new(Arc::clone(&registry) as Arc<dyn Registry>);
    let (error, ()) = tokio::join!(cache.get("a"), async {
        tokio::task::yield_now().await;
        registry.say(0, lost());
    });
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.context()), (ErrorKind::Unreachable, "registry away"));
    registry.say(0, Event::Snapshot(vec![service("a", "1", &["x"])]));
    while cache.get("a").await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(registry.watches.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_watch_is_dropped_and_its_service_is_watched_anew_with_a_greater_revision() {
    let registry = Arc::new(Scripted::default());
    let cache = Cache::new(Arc::clone(&registry) as Arc<dyn Registry>);
    let ask = |watch: usize| {
        let (cache, registry) = (cache.clone(), Arc::clone(&registry));
        async move {
            let (found, ()) = tokio::join!(cache.get("a"), async {
                tokio::task::yield_now().await;
                registry.say(watch, Event::Snapshot(vec![service("a", "1", &["x"])]));
            });
            found.unwrap()
        }
    };
    let first = ask(0).await;
    advance(IDLE / 2).await;
    cache.get("a").await.unwrap();
    advance(IDLE / 2 + LOOK).await;
    tokio::time::sleep(LOOK).await;
    assert_eq!(registry.alive.load(Ordering::SeqCst), 1, "asked in between");
    tokio::time::sleep(IDLE + LOOK).await;
    assert_eq!(registry.alive.load(Ordering::SeqCst), 0);
    assert!(ask(1).await.revision > first.revision);
}

#[tokio::test(start_paused = true)]
async fn watches_end_with_the_last_clone() {
    let registry = Arc::new(Scripted::default());
    let cache = Cache::new(Arc::clone(&registry) as Arc<dyn Registry>);
    let clone = cache.clone();
    assert!(timeout(Duration::from_millis(1), clone.get("a")).await.is_err(), "nobody answers");
    drop(cache);
    tokio::time::sleep(LOOK).await;
    assert_eq!(registry.alive.load(Ordering::SeqCst), 1);
    drop(clone);
    while registry.alive.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_watches_is_bounded() {
    let memory = Memory::new();
    let cache = Cache::new(Arc::new(memory));
    for number in 0..LIMIT + 10 {
        assert!(cache.get(&format!("nobody{number}")).await.unwrap().services.is_empty());
        advance(Duration::from_millis(1)).await;
    }
    let entries = cache.inner.entries.read().unwrap();
    assert_eq!(entries.len(), LIMIT);
    assert!(!entries.contains_key("nobody9") && entries.contains_key("nobody10"));
}

#[tokio::test]
async fn the_cache_follows_a_registry() {
    let memory = Memory::new();
    let cache = Cache::new(Arc::new(memory.clone()));
    assert!(cache.get("a").await.unwrap().services.is_empty());
    let one = service("a", "1", &["x"]);
    memory.register(&one, None).await.unwrap();
    while cache.get("a").await.unwrap().services != [one.clone()] {
        tokio::task::yield_now().await;
    }
    memory.deregister(&one).await.unwrap();
    while !cache.get("a").await.unwrap().services.is_empty() {
        tokio::task::yield_now().await;
    }
}
