//! Attendance over loopback.

mod common;

use common::{call, start};
use school::Config;

#[test]
fn attendance_is_noted_and_listed() {
    let school = start(Config::default());
    let call = |method, path, body| call(school.address(), method, path, body);
    assert_eq!(call("GET", "/attendance", ""), (200, r#"{"attendance":[]}"#.to_owned()));
    assert_eq!(call("POST", "/students", r#"{"name":"Ada","year":10}"#).0, 201);
    let here = r#"{"course_id":1,"student_id":1,"date":"2025-09-01","present":true}"#;
    let away = here.replace("true", "false");
    assert_eq!(call("POST", "/attendance", here).0, 409);
    assert_eq!(call("POST", "/courses/1/enrol", r#"{"student_id":1}"#).0, 201);
    assert_eq!(call("POST", "/attendance", here), (201, here.to_owned()));
    assert_eq!(call("POST", "/attendance", &away), (200, away.clone()));
    let listed = format!(r#"{{"attendance":[{away}]}}"#);
    assert_eq!(call("GET", "/attendance", ""), (200, listed));
    assert_eq!(call("DELETE", "/attendance", "").0, 405);
}

#[test]
fn what_cannot_be_noted_is_refused() {
    let school = start(Config::default());
    let post = |body: &str| call(school.address(), "POST", "/attendance", body).0;
    let good = r#"{"course_id":1,"student_id":1,"date":"2025-09-01","present":true}"#;
    assert_eq!(post(good), 404);
    assert_eq!(post(&good.replace("09-01", "09-31")), 422);
    assert_eq!(post(&good.replace("true", "1")), 422);
    assert_eq!(post(&good.replace("present", "absent")), 422);
    assert_eq!(post(&good.replace("true", "null")), 400);
}
