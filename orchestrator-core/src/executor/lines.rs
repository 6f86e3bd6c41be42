//! Progress lines cut from a stream of output.

use std::sync::Arc;

/// The longest line told, in bytes.
const LONGEST: usize = 400;
/// The most lines told of one push: whoever floods is not worth a call for each line.
const MOST: usize = 32;

/// Which of the two outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Is told a line, without its end. Must be quick: the command's output waits meanwhile.
pub(crate) type OnLine = dyn Fn(Stream, &str) + Send + Sync;

/// Tells each line as it is complete, and an unfinished last one at the end. A carriage return ends a line too, so that
/// progress bars are seen to move; empty lines are not told.
pub(super) struct Lines {
    stream: Stream,
    tell: Arc<OnLine>,
    partial: Vec<u8>,
}

impl Lines {
    pub(super) fn new(stream: Stream, tell: Arc<OnLine>) -> Self {
        Self { stream, tell, partial: Vec::new() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Some(end) = bytes.iter().rposition(|&byte| is_end(byte)) else {
            return self.hold(bytes);
        };
        let (complete, rest) = bytes.split_at(end);
        let mut pieces = complete.rsplit(|&byte| is_end(byte));
        let mut last: Vec<&[u8]> = pieces.by_ref().take(MOST).collect();
        // What is held belongs to the first line; if the flood has swept that away, it goes too.
        if pieces.next().is_none() {
            self.hold(last.pop().expect("a split has at least one piece"));
            self.tell(&self.partial);
        }
        self.partial.clear();
        for line in last.into_iter().rev() {
            self.tell(line);
        }
        self.hold(&rest[1..]);
    }

    pub(super) fn finish(&mut self) {
        self.tell(&self.partial);
        self.partial.clear();
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn tell(&self, line: &[u8]) {
        if !line.is_empty() {
            (self.tell)(self.stream, &String::from_utf8_lossy(&line[..line.len().min(LONGEST)]));
        }
    }
}

fn is_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn told(chunks: &[&str]) -> Vec<String> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let mut lines = Lines::new(
            Stream::Stdout,
            Arc::new(move |_, line: &str| sink.lock().unwrap().push(line.to_owned())),
        );
        for chunk in chunks {
            lines.push(chunk.as_bytes());
        }
        lines.finish();
        told.lock().unwrap().clone()
    }

    #[test]
    fn lines_are_put_together_again() {
        assert_eq!(
            told(&["on", "e\r\ntw", "o\n", "\n10%\r20%\rthr", "ee"]),
            ["one", "two", "10%", "20%", "three"]
        );
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(told(&["x".repeat(1_000).as_str(), "y\nz\n"]), ["x".repeat(LONGEST), "z".to_owned()]);
    }

    #[test]
    fn a_flood_keeps_its_last_lines() {
        let flood: String = (0..1_000).map(|n| n.to_string() + "\n").collect();
        let told = told(&["swept away", &flood, "end\n"]);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told[MOST - 1..], ["999", "end"]);
    }
}
