//! Counts the rows in a dump of MySQL or MariaDB as it goes by: the dump's own snapshot cannot be asked.

use std::collections::BTreeMap;

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// At the beginning of a line, outside of any statement that counts.
    #[default]
    Line,
    /// In a line that does not matter.
    Skip,
    /// In the name of the table.
    Name,
    /// Between the name and `VALUES`, where columns may be named.
    Columns,
    /// Among the rows.
    Values,
    /// In a text.
    Text,
    /// After a backslash in a text.
    Escaped,
}

const INSERT: &[u8] = b"INSERT INTO `";
const VALUES: &[u8] = b" VALUES";
const BODY: &[u8] = b"DELIMITER ;;";
const BODY_ENDS: &[u8] = b"DELIMITER ;";

/// Counts rows by table.
#[derive(Debug, Default)]
pub(super) struct Rows {
    at: At,
    /// What was read of a line, a name or what stands before the rows; bounded.
    seen: Vec<u8>,
    /// Whether bodies of triggers, routines and events go by: SQL in them is not ours.
    body: bool,
    quoted: bool,
    depth: u32,
    here: u64,
    table: Vec<u8>,
    counted: BTreeMap<Vec<u8>, u64>,
}

impl Rows {
    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.one(*byte);
        }
    }

    /// Rows by table.
    pub(super) fn counted(self) -> BTreeMap<String, u64> {
        let text = |(name, rows): (Vec<u8>, u64)| (String::from_utf8_lossy(&name).into_owned(), rows);
        self.counted.into_iter().map(text).collect()
    }

    fn one(&mut self, byte: u8) {
        match self.at {
            At::Line => self.line(byte),
            At::Skip if byte == b'\n' => self.to(At::Line),
            At::Skip => {}
            At::Name => self.name(byte),
            At::Columns => self.columns(byte),
            At::Values => self.values(byte),
            At::Text if byte == b'\\' => self.at = At::Escaped,
            // Two quotes in a row end a text and begin another: the same to us.
            At::Text if byte == b'\'' => self.at = At::Values,
            At::Text => {}
            At::Escaped => self.at = At::Text,
        }
    }

    fn to(&mut self, at: At) {
        self.at = at;
        self.seen.clear();
        self.quoted = false;
    }

    fn line(&mut self, byte: u8) {
        if byte == b'\n' {
            match self.seen.as_slice() {
                BODY => self.body = true,
                BODY_ENDS => self.body = false,
                _ => {}
            }
            return self.to(At::Line);
        }
        self.seen.push(byte);
        let may_be = |line: &[u8], seen: &[u8]| line.starts_with(seen);
        if !self.body && self.seen == INSERT {
            self.to(At::Name);
        } else if ![INSERT, BODY, BODY_ENDS].iter().any(|line| may_be(line, &self.seen)) {
            self.to(At::Skip);
        }
    }

    /// A backtick in a name is written twice.
    fn name(&mut self, byte: u8) {
        match (byte, self.quoted) {
            (b'`', false) => self.quoted = true,
            (b'`', true) => {
                self.quoted = false;
                self.seen.push(byte);
            }
            (_, true) => {
                self.table = std::mem::take(&mut self.seen);
                self.to(At::Columns);
                self.columns(byte);
            }
            (_, false) => self.seen.push(byte),
        }
    }

    fn columns(&mut self, byte: u8) {
        if byte == b'`' {
            self.quoted = !self.quoted;
        }
        self.seen.push(byte);
        let excess = self.seen.len().saturating_sub(VALUES.len());
        self.seen.drain(..excess);
        if !self.quoted && self.seen == VALUES {
            (self.depth, self.here) = (0, 0);
            self.to(At::Values);
        }
    }

    fn values(&mut self, byte: u8) {
        match byte {
            b'\'' => self.at = At::Text,
            b'(' => {
                self.here += u64::from(self.depth == 0);
                self.depth += 1;
            }
            b')' => self.depth = self.depth.saturating_sub(1),
            b';' if self.depth == 0 => {
                *self.counted.entry(std::mem::take(&mut self.table)).or_default() += self.here;
                self.to(At::Skip);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_whatever_is_in_them() {
        let dump = "-- comment (\nINSERT INTO `plain` VALUES (1,'a'),(2,'b''),(');\n\
            INSERT INTO `plain` VALUES\n(3,'\\'),(\\\\'),\n(4,NULL);\n\
            INSERT INTO `od``d t` (`a (`, ` VALUES`) VALUES (0x28,_binary ';('),(point(1,2),'x');\n\
            DELIMITER ;;\nINSERT INTO `body` VALUES (1);\n;;\nDELIMITER ;\n\
            INSERT INTO `last` VALUES (';\nINSERT INTO `no` VALUES (1);');\n-- Dump completed\n";
        let wanted =
            BTreeMap::from([("last".to_owned(), 1), ("od`d t".to_owned(), 2), ("plain".to_owned(), 4)]);
        for size in [1, 2, 7, dump.len()] {
            let mut rows = Rows::default();
            dump.as_bytes().chunks(size).for_each(|chunk| rows.read(chunk));
            assert_eq!(rows.counted(), wanted, "{size}");
        }
    }
}
