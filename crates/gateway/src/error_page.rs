//! What a client gets where the handler has no answer: a few plain lines that name the request, and nothing of
//! what the client sent.

use crate::request_id::RequestId;
use bytes::Bytes;
use thalweg_proto::head::Response;

/// A page for this status, with one sentence that says what happened.
pub(crate) fn error_page(status: u16, sentence: &str, id: RequestId) -> (Response, Bytes) {
    let reason = reason(status);
    let body = Bytes::from(format!("{status} {reason}\n\n{sentence}\nRequest {id}\n"));
    let head = Response::new(status)
        .with_field(b"content-type", b"text/plain; charset=utf-8")
        .with_field(b"cache-control", b"no-store");
    (head, body)
}

/// The reason phrases (RFC 9110, section 15) of the pages that the gateway makes.
fn reason(status: u16) -> &'static str {
    match status {
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_request_and_is_not_kept() {
        let (head, body) = error_page(500, "It broke.", RequestId::from(1));
        assert_eq!(
            &body[..],
            b"500 Internal Server Error\n\nIt broke.\nRequest 0000000000001\n"
        );
        assert_eq!(head.fields.first(b"cache-control"), Some(&b"no-store"[..]));
    }
}
