//! Each weakness is caught by the scenario that is there for it, and that the queue as it is passes.

use std::{io, process::Command};

use dlock_gate_check::weakness;

#[test]
fn every_weakness_is_caught() -> io::Result<()> {
    let mut missed = Vec::new();
    for (number, weakness) in weakness::ALL.iter().enumerate() {
        let output = Command::new(env!("CARGO_BIN_EXE_dlock-gate-check")).arg(number.to_string()).output()?;
        let words = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        println!("{}: {words}", weakness.name);
        if output.status.code() != Some(1) {
            missed.push(weakness.name);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
    Ok(())
}
