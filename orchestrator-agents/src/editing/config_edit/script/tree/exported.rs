//! Which expression is the configuration: what the module exports, through the helpers that are in use around it.

use orchestrator_core::BoxError;
use oxc_ast::ast::{
    Argument, ArrowFunctionBody, AssignmentTarget, BindingPattern, CallExpression, Declaration,
    ExportDefaultDeclarationKind, Expression, Function, Program, Statement, VariableDeclaration,
    VariableDeclarationKind,
};
use oxc_span::GetSpan;

use super::{bare, range};

/// The most steps from the export to the object.
const MOST_STEPS: usize = 16;

/// The expression that is exported.
pub(super) fn exported<'e, 'a>(
    program: &'e Program<'a>,
    text: &'e str,
) -> Result<&'e Expression<'a>, BoxError> {
    let look = Look { text, scopes: vec![&program.body] };
    for statement in &program.body {
        match statement {
            Statement::ExportDefaultDeclaration(export) => match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                    return look.function(function, 0);
                }
                other => {
                    let expression =
                        other.as_expression().ok_or("what it exports is neither an object nor a function")?;
                    return look.follow(expression, 0);
                }
            },
            Statement::TSExportAssignment(export) => return look.follow(&export.expression, 0),
            Statement::ExpressionStatement(statement) => {
                if let Some(assigned) = module_exports(&statement.expression, text) {
                    return look.follow(assigned, 0);
                }
            }
            _ => {}
        }
    }
    Err("it exports no configuration; `export default` or `module.exports =` was looked for".into())
}

fn module_exports<'e, 'a>(expression: &'e Expression<'a>, text: &str) -> Option<&'e Expression<'a>> {
    let Expression::AssignmentExpression(assignment) = expression else { return None };
    let AssignmentTarget::StaticMemberExpression(left) = &assignment.left else { return None };
    let left = &text[range(left.span())];
    matches!(left, "module.exports" | "exports.default").then_some(&assignment.right)
}

/// The names that can be followed, the innermost scope last.
struct Look<'e, 'a> {
    text: &'e str,
    scopes: Vec<&'e [Statement<'a>]>,
}

impl<'e, 'a> Look<'e, 'a> {
    fn follow(&self, expression: &'e Expression<'a>, steps: usize) -> Result<&'e Expression<'a>, BoxError> {
        if steps > MOST_STEPS {
            return Err(
                format!("the configuration is more than {MOST_STEPS} steps from what is exported").into()
            );
        }
        match bare(expression) {
            found @ (Expression::ObjectExpression(_) | Expression::ArrayExpression(_)) => Ok(found),
            Expression::Identifier(name) => self.named(name.name.as_str(), steps),
            Expression::CallExpression(call) => self.argument(call, steps),
            Expression::FunctionExpression(function) => self.function(function, steps),
            Expression::ArrowFunctionExpression(arrow) => match &arrow.body {
                ArrowFunctionBody::FunctionBody(body) => self.returned(&body.statements, steps),
                other => {
                    let expression =
                        other.as_expression().ok_or("the function returns nothing that is written out")?;
                    self.follow(expression, steps + 1)
                }
            },
            other => Err(self.refused(other)),
        }
    }

    fn refused(&self, expression: &Expression<'_>) -> BoxError {
        let source: String =
            self.text[range(expression.span())].lines().next().unwrap_or_default().chars().take(60).collect();
        format!(
            "what it exports is computed (`{source}`), not an object that is written out; edit it by hand"
        )
        .into()
    }

    fn function(&self, function: &'e Function<'a>, steps: usize) -> Result<&'e Expression<'a>, BoxError> {
        let body = function.body.as_ref().ok_or("the function has no body")?;
        self.returned(&body.statements, steps)
    }

    fn returned(&self, body: &'e [Statement<'a>], steps: usize) -> Result<&'e Expression<'a>, BoxError> {
        let decides = body.iter().any(|statement| {
            let plain = matches!(
                statement,
                Statement::ReturnStatement(_)
                    | Statement::VariableDeclaration(_)
                    | Statement::ExpressionStatement(_)
                    | Statement::FunctionDeclaration(_)
                    | Statement::EmptyStatement(_)
            );
            !plain
        });
        if decides {
            return Err(
                "the function that it exports decides by code what it returns; edit it by hand".into()
            );
        }
        let returned = body.iter().find_map(|statement| match statement {
            Statement::ReturnStatement(statement) => statement.argument.as_ref(),
            _ => None,
        });
        let returned = returned.ok_or("the function that it exports returns nothing")?;
        let scopes = self.scopes.iter().copied().chain([body]).collect();
        Look { text: self.text, scopes }.follow(returned, steps + 1)
    }

    /// `defineConfig(object)`, `createJestConfig(object)`, `mergeConfig(base, object)`.
    fn argument(&self, call: &'e CallExpression<'a>, steps: usize) -> Result<&'e Expression<'a>, BoxError> {
        let callee = bare(&call.callee);
        let name = &self.text[range(callee.span())];
        let helper = matches!(callee, Expression::Identifier(_) | Expression::CallExpression(_));
        let argument = match call.arguments.as_slice() {
            [only] if helper => Some(only),
            [.., last] if name == "mergeConfig" => Some(last),
            _ => None,
        };
        match argument.and_then(Argument::as_expression) {
            Some(argument) => self.follow(argument, steps + 1),
            None => Err(format!(
                "what it exports is computed by `{}`; edit it by hand",
                name.lines().next().unwrap_or_default()
            )
            .into()),
        }
    }

    fn named(&self, name: &str, steps: usize) -> Result<&'e Expression<'a>, BoxError> {
        for statement in self.scopes.iter().rev().flat_map(|scope| scope.iter()) {
            let declared: Option<&VariableDeclaration<'a>> = match statement {
                Statement::VariableDeclaration(declared) => Some(declared),
                Statement::ExportDeclaration(export) => match &export.declaration {
                    Declaration::VariableDeclaration(declared) => Some(declared),
                    _ => None,
                },
                Statement::FunctionDeclaration(function)
                    if function.id.as_ref().is_some_and(|id| id.name == name) =>
                {
                    return self.function(function, steps + 1);
                }
                _ => None,
            };
            for one in declared.iter().flat_map(|declared| &declared.declarations) {
                if !matches!(&one.id, BindingPattern::BindingIdentifier(id) if id.name == name) {
                    continue;
                }
                if declared.is_some_and(|declared| declared.kind != VariableDeclarationKind::Const) {
                    return Err(format!(
                        "`{name}` is not a `const`, so it may become something else; edit it by hand"
                    )
                    .into());
                }
                let value = one.init.as_ref().ok_or_else(|| format!("`{name}` has no value"))?;
                return self.follow(value, steps + 1);
            }
        }
        Err(format!("what it exports is `{name}`, which is not written in this file; edit it by hand").into())
    }
}
