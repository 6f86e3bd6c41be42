//! Makes cases of a module's exports, and notes what it cannot.

use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::ast::{Class, ClassElement, FormalParameters, MethodDefinitionKind, TSAccessibility, TSType};

use super::super::language::NeedsPerson;
use super::case::{
    Block, Case, Dialect, called, equals, exactly, given, is_outside, mocks, named, outcome, when,
};
use super::eval::Machine;
use super::eval::call::is_promise;
use super::explore::{Explored, Way, explore};
use super::module::{Export, Literals, Module};
use super::render::{definition, expression};
use super::value::{Closure, Code, Eval, Kind, Value};
use super::world::Origin;

/// The most bytes of all cases of a file.
const LONGEST: usize = 512 << 10;

/// Names that a test uses itself.
const TAKEN: [&str; 16] = [
    "service",
    "result",
    "act",
    "failure",
    "app",
    "response",
    "loaded",
    "vi",
    "jest",
    "expect",
    "it",
    "describe",
    "process",
    "Fastify",
    "environment",
    "undefined",
];

/// What is made of one module.
pub(super) struct Maker<'a, 'm> {
    pub(super) module: &'m Module<'a>,
    pub(super) literals: &'m Literals<'a>,
    pub(super) dialect: Dialect,
    /// How the default export without a name is called in the test.
    pub(super) default: String,
    /// Names that the test imports of the module; the default one under its name.
    pub(super) named: BTreeSet<String>,
    pub(super) imports_default: Option<String>,
    /// Error classes that it imports from where the module does.
    pub(super) errors: BTreeSet<String>,
    pub(super) person: Vec<NeedsPerson>,
    /// How many bytes the cases have.
    pub(super) written: usize,
}

/// What a case calls.
pub(super) struct Subject {
    /// What people call it.
    pub(super) name: String,
    pub(super) line: u32,
    /// Lines before the call.
    pub(super) before: Vec<String>,
    /// The call without its arguments; a getter has none.
    pub(super) call: String,
    pub(super) getter: bool,
    pub(super) waits: bool,
    /// Keys of its arguments.
    pub(super) arguments: Vec<String>,
}

