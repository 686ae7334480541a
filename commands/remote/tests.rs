//! The words as they come and go, on a registry that does what it is told and services that answer as they please.

use super::wire::{ExecRequest, ExecResponse};
use super::*;
use crate::testing::{Shelf, kit, run, service, text};
use micro::error::Status;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// How a service answers `Help`.
#[derive(Clone)]
enum Manner {
    Says(&'static str, &'static str),
    SaysInJson(&'static str),
    Deaf,
    Refuses,
}

/// The services by name, and how often each was asked for help.
#[derive(Default)]
struct Services {
    manners: Mutex<BTreeMap<String, Manner>>,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Services {
    fn set(&self, name: &str, manner: Manner) {
        self.manners.lock().unwrap().insert(name.to_owned(), manner);
    }

    fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    fn answer(&self, request: &Request) -> Option<Result<Bytes, Error>> {
        let manner = self.manners.lock().unwrap().get(&request.service).cloned().unwrap_or(Manner::Says("", ""));
        let form = if request.content_type == JSON { Form::Json } else { Form::Protobuf };
        let plain = || Err(Error::service(Status { detail: "not a proto.Message".to_owned(), ..Status::default() }));
        if request.endpoint != HELP {
            let args = form.decode::<ExecRequest>(&request.body)?.args;
            let response = ExecResponse { result: args.join("|").into_bytes(), error: String::new() };
            return Some(Ok(form.encode(&response).into()));
        }
        *self.asked.lock().unwrap().entry(request.service.clone()).or_default() += 1;
        let said = |usage: &str, description: &str| {
            let response = HelpResponse { usage: usage.to_owned(), description: description.to_owned() };
            Some(Ok(form.encode(&response).into()))
        };
        match manner {
            Manner::Says(usage, description) => said(usage, description),
            Manner::SaysInJson(usage) if form == Form::Json => said(usage, "in JSON"),
            Manner::SaysInJson(_) => Some(plain()),
            Manner::Deaf => None,
            Manner::Refuses => Some(Err(Error::new(ErrorKind::Refused, "refused"))),
        }
    }
}

/// A watcher at work.
struct Scene {
    shelf: Arc<Shelf>,
    services: Arc<Services>,
    words: watch::Receiver<Arc<Vec<Word>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Scene {
    fn new(shelf: Arc<Shelf>) -> Self {
        Self::with(shelf, Arc::default())
    }

    fn with(shelf: Arc<Shelf>, services: Arc<Services>) -> Self {
        let answering = services.clone();
        let call: Call = Arc::new(move |request, _| {
            let answer = answering.answer(&request);
            async move {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            }
            .boxed()
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let words = start(&kit(&shelf), call, &tasks, stop.clone());
        Self { shelf, services, words, stop, tasks }
    }

    /// Waits until the words look like this: `usage - summary` of each.
    async fn becomes(&mut self, lines: &[&str]) {
        let wait = self.words.wait_for(|words| shown(words) == lines);
        if timeout(Duration::from_secs(600), wait).await.is_err() {
            assert_eq!(shown(&self.words.borrow()), lines);
        }
    }

    fn word(&self, word: &str) -> Word {
        self.words.borrow().iter().find(|known| &*known.word == word).cloned().unwrap()
    }
}

fn shown(words: &[Word]) -> Vec<String> {
    let line = |word: &Word| format!("{} - {}", word.command.spec().usage, word.command.spec().summary);
    words.iter().map(line).collect()
}

fn command(word: &str) -> Service {
    service(&format!("go.micro.bot.{word}"), "1", &["10.0.0.1:80"])
}

#[tokio::test(start_paused = true)]
async fn a_word_appears_with_its_first_node_and_vanishes_with_its_last() {
    for shelf in [Shelf::with([]), Shelf::telling([])] {
        let mut scene = Scene::new(shelf);
        scene.services.set("go.micro.bot.Deploy", Manner::Says("deploy [app]", "Deploys\n an app"));
        scene.shelf.put(&service("go.micro.bot.Deploy", "1", &["10.0.0.1:80", "10.0.0.2:80"]));
        scene.becomes(&["deploy [app] - Deploys an app"]).await;
        assert_eq!(text(&run(&*scene.word("Deploy").command, "a  'b c'").await.unwrap()), "Deploy|a|b c");
        scene.shelf.take("go.micro.bot.Deploy", "go.micro.bot.Deploy-1");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.words.borrow().len(), 1, "one node is left");
        scene.shelf.take("go.micro.bot.Deploy", "go.micro.bot.Deploy-2");
        scene.becomes(&[]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_can_be_typed_below_the_namespace_is_a_word() {
    let names =
        ["go.micro.bot", "go.micro.botany", "go.micro.bot.", "go.micro.bot.a b", "go.micro.bot.x\u{7}", "other"];
    let mut scene = Scene::new(Shelf::with(names.map(|name| service(name, "1", &["10.0.0.1:80"]))));
    scene.shelf.put(&command("a.b"));
    scene.becomes(&["a.b - no description"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_word_is_usable_before_its_help_answers_and_help_is_asked_again() {
    let mut scene = Scene::new(Shelf::with([]));
    scene.services.set("go.micro.bot.slow", Manner::Deaf);
    scene.shelf.put(&command("slow"));
    let begun = Instant::now();
    scene.becomes(&["slow - "]).await;
    assert!(begun.elapsed() < Duration::from_millis(100));
    assert_eq!(text(&run(&*scene.word("slow").command, "x").await.unwrap()), "slow|x");
    scene.services.set("go.micro.bot.slow", Manner::Refuses);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!((5..20).contains(&scene.services.asked("go.micro.bot.slow")), "it is asked ever less often");
    scene.services.set("go.micro.bot.slow", Manner::Says("slow [x]", "probe"));
    scene.becomes(&["slow [x] - probe"]).await;
}

#[tokio::test(start_paused = true)]
async fn deaf_services_hold_up_nobody_elses_appearance() {
    let shelf = Shelf::with((0..100).map(|at| command(&format!("deaf{at:02}"))));
    let services = Arc::new(Services::default());
    for at in 0..100 {
        services.set(&format!("go.micro.bot.deaf{at:02}"), Manner::Deaf);
    }
    let mut scene = Scene::with(shelf, services);
    let begun = Instant::now();
    scene.words.wait_for(|words| words.len() == 100).await.unwrap();
    scene.shelf.put(&command("quick"));
    scene.words.wait_for(|words| words.len() == 101).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn help_is_asked_once_however_often_a_registry_repeats_itself() {
    let mut scene = Scene::new(Shelf::telling([]));
    scene.services.set("go.micro.bot.a", Manner::Says("a", "one"));
    scene.shelf.put(&command("a"));
    scene.becomes(&["a - one"]).await;
    for _ in 0..10 {
        scene.shelf.put(&command("a"));
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(scene.services.asked("go.micro.bot.a"), 1);
    scene.services.set("go.micro.bot.a", Manner::Says("a", "two"));
    scene.shelf.put(&service("go.micro.bot.a", "2", &["10.0.0.2:80"]));
    scene.becomes(&["a - two"]).await;
}

#[tokio::test(start_paused = true)]
async fn words_outlive_an_outage_of_the_registry_and_what_changed_meanwhile_is_seen() {
    let mut scene = Scene::new(Shelf::with([command("a"), command("b")]));
    scene.becomes(&["a - no description", "b - no description"]).await;
    scene.shelf.set_down(true);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(scene.words.borrow().len(), 2);
    scene.shelf.take("go.micro.bot.a", "go.micro.bot.a-1");
    scene.shelf.put(&command("c"));
    scene.shelf.set_down(false);
    scene.becomes(&["b - no description", "c - no description"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_keeps_its_entry_without_nodes_is_no_word() {
    let mut scene = Scene::new(Shelf::with([service("go.micro.bot.ill", "1", &[]), command("well")]));
    scene.becomes(&["well - no description"]).await;
    // The watch of names says nothing of either change.
    scene.shelf.put(&service("go.micro.bot.ill", "1", &["10.0.0.1:80"]));
    scene.becomes(&["ill - no description", "well - no description"]).await;
    scene.shelf.put(&service("go.micro.bot.well", "1", &[]));
    scene.becomes(&["ill - no description"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_of_plain_structs_is_spoken_to_in_json() {
    let mut scene = Scene::new(Shelf::with([command("plain")]));
    scene.services.set("go.micro.bot.plain", Manner::SaysInJson("plain [x]"));
    scene.becomes(&["plain [x] - in JSON"]).await;
    assert_eq!(text(&run(&*scene.word("plain").command, "x").await.unwrap()), "plain|x");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_words_cost_one_watch_and_a_look_each_when_they_appear() {
    let mut scene = Scene::new(Shelf::with((0..1000).map(|at| command(&format!("w{at:04}")))));
    let begun = Instant::now();
    scene.words.wait_for(|words| words.len() == 1000).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!((scene.shelf.watchers(), scene.shelf.gets()), (1, 1000));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(scene.shelf.gets(), 1000 + 10 * 32, "a round looks at a few of them");
    scene.stop.cancel();
    scene.tasks.close();
    scene.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_tells_nodes_is_not_asked() {
    let mut scene = Scene::new(Shelf::telling((0..1000).map(|at| command(&format!("w{at:04}")))));
    scene.words.wait_for(|words| words.iter().all(|word| !word.command.spec().summary.is_empty())).await.unwrap();
    scene.shelf.take("go.micro.bot.w0000", "go.micro.bot.w0000-1");
    scene.words.wait_for(|words| words.len() == 999).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((scene.words.borrow().len(), scene.shelf.gets()), (999, 0));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_goes_leaves_the_word_to_the_other() {
    let mut scene = Scene::new(Shelf::telling([command("a"), service("go.micro.bot.a", "2", &["10.0.0.9:80"])]));
    scene.becomes(&["a - no description"]).await;
    let one = |version: &str| Service { version: version.to_owned(), ..Service::named("go.micro.bot.a") };
    scene.shelf.say(&Event::Gone(one("1")));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.words.borrow().len(), 1);
    scene.shelf.say(&Event::Gone(one("2")));
    scene.becomes(&[]).await;
}
