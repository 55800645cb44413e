//! The inputs on file: `corpus/NAME.txt`, one on each line, with `\n`, `\u{0}` and `\\` for what a line cannot show.
//!
//! libFuzzer keeps each of its inputs in a file of its own, so [`unpack`] and [`pack`] stand between the two.

use std::{collections::BTreeSet, fs, io, path::Path, path::PathBuf};

use crate::Target;

/// Where the inputs of a target are on file.
pub fn file(target: Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name()).with_extension("txt")
}

/// The inputs of a target.
///
/// # Errors
/// If they cannot be read.
pub fn read(target: Target) -> io::Result<Vec<String>> {
    Ok(fs::read_to_string(file(target))?.lines().map(unescaped).collect())
}

/// Writes each input of a target into a file of its own.
///
/// # Errors
/// If they cannot be read or written.
pub fn unpack(target: Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, text) in read(target)?.iter().enumerate() {
        fs::write(folder.join(format!("{number:05}")), text)?;
    }
    Ok(())
}

/// Adds what stands in the files of `folder` to the inputs of a target, sorted, each once. Returns how many there are.
///
/// # Errors
/// If they cannot be read or written.
pub fn pack(target: Target, folder: &Path) -> io::Result<usize> {
    let mut texts: BTreeSet<String> = read(target).unwrap_or_default().into_iter().collect();
    for entry in fs::read_dir(folder)? {
        // What is no text is no input either.
        texts.extend(String::from_utf8(fs::read(entry?.path())?));
    }
    let lines: String = texts.iter().map(|text| escaped(text) + "\n").collect();
    fs::write(file(target), lines)?;
    Ok(texts.len())
}

fn escaped(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            // Also what would turn the direction of the text, or be no wider than nothing.
            _ if character.is_control() || !(character.is_alphanumeric() || character.is_ascii()) => {
                line.extend(character.escape_unicode());
            }
            _ => line.push(character),
        }
    }
    line
}

fn unescaped(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        rest = if let Some(after) = after.strip_prefix('n') {
            text.push('\n');
            after
        } else if let Some((code, after)) = after.strip_prefix("u{").and_then(|code| code.split_once('}')) {
            text.extend(u32::from_str_radix(code, 16).ok().and_then(char::from_u32));
            after
        } else {
            text.push('\\');
            after.strip_prefix('\\').unwrap_or(after)
        };
    }
    text + rest
}

/// Whether [`pack`] and [`read`] agree about these inputs.
pub fn survives(text: &str) -> bool {
    let line = escaped(text);
    unescaped(&line) == text && !line.contains(['\n', '\r'])
}
