use super::*;
use crate::merge::commits::tests::changes as of;

fn release(changes: &[Change], remote: &str) -> Release<'static> {
    let changes: &'static [Change] = Box::leak(changes.to_vec().into_boxed_slice());
    let (date, previous) = ("2026-11-20".into(), Some("v0.1.0".into()));
    Release {
        version: "0.2.0",
        tag: "v0.2.0".into(),
        date,
        previous,
        changes,
        pages: Pages::of(remote, None),
    }
}

fn changes() -> Vec<Change> {
    of(&["feat(api)!: a door\n\nBREAKING CHANGE: the window is shut", "fix: a hole\n\nCloses #7", "ci: x"])
}

#[test]
fn a_section_goes_above_older_ones_once() {
    let release = release(&changes(), "");
    let new = release.changelog(None);
    assert!(
        new.ends_with(
            "## [Unreleased]\n\n## [0.2.0] - 2026-11-20\n\n### Breaking changes\n\n- **api:** a door (00000000)\n\n\
             ### Fixed\n\n- a hole (00000000, #7)\n\n### Maintenance\n\n- x (00000000)\n"
        ),
        "{new}"
    );
    assert_eq!(release.changelog(Some(&new)), new);
    let windows = release.changelog(Some("# Changes\r\n"));
    assert_eq!(windows.matches('\n').count(), windows.matches("\r\n").count());
}

#[test]
fn what_people_wrote_moves_into_the_release() {
    let release = release(&changes(), "https://github.com/a/b");
    let old = "# Changes\n\n## Unreleased\n\nA word first.\n\n### Fixed\n\n- a hole.\n- by hand\n\n### Thanks\n\n- Ada\n\n## v0.1.0\n\n- old\n";
    let new = release.changelog(Some(old));
    let id = |at: usize| format!("{at:040x}");
    let link = |at: usize| format!("[{}](https://github.com/a/b/commit/{})", &id(at)[..8], id(at));
    let expected = format!(
        "# Changes\n\n## Unreleased\n\n## [0.2.0] - 2026-11-20\n\nA word first.\n\n### Breaking changes\n\n- **api:** a door ({})\n\n\
         ### Fixed\n\n- a hole.\n- by hand\n\n### Maintenance\n\n- x ({})\n\n### Thanks\n\n- Ada\n\n## v0.1.0\n\n- old\n\n\
         [Unreleased]: https://github.com/a/b/compare/v0.2.0...HEAD\n[0.2.0]: https://github.com/a/b/compare/v0.1.0...v0.2.0\n",
        link(0),
        link(2)
    );
    assert_eq!(new, expected);
    assert_eq!(release.changelog(Some(&new)), new);
}

#[test]
fn notes_name_breaks_and_people() {
    let mut changes = changes();
    changes[1].with = vec!["Bob".into(), "Ada".into()];
    changes[2].author = "eve@example.org".into();
    let release = release(&changes, "");
    let notes = release.notes(&release.changelog(None));
    assert!(
        notes.starts_with(
            "# v0.2.0\n\n2026-11-20: 3 commits by 3 people since v0.1.0.\n\n## Upgrading\n\n\
             - **api:** the window is shut (00000000)\n\n## Fixed\n"
        ),
        "{notes}"
    );
    assert!(
        notes.ends_with("## Contributors\n\n- Ada (2 commits)\n- Bob (1 commit)\n- eve (1 commit)\n"),
        "{notes}"
    );
    assert!(!notes.contains('@'), "{notes}");
}

#[test]
fn a_first_release_links_its_tag() {
    let release = Release { previous: None, ..release(&changes(), "git@gitlab.com:a/b.git") };
    let new = release.changelog(None);
    assert!(new.ends_with("\n[0.2.0]: https://gitlab.com/a/b/-/tags/v0.2.0\n"), "{new}");
}

/// Whatever a commit says, it stays one entry of a list, and the changelog still reads.
#[test]
fn hostile_messages_stay_entries() {
    let messages = [
        "feat: x\r## [9.9.9] - never",
        "feat(\u{1b}[2J<img src=x>): <script>alert(1)</script>",
        "fix: [0.1.0]: https://evil.example",
        "## [Unreleased]",
        "- [ ] do it",
        "```\ncode",
        "feat: ![a](https://evil.example/a.png)",
    ];
    let release = release(&of(&messages), "");
    let new = release.changelog(None);
    let lines: Vec<&str> = new.lines().filter(|line| !line.is_empty()).collect();
    let section = lines.iter().position(|line| line.starts_with("## [0.2.0]")).unwrap();
    assert!(
        lines[section + 1..].iter().all(|line| line.starts_with("- ") || line.starts_with("### ")),
        "{new}"
    );
    assert_eq!(new.matches("\n## ").count(), 2, "{new}");
    for bad in ["<img", " <script", " [0.1.0]:", "![a](", "\u{1b}"] {
        assert!(!new.replace("\\<", "").replace("\\[", "").contains(bad), "{bad} in {new}");
    }
    assert_eq!(release.changelog(Some(&new)), new);
}

#[test]
fn thousands_of_commits_are_counted_not_listed() {
    let messages: Vec<String> =
        (0..5000).map(|at| format!("fix: number {at} {}", "x".repeat(1000))).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let release = release(&of(&messages), "");
    let new = release.changelog(None);
    assert!(new.contains("- and 4750 more\n") && new.len() < 200_000, "{}", new.len());
    assert!(release.notes(&new).contains("5,000 commits by 1 person"));
}
