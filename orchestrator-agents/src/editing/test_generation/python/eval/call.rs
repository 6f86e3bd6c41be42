//! Calls: functions and classes of the module, mocks, and what is outside.

use std::collections::BTreeMap;
use std::rc::Rc;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFunctionDef};

use super::super::class::{Class, Kind};
use super::super::value::{Raised, Value};
use super::stmt::Flow;
use super::{Called, Eval, Run, Scope, errors};

type Keywords = Vec<(String, Value)>;

impl<'a> Run<'a> {
    pub(super) fn invoke(
        &mut self,
        function: &Value,
        args: Vec<Value>,
        keywords: Keywords,
        awaited: bool,
    ) -> Eval {
        self.deeper()?;
        let value = self.invoked(function, args, keywords, awaited);
        self.depth -= 1;
        value
    }

    fn invoked(&mut self, function: &Value, mut args: Vec<Value>, keywords: Keywords, awaited: bool) -> Eval {
        match function {
            Value::Mock(path) => {
                if self.calls.len() == super::MOST_CALLS {
                    return self.unknown("it calls its collaborators more often than is followed");
                }
                self.calls.push(Called { path: path.clone(), args, keywords, awaited });
                let path = format!("{path}.return_value");
                return Ok(self
                    .given
                    .get(&path)
                    .cloned()
                    .unwrap_or_else(|| Value::Mock(path.as_str().into())));
            }
            Value::Function { class: None, name } => {
                let Some(super::Global::Function(def)) = self.module.names.get(&**name) else {
                    return self.unknown(format!("`{name}` is not certain"));
                };
                return self.function(def, None, args, keywords, awaited);
            }
            Value::Function { class: Some(class), name } => {
                let Some((def, owner)) = self.method(class, name) else {
                    return self.unknown("no such method");
                };
                return self.function(def, Some(owner), args, keywords, awaited);
            }
            Value::Bound { on, class, name } => {
                let Some((def, owner)) = self.method(class, name) else {
                    return self.unknown("no such method");
                };
                args.insert(0, (**on).clone());
                return self.function(def, Some(owner), args, keywords, awaited);
            }
            _ if awaited => return self.unknown("what is awaited here is not modelled"),
            Value::Class(name) => return self.make(&name.clone(), args, keywords),
            Value::Method { on, name } => return self.method_of(on, name, args, keywords),
            Value::Outside(name) if errors::is_error(name) && keywords.is_empty() => {
                let said = self.said_by(name, &args)?;
                return Ok(Value::Error(Rc::new(Raised {
                    class: name.clone(),
                    said,
                    fields: BTreeMap::new(),
                })));
            }
            Value::Outside(name) if name.contains('.') => {
                return self.outside_call(&name.clone(), &args, &keywords);
            }
            Value::Outside(name) if self.module.names.contains_key(&**name) => {
                return self.unknown(format!("what `{name}` does is not in this file"));
            }
            Value::Outside(name) => return self.builtin(&name.clone(), args, keywords),
            _ => {}
        }
        self.unknown("calling this is not modelled")
    }

    fn function(
        &mut self,
        def: &'a StmtFunctionDef,
        class: Option<Rc<str>>,
        args: Vec<Value>,
        keywords: Keywords,
        awaited: bool,
    ) -> Eval {
        if def.is_async != awaited {
            return self.unknown(format!("`{}` is async and not awaited, or the other way round", def.name));
        }
        if class.is_none() && !def.decorator_list.is_empty() {
            for decorator in &def.decorator_list {
                self.decorator(def, &decorator.expression)?;
            }
        }
        self.charge(u64::from(def.range.len().to_u32()) / 8)?;
        if yields(&def.body) {
            return self.unknown(format!("`{}` is a generator", def.name));
        }
        let before = self.at;
        let mut scope = self.bind(def, args, keywords)?;
        scope.class = class;
        let flow = self.block(&mut scope, &def.body)?;
        self.at = before;
        match flow {
            Flow::Return(value) => Ok(value),
            _ => {
                self.reach(super::super::module::offset(def), 99);
                Ok(Value::None)
            }
        }
    }

    fn decorator(&self, def: &StmtFunctionDef, decorator: &Expr) -> Eval<()> {
        let name = match decorator {
            Expr::Call(call) => self.outside(&call.func),
            expr => self.outside(expr),
        };
        match name.as_deref() {
            Some("functools.cache" | "functools.lru_cache" | "typing.no_type_check" | "typing.final")
                if !def.is_async =>
            {
                Ok(())
            }
            _ => self.unknown(format!("what decorates `{}` may change it", def.name)),
        }
    }

