//! The rules that make a template safe.
//!
//! **Invariant:** an accepted template is injective: two different lists of values never give one key. Values are escaped
//! except for the characters they keep ([`values_keep`]), so it is enough that between any two placeholders stands a
//! character that values never hold. (`%` is not one: escapes begin with it.)

use crate::mistake::{Mistakes, mistake};
use crate::template::{Part, Placeholder, Template};

/// The runtime accepts no longer key.
const LONGEST_KEY: usize = 512;

/// Endings under which the runtime keeps what belongs to a key that has its own hash tag.
const HELPERS: [&str; 3] = [":fence", ":queue", ":seen"];

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
        && let Some(ending) = HELPERS.iter().find(|ending| outline.ends_with(**ending))
    {
        let rule = format!("a key with a hash tag cannot end in `{ending}`, where the runtime keeps its own data");
        wrong(&rule, "use another ending");
    }
}

/// Redis Cluster hashes what stands between the first `{` and the next `}`. A stray brace would move keys between nodes
/// depending on the values, and nothing between the two would switch the tag off.
fn check_hash_tag(outline: &str, wrong: Tell<'_>) {
    const CLOSES_NONE: Option<&str> = Some("this `}` closes no `{`");
    let rule = match outline.split_once('{') {
        None if outline.contains('}') => CLOSES_NONE,
        None => None,
        Some((before, _)) if before.contains('}') => CLOSES_NONE,
        Some((_, rest)) => match rest.split_once('}') {
            None => Some("this hash tag has no closing `}`"),
            Some(("", _)) => Some("an empty `{}` is no hash tag"),
            Some((inside, _)) if inside.contains('{') => Some("a hash tag cannot hold another `{`"),
            Some((_, after)) if after.contains('{') => Some("a key has at most one hash tag"),
            Some((_, after)) if after.contains('}') => CLOSES_NONE,
            Some(_) => None,
        },
    };
    if let Some(rule) = rule {
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

/// What an escaped value may hold as it is. The runtime escapes everything else.
fn values_keep(character: char) -> bool {
    character.is_alphanumeric() || "-._~@+".contains(character)
}

/// A character that no escaped value holds, not even as the start of an escape.
fn separates(character: char) -> bool {
    !values_keep(character) && character != '%'
}
