//! As much JSON as the service needs: any output, and flat objects as input.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// `text` as a JSON string, quotes included.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Values, each JSON already, as an array.
pub fn array<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("[{}]", values.join(","))
}

/// Names with values, each value JSON already, as an object.
pub fn object(members: &[(&str, &dyn Display)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{value}", quote(name))).collect();
    format!("{{{}}}", members.join(","))
}

/// A value that a request may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Bool(bool),
}

/// Reads an object whose values are strings, integers or booleans. Anything else is refused:
/// nesting, null, fractions, a name given twice, and whatever RFC 8259 does not allow.
pub fn parse_object(body: &[u8]) -> Result<BTreeMap<String, Value>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8".to_owned())?;
    let mut parser = Parser { text, at: 0 };
    let mut members = BTreeMap::new();
    parser.expect('{')?;
    if !parser.skip('}') {
        loop {
            parser.space();
            let name = parser.string()?;
            parser.expect(':')?;
            parser.space();
            let value = parser.value()?;
            if members.insert(name, value).is_some() {
                return Err(parser.wrong("a name given twice"));
            }
            if !parser.skip(',') {
                break;
            }
        }
        parser.expect('}')?;
    }
    parser.space();
    match parser.peek() {
        None => Ok(members),
        Some(_) => Err(parser.wrong("more than one value")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("{what} at byte {}", self.at)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.at += 1;
        }
    }

    fn skip(&mut self, wanted: char) -> bool {
        self.space();
        let found = self.peek() == Some(wanted);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.skip(wanted) {
            return Ok(());
        }
        Err(self.wrong(&format!("expected '{wanted}'")))
    }

    fn value(&mut self) -> Result<Value, String> {
        let rest = &self.text[self.at..];
        for (word, value) in [("true", true), ("false", false)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(Value::Bool(value));
            }
        }
        match self.peek() {
            Some('"') => self.string().map(Value::Text),
            Some('-' | '0'..='9') => self.integer().map(Value::Integer),
            _ => Err(self.wrong("expected a string, an integer or a boolean")),
        }
    }

    fn integer(&mut self) -> Result<i64, String> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let number = &rest[..sign + digits];
        if digits == 0 || (digits > 1 && rest[sign..].starts_with('0')) {
            return Err(self.wrong("malformed number"));
        }
        if rest[number.len()..].starts_with(['.', 'e', 'E']) {
            return Err(self.wrong("not an integer"));
        }
        let value = number.parse().map_err(|_| self.wrong("number out of range"))?;
        self.at += number.len();
        Ok(value)
    }

    fn string(&mut self) -> Result<String, String> {
        if self.next() != Some('"') {
            return Err(self.wrong("expected a string"));
        }
        let mut out = String::new();
        loop {
            match self.next() {
                None => return Err(self.wrong("unfinished string")),
                Some('"') => return Ok(out),
                Some('\\') => out.push(self.escape()?),
                Some(c) if c < ' ' => return Err(self.wrong("control character in a string")),
                Some(c) => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        Ok(match self.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    // A wrong second half gives a number that is no character.
                    let low = self.hex()?.wrapping_sub(0xdc00);
                    code = if low < 0x400 { 0x10000 + ((code - 0xd800) << 10) + low } else { code };
                }
                char::from_u32(code).ok_or_else(|| self.wrong("half a surrogate pair"))?
            }
            _ => return Err(self.wrong("unknown escape")),
        })
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4);
        match digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            Some(digits) => {
                self.at += 4;
                u32::from_str_radix(digits, 16).map_err(|_| self.wrong("malformed \\u escape"))
            }
            None => Err(self.wrong("malformed \\u escape")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quote("Zoë \"Z\" \\ 𝄞"), r#""Zoë \"Z\" \\ 𝄞""#);
        assert_eq!(quote("a\nb\r\t\u{1}\u{7f}"), r#""a\nb\r\t\u0001\u007f""#);
        assert_eq!(object(&[("a", &1), ("b", &array([1, 2]))]), r#"{"a":1,"b":[1,2]}"#);
    }

    #[test]
    fn flat_objects_are_read() {
        let body = br#" { "n" : "a\u00e9\ud834\udd1e\/\n", "i":-12 , "b":true,"z":0}  "#;
        let members = parse_object(body).unwrap();
        assert_eq!(members["n"], Value::Text("aé𝄞/\n".to_owned()));
        assert_eq!((&members["i"], &members["z"]), (&Value::Integer(-12), &Value::Integer(0)));
        assert_eq!(members["b"], Value::Bool(true));
        assert!(parse_object(b"{}").unwrap().is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        let wrong = "|[]|{|{}x|{} {}|{\"a\"}|{\"a\":}|{\"a\":1,}|{,}|{\"a\":01}|{\"a\":-}|{\"a\":1.5}|\
            {\"a\":1e3}|{\"a\":null}|{\"a\":{}}|{\"a\":[1]}|{\"a\":1,\"a\":2}|{a:1}|{'a':1}|\
            {\"a\":\"\\x\"}|{\"a\":\"\\ud834\"}|{\"a\":\"\\ud834\\u0041\"}|{\"a\":\"\\udd1e\"}|\
            {\"a\":\"\\u12\"}|{\"a\":\"\\u+123\"}|{\"a\":\"\n\"}|{\"a\":\"b|{\"a\":9223372036854775808}|\
            {\"a\":truex}|{\"a\":1 \"b\":2}|\u{feff}{}";
        for body in wrong.split('|') {
            assert!(parse_object(body.as_bytes()).is_err(), "accepted {body}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}").unwrap_err(), "not UTF-8");
    }
}
