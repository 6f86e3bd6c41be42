//! Real clients and versions on loopback, spoken to in bytes.

mod rig;
mod routes;