impl<'a> Maker<'a, '_> {
    /// A function that is exported.
    pub(super) fn function(&mut self, export: &Export<'a>, code: Code<'a>) -> Option<(Block, bool)> {
        let name = self.import(export);
        let (parameters, waits) = signature(code);
        let keys = keys(parameters, &[name.as_str()]);
        let run = |machine: &mut Machine<'a, '_>| {
            let arguments = choose(machine, parameters, &keys)?;
            let scope = machine.globals.clone();
            let closure = std::rc::Rc::new(Closure { code, scope, this: Value::Undefined });
            let value = machine.invoke(&closure, arguments, export.span.start)?;
            Ok(told(machine, value, export.span.start))
        };
        let found = explore(self.module, self.literals, run);
        let subject = Subject {
            name: name.clone(),
            line: self.module.line(export.span.start),
            before: Vec::new(),
            call: name.clone(),
            getter: false,
            waits,
            arguments: keys.clone(),
        };
        let environment = reads_environment(&found);
        let cases = self.cases(&subject, &found, &mut BTreeSet::new());
        (!cases.is_empty())
            .then(|| (Block { name: super::render::text(&name), title: name, cases }, environment))
    }

    /// A class that is exported: its public methods, with its collaborators mocked.
    pub(super) fn class(&mut self, export: &Export<'a>, class: &'a Class<'a>) -> Option<Block> {
        let line = self.module.line(export.span.start);
        let shown = export.name.map_or_else(|| self.default.clone(), str::to_owned);
        if class.r#abstract || class.declare {
            self.needs(&shown, line, "it is abstract, so a test cannot make one");
            return None;
        }
        let name = self.import(export);
        let constructor = class.body.body.iter().find_map(|element| match element {
            ClassElement::MethodDefinition(it) if it.kind == MethodDefinitionKind::Constructor => {
                Some(&*it.value.params)
            }
            _ => None,
        });
        let collaborators = constructor.map(|them| keys(them, &[name.as_str()])).unwrap_or_default();
        let (mut cases, mut taken) = (Vec::new(), BTreeSet::new());
        for element in &class.body.body {
            let ClassElement::MethodDefinition(it) = element else { continue };
            let hidden =
                matches!(it.accessibility, Some(TSAccessibility::Private | TSAccessibility::Protected));
            let kind = matches!(it.kind, MethodDefinitionKind::Method | MethodDefinitionKind::Get);
            let (false, false, true, Some(method), true) =
                (hidden, it.key.is_private_identifier(), kind, it.key.name(), it.value.body.is_some())
            else {
                continue;
            };
            let own: Vec<&str> = collaborators.iter().map(String::as_str).chain([name.as_str()]).collect();
            let inputs = keys(&it.value.params, &own);
            let is_static = it.r#static;
            let run = |machine: &mut Machine<'a, '_>| {
                let object = match (is_static, constructor) {
                    (true, _) => Value::Class(class),
                    (false, None) => machine.instance(class, Vec::new(), it.span.start)?,
                    (false, Some(parameters)) => {
                        let given = choose(machine, parameters, &collaborators)?;
                        machine.instance(class, given, it.span.start)?
                    }
                };
                let arguments = choose(machine, &it.value.params, &inputs)?;
                let (code, scope) = (Code::Function(&it.value), machine.globals.clone());
                let closure = std::rc::Rc::new(Closure { code, scope, this: object });
                let value = machine.invoke(&closure, arguments, it.span.start)?;
                Ok(told(machine, value, it.span.start))
            };
            let found = explore(self.module, self.literals, run);
            let (_, waits) = signature(Code::Function(&it.value));
            let on = if is_static { name.as_str() } else { "service" };
            let subject = Subject {
                name: method.to_string(),
                line: self.module.line(it.span.start),
                before: if is_static { Vec::new() } else { vec![format!("const service = new {name}(")] },
                call: format!("{on}.{method}"),
                getter: it.kind == MethodDefinitionKind::Get,
                waits,
                arguments: inputs.clone(),
            };
            let given = if is_static { Vec::new() } else { collaborators.clone() };
            cases.extend(self.cases_with(&subject, &found, &given, &mut taken));
        }
        (!cases.is_empty()).then(|| Block { name: super::render::text(&name), title: name, cases })
    }

    fn cases(
        &mut self,
        subject: &Subject,
        found: &Explored<'a, Value<'a>>,
        taken: &mut BTreeSet<String>,
    ) -> Vec<Case> {
        self.cases_with(subject, found, &[], taken)
    }

    fn cases_with(
        &mut self,
        subject: &Subject,
        found: &Explored<'a, Value<'a>>,
        collaborators: &[String],
        taken: &mut BTreeSet<String>,
    ) -> Vec<Case> {
        let mut cases = Vec::new();
        // To give nothing and do nothing is only a fact where there are other ways to tell it from.
        let silent =
            |way: &Way<'a, Value<'a>>| way.calls.is_empty() && matches!(way.outcome, Ok(Value::Undefined));
        let all_silent = found.ways.iter().all(silent);
        for way in found.ways.iter().filter(|way| !(all_silent && silent(way))) {
            match self.case(subject, way, collaborators, taken) {
                Ok(case) => cases.extend(self.fits(&subject.name, subject.line, case)),
                Err(why) => self.needs(&subject.name, subject.line, &why),
            }
        }
        for (at, why) in &found.unknown {
            let line = if *at == 0 { subject.line } else { self.module.line(*at) };
            self.needs(&subject.name, line, why);
        }
        if cases.is_empty() && found.unknown.is_empty() {
            self.needs(
                &subject.name,
                subject.line,
                "it gives nothing and calls nothing that a test could see",
            );
        }
        cases
    }

    fn case(
        &mut self,
        subject: &Subject,
        way: &Way<'a, Value<'a>>,
        collaborators: &[String],
        taken: &mut BTreeSet<String>,
    ) -> Result<Case, String> {
        let unwritten = || "what goes in or comes out cannot be written down".to_owned();
        let mocks = mocks(&way.calls, self.dialect).ok_or_else(unwritten)?;
        let mut lines = given(way, &mocks).ok_or_else(unwritten)?;
        lines.extend(environment(way).ok_or_else(unwritten)?);
        let mut act = Vec::new();
        for line in &subject.before {
            let given = self.arguments(way, collaborators).ok_or_else(unwritten)?;
            act.push(format!("{line}{given});"));
        }
        let arguments = self.arguments(way, &subject.arguments).ok_or_else(unwritten)?;
        let call =
            if subject.getter { subject.call.clone() } else { format!("{}({arguments})", subject.call) };
        let mut then = Vec::new();
        let said = match &way.outcome {
            Ok(value) => {
                act.push(format!("const result = {}{call};", if subject.waits { "await " } else { "" }));
                then.push(equals("result", value).ok_or_else(unwritten)?);
                outcome(value, &way.calls)
            }
            Err(thrown) => {
                act.push(if subject.waits {
                    format!("const failure = {call};")
                } else {
                    format!("const act = () => {call};")
                });
                let (checks, said) = self.thrown(thrown, subject.waits)?;
                then.extend(checks);
                said
            }
        };
        if let (Ok(Value::Undefined), false) = (&way.outcome, way.calls.is_empty()) {
            // What is called says more than that nothing is given.
            act.pop();
            act.push(format!("{}{call};", if subject.waits { "await " } else { "" }));
            then.clear();
        }
        then.extend(called(&way.calls).ok_or_else(unwritten)?);
        let of = if subject.call == subject.name { String::new() } else { format!("{} ", subject.name) };
        let (name, title) = named(format!("{of}{said}{}", when(way)), taken);
        Ok(Case { name, title, given: lines, act, then, waits: subject.waits })
    }

    /// What is said of something that is thrown.
    pub(super) fn thrown(
        &mut self,
        thrown: &Value<'a>,
        waits: bool,
    ) -> Result<(Vec<String>, String), String> {
        let subject = if waits { "await expect(failure).rejects" } else { "expect(act)" };
        let Value::Object(object) = thrown else { return Err("it throws something that is no error".into()) };
        if let Kind::StandIn { .. } = object.kind {
            return Err("it throws something from outside".into());
        }
        let Kind::Error { class, own } = &object.kind else {
            return Err("it throws something that is no error".into());
        };
        let mut checks = Vec::new();
        if let Some(Value::Text(message)) = thrown.prop("message") {
            checks.push(format!("{subject}.toThrow({});", exactly(&message)));
        }
        if *own
            && let Some(export) =
                self.module.exports.iter().find(|export| export.name == Some(class) && !export.default)
        {
            self.named.insert(export.name.unwrap_or_default().to_owned());
            checks.push(format!("{subject}.toThrow({class});"));
        } else if !*own {
            self.errors.insert(class.clone());
            checks.push(format!("{subject}.toThrow({class});"));
        }
        if checks.is_empty() {
            return Err(format!("it throws `{class}` without a message that is known"));
        }
        let said = thrown.prop("message").as_ref().and_then(super::case::short);
        Ok((checks, said.map_or_else(|| format!("throws {class}"), |said| format!("throws {class} {said}"))))
    }

    fn arguments(&self, way: &Way<'a, Value<'a>>, keys: &[String]) -> Option<String> {
        let mut values = Vec::new();
        for key in keys {
            let value = way.seen.iter().find(|seen| seen.key == *key)?.value.as_ref().ok()?;
            let shown = expression(value)?;
            values.push((is_outside(value), shown, matches!(value, Value::Undefined)));
        }
        while values.last().is_some_and(|(_, _, missing)| *missing) {
            values.pop();
        }
        let odd = |shown: &str| matches!(shown, "undefined" | "null");
        let values =
            values.into_iter().map(
                |(outside, shown, _)| {
                    if outside || odd(&shown) { self.dialect.cast(&shown) } else { shown }
                },
            );
        Some(values.collect::<Vec<_>>().join(", "))
    }

    /// Imports an export into the test; says its name there.
    pub(super) fn import(&mut self, export: &Export<'a>) -> String {
        match (export.default, export.name) {
            (false, Some(name)) => {
                self.named.insert(name.to_owned());
                name.to_owned()
            }
            (_, name) => {
                let name = name.map_or_else(|| self.default.clone(), str::to_owned);
                self.imports_default = Some(name.clone());
                name
            }
        }
    }

    /// The case, unless the file is long enough without it.
    pub(super) fn fits(&mut self, what: &str, line: u32, case: Case) -> Option<Case> {
        self.written += case.bytes();
        if self.written > LONGEST {
            self.needs(what, line, "the test file is long enough without it");
            return None;
        }
        Some(case)
    }

    pub(super) fn needs(&mut self, what: &str, line: u32, why: &str) {
        let it = NeedsPerson { what: what.to_owned(), line, why: why.to_owned() };
        if !self.person.contains(&it) && self.person.len() < 200 {
            self.person.push(it);
        }
    }
}

