use super::*;
use crate::registry::state::State;
use crate::testing::{self, RegistryTraits, service};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tokio::time::timeout;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn text(names: &[&str]) -> String {
    let services: Vec<Service> = names.iter().map(|name| service(name, "1", &["n1"])).collect();
    serde_json::to_string_pretty(&services).unwrap()
}

#[tokio::test]
async fn it_is_a_registry() {
    let folder = folder();
    let path = folder.path().join("services.json");
    fs::write(&path, "[]").unwrap();
    let traits = RegistryTraits { any_name: true, ..RegistryTraits::default() };
    testing::registry(Arc::new(File::new(&path)), Arc::new(File::new(&path)), traits).await;
}

/// A watch of all names, and what it added up to.
struct Names {
    events: BoxStream<'static, Event>,
    state: State,
}

impl Names {
    fn of(file: &File) -> Self {
        Self { events: file.watch(Scope::Names), state: State::default() }
    }

    async fn next(&mut self) -> Event {
        timeout(Duration::from_secs(20), self.events.next()).await.expect("no event").unwrap()
    }

    async fn until(&mut self, names: &[&str]) {
        while !self.state.names().eq(names.iter().copied()) {
            let event = self.next().await;
            assert!(!matches!(event, Event::Lost(_)), "{event:?}");
            self.state.apply(event);
        }
    }

    async fn lost(&mut self) -> String {
        loop {
            if let Event::Lost(error) = self.next().await {
                return error.to_string();
            }
        }
    }
}

#[tokio::test]
async fn a_change_is_noticed_however_it_is_made() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let path = at("services.json");
    fs::write(at("first"), text(&["a"])).unwrap();
    symlink(at("first"), &path).unwrap();
    let mut names = Names::of(&File::new(&path));
    names.until(&["a"]).await;

    fs::write(&path, text(&["a", "b"])).unwrap();
    names.until(&["a", "b"]).await;

    fs::write(at("next"), text(&["c"])).unwrap();
    fs::rename(at("next"), at("first")).unwrap();
    names.until(&["c"]).await;

    fs::write(at("second"), text(&["d"])).unwrap();
    symlink(at("second"), at("link")).unwrap();
    fs::rename(at("link"), &path).unwrap();
    names.until(&["d"]).await;
}

#[tokio::test]
async fn a_file_that_goes_or_breaks_is_lost_until_it_is_good_again_and_what_it_said_stays() {
    let folder = folder();
    let path = folder.path().join("services.json");
    fs::write(&path, text(&["a"])).unwrap();
    let file = File::new(&path);
    let mut names = Names::of(&file);
    names.until(&["a"]).await;

    fs::write(&path, "[\n {]").unwrap();
    let lost = names.lost().await;
    assert!(lost.ends_with("services.json:2:3: key must be a string; correct the JSON there"), "{lost}");
    let mut late = Names::of(&file);
    late.until(&["a"]).await;
    assert_eq!(late.lost().await, lost, "who comes late hears what was there, and that it is old");

    fs::remove_file(&path).unwrap();
    let lost = names.lost().await;
    assert!(lost.contains("is not there"), "{lost}");

    fs::write(&path, text(&["a", "b"])).unwrap();
    assert!(matches!(names.next().await, Event::Snapshot(all) if all.len() == 2));
}

#[tokio::test]
async fn a_missing_file_is_unreachable_and_a_watch_waits_for_it() {
    let folder = folder();
    let path = folder.path().join("services.json");
    let file = File::new(&path);
    let error = file.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert_eq!(file.list().await.unwrap_err().kind(), ErrorKind::Unreachable);
    let mut names = Names::of(&file);
    names.lost().await;
    fs::write(&path, text(&["a"])).unwrap();
    names.until(&["a"]).await;
}

