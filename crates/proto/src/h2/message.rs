//! The message rules of RFC 9113, section 8: which lines make a request, a response or trailers, and which must
//! never be sent.
//!
//! A block's lines come one by one ([`HeadReader::line`]). The first thing that is wrong is remembered, and nothing
//! after it is kept; so a block can be decoded to its end, for the sake of the compression state, at no cost.

use crate::error::{UsageError, Violation};
use crate::fields::{Field, Fields, Joined, Text};
use crate::head::{Control, Request, Response, Version};
use crate::limits::Limits;
use crate::syntax;

/// What a block is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Request,
    Response,
    Trailers,
}

/// What a line is, as far as the line alone decides. The decoder keeps it beside the lines of its tables, so that a
/// line that comes again is known to be good: its octets are looked at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Class {
    /// Nobody has looked yet, or it was no good.
    #[default]
    Unknown,
    /// A field that only the caller has a use for.
    Field,
    ContentLength,
    Cookie,
    Expect,
    Host,
    Priority,
    /// The one that only a request may have.
    Te,
    Authority,
    Method,
    Path,
    Protocol,
    Scheme,
    Status,
}

/// Which classes of lines a head has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Classes(u16);

impl Classes {
    fn add(&mut self, class: Class) {
        self.0 |= 1 << class as u16;
    }

    /// Whether there is a line of this class.
    pub(super) fn contain(self, class: Class) -> bool {
        self.0 & 1 << class as u16 != 0
    }
}

/// Puts a head together.
pub(super) struct HeadReader<'l> {
    shape: Shape,
    limits: &'l Limits,
    fields: Fields,
    method: Option<Text>,
    control: Control,
    status: Option<u16>,
    classes: Classes,
    /// How many lines go on with a cookie that began before.
    crumbs: usize,
    fault: Option<Violation>,
}

impl<'l> HeadReader<'l> {
    /// For a block of this many octets: lists that are likely to need no second allocation. An octet is a whole
    /// line where the peer's table knows it.
    pub(super) fn new(shape: Shape, limits: &'l Limits, block: usize) -> Self {
        let lines = block.clamp(4, 16);
        Self {
            shape,
            limits,
            fields: Fields::with_capacity(lines, (block * 4).clamp(384, 1024)),
            method: None,
            control: Control::default(),
            status: None,
            classes: Classes::default(),
            crumbs: 0,
            fault: None,
        }
    }

    /// Takes one line, and leaves what it is.
    pub(super) fn line(&mut self, line: Joined<'_>, class: &mut Class) {
        if self.fault.is_none() {
            self.fault = self.take(line, class).err();
        }
    }

    /// What has come.
    pub(super) fn classes(&self) -> Classes {
        self.classes
    }

    /// Not all lines were handed over.
    pub(super) fn too_large(&mut self) {
        self.fault.get_or_insert(Violation::HeadTooLarge);
    }

    fn take(&mut self, line: Joined<'_>, class: &mut Class) -> Result<(), Violation> {
        if *class == Class::Unknown {
            *class = self.classify(line.field())?;
        }
        // Every cookie in a line of its own is how browsers send one field (RFC 9113, section 8.2.3).
        let crumb = *class == Class::Cookie && self.classes.contain(Class::Cookie);
        self.classes.add(*class);
        match class {
            Class::Authority
            | Class::Method
            | Class::Path
            | Class::Protocol
            | Class::Scheme
            | Class::Status => return self.pseudo(*class, line.value()),
            Class::Te if self.shape != Shape::Request => return Err(Violation::ConnectionField),
            _ => {}
        }
        self.crumbs += usize::from(crumb);
        if !crumb && self.fields.len() - self.crumbs >= self.limits.fields {
            return Err(Violation::TooManyFields);
        }
        self.fields.push_lower(line);
        Ok(())
    }

