//! SQL that operations send and that `rollback.sh` holds. Every name and text in it is quoted here.

use std::collections::BTreeMap;

/// A name for PostgreSQL and SQLite.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name for MySQL.
pub(super) fn tick(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text for PostgreSQL and SQLite, whatever is in it.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The name of the database that is filled before it takes the place of another. Names have 63 bytes at most.
pub(super) fn beside(database: &str) -> String {
    format!("{}_restored", cut(database))
}

fn cut(database: &str) -> &str {
    let end = (0..=40.min(database.len())).rev().find(|at| database.is_char_boundary(*at));
    &database[..end.unwrap_or(0)]
}

/// Makes an empty database with the encoding and the collation of the one that was dumped.
pub(super) fn create_postgres(database: &str, shape: &BTreeMap<String, String>) -> String {
    let mut sql = format!("CREATE DATABASE {} TEMPLATE template0", name(database));
    let mut option = |keyword: &str, key: &str| {
        if let Some(value) = shape.get(key) {
            sql.extend([" ", keyword, " ", &text(value)]);
        }
    };
    option("ENCODING", "encoding");
    option("LC_COLLATE", "datcollate");
    option("LC_CTYPE", "datctype");
    match shape.get("datlocprovider").map(String::as_str) {
        Some("i") => {
            option("ICU_LOCALE", "daticulocale");
            option("ICU_LOCALE", "datlocale");
            sql += " LOCALE_PROVIDER icu";
        }
        Some("b") => {
            option("BUILTIN_LOCALE", "datlocale");
            sql += " LOCALE_PROVIDER builtin";
        }
        _ => {}
    }
    sql + ";"
}

/// Gives a new database the name, owner, grants and settings of the one that is there, which is kept under a name that
/// is free and printed. For `psql`, connected to a third database.
pub(super) fn swap_postgres(database: &str, new: &str) -> String {
    let kept = format!("{}_before_rollback_", cut(database));
    let value = |name: &str| match name {
        "OLD" => text(database),
        "NEW" => text(new),
        "KEPT" => text(&kept),
        other => other.to_owned(),
    };
    // Every second part is a placeholder; what is filled in is never filled again.
    let parts = include_str!("swap.sql").split('@').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { value(part) } else { part.to_owned() }).collect()
}

/// Makes an empty database with the character set and the collation of the one that was dumped.
pub(super) fn create_mysql(database: &str, shape: &BTreeMap<String, String>) -> String {
    let plain = |key: &str| {
        shape.get(key).filter(|word| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    let mut sql = format!("CREATE DATABASE {}", tick(database));
    for (keyword, key) in [("CHARACTER SET", "charset"), ("COLLATE", "collation")] {
        if let Some(word) = plain(key) {
            sql.extend([" ", keyword, " ", word]);
        }
    }
    sql + ";"
}

/// Says by a number whether there is a database of that name.
pub(super) fn count_mysql(database: &str) -> String {
    format!("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = {};", hexed(database))
}

/// A text for MySQL, whatever its mode of quoting.
pub(super) fn hexed(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CONVERT(0x{digits} USING utf8mb4)")
}

/// Reads what `HEX` gave.
pub(super) fn unhex(digits: &str) -> Result<String, orchestrator_core::BoxError> {
    let pairs = digits.trim().as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(text.ok_or("a name that the database gave is no text")?)
}
