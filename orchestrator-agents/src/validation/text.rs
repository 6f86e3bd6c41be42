//! Output of commands as text to read: no colours, no carriage returns, one line where one is wanted.

/// The text without terminal escapes and carriage returns.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {}
            '\u{1b}' => skip_escape(&mut chars),
            c => plain.push(c),
        }
    }
    plain
}

/// Skips what follows an escape character (ECMA-48): `[..m`, `]..BEL`, `(B`.
fn skip_escape(chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some('[') => {
            chars.find(|c| ('@'..='~').contains(c));
        }
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        Some('(' | ')') => {
            chars.next();
        }
        _ => {}
    }
}

/// The first line, at most 200 characters of it.
pub(crate) fn line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim_end();
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// `1 test`, `2 tests`.
pub(crate) fn count(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// `a, b, c and 4 more`.
pub(crate) fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(3);
    let shown: Vec<&str> = names.take(3).collect();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_go() {
        assert_eq!(plain("\u{1b}[31m-a\u{1b}(B\u{1b}[m\r\nb\u{1b}]0;title\u{7}c\u{1b}"), "-a\nbc");
        assert_eq!(plain("\u{1b}]8;;http://x\u{1b}\\link"), "link");
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(line("  a\nb"), "a");
        assert_eq!(line(&"é".repeat(300)).chars().count(), 201);
        assert_eq!(some(["a", "b", "c", "d"].into_iter()), "a, b, c and 1 more");
    }
}
