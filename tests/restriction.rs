//! No lint of clippy points at the attribute, not even one of the group that nobody turns on as a whole: a lint about generated
//! code is not for the user to avoid.
//!
//! Clippy looks at `tests/uses/lints.rs`, which has a function of every shape. What it says of the code that stands there is another
//! matter.

use std::{env, fs, path::Path, process::Command};

const LINTED: &str = "tests/uses/lints.rs";

/// What clippy says, a line for each; `None` without clippy.
fn clippy() -> Option<String> {
    let cargo = || Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    if !cargo().args(["clippy", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let output = cargo()
        .args(["clippy", "-p", "dlock-uses", "--test", "lints", "--message-format", "short", "--"])
        .args(["-W", "clippy::restriction", "-A", "clippy::blanket_clippy_restriction_lints"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    Some(told)
}

/// Those at the head of an attribute: `tests/uses/lints.rs:41:1: warning: missing `return` statement`.
fn at_the_attribute<'a>(told: &'a str, source: &str) -> Vec<&'a str> {
    let points_at_it = |line: &&str| {
        let Some((at, column)) = line.strip_prefix(LINTED).and_then(|rest| {
            let mut numbers = rest.split(':').skip(1).map_while(|number| number.parse::<usize>().ok());
            Some((numbers.next()?, numbers.next()?))
        }) else {
            return false;
        };
        let head = source.lines().nth(at - 1).and_then(|line| line.get(column - 1..));
        head.is_some_and(|head| head.starts_with("#[distributed_lock"))
    };
    told.lines().filter(points_at_it).collect()
}

#[test]
fn no_lint_points_at_the_attribute() {
    let Some(told) = clippy() else {
        println!("left out: there is no clippy");
        return;
    };
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(LINTED)).expect("the file");
    let own = told.lines().filter(|line| line.starts_with(LINTED)).count();
    assert!(own > 20, "the group is not turned on:\n{told}");
    assert_eq!(at_the_attribute(&told, &source), Vec::<&str>::new());
}

/// The negative control.
#[test]
fn a_lint_at_the_attribute_is_noticed() {
    let source = "#[distributed_lock(key = \"a\")]\nasync fn f() {}\n    #[distributed_lock(";
    let told = "tests/uses/lints.rs:1:1: warning: missing\nother.rs:1:1: warning: b\ntests/uses/lints.rs:2:1: warning: c\n\
                tests/uses/lints.rs:1:20: warning: d\ntests/uses/lints.rs:3:5: warning: e\nwarning: 3 warnings";
    assert_eq!(at_the_attribute(told, source), told.lines().step_by(4).collect::<Vec<_>>());
}
