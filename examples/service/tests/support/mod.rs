//! Instances of the service as processes, and a client for them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dlock_testkit::RedisServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{Connection, Executor, SqliteConnection};

/// A folder for a database, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dlock-service-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder for the database");
        Self(path)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("shop.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One instance, killed when dropped.
pub(crate) struct Service {
    process: Child,
    address: String,
}

impl Service {
    /// Starts an instance that waits for a lock for `wait` seconds, and returns when it listens.
    pub(crate) fn start(redis: &RedisServer, folder: &Folder, stock: &str, wait: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_dlock-service"))
            .env("REDIS_URL", redis.url())
            .env("DATABASE", folder.database())
            .env("LISTEN", "127.0.0.1:0")
            .env("STOCK", stock)
            .env("LOCK_WAIT", wait)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut line).expect("a line of output");
        let address = line.trim().strip_prefix("listening on http://").expect("the address").to_owned();
        Self { process, address }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().ask("GET", path, "")
    }

    pub(crate) fn deduct(&self, product: u32, qty: u32) -> Answer {
        self.connect().ask("POST", &format!("/products/{product}/deduct"), &format!("{{\"qty\": {qty}}}"))
    }

    /// Units left of a product.
    pub(crate) fn left(&self, product: u32) -> i64 {
        self.get(&format!("/products/{product}")).json()["qty"].as_i64().expect("a quantity")
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.address).expect("the service accepts");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
        Client(stream)
    }

    /// SIGTERM, as an orchestrator sends it.
    pub(crate) fn terminate(&self) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, Signal::TERM).expect("it runs");
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("it is our child")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// As much of HTTP/1.1 as one request on one connection takes.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn ask(mut self, method: &str, path: &str, body: &str) -> Answer {
        self.send(method, path, body);
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("an answer within the time limit");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not HTTP: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status: status.expect("a status"),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        }
    }

    /// Sends a request and does not wait for what comes of it.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes()).expect("the request is sent");
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.headers.get("retry-after")?.parse().ok()
    }
}

/// Changes a database behind the back of the service.
pub(crate) fn execute(database: &Path, statement: &str) {
    let mut blockade = Blockade::of(database);
    let Blockade { executor, db } = &mut blockade;
    executor.block_on(async {
        db.execute(statement).await.expect("the statement is right");
        db.execute("COMMIT").await.expect("it can be committed");
    });
}

/// Keeps everybody from writing to a database until it is dropped, so that a handler stops in the middle.
pub(crate) struct Blockade {
    executor: tokio::runtime::Runtime,
    db: SqliteConnection,
}

impl Blockade {
    pub(crate) fn of(database: &Path) -> Self {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an executor");
        let url = format!("sqlite://{}", database.display());
        let db = executor.block_on(async {
            let mut db = SqliteConnection::connect(&url).await.expect("the database");
            db.execute("BEGIN IMMEDIATE").await.expect("no other writer");
            db
        });
        Self { executor, db }
    }
}

impl Drop for Blockade {
    fn drop(&mut self) {
        let _ = self.executor.block_on(self.db.execute("ROLLBACK"));
    }
}
