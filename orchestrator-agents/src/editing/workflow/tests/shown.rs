//! What each edit does to a file, as a diff that people can judge.

use std::fmt::Write as _;

use crate::editing::config_edit::edited::Edited;

#[test]
fn each_edit_as_a_diff() {
    for case in super::cases::cases() {
        let before = super::fixture(case.fixture);
        let Ok(Edited::Changed { text, said }) = case.apply(before) else {
            panic!("{} does not change", case.name)
        };
        let mut shown = String::new();
        for line in said {
            let _ = writeln!(shown, "* {line}");
        }
        let _ = write!(shown, "{}", diffy::create_patch(before, &text));
        insta::assert_snapshot!(case.name.replace(' ', "_"), shown);
    }
}
