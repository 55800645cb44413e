//! The rule about separators, by trying: which templates give different values one key?

use crate::check;
use crate::mistake::Mistakes;
use crate::template::{Part, Template};

use proc_macro2::Span;
use syn::LitStr;

/// As the runtime escapes (its own tests hold it to the same characters).
fn escape(value: &str) -> String {
    if value.is_empty() {
        return "%empty".to_owned();
    }
    value.chars().fold(String::new(), |mut text, character| {
        if character.is_ascii_alphanumeric()
            || "-._~@+".contains(character)
            || (!character.is_ascii() && character.is_alphabetic())
        {
            text.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
        text
    })
}

/// Short values made of what could be confused: a separator, letters of an escape, a kept sign, an escaped one.
fn values() -> Vec<String> {
    let alphabet = ["", "2", "F", "/", "-", ".", "é"];
    let mut values = Vec::new();
    for first in alphabet {
        for second in alphabet {
            for third in alphabet {
                values.push(format!("{first}{second}{third}"));
            }
        }
    }
    values.sort();
    values.dedup();
    values
}

fn read(text: &str) -> (Template, bool) {
    let mut mistakes = Mistakes::default();
    let template = Template::read(&LitStr::new(text, Span::call_site()), &mut mistakes).expect("it can be read");
    check::template(&template, None, &mut mistakes);
    (template, mistakes.into_compile_errors().is_none())
}

/// Whether two different pairs of values give one key.
fn collides(template: &Template) -> bool {
    let values = values();
    let mut keys = std::collections::HashSet::new();
    for first in &values {
        for second in &values {
            let mut given = [first, second].into_iter();
            let key: String = template
                .parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Value(_) => escape(given.next().expect("two placeholders")),
                })
                .collect();
            if !keys.insert(key) {
                return true;
            }
        }
    }
    false
}

#[test]
fn an_accepted_template_never_gives_two_pairs_of_values_one_key() {
    for separator in
        [":", "/", "|", " ", "-:", ":-", "a/b", "//", "{x}", "%/", "é|", "<<", ">>", ",", "=", "#", "\"", "²!"]
    {
        let (template, accepted) = read(&format!("lock <a>{separator}<b>.end"));
        assert!(accepted, "{separator:?} was refused");
        assert!(!collides(&template), "{separator:?} collides");
    }
    let (template, accepted) = read("{<a>}<b>");
    assert!(accepted && !collides(&template));
}

/// The negative control: without the rule these would be accepted, and each of them does collide.
#[test]
fn a_refused_separator_does_give_two_pairs_of_values_one_key() {
    for separator in ["", "-", ".", "2", "F", "é", "%", "-.", "2F", "%2F"] {
        let (template, accepted) = read(&format!("lock:<a>{separator}<b>:end"));
        assert!(!accepted, "{separator:?} was accepted");
        assert!(collides(&template), "{separator:?} never collides, so the rule is too strict");
    }
}

#[test]
fn every_pair_of_neighbours_is_looked_at() {
    assert!(!read("<a>:<b>-<c>").1);
    assert!(!read("<a>-<b>:<c>").1);
    assert!(read("<a>:<b>/<c>").1);
    assert!(read("x<a>").1 && read("<a>x").1 && read("no value").1);
}