    /// `super().name(..)`.
    pub(super) fn inherited(
        &mut self,
        scope: &mut Scope,
        call: &'a ExprCall,
        name: &str,
        awaited: bool,
    ) -> Eval {
        let owner = scope.class.clone();
        let Some(class) = owner.and_then(|owner| self.class(&owner)) else {
            return self.unknown("`super()` here is not modelled");
        };
        let Some(Value::Instance(on)) = scope.names.get("self").cloned() else {
            return self.unknown("`super()` here is not modelled");
        };
        let (mut args, keywords) = self.given_args(scope, call)?;
        if let Some(base) = &class.base
            && let Some((def, owner)) = self.method(base, name)
        {
            args.insert(0, Value::Instance(on));
            return self.function(def, Some(owner), args, keywords, awaited);
        }
        match &class.kind {
            Kind::Error(base) if name == "__init__" && keywords.is_empty() => {
                let said = self.said_by(base, &args)?.map_or(Value::None, Value::str);
                on.fields.borrow_mut().insert("(said)".into(), said);
                Ok(Value::None)
            }
            Kind::Plain if name == "__init__" && args.is_empty() && keywords.is_empty() => Ok(Value::None),
            _ => self.unknown("`super()` here is not modelled"),
        }
    }

    /// What `str()` says of a built-in exception with these arguments.
    fn said_by(&self, class: &str, args: &[Value]) -> Eval<Option<String>> {
        for arg in args {
            self.weigh(arg)?;
            self.no_text_of_its_own(arg)?;
        }
        Ok(match args {
            [] => Some(String::new()),
            [one] if errors::is_kind(class, "KeyError") => one.repr(),
            [one] => one.said(),
            many if errors::is_kind(class, "OSError") => many.first().and(None),
            many => Value::tuple(many.to_vec()).repr(),
        })
    }

    /// An instance of a class of the module.
    fn make(&mut self, name: &str, args: Vec<Value>, keywords: Keywords) -> Eval {
        let Some(class) = self.class(name) else { return self.unknown(format!("`{name}` is not certain")) };
        match &class.kind {
            Kind::Unsure(why) => self.unknown(format!("`{name}` is not modelled: {why}")),
            Kind::Enum { .. } => self.by_value(class, &args, &keywords),
            Kind::Error(base) => self.make_error(class, base, args, keywords),
            Kind::Data { frozen, keywords: only } => self.make_data(class, *frozen, *only, args, keywords),
            Kind::Plain => {
                let instance = Self::instance(name, false, false, false);
                match self.method(name, "__init__") {
                    Some((def, owner)) => {
                        let args = std::iter::once(Value::Instance(instance.clone())).chain(args).collect();
                        self.function(def, Some(owner), args, keywords, false)?;
                    }
                    None if args.is_empty() && keywords.is_empty() => {}
                    None => return self.unknown(format!("`{name}` takes no arguments")),
                }
                Ok(Value::Instance(instance))
            }
        }
    }

    fn by_value(&mut self, class: &'a Class<'a>, args: &[Value], keywords: &Keywords) -> Eval {
        let ([value], []) = (args, keywords.as_slice()) else {
            return self.unknown("making an enum is not modelled");
        };
        for member in self.members(class)? {
            let Value::Member(known) = &member else { continue };
            self.pairs(&known.value, value)?;
            if member.is(value) == Some(true)
                || self.known(known.value.equals(value), "looking up a member is not modelled")?
            {
                return Ok(member);
            }
        }
        let said = value.repr().map(|value| format!("{value} is not a valid {}", class.def.name));
        Self::raise("ValueError", said)
    }

    fn make_error(&mut self, class: &'a Class<'a>, base: &str, args: Vec<Value>, keywords: Keywords) -> Eval {
        let name: Rc<str> = class.def.name.as_str().into();
        let mut said = self.said_by(base, &args)?;
        let mut fields = BTreeMap::new();
        if let Some((def, owner)) = self.method(&name, "__init__") {
            let instance = Self::instance(&name, false, false, false);
            let args = std::iter::once(Value::Instance(instance.clone())).chain(args).collect();
            self.function(def, Some(owner), args, keywords, false)?;
            fields.clone_from(&instance.fields.borrow());
            match fields.remove("(said)") {
                Some(Value::Str(text)) => said = Some(text.to_string()),
                Some(_) => said = None,
                None => {}
            }
        } else if !keywords.is_empty() {
            return self.unknown("keywords of an exception are not modelled");
        }
        if self.method(&name, "__str__").is_some() {
            said = None;
        }
        Ok(Value::Error(Rc::new(Raised { class: name, said, fields })))
    }

