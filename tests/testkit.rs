//! Tests of the test kit: each fault really happens, and the judge of histories really condemns. A harness that does
//! less than it claims would make every other test here pass for nothing.

use std::time::{Duration, Instant};

use dlock_testkit::{
    Fault, History, Proxy, Raw, RedisServer, Rule, Value, Violation, Worker, eventually, parse, role, say,
};

const SOON: Duration = Duration::from_secs(5);

/// Where worker processes of this file start.
#[test]
fn worker_entry() {
    match role().as_deref() {
        Some("echo") => {
            say("ready");
            say(format_args!("value {}", std::env::var("VALUE").expect("VALUE is set")));
        }
        Some("ticker") => loop {
            say("tick");
            std::thread::sleep(Duration::from_millis(5));
        },
        _ => {}
    }
}

#[test]
fn values_of_both_protocols_are_read_whole_or_not_at_all() {
    let text = |text: &str| Value::Text(text.to_owned());
    let whole = [
        ("+OK\r\n", text("OK")),
        (":-7\r\n", Value::Int(-7)),
        ("$-1\r\n", Value::Nil),
        ("_\r\n", Value::Nil),
        ("$4\r\na\r\nb\r\n", text("a\r\nb")),
        ("-ERR no\r\n", Value::Error("ERR no".into())),
        ("*2\r\n$1\r\nx\r\n*0\r\n", Value::List(vec![text("x"), Value::List(vec![])])),
        ("%1\r\n+k\r\n#t\r\n", Value::List(vec![text("k"), Value::Int(1)])),
        (">1\r\n+message\r\n", Value::Push(vec![text("message")])),
    ];
    for (bytes, value) in whole {
        assert_eq!(parse(bytes.as_bytes()), Some((value, bytes.len())), "{bytes:?}");
        for cut in 1..bytes.len() {
            // Only the shortest form of a number could be taken for a whole one, and the line end prevents that.
            assert_eq!(parse(&bytes.as_bytes()[..cut]), None, "{:?}", &bytes[..cut]);
        }
    }
}

#[test]
fn a_server_is_private_and_empty_and_gone_with_its_owner() {
    let (one, two) = (RedisServer::start(), RedisServer::start());
    assert!(one.raw().command(&["SET", "key", "1"]).is_ok());
    assert!(one.raw().exists("key"));
    assert!(!two.raw().exists("key"));
    let (url, socket) = (one.url(), one.socket_url().replace("redis+unix://", ""));
    assert!(std::path::Path::new(&socket).exists());
    drop(one);
    let address = url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
    assert!(!std::path::Path::new(&socket).exists());
}

#[test]
fn a_server_takes_options() {
    let server = RedisServer::start_with(&["--maxmemory", "5mb", "--maxmemory-policy", "noeviction"]);
    let reply = server.raw().command(&["CONFIG", "GET", "maxmemory"]);
    assert_eq!(reply, Value::List(vec![Value::Text("maxmemory".into()), Value::Text("5242880".into())]));
}

#[test]
fn a_killed_server_comes_back_empty_on_the_same_port() {
    let mut server = RedisServer::start();
    let mut before = server.raw();
    assert!(before.command(&["SET", "key", "1"]).is_ok());
    server.kill();
    assert!(before.try_command(&["PING"]).is_err());
    let port = server.port();
    server.restart();
    assert_eq!(server.port(), port);
    assert!(!server.raw().exists("key"));
}

#[test]
fn a_paused_server_answers_when_it_is_resumed() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    server.pause();
    raw.send(&["PING"]).expect("the connection stays open");
    let answer = std::thread::spawn(move || (raw.receive(), Instant::now()));
    std::thread::sleep(Duration::from_millis(100));
    let resumed = Instant::now();
    server.resume();
    let (reply, answered) = answer.join().expect("the reader ends");
    assert_eq!(reply.expect("a reply").text(), Some("PONG"));
    assert!(answered >= resumed);
}

