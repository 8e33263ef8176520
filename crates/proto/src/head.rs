//! Heads of messages (RFC 9110, section 6): control data beside the field lines.
//!
//! Control data is typed, so that no layer above a session sees a pseudo field or a request line: HTTP/1.1
//! writes them as a start line, HTTP/2 as `:method`, `:path` and their kin, SPDY as it does.

use crate::fields::{Fields, Text};
use std::fmt;

/// The version of HTTP that a message came with, or that it shall be shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// As `SERVER_PROTOCOL` and access logs show it.
    ///
    /// ```
    /// assert_eq!(thalweg_proto::head::Version::Http2.as_str(), "HTTP/2");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The head of a request.
///
/// ```
/// use thalweg_proto::head::Request;
///
/// let request = Request::new(b"GET")
///     .with_scheme(b"https")
///     .with_authority(b"example.org")
///     .with_path(b"/?q=1")
///     .with_field(b"accept", b"*/*");
/// assert_eq!(request.path(), Some(&b"/?q=1"[..]));
/// assert_eq!(request.fields.first(b"accept"), Some(&b"*/*"[..]));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The field lines; the arena also holds the control data.
    pub fields: Fields,
    /// The version that it came with. A session that sends a request uses its own.
    pub version: Version,
    control: Control,
}

/// The control data of a request: where its list keeps them.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) method: Text,
    pub(crate) scheme: Option<Text>,
    pub(crate) authority: Option<Text>,
    pub(crate) path: Option<Text>,
    pub(crate) protocol: Option<Text>,
}

impl Request {
    /// A request with this method and nothing else yet.
    pub fn new(method: &[u8]) -> Self {
        Self::over(Fields::with_capacity(12, 512), method)
    }

    /// A request over a list that a session has begun to fill.
    pub fn over(mut fields: Fields, method: &[u8]) -> Self {
        let method = fields.keep(method);
        let control = Control {
            method,
            ..Control::default()
        };
        Self::assembled(fields, Version::Http11, control)
    }

    /// A request whose control data its list keeps already.
    pub(crate) fn assembled(fields: Fields, version: Version, control: Control) -> Self {
        Self {
            fields,
            version,
            control,
        }
    }

    /// Sets the scheme: `http`, `https`.
    #[must_use]
    pub fn with_scheme(mut self, scheme: &[u8]) -> Self {
        self.control.scheme = Some(self.fields.keep(scheme));
        self
    }

    /// Sets the authority: host and, where it is not the scheme's own, port.
    #[must_use]
    pub fn with_authority(mut self, authority: &[u8]) -> Self {
        self.control.authority = Some(self.fields.keep(authority));
        self
    }

    /// Sets path and query, or `*`.
    #[must_use]
    pub fn with_path(mut self, path: &[u8]) -> Self {
        self.control.path = Some(self.fields.keep(path));
        self
    }

    /// Sets the protocol that an extended CONNECT asks for (RFC 8441).
    #[must_use]
    pub fn with_protocol(mut self, protocol: &[u8]) -> Self {
        self.control.protocol = Some(self.fields.keep(protocol));
        self
    }

    /// Appends a field line.
    #[must_use]
    pub fn with_field(mut self, name: &[u8], value: &[u8]) -> Self {
        self.fields.push(name, value);
        self
    }

    /// The method, in its own letter case.
    pub fn method(&self) -> &[u8] {
        self.fields.text(self.control.method)
    }

    /// The scheme; none for CONNECT.
    pub fn scheme(&self) -> Option<&[u8]> {
        self.control.scheme.map(|text| self.fields.text(text))
    }

    /// The authority, from `:authority`, an absolute target or the Host field (HTTP/1.1: whichever decides).
    pub fn authority(&self) -> Option<&[u8]> {
        self.control.authority.map(|text| self.fields.text(text))
    }

    /// Path and query as sent, or `*`; none for CONNECT.
    pub fn path(&self) -> Option<&[u8]> {
        self.control.path.map(|text| self.fields.text(text))
    }

    /// The protocol of an extended CONNECT (RFC 8441).
    pub fn protocol(&self) -> Option<&[u8]> {
        self.control.protocol.map(|text| self.fields.text(text))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |text: Option<&[u8]>| text.map(|octets| octets.escape_ascii().to_string());
        f.debug_struct("Request")
            .field("version", &self.version)
            .field("method", &self.method().escape_ascii().to_string())
            .field("scheme", &show(self.scheme()))
            .field("authority", &show(self.authority()))
            .field("path", &show(self.path()))
            .field("protocol", &show(self.protocol()))
            .field("fields", &self.fields)
            .finish()
    }
}

/// The head of a response, informational or final.
///
/// ```
/// use thalweg_proto::head::Response;
///
/// let response = Response::new(404).with_field(b"content-length", b"0");
/// assert!(!response.is_informational());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The field lines.
    pub fields: Fields,
    reason: Option<Text>,
}

impl Response {
    /// A response with this status and no fields, with room for those of most responses.
    pub fn new(status: u16) -> Self {
        Self::over(Fields::with_capacity(8, 256), status)
    }

    /// A response over a list that is already filled.
    pub fn over(fields: Fields, status: u16) -> Self {
        Self {
            status,
            fields,
            reason: None,
        }
    }

    /// Sets the reason phrase, which only HTTP/1.x carries.
    #[must_use]
    pub fn with_reason(mut self, reason: &[u8]) -> Self {
        self.reason = Some(self.fields.keep(reason));
        self
    }

    /// Appends a field line.
    #[must_use]
    pub fn with_field(mut self, name: &[u8], value: &[u8]) -> Self {
        self.fields.push(name, value);
        self
    }

    /// The reason phrase, where one was set.
    pub fn reason(&self) -> Option<&[u8]> {
        self.reason.map(|text| self.fields.text(text))
    }

    /// Whether this is a 1xx, after which another head follows. 101 is one by its number, though it ends HTTP.
    pub fn is_informational(&self) -> bool {
        (100..200).contains(&self.status)
    }
}
