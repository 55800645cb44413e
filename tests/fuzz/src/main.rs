//! Carries inputs between the files of the corpus and the folders in which libFuzzer keeps each input in a file of its own.
//!
//! `unpack NAME FOLDER` writes such files, and `pack NAME FOLDER` adds them to the corpus, sorted, each once.

use std::{collections::BTreeSet, env, error::Error, fs, path::Path};

use dlock_fuzz::{
    Target,
    inputs::{Inputs, escaped, file},
};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [verb, name, folder] = words.as_slice() else { return Err("unpack|pack options|templates FOLDER".into()) };
    let target = Target::named(name).ok_or("options or templates")?;
    let mut texts = Inputs::of(&target)?.on_file.into_iter().collect::<BTreeSet<_>>();
    match verb.as_str() {
        "unpack" => {
            fs::create_dir_all(folder)?;
            for (number, text) in texts.iter().enumerate() {
                fs::write(Path::new(folder).join(format!("{number:05}")), text)?;
            }
        }
        "pack" => {
            for entry in fs::read_dir(folder)? {
                // What is no text is no input either.
                texts.extend(String::from_utf8(fs::read(entry?.path())?));
            }
            fs::write(file(name), texts.iter().map(|text| escaped(text) + "\n").collect::<String>())?;
        }
        _ => return Err("unpack or pack".into()),
    }
    Ok(())
}
