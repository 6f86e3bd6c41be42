//! Tests of pipeline files.

mod bad;
mod formats;
mod layers;
mod roadmap;
mod schemas;
mod variables;

use crate::file::Format;
use crate::pipeline::Pipeline;

/// The example of the documentation, all keys used.
pub(super) const WHOLE: &str = r#"version: 1
settings: {jobs: 8, fail_fast: false, ceiling: writes}   # layered; everything below is not
vars: {service: school}                        # ${vars.service} in strings below
phases:
  - name: code_generation
    use: standard
  - name: build_validation
    title: BUILD & VALIDATION                  # optional
    depends_on: [code_generation]              # default: the phase before; [] for none
    parallel_with: []
    groups:
      - name: checks
        execution: parallel                    # or sequential
        fail_fast: true                        # default: the settings'
        max_parallel: 8
        depends_on: []
        tasks:
          - id: fmt
            run: [cargo, fmt, --check]         # a list is argv; a string is a shell line
            effect: reads                      # default for commands: writes
            inputs: ["src/**/*.rs"]            # declared inputs make a task reusable
            outputs: ["target/report.json"]
            env: {RUST_LOG: info, TOKEN: {secret: CI_TOKEN}}
            cwd: .
            needs: [other-task]
            when: always
            timeout: 10m
            retry: {attempts: 3, delay: 1s}    # exponential, jittered
            continue_on_error: false
            priority: high
            tags: [quick]                      # selectable with --tag
            kind: test                         # static | test | gate | other: what --fast and --skip-tests leave out
            resources: {cpu: 2, memory: 1GiB}  # weights against the machine's, so that heavy tasks do not pile up
            undo: {run: [./undo.sh]}           # how to reverse a command, for rollback
            description: Formats ${vars.service}
          - id: image
            uses: docker-build                 # an agent by name
            with: {tag: {from: version/tag}}   # another task's output
    checkpoint: {name: green, validations: [{type: command, run: [test, -s, report.json]}]}
"#;

pub(super) fn yaml(text: &str) -> Pipeline {
    Pipeline::parse(text, Format::Yaml, "p.yaml").unwrap_or_else(|problems| panic!("{problems}"))
}

pub(super) fn problems(text: &str, format: Format) -> String {
    Pipeline::parse(text, format, "p").expect_err("the file is wrong").to_string()
}

/// A pipeline of one phase with these tasks, each a line of YAML in flow style.
pub(super) fn tasks(lines: &[&str]) -> String {
    let mut text = String::from("version: 1\nphases:\n- name: p\n  tasks:\n");
    for line in lines {
        text.push_str("  - ");
        text.push_str(line);
        text.push('\n');
    }
    text
}
