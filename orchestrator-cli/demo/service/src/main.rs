//! The `school` program: reads its settings from the environment and serves.
//!
//! SIGTERM ends it at once: without a dependency there is no way to hear of the signal first.
//! Whoever sends it has sent requests elsewhere before, as a proxy that drains does.

use school::{Config, Server};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let config = match Config::from_lookup(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(message) => {
            eprintln!("school: {message}");
            return ExitCode::from(2);
        }
    };
    if config.hang_on_stop {
        if let Err(error) = deaf() {
            eprintln!("school: cannot ignore SIGTERM: {error}");
            return ExitCode::FAILURE;
        }
    }
    let port = config.port;
    let server = match Server::bind(config) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("school: cannot listen on 127.0.0.1:{port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    // A closed standard output is no reason to stop serving.
    let address = server.local_addr();
    let _ = writeln!(std::io::stdout(), "school {} listening on http://{address}", school::VERSION);
    server.run();
    ExitCode::SUCCESS
}

/// Becomes the same program with SIGTERM ignored: a shell ignores it, and what it becomes inherits
/// that.
fn deaf() -> io::Result<()> {
    const DONE: &str = "SCHOOL_DEAF";
    if std::env::var_os(DONE).is_some() {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    Err(Command::new("sh")
        .args(["-c", "trap '' TERM; exec \"$0\""])
        .arg(program)
        .env(DONE, "1")
        .exec())
}
