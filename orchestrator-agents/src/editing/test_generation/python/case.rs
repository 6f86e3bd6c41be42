//! A run that was kept, as a test.

use std::collections::BTreeSet;

use super::eval::Called;
use super::explore::{Dimension, End, Explored, Ran};
use super::seed::Seed;
use super::text::{Names, literal, quoted, slug, snake};
use super::unit::{How, Input, Unit};
use super::value::{Raised, Value};

/// A test.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Case {
    pub(super) name: String,
    /// Whether it awaits.
    pub(super) asynchronous: bool,
    /// Whether it sets variables of the environment.
    pub(super) environment: bool,
    pub(super) lines: Vec<String>,
}

/// What writes the cases of a unit.
pub(super) struct Writer<'w, 'a> {
    pub(super) unit: &'w Unit<'a>,
    pub(super) explored: &'w Explored,
    pub(super) names: &'w mut Names,
    /// Whether tests may be `async def`; else `asyncio.run` is used.
    pub(super) marked: bool,
}

impl Writer<'_, '_> {
    /// The test of a run; an error says why nothing would be asserted.
    pub(super) fn case(&mut self, ran: &Ran) -> Result<Case, String> {
        let mut lines = self.mocks(ran)?;
        lines.extend(self.variables(ran));
        let made = self.subject(ran);
        let act = self.act(ran);
        let before = lines.len();
        match &ran.end {
            End::Raised(raised) => {
                lines.extend(made.map(|made| format!("subject = {made}")));
                self.raises(&mut lines, raised, &act);
            }
            End::Gave(value) => {
                lines.extend(made.map(|made| format!("subject = {made}")));
                self.gives(&mut lines, ran, value, &act)?;
            }
        }
        self.calls(&mut lines, ran)?;
        if !lines[before..].iter().any(|line| line.contains("assert") || line.contains("pytest.raises")) {
            return Err("it gives nothing and changes nothing that a test could see".into());
        }
        let environment =
            self.explored.dimensions.iter().any(|one| matches!(one, Dimension::Variable { .. }));
        Ok(Case {
            name: self.name(ran),
            asynchronous: self.unit.is_async() && self.marked,
            environment,
            lines,
        })
    }

