//! How a template is read. From `<` to the next `>` is a placeholder, outside of one `<<` and `>>` stand for one bracket, and
//! all else is text. Which characters of a value stay as they are, and which braces make a hash tag.
//!
//! The attribute reads a template while compiling, the runtime when it fills it. So that both read the same, this file is part
//! of both crates (`dlock-macros/src/grammar.rs` is a link to it), and it needs nothing of either.

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Literal text; two parts of it can follow each other.
    Text(&'a str),
    /// What stands between the brackets.
    Placeholder(&'a str),
}

/// Why it cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw<'a> {
    /// A `>` that closes nothing.
    Unopened,
    /// A `<` with this behind it, and no `>`.
    Unclosed(&'a str),
}

/// The parts of `template`, up to the first flaw.
pub(crate) fn parts(template: &str) -> Parts<'_> {
    Parts { rest: template }
}

/// See [`parts`].
pub(crate) struct Parts<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Flaw<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        let (text, at_bracket) = rest.split_at(rest.find(['<', '>']).unwrap_or(rest.len()));
        if !text.is_empty() {
            self.rest = at_bracket;
            return Some(Ok(Part::Text(text)));
        }
        let (bracket, after) = rest.split_at_checked(1)?;
        Some(if let Some(after) = after.strip_prefix(bracket) {
            self.rest = after;
            Ok(Part::Text(bracket))
        } else if bracket == ">" {
            Err(Flaw::Unopened)
        } else {
            match after.split_once('>') {
                Some((path, after)) => {
                    self.rest = after;
                    Ok(Part::Placeholder(path))
                }
                None => Err(Flaw::Unclosed(after)),
            }
        })
    }
}

/// Whether an escaped value holds this character as it is.
pub(crate) fn is_kept(character: char) -> bool {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' | '@' | '+' => true,
        _ => !character.is_ascii() && character.is_alphabetic(),
    }
}

/// What is wrong with the braces. Redis Cluster hashes what stands between the first `{` and the next `}`: a stray brace would
/// move keys between nodes depending on the values, and nothing between the two would switch the tag off.
pub(crate) fn flaw_of_braces(text: &str) -> Option<&'static str> {
    const CLOSES_NONE: Option<&str> = Some("this `}` closes no `{`");
    match text.split_once('{') {
        None if text.contains('}') => CLOSES_NONE,
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
    }
}
