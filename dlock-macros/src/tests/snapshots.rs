//! `dlock-macros/snapshots/*.txt`: an annotated function, a line of `=`, and what it becomes.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p dlock-macros` writes them anew; read the difference before you commit it.

use std::path::PathBuf;
use std::{env, fs};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Item, Meta};

const LINE: &str = "\n====\n";

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let entries = fs::read_dir(folder).expect("the folder of the snapshots");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The tokens that the input in `text` becomes.
fn expand(text: &str) -> TokenStream {
    let Item::Fn(mut function) = syn::parse_str(text).expect("a function") else { panic!("not a function: {text}") };
    let Meta::List(options) = function.attrs.remove(0).meta else { panic!("no options: {text}") };
    let item = quote::ToTokens::into_token_stream(function);
    crate::attribute(options.tokens, item)
}

#[test]
fn the_expansion_is_the_one_on_file() {
    let mut differ = Vec::new();
    for file in files() {
        let text = fs::read_to_string(&file).expect("a snapshot");
        let (input, expected) = text.split_once(LINE).unwrap_or((text.trim_end(), ""));
        let output = prettyplease::unparse(&syn::parse2(expand(input)).expect("the output is Rust"));
        if output == expected {
            continue;
        }
        if env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&file, format!("{input}{LINE}{output}")).expect("the snapshot is written");
        } else {
            differ.push(format!("{}:\n{output}", file.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

#[test]
fn generated_code_has_no_use_and_no_allow_and_names_everything_absolutely() {
    for file in files() {
        let text = fs::read_to_string(&file).expect("a snapshot");
        let input = text.split(LINE).next().expect("an input");
        let mut generated = idents(expand(input));
        for written in idents(input.parse().expect("tokens")) {
            generated.retain(|ident| *ident != written);
        }
        let file = file.display();
        assert!(!generated.iter().any(|ident| ["use", "allow", "std"].contains(&ident.as_str())), "{file}");
        let own = expand(input).to_string();
        for name in ["__rt", "Result :: Ok", "Result :: Err"] {
            for (at, _) in own.match_indices(name) {
                let before = &own[..at];
                let absolute = before.ends_with("dlock_runtime :: ") || before.ends_with(":: core :: result :: ");
                assert!(absolute, "{file}: {name} is not absolute in {own}");
            }
        }
    }
}

fn idents(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(idents(group.stream())),
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            _ => {}
        }
    }
    found
}
