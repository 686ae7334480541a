//! Finding a service by what was typed, and saying what is near when there is none.

use crate::kit::Kit;
use crate::{clock, fault};
use bot::command::{CommandError, CommandErrorKind, Field, FieldKind};
use bot::message::Args;
use bot::reply::Block;
use bot::suggest::nearest;
use micro::registry::Registry;
use micro::registry::cache::Found;
use micro::registry::service::{Service, is_pseudo};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long completion waits for the registry: it is asked at every key.
const COMPLETION: Duration = Duration::from_secs(1);
/// The longest name that an error repeats, in characters.
const REPEATED: usize = 100;

/// The name of the service that was asked for.
///
/// # Errors
/// `Usage`: there is none.
pub(crate) fn name<'a>(args: &'a Args, usage: &str) -> Result<&'a str, CommandError> {
    match args.named.get("service").map_or("", |name| name.trim()) {
        "" => Err(CommandError::new(CommandErrorKind::Usage, format!("require service name\nusage: {usage}"))),
        name => Ok(name),
    }
}

/// The service's versions, asked of the registry itself.
///
/// # Errors
/// `NotFound`, with the nearest name; the registry's own.
pub(crate) async fn service(registry: &dyn Registry, name: &str) -> Result<Vec<Service>, CommandError> {
    match registry.get(name).await {
        Ok(found) if found.is_empty() => Err(unknown(registry, name).await),
        Ok(found) => Ok(found),
        Err(error) => Err(away(registry, error)),
    }
}

/// The service's versions as the client sees them: from its cache, stale while the registry is away.
///
/// # Errors
/// As [`service`].
pub(crate) async fn cached(kit: &Kit, name: &str) -> Result<Arc<Found>, CommandError> {
    match kit.client.find(name).await {
        Ok(found) if found.services.is_empty() => Err(unknown(&*kit.registry, name).await),
        Ok(found) => Ok(found),
        Err(error) => Err(away(&*kit.registry, error)),
    }
}

/// The service's versions, asked of the registry itself; while it is away, what the client's cache still knows.
///
/// # Errors
/// As [`service`].
pub(crate) async fn or_cached(kit: &Kit, name: &str) -> Result<Arc<Found>, CommandError> {
    let error = match service(&*kit.registry, name).await {
        Ok(services) => {
            return Ok(Arc::new(Found { services, as_of: SystemTime::now(), stale: false, revision: 0 }));
        }
        Err(error) if error.kind == CommandErrorKind::NotFound => return Err(error),
        Err(error) => error,
    };
    match kit.client.find(name).await {
        Ok(found) if !found.services.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(error),
    }
}

/// What people are told besides, while the registry is away.
pub(crate) fn stale(found: &Found) -> Option<Block> {
    let since = found.as_of.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    found.stale.then(|| Block::Text(format!("The registry is away: nodes as of {}.", clock::rfc1123(since))))
}

/// `NotFound`, with the nearest name that the registry knows. It may know the very name and no node: Go's mDNS servers
/// list a name with blanks or letters beyond ASCII, and never answer a question for it.
pub(crate) async fn unknown(registry: &dyn Registry, name: &str) -> CommandError {
    let names = registry.list().await.unwrap_or_default();
    if names.iter().any(|known| known == name) {
        let text = format!("{} is listed, but no node of it answers the registry", brief(name));
        return CommandError::new(CommandErrorKind::NotFound, text);
    }
    let near = near(name, &names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let text = format!("no service {}{near}\n`list services` shows what is there", brief(name));
    CommandError::new(CommandErrorKind::NotFound, text)
}

/// The registry did not answer.
pub(crate) fn away(registry: &dyn Registry, error: micro::error::Error) -> CommandError {
    let error = fault::plain(error);
    let name = format!("registry {}", registry.name());
    let text = if error.text.starts_with(&name) { error.text } else { format!("{name}: {}", error.text) };
    CommandError { text, ..error }
}

/// The nearest service: one whose last words are what was typed (`greeter`), else a slip of a whole name, else a slip of
/// a last word.
fn near<'a>(typed: &str, names: &'a [String]) -> Option<&'a str> {
    let names = || names.iter().map(String::as_str).filter(|name| !is_pseudo(name));
    let suffix = format!(".{}", typed.to_lowercase());
    let last = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
    names().find(|name| name.to_lowercase().ends_with(&suffix)).or_else(|| nearest(typed, names())).or_else(|| {
        let word = nearest(typed, names().map(last))?;
        names().find(|name| last(name) == word)
    })
}