    /// Looks at a line for the first time.
    #[inline(never)]
    fn classify(&self, field: Field<'_>) -> Result<Class, Violation> {
        let Field { name, value, .. } = field;
        if name.first() != Some(&b':') {
            return classify_field(field);
        }
        let of_request = self.shape == Shape::Request && self.fields.is_empty();
        let (class, valid, why) = match name {
            b":status" if self.shape == Shape::Response => return Ok(Class::Status),
            _ if !of_request => return Err(Violation::PseudoField),
            b":method" => (Class::Method, syntax::is_token(value), Violation::Method),
            b":scheme" => (Class::Scheme, syntax::is_scheme(value), Violation::Target),
            b":path" if value.len() > self.limits.target => return Err(Violation::TargetTooLong),
            b":path" => (Class::Path, syntax::is_path(value), Violation::Target),
            b":protocol" => (
                Class::Protocol,
                syntax::is_protocol(value),
                Violation::PseudoField,
            ),
            b":authority" => (
                Class::Authority,
                syntax::is_authority(value),
                Violation::Authority,
            ),
            _ => return Err(Violation::PseudoField),
        };
        if valid { Ok(class) } else { Err(why) }
    }

    /// A pseudo field: each at most once, before all others, and none in trailers (RFC 9113, section 8.3).
    fn pseudo(&mut self, class: Class, value: &[u8]) -> Result<(), Violation> {
        if !self.fields.is_empty() {
            return Err(Violation::PseudoField);
        }
        let place = match (self.shape, class) {
            (Shape::Response, Class::Status) if self.status.is_none() => {
                self.status = Some(status(value)?);
                return Ok(());
            }
            (Shape::Request, Class::Authority) => &mut self.control.authority,
            (Shape::Request, Class::Method) => &mut self.method,
            (Shape::Request, Class::Path) if value.len() > self.limits.target => {
                return Err(Violation::TargetTooLong);
            }
            (Shape::Request, Class::Path) => &mut self.control.path,
            (Shape::Request, Class::Protocol) => &mut self.control.protocol,
            (Shape::Request, Class::Scheme) => &mut self.control.scheme,
            _ => return Err(Violation::PseudoField),
        };
        if place.is_some() {
            return Err(Violation::PseudoField);
        }
        *place = Some(self.fields.keep(value));
        Ok(())
    }

    /// The request, once all lines have come (RFC 9113, section 8.3.1). `extended`: it may be a CONNECT for a
    /// protocol, which names its target as other requests do (RFC 8441, section 4).
    pub(super) fn request(mut self, extended: bool) -> Result<Request, Violation> {
        if let Some(why) = self.fault {
            return Err(why);
        }
        self.control.method = self.method.ok_or(Violation::PseudoField)?;
        let connect = self.fields.text(self.control.method) == b"CONNECT";
        match self.control.protocol {
            Some(_) if !(connect && extended) => return Err(Violation::PseudoField),
            None if connect => self.check_connect()?,
            _ => self.check_target()?,
        }
        Ok(Request::assembled(
            self.fields,
            Version::Http2,
            self.control,
        ))
    }

    /// CONNECT names an authority with a port, and nothing else (RFC 9113, section 8.5).
    fn check_connect(&self) -> Result<(), Violation> {
        if self.control.scheme.is_some() || self.control.path.is_some() {
            return Err(Violation::PseudoField);
        }
        let authority = self.control.authority.ok_or(Violation::Authority)?;
        let authority = self.fields.text(authority);
        let Some(port @ [_, ..]) = port(authority) else {
            return Err(Violation::Authority);
        };
        match self.only_host()? {
            Some(host) if !same_authority(authority, host, port) => Err(Violation::Authority),
            _ => Ok(()),
        }
    }

