//! The test file of a module: its imports, and the blocks that templates lay out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use orchestrator_core::BoxError;
use oxc_allocator::Allocator;
use oxc_ast_visit::Visit;
use serde_json::json;

use super::super::config::Template;
use super::super::language::{Generated, Source};
use super::super::template::render;
use super::case::{Block, Dialect, has_word};
use super::maker::Maker;
use super::module::{Exported, Literals, Module};
use super::value::Code;
use super::{config, parse, place, render as text, route, siblings};

/// The template files: name, and the one that ships.
fn shipped(template: Template) -> Option<(&'static str, &'static str)> {
    match template {
        Template::Service => Some(("service.ts.j2", include_str!("../templates/service.ts.j2"))),
        Template::Route => Some(("route.ts.j2", include_str!("../templates/route.ts.j2"))),
        Template::Config => Some(("config.ts.j2", include_str!("../templates/config.ts.j2"))),
        Template::Python | Template::Rust => None,
    }
}

/// The most exports that are looked at.
const EXPORTS: usize = 1_000;

pub(super) fn generate(source: &Source<'_>) -> Result<Generated, BoxError> {
    let allocator = Allocator::default();
    let program = parse::parse(&allocator, source.path, source.text)?;
    let mut module = Module::of(&program, source.text);
    siblings::add(&mut module, source.path, source.look, &allocator);
    let mut literals = Literals::default();
    literals.visit_program(&program);
    for constant in module.imported.values() {
        literals.visit_expression(constant);
    }
    let (mock, typed) =
        (place::mock(source.test_file, source.look), !source.test_file.as_str().ends_with("js"));
    let mut maker = Maker {
        module: &module,
        literals: &literals,
        dialect: Dialect { mock, typed },
        default: default_name(source.path.as_str()),
        named: BTreeSet::new(),
        imports_default: None,
        errors: BTreeSet::new(),
        person: Vec::new(),
        written: 0,
    };
    let wanted = |template| source.templates.contains(&template);
    let module_name = specifier(source, &module);
    let mut made = Made::default();
    if wanted(Template::Config) {
        made.config.extend(config::on_import(&mut maker, &module_name));
    }
    made.loads = !made.config.is_empty();
    for (n, export) in module.exports.iter().enumerate() {
        if n >= EXPORTS || module.work.get() == 0 {
            let why = "the file takes too much work to be followed from here on; split it";
            maker.needs("the rest of the file", module.line(export.span.start), why);
            break;
        }
        // What is exported under two names is one thing.
        let named_too = |other: &super::module::Export<'_>| !other.default && other.name == export.name;
        if export.default && export.name.is_some() && module.exports.iter().any(named_too)
            || module.exports[..n]
                .iter()
                .any(|other| other.default == export.default && other.name == export.name)
        {
            continue;
        }
        if let Some(code) = plugin(&module, export.what) {
            if wanted(Template::Route) {
                made.route.extend(route::plugin(&mut maker, export, code));
            }
            continue;
        }
        match export.what {
            Exported::Function(code) if wanted(Template::Service) || wanted(Template::Config) => {
                let Some((block, environment)) = maker.function(export, code) else { continue };
                let to_config = (environment && wanted(Template::Config)) || !wanted(Template::Service);
                if to_config { made.config.push(block) } else { made.service.push(block) }
            }
            Exported::Class(class) if wanted(Template::Service) && !is_error(&module, class) => {
                made.service.extend(maker.class(export, class));
            }
            _ => {}
        }
    }
    made.write(source, &module, maker, &module_name)
}

/// The blocks of a file, by template.
#[derive(Default)]
struct Made {
    service: Vec<Block>,
    route: Vec<Block>,
    config: Vec<Block>,
    /// Whether the module itself is loaded by cases.
    loads: bool,
}

impl Made {
    fn write(
        self,
        source: &Source<'_>,
        module: &Module<'_>,
        maker: Maker<'_, '_>,
        module_name: &str,
    ) -> Result<Generated, BoxError> {
        let cases: Vec<String> = [&self.service, &self.route, &self.config]
            .into_iter()
            .flatten()
            .flat_map(|block| block.cases.iter().map(move |case| format!("{} {}", block.title, case.title)))
            .collect();
        let mut person = maker.person.clone();
        person.sort_by_key(|it| it.line);
        if cases.is_empty() {
            return Ok(Generated { text: String::new(), cases, person });
        }
        let mut text = format!(
            "// Generated from {}. Edits by hand are kept when it is generated again.\n",
            source.path
        );
        let uses_environment = [&self.service, &self.route, &self.config]
            .into_iter()
            .flatten()
            .flat_map(|block| &block.cases)
            .any(|case| case.given.iter().any(|line| line.starts_with("process.env = ")));
        let mut body = String::new();
        for (template, blocks) in [
            (Template::Config, self.config),
            (Template::Service, self.service),
            (Template::Route, self.route),
        ] {
            let Some((name, shipped)) = shipped(template).filter(|_| !blocks.is_empty()) else { continue };
            let values =
                json!({ "blocks": blocks, "source": source.path.as_str(), "mock": maker.dialect.mock });
            body += "\n";
            body += render(source, name, shipped, values)?.trim_start_matches('\n');
        }
        text += &imports(source, module, &maker, module_name, uses_environment, &body);
        if uses_environment {
            text += "\nconst environment = process.env;\n\nafterEach(() => {\n  process.env = environment;\n});\n";
        }
        text += &body;
        Ok(Generated { text, cases, person })
    }
}

