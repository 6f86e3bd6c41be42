//! A value as Rust has it, as far as it is modelled exactly.

/// A type of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) least: i128,
    pub(super) most: i128,
}

/// The types of whole numbers; `u128` and `i128` are not followed to their ends.
const KINDS: [Kind; 10] = [
    Kind { name: "i8", least: i8::MIN as i128, most: i8::MAX as i128 },
    Kind { name: "i16", least: i16::MIN as i128, most: i16::MAX as i128 },
    Kind { name: "i32", least: i32::MIN as i128, most: i32::MAX as i128 },
    Kind { name: "i64", least: i64::MIN as i128, most: i64::MAX as i128 },
    Kind { name: "isize", least: i64::MIN as i128, most: i64::MAX as i128 },
    Kind { name: "u8", least: 0, most: u8::MAX as i128 },
    Kind { name: "u16", least: 0, most: u16::MAX as i128 },
    Kind { name: "u32", least: 0, most: u32::MAX as i128 },
    Kind { name: "u64", least: 0, most: u64::MAX as i128 },
    Kind { name: "usize", least: 0, most: u64::MAX as i128 },
];

impl Kind {
    pub(super) fn of(name: &str) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.name == name)
    }

    pub(super) fn holds(self, number: i128) -> bool {
        (self.least..=self.most).contains(&number)
    }
}

/// A value. References are what they refer to; `&str` and `String` are both text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Unit,
    Bool(bool),
    /// A number; without a kind where it is not yet known which type it has.
    Int(i128, Option<Kind>),
    Char(char),
    Text(String),
    Tuple(Vec<Value>),
    /// A `Vec`, a slice, or what an iterator gives.
    Many(Vec<Value>),
    None,
    Some(Box<Value>),
    Ok(Box<Value>),
    Err(Box<Value>),
    /// A variant without fields of an enum of the module.
    Variant(String, String),
    /// Something, but it is not known what.
    Opaque,
}

impl Value {
    /// How much it holds: values, itself too, and 32 bytes of text as one. What nests too deep counts as much.
    pub(super) fn held(&self, depth: u32) -> usize {
        if depth > 30 {
            return usize::MAX / 4;
        }
        let all = |items: &[Self]| {
            items.iter().fold(0, |sum: usize, item| sum.saturating_add(item.held(depth + 1)))
        };
        match self {
            Self::Text(text) => 1 + text.len() / 32,
            Self::Tuple(items) | Self::Many(items) => all(items).saturating_add(1),
            Self::Some(inner) | Self::Ok(inner) | Self::Err(inner) => inner.held(depth + 1).saturating_add(1),
            _ => 1,
        }
    }

    /// Whether it holds something that is not known.
    pub(super) fn is_opaque(&self) -> bool {
        match self {
            Self::Opaque => true,
            Self::Tuple(items) | Self::Many(items) => items.iter().any(Self::is_opaque),
            Self::Some(inner) | Self::Ok(inner) | Self::Err(inner) => inner.is_opaque(),
            _ => false,
        }
    }

    /// `==`; none where that is not known, as of types that may say themselves what is equal.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            _ if self.is_opaque() || other.is_opaque() => None,
            (Self::Variant(..), _) | (_, Self::Variant(..)) => None,
            (Self::Int(one, _), Self::Int(two, _)) => Some(one == two),
            (Self::Many(one), Self::Many(two)) | (Self::Tuple(one), Self::Tuple(two)) => {
                let mut equal = one.len() == two.len();
                for (one, two) in one.iter().zip(two) {
                    equal = equal && one.equals(two)?;
                }
                Some(equal)
            }
            (Self::Some(one), Self::Some(two))
            | (Self::Ok(one), Self::Ok(two))
            | (Self::Err(one), Self::Err(two)) => one.equals(two),
            (one, two) => Some(one == two),
        }
    }
}
