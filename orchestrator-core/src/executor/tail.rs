//! The end of an output, for people.

const BYTES: usize = 4 * 1024;
const LINES: usize = 20;

/// Keeps the last bytes of a stream in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(BYTES)..]);
        // Dropped in bulk, so that short writes do not each move the whole tail.
        if self.0.len() > 4 * BYTES {
            self.0.drain(..self.0.len() - BYTES);
        }
    }

    /// At most 20 lines and 4 KiB, whole characters, invalid UTF-8 replaced.
    pub(super) fn text(&self) -> String {
        let kept = &self.0[self.0.len().saturating_sub(BYTES)..];
        let text = String::from_utf8_lossy(kept);
        let mut start = text.ceil_char_boundary(text.len().saturating_sub(BYTES));
        let body = text.strip_suffix('\n').unwrap_or(&text);
        if let Some((newline, _)) = body.rmatch_indices('\n').nth(LINES - 1) {
            start = start.max(newline + 1);
        }
        text[start..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(chunks: &[&[u8]]) -> String {
        let mut tail = Tail::default();
        for chunk in chunks {
            tail.push(chunk);
        }
        tail.text()
    }

    #[test]
    fn short_output_is_kept_whole() {
        assert_eq!(tail(&[]), "");
        assert_eq!(tail(&[b"one\n", b"two"]), "one\ntwo");
    }

    #[test]
    fn at_most_twenty_lines() {
        let lines: Vec<String> = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(tail(&[lines.concat().as_bytes()]), lines[80..].concat());
        assert_eq!(tail(&[lines.concat().trim_end().as_bytes()]), lines[80..].concat().trim_end());
    }

    #[test]
    fn at_most_four_kibibytes_of_whole_characters() {
        for text in ["x".repeat(100_000), "é".repeat(50_000), "a".to_owned() + &"日本".repeat(9_999)] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(777).collect();
            let kept = tail(&chunks);
            assert!(kept.len() <= BYTES && kept.len() > BYTES - 8, "{}", kept.len());
            assert!(text.ends_with(kept.trim_start_matches('\u{fffd}')));
        }
        assert!(tail(&[&[0xff; 9_000]]).len() <= BYTES);
    }
}
