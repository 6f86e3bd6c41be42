//! The part of the schema that is about roadmaps.

use serde_json::{Map, Value, json};

use super::{def, or_var, reference, settings_schema, table};
use crate::file::keys::NAME;
use crate::file::keys::roadmap::{
    ABOUT, CHECKPOINT, GROUP, NOTIFICATIONS, PHASE, ROADMAP, SETTINGS, TASK, VALIDATION,
};

/// Adds the definitions of roadmaps.
pub(super) fn add(defs: &mut Map<String, Value>) {
    for each in [&NOTIFICATIONS, &CHECKPOINT, &TASK, &VALIDATION] {
        defs.insert(def(each), table(each));
    }
    let mut about = table(&ABOUT);
    let said = about["properties"]["settings"]["description"].take();
    about["properties"]["settings"] = or_var(settings());
    about["properties"]["settings"]["description"] = said;
    defs.insert(def(&ABOUT), about);
    defs.insert(def(&GROUP), table(&GROUP));
    let mut phase = table(&PHASE);
    fill(&mut phase, "groups", NAME, reference(&GROUP));
    defs.insert(def(&PHASE), phase);
    let mut top = table(&ROADMAP);
    fill(&mut top, "checkpoints", "^after_", reference(&CHECKPOINT));
    top["patternProperties"] = json!({ "^phase_[a-z0-9_-]*$": or_var(reference(&PHASE)), "^x-": {} });
    top["additionalProperties"] = false.into();
    top["minProperties"] = 2.into();
    defs.insert(def(&ROADMAP), top);
}

/// What a key holds by name, under what the key is for.
fn fill(schema: &mut Value, key: &str, names: &str, of: Value) {
    let about = schema["properties"][key]["description"].take();
    let all = json!({ "type": "object", "propertyNames": { "pattern": names }, "additionalProperties": or_var(of) });
    schema["properties"][key] = or_var(all);
    schema["properties"][key]["description"] = about;
}

/// The names of the dialect, and those of pipelines.
fn settings() -> Value {
    let mut all = settings_schema();
    if let Value::Object(own) = table(&SETTINGS)["properties"].take()
        && let Value::Object(known) = &mut all["properties"]
    {
        known.extend(own);
    }
    all
}
