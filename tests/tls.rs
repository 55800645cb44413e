//! `rediss://` against a server with TLS. Runs with the feature `tls`. The keys in `tests/tls` protect nothing: they are for
//! servers that live as long as these tests. `cert.pem` stands for itself; `authority.pem` signed `server.pem` and
//! `client.pem`, and its own key was thrown away.

use std::{net::TcpListener, path::Path, time::Duration};

use dlock_runtime::{
    Builder, Credentials, Runtime,
    redis::{Client, ClientTlsConfig, TlsCertificates},
};
use dlock_testkit::{Cluster, RedisServer, Worker, eventually, eventually_async, role, say};

const SOON: Duration = Duration::from_secs(20);
/// What a handshake may take on a busy machine: the code that does it is not optimized.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// In a process of its own, because the trusted certificates are named by its environment.
#[tokio::test]
async fn worker_entry() {
    if role().is_none() {
        return;
    }
    let url = |name| std::env::var(name).ok();
    let builder = match (url("DLOCK_TEST_URL"), url("DLOCK_TEST_SENTINEL"), url("DLOCK_TEST_CLUSTER")) {
        (Some(master), Some(sentinel), _) => Runtime::builder().sentinel(master, [sentinel]).failover_guard(false),
        (Some(url), None, _) => Runtime::builder().redis(url),
        (_, _, node) => Runtime::builder().cluster(node).failover_guard(false),
    };
    // A handshake that fails is tried again.
    let wait = if url("SSL_CERT_FILE").is_some() { HANDSHAKE } else { Duration::from_secs(1) };
    let said = match builder.command_timeout(HANDSHAKE).wait(wait).build().await {
        Ok(runtime) => match runtime.lock("k").acquire().await {
            Ok(guard) => format!("released {:?}", guard.release().await),
            Err(error) => format!("failed {error}"),
        },
        Err(error) => format!("refused {error}"),
    };
    say(said);
}

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name).display().to_string()
}

