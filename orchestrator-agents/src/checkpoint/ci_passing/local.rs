//! The part of a workflow that can be run here: commands of jobs that need nothing that only GitHub has.

use std::collections::BTreeMap;

use orchestrator_core::action::{Action, EnvValue, Run};
use orchestrator_core::effect::Effect;
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::workspace::Workspace;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::workflow;

/// What can be run here of a workflow, and what cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Local {
    /// Digest of the workflow.
    pub(super) digest: Digest,
    /// What is run, in order.
    pub(super) steps: Vec<Step>,
    /// What has no meaning in a checkout.
    pub(super) left_out: Vec<String>,
    /// What cannot be run here, and why.
    pub(super) not_run: Vec<String>,
}

/// A command of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    job: String,
    label: String,
    argv: Vec<String>,
    cwd: RelPath,
    env: BTreeMap<String, String>,
    /// The workflow goes on when it fails.
    pub(super) tolerated: bool,
}

impl Local {
    /// Whether running it could tell anything.
    pub(super) fn can_pass(&self, allow_partial: bool) -> bool {
        !self.steps.is_empty() && (allow_partial || self.not_run.is_empty())
    }
}

impl Step {
    pub(super) fn name(&self) -> String {
        format!("`{}` of job `{}`", self.label, self.job)
    }

    pub(super) fn first_line(&self) -> String {
        let script = self.argv.last().map(String::as_str).unwrap_or_default();
        let mut lines = script.lines().filter(|line| !line.trim().is_empty());
        let first = lines.next().unwrap_or_default().trim();
        if lines.next().is_some() { format!("{first} ..") } else { first.to_owned() }
    }

    pub(super) fn action(&self, effect: Effect) -> Action {
        let mut run = Run::new(effect, self.argv.clone());
        run.cwd = self.cwd.clone();
        run.env =
            self.env.iter().map(|(name, value)| (name.clone(), EnvValue::Plain(value.clone()))).collect();
        run.env.insert("CI".into(), EnvValue::Plain("true".into()));
        run.env.insert("GITHUB_STEP_SUMMARY".into(), EnvValue::Plain("/dev/null".into()));
        run.keep_going = self.tolerated;
        run.into()
    }
}

/// Reads what can be run. The error says why nothing is known.
pub(super) fn read(path: &RelPath, wanted: &[String], look: &Workspace) -> Result<Local, String> {
    let (value, digest) = workflow::read(path, look)?;
    let jobs = workflow::jobs(&value).map_err(|why| format!("the workflow `{path}`: {why}"))?;
    if let Some(unknown) = wanted.iter().find(|wanted| !jobs.iter().any(|(name, _)| name == wanted)) {
        let known: Vec<&str> = jobs.iter().map(|(name, _)| *name).collect();
        return Err(format!("the workflow `{path}` has no job `{unknown}`; known: {}", known.join(", ")));
    }
    let mut local = Local { digest, steps: Vec::new(), left_out: Vec::new(), not_run: Vec::new() };
    let whole = Layer::of(value.as_object());
    let outside = wanted_elsewhere(value.as_object());
    for (name, job) in jobs {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            local.left_out.push(format!("job `{name}`, which does not count"));
            continue;
        }
        if let Some(why) = only_there(job).or_else(|| outside.clone()) {
            local.not_run.push(format!("job `{name}`: {why}"));
            continue;
        }
        let layer = match whole.clone().and_then(|whole| whole.over(job)) {
            Ok(layer) => layer,
            Err(why) => {
                local.not_run.push(format!("job `{name}`: {why}"));
                continue;
            }
        };
        let steps = job.get("steps").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if steps.is_empty() {
            local.not_run.push(format!("job `{name}`: it has no steps"));
        }
        for (at, step) in steps.iter().enumerate() {
            local.step(name, at, step, &layer, look);
        }
    }
    Ok(local)
}

