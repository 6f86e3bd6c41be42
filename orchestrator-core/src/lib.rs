//! Placeholder of the crate documentation.

pub mod action;
pub mod agent;
pub mod baseline;
#[cfg(feature = "testkit")]
#[doc(hidden)]
pub mod bench;
mod clock;
pub mod detect;
pub mod effect;
pub mod event;
pub mod evidence;
pub mod executor;
pub mod file;
pub mod graph;
pub mod id;
pub mod input;
mod job;
pub mod json;
pub mod layout;
pub mod local;
pub mod lock;
pub mod observer;
pub mod operation;
pub mod orchestrator;
pub mod order;
pub mod outcome;
pub mod path;
pub mod perform;
pub mod phase;
pub mod pipeline;
pub mod plan;
pub mod planner;
pub mod preview;
pub mod problem;
pub mod progress;
pub mod project;
pub mod registry;
pub mod report;
pub mod retry;
mod runner;
pub mod scheduler;
pub mod settings;
pub mod state;
pub mod stop;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod tree;
pub mod units;
mod watch;
pub mod workspace;

/// An error of code that plugs in.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;
