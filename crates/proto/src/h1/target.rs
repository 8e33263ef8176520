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
        // What is behind the last colon may be part of an IP literal.
        let has_port = matches!(target.get(colon + 1..), Some([b'0'..=b'9', ..]))
            && target.last() != Some(&b']');
        let named = has_port && syntax::is_authority(target);
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
        let valid = syntax::is_authority(authority) && (path.is_empty() || syntax::is_path(path));
        valid.then_some(Target::Absolute {
            scheme,
            authority,
            path,
        })
    }
}

/// Whether a Host field has this value: host and port, or nothing (RFC 9110, section 7.2).
pub(super) fn is_host_and_port(octets: &[u8]) -> bool {
    octets.is_empty() || syntax::is_authority(octets)
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
}