impl Local {
    fn step(&mut self, job: &str, at: usize, step: &Value, layer: &Layer, look: &Workspace) {
        let Some(step) = step.as_object() else {
            self.not_run.push(format!("step {} of job `{job}`: it is no map", at + 1));
            return;
        };
        let text = |key: &str| step.get(key).and_then(Value::as_str);
        let own = text("run").map(|run| run.trim().lines().next().unwrap_or_default());
        let label = text("name").or(text("uses")).or(own).unwrap_or_default();
        let label: String = label.chars().take(80).collect();
        let called = format!("`{label}` of job `{job}`");
        match step.get("if").map(condition) {
            None | Some(Condition::Yes) => {}
            Some(Condition::No) => {
                self.left_out.push(format!("{called}, which only follows a failure"));
                return;
            }
            Some(Condition::Unknown) => {
                self.not_run.push(format!("{called}: only GitHub can tell its `if`"));
                return;
            }
        }
        match (text("run"), text("uses")) {
            (Some(run), None) => match layer.clone().over(step).and_then(|layer| layer.argv(run)) {
                Ok((argv, cwd, env)) => {
                    let tolerated = step.get("continue-on-error") == Some(&Value::Bool(true));
                    self.steps.push(Step { job: job.to_owned(), label, argv, cwd, env, tolerated });
                }
                Err(why) => self.not_run.push(format!("{called}: {why}")),
            },
            (None, Some(uses)) => match action(uses, step.get("with").and_then(Value::as_object), look) {
                Ok(what) => self.left_out.push(format!("{called}: {what}")),
                Err(why) => self.not_run.push(format!("{called}: {why}")),
            },
            _ => self.not_run.push(format!("{called}: it has neither `run` nor `uses`, or both")),
        }
    }
}

/// A workflow whose permissions let it write may publish something.
fn wanted_elsewhere(map: Option<&Map<String, Value>>) -> Option<String> {
    let permissions = map?.get("permissions")?;
    may_write(permissions).then(|| "it may write to GitHub".to_owned())
}

fn may_write(permissions: &Value) -> bool {
    match permissions {
        Value::String(all) => all == "write-all",
        Value::Object(each) => each.values().any(|value| value == "write"),
        _ => false,
    }
}

/// Why a job can only be run on GitHub.
fn only_there(job: &Map<String, Value>) -> Option<String> {
    for (key, why) in [
        ("services", "it needs `services`"),
        ("container", "it runs in a `container`"),
        ("environment", "it deploys to an `environment`"),
        ("uses", "it is a workflow of its own"),
    ] {
        if job.contains_key(key) {
            return Some(why.to_owned());
        }
    }
    if job.get("permissions").is_some_and(may_write) {
        return Some("it may write to GitHub".to_owned());
    }
    if job.get("strategy").is_some_and(|strategy| strategy.get("matrix").is_some()) {
        return Some("it runs once for each entry of a matrix".to_owned());
    }
    match job.get("if").map(condition) {
        None | Some(Condition::Yes) => {}
        _ => return Some("only GitHub can tell its `if`".to_owned()),
    }
    let on = job.get("runs-on").and_then(Value::as_str).unwrap_or_default();
    (!on.starts_with("ubuntu")).then(|| format!("it runs on `{}`", on.chars().take(60).collect::<String>()))
}

/// Command line, folder and environment of a step.
type Told = (Vec<String>, RelPath, BTreeMap<String, String>);

/// What is known of an `if`.
enum Condition {
    Yes,
    No,
    Unknown,
}

fn condition(value: &Value) -> Condition {
    let text = match value {
        Value::Bool(true) => return Condition::Yes,
        Value::String(text) => text.trim(),
        _ => return Condition::Unknown,
    };
    let text = text.strip_prefix("${{").and_then(|text| text.strip_suffix("}}")).unwrap_or(text);
    match text.trim().replace(' ', "").as_str() {
        "always()" | "success()" | "!cancelled()" | "!failure()" | "true" => Condition::Yes,
        "failure()" | "cancelled()" => Condition::No,
        _ => Condition::Unknown,
    }
}

/// What a workflow, a job and a step say of where and how commands run.
#[derive(Debug, Clone, Default)]
struct Layer {
    env: BTreeMap<String, String>,
    folder: Option<String>,
    shell: Option<String>,
}

impl Layer {
    fn of(map: Option<&Map<String, Value>>) -> Result<Self, String> {
        map.map_or_else(|| Ok(Self::default()), |map| Self::default().over(map))
    }

    /// What is said further in counts.
    fn over(mut self, map: &Map<String, Value>) -> Result<Self, String> {
        for (name, value) in map.get("env").and_then(Value::as_object).into_iter().flatten() {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            self.env.insert(name.clone(), plain(&value)?);
        }
        let defaults = map.get("defaults").and_then(|defaults| defaults.get("run"));
        let said = |key: &str| map.get(key).or_else(|| defaults?.get(key)).and_then(Value::as_str);
        for (key, place) in [("working-directory", &mut self.folder), ("shell", &mut self.shell)] {
            if let Some(text) = said(key) {
                *place = Some(plain(text)?);
            }
        }
        Ok(self)
    }

