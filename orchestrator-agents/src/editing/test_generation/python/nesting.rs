//! How deep a source nests, before it is parsed: trees are walked by recursion, so their depth is bounded first.

/// The deepest tree that is read; Python itself takes 200 brackets and 100 levels of blocks.
const DEEPEST: usize = 300;
const DEEPEST_BLOCK: usize = 100;

/// Where the source nests too deep: the line, from 1.
pub(super) fn too_deep(text: &str) -> Option<u32> {
    let mut scan = Scan { line: 1, ..Scan::default() };
    scan.chains.push(0);
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut blocks: Vec<usize> = Vec::new();
    let mut fresh = true;
    while at < bytes.len() {
        if fresh && scan.chains.len() == 1 {
            let indent = bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            blocks.retain(|block| *block < indent);
            blocks.push(indent);
            if blocks.len() > DEEPEST_BLOCK {
                return Some(scan.line);
            }
            at += indent;
            fresh = false;
            continue;
        }
        at = scan.step(bytes, at, &mut fresh);
        if scan.depth() > DEEPEST {
            return Some(scan.line);
        }
    }
    None
}

/// Operators so far at each level of brackets: a chain of operators is a tree as deep as it is long.
#[derive(Default)]
struct Scan {
    line: u32,
    chains: Vec<usize>,
    depth: usize,
}

impl Scan {
    fn depth(&self) -> usize {
        self.depth
    }

    fn add(&mut self) {
        if let Some(top) = self.chains.last_mut() {
            *top += 1;
            self.depth += 1;
        }
    }

    fn clear(&mut self) {
        if let Some(top) = self.chains.last_mut() {
            self.depth -= std::mem::take(top);
        }
    }

    fn step(&mut self, bytes: &[u8], at: usize, fresh: &mut bool) -> usize {
        let byte = bytes[at];
        match byte {
            b'\n' => {
                self.line += 1;
                if self.chains.len() == 1 {
                    self.clear();
                    *fresh = true;
                }
            }
            b'#' => return at + bytes[at..].iter().take_while(|byte| **byte != b'\n').count(),
            b'\'' | b'"' => return self.string(bytes, at),
            b'(' | b'[' | b'{' => {
                self.add();
                self.chains.push(0);
            }
            b')' | b']' | b'}' => {
                self.clear();
                if self.chains.len() > 1 {
                    self.chains.pop();
                }
            }
            b',' | b';' => self.clear(),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'&' | b'|' | b'^' | b'~' | b'<' | b'>' | b'='
            | b'.' | b':' => {
                self.add();
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' => return self.word(bytes, at),
            _ => {}
        }
        at + 1
    }

    fn word(&mut self, bytes: &[u8], at: usize) -> usize {
        let long =
            bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        if matches!(
            &bytes[at..at + long],
            b"not" | b"if" | b"else" | b"await" | b"yield" | b"lambda" | b"in" | b"is"
        ) {
            self.add();
        }
        at + long
    }

    /// Skips a string; what a formatted one may hold counts, whatever its prefix.
    fn string(&mut self, bytes: &[u8], at: usize) -> usize {
        let quote = bytes[at];
        let triple = bytes[at..].starts_with(&[quote; 3]);
        let formatted = at > 0
            && bytes[at.saturating_sub(2)..at].iter().any(|byte| matches!(byte, b'f' | b'F' | b't' | b'T'));
        let mut next = at + if triple { 3 } else { 1 };
        let (mut open, mut deepest) = (0_usize, 0_usize);
        while next < bytes.len() {
            match bytes[next] {
                b'\\' => next += 1,
                b'\n' => {
                    self.line += 1;
                    if !triple {
                        return next + 1;
                    }
                }
                byte if byte == quote && (!triple || bytes[next..].starts_with(&[quote; 3])) => {
                    next += if triple { 3 } else { 1 };
                    break;
                }
                b'{' if formatted => open += 1,
                b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            let byte = bytes.get(next).copied().unwrap_or_default();
            if open > 0 && !byte.is_ascii_alphanumeric() && byte != b' ' {
                deepest += 1;
            }
            next += 1;
        }
        for _ in 0..deepest.min(DEEPEST + 1) {
            self.add();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_make_a_deep_tree_is_seen() {
        let brackets = format!("x = {}1{}\n", "(".repeat(400), ")".repeat(400));
        let chain = format!("a = 1\nx = 1{}\n", "+1".repeat(400));
        let calls = format!("x = f{}\n", "()".repeat(400));
        let nots = format!("x = {}1\n", "not ".repeat(400));
        let formatted = format!("x = f\"{{{}1}}\"\n", "-".repeat(400));
        let blocks: String = (0..200).map(|depth| format!("{}if a:\n", " ".repeat(depth))).collect();
        for (text, line) in [(brackets, 1), (chain, 2), (calls, 1), (nots, 1), (formatted, 1), (blocks, 101)]
        {
            assert_eq!(too_deep(&text), Some(line), "{}", &text[..40]);
        }
    }

    #[test]
    fn long_is_not_deep() {
        let list = format!("x = [{}]\n", "-1, ".repeat(5_000));
        let text = format!("x = \"{}\"\n# {}\n", "(+".repeat(5_000), "(".repeat(5_000));
        let lines = "x = a.b(1) + 2\n".repeat(5_000);
        for text in [list, text, lines] {
            assert_eq!(too_deep(&text), None, "{}", &text[..40]);
        }
    }
}
