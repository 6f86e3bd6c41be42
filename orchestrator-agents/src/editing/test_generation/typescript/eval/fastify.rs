//! What a Fastify instance and a reply do when a plugin calls them.

use std::rc::Rc;

use super::super::value::{Eval, Object, Shape, Value};
use super::{Machine, Registered, unknown};

/// Methods that register a route.
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

impl<'a> Machine<'a, '_> {
    /// A method of the instance.
    pub(super) fn app(
        &mut self,
        app: &Rc<Object<'a>>,
        name: &str,
        arguments: Vec<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        if METHODS.contains(&name) {
            let (Some(Value::Text(url)), Some(handler)) = (arguments.first(), arguments.last()) else {
                return unknown("it registers a route whose path is not known", at);
            };
            let options = if arguments.len() > 2 { arguments[1].clone() } else { Value::Undefined };
            let (method, url) = (name.to_uppercase(), url.to_string());
            return self.route(app, method, url, &options, Some(handler.clone()), at);
        }
        match name {
            "route" => {
                let options = arguments.first().cloned().unwrap_or(Value::Undefined);
                let (Some(Value::Text(method)), Some(Value::Text(url))) =
                    (options.prop("method"), options.prop("url").or_else(|| options.prop("path")))
                else {
                    return unknown("it registers a route whose method or path is not known", at);
                };
                self.route(app, method.to_uppercase(), url.to_string(), &options, None, at)
            }
            "addHook"
            | "setErrorHandler"
            | "setValidatorCompiler"
            | "setSerializerCompiler"
            | "setNotFoundHandler"
            | "addSchema"
            | "addContentTypeParser" => {
                self.hooked = true;
                Ok(Value::Object(app.clone()))
            }
            "withTypeProvider" | "after" | "ready" => Ok(Value::Object(app.clone())),
            "register" => unknown("it registers another plugin", at),
            "decorate" | "decorateRequest" | "decorateReply" => unknown(format!("it calls `{name}`"), at),
            _ => {
                // A decoration that somebody else gives.
                self.decorations.insert(name.to_owned());
                let stand_in = self.stand_in(name, Shape::Unknown, at)?;
                self.call_value(&stand_in, arguments, at)
            }
        }
    }

    fn route(
        &mut self,
        app: &Rc<Object<'a>>,
        method: String,
        url: String,
        options: &Value<'a>,
        handler: Option<Value<'a>>,
        at: u32,
    ) -> Eval<'a> {
        const HOOKS: [&str; 6] =
            ["preHandler", "onRequest", "preValidation", "preSerialization", "errorHandler", "preParsing"];
        let hooked = HOOKS.iter().any(|hook| options.prop(hook).is_some());
        let Some(handler) = handler.or_else(|| options.prop("handler")) else {
            return unknown("it registers a route without a handler", at);
        };
        let schema = options.prop("schema").unwrap_or(Value::Undefined);
        self.routes.push(Registered { method, url, schema, handler, at, hooked });
        Ok(Value::Object(app.clone()))
    }
}

/// A method of a reply: what it sends is kept as its properties.
pub(super) fn reply<'a>(reply: &Rc<Object<'a>>, name: &str, arguments: &[Value<'a>], at: u32) -> Eval<'a> {
    let first = arguments.first().cloned().unwrap_or(Value::Undefined);
    match name {
        "code" | "status" => reply.set("statusCode", first),
        "send" => {
            reply.set("sent", Value::Bool(true));
            reply.set("payload", first);
        }
        "header" => {
            let Some(Value::Text(header)) = arguments.first() else {
                return unknown("it sets a header", at);
            };
            if header.eq_ignore_ascii_case("content-type") {
                return unknown("it sets the type of its answer", at);
            }
        }
        _ => return unknown(format!("it calls `{name}` of the reply"), at),
    }
    Ok(Value::Object(reply.clone()))
}
