//! What a plug-in answers to `plan` and `conclude`, as the library's own values.

use orchestrator_core::action::{Action, Content, Expects};
use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::json::Json;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Why;
use super::described::Checked;
use super::ops::MOST_ACTIONS;

/// The answer to `plan`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    actions: Vec<Value>,
}

/// The answer to `conclude`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Concluded {
    Passed(Conclusion<Json>),
    Failed(Conclusion<Json>),
    Skipped(Conclusion<Json>),
    More {
        actions: Vec<Value>,
        #[serde(default)]
        carried: Json,
    },
}

/// The actions of a plan. A write or removal that does not say what it replaces, replaces what is seen now.
pub(super) fn planned(answer: Value, look: &Workspace) -> Result<Vec<Action>, Why> {
    let Planned { actions } = read(answer)?;
    let mut actions = read_actions(actions)?;
    for action in &mut actions {
        let (path, expects) = match action {
            Action::Write(write) => (&write.path, &mut write.expects),
            Action::Remove(remove) => (&remove.path, &mut remove.expects),
            Action::Run(_) | Action::Call(_) | Action::Await(_) => continue,
        };
        if *expects == Expects::Anything {
            *expects = Expects::exactly(look.read(path)?.as_deref());
        }
    }
    Ok(actions)
}

/// What the receipts mean.
pub(super) fn concluded(answer: Value, output: &Checked) -> Result<Verdict<Json>, Why> {
    Ok(match read(answer)? {
        Concluded::Passed(conclusion) => {
            let given = conclusion.output.filter(|output| !output.is_null());
            let value = given.as_ref().map(Json::value).unwrap_or_default();
            if let Some(wrong) = given.as_ref().and_then(|_| output.wrong(&value).into_iter().next()) {
                return Err(Why::Shape(format!("its output does not fit its output_schema: {wrong}")));
            }
            Verdict::Passed(Conclusion { output: given, ..conclusion })
        }
        Concluded::Failed(conclusion) => Verdict::Failed(without_output(conclusion)),
        Concluded::Skipped(conclusion) => Verdict::Skipped(without_output(conclusion)),
        Concluded::More { actions, carried } => Verdict::More { actions: read_actions(actions)?, carried },
    })
}

fn without_output(conclusion: Conclusion<Json>) -> Conclusion<()> {
    let Conclusion { output: _, summary, metrics, findings } = conclusion;
    Conclusion { output: None, summary, metrics, findings }
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Why> {
    serde_json::from_value(answer)
        .map_err(|error| Why::Shape(super::described::short(&error.to_string(), 300)))
}

fn read_actions(actions: Vec<Value>) -> Result<Vec<Action>, Why> {
    if actions.len() > MOST_ACTIONS {
        return Err(Why::Many(actions.len()));
    }
    let one = |(at, mut value): (usize, Value)| {
        let wrong =
            |why: String| Why::Shape(format!("actions[{at}]: {}", super::described::short(&why, 300)));
        replaced(&mut value).map_err(wrong)?;
        let action: Action = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        in_place(&action).map_err(wrong)?;
        Ok(action)
    };
    actions.into_iter().enumerate().map(one).collect()
}

/// Programs need not know our digests: `was`, the whole text that a write or removal replaces (`null` for no file), stands for
/// `expects`.
fn replaced(action: &mut Value) -> Result<(), String> {
    for kind in ["write", "remove"] {
        let Some(Value::Object(fields)) = action.get_mut(kind) else { continue };
        let Some(was) = fields.remove("was") else { continue };
        let expects = match was {
            Value::Null => Expects::Absent,
            Value::String(text) => Expects::exactly(Some(text.as_bytes())),
            other => return Err(format!("`was` is {other}; it is the text that is replaced, or null")),
        };
        if fields.contains_key("expects") {
            return Err("`was` and `expects` say the same: one of them".into());
        }
        let expects = serde_json::to_value(expects).map_err(|error| error.to_string())?;
        fields.insert("expects".into(), expects);
    }
    Ok(())
}

/// Content comes in place: what the executor keeps is not for programs to name.
fn in_place(action: &Action) -> Result<(), String> {
    let given = |content: &Content, path: Option<&RelPath>| match content.bytes() {
        Some(_) => Ok(()),
        None => Err(format!("the content of {} is neither text nor whole hexadecimal digits", shown(path))),
    };
    match action {
        Action::Write(write) => given(&write.content, Some(&write.path)),
        Action::Run(run) => {
            run.stdin.as_ref().map_or(Ok(()), |stdin| given(stdin, None))?;
            run.undo.iter().try_for_each(in_place)
        }
        Action::Remove(_) | Action::Call(_) | Action::Await(_) => Ok(()),
    }
}

fn shown(path: Option<&RelPath>) -> String {
    path.map_or_else(|| "standard input".to_owned(), |path| format!("`{path}`"))
}

/// The answer to a request: what it gives, or why it gives nothing.
pub(super) fn of(line: &[u8], id: u64) -> Result<Value, Why> {
    let parsed = serde_json::from_slice::<Map<String, Value>>(line);
    let mut answer = parsed.map_err(|error| Why::NoJson {
        error: error.to_string(),
        line: super::described::short(&String::from_utf8_lossy(&line[..line.len().min(400)]), 80),
    })?;
    let got = answer.remove("id").unwrap_or_default();
    if got != id {
        return Err(Why::Id { got: super::described::short(&got.to_string(), 40), wanted: id });
    }
    if let Some(error) = answer.remove("error") {
        let text = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        return Err(Why::Error(super::described::short(&text, 1000)));
    }
    let Some(given) = answer.remove("ok") else {
        return Err(Why::Shape("there is neither `ok` nor `error`".into()));
    };
    match answer.keys().next() {
        None => Ok(given),
        Some(other) => Err(Why::Shape(format!("unknown field `{}`", super::described::short(other, 40)))),
    }
}
