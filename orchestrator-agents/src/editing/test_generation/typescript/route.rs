//! Routes of a Fastify plugin: it is registered on an instance, and each route that it really registers is asked with what
//! its schema takes, and with what it does not.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::case::{Block, Case, called, given, is_outside, mocks, named, when};
use super::eval::{Machine, Registered, unknown};
use super::explore::{Way, explore};
use super::maker::{Maker, environment, keys, signature};
use super::module::Export;
use super::render::{Mocks, expression, text};
use super::schema;
use super::value::{Closure, Code, Eval, Kind, Shape, Value};
use super::world::Origin;

/// The most routes of a plugin.
const MOST: usize = 60;

/// What a request got.
pub(super) struct Answer<'a> {
    status: f64,
    payload: Value<'a>,
    request: Request<'a>,
    schema: Value<'a>,
}

const SENDS_NOTHING: &str = "it sends nothing";

/// A request.
#[derive(Clone)]
struct Request<'a> {
    method: String,
    url: String,
    payload: Value<'a>,
    query: Value<'a>,
    headers: Value<'a>,
}

/// A route as far as it is the same for every request.
struct Route {
    method: String,
    url: String,
    at: u32,
    hooked: bool,
}

pub(super) fn plugin<'a>(maker: &mut Maker<'a, '_>, export: &Export<'a>, code: Code<'a>) -> Option<Block> {
    let name = maker.import(export);
    let line = maker.module.line(export.span.start);
    let options = keys(signature(code).0, &[name.as_str()]).get(1).cloned();
    let listed = explore(maker.module, maker.literals, |machine| {
        register(machine, code, options.as_deref(), export.span.start)?;
        let hooked = machine.hooked;
        Ok(machine.routes.drain(..).map(|it| as_route(it, hooked)).collect::<Vec<_>>())
    });
    for (at, why) in &listed.unknown {
        maker.needs(&name, maker.module.line(*at), why);
    }
    let routes = listed.ways.into_iter().find_map(|way| way.outcome.ok())?;
    if routes.is_empty() {
        maker.needs(&name, line, "it registers no route itself");
    }
    let (mut cases, mut taken) = (Vec::new(), BTreeSet::new());
    for (n, route) in routes.iter().take(MOST).enumerate() {
        let title = format!("{} {}", route.method, route.url);
        let at = maker.module.line(route.at);
        if route.hooked {
            maker.needs(
                &title,
                at,
                "a hook runs before or after it, so what it answers is not known from the handler",
            );
            continue;
        }
        let found = explore(maker.module, maker.literals, |machine| {
            register(machine, code, options.as_deref(), export.span.start)?;
            let Some(route) = machine.routes.drain(..).nth(n) else {
                return unknown("the route is not there", 0);
            };
            ask(machine, route)
        });
        // An answer of nothing is one that the types of what the handler calls rule out, where there are others.
        let silent = |why: &str| why == SENDS_NOTHING && !found.ways.is_empty();
        for (at, why) in found.unknown.iter().filter(|(_, why)| !silent(why)) {
            maker.needs(&title, maker.module.line(*at), why);
        }
        for way in &found.ways {
            match answered(maker, way, &name, options.as_deref(), &title, &mut taken) {
                Ok(case) => cases.extend(maker.fits(&title, at, case)),
                Err(why) => maker.needs(&title, at, &why),
            }
        }
        let Some(way) = found.ways.first() else { continue };
        cases.extend(refused(maker, way, &name, options.as_deref(), (&title, at), &mut taken));
    }
    let title = format!("{name} routes");
    (!cases.is_empty()).then(|| Block { name: text(&title), title, cases })
}

fn as_route(it: Registered<'_>, hooked: bool) -> Route {
    let Registered { method, url, schema: _, handler: _, at, hooked: own } = it;
    Route { method, url, at, hooked: own || hooked }
}