#[tokio::test]
async fn what_is_no_registry_file_is_told_and_hangs_nobody() {
    let folder = folder();
    let path = folder.path().join("services.json");
    let file = File::new(&path);
    fs::create_dir(&path).unwrap();
    assert_eq!(file.list().await.unwrap_err().kind(), ErrorKind::Invalid);
    fs::remove_dir(&path).unwrap();
    nix::sys::stat::mknod(&path, nix::sys::stat::SFlag::S_IFIFO, nix::sys::stat::Mode::S_IRWXU, 0).unwrap();
    assert_eq!(file.list().await.unwrap_err().kind(), ErrorKind::Invalid);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"[\xff]").unwrap();
    assert_eq!(file.list().await.unwrap_err().kind(), ErrorKind::Malformed);
    fs::File::create(&path).unwrap().set_len((16 << 20) + 1).unwrap();
    assert_eq!(file.list().await.unwrap_err().kind(), ErrorKind::TooLarge);
    fs::write(&path, "\u{feff}[]").unwrap();
    assert_eq!(file.list().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn registering_keeps_the_link_the_mode_and_leaves_nothing_behind() {
    let folder = folder();
    let (path, target) = (folder.path().join("link.json"), folder.path().join("target"));
    fs::write(&target, "[]").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("target", &path).unwrap();
    let file = File::new(&path);
    file.register(&service("a", "1", &["n1"]), None).await.unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(file.get("a").await.unwrap(), [service("a", "1", &["n1"])]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn many_who_register_at_once_lose_nothing() {
    let folder = folder();
    let path = folder.path().join("services.json");
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let file = File::new(&path);
        tasks.spawn(async move { file.register(&service(&format!("s{number:02}"), "1", &["n"]), None).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(File::new(&path).list().await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_registration_that_was_given_up_does_not_end_after_the_deregistration() {
    let folder = folder();
    let path = folder.path().join("services.json");
    let file = File::new(&path);
    let held = nix::fcntl::Flock::lock(fs::File::open(folder.path()).unwrap(), nix::fcntl::FlockArg::LockExclusive);
    let held = held.unwrap();
    let a = service("a", "1", &["n1"]);
    {
        let mut given_up = file.register(&a, None);
        assert!(futures_util::poll!(&mut given_up).is_pending());
    }
    spawn_blocking(|| ()).await.unwrap();
    assert!(file.inner.turn.try_lock().is_err(), "it is still at work");
    let mut gone = file.deregister(&a);
    assert!(futures_util::poll!(&mut gone).is_pending());
    drop(held);
    gone.await.unwrap();
    assert_eq!(file.list().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let folder = folder();
    let path = folder.path().join("services.json");
    symlink(&path, &path).unwrap();
    let error = File::new(&path).register(&service("a", "1", &["n1"]), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
}

#[tokio::test]
async fn a_broken_file_is_not_written_over() {
    let folder = folder();
    let path = folder.path().join("services.json");
    fs::write(&path, "[{").unwrap();
    let error = File::new(&path).register(&service("a", "1", &["n1"]), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[{");
}

#[tokio::test]
async fn the_file_is_looked_at_only_while_anyone_watches() {
    let folder = folder();
    let path = folder.path().join("services.json");
    fs::write(&path, text(&["a"])).unwrap();
    let file = File::new(&path);
    let mut names = Names::of(&file);
    names.until(&["a"]).await;
    drop(names);
    while *file.inner.looking.lock().unwrap() {
        tokio::task::yield_now().await;
    }
    fs::write(&path, text(&["b"])).unwrap();
    let mut names = Names::of(&file);
    assert!(matches!(names.next().await, Event::Snapshot(all) if all[0].name == "b"), "nothing old");
}

#[test]
fn a_file_is_read_when_it_holds_still() {
    let stamp = |size| Stamp::File { device: 1, inode: 1, size, modified: (0, 0), changed: (0, 0) };
    let mut eye = Eye::default();
    assert!(eye.sees(stamp(1)), "at once the first time");
    assert!(eye.sees(stamp(1)), "and once more, for it may have been in the middle");
    assert!(!eye.sees(stamp(1)));
    assert!(!eye.sees(stamp(2)), "just being written");
    assert!(eye.sees(stamp(2)));
    assert!(!eye.sees(Stamp::Missing), "between a delete and a create");
    assert!(!eye.sees(stamp(3)));
    assert!(eye.sees(stamp(3)));
    let restless = (4..10).filter(|size| eye.sees(stamp(*size))).count();
    assert_eq!(restless, 2, "one that never holds still is read all the same");
}

#[test]
fn the_path_is_the_address() {
    let section = Section::default();
    let (file, problems) = open(&section, &["services.json".to_owned()]);
    assert!(file.is_some_and(|file| file.curated() && file.outlives()) && problems.is_empty());
    for addresses in [&[][..], &["a".to_owned(), "b".to_owned()]] {
        let (file, problems) = open(&section, addresses);
        assert!(file.is_none());
        assert_eq!((problems.len(), problems[0].cure.as_str()), (1, "--registry_address services.json"));
    }
}

#[tokio::test]
async fn what_is_nested_without_end_is_read_in_part_or_refused() {
    let folder = folder();
    let deep = |open: &str, close: &str| format!("{}null{}", open.repeat(20_000), close.repeat(20_000));
    let value = deep("{\"values\":[", "]}");
    for (name, text, good) in [
        ("keys.toml", format!("{} = \"h:1\"", vec!["a"; 20_000].join(".")), false),
        ("inline.toml", format!("a = {}", deep("{ b = ", " }")), false),
        ("list.json", deep("[", "]"), false),
        ("schema.json", format!("[{{\"name\":\"a\",\"endpoints\":[{{\"name\":\"b\",\"request\":{value}}}]}}]"), true),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let read = File::new(&path).list().await;
        assert!(if good { read.is_ok() } else { read.is_err_and(|e| e.kind() == ErrorKind::Malformed) }, "{name}");
    }
}
