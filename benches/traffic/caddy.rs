//! caddy as Debian ships it, without its own administration.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::backend::Backend;
use crate::front::{Front, free, listens};
use crate::process::Running;

struct Caddy {
    address: SocketAddr,
    _folder: TempDir,
    process: Running,
}

pub(crate) fn start(version: &Backend) -> Result<Box<dyn Front>, String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let address = free();
    let config = format!(
        "{{\n admin off\n auto_https off\n}}\nhttp://{address} {{\n bind 127.0.0.1\n reverse_proxy {} {{\n  flush_interval -1\n }}\n}}\n",
        version.address
    );
    fs::write(folder.path().join("Caddyfile"), config).map_err(|error| error.to_string())?;
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]).current_dir(folder.path());
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(name, folder.path());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process =
        Running::start(&mut command).map_err(|error| format!("`caddy` cannot be started: {error}"))?;
    listens(address)?;
    Ok(Box::new(Caddy { address, _folder: folder, process }))
}

impl Front for Caddy {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn switch(&mut self, _: &Backend) -> Result<(), String> {
        Err("its administration is off in this bench".into())
    }

    fn upgrade(&mut self) -> Result<(), String> {
        Err("its administration is off in this bench".into())
    }
}
