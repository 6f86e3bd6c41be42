//! Text as Slack wants it (<https://docs.slack.dev/messaging/formatting-message-text>).

/// The most characters of a message.
pub(super) const MOST: usize = 40_000;

/// `&`, `<` and `>` are Slack's own marks. A text that names a channel or a person by them names nobody.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Replaces `{name}` by what is known under that name. One pass: what is put in is not looked at again.
pub(super) fn filled(text: &str, known: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let found = known.iter().find_map(|(name, value)| {
            Some((value, from.strip_prefix('{')?.strip_prefix(name)?.strip_prefix('}')?))
        });
        match found {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = &from[1..];
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_escaped_once() {
        assert_eq!(escaped("a < b && <!channel> é"), "a &lt; b &amp;&amp; &lt;!channel&gt; é");
        assert_eq!(escaped("&amp;"), "&amp;amp;");
    }

    #[test]
    fn known_names_are_filled_in_once() {
        let known = [("task", "{phase}"), ("phase", "build")];
        assert_eq!(filled("{task} of {phase}", &known), "{phase} of build");
        assert_eq!(filled("{status} {{phase}} {", &known), "{status} {build} {");
    }
}
