//! TypeScript and JavaScript: a module is parsed, the functions that it exports are run by a small interpreter for chosen
//! inputs, and each way through them that is known for certain becomes a case.

mod case;
mod config;
mod eval;
mod explore;
mod file;
mod maker;
mod module;
mod parse;
mod place;
mod render;
mod report;
mod route;
mod schema;
mod scope;
mod siblings;
mod value;
mod world;

use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

use super::config::Template;
use super::language::{Generated, Language, Printed, Ran, Runner, Source};

/// TypeScript and JavaScript.
pub(super) struct TypeScript;

impl Language for TypeScript {
    fn read_and_write(source: &Source<'_>) -> Result<Generated, BoxError> {
        // The parser and the interpreter are recursive; within the bounds of the parser this stack is enough.
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(parse::STACK);
            let made = builder.spawn_scoped(scope, || file::generate(source))?;
            made.join().map_err(|_| format!("reading `{}` failed in a way that is a bug", source.path))?
        })
    }

    fn test_file(path: &RelPath, look: &Workspace) -> RelPath {
        place::test_file(path, look)
    }

    fn runner(test_file: &RelPath, look: &Workspace) -> Option<Runner> {
        place::runner(test_file, look)
    }

    fn missing(test_file: &RelPath, look: &Workspace) -> String {
        place::missing(test_file, look)
    }

    fn ran(_tool: &str, printed: &Printed<'_>) -> Ran {
        report::read(printed)
    }

    fn find(path: &RelPath, text: &str, cases: &[String]) -> Vec<(String, Range<usize>)> {
        report::find(path, text, cases)
    }

    const COMMENT: &'static str = "//";
    const TEMPLATES: &'static [Template] = &[Template::Service, Template::Route, Template::Config];
}
