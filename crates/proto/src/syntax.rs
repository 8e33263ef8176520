//! The small grammars of HTTP semantics (RFC 9110) that every protocol checks alike.
//!
//! Each question has one answer here, so that a message that one protocol lets in is fit to leave by another.

use crate::error::Violation;
use crate::fields::Fields;

/// Whether this is a `token` (RFC 9110, section 5.6.2): a method, a field name in any letter case.
///
/// ```
/// use thalweg_proto::syntax::is_token;
///
/// assert!(is_token(b"Content-Type") && !is_token(b"Content Type") && !is_token(b""));
/// ```
pub fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && are_all(TOKEN, octets)
}

/// Whether this is a field name as the binary protocols want it: a token without capital letters (RFC 9113,
/// section 8.2.1).
pub(crate) fn is_lower_token(octets: &[u8]) -> bool {
    !octets.is_empty() && are_all(LOWER_TOKEN, octets)
}

/// Whether this may stand as a field value (RFC 9110, section 5.5; RFC 9113, section 8.2.1): no control characters
/// but tabs, and no white space around it. Octets beyond ASCII are opaque and pass.
pub(crate) fn is_field_value(octets: &[u8]) -> bool {
    let blank = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    !blank(octets.first()) && !blank(octets.last()) && !has_control(octets)
}

/// Whether a control character other than the tab is among them. Eight at a time are known to be clean when none is
/// below the space or DEL; those that are not get a closer look (it may be a tab).
fn has_control(octets: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const DEL: u64 = ONES * 0x7f;
    let breaks = |octets: &[u8]| {
        let control = |octet: &u8| octet.is_ascii_control() && *octet != b'\t';
        octets.iter().any(control)
    };
    let (words, rest) = octets.as_chunks::<8>();
    words.iter().any(|word| {
        let octets = u64::from_ne_bytes(*word);
        // The high bit of every octet that is below 32, or DEL (and, after one of those, perhaps of its neighbour).
        let low = octets.wrapping_sub(ONES * 0x20) & !octets;
        let del = (octets ^ DEL).wrapping_sub(ONES) & !(octets ^ DEL);
        (low | del) & HIGH != 0 && breaks(word)
    }) || breaks(rest)
}

/// Whether this names a protocol as the Upgrade field does: a token, and a version behind a slash where there is one
/// (RFC 9110, section 7.8).
pub(crate) fn is_protocol(octets: &[u8]) -> bool {
    let mut parts = octets.splitn(2, |octet| *octet == b'/');
    parts.all(is_token)
}

/// Whether this is a scheme (RFC 3986, section 3.1).
pub(crate) fn is_scheme(octets: &[u8]) -> bool {
    octets.first().is_some_and(u8::is_ascii_alphabetic)
        && octets
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'))
}

/// Whether this is a host with an optional port, `uri-host [ ":" port ]`, and nothing beside it: no user, path or
/// query, nothing that would end the word (RFC 3986, section 3.2; RFC 9110, sections 4.2.4 and 7.2).
pub(crate) fn is_authority(octets: &[u8]) -> bool {
    // These are short words: a plain loop is quicker than a search that has to warm up.
    let bracket = octets.iter().rposition(|octet| *octet == b']');
    let colon = octets.iter().rposition(|octet| *octet == b':');
    let end = colon.filter(|colon| bracket.is_none_or(|bracket| bracket < *colon));
    let (host, port) = octets.split_at(end.unwrap_or(octets.len()));
    is_host(host) && (port.is_empty() || is_port(port))
}

/// A name, an IPv4 address, or an IP literal in brackets.
fn is_host(octets: &[u8]) -> bool {
    let is_word = |octets: &[u8]| !octets.is_empty() && are_all(HOST, octets);
    let Some(literal) = octets.strip_prefix(b"[") else {
        return is_word(octets);
    };
    literal.strip_suffix(b"]").is_some_and(|inside| {
        let mut parts = inside.split(|octet| *octet == b':');
        !inside.is_empty() && parts.all(|part| part.is_empty() || is_word(part))
    })
}

/// `:` and digits, which may be none.
fn is_port(octets: &[u8]) -> bool {
    octets
        .strip_prefix(b":")
        .is_some_and(|digits| digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit))
}

/// Whether this can be a path and query: visible, or beyond ASCII, and no fragment (RFC 9112, section 3.2.1). The
/// caller decides how it has to begin.
pub(crate) fn is_path(octets: &[u8]) -> bool {
    !octets.is_empty() && are_all(PATH, octets)
}

/// The members of a comma-separated list, without white space around them (RFC 9110, section 5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|octet| *octet == b',').map(<[u8]>::trim_ascii)
}

/// Whether a field of this name, in any letter case, may stand in trailers: it frames no message, routes none, and
/// is not about the connection (RFC 9110, section 6.5.1).
pub(crate) fn may_trail(name: &[u8]) -> bool {
    const NEVER: [&[u8]; 10] = [
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ];
    !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
}

