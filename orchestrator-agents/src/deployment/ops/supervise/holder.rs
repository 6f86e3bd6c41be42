//! Who listens at an address that cannot be had: environments of other checkouts know nothing of this one, and an address is all that two
//! of them can want at once. Reads `/proc`; processes of other users are not told.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::deployment::ops::listening::{Listener, having, listeners};
use crate::deployment::ops::process;

/// Who that is and what to do about it; none where it is not to be seen.
pub(super) fn holder(address: SocketAddr) -> Option<String> {
    let all = listeners();
    let wanted: Vec<&Listener> = all.iter().filter(|held| meets(held.address, address)).collect();
    let holders = having(&wanted);
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
