//! What vitest and jest print as JSON, and where a case stands in a test file.

use std::ops::Range;

use orchestrator_core::path::RelPath;
use oxc_allocator::Allocator;
use oxc_ast::ast::{ArrowFunctionBody, Expression, Statement};
use oxc_span::GetSpan;
use serde::Deserialize;

use super::super::language::{Printed, Ran};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    num_passed_tests: usize,
    #[serde(default)]
    test_results: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    message: String,
    #[serde(default)]
    assertion_results: Vec<One>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    #[serde(default)]
    title: String,
    status: String,
    #[serde(default)]
    failure_messages: Vec<String>,
}

/// What a run printed. The report may stand behind lines of the program.
pub(super) fn read(printed: &Printed<'_>) -> Ran {
    let found = printed.stdout.match_indices('{').take(200).find_map(|(at, _)| {
        let mut reader = serde_json::Deserializer::from_str(&printed.stdout[at..]);
        Report::deserialize(&mut reader).ok()
    });
    let Some(report) = found else {
        let said = [printed.stderr, printed.stdout].into_iter().find(|text| !text.trim().is_empty());
        return Ran { passed: Some(0), failed: Vec::new(), said: said.unwrap_or_default().to_owned() };
    };
    let mut ran = Ran { passed: Some(report.num_passed_tests), ..Ran::default() };
    for file in &report.test_results {
        for one in file.assertion_results.iter().filter(|one| one.status == "failed") {
            let name = one.ancestor_titles.iter().map(String::as_str).chain([one.title.as_str()]);
            let name = name.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            ran.failed.push((name, one.failure_messages.first().cloned().unwrap_or_default()));
        }
        if !file.message.trim().is_empty() && ran.said.is_empty() {
            ran.said.clone_from(&file.message);
        }
    }
    if ran.said.is_empty() && !printed.ok {
        printed.stderr.clone_into(&mut ran.said);
    }
    ran
}

/// Where cases stand: whole lines, with the empty line after them.
pub(super) fn find(path: &RelPath, text: &str, cases: &[String]) -> Vec<(String, Range<usize>)> {
    let allocator = Allocator::default();
    let Ok(program) = super::parse::parse(&allocator, path, text) else { return Vec::new() };
    let mut found = Vec::new();
    for statement in &program.body {
        look(statement, "", text, cases, &mut found);
    }
    found
}

fn look(
    statement: &Statement<'_>,
    above: &str,
    text: &str,
    cases: &[String],
    found: &mut Vec<(String, Range<usize>)>,
) {
    let Statement::ExpressionStatement(it) = statement else { return };
    let Expression::CallExpression(call) = &it.expression else { return };
    let Expression::Identifier(callee) = &call.callee else { return };
    let Some(Expression::StringLiteral(title)) = call.arguments.first().and_then(|it| it.as_expression())
    else {
        return;
    };
    let name = if above.is_empty() { title.value.to_string() } else { format!("{above} {}", title.value) };
    match callee.name.as_str() {
        "it" | "test" if cases.contains(&name) => {
            let span = it.span();
            let start = text[..span.start as usize].rfind('\n').map_or(0, |at| at + 1);
            let mut end =
                text[span.end as usize..].find('\n').map_or(text.len(), |at| span.end as usize + at + 1);
            if text[end..].starts_with('\n') {
                end += 1;
            }
            found.push((name, start..end));
        }
        "describe" => {
            let Some(Expression::ArrowFunctionExpression(body)) =
                call.arguments.get(1).and_then(|it| it.as_expression())
            else {
                return;
            };
            if let ArrowFunctionBody::FunctionBody(body) = &body.body {
                for statement in &body.statements {
                    look(statement, &name, text, cases, found);
                }
            }
        }
        _ => {}
    }
}