    fn make_data(
        &mut self,
        class: &'a Class<'a>,
        frozen: bool,
        only: bool,
        args: Vec<Value>,
        mut keywords: Keywords,
    ) -> Eval {
        const OWN: [&str; 5] = ["__init__", "__eq__", "__hash__", "__str__", "__repr__"];
        let name = class.def.name.as_str();
        if let Some(own) = OWN.iter().find(|own| class.methods.contains_key(**own)) {
            return self.unknown(format!("`{name}` has a `{own}` of its own"));
        }
        let made_again = !class.methods.contains_key("__post_init__");
        let instance = Self::instance(name, true, frozen, made_again);
        if only && !args.is_empty() {
            return self.unknown(format!("`{name}` takes only keywords"));
        }
        let mut given = args.into_iter();
        for field in &class.fields {
            let Some(annotation) = field.annotation else { continue };
            if matches!(annotation, Expr::Subscript(inner) if self.outside(&inner.value).is_some_and(|name| name.contains("Var")))
            {
                return self.unknown(format!("`{}` belongs to the class", field.name));
            }
            let by_name = keywords.iter().position(|(keyword, _)| *keyword == field.name);
            let value = match (given.next(), by_name) {
                (Some(value), None) => value,
                (None, Some(at)) => keywords.remove(at).1,
                (None, None) => self.default(class, &field.name, field.value)?,
                _ => return self.unknown(format!("`{}` is given twice", field.name)),
            };
            instance.fields.borrow_mut().insert(field.name.clone(), value);
        }
        if given.next().is_some() || !keywords.is_empty() {
            return self.unknown(format!("`{name}` is given too much"));
        }
        if let Some((def, owner)) = self.method(name, "__post_init__") {
            self.function(def, Some(owner), vec![Value::Instance(instance.clone())], Vec::new(), false)?;
        }
        Ok(Value::Instance(instance))
    }

    /// What a field is without being given.
    fn default(&mut self, class: &Class<'_>, name: &str, value: Option<&'a Expr>) -> Eval {
        let Some(expr) = value else { return self.unknown(format!("`{name}` is not given")) };
        let Expr::Call(call) = expr else { return self.kept(&format!("{}.{name}", class.def.name), expr) };
        if self.outside(&call.func).as_deref() != Some("dataclasses.field") {
            return self.kept(&format!("{}.{name}", class.def.name), expr);
        }
        let [keyword] = call.arguments.keywords.as_slice() else {
            return self.unknown("this `field` is not modelled");
        };
        match keyword.arg.as_ref().map(ruff_python_ast::Identifier::as_str) {
            Some("default") => self.kept(&format!("{}.{name}", class.def.name), &keyword.value),
            Some("default_factory") => {
                let maker = self.expr(&mut Scope::default(), &keyword.value)?;
                self.invoke(&maker, Vec::new(), Vec::new(), false)
            }
            _ => self.unknown("this `field` is not modelled"),
        }
    }

    /// Functions of Python's own modules.
    fn outside_call(&mut self, name: &str, args: &[Value], keywords: &Keywords) -> Eval {
        match (name, args, keywords.as_slice()) {
            ("os.environ.get" | "os.getenv", [Value::Str(name), rest @ ..], []) if rest.len() < 2 => {
                let found = self.variable(name).map(Value::str);
                Ok(found.unwrap_or_else(|| rest.first().cloned().unwrap_or(Value::None)))
            }
            ("os.environ.get" | "os.getenv", [Value::Str(name)], [(default, value)])
                if default == "default" =>
            {
                Ok(self.variable(name).map_or_else(|| value.clone(), Value::str))
            }
            ("json.loads", [Value::Str(text)], []) => {
                let why = "what `json.loads` makes of such a text is not modelled";
                // Only a text that is written as it would be written again: nothing about it can be read in two ways.
                let json = serde_json::from_str::<serde_json::Value>(text).ok();
                let again = |json: &serde_json::Value| json.to_string();
                let json = json.filter(|json| text.is_ascii() && **text == *again(json));
                let value = json.as_ref().and_then(from_json);
                self.known(value, why)
            }
            ("logging.getLogger", _, []) => Ok(Value::Logger),
            ("math.floor" | "math.ceil", [Value::Int(number)], []) => Ok(Value::Int(*number)),
            ("math.floor", [Value::Float(number)], []) if number.abs() < 1e15 => {
                Ok(Value::Int(number.floor() as i128))
            }
            ("math.ceil", [Value::Float(number)], []) if number.abs() < 1e15 => {
                Ok(Value::Int(number.ceil() as i128))
            }
            _ => self.unknown(format!("what `{name}` does is not in this file")),
        }
    }
}

/// A JSON value; none where Python may have it otherwise.
fn from_json(json: &serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match json {
        Json::Null => Value::None,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => Value::Int(number.as_i64()?.into()),
        Json::String(text) => Value::str(text),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect::<Option<_>>()?),
        Json::Object(items) => {
            let pairs = items.iter().map(|(key, value)| Some((Value::str(key), from_json(value)?)));
            Value::dict(pairs.collect::<Option<_>>()?)
        }
    })
}

/// Whether a function is a generator.
fn yields(body: &[Stmt]) -> bool {
    struct Yields(bool);
    impl<'a> Visitor<'a> for Yields {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            if !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                walk_stmt(self, stmt);
            }
        }
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.0 = self.0 || matches!(expr, Expr::Yield(_) | Expr::YieldFrom(_));
            if !matches!(expr, Expr::Lambda(_)) {
                walk_expr(self, expr);
            }
        }
    }
    let mut found = Yields(false);
    for stmt in body {
        found.visit_stmt(stmt);
    }
    found.0
}
