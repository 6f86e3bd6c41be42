//! The reverse proxy: routes requests to versions, swaps them without closing a connection, and counts what came of each.
pub mod access_log;
pub mod metrics;
pub mod state;
pub mod tls;
