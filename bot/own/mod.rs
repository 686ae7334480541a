//! The bot's own commands: they know the router, the turns and the policy, so they cannot live elsewhere.

mod help;
mod stop;
mod whoami;

use crate::adapter::Outbox;
use crate::command::Command;
use crate::policy::Policy;
use crate::router::Router;
use crate::turns::Turns;
use std::sync::{Arc, Weak};

/// The bot's own commands. `help` lists what the router, which will hold it, knows.
pub(crate) fn commands(
    router: &Weak<Router>,
    turns: &Arc<Turns>,
    policy: &Arc<Policy>,
    outbox: &Outbox,
) -> Vec<Arc<dyn Command>> {
    vec![
        Arc::new(help::Help::new(router.clone())),
        Arc::new(stop::Stop::new(turns.clone())),
        Arc::new(whoami::Whoami::new(policy.clone(), outbox.clone())),
    ]
}
