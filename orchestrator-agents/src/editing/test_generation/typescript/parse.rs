//! Parsing within bounds: the parser is recursive, so how deep a source nests is looked at before.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_span::SourceType;

/// The most bytes of a source.
const LONGEST: usize = 256 << 10;
/// How deep brackets may nest.
const DEPTH: usize = 200;
/// How many operators that nest (`!!x`, `a => b => c`, `a ? b : c ? d : e`) may follow each other.
const CHAIN: usize = 400;
/// How many bytes of stack the parser and the interpreter get; only what they use is taken.
pub(super) const STACK: usize = 64 << 20;

/// Parses a source; an error names line and column.
pub(super) fn parse<'a>(
    allocator: &'a Allocator,
    path: &RelPath,
    text: &'a str,
) -> Result<Program<'a>, BoxError> {
    if text.len() > LONGEST {
        return Err(format!("`{path}` has {} bytes, over the limit of {LONGEST} for a source that tests are generated for; split it", text.len()).into());
    }
    bounded(path, text)?;
    let kind = SourceType::from_path(path.as_str())
        .map_err(|_| format!("`{path}` is no TypeScript or JavaScript"))?;
    let parsed = Parser::new(allocator, text, kind).parse();
    match parsed.diagnostics.errors().next() {
        None => Ok(parsed.program),
        Some(error) => {
            let at = error.labels.first().map_or(0, |label| label.offset() as usize);
            Err(wrong(path, text, at, &error.message))
        }
    }
}

fn wrong(path: &RelPath, text: &str, at: usize, why: &str) -> BoxError {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("`{path}` could not be read: line {line}, column {column}: {why}").into()
}

/// Whether the source nests no deeper than the parser may go.
fn bounded(path: &RelPath, text: &str) -> Result<(), BoxError> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut chain, mut elses) = (0, 0usize, 0usize, 0usize);
    // Where a template literal goes on after `}`.
    let mut templates: Vec<usize> = Vec::new();
    let mut before = b'(';
    while at < bytes.len() {
        let byte = bytes[at];
        let next = bytes.get(at + 1).copied().unwrap_or_default();
        match byte {
            b'/' if next == b'/' => at = line_end(bytes, at),
            b'/' if next == b'*' => at = find(text, at + 2, "*/"),
            b'/' if b"(,=:[!&|?{};+-*%~^<>".contains(&before) => at = regex_end(bytes, at),
            b'\'' | b'"' => at = text_end(bytes, at, byte),
            b'`' => at = template_end(bytes, at + 1, &mut templates, depth),
            b'}' if templates.last() == Some(&depth) => {
                templates.pop();
                at = template_end(bytes, at + 1, &mut templates, depth);
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                chain = 0;
            }
            b';' | b',' => chain = 0,
            b'<' | b'!' | b'~' | b'+' | b'-' | b'?' | b'=' | b'*' | b'&' | b'|' | b':' => chain += 1,
            b'e' if text[at..].starts_with("else") => elses += 1,
            b'n' | b't' | b'v' | b'd' | b'a'
                if ["new ", "typeof ", "void ", "delete ", "await "]
                    .iter()
                    .any(|word| bytes[at..].starts_with(word.as_bytes())) =>
            {
                chain += 1;
            }
            _ => {}
        }
        if templates.len() + depth > DEPTH || chain > CHAIN || elses > 10 * CHAIN {
            return Err(wrong(
                path,
                text,
                at,
                &format!("it nests deeper than {DEPTH} levels, which is too much to read"),
            ));
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        at += 1;
    }
    Ok(())
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n)
}

fn find(text: &str, at: usize, what: &str) -> usize {
    text.get(at..).and_then(|rest| rest.find(what)).map_or(text.len(), |n| at + n + what.len() - 1)
}

fn text_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    at += 1;
    while at < bytes.len() && bytes[at] != quote && bytes[at] != b'\n' {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    at
}

fn regex_end(bytes: &[u8], mut at: usize) -> usize {
    let mut class = false;
    at += 1;
    while at < bytes.len() && bytes[at] != b'\n' && (class || bytes[at] != b'/') {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => class = true,
            b']' => class = false,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The end of a template literal, or its next `${`, which is noted.
fn template_end(bytes: &[u8], mut at: usize, templates: &mut Vec<usize>, depth: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'`' {
        if bytes[at] == b'$' && bytes.get(at + 1) == Some(&b'{') {
            templates.push(depth);
            return at + 1;
        }
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    at
}
