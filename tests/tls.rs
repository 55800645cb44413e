//! `rediss://` against a server with TLS. Runs with the feature `tls`. The key in `tests/tls` protects nothing:
//! it is for a server that lives as long as this test.

use std::{net::TcpListener, path::Path, time::Duration};

use dlock_runtime::Runtime;
use dlock_testkit::{RedisServer, Worker, role, say};

const SOON: Duration = Duration::from_secs(20);

/// In a process of its own, because the trusted certificates are named by its environment.
#[tokio::test]
async fn worker_entry() {
    if role().is_none() {
        return;
    }
    let url = std::env::var("DLOCK_TEST_URL").expect("the test says where");
    let said = match Runtime::builder().redis(url).build().await {
        Ok(runtime) => match runtime.lock("k").acquire().await {
            Ok(guard) => format!("released {:?}", guard.release().await),
            Err(error) => format!("failed {error}"),
        },
        Err(error) => format!("refused {error}"),
    };
    say(said);
}

#[test]
fn a_lock_is_taken_over_tls_if_the_certificate_is_trusted() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    let [certificate, key] = ["cert.pem", "key.pem"].map(|file| files.join(file).display().to_string());
    let port = TcpListener::bind("localhost:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let _server = RedisServer::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://localhost:{port}/");

    let trusting = [("DLOCK_TEST_URL", url.as_str()), ("SSL_CERT_FILE", &certificate)];
    Worker::spawn("worker_entry", "client", &trusting).expect("released Ok(())", SOON);

    let doubting = Worker::spawn("worker_entry", "client", &[("DLOCK_TEST_URL", &url)]);
    doubting.expect("refused the lock store cannot be asked", SOON);
}
