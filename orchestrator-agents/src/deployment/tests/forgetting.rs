//! What `stop-deployment` plans and says where what cannot be asked is to be forgotten: pure, receipt by receipt.

use super::*;
use crate::deployment::StopDeployment;
use crate::deployment::ops::StopOutput;

fn config(forget: bool) -> Value {
    json!({ "environment": "production", "on": { "name": "web1", "folder": "srv/shop" }, "forget": forget })
}

fn says(output: Value) -> Receipt {
    done(output)
}

fn fails(why: &str) -> Receipt {
    Receipt::failed(Failure::new(why), true)
}

struct Course {
    task: Task<Json>,
}

impl Course {
    fn new(forget: bool) -> (Self, Vec<Action>) {
        let desk = Desk::new();
        let task: Task<Json> = task(config(forget).into());
        let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
        let agent = dyn_agent(StopDeployment).unwrap();
        let actions = desk.runtime.block_on(agent.plan(&task, &look)).unwrap();
        (Self { task }, actions)
    }

    fn concludes(&self, receipt: Receipt) -> Verdict<Json> {
        let agent = dyn_agent(StopDeployment).unwrap();
        agent.conclude(&self.task, &[receipt], &Artifacts::new(&Kept::default())).unwrap()
    }

    /// The next round, which must be one action of that name.
    fn goes_on(&mut self, receipt: Receipt, operation: &str) {
        let Verdict::More { actions, carried } = self.concludes(receipt) else { panic!("{operation}") };
        assert!(actions.len() == 1 && is(&actions[0], operation), "{actions:?}");
        self.task.carried = carried;
    }
}

fn is(action: &Action, wanted: &str) -> bool {
    matches!(action, Action::Call(Call { operation, .. }) if operation.as_str() == wanted)
}

fn forgotten() -> Value {
    json!({ "kind": "host", "environment": "production", "host": "web1", "folder": "srv/shop", "why": "it is off" })
}

#[test]
fn without_the_flag_a_host_is_told_to_end_it_and_nothing_else() {
    let (course, actions) = Course::new(false);
    assert!(actions.len() == 1 && is(&actions[0], "act-on-host"), "{actions:?}");
    let Verdict::Failed(said) = course.concludes(fails("it is off")) else { panic!("it is not forgotten") };
    assert_eq!(said.summary, "services could not be ended: it is off");
}

#[test]
fn who_answers_is_ended_and_who_does_not_is_forgotten() {
    let (mut course, actions) = Course::new(true);
    assert!(actions.len() == 1 && is(&actions[0], "ask-host"), "{actions:?}");
    course.goes_on(says(json!({})), "act-on-host");
    let Verdict::Passed(said) = course.concludes(says(json!({ "stopped": [] }))) else { panic!() };
    assert_eq!((said.summary.as_str(), said.findings.len()), ("nothing ran on web1", 0));

    let (mut course, _) = Course::new(true);
    course.goes_on(says(json!({ "unreached": "it is off" })), "forget-host");
    let Verdict::Passed(said) = course.concludes(says(forgotten())) else { panic!() };
    let output: StopOutput = said.output.unwrap().parse().unwrap();
    assert_eq!((said.summary.as_str(), output.forgotten.len()), ("forgot web1, and ended nothing", 1));
    assert!(said.findings[0].message.contains("what was deployed, in `srv/shop`, may run still"));
    let Verdict::Failed(said) = course.concludes(fails("host `web1` answers")) else { panic!() };
    assert!(said.summary.contains("host `web1` answers"), "{}", said.summary);
}

/// It answered, and was gone when it was told: asked once more, and not for ever.
#[test]
fn who_goes_while_it_is_told_is_asked_again() {
    for answers in [true, false] {
        let (mut course, _) = Course::new(true);
        course.goes_on(says(json!({})), "act-on-host");
        course.goes_on(fails("it was cut off"), "ask-host");
        if answers {
            let Verdict::Failed(said) = course.concludes(says(json!({}))) else { panic!("it answers") };
            assert_eq!(said.summary, "services could not be ended: it was cut off");
        } else {
            course.goes_on(says(json!({ "unreached": "it is off" })), "forget-host");
        }
    }
}
