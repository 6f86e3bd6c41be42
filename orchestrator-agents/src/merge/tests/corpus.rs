//! Forty kinds of merges.
