//! `add_sbom_generation`: each run lists what the software is made of and keeps the list. Options: `job` (a new job `sbom`;
//! a job that is there gets the steps at its end), `image` (the source tree where not given), `path` (`.`), `format`
//! (`spdx-json` or `cyclonedx-json`), `retention_days`.

use orchestrator_core::BoxError;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::Workflow;
use super::job::Step;
use super::node::Node;
use super::options::Options;
use super::{parts, pins};

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["job", "image", "path", "format", "retention_days"])?;
    let mut file = Workflow::read(text)?;
    for job in file.jobs() {
        if let Some(step) = job.steps().iter().find(|step| lists(step)) {
            let said =
                format!("job `{}` lists what the software is made of in step `{}`", job.id, step.label());
            return file.finish(vec![said]);
        }
    }
    let steps = steps(&options)?;
    let id = options.job("job")?.unwrap_or("sbom");
    if let Ok(job) = file.job(id) {
        if let Some(called) = job.calls() {
            return Err(format!("job `{id}` calls `{called}`; edit that workflow instead").into());
        }
        let count = job.steps().len();
        for (index, step) in steps.iter().enumerate() {
            file.insert_step(id, count + index, step)?;
        }
        return file.finish(vec![format!("job `{id}` lists what the software is made of at its end")]);
    }
    if options.text("image")?.is_some() {
        let known = super::shape::shown_jobs(&file);
        return Err(format!(
            "an image is there only in the job that builds it; name that as option `job`; jobs: {known}"
        )
        .into());
    }
    let mut all = vec![parts::checkout()];
    all.extend(steps);
    let mut said =
        vec![format!("job `{id}` is new: it lists what the software is made of and keeps the list")];
    said.extend(parts::append(
        &mut file,
        id,
        &parts::job("List what the software is made of", 15, &[], all),
    )?);
    file.finish(said)
}

/// A step that makes such a list.
fn lists(step: &Step<'_>) -> bool {
    let action = step
        .action()
        .is_some_and(|action| action.starts_with("anchore/sbom-action") || action.starts_with("CycloneDX/"));
    let format = step.value["with"]["format"].as_str().unwrap_or_default();
    let trivy = matches!(format, "cyclonedx" | "spdx" | "spdx-json")
        && step.action().is_some_and(|action| action.contains("trivy"));
    let run = step.run().is_some_and(|run| {
        run.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.starts_with("echo")).any(
            |line| {
                let words = ["syft ", "cyclonedx", "cdxgen", "npm sbom", "cargo sbom", "spdx-json"];
                words.iter().any(|word| line.contains(word))
            },
        )
    });
    action || trivy || run
}

fn steps(options: &Options<'_>) -> Result<Vec<Node>, BoxError> {
    let format = options.text("format")?.unwrap_or("spdx-json");
    let file = match format {
        "spdx-json" => "sbom.spdx.json",
        "cyclonedx-json" => "sbom.cdx.json",
        other => {
            return Err(
                format!("option `format`: `{other}` is neither `spdx-json` nor `cyclonedx-json`").into()
            );
        }
    };
    let source = match (options.text("image")?, options.text("path")?) {
        (Some(_), Some(_)) => return Err("options `image` and `path` exclude each other".into()),
        (Some(image), None) => ("image", image),
        (None, path) => ("path", path.unwrap_or(".")),
    };
    let days = options.whole("retention_days", 1, 90)?.map(Node::bare);
    let make = Node::map([
        ("name", "List what the software is made of".into()),
        ("uses", Node::Uses(pins::SBOM)),
        (
            "with",
            Node::map([
                (source.0, source.1.into()),
                ("format", format.into()),
                ("output-file", file.into()),
                ("upload-artifact", Node::bare(false)),
                // Attaching it to a release would need to write to the repository.
                ("upload-release-assets", Node::bare(false)),
            ]),
        ),
    ]);
    let keep =
        Node::map([("name", "sbom".into()), ("path", file.into()), ("if-no-files-found", "error".into())]);
    let keep = keep.with_some("retention-days", days);
    let keep = Node::map([
        ("name", "Keep the list".into()),
        ("uses", Node::Uses(pins::UPLOAD_ARTIFACT)),
        ("with", keep),
    ]);
    Ok(vec![make, keep])
}
