//! The table: every option once.

use crate::items;
use crate::serve::{Level, LogTarget, Serve};
use crate::value::{self, Allowed};
use std::ffi::OsStr;
use std::path::PathBuf;

/// One option.
pub struct Row {
    /// Its name, without the dashes.
    pub name: &'static str,
    /// Its one-letter name.
    pub short: Option<char>,
    /// Other names that mean the same: uWSGI's and other servers'.
    pub also: &'static [&'static str],
    /// The form of its value, for the help; empty for an option without a value.
    pub form: &'static str,
    /// The value when the option is not given; empty for none.
    pub default: &'static str,
    /// What it means, in one or two lines of help.
    pub meaning: &'static str,
    /// Whether it may be given more than once.
    pub repeats: bool,
    /// Where it stands in the help.
    pub group: Group,
    pub(crate) set: fn(&mut Draft, &OsStr) -> Result<(), Allowed>,
}

/// A heading of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the titles say it")]
pub enum Group {
    Listening,
    Application,
    Work,
    Log,
    Times,
    Limits,
    Information,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 7] = [
        Self::Listening,
        Self::Application,
        Self::Work,
        Self::Log,
        Self::Times,
        Self::Limits,
        Self::Information,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Listening => "Where to listen",
            Self::Application => "The application",
            Self::Work => "How it runs",
            Self::Log => "Logs",
            Self::Times => "How long to wait (30, 30s, 500ms, 5m)",
            Self::Limits => "What a client may use (64k, 8m are octets)",
            Self::Information => "About",
        }
    }
}

/// What the arguments have said so far.
pub(crate) struct Draft {
    pub(crate) serve: Serve,
    pub(crate) module: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) callable: Option<String>,
    pub(crate) information: Option<Information>,
}

/// An option that is answered instead of serving.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Information {
    Help,
    Version,
}

/// The row with this long name.
pub fn find(name: &str) -> Option<&'static Row> {
    TABLE
        .iter()
        .find(|row| row.name == name || row.also.contains(&name))
}

/// The row with this one-letter name.
pub fn find_short(letter: char) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.short == Some(letter))
}

const EMPTY: Row = Row {
    name: "",
    short: None,
    also: &[],
    form: "",
    default: "",
    meaning: "",
    repeats: false,
    group: Group::Information,
    set: |_, _| Ok(()),
};

