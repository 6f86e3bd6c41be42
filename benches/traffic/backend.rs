//! A version that answers, as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use orchestrator_traffic::load::backend::serve;

use crate::process::Running;

/// One version.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) version: String,
    pub(crate) address: SocketAddr,
    _process: Running,
}

impl Backend {
    /// Starts one; it answers when this returns.
    pub(crate) fn start(version: &str) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(["backend", version]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Running::start(&mut command).expect("this program can be started");
        let mut line = String::new();
        let output = process.child().stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().parse().expect("it says an address");
        Self { version: version.to_owned(), address, _process: process }
    }
}

/// The process itself.
pub(crate) fn main(version: &str) -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        println!("{}", listener.local_addr().expect("it is bound"));
        let _ = std::io::stdout().flush();
        serve(listener, version.to_owned(), Arc::new(AtomicU64::new(0))).await;
    });
    ExitCode::SUCCESS
}
