//! The `thalweg` program: no Python in it, so it hands an application over to an interpreter.

use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use thalweg_cli::interpreter::{self, Search};
use thalweg_cli::{Error, Host, Plan, run};
use thalweg_net::handover;

/// Serves by becoming `python -m thalweg`, with the same arguments.
struct Interpreter;

impl Host for Interpreter {
    fn serve(&self, plan: Plan) -> Result<u8, Error> {
        let python = Search::new(&plan.serve).find()?;
        interpreter::check(&python)?;
        let handover = plan.into_handover();
        let file = handover
            .put()
            .map_err(|error| Error::new(error.to_string()))?;
        let error = Command::new(&python)
            .args(["-m", "thalweg"])
            .args(std::env::args_os().skip(1))
            .env(handover::VARIABLE, file.as_raw_fd().to_string())
            .exec();
        Err(Error::new(format!(
            "{} cannot be run: {error}",
            python.display()
        )))
    }
}

fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os().skip(1), &Interpreter))
}