/// The line that gives the environment, where it is read.
pub(super) fn environment<T>(way: &Way<'_, T>) -> Option<Vec<String>> {
    let Some(Value::Object(object)) = &way.environment else { return Some(Vec::new()) };
    let given = object.given.borrow();
    let there: Vec<(String, Value<'_>)> =
        given.iter().filter(|(_, value)| !matches!(value, Value::Undefined)).cloned().collect();
    Some(vec![format!("process.env = {};", definition(&Value::plain(there), &BTreeMap::new())?)])
}

fn reads_environment(found: &Explored<'_, Value<'_>>) -> bool {
    found.ways.iter().any(|way| {
        way.environment.is_some()
            || way.seen.iter().any(|seen| {
                matches!(&seen.value, Ok(Value::Object(object))
                    if matches!(object.kind, Kind::StandIn { shape: super::value::Shape::Environment, .. }))
            })
    })
}

/// Yes and no are two ways through a function, also where nothing branches.
fn told<'a>(machine: &mut Machine<'a, '_>, value: Value<'a>, at: u32) -> Value<'a> {
    if let Value::Bool(yes) = value {
        machine.decide(at, yes);
    }
    value
}

/// Values for parameters.
pub(super) fn choose<'a>(
    machine: &mut Machine<'a, '_>,
    parameters: &'a FormalParameters<'a>,
    keys: &[String],
) -> Eval<'a, Vec<Value<'a>>> {
    let mut values = Vec::new();
    for (item, key) in parameters.items.iter().zip(keys) {
        let name = item.pattern.get_identifier_name().map_or(key.as_str(), |id| id.as_str());
        let ty = item.type_annotation.as_ref().map(|ty| &ty.type_annotation);
        let destructured = item.pattern.get_identifier_name().is_none() && ty.is_none();
        let optional = item.optional || item.initializer.is_some();
        if is_process_environment(item.initializer.as_deref()) {
            let shape = super::value::Shape::Environment;
            values.push(machine.stand_in_for(key, shape, item.span.start)?);
            continue;
        }
        if destructured {
            values.push(machine.stand_in_for(key, super::value::Shape::Unknown, item.span.start)?);
            continue;
        }
        let origin = match &item.initializer {
            Some(default) if ty.is_none() => Origin::Default(default),
            _ => Origin::Parameter,
        };
        match machine.choose(key, name, ty, optional, origin, item.span.start)? {
            Ok(value) => values.push(value),
            Err(_) => values.push(Value::Undefined),
        }
    }
    Ok(values)
}

