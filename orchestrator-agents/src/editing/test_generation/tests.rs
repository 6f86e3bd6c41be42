//! Tests of `test_generation`.

mod bounds;
mod example;
mod node;
mod python;
mod rounds;
mod rust;
mod texts;
