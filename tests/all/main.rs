//! One test binary: it links once.
#![allow(missing_docs)]

mod readme;
