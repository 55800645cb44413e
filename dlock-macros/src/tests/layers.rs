//! No file of the crate imports one that imports it, directly or by way of others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each file, with the files whose names stand behind `crate::` or `super::` in it.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn imports() -> Imports {
    let mut imports = Imports::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (folder, within) in [("", "crate::"), ("expand", "super::")] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            // What is below the tests, and the two that only put together what there is.
            if path.is_dir() || ["tests", "lib", "mod"].contains(&name.as_str()) {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            imports.insert(format!("{folder}/{name}"), named(code, folder, within));
        }
    }
    imports
}

fn named(code: &str, folder: &str, within: &str) -> BTreeSet<String> {
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (prefix, folder) in [("crate::", ""), (within, folder)] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            found.insert(format!("{folder}/{}", &rest[..end]));
        }
    }
    found
}

/// A way from a file back to itself.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn walk<'a>(imports: &'a Imports, at: &'a str, way: &mut Vec<&'a str>, done: &mut BTreeSet<&'a str>) -> bool {
        if let Some(start) = way.iter().position(|name| *name == at) {
            way.drain(..start);
            return true;
        }
        if !done.insert(at) {
            return false;
        }
        way.push(at);
        if imports.get(at).is_some_and(|names| names.iter().any(|name| walk(imports, name, way, done))) {
            return true;
        }
        way.pop();
        false
    }
    let (mut done, mut way) = (BTreeSet::new(), Vec::new());
    let found = imports.keys().any(|name| walk(imports, name, &mut way, &mut done));
    found.then(|| way.into_iter().map(str::to_owned).collect())
}

#[test]
fn no_two_files_import_each_other() {
    let imports = imports();
    assert!(imports.len() > 20, "{imports:?}");
    assert!(imports["/check"].contains("/template"), "{imports:?}");
    assert!(imports["expand/key"].contains("expand/expansion"), "{imports:?}");
    assert_eq!(circle(&imports), None);
}

/// The negative control.
#[test]
fn a_circle_is_noticed() {
    let of = |names: &[(&str, &[&str])]| -> Imports {
        names.iter().map(|(name, to)| ((*name).to_owned(), to.iter().map(|&to| to.to_owned()).collect())).collect()
    };
    assert_eq!(circle(&of(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])), None);
    let found = circle(&of(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &[]), ("d", &["b"])]));
    assert_eq!(found, Some(vec!["b".to_owned(), "d".to_owned()]));
}
