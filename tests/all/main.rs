//! One test binary: it links once.

mod architecture;
mod readme;
