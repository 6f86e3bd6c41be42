//! Tests of `test_generation`.
