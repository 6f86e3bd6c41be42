//! Go modules.

use super::{Find, Place, word};
use crate::project::Stack;

const CONFIGURED: &[(&str, &str)] = &[
    ("golangci-lint", ".golangci.yml .golangci.yaml .golangci.toml .golangci.json"),
    ("goreleaser", ".goreleaser.yml .goreleaser.yaml"),
];

pub(super) fn look(place: &Place) -> Option<Find> {
    if !place.has("go.mod") {
        return None;
    }
    let mut find = place.find(Stack::Go, "go.mod")?;
    let Some(manifest) = place.text("go.mod") else { return Some(find) };
    let module = manifest.lines().find_map(|line| line.trim().strip_prefix("module "));
    let module = module.map(|path| path.split("//").next().unwrap_or(path).trim().trim_matches(['"', '`']));
    find.found.name = module.and_then(word);
    let least = manifest.lines().find_map(|line| line.trim().strip_prefix("go "));
    let least = least.and_then(|least| word(least.split("//").next().unwrap_or(least)));
    find.found.requires.extend(least.map(|least| ("go".into(), format!(">={least}"))));
    if find.found.name.is_some() {
        find.found.tools = place.configured(CONFIGURED).collect();
    } else {
        place.unusable::<()>("go.mod", &"it names no module");
    }
    Some(find)
}
