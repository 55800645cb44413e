//! Compiles the runtime for the simulation: `dlock-runtime/src/system` then takes clocks, randomness, tasks and connections from
//! a simulated world. Only this package does so.

fn main() {
    println!("cargo:rustc-cfg=dlock_simulation");
    println!("cargo:rerun-if-changed=build.rs");
}
