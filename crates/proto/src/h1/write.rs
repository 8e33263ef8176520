//! Heads and chunks as octets (RFC 9112, sections 3, 4, 5 and 7.1), and the checks on what a caller wants sent.

use crate::error::{UsageError, Violation};
use crate::fields::{Field, Fields};
use crate::head::{Request, Response};
use crate::syntax;

/// What the session itself says about the length of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announce {
    /// Nothing: the caller's content-length, if there is one, stands.
    AsGiven,
    /// `content-length: 0`.
    Empty,
    /// `transfer-encoding: chunked`.
    Chunked,
    /// Nothing, and the caller's content-length is left out (RFC 9110, section 8.6).
    Omit,
}

/// What the session says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Nothing: HTTP/1.1 keeps it.
    Kept,
    /// That it is kept, for a client of HTTP/1.0.
    KeptAlive,
    /// That it closes after this message.
    Close,
    /// That it changes its protocol.
    Upgrade,
    /// That it may change to HTTP/2, with settings that are meant for the next hop (RFC 7540, section 3.2.1).
    UpgradeToHttp2,
    /// That TE is meant for the next hop (RFC 9110, section 10.1.4).
    Te,
}

/// What a caller's fields ask of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) close: bool,
    pub(super) upgrade: bool,
    pub(super) content_length: Option<u64>,
}

/// Checks the fields that a caller wants to send, and takes from them what is the session's to say.
pub(super) fn check(fields: &Fields) -> Result<Asked, UsageError> {
    let mut asked = Asked::default();
    let mut upgrade_field = false;
    for Field { name, value, .. } in fields.iter() {
        if !syntax::is_token(name) || !syntax::is_field_value(value) {
            return Err(UsageError::BadField);
        }
        match name {
            b"connection" if value.eq_ignore_ascii_case(b"close") => asked.close = true,
            b"connection" if value.eq_ignore_ascii_case(b"upgrade") => asked.upgrade = true,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" => {
                return Err(UsageError::BadField);
            }
            b"upgrade" => upgrade_field = true,
            b"content-length" => {
                let length = syntax::number(value).ok_or(UsageError::BadField)?;
                if asked.content_length.replace(length).is_some() {
                    return Err(UsageError::BadField);
                }
            }
            _ => {}
        }
    }
    if asked.upgrade && !upgrade_field {
        return Err(UsageError::BadField);
    }
    Ok(asked)
}

/// Checks trailers that a caller wants to send.
pub(super) fn check_trailers(trailers: &Fields) -> Result<(), UsageError> {
    let fit = |Field { name, value, .. }: Field<'_>| {
        syntax::is_token(name) && syntax::is_field_value(value) && syntax::may_trail(name)
    };
    if trailers.iter().all(fit) {
        Ok(())
    } else {
        Err(UsageError::BadField)
    }
}

/// Checks status and reason of a response.
pub(super) fn check_status(head: &Response) -> Result<(), UsageError> {
    let reason_fit = head.reason().is_none_or(|reason| {
        let control = |octet: &u8| octet.is_ascii_control() && *octet != b'\t';
        !reason.iter().any(control)
    });
    if (100..1000).contains(&head.status) && reason_fit {
        Ok(())
    } else {
        Err(UsageError::BadField)
    }
}

/// Writes the head of a response that was checked. The status line names HTTP/1.1 whatever the request's version
/// (RFC 9110, section 6.2).
pub(super) fn response(
    out: &mut Vec<u8>,
    head: &Response,
    announce: Announce,
    connection: Connection,
) {
    status_line(out, head.status, head.reason());
    fields(out, &head.fields, |name| {
        name == b"connection" || announce == Announce::Omit && name == b"content-length"
    });
    end(out, announce, connection);
}

/// Writes the head of a request that was checked, to this target.
pub(super) fn request(
    out: &mut Vec<u8>,
    head: &Request,
    target: &[u8],
    host: &[u8],
    announce: Announce,
    connection: Connection,
) {
    out.extend_from_slice(head.method());
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    line(out, b"host", host);
    fields(out, &head.fields, |name| {
        matches!(name, b"connection" | b"host")
    });
    end(out, announce, connection);
}

