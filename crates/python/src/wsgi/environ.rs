//! The environ of a request: a copy of a template whose placeholders are all overwritten, then the fields.
//!
//! ```text
//!  template (private, one a thread)      copy, with room to grow      HTTP_* by cached names
//!  { REQUEST_METHOD: "", … , spare } ──► { REQUEST_METHOD: "GET", … } ──► { …, HTTP_HOST: "example.org" }
//! ```
//!
//! Building each environ from nothing costs some four times as much: the copy takes the hash table as it is, the
//! names are built once, and a value that a name had the last time (browsers repeat themselves) is used again.

use super::native::{native, percent_decoded};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use std::collections::HashMap;
use std::net::SocketAddr;
use thalweg_net::Peer;
use thalweg_net::listen::SocketAddress;
use thalweg_proto::fields::Field;
use thalweg_proto::head::{Request, Version};

/// What one request brings beside its head.
pub(super) struct Circumstances<'a, 'py> {
    pub(super) peer: &'a Peer,
    pub(super) stream: u64,
    pub(super) input: &'a Bound<'py, PyAny>,
}

/// Makes environs, for one application thread.
pub(super) struct Environs {
    template: Py<PyDict>,
    names: Names,
    target: Target,
    places: Places,
}

impl Environs {
    /// `errors` is `wsgi.errors`, `file_wrapper` the type of that name; `multithread` is whether there are other
    /// application threads.
    pub(super) fn new(
        py: Python<'_>,
        errors: &Bound<'_, PyAny>,
        file_wrapper: &Bound<'_, PyAny>,
        multithread: bool,
    ) -> PyResult<Self> {
        let template = PyDict::new(py);
        let placeholder = intern!(py, "");
        for key in [
            intern!(py, "REQUEST_METHOD"),
            intern!(py, "SCRIPT_NAME"),
            intern!(py, "PATH_INFO"),
            intern!(py, "QUERY_STRING"),
            intern!(py, "REQUEST_URI"),
            intern!(py, "SERVER_NAME"),
            intern!(py, "SERVER_PORT"),
            intern!(py, "SERVER_PROTOCOL"),
            intern!(py, "REMOTE_ADDR"),
            intern!(py, "REMOTE_PORT"),
            intern!(py, "wsgi.url_scheme"),
            intern!(py, "wsgi.input"),
        ] {
            template.set_item(key, placeholder)?;
        }
        let software = concat!("thalweg/", env!("CARGO_PKG_VERSION"));
        template.set_item(intern!(py, "SERVER_SOFTWARE"), software)?;
        template.set_item(intern!(py, "wsgi.version"), PyTuple::new(py, [1, 0])?)?;
        template.set_item(intern!(py, "wsgi.errors"), errors)?;
        template.set_item(intern!(py, "wsgi.multithread"), multithread)?;
        template.set_item(intern!(py, "wsgi.multiprocess"), false)?;
        template.set_item(intern!(py, "wsgi.run_once"), false)?;
        template.set_item(intern!(py, "wsgi.input_terminated"), true)?;
        template.set_item(intern!(py, "wsgi.file_wrapper"), file_wrapper)?;
        make_room(&template)?;
        Ok(Self {
            template: template.unbind(),
            names: Names::default(),
            target: Target::default(),
            places: Places::new(),
        })
    }

    /// The environ of one request. Belongs to the application from then on.
    pub(super) fn make<'py>(
        &mut self,
        py: Python<'py>,
        request: &Request,
        circumstances: &Circumstances<'_, 'py>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let environ = self.template.bind(py).copy()?;
        let peer = circumstances.peer;

        environ.set_item(intern!(py, "REQUEST_METHOD"), method(py, request.method()))?;
        self.target.put(&environ, request)?;
        self.put_places(&environ, peer)?;
        let protocol = match request.version {
            Version::Http2 => intern!(py, "HTTP/2"),
            Version::Http11 => intern!(py, "HTTP/1.1"),
            other => &PyString::new(py, other.as_str()),
        };
        environ.set_item(intern!(py, "SERVER_PROTOCOL"), protocol)?;
        if peer.tls.is_some() {
            environ.set_item(intern!(py, "wsgi.url_scheme"), intern!(py, "https"))?;
            environ.set_item(intern!(py, "HTTPS"), intern!(py, "on"))?;
        } else {
            environ.set_item(intern!(py, "wsgi.url_scheme"), intern!(py, "http"))?;
        }
        if request.version == Version::Http2 {
            environ.set_item(intern!(py, "HTTP2"), intern!(py, "on"))?;
            environ.set_item(
                intern!(py, "H2_STREAM_ID"),
                circumstances.stream.to_string(),
            )?;
        }
        environ.set_item(intern!(py, "wsgi.input"), circumstances.input)?;

