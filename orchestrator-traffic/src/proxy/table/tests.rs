use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::protocol::Backend;
use crate::proxy::tally::Tally;

fn backend(version: &str, weight: u32) -> Backend {
    Backend { version: version.into(), address: ([127, 0, 0, 1], 9).into(), weight, h2c: false }
}

fn route(name: &str, host: Option<&str>, prefix: &str, backends: Vec<Backend>) -> Route {
    Route {
        name: name.into(),
        host: host.map(Into::into),
        prefix: prefix.into(),
        backends,
        canary: None,
        sticky: None,
    }
}

fn served(routes: Vec<Route>) -> Served {
    let table = Table { routes };
    check(&table).unwrap();
    Served::new(1, table, |route, at| {
        Arc::new(Version::new(&route.name, &route.backends[at], Arc::new(Tally::default())))
    })
}

fn picked(served: &Served, host: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    match served.pick(host, path, &map, None) {
        Pick::Version(version, _) => format!("{}:{}", version.route, version.name),
        Pick::NoRoute => "no route".into(),
        Pick::Empty => "empty".into(),
    }
}

#[test]
fn the_longest_prefix_of_the_host_wins() {
    let one = |name: &str| vec![backend(name, 1)];
    let served = served(vec![
        route("any", None, "/", one("a")),
        route("api", None, "/api", one("b")),
        route("deep", None, "/api/v2/", one("c")),
        route("host", Some("Shop.example"), "/", one("d")),
    ]);
    for (host, path, expected) in [
        ("x", "/", "any:a"),
        ("x", "/apis", "any:a"),
        ("x", "/api", "api:b"),
        ("x", "/api/", "api:b"),
        ("x", "/api/v2", "deep:c"),
        ("x", "/api/v20", "api:b"),
        ("x", "/api/v2/pupils", "deep:c"),
        ("", "*", "any:a"),
        ("shop.EXAMPLE", "/api", "host:d"),
        ("xshop.example", "/api", "api:b"),
    ] {
        assert_eq!(picked(&served, host, path, &[]), expected, "{host} {path}");
    }
}

#[test]
fn canaries_are_meant_by_header_or_cookie() {
    let mut way = route("web", None, "/", vec![backend("old", 1), backend("new", 0)]);
    way.canary = Some(Canary {
        version: "new".into(),
        header: Some(Pair { name: "X-Try".into(), value: "new".into() }),
        cookie: Some(Pair { name: "try".into(), value: "1".into() }),
    });
    let served = served(vec![way]);
    for (headers, expected) in [
        (&[][..], "web:old"),
        (&[("x-try", "new")], "web:new"),
        (&[("x-try", "newer")], "web:old"),
        (&[("x-try", "a"), ("x-try", "new")], "web:new"),
        (&[("cookie", "a=b; try=1")], "web:new"),
        (&[("cookie", "a=b"), ("cookie", "try=1;c")], "web:new"),
        (&[("cookie", "retry=1; try=11; try")], "web:old"),
    ] {
        assert_eq!(picked(&served, "", "/", headers), expected, "{headers:?}");
    }
}

#[test]
fn who_could_not_be_reached_is_passed_over_unless_alone() {
    let served = served(vec![
        route("two", None, "/", vec![backend("a", 9), backend("b", 1), backend("c", 0)]),
        route("one", None, "/one", vec![backend("d", 1), backend("e", 0)]),
    ]);
    let id = |name: &str| served.versions().find(|version| &*version.name == name).unwrap().id;
    for (path, not, expected) in [("/", "a", "b"), ("/", "b", "a"), ("/one", "d", "d")] {
        for _ in 0..50 {
            let Pick::Version(version, Why::Share(None)) =
                served.pick("", path, &HeaderMap::new(), Some(id(not)))
            else {
                panic!()
            };
            assert_eq!(&*version.name, expected);
        }
    }
}