/// Writes a whole response of the session's own, after which the connection closes.
pub(super) fn refusal(out: &mut Vec<u8>, why: Violation, date: Option<String>, bodiless: bool) {
    status_line(out, why.status(), None);
    if let Some(date) = date {
        line(out, b"date", date.as_bytes());
    }
    line(out, b"content-type", b"text/plain");
    out.extend_from_slice(b"content-length: ");
    decimal(out, why.text().len() as u64 + 1);
    out.extend_from_slice(b"\r\n");
    end(out, Announce::AsGiven, Connection::Close);
    if !bodiless {
        out.extend_from_slice(why.text().as_bytes());
        out.push(b'\n');
    }
}

/// Writes the line before a chunk of this size (RFC 9112, section 7.1).
pub(super) fn chunk_size(out: &mut Vec<u8>, octets: usize) {
    let mut digits = [0_u8; 16];
    let (mut rest, mut used) = (octets, 0);
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"
            .get(rest & 15)
            .copied()
            .unwrap_or_default();
        rest >>= 4;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(16 - used..).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

/// Writes the last chunk, and trailers where there are any (RFC 9112, section 7.1.2).
pub(super) fn last_chunk(out: &mut Vec<u8>, trailers: Option<&Fields>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        fields(out, trailers, |_| false);
    }
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, status: u16, given: Option<&[u8]>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(given.unwrap_or_else(|| reason(status)));
    out.extend_from_slice(b"\r\n");
}

fn fields(out: &mut Vec<u8>, fields: &Fields, skip: impl Fn(&[u8]) -> bool) {
    for field in fields.iter() {
        if !skip(field.name) {
            line(out, field.name, field.value);
        }
    }
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn end(out: &mut Vec<u8>, announce: Announce, connection: Connection) {
    out.extend_from_slice(match announce {
        Announce::AsGiven | Announce::Omit => b"",
        Announce::Empty => b"content-length: 0\r\n",
        Announce::Chunked => b"transfer-encoding: chunked\r\n",
    });
    out.extend_from_slice(match connection {
        Connection::Kept => b"\r\n",
        Connection::KeptAlive => b"connection: keep-alive\r\n\r\n",
        Connection::Close => b"connection: close\r\n\r\n",
        Connection::Upgrade => b"connection: upgrade\r\n\r\n",
        Connection::UpgradeToHttp2 => b"connection: upgrade, http2-settings\r\n\r\n",
        Connection::Te => b"connection: te\r\n\r\n",
    });
}

fn decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The reason phrase of a status (RFC 9110, section 15, and the registry); empty where there is none.
fn reason(status: u16) -> &'static [u8] {
    match status {
        100 => b"Continue",
        101 => b"Switching Protocols",
        102 => b"Processing",
        103 => b"Early Hints",
        200 => b"OK",
        201 => b"Created",
        202 => b"Accepted",
        203 => b"Non-Authoritative Information",
        204 => b"No Content",
        205 => b"Reset Content",
        206 => b"Partial Content",
        207 => b"Multi-Status",
        208 => b"Already Reported",
        226 => b"IM Used",
        300 => b"Multiple Choices",
        301 => b"Moved Permanently",
        302 => b"Found",
        303 => b"See Other",
        304 => b"Not Modified",
        305 => b"Use Proxy",
        307 => b"Temporary Redirect",
        308 => b"Permanent Redirect",
        400 => b"Bad Request",
        401 => b"Unauthorized",
        402 => b"Payment Required",
        403 => b"Forbidden",
        404 => b"Not Found",
        405 => b"Method Not Allowed",
        406 => b"Not Acceptable",
        407 => b"Proxy Authentication Required",
        408 => b"Request Timeout",
        409 => b"Conflict",
        410 => b"Gone",
        411 => b"Length Required",
        412 => b"Precondition Failed",
        413 => b"Content Too Large",
        414 => b"URI Too Long",
        415 => b"Unsupported Media Type",
        416 => b"Range Not Satisfiable",
        417 => b"Expectation Failed",
        421 => b"Misdirected Request",
        422 => b"Unprocessable Content",
        423 => b"Locked",
        424 => b"Failed Dependency",
        425 => b"Too Early",
        426 => b"Upgrade Required",
        428 => b"Precondition Required",
        429 => b"Too Many Requests",
        431 => b"Request Header Fields Too Large",
        451 => b"Unavailable For Legal Reasons",
        500 => b"Internal Server Error",
        501 => b"Not Implemented",
        502 => b"Bad Gateway",
        503 => b"Service Unavailable",
        504 => b"Gateway Timeout",
        505 => b"HTTP Version Not Supported",
        506 => b"Variant Also Negotiates",
        507 => b"Insufficient Storage",
        508 => b"Loop Detected",
        511 => b"Network Authentication Required",
        _ => b"",
    }
}
