//! nginx as Debian ships it, with what people give it for such traffic: kept connections to the version, no buffering of events, no log.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::backend::Backend;
use crate::front::{Front, free, listens};
use crate::process::{Running, signal};

struct Nginx {
    address: SocketAddr,
    folder: TempDir,
    process: Running,
}

pub(crate) fn start(version: &Backend) -> Result<Box<dyn Front>, String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let address = free();
    configure(folder.path(), address, version)?;
    let mut command = Command::new("nginx");
    command.env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin");
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf"]);
    command.args(["-e", "error.log"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process =
        Running::start(&mut command).map_err(|error| format!("`nginx` cannot be started: {error}"))?;
    listens(address)?;
    Ok(Box::new(Nginx { address, folder, process }))
}

fn configure(folder: &Path, address: SocketAddr, version: &Backend) -> Result<(), String> {
    let config = format!(
        "daemon off;\nworker_processes 2;\npid nginx.pid;\nworker_shutdown_timeout 30s;\nuser root;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  client_max_body_size 0;\n\
         fastcgi_temp_path f;\n  uwsgi_temp_path u;\n  scgi_temp_path s;\n\
         upstream app {{ server {}; keepalive 256; }}\n\
         map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n\
         server {{\n    listen {address} backlog=1024;\n    location / {{\n      proxy_pass http://app;\n      proxy_http_version 1.1;\n\
         proxy_set_header Connection $connection_upgrade;\n      proxy_set_header Upgrade $http_upgrade;\n\
         proxy_set_header Host $host;\n      proxy_set_header X-Forwarded-For $remote_addr;\n\
         proxy_set_header X-Forwarded-Proto $scheme;\n      proxy_buffering off;\n      proxy_request_buffering off;\n    }}\n  }}\n}}\n",
        version.address
    );
    fs::write(folder.join("nginx.conf"), config).map_err(|error| error.to_string())
}

impl Front for Nginx {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn switch(&mut self, to: &Backend) -> Result<(), String> {
        configure(self.folder.path(), self.address, to)?;
        self.upgrade()
    }

    /// A reload: new workers with the configuration as it is now.
    fn upgrade(&mut self) -> Result<(), String> {
        signal(self.process.pid(), Signal::HUP);
        Ok(())
    }
}
