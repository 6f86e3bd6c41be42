//! What is around a text: a byte order mark, line ends of Windows, and whether the last line ends. Edits see line feeds only.

/// The text inside, and what to put around it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The text with line feeds alone, without a byte order mark.
    pub text: String,
    mark: bool,
    crlf: bool,
    ends: bool,
}

impl Frame {
    /// Takes the frame off. Line ends are only changed where every line has the same, so that putting them back is exact.
    pub(super) fn of(text: &str) -> Self {
        let (mark, inner) = match text.strip_prefix('\u{feff}') {
            Some(inner) => (true, inner),
            None => (false, text),
        };
        let feeds = inner.matches('\n').count();
        let crlf =
            feeds > 0 && inner.matches("\r\n").count() == feeds && inner.matches('\r').count() == feeds;
        let text = if crlf { inner.replace("\r\n", "\n") } else { inner.to_owned() };
        let ends = text.is_empty() || text.ends_with('\n');
        Self { text, mark, crlf, ends }
    }

    /// Puts the frame around another text.
    pub(super) fn around(&self, new: &str) -> String {
        let new = if self.ends { new } else { new.strip_suffix('\n').unwrap_or(new) };
        let new = if self.crlf { new.replace("\r\n", "\n").replace('\n', "\r\n") } else { new.to_owned() };
        if self.mark { format!("\u{feff}{new}") } else { new }
    }
}

/// How deep brackets are nested, at most: an upper bound that needs no parser. Those in texts and comments count too.
pub(super) fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_off_and_on_again() {
        for text in
            ["", "a", "a\n", "a\r\nb\r\n", "a\r\nb", "\u{feff}a\r\n", "a\r\nb\nc", "a\rb\r\n", "\u{feff}"]
        {
            let frame = Frame::of(text);
            assert_eq!(frame.around(&frame.text), text, "{text:?}");
        }
        assert_eq!(Frame::of("a\r\nb").around("a\nc\nb\n"), "a\r\nc\r\nb");
        assert_eq!(Frame::of("a\nb").around("b\nc"), "b\nc");
    }
}
