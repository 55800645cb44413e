//! Compiles the runtime for the scheduler: `dlock-runtime/src/sync.rs` then takes locks, atomics and channels from it.

fn main() {
    println!("cargo:rustc-cfg=dlock_shuttle");
    println!("cargo:rerun-if-changed=build.rs");
}
