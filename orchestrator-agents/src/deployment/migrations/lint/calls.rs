//! Functions that a statement calls. One may do anything: only those that are known to change nothing are passed.

use sqlparser::ast::{AlterTableOperation, ColumnOption, CreateTable, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use super::{Remark, short};
use crate::deployment::migrations::Weight;

/// Functions of PostgreSQL that change nothing.
const HARMLESS: &str = "abs age array_agg array_length avg bool_and bool_or btrim cardinality ceil char_length coalesce concat concat_ws count \
    current_database current_schema current_setting date_part date_trunc dense_rank encode every extract first_value floor \
    format generate_series greatest json_agg jsonb_agg lag last_value lead least left length lower ltrim max md5 min mod \
    now nullif rank replace right round row_number rtrim split_part string_agg substr substring sum to_char to_date \
    to_regclass to_timestamp trim unnest upper version \
    date exp gen_random_uuid initcap interval json_build_object jsonb_build_object ln lpad pg_typeof position power random \
    regexp_replace rpad sign sqrt time timestamp timestamptz to_json to_jsonb to_number \
    array_append array_remove array_to_string crypt currval digest gen_salt json_array_elements json_build_array json_each \
    jsonb_array_elements jsonb_build_array jsonb_each jsonb_set make_date nextval regexp_split_to_table repeat reverse \
    row_to_json starts_with string_to_array strpos to_tsvector translate trunc uuid_generate_v4";
/// Words that a parenthesis may follow and that are no functions: of the grammar, and types with a length.
const GRAMMAR: &str = "all and any array as between bit by case cast char character conflict cube decimal distinct else except exists fetch filter \
    from grouping having in intersect join lateral like limit not numeric offset on or over returning rollup row select \
    set some then union using values varchar";

/// What is not known of a statement for what it calls.
pub(super) fn remark(statement: &Statement) -> Option<Remark> {
    let function = run_by(statement).iter().find_map(|text| unknown(text))?;
    let message = format!("it calls function `{}`, and what that does is not known", short(&function));
    Some(Remark::new("call", Weight::Unread, message))
}

/// What of a statement is run at once: what a view or a function holds is not.
fn run_by(statement: &Statement) -> Vec<String> {
    match statement {
        Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => {
            vec![statement.to_string()]
        }
        Statement::CreateTable(CreateTable { query: Some(query), .. }) => vec![query.to_string()],
        Statement::CreateView(view) if view.materialized => vec![view.query.to_string()],
        Statement::AlterTable(table) => table.operations.iter().flat_map(defaults).collect(),
        _ => Vec::new(),
    }
}

/// What fills a new column.
fn defaults(operation: &AlterTableOperation) -> Vec<String> {
    let AlterTableOperation::AddColumn { column_def, .. } = operation else { return Vec::new() };
    let options = column_def.options.iter().filter_map(|option| match &option.option {
        ColumnOption::Default(value) => Some(value.to_string()),
        _ => None,
    });
    options.collect()
}

/// The first function that a text calls and that is not known to change nothing.
fn unknown(query: &str) -> Option<String> {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, query).tokenize() else {
        return Some("one that could not be told".to_owned());
    };
    let tokens: Vec<Token> =
        tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    tokens.iter().enumerate().find_map(|(at, token)| match (token, tokens.get(at + 1)) {
        (Token::Word(word), Some(Token::LParen)) if !is_harmless(word, &tokens[..at]) => {
            Some(word.value.clone())
        }
        _ => None,
    })
}

/// Whether a word before a parenthesis, with what stands before it, calls nothing that may change anything.
fn is_harmless(word: &Word, before: &[Token]) -> bool {
    let is = |token: Option<&Token>, wanted: &[&str]| match token {
        Some(Token::Word(found)) => wanted.iter().any(|wanted| found.value.eq_ignore_ascii_case(wanted)),
        _ => false,
    };
    let name = word.value.to_ascii_lowercase();
    let (schema, rest) = match before {
        [rest @ .., schema, Token::Period] => (Some(schema), rest),
        rest => (None, rest),
    };
    // `INSERT INTO t (a, b)`, `WITH t (a, b) AS` and `AS t (a, b)`: columns.
    if is(rest.last(), &["into", "with", "recursive", "as"]) {
        return true;
    }
    let known = |words: &str| words.split(' ').any(|known| known == name);
    match schema {
        Some(schema) => is(Some(schema), &["pg_catalog"]) && known(HARMLESS),
        None if word.quote_style.is_some() => false,
        None => known(HARMLESS) || known(GRAMMAR),
    }
}
