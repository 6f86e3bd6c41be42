//! Who gets a request, and what it is told of the client.

use super::rig::{Client, LONG, Rig, Version, table, value};
use crate::protocol::{Canary, Pair, Route, Table};
use crate::proxy::record::End;

#[test]
fn without_a_table_nobody_answers_and_without_a_route_nothing_is_there() {
    let rig = Rig::new();
    assert_eq!(rig.client().get("/").0, 503);
    let version = Version::named("1");
    let mut table = table(&[("1", &version, 1)]);
    table.routes[0].prefix = "/api".into();
    rig.apply_table(table, LONG);
    let mut client = rig.client();
    assert_eq!(client.get("/other").0, 404);
    assert_eq!(client.get("/api/x").0, 200);
}

#[test]
fn hosts_and_paths_find_their_versions() {
    let (web, api, shop) = (Version::named("web"), Version::named("api"), Version::named("shop"));
    let route = |name: &str, version: &Version, host: Option<&str>, prefix: &str| Route {
        name: name.into(),
        host: host.map(Into::into),
        prefix: prefix.into(),
        ..table(&[("1", version, 1)]).routes.remove(0)
    };
    let rig = Rig::new();
    rig.apply_table(
        Table {
            routes: vec![
                route("web", &web, None, "/"),
                route("api", &api, None, "/api"),
                route("shop", &shop, Some("shop.test"), "/"),
            ],
        },
        LONG,
    );
    let mut client = rig.client();
    for (host, target, expected) in [
        ("a", "/", "web"),
        ("a", "/api/1?x=/", "api"),
        ("a", "/?/api", "web"),
        ("shop.test:8080", "/api", "shop"),
        ("SHOP.test", "http://SHOP.test/api", "shop"),
    ] {
        client.send(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(client.answer().2, expected, "{host} {target}");
    }
}

#[test]
fn a_version_is_told_of_the_client_and_not_of_its_connection() {
    let version = Version::echo();
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client
        .send(
            b"POST /a?b=c HTTP/1.1\r\nHost: shop.test:81\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
              X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nTE: trailers, deflate\r\nX-Stays: a\r\nX-Stays: b\r\n\
              Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
        )
        .unwrap();
    let continued = client.head().unwrap().unwrap();
    assert!(continued.starts_with("HTTP/1.1 100"), "{continued}");
    let (status, head, got) = client.answer();
    assert_eq!(status, 200, "{head}");
    assert!(got.starts_with("POST /a?b=c HTTP/1.1\r\n") && got.ends_with("\r\n\r\nhi"), "{got}");
    for (name, expected) in [
        ("host", Some("shop.test:81")),
        ("x-forwarded-for", Some("10.0.0.1, 127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("shop.test:81")),
        ("via", Some("1.1 orchestrate")),
        ("te", Some("trailers")),
        ("connection", Some("te")),
        ("x-hop", None),
        ("keep-alive", None),
        ("expect", None),
        ("content-length", Some("2")),
    ] {
        assert_eq!(value(&got, name), expected, "{name} in {got}");
    }
    assert_eq!(got.matches("x-stays").count(), 2, "{got}");
}

#[test]
fn a_request_that_goes_round_in_circles_ends() {
    let rig = Rig::new();
    let own = Version::named("unused");
    let mut table = table(&[("1", &own, 1)]);
    table.routes[0].backends[0].address = rig.address;
    rig.apply_table(table, LONG);
    assert_eq!(rig.client().get("/").0, 508);
}

#[test]
fn canaries_get_who_is_meant_and_shares_are_about_right() {
    let (old, new) = (Version::named("old"), Version::named("new"));
    let rig = Rig::new();
    let mut table = table(&[("old", &old, 3), ("new", &new, 1)]);
    table.routes[0].canary = Some(Canary {
        version: "new".into(),
        header: Some(Pair { name: "x-canary".into(), value: "yes".into() }),
        cookie: Some(Pair { name: "canary".into(), value: "1".into() }),
    });
    rig.apply_table(table, LONG);
    let mut client = rig.client();
    for line in ["X-Canary: yes", "Cookie: a=b; canary=1"] {
        for _ in 0..20 {
            client.send(format!("GET / HTTP/1.1\r\nhost: x\r\n{line}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(client.answer().2, "new");
        }
    }
    let new = (0..1000).filter(|_| client.get("/").1 == "new").count();
    // A quarter of a thousand; seven standard deviations are 96.
    assert!((154..=346).contains(&new), "{new}");
    let counts = rig.counts("new");
    assert_eq!((counts.requests, counts.errors), (40 + new as u64, 0));
}

#[test]
fn each_request_is_told_and_counted() {
    let version = Version::answering(|head, _| match head.split(' ').nth(1) {
        Some("/bad") => b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno".to_vec(),
        _ => super::rig::ok("fine"),
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.get("/a?secret=1");
    client.get("/bad");
    let told = rig.told(2);
    assert_eq!(told[0], ("GET /a".into(), 200, "1".into(), End::Whole, 4));
    assert_eq!(told[1], ("GET /bad".into(), 500, "1".into(), End::Whole, 2));
    let counts = rig.counts("1");
    assert_eq!((counts.requests, counts.errors, counts.gateway), (2, 1, 0));
    assert_eq!(counts.latency.iter().map(|(_, count)| count).sum::<u64>(), 2);
    assert!(rig.status("1").first_answer_us.is_some());
    assert_eq!(version.connections(), 1, "the connection to the version was not kept");
}

#[test]
fn too_many_connections_are_told_so() {
    let version = Version::named("1");
    let rig = Rig::before_with(&version, crate::proxy::Limits { connections: 2, ..Default::default() });
    let mut two: Vec<Client> = (0..2).map(|_| rig.client()).collect();
    for client in &mut two {
        assert_eq!(client.get("/").0, 200);
    }
    let mut third = rig.client();
    let head = third.head().unwrap().unwrap();
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    drop(two);
    super::rig::until(|| rig.proxy.connections.load(std::sync::atomic::Ordering::SeqCst) == 0);
    assert_eq!(rig.client().get("/").0, 200);
}

#[test]
fn clients_keep_their_place_by_a_cookie() {
    let (one, two) = (Version::named("one"), Version::named("two"));
    let rig = Rig::new();
    let mut table = table(&[("1", &one, 1), ("2", &two, 1)]);
    table.routes[0].sticky = Some("place".into());
    rig.apply_table(table, LONG);
    for _ in 0..10 {
        let mut client = rig.client();
        client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let (status, head, first) = client.answer();
        let cookie = value(&head, "set-cookie").expect("it is told to keep its place").to_owned();
        let cookie = cookie.split(';').next().unwrap();
        assert_eq!(status, 200);
        for _ in 0..8 {
            client.send(format!("GET / HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n").as_bytes()).unwrap();
            let (_, head, again) = client.answer();
            assert_eq!((again, value(&head, "set-cookie")), (first.clone(), None));
        }
    }
}
