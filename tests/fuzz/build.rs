//! Copies the text of the attribute, because nothing can call into a crate of procedural macros: as it is, and once for each
//! [`weakness`](src/weakness.rs).

#[expect(dead_code, unreachable_pub, reason = "the library tells more of them")]
#[path = "src/weakness.rs"]
mod weakness;

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use weakness::{ALL, Weakness};

const SOURCES: &str = "../../dlock-macros/src";
const DOOR: &str = "src/door.rs";

/// A file's path below the sources, and its text.
type Source = (PathBuf, String);

fn main() -> Result<(), Box<dyn Error>> {
    for input in [SOURCES, DOOR, "src/weakness.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let mut sources = Vec::new();
    read(Path::new(SOURCES), Path::new(""), &mut sources)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut copies = String::new();
    let mut list = String::new();
    // The guided search has no use for the others, and much more to compile for each.
    let weakened = if env::var_os("CARGO_FEATURE_LIBFUZZER").is_some() { &[] } else { ALL };
    let names = weakened.iter().map(|weakness| (weakness.name, Some(weakness)));
    for (name, weakness) in std::iter::once(("as_it_is", None)).chain(names) {
        let folder = out.join(name);
        write(&folder, name, &sources, weakness)?;
        writeln!(copies, "#[path = {:?}] pub(crate) mod {name};", folder.join("mod.rs"))?;
        writeln!(list, "    {name}::door::copy({name:?}),")?;
    }
    writeln!(copies, "pub(crate) const COPIES: &[crate::Copy] = &[\n{list}];")?;
    fs::write(out.join("copies.rs"), copies)?;
    Ok(())
}

/// All files but the tests.
fn read(root: &Path, below: &Path, sources: &mut Vec<Source>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            read(root, &path, sources)?;
        } else {
            sources.push((path.clone(), fs::read_to_string(root.join(&path))?));
        }
    }
    Ok(())
}

fn write(folder: &Path, name: &str, sources: &[Source], weakness: Option<&Weakness>) -> Result<(), Box<dyn Error>> {
    // What an earlier build left there may be gone from the sources.
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let patched = weakness.map(|weakness| find(sources, weakness)).transpose()?;
    for (at, (path, text)) in sources.iter().enumerate() {
        let mut text = match (weakness, patched) {
            (Some(Weakness { text: strong, instead, .. }), Some(file)) if file == at => {
                text.replacen(strong, instead, 1)
            }
            _ => text.clone(),
        };
        let mut file = folder.join(path);
        if path.as_os_str() == "lib.rs" {
            text = without_the_macro(&text)?;
            writeln!(text, "\n#[path = {:?}]\npub(crate) mod door;", fs::canonicalize(DOOR)?)?;
            file = folder.join("mod.rs");
        }
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, at_home(&text, name, sources))?;
    }
    Ok(())
}

/// The file to change. The text must be there, and once.
fn find(sources: &[Source], weakness: &Weakness) -> Result<usize, String> {
    let Weakness { name, file, text, .. } = weakness;
    let count = |source: &Source| source.1.matches(text).count();
    match sources.iter().position(|(path, _)| path.as_os_str() == *file) {
        Some(at) if count(&sources[at]) == 1 => Ok(at),
        _ => Err(format!("the text of the weakness `{name}` does not stand in dlock-macros/src/{file} once")),
    }
}

/// The door of the crate without the part that only the compiler can call.
fn without_the_macro(text: &str) -> Result<String, String> {
    let cut = |text: &str, from: &str, to: &str| -> Result<String, String> {
        let missing = || format!("dlock-macros/src/lib.rs has no `{from}`");
        let (before, rest) = text.split_once(from).ok_or_else(missing)?;
        let (_, after) = rest.split_once(to).ok_or_else(missing)?;
        Ok(format!("{before}{after}"))
    };
    let text = cut(text, "#[cfg(test)]\nmod tests", ";\n")?;
    let text = cut(&text, "#[proc_macro_attribute]\n", "\n}\n")?;
    // A comment that would now document something else.
    Ok(text.lines().filter(|line| !line.starts_with("///")).fold(String::new(), |text, line| text + line + "\n"))
}

/// What is the crate's root there is a module here.
fn at_home(text: &str, name: &str, sources: &[Source]) -> String {
    let home = format!("crate::copies::{name}::");
    let modules = sources.iter().filter_map(|(path, _)| path.file_stem()?.to_str()).chain(["{", "attribute"]);
    modules.fold(text.to_owned(), |text, module| text.replace(&format!("crate::{module}"), &format!("{home}{module}")))
}
