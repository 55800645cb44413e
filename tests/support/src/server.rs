//! A private `redis-server`: own port, own folder, no persistence, gone with its owner.
//!
//! A shell stands between us and the server and holds the read end of a pipe. However this process ends, by SIGKILL
//! too and with the server in a `static`, the pipe closes and the shell kills the one process it started, by its id.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use rustix::process::Signal;

use crate::{Raw, worker::signal};

const SUPERVISOR: &str = r#"
trap '' HUP INT TERM # Ctrl-C reaches this shell too, and it must outlive the tests to tidy up.
folder=$1; shift
"$@" >>"$folder/log" 2>&1 </dev/null &
echo $!
read -r order
kill -9 $! 2>/dev/null
wait $! 2>/dev/null
[ "$order" = keep ] || rm -rf -- "$folder"
"#;

/// A `redis-server` process (or another server that speaks its protocol, see [`RedisServer::available`]).
#[derive(Debug)]
pub struct RedisServer {
    options: Vec<String>,
    /// What a sentinel is told to watch over; other servers need no file.
    sentinel: Option<String>,
    /// The port at which a node of a cluster talks to the others; others have none.
    bus: Option<u16>,
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    supervisor: Child,
    id: u32,
}

impl RedisServer {
    /// The server's binary: `DLOCK_REDIS_SERVER`, else `redis-server` in `PATH`; `None` when there is neither.
    pub fn available() -> Option<PathBuf> {
        if let Some(named) = std::env::var_os("DLOCK_REDIS_SERVER") {
            return Some(PathBuf::from(named));
        }
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|file| file.is_file())
    }

    /// Starts a server and returns when it answers.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with more options on its command line, such as `["--maxmemory", "2mb"]`.
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_as(options, None, false)
    }

    /// Starts a node that belongs to no cluster yet.
    #[track_caller]
    pub(crate) fn start_node(options: &[&str]) -> Self {
        Self::start_as(options, None, true)
    }

    /// Starts a sentinel with these lines in its file.
    #[track_caller]
    pub fn start_sentinel(lines: &str) -> Self {
        Self::start_as(&[], Some(lines.to_owned()), false)
    }

    #[track_caller]
    fn start_as(options: &[&str], sentinel: Option<String>, is_node: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dlock-redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut server = Self {
            options: options.iter().map(|&option| option.to_owned()).collect(),
            sentinel,
            bus: None,
            folder: std::env::temp_dir().join(name),
            port: 0,
            process: None,
        };
        // Between finding a port and binding it somebody else may take it: then this server ends and we try another.
        for _ in 0..20 {
            server.port = free_port();
            server.bus = is_node.then(free_port);
            if server.launch() {
                return server;
            }
        }
        panic!("redis-server does not start; its log:\n{}", server.log());
    }

    /// Starts a replica of `master` and returns when it has what that has.
    #[track_caller]
    pub fn start_replica_of(master: &Self) -> Self {
        // Else the master waits for five seconds, in case more replicas come. Every server knows how not to.
        assert!(master.raw().command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).is_ok());
        let replica = Self::start();
        replica.follow(master);
        replica
    }

    /// Makes it a replica of `master`, and returns when it has what that has.
    #[track_caller]
    pub fn follow(&self, master: &Self) {
        let mut raw = self.raw();
        assert!(raw.command(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]).is_ok());
        crate::eventually("the replica is in step", Duration::from_secs(30), || {
            raw.info(&["INFO", "replication"], "master_link_status").as_deref() == Some("up")
        });
    }

    /// Makes a replica a master.
    #[track_caller]
    pub fn promote(&self) {
        assert!(self.raw().command(&["REPLICAOF", "NO", "ONE"]).is_ok());
    }

    /// One server for all tests of this process. Tests that share it take keys of their own.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// `redis://127.0.0.1:PORT/`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The TCP port, the same after [`restart`](Self::restart).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of a node for other nodes.
    pub(crate) fn bus(&self) -> u16 {
        self.bus.expect("it is a node of a cluster")
    }

    /// The server's unix socket as a URL.
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// A new raw connection.
    #[track_caller]
    pub fn raw(&self) -> Raw {
        Raw::connect(&self.url())
    }

    /// A new raw connection; `None` if the server does not run.
    pub(crate) fn try_raw(&self) -> Option<Raw> {
        Raw::over(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?).ok()
    }

    /// Ends the server as a power cut would. What it held is gone, unless its options switch persistence on.
    pub fn kill(&mut self) {
        self.stop("keep\n");
    }

    /// Starts it again on the same port (after [`kill`](Self::kill) if it still runs).
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "redis-server does not start again; its log:\n{}", self.log());
    }

    /// Stops the process in its tracks (SIGSTOP): connections stay open and nothing answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused server go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn signal(&self, which: Signal) {
        let process = self.process.as_ref().expect("the server runs");
        signal(process.id, which);
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    /// Whether the process we start now is the one that answers on our port.
    #[track_caller]
    fn launch(&mut self) -> bool {
        let Some(binary) = Self::available() else {
            panic!("no redis-server here: run `bash tests/run`, which installs it, or name one in DLOCK_REDIS_SERVER");
        };
        std::fs::create_dir_all(&self.folder).expect("a folder for redis-server");
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "sh"]).arg(&self.folder).arg(&binary);
        if let Some(lines) = &self.sentinel {
            // It writes into its file what it learns, and finds it there when it is started again.
            let file = self.folder.join("sentinel.conf");
            if !file.exists() {
                std::fs::write(&file, lines).expect("the file of a sentinel");
            }
            command.arg(file).arg("--sentinel");
        }
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--daemonize", "no"]);
        command.args([Path::new("--dir"), &self.folder]);
        if self.sentinel.is_none() {
            if !self.options.iter().any(|option| option == "--save") {
                // A replica leaves there what it was sent by its master.
                let _ = std::fs::remove_file(self.folder.join("dump.rdb"));
            }
            command.args(["--save", "", "--appendonly", "no"]).args([Path::new("--unixsocket"), &self.socket()]);
        }
        if let Some(bus) = self.bus {
            command.args(["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]);
            command.args(["--cluster-port", &bus.to_string()]);
        }
        let mut supervisor = command
            .args(&self.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|err| panic!("cannot start {}: {err}", binary.display()));
        let mut line = String::new();
        let output = supervisor.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut line).expect("the server's process id");
        let id = line.trim().parse().expect("the server's process id");
        self.process = Some(Process { supervisor, id });
        let begun = SystemTime::now();
        while begun.elapsed().is_ok_and(|elapsed| elapsed < Duration::from_secs(10)) {
            match self.answering_process() {
                Some(answering) if answering == id => return true,
                Some(_) => break,
                None if !running(id) => break,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        self.kill();
        false
    }

    /// The id of the process that answers on our port, once it has loaded its data.
    fn answering_process(&self) -> Option<u32> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let mut raw = Raw::over(stream).ok()?;
        let pong = raw.try_command(&["PING"]).ok()?;
        let info = raw.try_command(&["INFO", "server"]).ok()?;
        // A server that wants a password or is still loading answers as an error; only the second one is not ready.
        if pong.is_error("NOAUTH") {
            return self.process.as_ref().map(|process| process.id);
        }
        let id = info.text()?.lines().find_map(|line| line.strip_prefix("process_id:"))?;
        if pong.text() == Some("PONG") { id.trim().parse().ok() } else { None }
    }

    fn stop(&mut self, order: &str) {
        if let Some(mut process) = self.process.take() {
            if let Some(mut pipe) = process.supervisor.stdin.take() {
                // The supervisor may be gone already; then so is its server.
                let _ = pipe.write_all(order.as_bytes());
            }
            let _ = process.supervisor.wait();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop("remove\n");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A zombie counts as ended: its supervisor has not looked yet.
fn running(id: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else {
        return !Path::new("/proc/self").exists();
    };
    !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// A port below the ephemeral range: while a server is down, an outgoing connection must not be given its port, and a
/// client that reconnects to an ephemeral port can even connect to itself.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let spread = std::process::id().wrapping_mul(127) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 15_000 + (spread % 17_000) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
