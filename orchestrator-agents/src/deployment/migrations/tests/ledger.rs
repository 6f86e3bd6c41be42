//! What is pending, and what makes no sense.

use orchestrator_core::path::Digest;

use crate::deployment::migrations::{Applied, Kind, MigrationFile, Stage, compare, due};

fn file(name: &str) -> MigrationFile {
    let kind = if name.contains(".contract.") { Kind::Contract } else { Kind::Expand };
    MigrationFile { name: name.to_owned(), kind, digest: Digest::of(name.as_bytes()) }
}

fn row(name: &str) -> Applied {
    let at = "2026-11-20T23:44:33Z".parse().unwrap();
    Applied {
        name: name.to_owned(),
        digest: Digest::of(name.as_bytes()),
        at,
        order: "RUN/TASK#1.0.0".to_owned(),
    }
}

#[test]
fn pending_is_what_has_no_row() {
    let files = [file("0001_a.sql"), file("0002_b.sql"), file("0003_c.contract.sql")];
    let standing = compare(&files, &[row("0001_a.sql")]).unwrap();
    assert_eq!(standing.pending, files[1..]);
    assert_eq!(due(&standing.pending, Stage::Expand).unwrap(), files[1..2]);
    assert!(due(&standing.pending, Stage::Contract).unwrap_err().contains("`0002_b.sql` is pending"));
    assert_eq!(due(&standing.pending, Stage::All).unwrap(), files[1..]);
    let standing = compare(&files, &[row("0001_a.sql"), row("0002_b.sql")]).unwrap();
    assert_eq!(due(&standing.pending, Stage::Expand).unwrap(), []);
    assert_eq!(due(&standing.pending, Stage::Contract).unwrap(), files[2..]);
}

#[test]
fn contradictions_are_all_told() {
    let mut changed = row("0002_b.sql");
    changed.digest = Digest::of(b"else");
    let files = [file("0001_a.sql"), file("0002_b.sql"), file("0004_d.sql")];
    let error = compare(&files, &[changed, row("0003_c.contract.sql"), row("0005_e.sql")]).unwrap_err();
    for part in [
        "`0001_a.sql` was never applied, but later ones were; give it a number after `0005`",
        "`0002_b.sql` was changed after it was applied at 2026-11-20T23:44:33Z",
        "`0003_c.contract.sql` was applied and is not in this checkout",
        "`0004_d.sql` was never applied",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    // What a later version added harms nobody.
    let standing =
        compare(&files[..2], &[row("0001_a.sql"), row("0002_b.sql"), row("0003_c.expand.sql")]).unwrap();
    assert_eq!(
        (standing.pending.len(), standing.ahead.as_slice()),
        (0, &["0003_c.expand.sql".to_owned()][..])
    );
}

#[test]
fn an_expand_file_after_a_pending_contract_file_waits() {
    let files = [file("0001_a.contract.sql"), file("0002_b.sql")];
    let error = due(&files, Stage::Expand).unwrap_err();
    assert!(error.contains("`0002_b.sql` comes after `0001_a.contract.sql`"), "{error}");
    assert_eq!(due(&files, Stage::All).unwrap(), files);
}
