//! Native strings as PEP 3333 means them: a `str` whose code points are octets (latin-1), in both directions.

use pyo3::prelude::*;
use pyo3::types::PyString;
use std::borrow::Cow;

/// The `str` with one code point for each octet.
pub(super) fn native<'py>(py: Python<'py>, octets: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(octets) {
        Ok(text) if octets.is_ascii() => PyString::new(py, text),
        _ => {
            let text: String = octets.iter().copied().map(char::from).collect();
            PyString::new(py, &text)
        }
    }
}

/// The octets of a native string; none when a code point is above U+00FF.
pub(super) fn octets(text: &str) -> Option<Cow<'_, [u8]>> {
    if text.is_ascii() {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let octets: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    octets.ok().map(Cow::Owned)
}

/// Decodes `%41` to `A`; a `%` that no two hexadecimal digits follow stays as it is.
pub(super) fn percent_decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        match escape.get(1..3).and_then(hexadecimal) {
            Some(octet) => {
                out.push(octet);
                rest = &escape[3..];
            }
            None => {
                out.push(b'%');
                rest = &escape[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0, |octet: u8, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(octet << 4 | digit as u8)
    })
}
