//! Carries inputs between the files of the corpus and the folders that libFuzzer works in.

use std::{path::Path, process::ExitCode};

use dlock_fuzz::{Target, corpus};

const USAGE: &str = "usage: dlock-fuzz unpack|pack options|templates FOLDER
  unpack  writes each input of the corpus into a file of its own
  pack    adds the files of a folder to the corpus";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [verb, name, folder] = words.as_slice() else { return usage() };
    let Some(target) = Target::ALL.into_iter().find(|target| target.name() == name) else { return usage() };
    let folder = Path::new(folder);
    let outcome = match verb.as_str() {
        "unpack" => corpus::unpack(target, folder),
        "pack" => corpus::pack(target, folder).map(|count| println!("{count} inputs on file for {name}")),
        _ => return usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
