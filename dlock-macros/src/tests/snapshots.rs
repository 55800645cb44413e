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
    crate::attribute::attribute(options.tokens, item)
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

/// What a reader of `cargo expand` would stumble over.
fn flaws(input: &str, output: &TokenStream) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut generated = idents(output.clone());
    for written in idents(input.parse().expect("tokens")) {
        generated.retain(|ident| *ident != written);
    }
    for banned in ["use", "allow", "std"] {
        if generated.iter().any(|ident| ident == banned) {
            flaws.push(format!("`{banned}` is generated"));
        }
    }
    let text = output.to_string();
    for name in ["__rt", "Result :: Ok", "Result :: Err"] {
        for (at, _) in text.match_indices(name) {
            let before = &text[..at];
            let crate_path = ["dlock_runtime :: ", "crate :: locks :: "].iter().any(|path| before.ends_with(path));
            if !crate_path && !before.ends_with(":: core :: result :: ") {
                flaws.push(format!("`{name}` is not absolute"));
            }
        }
    }
    for verb in
        ["__rt :: acquire (__key , __options) . await", "__lock . renew_while (async move {", "__lock . release"]
    {
        if !text.contains(verb) {
            flaws.push(format!("`{verb}` is not to be seen"));
        }
    }
    flaws
}

#[test]
fn every_expansion_shows_the_three_verbs_and_has_no_use_and_no_allow_and_names_everything_absolutely() {
    for file in files() {
        let text = fs::read_to_string(&file).expect("a snapshot");
        let input = text.split(LINE).next().expect("an input");
        assert_eq!(flaws(input, &expand(input)), Vec::<String>::new(), "{}", file.display());
    }
}

/// The negative control: each of these is found.
#[test]
fn a_flaw_in_an_expansion_is_found() {
    let input = "#[distributed_lock(key = \"a\")] async fn f() -> Result<(), Error> { g().await }";
    let good = expand(input).to_string();
    let broken = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in {good}");
        flaws(input, &good.replace(from, to).parse().expect("tokens"))
    };
    assert_eq!(broken("{ let __key", "{ use a :: b ; let __key"), ["`use` is generated"]);
    assert_eq!(broken("let __key", "# [allow (x)] let __key"), ["`allow` is generated"]);
    assert_eq!(broken(":: core :: result", ":: std :: result").len(), 3);
    assert_eq!(broken(":: dlock_runtime :: __rt :: key", "__rt :: key"), ["`__rt` is not absolute"]);
    assert_eq!(broken("acquire", "take").len(), 1);
    assert_eq!(broken("renew_while", "run").len(), 1);
    assert_eq!(broken(". release", ". give_back").len(), 1);
}

/// The lines that the attribute adds to a function, both formatted.
fn lines_added(function: &str, output: &str) -> usize {
    let formatted = prettyplease::unparse(&syn::parse_file(function).expect("a function"));
    output.lines().count() - formatted.lines().count()
}

#[test]
fn the_plain_case_has_at_most_16_generated_lines_around_the_body() {
    let input = "async fn deduct(id: u64, qty: u32) -> Result<u32, StockError> {\n    write(id, qty).await\n}\n";
    let options = "#[distributed_lock(key = \"stock:<id>\", ttl = 10)]";
    let output = prettyplease::unparse(&syn::parse2(expand(&format!("{options}{input}"))).expect("Rust"));
    let added = lines_added(input, &output);
    assert!((1..=16).contains(&added), "{added} lines around the body:\n{output}");
    // The negative control: lines are counted.
    let longer = output.replace("    let __key", "    let __more = ();\n    let __key");
    assert_eq!(lines_added(input, &longer), added + 1);
}

#[test]
fn at_least_25_shapes_are_on_file_and_each_is_another() {
    let mut outputs: Vec<String> = files()
        .iter()
        .map(|file| fs::read_to_string(file).expect("a snapshot"))
        .map(|text| expand(text.split(LINE).next().expect("an input")).to_string())
        .collect();
    assert!(outputs.len() >= 25, "{}", outputs.len());
    let all = outputs.len();
    outputs.sort();
    outputs.dedup();
    assert_eq!(outputs.len(), all, "two shapes have one expansion");
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