/// A server and the port at which it speaks TLS.
fn server(certificate: &str, key: &str, authority: &str, options: &[&str]) -> (RedisServer, u16) {
    let port = TcpListener::bind("localhost:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let files = [("--tls-cert-file", certificate), ("--tls-key-file", key), ("--tls-ca-cert-file", authority)];
    let files = files.map(|(option, name)| [option.to_owned(), file(name)]);
    let port_option = ["--tls-port".to_owned(), port.to_string()];
    let words = port_option.iter().chain(files.as_flattened()).map(String::as_str);
    (RedisServer::start_with(&words.chain(options.iter().copied()).collect::<Vec<_>>()), port)
}

#[test]
fn a_lock_is_taken_over_tls_if_the_certificate_is_trusted() {
    let (_server, port) = server("cert.pem", "key.pem", "cert.pem", &["--tls-auth-clients", "no"]);
    let url = format!("rediss://localhost:{port}/");

    let trusting = [("DLOCK_TEST_URL", url.as_str()), ("SSL_CERT_FILE", &file("cert.pem"))];
    Worker::spawn("worker_entry", "client", &trusting).expect("released Ok(())", SOON);

    let doubting = Worker::spawn("worker_entry", "client", &[("DLOCK_TEST_URL", &url)]);
    doubting.expect("refused the lock store cannot be asked", SOON);
}

#[test]
fn master_and_sentinel_are_spoken_to_over_tls_if_their_urls_say_so() {
    let (_server, port) = server("cert.pem", "key.pem", "cert.pem", &["--tls-auth-clients", "no"]);
    let own = TcpListener::bind("localhost:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let lines = format!(
        "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\nsentinel monitor mymaster localhost {port} 1\n\
         tls-replication yes\ntls-auth-clients no\ntls-port {own}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\n",
        file("cert.pem"),
        file("key.pem"),
        file("cert.pem"),
    );
    let sentinel = RedisServer::start_sentinel(&lines);
    let secure = format!("rediss://localhost:{own}");
    let run = |master: &str, sentinel: &str, trusts: bool| {
        let mut variables = vec![("DLOCK_TEST_URL", master), ("DLOCK_TEST_SENTINEL", sentinel)];
        let certificate = file("cert.pem");
        if trusts {
            variables.push(("SSL_CERT_FILE", &certificate));
        }
        Worker::spawn("worker_entry", "client", &variables)
    };
    run("rediss://mymaster/", &secure, true).expect("released Ok(())", SOON);
    run("rediss://mymaster/", &sentinel.url(), true).expect("released Ok(())", SOON);
    // The negative controls: neither is believed by who does not know the certificate, and the master's port speaks nothing else.
    run("rediss://mymaster/", &secure, false).expect("refused the lock store cannot be asked", SOON);
    run("rediss://mymaster/", &sentinel.url(), false).expect("refused the lock store cannot be asked", SOON);
    run("redis://mymaster/", &secure, true).expect("refused the lock store cannot be asked", SOON);
}

/// A client that trusts `authority.pem` or the system, and shows `client.pem` or nothing.
fn client(port: u16, trusts: bool, shows: bool) -> Client {
    let read = |name| std::fs::read(file(name)).expect("a file");
    let certificates = TlsCertificates {
        root_cert: trusts.then(|| read("authority.pem")),
        client_tls: shows
            .then(|| ClientTlsConfig { client_cert: read("client.pem"), client_key: read("client-key.pem") }),
    };
    Client::build_with_tls(format!("rediss://localhost:{port}/"), certificates).expect("a client")
}

/// How long to wait for the server. A handshake that fails is tried again.
fn patience(trusts: bool, shows: bool) -> Duration {
    if trusts && shows { SOON } else { Duration::from_millis(300) }
}

fn on(port: u16, trusts: bool, shows: bool) -> Builder {
    let builder = Runtime::builder().redis_client(client(port, trusts, shows)).command_timeout(HANDSHAKE);
    let builder = builder.wait(patience(trusts, shows));
    assert!(!format!("{builder:?}").contains("PrivateKey"), "{builder:?}");
    builder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_authority_is_trusted_and_the_certificate_of_a_client_is_shown() {
    let (server, port) = server("server.pem", "server-key.pem", "authority.pem", &["--tls-auth-clients", "yes"]);
    let runtime = on(port, true, true).build().await.expect("both sides are known");
    runtime.lock("tls").acquire().await.expect("free").release().await.expect("held");
    for (trusts, shows) in [(false, true), (true, false)] {
        let error = on(port, trusts, shows).build().await.expect_err("one side is not known");
        assert!(error.is_unavailable(), "{trusts} {shows}: {error:?}");
    }

    // A provider's credentials go the same way.
    let set = ["ACL", "SETUSER", "app", "on", ">sesame", "~*", "&*", "+@all"];
    assert!(server.raw().command(&set).is_ok());
    let builder = on(port, true, true).credentials(|| async { Ok::<_, String>(Credentials::new("app", "sesame")) });
    let runtime = builder.build().await.expect("let in");
    let guard = runtime.lock("tls").acquire().await.expect("free");
    assert!(server.raw().clients().iter().any(|client| client["user"] == "app"));
    guard.release().await.expect("held");
}

/// A master that has all slots, and the port at which it speaks TLS.
fn cluster(certificate: &str, key: &str, authority: &str, auth: &str) -> (Cluster, u16) {
    let port = TcpListener::bind("localhost:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let (port_text, files) = (port.to_string(), [certificate, key, authority].map(file));
    let options = [
        ["--tls-cluster", "yes"],
        ["--tls-port", &port_text],
        ["--tls-cert-file", &files[0]],
        ["--tls-key-file", &files[1]],
        ["--tls-ca-cert-file", &files[2]],
        ["--tls-auth-clients", auth],
    ];
    (Cluster::start_with(1, 0, options.as_flattened()), port)
}

#[test]
fn nodes_of_a_cluster_are_spoken_to_over_tls_if_their_urls_say_so() {
    let (_cluster, port) = cluster("cert.pem", "key.pem", "cert.pem", "no");
    let url = format!("rediss://localhost:{port}/");
    let trusting = [("DLOCK_TEST_CLUSTER", url.as_str()), ("SSL_CERT_FILE", &file("cert.pem"))];
    Worker::spawn("worker_entry", "client", &trusting).expect("released Ok(())", SOON);
    let doubting = Worker::spawn("worker_entry", "client", &[("DLOCK_TEST_CLUSTER", &url)]);
    doubting.expect("refused the lock store cannot be asked", SOON);
}

/// Messages too: a runtime that waits is told that it has the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_place_of_a_url_brings_certificates_to_all_nodes_of_a_cluster() {
    let (cluster, port) = cluster("server.pem", "server-key.pem", "authority.pem", "yes");
    let builder = |trusts, shows| {
        let client = client(port, trusts, shows);
        let builder = Runtime::builder().cluster([client]).failover_guard(false).command_timeout(HANDSHAKE);
        builder.wait(patience(trusts, shows))
    };
    let [holder, waiter] = [builder(true, true).build().await, builder(true, true).build().await];
    let [holder, waiter] = [holder, waiter].map(|runtime| runtime.expect("both sides are known"));
    let mut raw = cluster.nodes[0].raw();
    eventually("both listen", SOON, || raw.clients().iter().filter(|client| client["ssub"] == "2").count() == 2);
    let guard = holder.lock("tls").acquire().await.expect("free");
    let waiting = tokio::spawn(waiter.lock("tls").wait(SOON).acquire());
    eventually_async("it waits", SOON, async || {
        holder.inspect("tls").await.is_ok_and(|holder| holder.is_some_and(|holder| holder.waiters() == 1))
    })
    .await;
    guard.release().await.expect("held");
    waiting.await.expect("no panic").expect("its turn").release().await.expect("held");
    for (trusts, shows) in [(false, true), (true, false)] {
        let error = builder(trusts, shows).build().await.expect_err("one side is not known");
        assert!(error.is_unavailable(), "{trusts} {shows}: {error:?}");
    }
}
