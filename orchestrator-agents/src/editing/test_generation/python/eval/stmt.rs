//! Statements.

use std::rc::Rc;

use ruff_python_ast::{ExceptHandler, Expr, Stmt, StmtFor, StmtIf, StmtRaise, StmtTry, StmtWhile};

use super::super::module::offset;
use super::super::value::{Raised, Value};
use super::{Eval, Run, Scope, Stop};

/// How a block ended.
pub(super) enum Flow {
    Next,
    Return(Value),
    Break,
    Continue,
}

impl<'a> Run<'a> {
    pub(super) fn block(&mut self, scope: &mut Scope, stmts: &'a [Stmt]) -> Eval<Flow> {
        for stmt in stmts {
            self.step()?;
            self.at = offset(stmt);
            match self.stmt(scope, stmt)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn stmt(&mut self, scope: &mut Scope, stmt: &'a Stmt) -> Eval<Flow> {
        match stmt {
            Stmt::Return(stmt) => {
                self.reach(offset(stmt), 0);
                let value = stmt.value.as_ref().map_or(Ok(Value::None), |value| self.expr(scope, value))?;
                return Ok(Flow::Return(value));
            }
            Stmt::Raise(stmt) => return self.raise_stmt(scope, stmt),
            Stmt::If(stmt) => return self.choose(scope, stmt),
            Stmt::For(stmt) => return self.each(scope, stmt),
            Stmt::While(stmt) => return self.repeat(scope, stmt),
            Stmt::Try(stmt) => return self.attempt(scope, stmt),
            Stmt::Break(_) => return Ok(Flow::Break),
            Stmt::Continue(_) => return Ok(Flow::Continue),
            Stmt::Pass(_) => {}
            Stmt::Expr(stmt) => drop(self.expr(scope, &stmt.value)?),
            Stmt::Assign(stmt) => {
                let value = self.expr(scope, &stmt.value)?;
                for target in &stmt.targets {
                    self.assign(scope, target, value.clone())?;
                }
            }
            Stmt::AnnAssign(stmt) => {
                if let Some(value) = &stmt.value {
                    let value = self.expr(scope, value)?;
                    self.assign(scope, &stmt.target, value)?;
                }
            }
            Stmt::AugAssign(stmt) => {
                if !matches!(&*stmt.target, Expr::Name(_) | Expr::Attribute(_)) {
                    return self.unknown("changing an item in place is not modelled");
                }
                let before = self.expr(scope, &stmt.target)?;
                let by = self.expr(scope, &stmt.value)?;
                if matches!(before, Value::List(_) | Value::Dict(_) | Value::Set(_) | Value::Mock(_)) {
                    return self.unknown("changing a collection in place is not modelled");
                }
                let after = self.binary(stmt.op, &before, &by)?;
                self.assign(scope, &stmt.target, after)?;
            }
            Stmt::Assert(stmt) => {
                let test = self.expr(scope, &stmt.test)?;
                if !self.truth(&test)? {
                    return self.unknown("an `assert` that fails is not tested: Python may leave it out");
                }
            }
            _ => return self.unknown("a statement of this kind is not modelled"),
        }
        Ok(Flow::Next)
    }

    fn choose(&mut self, scope: &mut Scope, stmt: &'a StmtIf) -> Eval<Flow> {
        let clauses = stmt.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body));
        for (test, body) in std::iter::once((Some(&*stmt.test), &stmt.body)).chain(clauses) {
            let Some(test) = test else { return self.block(scope, body) };
            let value = self.expr(scope, test)?;
            let truth = self.truth(&value)?;
            self.reach(offset(test), 10 + i32::from(truth));
            if truth {
                return self.block(scope, body);
            }
        }
        Ok(Flow::Next)
    }

    fn each(&mut self, scope: &mut Scope, stmt: &'a StmtFor) -> Eval<Flow> {
        if stmt.is_async {
            return self.unknown("`async for` is not modelled");
        }
        let over = self.expr(scope, &stmt.iter)?;
        let before = super::shape(&over);
        let weight = self.weigh(&over)?;
        let items = self.walk(&over)?;
        let once = matches!(over, Value::Iter(_));
        self.reach(offset(stmt), items.len().min(2) as i32);
        for item in items {
            self.step()?;
            self.assign(scope, &stmt.target, item)?;
            match self.block(scope, &stmt.body)? {
                Flow::Break => return Ok(Flow::Next),
                Flow::Return(value) => return Ok(Flow::Return(value)),
                Flow::Next | Flow::Continue => {}
            }
            self.charge(weight)?;
            if !once && super::shape(&over) != before {
                return self.unknown("a collection that changes while it is walked is not modelled");
            }
        }
        self.block(scope, &stmt.orelse)
    }

    fn repeat(&mut self, scope: &mut Scope, stmt: &'a StmtWhile) -> Eval<Flow> {
        loop {
            self.step()?;
            let test = self.expr(scope, &stmt.test)?;
            let truth = self.truth(&test)?;
            self.reach(offset(&*stmt.test), 10 + i32::from(truth));
            if !truth {
                return self.block(scope, &stmt.orelse);
            }
            match self.block(scope, &stmt.body)? {
                Flow::Break => return Ok(Flow::Next),
                Flow::Return(value) => return Ok(Flow::Return(value)),
                Flow::Next | Flow::Continue => {}
            }
        }
    }

