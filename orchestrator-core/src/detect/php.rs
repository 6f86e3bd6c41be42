//! PHP with Composer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Find, Place, brought, word};
use crate::project::Stack;

const CONFIGURED: &[(&str, &str)] = &[
    ("php-cs-fixer", ".php-cs-fixer.php .php-cs-fixer.dist.php"),
    ("phpcs", "phpcs.xml phpcs.xml.dist .phpcs.xml"),
    ("phpstan", "phpstan.neon phpstan.neon.dist phpstan.dist.neon"),
    ("phpunit", "phpunit.xml phpunit.xml.dist phpunit.dist.xml"),
    ("psalm", "psalm.xml psalm.xml.dist"),
];
const BROUGHT: &[(&str, &str)] = &[
    ("infection", "infection/infection"),
    ("pest", "pestphp/pest"),
    ("php-cs-fixer", "friendsofphp/php-cs-fixer php-cs-fixer/shim"),
    ("phpcs", "squizlabs/php_codesniffer"),
    ("phpstan", "phpstan/phpstan larastan/larastan"),
    ("phpunit", "phpunit/phpunit symfony/phpunit-bridge"),
    ("pint", "laravel/pint"),
    ("psalm", "vimeo/psalm"),
    ("rector", "rector/rector"),
];

pub(super) fn look(place: &Place) -> Option<Find> {
    if !place.has("composer.json") {
        return None;
    }
    let mut find = place.find(Stack::Php, "composer.json")?;
    let Some(Value::Object(manifest)) = place.json("composer.json") else { return Some(find) };
    let text = |key: &str| manifest.get(key).and_then(Value::as_str).and_then(word);
    find.found.name = text("name");
    find.found.version = text("version");
    let php = manifest.get("require").and_then(|require| require.get("php")?.as_str()).and_then(word);
    find.found.requires.extend(php.map(|php| ("php".into(), php)));
    let scripts = manifest.get("scripts").and_then(Value::as_object).into_iter().flatten();
    find.found.scripts = scripts.filter_map(|(name, lines)| Some((name.clone(), script(lines)?))).collect();
    let mut depends = BTreeSet::new();
    for table in ["require", "require-dev"] {
        let table = manifest.get(table).and_then(Value::as_object);
        depends.extend(table.into_iter().flat_map(serde_json::Map::keys).map(|name| name.to_lowercase()));
    }
    let tools: BTreeSet<String> = place.configured(CONFIGURED).chain(brought(BROUGHT, &depends)).collect();
    find.found.tools = tools.into_iter().collect();
    Some(find)
}

/// A script is a line, or several that follow each other.
fn script(lines: &Value) -> Option<String> {
    match lines {
        Value::String(line) => Some(line.clone()),
        Value::Array(lines) => Some(lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" && ")),
        _ => None,
    }
}
