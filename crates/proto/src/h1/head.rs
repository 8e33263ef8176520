//! Heads and trailers, parsed once from a complete section whose end [`Scan`](super::scan::Scan) has found.

use super::framing::Facts;
use super::target::{Target, is_host_and_port};
use crate::error::Violation;
use crate::fields::Fields;
use crate::head::{Request, Response, Version};
use crate::limits::Limits;
use crate::syntax;
use std::mem::MaybeUninit;

/// Field lines up to which a head is parsed without a list on the heap.
const USUAL_FIELDS: usize = 48;
/// Octets beside those of the head that most requests keep.
const SCHEME_AND_HOST: usize = 32;

/// Parses the head of a request that has this many field lines. `scheme` is the connection's.
pub(super) fn request(
    octets: &[u8],
    lines: usize,
    scheme: &'static [u8],
    limits: &Limits,
) -> Result<(Request, Facts), Violation> {
    with_room(lines, |room| {
        let mut parsed = httparse::Request::new(&mut []);
        let config = httparse::ParserConfig::default();
        let status = config.parse_request_with_uninit_headers(&mut parsed, octets, room);
        complete(status, octets)?;
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            return Err(Violation::StartLine);
        };
        let (method, target) = (method.as_bytes(), target.as_bytes());
        if target.len() > limits.target {
            return Err(Violation::TargetTooLong);
        }
        let version = version(parsed.version)?;
        let target = Target::parse(method, target)?;

        let mut facts = Facts::new(version);
        let mut host: Option<&[u8]> = None;
        // The head has room for all of it but the scheme, and the host once more.
        let mut fields = Fields::with_capacity(lines, octets.len() + SCHEME_AND_HOST);
        for line in parsed.headers.iter() {
            let (name, mut value) = (line.name.as_bytes(), line.value);
            if name.len() == 4 && name.eq_ignore_ascii_case(b"host") {
                if host.is_some() || !is_host_and_port(value) {
                    return Err(Violation::Authority);
                }
                host = Some(value);
                if let Target::Absolute { authority, .. } = target {
                    // Nobody above shall see a Host that does not count (RFC 9112, section 3.2.2).
                    value = authority;
                }
            } else {
                facts.note(name, value)?;
            }
            fields.push(name, value);
        }
        if host.is_none() && version != Version::Http10 {
            return Err(Violation::Authority);
        }
        let mut head = Request::over(fields, method);
        head.version = version;
        Ok((with_target(head, target, scheme, host), facts))
    })
}

/// Parses the head of a response that has this many field lines.
pub(super) fn response(octets: &[u8], lines: usize) -> Result<(Response, Facts), Violation> {
    with_room(lines, |room| {
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let status = config.parse_response_with_uninit_headers(&mut parsed, octets, room);
        complete(status, octets)?;
        let status = parsed.code.filter(|code| *code >= 100);
        let mut facts = Facts::new(version(parsed.version)?);
        let mut fields = Fields::with_capacity(lines, octets.len());
        for line in parsed.headers.iter() {
            // An expectation means nothing here.
            if !line.name.eq_ignore_ascii_case("expect") {
                facts.note(line.name.as_bytes(), line.value)?;
            }
            fields.push(line.name.as_bytes(), line.value);
        }
        let mut head = Response::over(fields, status.ok_or(Violation::Status)?);
        if let Some(reason) = parsed.reason.filter(|reason| !reason.is_empty()) {
            head = head.with_reason(reason.as_bytes());
        }
        Ok((head, facts))
    })
}

/// Parses the field lines after the last chunk. Those that would frame or route the message are dropped (RFC 9110,
/// section 6.5.1).
pub(super) fn trailers(octets: &[u8], lines: usize) -> Result<Option<Fields>, Violation> {
    if lines == 0 {
        return Ok(None);
    }
    let mut room = vec![httparse::EMPTY_HEADER; lines];
    let parsed = match httparse::parse_headers(octets, &mut room) {
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        Ok(httparse::Status::Partial) => return Err(Violation::FieldLine),
        Err(error) => return Err(violation(error, octets)),
    };
    let mut fields = Fields::with_capacity(lines, octets.len());
    for line in parsed {
        if syntax::may_trail(line.name.as_bytes()) {
            fields.push(line.name.as_bytes(), line.value);
        }
    }
    Ok(Some(fields))
}

fn with_target(
    head: Request,
    target: Target<'_>,
    scheme: &'static [u8],
    host: Option<&[u8]>,
) -> Request {
    // An empty Host says that there is no authority (RFC 9112, section 3.2).
    let by_host = |head: Request| match host {
        Some(host) if !host.is_empty() => head.with_authority(host),
        _ => head,
    };
    match target {
        Target::Origin(path) => by_host(head.with_scheme(scheme).with_path(path)),
        Target::Asterisk => by_host(head.with_scheme(scheme).with_path(b"*")),
        Target::Authority(authority) => head.with_authority(authority),
        Target::Absolute {
            scheme,
            authority,
            path,
        } => {
            let head = head.with_scheme(scheme).with_authority(authority);
            match path.first() {
                Some(b'/') => head.with_path(path),
                None if head.method() == b"OPTIONS" => head.with_path(b"*"),
                _ => head.with_path(&[b"/", path].concat()),
            }
        }
    }
}

fn with_room<'b, T>(
    lines: usize,
    parse: impl FnOnce(&mut [MaybeUninit<httparse::Header<'b>>]) -> T,
) -> T {
    if lines <= USUAL_FIELDS {
        parse(&mut [const { MaybeUninit::uninit() }; USUAL_FIELDS])
    } else {
        parse(&mut vec![MaybeUninit::uninit(); lines])
    }
}

fn version(minor: Option<u8>) -> Result<Version, Violation> {
    match minor {
        Some(0) => Ok(Version::Http10),
        Some(1) => Ok(Version::Http11),
        _ => Err(Violation::Version),
    }
}

fn complete(
    status: Result<httparse::Status<usize>, httparse::Error>,
    octets: &[u8],
) -> Result<(), Violation> {
    match status {
        Ok(httparse::Status::Complete(length)) if length == octets.len() => Ok(()),
        // The section is complete: a parser that ends elsewhere has read another message than the scan.
        Ok(_) => Err(Violation::StartLine),
        Err(error) => Err(violation(error, octets)),
    }
}

fn violation(error: httparse::Error, octets: &[u8]) -> Violation {
    match error {
        httparse::Error::HeaderName => Violation::FieldLine,
        httparse::Error::HeaderValue => Violation::FieldValue,
        httparse::Error::Status => Violation::Status,
        httparse::Error::TooManyHeaders => Violation::TooManyFields,
        httparse::Error::Version if names_a_version(octets) => Violation::Version,
        httparse::Error::Version | httparse::Error::Token | httparse::Error::NewLine => {
            Violation::StartLine
        }
    }
}

/// Whether the start line has a version where one belongs, though not one of ours: `HTTP/` and two digits.
fn names_a_version(octets: &[u8]) -> bool {
    let end = memchr::memchr(b'\r', octets).unwrap_or(octets.len());
    let line = octets.get(..end).unwrap_or_default();
    let is_version = |word: &[u8]| {
        matches!(word.strip_prefix(b"HTTP/"), Some([major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit())
    };
    let mut words = line.split(|octet| *octet == b' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(first), ..) if is_version(first) => true,
        (Some(_), Some(target), Some(third), None) => !target.is_empty() && is_version(third),
        _ => false,
    }
}