    fn raise_stmt(&mut self, scope: &mut Scope, stmt: &'a StmtRaise) -> Eval<Flow> {
        self.reach(offset(stmt), 0);
        let Some(exc) = &stmt.exc else {
            let raised = self.handling.last().cloned();
            return Err(Stop::Raised(self.known(raised, "`raise` outside a handler is not modelled")?));
        };
        let mut value = self.expr(scope, exc)?;
        if matches!(value, Value::Class(_) | Value::Outside(_)) {
            value = self.invoke(&value, Vec::new(), Vec::new(), false)?;
        }
        if let Some(cause) = &stmt.cause {
            self.expr(scope, cause)?;
        }
        match value {
            Value::Error(raised) => Err(Stop::Raised(raised)),
            _ => self.unknown("what is raised here is not modelled"),
        }
    }

    fn attempt(&mut self, scope: &mut Scope, stmt: &'a StmtTry) -> Eval<Flow> {
        if stmt.is_star {
            return self.unknown("`except*` is not modelled");
        }
        let mut flow = match self.block(scope, &stmt.body) {
            Ok(Flow::Next) => self.block(scope, &stmt.orelse),
            Err(Stop::Raised(raised)) => self.handle(scope, stmt, raised),
            flow => flow,
        };
        if matches!(flow, Err(Stop::Unknown { .. })) {
            return flow;
        }
        match self.block(scope, &stmt.finalbody)? {
            Flow::Next => {}
            ended => flow = Ok(ended),
        }
        flow
    }

    fn handle(&mut self, scope: &mut Scope, stmt: &'a StmtTry, raised: Rc<Raised>) -> Eval<Flow> {
        for handler in &stmt.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            let catches = match &handler.type_ {
                None => true,
                Some(expr) => {
                    let kinds = match self.expr(scope, expr)? {
                        Value::Tuple(kinds) => kinds.to_vec(),
                        kind => vec![kind],
                    };
                    let mut any = false;
                    for kind in kinds {
                        any = any || self.is_raised(&raised, &kind)?;
                    }
                    any
                }
            };
            if catches {
                self.reach(offset(handler), 0);
                if let Some(name) = &handler.name {
                    scope.names.insert(name.to_string(), Value::Error(raised.clone()));
                }
                self.handling.push(raised);
                let flow = self.block(scope, &handler.body);
                self.handling.pop();
                if let Some(name) = &handler.name {
                    scope.names.remove(name.as_str());
                }
                return flow;
            }
        }
        Err(Stop::Raised(raised))
    }

    /// Whether an exception is of a class.
    fn is_raised(&self, raised: &Raised, kind: &Value) -> Eval<bool> {
        let wanted = match kind {
            Value::Class(name) => name.clone(),
            Value::Outside(name) if super::errors::is_error(name) || &**name == "BaseException" => {
                name.clone()
            }
            _ => return self.unknown("what is caught here is not modelled"),
        };
        let mut class = raised.class.to_string();
        for _ in 0..16 {
            if class == *wanted {
                return Ok(true);
            }
            let Some(known) = self.class(&class) else { return Ok(super::errors::is_kind(&class, &wanted)) };
            class = match (&known.base, &known.kind) {
                (Some(base), _) => base.clone(),
                (None, super::super::class::Kind::Error(base)) => base.clone(),
                _ => return self.unknown("what this exception is cannot be told"),
            };
        }
        self.unknown("what this exception is cannot be told")
    }

    /// Gives a value to a target.
    pub(super) fn assign(&mut self, scope: &mut Scope, target: &'a Expr, value: Value) -> Eval<()> {
        match target {
            Expr::Name(name) => drop(scope.names.insert(name.id.to_string(), value)),
            Expr::Tuple(tuple) => self.unpack(scope, &tuple.elts, &value)?,
            Expr::List(list) => self.unpack(scope, &list.elts, &value)?,
            Expr::Attribute(attribute) => match self.expr(scope, &attribute.value)? {
                Value::Instance(instance)
                    if !instance.frozen && self.method(&instance.class, &attribute.attr).is_none() =>
                {
                    if instance.shown && !instance.fields.borrow().contains_key(attribute.attr.as_str()) {
                        return self
                            .unknown("an attribute that is no field of its dataclass is not modelled");
                    }
                    instance.fields.borrow_mut().insert(attribute.attr.to_string(), value);
                    self.small(Value::Instance(instance))?;
                }
                _ => return self.unknown("setting this attribute is not modelled"),
            },
            Expr::Subscript(subscript) => {
                let on = self.expr(scope, &subscript.value)?;
                let key = self.expr(scope, &subscript.slice)?;
                self.set_item(&on, key, value)?;
            }
            _ => return self.unknown("assigning to this is not modelled"),
        }
        Ok(())
    }

    fn unpack(&mut self, scope: &mut Scope, targets: &'a [Expr], value: &Value) -> Eval<()> {
        let items = self.walk(value)?;
        if items.len() != targets.len() {
            return self.unknown("taking apart what has another length is not modelled");
        }
        for (target, item) in targets.iter().zip(items) {
            self.assign(scope, target, item)?;
        }
        Ok(())
    }

    /// `on[key] = value`.
    pub(super) fn set_item(&self, on: &Value, key: Value, value: Value) -> Eval<()> {
        match on {
            Value::Dict(items) if key.is_key() => {
                let place = super::super::value::find(&items.borrow(), &key);
                match self.known(place, "whether these are equal is not modelled")? {
                    Some(at) => items.borrow_mut()[at].1 = value,
                    None => items.borrow_mut().push((key, value)),
                }
            }
            Value::List(items) => {
                let at = self.known(key.int(), "setting an item at this place is not modelled")?;
                let length = items.borrow().len() as i128;
                let at = usize::try_from(if at < 0 { at + length } else { at }).unwrap_or(usize::MAX);
                if at >= length as usize {
                    return Self::raise("IndexError", None);
                }
                items.borrow_mut()[at] = value;
            }
            _ => return self.unknown("setting an item of this is not modelled"),
        }
        self.small(on.clone()).map(drop)
    }
}
