//! Which process listens where. Reads `/proc`: processes of other users are not told.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::process::{self, stat};

/// The most addresses that are told of one service.
const TOLD: usize = 5;

/// A socket that listens: where, and how the descriptors of a process name it.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    name: String,
}

/// All that listen on this machine.
pub(super) fn listeners() -> Vec<Listener> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets = tables.iter().flat_map(|table| table.lines().skip(1).filter_map(listening));
    sockets.map(|(address, inode)| Listener { address, name: format!("socket:[{inode}]") }).collect()
}

/// The processes that have one of these open.
pub(super) fn having(listeners: &[&Listener]) -> Vec<u32> {
    let names: BTreeSet<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    let mut having: Vec<u32> =
        all.filter(|pid| open(*pid).iter().any(|name| names.contains(name.as_str()))).collect();
    having.sort_unstable();
    having
}

/// What the descriptors of a process stand for.
fn open(pid: u32) -> BTreeSet<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let open = files.filter_map(|file| fs::read_link(file.path()).ok());
    open.map(|path| path.to_string_lossy().into_owned()).collect()
}

/// What the processes of a service do, that does not listen where it should: where else they listen, whether one stands still.
pub(super) fn instead(tag: &str) -> String {
    let processes = process::tagged([tag]).remove(tag).unwrap_or_default();
    let names: BTreeSet<String> = processes.iter().flat_map(|process| open(process.pid)).collect();
    let elsewhere: BTreeSet<SocketAddr> = listeners()
        .into_iter()
        .filter(|listener| names.contains(&listener.name))
        .map(|listener| listener.address)
        .collect();
    if !elsewhere.is_empty() {
        let told: Vec<String> = elsewhere.iter().take(TOLD).map(SocketAddr::to_string).collect();
        return format!("it listens on {} instead", told.join(", "));
    }
    let all: Vec<String> = processes.iter().take(TOLD).map(|process| state(process.pid)).collect();
    match all.as_slice() {
        [] => "it has no process any more".into(),
        all => format!("it listens nowhere: {}", all.join(", ")),
    }
}

/// How a process stands, with what it waits for in the kernel where that is told.
fn state(pid: u32) -> String {
    let state = match stat(pid).map(|(state, ..)| state) {
        Some('T' | 't') => return format!("process {pid} is stopped (`kill -CONT {pid}` lets it go on)"),
        Some('R') => "runs",
        Some('D') => "waits for a disk",
        Some('Z' | 'X') | None => "has ended",
        Some(_) => "waits",
    };
    let channel = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    let channel: String =
        channel.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
    let told = if channel.len() > 1 { format!(" ({channel})") } else { String::new() };
    format!("process {pid} {state}{told}")
}

/// Address and inode of a line of `/proc/net/tcp` whose socket listens.
fn listening(line: &str) -> Option<(SocketAddr, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (address, state) = (fields.nth(1)?, fields.nth(1)?);
    let inode = fields.nth(5)?.parse().ok()?;
    if state != "0A" {
        return None;
    }
    let (ip, port) = address.split_once(':')?;
    // Words of 32 bits, each in the order of the machine's bytes.
    let words = (0..ip.len()).step_by(8).map(|at| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok());
    let bytes: Vec<u8> =
        words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some((SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?), inode))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0";
        assert_eq!(listening(line), Some(("127.0.0.1:8080".parse().unwrap(), 4242)));
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
        let line = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7 1";
        assert_eq!(listening(line), Some(("[::1]:8080".parse().unwrap(), 7)));
        for broken in ["", "x", "1: 0100007F 0 0A", "1: Z:Z 0 0A 0 0 0 0 0 1"] {
            assert_eq!(listening(broken), None, "{broken}");
        }
    }

    /// A process that has a socket of this one as its input, if any, and says that it is there.
    fn service(tag: &str, input: Stdio) -> std::process::Child {
        let mut command = Command::new("sh");
        command.args(["-c", "echo there; exec sleep 1000 3<&0"]).env(process::TAG, tag);
        let mut child = command.stdin(input).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        child
    }

    #[test]
    fn what_a_service_does_instead_is_told() {
        let tag = |what: &str| format!("test/{what}/{}", std::process::id());
        assert_eq!(instead(&tag("none")), "it has no process any more");
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let mut elsewhere = service(&tag("elsewhere"), OwnedFd::from(socket).into());
        let mut still = service(&tag("still"), Stdio::null());
        let (told, waits) = (instead(&tag("elsewhere")), instead(&tag("still")));
        let pid = still.id();
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::STOP).unwrap();
        // A signal arrives when it arrives.
        while !matches!(stat(pid), Some(('T', ..))) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let stopped = instead(&tag("still"));
        for child in [&mut elsewhere, &mut still] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(told, format!("it listens on {at} instead"));
        assert!(waits.starts_with(&format!("it listens nowhere: process {pid} ")), "{waits}");
        assert!(stopped.contains(&format!("`kill -CONT {pid}`")), "{stopped}");
    }
}
