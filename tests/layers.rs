//! The folders of the runtime are floors: each imports from those below it and never from one above, so that no two of them
//! form a circle. The unit tests of a floor may build a whole runtime.

use std::{collections::BTreeSet, fs, path::Path};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dlock-runtime/src");

/// From the ground up. `limits` and `sync` are single files, `__rt` is how paths call `macro_support`.
const FLOORS: [&str; 13] = [
    "limits",
    "system",
    "sync",
    "key",
    "types",
    "protocol",
    "observe",
    "store",
    "local",
    "keeper",
    "acquire",
    "api",
    "macro_support",
];

fn floor(name: &str) -> Option<usize> {
    let name = if name == "__rt" { "macro_support" } else { name };
    FLOORS.iter().position(|floor| *floor == name)
}

/// The modules of this crate that a file imports, or names by their whole path.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    // What stands behind it is a module of tests.
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut modules = BTreeSet::new();
    for path in code.split("crate::").skip(1) {
        match path.strip_prefix('{') {
            Some(group) => modules.extend(first_names(group)),
            None => modules.extend(name(path)),
        }
    }
    modules
}

/// The first name of each path in a group, up to its closing brace.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut begins) = (0, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if character.is_whitespace() => {}
            _ if begins => {
                names.extend(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn name(path: &str) -> Option<String> {
    let end = path.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(path.len());
    Some(path[..end].to_owned()).filter(|name| !name.is_empty())
}

/// Imports that run upward, of the file at `place` below the source folder.
fn upward(place: &str, text: &str) -> Vec<String> {
    let own = place.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let own = floor(own).unwrap_or_else(|| panic!("{place} stands on no floor: name it in FLOORS"));
    let rises = |name: &String| floor(name).is_none_or(|other| other > own);
    imports(text).into_iter().filter(rises).map(|name| format!("{place} imports crate::{name}")).collect()
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_a_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_a_test {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !is_a_test {
            found.push(path);
        }
    }
}

#[test]
fn no_import_runs_upward() {
    let mut found = Vec::new();
    files(Path::new(SOURCE), &mut found);
    assert!(found.len() > 50, "only {} files were found", found.len());
    let mut wrong = Vec::new();
    for path in found {
        let place = path.strip_prefix(SOURCE).expect("below it").to_str().expect("a plain name").to_owned();
        if place != "lib.rs" {
            wrong.extend(upward(&place, &fs::read_to_string(&path).expect("a file")));
        }
    }
    assert!(wrong.is_empty(), "imports that run upward:\n{}", wrong.join("\n"));
}

#[test]
fn each_floor_says_what_it_is() {
    for name in FLOORS.into_iter().filter(|name| !["limits", "sync"].contains(name)) {
        let face = fs::read_to_string(Path::new(SOURCE).join(name).join("mod.rs")).expect("each folder has its mod.rs");
        let lines = face.lines().take_while(|line| line.starts_with("//!")).count();
        assert!(lines >= 3, "{name}/mod.rs says in {lines} lines what it is, what it may use and who may use it");
    }
}

#[test]
fn control_an_import_that_runs_upward_is_named() {
    let text = "use std::fmt;\nuse crate::{\n    key::LockKey,\n    keeper::{state::KeeperState, thread},\n    types::error::LockError,\n};\n";
    assert_eq!(upward("local/turn/mod.rs", text), ["local/turn/mod.rs imports crate::keeper"]);
    assert_eq!(upward("store/mod.rs", "fn f() { crate::api::runtime::f() }"), ["store/mod.rs imports crate::api"]);
    assert_eq!(upward("key/mod.rs", "use crate::types::error::LockError;"), ["key/mod.rs imports crate::types"]);
    assert!(upward("api/guard.rs", text).is_empty());
    assert!(upward("key/mod.rs", "// crate::api is above\n#[cfg(test)]\nmod tests {\n use crate::api;\n}").is_empty());
}
