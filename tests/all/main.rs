//! One test binary: it links once.

mod approve;
mod architecture;
mod backup;
mod backup_kill;
mod commands;
mod demo;
mod deploying;
mod doctor;
mod earlier;
mod fast;
mod faults;
mod going_back;
mod hosts;
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
