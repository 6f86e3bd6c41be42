//! Real clients and versions on loopback, spoken to in bytes.

mod bodies;
mod hostile;
mod rfc9112;
mod rig;
mod routes;
mod switches;
mod tunnels;
