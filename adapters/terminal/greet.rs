//! What the terminal says first: three lines worth typing, made of what is there.

use super::Us;
use super::blocks::tame;
use bot::adapter::Inbox;
use bot::message::Args;
use std::time::Duration;

/// How long the greeting may look for services.
const PATIENCE: Duration = Duration::from_millis(300);

/// Services that are looked at.
const TRIED: usize = 8;

/// The greeting, with a newline at its end.
pub(crate) async fn greeting(inbox: &Inbox, us: &Us) -> String {
    let found = tokio::time::timeout(PATIENCE, find(inbox, us)).await.ok().flatten();
    text(found.as_ref())
}

/// Something that can be called.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    service: String,
    endpoint: String,
    /// Whether it takes a name.
    named: bool,
}

fn text(found: Option<&Found>) -> String {
    let lines = match found {
        Some(Found { service, endpoint, named }) => {
            let name = if *named { " name=John" } else { "" };
            [format!("health {service}"), format!("call {service} {endpoint}{name}")]
        }
        None => ["help".to_owned(), "help call".to_owned()],
    };
    let [second, third] = lines.map(|line| tame(&line));
    format!(
        "Three lines worth typing:\n  list services\n  {second}\n  {third}\n\
         Tab completes, Ctrl-C stops what runs, Ctrl-D leaves; help lists the rest.\n"
    )
}

/// A service that is no command and has an endpoint of its own; rather one that takes a name, since that line does
/// something that people see.
async fn find(inbox: &Inbox, us: &Us) -> Option<Found> {
    let catalogue = inbox.catalogue().borrow().clone();
    let is_command = |service: &str| {
        let word = service.rsplit('.').next().unwrap_or(service);
        catalogue.iter().any(|spec| spec.name.eq_ignore_ascii_case(word) || spec.name.eq_ignore_ascii_case(service))
    };
    let services = words(inbox, us, "health", "").await;
    let mut first = None;
    for service in services.into_iter().filter(|service| is_plain(service) && !is_command(service)).take(TRIED) {
        let endpoints = words(inbox, us, "call", &service).await;
        if let Some(endpoint) = endpoints.into_iter().find(|name| is_plain(name) && !name.starts_with("Debug.")) {
            let fields = words(inbox, us, "call", &format!("{service} {endpoint}")).await;
            let found = Found { service, endpoint, named: fields.iter().any(|field| field == "name=") };
            if found.named {
                return Some(found);
            }
            first.get_or_insert(found);
        }
    }
    first
}

/// Whether a word can be typed as it is.
fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && word.chars().all(|one| one.is_alphanumeric() || ".-_/:@".contains(one))
}

/// The words that may come next in a line.
pub(crate) async fn words(inbox: &Inbox, us: &Us, command: &str, rest: &str) -> Vec<String> {
    let so_far = Args { rest: rest.to_owned(), ..Args::default() };
    let fields = inbox.fields(command, &so_far, &us.sender(), &us.address()).await;
    fields.into_iter().flat_map(|field| field.choices).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    async fn greeted(choices: Vec<(&'static str, &'static str, Vec<&'static str>)>) -> String {
        let (fake, _heard, inbox) = Fake::new(1);
        *fake.choices.lock().unwrap() = choices;
        greeting(&inbox, &Us { name: "terminal".into(), user: "ann".into() }).await
    }

    #[tokio::test]
    async fn the_lines_are_made_of_what_is_there() {
        let there = vec![
            ("health", "", vec!["go.micro.bot", "go.micro.bot.demo", "has blank", "go.micro.srv.greeter"]),
            ("call", "go.micro.bot", vec!["Debug.Health"]),
            ("call", "go.micro.bot.demo", vec!["Command.Exec"]),
            ("call", "go.micro.bot.demo Command.Exec", vec!["args="]),
            ("call", "go.micro.srv.greeter", vec!["Say.Hello"]),
            ("call", "go.micro.srv.greeter Say.Hello", vec!["name=", "--timeout"]),
        ];
        insta::assert_snapshot!(greeted(there).await, @r"
        Three lines worth typing:
          list services
          health go.micro.srv.greeter
          call go.micro.srv.greeter Say.Hello name=John
        Tab completes, Ctrl-C stops what runs, Ctrl-D leaves; help lists the rest.
        ");
    }

    #[tokio::test]
    async fn where_nothing_is_there_the_lines_still_are_worth_typing() {
        insta::assert_snapshot!(greeted(Vec::new()).await, @r"
        Three lines worth typing:
          list services
          help
          help call
        Tab completes, Ctrl-C stops what runs, Ctrl-D leaves; help lists the rest.
        ");
    }
}
