//! The inventory example from the outside: what it prints and how it ends. Without the lock it has to find damage, or
//! its balanced books would mean nothing.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use dlock_testkit::RedisServer;

/// Baskets with names that are hard on keys, commands and parsers. `a `, `a` and `A` are three products; so are the
/// names of `{x}` and `x`.
const AWKWARD: &str = "\
rolls/buns,cream cheese ,liquor (appetizer)\r
a,a ,A,{x},x,{},}{\r
stock:a,%61,%,*,a:b,a\tb
\"a,b\",\"say \"\"when\"\"\",'; DROP TABLE stock; --

,,a,,
Käse,Käse,雪,🍏, ,<product>,-rf
rolls/buns,a,a,a,a
";

/// Cargo puts examples beside the folder of the tests.
fn inventory() -> Command {
    let test = std::env::current_exe().expect("the path of this test");
    let example = test.parent().and_then(Path::parent).expect("target/profile").join("examples/inventory");
    assert!(example.is_file(), "no {}: `cargo build --example inventory` makes it", example.display());
    let mut command = Command::new(example);
    command.env_remove("REDIS_URL");
    command
}

struct Result {
    code: Option<i32>,
    first_line: String,
    rows: HashMap<String, String>,
    text: String,
}

impl Result {
    fn of(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the example runs");
        let text = String::from_utf8_lossy(&stdout).into_owned();
        let rows = text.lines().filter_map(|line| line.split_at_checked(16));
        Self {
            code: status.code(),
            first_line: text.lines().next().unwrap_or_default().to_owned(),
            rows: rows.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect(),
            text: text + &String::from_utf8_lossy(&stderr),
        }
    }

    fn row(&self, name: &str) -> &str {
        self.rows.get(name).unwrap_or_else(|| panic!("no row {name:?} in\n{}", self.text))
    }

    /// The first number of a row.
    fn number(&self, name: &str) -> u32 {
        let word = self.row(name).split(' ').next().unwrap_or_default();
        word.parse().unwrap_or_else(|_| panic!("{name:?} is not a number in\n{}", self.text))
    }

    #[track_caller]
    fn is_balanced(&self) {
        assert_eq!(self.code, Some(0), "{}", self.text);
        assert_eq!(self.row("books"), "balance", "{}", self.text);
        assert_eq!((self.number("oversold units"), self.number("lost updates")), (0, 0), "{}", self.text);
        let expected = format!("{} units (a sequential run: {0})", self.number("sold"));
        assert_eq!(self.row("sold"), expected, "{}", self.text);
    }
}

fn run(args: &[&str]) -> Result {
    let mut command = inventory();
    command.args(args);
    Result::of(command)
}

#[test]
fn the_books_balance_on_the_embedded_store() {
    let result = run(&["--embedded", "--count", "400"]);
    result.is_balanced();
    assert!(result.number("refused") > 0, "nothing sold out:\n{}", result.text);
    assert!(result.first_line.contains("embedded store"), "{}", result.text);
}

#[test]
fn the_books_balance_on_a_server_that_it_starts() {
    let result = run(&["--count", "400"]);
    result.is_balanced();
    assert!(result.first_line.starts_with("4 processes on a redis-server"), "{}", result.text);
}

#[test]
fn the_books_balance_on_the_server_of_redis_url() {
    let server = RedisServer::start();
    let mut command = inventory();
    command.args(["--count", "200"]).env("REDIS_URL", server.url());
    let result = Result::of(command);
    result.is_balanced();
    assert!(result.first_line.contains("REDIS_URL"), "{}", result.text);
    assert!(server.raw().command_stats().contains_key("evalsha"), "it was another server");
}

#[test]
fn without_the_lock_the_damage_is_found() {
    for more in [&["--embedded"][..], &[]] {
        let result = run(&[&["--count", "800", "--without-lock"], more].concat());
        assert_eq!(result.code, Some(1), "{}", result.text);
        assert_eq!(result.row("books"), "DO NOT BALANCE");
        assert!(result.number("lost updates") > 0 && result.number("oversold units") > 0, "{}", result.text);
    }
}

#[test]
fn a_killed_replica_does_not_unbalance_the_books() {
    let result = run(&["--count", "1000", "--kill"]);
    result.is_balanced();
    assert!(result.number("left behind") > 0, "killed too late:\n{}", result.text);
    // One TTL, and time for a busy machine.
    assert!(result.number("longest gap") < 2_000 + 1_500, "{}", result.text);
}

#[test]
fn the_books_balance_on_a_master_that_sentinels_watch_over() {
    let result = run(&["--count", "400", "--sentinel"]);
    result.is_balanced();
    assert!(result.first_line.contains("3 sentinels"), "{}", result.text);
}

#[test]
fn a_master_that_is_killed_does_not_unbalance_the_books() {
    let result = run(&["--count", "1000", "--failover"]);
    result.is_balanced();
    assert!(result.row("failover").contains("the master was killed"), "{}", result.text);
    // The sentinels wait for a second before they begin.
    assert!(result.number("longest gap") > 900, "killed too late:\n{}", result.text);
}

#[test]
fn the_books_balance_on_a_cluster() {
    let result = run(&["--count", "400", "--cluster"]);
    result.is_balanced();
    assert!(result.first_line.contains("a cluster of 3 masters"), "{}", result.text);
}

#[test]
fn a_master_of_a_cluster_that_is_killed_does_not_unbalance_the_books() {
    let result = run(&["--count", "1000", "--cluster", "--failover"]);
    result.is_balanced();
    assert!(result.row("failover").contains("the master was killed"), "{}", result.text);
}

#[test]
fn names_with_quotes_commas_and_line_breaks_are_sold_like_others() {
    let file = Fixture::new("awkward", AWKWARD);
    for more in [&["--embedded"][..], &[]] {
        let result = run(&[&["--orders", file.path()], more].concat());
        result.is_balanced();
        assert_eq!(result.number("orders"), 7, "{}", result.text);
        // a: 6 asked for, 3 on the shelf. Everything else is there.
        assert_eq!((result.number("sold"), result.number("refused")), (29, 3), "{}", result.text);
    }
}

#[test]
fn what_makes_no_sense_is_status_2_and_a_sentence() {
    for (args, said) in [
        (&["--ordres", "x"][..], "--ordres"),
        (&["--orders"], "--orders needs a value"),
        (&["--count", "many"], "--count needs a whole number"),
        (&["--count", "0"], "--count"),
        (&["--kill", "--embedded"], "--kill"),
        (&["--sentinel", "--embedded"], "--sentinel"),
        (&["--failover", "--kill"], "--failover"),
        (&["--sentinel", "--cluster"], "choose one"),
        (&["--orders", "x", "--seed", "1"], "--seed"),
    ] {
        let result = run(args);
        assert_eq!(result.code, Some(2), "{args:?}: {}", result.text);
        assert!(result.text.contains(said), "{args:?}: {}", result.text);
    }
    assert_eq!(run(&["--help"]).code, Some(0));
}

#[test]
fn what_cannot_be_read_or_reached_is_status_1_and_a_sentence() {
    let result = run(&["--embedded", "--orders", "no/such/file.csv"]);
    assert_eq!(result.code, Some(1));
    assert!(result.text.contains("cannot read no/such/file.csv"), "{}", result.text);

    let empty = Fixture::new("empty", "\n,\n");
    let result = run(&["--embedded", "--orders", empty.path()]);
    assert_eq!(result.code, Some(1));
    assert!(result.text.contains("there are no orders"), "{}", result.text);

    let mut command = inventory();
    // Port 1 is not Redis.
    command.args(["--count", "1"]).env("REDIS_URL", "redis://127.0.0.1:1/");
    let result = Result::of(command);
    assert_eq!(result.code, Some(1));
    assert!(result.text.contains("error: "), "{}", result.text);
}

/// A file of orders, removed when dropped.
struct Fixture(PathBuf);

impl Fixture {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dlock-orders-{}-{name}.csv", std::process::id()));
        std::fs::write(&path, text).expect("a file of orders");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a temporary directory with a name in UTF-8")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
