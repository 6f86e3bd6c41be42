//! The project's own formatter as a filter: it reads a text and prints it formatted. Running it reads only, so a dry run does
//! it too and shows exactly what would be written.

use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

/// Program and arguments that format a file of this path; none where the project names no formatter for it, or it is not
/// installed in the project.
pub fn formatter(path: &RelPath, look: &Workspace) -> Option<Vec<String>> {
    let extension = path.as_str().rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs" => web(path, look),
        "json" | "md" | "yml" | "yaml" => prettier(path, look),
        "py" => python(path, look),
        "rs" => look.exists(&of("Cargo.toml")).then(|| words(&["rustfmt", "--edition", &edition(look)])),
        _ => None,
    }
}

fn web(path: &RelPath, look: &Workspace) -> Option<Vec<String>> {
    let biome = above(path, look, "node_modules/.bin/biome");
    if let Some(program) = biome.filter(|_| named(path, look, &["biome.json", "biome.jsonc"])) {
        return Some(words(&[&program, "format", &format!("--stdin-file-path={path}")]));
    }
    prettier(path, look)
}

fn prettier(path: &RelPath, look: &Workspace) -> Option<Vec<String>> {
    const NAMES: [&str; 8] = [
        ".prettierrc",
        ".prettierrc.json",
        ".prettierrc.yml",
        ".prettierrc.yaml",
        ".prettierrc.js",
        ".prettierrc.cjs",
        ".prettierrc.mjs",
        "prettier.config.js",
    ];
    let program = above(path, look, "node_modules/.bin/prettier")?;
    named(path, look, &NAMES).then(|| words(&[&program, "--stdin-filepath", path.as_str()]))
}

fn python(path: &RelPath, look: &Workspace) -> Option<Vec<String>> {
    let manifest = path
        .above()
        .into_iter()
        .find_map(|folder| look.read_text(&folder.join("pyproject.toml").ok()?).ok().flatten())
        .unwrap_or_default();
    let ruff = manifest.contains("[tool.ruff") || named(path, look, &["ruff.toml", ".ruff.toml"]);
    let black = manifest.contains("[tool.black");
    let own = |tool: &str| above(path, look, &format!(".venv/bin/{tool}"));
    if ruff && let Some(program) = own("ruff") {
        return Some(words(&[&program, "format", "--stdin-filename", path.as_str(), "-"]));
    }
    let program = own("black").filter(|_| black)?;
    Some(words(&[&program, "-q", "--stdin-filename", path.as_str(), "-"]))
}

/// The edition of the manifest; formatting needs it.
fn edition(look: &Workspace) -> String {
    let manifest = look.read_text(&of("Cargo.toml")).ok().flatten().unwrap_or_default();
    let written = manifest.lines().find_map(|line| line.trim().strip_prefix("edition"));
    let year = written.and_then(|rest| rest.split('"').nth(1)).unwrap_or("2021");
    year.to_owned()
}

/// A file of the nearest folder above that has it, relative to the root.
fn above(path: &RelPath, look: &Workspace, name: &str) -> Option<String> {
    let found = path.above().into_iter().filter_map(|folder| folder.join(name).ok());
    found.into_iter().find(|path| look.exists(path)).map(|path| path.to_string())
}

fn named(path: &RelPath, look: &Workspace, names: &[&str]) -> bool {
    names.iter().any(|name| above(path, look, name).is_some())
}

fn of(name: &str) -> RelPath {
    RelPath::new(name).expect("the name of a file is a path")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::Rig;

    fn said(rig: &Rig, path: &str) -> Option<String> {
        formatter(&of(path), &rig.look()).map(|words| words.join(" "))
    }

    #[test]
    fn only_a_formatter_that_the_project_names_and_has() {
        let rig = Rig::bare();
        assert_eq!(said(&rig, "web/src/a.ts"), None);
        rig.write("web/.prettierrc.json", "{}");
        assert_eq!(said(&rig, "web/src/a.ts"), None, "it is named and not installed");
        rig.write("web/node_modules/.bin/prettier", "");
        let expected = "web/node_modules/.bin/prettier --stdin-filepath web/src/a.ts";
        assert_eq!(said(&rig, "web/src/a.ts").as_deref(), Some(expected));
        rig.write("node_modules/.bin/biome", "");
        assert_eq!(said(&rig, "web/src/a.ts").as_deref(), Some(expected), "biome is not configured");
        rig.write("biome.json", "{}");
        let expected = "node_modules/.bin/biome format --stdin-file-path=web/src/a.ts";
        assert_eq!(said(&rig, "web/src/a.ts").as_deref(), Some(expected));
        rig.write("api/pyproject.toml", "[tool.ruff]\nline-length = 100\n");
        assert_eq!(said(&rig, "api/a.py"), None);
        rig.write("api/.venv/bin/ruff", "");
        let expected = "api/.venv/bin/ruff format --stdin-filename api/a.py -";
        assert_eq!(said(&rig, "api/a.py").as_deref(), Some(expected));
        assert_eq!(said(&rig, "a.txt"), None);
    }
}
