//! What the compiler says to mistakes with the attribute; see `tests/ui/README.md`.

use std::env;
use std::process::Command;

/// The compiler that wrote `types/*.stderr` and `warn/*.stderr`. Others word and place their own errors in other ways.
const WRITTEN_BY: &str = "rustc 1.95.";

#[test]
fn a_mistake_is_named_at_its_place_with_its_cure() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    if this_compiler().starts_with(WRITTEN_BY) {
        cases.compile_fail("tests/ui/types/*.rs");
        cases.compile_fail("tests/ui/warn/*.rs");
    } else {
        println!(
            "tests/ui/types and tests/ui/warn: left out, since {WRITTEN_BY}x wrote what it expects and this is {}",
            this_compiler()
        );
    }
}

fn this_compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
