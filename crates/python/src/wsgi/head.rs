//! The head of a response, from what an application gave to `start_response`: everything is checked at once, and
//! what is refused raises in the application.

use super::native;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use std::borrow::Cow;
use thalweg_proto::fields::Fields;
use thalweg_proto::head::Response;
use thalweg_proto::syntax::{is_token, number};

/// A checked head.
pub(super) struct Head {
    pub(super) response: Response,
    /// What its Content-Length says.
    pub(super) length: Option<u64>,
}

impl Head {
    /// Checks status and headers.
    ///
    /// # Errors
    /// TypeError for anything but native strings, a list and tuples; ValueError for values that HTTP, or PEP 3333,
    /// does not allow.
    pub(super) fn new(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<Self> {
        let line = native_octets(status, "the status")?;
        let (status, reason) = status_line(&line)?;
        let headers = headers.cast::<PyList>().map_err(|_| {
            PyTypeError::new_err(format!(
                "start_response: headers must be a list, not {}",
                type_name(headers)
            ))
        })?;
        // Room for Content-Length, Date, Server and a reason as well, so that the arena seldom grows.
        let fields = Fields::with_capacity(headers.len() + 4, 256);
        let mut head = Self {
            response: Response::over(fields, status),
            length: None,
        };
        for header in headers.iter() {
            head.push(&header)?;
        }
        if !reason.is_empty() {
            head.response = head.response.with_reason(reason);
        }
        Ok(head)
    }

    /// Checks and adds one header. A Content-Length may be repeated, but not differ.
    fn push(&mut self, header: &Bound<'_, PyAny>) -> PyResult<()> {
        let pair = header
            .cast::<PyTuple>()
            .ok()
            .filter(|pair| pair.len() == 2)
            .ok_or_else(|| {
                PyTypeError::new_err("start_response: each header must be a tuple (name, value)")
            })?;
        let (name, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
        let name = native_octets(&name, "a header's name")?;
        let value = native_octets(&value, "a header's value")?;
        if !is_token(&name) {
            return Err(refused(&name, "is no field name"));
        }
        if is_hop_by_hop(&name) {
            return Err(refused(
                &name,
                "is a matter between server and client (hop-by-hop): an application may not set it",
            ));
        }
        if !is_text(&value) {
            return Err(refused(&name, "has control characters in its value"));
        }
        // White space around a value is no part of it (RFC 9110, section 5.5).
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value).ok_or_else(|| refused(&name, "is no number of octets"))?;
            match self.length.replace(length) {
                None => {}
                Some(before) if before == length => return Ok(()),
                Some(_) => return Err(refused(&name, "comes twice, and differs")),
            }
        }
        self.response.fields.push(&name, value);
        Ok(())
    }

    /// Whether a response with this status has no content, and no length of it (RFC 9110, sections 8.6 and 15).
    pub(super) fn is_bodiless(&self) -> bool {
        matches!(self.response.status, 204 | 304)
    }

    /// Adds the length that the server knows and the application did not say.
    pub(super) fn set_length(&mut self, length: u64) {
        self.length = Some(length);
        let digits = length.to_string();
        self.response
            .fields
            .push(b"content-length", digits.as_bytes());
    }

    /// Removes a length that must not be sent.
    pub(super) fn remove_length(&mut self) {
        self.length = None;
        self.response
            .fields
            .retain(|field| field.name != b"content-length");
    }
}

/// `200 OK`: three digits, a space, a reason that may be empty.
fn status_line(line: &[u8]) -> PyResult<(u16, &[u8])> {
    let wrong = |what: &str| {
        PyValueError::new_err(format!(
            "start_response: the status '{}' {what}",
            line.escape_ascii()
        ))
    };
    if !is_text(line) {
        return Err(wrong("has control characters in it"));
    }
    let (digits, rest) = line.split_at_checked(3).unwrap_or_default();
    let status = number(digits)
        .and_then(|status| u16::try_from(status).ok())
        .ok_or_else(|| wrong("does not begin with three digits"))?;
    if status < 200 {
        return Err(wrong("is not final: it must be 200 or above"));
    }
    match rest {
        [] => Ok((status, rest)),
        [b' ', reason @ ..] => Ok((status, reason)),
        _ => Err(wrong("needs a space after its three digits")),
    }
}

/// The octets of a native string.
fn native_octets<'a>(object: &'a Bound<'_, PyAny>, what: &str) -> PyResult<Cow<'a, [u8]>> {
    let text = object.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!(
            "start_response: {what} must be a str, not {}",
            type_name(object)
        ))
    })?;
    // Lone surrogates have no UTF-8, and are not latin-1 either.
    let text = text.to_str().ok();
    text.and_then(native::octets)
        .ok_or_else(|| PyValueError::new_err(format!("start_response: {what} is not latin-1")))
}

fn refused(name: &[u8], why: &str) -> PyErr {
    PyValueError::new_err(format!(
        "start_response: the header '{}' {why}",
        name.escape_ascii()
    ))
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    let name = object.get_type().name();
    name.map_or_else(|_| String::from("that"), |name| name.to_string())
}

/// RFC 9110, section 5.5, and PEP 3333: no control characters but the tab.
fn is_text(octets: &[u8]) -> bool {
    octets
        .iter()
        .all(|octet| *octet == b'\t' || !octet.is_ascii_control())
}

/// PEP 3333, "Other HTTP Features"; RFC 9110, section 7.6.1. `Trailer` only announces, and may pass.
fn is_hop_by_hop(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 9] = [
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailers",
        b"transfer-encoding",
        b"upgrade",
    ];
    NAMES.iter().any(|other| other.eq_ignore_ascii_case(name))
}
