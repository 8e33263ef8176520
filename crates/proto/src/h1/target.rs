//! The target of a request in its four forms (RFC 9112, section 3.2).

use crate::error::Violation;
use crate::syntax;

/// A target, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// `/path?query`: the authority is the Host field's.
    Origin(&'a [u8]),
    /// `http://host/path?query`: decides over the Host field.
    Absolute {
        /// `http` or `https`, in lower case.
        scheme: &'static [u8],
        /// Host and port.
        authority: &'a [u8],
        /// Path and query as they stand; empty when nothing follows the authority.
        path: &'a [u8],
    },
    /// `host:port`, for CONNECT.
    Authority(&'a [u8]),
    /// `*`, for OPTIONS.
    Asterisk,
}

impl<'a> Target<'a> {
    /// Takes a target apart by the form that its method asks for.
    pub(super) fn parse(method: &[u8], target: &'a [u8]) -> Result<Self, Violation> {
        let parsed = if method == b"CONNECT" {
            Self::tunnel(target)
        } else if target == b"*" {
            (method == b"OPTIONS").then_some(Target::Asterisk)
        } else if target.first() == Some(&b'/') {
            syntax::is_path(target).then_some(Target::Origin(target))
        } else {
            Self::absolute(target)
        };
        parsed.ok_or(Violation::Target)
    }

    /// Host and port, neither of them empty (RFC 9110, section 9.3.6).
    fn tunnel(target: &'a [u8]) -> Option<Self> {
        let colon = memchr::memrchr(b':', target)?;
        let (host, port) = target.split_at(colon);
        let named = is_host(host) && !host.is_empty() && port.len() > 1 && is_port(port);
        named.then_some(Target::Authority(target))
    }

    fn absolute(target: &'a [u8]) -> Option<Self> {
        let colon = memchr::memchr(b':', target)?;
        let (scheme, rest) = target.split_at(colon);
        let scheme: &'static [u8] = if scheme.eq_ignore_ascii_case(b"http") {
            b"http"
        } else if scheme.eq_ignore_ascii_case(b"https") {
            b"https"
        } else {
            return None;
        };
        let rest = rest.strip_prefix(b"://")?;
        let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let valid = !authority.is_empty()
            && is_host_and_port(authority)
            && (path.is_empty() || syntax::is_path(path));
        valid.then_some(Target::Absolute {
            scheme,
            authority,
            path,
        })
    }
}

/// Whether a Host field has this value: `uri-host [ ":" port ]`, or nothing (RFC 9110, section 7.2).
pub(super) fn is_host_and_port(octets: &[u8]) -> bool {
    if octets.is_empty() {
        return true;
    }
    // These are short words: a plain loop is quicker than a search that has to warm up.
    let bracket = octets.iter().rposition(|octet| *octet == b']');
    let colon = octets.iter().rposition(|octet| *octet == b':');
    let end = colon.filter(|colon| bracket.is_none_or(|bracket| bracket < *colon));
    let (host, port) = octets.split_at(end.unwrap_or(octets.len()));
    !host.is_empty() && is_host(host) && (port.is_empty() || is_port(port))
}

/// A name, an IPv4 address, or an IP literal in brackets.
fn is_host(octets: &[u8]) -> bool {
    let bracket = |octet: &u8| matches!(octet, b'[' | b']');
    match octets.strip_prefix(b"[") {
        Some(literal) => literal
            .strip_suffix(b"]")
            .is_some_and(|inside| syntax::is_authority(inside) && !inside.iter().any(bracket)),
        None => {
            octets.is_empty()
                || syntax::is_authority(octets)
                    && !octets.iter().any(|octet| bracket(octet) || *octet == b':')
        }
    }
}

/// `:` and digits, which may be none.
fn is_port(octets: &[u8]) -> bool {
    octets
        .strip_prefix(b":")
        .is_some_and(|digits| digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_belongs_to_its_method() {
        let absolute = Target::Absolute {
            scheme: b"http",
            authority: b"a:80",
            path: b"?q",
        };
        for (method, target, form) in [
            (&b"GET"[..], &b"/a?b"[..], Some(Target::Origin(b"/a?b"))),
            (b"GET", b"HTTP://a:80?q", Some(absolute)),
            (b"GET", b"*", None),
            (b"GET", b"a:80", None),
            (b"GET", b"ftp://a/", None),
            (b"GET", b"http:///a", None),
            (b"GET", b"http://u@a/", None),
            (b"GET", b"/a#b", None),
            (b"OPTIONS", b"*", Some(Target::Asterisk)),
            (
                b"CONNECT",
                b"[::1]:443",
                Some(Target::Authority(b"[::1]:443")),
            ),
            (b"CONNECT", b"a:", None),
            (b"CONNECT", b":80", None),
            (b"CONNECT", b"/", None),
            (b"CONNECT", b"http://a:80/", None),
        ] {
            let parsed = Target::parse(method, target);
            assert_eq!(parsed.ok(), form, "{}", target.escape_ascii());
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for good in [
            &b""[..],
            b"a",
            b"a.b:80",
            b"[::1]",
            b"[::1]:80",
            b"a:",
            b"%41",
        ] {
            assert!(is_host_and_port(good), "{}", good.escape_ascii());
        }
        for not in [
            &b":80"[..],
            b"a:b",
            b"a:1:2",
            b"[::1",
            b"::1",
            b"a b",
            b"a/b",
            b"u@a",
            b"a:123456",
        ] {
            assert!(!is_host_and_port(not), "{}", not.escape_ascii());
        }
    }
}
