//! What `thalweg` shall serve and how: the options as plain, checked data.

use crate::Address;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The options of the server. Each field is set by the option of the same name in [`TABLE`](crate::table::TABLE),
/// where its meaning and its default stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table documents each option once")]
pub struct Serve {
    /// `--http`, `--https` and `--https2`, in the order given. At least one.
    pub listen: Vec<Listen>,
    pub shared_socket: Vec<Address>,
    pub h2c_upgrade: bool,
    pub uid: Option<String>,
    pub gid: Option<String>,

    /// `--module`, `--wsgi-file` or the bare argument, with `--callable`.
    pub application: Application,
    pub chdir: Option<PathBuf>,
    pub pythonpath: Vec<PathBuf>,
    pub virtualenv: Option<PathBuf>,
    pub python: Option<PathBuf>,
    pub threads: usize,
    /// Requests.
    pub queue: usize,
    pub io_threads: usize,

    pub access_log: Option<LogTarget>,
    pub log_level: Level,

    pub graceful_timeout: Duration,
    pub handshake_timeout: Duration,
    pub head_timeout: Duration,
    pub idle_timeout: Duration,
    pub body_grace: Duration,
    /// Octets a second.
    pub body_rate: u32,
    /// Octets a second.
    pub take_rate: u32,
    pub write_timeout: Duration,
    /// 0: as many as the system allows.
    pub max_connections: usize,
    /// 0: any number.
    pub max_connections_per_address: usize,
    pub max_streams: u32,
    /// Octets.
    pub max_head: usize,
    pub max_fields: usize,
    /// Octets.
    pub max_target: usize,
    /// Octets.
    pub stream_window: u32,
    /// Octets.
    pub connection_window: u32,
    /// Octets; 0: the windows do not grow.
    pub largest_window: u32,
    /// Octets.
    pub request_memory: usize,
}

impl Serve {
    /// Nothing set yet: the table's defaults come next.
    pub(crate) fn unset() -> Self {
        Self {
            listen: Vec::new(),
            shared_socket: Vec::new(),
            h2c_upgrade: false,
            uid: None,
            gid: None,
            application: Application {
                source: Source::Module(String::new()),
                callable: None,
            },
            chdir: None,
            pythonpath: Vec::new(),
            virtualenv: None,
            python: None,
            threads: 0,
            queue: 0,
            io_threads: 0,
            access_log: None,
            log_level: Level::Info,
            graceful_timeout: Duration::ZERO,
            handshake_timeout: Duration::ZERO,
            head_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            body_grace: Duration::ZERO,
            body_rate: 0,
            take_rate: 0,
            write_timeout: Duration::ZERO,
            max_connections: 0,
            max_connections_per_address: 0,
            max_streams: 0,
            max_head: 0,
            max_fields: 0,
            max_target: 0,
            stream_window: 0,
            connection_window: 0,
            largest_window: 0,
            request_memory: 0,
        }
    }
}

/// One address to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: Address,
    /// Certificate and key; none for plain HTTP.
    pub keys: Option<Keys>,
    /// Whether SPDY was asked for.
    pub spdy: bool,
    /// The option that asked for it, for messages: `--https2`.
    pub option: &'static str,
}

impl Listen {
    /// What is served when nothing is given, as by other Python servers.
    pub(crate) fn local() -> Self {
        Self {
            address: Address::Tcp {
                host: "127.0.0.1".to_owned(),
                port: 8000,
            },
            keys: None,
            spdy: false,
            option: "--http",
        }
    }
}

/// The files of a TLS identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// The application to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Where it is.
    pub source: Source,
    /// The name of the callable there; dots lead into attributes. None: `application`, or else `app`.
    pub callable: Option<String>,
}

/// Where an application is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A module, by its dotted name.
    Module(String),
    /// A file.
    File(PathBuf),
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Module(name) => f.write_str(name)?,
            Source::File(path) => path.display().fmt(f)?,
        }
        match &self.callable {
            Some(callable) => write!(f, ":{callable}"),
            None => Ok(()),
        }
    }
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard error.
    Standard,
    /// A file, appended to.
    File(PathBuf),
}

/// How much is logged: the named level and those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}
