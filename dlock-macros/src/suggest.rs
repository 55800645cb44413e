//! "Did you mean": the nearest of the known names, and how a list of names reads in a sentence.

/// The known name that is nearest to `wrong`, if one is near enough to be what was meant.
///
/// The distance counts an exchange of two neighbours as one step (`tll` for `ttl`), and a third of the letters may be
/// wrong, as in rustc's own suggestions.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
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

/// Insertions, deletions, replacements and exchanges of neighbours between two words (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=from.len() {
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut steps = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                steps = steps.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = steps;
        }
    }
    rows[from.len()][to.len()]
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
