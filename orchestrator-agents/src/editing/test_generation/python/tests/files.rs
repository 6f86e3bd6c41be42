//! Sources and the very text of their tests; sources that are refused.

use super::super::*;
use crate::rig::Rig;

pub(super) fn made(rig: &Rig, path: &str) -> Result<Generated, BoxError> {
    let look = rig.look();
    let path = RelPath::new(path).unwrap();
    let text = look.read_text(&path).unwrap().unwrap();
    Python::read_and_write(&Source {
        path: &path,
        text: &text,
        test_file: &Python::test_file(&path, &look),
        templates: Python::TEMPLATES,
        template_folder: &RelPath::new("orchestration/templates").unwrap(),
        look: &look,
    })
}

pub(super) fn of(source: &str) -> Generated {
    let rig = Rig::bare();
    rig.write("app/__init__.py", "");
    rig.write("app/unit.py", source);
    made(&rig, "app/unit.py").unwrap()
}

pub(super) fn person(made: &Generated) -> Vec<String> {
    made.person.iter().map(|one| format!("{} {}: {}", one.what, one.line, one.why)).collect()
}

#[test]
fn boundaries_and_guards() {
    let source = "LIMIT = 50\n\ndef fee(total: int) -> int:\n    if total < 0:\n        raise ValueError(f\"bad total {total}\")\n    \
                  return 0 if total >= LIMIT else 5\n";
    let made = of(source);
    let expected = r#""""Tests of `app.unit`, from what its source says."""

import pytest

from app.unit import fee


def test_fee():
    assert fee(7) == 5


def test_fee_when_total_is_0():
    assert fee(0) == 5


def test_fee_raises_value_error_when_total_is_minus_1():
    with pytest.raises(ValueError) as raised:
        fee(-1)
    assert str(raised.value) == "bad total -1"


def test_fee_when_total_is_1():
    assert fee(1) == 5


def test_fee_when_total_is_50():
    assert fee(50) == 0


def test_fee_when_total_is_49():
    assert fee(49) == 5


def test_fee_when_total_is_51():
    assert fee(51) == 0
"#;
    assert_eq!(made.text, expected);
    assert_eq!(made.person, []);
    assert_eq!(made.cases.len(), 7);
}

#[test]
fn collaborators_are_mocked_and_what_they_are_asked_is_asserted() {
    let source = "class Gone(Exception):\n    pass\n\nclass Users:\n    def __init__(self, repo, audit):\n        self.repo = repo\n        \
                  self.audit = audit\n\n    async def find(self, key: str):\n        user = await self.repo.get(key)\n        \
                  if user is None:\n            raise Gone(key)\n        self.audit.seen(key, by=\"find\")\n        return user\n";
    let expected = r#""""Tests of `app.unit`, from what its source says."""

import asyncio
from unittest.mock import AsyncMock, Mock

import pytest

from app.unit import Gone, Users


class TestUsers:
    """What `Users` does."""

    def test_find(self):
        repo = Mock()
        repo.get = AsyncMock(return_value=Mock())
        audit = Mock()
        subject = Users(repo, audit)
        assert asyncio.run(subject.find("lmn")) is repo.get.return_value
        repo.get.assert_awaited_once_with("lmn")
        audit.seen.assert_called_once_with("lmn", by="find")

    def test_find_raises_gone_when_repo_get_is_none(self):
        repo = Mock()
        repo.get = AsyncMock(return_value=Mock())
        audit = Mock()
        repo.get.return_value = None
        subject = Users(repo, audit)
        with pytest.raises(Gone) as raised:
            asyncio.run(subject.find("lmn"))
        assert str(raised.value) == "lmn"
        repo.get.assert_awaited_once_with("lmn")
        audit.seen.assert_not_called()
"#;
    assert_eq!(of(source).text, expected);
    let rig = Rig::bare();
    rig.write(
        "pyproject.toml",
        "[project]\ndependencies = []\n[dependency-groups]\ndev = [\"pytest_asyncio>=0.23\"]\n",
    );
    rig.write("src/app/unit.py", source);
    let made = made(&rig, "src/app/unit.py").unwrap();
    assert!(
        made.text.contains("    @pytest.mark.asyncio\n    async def test_find(self):\n"),
        "{}",
        made.text
    );
    assert!(
        made.text.contains("assert await subject.find(\"lmn\") is repo.get.return_value\n"),
        "{}",
        made.text
    );
    assert_eq!(
        made.cases,
        ["TestUsers::test_find", "TestUsers::test_find_raises_gone_when_repo_get_is_none"]
    );
}

