//! Who was present in which course on which day.

use crate::database::{self, number, Database};
use crate::store::{Refusal, Store};
use std::collections::BTreeMap;
use std::fmt;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// Reads a day such as `2025-09-01`, and no other spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let day =
            Self { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        (day.exists() && day.to_string() == text).then_some(day)
    }

    fn exists(self) -> bool {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        self.year <= 9999 && (1..=days).contains(&self.day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// One entry: a student in a course on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub day: Day,
    pub course: u32,
    pub student: u32,
}

pub const MAX_ENTRIES: usize = 50_000;

/// All entries in the order of their days, with whether the student was present.
#[derive(Debug, Default)]
pub struct Attendance {
    entries: BTreeMap<Entry, bool>,
}

impl Attendance {
    /// Reads all entries that a database holds.
    pub fn load(database: &mut Database) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        let rows = "SELECT hex(day), course_id, student_id, present FROM attendance;";
        for row in database.rows(rows)? {
            let day = row.first().and_then(|day| Day::parse(&database::unhex(day)?));
            let day = day.ok_or("a day is none")?;
            let entry = Entry { day, course: number(&row, 1)?, student: number(&row, 2)? };
            entries.insert(entry, number::<u8>(&row, 3)? != 0);
        }
        Ok(Self { entries })
    }

    pub fn forget(&mut self, student: u32) {
        self.entries.retain(|entry, _| entry.student != student);
    }
}

impl Store {
    pub fn attendance(&self) -> impl ExactSizeIterator<Item = (&Entry, &bool)> {
        self.attendance.entries.iter()
    }

    /// Notes whether a student who is in the course was present, and says whether that is new.
    pub fn note_attendance(&mut self, entry: Entry, present: bool) -> Result<bool, Refusal> {
        let course = self.course(entry.course)?;
        let student = self.student(entry.student)?;
        if !course.students.contains(&student.id) {
            return Err(Refusal::NotEnrolled);
        }
        let entries = &mut self.attendance.entries;
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&entry) {
            return Err(Refusal::SchoolFull);
        }
        let new = entries.insert(entry, present).is_none();
        let Entry { day, course, student } = entry;
        let (day, present) = (database::text(&day.to_string()), u8::from(present));
        self.written.push(format!(
            "INSERT OR REPLACE INTO attendance (day, course_id, student_id, present) VALUES ({day}, {course}, {student}, {present});"
        ));
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_one_spelling() {
        for text in ["2025-09-01", "2024-02-29", "2000-02-29", "0001-12-31"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "2025-9-1", "2025-02-29", "1900-02-29", "2025-13-01", "2025-04-31"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        for text in ["2025-01-00", "2025-00-01", "2025-01-01-01", "+025-01-01", "10000-01-01"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_enrolled_students_attend() {
        let mut store = Store::default();
        let student = store.add_student("Ada".to_owned(), 10).unwrap().id;
        let day = Day::parse("2025-09-01").unwrap();
        let entry = Entry { day, course: 1, student };
        assert_eq!(store.note_attendance(entry, true), Err(Refusal::NotEnrolled));
        store.enrol(1, student).unwrap();
        assert_eq!(store.note_attendance(entry, true), Ok(true));
        assert_eq!(store.note_attendance(entry, false), Ok(false));
        assert_eq!(store.attendance().collect::<Vec<_>>(), [(&entry, &false)]);
        let other = Entry { course: 9, ..entry };
        assert_eq!(store.note_attendance(other, true), Err(Refusal::NoCourse));
        store.remove_student(student).unwrap();
        assert_eq!(store.attendance().len(), 0);
    }
}