/// Every option.
pub const TABLE: &[Row] = &[
    Row {
        name: "http",
        short: Some('b'),
        also: &["bind", "httprouter"],
        form: "ADDRESS",
        meaning: "HTTP/1.1, and HTTP/2 by prior knowledge or --h2c-upgrade;\n\
                  127.0.0.1:8000 if no address is given",
        repeats: true,
        group: Group::Listening,
        set: |draft, given| items::http(given).map(|one| draft.serve.listen.push(one)),
        ..EMPTY
    },
    Row {
        name: "https2",
        form: "addr=ADDRESS,cert=FILE,key=FILE[,spdy=1]",
        meaning: "HTTP/2 and HTTP/1.1 over TLS. The files are PEM",
        repeats: true,
        group: Group::Listening,
        set: |draft, given| items::https2(given).map(|one| draft.serve.listen.push(one)),
        ..EMPTY
    },
    Row {
        name: "https",
        form: "ADDRESS,CERTIFICATE,KEY",
        meaning: "the same, by position",
        repeats: true,
        group: Group::Listening,
        set: |draft, given| items::https(given).map(|one| draft.serve.listen.push(one)),
        ..EMPTY
    },
    Row {
        name: "h2c-upgrade",
        also: &["http1-upgrade-to-http2"],
        form: "on|off",
        default: "on",
        meaning: "HTTP/2 on plain addresses for clients of HTTP/1.1 that offer it\n\
                  (Upgrade: h2c); not for requests that a proxy has marked",
        group: Group::Listening,
        set: |draft, given| value::switch(given).map(|value| draft.serve.h2c_upgrade = value),
        ..EMPTY
    },
    Row {
        name: "shared-socket",
        form: "ADDRESS",
        meaning: "bind a socket for addresses of the form =N, N from 0",
        repeats: true,
        group: Group::Listening,
        set: |draft, given| {
            items::shared_socket(given).map(|one| draft.serve.shared_socket.push(one))
        },
        ..EMPTY
    },
    Row {
        name: "uid",
        short: Some('u'),
        also: &["user"],
        form: "USER",
        meaning: "the user to become once addresses are bound and keys are read",
        group: Group::Listening,
        set: |draft, given| value::text(given).map(|name| draft.serve.uid = Some(name.to_owned())),
        ..EMPTY
    },
    Row {
        name: "gid",
        short: Some('g'),
        also: &["group"],
        form: "GROUP",
        meaning: "the group to become; that of the user if not given",
        group: Group::Listening,
        set: |draft, given| value::text(given).map(|name| draft.serve.gid = Some(name.to_owned())),
        ..EMPTY
    },
    Row {
        name: "module",
        short: Some('w'),
        also: &["wsgi"],
        form: "MODULE[:CALLABLE]",
        meaning: "a WSGI application by the name of its module",
        group: Group::Application,
        set: |draft, given| {
            let (module, callable) = module(value::text(given)?)?;
            draft.module = Some(module);
            draft.callable = callable.or(draft.callable.take());
            Ok(())
        },
        ..EMPTY
    },
    Row {
        name: "wsgi-file",
        also: &["file"],
        form: "FILE",
        meaning: "a WSGI application by its file",
        group: Group::Application,
        set: |draft, given| value::path(given).map(|path| draft.file = Some(path)),
        ..EMPTY
    },
    Row {
        name: "callable",
        form: "NAME",
        meaning: "its name there; application, or else app, if not given",
        group: Group::Application,
        set: |draft, given| {
            draft.callable = Some(callable(value::text(given)?)?);
            Ok(())
        },
        ..EMPTY
    },
    Row {
        name: "chdir",
        form: "DIRECTORY",
        meaning: "change to this directory before the application is imported",
        group: Group::Application,
        set: |draft, given| value::path(given).map(|path| draft.serve.chdir = Some(path)),
        ..EMPTY
    },
    Row {
        name: "pythonpath",
        also: &["python-path", "pp"],
        form: "DIRECTORY",
        meaning: "look for modules here first",
        repeats: true,
        group: Group::Application,
        set: |draft, given| value::path(given).map(|one| draft.serve.pythonpath.push(one)),
        ..EMPTY
    },
    Row {
        name: "virtualenv",
        short: Some('H'),
        also: &["home", "venv", "pyhome"],
        form: "DIRECTORY",
        meaning: "the virtual environment to run in; else $VIRTUAL_ENV, else the\n\
                  one that holds this program, else python3 on PATH",
        group: Group::Application,
        set: |draft, given| value::path(given).map(|path| draft.serve.virtualenv = Some(path)),
        ..EMPTY
    },
    Row {
        name: "python",
        form: "PROGRAM",
        meaning: "the interpreter to run, instead of looking for one",
        group: Group::Application,
        set: |draft, given| value::path(given).map(|path| draft.serve.python = Some(path)),
        ..EMPTY
    },
    Row {
        name: "threads",
        form: "N",
        default: "4",
        meaning: "requests that the application works on at the same time",
        group: Group::Work,
        set: |draft, given| value::count(given, 1..=1024).map(|value| draft.serve.threads = value),
        ..EMPTY
    },
    Row {
        name: "queue",
        form: "N",
        default: "1024",
        meaning: "requests that wait for a thread; one more is answered 503",
        group: Group::Work,
        set: |draft, given| {
            value::count(given, 1..=1_000_000).map(|value| draft.serve.queue = value)
        },
        ..EMPTY
    },
    Row {
        name: "io-threads",
        form: "N",
        default: "1",
        meaning: "threads that read and write connections",
        group: Group::Work,
        set: |draft, given| {
            value::count(given, 1..=256).map(|value| draft.serve.io_threads = value)
        },
        ..EMPTY
    },
    Row {
        name: "processes",
        short: Some('p'),
        also: &["workers"],
        form: "1",
        default: "1",
        meaning: "more than one process is not built in yet",
        group: Group::Work,
        set: |_, given| match value::count(given, 1..=1024u32)? {
            1 => Ok(()),
            _ => Err("1; more processes are not built in yet, so raise --threads instead".into()),
        },
        ..EMPTY
    },
    Row {
        name: "access-log",
        also: &["access-logfile"],
        form: "FILE",
        meaning: "a line for each request (combined format with the request's id);\n\
                  - is standard error",
        group: Group::Log,
        set: |draft, given| {
            draft.serve.access_log = Some(if given == "-" {
                LogTarget::Standard
            } else {
                LogTarget::File(value::path(given)?)
            });
            Ok(())
        },
        ..EMPTY
    },
    Row {
        name: "log-level",
        form: "LEVEL",
        default: "info",
        meaning: "error, warn, info, debug or trace (frames), to stderr",
        group: Group::Log,
        set: |draft, given| {
            draft.serve.log_level = value::word(
                given,
                &[
                    ("error", Level::Error),
                    ("warn", Level::Warn),
                    ("info", Level::Info),
                    ("debug", Level::Debug),
                    ("trace", Level::Trace),
                ],
            )?;
            Ok(())
        },
        ..EMPTY
    },
    Row {
        name: "handshake-timeout",
        form: "TIME",
        default: "10s",
        meaning: "for a TLS handshake",
        group: Group::Times,
        set: |draft, given| {
            value::duration(given).map(|value| draft.serve.handshake_timeout = value)
        },
        ..EMPTY
    },
    Row {
        name: "head-timeout",
        also: &["http-headers-timeout"],
        form: "TIME",
        default: "30s",
        meaning: "for the head of a request",
        group: Group::Times,
        set: |draft, given| value::duration(given).map(|value| draft.serve.head_timeout = value),
        ..EMPTY
    },
    Row {
        name: "idle-timeout",
        also: &["http-timeout", "keep-alive", "timeout-keep-alive"],
        form: "TIME",
        default: "75s",
        meaning: "for the next request of a connection",
        group: Group::Times,
        set: |draft, given| value::duration(given).map(|value| draft.serve.idle_timeout = value),
        ..EMPTY
    },
    Row {
        name: "body-grace",
        form: "TIME",
        default: "10s",
        meaning: "until a request's body must come as fast as --body-rate says",
        group: Group::Times,
        set: |draft, given| value::duration(given).map(|value| draft.serve.body_grace = value),
        ..EMPTY
    },
    Row {
        name: "write-timeout",
        form: "TIME",
        default: "60s",
        meaning: "for a client that takes nothing of what is sent to it",
        group: Group::Times,
        set: |draft, given| value::duration(given).map(|value| draft.serve.write_timeout = value),
        ..EMPTY
    },
    Row {
        name: "graceful-timeout",
        also: &["timeout-graceful-shutdown"],
        form: "TIME",
        default: "30s",
        meaning: "for open requests when the server is told to stop",
        group: Group::Times,
        set: |draft, given| {
            value::duration(given).map(|value| draft.serve.graceful_timeout = value)
        },
        ..EMPTY
    },
    Row {
        name: "body-rate",
        form: "SIZE",
        default: "1k",
        meaning: "what a body must bring each second; 0 allows any pace",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 0..=1 << 30).map(|value| draft.serve.body_rate = value)
        },
        ..EMPTY
    },
    Row {
        name: "take-rate",
        form: "SIZE",
        default: "256",
        meaning: "what a client must take of an answer each second to be waited for\n\
                  beyond the time-out of writing; 0 allows any pace",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 0..=1 << 30).map(|value| draft.serve.take_rate = value)
        },
        ..EMPTY
    },
    Row {
        name: "max-connections",
        form: "N",
        default: "0",
        meaning: "open connections; 0 for as many as the system allows",
        group: Group::Limits,
        set: |draft, given| {
            value::count(given, 0..=10_000_000).map(|value| draft.serve.max_connections = value)
        },
        ..EMPTY
    },
    Row {
        name: "max-connections-per-address",
        form: "N",
        default: "0",
        meaning: "open connections of one address, or of a /64 of IPv6, beyond\n\
                  which it gets no more; 0 for any number",
        group: Group::Limits,
        set: |draft, given| {
            value::count(given, 0..=10_000_000)
                .map(|value| draft.serve.max_connections_per_address = value)
        },
        ..EMPTY
    },
    Row {
        name: "max-streams",
        form: "N",
        default: "256",
        meaning: "requests at once on one connection",
        group: Group::Limits,
        set: |draft, given| {
            value::count(given, 1..=65_536).map(|value| draft.serve.max_streams = value)
        },
        ..EMPTY
    },
    Row {
        name: "max-head",
        also: &["buffer-size"],
        form: "SIZE",
        default: "64k",
        meaning: "the head of a request; above it 431",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 1024..=16 << 20).map(|value| draft.serve.max_head = value)
        },
        ..EMPTY
    },
    Row {
        name: "max-fields",
        form: "N",
        default: "100",
        meaning: "its fields; above it 431",
        group: Group::Limits,
        set: |draft, given| {
            value::count(given, 8..=10_000).map(|value| draft.serve.max_fields = value)
        },
        ..EMPTY
    },
    Row {
        name: "max-target",
        form: "SIZE",
        default: "8k",
        meaning: "its target; above it 414",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 64..=1 << 20).map(|value| draft.serve.max_target = value)
        },
        ..EMPTY
    },
    Row {
        name: "stream-window",
        form: "SIZE",
        default: "256k",
        meaning: "what one request may send before the application reads it",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 16 << 10..=64 << 20).map(|value| draft.serve.stream_window = value)
        },
        ..EMPTY
    },
    Row {
        name: "connection-window",
        form: "SIZE",
        default: "8m",
        meaning: "the same for all requests of one connection",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 64 << 10..=1 << 30)
                .map(|value| draft.serve.connection_window = value)
        },
        ..EMPTY
    },
    Row {
        name: "largest-window",
        form: "SIZE",
        default: "16m",
        meaning: "what both grow to where a client's way to us is long and fast\n\
                  (HTTP/2); 0 keeps them as they are",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 0..=1 << 30).map(|value| draft.serve.largest_window = value)
        },
        ..EMPTY
    },
    Row {
        name: "request-memory",
        form: "SIZE",
        default: "512m",
        meaning: "what all requests hold together, heads and bodies; above it who\n\
                  holds more than others is refused",
        group: Group::Limits,
        set: |draft, given| {
            value::size(given, 1 << 20..=1 << 40).map(|value| draft.serve.request_memory = value)
        },
        ..EMPTY
    },
    Row {
        name: "help",
        short: Some('h'),
        meaning: "this text",
        set: |draft, _| {
            draft.information = Some(Information::Help);
            Ok(())
        },
        ..EMPTY
    },
    Row {
        name: "version",
        short: Some('V'),
        meaning: "the version",
        set: |draft, _| {
            draft.information.get_or_insert(Information::Version);
            Ok(())
        },
        ..EMPTY
    },
];

