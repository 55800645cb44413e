//! What is published is what users need: the sources, the README and both licences; no tests of the compiler's words, no
//! snapshots and no benchmarks.

use std::{env, process::Command};

/// The files of a package, as `cargo package` would put them in.
fn files(package: &str) -> Vec<String> {
    let output = Command::new(env::var_os("CARGO").expect("the test is run by Cargo"))
        .args(["package", "--list", "--allow-dirty", "--offline", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // It warns of metadata that is missing.
    assert!(!errors.contains("warning"), "{errors}");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// Besides those that Cargo adds, sources only.
fn holds_sources_and_papers(package: &str) -> Vec<String> {
    const PAPERS: [&str; 6] =
        ["Cargo.toml", "Cargo.toml.orig", "Cargo.lock", "README.md", "LICENSE-APACHE", "LICENSE-MIT"];
    let files = files(package);
    for paper in PAPERS {
        assert!(files.iter().any(|file| file == paper), "{package} has no {paper}");
    }
    let other = |file: &&String| {
        !PAPERS.contains(&file.as_str()) && !file.starts_with("src/") && *file != ".cargo_vcs_info.json"
    };
    assert_eq!(files.iter().filter(other).collect::<Vec<_>>(), Vec::<&String>::new(), "{package}");
    files
}

#[test]
fn the_package_of_the_runtime_holds_its_sources_scripts_and_papers() {
    let files = holds_sources_and_papers("dlock-runtime");
    for needed in ["src/lib.rs", "src/distributed_lock.md", "src/store/redis/scripts/acquire.lua"] {
        assert!(files.iter().any(|file| file == needed), "{needed}");
    }
}

#[test]
fn the_package_of_the_attribute_holds_its_sources_and_papers_and_what_it_shares_with_the_runtime() {
    let files = holds_sources_and_papers("dlock-macros");
    for needed in ["src/lib.rs", "src/grammar.rs", "src/limits.rs", "src/expand/mod.rs"] {
        assert!(files.iter().any(|file| file == needed), "{needed}");
    }
}
