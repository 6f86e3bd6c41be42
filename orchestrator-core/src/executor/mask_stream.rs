//! Masking what arrives in pieces.

use std::mem;
use std::ops::Deref;

use super::Mask;
use super::mask::HIDDEN;

/// Hides secrets in a stream of bytes, wherever it is cut. Holds back no more than may still turn out to be a secret.
pub(crate) struct MaskStream<M> {
    mask: M,
    held: Vec<u8>,
    /// How much of the beginning of `held` belongs to a secret already found.
    covered: usize,
    /// Whether the last byte let through was hidden, so that the next one joins its `***`.
    hiding: bool,
}

impl<M: Deref<Target = Mask>> MaskStream<M> {
    pub(crate) fn new(mask: M) -> Self {
        Self { mask, held: Vec::new(), covered: 0, hiding: false }
    }

    /// Appends to `out` what is known of the stream so far.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut text = mem::take(&mut self.held);
        text.extend_from_slice(chunk);
        let decided = self.mask.decided(&text);
        self.pass(&text, decided, out);
        text.drain(..decided);
        self.held = text;
    }

    /// Appends what was held back; the stream is at its end.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        let text = mem::take(&mut self.held);
        self.pass(&text, text.len(), out);
    }

    fn pass(&mut self, text: &[u8], decided: usize, out: &mut Vec<u8>) {
        let mut passed = 0;
        let mut hide = |start: usize, end: usize| {
            if start > passed {
                out.extend_from_slice(&text[passed..start]);
                self.hiding = false;
            }
            if !self.hiding {
                out.extend_from_slice(HIDDEN);
                self.hiding = true;
            }
            passed = passed.max(end);
        };
        if self.covered > 0 {
            hide(0, self.covered);
        }
        if self.mask.occurs_in(text) {
            let within = self.mask.occurrences(text).into_iter().take_while(|found| found.start < decided);
            within.for_each(|found| hide(found.start, found.end));
        }
        self.covered = passed.saturating_sub(decided);
        if passed < decided {
            out.extend_from_slice(&text[passed..decided]);
            self.hiding = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Marks each byte of each occurrence, then writes `***` for each run of marks.
    fn naive(patterns: &[String], text: &[u8]) -> Vec<u8> {
        let mut hidden = vec![false; text.len()];
        for pattern in patterns {
            for start in (0..text.len()).filter(|&at| text[at..].starts_with(pattern.as_bytes())) {
                hidden[start..start + pattern.len()].fill(true);
            }
        }
        let mut out = Vec::new();
        for (at, &byte) in text.iter().enumerate() {
            match (hidden[at], at > 0 && hidden[at - 1]) {
                (false, _) => out.push(byte),
                (true, false) => out.extend_from_slice(HIDDEN),
                (true, true) => {}
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn same_as_the_naive_way_wherever_it_is_cut(
            // Two letters make for many overlaps; their encodings cannot occur in such a text.
            secrets in prop::collection::vec("[ab]{4,9}", 1..4),
            pieces in prop::collection::vec("[abc]{0,12}", 0..12),
        ) {
            let mask = Mask::new(secrets.iter().map(|secret| ("S", secret.as_str()))).unwrap();
            let mut stream = MaskStream::new(&mask);
            let mut out = Vec::new();
            for piece in &pieces {
                stream.push(piece.as_bytes(), &mut out);
            }
            stream.finish(&mut out);
            let expected = naive(&secrets, pieces.concat().as_bytes());
            prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
        }
    }

    #[test]
    fn holds_back_only_what_may_be_a_secret() {
        let mask = Mask::new([("S", "secret-value")]).unwrap();
        let mut stream = MaskStream::new(&mask);
        let mut out = Vec::new();
        stream.push(b"no sec", &mut out);
        assert_eq!(out, b"no ");
        stream.push(b"t, a secret-val", &mut out);
        assert_eq!(out, b"no sect, a ");
        stream.push(b"ue", &mut out);
        assert_eq!(out, b"no sect, a ***");
        stream.push(b" se", &mut out);
        stream.finish(&mut out);
        assert_eq!(out, b"no sect, a *** se");
    }
}
