//! "Did you mean": the nearest of the known names, and how a list of names reads in a sentence.

/// The known name that is nearest to `wrong`, if one is near enough to be what was meant.
///
/// The distance counts an exchange of two neighbours as one step (`tll` for `ttl`), and a third of the letters may be
/// wrong, as in rustc's own suggestions.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(steps, _)| *steps <= allowed)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, name)| name)
}

/// ``"`a`"``, ``"`a` and `b`"``, ``"`a`, `b` and `c`"``.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.pop() {
        None => String::new(),
        Some(last) if quoted.is_empty() => last,
        Some(last) => format!("{} and {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_a_different_word_finds_none() {
        let known = ["key", "ttl", "wait", "renew", "max_hold", "on_lost"];
        assert_eq!(nearest("tll", known), Some("ttl"));
        assert_eq!(nearest("kye", known), Some("key"));
        assert_eq!(nearest("maxhold", known), Some("max_hold"));
        assert_eq!(nearest("WAIT", known), Some("wait"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_list_reads_as_a_sentence() {
        assert_eq!(list([]), "");
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