/// Runs the plugin on an instance.
fn register<'a>(
    machine: &mut Machine<'a, '_>,
    code: Code<'a>,
    options: Option<&str>,
    at: u32,
) -> Eval<'a, ()> {
    let app = Value::object(Kind::App, Vec::new());
    let mut arguments = vec![app];
    let parameters = signature(code).0;
    if let (Some(key), Some(item)) = (options, parameters.items.get(1)) {
        let ty = item.type_annotation.as_ref().map(|ty| &ty.type_annotation);
        arguments.push(match ty {
            Some(_) => match machine.choose(key, key, ty, false, Origin::Parameter, at)? {
                Ok(value) => value,
                Err(_) => Value::Undefined,
            },
            None => machine.stand_in_for(key, Shape::Unknown, at)?,
        });
    }
    if parameters.items.len() > 2 {
        return unknown("it is a plugin with a callback", at);
    }
    let scope = machine.globals.clone();
    machine.invoke(&Rc::new(Closure { code, scope, this: Value::Undefined }), arguments, at).map(drop)
}

/// Sends a request to a route.
fn ask<'a>(machine: &mut Machine<'a, '_>, route: Registered<'a>) -> Eval<'a, Answer<'a>> {
    let Registered { method, url, schema, handler, at, hooked: _ } = route;
    let Some((params, url)) = parameters(&url, schema.prop("params").as_ref()) else {
        return unknown("its path has a pattern", at);
    };
    let has_body = matches!(method.as_str(), "POST" | "PUT" | "PATCH");
    let (payload, body) = match schema.prop("body") {
        Some(body) if has_body => match schema::valid(&body, "body") {
            Some(sample) => (sample.clone(), schema::with_defaults(&body, sample)),
            None => return unknown("no body that its schema takes is known", at),
        },
        _ if has_body => {
            let payload = machine.stand_in_for("payload", Shape::Unknown, at)?;
            (payload.clone(), payload)
        }
        _ => (Value::Undefined, Value::Undefined),
    };
    let (sent_query, query) = match schema.prop("querystring").or_else(|| schema.prop("query")) {
        Some(it) => match schema::valid(&it, "query") {
            Some(sample) => (sample.clone(), schema::with_defaults(&it, sample)),
            None => return unknown("no query that its schema takes is known", at),
        },
        None => {
            let query = machine.stand_in_for("query", Shape::Environment, at)?;
            (query.clone(), query)
        }
    };
    if schema.prop("headers").is_some() {
        return unknown("it has a schema of headers", at);
    }
    let headers = machine.stand_in_for("headers", Shape::Environment, at)?;
    let request = Value::plain(vec![
        ("params".into(), params),
        ("query".into(), query),
        ("body".into(), body),
        ("headers".into(), headers.clone()),
        ("method".into(), Value::text(&method)),
        ("log".into(), Value::Global("console")),
    ]);
    let reply = Value::object(Kind::Reply, vec![("statusCode".into(), Value::Number(200.0))]);
    let gave = machine.call_value(&handler, vec![request, reply.clone()], at)?;
    let is_reply = matches!(&gave, Value::Object(object) if matches!(object.kind, Kind::Reply));
    let payload_of = if is_reply || matches!(gave, Value::Undefined) {
        if reply.prop("sent").is_none() {
            return unknown(SENDS_NOTHING, at);
        }
        reply.prop("payload").unwrap_or(Value::Undefined)
    } else {
        gave
    };
    let Some(Value::Number(status)) = reply.prop("statusCode") else {
        return unknown("its status is not known", at);
    };
    has_required(machine, &payload_of, response_schema(&schema, status).as_ref(), at)?;
    machine.fill(&payload_of, at)?;
    let request = Request { method, url, payload, query: sent_query, headers };
    Ok(Answer { status, payload: payload_of, request, schema })
}

/// The schema of the answers with a status.
fn response_schema<'a>(schema: &Value<'a>, status: f64) -> Option<Value<'a>> {
    let all = schema.prop("response")?;
    all.prop(&status.to_string()).or_else(|| all.prop(&format!("{}xx", (status / 100.0).floor())))
}

/// Gives an answer from outside what its schema requires: without that, there is no answer.
fn has_required<'a>(
    machine: &mut Machine<'a, '_>,
    payload: &Value<'a>,
    schema: Option<&Value<'a>>,
    at: u32,
) -> Eval<'a, ()> {
    machine.spend(4, at)?;
    let Some(schema) = schema else { return Ok(()) };
    if let (Value::Array(list), Some(items)) = (payload, schema.prop("items")) {
        let all = list.items.borrow().clone();
        return all.iter().try_for_each(|item| has_required(machine, item, Some(&items), at));
    }
    let Some(Value::Array(names)) = schema.prop("required") else { return Ok(()) };
    let names: Vec<String> = names.items.borrow().iter().filter_map(Value::to_text).collect();
    for name in names {
        let value = machine.get(payload, &name, at)?;
        let kind = schema.prop("properties").and_then(|all| all.prop(&name)?.prop("type"));
        let fits = match kind {
            Some(Value::Text(kind)) => match (&*kind, &value) {
                ("string", Value::Text(_)) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => {
                    true
                }
                ("integer", Value::Number(n)) => n.fract() == 0.0,
                ("array", Value::Array(_)) | ("object", Value::Object(_)) => true,
                _ => false,
            },
            _ => true,
        };
        if !fits {
            return unknown(
                format!("what its schema requires as `{name}` is not known from the handler"),
                at,
            );
        }
    }
    Ok(())
}

