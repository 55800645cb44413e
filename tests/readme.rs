//! What README.md tells a reader to paste works as it stands, in a crate outside of this workspace.

#![cfg(unix)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const WORKSPACE: &str = env!("CARGO_MANIFEST_DIR");

/// What the README says the program prints.
const PRINTED: &str = "sold, 4 left\n";

/// The one block of this kind below the heading.
fn block(kind: &str) -> String {
    let readme = fs::read_to_string(Path::new(WORKSPACE).join("README.md")).expect("the README");
    let chapter = readme.split("\n## ").find(|chapter| chapter.starts_with("Use it\n")).expect("the chapter");
    let blocks: Vec<&str> = chapter.split(&format!("```{kind}\n")).skip(1).collect();
    assert_eq!(blocks.len(), 1, "blocks of {kind}");
    assert!(chapter.contains(&format!("prints `{}`", PRINTED.trim_end())), "what it prints");
    blocks[0].split("```").next().expect("its text").to_owned()
}

/// A folder with a `dlock` in it, as a reader has it beside a crate of their own. It has the same path in each run, so that Cargo
/// knows again what it built.
fn beside_a_checkout() -> PathBuf {
    let folder = env::temp_dir().join(format!("dlock-readme{}", WORKSPACE.replace('/', "-")));
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the folder of an earlier run goes");
    }
    fs::create_dir_all(&folder).expect("a folder");
    std::os::unix::fs::symlink(WORKSPACE, folder.join("dlock")).expect("a link");
    folder
}

/// Runs lines of a shell, with the Cargo of this test and with what it downloaded. Gives what they print.
fn shell(folder: &Path, lines: &str) -> String {
    let cargo = PathBuf::from(env::var_os("CARGO").expect("the test is run by Cargo"));
    let mut path = vec![cargo.parent().expect("its folder").to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let output = Command::new("sh")
        .args(["-ec", lines])
        .current_dir(folder)
        .env("PATH", env::join_paths(path).expect("a path"))
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", Path::new(WORKSPACE).join("target/readme"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{lines}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_commands_for_a_checkout_and_the_program_work_as_pasted() {
    let folder = beside_a_checkout();
    let lines: String = block("console").lines().map(|line| format!("{}\n", line.trim_start_matches("$ "))).collect();
    shell(&folder, &lines);
    let shop = folder.join("shop");
    fs::write(shop.join("src/main.rs"), block("rust")).expect("main.rs is written");
    // The versions that are here already.
    fs::copy(Path::new(WORKSPACE).join("Cargo.lock"), shop.join("Cargo.lock")).expect("Cargo.lock is copied");
    assert_eq!(shell(&shop, "cargo run --quiet"), PRINTED);
}
