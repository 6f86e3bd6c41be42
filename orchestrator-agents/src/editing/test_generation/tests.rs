//! Tests of `test_generation`.

mod bounds;
mod node;
mod python;
mod rounds;
mod texts;
