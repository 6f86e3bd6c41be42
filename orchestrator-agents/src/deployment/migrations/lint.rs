//! What a file of SQL does to a version that runs on the database meanwhile. What cannot be read is said, never passed over.

mod calls;
mod condition;
mod own;
mod rules;

use sqlparser::ast::Statement as Tree;
use sqlparser::dialect::{Dialect as Grammar, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::{Parser, ParserError};

use super::statements::{Statement, split};
use super::{Dialect, Flaw, Kind, Weight};
use own::Own;

/// How deep expressions may nest.
const DEEPEST: usize = 40;
/// The most remarks about one file.
const MOST: usize = 100;

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Linted {
    /// Why it cannot be applied at all.
    pub(super) refused: Vec<String>,
    /// What it does.
    pub(super) flaws: Vec<Flaw>,
}

/// Reads a file.
pub(super) fn lint(file: &str, kind: Kind, text: &str, dialect: Dialect) -> Linted {
    let statements = match split(text, dialect) {
        Ok(statements) => statements,
        Err(error) => return Linted { refused: vec![format!("`{file}`: {error}")], flaws: Vec::new() },
    };
    let mut linted = Linted { refused: refused(file, &statements), flaws: Vec::new() };
    let mut own = Own::new(dialect);
    for statement in &statements {
        let remarks = match parse(statement.text, dialect) {
            Ok(tree) => rules::remarks(&tree, &mut own, dialect),
            Err(error) => {
                let error = error.to_string();
                vec![Remark::new(
                    "not-read",
                    Weight::Unread,
                    format!("it could not be read, so it is not checked: {}", short(&error)),
                )]
            }
        };
        let flaws = remarks.into_iter().map(|Remark { rule, weight, message }| Flaw {
            file: file.to_owned(),
            kind,
            line: statement.line,
            rule: rule.to_owned(),
            weight,
            message,
        });
        linted.flaws.extend(flaws);
    }
    // The worst first where there are too many to tell.
    if linted.flaws.len() > MOST {
        linted.flaws.sort_by_key(|flaw| std::cmp::Reverse(flaw.weight));
        linted.flaws.truncate(MOST);
        linted.flaws.sort_by_key(|flaw| flaw.line);
    }
    linted
}

/// What one statement does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remark {
    rule: &'static str,
    weight: Weight,
    message: String,
}

impl Remark {
    fn new(rule: &'static str, weight: Weight, message: impl Into<String>) -> Self {
        Self { rule, weight, message: message.into() }
    }
}

fn parse(text: &str, dialect: Dialect) -> Result<Tree, ParserError> {
    let grammar: &dyn Grammar = match dialect {
        Dialect::Sqlite => &SQLiteDialect {},
        Dialect::Postgres => &PostgreSqlDialect {},
    };
    let mut parser = Parser::new(grammar).with_recursion_limit(DEEPEST).try_with_sql(text)?;
    let tree = parser.parse_statement()?;
    let mut rest = parser.next_token();
    if rest.token == sqlparser::tokenizer::Token::SemiColon {
        rest = parser.next_token();
    }
    match rest.token {
        sqlparser::tokenizer::Token::EOF => Ok(tree),
        other => Err(ParserError::ParserError(format!("`{other}` was not expected{}", rest.span.start))),
    }
}

/// Why a file cannot be applied at all; nothing where it can.
pub(crate) fn check_statements(file: &str, text: &str, dialect: Dialect) -> Vec<String> {
    match split(text, dialect) {
        Ok(statements) => refused(file, &statements),
        Err(error) => vec![format!("`{file}`: {error}")],
    }
}

/// What cannot be part of a migration: each file is one transaction of its own, with the record that it was applied, and a
/// command of the tool is no SQL.
fn refused(file: &str, statements: &[Statement<'_>]) -> Vec<String> {
    let mut problems = Vec::new();
    for Statement { line, words, text } in statements {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let why = match words.as_slice() {
            ["BEGIN" | "COMMIT" | "ROLLBACK" | "END" | "ABORT" | "SAVEPOINT" | "RELEASE", ..]
            | ["START" | "PREPARE", "TRANSACTION", ..] => {
                "each file is one transaction already: leave out what begins or ends one"
            }
            ["VACUUM" | "ATTACH" | "DETACH", ..] | ["CREATE", "DATABASE", ..] => {
                "it cannot be part of a transaction"
            }
            ["." | "\\", ..] => "a command of the database's tool is no SQL",
            ["#", ..] => "a line that begins with `#` is passed over by `sqlite3`: write `--`",
            ["SET", "STANDARD_CONFORMING_STRINGS", "=" | "TO", "ON"] => continue,
            _ if has_word(text, &["STANDARD_CONFORMING_STRINGS"]) => {
                "`standard_conforming_strings` stays on: without it quotes end elsewhere"
            }
            ["COPY", ..] if has_word(text, &["STDIN", "STDOUT"]) => {
                "`psql` would take what follows for rows, the end of the transaction too: write INSERT"
            }
            _ => continue,
        };
        problems.push(format!("`{file}` line {line}: {why}"));
    }
    problems
}

/// Whether one of some words, in capitals, stands anywhere in a text.
fn has_word(text: &str, wanted: &[&str]) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

/// A text in one line, and not a long one.
fn short(text: &str) -> String {
    crate::deployment::answer::shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
