//! What the bot can do: a file a command.

mod call;
pub mod caller;
mod clock;
mod debug;
mod definition;
mod deregister;
mod echo;
pub mod fault;
mod get;
mod health;
mod hello;
pub mod json;
mod kit;
mod list;
#[cfg(test)]
mod live;
mod lookup;
mod ping;
mod register;
mod remote;
mod show;
mod spec;
mod stats;
mod stream;
#[cfg(test)]
mod testing;
mod three_laws;
mod time;
mod version;

pub use kit::Kit;

use bot::command::Command;
use bot::router::Word;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Every built-in command, one row each.
pub fn table(kit: &Kit) -> Vec<Arc<dyn Command>> {
    vec![
        Arc::new(call::Call::new(kit)),
        Arc::new(deregister::Deregister::new(kit)),
        Arc::new(echo::Echo::new()),
        Arc::new(get::Get::new(kit)),
        Arc::new(health::Health::new(kit)),
        Arc::new(hello::Hello::new()),
        Arc::new(list::Nodes::new(kit)),
        Arc::new(list::Services::new(kit)),
        Arc::new(ping::Ping::new()),
        Arc::new(register::Register::new(kit)),
        Arc::new(stats::Stats::new(kit)),
        Arc::new(stream::Stream::new(kit)),
        Arc::new(three_laws::ThreeLaws::new()),
        Arc::new(time::Time::new()),
        Arc::new(version::Version::new(kit.version)),
    ]
}

/// The commands that are services, kept up to date by a task of `tasks` until `stop`.
pub fn words(kit: &Kit, tasks: &TaskTracker, stop: CancellationToken) -> watch::Receiver<Arc<Vec<Word>>> {
    remote::words(kit, tasks, stop)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Shelf, kit};

    #[test]
    fn every_example_is_its_command_and_no_other() {
        assert_eq!(bot::testing::misrouted(&super::table(&kit(&Shelf::with([])))), [""; 0]);
    }

    #[test]
    fn the_details_of_help_fit_80_columns() {
        let table = super::table(&kit(&Shelf::with([])));
        let lines = table.iter().flat_map(|command| command.spec().details.lines().map(str::to_owned));
        let lines: Vec<_> = lines.collect();
        assert!(lines.iter().any(|line| line.contains("--metadata k=v")));
        assert_eq!(lines.iter().filter(|line| line.chars().count() > 80).collect::<Vec<_>>(), [""; 0]);
    }
}
