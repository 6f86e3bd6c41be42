//! Text from elsewhere, made harmless: no terminal codes, no characters that turn the text after them around.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text without the colours and cursor moves of terminals, and without what a carriage return wrote over.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(['\x1b', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut line = 0;
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => skip(&mut chars),
            '\r' if chars.peek() != Some(&'\n') && chars.peek().is_some() => out.truncate(line),
            '\r' => {}
            c => out.push(c),
        }
        if c == '\n' {
            line = out.len();
        }
    }
    Cow::Owned(out)
}

/// Skips a terminal code, its escape character already taken (ECMA-48, sections 5.4 and 5.6).
fn skip(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']') => while chars.next().is_some_and(|c| c != '\x07' && c != '\\') {},
        _ => {}
    }
}

/// The text with control characters and invisible changes of direction shown by their number.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if is_hidden(c) {
            write!(out, "[U+{:04X}]", u32::from(c)).expect("a string takes everything");
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_hidden(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_codes_go() {
        assert_eq!(plain("\x1b[1;31merror\x1b[0m: x"), "error: x");
        assert_eq!(plain("\x1b]8;;http://x\x1b\\link\x1b]0;t\x07!"), "link!");
        assert_eq!(plain("a\r\n10%\r50%\rdone\n"), "a\ndone\n");
        assert_eq!(plain("end\r"), "end");
        assert_eq!(plain("\x1b["), "");
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(visible("a\u{202e}b\0\n"), "a[U+202E]b[U+0000]\n");
        assert_eq!(visible("plain äöü ✓"), "plain äöü ✓");
    }
}
