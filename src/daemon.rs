//! `micro bot`: a [`Config`] becomes running parts. `build` opens nothing, so that it is `--check` too.

use crate::config::{self, Config};
use crate::demo;
use bot::adapter::Adapter;
use bot::bot::{Bot, Options, Parts};
use commands::Kit;
use micro::client::Client;
use micro::error::Result;
use micro::open::REGISTRIES;
use micro::registry::Registry;
use micro::server::{Running, Server};
use section::{Place, Problem};
use std::fmt::Write;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The version that `micro --version` and `version` say.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A daemon that is put together.
pub(crate) struct Daemon {
    config: Config,
    kit: Kit,
    adapters: Vec<Arc<dyn Adapter>>,
    demo: bool,
}

/// Makes the registry that the config names.
pub(crate) fn registry(config: &Config, problems: &mut Vec<Problem>) -> Option<Arc<dyn Registry>> {
    let kind = REGISTRIES.iter().find(|kind| kind.name == config.registry.name)?;
    let section = config.tree.sub("registry");
    let (registry, mut found) = (kind.open)(&section.sub(kind.name), &config.registry.address);
    if registry.is_none() && found.is_empty() {
        let text = format!("registry \"{}\" cannot be opened", kind.name);
        found.push(Problem {
            place: section.place("name"),
            key: "registry.name".to_owned(),
            text,
            cure: String::new(),
        });
    }
    for problem in &mut found {
        // A registry is given its addresses, not the place that they came from.
        if problem.key == "registry_address" {
            problem.place = section.place("address");
            "registry.address".clone_into(&mut problem.key);
        }
    }
    problems.append(&mut found);
    registry
}

/// What commands work with.
pub(crate) fn kit(config: &Config, registry: Arc<dyn Registry>) -> Kit {
    let mut options = config.client.clone();
    options.name.clone_from(&config.bot.namespace);
    Kit {
        client: Client::new(Arc::clone(&registry), options),
        registry,
        version: VERSION,
        namespace: config.bot.namespace.clone(),
    }
}

impl Daemon {
    /// Puts a daemon together; opens nothing.
    ///
    /// # Errors
    /// The problems that were found before, and everything that the parts find wrong with their config.
    pub(crate) fn build(
        config: Config,
        demo: bool,
        mut problems: Vec<Problem>,
    ) -> std::result::Result<Self, Vec<Problem>> {
        let registry = registry(&config, &mut problems);
        let adapters = inputs(&config, &mut problems);
        let Some(registry) = registry.filter(|_| problems.is_empty()) else {
            problems.sort_by_key(config::order);
            return Err(problems);
        };
        let kit = kit(&config, registry);
        Ok(Self { config, kit, adapters, demo })
    }

    /// What would run, for `--check`.
    pub(crate) fn describe(&self) -> String {
        let config = &self.config;
        let mut text = String::new();
        let mut line = |name: &str, value: &str| _ = writeln!(text, "{name:<9} {value}");
        let sources = if config.sources.is_empty() { "defaults".to_owned() } else { config.sources.join(", ") };
        line("config", &sources);
        let address = config.registry.address.join(", ");
        line("registry", format!("{} {address}", config.registry.name).trim_end());
        let names: Vec<_> = self.adapters.iter().map(|adapter| &**adapter.name()).collect();
        line("inputs", &names.join(", "));
        let count = commands::table(&self.kit).len();
        line("commands", &format!("{count} built in, and every service {}.*", config.bot.namespace));
        let own = if self.registers() {
            format!("as {} every {} s", self.name(), config.server.interval.as_secs())
        } else {
            "no".to_owned()
        };
        line("register", &own);
        match config.rules.as_slice() {
            [] => line("policy", "the terminal may do all, every other chat may only read"),
            rules => line("policy", &format!("the terminal may do all; rules: {}", rules.join(", "))),
        }
        for ignored in &config.ignored {
            line("ignored", ignored);
        }
        text
    }

    fn name(&self) -> &str {
        if self.config.server.name.is_empty() { &self.config.bot.namespace } else { &self.config.server.name }
    }

    fn registers(&self) -> bool {
        self.config.bot.register && !self.kit.registry.curated()
    }

    /// Runs until every input has ended or `closed` fires: the lease goes first, then what was asked is answered.
    ///
    /// # Errors
    /// A part could not start.
    pub(crate) async fn run(self, closed: CancellationToken) -> Result<()> {
        let services = if self.demo {
            demo::start(&self.kit.registry, &demo::options(&self.config), "").await?
        } else {
            Vec::new()
        };
        let own = if self.registers() { Some(self.serve().await?) } else { None };
        let tasks = TaskTracker::new();
        let done = CancellationToken::new();
        let parts = Parts {
            adapters: self.adapters,
            commands: commands::table(&self.kit),
            words: commands::words(&self.kit, &tasks, done.clone()),
            policy: self.config.policy,
            journal: None,
        };
        let settings = &self.config.bot;
        let options = Options {
            limit: settings.limit.0,
            drain: settings.drain.0,
            running: settings.running,
            waiting: settings.waiting,
            ..Options::default()
        };
        let bot = Bot::new(options, parts)
            .map_err(|lines| micro::error::Error::new(micro::error::ErrorKind::Invalid, lines.join("\n")))?;
        let ended = closed.child_token();
        let answer = async {
            bot.run(closed).await;
            ended.cancel();
        };
        // The entry goes first: nobody shall find a bot that is about to leave.
        let leave = async {
            ended.cancelled().await;
            if let Some(own) = own {
                own.stop().await;
            }
        };
        tokio::join!(answer, leave);
        for service in services {
            service.stop().await;
        }
        done.cancel();
        tasks.close();
        tasks.wait().await;
        Ok(())
    }

    /// The bot as a service: it answers only `Debug.*`.
    async fn serve(&self) -> Result<Running> {
        let mut options = self.config.server.clone();
        self.name().clone_into(&mut options.name);
        if options.version.is_empty() {
            VERSION.clone_into(&mut options.version);
        }
        options.registry = Some(Arc::clone(&self.kit.registry));
        Server::new(options).start().await
    }
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The chats: those that `--inputs` names, else those that have a section, else the terminal.
fn inputs(config: &Config, problems: &mut Vec<Problem>) -> Vec<Arc<dyn Adapter>> {
    let mut names = config.bot.inputs.clone();
    if names.is_empty() {
        let others = adapters::ADAPTERS.iter().map(|kind| kind.name).filter(|name| *name != "terminal");
        names = others.filter(|name| config.tree.place(name) != Place::Default).map(str::to_owned).collect();
    }
    if names.is_empty() {
        names.push("terminal".to_owned());
    }
    let mut adapters: Vec<Arc<dyn Adapter>> = Vec::new();
    for name in names {
        let Some(kind) = adapters::ADAPTERS.iter().find(|kind| name.split('.').next() == Some(kind.name)) else {
            continue;
        };
        let section = name.split('.').fold(config.tree.clone(), |section, key| section.sub(key));
        let (adapter, mut found) = (kind.open)(&section);
        problems.append(&mut found);
        adapters.extend(adapter);
    }
    adapters
}
