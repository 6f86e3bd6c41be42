//! Students and courses.

use crate::database::{self, number, Database};
use std::collections::{BTreeMap, BTreeSet};

pub const MAX_STUDENTS: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Student {
    pub id: u32,
    pub name: String,
    pub year: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    pub id: u32,
    pub title: &'static str,
    pub capacity: usize,
    /// The ids of the students in it.
    pub students: BTreeSet<u32>,
}

/// Why the store refuses a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoStudent,
    NoCourse,
    AlreadyEnrolled,
    CourseFull,
    SchoolFull,
    /// The database cannot be used.
    NoDatabase,
}

#[derive(Debug)]
pub struct Store {
    students: BTreeMap<u32, Student>,
    courses: BTreeMap<u32, Course>,
    next_id: u32,
    /// The last changes as statements, for a database.
    pub(crate) written: Vec<String>,
}

impl Default for Store {
    /// No students yet, and the courses on offer.
    fn default() -> Self {
        let course =
            |(id, title, capacity)| (id, Course { id, title, capacity, students: BTreeSet::new() });
        let courses = [(1, "Mathematics", 30), (2, "Physics", 24), (3, "Music", 2)];
        Self {
            students: BTreeMap::new(),
            courses: courses.map(course).into(),
            next_id: 1,
            written: Vec::new(),
        }
    }
}

impl Store {
    /// Reads all that a database holds. Ids that were given are never given again: SQLite remembers the last one.
    pub fn load(database: &mut Database) -> Result<Self, String> {
        let mut store = Self::default();
        for row in database.rows("SELECT id, hex(name), year FROM students;")? {
            let name =
                row.get(1).and_then(|name| database::unhex(name)).ok_or("a name is no text")?;
            let student = Student { id: number(&row, 0)?, name, year: number(&row, 2)? };
            store.students.insert(student.id, student);
        }
        for row in database.rows("SELECT course_id, student_id FROM enrolments;")? {
            if let Some(course) = store.courses.get_mut(&number(&row, 0)?) {
                course.students.insert(number(&row, 1)?);
            }
        }
        let last = database.rows("SELECT seq FROM sqlite_sequence WHERE name = 'students';")?;
        let last: u32 = last.first().map_or(Ok(0), |row| number(row, 0))?;
        store.next_id = last.checked_add(1).ok_or("no id is left")?;
        Ok(store)
    }

    pub fn students(&self) -> impl ExactSizeIterator<Item = &Student> {
        self.students.values()
    }

    pub fn courses(&self) -> impl ExactSizeIterator<Item = &Course> {
        self.courses.values()
    }

    pub fn student(&self, id: u32) -> Result<&Student, Refusal> {
        self.students.get(&id).ok_or(Refusal::NoStudent)
    }

    pub fn course(&self, id: u32) -> Result<&Course, Refusal> {
        self.courses.get(&id).ok_or(Refusal::NoCourse)
    }

    pub fn add_student(&mut self, name: String, year: u8) -> Result<Student, Refusal> {
        if self.students.len() >= MAX_STUDENTS {
            return Err(Refusal::SchoolFull);
        }
        let id = self.next_id;
        self.next_id = id.checked_add(1).ok_or(Refusal::SchoolFull)?;
        let student = Student { id, name, year };
        let (name, year) = (database::text(&student.name), student.year);
        self.written
            .push(format!("INSERT INTO students (id, name, year) VALUES ({id}, {name}, {year});"));
        self.students.insert(id, student.clone());
        Ok(student)
    }

    /// Takes a student off the roll.
    pub fn remove_student(&mut self, id: u32) -> Result<(), Refusal> {
        self.students.remove(&id).ok_or(Refusal::NoStudent)?;
        self.written.push(format!("DELETE FROM students WHERE id = {id};"));
        Ok(())
    }

    /// Puts a student into a course, and says how many are in it then.
    pub fn enrol(&mut self, course: u32, student: u32) -> Result<usize, Refusal> {
        let course = self.courses.get_mut(&course).ok_or(Refusal::NoCourse)?;
        if !self.students.contains_key(&student) {
            return Err(Refusal::NoStudent);
        }
        if course.students.contains(&student) {
            return Err(Refusal::AlreadyEnrolled);
        }
        if course.students.len() >= course.capacity {
            return Err(Refusal::CourseFull);
        }
        course.students.insert(student);
        self.written.push(format!(
            "INSERT INTO enrolments (course_id, student_id) VALUES ({}, {student});",
            course.id
        ));
        Ok(course.students.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_students(count: u32) -> Store {
        let mut store = Store::default();
        for id in 1..=count {
            assert_eq!(store.add_student(format!("Student {id}"), 7).unwrap().id, id);
        }
        store
    }

    #[test]
    fn ids_are_never_given_twice() {
        let mut store = with_students(2);
        assert_eq!(store.remove_student(2), Ok(()));
        assert_eq!(store.remove_student(2), Err(Refusal::NoStudent));
        assert_eq!(store.add_student("Ada".to_owned(), 8).unwrap().id, 3);
        assert_eq!(store.students().map(|student| student.id).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn a_course_takes_each_student_once_and_no_more_than_fit() {
        let mut store = with_students(3);
        assert_eq!(store.enrol(3, 1), Ok(1));
        assert_eq!(store.enrol(3, 1), Err(Refusal::AlreadyEnrolled));
        assert_eq!(store.enrol(3, 2), Ok(2));
        assert_eq!(store.enrol(3, 3), Err(Refusal::CourseFull));
        assert_eq!(store.enrol(9, 1), Err(Refusal::NoCourse));
        assert_eq!(store.enrol(1, 9), Err(Refusal::NoStudent));
    }
}
