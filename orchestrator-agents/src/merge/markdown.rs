//! Text that others wrote, put into Markdown so that it shows as text: no heading, link, image, HTML or hidden character
//! comes of it. Balanced code spans stay code, and `#123` becomes a link where it is known where to.

use super::forge::Pages;

/// A line of text for inside a line of Markdown.
pub(super) fn inline(text: &str, pages: Option<&Pages>) -> String {
    let text = cleaned(text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_str();
    let mut before = ' ';
    while let Some(char) = rest.chars().next() {
        let after = &rest[char.len_utf8()..];
        let taken = match char {
            '`' => code(rest, &mut out),
            '#' if !before.is_alphanumeric() => issue(after, pages, &mut out),
            _ => 0,
        };
        if taken == 0 {
            let next = after.chars().next().unwrap_or(' ');
            let special = match char {
                '\\' | '`' | '*' | '[' | ']' | '<' | '~' => true,
                '&' => next == '#' || next.is_ascii_alphanumeric(),
                '_' => !(before.is_alphanumeric() && next.is_alphanumeric()),
                _ => false,
            };
            if special {
                out.push('\\');
            }
            out.push(char);
        }
        let taken = taken.max(char.len_utf8());
        before = rest[..taken].chars().next_back().unwrap_or(' ');
        rest = &rest[taken..];
    }
    out
}

/// The same where it begins a block: what would make a heading, a list, a quote or a rule of it is escaped too.
pub(super) fn block(text: &str, pages: Option<&Pages>) -> String {
    let text = inline(text, pages);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let ordered = digits > 0 && matches!(text.as_bytes().get(digits), Some(b'.' | b')'));
    if ordered {
        return format!("{}\\{}", &text[..digits], &text[digits..]);
    }
    if text.starts_with(['#', '>', '+', '-', '=', '|']) { format!("\\{text}") } else { text }
}

/// A person's name, without an address.
pub(super) fn person(name: &str) -> String {
    let name = name.split('<').next().unwrap_or_default();
    let name = match name.split_once('@') {
        // An address in place of a name.
        Some((user, host)) if !name.trim().contains(' ') && !host.is_empty() => user,
        _ => name,
    };
    let name: String = cleaned(name).chars().take(100).collect();
    inline(&name, None)
}

/// A code span at the start of a text, copied; how many bytes, 0 where there is none.
fn code(text: &str, out: &mut String) -> usize {
    let ticks = text.bytes().take_while(|byte| *byte == b'`').count();
    let mut at = ticks;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let run = text[start..].bytes().take_while(|byte| *byte == b'`').count();
        if run == ticks {
            out.push_str(&text[..start + run]);
            return start + run;
        }
        at = start + run;
    }
    // All of them open nothing.
    out.extend(std::iter::repeat_n("\\`", ticks));
    ticks
}

/// The number after `#` as a link; how many bytes with the `#`, 0 where it is no number or leads nowhere.
fn issue(after: &str, pages: Option<&Pages>, out: &mut String) -> usize {
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let whole = !after[digits..].starts_with(|char: char| char.is_alphanumeric() || char == '_');
    match pages {
        Some(pages) if (1..=9).contains(&digits) && whole => {
            let number = &after[..digits];
            out.extend(["[#", number, "](", &pages.issue(number), ")"]);
            digits + 1
        }
        _ => 0,
    }
}

/// On one line, without control characters and those that hide or turn text around.
fn cleaned(text: &str) -> String {
    let shown = |char: char| {
        !char.is_control()
            && !matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let text: String = text
        .chars()
        .map(|char| if char.is_whitespace() { ' ' } else { char })
        .filter(|char| shown(*char))
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shows_as_text() {
        for (text, shown) in [
            ("plain snake_case and a-b, 2 > 1", "plain snake_case and a-b, 2 > 1"),
            ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"),
            ("![x](http://evil) [y]: z", "!\\[x\\](http://evil) \\[y\\]: z"),
            ("**bold** _it_ ~~gone~~", "\\*\\*bold\\*\\* \\_it\\_ \\~\\~gone\\~\\~"),
            ("a `<b>` and `` ` `` stay", "a `<b>` and `` ` `` stay"),
            ("a ` lone <b>", "a \\` lone \\<b>"),
            ("`` two ` one <b>", "\\`\\` two \\` one \\<b>"),
            ("&lt; & &#60;", "\\&lt; & \\&#60;"),
            ("a\u{1b}[31m\u{202e}b\u{0}c\nd\te", "a\\[31mbc d e"),
            ("\\<b>", "\\\\\\<b>"),
        ] {
            assert_eq!(inline(text, None), shown);
        }
    }

    #[test]
    fn numbers_become_links_where_they_lead_somewhere() {
        let pages = Pages::of("git@github.com:a/b", None).unwrap();
        let inline = |text: &str| inline(text, Some(&pages));
        assert_eq!(inline("see (#12)"), "see ([#12](https://github.com/a/b/issues/12))");
        assert_eq!(inline("a#1 #x #1a `#2` #"), "a#1 #x #1a `#2` #");
    }

    #[test]
    fn blocks_begin_with_text() {
        for (text, shown) in [
            ("# x", "\\# x"),
            ("- - x", "\\- - x"),
            ("12. x", "12\\. x"),
            ("1.2 x", "1\\.2 x"),
            ("> x", "\\> x"),
            ("x", "x"),
        ] {
            assert_eq!(block(text, None), shown);
        }
    }

    #[test]
    fn people_have_names_and_no_addresses() {
        for (name, shown) in [
            ("Ada L", "Ada L"),
            ("ada@example.org", "ada"),
            ("Ada <ada@x>", "Ada"),
            ("<b>", ""),
            ("[x](y)", "\\[x\\](y)"),
        ] {
            assert_eq!(person(name), shown);
        }
    }
}
