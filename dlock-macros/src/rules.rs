//! The rules that make a template safe.
//!
//! **Invariant:** an accepted template is injective: two different lists of values never give one key. Values are escaped
//! except for the characters they keep ([`is_kept`]), so it is enough that between any two placeholders stands a
//! character that values never hold. (`%` is not one: escapes begin with it.)

use crate::grammar::{flaw_of_braces, is_kept};
use crate::limits::{HELPER_ENDINGS, LONGEST_KEY};
use crate::mistake::{Mistakes, mistake};
use crate::template::{Part, Placeholder, Template};

/// Adds what is wrong with the template by itself.
pub(crate) fn check(template: &Template, mistakes: &mut Mistakes) {
    let wrong = &mut |rule: &str, help: &str| mistakes.add(mistake(&template.literal, rule, help));
    check_text(&template.outline(), wrong);
    check_hash_tag(&template.outline(), wrong);
    check_separators(template, wrong);
}

/// Takes a rule and the help for who broke it.
type Tell<'a> = &'a mut dyn FnMut(&str, &str);

fn check_text(outline: &str, wrong: Tell<'_>) {
    if outline.is_empty() {
        wrong("a key cannot be empty", "name what is locked, such as `\"stock:<id>\"`");
    }
    if outline.len() > LONGEST_KEY {
        let rule =
            format!("a key has at most {LONGEST_KEY} bytes, and the text of this one alone has {}", outline.len());
        wrong(&rule, "use a shorter name");
    }
    if outline.chars().any(char::is_control) {
        wrong("a key cannot hold control characters", "values may hold them, because values are escaped");
    }
    if outline.contains('{')
        && let Some(ending) = HELPER_ENDINGS.iter().find(|ending| outline.ends_with(**ending))
    {
        let rule = format!("a key with a hash tag cannot end in `{ending}`, where the runtime keeps its own data");
        wrong(&rule, "use another ending");
    }
}

fn check_hash_tag(outline: &str, wrong: Tell<'_>) {
    if let Some(rule) = flaw_of_braces(outline) {
        wrong(rule, "braces mark the hash tag of Redis Cluster: write one `{..}` with something in it, or none");
    }
}

/// The injectivity rule.
fn check_separators(template: &Template, wrong: Tell<'_>) {
    let mut previous: Option<(&str, &str)> = None;
    for part in &template.parts {
        match (part, previous) {
            (Part::Text(text), Some((before, _))) => previous = Some((before, text)),
            (Part::Text(_), None) => {}
            (Part::Value(Placeholder { path, .. }), before) => {
                previous = Some((path, ""));
                let Some((before, between)) = before else { continue };
                if between.chars().any(separates) {
                    continue;
                }
                let why = match between {
                    "" => "nothing stands between them".to_owned(),
                    _ => format!("values may hold `{between}` too"),
                };
                wrong(
                    &format!("`<{before}>{between}<{path}>` gives different values one key, because {why}"),
                    &format!(
                        "separate them by a character that values escape, such as `:`, `/` or `|`: `<{before}>:<{path}>`"
                    ),
                );
            }
        }
    }
}

/// A character that no escaped value holds, not even as the start of an escape.
fn separates(character: char) -> bool {
    !is_kept(character) && character != '%'
}