#[test]
fn bad_tables_are_refused_with_what_is_wrong() {
    let good = || route("web", None, "/", vec![backend("1", 1)]);
    let with = |change: &dyn Fn(&mut Route)| {
        let mut route = good();
        change(&mut route);
        check(&Table { routes: vec![route] })
    };
    assert_eq!(check(&Table { routes: vec![good()] }), Ok(()));
    let canary = |version: &str, value: &str| Canary {
        version: version.into(),
        header: Some(Pair { name: "x-try".into(), value: value.into() }),
        cookie: None,
    };
    let cases: Vec<(Result<(), String>, &str)> = vec![
        (check(&Table { routes: vec![good(); 2] }), "two routes are called"),
        (check(&Table { routes: vec![good(); ROUTES + 1] }), "256 are the most"),
        (with(&|route| route.name = "a\nb".into()), "is not a name"),
        (with(&|route| route.host = Some("a:80".into())), "not a host without a port"),
        (with(&|route| route.host = Some(String::new())), "not a host"),
        (with(&|route| route.prefix = "api".into()), "not a path"),
        (with(&|route| route.prefix = "/a b".into()), "not a path"),
        (with(&|route| route.prefix = format!("/{}", "a".repeat(PREFIX))), "not a path"),
        (with(&|route| route.backends.clear()), "0 backends"),
        (
            with(&|route| route.backends = (0..17).map(|n| backend(&n.to_string(), 1)).collect()),
            "17 backends",
        ),
        (with(&|route| route.backends.push(backend("1", 1))), "two backends are called"),
        (with(&|route| route.backends[0].weight = 0), "weights are 0"),
        (with(&|route| route.backends[0].version = "x".repeat(NAME + 1)), "is not a name"),
        (with(&|route| route.backends[0].address.set_port(0)), "not an address"),
        (with(&|route| route.canary = Some(canary("2", "a"))), "not one of its backends"),
        (with(&|route| route.canary = Some(canary("1", "a\r\nb"))), "not a name with a value"),
        (
            with(&|route| route.canary = Some(Canary { header: None, ..canary("1", "") })),
            "header or a cookie",
        ),
    ];
    for (result, expected) in cases {
        let why = result.unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    let mut twin = good();
    twin.name = "other".into();
    twin.prefix = "//".into();
    assert!(check(&Table { routes: vec![good(), twin] }).unwrap_err().contains("two routes are about"));
}

proptest! {
    #[test]
    fn shares_are_those_of_the_weights(weights in prop::collection::vec(0u32..20, 1..6)) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let backends = weights.iter().enumerate().map(|(at, weight)| backend(&at.to_string(), *weight)).collect();
        let served = served(vec![route("web", None, "/", backends)]);
        // Each number that can be drawn, once: exact, not a matter of luck.
        let mut got = BTreeMap::<String, u32>::new();
        for number in 0..served.ways[0].total {
            *got.entry(served.ways[0].draw(number).name.to_string()).or_default() += 1;
        }
        for (at, weight) in weights.iter().enumerate() {
            prop_assert_eq!(got.get(&at.to_string()).copied().unwrap_or(0), *weight);
        }
    }
}

#[test]
fn numbers_are_even() {
    let mut counts = [0u32; 20];
    for _ in 0..200_000 {
        counts[usize::try_from(below(20)).unwrap()] += 1;
    }
    // Ten thousand each; six standard deviations are about 600.
    assert!(counts.iter().all(|count| (9_400..10_600).contains(count)), "{counts:?}");
}

#[test]
fn who_was_given_a_version_stays_with_it_while_its_share_grows() {
    let with = |share: u32| {
        let backends = vec![backend("old", 100 - share), backend("new", share)];
        served(vec![Route { sticky: Some("place".into()), ..route("web", None, "/", backends) }])
    };
    let asked = |served: &Served, cookie: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(cookie) = cookie {
            headers.insert("cookie", format!("a=b; {cookie}").parse().unwrap());
        }
        match served.pick("", "/", &headers, None) {
            Pick::Version(version, Why::Share(line)) => {
                (version.name.to_string(), line.map(|line| line.to_str().unwrap().to_owned()))
            }
            other => panic!("{other:?}"),
        }
    };
    let (few, more, all) = (with(5), with(25), with(100));
    let mut chosen = 0;
    for _ in 0..2000 {
        let (first, line) = asked(&few, None);
        let line = line.expect("it is told to keep its place");
        let (cookie, rest) = line.split_once(';').unwrap();
        assert_eq!(rest, " Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(asked(&few, Some(cookie)), (first.clone(), None), "the same again, and told once");
        if first == "new" {
            chosen += 1;
            assert_eq!(asked(&more, Some(cookie)).0, "new");
        }
        assert_eq!(asked(&all, Some(cookie)).0, "new");
    }
    assert!((20..300).contains(&chosen), "{chosen} of 2000 are far from 5 %");
    for wrong in ["place=", "place=1000", "place=-1", "place=+1", "place=1x", "place=99999999999999999999"] {
        assert!(asked(&few, Some(wrong)).1.is_some(), "{wrong} is drawn anew");
    }
    assert_eq!(
        (asked(&few, Some("place=949")).0, asked(&few, Some("place=950")).0),
        ("old".into(), "new".into())
    );
    let bad = Route { sticky: Some("a b".into()), ..route("web", None, "/", vec![backend("1", 1)]) };
    assert!(check(&Table { routes: vec![bad] }).unwrap_err().contains("not a name of a cookie"));
}
