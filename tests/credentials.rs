//! Credentials that change: a provider is asked each time a connection is made, live connections authenticate anew before their
//! credentials end, and no lock is lost by any of it.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    error::Error,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use dlock_runtime::{Builder, Credentials, Guard, LockError, Runtime};
use dlock_testkit::{Raw, RedisServer, Value, eventually, eventually_async, log, with_turns};

const TTL: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(20);

/// What the provider gives at the moment. Clones are the same.
#[derive(Clone)]
struct Vault(Arc<Mutex<Credentials>>);

impl Vault {
    fn new(credentials: Credentials) -> Self {
        Self(Arc::new(Mutex::new(credentials)))
    }

    fn put(&self, credentials: Credentials) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = credentials;
    }

    fn get(&self) -> Credentials {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn of(&self, builder: Builder) -> Builder {
        let vault = self.clone();
        builder.credentials(move || {
            let credentials = vault.get();
            async move { Ok::<_, Infallible>(credentials) }
        })
    }
}

fn on(server: &RedisServer) -> Builder {
    Runtime::builder().turns(with_turns()).redis(server.url()).namespace("credentials").ttl(TTL).wait(SOON)
}

fn let_in(raw: &mut Raw, user: &str, password: &str) {
    let words = ["ACL", "SETUSER", user, "reset", "on", &format!(">{password}"), "~*", "&*", "+@all"];
    assert!(raw.command(&words).is_ok());
}

fn kill(raw: &mut Raw, user: &str) -> i64 {
    raw.command(&["CLIENT", "KILL", "USER", user]).int().expect("a count")
}

/// The ids of the connections of `user`: of those that take commands, and of those that listen.
fn connections(raw: &mut Raw, user: &str) -> (Vec<String>, Vec<String>) {
    let (mut commands, mut messages) = (Vec::new(), Vec::new());
    for client in raw.clients().into_iter().filter(|client| client["user"] == user) {
        let kind = if client["sub"] == "0" { &mut commands } else { &mut messages };
        kind.push(client["id"].clone());
    }
    (commands, messages)
}

/// Takes a lock in a tokio runtime of its own, which lives until the sender is gone.
fn elsewhere(runtime: &Runtime, key: &'static str) -> (Guard, tokio::sync::oneshot::Sender<()>) {
    let (runtime, (end, ended)) = (runtime.clone(), tokio::sync::oneshot::channel::<()>());
    let (sender, taken) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
        tokio.block_on(async move {
            sender.send(runtime.lock(key).acquire().await).expect("somebody waits");
            _ = ended.await;
        });
    });
    (taken.recv_timeout(SOON).expect("it is taken in time").expect("free"), end)
}

