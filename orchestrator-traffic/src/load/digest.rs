//! A digest of bodies: FNV-1a, 64 bits. It finds what was lost, doubled, reordered or mixed up on the way; it is no protection against
//! anybody.

/// A digest under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digest(u64);

impl Digest {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// As it stands in a header.
    pub(super) fn text(self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_authors_examples() {
        for (text, digest) in
            [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")]
        {
            let mut found = Digest::new();
            found.add(text.as_bytes());
            assert_eq!(found.text(), digest);
        }
    }
}
