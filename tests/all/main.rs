//! One test binary: it links once.

mod approve;
mod architecture;
mod backup;
mod backup_kill;
mod commands;
mod demo;
mod deploying;
mod doctor;
mod fast;
mod housekeeping;
mod journals;
mod kill;
mod plugin;
mod proxy;
mod readme;
mod releasing;
mod roadmap;
mod rollback;
mod shared;
mod supervise;
mod support;
mod traffic;
