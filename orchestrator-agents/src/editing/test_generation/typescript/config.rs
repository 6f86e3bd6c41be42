//! A module that reads the environment when it is loaded: it is loaded anew for each environment.

use std::collections::BTreeSet;

use oxc_ast::ast::{Declaration, Statement};

use super::case::{Block, Case, equals, exactly, named, short, when};
use super::eval::{Machine, unknown};
use super::explore::explore;
use super::maker::{Maker, environment};
use super::module::Exported;
use super::value::{Eval, Value};

/// Cases about loading the module; none where that reads nothing.
pub(super) fn on_import(maker: &mut Maker<'_, '_>, module_name: &str) -> Option<Block> {
    if !maker.module.reads_environment {
        return None;
    }
    let module = maker.module;
    let found = explore(module, maker.literals, |machine| load(machine));
    if found.ways.iter().all(|way| way.environment.is_none()) {
        return None;
    }
    let (mut cases, mut taken) = (Vec::new(), BTreeSet::new());
    let mock = maker.dialect.mock;
    for way in &found.ways {
        let Some(given) = environment(way) else { continue };
        let mut act = vec![format!("{mock}.resetModules();")];
        let import = format!("import({})", super::render::text(module_name));
        let (mut then, said) = (
            Vec::new(),
            match &way.outcome {
                Ok(exports) => {
                    act.push(format!("const loaded = await {import};"));
                    let mut said = "loads".to_owned();
                    if let [(name, value)] = &exports[..]
                        && let Some(value) = short(value)
                    {
                        said = format!("gives {name} as {value}");
                    }
                    said
                }
                Err(thrown) => {
                    act.push(format!("const failure = {import};"));
                    match thrown.prop("message") {
                        Some(message @ Value::Text(_)) => {
                            format!("throws {}", short(&message).unwrap_or_else(|| "an error".into()))
                        }
                        _ => continue,
                    }
                }
            },
        );
        match &way.outcome {
            Ok(exports) => {
                for (name, value) in exports {
                    then.extend(equals(&format!("loaded.{name}"), value));
                }
            }
            Err(thrown) => {
                if let Some(Value::Text(message)) = thrown.prop("message") {
                    then.push(format!("await expect(failure).rejects.toThrow({});", exactly(&message)));
                }
            }
        }
        if then.is_empty() {
            continue;
        }
        let (name, title) = named(format!("{said}{}", when(way)), &mut taken);
        let case = Case { name, title, given, act, then, waits: true };
        cases.extend(maker.fits("the module", 1, case));
    }
    for (at, why) in &found.unknown {
        maker.needs("the module", module.line(*at), why);
    }
    let title = "when it is loaded".to_owned();
    (!cases.is_empty()).then(|| Block { name: super::render::text(&title), title, cases })
}

/// Loads the module: what it exports that is a value, by name.
fn load<'a>(machine: &mut Machine<'a, '_>) -> Eval<'a, Vec<(String, Value<'a>)>> {
    let (module, names) = (machine.module, machine.globals.clone());
    for statement in &module.program.body {
        match statement {
            Statement::ExportDeclaration(it) => {
                if let Declaration::VariableDeclaration(it) = &it.declaration {
                    machine.declare(it, &names)?;
                }
            }
            Statement::ImportDeclaration(_)
            | Statement::ExportNamedDeclaration(_)
            | Statement::TSInterfaceDeclaration(_)
            | Statement::TSTypeAliasDeclaration(_)
            | Statement::FunctionDeclaration(_)
            | Statement::ClassDeclaration(_) => {}
            Statement::ExportDefaultDeclaration(_) => {}
            other => drop(machine.block(std::slice::from_ref(other), &names)?),
        }
    }
    let mut values = Vec::new();
    for export in &module.exports {
        let (Exported::Constant, Some(name), false) = (export.what, export.name, export.default) else {
            continue;
        };
        match names.find(name) {
            Some(Value::Function(_) | Value::Class(_)) => {}
            Some(value) => values.push((name.to_owned(), value)),
            None => return unknown("an export is not declared here", export.span.start),
        }
    }
    Ok(values)
}
