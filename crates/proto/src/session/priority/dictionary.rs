//! Dictionaries of structured fields (RFC 8941, section 3.2, with the types that RFC 9651 adds): all of their grammar
//! is checked, and the values that priorities are made of are told.

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Boolean(bool),
    Integer(i64),
    /// A decimal, string, token, list …
    Other,
}

/// Digits of an integer, and of the whole part of a decimal (RFC 8941, sections 3.3.1 and 3.3.2).
const INTEGER: usize = 15;
const WHOLE: usize = 12;
const FRACTION: usize = 3;

/// Tells each member. None where the line is malformed: then nothing that was told counts.
pub(super) fn read<'a>(line: &'a [u8], mut member: impl FnMut(&'a [u8], Value)) -> Option<()> {
    let mut rest = Rest(line);
    rest.spaces();
    while !rest.0.is_empty() {
        let key = rest.key()?;
        let value = match rest.accept(b'=') {
            true => rest.member()?,
            false => Value::Boolean(true),
        };
        rest.parameters()?;
        member(key, value);
        rest.while_in(|octet| matches!(octet, b' ' | b'\t'));
        if rest.0.is_empty() {
            break;
        }
        rest.expect(b',')?;
        rest.while_in(|octet| matches!(octet, b' ' | b'\t'));
        // No comma is the last.
        rest.0.first()?;
    }
    Some(())
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn accept(&mut self, octet: u8) -> bool {
        self.expect(octet).is_some()
    }

    fn expect(&mut self, octet: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[octet])?;
        Some(())
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn while_in(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.0.iter().take_while(|octet| belongs(**octet)).count();
        let (some, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        some
    }

    fn spaces(&mut self) {
        self.while_in(|octet| octet == b' ');
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        let first = *self.0.first()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        Some(self.while_in(|octet| {
            octet.is_ascii_lowercase()
                || octet.is_ascii_digit()
                || matches!(octet, b'_' | b'-' | b'.' | b'*')
        }))
    }

    /// An item, or an inner list of them.
    fn member(&mut self) -> Option<Value> {
        if !self.accept(b'(') {
            return self.item();
        }
        loop {
            self.spaces();
            if self.accept(b')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.0.first()?, b' ' | b')') {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.accept(b';') {
            self.spaces();
            self.key()?;
            if self.accept(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    /// An item without its parameters.
    fn item(&mut self) -> Option<Value> {
        match *self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'?' => self.boolean(),
            b':' => self.octets(),
            b'@' => self.date(),
            b'%' => self.display(),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.while_in(|octet| is_tchar(octet) || matches!(octet, b':' | b'/'));
                Some(Value::Other)
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let negative = self.accept(b'-');
        let whole = self.while_in(|octet| octet.is_ascii_digit());
        if whole.is_empty() || whole.len() > INTEGER {
            return None;
        }
        if self.accept(b'.') {
            let fraction = self.while_in(|octet| octet.is_ascii_digit()).len();
            let fits = whole.len() <= WHOLE && (1..=FRACTION).contains(&fraction);
            return fits.then_some(Value::Other);
        }
        let digits = whole.iter().map(|digit| i64::from(digit - b'0'));
        let value = digits.fold(0, |value, digit| value * 10 + digit);
        Some(Value::Integer(if negative { -value } else { value }))
    }

    fn string(&mut self) -> Option<Value> {
        self.expect(b'"')?;
        loop {
            match self.take()? {
                b'"' => return Some(Value::Other),
                b'\\' if !matches!(self.take()?, b'"' | b'\\') => return None,
                b'\\' | b' '..=b'~' => {}
                _ => return None,
            }
        }
    }

    fn boolean(&mut self) -> Option<Value> {
        self.expect(b'?')?;
        match self.take()? {
            b'0' => Some(Value::Boolean(false)),
            b'1' => Some(Value::Boolean(true)),
            _ => None,
        }
    }

    /// A byte sequence, in base64.
    fn octets(&mut self) -> Option<Value> {
        self.expect(b':')?;
        self.while_in(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'='));
        self.expect(b':')?;
        Some(Value::Other)
    }

    fn date(&mut self) -> Option<Value> {
        self.expect(b'@')?;
        match self.number()? {
            Value::Integer(_) => Some(Value::Other),
            _ => None,
        }
    }

    fn display(&mut self) -> Option<Value> {
        self.expect(b'%')?;
        self.expect(b'"')?;
        loop {
            match self.take()? {
                b'"' => return Some(Value::Other),
                b'%' => {
                    let hex = |octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
                    if !hex(self.take()?) || !hex(self.take()?) {
                        return None;
                    }
                }
                b' '..=b'~' => {}
                _ => return None,
            }
        }
    }
}

fn is_tchar(octet: u8) -> bool {
    crate::syntax::is_token(&[octet])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(line: &[u8]) -> Option<Vec<(Vec<u8>, Value)>> {
        let mut members = Vec::new();
        read(line, |key, value| members.push((key.to_vec(), value)))?;
        Some(members)
    }

    /// RFC 8941, section 3.2.
    #[test]
    fn every_kind_of_member_is_read() {
        let line = br#" a, b=?0, c=-12;q=1;r , d=1.5,	*e="x\"\\", f=to/ken:*, g=:aGk=:, h=(1 "a";x ?1), i=(), j=@12, k=%"%c3%bc""#;
        let members = members(line).unwrap();
        let values: Vec<_> = members.iter().map(|(_, value)| *value).collect();
        let other = Value::Other;
        let told = [
            Value::Boolean(true),
            Value::Boolean(false),
            Value::Integer(-12),
        ];
        assert_eq!(values[..3], told);
        assert_eq!(values[3..], [other; 8]);
        let keys: Vec<_> = members.iter().map(|(key, _)| &key[..]).collect();
        assert_eq!(keys.concat(), b"abcd*efghijk");
    }

    /// RFC 8941, section 4.2: "If parsing fails … the entire field value MUST be ignored".
    #[test]
    fn a_line_that_breaks_the_grammar_is_nothing() {
        let malformed: [&[u8]; 24] = [
            b"u=1,",
            b",",
            b"u=",
            b"U=1",
            b"=1",
            b"u=1 i",
            b"u=1;",
            b"u=1;;a",
            b"u=?2",
            b"u=?",
            b"u=1.",
            b"u=1.2345",
            b"u=1234567890123456",
            b"u=1234567890123.0",
            b"u=\"a",
            b"u=\"\\a\"",
            b"u=(1",
            b"u=(1\"a\")",
            b"u=:a",
            b"u=-",
            b"u=@1.0",
            b"u=%\"%C3\"",
            b"u=1;A",
            b"\tu=1",
        ];
        for line in malformed {
            assert_eq!(members(line), None, "{}", line.escape_ascii());
        }
        assert_eq!(members(b""), Some(Vec::new()));
        assert_eq!(members(b"  "), Some(Vec::new()));
    }
}
