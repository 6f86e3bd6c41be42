use super::*;

#[test]
fn the_right_version_is_found() {
    let at = |name: &str, text: &str| place(name, text).map(|place| text[place].to_owned());
    let text = "[dependencies]\nversion = \"9\"\n[ package ] # x\nname = \"a\"\nversion   = '0.1.0' # y\n";
    assert_eq!(at("Cargo.toml", text).as_deref(), Some("0.1.0"));
    assert_eq!(at("Cargo.toml", "[package]\nversion.workspace = true\n"), None);
    assert_eq!(at("Cargo.toml", "workspace.package.version = \"1.0.0\"\n").as_deref(), Some("1.0.0"));
    assert_eq!(at("Cargo.toml", "[package]\nversion = \"\"\"1.0.0\"\"\"\n"), None);
    assert_eq!(at("Cargo.toml", "[package\n"), None);
    assert_eq!(at("pyproject.toml", "[tool.poetry]\nversion = \"2.0.0\"\n").as_deref(), Some("2.0.0"));
    let text =
        r#"{"a": {"version": "9"}, "b": ["version", {"version": "8"}], "x\"": ":{", "version" : "1.0.0"}"#;
    assert_eq!(at("package.json", text).as_deref(), Some("1.0.0"));
    assert_eq!(at("composer.json", "{\"name\": \"a/b\"}"), None);
    let lock = r#"{"name": "n", "version": "1", "packages": {"": {"version": "2"}, "b": {"version": "3"}}}"#;
    assert_eq!(&lock[json::string(lock, &["packages", "", "version"]).unwrap()], "2");
    assert_eq!(at("package.json", "{\"a"), None);
}