/// A name as an error repeats it: bounded, without control characters.
pub(crate) fn brief(name: &str) -> String {
    let mut brief: String = name.chars().filter(|letter| !letter.is_control()).take(REPEATED).collect();
    if name.chars().nth(REPEATED).is_some() {
        brief.push('…');
    }
    brief
}

/// The services that may be typed next, while none is.
pub(crate) async fn fields(registry: &dyn Registry, so_far: &Args) -> Vec<Field> {
    if !so_far.rest.trim().is_empty() {
        return Vec::new();
    }
    let names = tokio::time::timeout(COMPLETION, registry.list()).await;
    let mut choices = names.ok().and_then(Result::ok).unwrap_or_default();
    choices.retain(|name| !is_pseudo(name));
    vec![Field { name: "service".to_owned(), kind: FieldKind::Text, choices, required: true }]
}

/// A service that is there, to make an example of: no broker's entry, no command.
pub(crate) async fn any(kit: &Kit) -> Option<String> {
    let names = tokio::time::timeout(COMPLETION, kit.registry.list()).await.ok()?.ok()?;
    names.into_iter().find(|name| !is_pseudo(name) && !is_bot(&kit.namespace, name))
}

/// Whether a name is the bot's own or a command's: the namespace, alone or with a dot and more.
pub(crate) fn is_bot(namespace: &str, name: &str) -> bool {
    name.strip_prefix(namespace).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shelf, args, kit, service as entry};

    async fn told(typed: &str) -> String {
        let shelf = Shelf::with(
            ["go.micro.srv.greeter", "go.micro.srv.weather", "topic:greeter"].map(|name| entry(name, "1", &[])),
        );
        let error = unknown(&*shelf, typed).await;
        format!("{}: {}", error.kind.as_str(), error.text)
    }

    #[tokio::test]
    async fn an_unknown_service_is_answered_with_the_nearest() {
        insta::assert_snapshot!(told("greeter").await, @r"
        not_found: no service greeter; did you mean `go.micro.srv.greeter`?
        `list services` shows what is there
        ");
        insta::assert_snapshot!(told("go.micro.srv.weahter").await, @r"
        not_found: no service go.micro.srv.weahter; did you mean `go.micro.srv.weather`?
        `list services` shows what is there
        ");
        insta::assert_snapshot!(told("Greter").await, @r"
        not_found: no service Greter; did you mean `go.micro.srv.greeter`?
        `list services` shows what is there
        ");
        insta::assert_snapshot!(told("payments").await, @r"
        not_found: no service payments
        `list services` shows what is there
        ");
        insta::assert_snapshot!(
            told("go.micro.srv.greeter").await,
            @"not_found: go.micro.srv.greeter is listed, but no node of it answers the registry"
        );
        insta::assert_snapshot!(told("\u{1b}[2J").await, @r"
        not_found: no service [2J
        `list services` shows what is there
        ");
        assert!(told(&"x".repeat(10_000)).await.len() < 200);
    }

    #[tokio::test]
    async fn a_registry_that_is_away_is_named() {
        let shelf = Shelf::with([]);
        shelf.set_down(true);
        let error = service(&*shelf, "x").await.unwrap_err();
        insta::assert_snapshot!(format!("{}: {}", error.kind.as_str(), error.text), @"unreachable: registry shelf: dial 127.0.0.1:8500: refused");
        assert!(fields(&*shelf, &args(&[], "")).await[0].choices.is_empty());
    }

    #[tokio::test]
    async fn examples_and_completion_pass_over_what_is_no_service() {
        let names = ["consul.io", "go.micro.bot", "go.micro.bot.deploy", "go.micro.botany", "topic:x"];
        let shelf = Shelf::with(names.map(|name| entry(name, "1", &[])));
        assert_eq!(fields(&*shelf, &args(&[], " ")).await[0].choices, &names[..4]);
        assert!(fields(&*shelf, &args(&[], "consul.io ")).await.is_empty());
        let shelf = Shelf::with(names[1..].iter().map(|name| entry(name, "1", &[])));
        assert_eq!(any(&kit(&shelf)).await.as_deref(), Some("go.micro.botany"));
    }
}
