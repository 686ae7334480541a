//! A registry that people keep by hand: a file, read when it is asked and followed while anyone watches.
//!
//! Its text is a JSON array of services (WIRE §1.0) or a TOML table of names with their addresses. Only `register` and
//! `deregister` write it, and only JSON; entries have no end there, so a `ttl` means nothing.

mod disk;
mod format;

use super::feed::Feed;
use super::service::Service;
use super::{Event, Registry, Scope, check};
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use disk::Stamp;
use futures_util::stream::{self, BoxStream, StreamExt};
use section::{Place, Problem, Section};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often a watched file is looked at. A change is taken in when two looks agree, so within twice this.
const LOOK: Duration = Duration::from_millis(200);
/// A file that never holds still is taken in after so many looks all the same.
const RESTLESS: usize = 2;
/// A file that is broken may be half written: it is read again so often, so far apart, before that is an error.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// A file as a registry. Cheap to clone; all clones share its watch.
#[derive(Clone, Debug)]
pub struct File {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: Arc<Path>,
    feed: Arc<Feed>,
    /// Whether the task that looks at the file runs; it ends with the last watch.
    looking: Arc<Mutex<bool>>,
    tasks: Mutex<JoinSet<()>>,
    /// One write after the other, in the order they were asked for: one that was given up may still be at work, and must
    /// not end after the next.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// `[registry.file]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file; `--registry_address` wins over it.
    pub path: Option<PathBuf>,
}

/// The row of `micro/open.rs`: the path is the address.
pub(crate) fn open(section: &Section, addresses: &[String]) -> (Option<Arc<dyn Registry>>, Vec<Problem>) {
    let (config, mut problems) = section.read::<Config>();
    let path = match addresses {
        [] => config.path,
        [one] => Some(PathBuf::from(one)),
        _ => None,
    };
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        let text = if addresses.len() > 1 { "the file registry is one file" } else { "the file registry needs a path" };
        problems.push(Problem {
            place: Place::Default,
            key: "registry_address".into(),
            text: text.into(),
            cure: "--registry_address services.json".into(),
        });
        return (None, problems);
    };
    (Some(Arc::new(File::new(path))), problems)
}

impl File {
    /// The registry of a file; nothing is opened.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let inner = Inner {
            path: Arc::from(path.into()),
            feed: Feed::new(false),
            looking: Arc::default(),
            tasks: Mutex::default(),
            turn: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    async fn rewrite(&self, service: &Service, edit: Edit) -> Result<()> {
        let path = Arc::clone(&self.inner.path);
        let service = service.clone();
        let turn = Arc::clone(&self.inner.turn).lock_owned().await;
        blocking(move || {
            let _turn = turn;
            disk::rewrite(&path, |text| edit(&path, text, &service))
        })
        .await
    }
}

type Edit = fn(&Path, &str, &Service) -> Result<Option<String>>;

#[async_trait]
impl Registry for File {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn register(&self, service: &Service, _ttl: Option<Duration>) -> Result<()> {
        check(service)?;
        self.rewrite(service, format::put).await
    }

    async fn deregister(&self, service: &Service) -> Result<()> {
        self.rewrite(service, format::take).await
    }

    async fn get(&self, name: &str) -> Result<Vec<Service>> {
        let services = read(&self.inner.path).await?;
        Ok(services.into_iter().filter(|service| service.name == name).collect())
    }

    async fn list(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = read(&self.inner.path).await?.into_iter().map(|service| service.name).collect();
        names.dedup();
        Ok(names)
    }

    fn watch(&self, scope: Scope) -> BoxStream<'static, Event> {
        let watcher = self.inner.feed.watch(scope);
        stream::unfold((Arc::clone(&self.inner), watcher), |(inner, mut watcher)| async move {
            inner.look();
            let event = watcher.next().await;
            Some((event, (inner, watcher)))
        })
        .boxed()
    }

    fn curated(&self) -> bool {
        true
    }
}

impl Inner {
    /// Begins to look at the file, if nobody does.
    fn look(&self) {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if *looking {
            return;
        }
        *looking = true;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(follow(Arc::clone(&self.path), Arc::clone(&self.feed), Arc::clone(&self.looking)));
    }
}

/// Follows the file into the feed while anyone watches.
async fn follow(path: Arc<Path>, feed: Arc<Feed>, looking: Arc<Mutex<bool>>) {
    let mut eye = Eye::default();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        look.tick().await;
        if rests(&feed, &looking) {
            return;
        }
        let stamped = Arc::clone(&path);
        let Ok(stamp) = blocking(move || Ok(disk::stamp(&stamped))).await else { continue };
        if !eye.sees(stamp) {
            continue;
        }
        match read_once(&path).await {
            Ok(services) => {
                if !told.is_empty() {
                    tracing::info!(path = %path.display(), "the registry file can be read again");
                    told.clear();
                }
                feed.replace(services);
            }
            Err(error) => {
                if error.kind() == ErrorKind::Unreachable && stamp != Stamp::Missing {
                    // It is there and could not be read: that may pass without a new stamp.
                    eye = Eye::default();
                }
                if error.to_string() == told {
                    continue;
                }
                tracing::error!("{error}; what it said before stays");
                told = error.to_string();
                feed.lost(Arc::new(error));
            }
        }
    }
}

/// Whether nobody watches any more; then the next one who does starts anew.
fn rests(feed: &Feed, looking: &Mutex<bool>) -> bool {
    let mut looking = looking.lock().unwrap_or_else(PoisonError::into_inner);
    if feed.is_watched() {
        return false;
    }
    feed.forget();
    *looking = false;
    true
}

/// Decides by a file's stamps when to read it: at once the first time, then when a new stamp has been seen twice, so that
/// a file that is just being written is not read in the middle.
#[derive(Debug, Default)]
struct Eye {
    seen: Option<Stamp>,
    /// The stamp that was last read, and whether the file held still then.
    read: Option<(Stamp, bool)>,
    restless: usize,
}

impl Eye {
    fn sees(&mut self, stamp: Stamp) -> bool {
        let steady = self.seen.replace(stamp) == Some(stamp);
        if self.read == Some((stamp, true)) {
            return false;
        }
        self.restless += 1;
        let due = steady || self.read.is_none() || self.restless > RESTLESS;
        if due {
            self.read = Some((stamp, steady));
            self.restless = 0;
        }
        due
    }
}

/// Reads the file, and again if it may be half written.
async fn read(path: &Arc<Path>) -> Result<Vec<Service>> {
    for _ in 1..TRIES {
        match read_once(path).await {
            Err(error) if error.kind() == ErrorKind::Malformed => sleep(PAUSE).await,
            read => return read,
        }
    }
    read_once(path).await
}

async fn read_once(path: &Arc<Path>) -> Result<Vec<Service>> {
    let path = Arc::clone(path);
    blocking(move || format::parse(&path, &disk::read(&path)?)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::new(ErrorKind::Cancelled, "the runtime is shutting down").because(error)),
    }
}

#[cfg(test)]
mod tests;