    fn inputs(&self) -> impl Iterator<Item = &Input<'_>> {
        self.unit.make.iter().chain(&self.unit.takes)
    }

    fn mocks(&self, ran: &Ran) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        let called = &self.explored.called;
        if let Some((path, _)) = called.iter().find(|(_, awaited)| awaited.len() > 1) {
            return Err(format!("`{path}` is awaited in one place and not in another"));
        }
        let awaited: Vec<&String> =
            called.iter().filter(|(_, awaited)| awaited.contains(&true)).map(|(path, _)| path).collect();
        for (input, value) in self.inputs().zip(&ran.choice) {
            if input.seeds[*value] != Seed::Mock {
                continue;
            }
            let variable = &input.variable;
            let maker = if awaited.contains(&variable) { "AsyncMock(return_value=Mock())" } else { "Mock()" };
            lines.push(format!("{variable} = {maker}"));
            let below = format!("{variable}.");
            for path in awaited.iter().filter(|path| path.starts_with(&below)) {
                lines.push(format!("{path} = AsyncMock(return_value=Mock())"));
            }
        }
        for (dimension, value) in self.explored.dimensions.iter().zip(&ran.choice) {
            if let (Dimension::Mock(path), 1) = (dimension, value) {
                lines.push(format!("{path} = None"));
            }
        }
        Ok(lines)
    }

    fn variables(&self, ran: &Ran) -> Vec<String> {
        let line = |(dimension, value): (&Dimension, &usize)| {
            let Dimension::Variable { name, values } = dimension else { return None };
            Some(match &values[*value] {
                Some(value) => format!("monkeypatch.setenv({}, {})", quoted(name), quoted(value)),
                None => format!("monkeypatch.delenv({}, raising=False)", quoted(name)),
            })
        };
        self.explored.dimensions.iter().zip(&ran.choice).filter_map(line).collect()
    }

    fn arguments(&mut self, inputs: &[Input<'_>], choice: &[usize]) -> String {
        let mut shown = Vec::new();
        for (input, value) in inputs.iter().zip(choice) {
            let seed = &input.seeds[*value];
            if *seed == Seed::Omit {
                continue;
            }
            let text = seed.text(self.names, &input.variable);
            shown.push(if input.keyword { format!("{}={text}", input.name) } else { text });
        }
        shown.join(", ")
    }

    /// What makes the subject, for methods.
    fn subject(&mut self, ran: &Ran) -> Option<String> {
        if !matches!(self.unit.how, How::Method | How::Property) {
            return None;
        }
        let class = self.names.of(self.unit.class?.def.name.as_str());
        let unit = self.unit;
        let arguments = self.arguments(&unit.make, &ran.choice[..unit.make.len()]);
        Some(format!("{class}({arguments})"))
    }

    fn act(&mut self, ran: &Ran) -> String {
        let unit = self.unit;
        let takes = &ran.choice[unit.make.len()..];
        let class = unit.class.map(|class| self.names.of(class.def.name.as_str())).unwrap_or_default();
        let arguments = self.arguments(&unit.takes, takes);
        let name = &unit.name;
        let call = match unit.how {
            How::Function => format!("{}({arguments})", self.names.of(name)),
            How::Make => format!("{class}({arguments})"),
            How::OfClass => format!("{class}.{name}({arguments})"),
            How::Method => format!("subject.{name}({arguments})"),
            How::Property => format!("subject.{name}"),
        };
        match (unit.is_async(), self.marked) {
            (false, _) => call,
            (true, true) => format!("await {call}"),
            (true, false) => format!("asyncio.run({call})"),
        }
    }

    fn raises(&mut self, lines: &mut Vec<String>, raised: &Raised, act: &str) {
        let class = if super::eval::errors::is_error(&raised.class) {
            raised.class.to_string()
        } else {
            self.names.of(&raised.class)
        };
        match &raised.said {
            Some(said) => {
                lines.push(format!("with pytest.raises({class}) as raised:"));
                lines.push(format!("    {act}"));
                lines.push(format!("assert str(raised.value) == {}", quoted(said)));
            }
            None => {
                lines.push(format!("with pytest.raises({class}):"));
                lines.push(format!("    {act}"));
            }
        }
    }

    fn gives(&mut self, lines: &mut Vec<String>, ran: &Ran, value: &Value, act: &str) -> Result<(), String> {
        match value {
            Value::None => {
                let seen = !ran.calls.is_empty() || !ran.changed.is_empty();
                if seen || !self.always_none() {
                    let is_none = !self.always_none();
                    lines.push(if is_none { format!("assert {act} is None") } else { act.to_owned() });
                } else {
                    return Err("it gives nothing and changes nothing that a test could see".into());
                }
            }
            Value::Bool(_) | Value::Mock(_) | Value::Member(_) => {
                let text = literal(value, self.names).unwrap_or_default();
                lines.push(format!("assert {act} is {text}"));
            }
            Value::Instance(instance) if !instance.shown => self.instance(lines, ran, value, act)?,
            Value::Instance(_) if self.unit.how == How::Make => self.instance(lines, ran, value, act)?,
            value => match literal(value, self.names) {
                Some(text) => lines.push(format!("assert {act} == {text}")),
                None => return Err("what it gives cannot be written as a value".into()),
            },
        }
        let Some(subject) = &ran.subject else { return Ok(()) };
        for name in ran.changed.iter().filter(|name| !name.starts_with('_')) {
            let Some(value) = subject.fields.borrow().get(name).cloned() else { continue };
            if let Some(text) = literal(&value, self.names) {
                lines.push(format!("assert subject.{name} {} {text}", compared(&value)));
            }
        }
        Ok(())
    }

    /// Whether no run of the unit gives anything.
    fn always_none(&self) -> bool {
        self.explored.kept.iter().all(|ran| matches!(&ran.end, End::Gave(Value::None) | End::Raised(_)))
    }

    /// The fields of what was made that are not merely what was given.
    fn instance(
        &mut self,
        lines: &mut Vec<String>,
        ran: &Ran,
        value: &Value,
        act: &str,
    ) -> Result<(), String> {
        let Value::Instance(instance) = value else { return Ok(()) };
        let given: BTreeSet<String> = {
            let unit = self.unit;
            let takes = unit.takes.iter().zip(&ran.choice[unit.make.len()..]);
            takes
                .map(|(input, at)| {
                    format!("{}={}", input.name, input.seeds[*at].text(self.names, &input.variable))
                })
                .collect()
        };
        let mut asserts = Vec::new();
        for (name, value) in instance.fields.borrow().iter().filter(|(name, _)| !name.starts_with('_')) {
            let Some(text) = literal(value, self.names) else { continue };
            if !given.contains(&format!("{name}={text}")) {
                asserts.push(format!("assert result.{name} {} {text}", compared(value)));
            }
        }
        if asserts.is_empty() {
            return Err("it only keeps what it is given".into());
        }
        lines.push(format!("result = {act}"));
        lines.extend(asserts);
        Ok(())
    }

    fn calls(&mut self, lines: &mut Vec<String>, ran: &Ran) -> Result<(), String> {
        let mut paths: Vec<&str> = Vec::new();
        for call in &ran.calls {
            if !paths.contains(&&*call.path) {
                paths.push(&call.path);
            }
        }
        for path in &paths {
            let calls: Vec<&Called> = ran.calls.iter().filter(|call| &*call.path == *path).collect();
            let mut shown = Vec::new();
            for call in &calls {
                shown.push(
                    self.called(call)
                        .ok_or_else(|| format!("what `{path}` is called with cannot be written"))?,
                );
            }
            match shown.as_slice() {
                [one] if calls[0].awaited => lines.push(format!("{path}.assert_awaited_once_with({one})")),
                [one] => lines.push(format!("{path}.assert_called_once_with({one})")),
                many => {
                    let many: Vec<String> = many.iter().map(|one| format!("call({one})")).collect();
                    lines.push(format!("assert {path}.call_args_list == [{}]", many.join(", ")));
                }
            }
        }
        let mut silent: Vec<String> = Vec::new();
        for path in self.explored.called.keys().filter(|path| !paths.contains(&path.as_str())) {
            if silent.iter().any(|known| path.starts_with(known)) {
                continue;
            }
            let root = path.split('.').next().unwrap_or(path);
            let mocked = self
                .inputs()
                .zip(&ran.choice)
                .any(|(input, at)| input.variable == root && input.seeds[*at] == Seed::Mock);
            let reachable = !self.explored.dimensions.iter().zip(&ran.choice).any(|(dimension, at)| {
                matches!(dimension, Dimension::Mock(none) if *at == 1 && path.starts_with(none.as_str()))
            });
            if mocked && reachable {
                lines.push(format!("{path}.assert_not_called()"));
                silent.push(format!("{path}."));
            }
        }
        Ok(())
    }

    fn called(&mut self, call: &Called) -> Option<String> {
        let mut shown = Vec::new();
        for arg in &call.args {
            shown.push(literal(arg, self.names)?);
        }
        for (name, value) in &call.keywords {
            shown.push(format!("{name}={}", literal(value, self.names)?));
        }
        Some(shown.join(", "))
    }

    /// What a case is called: what it is of, what it raises, and what differs from the plainest one.
    fn name(&self, ran: &Ran) -> String {
        let mut name = format!("test_{}", snake(self.unit.name.trim_matches('_')));
        if let End::Raised(raised) = &ran.end {
            name = format!("{name}_raises_{}", snake(&raised.class));
        }
        let mut differs = Vec::new();
        for (at, dimension) in self.explored.dimensions.iter().enumerate() {
            let (value, base) =
                (ran.choice.get(at).copied().unwrap_or(0), ran.base.get(at).copied().unwrap_or(0));
            if value == base {
                continue;
            }
            differs.push(match dimension {
                Dimension::Input { at, .. } => self.inputs().nth(*at).map_or(String::new(), |input| {
                    format!("{}_is_{}", input.name.trim_matches('_'), input.seeds[value].slug())
                }),
                Dimension::Mock(path) => format!("{}_is_none", slug_path(path)),
                Dimension::Variable { name, values } => {
                    let shown = values[value].as_deref().map_or("not_set".to_owned(), slug);
                    format!("{}_is_{shown}", name.to_ascii_lowercase())
                }
            });
        }
        if !differs.is_empty() {
            name = format!("{name}_when_{}", differs.join("_and_"));
        }
        let short: String = name.chars().take(110).collect();
        short.trim_end_matches('_').to_owned()
    }
}

/// How a value is compared: what there is only one of, by identity.
fn compared(value: &Value) -> &'static str {
    match value {
        Value::None | Value::Bool(_) | Value::Mock(_) | Value::Member(_) => "is",
        _ => "==",
    }
}

fn slug_path(path: &str) -> String {
    path.trim_end_matches(".return_value").replace(".return_value", "").replace('.', "_")
}
