//! The endpoints of the service. Generated from codegen/spec.yaml; do not edit.

/// One endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub method: &'static str,
    /// With `{name}` in place of what varies.
    pub path: &'static str,
    pub summary: &'static str,
}

/// All of them, in the order of the specification.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "GET", path: "/", summary: "Lists the endpoints" },
    Endpoint { method: "GET", path: "/health", summary: "Says whether the service is healthy" },
    Endpoint { method: "GET", path: "/version", summary: "Names the running version" },
    Endpoint { method: "GET", path: "/metrics", summary: "Counts requests, for Prometheus" },
    Endpoint { method: "GET", path: "/events", summary: "Sends an event each second" },
    Endpoint { method: "POST", path: "/echo", summary: "Sends back what it was sent" },
    Endpoint { method: "GET", path: "/students", summary: "Lists all students" },
    Endpoint { method: "POST", path: "/students", summary: "Adds a student" },
    Endpoint { method: "GET", path: "/students/{id}", summary: "Shows a student" },
    Endpoint { method: "DELETE", path: "/students/{id}", summary: "Removes a student" },
    Endpoint { method: "GET", path: "/courses", summary: "Lists all courses" },
    Endpoint { method: "GET", path: "/courses/{id}", summary: "Shows a course" },
    Endpoint { method: "POST", path: "/courses/{id}/enrol", summary: "Enrols a student" },
    Endpoint { method: "GET", path: "/attendance", summary: "Lists who was present" },
    Endpoint {
        method: "POST",
        path: "/attendance",
        summary: "Notes whether a student was present",
    },
];