#[test]
fn command_statistics_count_each_command() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    raw.command(&["CONFIG", "RESETSTAT"]);
    raw.command(&["SET", "key", "1"]);
    raw.command(&["GET", "key"]);
    raw.command(&["GET", "key"]);
    let stats = raw.command_stats();
    assert_eq!((stats.get("set"), stats.get("get")), (Some(&1), Some(&2)));
}

/// A server, a proxy before it, a client through the proxy, and one around it.
fn proxied() -> (RedisServer, Proxy, Raw, Raw) {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let (through, around) = (Raw::connect(&proxy.url()), server.raw());
    (server, proxy, through, around)
}

#[test]
fn a_proxy_without_rules_changes_nothing() {
    let (_server, proxy, mut through, _around) = proxied();
    for round in 0..100 {
        assert!(through.command(&["SET", "key", &round.to_string()]).is_ok());
        assert_eq!(through.command(&["GET", "key"]).int(), Some(round));
    }
    assert_eq!((proxy.struck(), proxy.connections()), (0, 1));
    drop(through);
    eventually("the connection is forgotten", SOON, || proxy.connections() == 0);
}

#[test]
fn a_proxy_passes_push_messages() {
    let (_server, _proxy, mut through, mut around) = proxied();
    through.command(&["HELLO", "3"]);
    assert!(matches!(through.command(&["SUBSCRIBE", "news"]), Value::Push(_)));
    around.command(&["PUBLISH", "news", "hello"]);
    assert!(matches!(through.receive(), Ok(Value::Push(words)) if words[2].text() == Some("hello")));
    assert_eq!(through.command(&["ECHO", "after"]).text(), Some("after"));
}

#[test]
fn a_delayed_reply_is_late_and_the_command_is_not() {
    let (_server, proxy, mut through, mut around) = proxied();
    let late = Duration::from_millis(300);
    proxy.add(Rule::new(Fault::Delay(late)).matching("SET").times(1));
    let sent = Instant::now();
    through.send(&["SET", "key", "1"]).expect("the request goes out");
    eventually("the command has run", late, || around.exists("key"));
    assert!(sent.elapsed() < late);
    assert!(through.receive().expect("a reply").is_ok());
    assert!(sent.elapsed() >= late);
    assert_eq!(proxy.struck(), 1);
}

#[test]
fn a_swallowed_reply_leaves_the_connection_mute() {
    let (_server, proxy, mut through, mut around) = proxied();
    proxy.add(Rule::new(Fault::Swallow).matching("SET").skip(1).times(1));
    assert!(through.command(&["SET", "first", "1"]).is_ok());
    through.send(&["SET", "second", "1"]).expect("the request goes out");
    through.send(&["SET", "third", "1"]).expect("the request goes out");
    eventually("both have run", SOON, || around.exists("second") && around.exists("third"));
    let reader = std::thread::spawn(move || through.receive());
    std::thread::sleep(Duration::from_millis(50));
    assert!(!reader.is_finished(), "no reply comes, and no end of the connection");
    proxy.close_all();
    assert!(reader.join().expect("the reader ends").is_err());
}

#[test]
fn a_held_request_runs_when_healed_even_if_its_sender_is_gone() {
    let (_server, proxy, mut through, mut around) = proxied();
    proxy.add(Rule::new(Fault::Hold).matching("key"));
    through.send(&["SET", "key", "1"]).expect("the request goes out");
    eventually("it is held", SOON, || proxy.struck() == 1);
    assert!(!around.exists("key"));
    drop(through);
    proxy.heal();
    eventually("it has run", SOON, || around.exists("key"));
}

