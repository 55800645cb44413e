//! Placeholder replaced by the first example.
fn main() {}
