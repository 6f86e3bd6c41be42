//! `format()`: fill, width, thousands and places of numbers; widths of text.

use super::super::value::Value;
use super::numbers::as_float;

/// What a format makes of a value; none where that is not modelled.
pub(super) fn format(value: &Value, spec: &str) -> Option<String> {
    if spec.is_empty() {
        return value.said();
    }
    let spec = Spec::of(spec)?;
    let (text, number) = match value {
        Value::Str(text)
            if matches!(spec.kind, None | Some('s'))
                && !spec.comma
                && spec.places.is_none()
                && !spec.zero =>
        {
            (text.to_string(), false)
        }
        Value::Int(_) | Value::Float(_) if spec.kind == Some('f') => {
            (grouped(&format!("{:.*}", spec.places.unwrap_or(6), as_float(value)?), spec.comma), true)
        }
        Value::Int(number) if matches!(spec.kind, None | Some('d')) && spec.places.is_none() => {
            (grouped(&number.to_string(), spec.comma), true)
        }
        _ => return None,
    };
    Some(spec.pad(text, number))
}

struct Spec {
    align: Option<char>,
    fill: char,
    zero: bool,
    width: usize,
    comma: bool,
    places: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    fn of(spec: &str) -> Option<Self> {
        let letters: Vec<char> = spec.chars().collect();
        let is_align = |letter: Option<&char>| matches!(letter, Some('<' | '>' | '^'));
        let (align, fill, mut at) = if is_align(letters.get(1)) {
            (Some(letters[1]), letters[0], 2)
        } else if is_align(letters.first()) {
            (Some(letters[0]), ' ', 1)
        } else {
            (None, ' ', 0)
        };
        if matches!(fill, '{' | '}') {
            return None;
        }
        let zero = letters.get(at) == Some(&'0');
        let number = |at: &mut usize| -> Option<usize> {
            let digits: String = letters[*at..].iter().take_while(|letter| letter.is_ascii_digit()).collect();
            *at += digits.len();
            digits.parse().ok().filter(|number| *number <= 100)
        };
        let width = if letters.get(at).is_some_and(char::is_ascii_digit) { number(&mut at)? } else { 0 };
        let comma = letters.get(at) == Some(&',');
        at += usize::from(comma);
        let mut places = None;
        if letters.get(at) == Some(&'.') {
            at += 1;
            places = Some(number(&mut at)?);
        }
        let kind = letters.get(at).copied();
        let rest = letters.len().saturating_sub(at + 1);
        let odd = zero && (comma || align.is_some()) || width == 0 && align.is_some();
        (rest == 0 && !odd).then_some(Self { align, fill, zero, width, comma, places, kind })
    }

    fn pad(&self, text: String, number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = |count: usize| self.fill.to_string().repeat(count);
        match self.align {
            _ if missing == 0 => text,
            None if self.zero && number => match text.strip_prefix('-') {
                Some(digits) => format!("-{}{digits}", "0".repeat(missing)),
                None => format!("{}{text}", "0".repeat(missing)),
            },
            None if number => format!("{}{text}", fill(missing)),
            None | Some('<') => format!("{text}{}", fill(missing)),
            Some('>') => format!("{}{text}", fill(missing)),
            Some(_) => format!("{}{text}{}", fill(missing / 2), fill(missing - missing / 2)),
        }
    }
}

fn grouped(number: &str, comma: bool) -> String {
    if !comma {
        return number.to_owned();
    }
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, places) = rest.find('.').map_or((rest, ""), |at| rest.split_at(at));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{places}")
}