/// `MODULE[:CALLABLE]`.
pub(crate) fn module(text: &str) -> Result<(String, Option<String>), Allowed> {
    let (module, name) = match text.split_once(':') {
        Some((module, name)) => (module, Some(callable(name)?)),
        None => (text, None),
    };
    if !is_dotted_name(module) || module.ends_with(".py") {
        return Err(format!(
            "a dotted name, as in package.module:callable; '{module}' is none (a file is given with --wsgi-file)"
        )
        .into());
    }
    Ok((module.to_owned(), name))
}

fn callable(text: &str) -> Result<String, Allowed> {
    if !is_dotted_name(text) {
        return Err(format!("a name in Python; '{text}' is none").into());
    }
    Ok(text.to_owned())
}

/// Names of Python, joined by dots.
fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        let mut letters = part.chars();
        letters
            .next()
            .is_some_and(|first| first == '_' || first.is_alphabetic())
            && letters.all(|next| next == '_' || next.is_alphanumeric())
    })
}

impl Draft {
    /// Before any argument: every default of the table, set as if it were given.
    pub(crate) fn new() -> Self {
        let mut draft = Self {
            serve: Serve::unset(),
            module: None,
            file: None,
            callable: None,
            information: None,
        };
        for row in TABLE.iter().filter(|row| !row.default.is_empty()) {
            let set = (row.set)(&mut draft, OsStr::new(row.default));
            debug_assert!(set.is_ok(), "--{} refuses its own default", row.name);
        }
        draft
    }
}
