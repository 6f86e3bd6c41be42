//! Standard output. A reader that went away is no error: what would follow is dropped.

use std::io::{self, Write};

/// Writes to a stream until its reader is gone.
pub(crate) struct Out {
    stream: Box<dyn Write + Send>,
    gone: bool,
}

impl Out {
    /// Standard output.
    pub(crate) fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Standard error.
    pub(crate) fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// Any stream.
    pub(crate) fn new(stream: impl Write + Send + 'static) -> Self {
        Self { stream: Box::new(stream), gone: false }
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: &str) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// Writes bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if !self.gone {
            self.gone = self.stream.write_all(bytes).and_then(|()| self.stream.flush()).is_err();
        }
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }
}

/// Writes text to standard output, with a line end.
pub(crate) fn say(text: &str) {
    Out::stdout().line(text.strip_suffix('\n').unwrap_or(text));
}

/// Writes a remark to standard error.
pub(crate) fn note(text: &str) {
    Out::stderr().line(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_gone_is_no_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut out = Out::new(writer);
        out.line("one");
        out.line("two");
        assert!(out.is_gone());
    }
}