#[test]
fn the_environment_is_set_and_unset() {
    let source = "import os\n\ndef port() -> int:\n    return int(os.environ[\"PORT\"])\n";
    let text = of(source).text;
    for part in [
        "def test_port_raises_key_error(monkeypatch):\n    monkeypatch.delenv(\"PORT\", raising=False)\n    with pytest.raises(KeyError)",
        "    monkeypatch.setenv(\"PORT\", \"8080\")\n    assert port() == 8080\n",
        "    assert str(raised.value) == \"invalid literal for int() with base 10: 'abc'\"\n",
    ] {
        assert!(text.contains(part), "{part}\n-- is not in --\n{text}");
    }
}

#[test]
fn what_cannot_be_made_real_is_named_and_not_written() {
    let source = "import requests\nimport random\nfrom datetime import datetime\n\ndef load(url: str):\n    return requests.get(url).json()\n\n\
                  def roll():\n    return random.random()\n\ndef walk(n: int):\n    yield n\n\nSEEN = []\ndef remember(n: int) -> int:\n    \
                  SEEN.append(n)\n    return len(SEEN)\n\ndef log(n: int):\n    print(n)\n\n@requests.cached\ndef odd(n: int):\n    return n\n\n\
                  def deep(n: int):\n    return deep(n + 1)\n\ndef spin(n: int):\n    while True:\n        n += 1\n";
    let made = of(source);
    assert_eq!((made.text.as_str(), made.cases.len()), ("", 0));
    let expected = [
        "load 6: what `requests.get` does is not in this file",
        "roll 9: what `random.random` does is not in this file",
        "walk 11: `walk` is a generator",
        "remember 16: `SEEN` of the module is changed while it runs",
        "log 19: it gives nothing and changes nothing that a test could see",
        "odd 23: what decorates `odd` may change it",
        "deep 27: it nests too deep to be followed",
        "spin 31: it runs for too long to be followed",
    ];
    assert_eq!(person(&made), expected);
}

#[test]
fn an_end_that_no_input_comes_to_is_named() {
    let made =
        of("def f(n: int) -> int:\n    if n * n == 12345678987654321:\n        return 1\n    return 2\n");
    assert_eq!(made.cases.len(), 1, "{}", made.text);
    assert_eq!(person(&made), ["f 3: no input was found that comes to this `return`"]);
}

#[test]
fn names_that_would_clash_get_others() {
    let source = "class TestResult:\n    def __init__(self, request):\n        self.request = request\n\n    def ok(self) -> bool:\n        \
                  return self.request.done()\n\ndef test_mode(result: int) -> int:\n    return result + 1\n\ndef call(pytest: str) -> str:\n    \
                  return pytest.upper()\n";
    let text = of(source).text;
    for part in [
        "from app.unit import TestResult as imported_TestResult, call as imported_call, test_mode as imported_test_mode\n",
        "request_mock = Mock()\n        subject = imported_TestResult(request_mock)\n",
        "assert subject.ok() is request_mock.done.return_value\n",
        "assert imported_test_mode(7) == 8\n",
        "assert imported_call(\"abc\") == \"ABC\"\n",
    ] {
        assert!(text.contains(part), "{part}\n-- is not in --\n{text}");
    }
}

