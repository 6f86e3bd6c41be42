//! The variables that another process was started with, as `/proc` shows them.

use std::fs;
use std::time::{Duration, Instant};

/// How long a process may take to become another program.
const REPLACED: Duration = Duration::from_secs(1);

/// `NAME=VALUE` of each variable that a process was started with, each with a zero byte behind it; none where it is gone or may not be
/// looked at. A process that is just becoming another program (`execve`) shows no variables for a moment, or the first few of them: it
/// is looked at again, since whoever looks for what a process carries would take it for a stranger, and leave it running.
pub fn environ(pid: u32) -> Option<Vec<u8>> {
    let until = Instant::now() + REPLACED;
    loop {
        let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
        if is_whole(pid, bytes.len()) || Instant::now() >= until {
            return Some(bytes);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether so many bytes are all that a process has to show. By proc(5): kernel threads and what has ended have no memory (`vsize`, field
/// 23); of a new program `startcode` (26) is set last, after `env_start` (50) and `env_end` (51), and it is 1 where they are not shown.
fn is_whole(pid: u32, bytes: usize) -> bool {
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else { return true };
    let stat = String::from_utf8_lossy(&stat);
    // The second field, the command's name, may hold anything; the third follows the last parenthesis.
    let Some(at) = stat.rfind(')') else { return true };
    let fields: Vec<&str> = stat[at + 1..].split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok());
    let (Some(memory), Some(code)) = (field(23), field(26)) else { return true };
    let length = field(51).zip(field(50)).map_or(0, |(end, start)| end.saturating_sub(start));
    memory == 0 || code == 1 || (code != 0 && length == bytes as u64)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn who_becomes_another_program_all_the_time_is_known_all_the_time() {
        // It becomes itself again and again: hundreds of times a second it has no variables yet.
        let mut child = Command::new("sh")
            .args(["-c", "exec sh -c \"$AGAIN\""])
            .env("AGAIN", "exec sh -c \"$AGAIN\"")
            .env("MARK", "it")
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let looks = (0..3000).map(|_| environ(child.id()).unwrap_or_default());
        let unknown = looks
            .filter(|environ| !environ.split(|byte| *byte == 0).any(|variable| variable == b"MARK=it"))
            .count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(unknown, 0, "of 3000 looks");
    }

    #[test]
    fn who_has_no_variables_is_not_waited_for() {
        let mut bare = Command::new("/bin/sleep").arg("1000").env_clear().spawn().unwrap();
        assert_eq!(environ(bare.id()), Some(Vec::new()));
        bare.kill().unwrap();
        // Ended, and not waited for yet.
        let state = || fs::read_to_string(format!("/proc/{}/stat", bare.id())).unwrap();
        while !state().contains(") Z") {
            std::thread::yield_now();
        }
        assert!(environ(bare.id()).is_none_or(|variables| variables.is_empty()));
        bare.wait().unwrap();
        assert_eq!(environ(bare.id()), None);
    }
}
