//! Secrets kept out of what is told: of the log of a service that was given them, of an answer that may repeat what was sent.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use orchestrator_core::executor::Mask;

/// What stands in a secret's place.
const HIDDEN: &str = "***";
/// What ends a text that was cut.
const CUT: char = '…';
/// The shortest second half of a secret (`Bearer TOKEN`) that is hidden without the first one.
const SHORTEST: usize = 8;

/// Hides secrets in all the forms that are known of them; those that are too short for that, only as they are told.
#[derive(Default)]
pub(super) struct Hidden {
    mask: Option<Mask>,
    /// As they are told of an answer, where no mask hides them. The longest first: one may begin like another.
    plain: Vec<String>,
    /// All of them like that: a text may be cut within one.
    forms: Vec<String>,
}

impl Hidden {
    pub(super) fn new(secrets: &[String]) -> Self {
        let halves = secrets.iter().filter_map(|secret| secret.trim().split_once(' '));
        let halves = halves.map(|(_, half)| half.trim()).filter(|half| half.len() >= SHORTEST);
        let whole = secrets.iter().map(|secret| secret.trim()).filter(|secret| !secret.is_empty());
        let mut forms: Vec<String> = whole.chain(halves).flat_map(forms).collect();
        forms
            .sort_by(|one, other| Reverse(one.len()).cmp(&Reverse(other.len())).then_with(|| one.cmp(other)));
        forms.dedup();
        let long = secrets.iter().chain(&forms).filter(|secret| secret.len() >= Mask::SHORTEST);
        // There is none where they are more than it can hold.
        let mask = Mask::new(long.map(|secret| ("", secret.as_str()))).ok();
        let is_plain = |form: &&String| mask.is_none() || form.len() < Mask::SHORTEST;
        let plain = forms.iter().filter(is_plain).cloned().collect();
        Self { mask, plain, forms }
    }

    /// The most bytes that one of them takes.
    pub(super) fn longest(&self) -> usize {
        let plain = self.plain.first().map_or(0, String::len);
        self.mask.as_ref().map_or(0, Mask::longest).max(plain)
    }

    /// The text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        let text = self.mask.as_ref().map_or_else(|| text.to_owned(), |mask| mask.text(text));
        self.plain.iter().fold(
            text,
            |text, secret| {
                if text.contains(secret) { text.replace(secret, HIDDEN) } else { text }
            },
        )
    }

    /// The texts without them, also where one was cut within a secret.
    pub(super) fn all(&self, texts: Vec<String>) -> Vec<String> {
        texts.iter().map(|text| self.cut(text)).collect()
    }

    /// The text without them, also where it was cut within one.
    pub(super) fn cut(&self, text: &str) -> String {
        let whole = self.hide(text);
        let mut hidden = String::with_capacity(whole.len());
        for piece in whole.split_inclusive(CUT) {
            match piece.strip_suffix(CUT).and_then(|before| Some((before, self.begun(before)?))) {
                Some((before, at)) => hidden.extend([&before[..at], HIDDEN, "…"]),
                None => hidden.push_str(piece),
            }
        }
        hidden
    }

    /// Where a secret begins that goes on after the end of the text.
    fn begun(&self, text: &str) -> Option<usize> {
        let longest = self.forms.first()?.len();
        let begins = |at: &usize| self.forms.iter().any(|form| form.starts_with(&text[*at..]));
        text.char_indices().map(|(at, _)| at).filter(|at| text.len() - at < longest).find(begins)
    }
}

/// As an answer is told: as they are, within JSON, as the way to a value.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = Mask::in_json(secret);
    // RFC 6901, 3.
    forms.extend([secret.to_owned(), secret.replace('~', "~0").replace('/', "~1")]);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secrets: &[&str], text: &str) -> String {
        Hidden::new(&secrets.iter().map(|secret| (*secret).to_owned()).collect::<Vec<_>>()).cut(text)
    }

    #[test]
    fn secrets_are_hidden_in_each_form() {
        let secret = "a/b\"c~d";
        for leak in [secret, r#"a/b\"c~d"#, "a~1b\"c~0d", "YS9iImN+ZA==", "a%2Fb%22c~d"] {
            assert_eq!(hidden(&[secret], &format!("/x is {leak} instead")), "/x is *** instead", "{leak}");
        }
        assert_eq!(hidden(&["a&b"], r"it is a\u0026b"), "it is ***", "too short for a mask");
        assert_eq!(hidden(&["a&b-secret"], r"it is a\u0026b-se…"), "it is ***…");
        assert_eq!(hidden(&["Bearer s3cret-token\n"], "s3cret-token, Bearer s3cret-token"), "***, ***");
        assert_eq!(hidden(&["Bearer no"], "no, Bearer no"), "no, ***");
        assert_eq!(hidden(&["abc", "abcdef"], "abcdef abc"), "*** ***");
        assert_eq!(hidden(&["", " "], "nothing …"), "nothing …");
    }

    #[test]
    fn a_secret_that_was_cut_is_hidden() {
        assert_eq!(hidden(&["s3cret"], "it is s3cr… instead of s3…"), "it is ***… instead of ***…");
        assert_eq!(hidden(&["s3cret"], "whole s3cret… and süß…"), "whole ***… and süß…");
        assert_eq!(hidden(&["ääb"], "xää…"), "x***…");
        assert_eq!(hidden(&["s3cret"], "s3cr"), "s3cr", "it was not cut");
    }
}