fn imports(
    source: &Source<'_>,
    module: &Module<'_>,
    maker: &Maker<'_, '_>,
    module_name: &str,
    environment: bool,
    body: &str,
) -> String {
    let mut text = String::new();
    let runner = if maker.dialect.mock == "jest" { "@jest/globals" } else { "vitest" };
    let mut names = vec!["describe", "expect", "it"];
    if environment {
        names.insert(0, "afterEach");
    }
    if body.contains(&format!("{}.", maker.dialect.mock)) {
        names.push(maker.dialect.mock);
    }
    names.sort_unstable();
    if body.contains("Fastify()") {
        text += "import Fastify from 'fastify';\n";
    }
    writeln!(text, "import {{ {} }} from '{runner}';\n", names.join(", "))
        .expect("a string takes everything");
    for name in &maker.errors {
        if let Some((from, own)) = module.imports.get(name.as_str()) {
            let what = match own.as_str() {
                "default" => name.clone(),
                own if own == name => format!("{{ {name} }}"),
                own => format!("{{ {own} as {name} }}"),
            };
            let from = place::import_of(source.test_file, source.path, from);
            writeln!(text, "import {what} from {};", text::text(&from)).expect("a string takes everything");
        }
    }
    let used: Vec<&str> =
        maker.named.iter().map(String::as_str).filter(|name| has_word(body, name)).collect();
    let default = maker.imports_default.as_deref().filter(|name| has_word(body, name));
    let what = match (default, used.is_empty()) {
        (Some(default), true) => default.to_owned(),
        (Some(default), false) => format!("{default}, {{ {} }}", used.join(", ")),
        (None, false) => format!("{{ {} }}", used.join(", ")),
        (None, true) => return format!("{}\n", text.trim_end()),
    };
    text + &format!("import {what} from {};\n", text::text(module_name))
}

fn specifier(source: &Source<'_>, module: &Module<'_>) -> String {
    let own: Vec<&str> =
        module.imports.values().map(|(from, _)| *from).filter(|from| from.starts_with('.')).collect();
    place::specifier(source.test_file, source.path, &own, source.look)
}

/// `rbac.service.ts` is `rbacService`.
fn default_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split_once('.').map_or(file, |_| file.rsplit_once('.').map_or(file, |(stem, _)| stem));
    let mut name = String::new();
    for part in stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if name.is_empty() {
            name.push_str(part);
        } else {
            name.extend(part.chars().next().map(|c| c.to_ascii_uppercase()));
            name.push_str(&part[1..]);
        }
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || name == "default" {
        name.insert_str(0, "subject");
    }
    name
}

/// The code of a function that registers routes.
fn plugin<'a>(module: &Module<'a>, what: Exported<'a>) -> Option<Code<'a>> {
    let Exported::Function(code) = what else { return None };
    let (parameters, _) = super::maker::signature(code);
    let first = parameters.items.first()?;
    let name = first.pattern.get_identifier_name()?;
    let named = matches!(name.as_str(), "app" | "fastify" | "server" | "instance");
    let typed = first.type_annotation.as_ref().is_some_and(|ty| {
        let span = oxc_span::GetSpan::span(&ty.type_annotation);
        module.text[span.start as usize..span.end as usize].contains("FastifyInstance")
    });
    (typed || (named && first.type_annotation.is_none())).then_some(code)
}

fn is_error(module: &Module<'_>, class: &oxc_ast::ast::Class<'_>) -> bool {
    is_error_of(module, class, 8)
}

fn is_error_of(module: &Module<'_>, class: &oxc_ast::ast::Class<'_>, depth: usize) -> bool {
    use oxc_ast::ast::Expression;
    let Some(heritage) = &class.heritage else { return false };
    let Expression::Identifier(name) = &heritage.expression else { return false };
    match module.classes.get(name.name.as_str()) {
        Some(above) if depth > 0 => is_error_of(module, above, depth - 1),
        _ => name.name.ends_with("Error"),
    }
}
