//! Splits a file of SQL into statements, by what can be told without a grammar: quotes, comments, semicolons. Pure.
//!
//! A body of a trigger ends by `END;` (as SQLite's own `sqlite3_complete` sees it); bodies of PostgreSQL are quoted by dollars.

/// The dialect of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A statement, without its semicolon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement<'s> {
    /// Its text, from its first word on.
    pub(crate) text: &'s str,
    /// The line of its first word, from 1.
    pub(crate) line: u32,
    /// Its first words in capitals, at most [`WORDS`] of them.
    pub(crate) words: Vec<String>,
}

/// Why a text is no SQL that can be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct SplitError {
    line: u32,
    what: &'static str,
}

/// How many words of a statement are looked at.
const WORDS: usize = 6;

/// Splits a text.
pub(crate) fn split(text: &str, dialect: Dialect) -> Result<Vec<Statement<'_>>, SplitError> {
    let mut scan = Scan { text, at: 0, line: 1, begins: true, escaped: false, dialect };
    let (mut all, mut current) = (Vec::new(), None::<Open>);
    while let Some(token) = scan.next()? {
        match token {
            Token::Space => {}
            Token::Semicolon { at } => match &mut current {
                Some(open) if !open.is_over() => open.last = Some(";".to_owned()),
                _ => all.extend(current.take().map(|open| open.close(text, at))),
            },
            Token::Other { at, line, word } => {
                let open = current.get_or_insert_with(|| Open::new(at, line, dialect));
                open.take(word);
            }
        }
    }
    if current.as_ref().is_some_and(|open| !open.is_over() && open.last.is_some()) {
        let line = current.map_or(scan.line, |open| open.line);
        return Err(SplitError { line, what: "the body of a trigger has no `END;`" });
    }
    all.extend(current.map(|open| open.close(text, text.len())));
    Ok(all)
}

/// A statement that goes on.
struct Open {
    at: usize,
    line: u32,
    words: Vec<String>,
    /// Within a trigger: the token before.
    last: Option<String>,
    ends: bool,
    dialect: Dialect,
}

impl Open {
    fn new(at: usize, line: u32, dialect: Dialect) -> Self {
        Self { at, line, words: Vec::new(), last: None, ends: false, dialect }
    }

    fn take(&mut self, word: Option<&str>) {
        let upper = word.unwrap_or("?").to_ascii_uppercase();
        self.ends = upper == "END" && self.last.as_deref() == Some(";");
        self.last = Some(upper.clone());
        if self.words.len() < WORDS {
            self.words.push(upper);
        }
    }

    fn is_trigger(&self) -> bool {
        // Elsewhere a trigger calls a function, and has no body.
        if self.dialect != Dialect::Sqlite {
            return false;
        }
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        matches!(
            words.as_slice(),
            ["CREATE", "TRIGGER", ..] | ["CREATE", "TEMP" | "TEMPORARY", "TRIGGER", ..]
        )
    }

    fn is_over(&self) -> bool {
        !self.is_trigger() || self.ends
    }

    fn close(self, text: &str, end: usize) -> Statement<'_> {
        Statement { text: text[self.at..end].trim_end(), line: self.line, words: self.words }
    }
}

enum Token<'s> {
    Space,
    Semicolon {
        at: usize,
    },
    /// A word, or something else.
    Other {
        at: usize,
        line: u32,
        word: Option<&'s str>,
    },
}

struct Scan<'s> {
    text: &'s str,
    at: usize,
    line: u32,
    /// Whether nothing but blanks stands before in this line.
    begins: bool,
    /// Whether the token before was a literal with escapes.
    escaped: bool,
    dialect: Dialect,
}

impl<'s> Scan<'s> {
    fn rest(&self) -> &'s str {
        &self.text[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        let skipped = &self.rest()[..bytes];
        self.line += skipped.matches('\n').count() as u32;
        self.begins = match skipped.rsplit_once('\n') {
            Some((_, start)) => start.trim().is_empty(),
            None => self.begins && skipped.trim().is_empty(),
        };
        self.at += bytes;
    }

    fn error(&self, what: &'static str) -> SplitError {
        SplitError { line: self.line, what }
    }

