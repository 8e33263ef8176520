//! The log: lines on standard error, from the level that `--log-level` names.

use std::io::{IsTerminal, stderr};
use thalweg_gateway::log::Stderr;
use thalweg_options::Level;
use tracing::level_filters::LevelFilter;

/// Starts it. In a process that has a log already (a test, an embedding program) that one stays.
pub(crate) fn start(level: Level) {
    let filter = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let _ = tracing_subscriber::fmt()
        // It would tell of a log that cannot be written by writing there, which ends the process.
        .log_internal_errors(false)
        .with_max_level(filter)
        .with_writer(|| Stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .try_init();
}