    fn check_target(&mut self) -> Result<(), Violation> {
        let (Some(scheme), Some(path)) = (self.control.scheme, self.control.path) else {
            return Err(Violation::PseudoField);
        };
        let (scheme, path) = (self.fields.text(scheme), self.fields.text(path));
        if !begins_well(self.fields.text(self.control.method), path) {
            return Err(Violation::Target);
        }
        let of_http = || {
            [&b"http"[..], b"https"]
                .iter()
                .any(|of| scheme.eq_ignore_ascii_case(of))
        };
        match (self.control.authority, self.only_host()?) {
            (Some(authority), Some(host)) => {
                let authority = self.fields.text(authority);
                if !same_authority(authority, host, default_port(scheme)) {
                    return Err(Violation::Authority);
                }
            }
            (None, Some(host)) if syntax::is_authority(host) => {
                let host = host.to_vec();
                self.control.authority = Some(self.fields.keep(&host));
            }
            (None, Some(_)) => return Err(Violation::Authority),
            // These schemes have an authority always (RFC 9113, section 8.3.1).
            (None, None) if of_http() => return Err(Violation::Authority),
            _ => {}
        }
        Ok(())
    }

    fn only_host(&self) -> Result<Option<&[u8]>, Violation> {
        if self.classes.contain(Class::Host) {
            only_host(&self.fields)
        } else {
            Ok(None)
        }
    }

    /// The response, once all lines have come (RFC 9113, section 8.3.2). There is no 101 (section 8.6).
    pub(super) fn response(self) -> Result<Response, Violation> {
        match (self.fault, self.status) {
            (Some(why), _) => Err(why),
            (None, None) => Err(Violation::PseudoField),
            (None, Some(101)) => Err(Violation::Status),
            (None, Some(status)) => Ok(Response::over(self.fields, status)),
        }
    }

    /// The trailers, once all lines have come. Those that would frame or route the message are dropped (RFC 9110,
    /// section 6.5.1).
    pub(super) fn trailers(mut self) -> Result<Fields, Violation> {
        if let Some(why) = self.fault {
            return Err(why);
        }
        self.fields.retain(|field| syntax::may_trail(field.name));
        Ok(self.fields)
    }
}

/// What a field is that is within its grammar and that HTTP/2 has a use for (RFC 9113, section 8.2).
fn classify_field(field: Field<'_>) -> Result<Class, Violation> {
    if !syntax::is_lower_token(field.name) {
        return Err(Violation::FieldName);
    }
    if !syntax::is_field_value(field.value) {
        return Err(Violation::FieldValue);
    }
    if is_of_the_connection(field, true) {
        return Err(Violation::ConnectionField);
    }
    Ok(match field.name {
        b"content-length" => Class::ContentLength,
        b"cookie" => Class::Cookie,
        b"expect" => Class::Expect,
        b"host" => Class::Host,
        b"priority" => Class::Priority,
        b"te" => Class::Te,
        _ => Class::Field,
    })
}

/// Whether a caller's lines can be sent in a response: names and values within their grammar, and nothing that is
/// HTTP/1.1's connection management (RFC 9113, section 8.2).
pub(super) fn check_lines(fields: &Fields) -> Result<(), UsageError> {
    check_lines_of(Shape::Response, fields)
}

fn check_lines_of(shape: Shape, fields: &Fields) -> Result<(), UsageError> {
    let fit = fields.iter().all(|field| {
        syntax::is_lower_token(field.name)
            && syntax::is_field_value(field.value)
            && !is_of_the_connection(field, shape == Shape::Request)
    });
    if fit {
        Ok(())
    } else {
        Err(UsageError::BadField)
    }
}

/// Whether a caller's lines can be sent as trailers.
pub(super) fn check_trailers(trailers: &Fields) -> Result<(), UsageError> {
    check_lines(trailers)?;
    if trailers.iter().all(|field| syntax::may_trail(field.name)) {
        Ok(())
    } else {
        Err(UsageError::BadField)
    }
}