    fn next(&mut self) -> Result<Option<Token<'s>>, SplitError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let (at, line) = (self.at, self.line);
        if self.dialect == Dialect::Sqlite && self.ends_by_word() {
            return Err(self.error("a line with `go` or `/` alone ends a statement for `sqlite3`: write `;`"));
        }
        if first == '\0' {
            return Err(self.error("it holds a NUL byte"));
        }
        if first.is_ascii_whitespace()
            || first == '\u{b}'
            || first == '\u{feff}' && self.dialect == Dialect::Sqlite
        {
            self.skip(first.len_utf8());
            return Ok(Some(Token::Space));
        }
        if rest.starts_with("--") {
            // For `psql` a carriage return ends a line, too.
            let ends = |c| c == '\n' || c == '\r' && self.dialect == Dialect::Postgres;
            self.skip(rest.find(ends).unwrap_or(rest.len()));
            return Ok(Some(Token::Space));
        }
        if rest.starts_with("/*") {
            let end = self.comment(rest)?;
            self.skip(end);
            return Ok(Some(Token::Space));
        }
        if first == ';' {
            self.skip(1);
            return Ok(Some(Token::Semicolon { at }));
        }
        if std::mem::take(&mut self.escaped) && first == '\'' {
            return Err(
                self.error("a literal with escapes may go on after a line break: write it in one piece")
            );
        }
        if let Some(length) = self.quoted(rest)? {
            self.skip(length);
            return Ok(Some(Token::Other { at, line, word: None }));
        }
        if is_name(first) {
            let length = self.word(rest)?;
            // E'..' of PostgreSQL: a backslash escapes.
            if self.dialect == Dialect::Postgres
                && rest[..length].eq_ignore_ascii_case("e")
                && rest[length..].starts_with('\'')
            {
                let end =
                    end_of(&rest[length..], '\'', true).ok_or_else(|| self.error("a quote is not closed"))?;
                self.skip(length + end);
                self.escaped = true;
                return Ok(Some(Token::Other { at, line, word: None }));
            }
            self.skip(length);
            return Ok(Some(Token::Other { at, line, word: Some(&rest[..length]) }));
        }
        if first == '\\' && self.dialect == Dialect::Postgres {
            return Err(self.error("a backslash outside of quotes is a command of `psql`, and no SQL"));
        }
        self.skip(first.len_utf8());
        Ok(Some(Token::Other { at, line, word: Some(&rest[..first.len_utf8()]) }))
    }

    /// Whether a line begins here that the shell of SQLite takes for a semicolon. A line is looked through once at most.
    fn ends_by_word(&self) -> bool {
        let rest = self.rest();
        let go = || rest.get(..2).filter(|word| word.eq_ignore_ascii_case("go")).map(|_| &rest[2..]);
        let Some(after) = rest.strip_prefix('/').or_else(go).filter(|_| self.begins) else { return false };
        let after = after.split(['\n', '\r']).next().unwrap_or_default().trim();
        after.is_empty() || after.starts_with("--") || after.starts_with("/*")
    }

    /// The bytes of a word or a number. What versions of `psql` split in different ways is an error.
    fn word(&self, rest: &str) -> Result<usize, SplitError> {
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
        let goes_on = |c: char| is_name(c) || c == '$' || c == '.' && is_number;
        let length = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        if self.dialect == Dialect::Sqlite {
            return Ok(length);
        }
        if word.matches('$').count() > 1 {
            return Err(self.error(
                "two `$` in one word may begin a quote for `psql`: write a blank before, or quote the name",
            ));
        }
        let is_variable = word.len() == 1 && self.text[..self.at].ends_with(':');
        if word.ends_with(['e', 'E']) && rest[length..].starts_with('\'') && (is_number || is_variable) {
            return Err(
                self.error("a quote right after a number or a variable of `psql`: write a blank before")
            );
        }
        Ok(length)
    }

    /// The bytes of a comment. Those of PostgreSQL nest.
    fn comment(&self, rest: &str) -> Result<usize, SplitError> {
        let (mut depth, mut at) = (0_usize, 0);
        while let Some(pair) = rest.as_bytes().get(at..at + 2) {
            match pair {
                b"/*" if depth == 0 || self.dialect == Dialect::Postgres => (depth, at) = (depth + 1, at + 2),
                b"*/" if depth == 1 => return Ok(at + 2),
                b"*/" => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
        }
        Err(self.error("a comment is not closed"))
    }

    /// The bytes of a literal or a quoted name that starts here.
    fn quoted(&self, rest: &str) -> Result<Option<usize>, SplitError> {
        let first = rest.as_bytes()[0];
        let end = match (first, self.dialect) {
            (b'\'' | b'"', _) => end_of(rest, char::from(first), false),
            (b'`', Dialect::Sqlite) => end_of(rest, '`', false),
            (b'[', Dialect::Sqlite) => rest.find(']').map(|at| at + 1),
            (b'$', Dialect::Postgres) => match dollar_tag(rest) {
                Some(tag) => rest[tag.len()..].find(tag).map(|at| at + 2 * tag.len()),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        end.map(Some).ok_or_else(|| self.error("a quote is not closed"))
    }
}

/// Whether a name may begin with it, or a number. To the tools every byte beyond ASCII is a letter, blanks too.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The bytes until after the closing quote. A doubled quote stands for itself.
fn end_of(rest: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut at = 1;
    let bytes = rest.as_bytes();
    while let Some(byte) = bytes.get(at) {
        if escapes && *byte == b'\\' {
            at += 2;
        } else if char::from(*byte) == quote {
            if bytes.get(at + 1) != Some(byte) {
                return Some(at + 1);
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    None
}

/// `$$` or `$name$`, where a text starts with it.
fn dollar_tag(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')? + 1;
    let name = &rest[1..end];
    (name.chars().all(is_name) && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| &rest[..=end])
}
