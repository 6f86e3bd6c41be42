//! Functions that a query calls. One may do anything: only those that are known to change nothing are passed.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

/// Functions of PostgreSQL that change nothing.
const HARMLESS: &str = "abs age array_agg array_length avg bool_and bool_or btrim cardinality ceil char_length coalesce concat concat_ws count \
    current_database current_schema current_setting date_part date_trunc dense_rank encode every extract first_value floor \
    format generate_series greatest json_agg jsonb_agg lag last_value lead least left length lower ltrim max md5 min mod \
    now nullif rank replace right round row_number rtrim split_part string_agg substr substring sum to_char to_date \
    to_regclass to_timestamp trim unnest upper version \
    date exp gen_random_uuid initcap interval json_build_object jsonb_build_object ln lpad pg_typeof position power random \
    regexp_replace rpad sign sqrt time timestamp timestamptz to_json to_jsonb to_number";
/// Words that a parenthesis may follow and that are no functions: of the grammar, and types with a length.
const GRAMMAR: &str = "all and any array as between bit by case cast char character cube decimal distinct else except exists fetch filter \
    from grouping having in intersect join lateral like limit not numeric offset on or over returning rollup row select \
    some then union using values varchar";

/// The first function that a query calls and that is not known to change nothing.
pub(super) fn unknown(query: &str) -> Option<String> {
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
    // `INSERT INTO t (a, b)` and `WITH t (a, b) AS`: columns.
    if is(rest.last(), &["into", "with", "recursive"]) {
        return true;
    }
    let known = |words: &str| words.split(' ').any(|known| known == name);
    match schema {
        Some(schema) => is(Some(schema), &["pg_catalog"]) && known(HARMLESS),
        None if word.quote_style.is_some() => false,
        None => known(HARMLESS) || known(GRAMMAR),
    }
}
