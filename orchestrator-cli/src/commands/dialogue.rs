//! What is asked on a terminal, over any input: a yes, or what becomes of a manual task.

use std::io::{self, BufRead};

use orchestrator_agents::editing::manual::{Decision, MAX_NOTE};

use crate::out::Out;

/// The longest line that is read; the rest of it is dropped.
const MAX_LINE: u64 = MAX_NOTE as u64 + 2;
/// How often a person may answer what is no answer.
const TRIES: usize = 5;

/// A line without its end; none at the end of the input.
fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    io::Read::take(&mut *input, MAX_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() != Some(&b'\n') && bytes.len() as u64 == MAX_LINE {
        input.skip_until(b'\n')?;
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
}

/// Yes or no, an empty line is the default, anything else is no; none at the end of the input.
pub(super) fn yes(
    input: &mut impl BufRead,
    out: &mut Out,
    question: &str,
    default: bool,
) -> io::Result<Option<bool>> {
    let choice = if default { "[Y/n]" } else { "[y/N]" };
    out.text(&format!("\n{question} {choice} "));
    Ok(line(input)?.map(|line| match line.to_lowercase().as_str() {
        "y" | "yes" => true,
        "" => default,
        _ => false,
    }))
}

/// What becomes of a manual task, and a note; none where it is left waiting.
pub(super) fn manual(input: &mut impl BufRead, out: &mut Out) -> io::Result<Option<(Decision, String)>> {
    for _ in 0..TRIES {
        out.text("\n[d]one, [s]kip or [a]bort? (Enter leaves it waiting) ");
        let Some(said) = line(input)? else { break };
        let decision = match said.to_lowercase().as_str() {
            "d" | "done" => Decision::Done,
            "s" | "skip" => Decision::Skip,
            "a" | "abort" => Decision::Abort,
            "" => return Ok(None),
            _ => {
                out.line("Say d, s or a.");
                continue;
            }
        };
        out.text("Note (Enter for none): ");
        let Some(mut note) = line(input)? else { break };
        note.truncate(note.floor_char_boundary(MAX_NOTE));
        return Ok(Some((decision, note)));
    }
    out.line("");
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    fn asked<T>(typed: &str, ask: impl FnOnce(&mut Cursor<&str>, &mut Out) -> io::Result<T>) -> (T, String) {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut out = Out::new(writer);
        let answer = ask(&mut Cursor::new(typed), &mut out).unwrap();
        drop(out);
        let mut shown = String::new();
        reader.read_to_string(&mut shown).unwrap();
        (answer, shown)
    }

    #[test]
    fn a_person_decides_and_may_add_a_note() {
        for (typed, expected) in [
            ("d\n\n", Some((Decision::Done, ""))),
            ("Done\n all is well \n", Some((Decision::Done, "all is well"))),
            ("s\nnot this time\n", Some((Decision::Skip, "not this time"))),
            ("abort\nno", Some((Decision::Abort, "no"))),
            ("\nd\n", None),
            ("", None),
            ("what\nyes\nd\nok\n", Some((Decision::Done, "ok"))),
            ("1\n2\n3\n4\n5\nd\n", None),
        ] {
            let (answer, shown) = asked(typed, |input, out| manual(input, out));
            let answer = answer.as_ref().map(|(decision, note)| (*decision, note.as_str()));
            assert_eq!(answer, expected, "{typed:?}");
            assert!(shown.starts_with("\n[d]one, [s]kip or [a]bort?"), "{shown}");
        }
    }

    #[test]
    fn the_end_of_the_input_decides_nothing() {
        let (answer, _) = asked("d\n", |input, out| manual(input, out));
        assert_eq!(answer, None, "cut off before the note: whoever typed may have changed their mind");
        assert_eq!(asked("", |input, out| yes(input, out, "Do it?", true)).0, None);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let typed = format!("d\n{}\nmore\n", "ä".repeat(MAX_NOTE));
        let (answer, _) = asked(&typed, |input, out| {
            let answer = manual(input, out)?;
            Ok((answer, line(input)?))
        });
        let (Some((_, note)), next) = answer else { panic!("there is an answer") };
        assert!(note.len() <= MAX_NOTE && note.len() > MAX_NOTE - 4, "{}", note.len());
        assert_eq!(next.as_deref(), Some("more"));
    }

    #[test]
    fn yes_is_yes_and_an_empty_line_the_default() {
        for (typed, default, expected) in
            [("y\n", false, true), ("\n", true, true), ("\n", false, false), ("n\n", true, false)]
        {
            assert_eq!(asked(typed, |input, out| yes(input, out, "Do it?", default)).0, Some(expected));
        }
    }
}
