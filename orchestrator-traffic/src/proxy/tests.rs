//! Real clients and versions on loopback, spoken to in bytes.

mod bodies;
mod connect;
mod h2c;
mod hostile;
mod http2;
mod interim;
mod plain;
mod rfc9112;
mod rig;
mod routes;
mod switches;
mod tunnels;
mod unreached;
mod windows;
