//! The example's pipelines as they fit this machine and folder: a port for the proxy that others hardly have, and databases where
//! there is `sqlite3`.

use std::path::Path;

use orchestrator_core::path::Digest;
use orchestrator_traffic::ports;

/// Where the proxy listens in the embedded files.
const PROXY: &str = "127.0.0.1:8480";
/// What lines end with that need the command `sqlite3`.
const DATABASE: &str = "# with sqlite3";
/// Where ports are picked: below those that the kernel hands out, above those that versions of a deployment get.
const PORTS: std::ops::Range<u16> = 8_481..19_999;

/// A pipeline file of the example, for the one in `folder`.
pub(super) fn pipeline(name: &str, text: &str, folder: &Path) -> String {
    let mut text = text.replace(PROXY, &format!("127.0.0.1:{}", port(folder)));
    if name == "next.yaml"
        && let Ok(delivery) = super::text("orchestration.yaml")
    {
        text = text.replace("      smoke: []\n", smoke(delivery));
    }
    if !has_database() {
        text =
            text.lines().filter(|line| !line.ends_with(DATABASE)).map(|line| format!("{line}\n")).collect();
    }
    text
}

/// Whether there is the command that databases are worked with.
pub(crate) fn has_database() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("sqlite3").is_file())
}

/// The same for the same folder, if it is free.
fn port(folder: &Path) -> u16 {
    let digest = Digest::of(folder.as_os_str().as_encoded_bytes()).to_string();
    let first = u16::from_str_radix(&digest[..4], 16).unwrap_or_default();
    let size = PORTS.end - PORTS.start;
    let at = |n: u16| PORTS.start + (first % size + n) % size;
    (0..100).map(at).find(|port| ports::is_free(*port)).unwrap_or_else(|| at(0))
}

/// The smoke tests of a pipeline, as text.
fn smoke(delivery: &str) -> &str {
    let begin = delivery.find("      smoke:\n").unwrap_or(delivery.len());
    let rest = &delivery[begin..];
    &rest[..rest.find("\n\n").map_or(rest.len(), |end| end + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_version_meets_the_same_smoke_tests_at_the_same_address() {
        let folder = Path::new("/somewhere/demo");
        let of = |name: &str| pipeline(name, super::super::text(name).unwrap(), folder);
        let (next, delivery) = (of("next.yaml"), of("orchestration.yaml"));
        assert!(next.contains("- {name: an upload comes back") && !next.contains("smoke: []"), "{next}");
        assert_eq!(next.matches("- name: a student is added").count(), 1);
        let listen = |text: &str| {
            text.split("listen: ").nth(1).and_then(|rest| rest.split(',').next()).map(str::to_owned)
        };
        assert_eq!(listen(&next), listen(&delivery));
        assert!(
            listen(&next)
                .is_some_and(|listen| listen.starts_with("\"127.0.0.1:") && listen != format!("\"{PROXY}\""))
        );
        assert_ne!(port(folder), port(Path::new("/elsewhere/demo")));
    }
}