/// Whether a caller's request has the control data that it needs, all within their grammar.
pub(super) fn check_request(head: &Request) -> Result<(), UsageError> {
    check_lines_of(Shape::Request, &head.fields)?;
    let connect = head.method() == b"CONNECT";
    let fit = syntax::is_token(head.method())
        && head
            .protocol()
            .is_none_or(|protocol| connect && syntax::is_protocol(protocol))
        && head.scheme().is_none_or(syntax::is_scheme)
        && head.authority().is_none_or(syntax::is_authority)
        && head
            .path()
            .is_none_or(|path| is_path_of(head.method(), path));
    let host = only_host(&head.fields).map_err(|_| UsageError::BadField)?;
    if !fit {
        return Err(UsageError::BadField);
    }
    let tunnel = connect && head.protocol().is_none();
    let complete = if tunnel {
        head.scheme().is_none() && head.path().is_none()
    } else {
        head.scheme().is_some() && head.path().is_some()
    };
    let Some(authority) = head.authority().filter(|_| complete) else {
        return Err(UsageError::Incomplete);
    };
    let default_port = match port(authority) {
        Some(port @ [_, ..]) if tunnel => port,
        _ if tunnel => return Err(UsageError::Incomplete),
        _ => default_port(head.scheme().unwrap_or_default()),
    };
    match host {
        Some(host) if !same_authority(authority, host, default_port) => Err(UsageError::BadField),
        _ => Ok(()),
    }
}

/// The caller's request with the authority in its place: HTTP/2 has it in `:authority`, where HTTP/1.1 had the Host
/// field alone (RFC 9113, section 8.3.1).
pub(super) fn with_authority(head: Request) -> Request {
    if head.authority().is_some() {
        return head;
    }
    match head.fields.first(b"host").map(<[u8]>::to_vec) {
        Some(host) => head.with_authority(&host),
        None => head,
    }
}

/// A status as three digits.
pub(super) fn status_digits(status: u16) -> [u8; 3] {
    let digit = |value: u16| b'0' + (value % 10) as u8;
    [digit(status / 100), digit(status / 10), digit(status)]
}

fn status(value: &[u8]) -> Result<u16, Violation> {
    match value {
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => syntax::number(value)
            .and_then(|number| u16::try_from(number).ok())
            .ok_or(Violation::Status),
        _ => Err(Violation::Status),
    }
}

/// The fields that HTTP/2 has no use for, and that a gateway must not carry over (RFC 9113, section 8.2.2).
fn is_of_the_connection(field: Field<'_>, in_request: bool) -> bool {
    match field.name {
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => {
            true
        }
        b"te" => !(in_request && field.value.eq_ignore_ascii_case(b"trailers")),
        _ => false,
    }
}

/// The Host field, of which there may be one (RFC 9110, section 7.2).
fn only_host(fields: &Fields) -> Result<Option<&[u8]>, Violation> {
    let mut hosts = fields.all(b"host");
    match (hosts.next(), hosts.next()) {
        (host, None) => Ok(host),
        _ => Err(Violation::Authority),
    }
}

/// Whether this is the path of a request with this method (RFC 9113, section 8.3.1).
fn is_path_of(method: &[u8], path: &[u8]) -> bool {
    begins_well(method, path) && syntax::is_path(path)
}

/// Whether a path begins as that of a request with this method has to. Whatever the scheme: without its slash it would
/// be part of the authority to others.
fn begins_well(method: &[u8], path: &[u8]) -> bool {
    path.first() == Some(&b'/') || (path == b"*" && method == b"OPTIONS")
}

fn default_port(scheme: &[u8]) -> &'static [u8] {
    if scheme.eq_ignore_ascii_case(b"https") {
        b"443"
    } else {
        b"80"
    }
}

/// Whether two authorities are one (RFC 9113, section 8.3.1), the scheme's own port written or not.
fn same_authority(one: &[u8], other: &[u8], default_port: &[u8]) -> bool {
    let parts = |authority| {
        let port = port(authority);
        let host = match port {
            Some(port) => authority.get(..authority.len() - port.len() - 1),
            None => Some(authority),
        };
        let port = port.filter(|port| !port.is_empty());
        (host.unwrap_or_default(), port.unwrap_or(default_port))
    };
    let ((host, port), (other_host, other_port)) = (parts(one), parts(other));
    host.eq_ignore_ascii_case(other_host) && port == other_port
}

/// What follows the colon behind the host, if there is one: not one of those within an IPv6 address.
fn port(authority: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b':', authority)?;
    let port = authority.get(at + 1..)?;
    port.iter().all(u8::is_ascii_digit).then_some(port)
}