    /// The command as GitHub runs it (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>).
    fn argv(self, run: &str) -> Result<Told, String> {
        let script = plain(run)?;
        let rest = script.replace("GITHUB_STEP_SUMMARY", "");
        if let Some((_, name)) = rest.split_once("GITHUB_") {
            let name: String = name.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            return Err(format!("it uses `GITHUB_{name}`, which only GitHub gives"));
        }
        let words: &[&str] = match self.shell.as_deref() {
            None => &["bash", "-e", "-c"],
            Some("bash") => &["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"],
            Some("sh") => &["sh", "-e", "-c"],
            Some("python") => &["python3", "-c"],
            Some(other) => {
                return Err(format!(
                    "its shell `{}` is not known here",
                    other.chars().take(40).collect::<String>()
                ));
            }
        };
        let mut argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        argv.push(script);
        let cwd = self
            .folder
            .map_or_else(|| Ok(RelPath::root()), RelPath::new)
            .map_err(|error| error.to_string())?;
        Ok((argv, cwd, self.env))
    }
}

/// Text without anything that GitHub would have to fill in.
fn plain(text: &str) -> Result<String, String> {
    let Some((_, expression)) = text.split_once("${{") else { return Ok(text.to_owned()) };
    let expression: String =
        expression.split("}}").next().unwrap_or_default().trim().chars().take(60).collect();
    Err(match expression.split(['.', '[']).next().unwrap_or_default() {
        "secrets" => format!("it needs the secret `{expression}`"),
        "matrix" => "it needs a matrix".to_owned(),
        _ => format!("only GitHub can fill in `{expression}`"),
    })
}

/// What an action means in a checkout, or why it cannot be taken for done.
fn action(uses: &str, with: Option<&Map<String, Value>>, look: &Workspace) -> Result<String, String> {
    let name = uses.split('@').next().unwrap_or_default();
    let given = |key: &str| {
        with.and_then(|with| with.get(key)).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    match name {
        "actions/checkout" if ["repository", "ref", "path"].iter().all(|key| given(key).is_none()) => {
            Ok("the tree is here".into())
        }
        "actions/checkout" => Err("it checks out something else".into()),
        "actions/cache" | "actions/cache/restore" | "actions/cache/save" => {
            Ok("nothing is cached here".into())
        }
        "actions/upload-artifact" => Ok("nothing is uploaded from here".into()),
        "actions/setup-node" => {
            let wanted = match given("node-version-file") {
                Some(file) => Some(from_file(&file, look)?),
                None => given("node-version"),
            };
            tool("node", wanted.as_deref(), look)
        }
        "actions/setup-python" => {
            let wanted = match given("python-version-file") {
                Some(file) => Some(from_file(&file, look)?),
                None => given("python-version"),
            };
            tool("python3", wanted.as_deref(), look)
        }
        "pnpm/action-setup" => tool("pnpm", given("version").as_deref(), look),
        "dtolnay/rust-toolchain" | "actions-rust-lang/setup-rust-toolchain" => tool("cargo", None, look),
        _ => Err("this action is not known here".into()),
    }
}

fn from_file(file: &str, look: &Workspace) -> Result<String, String> {
    let path = RelPath::new(file).map_err(|error| error.to_string())?;
    let text = look.read_text(&path).map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| format!("`{path}` does not exist"))?;
    let version = text.trim().trim_start_matches('v');
    if version.starts_with(|c: char| c.is_ascii_digit()) && version.len() < 20 {
        return Ok(version.to_owned());
    }
    Err(format!("`{path}` names no version that is known here"))
}

/// Whether a tool is there in the version that is wanted, as far as the wanted version says.
fn tool(program: &str, wanted: Option<&str>, look: &Workspace) -> Result<String, String> {
    let said = look.tool_version(program).ok_or_else(|| format!("`{program}` is not installed"))?;
    let found = said
        .split(' ')
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let found = found.ok_or_else(|| format!("`{program}` does not say its version"))?;
    let Some(wanted) = wanted else { return Ok(format!("{program} {found} is here")) };
    let wanted = plain(wanted)?;
    let numbers = |text: &str| -> Vec<String> { text.split('.').map(str::to_owned).collect() };
    let parts: Vec<String> = numbers(wanted.trim_start_matches('v'));
    let exact: Vec<&String> = parts.iter().take_while(|part| part.parse::<u32>().is_ok()).collect();
    let rest = &parts[exact.len()..];
    if exact.is_empty() || rest.iter().any(|part| !matches!(part.as_str(), "x" | "X" | "*")) {
        return Err(format!("which version `{wanted}` is cannot be told here"));
    }
    if numbers(found).iter().zip(&exact).any(|(found, wanted)| found != *wanted) {
        return Err(format!("it wants {program} {wanted}, here is {found}"));
    }
    Ok(format!("{program} {found} is here"))
}
