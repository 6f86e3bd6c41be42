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
    let test_file = language.test_file(&path, &look);
    let source = Source {
        path: &path,
        text: &look.read_text(&path).unwrap().unwrap(),
        test_file: &test_file,
        templates: &[Template::Service, Template::Route, Template::Config],
        template_folder: &RelPath::new("orchestration/templates").unwrap(),
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

#[test]
fn types_and_constants_of_other_files_are_known() {
    let rig = project();
    rig.write("src/types.ts", "import type { Role } from './role.js';\nexport interface User { id: string; role: Role; age: number }\nexport const ADULT = 18;\nexport const LATER = Date.now();\n");
    rig.write("src/role.ts", "export type Role = 'admin' | 'member';\nimport './types.js';\n");
    let source = "import { ADULT, LATER, type User } from './types.js';\nexport const may = (user: User) => user.role === 'admin' ? 'all' : user.age >= ADULT ? 'some' : 'none';\nexport const late = (n: number) => n > LATER;\n";
    rig.write("src/may.ts", source);
    let made = generated(&rig, "src/may.ts").unwrap();
    assert_eq!(
        made.cases,
        [
            "may gives \"all\"",
            "may gives \"none\" when user.role is \"member\"",
            "may gives \"some\" when user.age is 18 and user.role is \"member\""
        ],
        "{}",
        made.text
    );
    let why: Vec<&str> = made.person.iter().map(|it| it.why.as_str()).collect();
    assert_eq!(why, ["it compares objects"]);
    // Of two types with one name nobody knows which is meant.
    rig.write("src/role.ts", "export type Role = 'admin' | 'member';\nexport type User = string;\n");
    let made = generated(&rig, "src/may.ts").unwrap();
    assert!(made.text.contains("role: 'role-1'"), "{}", made.text);
}

#[test]
fn files_that_import_each_other_are_read_once_and_few() {
    let rig = project();
    for n in 0..40 {
        let text = format!(
            "import type {{ T{0} }} from './m{0}.js';\nimport type {{ T0 }} from './m0.js';\nexport type T{n} = T{0};\n",
            (n + 1) % 40
        );
        rig.write(&format!("src/m{n}.ts"), &text);
    }
    rig.write("src/m2.ts", "export type T2 = 'deep';\nnot a program");
    rig.write("src/x.ts", "import type { T0 } from './m0.js';\nimport type { Out } from '../../out.js';\nexport const f = (t: T0, out: Out) => t === out;\n");
    // A file that cannot be read says nothing, and one outside of the project is not there.
    let made = generated(&rig, "src/x.ts").unwrap();
    assert!(!made.text.contains("deep"), "{}", made.text);
}
