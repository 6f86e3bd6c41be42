-- Who was present. The version before does not know the table, and a student that it removes goes from here as well.
CREATE TABLE attendance (
    day TEXT NOT NULL,
    course_id INTEGER NOT NULL,
    student_id INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    present INTEGER NOT NULL,
    PRIMARY KEY (day, course_id, student_id)
);