/// The parameters of a path, and the path with them filled in.
fn parameters<'a>(url: &str, schema: Option<&Value<'a>>) -> Option<(Value<'a>, String)> {
    let (mut values, mut parts) = (Vec::new(), Vec::new());
    for part in url.split('/') {
        match part.strip_prefix(':') {
            None if part.contains([':', '*']) => return None,
            None => parts.push(part.to_owned()),
            Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                let own = schema.and_then(|it| it.prop("properties")?.prop(name));
                let value = match own {
                    Some(own) => schema::valid(&own, name)?,
                    None => Value::text(format!("{name}-1")),
                };
                parts.push(value.to_text()?);
                values.push((name.to_owned(), value));
            }
            Some(_) => return None,
        }
    }
    Some((Value::plain(values), parts.join("/")))
}

/// Lines that make the instance and register the plugin.
fn registered<'a, T>(
    maker: &Maker<'a, '_>,
    way: &Way<'a, T>,
    mocks: &Mocks,
    name: &str,
    options: Option<&str>,
) -> Option<Vec<String>> {
    // What a request brings is written into the request.
    let brought =
        |line: &String| ["const headers =", "const query ="].iter().any(|start| line.starts_with(start));
    let mut lines: Vec<String> = given(way, mocks)?.into_iter().filter(|line| !brought(line)).collect();
    let payload = lines.iter().position(|line| line.starts_with("const payload = "));
    if let Some(at) = payload
        && lines[at].contains(".fn()")
    {
        return None;
    }
    lines.extend(environment(way)?);
    for decoration in &way.decorations {
        let own = way_decoration(mocks, decoration);
        lines.push(format!("const {decoration} = {own};"));
    }
    lines.push("const app = Fastify();".into());
    for decoration in &way.decorations {
        lines.push(format!("app.decorate({}, {});", text(decoration), maker.dialect.cast(decoration)));
    }
    lines.push(match options {
        Some(options) => format!("await app.register({name}, {});", maker.dialect.cast(options)),
        None => format!("await app.register({name});"),
    });
    Some(lines)
}

/// A decoration that a plugin uses: the functions that it calls of it.
fn way_decoration(mocks: &Mocks, name: &str) -> String {
    if let Some(mock) = mocks.get(name) {
        return mock.clone();
    }
    let functions: Vec<String> = mocks
        .iter()
        .filter_map(|(key, mock)| {
            let own = key.strip_prefix(name)?.strip_prefix('.')?;
            (!own.contains(['.', '['])).then(|| format!("{own}: {mock}"))
        })
        .collect();
    if functions.is_empty() { "{}".into() } else { format!("{{ {} }}", functions.join(", ")) }
}

fn injected(request: &Request<'_>, payload: Option<&str>, query: Option<&str>) -> Option<String> {
    let mut parts =
        vec![format!("method: {}", text(&request.method)), format!("url: {}", text(&request.url))];
    let properties = |value: &Value<'_>| {
        let Value::Object(object) = value else { return None };
        let props = match object.kind {
            Kind::StandIn { .. } => object.given.borrow(),
            _ => object.props.borrow(),
        };
        let there: Vec<_> = props.iter().filter(|(_, it)| !matches!(it, Value::Undefined)).cloned().collect();
        (!there.is_empty()).then(|| expression(&Value::plain(there)))
    };
    match (query, properties(&request.query)) {
        (Some(query), _) => parts.push(format!("query: {query}")),
        (None, Some(query)) => parts.push(format!("query: {}", query?)),
        (None, None) => {}
    }
    if let Some(headers) = properties(&request.headers) {
        parts.push(format!("headers: {}", headers?));
    }
    match (payload, &request.payload) {
        (Some(payload), _) => parts.push(format!("payload: {payload}")),
        (None, Value::Undefined) => {}
        (None, value) if is_outside(value) => parts.push("payload".into()),
        (None, value) => parts.push(format!("payload: {}", expression(value)?)),
    }
    Some(format!("const response = await app.inject({{ {} }});", parts.join(", ")))
}

