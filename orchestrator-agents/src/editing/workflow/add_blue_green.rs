//! `add_blue_green`: the idle colour is deployed and asked before traffic goes there; the old one stays as it is. Options:
//! `idle` (a command that prints `blue` or `green`), `deploy` and `switch` (commands; the colour is `$COLOUR`), `url` (with
//! `{colour}` for the colour), and those of every deployment.

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::Workflow;
use super::node::Node;
use super::options::Options;
use super::{parts, spot};

const MARK: &str = "Find the idle colour";

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let known: Vec<&str> = spot::OPTIONS.into_iter().chain(["idle", "deploy", "switch"]).collect();
    let options = Options::read(with, &known)?;
    let file = Workflow::read(text)?;
    let command = |key: &str, what: &str| {
        options.command(key)?.ok_or_else(|| -> orchestrator_core::BoxError {
            format!("option `{key}` is missing: {what}").into()
        })
    };
    let idle = command("idle", "a command that prints the colour without traffic, `blue` or `green`")?;
    let deploy = command("deploy", "a command that deploys to the colour `$COLOUR`")?;
    let switch = command("switch", "a command that sends traffic to the colour `$COLOUR`")?;
    let url = address(options.text("url")?)?;
    let env = options.env()?;
    let coloured = |more: Option<(String, Node)>| -> Vec<(String, Node)> {
        let colour = ("COLOUR".to_owned(), Node::text("${{ steps.idle.outputs.colour }}"));
        std::iter::once(colour).chain(more).chain(env.clone()).collect()
    };
    let ask = format!("{} \"${{URL_OF_COLOUR//\\{{colour\\}}/$COLOUR}}\"\n", parts::ASK);
    let checked = coloured(Some(("URL_OF_COLOUR".to_owned(), url.as_str().into())));
    let find = Node::map([("name", MARK.into()), ("id", "idle".into())])
        .with_some("env", (!env.is_empty()).then(|| Node::Map(env.clone())))
        .with("shell", "bash".into())
        .with("run", Node::text(find(&idle)));
    let check = Node::map([
        ("name", "Check the idle colour".into()),
        ("timeout-minutes", Node::bare(5)),
        ("env", Node::Map(checked)),
        ("shell", "bash".into()),
        ("run", Node::text(ask)),
    ]);
    let steps = vec![
        find,
        parts::command_step("Deploy to the idle colour", &deploy, &coloured(None), None),
        check,
        parts::command_step("Switch traffic to the new colour", &switch, &coloured(None), None),
    ];
    spot::deploy_by(
        file,
        &options,
        steps,
        0,
        MARK,
        "blue and green; the old colour is kept, so switching back undoes it",
    )
}

/// The script that finds the colour; anything but a colour fails.
fn find(idle: &str) -> String {
    let body: String = idle
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") })
        .collect();
    format!(
        "colour=\"$(\n{body})\"\ncase \"$colour\" in\n  blue|green) echo \"colour=$colour\" >> \"$GITHUB_OUTPUT\" ;;\n  \
         *) echo \"::error::the idle colour is neither blue nor green\"; exit 1 ;;\nesac\n"
    )
}

/// An address with a place for the colour.
fn address(url: Option<&str>) -> Result<String, orchestrator_core::BoxError> {
    let url = url.ok_or(
        "option `url` is missing: the address of a colour, such as `https://{colour}.example.org/health`",
    )?;
    let start = url.starts_with("https://") || url.starts_with("http://");
    let plain = |c: char| !c.is_whitespace() && !"\"'`<>\\$".contains(c);
    if start && url.contains("{colour}") && url.chars().all(plain) {
        return Ok(url.to_owned());
    }
    Err(format!("option `url`: `{url}` is no http address with `{{colour}}` in it").into())
}
