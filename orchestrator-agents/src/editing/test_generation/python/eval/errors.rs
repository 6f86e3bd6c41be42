//! The built-in exceptions that say nothing but what they are given, and what each is a kind of.

/// Each with what it inherits from.
const ERRORS: [(&str, &str); 21] = [
    ("Exception", "BaseException"),
    ("ArithmeticError", "Exception"),
    ("ZeroDivisionError", "ArithmeticError"),
    ("OverflowError", "ArithmeticError"),
    ("AssertionError", "Exception"),
    ("AttributeError", "Exception"),
    ("LookupError", "Exception"),
    ("IndexError", "LookupError"),
    ("KeyError", "LookupError"),
    ("NameError", "Exception"),
    ("OSError", "Exception"),
    ("ConnectionError", "OSError"),
    ("FileExistsError", "OSError"),
    ("FileNotFoundError", "OSError"),
    ("PermissionError", "OSError"),
    ("TimeoutError", "OSError"),
    ("RuntimeError", "Exception"),
    ("NotImplementedError", "RuntimeError"),
    ("TypeError", "Exception"),
    ("ValueError", "Exception"),
    ("UserWarning", "Exception"),
];

/// Whether it is one of them.
pub(in super::super) fn is_error(name: &str) -> bool {
    ERRORS.iter().any(|(known, _)| *known == name)
}

/// Whether one is a kind of the other.
pub(super) fn is_kind(name: &str, of: &str) -> bool {
    name == of
        || ERRORS.iter().find(|(known, _)| *known == name).is_some_and(|(_, parent)| is_kind(parent, of))
}
