//! The report `html`: one self-contained page that opens from disk, without scripts.

mod axis;
mod changes;
mod figures;
mod head;
mod next;
mod selection;
mod tasks;
mod timeline;
mod trouble;

use maud::{Markup, html};
use orchestrator_core::report::{Report, ReportError, ReportGenerator, RunRecord};

use crate::summary::Summary;
use crate::theme::{self, Links, Tone, format};

/// The way from a report's folder to its run's folder, where reports usually are: `runs/ID/reports/`.
pub const RUN_FOLDER: &str = "../";

/// Renders one self-contained page: `index.html`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html {
    base: Option<String>,
}

impl Html {
    /// The file that it renders.
    pub const FILE: &'static str = "index.html";

    /// A page whose links lead to the run's folder by way of `base`; without one, nothing is linked.
    pub fn with_base(base: Option<&str>) -> Self {
        Self { base: base.map(str::to_owned) }
    }
}

impl Default for Html {
    fn default() -> Self {
        Self::with_base(Some(RUN_FOLDER))
    }
}

impl ReportGenerator for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn generate(&self, run: &RunRecord) -> Result<Report, ReportError> {
        let page = page(&Summary::of(run), Links { base: self.base.as_deref() });
        let page = theme::text::visible(&page.0).into_owned();
        Ok(Report { files: vec![(Self::FILE.into(), page.into_bytes())] })
    }
}

fn page(summary: &Summary, links: Links<'_>) -> Markup {
    let Summary { pipeline, run, verdict, .. } = summary;
    let title = format!("{} · {} · run {run}", verdict.status, format::clip(pipeline, 80));
    let body = html! {
        a class="skip" href="#main" { "Skip to the content" }
        (nav(summary))
        (head::header(summary))
        main id="main" {
            (head::phases(summary))
            (trouble::section(summary, links))
            @if summary.dry_run { (changes::withheld(summary, links)) }
            (timeline::section(summary))
            (tasks::section(summary, links))
            @if !summary.dry_run { (changes::withheld(summary, links)) }
            (changes::made(summary))
            (figures::findings(summary))
            (figures::metrics(summary, links))
            (figures::artifacts(summary, links))
            (next::undo(summary))
            (next::commands(summary))
        }
        (footer(summary))
    };
    theme::page(&title, &verdict.status.class(), body)
}

fn nav(summary: &Summary) -> Markup {
    let withheld = !summary.withheld.is_empty();
    html! {
        nav class="top" aria-label="Sections" {
            a class="brand" href="#top" { "orchestrate" span { (format::clip(&summary.pipeline, 40)) } }
            div class="links" {
                a href="#timeline" { "Timeline" }
                a href="#tasks" { "Tasks" }
                @if withheld { a href="#withheld" { "Withheld" } }
                a href="#changes" { "Changes" }
                a href="#findings" { "Findings" }
                a href="#figures" { "Figures" }
                a href="#undo" { "Undo" }
                a href="#next" { "Next" }
            }
        }
    }
}

fn footer(summary: &Summary) -> Markup {
    let Summary { records, run, plan, .. } = summary;
    html! {
        footer {
            p {
                "Rendered from records " (records.from) "–" (records.to) " of run " code { (run) } ", plan "
                code title=(plan) { (plan.short()) } ". "
                @if !summary.verdict.status.is_over() {
                    "The run was not over at record " (records.to) ": what came later is not in here. "
                }
                "Times are UTC. Figures without a source are not shown; what was not measured says so."
            }
            p { "orchestrate " (theme::measured(&summary.version, |version| html! { (version) })) }
        }
    }
}