/// All that an error says, its sources included.
fn words(error: &LockError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error:?} {error}");
        source = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_rotated_is_asked_for_anew_and_no_lock_is_lost() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let_in(&mut raw, "app", "first");
    let vault = Vault::new(Credentials::new("app", "first"));
    let runtime = vault.of(on(&server)).build().await.expect("a runtime");
    let other = vault.of(on(&server)).build().await.expect("a runtime");
    let guard = runtime.lock("held").acquire().await.expect("free");
    let (second, _tokio) = elsewhere(&runtime, "elsewhere");
    let waiting = tokio::spawn(other.lock("held").acquire());
    eventually_async("somebody waits", SOON, async || {
        runtime.inspect("held").await.expect("an answer").is_some_and(|holder| holder.waiters() == 1)
    })
    .await;

    for password in ["second", "third"] {
        let_in(&mut raw, "app", password);
        vault.put(Credentials::new("app", password));
        eventually("two that listen, and three that take commands", SOON, || {
            let (commands, messages) = connections(&mut raw, "app");
            commands.len() >= 3 && messages.len() == 2
        });
        assert!(kill(&mut raw, "app") > 0);
        // Both are renewed by the keeper several times.
        tokio::time::sleep(TTL * 2).await;
        assert!(guard.is_held() && second.is_held(), "{password}");
        second.renew().await.expect("held");
        assert!(!connections(&mut raw, "app").1.is_empty(), "somebody listens again");
    }
    guard.release().await.expect("held throughout");
    waiting.await.expect("no panic").expect("handed over").release().await.expect("held");
    second.release().await.expect("held throughout");

    // The control: a provider that does not know of it.
    let_in(&mut raw, "app", "fourth");
    kill(&mut raw, "app");
    let refused = runtime.lock("free").wait(Duration::from_millis(300)).acquire().await.expect_err("refused");
    assert!(refused.is_unavailable(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_connections_authenticate_anew_before_their_credentials_end() {
    log::listen();
    let server = RedisServer::start();
    let mut raw = server.raw();
    let_in(&mut raw, "early", "one");
    let_in(&mut raw, "late", "two");
    let vault = Vault::new(Credentials::new("early", "one").valid_for(Duration::from_secs(4)));
    let runtime = vault.of(on(&server)).build().await.expect("a runtime");
    let guard = runtime.lock("held").acquire().await.expect("free");
    let (second, _tokio) = elsewhere(&runtime, "elsewhere");
    guard.renew().await.expect("held");
    eventually("the keeper is there too", SOON, || connections(&mut raw, "early").0.len() >= 3);
    let (commands, messages) = connections(&mut raw, "early");
    assert_eq!(messages.len(), 1);

    vault.put(Credentials::new("late", "two"));
    eventually("all authenticated anew", SOON, || connections(&mut raw, "early") == (vec![], vec![]));
    // These are the same connections. The one that listens cannot authenticate, so another one took its place.
    let (now, listening) = connections(&mut raw, "late");
    assert!(commands.iter().all(|id| now.contains(id)), "{commands:?} {now:?}");
    assert_eq!(listening.len(), 1);
    assert_ne!(listening, messages);
    assert_eq!(kill(&mut raw, "early"), 0);
    assert!(guard.is_held() && second.is_held());
    guard.release().await.expect("held throughout");
    second.release().await.expect("held throughout");
    assert_eq!(log::warnings(&server.port().to_string()), Vec::<String>::new(), "none of it was trouble");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_connection_that_listens_takes_the_place_of_another_somebody_listens_at_any_time() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let_in(&mut raw, "app", "short");
    let vault = Vault::new(Credentials::new("app", "short").valid_for(Duration::from_secs(1)));
    let runtime = vault.of(on(&server)).build().await.expect("a runtime");
    let channels = raw.command(&["PUBSUB", "CHANNELS", "dlock:*"]);
    let Value::List(channels) = channels else { panic!("a list: {channels:?}") };
    let names = channels.iter().filter_map(Value::text);
    let channel = names.min_by_key(|name| name.len()).expect("that of the runtime").to_owned();
    let mut seen = BTreeSet::new();
    eventually("some have taken the place of others", SOON, || {
        for _ in 0..100 {
            let Value::List(count) = raw.command(&["PUBSUB", "NUMSUB", &channel]) else { panic!("a list") };
            assert!(count[1].int() >= Some(1), "nobody listens: {count:?}");
        }
        seen.extend(connections(&mut raw, "app").1);
        seen.len() >= 4
    });
    assert!(runtime.shutdown(SOON).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_may_not_authenticate_anew_is_used_on_and_nothing_secret_is_said() {
    log::listen();
    let server = RedisServer::start();
    let mut raw = server.raw();
    let_in(&mut raw, "app", "open-sesame");
    let vault = Vault::new(Credentials::new("app", "open-sesame").valid_for(Duration::from_secs(1)));
    let runtime = vault.of(on(&server)).build().await.expect("a runtime");
    let guard = runtime.lock("held").acquire().await.expect("free");
    // A connection that is made later than this is not let in at all.
    eventually("the keeper is there too", SOON, || {
        let (commands, messages) = connections(&mut raw, "app");
        commands.len() >= 2 && !messages.is_empty()
    });
    vault.put(Credentials::new("app", "shut-sesame").valid_for(Duration::from_secs(1)));
    let place = format!("127.0.0.1:{}", server.port());
    let warned = || log::warnings("authenticate anew").into_iter().any(|line| line.contains(&place));
    eventually("a warning", SOON, warned);
    tokio::time::sleep(TTL).await;
    guard.renew().await.expect("the server keeps what it let in");
    assert_eq!(log::said("sesame"), vec![]);

    vault.put(Credentials::new("app", "open-sesame"));
    guard.release().await.expect("held throughout");
    vault.put(Credentials::new("app", "shut-sesame"));
    let refused = vault.of(on(&server)).build().await.expect_err("a wrong password");
    assert!(matches!(refused, LockError::Config { .. }) && !words(&refused).contains("sesame"), "{refused:?}");
    assert_eq!(log::said("sesame"), vec![]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_of_a_slow_provider_is_for_the_next_attempt() {
    let server = RedisServer::start();
    let_in(&mut server.raw(), "app", "slow");
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let builder = on(&server).command_timeout(Duration::from_millis(200)).connect_lazily().credentials(move || {
        count.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::time::sleep(Duration::from_millis(900)).await;
            Ok::<_, Infallible>(Credentials::new("app", "slow"))
        }
    });
    let runtime = builder.build().await.expect("it is not asked");
    // No attempt is as long as the provider takes.
    let guard = runtime.lock("slow").acquire().await.expect("within the time to wait");
    guard.release().await.expect("held");
    // Once here, and by the keeper for its commands and for messages, the second of which may still be under way.
    assert!(asked.load(Ordering::Relaxed) <= 4, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_does_not_answer_is_asked_again_in_the_end() {
    let server = RedisServer::start();
    let_in(&mut server.raw(), "app", "found");
    let asked = AtomicU32::new(0);
    let builder = on(&server).connect_lazily().wait(SOON * 2).credentials(move || {
        let is_lost = asked.fetch_add(1, Ordering::Relaxed) < 2;
        async move {
            if is_lost {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Credentials::new("app", "found"))
        }
    });
    let runtime = builder.build().await.expect("it is not asked");
    runtime.lock("lost").acquire().await.expect("within the time to wait").release().await.expect("held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_or_panics_is_an_outage_and_its_error_the_source() {
    let server = RedisServer::start();
    let builder = || on(&server).wait(Duration::from_millis(100));
    let failing = builder().credentials(|| async { Err::<Credentials, _>("the vault is sealed") });
    let panicking = builder()
        .credentials(|| -> std::future::Ready<Result<Credentials, Infallible>> { panic!("the vault is on fire") });
    for (builder, why) in [(failing, "the vault is sealed"), (panicking, "the vault is on fire")] {
        let error = builder.build().await.expect_err("there are no credentials");
        assert!(error.is_unavailable() && words(&error).contains(why), "{error:?}");
    }
}

#[tokio::test]
async fn a_provider_takes_the_place_of_what_the_url_says() {
    let server = RedisServer::start_with(&["--requirepass", "open-sesame"]);
    let url = server.url().replace("redis://", "redis://nobody:nothing@");
    for user in ["", "default"] {
        let builder = Vault::new(Credentials::new(user, "open-sesame")).of(on(&server).redis(&*url));
        assert!(!format!("{builder:?}").contains("nothing"), "{builder:?}");
        let runtime = builder.build().await.expect("let in");
        runtime.lock("url").acquire().await.expect("free").release().await.expect("held");
    }
}
