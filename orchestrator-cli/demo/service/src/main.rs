//! The `school` program: reads its settings from the environment and serves.

use school::{Config, Server};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let config = match Config::from_lookup(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(message) => {
            eprintln!("school: {message}");
            return ExitCode::from(2);
        }
    };
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
