//! The head of a response, from what an application gave to `start_response`: everything is checked at once, and
//! what is refused raises in the application.

use super::native;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
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
        let (status, reason) = status_line(status)?;
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
        let mut line = Line::default();
        for header in headers.iter() {
            line.read(&header)?;
            if line.name.eq_ignore_ascii_case(b"content-length") {
                let length = content_length(&line.value)?;
                match head.length {
                    None => head.length = Some(length),
                    Some(before) if before == length => continue,
                    Some(before) => {
                        return Err(PyValueError::new_err(format!(
                            "start_response: two Content-Length headers differ: {before} and {length}"
                        )));
                    }
                }
            }
            head.response.fields.push(&line.name, &line.value);
        }
        if !reason.is_empty() {
            head.response = head.response.with_reason(&reason);
        }
        Ok(head)
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
fn status_line(status: &Bound<'_, PyAny>) -> PyResult<(u16, Vec<u8>)> {
    let wrong = |what: &str| {
        let shown = status.repr().map(|repr| repr.to_string());
        PyValueError::new_err(format!(
            "start_response: the status {} {what}",
            shown.unwrap_or_default()
        ))
    };
    let text = native_text(status, "the status")?;
    let mut octets = Vec::with_capacity(text.len());
    native::octets(text, &mut octets).ok_or_else(|| wrong("is not latin-1"))?;
    if !octets.iter().all(|octet| is_text(*octet)) {
        return Err(wrong("has control characters in it"));
    }
    let (digits, rest) = octets
        .split_at_checked(3)
        .ok_or_else(|| wrong("does not begin with three digits"))?;
    let reason = match rest {
        [] => rest,
        [b' ', reason @ ..] => reason,
        _ => return Err(wrong("needs a space after its three digits")),
    };
    let status = digits
        .iter()
        .try_fold(0, |status: u16, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            Some(status * 10 + digit as u16)
        })
        .ok_or_else(|| wrong("does not begin with three digits"))?;
    if status < 200 {
        return Err(wrong("is not final: it must be 200 or above"));
    }
    Ok((status, reason.to_vec()))
}

/// One header, its buffers used again for the next.
#[derive(Default)]
struct Line {
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Line {
    fn read(&mut self, header: &Bound<'_, PyAny>) -> PyResult<()> {
        let pair = header
            .cast::<PyTuple>()
            .ok()
            .filter(|pair| pair.len() == 2)
            .ok_or_else(|| {
                PyTypeError::new_err("start_response: each header must be a tuple (name, value)")
            })?;
        let (name, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
        self.name.clear();
        let text = native_text(&name, "a header's name")?;
        if native::octets(text, &mut self.name).is_none() || !is_token(&self.name) {
            return Err(refused(&name, "is no field name"));
        }
        if is_hop_by_hop(&self.name) {
            return Err(refused(
                &name,
                "is a matter between server and client (hop-by-hop): an application may not set it",
            ));
        }
        self.value.clear();
        let text = native_text(&value, "a header's value")?;
        // White space around a value is no part of it (RFC 9110, section 5.5).
        let text = text.trim_matches([' ', '\t']);
        if native::octets(text, &mut self.value).is_none() {
            return Err(refused(&name, "has a value that is not latin-1"));
        }
        if !self.value.iter().all(|octet| is_text(*octet)) {
            return Err(refused(&name, "has control characters in its value"));
        }
        Ok(())
    }
}

fn native_text<'a>(object: &'a Bound<'_, PyAny>, what: &str) -> PyResult<&'a str> {
    let text = object.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!(
            "start_response: {what} must be a str, not {}",
            type_name(object)
        ))
    })?;
    // Lone surrogates have no UTF-8, and are not latin-1 either.
    text.to_str()
        .map_err(|_| PyValueError::new_err(format!("start_response: {what} is not latin-1")))
}

fn refused(name: &Bound<'_, PyAny>, why: &str) -> PyErr {
    let shown = name.repr().map(|repr| repr.to_string());
    PyValueError::new_err(format!(
        "start_response: the header {} {why}",
        shown.unwrap_or_default()
    ))
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    let name = object.get_type().name();
    name.map_or_else(|_| String::from("that"), |name| name.to_string())
}

fn content_length(value: &[u8]) -> PyResult<u64> {
    number(value).ok_or_else(|| {
        PyValueError::new_err(format!(
            "start_response: the Content-Length '{}' is no number of octets",
            value.escape_ascii()
        ))
    })
}

/// RFC 9110, section 5.5: no control characters but the tab.
fn is_text(octet: u8) -> bool {
    octet == b'\t' || !octet.is_ascii_control()
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
