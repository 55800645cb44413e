//! Finding the master: what the URLs say, what the sentinels say, and what is wrong if none leads to a master.

use std::time::Instant;

use dlock_runtime::Runtime;
use dlock_testkit::{Fault, Proxy, RedisServer, Rule, Sentinels, Value, eventually};

use crate::{LONG, MS, SECOND, SOON, at, build, is_direct, on, refused, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_taken_from_the_master_and_handed_over_directly() {
    let group = Sentinels::shared();
    let [holder, waiter] = [build(group).await, build(group).await];
    let guard = holder.lock("main").acquire().await.expect("free");
    assert!(group.master().raw().exists("sentinel:main"));
    assert!(waiter.lock("main").try_acquire().await.expect("asked").is_none());
    guard.release().await.expect("ours");
    is_direct(&holder, &waiter, "times").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_database_and_name_are_those_of_the_masters_url_and_sentinels_have_their_own() {
    let group = Sentinels::start_with(LONG, &[]);
    for server in &group.servers {
        assert!(server.raw().command(&["ACL", "SETUSER", "app", "on", ">open/sesame", "~*", "&*", "+@all"]).is_ok());
    }
    // SAFETY.md has these rights.
    let safety = include_str!("../../SAFETY.md");
    let start = safety.find("ACL SETUSER locks").expect("SAFETY.md has the block");
    let rights = safety[start..].split("```").next().expect("it ends").split_whitespace().collect::<Vec<_>>();
    assert_eq!(rights[..5], ["ACL", "SETUSER", "locks", "on", ">password"]);
    for sentinel in &group.sentinels {
        let mut raw = sentinel.raw();
        let words = [&["ACL", "SETUSER", "locks", "on", ">sesame-2"], &rights[5..]].concat();
        assert!(raw.command(&words).is_ok(), "{words:?}");
        assert!(raw.command(&["ACL", "SETUSER", "default", "resetpass", ">admin"]).is_ok());
    }
    let urls =
        group.urls().into_iter().map(|url| url.replace("redis://", "redis://locks:sesame-2@")).collect::<Vec<_>>();
    let master = "redis://app:open%2Fsesame@mymaster/5";
    let builder = at(master, urls.clone()).client_name("checkout");
    assert!(!format!("{builder:?}").contains("sesame"), "{builder:?}");
    let runtime = builder.build().await.expect("a runtime");
    let guard = runtime.lock("user").acquire().await.expect("free");
    let mut raw = group.servers[0].raw();
    let ours = raw.clients().into_iter().filter(|client| client["user"] == "app").collect::<Vec<_>>();
    assert!(ours.iter().any(|client| client["name"] == "checkout" && client["db"] == "5"), "{ours:?}");
    assert!(raw.command(&["SELECT", "5"]).is_ok() && raw.exists("sentinel:user"));
    guard.release().await.expect("held");
    for sentinel in &group.sentinels {
        let mut raw = sentinel.raw();
        assert!(raw.command(&["AUTH", "admin"]).is_ok());
        eventually("each is listened to", SOON, || {
            raw.clients().iter().any(|client| client["user"] == "locks" && client["sub"] == "2")
        });
        assert_eq!(raw.command(&["ACL", "LOG"]), Value::List(vec![]), "the rights of SAFETY.md are enough");
    }

    let said = refused(at(master, group.urls())).await;
    assert!(said.contains("the sentinel at 127.0.0.1:") && said.contains("its own URL"), "{said}");
    let said = refused(at("redis://app:sesame-wrong@mymaster", urls)).await;
    assert!(said.contains(&format!("127.0.0.1:{} (master `mymaster`)", group.servers[0].port())), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leads_to_no_master_is_named() {
    let group = Sentinels::shared();
    let said = refused(at("yourmaster", group.urls())).await;
    assert!(said.contains("the sentinels know no master `yourmaster`, but `mymaster`"), "{said}");
    let said = refused(at("mymaster", vec![group.servers[0].url()])).await;
    assert!(said.contains(&format!("127.0.0.1:{} is no sentinel", group.servers[0].port())), "{said}");
    let said = refused(at("mymaster", Vec::new())).await;
    assert!(said.contains("no sentinel is named"), "{said}");
    let said = refused(at("redis://:sesame@127.0.0.1:6379/", group.urls())).await;
    assert!(said.contains("without a port"), "{said}");
    let said = refused(at("redis://:ses/ame@mymaster/", group.urls())).await;
    assert!(said.contains("percent-encoded"), "{said}");
    let said = refused(at("mymaster", vec![group.urls()[0].clone() + "3"])).await;
    assert!(said.contains("no database"), "{said}");
    let said = refused(on(group).redis(group.servers[0].url())).await;
    assert!(said.contains("more than one of `redis`, `redis_client` and `sentinel`"), "{said}");
    let said = refused(on(group).embedded()).await;
    assert!(said.contains("choose one"), "{said}");
    let said = refused(Runtime::builder().redis(group.urls()[0].clone())).await;
    assert!(said.contains("this is a sentinel; say `.sentinel("), "{said}");

    // Nobody is there, which may pass.
    let nowhere = vec!["redis://127.0.0.1:1".to_owned(), "redis://:sesame@[::1]:1".to_owned()];
    let error = at("mymaster", nowhere).wait(100 * MS).build().await.expect_err("nobody is there");
    assert!(error.is_unavailable(), "{error:?}");
    let said = text(&error);
    assert!(said.contains("no sentinel says where the master `mymaster` is: 127.0.0.1:1: "), "{said}");
    assert!(said.contains(", [::1]:1: "), "{said}");
    // The negative control: it was the names.
    at("mymaster", group.urls()).build().await.expect("these are right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_are_down_or_do_not_answer_are_done_without() {
    let mut group = Sentinels::start_with(LONG, &[]);
    let before = build(&group).await;
    group.sentinels[0].kill();
    let began = Instant::now();
    group.sentinels[1].pause();
    let runtime = build(&group).await;
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    runtime.lock("one").acquire().await.expect("free").release().await.expect("ours");
    // A name that none knows is told from sentinels of which none answers.
    let said = refused(at("yourmaster", group.urls())).await;
    assert!(said.contains("know no master `yourmaster`"), "{said}");
    group.sentinels[2].kill();
    let error = on(&group).wait(300 * MS).build().await.expect_err("nobody says where the master is");
    assert!(error.is_unavailable(), "{error:?}");
    // Who is connected needs no sentinel.
    is_direct(&before, &runtime, "times").await;
    let lazy = on(&group).connect_lazily().build().await.expect("it asks nobody");
    let error = lazy.lock("lazy").wait(300 * MS).acquire().await.expect_err("nobody says where the master is");
    assert!(error.is_unavailable() && text(&error).contains("`mymaster`"), "{}", text(&error));
    group.sentinels[1].resume();
    lazy.lock("lazy").acquire().await.expect("free").release().await.expect("ours");
    build(&group).await.lock("again").acquire().await.expect("free").release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_named_too_early_is_asked_for_its_role_and_nothing_else() {
    let master = RedisServer::start();
    let replica = RedisServer::start_replica_of(&master);
    let sentinel = RedisServer::start_sentinel(&format!("sentinel monitor mymaster 127.0.0.1 {} 1\n", master.port()));
    let proxy = Proxy::start(&sentinel);
    let named = format!("*2\r\n$9\r\n127.0.0.1\r\n$5\r\n{}\r\n", replica.port());
    proxy.add(Rule::new(Fault::Answer(named)).matching("GET-MASTER-ADDR-BY-NAME"));
    let mut raw = replica.raw();
    assert!(raw.command(&["CONFIG", "RESETSTAT"]).is_ok());
    let builder = at("mymaster", vec![proxy.url()]);
    let error = builder.clone().wait(300 * MS).build().await.expect_err("it is no master yet");
    assert!(error.is_unavailable(), "{error:?}");
    let said =
        format!("127.0.0.1:{} (master `mymaster`): the sentinels name it, but its role is slave", replica.port());
    assert!(text(&error).contains(&said), "{}", text(&error));
    let stats = raw.command_stats();
    assert!(stats["role"] > 0 && !stats.contains_key("eval") && !stats.contains_key("evalsha"), "{stats:?}");

    let building = tokio::spawn(builder.build());
    replica.promote();
    let runtime = building.await.expect("no panic").expect("it is the master now");
    runtime.lock("k").acquire().await.expect("free").release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_names_and_ipv6_addresses_are_followed_as_they_are_announced() {
    let server = RedisServer::start_with(&["--bind", "127.0.0.1", "::1"]);
    let name = "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n";
    for (host, shown, lines) in [("localhost", "localhost", name), ("::1", "[::1]", "")] {
        let monitor = format!("{lines}sentinel monitor mymaster {host} {} 1\n", server.port());
        let sentinel = RedisServer::start_sentinel(&monitor);
        let runtime = at("mymaster", vec![sentinel.url()]).build().await.expect("a runtime");
        runtime.lock("k").acquire().await.expect("free").release().await.expect("ours");
        let said = refused(at("redis://nobody:sesame@mymaster/2", vec![sentinel.url()])).await;
        let shown = format!("{shown}:{}, database 2 (master `mymaster`)", server.port());
        assert!(said.contains(&shown), "{said}");
    }
}
