//! What the parameters of a function are when it is called.

use ruff_python_ast::{ParameterWithDefault, StmtFunctionDef};

use super::super::module::{bound, offset};
use super::super::value::Value;
use super::{Eval, Run, Scope};

impl<'a> Run<'a> {
    /// The names of a function as it begins.
    pub(super) fn bind(
        &mut self,
        def: &'a StmtFunctionDef,
        args: Vec<Value>,
        mut keywords: Vec<(String, Value)>,
    ) -> Eval<Scope> {
        let parameters = &*def.parameters;
        let mut scope = Scope { bound: bound(&def.body), ..Scope::default() };
        let mut given = args.into_iter();
        for parameter in parameters.posonlyargs.iter().chain(&parameters.args) {
            let name = parameter.name().to_string();
            let value = match given.next() {
                Some(value) => value,
                None => self.named(parameter, &mut keywords)?,
            };
            scope.names.insert(name, value);
        }
        let rest: Vec<Value> = given.collect();
        match &parameters.vararg {
            Some(parameter) => drop(scope.names.insert(parameter.name.to_string(), Value::tuple(rest))),
            None if rest.is_empty() => {}
            None => return self.unknown(format!("`{}` is called with too many arguments", def.name)),
        }
        for parameter in &parameters.kwonlyargs {
            let value = self.named(parameter, &mut keywords)?;
            scope.names.insert(parameter.name().to_string(), value);
        }
        match &parameters.kwarg {
            Some(parameter) => {
                let pairs = keywords.into_iter().map(|(name, value)| (Value::str(name), value)).collect();
                scope.names.insert(parameter.name.to_string(), Value::dict(pairs));
            }
            None if keywords.is_empty() => {}
            None => return self.unknown(format!("`{}` is called with unknown keywords", def.name)),
        }
        Ok(scope)
    }

    fn named(&mut self, parameter: &'a ParameterWithDefault, keywords: &mut Vec<(String, Value)>) -> Eval {
        let name = parameter.name().as_str();
        if let Some(at) = keywords.iter().position(|(keyword, _)| keyword == name) {
            return Ok(keywords.remove(at).1);
        }
        match &parameter.default {
            Some(default) => self.kept(&format!("the default of `{name}` at {}", offset(parameter)), default),
            None => self.unknown(format!("`{name}` is not given")),
        }
    }
}