        self.names.put(&environ, request)?;
        Ok(environ)
    }

    fn put_places(&mut self, environ: &Bound<'_, PyDict>, peer: &Peer) -> PyResult<()> {
        let py = environ.py();
        let (name, port) = match &peer.local {
            SocketAddress::Ip(local) => self.places.texts(py, *local),
            // A path is no name of a server, and PEP 3333 wants both of these to be there.
            SocketAddress::Unix(_) if peer.tls.is_some() => {
                (intern!(py, "localhost"), intern!(py, "443"))
            }
            SocketAddress::Unix(_) => (intern!(py, "localhost"), intern!(py, "80")),
        };
        environ.set_item(intern!(py, "SERVER_NAME"), name)?;
        environ.set_item(intern!(py, "SERVER_PORT"), port)?;
        let (address, port) = match &peer.address {
            SocketAddress::Ip(remote) => self.places.texts(py, *remote),
            SocketAddress::Unix(_) => (intern!(py, ""), intern!(py, "")),
        };
        environ.set_item(intern!(py, "REMOTE_ADDR"), address)?;
        environ.set_item(intern!(py, "REMOTE_PORT"), port)
    }
}

/// Makes the template's table grow beyond its keys: a copy takes the table as it is, and so has room for a
/// browser's fields without growing once more. Few keys are enough for that; of too many deleted ones the copy
/// would be compacted instead.
fn make_room(template: &Bound<'_, PyDict>) -> PyResult<()> {
    let spare = ["thalweg.1", "thalweg.2", "thalweg.3", "thalweg.4"];
    for key in spare {
        template.set_item(key, "")?;
    }
    for key in spare {
        template.del_item(key)?;
    }
    Ok(())
}

fn method<'py>(py: Python<'py>, method: &[u8]) -> Bound<'py, PyString> {
    match method {
        b"GET" => intern!(py, "GET").clone(),
        b"HEAD" => intern!(py, "HEAD").clone(),
        b"POST" => intern!(py, "POST").clone(),
        b"PUT" => intern!(py, "PUT").clone(),
        b"PATCH" => intern!(py, "PATCH").clone(),
        b"DELETE" => intern!(py, "DELETE").clone(),
        b"OPTIONS" => intern!(py, "OPTIONS").clone(),
        other => native(py, other),
    }
}

/// The strings of the last target: an application is often asked for the same thing again.
#[derive(Default)]
struct Target {
    octets: Vec<u8>,
    texts: Option<[Py<PyString>; 3]>,
}

impl Target {
    const KEPT: usize = 512;

    fn put(&mut self, environ: &Bound<'_, PyDict>, request: &Request) -> PyResult<()> {
        let py = environ.py();
        // Only CONNECT has none, and never gets as far as an application.
        let target = request.path().unwrap_or_default();
        if self.texts.is_none() || self.octets != target {
            let query = memchr::memchr(b'?', target);
            let path = &target[..query.unwrap_or(target.len())];
            // The asterisk of OPTIONS names no path (RFC 9110, section 7.1).
            let path = if path == b"*" { b"" } else { path };
            let query = query.map_or(&b""[..], |at| &target[at + 1..]);
            self.texts = Some([
                native(py, target).unbind(),
                native(py, &percent_decoded(path)).unbind(),
                native(py, query).unbind(),
            ]);
            self.octets.clear();
            self.octets.extend_from_slice(target);
        }
        if let Some([uri, path, query]) = &self.texts {
            environ.set_item(intern!(py, "REQUEST_URI"), uri)?;
            environ.set_item(intern!(py, "PATH_INFO"), path)?;
            environ.set_item(intern!(py, "QUERY_STRING"), query)?;
        }
        if self.octets.len() > Self::KEPT {
            *self = Self::default();
        }
        Ok(())
    }
}

/// The texts of addresses: of the server's own, and of the clients that came last.
struct Places {
    slots: Vec<Option<Place>>,
}

struct Place {
    address: SocketAddr,
    ip: Py<PyString>,
    port: Py<PyString>,
}

impl Places {
    /// Each connection has a port of its own, so that a few dozens of them seldom want the same slot.
    const SLOTS: usize = 64;

    fn new() -> Self {
        Self {
            slots: std::iter::repeat_with(|| None).take(Self::SLOTS).collect(),
        }
    }