#[test]
fn a_cut_happens_before_or_after_the_request() {
    let (_server, proxy, mut through, mut around) = proxied();
    proxy.add(Rule::new(Fault::CutBefore).matching("before").times(1));
    assert!(through.try_command(&["SET", "before", "1"]).is_err());
    proxy.add(Rule::new(Fault::CutAfter).matching("after").times(1));
    let mut through = Raw::connect(&proxy.url());
    assert!(through.try_command(&["SET", "after", "1"]).is_err());
    assert!(!around.exists("before"));
    assert!(around.exists("after"), "its reply had come when the connection broke");
}

#[test]
fn a_refused_request_does_not_run_and_replies_keep_their_order() {
    let (_server, proxy, mut through, mut around) = proxied();
    proxy.add(Rule::new(Fault::Refuse("LOADING wait".into())).matching("struck"));
    for words in [["SET", "one", "1"], ["SET", "struck", "1"], ["SET", "two", "1"]] {
        through.send(&words).expect("the request goes out");
    }
    let replies: Vec<Value> = (0..3).map(|_| through.receive().expect("a reply")).collect();
    assert!(replies[0].is_ok() && replies[1].is_error("LOADING") && replies[2].is_ok(), "{replies:?}");
    assert!(!around.exists("struck"));
}

#[test]
fn a_refusing_proxy_breaks_old_and_new_connections_until_healed() {
    let (_server, proxy, mut through, _around) = proxied();
    proxy.refuse();
    assert!(through.try_command(&["PING"]).is_err());
    assert!(Raw::connect(&proxy.url()).try_command(&["PING"]).is_err());
    proxy.heal();
    assert_eq!(Raw::connect(&proxy.url()).command(&["PING"]).text(), Some("PONG"));
}

#[test]
fn a_worker_is_another_process_with_a_role() {
    let worker = Worker::spawn("worker_entry", "echo", &[("VALUE", "42")]);
    assert_ne!(worker.id(), std::process::id());
    assert_eq!(worker.expect("value", SOON), "42");
    assert!(worker.finish(SOON).success());
}

#[test]
fn a_stopped_worker_says_nothing_until_it_goes_on() {
    let mut worker = Worker::spawn("worker_entry", "ticker", &[]);
    worker.expect("tick", SOON);
    worker.stop();
    eventually("its last lines are read", SOON, || {
        std::thread::sleep(Duration::from_millis(50));
        worker.said().is_empty()
    });
    worker.cont();
    worker.expect("tick", SOON);
    worker.kill();
}

#[test]
fn a_history_without_faults_is_accepted() {
    let history = History::create();
    for fence in [1, 2, 5] {
        history.enter("a", fence);
        history.leave("a", fence);
    }
    assert_eq!((history.check(), history.overlaps()), (Ok(3), 0));
}

#[test]
fn a_history_shows_overlaps_stale_fences_and_missing_leaves() {
    let overlap = History::create();
    overlap.enter("a", 1);
    overlap.enter("b", 2);
    overlap.leave("a", 1);
    overlap.leave("b", 2);
    assert!(matches!(overlap.check(), Err(Violation::Overlap { .. })));
    assert_eq!(overlap.overlaps(), 1);

    let fences = History::create();
    for who in ["a", "b"] {
        fences.enter(who, 7);
        fences.leave(who, 7);
    }
    assert!(matches!(fences.check(), Err(Violation::Fence { .. })), "equal fences do not rise");

    let unpaired = History::create();
    unpaired.enter("a", 1);
    assert!(matches!(unpaired.check(), Err(Violation::Unpaired(_))));
    assert_eq!(unpaired.check_without_leaves_of(&["a"]), Ok(1));
    unpaired.enter("b", 2);
    assert!(matches!(unpaired.check_without_leaves_of(&["b"]), Err(Violation::Overlap { .. })));
    assert!(matches!(unpaired.check_without_leaves_of(&["a"]), Err(Violation::Unpaired(_))));
    unpaired.leave("b", 2);
    assert_eq!(unpaired.check_without_leaves_of(&["a"]), Ok(2));
}
