use serde_json::json;

use super::address::AddressError;
use super::*;

const POSTGRES: [&str; 2] = ["postgres", "postgresql"];

fn database(text: serde_json::Value) -> Result<Database, String> {
    serde_json::from_value(text).map_err(|error| error.to_string())
}

fn from_url(url: &str) -> Result<Address, AddressError> {
    let access = Access { url: Some(SecretName { secret: "URL".into() }), ..Access::default() };
    Address::of(&access, &POSTGRES, |_| Some(url.to_owned()))
}

#[test]
fn configs_are_read_and_bad_ones_refused() {
    let good = [
        json!({ "name": "app", "kind": "sqlite", "path": "data/app.db" }),
        json!({ "name": "main", "kind": "postgres", "host": "db", "port": 5433, "user": "app", "database": "app",
            "password": { "secret": "DB_PASSWORD" } }),
        json!({ "name": "other-2", "kind": "mariadb", "url": { "secret": "DATABASE_URL" },
            "verify": { "socket": "/run/x.sock" } }),
    ];
    let good: Vec<Database> = good.into_iter().map(|text| database(text).unwrap()).collect();
    check(&good).unwrap();
    assert_eq!(good[1].secrets(), ["DB_PASSWORD"]);
    let text = serde_json::to_value(&good).unwrap();
    assert_eq!(serde_json::from_value::<Vec<Database>>(text).unwrap(), good);
    let twice = check(&[good[0].clone(), good[0].clone()]).unwrap_err().to_string();
    assert!(twice.contains("two databases are called `app`"), "{twice}");
    for bad in [
        json!({ "name": "app", "kind": "sqlite", "path": "../app.db" }),
        json!({ "name": "App", "kind": "sqlite", "path": "app.db" }),
        json!({ "name": "a/b", "kind": "sqlite", "path": "app.db" }),
        json!({ "name": "app", "kind": "sqlite", "path": "app.db", "host": "db" }),
        json!({ "name": "app", "kind": "oracle", "database": "x" }),
        json!({ "name": "app", "kind": "postgres", "database": "x", "password": "word" }),
    ] {
        let error = database(bad.clone()).unwrap_err();
        assert!(!error.contains("word"), "{bad}: {error}");
    }
    for bad in [
        json!({ "name": "app", "kind": "postgres", "host": "db" }),
        json!({ "name": "app", "kind": "postgres", "url": { "secret": "U" }, "user": "x" }),
        json!({ "name": "app", "kind": "postgres", "database": "x", "host": "a", "socket": "/run" }),
        json!({ "name": "app", "kind": "mysql", "database": "x", "socket": "run" }),
        json!({ "name": "app", "kind": "mysql", "database": "x\ny" }),
        json!({ "name": "app", "kind": "mysql", "database": "" }),
    ] {
        check(&[database(bad.clone()).unwrap()]).expect_err(&bad.to_string());
    }
}

#[test]
fn urls_are_taken_apart() {
    let address = from_url("postgres://us%40er:p%3Aw%2F@[::1]:5433/my%20db?sslmode=require").ok().unwrap();
    assert_eq!(
        (address.host.as_deref(), address.port, address.user.as_deref(), address.database.as_deref()),
        (Some("::1"), Some(5433), Some("us@er"), Some("my db"))
    );
    assert_eq!((address.password.as_deref(), &*address.libpq["PGSSLMODE"]), (Some("p:w/"), "require"));
    let address = from_url("postgresql:///app?host=/run/postgresql").ok().unwrap();
    assert_eq!((address.host, address.socket.as_deref()), (None, Some("/run/postgresql")));
    for bad in [
        "mysql://user:word@host/db",
        "word",
        "postgres://user:word@a,b/db",
        "postgres://user:word@host:x/db",
        "postgres://user:wo%00rd@host/db",
        "postgres://user:word@host/db?service=word",
        "postgres://user:w%ffword@host/db",
    ] {
        let error = from_url(bad).err().unwrap().to_string();
        assert!(error.contains("`URL`") && !error.contains("word") && !error.contains("user"), "{error}");
    }
    assert_eq!(
        Address::of(
            &Access { password: Some(SecretName { secret: "P".into() }), ..Access::default() },
            &[],
            |_| None
        )
        .err(),
        Some(AddressError::Missing("P".into()))
    );
}
