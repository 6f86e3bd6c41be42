//! Tests of `test_generation`.

mod bounds;
mod example;
mod node;
mod rounds;
mod texts;
