//! orchestrate
fn main() {}
