//! The one option table, from which the command line, the help and the documentation come.
//!
//! ```text
//!  arguments ─► parse ─► table (name, form, default, meaning, setter) ─► Serve, plain and typed
//!                          └─► help
//! ```
//!
//! An option is written once, in [`table::TABLE`]: its names (with those that uWSGI and other servers gave it),
//! the form of its value, its default, what it means, and where its value goes. Values are checked when they are
//! parsed; whoever holds a [`Serve`] need not doubt it.
//!
//! ```
//! use thalweg_options::{Command, parse};
//!
//! let Ok(Command::Serve(serve)) = parse(["app:app", "--threads", "8"].map(Into::into)) else {
//!     unreachable!()
//! };
//! assert_eq!(serve.threads, 8);
//! assert_eq!(serve.listen[0].address.to_string(), "127.0.0.1:8000");
//!
//! let error = parse(["app:app", "--thread", "8"].map(Into::into)).unwrap_err();
//! assert_eq!(error.to_string(), "there is no option --thread; did you mean --threads?");
//! ```

mod address;
mod help;
mod items;
mod parse;
mod serve;
pub mod table;
mod value;

pub use address::Address;
pub use help::help;
pub use parse::{Command, UsageError, parse};
pub use serve::{Application, Keys, Level, Listen, LogTarget, Serve, Source};
