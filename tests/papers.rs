//! The papers name only what exists: each file, folder and test in backticks, each relative link, and in ARCHITECTURE.md each
//! floor of the runtime.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PAPERS: [&str; 3] = ["ARCHITECTURE.md", "SAFETY.md", "CONTRIBUTING.md"];

/// Where a path in a paper may start.
const BASES: [&str; 5] =
    ["", "dlock-runtime/src", "dlock-runtime/src/store/redis/scripts", "dlock-macros/src", "tests"];

/// The folders that a path with a slash starts in, if it is one of ours.
const ROOTS: [&str; 4] = ["dlock-runtime", "dlock-macros", "tests", "examples"];

fn floors() -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(ROOT).join("dlock-runtime/src")).expect("the folder");
    let folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

/// What stands between two backticks of one line, and the words of blocks that are in no language.
fn quoted(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (at, part) in text.split("\n```").enumerate() {
        if at % 2 == 0 {
            words.extend(part.lines().flat_map(|line| line.split('`').skip(1).step_by(2)));
        } else if part.starts_with('\n') {
            words.extend(part.split_whitespace().map(|word| word.trim_matches([',', ';', ':', '(', ')'])));
        }
    }
    words
}

fn is_path(word: &str) -> bool {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let first = word.split('/').next().unwrap_or_default();
    let in_folder = word.contains('/') && (ROOTS.contains(&first) || floors().contains(first));
    is_plain && (word.ends_with(".rs") || word.ends_with(".lua") || in_folder)
}

fn exists(path: &str) -> bool {
    BASES.iter().any(|base| {
        let place = Path::new(ROOT).join(base).join(path);
        place.exists() || (!path.contains('.') && place.with_extension("rs").exists())
    })
}

/// The name of a test, which is a whole sentence.
fn test_name(word: &str) -> Option<&str> {
    let name = word.rsplit("::").next()?;
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (is_name && name.matches('_').count() >= 4).then_some(name)
}

/// The relative links of a paper, without their anchors, that lead nowhere.
fn broken_links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let relative = targets.filter(|to| !to.is_empty() && !to.contains("://"));
    relative.filter(|to| !Path::new(ROOT).join(to).exists()).map(str::to_owned).collect()
}

/// What a paper names and is not there. `sources` is the text of all Rust files.
fn missing(text: &str, sources: &str) -> Vec<String> {
    let words = quoted(text);
    // Every folder has a `mod.rs`.
    let paths = words.iter().filter(|word| is_path(word) && **word != "mod.rs" && !exists(word));
    let tests = words.iter().filter(|word| test_name(word).is_some_and(|name| !sources.contains(name)));
    paths.chain(tests).map(|word| (*word).to_owned()).chain(broken_links(text)).collect()
}

fn sources() -> String {
    let mut folders = ["dlock-runtime", "dlock-macros", "tests"].map(|name| Path::new(ROOT).join(name)).to_vec();
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                folders.extend((!["target", "ui"].contains(&name)).then_some(path));
            } else if name.ends_with(".rs") && name != "papers.rs" {
                text += &fs::read_to_string(&path).expect("a file");
            }
        }
    }
    text
}

#[test]
fn the_papers_name_only_files_folders_and_tests_that_exist() {
    let sources = sources();
    for paper in PAPERS {
        let path = Path::new(ROOT).join(paper);
        if path.exists() {
            let text = fs::read_to_string(path).expect("a paper");
            assert_eq!(missing(&text, &sources), Vec::<String>::new(), "{paper} names what does not exist");
        }
    }
    // What it names in backticks may be a file of its reader's.
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("the README");
    assert_eq!(broken_links(&readme), Vec::<String>::new(), "README.md links to what does not exist");
}

#[test]
fn the_map_has_a_row_for_each_floor() {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("the paper");
    let (_, section) = text.split_once("\n## Floors").expect("a section about the floors");
    let table = section.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
    let rows = table.filter_map(|line| Some(line.split('`').nth(1)?.to_owned())).collect::<BTreeSet<_>>();
    assert_eq!(rows, floors());
}

#[test]
fn control_what_does_not_exist_is_named() {
    let sources = "fn a_test_that_is_really_there() {}";
    let text = "`keeper/nowhere.rs`, `local/nowhere`, `never.lua`, `exclusion::a_test_that_is_not_there`, [x](no.md#y)\n\
                ```\na call    keeper/neither.rs, then more\n```\n";
    let named = missing(text, sources);
    assert_eq!(
        named,
        [
            "keeper/nowhere.rs",
            "local/nowhere",
            "never.lua",
            "keeper/neither.rs",
            "exclusion::a_test_that_is_not_there",
            "no.md",
        ]
    );
    let text = "`local/queue`, `acquire.lua`, `tests/run`, `x::a_test_that_is_really_there`, `+eval`, `ttl / 3`, [y](README.md)\n\
                ```rust\nmod nowhere; // keeper/nowhere.rs\n```\n";
    assert_eq!(missing(text, sources), Vec::<String>::new());
}