/// The number that content-length announces (RFC 9110, section 8.6).
///
/// # Errors
/// [`Violation::ContentLength`] where the field is repeated, even with the same number, or is no number below 2^64:
/// two readers of one message must never disagree about its end.
pub(crate) fn content_length(fields: &Fields) -> Result<Option<u64>, Violation> {
    let mut lines = fields.all(b"content-length");
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => number(value).map(Some).ok_or(Violation::ContentLength),
        (Some(_), Some(_)) => Err(Violation::ContentLength),
    }
}

/// An unsigned decimal number: digits and nothing else, below 2^64.
///
/// ```
/// use thalweg_proto::syntax::number;
///
/// assert_eq!(number(b"1024"), Some(1024));
/// assert_eq!((number(b"+1"), number(b"")), (None, None));
/// ```
pub fn number(octets: &[u8]) -> Option<u64> {
    if octets.is_empty() {
        return None;
    }
    octets.iter().try_fold(0_u64, |sum, octet| {
        let digit = octet.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

const TOKEN: u8 = 1;
const LOWER_TOKEN: u8 = 2;
const HOST: u8 = 4;
const PATH: u8 = 8;

/// Whether all octets are of a class: without a branch for each, since nearly all names are good.
fn are_all(wanted: u8, octets: &[u8]) -> bool {
    octets
        .iter()
        .fold(wanted, |common, octet| common & class(*octet))
        != 0
}

fn class(octet: u8) -> u8 {
    // An array of 256 has a place for every octet.
    CLASSES.get(octet as usize).copied().unwrap_or_default()
}

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0_u8;
    loop {
        let alphanumeric = octet.is_ascii_alphanumeric();
        let mut of_octet = 0;
        if alphanumeric || is_one_of(octet, b"!#$%&'*+-.^_`|~") {
            of_octet |= TOKEN;
            if !octet.is_ascii_uppercase() {
                of_octet |= LOWER_TOKEN;
            }
        }
        if alphanumeric || is_one_of(octet, b"-._~!$&'()*+,;=%") {
            of_octet |= HOST;
        }
        if octet > b' ' && octet != 0x7f && octet != b'#' {
            of_octet |= PATH;
        }
        #[allow(clippy::indexing_slicing)] // in a constant: an index out of bounds does not compile
        {
            classes[octet as usize] = of_octet;
        }
        if octet == u8::MAX {
            break;
        }
        octet += 1;
    }
    classes
};

#[allow(clippy::indexing_slicing)] // in a constant: an index out of bounds does not compile
const fn is_one_of(octet: u8, set: &[u8]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == octet {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_made_of_tchar() {
        assert!(is_token(b"M-SEARCH") && is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for not in [&b""[..], b"a b", b"a:", b"a\x7f", b"\xe9", b"a(", b"a\0"] {
            assert!(!is_token(not), "{}", not.escape_ascii());
        }
        assert!(is_lower_token(b"x-a") && !is_lower_token(b"X-a"));
    }

    #[test]
    fn field_values_hold_anything_but_control_characters_and_outer_white_space() {
        assert!(is_field_value(b"") && is_field_value(b"a b\tc") && is_field_value(b"\xff\x80"));
        assert!(is_field_value(b"a\tlonger\tone~\xff\xfe"));
        for control in (0..0x20).chain([0x7f]).filter(|octet| *octet != b'\t') {
            for length in 1..20 {
                let mut value = vec![b'a'; length + 1];
                value[length / 2] = control;
                assert!(!is_field_value(&value), "{control} in {length}");
            }
        }
        for not in [
            &b" a"[..],
            b"a ",
            b"\ta",
            b"a\t",
            b"a\rb",
            b"a\nb",
            b"a\0b",
            b"\tlonger than a word\n",
            b"a\tlonger\x00one",
        ] {
            assert!(!is_field_value(not), "{}", not.escape_ascii());
        }
    }

    #[test]
    fn authorities_are_host_and_port_only() {
        for good in [
            &b"example.org"[..],
            b"a.b:80",
            b"a:",
            b"%41:1",
            b"[::1]",
            b"[::1]:8080",
            b"[v1.a:b]",
        ] {
            assert!(is_authority(good), "{}", good.escape_ascii());
        }
        for not in [
            &b""[..],
            b"user@host",
            b"a/b",
            b"a b",
            b"a?b",
            b"a\\b",
            b":80",
            b"a:b",
            b"a:1:2",
            b"a:123456",
            b"[::1",
            b"[]",
            b"[[::1]]",
            b"::1",
            b"[::1]a",
        ] {
            assert!(!is_authority(not), "{}", not.escape_ascii());
        }
    }

    #[test]
    fn a_length_is_digits_once() {
        let length = |values: &[&[u8]]| {
            let fields = values.iter().map(|value| (&b"content-length"[..], *value));
            content_length(&fields.collect())
        };
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&[b"007"]), Ok(Some(7)));
        assert_eq!(length(&[b"18446744073709551615"]), Ok(Some(u64::MAX)));
        for not in [
            &b""[..],
            b"+1",
            b"-1",
            b"1,1",
            b"1 ",
            b"0x1",
            b"18446744073709551616",
        ] {
            assert_eq!(length(&[not]), Err(Violation::ContentLength));
        }
        assert_eq!(length(&[b"1", b"1"]), Err(Violation::ContentLength));
    }
}
