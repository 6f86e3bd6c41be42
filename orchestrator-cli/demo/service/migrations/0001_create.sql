-- Students and who is in which course. Courses themselves are part of the program.
CREATE TABLE students (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    year INTEGER NOT NULL CHECK (year BETWEEN 1 AND 13)
);
CREATE TABLE enrolments (
    course_id INTEGER NOT NULL,
    student_id INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    PRIMARY KEY (course_id, student_id)
);
