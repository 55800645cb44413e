//! The table of options in the reference is that of the parser.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p dlock-macros` writes it anew.

use std::path::PathBuf;
use std::{env, fs};

use crate::options::ROWS;

const HEAD: &str = "| option | forms | default |\n|---|---|---|\n";

fn reference() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dlock-runtime/src/distributed_lock.md")
}

fn table() -> String {
    let line = |name: &str, forms: &str, default: &str| {
        let default = if default.is_empty() { String::new() } else { format!("{default} ") };
        format!("| [`{name}`](#{name}) | {forms} | {default}|\n")
    };
    ROWS.iter().map(|row| line(row.name, row.forms, row.default)).collect()
}

/// The text before the table, the table, and the text after it.
fn parts(text: &str) -> (&str, &str, &str) {
    let start = text.find(HEAD).expect("the head of the table") + HEAD.len();
    let end = start + text[start..].find("\n\n").expect("its end") + 1;
    (&text[..start], &text[start..end], &text[end..])
}

#[test]
fn the_reference_has_a_line_and_a_section_for_each_option_and_no_more() {
    let text = fs::read_to_string(reference()).expect("the reference");
    let (before, written, after) = parts(&text);
    if written != table() && env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(reference(), format!("{before}{}{after}", table())).expect("the reference is written");
    } else {
        assert_eq!(written, table());
    }
    for row in &ROWS {
        assert_eq!(after.matches(&format!("\n## `{}`\n", row.name)).count(), 1, "the section of `{}`", row.name);
    }
    assert_eq!(after.matches("\n## `").count(), ROWS.len(), "sections of options that there are not");
}

/// The negative control.
#[test]
fn a_line_that_is_not_of_the_table_is_noticed() {
    let text = format!("a\n{HEAD}{}\nb", table());
    assert_eq!(parts(&text).1, table());
    let other = text.replacen("a time", "a number", 1);
    assert_ne!(parts(&other).1, table());
}
