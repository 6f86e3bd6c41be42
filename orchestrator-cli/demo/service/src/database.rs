//! SQLite through its own command, `sqlite3`: one process that statements are written to and rows
//! are read from. No text ever becomes part of a statement: texts go in and come out as hexadecimal
//! digits.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::thread;
use std::time::Duration;

/// How long one exchange may take; others may hold the database for half of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ends what a statement printed.
const END: &str = "-- end --";
/// The most bytes of a row.
const LONGEST: usize = 1 << 20;

/// A row: its values as text.
pub type Row = Vec<String>;

/// An open database.
#[derive(Debug)]
pub struct Database {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Database {
    /// Opens a file, which must be there: migrations make it.
    pub fn open(path: &str) -> Result<Self, String> {
        // A path is part of a URI, so that it is never taken for an option.
        let mut uri = "file:".to_owned();
        for byte in path.bytes() {
            match byte {
                b'/' | b'.' | b'_' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    uri.push(char::from(byte))
                }
                other => {
                    let _ = write!(uri, "%{other:02x}");
                }
            }
        }
        // The shell puts errors where the rows are, in order.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec sqlite3 -batch -safe -noheader -list -init /dev/null \"$1\" 2>&1",
                "sh",
            ])
            .arg(uri + "?mode=rw")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("sqlite3 cannot be started: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err("sqlite3 has no pipes".to_owned());
        };
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if line.map_or(true, |line| sender.send(line).is_err()) {
                    return;
                }
            }
        });
        let mut database = Self { child, input, lines };
        let set = format!(".timeout {}\nPRAGMA foreign_keys = ON;", PATIENCE.as_millis() / 2);
        database.rows(&set)?;
        Ok(database)
    }

    /// Carries out statements, each ended by `;`, and gives the rows that they print. Values of text
    /// must be printed by `hex`.
    pub fn rows(&mut self, statements: &str) -> Result<Vec<Row>, String> {
        let sent =
            write!(self.input, "{statements}\n.print {END}\n").and_then(|()| self.input.flush());
        sent.map_err(|error| format!("sqlite3 is gone: {error}"))?;
        let (mut rows, mut wrong) = (Vec::new(), None);
        loop {
            let line = self
                .lines
                .recv_timeout(PATIENCE)
                .map_err(|_| "sqlite3 does not answer".to_owned())?;
            match line.as_str() {
                END => return wrong.map_or(Ok(rows), Err),
                row if row.len() <= LONGEST
                    && row.bytes().all(|b| b.is_ascii_hexdigit() || b"|-".contains(&b)) =>
                {
                    rows.push(row.split('|').map(str::to_owned).collect());
                }
                // Anything else is what `sqlite3` says of an error; the first line of it counts.
                error => wrong = wrong.or_else(|| Some(error.chars().take(200).collect())),
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // It may hang, so it is not asked.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A text as a statement holds it.
pub fn text(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CAST(X'{digits}' AS TEXT)")
}

/// The text that `hex` gave.
pub fn unhex(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// The number in a column.
pub fn number<T: std::str::FromStr>(row: &[String], column: usize) -> Result<T, String> {
    let found = row.get(column).and_then(|value| value.parse().ok());
    found.ok_or_else(|| format!("column {column} of a row is no number in range"))
}
