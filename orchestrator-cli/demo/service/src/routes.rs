//! From a request to its answer.

use crate::endpoint_table::ENDPOINTS;
use crate::http::{Request, Response};
use crate::json::{self, quote, Value};
use crate::store::{Course, Refusal, Student};
use crate::{clock, App, VERSION};
use std::collections::BTreeMap;

/// The text format of Prometheus.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers a request. Refusals are answers, too.
pub fn handle(app: &App, request: &Request) -> Response {
    let method = if request.method == "HEAD" { "GET" } else { &request.method };
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    let answer = match (method, segments.as_slice()) {
        ("GET", [""]) => Ok(index()),
        ("GET", ["health"]) => Ok(health(app)),
        ("GET", ["version"]) => {
            let members = json::object(&[("name", &quote("school")), ("version", &quote(VERSION))]);
            Ok(Response::json(200, members))
        }
        ("GET", ["metrics"]) => app
            .read(|store| store.students().len())
            .map_err(refused)
            .map(|students| Response::new(200, PROMETHEUS, app.metrics.render(students))),
        // The server goes on with it: events are sent as they come.
        ("GET", ["events"]) => Ok(Response::new(200, "text/event-stream", String::new())),
        ("POST", ["echo"]) => Ok(Response::bytes(request.body.clone())),
        ("GET", ["students"]) => {
            let students = app.read(|store| json::array(store.students().map(student_json)));
            students
                .map_err(refused)
                .map(|students| Response::json(200, json::object(&[("students", &students)])))
        }
        ("POST", ["students"]) => add_student(app, &request.body),
        ("GET", ["students", id]) => student(app, id),
        ("DELETE", ["students", id]) => remove_student(app, id),
        ("GET", ["courses"]) => {
            let courses = app.read(|store| json::array(store.courses().map(course_json)));
            courses
                .map_err(refused)
                .map(|courses| Response::json(200, json::object(&[("courses", &courses)])))
        }
        ("GET", ["courses", id]) => course(app, id),
        ("POST", ["courses", id, "enrol"]) => enrol(app, id, &request.body),
        _ => Err(no_route(&request.path)),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

/// What the service offers, as generated from the specification.
fn index() -> Response {
    let endpoints = json::array(ENDPOINTS.iter().map(|endpoint| {
        json::object(&[
            ("method", &quote(endpoint.method)),
            ("path", &quote(endpoint.path)),
            ("summary", &quote(endpoint.summary)),
        ])
    }));
    Response::json(200, json::object(&[("service", &quote("school")), ("endpoints", &endpoints)]))
}

fn no_route(path: &str) -> Response {
    let fits = |pattern: &str| {
        let mut pairs = pattern.split('/').zip(path.split('/'));
        pattern.split('/').count() == path.split('/').count()
            && pairs.all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
    };
    let methods: Vec<&str> =
        ENDPOINTS.iter().filter(|endpoint| fits(endpoint.path)).map(|e| e.method).collect();
    if methods.is_empty() {
        return Response::error(404, &format!("nothing is found at {path}"));
    }
    Response::error(405, "this method is not allowed here").with_header("Allow", methods.join(", "))
}

fn health(app: &App) -> Response {
    // A service that cannot reach its database is not healthy either.
    let fails = app.config.fail_health || app.turned_unhealthy() || app.read(|_| ()).is_err();
    let (code, status) = if fails { (503, "unhealthy") } else { (200, "healthy") };
    let members = json::object(&[
        ("status", &quote(status)),
        ("timestamp", &quote(&clock::rfc3339(clock::now()))),
        ("version", &quote(VERSION)),
    ]);
    Response::json(code, members)
}

fn student(app: &App, id: &str) -> Result<Response, Response> {
    let id = parse_id(id, Refusal::NoStudent)?;
    let student = app.read(|store| store.student(id).map(student_json));
    Ok(Response::json(200, student.and_then(|found| found).map_err(refused)?))
}

fn add_student(app: &App, body: &[u8]) -> Result<Response, Response> {
    let members = members(body, &["name", "year"])?;
    let name = match members.get("name") {
        Some(Value::Text(name)) if (1..=100).contains(&name.trim().chars().count()) => name.trim(),
        _ => return Err(Response::error(422, "name must be a text of 1 to 100 characters")),
    };
    let year = integer(&members, "year")?;
    let Some(year) = u8::try_from(year).ok().filter(|year| (1..=13).contains(year)) else {
        return Err(Response::error(422, "year must be from 1 to 13"));
    };
    let student = app.change(|store| store.add_student(name.to_owned(), year)).map_err(refused)?;
    let location = format!("/students/{}", student.id);
    Ok(Response::json(201, student_json(&student)).with_header("Location", location))
}

fn remove_student(app: &App, id: &str) -> Result<Response, Response> {
    let id = parse_id(id, Refusal::NoStudent)?;
    app.change(|store| store.remove_student(id)).map_err(refused)?;
    Ok(Response::json(204, String::new()))
}

fn course(app: &App, id: &str) -> Result<Response, Response> {
    let id = parse_id(id, Refusal::NoCourse)?;
    let course = app.read(|store| store.course(id).map(course_json));
    Ok(Response::json(200, course.and_then(|found| found).map_err(refused)?))
}

fn enrol(app: &App, id: &str, body: &[u8]) -> Result<Response, Response> {
    let course = parse_id(id, Refusal::NoCourse)?;
    let members = members(body, &["student_id"])?;
    let student = integer(&members, "student_id")?;
    let student = u32::try_from(student).map_err(|_| refused(Refusal::NoStudent))?;
    let enrolled = app.change(|store| store.enrol(course, student)).map_err(refused)?;
    let members =
        json::object(&[("course_id", &course), ("student_id", &student), ("enrolled", &enrolled)]);
    Ok(Response::json(201, members))
}

fn student_json(student: &Student) -> String {
    let name = quote(&student.name);
    json::object(&[("id", &student.id), ("name", &name), ("year", &student.year)])
}

fn course_json(course: &Course) -> String {
    json::object(&[
        ("id", &course.id),
        ("title", &quote(course.title)),
        ("capacity", &course.capacity),
        ("students", &json::array(&course.students)),
    ])
}

/// Reads a body which may have these members only.
fn members(body: &[u8], allowed: &[&str]) -> Result<BTreeMap<String, Value>, Response> {
    let members = json::parse_object(body)
        .map_err(|message| Response::error(400, &format!("malformed JSON: {message}")))?;
    match members.keys().find(|name| !allowed.contains(&name.as_str())) {
        Some(name) => Err(Response::error(422, &format!("unknown member {name}"))),
        None => Ok(members),
    }
}

fn integer(members: &BTreeMap<String, Value>, name: &str) -> Result<i64, Response> {
    match members.get(name) {
        Some(Value::Integer(value)) => Ok(*value),
        _ => Err(Response::error(422, &format!("{name} must be an integer"))),
    }
}

/// An id in a path has exactly one spelling.
fn parse_id(text: &str, otherwise: Refusal) -> Result<u32, Response> {
    text.parse().ok().filter(|id: &u32| id.to_string() == text).ok_or_else(|| refused(otherwise))
}

fn refused(refusal: Refusal) -> Response {
    let (status, message) = match refusal {
        Refusal::NoStudent => (404, "no such student"),
        Refusal::NoCourse => (404, "no such course"),
        Refusal::AlreadyEnrolled => (409, "the student is in this course already"),
        Refusal::CourseFull => (409, "the course is full"),
        Refusal::SchoolFull => (503, "the school is full"),
        Refusal::NoDatabase => (503, "the database cannot be used"),
    };
    Response::error(status, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn get(path: &str, method: &str) -> Response {
        let request =
            Request { method: method.to_owned(), path: path.to_owned(), ..Request::default() };
        handle(&App::new(Config::default()), &request)
    }

    #[test]
    fn every_listed_endpoint_is_routed() {
        for endpoint in ENDPOINTS {
            let answer = get(&endpoint.path.replace("{id}", "1"), endpoint.method);
            let missing = answer.status == 405 || answer.body.contains("nothing is found");
            assert!(!missing, "{} {}", endpoint.method, endpoint.path);
            assert!(index().body.contains(&quote(endpoint.summary)), "{}", endpoint.summary);
        }
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        assert_eq!(get("/nothing", "GET").status, 404);
        assert_eq!(get("/students/1/x", "GET").status, 404);
        assert_eq!(get("/students/01", "GET").body, r#"{"error":"no such student"}"#);
        let answer = get("/students/1", "PUT");
        assert_eq!((answer.status, &answer.headers[0].1[..]), (405, "GET, DELETE"));
    }
}
