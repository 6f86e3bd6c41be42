//! Statements.

use std::rc::Rc;

use oxc_ast::ast::{
    Declaration, Expression, ForOfStatement, ForStatement, ForStatementInit, ForStatementLeft, Statement,
    SwitchStatement, TryStatement, VariableDeclaration,
};
use oxc_span::GetSpan;

use super::super::scope::Scope;
use super::super::value::{Closure, Code, Eval, Halt, Value};
use super::{Machine, unknown};

type Names<'a> = Rc<Scope<'a>>;

/// How a statement ends.
pub(in super::super) enum Flow<'a> {
    On,
    Return(Value<'a>),
    Break,
    Continue,
}

impl<'a> Machine<'a, '_> {
    pub(in super::super) fn block(
        &mut self,
        body: &'a [Statement<'a>],
        names: &Names<'a>,
    ) -> Eval<'a, Flow<'a>> {
        // Functions are known before their line is reached.
        for statement in body {
            if let Statement::FunctionDeclaration(it) = statement
                && let Some(id) = &it.id
            {
                let this = Value::Undefined;
                self.held.push(names.clone());
                let closure = Closure { code: Code::Function(it), scope: names.clone(), this };
                names.declare(id.name.as_str(), Value::Function(Rc::new(closure)));
            }
        }
        for statement in body {
            match self.statement(statement, names)? {
                Flow::On => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, it: &'a Statement<'a>, names: &Names<'a>) -> Eval<'a, Flow<'a>> {
        let at = it.span().start;
        self.nested(at, |machine| machine.ran(it, at, names))
    }

    fn ran(&mut self, it: &'a Statement<'a>, at: u32, names: &Names<'a>) -> Eval<'a, Flow<'a>> {
        match it {
            Statement::BlockStatement(it) => self.block(&it.body, &Scope::inside(names)),
            Statement::ExpressionStatement(it) => self.expression(&it.expression, names).map(|_| Flow::On),
            Statement::EmptyStatement(_) | Statement::FunctionDeclaration(_) => Ok(Flow::On),
            Statement::ReturnStatement(it) => match &it.argument {
                None => Ok(Flow::Return(Value::Undefined)),
                Some(value) => self.expression(value, names).map(Flow::Return),
            },
            Statement::ThrowStatement(it) => {
                let value = self.expression(&it.argument, names)?;
                self.path.push(at * 2);
                Err(Halt::Throw(value))
            }
            Statement::IfStatement(it) => {
                let test = self.expression(&it.test, names)?;
                if self.decide(at, test.truthy()) {
                    return self.statement(&it.consequent, &Scope::inside(names));
                }
                match &it.alternate {
                    Some(other) => self.statement(other, &Scope::inside(names)),
                    None => Ok(Flow::On),
                }
            }
            Statement::ForOfStatement(it) => self.for_of(it, names),
            Statement::ForStatement(it) => self.for_loop(it, names),
            Statement::WhileStatement(it) => loop {
                self.step(at)?;
                let test = self.expression(&it.test, names)?;
                if !self.decide(at, test.truthy()) {
                    return Ok(Flow::On);
                }
                match self.statement(&it.body, names)? {
                    Flow::On | Flow::Continue => {}
                    Flow::Break => return Ok(Flow::On),
                    flow @ Flow::Return(_) => return Ok(flow),
                }
            },
            Statement::SwitchStatement(it) => self.switch(it, names),
            Statement::TryStatement(it) => self.try_block(it, names),
            Statement::BreakStatement(it) if it.label.is_none() => Ok(Flow::Break),
            Statement::ContinueStatement(it) if it.label.is_none() => Ok(Flow::Continue),
            other => match other.as_declaration() {
                Some(Declaration::VariableDeclaration(it)) => self.declare(it, names).map(|()| Flow::On),
                Some(Declaration::ClassDeclaration(it)) => {
                    if let Some(id) = &it.id {
                        names.declare(id.name.as_str(), Value::Class(it));
                    }
                    Ok(Flow::On)
                }
                Some(Declaration::TSInterfaceDeclaration(_) | Declaration::TSTypeAliasDeclaration(_)) => {
                    Ok(Flow::On)
                }
                _ => unknown("a statement of its kind is not followed", at),
            },
        }
    }

    pub(in super::super) fn declare(
        &mut self,
        it: &'a VariableDeclaration<'a>,
        names: &Names<'a>,
    ) -> Eval<'a, ()> {
        for one in &it.declarations {
            let value = match &one.init {
                None => Value::Undefined,
                Some(init) => {
                    self.naming = named_call(init).zip(one.id.get_identifier_name().map(|id| id.as_str()));
                    self.expression(init, names)?
                }
            };
            self.bind(&one.id, value, names)?;
        }
        Ok(())
    }

    fn for_of(&mut self, it: &'a ForOfStatement<'a>, names: &Names<'a>) -> Eval<'a, Flow<'a>> {
        let at = it.span.start;
        let ForStatementLeft::VariableDeclaration(left) = &it.left else {
            return unknown("a loop of its kind is not followed", at);
        };
        let [one] = &left.declarations[..] else { return unknown("a loop of its kind is not followed", at) };
        let over = self.expression(&it.right, names)?;
        for item in self.items(&over, at)? {
            self.step(at)?;
            self.decide(at, true);
            let inner = Scope::inside(names);
            self.bind(&one.id, item, &inner)?;
            match self.statement(&it.body, &inner)? {
                Flow::On | Flow::Continue => {}
                Flow::Break => return Ok(Flow::On),
                flow @ Flow::Return(_) => return Ok(flow),
            }
        }
        self.decide(at, false);
        Ok(Flow::On)
    }

    fn for_loop(&mut self, it: &'a ForStatement<'a>, names: &Names<'a>) -> Eval<'a, Flow<'a>> {
        let (at, names) = (it.span.start, Scope::inside(names));
        match &it.init {
            None => {}
            Some(ForStatementInit::VariableDeclaration(it)) => self.declare(it, &names)?,
            Some(other) => drop(self.expression(other.to_expression(), &names)?),
        }
        loop {
            self.step(at)?;
            if let Some(test) = &it.test {
                let test = self.expression(test, &names)?;
                if !self.decide(at, test.truthy()) {
                    return Ok(Flow::On);
                }
            }
            match self.statement(&it.body, &Scope::inside(&names))? {
                Flow::On | Flow::Continue => {}
                Flow::Break => return Ok(Flow::On),
                flow @ Flow::Return(_) => return Ok(flow),
            }
            if let Some(update) = &it.update {
                self.expression(update, &names)?;
            }
        }
    }

    fn switch(&mut self, it: &'a SwitchStatement<'a>, names: &Names<'a>) -> Eval<'a, Flow<'a>> {
        let value = self.expression(&it.discriminant, names)?;
        let mut from = None;
        for (n, case) in it.cases.iter().enumerate() {
            let Some(test) = &case.test else { continue };
            let test = self.expression(test, names)?;
            if self.decide(case.span.start, test.same(&value)) {
                from = Some(n);
                break;
            }
        }
        let Some(from) = from.or_else(|| it.cases.iter().position(|case| case.test.is_none())) else {
            return Ok(Flow::On);
        };
        let names = Scope::inside(names);
        for case in &it.cases[from..] {
            match self.block(&case.consequent, &names)? {
                Flow::On => {}
                Flow::Break => return Ok(Flow::On),
                flow => return Ok(flow),
            }
        }
        Ok(Flow::On)
    }

    fn try_block(&mut self, it: &'a TryStatement<'a>, names: &Names<'a>) -> Eval<'a, Flow<'a>> {
        self.trying += u32::from(it.handler.is_some());
        let tried = self.block(&it.block.body, &Scope::inside(names));
        self.trying -= u32::from(it.handler.is_some());
        let ended = match (tried, &it.handler) {
            (Err(Halt::Throw(value)), Some(handler)) => {
                self.decide(handler.span.start, true);
                let names = Scope::inside(names);
                match &handler.param {
                    Some(param) => self
                        .bind(&param.pattern, value, &names)
                        .and_then(|()| self.block(&handler.body.body, &names)),
                    None => self.block(&handler.body.body, &names),
                }
            }
            (ended, _) => ended,
        };
        if matches!(ended, Err(Halt::Unknown { .. })) {
            return ended;
        }
        match &it.finalizer {
            None => ended,
            Some(last) => match self.block(&last.body, &Scope::inside(names))? {
                Flow::On => ended,
                flow => Ok(flow),
            },
        }
    }
}

/// Where the call is that gives a constant its value.
fn named_call(init: &Expression<'_>) -> Option<u32> {
    match init.get_inner_expression() {
        Expression::CallExpression(it) => Some(it.span.start),
        Expression::AwaitExpression(it) => named_call(&it.argument),
        _ => None,
    }
}
