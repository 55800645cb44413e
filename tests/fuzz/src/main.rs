//! Carries inputs between the files of the corpus and the folders that libFuzzer works in.
//!
//! `unpack NAME FOLDER` writes each input into a file of its own, and `pack NAME FOLDER` adds the files of a folder to the corpus.

use std::{error::Error, path::Path};

use dlock_fuzz::{Target, inputs};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [verb, name, folder] = words.as_slice() else { return Err("unpack|pack options|templates FOLDER".into()) };
    let target = Target::ALL.into_iter().find(|target| target.name() == name).ok_or("options or templates")?;
    match verb.as_str() {
        "unpack" => inputs::unpack(target, Path::new(folder))?,
        "pack" => inputs::pack(target, Path::new(folder))?,
        _ => return Err("unpack or pack".into()),
    }
    Ok(())
}
