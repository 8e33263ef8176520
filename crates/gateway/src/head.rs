//! Heads on their way through the gateway: what belongs to one connection goes, what every response has comes.

use thalweg_proto::fields::Fields;
use thalweg_proto::head::{Request, Response, Version};

/// Whether the client waits for a 100 before it sends the body (RFC 9110, section 10.1.1).
pub(crate) fn awaits_continue(request: &Request) -> bool {
    request.version > Version::Http10
        && request
            .fields
            .first(b"expect")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// Removes the fields that concern one connection only (RFC 9110, section 7.6.1): the session sets its own.
pub(crate) fn remove_connection_fields(fields: &mut Fields, keep_upgrade: bool) {
    fields.retain(|field| match field.name {
        b"upgrade" => keep_upgrade,
        name => !is_of_the_connection(name),
    });
}

/// Makes the final head of a handler's response one that can be sent: without the fields of a connection, with a
/// content-length where `length` tells it, with Date (RFC 9110, section 6.6.1) and Server (section 10.2.4).
pub(crate) fn complete(
    request: &Request,
    head: &mut Response,
    length: Option<usize>,
    date: impl FnOnce(&mut Fields),
) {
    let (mut dated, mut signed, mut measured, mut foreign) = (false, false, false, false);
    for field in head.fields.iter() {
        match field.name {
            b"date" => dated = true,
            b"server" => signed = true,
            b"content-length" => measured = true,
            name => foreign |= is_of_the_connection(name),
        }
    }
    if foreign {
        // With these two statuses HTTP/1.1 names protocols (RFC 9110, section 7.8); HTTP/2 never does.
        let upgrade = request.version == Version::Http11 && matches!(head.status, 101 | 426);
        remove_connection_fields(&mut head.fields, upgrade);
    }
    if let Some(length) = length
        && !measured
        && may_tell_length(request, head, length)
    {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(length).as_bytes();
        head.fields.push(b"content-length", digits);
    }
    if !dated {
        date(&mut head.fields);
    }
    if !signed {
        head.fields.push(b"server", b"thalweg");
    }
}

/// Whether the response to this request has no body, whatever its head says (RFC 9110, section 6.4.1).
pub(crate) fn is_bodiless(request: &Request, head: &Response) -> bool {
    matches!(head.status, 204 | 304) || request.method() == b"HEAD"
}

/// Whether the length of a body that was given with its head may be told (RFC 9110, section 8.6).
fn may_tell_length(request: &Request, head: &Response, length: usize) -> bool {
    let forbidden = matches!(head.status, 101 | 204 | 304)
        || (request.method() == b"CONNECT" && (200..300).contains(&head.status));
    // An empty body for HEAD need not be what GET would get.
    let unknown = length == 0 && request.method() == b"HEAD";
    !forbidden && !unknown
}

fn is_of_the_connection(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection"
            | b"http2-settings"
            | b"keep-alive"
            | b"proxy-connection"
            | b"transfer-encoding"
            | b"upgrade"
    )
}
