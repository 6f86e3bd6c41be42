//! Tests of `test_generation`.

mod bounds;
mod node;
mod rounds;
mod texts;
