//! What can be wrong with the set-up of a cluster, and what is said of it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use dlock_runtime::{Credentials, Runtime};
use dlock_testkit::{Cluster, Fault, Proxy, Raw, RedisServer, Rule, Sentinels, eventually, eventually_async, log};

use crate::{LONG, MS, SECOND, SOON, at, build, is_direct, on, refused, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_said_by_name() {
    let (cluster, single) = (Cluster::shared(), RedisServer::shared());
    let url = cluster.nodes[0].url();
    let at = |urls: &[&str]| Runtime::builder().cluster(urls.iter().copied()).failover_guard(false);
    let none: [&str; 0] = [];
    assert!(refused(Runtime::builder().cluster(none)).await.contains("no node of the cluster is named"));
    assert!(refused(at(&[&format!("{url}3")])).await.contains("no databases but 0"));
    assert!(refused(at(&[&url, "redis://u:sesame@n2"])).await.contains("same scheme, user and password"));
    assert!(refused(at(&[&url]).redis(&url)).await.contains("choose one"));
    assert!(refused(at(&[&url]).embedded()).await.contains("choose one"));
    let alone = refused(at(&[&single.url()])).await;
    assert!(alone.contains(&format!("127.0.0.1:{} is no node of a cluster", single.port())), "{alone}");
    assert!(alone.contains(".redis(..)"), "{alone}");
    let sentinel = &Sentinels::shared().sentinels[0];
    assert!(refused(at(&[&sentinel.url()])).await.contains("is no node of a cluster"));
    let node = refused(Runtime::builder().redis(&url)).await;
    assert!(node.contains("this is a node of a cluster") && node.contains(".cluster([..])"), "{node}");
    if cfg!(not(feature = "tls")) {
        assert!(refused(at(&["rediss://n1"])).await.contains("feature `tls`"));
    }
    let down = at(&["redis://127.0.0.1:1", "redis://127.0.0.1:2"]).wait(300 * MS).build().await.expect_err("nobody");
    assert!(down.is_unavailable(), "{down:?}");
    assert!(text(&down).contains("127.0.0.1:1: ") && text(&down).contains("127.0.0.1:2: "), "{}", text(&down));
}

/// A node that has not been told of its cluster yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_slots_is_unavailable() {
    let cluster = Cluster::start_empty();
    let builder = on(&cluster).wait(300 * MS);
    let error = builder.build().await.expect_err("nobody has a slot");
    assert!(error.is_unavailable() && text(&error).contains("no server of this cluster has slots"), "{}", text(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_that_answers_is_enough() {
    let cluster = Cluster::shared();
    let urls = ["redis://127.0.0.1:1".to_owned(), cluster.nodes[1].url()];
    let builder = Runtime::builder().cluster(urls).failover_guard(false).namespace("cluster").ttl(LONG).wait(LONG);
    let [holder, waiter] = [builder.clone().build().await.expect("built"), builder.build().await.expect("built")];
    for master in cluster.masters() {
        let key = crate::key_at(cluster, master, "seeds");
        is_direct(&holder, &waiter, &key).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_for_all_nodes() {
    let cluster = Cluster::start(3, 0);
    for node in &cluster.nodes {
        let mut raw = node.raw();
        assert!(raw.command(&["ACL", "SETUSER", "shop", "on", ">sesame", "+@all", "~*", "&*"]).is_ok());
        assert!(raw.command(&["ACL", "SETUSER", "default", "off"]).is_ok());
    }
    let url = cluster.nodes[2].url().replace("redis://", "redis://shop:sesame@");
    let builder =
        || Runtime::builder().cluster([&*url]).failover_guard(false).namespace("cluster").ttl(LONG).wait(LONG);
    let [holder, waiter] = [builder().build().await.expect("built"), builder().build().await.expect("built")];
    for number in 0..12 {
        let guard = holder.lock(number.to_string()).acquire().await.expect("free");
        guard.release().await.expect("ours");
    }
    is_direct(&holder, &waiter, "k").await;
    let wrong = Runtime::builder().cluster([&*url.replace("sesame@", "wrong@")]);
    assert!(refused(wrong).await.contains("refuses this client"));
}

/// A runtime that connects lazily is there before its cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_may_start_before_its_cluster() {
    log::listen();
    let mut cluster = Cluster::start(3, 0);
    cluster.nodes.iter_mut().for_each(RedisServer::kill);
    let runtime = on(&cluster).connect_lazily().build().await.expect("nothing is asked");
    let error = runtime.lock("k").wait(200 * MS).acquire().await.expect_err("nobody is there");
    assert!(error.is_unavailable(), "{error:?}");
    cluster.nodes.iter_mut().for_each(RedisServer::restart);
    runtime.lock("k").wait(SOON).acquire().await.expect("it is there").release().await.expect("ours");
    let waiter = build(&cluster).await;
    dlock_testkit::eventually_async("both listen", SOON, async || {
        let [first, second] = [runtime.lock("t").acquire().await, waiter.lock("u").acquire().await];
        first.is_ok() && second.is_ok()
    })
    .await;
    runtime.shutdown(SECOND).await;
}

/// TLS on a busy machine, or a node far away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_found_by_nodes_that_answer_as_late_as_requests_may_be_answered() {
    let cluster = Cluster::start(3, 0);
    let slow = Proxy::start(&cluster.nodes[0]);
    slow.add(Rule::new(Fault::Delay(SECOND)).matching("SLOTS"));
    let runtime = at([slow.url()]).command_timeout(3 * SECOND).build().await.expect("it answers in time");
    runtime.lock("late").acquire().await.expect("free").release().await.expect("ours");
    assert!(slow.struck() > 0, "it was asked");
}

/// Behind NAT nodes announce other addresses than their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_reached_under_the_addresses_that_they_announce() {
    let cluster = Cluster::start(3, 0);
    let keys = (0..3).map(|master| crate::key_at(&cluster, master, "nat")).collect::<Vec<_>>();
    let proxies = cluster.nodes.iter().map(Proxy::start).collect::<Vec<_>>();
    for (node, proxy) in cluster.nodes.iter().zip(&proxies) {
        let port = proxy.url().trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
        for (name, value) in [
            ("cluster-announce-port", &*port),
            ("cluster-announce-hostname", "localhost"),
            ("cluster-preferred-endpoint-type", "hostname"),
        ] {
            assert!(node.raw().command(&["CONFIG", "SET", name, value]).is_ok(), "{name}");
        }
    }
    eventually("they all know", SOON, || {
        cluster.nodes.iter().all(|node| {
            let said = format!("{:?}", node.raw().command(&["CLUSTER", "SLOTS"]));
            proxies
                .iter()
                .all(|proxy| said.contains(proxy.url().trim_end_matches('/').rsplit(':').next().expect("a port")))
                && said.matches("localhost").count() >= 3
        })
    });
    let [holder, waiter] = [at([cluster.nodes[0].url()]), at([cluster.nodes[0].url()])];
    let [holder, waiter] = [holder.build().await.expect("built"), waiter.build().await.expect("built")];
    for key in &keys {
        is_direct(&holder, &waiter, key).await;
    }
    assert!(proxies.iter().all(|proxy| proxy.connections() >= 4), "two of each runtime");
    // The runtime leaves a server that nobody reaches any more, and comes back to it.
    proxies[1].refuse();
    let error = holder.lock(&*keys[1]).wait(200 * MS).acquire().await.expect_err("it cannot be reached");
    assert!(error.is_unavailable() && text(&error).contains("localhost:"), "{}", text(&error));
    holder.lock(&*keys[2]).acquire().await.expect("free").release().await.expect("ours");
    proxies[1].heal();
    holder.lock(&*keys[1]).acquire().await.expect("free").release().await.expect("ours");
    eventually_async("both listen again", SOON, async || {
        let began = std::time::Instant::now();
        let guard = holder.lock(&*keys[1]).acquire().await.expect("free");
        let waiting = crate::wait_for(&waiter, &keys[1]);
        crate::until_waiting(&holder, &keys[1], 1).await;
        guard.release().await.expect("ours");
        waiting.await.expect("no panic").release().await.expect("ours");
        began.elapsed() < 60 * MS
    })
    .await;
}

/// Credentials that somebody provides are asked for each connection, also those that listen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_provided_for_each_node_and_renewed() {
    let cluster = Cluster::start(3, 0);
    for node in &cluster.nodes {
        let mut raw = node.raw();
        let user = ["ACL", "SETUSER", "shop", "on", ">sesame", "+@all", "~*", "&*"];
        assert!(raw.command(&user).is_ok() && raw.command(&["CONFIG", "RESETSTAT"]).is_ok());
    }
    let asked = Arc::<AtomicU32>::default();
    let count = Arc::clone(&asked);
    let provider = move || {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, std::io::Error>(Credentials::new("shop", "sesame").valid_for(SECOND)) }
    };
    let builder = on(&cluster).credentials(provider).client_name("checkout");
    let [holder, waiter] = [builder.clone().build().await.expect("built"), builder.build().await.expect("built")];
    for node in &cluster.nodes {
        let mut raw = node.raw();
        eventually("all of ours are let in as the user, by name", SOON, || {
            let clients = raw.clients();
            let ours = clients.iter().filter(|client| client["name"] == "checkout").collect::<Vec<_>>();
            ours.len() >= 3 && ours.iter().all(|client| client["user"] == "shop")
        });
        let auth = |raw: &mut Raw| raw.command_stats().get("auth").copied().unwrap_or(0);
        let before = auth(&mut raw);
        eventually("live connections authenticate anew", SOON, || auth(&mut raw) >= before + 4);
    }
    assert!(asked.load(Ordering::Relaxed) > 6);
    for master in 0..3 {
        is_direct(&holder, &waiter, &crate::key_at(&cluster, master, "credentials")).await;
    }
}