#[test]
fn hostile_sources_are_refused_with_their_place() {
    let rig = Rig::bare();
    let refused = |path: &str, text: &str| {
        rig.write(path, text);
        made(&rig, path).unwrap_err().to_string()
    };
    let said = refused("a.py", "x = 1\ndef f(:\n    pass\n");
    assert!(said.starts_with("`a.py` is not valid Python at line 2, column 7: "), "{said}");
    let deep = format!("x = {}1{}\n", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(refused("b.py", &deep), "`b.py` nests too deep at line 1: split that expression or block");
    let large = "# filler\n".repeat(600_000);
    assert!(refused("c.py", &large).contains("no more than 1048576 are read"));
    assert!(refused("not-a-name.py", "x = 1\n").contains("`not-a-name` is no name in Python"));
    assert!(refused("class.py", "x = 1\n").contains("`class` is no name in Python"));
    assert!(refused("a.txt", "").contains("is no Python file"));
    let own = of(
        "def f():\n    a = []\n    a.append(a)\n    return a\n\ndef g(n: int):\n    a = [1]\n    while n:\n        a = [a, a]\n    return a\n",
    );
    assert_eq!(own.cases, ["test_g_when_n_is_0"]);
    assert_eq!(person(&own), ["f 3: a value this large is not followed"]);
    let odd = of("def größe(länge: str) -> str:\n    return länge + \"\\u2028ü\\x00\"\n");
    assert!(odd.text.contains("assert größe(\"abc\") == \"abc\\u2028ü\\x00\"\n"), "{}", odd.text);
}

#[test]
fn modules_have_the_names_that_the_project_gives_them() {
    let cases = [
        (&["pyproject.toml"][..], "", "src/app/unit.py", "app.unit", "tests/test_unit.py"),
        (
            &["pyproject.toml"][..],
            "[tool.pytest.ini_options]\npythonpath = [\"lib\"]\n",
            "lib/unit.py",
            "unit",
            "tests/test_unit.py",
        ),
        (&["api/pyproject.toml"][..], "", "api/app/__init__.py", "app", "api/tests/test_app.py"),
        (&["app/unit.py"][..], "", "web/unit.py", "web.unit", "tests/test_web_unit.py"),
    ];
    for (others, text, path, module, test) in cases {
        let rig = Rig::bare();
        for other in others {
            rig.write(other, text);
        }
        rig.write(path, "def one() -> int:\n    return 1\n");
        let made = made(&rig, path).unwrap();
        assert!(made.text.contains(&format!("from {module} import one\n")), "{}", made.text);
        assert_eq!(Python::test_file(&RelPath::new(path).unwrap(), &rig.look()).as_str(), test);
    }
}

#[test]
fn the_runner_is_that_of_the_project() {
    let rig = Rig::bare();
    rig.write("api/pyproject.toml", "");
    rig.write(".venv/bin/python", "");
    rig.write(".venv/bin/pytest", "");
    let test = RelPath::new("api/tests/test_unit.py").unwrap();
    let found = Python::runner(&test, &rig.look()).unwrap();
    let argv =
        "../.venv/bin/python -B -m pytest -o pythonpath=. -p no:cacheprovider -q -rf tests/test_unit.py";
    assert_eq!((found.argv.join(" ").as_str(), found.cwd.as_str(), found.tool), (argv, "api", "pytest"));
    rig.write("api/.venv/bin/python", "");
    rig.write("api/.venv/bin/pytest", "");
    rig.write("api/pyproject.toml", "[tool.pytest.ini_options]\npythonpath = \".\"\n");
    let found = Python::runner(&test, &rig.look()).unwrap();
    assert_eq!(found.argv[..4].join(" "), ".venv/bin/python -B -m pytest");
    assert_eq!(found.argv.len(), 9, "{:?}", found.argv);
}