/// `env = process.env`.
fn is_process_environment(default: Option<&oxc_ast::ast::Expression<'_>>) -> bool {
    use oxc_ast::ast::Expression;
    matches!(default.map(Expression::get_inner_expression), Some(Expression::StaticMemberExpression(it))
        if it.property.name == "env" && matches!(&it.object, Expression::Identifier(id) if id.name == "process"))
}

/// The parameters of a function, and whether it gives a promise.
pub(super) fn signature<'a>(code: Code<'a>) -> (&'a FormalParameters<'a>, bool) {
    let promise = |ty: Option<&TSType<'a>>| ty.is_some_and(is_promise);
    match code {
        Code::Function(it) => {
            (&it.params, it.r#async || promise(it.return_type.as_ref().map(|ty| &ty.type_annotation)))
        }
        Code::Arrow(it) => {
            (&it.params, it.r#async || promise(it.return_type.as_ref().map(|ty| &ty.type_annotation)))
        }
    }
}

/// What parameters are called in the test.
pub(super) fn keys(parameters: &FormalParameters<'_>, taken: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for (n, item) in parameters.items.iter().enumerate() {
        let name = item.pattern.get_identifier_name().map_or_else(
            || if parameters.items.len() == 1 { "input".to_owned() } else { format!("input{}", n + 1) },
            |id| id.to_string(),
        );
        let mut key = name.clone();
        while TAKEN.contains(&key.as_str()) || taken.contains(&key.as_str()) || keys.contains(&key) {
            key += "Given";
        }
        keys.push(key);
    }
    keys
}