    fn texts<'a, 'py>(
        &'a mut self,
        py: Python<'py>,
        address: SocketAddr,
    ) -> (&'a Bound<'py, PyString>, &'a Bound<'py, PyString>) {
        let slot = &mut self.slots[usize::from(address.port()) % Self::SLOTS];
        let place = match slot.take() {
            Some(place) if place.address == address => place,
            _ => Place {
                address,
                ip: PyString::new(py, &address.ip().to_string()).unbind(),
                port: PyString::new(py, &address.port().to_string()).unbind(),
            },
        };
        let place = slot.insert(place);
        (place.ip.bind(py), place.port.bind(py))
    }
}

/// `accept-language` to `HTTP_ACCEPT_LANGUAGE`, and the last value of each name.
#[derive(Default)]
struct Names {
    known: HashMap<Box<[u8]>, Name>,
    /// Counts requests, so that a name's second line in one request is noticed.
    request: u64,
}

struct Name {
    key: Py<PyString>,
    last: Option<(Box<[u8]>, Py<PyString>)>,
    seen: u64,
}

impl Names {
    /// Bounds of what is kept: an application has some dozens of names, whatever a hostile client sends.
    const KEPT: usize = 256;
    const KEPT_NAME: usize = 64;
    const KEPT_VALUE: usize = 256;

    fn put(&mut self, environ: &Bound<'_, PyDict>, request: &Request) -> PyResult<()> {
        self.request += 1;
        // The authority decides, whatever a Host field says beside it (RFC 9112, section 3.2.2; RFC 9113,
        // section 8.3.1).
        if let Some(authority) = request.authority() {
            self.put_line(environ, request, b"host", authority, true)?;
        }
        let has_authority = request.authority().is_some();
        for Field {
            name,
            value,
            never_index,
        } in request.fields.iter()
        {
            // An underscore would let `x_user` pass for `x-user`; HTTP_PROXY is a variable that programs obey.
            if memchr::memchr(b'_', name).is_some()
                || name == b"proxy"
                || (has_authority && name == b"host")
            {
                continue;
            }
            let secret = never_index
                || matches!(name, b"cookie" | b"authorization" | b"proxy-authorization");
            self.put_line(environ, request, name, value, !secret)?;
        }
        Ok(())
    }

    fn put_line(
        &mut self,
        environ: &Bound<'_, PyDict>,
        request: &Request,
        name: &[u8],
        value: &[u8],
        keep: bool,
    ) -> PyResult<()> {
        let py = environ.py();
        if let Some(known) = self.known.get_mut(name) {
            let key = known.key.bind(py);
            if known.seen == self.request {
                return put_all(environ, request, name, key);
            }
            known.seen = self.request;
            if let Some((last, text)) = &known.last
                && **last == *value
            {
                return environ.set_item(key, text);
            }
            let text = native(py, value);
            environ.set_item(key, &text)?;
            if keep && value.len() <= Self::KEPT_VALUE {
                known.last = Some((value.into(), text.unbind()));
            }
            return Ok(());
        }
        let kept = self.known.len() < Self::KEPT && name.len() <= Self::KEPT_NAME;
        let key = key(py, name, kept);
        if kept {
            let name_of_it = Name {
                key: key.clone().unbind(),
                last: None,
                seen: self.request,
            };
            self.known.insert(name.into(), name_of_it);
        } else if environ.contains(&key)? {
            return put_all(environ, request, name, &key);
        }
        environ.set_item(key, native(py, value))
    }
}

/// A name that came in several lines: all of them in one value (RFC 9110, section 5.3), cookies as RFC 9113,
/// section 8.2.3 has it.
fn put_all(
    environ: &Bound<'_, PyDict>,
    request: &Request,
    name: &[u8],
    key: &Bound<'_, PyString>,
) -> PyResult<()> {
    let separator: &[u8] = match name {
        b"cookie" => b"; ",
        _ => b", ",
    };
    let values: Vec<&[u8]> = request.fields.all(name).collect();
    environ.set_item(key, native(environ.py(), &values.join(separator)))
}

/// The key of a field. Only one that is `kept` is interned: some interpreters never release what was, and clients
/// choose the names.
fn key<'py>(py: Python<'py>, name: &[u8], kept: bool) -> Bound<'py, PyString> {
    match name {
        b"content-type" => intern!(py, "CONTENT_TYPE").clone(),
        b"content-length" => intern!(py, "CONTENT_LENGTH").clone(),
        _ => {
            let mut key = b"HTTP_".to_vec();
            key.extend(name.iter().map(|octet| match octet {
                b'-' => b'_',
                other => other.to_ascii_uppercase(),
            }));
            let key = std::str::from_utf8(&key).unwrap_or_default();
            match kept {
                true => PyString::intern(py, key),
                false => PyString::new(py, key),
            }
        }
    }
}