/// A case of what a route answers.
fn answered<'a>(
    maker: &mut Maker<'a, '_>,
    way: &Way<'a, Answer<'a>>,
    name: &str,
    options: Option<&str>,
    title: &str,
    taken: &mut BTreeSet<String>,
) -> Result<Case, String> {
    let unwritten = || "what goes in or comes out cannot be written down".to_owned();
    let Ok(answer) = &way.outcome else {
        return Err("its handler throws, and what the instance makes of that is its error handler's".into());
    };
    let mocks = mocks(&way.calls, maker.dialect).ok_or_else(unwritten)?;
    let lines = registered(maker, way, &mocks, name, options).ok_or_else(unwritten)?;
    let act = vec![injected(&answer.request, None, None).ok_or_else(unwritten)?];
    let mut then = vec![format!("expect(response.statusCode).toBe({});", answer.status)];
    let response = response_schema(&answer.schema, answer.status);
    match (&answer.payload, response) {
        (Value::Undefined, _) => then.push("expect(response.body).toBe('');".into()),
        (Value::Text(body), None) => then.push(format!("expect(response.body).toBe({});", text(body))),
        (value @ (Value::Object(_) | Value::Array(_)), None) => {
            let expected = expression(value).ok_or_else(unwritten)?;
            then.push(format!("expect(response.json()).toEqual({expected});"));
        }
        (value @ Value::Object(_), Some(schema)) => {
            // A schema of the answer leaves out what it does not name.
            let Some(Value::Object(properties)) = schema.prop("properties") else { return Err(unwritten()) };
            for (property, _) in properties.props.borrow().iter() {
                let Some(own) = value.prop(property).filter(|own| !matches!(own, Value::Undefined)) else {
                    continue;
                };
                let expected = expression(&own).ok_or_else(unwritten)?;
                then.push(format!("expect(response.json()).toHaveProperty({}, {expected});", text(property)));
            }
        }
        (Value::Array(_), Some(_)) => {}
        _ => return Err("its answer is of a kind whose text is not known".into()),
    }
    then.extend(called(&way.calls).ok_or_else(unwritten)?);
    let said = format!("{title} answers {}{}", answer.status, when(way));
    let (name, title) = named(said, taken);
    Ok(Case { name, title, given: lines, act, then, waits: true })
}

/// Cases of requests that the schema of a route refuses.
fn refused<'a>(
    maker: &mut Maker<'a, '_>,
    way: &Way<'a, Answer<'a>>,
    name: &str,
    options: Option<&str>,
    (title, at): (&str, u32),
    taken: &mut BTreeSet<String>,
) -> Vec<Case> {
    let Ok(answer) = &way.outcome else { return Vec::new() };
    let mut cases = Vec::new();
    let parts = [("body", &answer.request.payload), ("querystring", &answer.request.query)];
    for (part, sample) in parts {
        let Some(schema) = answer.schema.prop(part) else { continue };
        for (wrong, why) in schema::invalid(&schema, sample) {
            let made = (|| {
                let mocks = mocks(&way.calls, maker.dialect)?;
                let lines = registered(maker, way, &mocks, name, options)?;
                let wrong = expression(&wrong)?;
                let (payload, query) =
                    if part == "body" { (Some(wrong.as_str()), None) } else { (None, Some(wrong.as_str())) };
                let act = vec![injected(&answer.request, payload, query)?];
                let mut then = vec!["expect(response.statusCode).toBe(400);".to_owned()];
                then.push(format!("expect(response.json().message).toContain({});", text(&why.names)));
                for call in &way.calls {
                    then.push(format!("expect({}).not.toHaveBeenCalled();", call.key));
                }
                Some((lines, act, then))
            })();
            let Some((given, act, then)) = made else { continue };
            let (name, own) = named(format!("{title} answers 400 when {}", why.said), taken);
            let case = Case { name, title: own, given, act, then, waits: true };
            cases.extend(maker.fits(title, at, case));
        }
    }
    cases
}
