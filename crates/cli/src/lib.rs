//! The `thalweg` program without its last step: everything from the arguments to a [`Plan`] that only needs an
//! interpreter.
//!
//! ```text
//!  arguments ─► options ─► bind all addresses ─► read all keys ─► drop privileges ─► Host::serve(Plan)
//!                 │ 2          │ 1                  │ 1               │ 1
//!                 └────────────┴────────────────────┴─────────────────┴─► one line on standard error
//! ```
//!
//! Two programs call [`run`]. The `thalweg` binary has no Python in it: its [`Host`] hands the open sockets over
//! to `python -m thalweg`, started in its own place. That one, in the extension module, takes them over instead
//! of binding, and runs the application. Nothing of the user's runs before the privileges are dropped.

pub mod interpreter;
mod log;
mod plan;

pub use plan::Plan;

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use thalweg_options::Command;

/// The version of the program, and of the extension module that was built with it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where an application is served.
pub trait Host {
    /// Serves until the server is told to stop, and answers the exit status. The caller is the main thread of
    /// the process, which has no other threads yet.
    ///
    /// # Errors
    /// What keeps it from serving, in one line.
    fn serve(&self, plan: Plan) -> Result<u8, Error>;
}

/// Why there is nothing to serve: one line for the user, without a full stop, and the exit status.
#[derive(Debug)]
pub struct Error {
    line: String,
    status: u8,
}

impl Error {
    /// Something is not as it must be: exit status 1.
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            status: 1,
        }
    }

    /// The options make no sense: exit status 2.
    pub fn usage(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            status: 2,
        }
    }

    /// The exit status that it leads to.
    pub fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for Error {}

/// Runs the command that the arguments ask for, the program's own name not among them, and answers the exit
/// status: 0, 1 when something is not as it must be, 2 when the arguments make no sense.
pub fn run(arguments: impl Iterator<Item = OsString>, host: &dyn Host) -> u8 {
    match command(arguments, host) {
        Ok(status) => status,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("thalweg: {error}\n"));
            error.status()
        }
    }
}

fn command(arguments: impl Iterator<Item = OsString>, host: &dyn Host) -> Result<u8, Error> {
    match thalweg_options::parse(arguments) {
        Ok(Command::Serve(serve)) => {
            log::start(serve.log_level);
            host.serve(Plan::prepare(*serve)?)
        }
        Ok(Command::Help) => {
            say(&mut std::io::stdout(), &thalweg_options::help());
            Ok(0)
        }
        Ok(Command::Version) => {
            say(&mut std::io::stdout(), &format!("thalweg {VERSION}\n"));
            Ok(0)
        }
        Err(error) => Err(Error::usage(error.to_string())),
    }
}

/// Writes to a stream that may be closed, where nobody is left to hear of it.
fn say(stream: &mut dyn Write, text: &str) {
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}
