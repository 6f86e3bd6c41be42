//! Who listens at an address that cannot be had: environments of other checkouts know nothing of this one, and an address is all that two
//! of them can want at once. Reads `/proc`; processes of other users are not told.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::deployment::ops::process;

/// Who that is and what to do about it; none where it is not to be seen.
pub(super) fn holder(address: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: BTreeSet<String> = tables
        .iter()
        .flat_map(|table| table.lines().skip(1).filter_map(listening))
        .filter(|(held, _)| meets(*held, address))
        .map(|(_, inode)| format!("socket:[{inode}]"))
        .collect();
    let folders = fs::read_dir("/proc").ok()?.flatten();
    let all = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let open = open.filter_map(|file| fs::read_link(file.path()).ok());
        !sockets.is_empty() && open.into_iter().any(|file| sockets.contains(&*file.to_string_lossy()))
    };
    let mut holders: Vec<u32> = all.filter(holds).collect();
    holders.sort_unstable();
    // A supervisor and its proxy hold the same socket; the proxy says whose it is.
    let proxy =
        holders.iter().find_map(|pid| Some((*pid, process::tag(*pid).and_then(|tag| place_of(&tag))?)));
    if let Some((pid, (environment, state))) = proxy {
        return Some(format!(
            "process {pid} listens there, the proxy of {environment} in `{state}`; end it there with `orchestrate deploy stop --environment \
             {environment}`, or let one of the two listen elsewhere"
        ));
    }
    let pid = holders.first()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(50).collect();
    Some(format!("process {pid} (`{name}`) listens there"))
}

/// Environment and state folder of what a proxy carries in `ORCHESTRATE_SERVICE`: `ENV/proxy/FOLDER`.
fn place_of(tag: &str) -> Option<(String, String)> {
    let (environment, folder) = tag.split_once("/proxy/")?;
    let state = Path::new(folder).ancestors().nth(2)?;
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(500).collect();
    Some((plain(environment), plain(&state.to_string_lossy())))
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

/// Whether a socket that listens at one address keeps the other from being had.
fn meets(held: SocketAddr, wanted: SocketAddr) -> bool {
    let (one, other) = (held.ip(), wanted.ip().to_canonical());
    held.port() == wanted.port() && (one == other || one.is_unspecified() || other.is_unspecified())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

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

    #[test]
    fn whoever_listens_is_named() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(held) = TcpListener::bind(address) else { continue };
            let at = held.local_addr().unwrap();
            let said = holder(at).unwrap();
            assert!(said.contains(&format!("process {} ", std::process::id())), "{at}: {said}");
            drop(held);
            assert!(holder(at).is_none_or(|said| !said.contains(&std::process::id().to_string())));
        }
    }

    #[test]
    fn a_proxy_says_whose_it_is() {
        let place = place_of("production/proxy//srv/shop/.orchestrate/deploy/production").unwrap();
        assert_eq!(place, ("production".into(), "/srv/shop/.orchestrate".into()));
        assert_eq!(place_of("production/1.0.0/x"), None);
    }
}
