//! What is generated of the fixtures, word for word.

use insta::assert_snapshot;
use orchestrator_core::path::RelPath;

use super::super::config::{LanguageName, Template};
use super::super::language::{Generated, Source};
use crate::rig::Rig;

/// The fixtures, by name.
pub(super) const FIXTURES: [(&str, &str); 6] = [
    ("src/errors.ts", include_str!("../fixtures/src/errors.ts")),
    ("src/rbac.service.ts", include_str!("../fixtures/src/rbac.service.ts")),
    ("src/pricing.ts", include_str!("../fixtures/src/pricing.ts")),
    ("src/communities.routes.ts", include_str!("../fixtures/src/communities.routes.ts")),
    ("src/env.ts", include_str!("../fixtures/src/env.ts")),
    ("src/settings.ts", include_str!("../fixtures/src/settings.ts")),
];

pub(super) fn project() -> Rig {
    let rig = Rig::bare();
    rig.write("package.json", r#"{"type": "module", "devDependencies": {"vitest": "4"}}"#);
    rig.write("tests/readme", "");
    for (path, text) in FIXTURES {
        rig.write(path, text);
    }
    rig
}

/// What is generated for a file of a project.
pub(super) fn generated(rig: &Rig, path: &str) -> Result<Generated, String> {
    let (path, look) = (RelPath::new(path).unwrap(), rig.look());
    let language = LanguageName::of(&path).unwrap();
    let test_file = language.test_file(&path, &look).unwrap();
    let source = Source {
        path: &path,
        text: &look.read_text(&path).unwrap().unwrap(),
        test_file: &test_file,
        templates: &[Template::Service, Template::Route, Template::Config],
        template_folder: &RelPath::new(".orchestrate-templates").unwrap(),
        look: &look,
    };
    language.read_and_write(&source).map_err(|error| error.to_string())
}

fn shown(path: &str) -> String {
    let Generated { mut text, cases: _, person } = generated(&project(), path).unwrap();
    for it in person {
        text +=
            &["-- ", &it.what, " needs a person, line ", &it.line.to_string(), ": ", &it.why, "\n"].concat();
    }
    text
}

#[test]
fn a_service() {
    assert_snapshot!(shown("src/rbac.service.ts"));
}

#[test]
fn functions() {
    assert_snapshot!(shown("src/pricing.ts"));
}

#[test]
fn routes() {
    assert_snapshot!(shown("src/communities.routes.ts"));
}

#[test]
fn configuration() {
    assert_snapshot!(shown("src/env.ts"));
    assert_snapshot!(shown("src/settings.ts"));
}
